# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""report.csv: a finding a row (RFC 4180, UTF-8)."""

from __future__ import annotations

import csv
import typing as t

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.base import Format, HostPart, Item, to_json

COLUMNS = (
    "host",
    "datastore",
    "control",
    "status",
    "severity",
    "message",
    "remedy",
    "commands",
    "waived_until",
    "waived_because",
    "since",
    "document",
    "evidence",
)

# What a spreadsheet takes for the beginning of a formula, full-width forms too; the apostrophe makes text of it.
_FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_SUSPECT = _FORMULA | frozenset(" '")


CELL = 32_000
"""Characters of a cell: a spreadsheet takes 32,767, and Python's own reader gives up the whole file beyond 131,072."""


def cell(text: str) -> str:
    """The text as a cell that no spreadsheet computes, and that every reader takes."""
    if len(text) > CELL:
        text = f"{text[:CELL]}… ({format(len(text) - CELL, ',')} more characters, see report.json)"
    if text[:1] not in _SUSPECT:
        return text
    return "'" + text if text.lstrip(" '")[:1] in _FORMULA else text


def evidence_cell(text: str) -> str:
    """Evidence stays JSON: what is too long is left out as a whole, and the cell says so."""
    if len(text) <= CELL:
        return text
    return to_json({"left_out": f"{format(len(text), ',')} characters, see report.json"})


class ReportCsv(Format):
    filename = "report.csv"

    def begin(self) -> None:
        self._rows = csv.writer(self.stream)
        self._rows.writerow(COLUMNS)

    def about_fleet(self, items: t.Sequence[Item]) -> None:
        self._write(items, "")

    def host(self, part: HostPart) -> None:
        self._write(part.items, part.host.finished)

    def _write(self, items: t.Sequence[Item], finished: str) -> None:
        rows = []
        for item in items:
            finding = item.finding
            waiver = finding.waiver or {}
            rows.append(
                (
                    cell(finding.host),
                    cell(finding.datastore),
                    cell(finding.control),
                    finding.status,
                    finding.severity,
                    cell(finding.message),
                    cell(finding.remedy) if finding.remedy else "",
                    cell("\n".join(finding.commands)) if finding.commands else "",
                    cell(waiver.get("until", "")) if waiver else "",
                    cell(waiver.get("justification", "")) if waiver else "",
                    finding.since,
                    finished,
                    evidence_cell(item.evidence),
                )
            )
        self._rows.writerows(rows)
