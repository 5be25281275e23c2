# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.cutoff import (
    cutoff_seconds,
    pending_mark,
    removable_from,
    removal_limit,
)

START = 1_800_000_000


@pytest.mark.parametrize(
    ("minutes", "writer", "limit", "mark"),
    [
        (None, None, -86700, 0),
        (None, -3600, -86700, -3600),
        (None, -86700, -86700, -86700),
        (None, -86701, -87001, -86701),
        (None, -200000, -200300, -200000),
        (1, None, -60, 0),
        (1, -60, -60, -60),
        (1, -61, -361, -61),
        (60, -7200, -7500, -7200),
        (2880, None, -172800, 0),
    ],
)
def test_limits_as_pbs_has_them(minutes, writer, limit, mark):
    cutoff = cutoff_seconds({} if minutes is None else {"gc-atime-cutoff": minutes})
    oldest = None if writer is None else START + writer
    assert removal_limit(START, cutoff, oldest) == START + limit
    assert pending_mark(START, oldest) == START + mark


@pytest.mark.parametrize("minutes", [0, 2881, -5, "60", True, 1.5, None])
def test_what_pbs_refuses_is_not_taken(minutes):
    assert cutoff_seconds({"gc-atime-cutoff": minutes}) == 86700


@given(st.integers(0, 2**33), st.integers(60, 172800))
def test_a_chunk_is_removed_from_its_time_on_and_not_a_second_before(atime, cutoff):
    start = removable_from(atime, cutoff)
    assert atime < removal_limit(start, cutoff)
    assert atime == removal_limit(start - 1, cutoff)
