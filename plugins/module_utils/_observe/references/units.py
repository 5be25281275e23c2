# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work that one process finds and several others do: a list in shared memory, and a queue of portions."""

from __future__ import annotations

import dataclasses
import json
import mmap
import os
import struct
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.pipes import open_pipe

_ROOM = 96 * 1024 * 1024
"""Bytes of names that are held; 20 for a snapshot, about."""
_TOKENS = 4096
"""Portions into which the list is cut; as many as a pipe takes at once whatever limits there are."""
_NORESERVE = 0x4000


class TooMany(Exception):
    """There is more work than the list can hold."""


@dataclasses.dataclass
class Unit:
    """Some consecutive snapshots of one group, or some index files in a place where PBS puts none."""

    directory: str
    """Relative to the base directory: of the group, or where the files are. As the kernel has it."""
    names: list[str]
    """Snapshot directories in the order of time, or index files."""
    before: str = ""
    """The snapshot before the first of them; empty where there is none."""
    first: bool = False
    """It is the first of its group, and what belongs to the group itself is looked at, too."""
    stray: bool = False
    """They are index files."""
    namespace: str = ""
    type: str = ""
    id: str = ""
    group: int = 0
    """The number of the group."""
    start: int = 0
    """The number of the first of the snapshots."""


class Numbers:
    """A set of numbers, such as those of snapshots: one bit for each number up to the greatest."""

    def __init__(self, packed: str = "") -> None:
        """`packed` is from `pack`."""
        self._bits = bytearray.fromhex(packed)

    def add(self, number: int) -> None:
        if number >> 3 >= len(self._bits):
            self._bits.extend(bytes((number >> 3) + 1 - len(self._bits)))
        self._bits[number >> 3] |= 1 << (number & 7)

    def __contains__(self, number: object) -> bool:
        return (
            isinstance(number, int)
            and number >> 3 < len(self._bits)
            and bool(self._bits[number >> 3] >> (number & 7) & 1)
        )

    def update(self, other: Numbers) -> None:
        size = max(len(self._bits), len(other._bits))
        both = int.from_bytes(self._bits, "little") | int.from_bytes(other._bits, "little")
        self._bits = bytearray(both.to_bytes(size, "little"))

    def pack(self) -> str:
        return self._bits.hex()


class Units:
    """To be made before the processes are forked: one of them adds, the others take, as often as there is a `Queue`."""

    _HEAD = struct.Struct("=QQ")

    def __init__(self) -> None:
        """Raises `OSError`."""
        self._memory = mmap.mmap(-1, _ROOM, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | _NORESERVE)
        self._used = self._HEAD.size
        self._count = 0

    def add(self, unit: Unit) -> None:
        """Raises `TooMany`."""
        data = json.dumps(list(vars(unit).values()), separators=(",", ":")).encode("ascii") + b"\n"
        if self._used + len(data) > _ROOM:
            raise TooMany
        self._memory[self._used : self._used + len(data)] = data
        self._used += len(data)
        self._count += 1
        self._HEAD.pack_into(self._memory, 0, self._used, self._count)

    @property
    def count(self) -> int:
        return int(self._HEAD.unpack_from(self._memory)[1])

    def lines(self) -> t.Iterator[bytes]:
        """Each unit as it is held; see `read`."""
        used, _count = self._HEAD.unpack_from(self._memory)
        place = self._HEAD.size
        while place < used:
            end = self._memory.find(b"\n", place, used)
            yield self._memory[place:end]
            place = end + 1

    @staticmethod
    def read(line: bytes) -> Unit:
        return Unit(*json.loads(line))

    def close(self) -> None:
        self._memory.close()


class Queue:
    """Hands out the units to whoever takes them, each once. To be made before the processes that take are forked."""

    _TOKEN = struct.Struct("=H")

    def __init__(self, units: Units) -> None:
        """Raises `OSError`."""
        self._units = units
        self._portion = max(1, -(-units.count // _TOKENS))
        self.fd, writer = open_pipe()
        """To be kept open in the processes that take from it."""
        try:
            tokens = -(-units.count // self._portion)
            os.write(writer, b"".join(self._TOKEN.pack(token) for token in range(tokens)))
        finally:
            os.close(writer)

    def __iter__(self) -> t.Iterator[Unit]:
        lines = enumerate(self._units.lines())
        number, line = next(lines, (-1, b""))
        while number >= 0:
            token = os.read(self.fd, self._TOKEN.size)
            if not token:
                return
            (portion,) = self._TOKEN.unpack(token)
            first = portion * self._portion
            # Portions are handed out in order, so another worker has the portions that are skipped here.
            while 0 <= number < first + self._portion:
                if number >= first:
                    yield Units.read(line)
                number, line = next(lines, (-1, b""))

    def close(self) -> None:
        os.close(self.fd)
