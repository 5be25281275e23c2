# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import dataclasses
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references import units as module
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.units import (
    Numbers,
    Queue,
    TooMany,
    Unit,
    Units,
)


def unit(number: int) -> Unit:
    return Unit(
        f"vm/{number}", [f"s{number}"], before="b", first=bool(number % 2), namespace="a/b", type="vm", id=str(number)
    )


@pytest.mark.parametrize("count", [0, 1, 2, 4096, 4097, 9000])
def test_each_unit_is_handed_out_once(count: int) -> None:
    units = Units()
    for number in range(count):
        units.add(unit(number))
    assert units.count == count
    with contextlib.closing(Queue(units)) as queue:
        one, other = iter(queue), iter(queue)
        found = []
        while True:
            got = [each for each in (next(one, None), next(other, None)) if each is not None]
            found += got
            if not got:
                break
    assert sorted(map(dataclasses.astuple, found)) == sorted(
        dataclasses.astuple(unit(number)) for number in range(count)
    )


def test_the_same_units_can_be_handed_out_again() -> None:
    units = Units()
    units.add(unit(1))
    for _again in range(3):
        with contextlib.closing(Queue(units)) as queue:
            assert list(queue) == [unit(1)]


def test_names_stay_what_the_kernel_says() -> None:
    odd = Unit(os.fsdecode(b"a/\xff\n\x1b["), [os.fsdecode(b"\xfe.fidx"), "ü\n.didx"], stray=True)
    units = Units()
    units.add(odd)
    with contextlib.closing(Queue(units)) as queue:
        assert list(queue) == [odd]


def test_there_is_an_end_to_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROOM", 8192)
    units = Units()
    with pytest.raises(TooMany):
        units.add(Unit("x" * 9000, []))
    assert units.count == 0


def test_another_process_sees_what_was_added() -> None:
    units = Units()
    pid = os.fork()
    if pid == 0:
        units.add(unit(7))
        os._exit(0)
    os.waitpid(pid, 0)
    assert units.count == 1
    assert [Units.read(line) for line in units.lines()] == [unit(7)]


@given(st.lists(st.sets(st.integers(0, 300)), max_size=3))
def test_numbers_are_a_set(parts: list[set[int]]) -> None:
    total = Numbers()
    for part in parts:
        one = Numbers()
        for number in part:
            one.add(number)
        total.update(Numbers(one.pack()))
    assert {number for number in range(400) if number in total} == set().union(*parts)
