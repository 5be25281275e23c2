# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Index files: which chunks an archive of a snapshot consists of.

A header of 4,096 bytes, then one entry for each chunk: in a fixed index (`.fidx`, disk images) its digest, in a dynamic
index (`.didx`, file archives) the end of its data and its digest. Integers are little-endian.

Garbage collection opens every index file that it finds, and stops at one that fails the tests of `parse_header`. It
looks neither at the checksum nor at the order of the entries. Source: PBS, `fixed_index.rs` and `dynamic_index.rs`,
the readers; the texts of the errors are theirs, so that they can be found in the log of a task.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import struct
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError

HEADER_SIZE = 4096
DIGEST_SIZE = 32

FIXED_MAGIC = bytes.fromhex("2f7f41ed91fd0fcd")
DYNAMIC_MAGIC = bytes.fromhex("1c914ea519bab3cd")

_FIXED_HEADER = struct.Struct("<8s16sq32sQQ")
_DYNAMIC_HEADER = struct.Struct("<8s16sq32s")
_ENTRY = struct.Struct("<Q32s")
_END = struct.Struct("<Q")

LARGEST_ENTRY_SIZE = _ENTRY.size

_SUFFIXES = {".fidx": False, ".didx": True}

Buffer = t.Union[bytes, bytearray, memoryview]


class IndexFileError(CollectionError, ValueError):
    """PBS would refuse to open the index file; the message is the one that PBS logs."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        """`index-too-small`, `index-magic`, `index-length`, `index-empty` or `index-chunk-size`."""


@dataclasses.dataclass(frozen=True)
class IndexHeader:
    """The header of an index file that PBS would open."""

    dynamic: bool
    uuid: bytes
    ctime: int
    """Seconds since the epoch."""
    checksum: bytes
    """SHA-256 of all entries, as the header has it. PBS does not check it when it opens the file."""
    entries: int
    """At least one."""
    size: int
    """Bytes of data that a fixed index describes; 0 for a dynamic one, whose last entry tells it."""
    chunk_size: int
    """Bytes of each chunk but the last of a fixed index; 0 for a dynamic one."""

    @property
    def entry_size(self) -> int:
        return _ENTRY.size if self.dynamic else DIGEST_SIZE


def is_dynamic(name: str) -> t.Optional[bool]:
    """Whether a file of that name is a dynamic index (True) or a fixed one (False); None where it is no index file.

    `x.tmp_fidx`, `x.fidx.tmp_AbCdEf` and `.fidx` are none.
    """
    return _SUFFIXES.get(name[-5:]) if len(name) > 5 else None


def parse_header(dynamic: bool, header: Buffer, length: int) -> IndexHeader:
    """The first 4,096 bytes of an index file of `length` bytes, tested as PBS tests them when it opens the file.

    Raises `IndexFileError`.
    """
    if length < HEADER_SIZE or len(header) < HEADER_SIZE:
        raise IndexFileError("index-too-small", f"index too small ({min(length, len(header))})")
    if bytes(header[:8]) != (DYNAMIC_MAGIC if dynamic else FIXED_MAGIC):
        raise IndexFileError("index-magic", "got unknown magic number")
    return _dynamic(header, length - HEADER_SIZE) if dynamic else _fixed(header, length - HEADER_SIZE)


def _fixed(header: Buffer, length: int) -> IndexHeader:
    _magic, uuid, ctime, checksum, size, chunk_size = _FIXED_HEADER.unpack_from(header)
    if chunk_size & (chunk_size - 1) or not chunk_size:
        raise IndexFileError("index-chunk-size", f"got non-power-of-two chunk size: {chunk_size}")
    entries = -(-size // chunk_size)
    if entries * DIGEST_SIZE != length:
        raise IndexFileError("index-length", f"got unexpected file size ({entries * DIGEST_SIZE} != {length})")
    if not entries:
        raise IndexFileError("index-empty", "invalid index size")
    return IndexHeader(False, uuid, ctime, checksum, entries, size, chunk_size)


def _dynamic(header: Buffer, length: int) -> IndexHeader:
    _magic, uuid, ctime, checksum = _DYNAMIC_HEADER.unpack_from(header)
    entries, rest = divmod(length, _ENTRY.size)
    if rest:
        raise IndexFileError("index-length", "got unexpected file size")
    if not entries:
        raise IndexFileError("index-empty", "mapped length must not be zero")
    return IndexHeader(True, uuid, ctime, checksum, entries, 0, 0)


# --- entries -----------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=512)
def _digest_column(dynamic: bool, count: int) -> struct.Struct:
    return struct.Struct(("8x32s" if dynamic else "32s") * count)


@functools.lru_cache(maxsize=8)
def _end_column(count: int) -> struct.Struct:
    return struct.Struct("<" + "Q32x" * count)


_AT_ONCE = 4096
"""Entries that are taken apart in one go."""


def digests(dynamic: bool, entries: Buffer) -> t.Iterator[bytes]:
    """The digests in a run of whole entries, in their order."""
    return itertools.chain.from_iterable(digest_tuples(dynamic, entries))


def digest_tuples(dynamic: bool, entries: Buffer) -> t.Iterator[tuple[bytes, ...]]:
    """The same, some thousand at a time."""
    view = memoryview(entries)
    size = _ENTRY.size if dynamic else DIGEST_SIZE
    for start in range(0, len(view), _AT_ONCE * size):
        part = view[start : start + _AT_ONCE * size]
        yield _digest_column(dynamic, len(part) // size).unpack(part)


def ends(entries: Buffer) -> t.Iterator[int]:
    """The ends of the data of each chunk in a run of whole entries of a dynamic index, in bytes from its beginning."""
    view = memoryview(entries)
    for start in range(0, len(view), _AT_ONCE * _ENTRY.size):
        part = view[start : start + _AT_ONCE * _ENTRY.size]
        yield from _end_column(len(part) // _ENTRY.size).unpack(part)


def last_end(entries: Buffer) -> int:
    """Bytes of data that a dynamic index describes: the end in the last of its entries, of which there is one at least."""
    (end,) = _END.unpack_from(entries, len(entries) - _ENTRY.size)
    return int(end)


def checksum(parts: t.Iterable[Buffer]) -> bytes:
    """The checksum that the header should have, from all entries in their order."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part)
    return whole.digest()
