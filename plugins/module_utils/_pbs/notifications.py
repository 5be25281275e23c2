# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`notifications.cfg` and `notifications-priv.cfg`: targets of notifications, the matchers that select them, their secrets.

Targets and matchers share one file and one set of names. PBS brings a target and a matcher of its own: they exist while the
file does not have them, the first change of anything writes them into it, and their removal resets them.
Source: PBS 4.2, its notification system (proxmox-notify).
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import re
import typing as t
import warnings

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import property_string
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import values as kinds
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.property_string import PropertyStringError
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.section_config import (
    Property,
    Schema,
    Section,
    SectionType,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.values import Kind

SINCE = "3.2"
WEBHOOK_SINCE = "3.3"

MATCHER = "matcher"
TARGETS = ("gotify", "sendmail", "smtp", "webhook")


@dataclasses.dataclass(frozen=True)
class MatchField(Kind):
    """A field of a notification with the values, or the regular expression, that it must match."""

    allowed = "exact:FIELD=VALUE[,VALUE...] or regex:FIELD=EXPRESSION, such as exact:type=gc or regex:hostname=^pbs"

    def read(self, text: str) -> str:
        match = _MATCH_FIELD.fullmatch(text)
        if match is None or len(text) > 1024:
            raise ValueError(self.allowed)
        how, field, value = match.groups()
        if how == "exact":
            # As PBS writes it back.
            return f"exact:{field}=" + ",".join(word.strip() for word in value.split(","))
        problem = _regex_problem(value)
        if problem:
            raise ValueError(f"{self.allowed}; the expression has an error: {problem}")
        return text


_MATCH_FIELD = re.compile(r"(exact|regex):([A-Za-z0-9_][A-Za-z0-9._-]*)=(.*)")
_BROKEN_IN_EVERY_DIALECT = ("missing )", "unbalanced parenthesis", "unterminated character set", "nothing to repeat")
_LOOK_AROUND = re.compile(r"\(\?<?[=!]")


def _regex_problem(text: str) -> str:
    """What PBS's regular expressions refuse for certain; empty if this cannot be told with the ones of Python."""
    if _LOOK_AROUND.search(text):
        return "PBS has no look-around assertions"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(text)
    except re.error as exc:
        if exc.msg.startswith(_BROKEN_IN_EVERY_DIALECT):
            return exc.msg
    except OverflowError as exc:
        return str(exc)
    except RecursionError:
        pass  # Python's limit, not that of PBS
    return ""


@dataclasses.dataclass(frozen=True)
class Severities(Kind):
    """One severity or several, joined by commas."""

    allowed = "one or more of info, notice, warning, error and unknown, joined by commas"

    def read(self, text: str) -> str:
        words = [word.strip() for word in text.split(",")]
        if all(word in ("info", "notice", "warning", "error", "unknown") for word in words):
            return ",".join(words)
        raise ValueError(self.allowed)


@dataclasses.dataclass(frozen=True)
class Base64(Kind):
    """Text of several lines, which PBS stores in base64."""

    allowed = "text in base64"

    def read(self, text: str) -> str:
        try:
            return encoded(decoded(text))
        except ValueError:
            raise ValueError(self.allowed) from None


def encoded(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode("ascii")


def decoded(text: str) -> str:
    """Raises `ValueError` if this is not text in base64."""
    try:
        return base64.b64decode(text, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise ValueError(str(exc)) from None


NAMED = property_string.Schema(
    "header",
    {"name": property_string.Key(kinds.Text("text")), "value": property_string.Key(Base64())},
    required=("name",),
)
"""A header or a secret of a webhook: its name, and its value in base64."""


@dataclasses.dataclass(frozen=True)
class NamedValue(Kind):
    """A header or a secret of a webhook, as PBS stores it."""

    allowed = "name=NAME,value=VALUE with the value in base64"

    def read(self, text: str) -> str:
        try:
            keys = property_string.parse_typed(text, NAMED)
        except PropertyStringError:
            raise ValueError(self.allowed) from None
        return property_string.render(keys, order=["name"])


def named_values(lines: t.Iterable[str]) -> dict[str, t.Optional[str]]:
    """Headers or secrets by name, decoded; None for a value that is missing or is not text in base64."""
    return dict(pair for pair in map(_named, lines) if pair is not None)


def _named(line: str) -> t.Optional[tuple[str, t.Optional[str]]]:
    try:
        keys = property_string.parse(line)
    except PropertyStringError:
        return None
    try:
        return keys.get("name", ""), decoded(keys["value"]) if "value" in keys else None
    except ValueError:
        return keys.get("name", ""), None


def named_value(name: str, value: t.Optional[str]) -> str:
    """A header or a secret as PBS takes it; without a value, PBS keeps the one that it has."""
    return property_string.render({"name": name, "value": None if value is None else encoded(value)}, order=["name"])


_FLAG = kinds.Boolean()
_COMMENT = {"comment": Property(kinds.COMMENT), "disable": Property(_FLAG)}
_RECIPIENTS = {
    "mailto": Property(kinds.EMAIL, repeats=True),
    "mailto-user": Property(kinds.USER_ID, repeats=True),
}
_ANY = kinds.Text("text")
_ONE_LINE = kinds.Text("one line", r"[^\x00-\x1f\x7f]+")

NOTIFICATIONS: Schema = {
    "sendmail": SectionType(
        kinds.ENTITY_NAME,
        {**_RECIPIENTS, "from-address": Property(kinds.EMAIL), "author": Property(kinds.COMMENT), **_COMMENT},
    ),
    "smtp": SectionType(
        kinds.ENTITY_NAME,
        {
            "server": Property(_ONE_LINE, required=True),
            "port": Property(kinds.Integer(0, 65535)),
            "mode": Property(kinds.Choice(("insecure", "starttls", "tls"))),
            "username": Property(_ONE_LINE),
            "from-address": Property(kinds.EMAIL, required=True),
            "author": Property(kinds.COMMENT),
            **_RECIPIENTS,
            **_COMMENT,
        },
    ),
    "gotify": SectionType(kinds.ENTITY_NAME, {"server": Property(_ONE_LINE, required=True), **_COMMENT}),
    "webhook": SectionType(
        kinds.ENTITY_NAME,
        {
            "url": Property(_ONE_LINE, required=True, private=True),
            "method": Property(kinds.Choice(("post", "put", "get")), required=True),
            # PBS checks neither before it sends them.
            "header": Property(_ANY, repeats=True, private=True),
            "body": Property(_ANY, private=True),
            **_COMMENT,
        },
    ),
    MATCHER: SectionType(
        kinds.ENTITY_NAME,
        {
            "match-field": Property(MatchField(), repeats=True),
            "match-severity": Property(Severities(), repeats=True),
            "match-calendar": Property(kinds.DailyDuration(), repeats=True),
            "mode": Property(kinds.Choice(("all", "any"))),
            "invert-match": Property(_FLAG),
            "target": Property(kinds.ENTITY_NAME, repeats=True),
            **_COMMENT,
        },
    ),
}
"""`notifications.cfg`. Without a port, SMTP uses 465 (mode `tls`, the default), 587 (`starttls`) or 25 (`insecure`)."""

NOTIFICATION_SECRETS: Schema = {
    "smtp": SectionType(kinds.ENTITY_NAME, {"password": Property(kinds.SECRET, secret=True)}),
    "gotify": SectionType(kinds.ENTITY_NAME, {"token": Property(kinds.SECRET, secret=True)}),
    "webhook": SectionType(kinds.ENTITY_NAME, {"secret": Property(_ANY, repeats=True, secret=True)}),
}
"""`notifications-priv.cfg`, which only root may read."""

BUILTIN = {
    "mail-to-root": Section(
        "sendmail",
        "mail-to-root",
        0,
        {"comment": "Send mails to root@pam's email address", "mailto-user": ["root@pam"]},
    ),
    "default-matcher": Section(
        MATCHER,
        "default-matcher",
        0,
        {
            "comment": "Route everything but successful prune job notifications to mail-to-root",
            "invert-match": "true",
            "match-field": ["exact:type=prune"],
            "match-severity": ["info"],
            "mode": "all",
            "target": ["mail-to-root"],
        },
    ),
}
"""What PBS brings: it is there even if the file does not have it, and cannot be removed, only changed and reset."""


def with_builtin(sections: t.Mapping[str, Section]) -> dict[str, Section]:
    """The targets and matchers that PBS uses: those of the file, and its own."""
    return {**{name: section for name, section in BUILTIN.items() if name not in sections}, **sections}


def is_as_shipped(section: Section) -> bool:
    """Whether this is an entry that PBS brings, unchanged."""
    own = BUILTIN.get(section.id)
    return own is not None and (own.type, own.properties) == (section.type, section.properties)
