# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's commands on traffic control rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import entries
from .configuration import Lock
from .entries import COMMENT, USER, Option
from .environment import VERSION_NUMBERS
from .options import Failure, parameter

FILE, LOCK = "traffic-control.cfg", "traffic-control"
_OCTET = r"(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_NETWORK = rf"{_OCTET}(\.{_OCTET}){{3}}/\d{{1,2}}|[0-9a-fA-F:]*:[0-9a-fA-F:.]*/\d{{1,3}}"
_RATES = ("rate-in", "burst-in", "rate-out", "burst-out")

OPTIONS = {
    "network": Option(entries.matches(_NETWORK), repeats=True, required=True, deletable=False),
    **{name: Option(entries.byte_size) for name in _RATES},
    "timeframe": Option(entries.daily_duration, repeats=True),
    "comment": COMMENT,
}
if VERSION_NUMBERS >= (4, 1):
    OPTIONS["users"] = Option(USER, repeats=True)
KINDS = {"rule": OPTIONS}
_COLUMNS = ["name", *_RATES, "network", "timeframe", "comment"]
_ORDER = ["name", "network", "comment", "timeframe"]


def _create(words: list[str]) -> None:
    name, given = entries.take(words, OPTIONS)
    entries.require(given, OPTIONS)
    with Lock(LOCK):
        rules = entries.read_entries(FILE, KINDS)
        if name in rules:
            raise parameter("name", f"traffic control rule '{name}' already exists.", usage=False)
        rules[name] = ("rule", given)
        entries.write_entries(FILE, rules)


def _update(words: list[str]) -> None:
    name, given = entries.take(words, OPTIONS, ("delete", "digest"))
    for key in given.get("delete", []):
        if key not in OPTIONS or not OPTIONS[key].deletable:
            raise parameter("delete", f"value '{key}' is not defined in the enumeration.")
    with Lock(LOCK):
        rules = entries.read_entries(FILE, KINDS)
        entries.digest_of(given, FILE)
        entries.apply(_known(rules, name), given, OPTIONS)
        entries.write_entries(FILE, rules)


def _remove(words: list[str]) -> None:
    name, given = entries.take(words, {}, ("digest",))
    with Lock(LOCK):
        rules = entries.read_entries(FILE, KINDS)
        entries.digest_of(given, FILE)
        if name not in rules:
            raise Failure(f"traffic control rule '{name}' does not exist.")
        del rules[name]
        entries.write_entries(FILE, rules)


def _known(rules: entries.Entries, name: str) -> entries.Values:
    if name not in rules:
        raise Failure(f"no such rule '{name}'")
    return rules[name][1]


def _row(name: str, values: entries.Values) -> dict[str, Any]:
    return {"name": name, **entries.typed(values, OPTIONS)}


def _list(words: list[str]) -> None:
    _rest, style = entries.output_format(words)
    rules = entries.read_entries(FILE, KINDS)
    entries.emit_list([_row(name, values) for name, (_kind, values) in rules.items()], style, _COLUMNS)


def _show(words: list[str]) -> None:
    rest, style = entries.output_format(words)
    name, _given = entries.take(rest, {})
    entries.emit_one(_row(name, _known(entries.read_entries(FILE, KINDS), name)), style, _ORDER)


def _traffic(words: list[str]) -> None:
    """Nothing runs here, so every rate is zero."""
    _rest, style = entries.output_format(words)
    rules = entries.read_entries(FILE, KINDS)
    rows = [{**_row(name, values), "cur-rate-in": 0, "cur-rate-out": 0} for name, (_kind, values) in rules.items()]
    entries.emit_list(rows, style, ["name", "cur-rate-in", "cur-rate-out"])


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "create": _create,
    "update": _update,
    "remove": _remove,
    "list": _list,
    "show": _show,
    "traffic": _traffic,
}
