# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._system import zstd
from ansible_collections.fleetops.pbs.tests.support.pbs.store import ZERO_CHUNK

FOUR_MIB = 4 * 1024 * 1024
ZEROS = ZERO_CHUNK[12:]
"""A frame of 4 MiB of zeros."""
HUNDRED_A = bytes.fromhex("28b52ffd206445000010616101003f012c")
SKIPPABLE = bytes.fromhex("502a4d1804000000") + b"skip"

try:
    zstd.decompress(HUNDRED_A, 100)
except zstd.LibraryMissing as exc:
    pytestmark = pytest.mark.skip(reason=str(exc))


def test_frames_give_their_content():
    assert zstd.decompress(HUNDRED_A, 100) == b"a" * 100
    assert zstd.decompress(ZEROS, FOUR_MIB) == bytes(FOUR_MIB)


def test_several_frames_are_one_content():
    assert zstd.decompress(HUNDRED_A + SKIPPABLE + HUNDRED_A, 200) == b"a" * 200


@pytest.mark.parametrize(("frame", "limit"), [(HUNDRED_A, 99), (ZEROS, FOUR_MIB - 1), (HUNDRED_A * 2, 199)])
def test_the_limit_is_kept(frame, limit):
    with pytest.raises(zstd.TooMuch, match=f"larger than {limit} bytes"):
        zstd.decompress(frame, limit)


def test_a_frame_that_asks_for_a_large_window_gets_none():
    descriptor_and_window = bytes((0x00, 21 << 3))  # 2 GiB
    with pytest.raises(zstd.TooMuch, match="memory"):
        zstd.decompress(bytes.fromhex("28b52ffd") + descriptor_and_window + b"\x01\x00\x00", 1000)


def test_little_memory_is_taken_for_much_content():
    tracemalloc.start()
    try:
        with pytest.raises(zstd.TooMuch):
            zstd.decompress(ZEROS, 100_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize("length", range(len(HUNDRED_A)))
def test_every_truncated_frame_is_an_error(length):
    with pytest.raises(zstd.ZstdError):
        zstd.decompress(HUNDRED_A[:length], 100)


def test_what_follows_a_frame_must_be_one():
    with pytest.raises(zstd.ZstdError):
        zstd.decompress(HUNDRED_A + b"x", 100)


@given(st.binary(max_size=300) | st.binary(max_size=40).map(lambda tail: HUNDRED_A[:6] + tail))
def test_any_bytes_give_content_or_an_error(data):
    try:
        content = zstd.decompress(data, 1000)
    except zstd.ZstdError:
        return
    assert len(content) <= 1000


def test_a_host_without_the_library_says_so():
    with pytest.raises(zstd.LibraryMissing, match=r"libnothing\.so\.9 cannot be loaded"):
        zstd.decompress(HUNDRED_A, 100, library="libnothing.so.9")
