# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where two runs of entries differ: consecutive snapshots mostly need the same chunks at the same places."""

from __future__ import annotations

import ctypes
import functools
import itertools
import mmap
import operator
import struct
import typing as t

_memcmp = ctypes.PyDLL(None)["memcmp"]
"""Without giving the interpreter's lock away: it is called a million times for microseconds, by a process of one thread."""
_memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)

_BLOCK = 16384
"""Bytes that are compared at once in place."""
_STEPS = (2048, 256)
"""Bytes of the smaller blocks within those that differ. They are cut out and compared as Python's objects, which takes a
third of the time of a call of the C library for each."""


@functools.lru_cache(maxsize=8)
def _cut(step: int, size: int) -> struct.Struct:
    """Blocks of so many bytes each, and what is left at the end."""
    count, rest = divmod(size, step)
    return struct.Struct(f"{step}s" * count + (f"{rest}s" if rest else ""))


class Pair:
    """Two buffers of the same size that are filled again and again."""

    def __init__(self, size: int) -> None:
        """`size` in bytes, a multiple of the largest block."""
        # Pages that are never filled are never taken from the system.
        self._memory = [mmap.mmap(-1, size), mmap.mmap(-1, size)]
        self.views = [memoryview(memory) for memory in self._memory]
        """To be filled: what is now, and what was before."""
        self._addresses = [ctypes.addressof(ctypes.c_char.from_buffer(memory)) for memory in self._memory]

    def swap(self) -> None:
        """What is now becomes what was before."""
        self.views.reverse()
        self._addresses.reverse()

    def differing(self, size: int) -> list[tuple[int, int]]:
        """Start and end (bytes) of blocks in which the first `size` bytes differ, in order; blocks side by side are one.

        What differs is in them; what is not in them is the same.
        """
        now, before = self._addresses
        if not _memcmp(now, before, size):
            return []
        places: t.Sequence[int] = range(0, size - size % _BLOCK, _BLOCK)
        found = map(_memcmp, map(now.__add__, places), map(before.__add__, places), itertools.repeat(_BLOCK))
        places = list(itertools.compress(places, found))
        if size % _BLOCK:
            places.append(size - size % _BLOCK)
        above = _BLOCK
        for step in _STEPS:
            places = self._unlike(places, above, step, size)
            above = step
        return _joined(places, above, size)

    def _unlike(self, places: t.Sequence[int], above: int, step: int, size: int) -> list[int]:
        """Which smaller blocks differ, in blocks of the size `above` at these places."""
        now, before = self.views
        unlike: list[int] = []
        for place in places:
            end = min(place + above, size)
            cut = _cut(step, end - place)
            differ = map(operator.ne, cut.unpack_from(now, place), cut.unpack_from(before, place))
            unlike += itertools.compress(range(place, end, step), differ)
        return unlike


def _joined(places: t.Sequence[int], step: int, size: int) -> list[tuple[int, int]]:
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
