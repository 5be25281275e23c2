# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes owners and modes right, one object at a time, and only where they are wrong.

The names belong to an account that may be hostile, and this runs as root. So whatever is changed is first got hold of
by a descriptor, then looked at through it, then changed through it: exchanging the name for a link or for another file
meanwhile changes nothing. A file with a second hard link may be somebody else's file, put here to be given away; it is
refused.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import stat
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.facts import OwnerCount, PathProblem
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.file import mode_string
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.tally import Examples, Owners, foreign_kind
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.visitor import Directory, Rule, Visitor
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity
from ansible_collections.fleetops.pbs.plugins.module_utils._system.owner import (
    change_mode,
    change_owner,
    open_handle,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import statx_fd
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error

_HOPELESS = 1000
"""Failures without a single success after which it is given up."""


_MAX_CASES = 4096
"""Combinations of owner and mode that are remembered at once."""

_KEEP = -1
"""As uid or gid: leave that one as it is."""


class Futile(Exception):
    """There is no point in going on; the text says why."""


@dataclasses.dataclass
class RepairCounts:
    """What was changed, or would be; exact counts, with the first paths."""

    seen: int = 0
    """Files and directories that were looked at."""
    changed: int = 0
    """Files and directories of which owner, group or mode was changed."""
    owner_changed: int = 0
    mode_changed: int = 0
    owners: t.List[OwnerCount] = dataclasses.field(default_factory=list)
    """Who owned what was given to the daemon's user, most first."""
    modes: t.Dict[str, int] = dataclasses.field(default_factory=dict)
    """The modes that were changed, as C("0600 to 0644"), with their counts."""
    left: int = 0
    """Wrong, but not of those users that the repair was restricted to."""
    refused: t.Dict[str, int] = dataclasses.field(default_factory=dict)
    """What is never touched, by kind: C(hardlink), C(link), C(fifo), C(socket), C(device), C(directory), C(mount)."""
    failed: int = 0
    """What could not be looked at or changed."""
    vanished: int = 0
    examples: t.Dict[str, t.List[PathProblem]] = dataclasses.field(default_factory=dict)
    """The first paths: C(changed), C(left), C(failed), and each refused kind."""


class _Case:
    """One combination of owner and mode under one rule: what has to be done about it, and how often it was met."""

    __slots__ = (
        "count",
        "gid",
        "left",
        "mode",
        "new_gid",
        "new_mode",
        "new_uid",
        "regular",
        "right",
        "set_gid",
        "set_uid",
        "uid",
    )

    def __init__(self, uid: int, gid: int, mode: int, new_uid: int, new_gid: int, new_mode: int) -> None:
        """What it is like and what it shall be like, the modes with the file type as in C(st_mode)."""
        self.uid, self.gid, self.mode = uid, gid, mode
        self.new_uid, self.new_gid, self.new_mode = new_uid, new_gid, new_mode
        self.set_uid = _KEEP if uid == new_uid else new_uid
        self.set_gid = _KEEP if gid == new_gid else new_gid
        self.regular = stat.S_ISREG(mode)
        self.right = (uid, gid, mode) == (new_uid, new_gid, new_mode)
        self.left = False
        """It is wrong, and not of those that shall be repaired."""
        self.count = 0

    @property
    def owner_wrong(self) -> bool:
        return (self.uid, self.gid) != (self.new_uid, self.new_gid)

    @property
    def mode_step(self) -> str:
        """C("0600 to 0644"); empty where the mode stays."""
        return "" if self.mode == self.new_mode else "%s to %s" % (mode_string(self.mode), mode_string(self.new_mode))

    @property
    def detail(self) -> str:
        text = "uid %d, gid %d" % (self.uid, self.gid)
        return text + ", mode %s" % self.mode_step if self.mode_step else text


class Mender(Visitor):
    """Repairs what it is told of; with C(dry) it only counts what it would do."""

    def __init__(
        self,
        identity: Identity,
        device: int,
        dry: bool,
        modes: bool,
        only_from: t.Optional[t.Container[int]],
        max_paths: int,
    ) -> None:
        """C(device) is the filesystem that is not left; C(only_from) are the uids whose files are repaired."""
        self.counts = RepairCounts()
        self._identity = identity
        self._device = device
        self._dry = dry
        self._modes = modes
        self._only_from = only_from
        self._max_paths = max_paths
        self._examples = Examples(max_paths)
        self._owners = Owners()
        self._cases: t.Dict[t.Tuple[Rule, int, int, int], _Case] = {}

    # --- what the walk tells

    def files(self, where: Directory, entries: t.Sequence[os.DirEntry[str]], rule: Rule) -> None:
        self.counts.seen += len(entries)
        # What is wrong comes in swarms. After a wrong file the next one is taken in hand at once: one look less.
        at_once = False
        for entry in entries:
            try:
                if at_once:
                    at_once = self._mend(where, entry.name, rule)
                    continue
                status = entry.stat(follow_symlinks=False)
                if not stat.S_ISREG(status.st_mode):
                    self.foreign(foreign_kind(status.st_mode), where.join(entry.name))
                elif not self._case(status, rule).right:
                    at_once = self._wrong(where, entry.name, status, rule)
            except OSError as exc:
                self.missed(where.join(entry.name), exc)

    def file(self, where: Directory, name: str, status: os.stat_result, rule: Rule) -> None:
        self.counts.seen += 1
        try:
            if not self._case(status, rule).right:
                self._wrong(where, name, status, rule)
        except OSError as exc:
            self.missed(where.join(name), exc)

    def directory(self, path: str, status: os.stat_result, rule: Rule, fd: int) -> None:
        self.counts.seen += 1
        case = self._case(status, rule)
        if case.right:
            return
        try:
            if not (self._dry or case.left):
                if fd < 0:
                    return  # it could not be opened, which the walk tells by itself
                self._apply(fd, case)
            self._count(case, path)
        except OSError as exc:
            self._failed(path, exc, fd)

    def busy(self, status: os.stat_result) -> None:  # noqa: ARG002
        self.counts.seen += 1

    def foreign(self, kind: str, path: str, detail: str = "") -> None:
        if kind != "name":  # a stray name is no danger to owners, and not ours to judge here
            self.counts.refused[kind] = self.counts.refused.get(kind, 0) + 1
            self._examples.add(kind, path, detail)

    def vanished(self) -> None:
        self.counts.vanished += 1

    def error(self, path: str, error: t.Union[OSError, str]) -> None:
        self.counts.failed += 1
        self._examples.add("failed", path, error if isinstance(error, str) else describe_error(error))

    def seen(self) -> int:
        return self.counts.seen

    def wrong(self) -> int:
        return self.counts.changed + sum(case.count for case in self._cases.values() if not case.left)

    def result(self) -> RepairCounts:
        self._settle()
        self.counts.owners = self._owners.ranked()
        self.counts.examples = self._examples.found
        return self.counts

    # --- one object

    def _wrong(self, where: Directory, name: str, status: os.stat_result, rule: Rule) -> bool:
        """A regular file that did not look right; whether it was made right. Raises C(OSError)."""
        if not self._dry:
            return self._mend(where, name, rule)
        if self._refuse(where, name, status):
            return False
        self._count(self._case(status, rule), where.join(name))
        return False

    def _mend(self, where: Directory, name: str, rule: Rule) -> bool:
        """Get hold of a file and make it right; whether there was something to do. Raises C(OSError).

        In one piece, because a call costs as much as a system call here, and there may be a hundred million files.
        """
        fd = open_handle(name, dir_fd=where.fd)
        try:
            # From here on it is this object, and no name is used any more.
            status = os.fstat(fd)
            case = self._cases.get((rule, status.st_uid, status.st_gid, status.st_mode)) or self._case(status, rule)
            if case.regular and case.right:
                return False
            if not case.regular or status.st_nlink != 1 or status.st_dev != self._device:
                self._refuse(where, name, status)
                return False
            if not case.left:
                self._apply(fd, case)
            if case.count < self._max_paths:
                self._count(case, where.join(name))
            else:
                case.count += 1
            return True
        except OSError as exc:
            self._failed(where.join(name), exc, fd)
            return False
        finally:
            os.close(fd)

    def _refuse(self, where: Directory, name: str, status: os.stat_result) -> bool:
        """Whether it is something that is never touched."""
        if status.st_dev != self._device:
            self.foreign("mount", where.join(name))
        elif not stat.S_ISREG(status.st_mode):
            self.foreign(foreign_kind(status.st_mode), where.join(name), "put there meanwhile")
        elif status.st_nlink > 1:
            self.foreign("hardlink", where.join(name), "%d links" % status.st_nlink)
        elif status.st_nlink == 0:
            self.vanished()
        else:
            return False
        return True

    def _apply(self, fd: int, case: _Case) -> None:
        """Change, and look whether it is so. Raises C(OSError), or C(Futile) where success was a lie."""
        if case.set_uid != _KEEP or case.set_gid != _KEEP:
            change_owner(fd, case.set_uid, case.set_gid)
        now = os.fstat(fd)
        # The kernel clears the bits for set-user-id and set-group-id when the owner changes.
        if now.st_mode != case.new_mode:
            change_mode(fd, stat.S_IMODE(case.new_mode))
            now = os.fstat(fd)
        if now.st_uid != case.new_uid or now.st_gid != case.new_gid:
            raise Futile(
                "the filesystem answered that the owner is changed, and it is still %d:%d; it ignores or maps owners "
                "(FUSE, CIFS or NFS with forced ids): mount it so that it keeps them" % (now.st_uid, now.st_gid)
            )
        if now.st_mode != case.new_mode:
            raise Futile(
                "the filesystem answered that the mode is changed, and it is still %s instead of %s; it does not keep "
                "modes" % (mode_string(now.st_mode), mode_string(case.new_mode))
            )

    def _count(self, case: _Case, path: str) -> None:
        case.count += 1
        self._examples.add("left" if case.left else "changed", path, case.detail)

    def _failed(self, path: str, error: OSError, fd: int) -> None:
        if error.errno == errno.EROFS:
            raise Futile("the filesystem is mounted read-only")
        text = describe_error(error)
        if error.errno == errno.EPERM and fd >= 0:
            flags = statx_fd(fd).flags
            if flags:
                letters = " ".join("-" + flag[0] for flag in flags)
                text += ", it has the flag %s: chattr %s" % (" and ".join(flags), letters)
        self.error(path, text)
        if self.counts.failed >= _HOPELESS and not self.wrong():
            raise Futile("none of the first %d changes worked; the last one: %s" % (_HOPELESS, text))

    # --- cases

    def _case(self, status: os.stat_result, rule: Rule) -> _Case:
        """What has to be done about something like this."""
        key = (rule, status.st_uid, status.st_gid, status.st_mode)
        case = self._cases.get(key)
        if case is None:
            if len(self._cases) >= _MAX_CASES:
                self._settle()
            case = self._cases[key] = self._decide(status, rule)
        return case

    def _decide(self, status: os.stat_result, rule: Rule) -> _Case:
        uid, gid, mode = status.st_uid, status.st_gid, status.st_mode
        if not rule.owned:
            return _Case(uid, gid, mode, uid, gid, mode)
        new_mode = mode
        # In the end it belongs to the daemon's user, so it is the owner's bits that count.
        if self._modes and (mode & 0o777 != rule.mode if rule.exact else mode >> 6 & rule.needs != rule.needs):
            new_mode = mode & ~0o777 | rule.mode
        case = _Case(uid, gid, mode, self._identity.uid, self._identity.gid, new_mode)
        case.left = self._only_from is not None and uid not in self._only_from
        return case

    def _settle(self) -> None:
        """Turn the cases that were met into counts."""
        counts = self.counts
        for case in self._cases.values():
            if case.right:
                continue
            if case.left:
                counts.left += case.count
                continue
            counts.changed += case.count
            if case.owner_wrong and case.count:
                counts.owner_changed += case.count
                self._owners.add(case.uid, case.gid, case.count)
            step = case.mode_step
            if step and case.count:
                counts.mode_changed += case.count
                counts.modes[step] = counts.modes.get(step, 0) + case.count
        self._cases.clear()
