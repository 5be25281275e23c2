# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""report.json: the documents as they are, one a line, after the totals and a row for each host.

`docs/report.schema.json` describes it. It can be merged into another report.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.documents import (
    REPORT_BEGIN,
    REPORT_DOCUMENTS,
    REPORT_END,
    REPORT_SCHEMA_VERSION,
)
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.base import Format, HostPart
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.model import Finding

_encode = json.JSONEncoder(check_circular=False).encode


class ReportJson(Format):
    filename = "report.json"

    def begin(self) -> None:
        fleet = self.fleet
        head = {
            "schema_version": REPORT_SCHEMA_VERSION,
            "generated": fleet.generated,
            "collection_version": self.context.version,
            "totals": fleet.totals(),
            "fail_on": self.context.fail_on,
            "fail_on_unknown": self.context.fail_on_unknown,
            "findings": [_as_dict(finding) for finding in fleet.findings],
            "waivers": [use.as_dict() for use in fleet.waivers],
            "left_out": [{"path": path, "reason": reason} for path, reason in fleet.left_out],
            "trend": list(self.context.trend),
            "runs": [run.as_dict() for run in fleet.runs],
            "hosts": [host.as_dict() for host in fleet.hosts],
        }
        self.stream.write(REPORT_BEGIN + _encode(head)[1:-1] + ", " + REPORT_DOCUMENTS + "\n")
        self._separator = ""

    def host(self, part: HostPart) -> None:
        if part.document is not None:
            self.stream.write(self._separator + _encode(part.document))
            self._separator = ",\n"

    def end(self) -> None:
        self.stream.write(("\n" if self._separator else "") + REPORT_END)


def _as_dict(finding: Finding) -> dict[str, t.Any]:
    return {
        "host": None,
        "control": finding.control,
        "datastore": None,
        "status": finding.status,
        "severity": finding.severity,
        "message": finding.message,
        "remedy": finding.remedy,
        "commands": list(finding.commands),
        "evidence": finding.evidence,
        "waiver": None,
    }
