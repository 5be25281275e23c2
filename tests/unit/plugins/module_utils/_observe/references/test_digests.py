# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references import digests as module
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.digests import Digests, Full, Needed


def some(count: int, seed: int = 1, heads: int = 65536) -> list[bytes]:
    rng = random.Random(seed)
    return [rng.randrange(heads).to_bytes(2, "big") + rng.randbytes(30) for _each in range(count)]


def everything(*held: Digests, prefixes: int = 65536) -> dict[int, frozenset[bytes]]:
    needed = Needed(held)
    found = {prefix: frozenset(needed.names(prefix)) for prefix in range(prefixes)}
    return {prefix: names for prefix, names in found.items() if names}


def expected(digests: list[bytes]) -> dict[int, frozenset[bytes]]:
    wanted: dict[int, set[bytes]] = {}
    for digest in digests:
        wanted.setdefault(int.from_bytes(digest[:2], "big"), set()).add(digest.hex().encode())
    return {prefix: frozenset(names) for prefix, names in wanted.items()}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of some digests instead of a quarter of a million."""
    monkeypatch.setattr(module, "RUN", 16)
    monkeypatch.setattr(module, "SLACK", 64)
    monkeypatch.setattr(module, "_SAMPLE", 1)


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 100, 1000])
def test_what_was_put_in_is_found_by_its_prefix(small: None, count: int) -> None:
    made = some(count, heads=50)
    held = Digests(2000)
    for start in range(0, count, 7):
        held.add(b"".join(made[start : start + 7]))
    held.finish()
    assert everything(held) == expected(made)


@pytest.mark.parametrize("head", [b"\x00\x00", b"\x00\x01", b"\x01\x00", b"\xff\xff"])
def test_the_first_and_the_last_prefix(small: None, head: bytes) -> None:
    made = [head + bytes(30), head + b"\xff" * 30]
    held = Digests(100)
    held.add(b"".join(made))
    held.finish()
    assert everything(held) == expected(made)


def test_the_same_ones_again_and_again_take_no_more_room(small: None) -> None:
    made = some(90, heads=7)
    held = Digests(90)
    for number in range(200):
        random.Random(number).shuffle(made)
        held.add(b"".join(made))
    held.finish()
    assert everything(held) == expected(made)


@pytest.fixture
def merges(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many digests there were at each merge."""
    found: list[int] = []
    merge = Digests._merge

    def noted(held: Digests) -> None:
        found.append(held._count)
        merge(held)

    monkeypatch.setattr(Digests, "_merge", noted)
    return found


@pytest.mark.parametrize(("repeated", "merged"), [(0.0, False), (0.1, False), (0.5, True)])
def test_runs_are_merged_where_many_digests_come_again(
    small: None, merges: list[int], repeated: float, merged: bool
) -> None:
    made = some(2000)
    rng = random.Random(2)
    put_in: list[bytes] = []
    for one in made:
        put_in.append(rng.choice(put_in) if put_in and rng.random() < repeated else one)
    held = Digests(10_000)
    held.add(b"".join(put_in))
    held.finish()
    assert bool(merges) is merged
    assert everything(held) == expected(put_in)


def test_a_part_of_the_digests_tells_how_many_come_again(
    small: None, merges: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SAMPLE", 8)
    made = some(500)
    held = Digests(10_000)
    for _again in range(4):
        held.add(b"".join(made))
    assert merges
    assert held._count < 1000
    held.finish()
    assert everything(held) == expected(made)


def test_a_page_with_the_ends_of_two_runs_is_kept_until_both_are_merged(merges: list[int]) -> None:
    """After the first merge the next run begins where that one ends, which is hardly ever where a page does."""
    made = sorted(some(1300))
    held = Digests(10_000)
    for rest in (range(3, 13), range(3)):
        held.add(b"".join(one for number, one in enumerate(made) if number % 13 in rest))
        held._seal()
        held._merge()
    held.finish()
    assert len(merges) == 2
    assert everything(held) == expected(made)


def test_more_than_there_is_room_for_is_an_error(small: None) -> None:
    held = Digests(200)
    with pytest.raises(Full):
        held.add(b"".join(some(10_000)))


def test_what_several_have_put_in_is_found_together(small: None) -> None:
    made = [some(300, seed, heads=40) for seed in range(3)]
    held = [Digests(1000) for _each in made]
    for one, digests in zip(held, made):
        one.add(b"".join(digests))
        one.finish()
    assert everything(*held) == expected([digest for digests in made for digest in digests])


def test_runs_of_the_real_size() -> None:
    made = some(3 * module.RUN // 2)
    held = Digests(len(made))
    for _again in range(3):
        held.add(b"".join(made))
    held.finish()
    assert everything(held) == expected(made)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 300), max_size=60), max_size=30))
def test_any_order_of_any_digests(batches: list[list[int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "RUN", 8)
        patch.setattr(module, "SLACK", 20)
        patch.setattr(module, "_SAMPLE", 1)
        # Prefixes far apart, each with some digests.
        known = [(number % 100 * 655).to_bytes(2, "big") + number.to_bytes(30, "big") for number in range(301)]
        held = Digests(301)
        for batch in batches:
            held.add(b"".join(known[number] for number in batch))
        held.finish()
        assert everything(held) == expected([known[number] for batch in batches for number in batch])
