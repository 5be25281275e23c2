# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PBS's file formats: writers of blobs, indexes and manifests, and readers that fail as PBS's do.

Integers are little-endian. A magic number is the first 8 bytes of the SHA-256 of a sentence. Everything here is held
against byte vectors (tests/unit/support/pbs/test_formats.py).
"""

from __future__ import annotations

import ctypes
import ctypes.util
import dataclasses
import hashlib
import json
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from .rules import CHUNK_SIZE

ZERO_DIGEST = "bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8"

HEADER = 4096  # of an index
INDEX_UUID = bytes(range(16))
INDEX_CTIME = 1735689600  # 2025-01-01T00:00:00Z


def _magic(sentence: str) -> bytes:
    return hashlib.sha256(f"Proxmox Backup {sentence} v1.0".encode()).digest()[:8]


PLAIN = _magic("uncompressed blob")
COMPRESSED = _magic("zstd compressed blob")
ENCRYPTED = _magic("encrypted blob")
COMPRESSED_ENCRYPTED = _magic("zstd compressed encrypted blob")
FIXED_INDEX = _magic("fixed sized chunk index")
DYNAMIC_INDEX = _magic("dynamic sized chunk index")


class Damaged(Exception):
    """A file that PBS refuses to read; the text is PBS's."""


# --- blobs and chunks -------------------------------------------------------------------------------------------------


def _with_header(magic: bytes, payload: bytes) -> bytes:
    return magic + struct.pack("<I", zlib.crc32(payload)) + payload


def blob(data: bytes) -> bytes:
    """`data` as an uncompressed blob or chunk file."""
    return _with_header(PLAIN, data)


def compressed_blob(data: bytes) -> bytes:
    """`data` as PBS writes it: compressed at level 1 by libzstd, or uncompressed where that is not shorter."""
    frame = _zstd_compress(data)
    return blob(data) if frame is None else _with_header(COMPRESSED, frame)


def raw_frame_blob(data: bytes) -> bytes:
    """`data` as a compressed blob whose zstd frame stores it as it is: every reader takes it, and no library is needed."""
    frame = bytes.fromhex("28b52ffd80") + b"\x48" + struct.pack("<I", len(data))
    pieces = [data[place : place + 2**17] for place in range(0, len(data), 2**17)] or [b""]
    for number, piece in enumerate(pieces, 1):
        frame += (len(piece) << 3 | (number == len(pieces))).to_bytes(3, "little") + piece
    return _with_header(COMPRESSED, frame)


def encrypted_blob(
    payload: bytes, iv: bytes = b"\x11" * 16, tag: bytes = b"\x22" * 16, *, compressed: bool = False
) -> bytes:
    """A blob in the form of an encrypted one. Nobody can decrypt it; the checksum covers neither `iv` nor `tag`."""
    magic = COMPRESSED_ENCRYPTED if compressed else ENCRYPTED
    return magic + struct.pack("<I", zlib.crc32(payload)) + iv + tag + payload


def _zero_chunk() -> bytes:
    """The chunk of 4 MiB of zeros: a zstd frame of 128 KiB blocks that repeat one byte. No library is needed for it."""
    frame = bytes.fromhex("28b52ffd804800004000")  # magic, descriptor, window, content size
    frame += bytes.fromhex("5400001000000100fbff39c002")  # the first block is compressed
    # The last one has its lowest bit set.
    return _with_header(COMPRESSED, frame + bytes.fromhex("02001000") * 30 + bytes.fromhex("03001000"))


ZERO_CHUNK = _zero_chunk()


def _zstd() -> ctypes.CDLL | None:
    name = ctypes.util.find_library("zstd")
    if name is None:
        return None
    library = ctypes.CDLL(name)
    library.ZSTD_compress.restype = library.ZSTD_decompress.restype = ctypes.c_size_t
    library.ZSTD_compress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
    library.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    library.ZSTD_isError.argtypes = [ctypes.c_size_t]
    library.ZSTD_getFrameContentSize.restype = ctypes.c_ulonglong
    library.ZSTD_getFrameContentSize.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    return library


def _zstd_compress(data: bytes) -> bytes | None:
    library = _zstd()
    if library is None:
        raise RuntimeError("libzstd is not installed (Debian: apt-get install libzstd1)")
    # PBS gives it as much room as the data has: what does not fit is stored uncompressed.
    target = ctypes.create_string_buffer(max(len(data), 1))
    size = library.ZSTD_compress(target, len(data), data, len(data), 1)
    return None if library.ZSTD_isError(size) else target.raw[:size]


def _zstd_decompress(frame: bytes) -> bytes:
    library = _zstd()
    if library is None:
        raise RuntimeError("libzstd is not installed (Debian: apt-get install libzstd1)")
    announced = library.ZSTD_getFrameContentSize(frame, len(frame))
    if announced > 2**27:
        raise Damaged("Unknown frame descriptor")
    target = ctypes.create_string_buffer(max(announced, 1))
    size = library.ZSTD_decompress(target, announced, frame, len(frame))
    if library.ZSTD_isError(size):
        raise Damaged("Data corruption detected")
    return target.raw[:size]


@dataclasses.dataclass(frozen=True)
class Blob:
    """What a blob file holds. data: None for an encrypted one."""

    data: bytes | None
    magic: bytes


def read_blob(content: bytes) -> Blob:
    """Damaged: as PBS finds it when it loads a blob or a chunk."""
    if len(content) < 12:
        raise Damaged(f"blob too small ({len(content)} bytes).")
    magic = content[:8]
    encrypted = magic in (ENCRYPTED, COMPRESSED_ENCRYPTED)
    if encrypted and len(content) < 44:
        raise Damaged(f"encrypted blob too small ({len(content)} bytes).")
    if not encrypted and magic not in (PLAIN, COMPRESSED):
        raise Damaged("blob with unknown magic number")
    payload = content[44:] if encrypted else content[12:]
    if zlib.crc32(payload) != struct.unpack_from("<I", content, 8)[0]:
        raise Damaged("Data blob has wrong CRC checksum.")
    if encrypted:
        return Blob(None, magic)
    return Blob(_zstd_decompress(payload) if magic == COMPRESSED else payload, magic)


# --- indexes ----------------------------------------------------------------------------------------------------------


def fixed_index(
    digests: Sequence[str],
    size: int,
    *,
    chunk_size: int = CHUNK_SIZE,
    ctime: int = INDEX_CTIME,
    uuid: bytes = INDEX_UUID,
) -> bytes:
    """A .fidx file over an image of `size` bytes, with one digest per chunk. ctime: seconds since 1970."""
    table = b"".join(bytes.fromhex(digest) for digest in digests)
    header = FIXED_INDEX + uuid + struct.pack("<q", ctime) + hashlib.sha256(table).digest()
    header += struct.pack("<QQ", size, chunk_size)
    return header.ljust(HEADER, b"\0") + table


def dynamic_index(entries: Sequence[tuple[int, str]], *, ctime: int = INDEX_CTIME, uuid: bytes = INDEX_UUID) -> bytes:
    """A .didx file of (end offset, digest)."""
    table = b"".join(struct.pack("<Q", end) + bytes.fromhex(digest) for end, digest in entries)
    header = DYNAMIC_INDEX + uuid + struct.pack("<q", ctime) + hashlib.sha256(table).digest()
    return header.ljust(HEADER, b"\0") + table


@dataclasses.dataclass(frozen=True)
class Index:
    """An index as PBS reads it. size: bytes of the content. checksum: computed from the entries, as a verification does.

    lengths: of each chunk's content, in bytes.
    """

    digests: tuple[str, ...]
    size: int
    checksum: str
    lengths: tuple[int, ...]


def read_index(name: str, content: bytes) -> Index:
    """Damaged: what PBS says when it opens such a file. The checksum in the header is not looked at, nor what is reserved."""
    if len(content) < HEADER:
        raise Damaged(f"index too small ({len(content)})")
    wanted = FIXED_INDEX if name.endswith(".fidx") else DYNAMIC_INDEX
    if content[:8] != wanted:
        raise Damaged("got unknown magic number")
    table = content[HEADER:]
    return _read_fixed(content, table) if wanted == FIXED_INDEX else _read_dynamic(table)


def _read_fixed(content: bytes, table: bytes) -> Index:
    size, chunk_size = struct.unpack_from("<QQ", content, 64)
    if chunk_size == 0 or chunk_size & (chunk_size - 1):
        raise Damaged(f"got non-power-of-two chunk size: {chunk_size}")
    expected = -(-size // chunk_size) * 32
    if expected != len(table):
        raise Damaged(f"got unexpected file size ({expected} != {len(table)})")
    if not table:
        raise Damaged("invalid index size")
    digests = tuple(table[place : place + 32].hex() for place in range(0, len(table), 32))
    last = size - (len(digests) - 1) * chunk_size
    lengths = (chunk_size,) * (len(digests) - 1) + (last,)
    return Index(digests, size, hashlib.sha256(table).hexdigest(), lengths)


def _read_dynamic(table: bytes) -> Index:
    if len(table) % 40:
        raise Damaged("got unexpected file size")
    if not table:
        raise Damaged("mapped length must not be zero")
    places = range(0, len(table), 40)
    ends = [struct.unpack_from("<Q", table, place)[0] for place in places]
    digests = tuple(table[place + 8 : place + 40].hex() for place in places)
    lengths = tuple(end - start for start, end in zip([0, *ends], ends))
    return Index(digests, ends[-1], hashlib.sha256(table).hexdigest(), lengths)


# --- manifests --------------------------------------------------------------------------------------------------------


def manifest(kind: str, identifier: str, moment: int, files: Iterable[tuple[str, bytes]], **unprotected: Any) -> bytes:
    """The JSON of a snapshot's manifest over its files, given as (name, content). moment: seconds since 1970.

    An index is listed with its content's size and the checksum of its entries, a blob with those of its file.
    """
    listed = [_listed(name, content) for name, content in files]
    text = {
        "backup-id": identifier,
        "backup-time": moment,
        "backup-type": kind,
        "files": listed,
        "signature": None,
        "unprotected": unprotected,
    }
    return json.dumps(text, indent=2).encode()


def _listed(name: str, content: bytes) -> dict[str, Any]:
    try:
        index = read_index(name, content) if name.endswith((".fidx", ".didx")) else None
    except Damaged:
        index = None  # a test's own damage: the manifest is of nothing better
    if index is None:
        size, checksum = len(content), hashlib.sha256(content).hexdigest()
    else:
        size, checksum = index.size, index.checksum
    encrypted = content[:8] in (ENCRYPTED, COMPRESSED_ENCRYPTED)
    return {"crypt-mode": "encrypt" if encrypted else "none", "csum": checksum, "filename": name, "size": size}
