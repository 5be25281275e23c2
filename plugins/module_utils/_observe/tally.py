# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Exact counts of what a walk finds, with the first paths of each kind, in bounded memory."""

from __future__ import annotations

import dataclasses
import os
import stat
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.facts import OwnerCount, PathProblem, WalkCounts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.file import mode_string
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.permission import allows
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.visitor import Directory, Rule, Visitor
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity
from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import Batch, statx
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error, display

_MAX_OWNERS = 256
"""Different owners that are counted apart; a hostile tree may have four thousand million."""

_MAX_GOOD = 4096
"""Different signatures that are remembered."""

OTHER_OWNERS = (-1, -1)
"""Under these ids the rest is counted."""

_FOREIGN = {
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "device",
    stat.S_IFCHR: "device",
}

T = t.TypeVar("T")


def foreign_kind(mode: int) -> str:
    """The kind under which something is counted where something else belongs."""
    return _FOREIGN.get(stat.S_IFMT(mode), "name")


def _flags(dir_fd: int, name: str) -> t.List[str]:
    """The inode flags that forbid changes; none where they cannot be read."""
    try:
        return statx(name, dir_fd).flags
    except OSError:
        return []


class Examples:
    """The first paths of each kind."""

    def __init__(self, limit: int) -> None:
        self.found: t.Dict[str, t.List[PathProblem]] = {}
        self._limit = limit

    def add(self, kind: str, path: str, detail: str) -> None:
        examples = self.found.setdefault(kind, [])
        if len(examples) < self._limit:
            examples.append(PathProblem(display(path), detail))


class Owners:
    """Counts by owner."""

    def __init__(self) -> None:
        self._counts: t.Dict[t.Tuple[int, int], int] = {}

    def add(self, uid: int, gid: int, count: int = 1) -> None:
        key = (uid, gid)
        if key not in self._counts and len(self._counts) >= _MAX_OWNERS:
            key = OTHER_OWNERS
        self._counts[key] = self._counts.get(key, 0) + count

    def ranked(self) -> t.List[OwnerCount]:
        """Most first."""
        return _ranked(self._counts)


def _ranked(owners: t.Mapping[t.Tuple[int, int], int]) -> t.List[OwnerCount]:
    ranked = sorted(owners.items(), key=lambda item: (-item[1], item[0]))
    return [OwnerCount(uid, gid, count) for (uid, gid), count in ranked]


class Tally(Visitor):
    """Counts one tree, or one worker's part of it, and changes nothing."""

    def __init__(self, identity: Identity, max_paths: int) -> None:
        self.counts = WalkCounts()
        self.empty = 0
        """Files without content, among those that C(files) was told of."""
        self._identity = identity
        self._examples = Examples(max_paths)
        self._owners = Owners()
        self._good: t.Set[bytes] = set()
        """Signatures of files that are as they should be."""
        try:
            self._batch: t.Optional[Batch] = Batch()
        except OSError:
            self._batch = None

    def files(self, where: Directory, names: t.Sequence[bytes], rule: Rule) -> None:
        answers = None
        if self._batch is not None:
            answers = self._batch.look(where.fd, names)
        if answers is None:
            for name in names:
                self._look(where, os.fsdecode(name), rule)
            return
        good = self._good
        files = total = 0
        for name, (signature, size) in zip(names, answers):
            # The whole cost of a file that is as it should be, beside the system call.
            if signature in good and size:
                files += 1
                total += size
            elif self._look(where, os.fsdecode(name), rule, Batch.flags(signature)) and len(good) < _MAX_GOOD:
                good.add(signature)
        self.counts.files += files
        self.counts.bytes += total

    def _look(self, where: Directory, name: str, rule: Rule, flags: t.Optional[t.Sequence[str]] = None) -> bool:
        """Look at one name; whether it is a file without fault. C(flags) where they are known."""
        path = where.join(name)
        try:
            status = os.stat(name, dir_fd=where.fd, follow_symlinks=False)
        except OSError as exc:
            self.missed(path, exc)
            return False
        if not stat.S_ISREG(status.st_mode):
            self.foreign(foreign_kind(status.st_mode), path)
            return False
        self.empty += status.st_size == 0
        return self._file(path, status, rule, _flags(where.fd, name) if flags is None else flags)

    def file(self, where: Directory, name: str, status: os.stat_result, rule: Rule) -> None:
        self._file(where.join(name), status, rule, _flags(where.fd, name))

    def _file(self, path: str, status: os.stat_result, rule: Rule, flags: t.Sequence[str]) -> bool:
        self.counts.files += 1
        self.counts.bytes += status.st_size
        linked = rule.owned and status.st_nlink != 1
        if linked:
            self.foreign("hardlink", path, "%d links" % status.st_nlink)
        return self._compare(path, status, rule, flags) and not linked

    def directory(self, path: str, status: os.stat_result, rule: Rule, fd: int) -> None:
        self.counts.directories += 1
        self._compare(path, status, rule, self._batch.flags_of(fd) if self._batch and fd >= 0 else ())

    def busy(self, status: os.stat_result) -> None:
        self.counts.files += 1
        self.counts.bytes += status.st_size

    def _compare(self, path: str, status: os.stat_result, rule: Rule, flags: t.Sequence[str]) -> bool:
        """Hold it against the rule; whether nothing is wrong."""
        right = True
        if rule.owned:
            right = self._compare_owner(path, status)
            if flags:
                right = False
                self.foreign("immutable", path, "flags: " + ", ".join(flags))
        if rule.exact and status.st_mode & 0o777 != rule.mode:
            right = False
            self.counts.wrong_mode += 1
            self._examples.add("wrong_mode", path, "mode %s instead of %04o" % (mode_string(status.st_mode), rule.mode))
        if not allows(self._identity, status, rule.needs):
            right = False
            self.counts.unreadable += 1
            detail = "mode %s, uid %d, gid %d" % (mode_string(status.st_mode), status.st_uid, status.st_gid)
            self._examples.add("unreadable", path, detail)
        return right

    def _compare_owner(self, path: str, status: os.stat_result) -> bool:
        wrong_uid = status.st_uid != self._identity.uid
        wrong_gid = status.st_gid != self._identity.gid
        if not (wrong_uid or wrong_gid):
            return True
        self.counts.wrong_owner += 1
        self.counts.wrong_uid += wrong_uid
        self.counts.wrong_gid += wrong_gid
        self._owners.add(status.st_uid, status.st_gid)
        self._examples.add("wrong_owner", path, "uid %d, gid %d" % (status.st_uid, status.st_gid))
        return False

    def foreign(self, kind: str, path: str, detail: str = "") -> None:
        self.counts.foreign[kind] = self.counts.foreign.get(kind, 0) + 1
        self._examples.add(kind, path, detail)

    def vanished(self) -> None:
        self.counts.vanished += 1

    def error(self, path: str, error: t.Union[OSError, str]) -> None:
        self.counts.errors += 1
        self._examples.add("errors", path, error if isinstance(error, str) else describe_error(error))

    def seen(self) -> int:
        return self.counts.files

    def wrong(self) -> int:
        return self.counts.wrong_owner

    def result(self) -> WalkCounts:
        """The counts, with the owners of what is wrong and the examples."""
        self.counts.owners = self._owners.ranked()
        self.counts.examples = self._examples.found
        return self.counts


def merge(cls: t.Type[T], parts: t.Iterable[T], max_paths: int) -> T:
    """Add up the counts of several workers, field by field; the examples are the first by path."""
    total = cls()
    for part in parts:
        for field in dataclasses.fields(t.cast(t.Any, cls)):
            setattr(total, field.name, _sum(getattr(total, field.name), getattr(part, field.name)))
    for problems in getattr(total, "examples", {}).values():
        problems.sort(key=lambda problem: problem.path)
        del problems[max_paths:]
    return total


def _sum(one: t.Any, other: t.Any) -> t.Any:
    if isinstance(one, dict):
        total = dict(one)
        for key, value in other.items():
            total[key] = _sum(total[key], value) if key in total else value
        return total
    if isinstance(one, list) and all(isinstance(owner, OwnerCount) for owner in one + other):
        owners: t.Dict[t.Tuple[int, int], int] = {}
        for owner in one + other:
            owners[owner.uid, owner.gid] = owners.get((owner.uid, owner.gid), 0) + owner.count
        return _ranked(owners)
    return one + other
