# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""statx(2): birth time, inode flags, and a forced query to the server, which stat(2) does not offer."""

from __future__ import annotations

import ctypes
import dataclasses
import itertools
import os
import stat
import struct
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.libc import bind_bare, call
from ansible_collections.fleetops.pbs.plugins.module_utils._system.times import AT_FDCWD, AT_SYMLINK_NOFOLLOW

AT_EMPTY_PATH = 0x1000
AT_NO_AUTOMOUNT = 0x800
AT_STATX_FORCE_SYNC = 0x2000
STATX_BASIC_STATS = 0x7FF
STATX_BTIME = 0x800
STATX_ATTR_IMMUTABLE = 0x10
STATX_ATTR_APPEND = 0x20
STATX_ATTR_MOUNT_ROOT = 0x2000

# The start of struct statx, up to stx_dev_minor; the layout is part of the kernel's ABI.
_LAYOUT = struct.Struct("=IIQIIIHHQQQQ" + "qIi" * 4 + "IIII")
_SIZE = 256

_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "block",
    stat.S_IFCHR: "char",
}


@dataclasses.dataclass(frozen=True)
class Statx:
    """The result of statx; times in ns since the epoch."""

    st_mode: int
    st_uid: int
    st_gid: int
    st_size: int
    st_nlink: int
    st_dev: int
    st_ino: int
    st_atime_ns: int
    st_mtime_ns: int
    st_ctime_ns: int
    st_btime_ns: t.Optional[int]
    attributes: int
    attributes_mask: int

    @property
    def kind(self) -> str:
        """`file`, `directory`, `link`, …"""
        return kind_of(self.st_mode)

    @property
    def flags(self) -> list[str]:
        """The inode flags that forbid changes even to root."""
        return _flags(self.attributes & self.attributes_mask)


def _flags(attributes: int) -> list[str]:
    if not attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND):
        return []
    named = ((STATX_ATTR_IMMUTABLE, "immutable"), (STATX_ATTR_APPEND, "append"))
    return [name for bit, name in named if attributes & bit]


def mode_string(st_mode: int) -> str:
    """The low twelve bits as octal digits, for example `0750`."""
    return f"{stat.S_IMODE(st_mode):04o}"


def kind_of(mode: int) -> str:
    """The name of a file type, from `st_mode`."""
    return _KINDS.get(stat.S_IFMT(mode), "unknown")


def statx(path: t.Union[str, bytes], dir_fd: t.Optional[int] = None, force_sync: bool = False) -> Statx:
    """Get the status of a name; does not follow a link.

    With `force_sync`, a network filesystem must ask its server instead of its cache. Raises `OSError`.
    """
    fd = AT_FDCWD if dir_fd is None else dir_fd
    return _statx(fd, os.fsencode(path), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, force_sync)


def statx_fd(fd: int, force_sync: bool = False) -> Statx:
    """The same for an open file. Raises `OSError`."""
    return _statx(fd, b"", AT_EMPTY_PATH, force_sync)


def _statx(fd: int, path: bytes, flags: int, force_sync: bool) -> Statx:
    buffer = ctypes.create_string_buffer(_SIZE)
    call(
        "statx",
        ctypes.c_int(fd),
        ctypes.c_char_p(path),
        ctypes.c_int(flags | (AT_STATX_FORCE_SYNC if force_sync else 0)),
        ctypes.c_uint(STATX_BASIC_STATS | STATX_BTIME),
        buffer,
    )
    values = _LAYOUT.unpack_from(buffer.raw)
    mask, _blksize, attributes, nlink, uid, gid, mode, _pad, ino, size, _blocks, attributes_mask = values[:12]
    atime, btime, ctime, mtime = (
        seconds * 1_000_000_000 + nanoseconds for seconds, nanoseconds in zip(values[12:24:3], values[13:24:3])
    )
    dev_major, dev_minor = values[26:28]
    return Statx(
        st_mode=mode,
        st_uid=uid,
        st_gid=gid,
        st_size=size,
        st_nlink=nlink,
        st_dev=os.makedev(dev_major, dev_minor),
        st_ino=ino,
        st_atime_ns=atime,
        st_mtime_ns=mtime,
        st_ctime_ns=ctime,
        # A filesystem may claim to have a birth time, and return 0 for an inode that another system created.
        st_btime_ns=btime or None if mask & STATX_BTIME else None,
        attributes=attributes,
        attributes_mask=attributes_mask,
    )


def marks_mounts() -> bool:
    """Whether statx marks the root of a mount; Linux 5.8 and newer do."""
    try:
        return bool(statx("/proc").attributes_mask & STATX_ATTR_MOUNT_ROOT)
    except OSError:
        return False


class Batch:
    """Gets the status of many names in one directory, for walks over millions of files.

    `os.stat` creates an object with nineteen fields for each file. This class keeps the kernel's answers as bytes, so
    that a search for exceptions can compare type, mode, owner, links and attributes of a file in one step, as its
    `signature`.
    """

    SIZE = 256
    """Largest number of names per call."""

    _ANSWER = struct.Struct("=8x22s10xQ208x")
    _SIGNATURES = "8x22s226x"
    _DEVICES = "136x8s112x"
    _ACCESSED = "64xq184x"
    _SIZES = "40xQ208x"
    _SIGNATURE = struct.Struct("=QIIIH")
    _DEVICE = struct.Struct("=II")
    _ATTRIBUTES = struct.Struct("=8xQ")

    def __init__(self) -> None:
        """Raises `OSError` if the C library has no statx."""
        self._statx = bind_bare("statx")
        self._memory = bytearray(_SIZE * self.SIZE)
        self._view = memoryview(self._memory)
        self._layouts: dict[tuple[str, int], struct.Struct] = {}
        self._slots = [(ctypes.c_char * _SIZE).from_buffer(self._memory, number * _SIZE) for number in range(self.SIZE)]

    def look(self, dir_fd: int, names: t.Sequence[bytes]) -> t.Optional[t.Iterator[tuple[bytes, int]]]:
        """Signature and size (bytes) of each name, in order; follows no link.

        None if statx failed for at least one name; the caller then calls it for each name to learn the reason. The
        answers are valid until the next call.
        """
        if not self._ask(itertools.repeat(dir_fd), names, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT):
            return None
        return self._ANSWER.iter_unpack(self._view[: _SIZE * len(names)])

    def accessed(self, count: int) -> tuple[int, ...]:
        """The access times (seconds) of the first `count` names of the last call, in order."""
        return t.cast("tuple[int, ...]", self._every(self._ACCESSED, count))

    def sizes(self, count: int) -> tuple[int, ...]:
        """Their sizes (bytes), in order."""
        return t.cast("tuple[int, ...]", self._every(self._SIZES, count))

    def held(self, fds: t.Sequence[int], st_dev: int) -> t.Optional[tuple[bytes, ...]]:
        """The same for descriptors; also None if one of them is on another device than `st_dev`."""
        if not self._ask(fds, itertools.repeat(b""), AT_EMPTY_PATH):
            return None
        device = self._DEVICE.pack(os.major(st_dev), os.minor(st_dev))
        if self._every(self._DEVICES, len(fds)).count(device) != len(fds):
            return None
        return self._every(self._SIGNATURES, len(fds))

    def _ask(self, fds: t.Iterable[int], names: t.Iterable[bytes], flags: int) -> bool:
        """Call statx for each; whether all calls succeeded."""
        answers = map(
            self._statx, fds, names, itertools.repeat(flags), itertools.repeat(STATX_BASIC_STATS), self._slots
        )
        return not any(answers)

    def _every(self, layout: str, count: int) -> tuple[t.Any, ...]:
        """One field of the first `count` answers."""
        cut = self._layouts.get((layout, count))
        if cut is None:
            cut = self._layouts[layout, count] = struct.Struct("=" + layout * count)
        return cut.unpack_from(self._memory)

    @classmethod
    def unpack(cls, signature: bytes) -> tuple[int, int, int, int, int]:
        """Attributes, number of links, uid, gid and mode (with the file type) in a signature."""
        return t.cast("tuple[int, int, int, int, int]", cls._SIGNATURE.unpack(signature))

    @classmethod
    def owned(cls, signature: bytes, uid: int, gid: int) -> bytes:
        """The same signature with another owner."""
        attributes, links, _uid, _gid, mode = cls._SIGNATURE.unpack(signature)
        return cls._SIGNATURE.pack(attributes, links, uid, gid, mode)

    @classmethod
    def mounted(cls, signature: bytes) -> bool:
        """Whether the file is the root of a mount; only if `marks_mounts`."""
        return bool(cls._SIGNATURE.unpack(signature)[0] & STATX_ATTR_MOUNT_ROOT)

    @classmethod
    def flags(cls, signature: bytes) -> list[str]:
        """The inode flags in a signature that forbid changes even to root."""
        return _flags(cls._SIGNATURE.unpack(signature)[0])

    def flags_of(self, fd: int) -> list[str]:
        """The same for an open file; empty if they cannot be read."""
        if self._statx(fd, b"", AT_EMPTY_PATH, 0, self._slots[0]) != 0:
            return []
        return _flags(self._ATTRIBUTES.unpack_from(self._memory)[0])
