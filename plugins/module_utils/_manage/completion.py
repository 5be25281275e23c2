# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Completes a chunk store whose creation failed: its directories and its lock file, and nothing else.

A failed creation leaves `.chunks` with some or all of the 65,536 prefix directories. The datastore is not configured, and
PBS can neither create it again (EEXIST) nor reuse it (parts are missing). Missing parts are made here as PBS makes them.
Existing parts stay unchanged, except that the fixed directories get the right owner and mode: PBS may have been
interrupted between making a directory and changing its owner. No file except `.lock` is ever made or changed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import functools
import os
import stat
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._manage.base import require_apart
from ansible_collections.fleetops.pbs.plugins.module_utils._manage.proof import (
    first_stranger,
    first_stranger_among_prefixes,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import CHUNKS, LOCK, PREFIX_COUNT
from ansible_collections.fleetops.pbs.plugins.module_utils._system.child import Channel, run
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import (
    open_directory,
    open_inside,
    open_to_change,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity
from ansible_collections.fleetops.pbs.plugins.module_utils._system.permission import READ, SEARCH, allows
from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import kind_of, mode_string
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error, display

BASE_MODE = 0o755
CHUNKS_MODE = 0o750
PREFIX_MODE = 0o750
LOCK_MODE = 0o644
"""The modes that PBS requires exactly in a store that it reuses. Source: PBS, chunk store."""

_STEP = 1024
_SHOWN = 5


class StoreError(CollectionError):
    """A chunk store could not be completed or checked; the message names the path and the problem."""


@dataclasses.dataclass
class Wrong:
    """The parts of a store because of which PBS would refuse to reuse it."""

    count: int
    examples: list[str]


def complete_store(path: str, uid: int, gid: int, deadline: float, timeout: float, dry: bool = False) -> int:
    """Make the missing parts; return how many parts were made or got another owner or mode.

    `dry`: change nothing, but stop at everything at which the completion would stop, and count what it would change.
    `deadline`: seconds without progress after which it stops; `timeout`: seconds in all. Raises `StoreError`.
    """
    return int(t.cast(int, _in_child(path, deadline, timeout, lambda channel: _complete(path, uid, gid, channel, dry))))


def check_reuse(path: str, uid: int, gid: int, deadline: float, timeout: float) -> Wrong:
    """Check all directories of a store as PBS does before a reuse; PBS itself stops at the first wrong one.

    `deadline` and `timeout` as in `complete_store`. Raises `StoreError` if the store cannot be read.
    """
    count, examples = t.cast(
        tuple[int, list[str]], _in_child(path, deadline, timeout, lambda channel: _check(path, uid, gid, channel))
    )
    return Wrong(count, examples)


def _in_child(path: str, deadline: float, timeout: float, work: t.Callable[[Channel], t.Any]) -> t.Any:
    def task(channel: Channel) -> None:
        channel.begin(f"the chunk store in {display(path)}")
        channel.put("result", work(channel))

    outcome = run({"": task}, deadline, renew=True, total=timeout)[""]
    if outcome.overtime:
        raise StoreError(f"{display(path)}: not done within {timeout:g} s (option timeout; {outcome.doing}).")
    if outcome.timed_out:
        raise StoreError(f"{display(path)} gave no answer within {deadline:g} s ({outcome.doing}).")
    if outcome.error:
        raise StoreError(f"{display(path)}: {outcome.error}")
    return outcome.parts["result"]


# --- in the child ------------------------------------------------------------------------------------------------------


def _complete(path: str, uid: int, gid: int, channel: Channel, dry: bool) -> int:
    os.umask(0)
    base = open_to_change(path)
    identity = Identity(uid, gid)
    require_apart(base, path)
    chunks = open_inside(CHUNKS, base)
    _require_made_by_pbs(chunks, CHUNKS, identity, first_stranger_among_prefixes)
    made = _set_owner_and_mode(base, BASE_MODE, uid, gid, dry)
    made += _make_lock(base, uid, gid, dry)
    device = os.fstat(chunks).st_dev
    made += _set_owner_and_mode(chunks, CHUNKS_MODE, uid, gid, dry)
    for number in range(PREFIX_COUNT):
        if number % _STEP == 0:
            channel.begin(f"the prefix directory {number:04x}")
        name = f"{number:04x}"
        fresh = False
        if not dry:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, PREFIX_MODE, dir_fd=chunks)
                fresh = True
        # No stat by its name: a filesystem that is mounted there may never answer.
        try:
            prefix = open_inside(name, chunks)
        except FileNotFoundError:
            if not dry:
                raise
            made += 1
            continue
        try:
            if os.fstat(prefix).st_dev != device:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)
            _require_made_by_pbs(prefix, name, identity, functools.partial(first_stranger, prefix=name))
            made += max(_set_owner_and_mode(prefix, PREFIX_MODE, uid, gid, dry), fresh)
        finally:
            os.close(prefix)
    if dry:
        return made
    # As PBS does: without it, a power failure right after the creation could leave a half-made store again.
    os.fsync(chunks)
    os.fsync(base)
    return made


def _require_made_by_pbs(fd: int, name: str, identity: Identity, look: t.Callable[[int], t.Optional[str]]) -> None:
    """Raise `OSError` if the daemon's user cannot enter the directory, and not all of its content was made by PBS."""
    status = os.fstat(fd)
    if status.st_uid == identity.uid or allows(identity, status, READ | SEARCH):
        return
    stranger = look(fd)
    if stranger is not None:
        raise OSError(
            f"{name} is owned by uid {status.st_uid}, has mode {mode_string(status.st_mode)}, and contains "
            f"{display(stranger)}, which PBS did not make; its owner stays unchanged. Check the directory, and remove what "
            "does not belong there"
        )


def _set_owner_and_mode(fd: int, mode: int, uid: int, gid: int, dry: bool) -> int:
    """Change the owner first, because chown may clear bits of the mode; return 1 if something changed, otherwise 0."""
    found = os.fstat(fd)
    if _is_right(found, mode, uid, gid):
        return 0
    if dry:
        return 1
    if (found.st_uid, found.st_gid) != (uid, gid):
        os.fchown(fd, uid, gid)
    os.fchmod(fd, mode | stat.S_IMODE(found.st_mode) & 0o7000)
    return 1


def _make_lock(base: int, uid: int, gid: int, dry: bool) -> int:
    """Make `.lock` if it is missing. Raises `OSError` if it is there, and PBS would not reuse a datastore with it.

    An existing one is never opened: a POSIX lock ends when its process closes any descriptor of the file.
    """
    present = _status(LOCK, base)
    if present is not None and not (stat.S_ISREG(present.st_mode) and _is_right(present, LOCK_MODE, uid, gid)):
        raise OSError(
            f"{LOCK} is a {kind_of(present.st_mode)} of uid {present.st_uid} and gid {present.st_gid} with mode "
            f"{mode_string(present.st_mode)}; PBS requires a file of uid {uid} and gid {gid} with mode 0644. Correct or remove it"
        )
    if dry:
        return int(present is None)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(LOCK, flags, LOCK_MODE, dir_fd=base)
    except FileExistsError:
        return 0
    try:
        os.fchown(fd, uid, gid)
        os.fchmod(fd, LOCK_MODE)
    finally:
        os.close(fd)
    return 1


def _status(name: str, dir_fd: int) -> t.Optional[os.stat_result]:
    try:
        return os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _check(path: str, uid: int, gid: int, channel: Channel) -> tuple[int, list[str]]:
    count = 0
    examples: list[str] = []

    def look(name: str, directory: int, mode: int, shown: str, kind: int = stat.S_IFDIR) -> None:
        nonlocal count
        try:
            found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except OSError as exc:
            problem = describe_error(exc)
        else:
            if stat.S_IFMT(found.st_mode) != kind:
                problem = f"it is a {kind_of(found.st_mode)}, PBS requires a {kind_of(kind)}"
            elif _is_right(found, mode, uid, gid):
                return
            else:
                problem = "it has uid %d, gid %d, mode %04o; PBS requires uid %d, gid %d, mode %04o" % (
                    found.st_uid,
                    found.st_gid,
                    found.st_mode & 0o777,
                    uid,
                    gid,
                    mode,
                )
        count += 1
        if len(examples) < _SHOWN:
            examples.append(f"{display(shown)}: {problem}")

    base = open_directory(path, follow=True)
    look(".", base, BASE_MODE, path)
    look(LOCK, base, LOCK_MODE, os.path.join(path, LOCK), stat.S_IFREG)
    look(CHUNKS, base, CHUNKS_MODE, os.path.join(path, CHUNKS))
    chunks = open_directory(CHUNKS, base)
    for number in range(PREFIX_COUNT):
        if number % _STEP == 0:
            channel.begin(f"the prefix directory {number:04x}")
        name = f"{number:04x}"
        look(name, chunks, PREFIX_MODE, os.path.join(path, CHUNKS, name))
    return count, examples


def _is_right(found: os.stat_result, mode: int, uid: int, gid: int) -> bool:
    """Whether owner and mode are right; PBS compares only the low nine bits of a mode."""
    return found.st_mode & 0o777 == mode and (found.st_uid, found.st_gid) == (uid, gid)
