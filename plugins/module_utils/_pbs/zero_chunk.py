# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The zero chunk: what PBS inserts for its own check, byte for byte, and the rules of inserting."""

from __future__ import annotations

import struct
import zlib

PLAIN_SIZE = 4 * 1024 * 1024
"""Bytes of zeros that the chunk stands for."""

_MAGIC = bytes.fromhex("31b958426fb6a37f")  # a zstd blob without encryption
_RUN = 128 * 1024  # zstd's largest block


def zero_chunk() -> bytes:
    """The file that PBS writes: blob header, CRC-32 of the frame, and the frame as zstd's level 1 makes it (159 bytes).

    Built from the rules of the frame instead of being kept as an opaque string: four bytes of zstd magic, the frame
    header (content size in four bytes, window of 512 KiB), a first block with the literal zero, and then one
    run-length block for each further 128 KiB. Source: PBS, `DataChunkBuilder::build_zero_chunk`.
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
    """What inserting does when a regular file is there already: `touch`, `overwrite` (empty) or `replace` (larger).

    Only lengths count, contents are never compared. An empty chunk file of an S3-backed datastore is a marker for an
    object in the bucket and stays. Source: PBS, `ChunkStore::insert_chunk`.
    """
    if existing_size == 0:
        return "touch" if s3 else "overwrite"
    return "replace" if existing_size > new_size else "touch"
