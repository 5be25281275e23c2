# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The summary of one document for the terminal."""

from __future__ import annotations

import textwrap
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

MARKS = {
    "fail": ("FAIL", "red"),
    "unknown": ("UNKNOWN", "purple"),
    "warn": ("WARN", "yellow"),
    "waived": ("WAIVED", "dark gray"),
    "fixed": ("FIXED", "green"),
}
"""Word and colour of the statuses whose findings are shown, in this order; other findings are only counted."""

COUNTED = (("pass", "passed"), ("skip", "did not apply"))
SEVERITIES = ("info", "low", "medium", "high", "critical")
INDENT = 4

MAX_LINES = 500
"""Lines for one host, and the line that says how many more there are."""

MAX_LINE = 4000
"""Characters of a line. A host chooses how long its texts are."""

Paint = t.Callable[[str, t.Optional[str]], str]


def plain(text: str, _colour: t.Optional[str]) -> str:
    """No colours."""
    return text


def summary(document: t.Mapping[str, t.Any], headline: str, width: int, paint: Paint = plain) -> str:
    """Lines for one host: the headline, then each datastore with its problems, worst first.

    `document` comes from a host, and has passed `_report.documents.checked`.
    """
    width = max(40, min(width, 120))
    more = 0
    lines = [paint(line, _headline_colour(document)) for line in _wrap(f"{document['host']}: {headline}", width, 2)]
    for name, path, findings in _groups(document):
        shown = _worst_first(findings)
        if not shown and name is None:
            continue
        title = "this host" if name is None else f"{display(name)} ({display(path[:MAX_LINE])})"
        lines.append(paint(_cut(f"  {title}: {_counts(findings)}"), None if shown else "green"))
        same: dict[tuple[str, ...], list[t.Mapping[str, t.Any]]] = {}
        for finding in shown:
            # A datastore that does not answer leaves most controls unknown, all with the same message.
            key = (finding["status"], finding["message"], *_waiver(finding))
            same.setdefault(key, []).append(finding)
        for alike in same.values():
            if len(lines) < MAX_LINES:
                lines += _finding(alike, width, paint)
            else:
                more += len(alike)
    del lines[MAX_LINES:]
    if more:
        lines.append("  … and %s more findings: see the report" % format(more, ","))
    return "\n".join(lines)


def _headline_colour(document: t.Mapping[str, t.Any]) -> t.Optional[str]:
    statuses = {finding["status"] for finding in document["findings"]}
    if "fail" in statuses:
        return "red"
    return "yellow" if statuses & {"unknown", "warn"} else "green"


def _groups(
    document: t.Mapping[str, t.Any],
) -> t.Iterator[tuple[t.Optional[str], str, list[t.Mapping[str, t.Any]]]]:
    by_name: dict[t.Optional[str], list[t.Mapping[str, t.Any]]] = {}
    for finding in document["findings"]:
        by_name.setdefault(finding["datastore"], []).append(finding)
    yield None, "", by_name.get(None, [])
    for store in document["datastores"]:
        yield store["name"], str(store.get("path", "")), by_name.get(store["name"], [])


def _waiver(finding: t.Mapping[str, t.Any]) -> tuple[str, str]:
    """The last day and the justification of a waiver; empty if there is none."""
    waiver = finding["waiver"] or {}
    return str(waiver.get("until", "")), str(waiver.get("justification", ""))


def _worst_first(findings: t.Sequence[t.Mapping[str, t.Any]]) -> list[t.Mapping[str, t.Any]]:
    order = list(MARKS)
    shown = [finding for finding in findings if finding["status"] in MARKS]
    return sorted(shown, key=lambda f: (order.index(f["status"]), -SEVERITIES.index(f["severity"]), f["control"]))


def _counts(findings: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    statuses = [finding["status"] for finding in findings]
    parts = ["%d %s" % (statuses.count(status), MARKS[status][0].lower()) for status in MARKS if status in statuses]
    parts += ["%d %s" % (statuses.count(status), word) for status, word in COUNTED if status in statuses]
    return ", ".join(parts)


def _finding(alike: t.Sequence[t.Mapping[str, t.Any]], width: int, paint: Paint) -> list[str]:
    first = alike[0]
    word, colour = MARKS[first["status"]]
    ids = ", ".join(finding["control"] for finding in alike)
    if first["waiver"]:
        text = "%s %s until %s: %s" % (word, ids, *_waiver(first))
        return [paint(line, colour) for line in _wrap(text, width, INDENT)]
    lines = [paint(line, colour) for line in _wrap(f"{word} {ids} ({first['severity']})", width, INDENT)]
    lines += _wrap(first["message"], width, INDENT + 2)
    if first["remedy"]:
        lines += _wrap("-> " + first["remedy"], width, INDENT + 2)
    # Unbroken, each on its own line, so that they can be copied.
    lines += [" " * (INDENT + 4) + whole_or_none(display(command)) for command in first.get("commands") or ()]
    return lines


def whole_or_none(command: str) -> str:
    """A command for the terminal. Half of one must not be copied."""
    if len(command) > MAX_LINE:
        return "(a command of %s characters: see the report)" % format(len(command), ",")
    return command


def _wrap(text: str, width: int, indent: int) -> list[str]:
    """Wrap a text. Paths are never broken, even if they are longer than a line, so that they can be copied.

    The document comes from a host that may be hostile: nothing in it may control the terminal.
    """
    lines = textwrap.wrap(
        display(text[: MAX_LINES * MAX_LINE]),
        width,
        initial_indent=" " * indent if indent > 2 else "",
        subsequent_indent=" " * (indent if indent > 2 else 2),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [_cut(line) for line in lines]


def _cut(line: str) -> str:
    return line if len(line) <= MAX_LINE else line[: MAX_LINE - 1] + "…"
