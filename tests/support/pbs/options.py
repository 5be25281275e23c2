# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the options of the command line and of the configuration may be."""

from __future__ import annotations

import re
from typing import Any

from .prune import KEEPS
from .tasks import TaskFailure

BOOLEANS = ("verify-new", "gc-on-unmount", "reuse-datastore", "overwrite-in-use", "keep-job-configs", "destroy-data")
BOOLEANS += ("disable", "ignore-verified")
SCHEDULES = ("gc-schedule", "prune-schedule", "counter-reset-schedule", "schedule")
NUMBERS = {**dict.fromkeys(KEEPS, (1, None)), "outdated-after": (0, None), "max-depth": (0, 7)}
NUMBERS.update({"read-threads": (1, 32), "verify-threads": (1, 32)})
ENUMERATION = {
    "sync-level": ["none", "file", "filesystem"],
    "chunk-order": ["none", "inode"],
    "maintenance": ["read-only", "offline", "delete", "unmount", "s3-refresh"],
}
KEYS = {
    "tuning": {
        **dict.fromkeys(["sync-level", "chunk-order"], "word"),
        "gc-atime-safety-check": "bool",
        "gc-atime-cutoff": (1, 2880),
        "gc-cache-capacity": (0, 8388608),
        "default-verification-workers": (1, 32),
        "default-verification-readers": (1, 32),
    },
    "notify": dict.fromkeys(["gc", "verify", "sync", "prune"], "word"),
    "notification-thresholds": {
        "s3-" + name: "word" for name in ("get", "put", "post", "head", "delete", "upload", "download")
    },
}
DATASTORE_OPTIONS = [
    "comment", "gc-schedule", "gc-on-unmount", "prune-schedule", *KEEPS, "verify-new", "notify-user", "notify",
    "notification-mode", "tuning", "maintenance-mode", "notification-thresholds", "counter-reset-schedule",
]  # fmt: skip
PRUNE_OPTIONS = ["store", "schedule", "disable", "comment", "ns", "max-depth", *KEEPS]
VERIFY_OPTIONS = ["store", "schedule", "ignore-verified", "outdated-after", "comment", "ns", "max-depth"]
VERIFY_OPTIONS += ["read-threads", "verify-threads"]


class Failure(Exception):
    """`Error: …` and exit code 255."""

    usage = False


class UsageFailure(Failure):
    """With the usage text behind it, as for what the command line itself refuses."""

    usage = True


def parameter(name: str, problem: str, usage: bool = True) -> Failure:
    return (UsageFailure if usage else Failure)(f"parameter verification failed - '{name}': {problem}")


def boolean(text: str) -> bool | None:
    return {
        "1": True,
        "on": True,
        "yes": True,
        "true": True,
        "0": False,
        "off": False,
        "no": False,
        "false": False,
    }.get(text.lower())


def schedule_problem(text: str) -> str:
    words = text.split()
    days = "mon|tue|wed|thu|fri|sat|sun"
    known = r"(minutely|hourly|daily|weekly|monthly|yearly|quarterly|semiannually|annually)"
    if not words:
        return "unable to parse calendar event at '' - Context(\"date or time specification\")"
    first = words[0].lower()
    if first[0].isalpha() and not re.fullmatch(rf"{known}|({days})[a-z]*([.,]+({days})[a-z]*)*", first):
        return f"unable to parse calendar event at '{words[0]}' - Context(\"weekday\")"
    return ""


def number_problem(text: str, limits: tuple[int | None, int | None]) -> str:
    low, high = limits
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        return f'not an integer: "{text}"'
    if low is not None and int(text) < low:
        return f"schema validation failed: value must have a minimum value of {low} (got {int(text)})"
    if high is not None and int(text) > high:
        return f"schema validation failed: value must have a maximum value of {high} (got {int(text)})"
    return ""


def split_properties(text: str, default: str = "") -> list[tuple[str, str]]:
    """A property string as pairs; a value may be quoted."""
    pairs = []
    position = 0
    while position < len(text):
        match = re.compile(r'(?:([^=,"]*)=)?(?:"((?:[^"\\]|\\.)*)"|([^,]*))(?:,|$)').match(text, position)
        if match is None:
            break
        key, quoted, bare = match.groups()
        pairs.append((key if key is not None else default, bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted)))
        position = match.end()
    return pairs


def properties_problem(text: str, keys: dict[str, Any]) -> str:
    seen = set()
    for key, value in split_properties(text):
        head = f"parameter verification failed - '{key}': "
        if key not in keys:
            return head + "schema does not allow additional properties"
        if key in seen:
            return head + "duplicate key"
        seen.add(key)
        if isinstance(keys[key], tuple):
            problem = number_problem(value, keys[key])
            if problem:
                return head + problem
        elif keys[key] == "bool" and boolean(value) is None:
            return head + "Unable to parse boolean option."
    return ""


def unknown_variant(value: str, words: list[str]) -> str:
    shown = [f"`{word}`" for word in words]
    expected = " or ".join(shown) if len(shown) == 2 else "one of " + ", ".join(shown)
    return f"unknown variant `{value}`, expected {expected}"


def check_tuning(text: str) -> None:
    """What PBS only notices when it uses the tuning."""
    for key, value in split_properties(text):
        if key in ENUMERATION and value not in ENUMERATION[key]:
            raise TaskFailure(unknown_variant(value, ENUMERATION[key]))


def stored(key: str, value: str) -> str:
    if key in BOOLEANS:
        return "true" if boolean(value) else "false"
    return value


def wants_check(section: dict[str, Any]) -> bool:
    return boolean(dict(split_properties(section.get("tuning", ""))).get("gc-atime-safety-check", "true")) is not False
