# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import index

A = hashlib.sha256(b"a").digest()
B = hashlib.sha256(b"b").digest()
Z = bytes.fromhex("bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8")
UUID = bytes(range(16))
CTIME = 1735689600
MIB4 = 4194304


def fixed(digests: list[bytes], size: int, chunk_size: int = MIB4, magic: bytes = index.FIXED_MAGIC) -> bytes:
    body = b"".join(digests)
    head = magic + UUID + struct.pack("<q", CTIME) + hashlib.sha256(body).digest()
    return (head + struct.pack("<QQ", size, chunk_size)).ljust(4096, b"\0") + body


def dynamic(entries: list[tuple[int, bytes]]) -> bytes:
    body = b"".join(struct.pack("<Q", end) + digest for end, digest in entries)
    head = index.DYNAMIC_MAGIC + UUID + struct.pack("<q", CTIME) + hashlib.sha256(body).digest()
    return head.ljust(4096, b"\0") + body


F1 = fixed([Z, Z, A], 9388608)
F2 = fixed([Z], 1)
F3 = fixed([Z], MIB4)
D1 = dynamic([(4194304, Z), (5000000, A), (6000000, B)])


def read(is_dynamic: bool, data: bytes) -> index.IndexHeader:
    return index.parse_header(is_dynamic, data[:4096], len(data))


@pytest.mark.parametrize(
    ("data", "length", "digest"),
    [
        (F1, 4192, "2d35695ae1621408ba0f8980155af420a2b3bdf55c66a4b1a68ec292fa133f2c"),
        (F2, 4128, "2b74a9ce9d415888bf74856d07bb019a140971cfca0a19bb7573b4e1892a1f28"),
        (F3, 4128, "bfbfcdd1c6b8a9073e9f60e8f4f89d4db858df8f3061a4b3fd00b23b319eeca7"),
        (D1, 4216, "cb15c411666b1fb2e6562c1cb398a6868a5c90c4149777812b5065b6512a9c5b"),
        (dynamic([]), 4096, "ec3b4a3edda6e837897e3b2c4e55b97f604bce94b37e9c7b73ac8532b6feb9bc"),
    ],
)
def test_the_vectors_are_those_of_pbs(data: bytes, length: int, digest: str) -> None:
    assert (len(data), hashlib.sha256(data).hexdigest()) == (length, digest)


def test_reads_a_fixed_index() -> None:
    found = read(False, F1)
    assert (found.entries, found.size, found.chunk_size, found.ctime, found.uuid) == (3, 9388608, MIB4, CTIME, UUID)
    assert found.checksum.hex() == "07102273d2a491ad877bfbb5afe417d2c346b3bd76592be0c0019a72e5dc28e9"
    assert list(index.digests(False, F1[4096:])) == [Z, Z, A]
    assert index.checksum([F1[4096:4128], F1[4128:]]) == found.checksum


def test_reads_a_dynamic_index() -> None:
    found = read(True, D1)
    assert (found.entries, found.entry_size) == (3, 40)
    assert list(index.digests(True, memoryview(D1)[4096:])) == [Z, A, B]
    assert list(index.ends(D1[4096:])) == [4194304, 5000000, 6000000]
    assert index.last_end(D1[4096:]) == 6000000
    assert index.checksum([D1[4096:]]) == found.checksum


@pytest.mark.parametrize(
    ("is_dynamic", "data", "kind", "text"),
    [
        (False, b"", "index-too-small", "index too small (0)"),
        (True, b"", "index-too-small", "index too small (0)"),
        (False, F1[:4095], "index-too-small", "index too small (4095)"),
        (False, bytes(4096), "index-magic", "got unknown magic number"),
        (False, D1, "index-magic", "got unknown magic number"),
        (True, F1, "index-magic", "got unknown magic number"),
        (False, F1[:4096], "index-length", "got unexpected file size (96 != 0)"),
        (False, F1[:-1], "index-length", "got unexpected file size (96 != 95)"),
        (False, F1 + b"\0", "index-length", "got unexpected file size (96 != 97)"),
        (False, F1 + bytes(32), "index-length", "got unexpected file size (96 != 128)"),
        (False, fixed([], 0), "index-empty", "invalid index size"),
        (False, fixed([Z], 1, 0), "index-chunk-size", "got non-power-of-two chunk size: 0"),
        (False, fixed([Z], 1, 4194305), "index-chunk-size", "got non-power-of-two chunk size: 4194305"),
        (True, D1[:4096], "index-empty", "mapped length must not be zero"),
        (True, D1[:-1], "index-length", "got unexpected file size"),
        (True, D1 + b"\0", "index-length", "got unexpected file size"),
    ],
)
def test_tells_why_pbs_would_stop(is_dynamic: bool, data: bytes, kind: str, text: str) -> None:
    with pytest.raises(index.IndexFileError) as caught:
        read(is_dynamic, data)
    assert (caught.value.kind, str(caught.value)) == (kind, text)


@pytest.mark.parametrize("data", [F1, F2, F3])
def test_no_cut_of_a_fixed_index_is_taken_for_whole(data: bytes) -> None:
    for length in range(len(data)):
        with pytest.raises(index.IndexFileError):
            read(False, data[:length])


def test_a_dynamic_index_that_lost_a_whole_entry_is_taken_for_whole_and_its_checksum_tells() -> None:
    whole = {length for length in range(len(D1)) if not _fails(D1[:length])}
    assert whole == {4136, 4176}
    for length in whole:
        assert index.checksum([D1[4096:length]]) != read(True, D1[:length]).checksum


def _fails(data: bytes) -> bool:
    try:
        read(True, data)
    except index.IndexFileError:
        return True
    return False


@pytest.mark.parametrize("position", [32, 63])
def test_nothing_holds_the_header_to_its_checksum(position: int) -> None:
    data = bytearray(F1)
    data[position] ^= 1
    assert read(False, bytes(data)).checksum != index.checksum([F1[4096:]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("drive-scsi0.img.fidx", False),
        ("root.pxar.didx", True),
        (".disk.img.fidx", False),
        ("x.fidx", False),
        (".fidx", None),
        (".didx", None),
        ("disk.img.tmp_fidx", None),
        ("disk.img.fidx.tmp_AbCdEf", None),
        ("x.FIDX", None),
        ("index.json.blob", None),
        ("fidx", None),
        ("", None),
    ],
)
def test_knows_an_index_by_its_name(name: str, expected: bool | None) -> None:
    assert index.is_dynamic(name) is expected


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=20), st.integers(0, 20), st.data())
def test_reads_what_was_written_in_a_fixed_index(digests: list[bytes], exponent: int, data: st.DataObject) -> None:
    chunk_size = 2**exponent
    size = data.draw(st.integers((len(digests) - 1) * chunk_size + 1, len(digests) * chunk_size))
    made = fixed(digests, size, chunk_size)
    found = read(False, made)
    assert (found.entries, found.size, found.chunk_size) == (len(digests), size, chunk_size)
    assert list(index.digests(False, made[4096:])) == digests
    assert index.checksum([made[4096:]]) == found.checksum


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.binary(min_size=32, max_size=32)), min_size=1, max_size=20))
def test_reads_what_was_written_in_a_dynamic_index(entries: list[tuple[int, bytes]]) -> None:
    made = dynamic(entries)
    assert read(True, made).entries == len(entries)
    assert list(zip(index.ends(made[4096:]), index.digests(True, made[4096:]))) == entries
    assert index.last_end(made[4096:]) == entries[-1][0]


@given(st.booleans(), st.binary(max_size=100), st.integers(0, 2**63))
def test_any_header_with_any_length_is_an_error_or_fits(is_dynamic: bool, start: bytes, length: int) -> None:
    magic = index.DYNAMIC_MAGIC if is_dynamic else index.FIXED_MAGIC
    for header in (start.ljust(4096, b"\0"), (magic + start).ljust(4096, b"\0"), start):
        try:
            found = index.parse_header(is_dynamic, header, length)
        except index.IndexFileError:
            continue
        assert found.entries * found.entry_size == length - 4096
        assert found.entries > 0
