# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listing prefix directories: 65,536 of them in turn, full of names that are digests."""

from __future__ import annotations

import ctypes
import os
import re
import struct
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.listing import BATCH, Circle, batches
from ansible_collections.fleetops.pbs.plugins.module_utils._system.libc import bind_bare, call

_DIGEST = re.compile(rb"[0-9a-fA-F]{64}\Z")
_HEXADECIMAL = b"0123456789abcdefABCDEF"

# struct linux_dirent64, part of the kernel's ABI: inode, offset, length of the record, type; then the name with a NUL.
_HEAD = struct.Struct("=QqHB")
_RECORD = 88
"""Bytes of the record of a digest: head, 64 characters and the NUL, up to a multiple of eight."""
_LENGTH = struct.pack("=H", _RECORD)
_LENGTH_AT = 16
_END_AT = _HEAD.size + 64
_DOT = 24
"""Bytes of the records of the directory itself and of its parent, which may be anywhere among the others."""
_DOTS = tuple(struct.pack("=HB", _DOT, 4) + name for name in (b".\0", b"..\0"))
"""Length, type and name in these two."""


def is_digest(name: bytes) -> bool:
    """Whether a chunk can have that name."""
    return _DIGEST.match(name) is not None


class ChunkLister:
    """Lists the names in prefix directories, as the kernel has them.

    C(os.scandir) makes six more calls of the kernel for each directory and an object for each name. The records of
    names that are digests are all as long as each other, so they can be compared and cut all at once.
    """

    def __init__(self) -> None:
        self._memory = bytearray(BATCH * _RECORD)
        self._buffer = (ctypes.c_char * len(self._memory)).from_buffer(self._memory)
        self._cut = bytearray()
        self._layouts: t.Dict[int, struct.Struct] = {}
        try:
            self._getdents: t.Optional[t.Callable[..., int]] = bind_bare("getdents64")
        except OSError:
            self._getdents = None

    def batches(self, fd: int) -> t.Iterator[t.Tuple[t.List[bytes], bool]]:
        """Some names of an open directory at a time, from where its offset stands; and whether all are digests.

        Raises C(OSError) where listing fails, and where it has no end.
        """
        if self._getdents is None:
            for entries in batches(fd):
                names = [os.fsencode(entry.name) for entry in entries]
                yield names, all(map(is_digest, names))
            return
        circle: t.Optional[Circle] = None
        while True:
            size = self._getdents(fd, self._buffer, len(self._memory))
            if size == -1:
                size = self._ask_again(fd)
            if size == 0:
                return
            digests = self._digests(size)
            if digests is not None:
                if circle is not None:
                    circle.check(digests, self._inodes(len(digests)))
                yield digests, True
            else:
                for names, inodes in self._records(size):
                    if circle is not None:
                        circle.check(names, inodes)
                    yield names, all(map(is_digest, names))
            # Most directories are listed in one go, so a circle is looked for from the second time on.
            circle = circle or Circle()

    def _ask_again(self, fd: int) -> int:
        """What failed without saying why, once more. Raises C(OSError)."""
        try:
            return call("getdents64", ctypes.c_int(fd), self._buffer, ctypes.c_size_t(len(self._memory)))
        except FileNotFoundError:
            return 0  # the directory was removed meanwhile, and POSIX wants that to be its end

    def _digests(self, size: int) -> t.Optional[t.List[bytes]]:
        """The names in that many bytes of records; None where one of them is no digest."""
        data = self._cut = self._memory[:size]
        for dot in _DOTS:
            place = data.find(dot) - _LENGTH_AT
            if place >= 0:
                # Before it there are only records of digests, as is seen below: so this is where a record starts.
                if place % _RECORD:
                    return None
                del data[place : place + _DOT]
        count, rest = divmod(len(data), _RECORD)
        if rest or not count:
            return None
        layout = self._layouts.get(count)
        if layout is None:
            layout = self._layouts[count] = struct.Struct("19x64s5x" * count)
        if (
            data[_LENGTH_AT::_RECORD] != _LENGTH[:1] * count
            or data[_LENGTH_AT + 1 :: _RECORD] != _LENGTH[1:] * count
            or data[_END_AT::_RECORD] != bytes(count)
        ):
            return None
        names = list(layout.unpack(data))
        return None if b"".join(names).translate(None, _HEXADECIMAL) else names

    def _inodes(self, count: int) -> t.Tuple[int, ...]:
        """Of so many digests that were found last."""
        return struct.unpack("=" + "Q80x" * count, self._cut)

    def _records(self, size: int) -> t.Iterator[t.Tuple[t.List[bytes], t.List[int]]]:
        """Names and inode numbers of whatever is in that many bytes."""
        names: t.List[bytes] = []
        inodes: t.List[int] = []
        place = 0
        while place < size:
            inode, _offset, length, _type = _HEAD.unpack_from(self._memory, place)
            name = bytes(self._memory[place + _HEAD.size : place + length]).split(b"\0", 1)[0]
            if name not in (b".", b".."):
                names.append(name)
                inodes.append(inode)
            place += length
            if names and (len(names) == BATCH or place >= size):
                yield names, inodes
                names, inodes = [], []
