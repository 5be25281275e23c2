# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listing `.chunks` and its 65,536 prefix directories: names that are digits, and all of one length."""

from __future__ import annotations

import ctypes
import os
import re
import struct
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.libc import bind_bare, call
from ansible_collections.fleetops.pbs.plugins.module_utils._system.listing import BATCH, Circle, batches

_DIGEST = re.compile(rb"[0-9a-fA-F]{64}\Z")

# struct linux_dirent64, part of the kernel's ABI: inode, offset, length of the record, type; then the name with a NUL.
_HEAD = struct.Struct("=QqHB")
_LENGTH_AT = 16
_LONGEST = 280
"""Bytes of the record of a name of 255."""
_DOT = 24
"""Bytes of the records of the directory itself and of its parent, which may be anywhere among the others."""
_DOTS = tuple(struct.pack("=HB", _DOT, 4) + name for name in (b".\0", b"..\0"))
"""Length, type and name in these two."""


def is_digest(name: bytes) -> bool:
    """Whether a chunk can have that name."""
    return _DIGEST.match(name) is not None


def chunk_lister() -> Lister:
    """For the names of chunks in a prefix directory; see `is_digest`."""
    return Lister(64, b"0123456789abcdefABCDEF")


def prefix_lister() -> Lister:
    """For the names of prefix directories in `.chunks`."""
    return Lister(4, b"0123456789abcdef")


class Lister:
    """Lists the names in a directory, as the kernel has them, and tells whether they are what is expected there.

    `os.scandir` makes six more calls of the kernel for each directory and an object for each name. The records of
    names of one length are all as long as each other, so they can be compared and cut all at once.
    """

    def __init__(self, width: int, digits: bytes) -> None:
        """Names of `width` bytes, all of them among `digits`, are expected."""
        self._digits = digits
        self._expected = re.compile(b"[%s]{%d}\\Z" % (digits, width)).match
        # Of the head, the name and the NUL, up to a multiple of eight.
        self._record = (_HEAD.size + width + 1 + 7) // 8 * 8
        self._end_at = _HEAD.size + width
        self._layout = "%dx%ds%dx" % (_HEAD.size, width, self._record - self._end_at)
        self._length = bytes((self._record,))
        self._memory = bytearray(max(BATCH * self._record, _LONGEST))
        self._buffer = (ctypes.c_char * len(self._memory)).from_buffer(self._memory)
        self._cut = bytearray()
        self._inodes: t.Optional[t.Sequence[int]] = None
        self._layouts: dict[int, struct.Struct] = {}
        try:
            self._getdents: t.Optional[t.Callable[..., int]] = bind_bare("getdents64")
        except OSError:
            self._getdents = None

    def inodes(self) -> t.Sequence[int]:
        """The inodes of the names that `batches` gave last, in their order."""
        if self._inodes is None:
            count = len(self._cut) // self._record
            self._inodes = struct.unpack("=" + "Q%dx" % (self._record - 8) * count, self._cut)
        return self._inodes

    def batches(self, fd: int) -> t.Iterator[tuple[list[bytes], bool]]:
        """Some names of an open directory at a time, from where its offset stands; and whether all are as expected.

        Raises `OSError` where listing fails, and where it has no end.
        """
        if self._getdents is None:
            for entries in batches(fd):
                self._inodes = [entry.inode() for entry in entries]
                names = [os.fsencode(entry.name) for entry in entries]
                yield names, all(map(self._expected, names))
            return
        circle: t.Optional[Circle] = None
        while True:
            size = self._getdents(fd, self._buffer, len(self._memory))
            if size == -1:
                size = self._ask_again(fd)
            if size == 0:
                return
            expected = self._all(size)
            if expected is not None:
                self._inodes = None
                if circle is not None:
                    circle.check(expected, self.inodes())
                yield expected, True
            else:
                for names, inodes in self._records(size):
                    self._inodes = inodes
                    if circle is not None:
                        circle.check(names, inodes)
                    yield names, all(map(self._expected, names))
            # Most directories are listed in one go, so a circle is looked for from the second time on.
            circle = circle or Circle()

    def _ask_again(self, fd: int) -> int:
        """What failed without saying why, once more. Raises `OSError`."""
        try:
            return call("getdents64", ctypes.c_int(fd), self._buffer, ctypes.c_size_t(len(self._memory)))
        except FileNotFoundError:
            return 0  # the directory was removed meanwhile, and POSIX wants that to be its end

    def _all(self, size: int) -> t.Optional[list[bytes]]:
        """The names in that many bytes of records; None where one of them is not as expected."""
        record = self._record
        data = self._cut = self._memory[:size]
        cut = 0
        # ext4 has them in an order that is another one on each filesystem.
        for place in sorted(map(data.find, _DOTS)):
            if place < 0:
                continue
            # Before it there are only records as expected, as is seen below, and what was cut out: so this is where a
            # record starts.
            start = place - _LENGTH_AT - cut
            if start % record:
                return None
            del data[start : start + _DOT]
            cut += _DOT
        count, rest = divmod(len(data), record)
        if rest or not count:
            return None
        layout = self._layouts.get(count)
        if layout is None:
            layout = self._layouts[count] = struct.Struct(self._layout * count)
        # The low byte of the length will do: only a longer name has another high one, and no NUL where this one ends.
        if data[_LENGTH_AT::record] != self._length * count or data[self._end_at :: record] != bytes(count):
            return None
        names = list(layout.unpack(data))
        return None if b"".join(names).translate(None, self._digits) else names

    def _records(self, size: int) -> t.Iterator[tuple[list[bytes], list[int]]]:
        """Names and inode numbers of whatever is in that many bytes."""
        names: list[bytes] = []
        inodes: list[int] = []
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
