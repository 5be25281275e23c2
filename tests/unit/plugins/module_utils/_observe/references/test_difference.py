# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.difference import Comparison

AT_ONCE = 1024
KEPT = 4 * AT_ONCE * 40
COMPARISON = Comparison(AT_ONCE, KEPT)
SIZES = pytest.mark.parametrize("entry", [32, 40])


def entries(entry: int, numbers: list[int]) -> bytes:
    return b"".join(number.to_bytes(entry, "big") for number in numbers)


def replaced(entry: int, now: list[int], before: list[int], place: int = 0) -> list[tuple[int, int]]:
    """What is given as different, by pairs of what is there now and what was there before."""
    fresh_data, known_data = entries(entry, now), entries(entry, before)
    COMPARISON.now[: len(fresh_data)] = fresh_data
    COMPARISON.before[place : place + len(known_data)] = known_data
    fresh, known = COMPARISON.replace(place, len(fresh_data), entry)
    assert len(fresh) == len(known)
    assert bytes(COMPARISON.before[place : place + len(fresh_data)]) == fresh_data
    return [
        (int.from_bytes(fresh[at : at + entry], "big"), int.from_bytes(known[at : at + entry], "big"))
        for at in range(0, len(fresh), entry)
    ]


@SIZES
@pytest.mark.parametrize("count", [0, 1, 7, 8, 127, 128, 129, AT_ONCE])
def test_the_same_has_no_difference(entry: int, count: int) -> None:
    assert replaced(entry, list(range(count)), list(range(count))) == []


@SIZES
@pytest.mark.parametrize("count", [1, 128, 131, AT_ONCE])
def test_one_entry_is_found_wherever_it_is(entry: int, count: int) -> None:
    before = list(range(count))
    for place in sorted({0, count // 2, count - 1}):
        now = list(before)
        now[place] = 10**6
        found = replaced(entry, now, before)
        assert [pair for pair in found if pair[0] != pair[1]] == [(10**6, place)]
        assert len(found) <= 8


@SIZES
def test_what_lies_around_it_stays(entry: int) -> None:
    place = AT_ONCE * entry
    COMPARISON.before[:] = b"x" * KEPT
    assert len(replaced(entry, [1] * 10, [2] * 10, place)) == 10
    assert bytes(COMPARISON.before[:place]) == b"x" * place
    assert set(COMPARISON.before[place + 10 * entry :]) == {ord("x")}


@SIZES
@settings(max_examples=200, deadline=None)
@given(st.integers(1, AT_ONCE), st.lists(st.integers(0, AT_ONCE - 1), max_size=40), st.integers(0, 3))
def test_all_that_differ_are_given_in_their_order_and_few_others(
    entry: int, count: int, places: list[int], window: int
) -> None:
    before = list(range(count))
    now = list(before)
    for place in places:
        now[place % count] = 10**6 + place % count
    unlike = [(new, old) for new, old in zip(now, before) if new != old]
    found = replaced(entry, now, before, window * AT_ONCE * entry)
    assert [pair for pair in found if pair[0] != pair[1]] == unlike
    assert len(found) <= 8 * len(unlike)
