# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A limit for all walks over a datastore, and one for all datastores of a host."""

from __future__ import annotations

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._system import limits
from ansible_collections.fleetops.pbs.plugins.module_utils._system.limits import TimeLimit


class Clock:
    now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(limits, "time", clock)
    return clock


def test_it_runs_from_its_beginning_and_is_never_negative(clock):
    limit = TimeLimit(60)
    assert limit.left() == 60
    clock.now += 45
    assert limit.left() == 15
    clock.now += 45
    assert limit.left() == 0


def test_a_part_ends_with_the_whole_and_says_which_of_the_two_it_was(clock):
    whole = TimeLimit(100, "the limit for all")
    part = whole.part(60)
    assert (part.left(), part.text) == (60, "the limit for one datastore (60 s)")
    clock.now += 60
    part = whole.part(60)
    assert (part.left(), part.text) == (40, "the limit for all (100 s)")
    clock.now += 50
    assert whole.part(60).left() == 0


def test_the_default_is_half_a_day(clock):
    assert TimeLimit().text == "the limit for one datastore (43200 s)"
