# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blobs: the envelope of every chunk and of every small file of a snapshot.

A magic of eight bytes that says whether the content is compressed, encrypted or both, a CRC-32 of all that follows the
header, and the content. The header of an encrypted blob holds a nonce and a tag, too, and the CRC does not cover these.
Source: PBS, `file_formats.rs` and `data_blob.rs`.
"""

from __future__ import annotations

import dataclasses
import struct
import typing as t
import zlib

from ansible_collections.fleetops.pbs.plugins.module_utils._system import zstd
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError

_HEADER = struct.Struct("<8sI")
_ENCRYPTED_HEADER_SIZE = 44  # magic, CRC, 16 bytes of nonce, 16 bytes of tag

PLAIN = bytes.fromhex("42ab3807be8370a1")
COMPRESSED = bytes.fromhex("31b958426fb6a37f")
ENCRYPTED = bytes.fromhex("7b6785be222d4cf0")
COMPRESSED_ENCRYPTED = bytes.fromhex("e6591bbf0bbfd80b")

SMALLEST = _HEADER.size
LARGEST = 128 * 1024 * 1024
"""Bytes of content that PBS decodes at most (`MAX_BLOB_SIZE`)."""


class BlobError(CollectionError, ValueError):
    """PBS could not read the bytes as a blob."""


class TooSmall(BlobError):
    """The blob is shorter than its header."""


class WrongMagic(BlobError):
    """The first bytes are not the magic number of a blob."""


class WrongChecksum(BlobError):
    """The CRC-32 of the content differs from the one in the header."""


class Undecodable(BlobError):
    """The compressed content is damaged, although its checksum is right."""


class TooLarge(BlobError):
    """The content is larger than the caller's limit."""


class Encrypted(BlobError):
    """The blob is complete, but only the owner of the key can read its content."""


class Undecompressed(BlobError):
    """The blob is complete, but this host has no zstd library to decompress its content."""


@dataclasses.dataclass(frozen=True)
class Blob:
    """The header of a blob whose checksum is right."""

    compressed: bool
    encrypted: bool
    crc: int
    content_at: int
    """Where the stored content begins, in bytes."""


_KINDS = {
    PLAIN: (False, False),
    COMPRESSED: (True, False),
    ENCRYPTED: (False, True),
    COMPRESSED_ENCRYPTED: (True, True),
}


def parse_blob(data: bytes) -> Blob:
    """Check magic, length and CRC-32 of a whole file. Raises `TooSmall`, `WrongMagic` or `WrongChecksum`."""
    if len(data) < SMALLEST:
        raise TooSmall(f"blob too small ({len(data)} bytes)")
    magic, crc = _HEADER.unpack_from(data)
    if magic not in _KINDS:
        raise WrongMagic(f"unknown magic number {magic.hex()}, not that of a blob")
    compressed, encrypted = _KINDS[magic]
    content_at = _ENCRYPTED_HEADER_SIZE if encrypted else SMALLEST
    if len(data) < content_at:
        raise TooSmall(f"encrypted blob too small ({len(data)} bytes)")
    actual = zlib.crc32(memoryview(data)[content_at:])
    if actual != crc:
        raise WrongChecksum(f"wrong CRC: {actual:08x} instead of {crc:08x}")
    return Blob(compressed, encrypted, crc, content_at)


Decompress = t.Callable[[bytes, int], bytes]


def decode(data: bytes, limit: int = LARGEST, decompress: Decompress = zstd.decompress) -> bytes:
    """The content of a blob, at most `limit` bytes.

    Raises what `parse_blob` raises, and `Encrypted`, `TooLarge`, `Undecodable` or `Undecompressed`.
    """
    blob = parse_blob(data)
    if blob.encrypted:
        raise Encrypted("the blob is encrypted")
    content = data[blob.content_at :]
    if blob.compressed:
        try:
            return decompress(content, limit)
        except zstd.TooMuch as exc:
            raise TooLarge(str(exc)) from None
        except zstd.ZstdError as exc:
            raise Undecodable(str(exc)) from None
        except zstd.LibraryMissing as exc:
            raise Undecompressed(str(exc)) from None
    if len(content) > limit:
        raise TooLarge(f"the content is larger than {limit} bytes")
    return content
