# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Completing a chunk store that PBS has begun: its directories and its lock file, and nothing else.

A creation that fails leaves `.chunks` behind with some or all of the 65,536 prefix directories, is not configured, and
can neither be created again (EEXIST) nor reused (something is missing). What is missing is made here as PBS makes it;
whatever is there stays as it is, but for directories that PBS was interrupted at between making and handing over: the
fixed directories get owner and mode, as far as they are not right. No file but `.lock` is ever touched.
"""

from __future__ import annotations

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
from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import mode_string
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error, display

BASE_MODE = 0o755
CHUNKS_MODE = 0o750
PREFIX_MODE = 0o750
LOCK_MODE = 0o644
"""What PBS demands of a store that it is to reuse, exactly. Source: PBS, chunk store."""

_STEP = 1024
_SHOWN = 5


class StoreError(CollectionError):
    """What is wrong in the store, and where."""


@dataclasses.dataclass
class Wrong:
    """What keeps PBS from reusing a store."""

    count: int
    examples: list[str]


def complete_store(path: str, uid: int, gid: int, deadline: float) -> int:
    """Make what is missing; how many things were made or handed over is returned.

    `deadline` is how many seconds of silence are too many. Raises `StoreError`.
    """
    return int(t.cast(int, _in_child(path, deadline, lambda channel: _complete(path, uid, gid, channel))))


def check_reuse(path: str, uid: int, gid: int, deadline: float) -> Wrong:
    """What PBS would refuse about the directories of a store, all of them looked at, before PBS stops at the first.

    Raises `StoreError` where it cannot be found out.
    """
    count, examples = t.cast(
        tuple[int, list[str]], _in_child(path, deadline, lambda channel: _check(path, uid, gid, channel))
    )
    return Wrong(count, examples)


def _in_child(path: str, deadline: float, work: t.Callable[[Channel], t.Any]) -> t.Any:
    def task(channel: Channel) -> None:
        channel.begin(f"the chunk store in {display(path)}")
        channel.put("result", work(channel))

    outcome = run({"": task}, deadline, renew=True)[""]
    if outcome.timed_out:
        raise StoreError(f"{display(path)} has not answered for {deadline:g} s ({outcome.doing}).")
    if outcome.error:
        raise StoreError(f"{display(path)}: {outcome.error}")
    return outcome.parts["result"]


# --- in the child ------------------------------------------------------------------------------------------------------


def _complete(path: str, uid: int, gid: int, channel: Channel) -> int:
    os.umask(0)
    base = open_to_change(path)
    identity = Identity(uid, gid)
    require_apart(base, path)
    chunks = open_inside(CHUNKS, base)
    _require_that_it_is_of_pbs(chunks, CHUNKS, identity, first_stranger_among_prefixes)
    made = _hand_over(base, BASE_MODE, uid, gid)
    made += _make_lock(base, uid, gid)
    device = os.fstat(chunks).st_dev
    made += _hand_over(chunks, CHUNKS_MODE, uid, gid)
    for number in range(PREFIX_COUNT):
        if number % _STEP == 0:
            channel.begin(f"the prefix directory {number:04x}")
        name = f"{number:04x}"
        try:
            os.mkdir(name, PREFIX_MODE, dir_fd=chunks)
            fresh = True
        except FileExistsError:
            fresh = False
        # Not even looked at by its name: what is mounted there may never answer.
        prefix = open_inside(name, chunks)
        try:
            if os.fstat(prefix).st_dev != device:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)
            _require_that_it_is_of_pbs(prefix, name, identity, functools.partial(first_stranger, prefix=name))
            made += max(_hand_over(prefix, PREFIX_MODE, uid, gid), fresh)
        finally:
            os.close(prefix)
    # As PBS: a store that is lost with a power failure right after its creation would be half-made again.
    os.fsync(chunks)
    os.fsync(base)
    return made


def _require_that_it_is_of_pbs(
    fd: int, name: str, identity: Identity, look: t.Callable[[int], t.Optional[str]]
) -> None:
    """Raise `OSError` where the daemon's user cannot enter a directory that holds something that PBS has not made."""
    status = os.fstat(fd)
    if status.st_uid == identity.uid or allows(identity, status, READ | SEARCH):
        return
    stranger = look(fd)
    if stranger is not None:
        raise OSError(
            f"{name} belongs to uid {status.st_uid} with mode {mode_string(status.st_mode)} and holds "
            f"{display(stranger)}, which is not PBS's; it is not given away. Look at it, and remove what does not belong there"
        )


def _hand_over(fd: int, mode: int, uid: int, gid: int) -> int:
    """Owner first: a chown may clear bits of the mode."""
    found = os.fstat(fd)
    if _is_right(found, mode, uid, gid):
        return 0
    if (found.st_uid, found.st_gid) != (uid, gid):
        os.fchown(fd, uid, gid)
    os.fchmod(fd, mode | stat.S_IMODE(found.st_mode) & 0o7000)
    return 1


def _make_lock(base: int, uid: int, gid: int) -> int:
    """A `.lock` that is there is never opened: a daemon that holds it would lose its lock with our descriptor."""
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
                problem = "it is something else than it should be"
            elif _is_right(found, mode, uid, gid):
                return
            else:
                problem = "it is %d:%d %04o, PBS wants %d:%d %04o" % (
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
    """PBS looks at the low nine bits of a mode only."""
    return found.st_mode & 0o777 == mode and (found.st_uid, found.st_gid) == (uid, gid)
