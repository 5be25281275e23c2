# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Millions of digests in memory that several processes share: put in one after the other, asked for by prefix.

A Python set takes more than a hundred bytes for each digest, and copies of it in each process. Here a digest takes its 32
bytes. What was put in is sorted in runs of half a million by the C library; each run has a table that tells where the
digests of a prefix directory begin. Where the same digest comes again and again, runs are merged, and it stays once.
"""

from __future__ import annotations

import array
import binascii
import bisect
import collections
import ctypes
import functools
import itertools
import mmap
import struct
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.index import DIGEST_SIZE
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import PREFIX_COUNT

RUN = 1 << 19
"""Digests in one run: sorting takes as much memory again."""

SLACK = 600_000
"""Digests that are held before it is looked for whether they are the same ones again."""

_REPEATED = 0.2
"""The share of digests that are there again from which on runs are merged: looking at all of them takes its time."""
_SAMPLE = 64
"""The part of the digests that is looked at to learn that share."""

_NORESERVE = 0x4000
"""MAP_NORESERVE, which Python 3.9 has no name for: the room is for the worst case, and mostly stays untouched."""
_REMOVE = getattr(mmap, "MADV_REMOVE", 9)

_LIBC = ctypes.CDLL(None)
_MEMCMP = ctypes.cast(_LIBC.memcmp, ctypes.c_void_p)


class Full(Exception):
    """There are more digests than the memory can hold."""


@functools.lru_cache(maxsize=64)
def _column(count: int) -> struct.Struct:
    return struct.Struct(f"{DIGEST_SIZE}s" * count)


@functools.lru_cache(maxsize=1024)
def _hex_column(count: int) -> struct.Struct:
    return struct.Struct(f"{2 * DIGEST_SIZE}s" * count)


def split(data: t.Union[bytes, memoryview]) -> tuple[bytes, ...]:
    """The digests in a run of them."""
    count = len(data) // DIGEST_SIZE
    return struct.unpack(f"{DIGEST_SIZE}s" * count, data) if count > RUN else _column(count).unpack(data)


class _Room:
    """Memory for a number of digests, of which what is used is taken from the system, and can be given back."""

    def __init__(self, capacity: int) -> None:
        size = max(1, capacity) * DIGEST_SIZE
        self.memory = mmap.mmap(-1, size, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | _NORESERVE)
        self.view = memoryview(self.memory)
        self._start = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))

    def sort(self, start: int, end: int) -> None:
        """Sort these digests. `qsort_r` hands its last argument on to `memcmp` as the number of bytes to compare."""
        _LIBC.qsort_r(
            ctypes.c_void_p(self._start + start * DIGEST_SIZE),
            ctypes.c_size_t(end - start),
            ctypes.c_size_t(DIGEST_SIZE),
            _MEMCMP,
            ctypes.c_void_p(DIGEST_SIZE),
        )

    def part(self, start: int, end: int) -> memoryview:
        return self.view[start * DIGEST_SIZE : end * DIGEST_SIZE]

    def give_back(self, start: int, end: int) -> None:
        """Release the memory of these digests, as far as it consists of whole pages."""
        first = -(-start * DIGEST_SIZE // mmap.PAGESIZE) * mmap.PAGESIZE
        last = end * DIGEST_SIZE // mmap.PAGESIZE * mmap.PAGESIZE
        if last > first:
            self.memory.madvise(_REMOVE, first, last - first)


class Digests:
    """What one process has put in, for itself and for those that are forked later from the same parent.

    To be made before the processes are forked. One of them puts in and then calls `finish`; after that any may ask.
    """

    _HEAD = struct.Struct("=QQQ")
    _MOST_RUNS = 2048
    _TABLE = 4 * (PREFIX_COUNT + 1)
    """Bytes of the table of a run: where the digests of each prefix begin, and where the last end."""

    def __init__(self, capacity: int) -> None:
        """Memory for this number of digests."""
        self._capacity = capacity + SLACK + RUN
        self._rooms = [_Room(self._capacity), _Room(self._capacity)]
        # What there is, for the other processes: which room, how many digests, how many runs; then the ends of the runs,
        # then a table for each run.
        size = self._HEAD.size + (8 + self._TABLE) * self._MOST_RUNS
        self._shared = mmap.mmap(-1, size, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | _NORESERVE)
        self._limit = capacity
        self._current = 0
        self._count = 0
        self._runs: list[int] = []
        """Where each sorted run ends."""
        self._merge_at = SLACK

    # --- by the process that puts in -----------------------------------------------------------------------------------

    def add(self, digests: t.Union[bytes, bytearray, memoryview]) -> None:
        """Add complete digests, which may be present already. Raises `Full`."""
        view = memoryview(digests).cast("B")
        while view:
            end = self._runs[-1] + RUN if self._runs else RUN
            part = view[: (end - self._count) * DIGEST_SIZE]
            self._room.part(self._count, self._count + len(part) // DIGEST_SIZE)[:] = part
            self._count += len(part) // DIGEST_SIZE
            view = view[len(part) :]
            if self._count == end:
                self._seal()
                if self._count >= self._merge_at:
                    self._make_room()

    def finish(self) -> None:
        """Prepare it for queries, also by other processes. Raises `Full`."""
        self._seal()
        if len(self._runs) > self._MOST_RUNS:
            self._merge()
        if self._count > self._limit:
            self._merge()
        self._HEAD.pack_into(self._shared, 0, self._current, self._count, len(self._runs))
        for number, (start, end) in enumerate(self._bounds()):
            struct.pack_into("=Q", self._shared, self._HEAD.size + 8 * number, end)
            self._table(number)[:] = memoryview(self._starts(start, end))

    @property
    def _room(self) -> _Room:
        return self._rooms[self._current]

    def _bounds(self) -> t.Iterator[tuple[int, int]]:
        return zip([0, *self._runs], self._runs)

    def _seal(self) -> None:
        start = self._runs[-1] if self._runs else 0
        if self._count > start:
            self._room.sort(start, self._count)
            self._runs.append(self._count)

    def _make_room(self) -> None:
        """Merge the runs where that is worth its time, or nothing else is left."""
        if self._count >= self._limit or self._repeated() > _REPEATED:
            self._merge()
        self._merge_at = min(max(SLACK, self._count + self._count // 4), self._limit + SLACK)

    def _repeated(self) -> float:
        """The share of digests that are there more than once, among those with the lowest values."""
        last = ((1 << 32) // _SAMPLE - 1).to_bytes(4, "big")
        heads = _Heads(self._room)
        parts = [
            split(self._room.part(start, bisect.bisect_right(heads, last, start, end))) for start, end in self._bounds()
        ]
        count = sum(map(len, parts))
        return 1 - len(set(itertools.chain.from_iterable(parts))) / count if count else 0.0

    def _merge(self) -> None:
        """Put all runs into the other room as one, each digest once, and give the memory back as it goes."""
        old, new = self._room, self._rooms[1 - self._current]
        places = [_Cursor(old, start, end) for start, end in self._bounds()]
        count = 0
        # Few enough of them at once for Python's objects to take little memory.
        steps = max(16, min(4096, self._count // 4096))
        for step in range(1, steps + 1):
            edge = (step * (1 << 32) // steps).to_bytes(5, "big")[1:] if step < steps else None
            found = sorted(set(itertools.chain.from_iterable(place.take(edge) for place in places)))
            if count + len(found) > self._limit:
                raise Full
            new.part(count, count + len(found))[:] = b"".join(found)
            count += len(found)
        old.give_back(0, self._count)
        self._current = 1 - self._current
        self._count = count
        self._runs = [count] if count else []

    def _starts(self, start: int, end: int) -> array.array[int]:
        """Where the digests of each prefix begin in a sorted run, and where the run ends."""
        heads = array.array("H", bytes(2 * (end - start)))
        raw = memoryview(heads).cast("B")
        for done in range(start, end, RUN):
            part = self._room.part(done, min(done + RUN, end))
            place = 2 * (done - start)
            # A column of a memoryview is copied item by item; one of bytes is no faster, and takes the memory again.
            raw[place : place + 2 * (len(part) // DIGEST_SIZE) : 2] = part[0::DIGEST_SIZE]
            raw[place + 1 : place + 1 + 2 * (len(part) // DIGEST_SIZE) : 2] = part[1::DIGEST_SIZE]
        raw.release()
        if struct.pack("=H", 1) != struct.pack(">H", 1):
            heads.byteswap()
        counts = collections.Counter(heads)
        sizes = (counts[prefix] for prefix in range(PREFIX_COUNT))
        return array.array("I", itertools.accumulate(sizes, initial=start))

    # --- by any process ------------------------------------------------------------------------------------------------

    def _table(self, number: int) -> memoryview:
        start = self._HEAD.size + 8 * self._MOST_RUNS + self._TABLE * number
        return memoryview(self._shared)[start : start + self._TABLE].cast("I")

    def runs(self) -> list[tuple[memoryview, memoryview]]:
        """What the process that has put in has left: for each run the digests, and where those of a prefix begin."""
        current, _count, runs = self._HEAD.unpack_from(self._shared)
        return [(self._rooms[current].view, self._table(number)) for number in range(runs)]


class Needed:
    """The digests that several processes have added."""

    def __init__(self, digests: t.Iterable[Digests]) -> None:
        self._runs = [run for one in digests for run in one.runs()]

    def names(self, prefix: int) -> tuple[bytes, ...]:
        """The names of the chunks that are needed in a prefix directory, some of them perhaps more than once."""
        found = b"".join(
            [view[table[prefix] * DIGEST_SIZE : table[prefix + 1] * DIGEST_SIZE] for view, table in self._runs]
        )
        return _hex_column(len(found) // DIGEST_SIZE).unpack(binascii.hexlify(found))


class _Cursor:
    """How far one run has been merged."""

    def __init__(self, room: _Room, start: int, end: int) -> None:
        self._room = room
        self._place = start
        self._given = start
        self._end = end

    def take(self, edge: t.Optional[bytes]) -> t.Sequence[bytes]:
        """What comes next and lies below the edge; all that is left where that is None."""
        end = self._end if edge is None else bisect.bisect_left(_Heads(self._room), edge, self._place, self._end)
        taken = split(self._room.part(self._place, end))
        self._place = end
        self._room.give_back(self._given, end)
        # The page in which this run begins may hold the end of another one, too.
        self._given = max(self._given, end * DIGEST_SIZE // mmap.PAGESIZE * mmap.PAGESIZE // DIGEST_SIZE)
        return taken


class _Heads:
    """The first bytes of digests, for `bisect`."""

    def __init__(self, room: _Room) -> None:
        self._view = room.view

    def __getitem__(self, number: int) -> bytes:
        return bytes(self._view[number * DIGEST_SIZE : number * DIGEST_SIZE + 4])

    def __len__(self) -> int:
        return len(self._view) // DIGEST_SIZE
