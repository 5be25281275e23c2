# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which entries of an index file differ from those of the file before it: consecutive snapshots mostly need the same chunks.

The entries are compared some thousand at a time, while the processor has them in its cache: first blocks of them by the C
library, then parts of the blocks that differ. An object of Python is made only for what is close to a difference.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import mmap
import operator
import struct
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.index import LARGEST_ENTRY_SIZE
from ansible_collections.fleetops.pbs.plugins.module_utils._system.libc import bind_bare

_BLOCK = 128
"""Entries that the C library compares in one call."""
_PART = 8
"""Entries of a part of a block."""


class Comparison:
    """The entries at hand, and those that were at the same place before."""

    def __init__(self, entries: int, kept: int) -> None:
        """`entries` can be at hand, and `kept` bytes of those before. Raises `OSError`."""
        least = entries * LARGEST_ENTRY_SIZE
        self._memory = [mmap.mmap(-1, least), mmap.mmap(-1, max(kept, least))]
        self.now, self.before = (memoryview(memory) for memory in self._memory)
        self._memcmp = bind_bare("memcmp")
        self._places = functools.lru_cache(maxsize=2)(self._cut)

    def _cut(self, step: int) -> list[list[t.Any]]:
        """Where the blocks of this many bytes begin in both memories, as the C library takes it."""
        kind = ctypes.c_char * 1
        return [[kind.from_buffer(memory, at) for at in range(0, len(memory), step)] for memory in self._memory]

    def replace(self, place: int, size: int, entry: int) -> tuple[bytes, bytes]:
        """Put the first `size` bytes at hand in the place of what was there before.

        Returns entries of both, in the same order: all that differ, and few that do not.
        """
        step = entry * _BLOCK
        now, before = self._places(step)
        first = place // step
        sizes = [step] * (size // step) + [size % step] * (size % step > 0)
        signs = map(self._memcmp, now, itertools.islice(before, first, None), sizes)
        blocks = [slice(at, min(at + step, size)) for at in itertools.compress(range(0, size, step), signs)]
        if not blocks:
            return b"", b""
        behind = self.before[place:]
        known = b"".join([behind[block] for block in blocks])
        unlike = [self.now[block] for block in blocks]
        for block, part in zip(blocks, unlike):
            behind[block] = part
        return _parts(b"".join(unlike), known, entry * _PART)


def _parts(fresh: bytes, known: bytes, size: int) -> tuple[bytes, bytes]:
    """Those parts of this many bytes that differ; the last one may be shorter."""
    count = len(fresh) // size
    column, rest = _column(size, count), count * size
    ours, theirs = [*column.unpack_from(fresh), fresh[rest:]], [*column.unpack_from(known), known[rest:]]
    unlike = list(map(operator.ne, ours, theirs))
    return b"".join(itertools.compress(ours, unlike)), b"".join(itertools.compress(theirs, unlike))


@functools.lru_cache(maxsize=2048)
def _column(size: int, count: int) -> struct.Struct:
    return struct.Struct(f"{size}s" * count)
