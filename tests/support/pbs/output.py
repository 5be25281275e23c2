# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the manager prints: JSON, or tables of text."""

from __future__ import annotations

import json
from typing import Any

from .configuration import Section
from .options import BOOLEANS, NUMBERS, boolean

SHOW_ORDER = ["name", "path", "comment"]


def emit(value: Any, options: dict[str, Any], columns: list[str], key: str) -> None:
    style = options.get("output-format", "text")
    if style == "json":
        print(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
    elif style == "json-pretty":
        print(json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False))
    elif isinstance(value, list):
        if value:
            rows = sorted(value, key=lambda row: row[key])
            table(columns, [[str(row.get(column, "")) for column in columns] for row in rows])
    else:
        rest = sorted(set(value) - set(SHOW_ORDER))
        table(["Name", "Value"], [[name, plain(value[name])] for name in [*SHOW_ORDER, *rest] if name in value])


def plain(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def table(head: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def rule(left: str, line: str, cross: str, right: str) -> str:
        return left + cross.join(line * (width + 2) for width in widths) + right

    def text(row: list[str]) -> str:
        return "│" + "│".join(f" {cell.ljust(width)} " for cell, width in zip(row, widths)) + "│"

    print(rule("┌", "─", "┬", "┐"))
    print(text(head))
    print(rule("╞", "═", "╪", "╡"))
    for number, row in enumerate(rows):
        if number:
            print(rule("├", "─", "┼", "┤"))
        print(text(row))
    print(rule("└", "─", "┴", "┘"))


def shown(section: Section, identifier: str, name: str) -> dict[str, Any]:
    result: dict[str, Any] = {name: identifier}
    for key, value in section.items():
        result[key] = boolean(value) if key in BOOLEANS else int(value) if key in NUMBERS else value
    return result
