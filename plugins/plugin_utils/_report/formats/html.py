# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""report.html: one file that needs nothing but a browser.

What needs no script (the numbers, the hosts, worst first) is plain HTML, from the templates in `page`. For
the rest the page carries the fleet in a compact form: a character for each cell of the matrix, every problem with its
message, and for each host one line of compressed JSON with all that its findings say, which is unpacked when somebody
looks at it. The script is in parts by subject (`page/script`), and is in the page as one.
"""

from __future__ import annotations

import array
import base64
import hashlib
import os
import re
import typing as t
import zlib

from markupsafe import Markup

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import SEVERITIES
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report import overview, templates, timeline
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.controls import (
    SEVERITY_MEANINGS,
    STATUS_MEANINGS,
    documentation_of,
    scope_of,
)
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.fleet import Fleet
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats import status
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.base import (
    FLEET,
    Format,
    HostPart,
    Item,
    quoted,
    to_json,
)
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.trend import chart
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.model import (
    NOT_ASKED,
    NOTHING,
    PROBLEMS,
    STATUS_ORDER,
    Counts,
    Finding,
    Host,
)
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.outlook import OUTCOMES

ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NO_CELL = len(ALPHABET)
SCRIPT = (
    "text",
    "fleet",
    "filters",
    "address",
    "list",
    "matrix",
    "finding",
    "views",
    "csv",
    "printing",
    "start",
)
"""The parts of the script, in their order."""
_STATUS_INDEX = {name: number for number, name in enumerate(STATUS_ORDER)}
_SEVERITY_INDEX = {name: number for number, name in enumerate(SEVERITIES)}
_QUIET = ("pass", "skip")
_PAGE = os.path.join(templates.DIRECTORY, "page")
_WORST_HOSTS = 12
_WORDS = {
    "fail": "failed",
    "unknown": "unknown",
    "warn": "warnings",
    "waived": "waived",
    "fixed": "fixed",
    "pass": "passed",
    "skip": "skipped",
}
_STATE_WORDS = {
    "fail": "failed",
    "unknown": "unknown",
    "warn": "with warnings",
    "ok": "fine",
    "none": "without a datastore",
    "not_asked": "not asked",
}
_LAMPS = {status.OK: "ok", status.WARNING: "warn", status.CRITICAL: "fail", status.UNKNOWN: "unknown"}
_VERDICTS = {
    status.OK: "No host has a problem.",
    status.WARNING: "Nothing urgent, but something to look at.",
    status.CRITICAL: "The next garbage collection is not safe everywhere.",
    status.UNKNOWN: "Not everything could be judged.",
}
_PARTLY_CHECKED = "No datastore that was checked has a problem."
_OUTCOME_KINDS = {"stops": "fail", "refused": "fail", "unknown": "unknown", "sweeps": "pass"}
_COPY_WORDS = {"fail": "old or failing", "unknown": "not known", "warn": "failed once", "pass": "fresh"}
_WAIVER_KINDS = {"in force": "waived", "expired": "fail", "unused": "warn"}


_LARGE = re.compile(r"(?<![.\d])\d{16}")
_LARGEST = 2**53


def _exact(item: Item) -> str:
    """The evidence for a script, whose numbers are exact up to 2^53 only: larger ones (times in ns) become text."""
    text = item.evidence
    return to_json(_as_text(item.finding.evidence)) if _LARGE.search(text) else text


def _as_text(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: _as_text(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_text(inner) for inner in value]
    return str(value) if isinstance(value, int) and abs(value) > _LARGEST else value


def asset(name: str) -> str:
    """The text of a file of the page, without its licence."""
    with open(os.path.join(_PAGE, name), encoding="utf-8") as stream:
        return stream.read().split("\n\n", 1)[1].strip() + "\n"


def script() -> str:
    """All parts of the script as one function, so that their names are private."""
    parts = "\n".join(asset(f"script/{name}.js") for name in SCRIPT)
    return f'"use strict";\n(() => {{\n{parts}}})();\n'


def _hash(text: str) -> str:
    """For the policy of the page: only this very text may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


class _Problems:
    """The findings that somebody may want to see at once, column by column; a text that repeats is stored once."""

    COLUMNS = ("host", "place", "control", "status", "severity", "message", "remedy", "commands")

    def __init__(self) -> None:
        self.columns = {name: array.array("i") for name in self.COLUMNS}
        self.strings: dict[str, int] = {"": 0}
        self._appenders = [self.columns[name].append for name in self.COLUMNS]

    def add(self, host: int, place: int, control: int, state: int, severity: int, finding: Finding) -> None:
        texts = map(self._string, (finding.message, finding.remedy, "\n".join(finding.commands)))
        for append, value in zip(self._appenders, (host, place, control, state, severity, *texts)):
            append(value)

    def _string(self, text: str) -> int:
        return self.strings.setdefault(text, len(self.strings))


class Html(Format):
    filename = "report.html"

    def begin(self) -> None:
        self._control_index = {control.id: number for number, control in enumerate(self.fleet.controls)}
        self._hosts: list[Markup] = []
        self._problems = _Problems()
        self._by_control: dict[str, Counts] = {}
        self._script = script()
        style = asset("page.css")
        code = status.code(self.fleet, self.context.fail_on, self.context.fail_on_unknown)
        self._render(
            "begin.html.j2",
            fleet=self.fleet,
            totals=self.fleet.totals(),
            state=_LAMPS[code],
            verdict=_VERDICTS[code] if code or not self._is_partly_checked() else _PARTLY_CHECKED,
            style=style,
            policy=f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(self._script)}; base-uri 'none'; form-action 'none'; "
            "require-trusted-types-for 'script'",
            words=_WORDS,
            state_words=_STATE_WORDS,
            host_shares=list(_shares(self.fleet)),
            problem_hosts=[host for host in self.fleet.worst_first if host.counts.state != "ok"],
            most_hosts=_WORST_HOSTS,
            outlook=overview.fleet_outlook(self.fleet),
            alone=self.fleet.without_copy(),
            copy_words=_COPY_WORDS,
            scheduled=[host for host in self.fleet.worst_first if host.schedules],
            most_timelines=timeline.MOST_HOSTS,
            outcomes=OUTCOMES,
            outcome_kinds=_OUTCOME_KINDS,
            name=self.context.name,
            problems=sum(self.fleet.counts[status_] for status_ in PROBLEMS),
        )

    def _is_partly_checked(self) -> bool:
        return any(host.state in (NOTHING, NOT_ASKED) for host in self.fleet.hosts)

    def _render(self, template: str, **values: t.Any) -> None:
        templates.write(self.stream, templates.html(), template, **values)

    def about_fleet(self, items: t.Sequence[Item]) -> None:
        self._add(Host(FLEET, self.fleet.counts, []), items, True)

    def host(self, part: HostPart) -> None:
        self._add(part.host, part.items, False)

    def _add(self, host: Host, items: t.Sequence[Item], is_fleet: bool) -> None:
        number = len(self._hosts)
        stores = host.datastores
        places = {"": 0, **{store: place for place, store in enumerate(stores, 1)}}
        columns = len(self._control_index)
        cells: dict[int, int] = {}
        details = []
        for item in items:
            finding = item.finding
            self._by_control.setdefault(finding.control, Counts()).add(finding.status, finding.severity)
            place = places[finding.datastore]
            control = self._control_index[finding.control]
            state = _STATUS_INDEX[finding.status]
            severity = _SEVERITY_INDEX[finding.severity]
            cell = place * columns + control
            if state < cells.get(cell, _NO_CELL) // len(SEVERITIES):
                cells[cell] = state * len(SEVERITIES) + severity
            details.append(_detail(item, place, control, state, severity))
            if finding.status not in _QUIET:
                self._problems.add(number, place, control, state, severity, finding)
        about = {
            "name": host.name,
            "finished": host.finished,
            "pbs_version": host.pbs_version,
            "reason": host.reason,
            "datastores": stores,
            "cells": _in_characters(cells),
            "rank": -1 if is_fleet else self.fleet.ranks[host.name],
            "is_fleet": is_fleet,
        }
        self._hosts.append(templates.for_script(about))
        packed = zlib.compressobj(6, zlib.DEFLATED, -15)
        data = packed.compress(f"[{','.join(details)}]".encode()) + packed.flush()
        self.stream.write(base64.b64encode(data).decode() + "\n")

    def end(self) -> None:
        data = {
            "generated": self.fleet.generated,
            "statuses": STATUS_ORDER,
            "words": _WORDS,
            "severities": SEVERITIES,
            "alphabet": ALPHABET,
            "controls": [
                {
                    "id": control.id,
                    "title": control.title,
                    "severity": control.severity,
                    "scope": scope_of(control),
                    "why": control.why,
                    "behaviour": control.behaviour,
                    "standards": control.standards,
                    "documentation": documentation_of(control),
                }
                for control in self.fleet.controls
            ],
            "strings": list(self._problems.strings),
            "problems": {name: column.tolist() for name, column in self._problems.columns.items()},
        }
        # What was fixed in this very run is known only now.
        self._render(
            "end.html.j2",
            data=data,
            hosts=self._hosts,
            script=self._script,
            version=self.context.version,
            fixed=self.context.fixed(),
            fleet=self.fleet,
            fail_on=self.context.fail_on,
            fail_on_unknown=self.context.fail_on_unknown,
            words=_WORDS,
            state_words=_STATE_WORDS,
            by_control=[
                (control, self._by_control[control.id])
                for control in self.fleet.controls
                if control.id in self._by_control
            ],
            standards=overview.standards(self.fleet.controls, self._by_control),
            coverage=overview.coverage(self.fleet),
            asked_groups=overview.asked_groups(self.fleet),
            trend=chart(self.context.trend),
            waivers=[use.as_dict() for use in self.fleet.waivers],
            waiver_kinds=_WAIVER_KINDS,
            severity_meanings=SEVERITY_MEANINGS,
            status_meanings=STATUS_MEANINGS,
        )


def _in_characters(cells: t.Mapping[int, int]) -> str:
    """The codes of a host's cells, a character each, row by row. What was not asked is not there one by one: `~120~` stands
    for 120 of such cells, so that no host makes the page large by the number of its datastores times that of its controls.
    """
    parts: list[str] = []
    after = 0
    for cell in sorted(cells):
        if cell > after:
            parts.append(f"~{cell - after}~")
        parts.append(ALPHABET[cells[cell]])
        after = cell + 1
    return "".join(parts)


def _detail(item: Item, place: int, control: int, state: int, severity: int) -> str:
    """A finding as the page packs it: JSON, without the fields that have nothing to say."""
    finding = item.finding
    parts = [
        '{"place":%d,"control":%d,"status":%d,"severity":%d,"message":%s'
        % (place, control, state, severity, quoted(finding.message))
    ]
    if finding.remedy:
        parts.append(',"remedy":' + quoted(finding.remedy))
    if finding.commands:
        parts.append(',"commands":' + to_json(finding.commands))
    if finding.evidence:
        parts.append(',"evidence":' + _exact(item))
    if finding.waiver:
        parts.append(',"waiver":' + to_json(finding.waiver))
    if finding.since:
        parts.append(',"since":' + quoted(finding.since))
    return "".join(parts) + "}"


class _Share(t.NamedTuple):
    """The hosts of a state, in percent of all of them."""

    state: str
    hosts: int
    start: float
    width: float


def _shares(fleet: Fleet) -> t.Iterator[_Share]:
    before, total = 0, len(fleet.hosts)
    for state, number in fleet.hosts_by_state().items():
        if number:
            yield _Share(state, number, 100 * before / total, 100 * number / total)
        before += number
