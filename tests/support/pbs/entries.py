# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration entries whose options are a table: their command line, their files, their output.

For files with lists and with sections of several types, such as notifications.cfg and traffic-control.cfg.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from .arguments import check_name
from .configuration import check_digest
from .environment import ETC, SHOWN_ETC
from .options import Failure, UsageFailure, boolean, number_problem, parameter
from .output import table
from .rules import backup_ids, system_error

Values = dict[str, list[str]]
"""The lines of a section by key: one for each item of a list, exactly one for anything else."""

Entries = dict[str, tuple[str, Values]]
"""Type and values of each section, by its name, in the order of the file."""


@dataclasses.dataclass(frozen=True)
class Option:
    """One option. check: the text that is stored; raises ValueError with PBS's words. kind: as in a usage text."""

    check: Callable[[str], str] = str
    kind: str = "<string>"
    repeats: bool = False
    required: bool = False
    deletable: bool = True
    secret: bool = False
    late: bool = False
    """Whether the check is not made by the command line itself: an error without a usage text, and with its words only."""


Options = Mapping[str, Option]


# --- checks -----------------------------------------------------------------------------------------------------------


def matches(pattern: str, low: int = 0, high: int | None = None) -> Callable[[str], str]:
    def check(text: str) -> str:
        if len(text) < low:
            raise ValueError(f"value must be at least {low} characters long")
        if high is not None and len(text) > high:
            raise ValueError(f"value may only be {high} characters long")
        if not re.fullmatch(pattern, text):
            raise ValueError("value does not match the regex pattern")
        return text

    return check


def flag(text: str) -> str:
    value = boolean(text)
    if value is None:
        raise ValueError("Unable to parse boolean option.")
    return str(value).lower()


def number(low: int, high: int) -> Callable[[str], str]:
    def check(text: str) -> str:
        problem = number_problem(text, (low, high))
        if problem:
            raise ValueError(problem)
        return str(int(text))

    return check


def one_of(*words: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in words:
            raise ValueError(f"value '{text}' is not defined in the enumeration.")
        return text

    return check


def byte_size(text: str) -> str:
    """A size with its unit, as it is written back: `10MB` is `10 MB`, `1024` is `1024 B`."""
    match = re.fullmatch(r"\s*([0-9.]+)\s*([kmgtp]?i?)b?\s*", text, re.IGNORECASE)
    if match is None:
        raise ValueError(f"byte-size parse error for '{text}': invalid float literal")
    amount, unit = match.groups()
    value = float(amount)
    return f"{int(value) if value == int(value) else value} {unit[:1].upper()}{'i' if unit[1:] else ''}B"


def daily_duration(text: str) -> str:
    days = "mon|tue|wed|thu|fri|sat|sun"
    words = text.split()
    if words and words[0][0].isalpha():
        if not re.fullmatch(rf"({days})[a-z]*((\.\.|,)({days})[a-z]*)*", words[0].lower()):
            raise ValueError(f"unable to parse daily duration at '{text}' - Context(\"weekday\")")
        words = words[1:]
    match = re.fullmatch(r"(\d{1,2})(?::(\d\d?))?\s*-\s*(\d{1,2})(?::(\d\d?))?", " ".join(words))
    if match is None:
        raise ValueError(f"unable to parse daily duration at '{text}' - Context(\"time\")")
    numbers = [int(part or 0) for part in match.groups()]
    if max(numbers[0], numbers[2]) > 23 or max(numbers[1], numbers[3]) > 59 or numbers[:2] > numbers[2:]:
        raise ValueError(f"unable to parse daily duration at '{text}' - end time before start time")
    return text


COMMENT = Option(matches(r"[^\x00-\x1f\x7f]*", high=128))
USER = matches(r"[^\s:/\x00-\x1f\x7f]+@[A-Za-z0-9_][A-Za-z0-9._-]*", 3, 64)


# --- command line -----------------------------------------------------------------------------------------------------


def take(
    words: list[str], options: Options, extra: tuple[str, ...] = (), low: int = 3, key_name: str = "name"
) -> tuple[str, Values]:
    """The name, and the options as PBS takes them, checked. extra: further options with any value, such as `digest`.

    key_name: what the name is called in errors.
    """
    given: Values = {}
    rest: list[str] = []
    missing: list[str] = []
    words = list(words)
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            rest.append(word)
            continue
        key, equals, value = word.lstrip("-").partition("=")
        if not equals:
            following = words[0] if words and not words[0].startswith("-") else None
            if key in options and options[key].kind == "<boolean>":
                value = words.pop(0) if following is not None and boolean(following) is not None else "true"
            elif following is None:
                missing.append(key)
                continue
            else:
                value = words.pop(0)
        if key not in options and key not in extra:
            raise parameter(key, "schema does not allow additional properties.")
        repeats = key == "delete" or (key in options and options[key].repeats)
        if key in given and not repeats:
            raise parameter(key, "parameter specified more than once.")
        given.setdefault(key, []).append(value)
    if missing[1:]:
        lines = "".join(f"\n- '{key}': missing parameter value." for key in missing)
        raise UsageFailure(f"parameter verification failed:{lines}")
    if missing:
        raise parameter(missing[0], "missing parameter value.")
    if not rest:
        raise parameter(key_name, "missing argument")
    if rest[1:]:
        raise UsageFailure("got additional arguments: " + json.dumps(rest[1:], separators=(", ", ":")))
    if len(rest[0]) >= low:
        check_name(key_name, rest[0].ljust(3, "_"))
    else:
        raise parameter(key_name, f"value must be at least {low} characters long")
    for late in (False, True):
        for key in given:
            if key in options and options[key].late == late:
                given[key] = [_checked(key, options[key], value) for value in given[key]]
    return rest[0], given


def _checked(key: str, option: Option, value: str) -> str:
    try:
        return option.check(value)
    except ValueError as problem:
        raise (Failure(str(problem)) if option.late else parameter(key, str(problem))) from None


def require(given: Values, options: Options) -> None:
    for key in sorted(options):
        if options[key].required and key not in given:
            raise parameter(key, "parameter is missing and it is not optional.")


def apply(values: Values, given: Values, options: Options) -> None:
    """An update: deletions first, then what is set; a comment is trimmed, and an empty one goes."""
    for key in given.get("delete", []):
        if key not in options or not options[key].deletable:
            raise parameter("delete", f"value '{key}' is not defined in the enumeration.")
    for key in given.get("delete", []):
        values.pop(key, None)
    for key, value in given.items():
        if key in options:
            values[key] = value
    if "comment" in given:
        values["comment"] = [given["comment"][0].strip()]
        if not values["comment"][0]:
            del values["comment"]


def digest_of(given: Values, file: str) -> None:
    if "digest" in given:
        if not re.fullmatch(r"[0-9a-f]{64}", given["digest"][0]):
            raise parameter("digest", "value does not match the regex pattern")
        check_digest({"digest": given["digest"][0]}, file)


# --- files ------------------------------------------------------------------------------------------------------------


def read_entries(file: str, kinds: Mapping[str, Options]) -> Entries:
    try:
        data = (ETC / file).read_text()
    except FileNotFoundError:
        return {}
    except PermissionError:
        raise Failure(f"unable to read '\"{SHOWN_ETC}/{file}\"' - Permission denied (os error 13)") from None
    entries: Entries = {}
    current: tuple[str, Values] | None = None
    for number_of_line, line in enumerate(data.split("\n"), 1):
        broken = f'parsing "{SHOWN_ETC}/{file}" failed: line {number_of_line} - '
        if not line.strip():
            current = None
        elif current is None:
            kind, colon, name = line.partition(":")
            if not colon or kind not in kinds:
                raise Failure(broken + "syntax error (expected header)")
            current = entries[name.strip()] = (kind, {})
        else:
            key, _space, value = line.strip().partition(" ")
            if key not in kinds[current[0]]:
                raise Failure(broken + f"unknown property '{key}'")
            current[1].setdefault(key, []).append(value.strip())
    return entries


def write_entries(file: str, entries: Entries, mode: int = 0o640) -> None:
    text = "\n".join(
        f"{kind}: {name}\n" + "".join(f"\t{key} {value}\n" for key in sorted(values) for value in values[key])
        for name, (kind, values) in entries.items()
    )
    new = ETC / f".{file}.new"
    new.write_text(text)
    new.chmod(mode)
    try:
        os.chown(new, 0, backup_ids()[1] if mode & 0o040 else 0)
    except PermissionError as error:
        new.unlink()
        raise Failure(f'fchown "{SHOWN_ETC}/{file}.tmp_XXXXXX" failed: {system_error(error)}') from None
    new.replace(ETC / file)


def usage(command: str, key: str, options: Options, deletable: bool = False) -> None:
    """As `help` prints it, without the descriptions."""
    needed = sorted(name for name, option in options.items() if option.required)
    rest = {name: option.kind for name, option in options.items() if not option.required}
    if deletable:
        rest.update(delete="|".join(name for name, option in options.items() if option.deletable), digest="<string>")
        rest.update({name: options[name].kind for name in needed})
        needed = []
    print(f"Usage: {command} <{key}>{''.join(f' --{name} {options[name].kind}' for name in needed)} [OPTIONS]\n")
    print("\n".join(f" --{name:<8} {options[name].kind}" for name in needed))
    print("\nOptional parameters:\n")
    print("\n".join(f" --{name:<8} {rest[name]}" for name in sorted(rest)))


# --- output -----------------------------------------------------------------------------------------------------------


def typed(values: Values, options: Options) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for key, lines in values.items():
        kind = options[key].kind
        if options[key].repeats:
            shown[key] = list(lines)
        else:
            shown[key] = (
                boolean(lines[0]) if kind == "<boolean>" else int(lines[0]) if kind == "<integer>" else lines[0]
            )
    return shown


def cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return json.dumps(value, separators=(",", ":")) if isinstance(value, list) else str(value)


def output_format(words: list[str]) -> tuple[list[str], str]:
    """The other words, and the format."""
    words = list(words)
    if "--output-format" not in words:
        return words, "text"
    place = words.index("--output-format")
    style = words[place + 1]
    one_of("text", "json", "json-pretty")(style)
    return words[:place] + words[place + 2 :], style


def emit_list(rows: list[dict[str, Any]], style: str, columns: list[str], key: str = "name") -> None:
    if style == "json":
        print(json.dumps(rows, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
    elif rows:
        rows = sorted(rows, key=lambda row: row[key])
        table(columns, [[cell(row[column]) if column in row else "" for column in columns] for row in rows])


def emit_one(row: dict[str, Any], style: str, order: list[str]) -> None:
    if style == "json":
        print(json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
    else:
        names = [*(name for name in order if name in row), *sorted(set(row) - set(order))]
        table(["Name", "Value"], [[name, cell(row[name])] for name in names])
