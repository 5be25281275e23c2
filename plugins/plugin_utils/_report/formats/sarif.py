# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""report.sarif: SARIF 2.1.0. Results for all that did not pass; the counts of the rest stand in the run's properties.

C(fail) and C(waived) (with a suppression) are results of kind fail, C(unknown) is open, C(warn) review, C(fixed) pass.
"""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import Control
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.base import (
    FLEET,
    Format,
    HostPart,
    Item,
    to_json,
)

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_HOME = "https://github.com/fleetops/pbs"
_KINDS = {"fail": "fail", "waived": "fail", "unknown": "open", "warn": "review", "fixed": "pass"}
LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note", "info": "note"}
# On the scale of CVSS, as viewers of code scanning want it.
_SECURITY_SEVERITY = {"critical": "9.5", "high": "8.0", "medium": "5.0", "low": "2.0", "info": "0.0"}


class Sarif(Format):
    filename = "report.sarif"

    def begin(self) -> None:
        self._index = {control.id: number for number, control in enumerate(self.fleet.controls)}
        run = {
            "tool": {
                "driver": {
                    "name": "fleetops.pbs preflight",
                    "informationUri": _HOME,
                    "semanticVersion": self.context.version,
                    "rules": [_rule(control) for control in self.fleet.controls],
                }
            },
            "invocations": [
                {
                    "executionSuccessful": True,
                    "endTimeUtc": self.fleet.generated,
                    "toolExecutionNotifications": [
                        {"level": "warning", "message": {"text": "Left out: %s: %s" % (path, reason)}}
                        for path, reason in self.fleet.left_out
                    ],
                }
            ],
            "columnKind": "unicodeCodePoints",
            "properties": {"totals": self.fleet.totals()},
        }
        self.stream.write('{"$schema":%s,"version":"2.1.0","runs":[' % to_json(_SCHEMA))
        self.stream.write(to_json(run)[:-1] + ',"results":[')
        self._separator = "\n"

    def about_fleet(self, items: t.Sequence[Item]) -> None:
        self._write(items)

    def host(self, part: HostPart) -> None:
        self._write(part.items)

    def end(self) -> None:
        self.stream.write("\n]}]}\n")

    def _write(self, items: t.Sequence[Item]) -> None:
        for item in items:
            if item.finding.status in _KINDS:
                self.stream.write(self._separator + to_json(self._result(item)))
                self._separator = ",\n"

    def _result(self, item: Item) -> t.Dict[str, t.Any]:
        finding = item.finding
        kind = _KINDS[finding.status]
        host = finding.host or FLEET
        name = "%s/%s" % (host, finding.datastore) if finding.datastore else host
        identity = "\0".join(
            (finding.host, finding.datastore, finding.control, finding.message if not finding.host else "")
        )
        text = finding.message + (" " + finding.remedy if finding.remedy else "")
        result: t.Dict[str, t.Any] = {
            "ruleId": finding.control,
            "ruleIndex": self._index.get(finding.control, -1),
            "kind": kind,
            "level": LEVELS[finding.severity] if kind == "fail" else "none",
            "message": {"text": "%s: %s" % (name, text)},
            "locations": [
                {
                    "logicalLocations": [
                        {
                            "name": finding.datastore or host,
                            "fullyQualifiedName": name,
                            "kind": "datastore" if finding.datastore else "host" if finding.host else "fleet",
                        }
                    ]
                }
            ],
            "partialFingerprints": {"finding/v1": hashlib.sha256(identity.encode()).hexdigest()},
            "properties": {
                "host": finding.host,
                "datastore": finding.datastore,
                "status": finding.status,
                "severity": finding.severity,
                "evidence": finding.evidence,
            },
        }
        if finding.waiver is not None:
            result["suppressions"] = [
                {
                    "kind": "external",
                    "status": "accepted",
                    "justification": finding.waiver.get("justification", ""),
                    "properties": {"until": finding.waiver.get("until", "")},
                }
            ]
        return result


def _rule(control: Control) -> t.Dict[str, t.Any]:
    return {
        "id": control.id,
        "shortDescription": {"text": control.title},
        "fullDescription": {"text": control.why or control.title},
        "help": {"text": control.remedy or control.title},
        "helpUri": "%s/blob/main/docs/controls.md#%s"
        % (_HOME, "".join(c for c in control.id.lower() if c.isalnum() or c == "-")),
        "defaultConfiguration": {"level": LEVELS[control.severity]},
        "properties": {
            "tags": list(dict.fromkeys(control.standards)),
            "security-severity": _SECURITY_SEVERITY[control.severity],
        },
    }
