# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.difference import Pair

SIZE = 65536
PAIR = Pair(SIZE)


def differing(now: bytes, before: bytes) -> list[tuple[int, int]]:
    PAIR.views[0][: len(now)] = now
    PAIR.views[1][: len(before)] = before
    return PAIR.differing(len(now))


@pytest.mark.parametrize("size", [32, 4096, 16384, 16385, SIZE])
def test_the_same_has_no_difference(size: int) -> None:
    assert differing(bytes(size), bytes(size)) == []


@pytest.mark.parametrize("place", [0, 511, 512, 16383, 16384, 40000, 65535])
def test_one_byte_is_found(place: int) -> None:
    before = bytearray(SIZE)
    before[place] = 1
    start = place // 512 * 512
    assert differing(bytes(SIZE), bytes(before)) == [(start, start + 512)]


def test_blocks_side_by_side_are_one() -> None:
    before = bytes(1000) + b"x" * 1000 + bytes(3000)
    assert differing(bytes(5000), before) == [(512, 2048)]


def test_what_lies_behind_the_end_does_not_matter() -> None:
    PAIR.views[0][:] = b"a" * SIZE
    PAIR.views[1][:] = b"b" * SIZE
    assert differing(bytes(100), bytes(100)) == []
    assert differing(bytes(600), bytes(599) + b"x") == [(512, 600)]


def test_what_is_now_becomes_what_was_before() -> None:
    differing(b"new" * 100, b"old" * 100)
    PAIR.swap()
    assert bytes(PAIR.views[1][:300]) == b"new" * 100
    PAIR.views[0][:300] = b"new" * 100
    assert PAIR.differing(300) == []


@settings(max_examples=200, deadline=None)
@given(st.integers(1, SIZE), st.lists(st.integers(0, SIZE - 1), max_size=40))
def test_everything_that_differs_is_in_a_block_and_each_block_differs(size: int, places: list[int]) -> None:
    now, before = bytes(size), bytearray(size)
    for place in places:
        before[place % size] = 1
    found = differing(now, bytes(before))
    inside = {place for start, end in found for place in range(start, end)}
    assert {place % size for place in places} <= inside
    for start, end in found:
        for block in range(start, end, 512):
            assert any(before[block : min(block + 512, end)])
    assert all(end < start for (_first, end), (start, _last) in zip(found, found[1:]))
