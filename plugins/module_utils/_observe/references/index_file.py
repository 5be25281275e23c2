# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opens and reads index files of a store whose owner may be hostile."""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.index import (
    HEADER_SIZE,
    IndexHeader,
    parse_header,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import Opening

AT_ONCE = 16384
"""Entries that are read at once: few enough to stay in the cache of the processor until all is done with them."""

LARGEST = 1 << 36
"""Bytes of an index file that is read: 2,048 million entries, for 8 PiB of data."""

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
_NOATIME = getattr(os, "O_NOATIME", 0)
_FILE = Opening(_FLAGS | _NOATIME)
_FILE_ATIME = Opening(_FLAGS)


class NoFile(Exception):
    """The name is not that of a regular file; the message says what PBS finds there."""


def open_file(name: str, dir_fd: int) -> tuple[int, os.stat_result]:
    """Open a regular file in an open directory, following no link. Raises `OSError` and `NoFile`.

    Nothing but a regular file is opened: opening a FIFO waits for a writer, and opening a device may do something.
    """
    status = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    _require_file(status)
    try:
        fd = _FILE.one(name, dir_fd)
    except PermissionError:
        fd = _FILE_ATIME.one(name, dir_fd)
    return _checked(fd)


def open_through_link(name: str, dir_fd: int) -> tuple[int, os.stat_result]:
    """The same for a link, which is followed as PBS follows it. Raises `OSError` and `NoFile`."""
    way = os.open(name, getattr(os, "O_PATH", 0) | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        _require_file(os.fstat(way))
        path = f"/proc/self/fd/{way}"
        try:
            fd = os.open(path, _FLAGS | _NOATIME | os.O_CLOEXEC)
        except PermissionError:
            fd = os.open(path, _FLAGS | os.O_CLOEXEC)
    finally:
        os.close(way)
    return _checked(fd)


def _checked(fd: int) -> tuple[int, os.stat_result]:
    status = os.fstat(fd)
    try:
        _require_file(status)
    except NoFile:
        os.close(fd)
        raise
    return fd, status


def _require_file(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise NoFile("Is a directory (os error 21)")
    if stat.S_ISLNK(status.st_mode):
        raise NoFile("it is a link")
    if not stat.S_ISREG(status.st_mode):
        raise NoFile("it is no regular file, and opening it may never end")


class IndexFile:
    """An open index file that PBS would open."""

    def __init__(self, fd: int, status: os.stat_result, dynamic: bool) -> None:
        """Takes the descriptor over. Raises `OSError`, and `_pbs.index.IndexFileError`; then it is closed."""
        self.fd = fd
        self.length = status.st_size
        self.identity = (status.st_dev, status.st_ino)
        self.changed = status.st_ctime
        try:
            self.header: IndexHeader = parse_header(dynamic, os.pread(fd, HEADER_SIZE, 0), self.length)
        except BaseException:
            os.close(fd)
            raise
        self.block = AT_ONCE * self.header.entry_size
        self._sparse = status.st_blocks * 512 < self.length // 2

    def close(self) -> None:
        os.close(self.fd)

    def blocks(self, into: memoryview) -> t.Iterator[tuple[int, int]]:
        """Read it block by block; each time offset (bytes, from the first entry on) and size of what is in `into` now.

        What is a hole in the file is not read: 0 as the size stands for entries of zeros up to the next offset. Raises
        `OSError`, also where the file is shorter than it was.
        """
        size = self.length - HEADER_SIZE
        place = 0
        while place < size:
            data = self._next_data(place, size)
            if data > place:
                yield place, 0
                place = data
                continue
            count = min(self.block, size - place)
            self.read(into[:count], place)
            yield place, count
            place += count

    def read(self, into: memoryview, place: int) -> None:
        """Fill the buffer, beginning this many bytes after the header. Raises `OSError`."""
        while into:
            count = os.preadv(self.fd, [into], HEADER_SIZE + place)
            if not count:
                raise OSError("the file became shorter while it was read")
            into = into[count:]
            place += count

    def _next_data(self, place: int, size: int) -> int:
        """Where the next block begins in which there is data: here, where that cannot be told."""
        if not self._sparse:
            return place
        try:
            data = os.lseek(self.fd, HEADER_SIZE + place, os.SEEK_DATA) - HEADER_SIZE
        except OSError:
            end = os.lseek(self.fd, 0, os.SEEK_END) - HEADER_SIZE
            return size if end >= size else place
        return max(place, data // self.block * self.block)
