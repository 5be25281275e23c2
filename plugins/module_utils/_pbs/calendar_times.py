# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the calendar event of a job comes. Source: PBS, calendar events (proxmox-time), as `calendar_event` accepts them.

Times are in seconds since the epoch. PBS takes local time, except for events that end with `UTC`; here local time is a
constant offset, so that times are one hour off beyond the next change to or from summer time.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.calendar_event import is_calendar_event

DAY = 86400
_LONGEST = 256
"""Characters of an event; PBS's own limit for a schedule is 256."""
_KEYWORDS = {
    "minutely": "*:*",
    "hourly": "*:0",
    "daily": "0:0",
    "weekly": "mon 0:0",
    "monthly": "*-*-1 0:0",
    "quarterly": "*-1,4,7,10-1 0:0",
    "semiannually": "*-1,7-1 0:0",
    "semi-annually": "*-1,7-1 0:0",
    "yearly": "*-1-1 0:0",
    "annually": "*-1-1 0:0",
}
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_PARTS = re.compile(
    r"(?P<days>[A-Za-z]+(?:\.\.[A-Za-z]+|,[A-Za-z]+)*)?[ \t]*(?P<date>[0-9*/.,]+(?:-[0-9*/.,]+){1,2})?[ \t]*"
    r"(?P<time>[0-9*/.,]+(?::[0-9*/.,]+){0,2})?"
)

Numbers = t.Optional[frozenset[int]]
"""None: all."""


@dataclasses.dataclass(frozen=True)
class CalendarEvent:
    """An event as sets of numbers."""

    weekdays: Numbers
    """0 is Monday."""
    years: Numbers
    months: Numbers
    days: Numbers
    minutes: tuple[int, ...]
    """The minutes of a day, in order. PBS looks once a minute, so that seconds do not matter."""
    utc: bool = False

    def on(self, day: datetime.date) -> bool:
        return (
            (self.weekdays is None or day.weekday() in self.weekdays)
            and (self.years is None or day.year in self.years)
            and (self.months is None or day.month in self.months)
            and (self.days is None or day.day in self.days)
        )

    def times(self, start: float, end: float, utc_offset: int = 0, limit: int = 2000) -> list[int]:
        """The times after `start` and up to `end`, at most `limit`. `utc_offset` is local time minus UTC, in seconds."""
        shift = 0 if self.utc else utc_offset
        found: list[int] = []
        # A state file may have any number as a time.
        number = max(int(start + shift) // DAY, _FIRST_DAY)
        last = min(int(end + shift) // DAY, _LAST_DAY)
        while number <= last and len(found) < limit:
            if self.on(_EPOCH + datetime.timedelta(days=number)):
                moments = (number * DAY + 60 * minute - shift for minute in self.minutes)
                found += [moment for moment in moments if start < moment <= end]
            number += 1
        return found[:limit]


_EPOCH = datetime.date(1970, 1, 1)
_FIRST_DAY = (datetime.date.min - _EPOCH).days
_LAST_DAY = (datetime.date.max - _EPOCH).days


def parse_event(text: str) -> t.Optional[CalendarEvent]:
    """Parse an event; None if PBS does not accept it."""
    if len(text) > _LONGEST or not is_calendar_event(text):
        return None
    utc = text.endswith("UTC")
    text = text[:-3].rstrip(" ") if utc else text
    match = _PARTS.fullmatch(_KEYWORDS.get(text, text))
    if match is None:
        return None
    *year, month, day = (match.group("date") or "*-*-*").split("-")
    *hour, minute = _hours_and_minutes(match.group("time"))
    hours = _numbers(hour[0], 24) if hour else None
    minutes = _numbers(minute, 60)
    return CalendarEvent(
        _days_of_week(match.group("days")),
        _numbers(year[0], 2200) if year else None,
        _numbers(month, 13),
        _numbers(day, 32),
        tuple(
            60 * one + other
            for one in (range(24) if hours is None else sorted(hours))
            for other in (range(60) if minutes is None else sorted(minutes))
        ),
        utc,
    )


def _hours_and_minutes(text: t.Optional[str]) -> list[str]:
    """Hours and minutes; only minutes if there is no colon. An event without a time is at midnight."""
    return ["0", "0"] if text is None else text.split(":")[:2]


def _days_of_week(text: t.Optional[str]) -> Numbers:
    if not text:
        return None
    found: set[int] = set()
    for part in text.lower().split(","):
        first, dots, last = part.partition("..")
        begin = _WEEKDAYS.index(first[:3])
        end = _WEEKDAYS.index(last[:3]) if dots else begin
        # From Saturday to Monday goes over the end of the week.
        found.update(number % 7 for number in range(begin, (end if end >= begin else end + 7) + 1))
    return frozenset(found)


def _numbers(text: str, limit: int) -> Numbers:
    """A list of numbers, ranges `a..b` and repetitions `a/n`, below the limit; None for all."""
    found: set[int] = set()
    for part in text.split(","):
        what, slash, step = part.partition("/")
        first, dots, last = what.partition("..")
        every = int(step or 0) if slash else 0
        if first == "*" and every == 0:
            return None
        begin = 0 if first == "*" else int(first)
        end = int(last) if dots else (limit - 1 if every else begin)
        found.update(range(begin, end + 1, every or 1))
    return frozenset(found)


def next_times(text: str, after: float, utc_offset: int, count: int, days: int = 8 * 366) -> list[int]:
    """The next `count` times of an event, within that many days; empty if it does not come or is no event."""
    event = parse_event(text)
    if event is None:
        return []
    found: list[int] = []
    start, span = after, 40 * DAY
    while len(found) < count and start < after + days * DAY:
        found += event.times(start, start + span, utc_offset, count - len(found))
        start += span
    return found[:count]
