# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Exact counts of the findings of a walk, with the first paths of each kind, in bounded memory."""

from __future__ import annotations

import bisect
import dataclasses
import os
import stat
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.file import PathProblem
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.walk import OwnerCount, WalkCounts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.visitor import Directory, Rule, Visitor
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity
from ansible_collections.fleetops.pbs.plugins.module_utils._system.permission import WRITE, Status, allows
from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import Batch, mode_string, statx
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error, display

_MAX_OWNERS = 256
"""Number of owners that are counted separately; a hostile tree may have four billion."""

_MAX_SIGNATURES = 4096
"""Maximum number of signatures of each sort in memory."""

OTHER_OWNERS = (-1, -1)
"""The ids under which all other owners are counted."""

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
    """The kind under which a file of the wrong type is counted."""
    return _FOREIGN.get(stat.S_IFMT(mode), "name")


def flags_of(dir_fd: int, name: str) -> list[str]:
    """The inode flags that forbid changes; empty if they cannot be read."""
    try:
        return statx(name, dir_fd).flags
    except OSError:
        return []


class Examples:
    """The first paths of each kind by name, independent of the order and the worker in which they are found."""

    def __init__(self, limit: int) -> None:
        self.found: dict[str, list[PathProblem]] = {}
        """Sorted by path."""
        self._limit = limit

    def wants(self, kind: str, path: str) -> bool:
        """Whether a problem at the path, or below it, would be one of the examples."""
        examples = self.found.get(kind, ())
        return len(examples) < self._limit or (len(examples) > 0 and display(path) < examples[-1].path)

    def add(self, kind: str, path: str, detail: str) -> None:
        if not self.wants(kind, path):
            return
        examples = self.found.setdefault(kind, [])
        bisect.insort(examples, PathProblem(display(path), detail))
        del examples[self._limit :]


class Owners:
    """Counts by owner. If there are too many, it keeps those with the lowest ids, independent of the order."""

    def __init__(self) -> None:
        self._counts: dict[tuple[int, int], int] = {}
        self._others = 0
        self._known: list[tuple[int, int]] = []
        """The owners that are counted separately, sorted."""

    def add(self, uid: int, gid: int, count: int = 1) -> None:
        key = (uid, gid)
        if key in self._counts:
            self._counts[key] += count
        elif key == OTHER_OWNERS:
            self._others += count
        else:
            bisect.insort(self._known, key)
            self._counts[key] = count
            if len(self._known) > _MAX_OWNERS:
                self._others += self._counts.pop(self._known.pop())

    def ranked(self) -> list[OwnerCount]:
        """The highest count first."""
        counts = {**self._counts, OTHER_OWNERS: self._others} if self._others else self._counts
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return [OwnerCount(uid, gid, count) for (uid, gid), count in ranked]


class _Alike(t.NamedTuple):
    """Regular files with the same signature; fields as in `os.stat_result`."""

    st_mode: int
    st_uid: int
    st_gid: int
    st_nlink: int
    flags: t.Sequence[str]
    """Inode flags that forbid changes."""


class _Known:
    """The signatures seen under one rule, and the faults of files with them."""

    def __init__(self) -> None:
        self.good: set[bytes] = set()
        """Signatures without faults."""
        self.faulty: dict[bytes, _Alike] = {}
        """Faulty signatures with enough examples: further files are only counted, unless their name sorts before these."""
        self.kinds: set[str] = set()
        """The kinds of faults of the faulty signatures."""
        self._met: dict[bytes, int] = {}

    def add(self, signature: bytes, alike: _Alike, kinds: t.Collection[str], enough: int) -> None:
        """Record a file that was checked individually and has `kinds` of faults; `enough` is the number of examples."""
        if len(self._met if kinds else self.good) >= _MAX_SIGNATURES:
            return
        if not kinds:
            self.good.add(signature)
            return
        self._met[signature] = self._met.get(signature, 0) + 1
        if self._met[signature] >= enough:
            self.faulty[signature] = alike
            self.kinds.update(kinds)


class CountingVisitor(Visitor):
    """Counts one tree, or one worker's part of it; changes nothing."""

    def __init__(self, identity: Identity, max_paths: int) -> None:
        self.counts = WalkCounts()
        self.empty = 0
        """Files of length 0 that `files` got."""
        self._identity = identity
        self._examples = Examples(max_paths)
        self._owners = Owners()
        self._max_paths = max_paths
        self._known: dict[Rule, _Known] = {}
        self.answered: t.Optional[Batch] = None
        """The kernel's answers for the names of the last call of `files`; None if each name was checked individually."""
        self.plain = False
        """Whether all of these names were correct."""
        self.plain_bytes = 0
        """Bytes of all these."""
        try:
            self._batch: t.Optional[Batch] = Batch()
        except OSError:
            self._batch = None

    def files(self, where: Directory, names: t.Sequence[bytes], rule: Rule) -> None:
        answers = None
        if self._batch is not None:
            answers = self._batch.look(where.fd, names)
        self.answered = self._batch if answers is not None else None
        self.plain = False
        if answers is None:
            for name in names:
                self._look(where, os.fsdecode(name), rule)
            return
        known = self._known.setdefault(rule, _Known())
        good, faulty = known.good, known.faulty
        again: dict[bytes, int] = {}
        near = self._wants(known, where.path)
        files = total = 0
        for name, (signature, size) in zip(names, answers):
            # Besides the system call, this is the whole cost of a correct file, or of one with a known fault.
            if size and signature in good:
                files += 1
                total += size
            elif size and signature in faulty and not (near and self._wants(known, where.join(os.fsdecode(name)))):
                files += 1
                total += size
                again[signature] = again.get(signature, 0) + 1
            else:
                self._meet(where, os.fsdecode(name), signature, size, rule)
                near = self._wants(known, where.path)
        self.plain = files == len(names) and not again
        self.plain_bytes = total
        self.counts.files += files
        self.counts.bytes += total
        for signature, times in again.items():
            self._weigh(faulty[signature], rule, faulty[signature].flags, times)

    def _wants(self, known: _Known, path: str) -> bool:
        """Whether a known fault at this path, or below it, would be an example."""
        return any(self._examples.wants(kind, path) for kind in known.kinds)

    def _meet(self, where: Directory, name: str, signature: bytes, size: int, rule: Rule) -> None:
        """Check one name with its statx result."""
        _attributes, links, uid, gid, mode = Batch.unpack(signature)
        if not stat.S_ISREG(mode):
            self.foreign(foreign_kind(mode), where.join(name))
            return
        alike = _Alike(mode, uid, gid, links, Batch.flags(signature))
        kinds = self._regular(where.join(name), alike, size, rule, alike.flags)
        self._known[rule].add(signature, alike, kinds, self._max_paths)

    def _look(self, where: Directory, name: str, rule: Rule) -> None:
        """Check one name."""
        path = where.join(name)
        try:
            status = os.stat(name, dir_fd=where.fd, follow_symlinks=False)
        except OSError as exc:
            self.missed(path, exc)
            return
        if not stat.S_ISREG(status.st_mode):
            self.foreign(foreign_kind(status.st_mode), path)
            return
        self._regular(path, status, status.st_size, rule, flags_of(where.fd, name))

    def _regular(self, path: str, status: Status, size: int, rule: Rule, flags: t.Sequence[str]) -> t.Collection[str]:
        """Check one regular file from `files`; returns the kinds of its faults."""
        self.empty += size == 0
        self.counts.files += 1
        self.counts.bytes += size
        return self._compare(path, status, rule, flags)

    def file(self, where: Directory, name: str, status: os.stat_result, rule: Rule) -> None:
        self.counts.files += 1
        self.counts.bytes += status.st_size
        self._compare(where.join(name), status, rule, flags_of(where.fd, name))

    def directory(self, path: str, status: os.stat_result, rule: Rule, fd: int) -> None:
        self.counts.directories += 1
        self._compare(path, status, rule, self._batch.flags_of(fd) if self._batch and fd >= 0 else ())

    def busy(self, status: os.stat_result) -> None:
        self.counts.files += 1
        self.counts.bytes += status.st_size

    def _compare(self, path: str, status: Status, rule: Rule, flags: t.Sequence[str]) -> t.Collection[str]:
        """Check against the rule; returns the kinds of faults."""
        faults = self._weigh(status, rule, flags, 1)
        for kind, detail in faults.items():
            self._examples.add(kind, path, detail)
        return faults

    def _weigh(self, status: Status, rule: Rule, flags: t.Sequence[str], times: int) -> dict[str, str]:
        """Count the faults of `times` files that are alike; returns the details by kind."""
        faults: dict[str, str] = {}
        if rule.owned:
            if (status.st_uid, status.st_gid) != (self._identity.uid, self._identity.gid):
                faults["wrong_owner"] = "uid %d, gid %d" % (status.st_uid, status.st_gid)
                self._count_owner(status, times)
            # No link at all: the file is just being removed.
            if status.st_nlink > 1 and stat.S_ISREG(status.st_mode):
                faults["hardlink"] = "%d links" % status.st_nlink
                self._count("hardlink", times)
            if flags:
                faults["immutable"] = "flags: " + ", ".join(flags)
                self._count("immutable", times)
        if rule.exact and status.st_mode & 0o777 != rule.mode:
            faults["wrong_mode"] = f"mode {mode_string(status.st_mode)} instead of {rule.mode:04o}"
            self.counts.wrong_mode += times
        if not allows(self._identity, status, rule.needs):
            reads = allows(self._identity, status, rule.needs & ~WRITE)
            fault = "unwritable" if reads else "unreadable"
            detail = "mode %s, uid %d, gid %d" % (mode_string(status.st_mode), status.st_uid, status.st_gid)
            faults[fault] = detail
            if reads:
                self.counts.unwritable += times
            else:
                self.counts.unreadable += times
            if rule.kind:
                kind = f"{fault} {rule.kind}"
                faults[kind] = detail
                self.counts.denied[kind] = self.counts.denied.get(kind, 0) + times
        return faults

    def _count_owner(self, status: Status, times: int) -> None:
        """Count a wrong owner."""
        self.counts.wrong_owner += times
        self.counts.wrong_uid += times if status.st_uid != self._identity.uid else 0
        self.counts.wrong_gid += times if status.st_gid != self._identity.gid else 0
        self._owners.add(status.st_uid, status.st_gid, times)

    def foreign(self, kind: str, path: str, detail: str = "") -> None:
        self._count(kind, 1)
        self._examples.add(kind, path, detail)

    def example(self, kind: str, path: str) -> None:
        self._examples.add(kind, path, "")

    def _count(self, kind: str, times: int) -> None:
        self.counts.foreign[kind] = self.counts.foreign.get(kind, 0) + times

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
        """The counts, with wrong owners and examples."""
        self.counts.owners = self._owners.ranked()
        self.counts.examples = self._examples.found
        return self.counts


def merge(cls: type[T], parts: t.Iterable[T], max_paths: int) -> T:
    """Add up the counts of several workers, field by field; the examples are the first ones by path."""
    total = cls()
    for part in parts:
        for field in dataclasses.fields(t.cast(t.Any, cls)):
            setattr(total, field.name, _sum(getattr(total, field.name), getattr(part, field.name)))
    for problems in getattr(total, "examples", {}).values():
        problems.sort()
        del problems[max_paths:]
    return total


def _sum(one: t.Any, other: t.Any) -> t.Any:
    if isinstance(one, dict):
        total = dict(one)
        for key, value in other.items():
            total[key] = _sum(total[key], value) if key in total else value
        return total
    if isinstance(one, list) and all(isinstance(owner, OwnerCount) for owner in one + other):
        owners = Owners()
        for owner in one + other:
            owners.add(owner.uid, owner.gid, owner.count)
        return owners.ranked()
    return one + other
