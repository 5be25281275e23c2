# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the events of jobs come."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.calendar_event import is_calendar_event
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.calendar_times import next_times, parse_event

SUNDAY = datetime.datetime(2026, 11, 22, 0, 0, tzinfo=datetime.timezone.utc).timestamp()


def told(text: str, count: int = 3, after: float = SUNDAY, utc_offset: int = 0) -> list[str]:
    return [
        datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%m-%d %H:%M")
        for moment in next_times(text, after, utc_offset, count)
    ]


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("daily", ["11-23 00:00", "11-24 00:00", "11-25 00:00"]),
        ("hourly", ["11-22 01:00", "11-22 02:00", "11-22 03:00"]),
        ("minutely", ["11-22 00:01", "11-22 00:02", "11-22 00:03"]),
        ("weekly", ["11-23 00:00", "11-30 00:00", "12-07 00:00"]),
        ("monthly", ["12-01 00:00", "01-01 00:00", "02-01 00:00"]),
        ("quarterly", ["01-01 00:00", "04-01 00:00", "07-01 00:00"]),
        ("semiannually", ["01-01 00:00", "07-01 00:00", "01-01 00:00"]),
        ("yearly", ["01-01 00:00", "01-01 00:00", "01-01 00:00"]),
        ("sat 03:00", ["11-28 03:00", "12-05 03:00", "12-12 03:00"]),
        ("Sunday 05:00", ["11-22 05:00", "11-29 05:00", "12-06 05:00"]),
        ("mon..fri 21:30", ["11-23 21:30", "11-24 21:30", "11-25 21:30"]),
        ("sat..mon 1:00", ["11-22 01:00", "11-23 01:00", "11-28 01:00"]),
        ("mon,thu 2", ["11-23 00:02", "11-23 01:02", "11-23 02:02"]),
        ("*:0/20", ["11-22 00:20", "11-22 00:40", "11-22 01:00"]),
        ("2/8:15", ["11-22 02:15", "11-22 10:15", "11-22 18:15"]),
        ("22..23:0", ["11-22 22:00", "11-22 23:00", "11-23 22:00"]),
        ("*-1,15 02:00", ["12-01 02:00", "12-15 02:00", "01-01 02:00"]),
        ("sat *-1..7 15:00", ["12-05 15:00", "01-02 15:00", "02-06 15:00"]),
        ("2027-2-29 1:0", []),
        ("2028-2-29 1:0", ["02-29 01:00"]),
        ("*-2-30 1:0", []),
        ("2020-1-1 0:0", []),
        ("nonsense", []),
        ("", []),
    ],
)
def test_next_times(text, times):
    assert told(text) == times


def test_times_are_local_unless_the_event_names_utc():
    assert told("3:00", 1, utc_offset=3600) == ["11-22 02:00"]
    assert told("3:00 UTC", 1, utc_offset=3600) == ["11-22 03:00"]
    assert told("sun 0:30", 1, utc_offset=7200) == ["11-28 22:30"]


def test_a_time_is_after_the_start_and_up_to_the_end():
    event = parse_event("*:0")
    assert event is not None
    assert event.times(SUNDAY, SUNDAY + 7200) == [SUNDAY + 3600, SUNDAY + 7200]
    assert event.times(SUNDAY, SUNDAY + 86400, limit=2) == [SUNDAY + 3600, SUNDAY + 7200]


@given(st.text(alphabet="0123456789*/.,:- montuefrisUTC", max_size=24))
def test_whatever_pbs_accepts_has_times_or_none(text):
    event = parse_event(text)
    assert (event is not None) <= is_calendar_event(text)
    if event is not None:
        moments = event.times(SUNDAY, SUNDAY + 3 * 86400, limit=5)
        assert moments == sorted(moments)


@pytest.mark.parametrize(
    "text", ["daily", "mon..fri 21:30", "*-1,15 02:00", "2/8:15", "*:0/20", "sat 03:00", "15", "*-*-5"]
)
def test_real_events_are_understood(text):
    assert is_calendar_event(text)
    assert parse_event(text) is not None


@pytest.mark.parametrize("after", [253402300000, 2**53, 2**63, -62135596800, -(2**63)])
def test_no_time_comes_beyond_the_calendar(after):
    found = next_times("daily", after, -86400, 2)
    assert all(-62135596800 <= moment <= 253402387200 for moment in found)
