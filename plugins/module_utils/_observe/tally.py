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
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.permission import Status, allows
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.visitor import Directory, Rule, Visitor
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity
from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import Batch, statx
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error, display

_MAX_OWNERS = 256
"""Different owners that are counted apart; a hostile tree may have four thousand million."""

_MAX_SIGNATURES = 4096
"""Different ones that are remembered of each sort."""

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


class _Alike(t.NamedTuple):
    """Regular files of one signature; the fields as in C(os.stat_result)."""

    st_mode: int
    st_uid: int
    st_gid: int
    st_nlink: int
    flags: t.Sequence[str]
    """Inode flags that forbid changes."""


class _Known:
    """The signatures that were met under one rule, and what is to be said about files that have them."""

    def __init__(self) -> None:
        self.good: t.Set[bytes] = set()
        """Nothing is wrong."""
        self.faulty: t.Dict[bytes, _Alike] = {}
        """So often that there are enough examples: only counting is left."""
        self._met: t.Dict[bytes, int] = {}

    def add(self, signature: bytes, alike: _Alike, right: bool, enough: int) -> None:
        """A file was looked at by itself; C(enough) is the number of examples."""
        if len(self.good if right else self._met) >= _MAX_SIGNATURES:
            return
        if right:
            self.good.add(signature)
            return
        self._met[signature] = self._met.get(signature, 0) + 1
        if self._met[signature] >= enough:
            self.faulty[signature] = alike


class Tally(Visitor):
    """Counts one tree, or one worker's part of it, and changes nothing."""

    def __init__(self, identity: Identity, max_paths: int) -> None:
        self.counts = WalkCounts()
        self.empty = 0
        """Files without content, among those that C(files) was told of."""
        self._identity = identity
        self._examples = Examples(max_paths)
        self._owners = Owners()
        self._max_paths = max_paths
        self._known: t.Dict[Rule, _Known] = {}
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
        known = self._known.setdefault(rule, _Known())
        good, faulty = known.good, known.faulty
        again: t.Dict[bytes, int] = {}
        files = total = 0
        for name, (signature, size) in zip(names, answers):
            # The whole cost of a file that is as it should be, or as many others, beside the system call.
            if size and signature in good:
                files += 1
                total += size
            elif size and signature in faulty:
                files += 1
                total += size
                again[signature] = again.get(signature, 0) + 1
            else:
                self._meet(where, os.fsdecode(name), signature, size, rule)
        self.counts.files += files
        self.counts.bytes += total
        for signature, times in again.items():
            self._compare("", faulty[signature], rule, faulty[signature].flags, times)

    def _meet(self, where: Directory, name: str, signature: bytes, size: int, rule: Rule) -> None:
        """One name with its answer."""
        _attributes, links, uid, gid, mode = Batch.unpack(signature)
        if not stat.S_ISREG(mode):
            self.foreign(foreign_kind(mode), where.join(name))
            return
        alike = _Alike(mode, uid, gid, links, Batch.flags(signature))
        right = self._regular(where.join(name), alike, size, rule, alike.flags)
        self._known[rule].add(signature, alike, right, self._max_paths)

    def _look(self, where: Directory, name: str, rule: Rule) -> None:
        """One name."""
        path = where.join(name)
        try:
            status = os.stat(name, dir_fd=where.fd, follow_symlinks=False)
        except OSError as exc:
            self.missed(path, exc)
            return
        if not stat.S_ISREG(status.st_mode):
            self.foreign(foreign_kind(status.st_mode), path)
            return
        self._regular(path, status, status.st_size, rule, _flags(where.fd, name))

    def _regular(self, path: str, status: Status, size: int, rule: Rule, flags: t.Sequence[str]) -> bool:
        """One of those that C(files) was told of; whether nothing is wrong."""
        self.empty += size == 0
        self.counts.files += 1
        self.counts.bytes += size
        return self._compare(path, status, rule, flags)

    def file(self, where: Directory, name: str, status: os.stat_result, rule: Rule) -> None:
        self.counts.files += 1
        self.counts.bytes += status.st_size
        self._compare(where.join(name), status, rule, _flags(where.fd, name))

    def directory(self, path: str, status: os.stat_result, rule: Rule, fd: int) -> None:
        self.counts.directories += 1
        self._compare(path, status, rule, self._batch.flags_of(fd) if self._batch and fd >= 0 else ())

    def busy(self, status: os.stat_result) -> None:
        self.counts.files += 1
        self.counts.bytes += status.st_size

    def _compare(self, path: str, status: Status, rule: Rule, flags: t.Sequence[str], times: int = 1) -> bool:
        """Hold it against the rule; whether nothing is wrong.

        With C(times) for so many alike, of which there are examples enough.
        """
        right = True
        if rule.owned:
            right = self._compare_owner(path, status, times)
            if status.st_nlink != 1 and stat.S_ISREG(status.st_mode):
                right = False
                self._count(path, "hardlink", "%d links" % status.st_nlink, times)
            if flags:
                right = False
                self._count(path, "immutable", "flags: " + ", ".join(flags), times)
        if rule.exact and status.st_mode & 0o777 != rule.mode:
            right = False
            self.counts.wrong_mode += times
            self._examples.add("wrong_mode", path, "mode %s instead of %04o" % (mode_string(status.st_mode), rule.mode))
        if not allows(self._identity, status, rule.needs):
            right = False
            self.counts.unreadable += times
            detail = "mode %s, uid %d, gid %d" % (mode_string(status.st_mode), status.st_uid, status.st_gid)
            self._examples.add("unreadable", path, detail)
        return right

    def _compare_owner(self, path: str, status: Status, times: int) -> bool:
        wrong_uid = status.st_uid != self._identity.uid
        wrong_gid = status.st_gid != self._identity.gid
        if not (wrong_uid or wrong_gid):
            return True
        self.counts.wrong_owner += times
        self.counts.wrong_uid += times if wrong_uid else 0
        self.counts.wrong_gid += times if wrong_gid else 0
        self._owners.add(status.st_uid, status.st_gid, times)
        self._examples.add("wrong_owner", path, "uid %d, gid %d" % (status.st_uid, status.st_gid))
        return False

    def foreign(self, kind: str, path: str, detail: str = "") -> None:
        self._count(path, kind, detail, 1)

    def _count(self, path: str, kind: str, detail: str, times: int) -> None:
        self.counts.foreign[kind] = self.counts.foreign.get(kind, 0) + times
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
