# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Syntax check of calendar events, the schedules of PBS's jobs.

PBS checks every schedule when it reads a configuration file, and a single invalid one makes the whole file unreadable. The
syntax is similar to systemd's, but not the same. Source: PBS, calendar event parser (proxmox-time).
"""

from __future__ import annotations

import re
import time
import typing as t

_KEYWORDS = frozenset(
    (
        "minutely",
        "hourly",
        "daily",
        "weekly",
        "monthly",
        "quarterly",
        "semiannually",
        "semi-annually",
        "yearly",
        "annually",
    )
)
_WEEKDAYS = frozenset(
    name[:length]
    for name in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    for length in (3, len(name))
)
_NUMBER = re.compile("[0-9]+")
_LETTERS = re.compile("[A-Za-z]+")
_BLANKS = re.compile("[ \t]*")

ALLOWED = "a calendar event such as 'daily', 'sat 03:00', 'mon..fri 21:30' or '*-1,15 02:00'"

ALLOWED_DURATION = "times of a day such as '8-17', 'mon..fri 8:30-17' or 'sat,sun 10:00-12:30'"

# Each reader below takes a text and a position, and returns the position after the part that it has read, or None.
_Reader = t.Callable[[str, int], t.Optional[int]]


def is_calendar_event(text: str) -> bool:
    """Whether PBS accepts the text as a calendar event."""
    if text.endswith("UTC"):
        text = text[:-3].rstrip(" ")
    if text in _KEYWORDS:
        return True
    position = 0
    if _LETTERS.match(text):
        after = _list_of(_weekdays)(text, 0)
        if after is None:
            return False
        position = _blanks(text, after)
    after = _date(text, position)
    if after is not None:
        position = _blanks(text, after)
    after = _time(text, position)
    if after is not None:
        position = after
    return 0 < position == len(text)


def is_daily_duration(text: str) -> bool:
    """Whether PBS accepts the text as times of a day, such as `mon..fri 8-17`: weekdays are optional, minutes too."""
    position = 0
    if _LETTERS.match(text):
        after = _list_of(_weekdays)(text, 0)
        if after is None:
            return False
        position = _blanks(text, after)
    start = _clock_time(text, position)
    if start is None:
        return False
    position = _blanks(text, start[1])
    if not text.startswith("-", position):
        return False
    end = _clock_time(text, _blanks(text, position + 1))
    return end is not None and end[1] == len(text) and start[0] <= end[0]


def _clock_time(text: str, position: int) -> t.Optional[tuple[tuple[int, int], int]]:
    """An hour with optional minutes, and the position after it."""
    hour = _number(text, position, 24)
    if hour is None:
        return None
    minute = _number(text, hour[1] + 1, 60) if text.startswith(":", hour[1]) else None
    return ((hour[0], 0), hour[1]) if minute is None else ((hour[0], minute[0]), minute[1])


def _blanks(text: str, position: int) -> int:
    match = _BLANKS.match(text, position)
    return match.end() if match else position


def _literal(word: str) -> _Reader:
    def read(text: str, position: int) -> t.Optional[int]:
        return position + len(word) if text.startswith(word, position) else None

    return read


def _sequence(*readers: _Reader) -> _Reader:
    def read(text: str, position: int) -> t.Optional[int]:
        at: t.Optional[int] = position
        for reader in readers:
            if at is None:
                return None
            at = reader(text, at)
        return at

    return read


def _list_of(item: _Reader) -> _Reader:
    """One item, and more after commas; a comma without an item is not consumed."""

    def read(text: str, position: int) -> t.Optional[int]:
        at = item(text, position)
        while at is not None:
            following = item(text, at + 1) if text.startswith(",", at) else None
            if following is None:
                break
            at = following
        return at

    return read


def _weekday(text: str, position: int) -> t.Optional[int]:
    match = _LETTERS.match(text, position)
    return match.end() if match and match.group().lower() in _WEEKDAYS else None


def _weekdays(text: str, position: int) -> t.Optional[int]:
    first = _weekday(text, position)
    if first is None or not text.startswith("..", first):
        return first
    last = _weekday(text, first + 2)
    return first if last is None else last


def _number(text: str, position: int, limit: int) -> t.Optional[tuple[int, int]]:
    """A number below the limit, and the position after it."""
    match = _NUMBER.match(text, position)
    if match is None:
        return None
    # Python refuses to convert very long numbers, also if they are leading zeros.
    digits = match.group().lstrip("0") or "0"
    if len(digits) > 9 or int(digits) >= limit:
        return None
    return int(digits), match.end()


def _component(limit: int) -> _Reader:
    """A number or a range `a..b`, either with an optional step `/n`."""

    def read(text: str, position: int) -> t.Optional[int]:
        first = _number(text, position, limit)
        if first is None:
            return None
        value, at = first
        if text.startswith("..", at):
            last = _number(text, at + 2, limit)
            if last is not None:
                if value > last[0]:
                    return None
                at = last[1]
        if text.startswith("/", at):
            step = _number(text, at + 1, limit)
            return None if step is None else step[1]
        return at

    return read


def _components(limit: int) -> _Reader:
    """`*`, `*/n`, or a list of components."""

    def read(text: str, position: int) -> t.Optional[int]:
        if not text.startswith("*", position):
            return _list_of(_component(limit))(text, position)
        at = position + 1
        if not text.startswith("/", at):
            return at
        step = _number(text, at + 1, limit)
        if step is None:
            return None
        return step[1] if step[0] > 0 else at

    return read


_DASH, _COLON = _literal("-"), _literal(":")
_MONTH_DAY = _sequence(_components(13), _DASH, _components(32))
_YEAR_MONTH_DAY = _sequence(_components(2200), _DASH, _MONTH_DAY)
_HOURS = _sequence(_components(24), _COLON)
_MINUTES = _components(60)
_SECONDS = _sequence(_COLON, _components(60))


def _date(text: str, position: int) -> t.Optional[int]:
    full = _YEAR_MONTH_DAY(text, position)
    return _MONTH_DAY(text, position) if full is None else full


def _time(text: str, position: int) -> t.Optional[int]:
    hours = _HOURS(text, position)
    minutes = _MINUTES(text, position if hours is None else hours)
    if minutes is None:
        return None
    seconds = _SECONDS(text, minutes)
    return minutes if seconds is None else seconds


_DATE_FIELDS = re.compile(r"(?:^|\s)([0-9.,]+)-([^\s-]+)-[^\s-]+(?:\s|$)", re.ASCII)
_LONG = 200


def is_over(text: str, now: time.struct_time) -> bool:
    """Whether all years and months of an event are past (in UTC), so that it never comes again.

    Only for events with a year; months count in this year. Years that repeat (`2020/2`, `*`) always come again.
    """
    found = _DATE_FIELDS.search(text[:_LONG])
    if found is None:
        return False
    year = max((int(number[-4:]) for number in re.findall(r"[0-9]+", found.group(1))), default=now.tm_year)
    if year != now.tm_year:
        return year < now.tm_year
    months = re.fullmatch(r"[0-9.,]+", found.group(2), re.ASCII)
    return months is not None and max(map(int, re.findall(r"[0-9]{1,2}", months.group()))) < now.tm_mon
