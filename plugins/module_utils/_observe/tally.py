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
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error, display

_MAX_OWNERS = 256
"""Different owners that are counted apart; a hostile tree may have four thousand million."""

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
        # Every mode of a regular file that its owner may read: one look instead of several.
        may_read = range(0o10000) if identity.uid == 0 else (mode for mode in range(0o10000) if mode & 0o400)
        self._readable = frozenset(stat.S_IFREG | mode for mode in may_read)

    def files(self, where: Directory, entries: t.Sequence[os.DirEntry[str]], rule: Rule) -> None:
        uid, gid, readable = self._identity.uid, self._identity.gid, self._readable
        files = size = 0
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError as exc:
                self.missed(where.join(entry.name), exc)
                continue
            # The whole cost of a file that is as it should be, beside the system call.
            if (
                status.st_uid == uid
                and status.st_gid == gid
                and status.st_mode in readable
                and status.st_nlink == 1
                and status.st_size
            ):
                files += 1
                size += status.st_size
            elif stat.S_ISREG(status.st_mode):
                self.empty += status.st_size == 0
                self.file(where, entry.name, status, rule)
            else:
                self.foreign(foreign_kind(status.st_mode), where.join(entry.name))
        self.counts.files += files
        self.counts.bytes += size

    def file(self, where: Directory, name: str, status: os.stat_result, rule: Rule) -> None:
        self.counts.files += 1
        self.counts.bytes += status.st_size
        path = where.join(name)
        if rule.owned and status.st_nlink != 1:
            self.foreign("hardlink", path, "%d links" % status.st_nlink)
        self._compare(path, status, rule)

    def directory(self, path: str, status: os.stat_result, rule: Rule, fd: int) -> None:
        self.counts.directories += 1
        self._compare(path, status, rule)

    def busy(self, status: os.stat_result) -> None:
        self.counts.files += 1
        self.counts.bytes += status.st_size

    def _compare(self, path: str, status: os.stat_result, rule: Rule) -> None:
        if rule.owned:
            self._compare_owner(path, status)
        if rule.exact and status.st_mode & 0o777 != rule.mode:
            self.counts.wrong_mode += 1
            self._examples.add("wrong_mode", path, "mode %s instead of %04o" % (mode_string(status.st_mode), rule.mode))
        if not allows(self._identity, status, rule.needs):
            self.counts.unreadable += 1
            detail = "mode %s, uid %d, gid %d" % (mode_string(status.st_mode), status.st_uid, status.st_gid)
            self._examples.add("unreadable", path, detail)

    def _compare_owner(self, path: str, status: os.stat_result) -> None:
        wrong_uid = status.st_uid != self._identity.uid
        wrong_gid = status.st_gid != self._identity.gid
        if not (wrong_uid or wrong_gid):
            return
        self.counts.wrong_owner += 1
        self.counts.wrong_uid += wrong_uid
        self.counts.wrong_gid += wrong_gid
        self._owners.add(status.st_uid, status.st_gid)
        self._examples.add("wrong_owner", path, "uid %d, gid %d" % (status.st_uid, status.st_gid))

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
