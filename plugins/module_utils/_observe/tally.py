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


def foreign_kind(mode: int) -> str:
    """The kind under which something is counted where only regular files belong."""
    return _FOREIGN.get(stat.S_IFMT(mode), "name")


class Tally:
    """The counts of one tree, or of one worker's part of it."""

    def __init__(self, identity: Identity, max_paths: int) -> None:
        self.identity = identity
        """The daemon's user: who should own everything, and has to read it."""
        self.counts = WalkCounts()
        self._max_paths = max_paths
        self._owners: t.Dict[t.Tuple[int, int], int] = {}

    def example(self, kind: str, path: str, detail: str) -> None:
        """Keep the path as an example, if there are not enough of its kind yet."""
        examples = self.counts.examples.setdefault(kind, [])
        if len(examples) < self._max_paths:
            examples.append(PathProblem(display(path), detail))

    def owner(self, path: str, status: os.stat_result) -> None:
        """Compare the owner with the wanted one."""
        wrong_uid = status.st_uid != self.identity.uid
        wrong_gid = status.st_gid != self.identity.gid
        if not (wrong_uid or wrong_gid):
            return
        self.counts.wrong_owner += 1
        self.counts.wrong_uid += wrong_uid
        self.counts.wrong_gid += wrong_gid
        key = (status.st_uid, status.st_gid)
        if key not in self._owners and len(self._owners) >= _MAX_OWNERS:
            key = OTHER_OWNERS
        self._owners[key] = self._owners.get(key, 0) + 1
        self.example("wrong_owner", path, "uid %d, gid %d" % (status.st_uid, status.st_gid))

    def exact_mode(self, path: str, status: os.stat_result, wanted: int) -> None:
        """Compare the low nine bits of the mode with the ones that PBS gives."""
        if status.st_mode & 0o777 != wanted:
            self.counts.wrong_mode += 1
            self.example("wrong_mode", path, "mode %s instead of %04o" % (mode_string(status.st_mode), wanted))

    def unreadable(self, path: str, status: os.stat_result) -> None:
        self.counts.unreadable += 1
        detail = "mode %s, uid %d, gid %d" % (mode_string(status.st_mode), status.st_uid, status.st_gid)
        self.example("unreadable", path, detail)

    def foreign(self, kind: str, path: str, detail: str = "") -> None:
        self.counts.foreign[kind] = self.counts.foreign.get(kind, 0) + 1
        self.example(kind, path, detail)

    def error(self, path: str, error: t.Union[OSError, str]) -> None:
        self.counts.errors += 1
        self.example("errors", path, error if isinstance(error, str) else describe_error(error))

    def result(self) -> WalkCounts:
        """The counts, with the owners of what is wrong, most first."""
        self.counts.owners = _ranked(self._owners)
        return self.counts


def _ranked(owners: t.Mapping[t.Tuple[int, int], int]) -> t.List[OwnerCount]:
    ranked = sorted(owners.items(), key=lambda item: (-item[1], item[0]))
    return [OwnerCount(uid, gid, count) for (uid, gid), count in ranked]


def merge(parts: t.Iterable[WalkCounts], max_paths: int) -> WalkCounts:
    """Add up the counts of several workers; the examples are the first by path."""
    total = WalkCounts()
    numbers = [field.name for field in dataclasses.fields(WalkCounts) if isinstance(getattr(total, field.name), int)]
    owners: t.Dict[t.Tuple[int, int], int] = {}
    for part in parts:
        for name in numbers:
            setattr(total, name, getattr(total, name) + getattr(part, name))
        for kind, count in part.foreign.items():
            total.foreign[kind] = total.foreign.get(kind, 0) + count
        for owner in part.owners:
            key = (owner.uid, owner.gid)
            owners[key] = owners.get(key, 0) + owner.count
        for kind, problems in part.examples.items():
            total.examples.setdefault(kind, []).extend(problems)
    total.owners = _ranked(owners)
    for problems in total.examples.values():
        problems.sort(key=lambda problem: problem.path)
        del problems[max_paths:]
    return total
