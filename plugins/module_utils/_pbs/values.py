# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Types of single values in PBS's configuration: text to a typed value, or an error with what is allowed."""

from __future__ import annotations

import dataclasses
import ipaddress
import math
import re
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.calendar_event import (
    ALLOWED,
    ALLOWED_DURATION,
    is_calendar_event,
    is_daily_duration,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

Value = t.Union[bool, int, str]

_TRUE = ("1", "on", "yes", "true")
_FALSE = ("0", "off", "no", "false")
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_SIZE = re.compile(r"\+?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?(?P<unit> *([kmgtp]i?)?b?)", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_SHOWN = 64


def shown(text: str) -> str:
    """The text in quotes for a message: printable, and not longer than a line."""
    safe = display(text)
    return f"'{safe if len(safe) <= _SHOWN else safe[: _SHOWN - 1] + '…'}'"


class Kind:
    """One type of value. `read` raises `ValueError` with what is allowed."""

    allowed: str

    def read(self, text: str) -> Value:
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Boolean(Kind):
    allowed = "1, on, yes or true, or 0, off, no or false"

    def read(self, text: str) -> bool:
        word = text.lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise ValueError(self.allowed)


@dataclasses.dataclass(frozen=True)
class Integer(Kind):
    minimum: t.Optional[int] = None
    maximum: t.Optional[int] = None

    @property
    def allowed(self) -> str:  # type: ignore[override]
        if self.minimum is None:
            return "a whole number"
        if self.maximum is None:
            return "a whole number from %d" % self.minimum
        return "a whole number from %d to %d" % (self.minimum, self.maximum)

    def read(self, text: str) -> int:
        if _INTEGER.fullmatch(text):
            number = int(text)
            low = -(2**63) if self.minimum is None else self.minimum
            high = 2**63 - 1 if self.maximum is None else self.maximum
            if low <= number <= high:
                return number
        raise ValueError(self.allowed)


@dataclasses.dataclass(frozen=True)
class Choice(Kind):
    """One of several words; the case matters."""

    words: tuple[str, ...]

    @property
    def allowed(self) -> str:  # type: ignore[override]
        return ", ".join(self.words[:-1]) + " or " + self.words[-1]

    def read(self, text: str) -> str:
        if text in self.words:
            return text
        raise ValueError(self.allowed)


@dataclasses.dataclass(frozen=True)
class Text(Kind):
    """Text with a length in characters that matches a pattern as a whole."""

    allowed: str
    pattern: str = r"(?s:.*)"
    minimum: int = 0
    maximum: t.Optional[int] = None

    def read(self, text: str) -> str:
        fits = self.minimum <= len(text) and (self.maximum is None or len(text) <= self.maximum)
        if fits and re.fullmatch(self.pattern, text):
            return text
        raise ValueError(self.allowed)


class Bytes(int):
    """A number of bytes that keeps its spelling: equal as a number, `10MB` as text."""

    spelling: str

    def __new__(cls, number: int, spelling: str) -> Bytes:
        made = super().__new__(cls, number)
        made.spelling = spelling
        return made

    def __str__(self) -> str:
        return self.spelling


@dataclasses.dataclass(frozen=True)
class Size(Kind):
    """A size with an optional unit, base 10 (`MB`) or base 2 (`MiB`); parsed to bytes.

    PBS stores `10MB` as `10 MB`, and `1024` as `1024 B`.
    """

    allowed = "a size such as 1024, 64GB or 64GiB"

    def read(self, text: str) -> Bytes:
        match = _SIZE.fullmatch(text) if len(text) <= 64 else None
        if match:
            unit = match.group("unit").strip().lower()
            if unit.endswith("b"):
                unit = unit[:-1]
            base = 1024 if unit.endswith("i") else 1000
            size = float(text[: match.start("unit")]) * base ** _POWERS[unit.rstrip("i")]
            if math.isfinite(size):
                return Bytes(int(size), text)
        raise ValueError(self.allowed)


@dataclasses.dataclass(frozen=True)
class CalendarEvent(Kind):
    allowed = ALLOWED

    def read(self, text: str) -> str:
        if is_calendar_event(text):
            return text
        raise ValueError(self.allowed)


@dataclasses.dataclass(frozen=True)
class Host(Kind):
    """A DNS name or an IP address; `labels` may stand for whole labels of a name."""

    allowed: str
    labels: tuple[str, ...] = ()

    def read(self, text: str) -> str:
        if len(text) <= 256:
            try:
                ipaddress.ip_address(text[1:-1] if text.startswith("[") and text.endswith("]") else text)
                return text
            except ValueError:
                pass
            if all(label in self.labels or _is_label(label) for label in text.split(".")):
                return text
        raise ValueError(self.allowed)


@dataclasses.dataclass(frozen=True)
class DailyDuration(Kind):
    """Times of a day, on all or some days of the week."""

    allowed = ALLOWED_DURATION

    def read(self, text: str) -> str:
        if is_daily_duration(text):
            return text
        raise ValueError(self.allowed)


@dataclasses.dataclass(frozen=True)
class Fingerprint(Kind):
    """The fingerprint of a certificate, in lower case: the case does not matter."""

    allowed = "the SHA-256 of a certificate: 32 pairs of hexadecimal digits joined by ':'"

    def read(self, text: str) -> str:
        if _is_fingerprint(text):
            return text.lower()
        raise ValueError(self.allowed)


@dataclasses.dataclass(frozen=True)
class GroupFilter(Kind):
    """Which backup groups a sync job transfers: by type, group or regular expression, included or excluded."""

    allowed = (
        "type:vm, type:ct, type:host, group:TYPE/ID or regex:EXPRESSION, each with an optional include: or exclude:"
    )

    def read(self, text: str) -> str:
        rule = text
        for action in ("include:", "exclude:"):
            if text.startswith(action):
                rule = text[len(action) :]
        kind, colon, value = rule.partition(":")
        if (
            colon
            and _has_no_control(text)
            and (
                (kind == "type" and value in _GROUP_TYPES)
                or (kind == "group" and _is_group(value))
                or (kind == "regex" and value)
            )
        ):
            # `include:` is what PBS does without it, and it writes the filter back without it.
            return rule if text.startswith("include:") else text
        raise ValueError(self.allowed)


@dataclasses.dataclass(frozen=True)
class Network(Kind):
    """A network of addresses; PBS permits bits of the host part."""

    allowed = "a network such as 192.0.2.0/24 or 2001:db8::/32"

    def read(self, text: str) -> str:
        if re.fullmatch(r"[0-9a-fA-F.:]+/[0-9]{1,3}", text):
            try:
                ipaddress.ip_interface(text)
                return text
            except ValueError:
                pass
        raise ValueError(self.allowed)


_NO_CONTROL = r"[^\x00-\x1f\x7f]*"
_SAFE_ID = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_has_no_control = re.compile(_NO_CONTROL).fullmatch
_GROUP_TYPES = ("vm", "ct", "host")
_is_group = re.compile(r"(?:%s)/%s" % ("|".join(_GROUP_TYPES), _SAFE_ID)).fullmatch
_is_fingerprint = re.compile(r"[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){31}").fullmatch
_is_label = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?").fullmatch
_ID_WORDS = "3 to 32 letters, digits, '_', '.' or '-', not beginning with '.' or '-'"

DATASTORE_NAME = Text(_ID_WORDS, _SAFE_ID, 3, 32)
JOB_ID = Text(_ID_WORDS, _SAFE_ID, 3, 32)
PATH = Text("1 to 4096 characters", minimum=1, maximum=4096)
COMMENT = Text("one line of at most 128 characters", _NO_CONTROL, maximum=128)
MAINTENANCE_MESSAGE = Text("one line of at most 64 characters", _NO_CONTROL, maximum=64)
NAMESPACE = Text(
    "up to 7 names joined by '/', at most 256 characters", r"(?:(?:%s/){0,6}%s)?" % (_SAFE_ID, _SAFE_ID), maximum=256
)
"""PBS's schema allows 8 names, and PBS then refuses more than 7."""
FILESYSTEM_UUID = Text("a filesystem UUID in lower case", r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
USER_ID = Text("a user such as admin@pbs", r"[^\s:/\x00-\x1f\x7f]+@" + _SAFE_ID, 3, 64)
_USER = r"[^\s:/\x00-\x1f\x7f]+@" + _SAFE_ID
AUTH_ID = Text("a user such as sync@pbs, or a token such as sync@pbs!name", "%s(?:!%s)?" % (_USER, _SAFE_ID), 3, 64)
REMOTE_NAME = Text(_ID_WORDS, _SAFE_ID, 3, 32)
KEY_ID = Text(_ID_WORDS, _SAFE_ID, 3, 32)
FINGERPRINT = Fingerprint()
PORT = Integer(0, 65535)
HOST = Host("a DNS name or an IP address")
S3_ENDPOINT = Host(
    "a DNS name or an IP address without scheme and port; {{bucket}} and {{region}} may stand for parts of the name",
    ("{{bucket}}", "{{region}}"),
)
SECRET = Text("one line that is not empty", r"[^\x00-\x1f\x7f]+", minimum=1)
"""A secret: it is never part of a message, so `read` is told only whether it can be one."""
S3_REGION = Text("3 to 32 lower-case letters, digits, '_' or '-'", r"[_a-z0-9][-_a-z0-9]+", 3, 32)
S3_CLIENT = Text(_ID_WORDS, _SAFE_ID, 3, 32)
S3_BUCKET = Text("lower-case letters, digits and '-'", r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", 3, 63)
RULE_ID = Text(_ID_WORDS, _SAFE_ID, 3, 32)
ENTITY_NAME = Text("2 to 32 letters, digits, '_', '.' or '-', not beginning with '.' or '-'", _SAFE_ID, 2, 32)
EMAIL = Text("a mail address of 2 to 64 characters", _NO_CONTROL, 2, 64)
THREADS = Integer(1, 32)
