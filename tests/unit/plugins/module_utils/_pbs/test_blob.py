# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import blob
from ansible_collections.fleetops.pbs.plugins.module_utils._system import zstd
from ansible_collections.fleetops.pbs.tests.support.pbs import store as stores

MIB = 1024 * 1024
SHORT = bytes.fromhex("42ab3807be8370a16922de360001")
HELLO = bytes.fromhex("42ab3807be8370a186a6103668656c6c6f")
EMPTY = bytes.fromhex("42ab3807be8370a100000000")
HUNDRED_A = bytes.fromhex("31b958426fb6a37f32fd384028b52ffd206445000010616101003f012c")
FIFTY_WORDS = bytes.fromhex("31b958426fb6a37fbbbe9b5528b52ffd602c006d0000306261636b7570010023514b11")
SEALED = bytes.fromhex("7b6785be222d4cf0480383a3") + b"\x11" * 16 + b"\x22" * 16 + b"ABC"
SEALED_AND_COMPRESSED = bytes.fromhex("e6591bbf0bbfd80b480383a3") + b"\x11" * 16 + b"\x22" * 16 + b"ABC"

READABLE = [
    (SHORT, b"\x00\x01", "b413f47d13ee2fe6c845b2ee141af81de858df4ec549a58b7970bb96645bc8d2"),
    (HELLO, b"hello", "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
    (EMPTY, b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (HUNDRED_A, b"a" * 100, "2816597888e4a0d3a36b82b83316ab32680eb8f00f8cd3b904d681246d285a0e"),
    (FIFTY_WORDS, b"backup" * 50, "91669ddfc814c30567787358011bb718687eb799d5b9f2e9e6efdd88532f9853"),
    (stores.ZERO_CHUNK, bytes(4 * MIB), stores.ZERO_DIGEST),
]
EVERY = [data for data, _content, _digest in READABLE] + [SEALED, SEALED_AND_COMPRESSED]

NO_ZSTD = ""
try:
    zstd.decompress(b"", 0)
except zstd.LibraryMissing as exc:
    NO_ZSTD = str(exc)
except zstd.ZstdError:
    pass  # it is there, and an empty frame is none


@pytest.mark.parametrize(
    ("data", "content", "digest"),
    READABLE,
    ids=lambda value: value[:8].hex()[:8] if isinstance(value, bytes) else value[:6],
)
def test_a_blob_gives_its_content(data, content, digest):
    if NO_ZSTD and blob.parse_blob(data).compressed:
        pytest.skip(NO_ZSTD)
    decoded = blob.decode(data)
    assert decoded == content
    assert hashlib.sha256(decoded).hexdigest() == digest


@pytest.mark.parametrize(
    ("data", "compressed", "encrypted", "content_at"),
    [
        (HELLO, False, False, 12),
        (HUNDRED_A, True, False, 12),
        (SEALED, False, True, 44),
        (SEALED_AND_COMPRESSED, True, True, 44),
    ],
)
def test_the_magic_says_the_kind(data, compressed, encrypted, content_at):
    found = blob.parse_blob(data)
    assert (found.compressed, found.encrypted, found.content_at) == (compressed, encrypted, content_at)


@pytest.mark.parametrize("data", [SEALED, SEALED_AND_COMPRESSED])
def test_an_encrypted_blob_is_whole_and_not_read(data):
    with pytest.raises(blob.Encrypted):
        blob.decode(data)


def test_nonce_and_tag_are_not_covered_by_the_checksum():
    assert blob.parse_blob(SEALED[:12] + bytes(32) + b"ABC").crc == 0xA3830348


@pytest.mark.parametrize("data", [data for data in EVERY if len(data) < 100])
def test_every_truncated_blob_is_an_error(data):
    header = 44 if data in (SEALED, SEALED_AND_COMPRESSED) else 12
    for length in range(len(data)):
        with pytest.raises(blob.TooSmall if length < header else blob.WrongChecksum):
            blob.parse_blob(data[:length])


@pytest.mark.parametrize("data", [data for data in EVERY if len(data) < 100])
def test_every_flipped_bit_is_an_error(data):
    """But for the 32 bytes of nonce and tag, which only the owner of the key can check."""
    covered = [
        place for place in range(len(data)) if data not in (SEALED, SEALED_AND_COMPRESSED) or not 12 <= place < 44
    ]
    for place in covered:
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            with pytest.raises(blob.WrongMagic if place < 8 else blob.WrongChecksum):
                blob.parse_blob(bytes(flipped))


def test_appended_bytes_are_an_error():
    with pytest.raises(blob.WrongChecksum, match="instead of 3610a686"):
        blob.parse_blob(HELLO + b"\0")


@pytest.mark.parametrize("data", [HELLO, HUNDRED_A])
def test_content_above_the_limit_is_not_taken(data):
    if NO_ZSTD and data is HUNDRED_A:
        pytest.skip(NO_ZSTD)
    with pytest.raises(blob.TooLarge, match="larger than 4 bytes"):
        blob.decode(data, limit=4)


def test_a_damaged_frame_with_a_right_checksum():
    if NO_ZSTD:
        pytest.skip(NO_ZSTD)
    frame = HUNDRED_A[12:-1]
    with pytest.raises(blob.Undecodable):
        blob.decode(blob.COMPRESSED + stores.blob(frame)[8:])


def test_without_the_library_the_blob_is_still_whole():
    def missing(_data, _limit):
        raise zstd.LibraryMissing("libzstd.so.1 cannot be loaded: no such file")

    assert blob.parse_blob(HUNDRED_A).compressed
    with pytest.raises(blob.Undecompressed, match="cannot be loaded"):
        blob.decode(HUNDRED_A, decompress=missing)
    assert blob.decode(HELLO, decompress=missing) == b"hello"


@given(st.binary(max_size=2000))
def test_what_is_stored_plain_comes_back(content):
    assert blob.decode(stores.blob(content)) == content


@given(
    st.sampled_from([blob.PLAIN, blob.COMPRESSED, blob.ENCRYPTED, blob.COMPRESSED_ENCRYPTED, b""]),
    st.binary(max_size=80),
)
def test_any_bytes_are_a_blob_or_a_named_error(magic, rest):
    with contextlib.suppress(blob.BlobError):
        assert len(blob.decode(magic + rest, limit=1000)) <= 1000
