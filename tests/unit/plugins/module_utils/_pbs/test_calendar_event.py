# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.calendar_event import is_calendar_event, is_over


@pytest.mark.parametrize(
    "text",
    [
        "minutely",
        "daily",
        "daily UTC",
        "semi-annually",
        "03:30",
        "30",
        "*:0/15",
        "*:*:30",
        "0/6:00",
        "mon..fri 21:30",
        "Sat,Sunday 3:00",
        "fri..mon",
        "2026-*-1,15 02:00",
        "*-1,15",
        "12-24..26",
        "8..17/2:00",
        "sat *-1..7 15:00 UTC",
        "25:30",  # no hour, but a minute and a second
    ],
)
def test_what_pbs_accepts(text: str) -> None:
    assert is_calendar_event(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "foo bar",
        "bogus",
        "UTC",
        "Daily",
        "daily 03:00",
        " daily",
        "60",
        "24:60",
        "17..8:00",
        "mon,",
        "mon,12:00",
        "mon 1..7 04:00",
        "13-1",
        "1-32",
        "03:30:",
        "*/x",
        "1" * 400,
        "\x00",
        "12:00\n",
        "\u0661\u0662:\u0660\u0660",
    ],
)
def test_what_pbs_refuses(text: str) -> None:
    assert not is_calendar_event(text)


@given(st.text(alphabet="0123456789*,./-: monfriUTC\t\x00\n", max_size=40) | st.text())
def test_never_raises(text: str) -> None:
    assert is_calendar_event(text) in (True, False)


@given(st.integers(0, 23), st.integers(0, 59), st.sampled_from(["", "mon ", "sat,sun ", "2026-1-1 "]))
def test_a_plain_time_is_always_one(hour: int, minute: int, before: str) -> None:
    assert is_calendar_event(f"{before}{hour:02}:{minute:02}")


@pytest.mark.parametrize(
    ("text", "over"),
    [
        ("2020-01-01 00:00", True),
        ("2020..2025-*-01", True),
        ("2019,2020-12-31", True),
        ("sat 2020-01-01 03:00", True),
        ("2026-01-01 00:00", True),
        ("2026-12-01 00:00", False),
        ("2026-*-01", False),
        ("2020/1-01-01", False),
        ("2020..2030-01-01", False),
        ("2027-01-01", False),
        ("*-01-01", False),
        ("01-01", False),
        ("daily", False),
        ("sat 03:00", False),
        ("9" * 100_000 + "-1-1", False),
    ],
)
def test_an_event_that_never_comes_again(text, over):
    assert is_over(text, time.gmtime(1795350000)) is over
