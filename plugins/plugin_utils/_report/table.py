# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table at the end of a play: what is wrong where, and the first thing to do about it."""

from __future__ import annotations

import typing as t
import unicodedata

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.fleet import Fleet
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.model import spread
from ansible_collections.fleetops.pbs.plugins.plugin_utils._summary import whole_or_none

WIDTH = 80
NARROWEST = 40
NARROW = 60
"""Below this many columns, a row has no counts."""
ROWS = 20
REMEDY_LINES = 2
LEFT_OUT = 20
"""Lines about files that are not in the report."""

# What Ansible's own colours mean: changed, error, ...; names of constants in its configuration.
COLOURS = {"fail": "COLOR_ERROR", "unknown": "COLOR_UNREACHABLE", "warn": "COLOR_WARN", "ok": "COLOR_OK"}


class Line(t.NamedTuple):
    text: str
    colour: str = ""
    """The name of a setting of Ansible, or nothing."""


def table(fleet: Fleet, rows: int = ROWS, width: int = WIDTH) -> list[Line]:
    """The lines, none of them wider than `width` columns (at least `NARROWEST`) but those of commands, which are never
    wrapped or cut."""
    width = max(NARROWEST, width)
    lines = [Line(part, COLOURS[fleet.counts.state]) for part in wrap(headline(fleet), width)]
    earlier = sorted(host.finished for host in fleet.hosts if host.earlier and host.has_document)
    if earlier:
        hosts = "1 of them was" if len(earlier) == 1 else f"{len(earlier):,} of them were"
        lines += [Line(part) for part in wrap(f"{hosts} not asked in this run, last seen {_span(earlier)}.", width)]
    problems = [(host, store) for host in fleet.worst_first for store in host.stores if store.counts.state != "ok"]
    problems.sort(key=lambda pair: pair[1].counts.badness())
    shown = spread(problems, rows, lambda pair: pair[0].name)
    if shown:
        row = _Row(
            _column((host.name for host, _store in shown), "HOST", 24 if width >= WIDTH else max(8, width // 4)),
            _column(
                (store.name or "(host)" for _host, store in shown), "DATASTORE", 22 if width >= WIDTH else width // 4
            ),
            width >= NARROW,
        )
        lines.append(Line(row.text("HOST", "DATASTORE", "WORST", ("FAIL", "?", "WARN"))))
        for host, store in shown:
            counts = store.counts
            numbers = [counts[status] or "." for status in ("fail", "unknown", "warn")]
            worst = counts.worst or ("unknown" if counts["unknown"] else "warning")
            lines.append(Line(row.text(host.name, store.name or "(host)", worst, numbers), COLOURS[counts.state]))
            if host.earlier:
                lines.append(Line(f"    Last seen {_minute(host.last_seen)}." if host.last_seen else "    Never seen."))
            if store.first:
                lines += [Line(part) for part in wrap(store.first, width, "    ", REMEDY_LINES)]
            # Somebody will copy a command: it stands on one line, whole, however long it is.
            lines += [Line("    " + whole_or_none(command)) for command in store.first_commands]
    if len(problems) > len(shown):
        lines.append(Line(f"… and {format(len(problems) - len(shown), ',')} more with problems"))
    for finding in fleet.findings:
        text = f"{finding.control} {finding.status}: {finding.message}"
        lines += [Line(part, COLOURS.get(finding.status, "")) for part in wrap(text, width)]
    for path, reason in fleet.left_out[:LEFT_OUT]:
        lines += [Line(part, COLOURS["unknown"]) for part in wrap(f"Left out: {path}: {reason}", width)]
    if len(fleet.left_out) > LEFT_OUT:
        lines.append(Line("… and %s more that were left out" % format(len(fleet.left_out) - LEFT_OUT, ",")))
    return lines


class _Row(t.NamedTuple):
    """How the rows are laid out."""

    host: int
    datastore: int
    has_counts: bool

    def text(self, host: str, datastore: str, worst: str, counts: t.Iterable[t.Any]) -> str:
        begin = f"{fit(host, self.host)}  {fit(datastore, self.datastore)}  {worst:<8}"
        return (begin + "".join(f" {count:>5}" for count in counts) if self.has_counts else begin).rstrip()


def _span(times: t.Sequence[str]) -> str:
    first, last = _minute(times[0]), _minute(times[-1])
    return first if first == last else f"{first} to {last}"


def _minute(moment: str) -> str:
    return f"{moment[:10]} {moment[11:16]} UTC"


def headline(fleet: Fleet) -> str:
    """The fleet in one line."""
    states = fleet.hosts_by_state()
    parts = [
        f"{format(number, ',')} {word}"
        for number, word in (
            (states["fail"], "failed"),
            (states["unknown"], "unknown"),
            (states["warn"], "with warnings"),
            (states["ok"], "fine"),
            (states["none"], "without a datastore"),
            (states["not_asked"], "not asked"),
        )
        if number
    ]
    hosts = len(fleet.hosts)
    return f"{format(hosts, ',')} host{'' if hosts == 1 else 's'}: {', '.join(parts) or 'no documents'}"


def _column(values: t.Iterable[str], title: str, most: int) -> int:
    return min(most, max(len(title), *(columns(value) for value in values)))


def columns(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return len(text) if text.isascii() else sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def wrap(text: str, width: int, begin: str = "", most: int = 4) -> list[str]:
    """The words of a text on lines of at most `width` columns, `most` of them; the later ones are indented."""
    indent = begin or "    "
    lines: list[str] = []
    line = begin
    for word in _pieces(text, width - len(indent)):
        joined = line + word if not line.strip() else line + " " + word
        if columns(joined) > width:
            lines.append(line)
            joined = indent + word
        line = joined
    lines.append(line)
    if len(lines) > most:
        lines = [*lines[: most - 1], _cut(lines[most - 1], width - 1).rstrip() + "…"]
    return lines


def _pieces(text: str, room: int) -> t.Iterator[str]:
    """The words; those that no line can hold, such as long paths, in pieces."""
    for word in text.split():
        rest = word
        while rest:
            piece = _cut(rest, room)
            yield piece
            rest = rest[len(piece) :]


def _cut(word: str, room: int) -> str:
    """As much of the beginning as takes `room` columns, at least one character."""
    used = 0
    for number, char in enumerate(word):
        used += _columns(char)
        if used > room:
            return word[: max(1, number)]
    return word


def fit(text: str, width: int) -> str:
    """Exactly `width` columns: filled with spaces, or cut and marked with `…`."""
    if columns(text) <= width:
        return text + " " * (width - columns(text))
    used, kept = 0, []
    for char in text:
        if used + _columns(char) > width - 1:
            break
        used += _columns(char)
        kept.append(char)
    return "".join(kept) + "…" + " " * (width - 1 - used)
