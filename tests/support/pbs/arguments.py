# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line, as PBS takes it apart."""

from __future__ import annotations

import json
import re
from typing import Any

from .options import (
    BOOLEANS,
    KEYS,
    NUMBERS,
    SCHEDULES,
    UsageFailure,
    boolean,
    number_problem,
    parameter,
    properties_problem,
    schedule_problem,
)


def parse_arguments(words: list[str], positional: list[str], allowed: list[str]) -> dict[str, Any]:
    """Options as PBS takes them: `--key value`, `--key=value`, booleans bare; what is left over is positional."""
    options: dict[str, Any] = {}
    rest: list[str] = []
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            rest.append(word)
            continue
        key, equals, value = word[2:].partition("=")
        if not equals:
            following = words[0] if words and not words[0].startswith("--") else None
            if key in BOOLEANS:
                value = words.pop(0) if following is not None and boolean(following) is not None else "true"
            elif following is None:
                raise parameter(key, "missing parameter value.")
            else:
                value = words.pop(0)
        if key not in allowed:
            raise parameter(key, "schema does not allow additional properties.")
        if key == "delete":
            options.setdefault("delete", []).append(value)
        else:
            options[key] = value
    for name in positional:
        if not rest:
            raise parameter(name, "missing argument")
        options["_" + name] = rest.pop(0)
    if rest:
        raise UsageFailure("got additional arguments: " + json.dumps(rest, separators=(", ", ":")))
    for name in positional:
        if name in ("name", "id"):
            check_name(name, options["_" + name])
    for key, value in options.items():
        check_option(key, value)
    return options


def check_name(option: str, name: str) -> None:
    if len(name) < 3:
        raise parameter(option, "value must be at least 3 characters long")
    if len(name) > 32:
        raise parameter(option, "value may only be 32 characters long")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name):
        raise parameter(option, "value does not match the regex pattern")


def check_option(key: str, value: Any) -> None:
    if key in BOOLEANS and boolean(value) is None:
        raise parameter(key, "Unable to parse boolean option.")
    if key in SCHEDULES:
        problem = schedule_problem(value)
        if problem:
            raise parameter(key, problem)
    if key in NUMBERS:
        problem = number_problem(value, NUMBERS[key])
        if problem:
            raise parameter(key, problem)
    if key in KEYS:
        problem = properties_problem(value, KEYS[key])
        if problem:
            raise parameter(key, problem)
    if key == "comment" and re.search(r"[\x00-\x1f\x7f]", value):
        raise parameter(key, "value does not match the regex pattern")
    if key == "digest" and not re.fullmatch(r"[0-9a-f]{64}", value):
        raise parameter(key, "value does not match the regex pattern")
    if key == "output-format" and value not in ("text", "json", "json-pretty"):
        raise parameter(key, f"value '{value}' is not defined in the enumeration.")
