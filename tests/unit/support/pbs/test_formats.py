# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files in PBS's formats, held against byte vectors; readers that refuse with PBS's words."""

from __future__ import annotations

import ctypes.util
import hashlib
import json

import pytest

from ansible_collections.fleetops.pbs.tests.support.machine import Unsupported
from ansible_collections.fleetops.pbs.tests.support.pbs import formats
from ansible_collections.fleetops.pbs.tests.support.pbs.formats import Damaged, dynamic_index, fixed_index, read_index
from ansible_collections.fleetops.pbs.tests.support.pbs.rules import CHUNK_SIZE

A = hashlib.sha256(b"a").hexdigest()
B = hashlib.sha256(b"b").hexdigest()
ZERO = formats.ZERO_DIGEST
HELLO = "42ab3807be8370a186a6103668656c6c6f"
COMPRESSED_A = "31b958426fb6a37f32fd384028b52ffd206445000010616101003f012c"
COMPRESSED_BACKUP = "31b958426fb6a37fbbbe9b5528b52ffd602c006d0000306261636b7570010023514b11"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def zstd() -> None:
    if ctypes.util.find_library("zstd") is None:
        raise Unsupported("libzstd is not installed")


def test_the_zero_chunk_is_pbs_s():
    assert len(formats.ZERO_CHUNK) == 159
    assert sha256(formats.ZERO_CHUNK) == "9cde395bc398bbcbe0c3d0f94fe20de86828d2e24b9c45ddc8dbe6df5e85fb46"
    assert sha256(bytes(CHUNK_SIZE)) == ZERO


@pytest.mark.parametrize(
    ("size", "length", "checksum"),
    [(CHUNK_SIZE, 159, "120d89b9"), (2 * CHUNK_SIZE, 287, "b33483ce"), (4 * CHUNK_SIZE, 543, "0b2f6578")],
)
def test_zero_chunks_of_other_sizes(zstd, size, length, checksum):
    content = formats.compressed_blob(bytes(size))
    assert len(content) == length
    assert content[8:12][::-1].hex() == checksum
    assert formats.read_blob(content).data == bytes(size)
    if size == CHUNK_SIZE:
        assert content == formats.ZERO_CHUNK


def test_a_blob_is_magic_checksum_and_data():
    assert formats.blob(b"hello").hex() == HELLO
    assert formats.blob(b"").hex() == "42ab3807be8370a100000000"


def test_compressed_blobs_are_what_libzstd_makes_at_level_1(zstd):
    assert formats.compressed_blob(b"a" * 100).hex() == COMPRESSED_A
    assert formats.compressed_blob(b"backup" * 50).hex() == COMPRESSED_BACKUP
    # Not shorter: stored as it is.
    assert formats.compressed_blob(b"\0\1").hex() == "42ab3807be8370a16922de360001"
    assert formats.compressed_blob(b"hello").hex() == HELLO
    for text in (COMPRESSED_A, COMPRESSED_BACKUP):
        assert len(set(formats.read_blob(bytes.fromhex(text)).data)) < 7


@pytest.mark.parametrize("size", [0, 1, 2**17, 2**17 + 1, 2**20])
def test_a_frame_that_stores_its_data_is_read_by_libzstd(zstd, size):
    data = hashlib.sha256(b"seed").digest() * (size // 32 + 1)
    content = formats.raw_frame_blob(data[:size])
    assert content[:8] == formats.COMPRESSED
    assert formats.read_blob(content).data == data[:size]


def test_the_checksum_of_an_encrypted_blob_covers_the_data_only():
    content = formats.encrypted_blob(b"ABC")
    assert content.hex() == "7b6785be222d4cf0480383a3" + "11" * 16 + "22" * 16 + "414243"
    assert formats.read_blob(content).data is None


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"x" * 11, "blob too small"),
        (formats.encrypted_blob(b"")[:43], "encrypted blob too small"),
        (bytes(12), "unknown magic number"),
        (bytes.fromhex(HELLO)[:-1] + b"x", "Data blob has wrong CRC checksum."),
    ],
)
def test_damaged_blobs(content, problem):
    with pytest.raises(Damaged, match=problem):
        formats.read_blob(content)


THREE = fixed_index([ZERO, ZERO, A], 9388608)
DYNAMIC = dynamic_index([(4194304, ZERO), (5000000, A), (6000000, B)])


@pytest.mark.parametrize(
    ("content", "length", "digest"),
    [
        (THREE, 4192, "2d35695ae1621408ba0f8980155af420a2b3bdf55c66a4b1a68ec292fa133f2c"),
        (fixed_index([ZERO], 1), 4128, "2b74a9ce9d415888bf74856d07bb019a140971cfca0a19bb7573b4e1892a1f28"),
        (fixed_index([ZERO], CHUNK_SIZE), 4128, "bfbfcdd1c6b8a9073e9f60e8f4f89d4db858df8f3061a4b3fd00b23b319eeca7"),
        (DYNAMIC, 4216, "cb15c411666b1fb2e6562c1cb398a6868a5c90c4149777812b5065b6512a9c5b"),
        (dynamic_index([]), 4096, "ec3b4a3edda6e837897e3b2c4e55b97f604bce94b37e9c7b73ac8532b6feb9bc"),
    ],
    ids=["fidx-three", "fidx-one-byte", "fidx-one-chunk", "didx-three", "didx-none"],
)
def test_indexes_are_pbs_s(content, length, digest):
    assert len(content) == length
    assert sha256(content) == digest


def test_what_an_index_says():
    fixed = read_index("a.fidx", THREE)
    assert fixed.digests == (ZERO, ZERO, A)
    assert (fixed.size, fixed.lengths) == (9388608, (4194304, 4194304, 1000000))
    assert fixed.checksum == "07102273d2a491ad877bfbb5afe417d2c346b3bd76592be0c0019a72e5dc28e9"
    dynamic = read_index("a.didx", DYNAMIC)
    assert dynamic.digests == (ZERO, A, B)
    assert (dynamic.size, dynamic.lengths) == (6000000, (4194304, 805696, 1000000))
    assert dynamic.checksum == "2166bff9a439500c91a56c23c73ede4740019c189bb985f368b265e58287a09f"


def with_field(content: bytes, place: int, value: bytes) -> bytes:
    return content[:place] + value + content[place + len(value) :]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.fidx", THREE[:4095], "index too small (4095)"),
        ("a.didx", b"", "index too small (0)"),
        ("a.fidx", THREE[:-1], "got unexpected file size (96 != 95)"),
        ("a.fidx", THREE + b"x", "got unexpected file size (96 != 97)"),
        ("a.fidx", THREE[:4096], "got unexpected file size (96 != 0)"),
        ("a.fidx", fixed_index([], 0), "invalid index size"),
        ("a.fidx", DYNAMIC, "got unknown magic number"),
        ("a.fidx", with_field(THREE, 72, bytes(8)), "got non-power-of-two chunk size: 0"),
        ("a.fidx", with_field(THREE, 72, b"\1"), "got non-power-of-two chunk size: 4194305"),
        ("a.didx", DYNAMIC + b"x", "got unexpected file size"),
        ("a.didx", dynamic_index([]), "mapped length must not be zero"),
    ],
)
def test_damaged_indexes(name, content, problem):
    with pytest.raises(Damaged) as raised:
        read_index(name, content)
    assert str(raised.value) == problem


def test_a_checksum_in_the_header_is_not_looked_at():
    assert read_index("a.fidx", with_field(THREE, 32, b"xxxx")) == read_index("a.fidx", THREE)
    assert read_index("a.fidx", with_field(THREE, 500, b"x")) == read_index("a.fidx", THREE)


def test_a_manifest():
    text = formats.manifest("vm", "100", 1735689600, [("drive-scsi0.img.fidx", THREE)])
    assert len(text) == 322
    assert sha256(text) == "fdd4aa51cdef4cebdd4e8d169e881030961716cbaa13be50ee6813afa6cb8e66"
    assert sha256(formats.blob(text)) == "6c9833025d0854d356601fec244c4e6091787452498c839ba56416e4c915aa66"


def test_a_manifest_lists_blobs_by_their_files():
    content = formats.blob(b"notes")
    listed = json.loads(formats.manifest("host", "h1", 0, [("x.conf.blob", content)], notes="n"))
    assert listed["files"] == [
        {"crypt-mode": "none", "csum": sha256(content), "filename": "x.conf.blob", "size": len(content)}
    ]
    assert listed["unprotected"] == {"notes": "n"}
