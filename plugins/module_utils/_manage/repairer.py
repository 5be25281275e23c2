# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Corrects owners and modes, one object at a time, and only where they are wrong.

An account that may be hostile controls the names, and this runs as root. So every object is opened, checked and changed
through one descriptor: replacing the name by a link or another file meanwhile has no effect. A name does not prove who
owned a file either, because the daemon's user can move files of other users:

- A file with a second hard link may be a file of another user. It is refused.
- A file that the daemon's user cannot read gets its new owner only if its content is PBS's (see `proof`).
- A directory that the daemon's user cannot enter gets its new owner after its content, and only if all of that has passed:
  in a prefix directory chunks of that prefix by their names, which only the owner of the directory can have
  given; elsewhere every file by its content, whatever its mode.
- A regular file never keeps the bits for set-user-id and set-group-id under its new owner.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import stat
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.file import PathProblem
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.walk import OwnerCount
from ansible_collections.fleetops.pbs.plugins.module_utils._manage.handles import Handles
from ansible_collections.fleetops.pbs.plugins.module_utils._manage.proof import first_stranger, is_chunk_of, is_of_pbs
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.counters import Examples, Owners, foreign_kind
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.open_store import OpenStore
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.visitor import PREFIX, Directory, Rule, Visitor
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity
from ansible_collections.fleetops.pbs.plugins.module_utils._system.owner import change_mode, change_owner, open_handle
from ansible_collections.fleetops.pbs.plugins.module_utils._system.permission import READ, SEARCH, Status, allows
from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import (
    Batch,
    marks_mounts,
    mode_string,
    statx_fd,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error, display

_HOPELESS = 1000
"""Failures without a single success after which the repair stops."""


_MAX_CASES = 4096
"""The most combinations of owner and mode that are kept at the same time."""

_KEEP = -1
"""As uid or gid: leave this id unchanged."""

_READ_ONLY = "the filesystem is mounted read-only"


_SPECIAL_BITS = stat.S_ISUID | stat.S_ISGID


class RepairStopped(Exception):
    """The repair cannot continue; the message says why."""


@dataclasses.dataclass
class RepairCounts:
    """The changes that were made, or would be made: exact counts, and the first paths."""

    seen: int = 0
    """Files and directories that were checked."""
    changed: int = 0
    """Files and directories whose owner, group or mode was changed."""
    owner_changed: int = 0
    mode_changed: int = 0
    owners: list[OwnerCount] = dataclasses.field(default_factory=list)
    """The previous owners of the objects whose owner was changed, the most frequent first."""
    modes: dict[str, int] = dataclasses.field(default_factory=dict)
    """The modes that were changed, as `"0600 to 0644"`, with their counts."""
    left: int = 0
    """Wrong, but not owned by one of the users to which the repair was restricted."""
    refused: dict[str, int] = dataclasses.field(default_factory=dict)
    """Objects that are never changed, by kind: `hardlink`, `link`, `fifo`, `socket`, `device`, `directory`, `mount`;
    `unproven` (the daemon's user cannot read the file, and its content is not PBS's), `locked` (the daemon's user cannot
    enter the directory, and not all of its content is PBS's)."""
    failed: int = 0
    """Objects that could not be checked or changed."""
    vanished: int = 0
    examples: dict[str, list[PathProblem]] = dataclasses.field(default_factory=dict)
    """The first paths: `changed`, `left`, `failed`, and each refused kind."""


class _Case:
    """One combination of owner and mode under one rule: the change that it needs, and how often it was found."""

    __slots__ = (
        "closed",
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
        """The present and the required owner and mode; the modes include the file type, as in `st_mode`."""
        self.uid, self.gid, self.mode = uid, gid, mode
        self.new_uid, self.new_gid, self.new_mode = new_uid, new_gid, new_mode
        self.set_uid = _KEEP if uid == new_uid else new_uid
        self.set_gid = _KEEP if gid == new_gid else new_gid
        self.regular = stat.S_ISREG(mode)
        self.closed = False
        """The daemon's user can neither use it nor allow itself to."""
        self.right = (uid, gid, mode) == (new_uid, new_gid, new_mode)
        self.left = False
        """It is wrong, but its owner is not one of those whose files are repaired."""
        self.count = 0

    @property
    def plain(self) -> bool:
        """Only the owner has to change: the mode is right, and the change of owner does not affect it."""
        return not (self.left or self.closed or self.mode != self.new_mode or self.mode & _SPECIAL_BITS)

    @property
    def owner_wrong(self) -> bool:
        return (self.uid, self.gid) != (self.new_uid, self.new_gid)

    @property
    def mode_step(self) -> str:
        """`"0600 to 0644"`; empty where the mode stays."""
        return "" if self.mode == self.new_mode else f"{mode_string(self.mode)} to {mode_string(self.new_mode)}"

    @property
    def detail(self) -> str:
        text = "uid %d, gid %d" % (self.uid, self.gid)
        return text + f", mode {self.mode_step}" if self.mode_step else text


_Plan = tuple[t.Optional[_Case], tuple[bytes]]
"""The case of files with the same signature (None: each has to be handled separately), and their signature afterwards."""


def _flags_of(fd: int) -> list[str]:
    """The inode flags that forbid a change even to root; none where they cannot be read."""
    try:
        return statx_fd(fd).flags
    except OSError:
        return []


class Repairer(Visitor):
    """Repairs the objects that the walk reports; with `dry` it only counts the changes that it would make."""

    def __init__(
        self,
        identity: Identity,
        store: OpenStore,
        dry: bool,
        modes: bool,
        only_from: t.Optional[t.Container[int]],
        max_paths: int,
    ) -> None:
        """`store`: the repair stays on its filesystem and on that of `.chunks`; `only_from`: the uids whose files are repaired (None: all)."""
        self.counts = RepairCounts()
        self._identity = identity
        self._devices = {store.device, store.chunks_device}
        self._dry = dry
        self._read_only = dry and store.is_read_only()
        self._modes = modes
        self._only_from = only_from
        self._examples = Examples(max_paths)
        self._owners = Owners()
        self._cases: dict[tuple[Rule, int, int, int], _Case] = {}
        self._plans: dict[tuple[Rule, bytes], _Plan] = {}
        self._right: dict[Rule, set[bytes]] = {}
        """Signatures of files that are as they should be."""
        self._mostly_wrong = False
        """Most files of the last batch were wrong."""
        self._tainted: set[str] = set()
        """Directories that contain something that has not passed; each stays here until the walk reports it."""
        self._listed: t.Optional[os.stat_result] = None
        """The status of the directory in which files were seen last."""
        try:
            self._batch: t.Optional[Batch] = Batch() if marks_mounts() else None
        except OSError:
            self._batch = None

    # --- reports of the walk

    def files(self, where: Directory, names: t.Sequence[bytes], rule: Rule) -> None:
        self.counts.seen += len(names)
        self._listed = where.status
        if self._is_locked(where):
            names = self._prove_strangers(where, names, rule)
        if self._batch is None:
            for name in names:
                self._look(where, os.fsdecode(name), rule)
            return
        # Wrong files come in groups: if most of the last batch were wrong, all are opened at once, without a first look.
        suspects = names if self._mostly_wrong else self._suspects(self._batch, where, names, rule)
        wrong = self._repair_all(self._batch, where, suspects, rule) if suspects else 0
        self._mostly_wrong = 2 * wrong > len(names)

    def file(self, where: Directory, name: str, status: os.stat_result, rule: Rule) -> None:
        self.counts.seen += 1
        self._listed = where.status
        try:
            if not self._case(status, rule).right:
                prove = self._is_locked(where) and not is_chunk_of(os.fsencode(name), os.path.basename(where.path))
                self._repair(where, name, rule, prove)
        except OSError as exc:
            self.missed(where.join(name), exc)

    def directory(self, path: str, status: os.stat_result, rule: Rule, fd: int) -> None:
        self.counts.seen += 1
        tainted = path in self._tainted
        if tainted:
            self._tainted.remove(path)
            self._taint(path)
        case = self._case(status, rule)
        if case.right:
            return
        try:
            if not case.left:
                if fd < 0:
                    return  # it could not be opened; the walk reports this as an error
                if case.closed:
                    if tainted:
                        self.foreign("locked", path, f"{case.detail}; not all of its content is PBS's")
                        return
                    if rule is PREFIX and self._listed is not status:
                        stranger = first_stranger(fd, os.path.basename(path))
                        if stranger is not None:
                            self.foreign("locked", path, f"{case.detail}; it contains {display(stranger)}")
                            return
                self._apply(fd, case)
            self._count(case, path)
        except OSError as exc:
            self._failed(path, exc, fd)

    def busy(self, status: os.stat_result) -> None:  # noqa: ARG002
        self.counts.seen += 1

    def unseen(self, path: str) -> None:
        self._taint(path)

    def foreign(self, kind: str, path: str, detail: str = "") -> None:
        self._taint(path)
        if kind != "name":  # a stray name is no problem of owners
            self.counts.refused[kind] = self.counts.refused.get(kind, 0) + 1
            self._examples.add(kind, path, detail)

    def vanished(self) -> None:
        self.counts.vanished += 1

    def error(self, path: str, error: t.Union[OSError, str]) -> None:
        self._taint(path)
        self._fail(path, error)

    def _fail(self, path: str, error: t.Union[OSError, str]) -> None:
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

    def _look(self, where: Directory, name: str, rule: Rule) -> None:
        """One name that should be a regular file."""
        try:
            status = os.stat(name, dir_fd=where.fd, follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode):
                self.foreign(foreign_kind(status.st_mode), where.join(name))
            elif not self._case(status, rule).right:
                self._repair(where, name, rule)
        except OSError as exc:
            self.missed(where.join(name), exc)

    # --- many objects: each system call is made for all of them in turn; unusual objects are handled one by one

    def _suspects(self, batch: Batch, where: Directory, names: t.Sequence[bytes], rule: Rule) -> t.Sequence[bytes]:
        """The names of files that did not look right."""
        answers = batch.look(where.fd, names)
        if answers is None:
            return names
        right = self._right.get(rule, set())
        return [name for name, (signature, _size) in zip(names, answers) if signature not in right]

    def _repair_all(self, batch: Batch, where: Directory, names: t.Sequence[bytes], rule: Rule) -> int:
        """As `_repair`, for many names; return how many were wrong. Raises `RepairStopped`."""
        if self._dry:
            return self._foresee_all(batch, where, names, rule)
        files = Handles.open(batch, where, names)
        try:
            signatures = files.look()
            if signatures is None:
                return self._repair_each(where, names, rule)
            # From here on the descriptors are used; a name is used again only for a file that is checked again.
            if signatures == signatures[:1] * len(names):
                return self._repair_alike(where, names, files, signatures[0], rule)
            alike: dict[bytes, list[int]] = {}
            for place, signature in enumerate(signatures):
                alike.setdefault(signature, []).append(place)
            return sum(
                self._repair_alike(where, [names[place] for place in places], files.part(places), signature, rule)
                for signature, places in alike.items()
            )
        finally:
            files.close()

    def _foresee_all(self, batch: Batch, where: Directory, names: t.Sequence[bytes], rule: Rule) -> int:
        """As `_repair_all` where nothing is changed, so that names are enough. Raises `RepairStopped`."""
        answers = batch.look(where.fd, names)
        if answers is None:
            return self._repair_each(where, names, rule)
        alike: dict[bytes, list[bytes]] = {}
        for name, (signature, _size) in zip(names, answers):
            alike.setdefault(signature, []).append(name)
        return sum([self._repair_alike(where, same, None, signature, rule) for signature, same in alike.items()])

    def _repair_each(self, where: Directory, names: t.Sequence[bytes], rule: Rule) -> int:
        return sum([self._repair(where, os.fsdecode(name), rule) for name in names])

    def _repair_alike(
        self, where: Directory, names: t.Sequence[bytes], files: t.Optional[Handles], signature: bytes, rule: Rule
    ) -> int:
        """Repair files with the same signature; return how many were wrong. Without `files` it only counts.

        Raises `RepairStopped`.
        """
        case, wanted = self._plans.get((rule, signature)) or self._plan(signature, rule)
        if case is None:
            return self._repair_each(where, names, rule)
        if case.right:
            return 0
        if files is None:
            self._foresee()
        if files is None or (files.change_owner(case.set_uid, case.set_gid) and files.look() == wanted * len(names)):
            case.count += len(names)
            if self._examples.wants("changed", where.path):
                for name in names:
                    self._examples.add("changed", where.join(os.fsdecode(name)), case.detail)
            return len(names)
        for place in range(len(names)):
            self._repair_one(where, os.fsdecode(names[place]), files, place, case)
        return len(names)

    def _repair_one(self, where: Directory, name: str, files: Handles, place: int, case: _Case) -> None:
        """A file that could not be changed together with the others. Raises `RepairStopped`."""
        self._repair_held(where, name, files.one(place), case)

    def _plan(self, signature: bytes, rule: Rule) -> _Plan:
        """For files of this signature."""
        _attributes, links, uid, gid, mode = Batch.unpack(signature)
        case = self._case_of(uid, gid, mode, rule)
        common = links == 1 and case.regular and not Batch.mounted(signature)
        if common and case.right:
            right = self._right.setdefault(rule, set())
            if len(right) < _MAX_CASES:
                right.add(signature)
        elif not case.plain or Batch.flags(signature):
            common = False
        plan = (case if common else None, (Batch.owned(signature, case.new_uid, case.new_gid),))
        if len(self._plans) >= _MAX_CASES:
            self._plans.clear()
        self._plans[rule, signature] = plan
        return plan

    def _repair_held(self, where: Directory, name: str, fd: int, case: _Case, prove: bool = False) -> None:
        """Change a regular file through its descriptor. Raises `RepairStopped`."""
        if prove or (case.closed and not case.left):
            try:
                if not is_of_pbs(fd, name, os.fstat(fd).st_size):
                    self.foreign("unproven", where.join(name), f"{case.detail}; its content is not PBS's")
                    return
            except OSError as exc:
                self.error(where.join(name), exc)
                return
        try:
            if not case.left:
                self._apply(fd, case)
            self._count(case, where.join(name))
        except OSError as exc:
            self._failed(where.join(name), exc, fd)

    # --- one object

    def _repair(self, where: Directory, name: str, rule: Rule, prove: bool = False) -> bool:
        """Open a file and correct it; return whether it was wrong. Raises `RepairStopped`.

        With `prove` its content must be PBS's, no matter who can read it.
        """
        try:
            fd = open_handle(name, dir_fd=where.fd)
        except OSError as exc:
            self.missed(where.join(name), exc)
            return False
        try:
            # From here on only the descriptor is used, not the name.
            status = os.fstat(fd)
            case = self._case(status, rule)
            if case.regular and case.right:
                return False
            if not case.regular or status.st_nlink != 1 or status.st_dev not in self._devices:
                self._refuse(where, name, status)
                return False
            self._repair_held(where, name, fd, case, prove)
            return True
        except OSError as exc:
            self._failed(where.join(name), exc, fd)
            return False
        finally:
            os.close(fd)

    def _refuse(self, where: Directory, name: str, status: os.stat_result) -> None:
        """Count an object that is never changed."""
        if status.st_dev not in self._devices:
            self.foreign("mount", where.join(name))
        elif not stat.S_ISREG(status.st_mode):
            self.foreign(foreign_kind(status.st_mode), where.join(name))
        elif status.st_nlink > 1:
            self.foreign("hardlink", where.join(name), "%d links" % status.st_nlink)
        else:
            self.vanished()  # its last name was removed

    def _apply(self, fd: int, case: _Case) -> None:
        """Change it, and check the result. Raises `OSError`, or `RepairStopped` if the filesystem ignores the change."""
        if self._dry:
            self._foresee(fd)
            return
        if case.regular and case.mode & _SPECIAL_BITS & ~case.new_mode:
            # Before the change of owner: not every filesystem clears them by itself.
            change_mode(fd, stat.S_IMODE(case.mode & ~_SPECIAL_BITS))
        if case.set_uid != _KEEP or case.set_gid != _KEEP:
            change_owner(fd, case.set_uid, case.set_gid)
        now = os.fstat(fd)
        # The kernel may have cleared bits that a directory keeps.
        if now.st_mode != case.new_mode:
            change_mode(fd, stat.S_IMODE(case.new_mode))
            now = os.fstat(fd)
        if now.st_uid != case.new_uid or now.st_gid != case.new_gid:
            raise RepairStopped(
                "the filesystem reported that it changed the owner to uid %d, gid %d, but it is still uid %d, gid %d: it "
                "ignores or maps owners (FUSE, CIFS or NFS with forced ids); mount it with options that keep owners"
                % (case.new_uid, case.new_gid, now.st_uid, now.st_gid)
            )
        if now.st_mode != case.new_mode:
            raise RepairStopped(
                "the filesystem reported that it changed the mode to %s, but it is still %s: it does not keep modes; mount "
                "it with options that do" % (mode_string(case.new_mode), mode_string(now.st_mode))
            )

    def _foresee(self, fd: int = -1) -> None:
        """Raise the errors that a change would raise, as far as they can be foreseen. Raises as `_apply`."""
        if self._read_only:
            raise RepairStopped(_READ_ONLY)
        if fd >= 0 and _flags_of(fd):
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    def _count(self, case: _Case, path: str) -> None:
        case.count += 1
        kind = "left" if case.left else "changed"
        # Making the text of the detail takes longer than this check.
        if self._examples.wants(kind, path):
            self._examples.add(kind, path, case.detail)

    def _failed(self, path: str, error: OSError, fd: int) -> None:
        if error.errno == errno.EROFS:
            raise RepairStopped(_READ_ONLY)
        text = describe_error(error)
        if error.errno == errno.EPERM and fd >= 0:
            flags = _flags_of(fd)
            if flags:
                letters = " ".join("-" + flag[0] for flag in flags)
                text += f", it has the flag {' and '.join(flags)}: chattr {letters}"
        self._fail(path, text)
        if self.counts.failed >= _HOPELESS and not self.wrong():
            raise RepairStopped("none of the first %d changes succeeded; the last error: %s" % (_HOPELESS, text))

    # --- cases

    def _case(self, status: os.stat_result, rule: Rule) -> _Case:
        """The case of an object with this status."""
        return self._case_of(status.st_uid, status.st_gid, status.st_mode, rule)

    def _case_of(self, uid: int, gid: int, mode: int, rule: Rule) -> _Case:
        key = (rule, uid, gid, mode)
        case = self._cases.get(key)
        if case is None:
            if len(self._cases) >= _MAX_CASES:
                self._settle()
            case = self._cases[key] = self._decide(uid, gid, mode, rule)
        return case

    def _decide(self, uid: int, gid: int, mode: int, rule: Rule) -> _Case:
        if not rule.owned:
            return _Case(uid, gid, mode, uid, gid, mode)
        new_mode = mode
        # Afterwards the daemon's user is the owner, so the owner's bits count.
        if self._modes and (mode & 0o777 != rule.mode if rule.exact else mode >> 6 & rule.needs != rule.needs):
            new_mode = mode & ~0o777 | rule.mode
        if stat.S_ISREG(mode) and (uid, gid) != (self._identity.uid, self._identity.gid):
            new_mode &= ~_SPECIAL_BITS
        case = _Case(uid, gid, mode, self._identity.uid, self._identity.gid, new_mode)
        case.closed = self._is_closed(_Looks(mode, uid, gid))
        case.left = self._only_from is not None and uid not in self._only_from
        return case

    # --- objects whose owner may be changed

    def _taint(self, path: str) -> None:
        """Note that something in the directory of this path has not passed."""
        self._tainted.add(os.path.dirname(path))

    def _is_closed(self, status: Status) -> bool:
        """Whether the daemon's user cannot read it, and is not its owner, who could change the mode."""
        needs = READ | SEARCH if stat.S_ISDIR(status.st_mode) else READ
        return status.st_uid != self._identity.uid and not allows(self._identity, status, needs)

    def _is_locked(self, where: Directory) -> bool:
        """Whether the daemon's user could not reach the content of a directory before this repair."""
        at: t.Optional[Directory] = where
        while at is not None:
            if self._is_closed(at.status):
                return True
            at = at.parent
        return False

    def _prove_strangers(self, where: Directory, names: t.Sequence[bytes], rule: Rule) -> t.Sequence[bytes]:
        """Repair those names that are no chunks of the directory; return the others. Raises `RepairStopped`."""
        prefix = os.fsencode(os.path.basename(where.path))
        if all(name.startswith(prefix) for name in names):
            return names
        chunks = []
        for name in names:
            if name.startswith(prefix):
                chunks.append(name)
            else:
                self._repair(where, os.fsdecode(name), rule, prove=True)
        return chunks

    def _settle(self) -> None:
        """Add the cases to the counts, and forget them."""
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
        self._plans.clear()


@dataclasses.dataclass(frozen=True)
class _Looks:
    """A `Status`."""

    st_mode: int
    st_uid: int
    st_gid: int
    st_nlink: int = 1
