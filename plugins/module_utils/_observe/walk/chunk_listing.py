# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fast listing of `.chunks` and its 65,536 prefix directories, whose names are digits of one length."""

from __future__ import annotations

import ctypes
import os
import re
import struct
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.libc import bind_bare, call
from ansible_collections.fleetops.pbs.plugins.module_utils._system.listing import BATCH, LoopDetector, batches

_DIGEST = re.compile(rb"[0-9a-fA-F]{64}\Z")

# struct linux_dirent64, part of the kernel's ABI: inode, offset, record length, type; then the name with a NUL.
_HEAD = struct.Struct("=QqHB")
_LENGTH_AT = 16
_LONGEST = 280
"""Record length of a name with 255 bytes."""
_DOT = 24
"""Record length of the entries for the directory itself and its parent, which may be anywhere in the listing."""
_DOTS = tuple(struct.pack("=HB", _DOT, 4) + name for name in (b".\0", b"..\0"))
"""Length, type and name of these two entries."""


def is_digest(name: bytes) -> bool:
    """Whether the name can be the name of a chunk."""
    return _DIGEST.match(name) is not None


def chunk_lister() -> Lister:
    """A lister for the chunks in a prefix directory; see `is_digest`."""
    return Lister(64, b"0123456789abcdefABCDEF")


def prefix_lister() -> Lister:
    """A lister for the prefix directories in `.chunks`."""
    return Lister(4, b"0123456789abcdef")


class Lister:
    """Lists the names in a directory, as the kernel returns them, and reports whether all of them are expected there.

    `os.scandir` makes six more system calls for each directory, and creates an object for each name. Names of equal
    length have records of equal length, so all records can be compared and split at once.
    """

    def __init__(self, width: int, digits: bytes) -> None:
        """Expected are names of `width` bytes, all of which are in `digits`."""
        self._digits = digits
        self._expected = re.compile(b"[%s]{%d}\\Z" % (digits, width)).match
        # Head, name and NUL, rounded up to a multiple of eight.
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
        """The inodes of the last batch from `batches`, in the order of its names."""
        if self._inodes is None:
            count = len(self._cut) // self._record
            self._inodes = struct.unpack("=" + "Q%dx" % (self._record - 8) * count, self._cut)
        return self._inodes

    def batches(self, fd: int) -> t.Iterator[tuple[list[bytes], bool]]:
        """List an open directory from its current offset in batches; with each, whether all of its names are expected.

        Raises `OSError` if the listing fails or never ends.
        """
        if self._getdents is None:
            for entries in batches(fd):
                self._inodes = [entry.inode() for entry in entries]
                names = [os.fsencode(entry.name) for entry in entries]
                yield names, all(map(self._expected, names))
            return
        detector: t.Optional[LoopDetector] = None
        while True:
            size = self._getdents(fd, self._buffer, len(self._memory))
            if size == -1:
                size = self._ask_again(fd)
            if size == 0:
                return
            expected = self._all(size)
            if expected is not None:
                self._inodes = None
                if detector is not None:
                    detector.check(expected, self.inodes())
                yield expected, True
            else:
                for names, inodes in self._records(size):
                    self._inodes = inodes
                    if detector is not None:
                        detector.check(names, inodes)
                    yield names, all(map(self._expected, names))
            # Most directories fit into one batch, so loops are checked only from the second batch on.
            detector = detector or LoopDetector()

    def _ask_again(self, fd: int) -> int:
        """Repeat a failed call to get its errno. Raises `OSError`."""
        try:
            return call("getdents64", ctypes.c_int(fd), self._buffer, ctypes.c_size_t(len(self._memory)))
        except FileNotFoundError:
            return 0  # the directory was removed meanwhile; for POSIX this ends the listing

    def _all(self, size: int) -> t.Optional[list[bytes]]:
        """The names in the first `size` bytes of records; None if one of them is not as expected."""
        record = self._record
        data = self._cut = self._memory[:size]
        cut = 0
        # ext4 orders entries differently on each filesystem.
        for place in sorted(map(data.find, _DOTS)):
            if place < 0:
                continue
            # Only expected records, which are checked below, and the entry that was cut out come before this place, so a
            # record starts here.
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
        # The low byte of the length is enough: a record with another high byte has a longer name, so no NUL at this place.
        if data[_LENGTH_AT::record] != self._length * count or data[self._end_at :: record] != bytes(count):
            return None
        names = list(layout.unpack(data))
        return None if b"".join(names).translate(None, self._digits) else names

    def _records(self, size: int) -> t.Iterator[tuple[list[bytes], list[int]]]:
        """Names and inode numbers of all records in the first `size` bytes."""
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
