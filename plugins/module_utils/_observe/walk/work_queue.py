# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A queue of numbers for several processes, which gives out each number once.

With fixed shares, all processes would wait for the slowest one at the end, and on a busy machine one is always slower.
"""

from __future__ import annotations

import array
import mmap
import os
import struct
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.pipes import open_pipe

_BLOCK = 64
"""Numbers per block. Neighbours stay together, because their directories share blocks of the disk."""

_TOKEN = struct.Struct("=H")


class WorkQueue:
    """Different numbers below 65,536; create it before the processes are forked.

    A pipe holds the blocks that are left. The kernel gives them out without a lock that a dying process could keep.
    """

    def __init__(self, numbers: t.Sequence[int]) -> None:
        """Raises `OSError`."""
        count = len(numbers)
        self._memory = mmap.mmap(-1, 2 * max(1, count))
        self._order = memoryview(self._memory).cast("H")[:count]
        self._order[:] = memoryview(array.array("H", numbers))
        blocks = (count + _BLOCK - 1) // _BLOCK
        self.fd, writer = open_pipe()
        """Must stay open in the processes that take from the queue."""
        try:
            # At most two kilobytes, which every pipe accepts in one write.
            os.write(writer, b"".join(_TOKEN.pack(block) for block in range(blocks)))
        finally:
            os.close(writer)

    @property
    def count(self) -> int:
        """Total count of numbers, taken or not."""
        return len(self._order)

    def arrange(self, key: t.Callable[[int], int]) -> None:
        """Sort the numbers for all processes; call it before the first one is taken."""
        self._order[:] = memoryview(array.array("H", sorted(self._order, key=key)))

    def __iter__(self) -> t.Iterator[int]:
        """Take from the queue until it is empty."""
        while True:
            token = os.read(self.fd, _TOKEN.size)
            if not token:
                return
            (block,) = _TOKEN.unpack(token)
            yield from self._order[block * _BLOCK : (block + 1) * _BLOCK]

    def close(self) -> None:
        """Only for the process that created it."""
        os.close(self.fd)
        self._order.release()
        self._memory.close()
