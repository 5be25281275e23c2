# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks again at what seemed missing, and for the snapshots that need it.

Index files are read before chunks are looked at, and between the two backups, prune and garbage collection go on. A
chunk is missing only if it is not there while an index file that needs it is: so the index files are read again, then
the chunks are looked at, and then it is seen whether the index files are still there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import stat
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.index_file import (
    AT_ONCE,
    LARGEST,
    IndexFile,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.problems import ProblemCounter
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.tree import LISTED_GROUPS, MORE_GROUPS
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.units import Unit
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.visit import Visit
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.counters import flags_of
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.open_store import OpenStore
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.workers import Heartbeat
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import index, manifest, snapshot
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import CHUNKS
from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import open_inside
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity
from ansible_collections.fleetops.pbs.plugins.module_utils._system.listing import batches
from ansible_collections.fleetops.pbs.plugins.module_utils._system.permission import READ, SEARCH, allows

UNTOUCHABLE = "chunk-untouchable"


@dataclasses.dataclass
class Damage:
    """The damage in one group; see `GroupFacts`."""

    namespace: str
    type: str
    id: str
    snapshots: int = 0
    newest: t.Optional[int] = None
    damaged: int = 0
    newest_damaged: t.Optional[int] = None
    newest_intact: t.Optional[int] = None
    damaged_examples: list[str] = dataclasses.field(default_factory=list)


class Confirm(Visit):
    """Finds the index files that need one of some chunks."""

    def __init__(
        self,
        store: OpenStore,
        identity: Identity,
        heartbeat: Heartbeat,
        damaged: t.Container[bytes],
        suspects: frozenset[bytes],
        broken: t.Container[int],
        max_paths: int,
    ) -> None:
        """`suspects` are the digests that are looked for, `damaged` those of them that damage a snapshot; `broken` are
        the numbers of snapshots that are damaged anyhow."""
        super().__init__(store, identity, ProblemCounter(0), heartbeat)
        self.needed_by: dict[str, str] = {}
        """Digest: an index file that needs it, relative to the base directory."""
        self.groups: dict[tuple[str, str, str], Damage] = {}
        self.untouchable_snapshots = 0
        self._damaged = damaged
        self._suspects = suspects
        self._broken = broken
        self._max_paths = max_paths
        self._more = 0
        self._memory = memoryview(bytearray(AT_ONCE * index.LARGEST_ENTRY_SIZE))

    def _group(self, unit: Unit, group_fd: int) -> None:
        key = (unit.namespace, unit.type, unit.id)
        group = self.groups.get(key) or Damage(*key)
        for number, name in enumerate(unit.names, unit.start):
            path = f"{unit.directory}/{name}"
            with contextlib.suppress(OSError):
                fd = open_inside(name, group_fd)
                try:
                    self._snapshot(group, path, name, number, fd)
                finally:
                    os.close(fd)
        if unit.group < LISTED_GROUPS:
            if group.damaged or group.newest_intact is not None:
                self.groups[key] = group
        elif group.damaged and self._more < MORE_GROUPS:
            self._more += 1
            self.groups[key] = group
        elif group.damaged:
            self.totals.damaged_snapshots += group.damaged
            self.totals.damaged_groups += 1

    def _snapshot(self, group: Damage, path: str, name: str, number: int, fd: int) -> None:
        needed: set[bytes] = set()
        for batch in batches(fd):
            for entry in batch:
                if entry.is_dir(follow_symlinks=False):
                    self._tree.walk_odd(path, entry.name, fd)
                    continue
                if index.is_dynamic(entry.name) is None:
                    continue
                inner = f"{path}/{entry.name}"
                opened = self._open_in_snapshot(inner, entry, fd)
                if opened is not None:
                    with contextlib.closing(opened):
                        needed |= self._needs(inner, opened)
        moment = snapshot.snapshot_time(name) or 0
        damaging = any(digest in self._damaged for digest in needed)
        self.untouchable_snapshots += any(digest not in self._damaged for digest in needed)
        finished = False
        with contextlib.suppress(OSError):
            os.stat(manifest.NAME, dir_fd=fd, follow_symlinks=False)
            finished = True
        group.snapshots += 1
        if finished:
            group.newest = max(moment, moment if group.newest is None else group.newest)
        if damaging or number in self._broken:
            group.damaged += 1
            group.newest_damaged = max(moment, moment if group.newest_damaged is None else group.newest_damaged)
            group.damaged_examples = sorted([*group.damaged_examples, name], reverse=True)[: self._max_paths]
        elif finished:
            group.newest_intact = max(moment, moment if group.newest_intact is None else group.newest_intact)

    def _stray(self, path: str, opened: IndexFile) -> None:
        self._needs(path, opened)

    def _needs(self, path: str, opened: IndexFile) -> set[bytes]:
        """The wanted chunks that it needs."""
        found: set[bytes] = set()
        self.totals.indexes += 1
        if opened.length > LARGEST:
            return found
        try:
            for _place, size in opened.blocks(self._memory):
                if size:
                    found.update(self._suspects.intersection(index.digests(opened.header.dynamic, self._memory[:size])))
                elif bytes(index.DIGEST_SIZE) in self._suspects:
                    found.add(bytes(index.DIGEST_SIZE))
                self._heartbeat.beat(self.progress)
        except OSError as exc:
            self.error(path, exc)
        for digest in found:
            self.needed_by.setdefault(digest.hex(), path)
        return found


class CountNeeding(Visit):
    """Counts the snapshots that need one of some chunks."""

    def __init__(
        self, store: OpenStore, identity: Identity, heartbeat: Heartbeat, digests: frozenset[bytes], others: bool
    ) -> None:
        """With `others`, one that is not among the digests."""
        super().__init__(store, identity, ProblemCounter(0), heartbeat)
        self.snapshots = 0
        self._digests = digests
        self._others = others
        self._memory = memoryview(bytearray(AT_ONCE * index.LARGEST_ENTRY_SIZE))

    def _group(self, unit: Unit, group_fd: int) -> None:
        for name in unit.names:
            with contextlib.suppress(OSError):
                fd = open_inside(name, group_fd)
                try:
                    self.snapshots += self._snapshot(f"{unit.directory}/{name}", fd)
                finally:
                    os.close(fd)

    def _stray(self, path: str, opened: IndexFile) -> None:
        """It is in no snapshot."""

    def _snapshot(self, path: str, fd: int) -> bool:
        for batch in batches(fd):
            for entry in batch:
                if index.is_dynamic(entry.name) is None or entry.is_dir(follow_symlinks=False):
                    continue
                opened = self._open_in_snapshot(f"{path}/{entry.name}", entry, fd)
                if opened is not None:
                    with contextlib.closing(opened):
                        if self._needs(path, opened):
                            return True
        return False

    def _needs(self, path: str, opened: IndexFile) -> bool:
        self.totals.indexes += 1
        if opened.length > LARGEST:
            return False
        zero = bytes(index.DIGEST_SIZE)
        try:
            for _place, size in opened.blocks(self._memory):
                found = index.digests(opened.header.dynamic, self._memory[:size]) if size else (zero,)
                if not self._digests.issuperset(found) if self._others else not self._digests.isdisjoint(found):
                    return True
                self._heartbeat.beat(self.progress)
        except OSError as exc:
            self.error(path, exc)
        return False


def still_so(
    store: OpenStore, identity: Identity, suspects: t.Mapping[str, t.Iterable[str]], heartbeat: Heartbeat
) -> dict[str, list[str]]:
    """The suspects (digests by kind of problem) of which the same is true now, by what is true of them now.

    Raises `OSError` where the chunk store cannot be opened.
    """
    top = store.open_chunks()
    found: dict[str, list[str]] = {}
    try:
        for kind, digests in suspects.items():
            for digest in digests:
                heartbeat.at(f"{CHUNKS}/{digest[:4]}/{digest}")
                heartbeat.beat(dict)
                now = _state(top, digest, identity)
                if kind in now or (kind in _GONE and now & _GONE):
                    found.setdefault(kind if kind in now else min(now & _GONE), []).append(digest)
    finally:
        os.close(top)
    return found


_GONE = frozenset(("chunk-missing", "chunk-only-bad"))


def _state(top: int, digest: str, identity: Identity) -> frozenset[str]:
    """The problems of a needed chunk, by kind."""
    try:
        fd = open_inside(digest[:4], top)
    except FileNotFoundError:
        return frozenset(("chunk-missing",))
    except OSError:
        return frozenset()
    try:
        try:
            status = os.stat(digest, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            return frozenset(("chunk-only-bad" if _has_bad(fd, digest) else "chunk-missing",))
        except OSError:
            return frozenset()
        flags = flags_of(fd, digest)
        closed = not allows(identity, os.fstat(fd), SEARCH)
    finally:
        os.close(fd)
    wrong = set()
    if not stat.S_ISREG(status.st_mode):
        wrong.add("chunk-no-file")
    elif not status.st_size:
        wrong.add("chunk-empty")
    elif not allows(identity, status, READ):
        wrong.add("chunk-unreadable")
    if closed or identity.uid not in (0, status.st_uid) or flags:
        wrong.add(UNTOUCHABLE)
    return frozenset(wrong)


def _has_bad(fd: int, digest: str) -> bool:
    for number in range(10):
        with contextlib.suppress(OSError):
            os.stat(f"{digest}.{number}.bad", dir_fd=fd, follow_symlinks=False)
            return True
    return False


def still_there(store: OpenStore, paths: t.Iterable[str]) -> list[str]:
    """Those of these index files that exist now."""
    found = []
    for path in paths:
        *parts, name = path.split("/")
        fd = os.dup(store.base)
        try:
            for part in parts:
                below = open_inside(part, fd)
                os.close(fd)
                fd = below
            os.stat(name, dir_fd=fd, follow_symlinks=False)
            found.append(path)
        except OSError:
            continue
        finally:
            os.close(fd)
    return found
