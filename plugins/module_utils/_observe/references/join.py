# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares the needed digests with the chunks that the walk finds, one prefix directory after the other.

Between two directories the kernel goes through so much memory that the processor's cache keeps little of ours. Therefore
names are made from digests only when their directory is at hand, and mostly only one set is made of the names in it.
"""

from __future__ import annotations

import dataclasses
import os
import stat
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.references import Sum
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.digests import Digests, Needed
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.counters import CountingVisitor, flags_of
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.visitor import Collector, Directory
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import CHUNKS, ZERO_CHUNK_DIGEST
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity
from ansible_collections.fleetops.pbs.plugins.module_utils._system.permission import READ, SEARCH, WRITE, allows

SUSPECTS = 65536
"""The most damaged chunks whose snapshots are looked for; further ones are only counted."""

AGED = 65536
"""The most needed chunks that one process remembers as old, and as not old."""

_ZERO_CHUNK = ZERO_CHUNK_DIGEST.encode("ascii")
_DIGITS = 64


@dataclasses.dataclass
class Times:
    """The seconds that decide; see `SweepFacts`."""

    start: int
    cutoff: int
    limit: int
    mark: int
    zero_chunk_touched: bool
    """GC's own safety check is on, and moves the access time of the zero chunk."""
    count_old: bool = False
    """The snapshots are counted that need an old chunk."""


@dataclasses.dataclass
class Joined:
    """The result of one process; the numbers of all processes are added. See `SweepFacts`."""

    needed: int = 0
    unseen_prefixes: int = 0
    unseen_chunks: int = 0
    removable: Sum = dataclasses.field(default_factory=Sum)
    removable_bad: int = 0
    pending: Sum = dataclasses.field(default_factory=Sum)
    pending_bad: int = 0
    future: Sum = dataclasses.field(default_factory=Sum)
    kept: Sum = dataclasses.field(default_factory=Sum)
    kept_bad: int = 0
    blocked: Sum = dataclasses.field(default_factory=Sum)
    blocked_bad: int = 0
    using_markers: int = 0
    needed_old: Sum = dataclasses.field(default_factory=Sum)
    old: list[str] = dataclasses.field(default_factory=list)
    """The first digests of these; only if their snapshots are counted."""
    old_left_out: int = 0
    not_old: list[str] = dataclasses.field(default_factory=list)
    """The first of the other needed digests."""
    not_old_left_out: int = 0
    zero_chunk_kept: int = 0
    suspects_left_out: int = 0
    suspects: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    """Digests by kind of problem."""
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    """How many there are of each kind."""
    edges: dict[str, list[int]] = dataclasses.field(default_factory=dict)
    """Access times: `pending` and `future`, of which the least and the greatest matter."""
    blocked_examples: list[str] = dataclasses.field(default_factory=list)


class Join(Collector):
    """One worker's part."""

    def __init__(
        self, counter: CountingVisitor, digests: t.Sequence[Digests], identity: Identity, times: Times
    ) -> None:
        """`counter` is the visitor that the walk tells of the same chunks, before this."""
        self.found = Joined()
        self._counter = counter
        self._digests = Needed(digests)
        self._identity = identity
        self._times = times
        self._names: tuple[bytes, ...] = ()
        """The names that are needed in this directory, some of them perhaps more than once."""
        self._left: set[bytes] = set()
        """Those that the walk has not found yet."""
        self._needed = -1
        """How many different ones there are; below 0 as long as none is looked for, and `_left` holds none yet."""
        self._bad: list[tuple[bytes, os.stat_result]] = []
        self._blocked: t.Optional[bool] = None
        self._old: set[bytes] = set()
        """Needed chunks that are old, if they are looked for."""

    def enter(self, number: int) -> None:
        self._names = self._digests.names(number)
        self._needed = -1
        self._bad.clear()
        self._blocked = None
        self._old.clear()

    def chunks(self, prefix: Directory, found: t.Sequence[bytes]) -> None:
        batch = self._counter.answered
        if batch is None or not self._counter.plain:
            self._one_by_one(prefix, found)
            return
        useless = set(found)
        count = len(useless)
        useless.difference_update(self._names)
        self._found(found, count - len(useless))
        accessed = batch.accessed(len(found))
        if not useless:
            self._add(self.found.kept, len(found), self._counter.plain_bytes)
            if max(accessed) < self._times.limit:
                self._add(self.found.needed_old, len(found), self._counter.plain_bytes)
                self._old.update(found if self._times.count_old else ())
            elif min(accessed) < self._times.limit:
                self._needed_old(zip(found, accessed, batch.sizes(len(found))))
            return
        needed = []
        for name, when, size in zip(found, accessed, batch.sizes(len(found))):
            if name in useless:
                self._useless(prefix, name, when, size)
            else:
                needed.append((name, when, size))
        self._add(self.found.kept, len(needed), sum(size for _name, _when, size in needed))
        self._needed_old(needed)

    def _found(self, names: t.Iterable[bytes], needed: int) -> None:
        """Take these names out of those that are left; so many different ones of them are needed."""
        if self._needed < 0 and needed == len(self._names):
            # As many as there are, so none of them is there more than once.
            self._left, self._needed = set(), needed
            return
        self._begin()
        self._left.difference_update(names)

    def _begin(self) -> None:
        if self._needed < 0:
            self._left = set(self._names)
            self._needed = len(self._left)

    def _needed_old(self, found: t.Iterable[tuple[bytes, int, int]]) -> None:
        for name, when, length in found:
            if when < self._times.limit:
                self._add(self.found.needed_old, 1, length)
                if self._times.count_old:
                    self._old.add(name)

    def _remember_old(self) -> None:
        """Divide the needed chunks of this prefix into old ones and others."""
        found = self.found
        for names, known in ((self._old, found.old), (set(self._names) - self._old, found.not_old)):
            taken = sorted(names)[: max(0, AGED - len(known))]
            known += [name.decode("ascii") for name in taken]
            if known is found.old:
                found.old_left_out += len(names) - len(taken)
            else:
                found.not_old_left_out += len(names) - len(taken)

    def _one_by_one(self, prefix: Directory, found: t.Sequence[bytes]) -> None:
        """Where something is wrong with at least one of them."""
        needed = frozenset(self._names)
        there = set()
        for name in found:
            try:
                status = os.stat(name, dir_fd=prefix.fd, follow_symlinks=False)
            except OSError:
                continue  # what is gone is missing, if it is needed
            when, size = int(status.st_atime_ns // 1_000_000_000), status.st_size
            if name not in needed:
                if stat.S_ISREG(status.st_mode):
                    self._useless(prefix, name, when, size)
                continue
            there.add(name)
            if self._identity.uid not in (0, status.st_uid) or flags_of(prefix.fd, os.fsdecode(name)):
                self._suspect("chunk-untouchable", name)
            if not stat.S_ISREG(status.st_mode):
                self._suspect("chunk-no-file", name)
                continue
            self._add(self.found.kept, 1, size)
            self._needed_old([(name, when, size)])
            if not size:
                self._suspect("chunk-empty", name)
            elif not allows(self._identity, status, READ):
                self._suspect("chunk-unreadable", name)
        self._found(there, len(there))

    def _useless(self, prefix: Directory, name: bytes, when: int, size: int) -> None:
        """A chunk that no index file needs."""
        if name == _ZERO_CHUNK and self._times.zero_chunk_touched and prefix.path.endswith("/" + ZERO_CHUNK_DIGEST[:4]):
            self.found.zero_chunk_kept = 1
            self._add(self.found.kept, 1, size)
        elif when < self._times.limit:
            self._add(self.found.removable, 1, size)
            if self._is_blocked(prefix, name, self._counter.plain):
                self._add(self.found.blocked, 1, size)
        elif when < self._times.mark:
            self._add(self.found.pending, 1, size)
            self._edge("pending", when)
        else:
            self._add(self.found.kept, 1, size)
            if when > self._times.start:
                self._add(self.found.future, 1, size)
                self._edge("future", when)

    def _is_blocked(self, prefix: Directory, name: bytes, plain: bool) -> bool:
        """Whether the daemon's user may not remove that file; `plain`: the visitor has found nothing wrong with it."""
        if self._blocked is None:
            status = prefix.status
            flags = flags_of(prefix.fd, ".")
            self._blocked = bool(flags) or not allows(self._identity, status, WRITE | SEARCH)
            if self._blocked:
                mode = f"{status.st_uid}:{status.st_gid} {stat.S_IMODE(status.st_mode):04o}"
                self._block(prefix, ", ".join([mode, *flags]))
        if self._blocked:
            return True
        flags = [] if plain else flags_of(prefix.fd, os.fsdecode(name))
        if flags:
            self._block(prefix, f"{os.fsdecode(name)} is {' and '.join(flags)}")
        return bool(flags)

    def _block(self, prefix: Directory, why: str) -> None:
        text = f"{prefix.path[prefix.path.rindex(CHUNKS) :]} ({why})"
        self.found.blocked_examples = sorted([*self.found.blocked_examples, text])[:1]

    def other(self, kind: str, name: bytes, status: os.stat_result) -> None:
        if kind == "bad":
            self._bad.append((name, status))
        elif kind == "using":
            self.found.using_markers += 1

    def leave(self, prefix: t.Optional[Directory], seen: bool) -> None:
        self._begin()
        self.found.needed += self._needed
        if self._times.count_old:
            self._remember_old()
        if not seen:
            self.found.unseen_prefixes += 1
            self.found.unseen_chunks += self._needed
            return
        if prefix is not None and not allows(self._identity, prefix.status, SEARCH):
            # GC cannot touch a chunk in there: it stops as at one of another user.
            known = set(self.found.suspects.get("chunk-untouchable", ()))
            for name in sorted(set(self._names)):
                if name.decode("ascii") not in known:
                    self._suspect("chunk-untouchable", name)
        if self._bad and prefix is not None:
            self._bad_chunks(prefix)
        for name in sorted(self._left):
            self._suspect("chunk-missing", name)

    def _bad_chunks(self, prefix: Directory) -> None:
        """GC updates the atime of a renamed chunk (`.bad`) if the chunk itself is needed and missing."""
        left = set()
        for name, status in self._bad:
            when, size = int(status.st_atime_ns // 1_000_000_000), status.st_size
            if name[:_DIGITS] in self._left:
                left.add(name[:_DIGITS])
                self.found.kept_bad += 1
                self.found.kept.bytes += size
            elif when < self._times.limit:
                self.found.removable_bad += 1
                self.found.removable.bytes += size
                if self._is_blocked(prefix, name, False):
                    self.found.blocked_bad += 1
                    self.found.blocked.bytes += size
            elif when < self._times.mark:
                self.found.pending_bad += 1
                self.found.pending.bytes += size
                self._edge("pending", when)
            else:
                self.found.kept_bad += 1
                self.found.kept.bytes += size
        for name in sorted(left):
            self._suspect("chunk-only-bad", name)
        self._left -= left

    def _suspect(self, kind: str, name: bytes) -> None:
        self.found.counts[kind] = self.found.counts.get(kind, 0) + 1
        found = self.found.suspects.setdefault(kind, [])
        if len(found) < SUSPECTS // 4:
            found.append(name.decode("ascii"))
        else:
            self.found.suspects_left_out += 1

    def _edge(self, kind: str, when: int) -> None:
        edges = self.found.edges.get(kind)
        if edges is None:
            self.found.edges[kind] = [when, when]
        elif when < edges[0]:
            edges[0] = when
        elif when > edges[1]:
            edges[1] = when

    @staticmethod
    def _add(total: Sum, chunks: int, size: int) -> None:
        total.chunks += chunks
        total.bytes += size

    def result(self) -> dict[str, t.Any]:
        return dataclasses.asdict(self.found)
