# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where two runs of entries differ: consecutive snapshots mostly need the same chunks at the same places."""

from __future__ import annotations

import ctypes
import itertools
import mmap
import typing as t

_memcmp = ctypes.PyDLL(None)["memcmp"]
"""Without giving the interpreter's lock away: it is called a million times for microseconds, by a process of one thread."""
_memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)

_STEPS = (16384, 2048, 512)
"""Bytes of the blocks that are compared, each size within those of the one before that differ."""


class Pair:
    """Two buffers of the same size that are reused."""

    def __init__(self, size: int) -> None:
        """`size` in bytes, a multiple of the largest block."""
        # Pages that are never filled are never taken from the system.
        self._memory = [mmap.mmap(-1, size), mmap.mmap(-1, size)]
        self.views = [memoryview(memory) for memory in self._memory]
        """The buffers to fill: the current data, and the previous data."""
        self._addresses = [ctypes.addressof(ctypes.c_char.from_buffer(memory)) for memory in self._memory]

    def swap(self) -> None:
        """The current data becomes the previous data."""
        self.views.reverse()
        self._addresses.reverse()

    def differing(self, size: int) -> list[tuple[int, int]]:
        """Start and end (bytes) of blocks in which the first `size` bytes differ, in order; blocks side by side are one.

        What differs is in them; what is not in them is the same.
        """
        now, before = self._addresses
        if not _memcmp(now, before, size):
            return []
        places: t.Iterable[int] = (0,)
        above = size
        for step in _STEPS:
            blocks = itertools.chain.from_iterable(range(place, min(place + above, size), step) for place in places)
            places, above = self._unlike(list(blocks), step, size), step
        return _joined(places, above, size)

    def _unlike(self, places: list[int], step: int, size: int) -> list[int]:
        """Which of the blocks at these places differ."""
        now, before = self._addresses
        sizes: t.Iterable[int] = itertools.repeat(step)
        if places and places[-1] + step > size:
            sizes = [*itertools.repeat(step, len(places) - 1), size - places[-1]]
        found = map(_memcmp, map(now.__add__, places), map(before.__add__, places), sizes)
        return list(itertools.compress(places, found))


def _joined(places: t.Iterable[int], step: int, size: int) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    start = end = -1
    for place in places:
        if place != end:
            if end >= 0:
                runs.append((start, end))
            start = place
        end = place + step
    if end >= 0:
        runs.append((start, min(end, size)))
    return runs
