# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers that are handed out to several processes, each number once.

Processes that share by halves wait for the slower half at the end, and one is always slower on a machine that has other
things to do.
"""

from __future__ import annotations

import array
import mmap
import os
import struct
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.pipes import open_pipe

_BLOCK = 64
"""Numbers that are handed out at once. Neighbours stay together: what they stand for shares blocks of a disk."""

_TOKEN = struct.Struct("=H")


class WorkQueue:
    """Different numbers below 65,536; to be made before the processes are forked.

    What is to be taken next lies in a pipe, which the kernel hands out without a lock that somebody could die with.
    """

    def __init__(self, numbers: t.Sequence[int]) -> None:
        """Raises `OSError`."""
        count = len(numbers)
        self._memory = mmap.mmap(-1, 2 * max(1, count))
        self._order = memoryview(self._memory).cast("H")[:count]
        self._order[:] = memoryview(array.array("H", numbers))
        blocks = (count + _BLOCK - 1) // _BLOCK
        self.fd, writer = open_pipe()
        """To be kept open in the processes that take from the queue."""
        try:
            # Two kilobytes at the most, which a pipe takes at once whatever limits there are.
            os.write(writer, b"".join(_TOKEN.pack(block) for block in range(blocks)))
        finally:
            os.close(writer)

    @property
    def count(self) -> int:
        """How many numbers there are in all, taken or not."""
        return len(self._order)

    def arrange(self, key: t.Callable[[int], int]) -> None:
        """Sort what is to be handed out, before the first is taken. It holds for all processes."""
        self._order[:] = memoryview(array.array("H", sorted(self._order, key=key)))

    def __iter__(self) -> t.Iterator[int]:
        """Take from the queue until there is nothing left."""
        while True:
            token = os.read(self.fd, _TOKEN.size)
            if not token:
                return
            (block,) = _TOKEN.unpack(token)
            yield from self._order[block * _BLOCK : (block + 1) * _BLOCK]

    def close(self) -> None:
        """For the process that has made it."""
        os.close(self.fd)
        self._order.release()
        self._memory.close()
