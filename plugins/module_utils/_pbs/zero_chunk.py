# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The zero chunk that PBS inserts for its own check, byte for byte, and PBS's rules of insertion."""

from __future__ import annotations

import struct
import zlib

PLAIN_SIZE = 4 * 1024 * 1024
"""Number of zero bytes that the chunk represents."""

_MAGIC = bytes.fromhex("31b958426fb6a37f")  # a zstd blob without encryption
_RUN = 128 * 1024  # zstd's largest block


def zero_chunk() -> bytes:
    """The file that PBS writes: blob header, CRC-32 of the frame, and the frame as from zstd level 1 (159 bytes).

    Assembled by the rules of the frame instead of stored as an opaque string: four bytes of zstd magic, the frame header
    (content size in four bytes, window of 512 KiB), a first block with a literal zero, and then one run-length block for
    each further 128 KiB. Source: PBS, `DataChunkBuilder::build_zero_chunk`.
    """
    frame = bytes.fromhex("28b52ffd8048") + struct.pack("<I", PLAIN_SIZE)
    frame += bytes.fromhex("5400001000000100fbff39c002")
    runs = PLAIN_SIZE // _RUN - 1
    for number in range(runs):
        last = number == runs - 1
        # Block header: bit 0 last block, bits 1-2 type (1: one byte repeated), then the repeat count.
        frame += struct.pack("<I", _RUN << 3 | 1 << 1 | last)[:3] + b"\x00"
    return _MAGIC + struct.pack("<I", zlib.crc32(frame)) + frame


def insert_action(existing_size: int, new_size: int, s3: bool) -> str:
    """What an insertion does to an existing regular file: `touch`, `overwrite` (empty) or `replace` (larger).

    PBS compares only lengths, never contents. An empty chunk file of an S3 datastore is a marker for an object in the
    bucket, and stays. Source: PBS, `ChunkStore::insert_chunk`.
    """
    if existing_size == 0:
        return "touch" if s3 else "overwrite"
    return "replace" if existing_size > new_size else "touch"
