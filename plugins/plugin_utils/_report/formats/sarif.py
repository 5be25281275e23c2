# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""report.sarif: SARIF 2.1.0. Results for all that did not pass; the run's properties have the counts of the rest.

`fail` and `waived` (with a suppression) are results of kind fail, `unknown` is open, `warn` review, `fixed` pass.
What code scanning of GitHub and Azure DevOps demand beyond the standard is here, too: a place in a file (there is none, so
it is the path `host/datastore`, which is the same in every run), fingerprints, and no more results than GitHub takes.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import re
import tempfile
import typing as t
from urllib.parse import quote

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import Control
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.controls import HOME, documentation_of, rank
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.base import (
    FLEET,
    Format,
    HostPart,
    Item,
    to_json,
)
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.model import STATUS_ORDER, Finding

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_KINDS = {"fail": "fail", "waived": "fail", "unknown": "open", "warn": "review", "fixed": "pass"}
LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note", "info": "note"}
# On the scale of CVSS, as viewers of code scanning want it.
_SECURITY_SEVERITY = {"critical": "9.5", "high": "8.0", "medium": "5.0", "low": "2.0", "info": "0.0"}


MOST = 5000
"""Results of a run that GitHub shows (https://docs.github.com/en/code-security/reference/code-scanning/sarif-support-for-code-scanning)."""

EVIDENCE = 16_384
"""Characters of the evidence of a result. All results together must stay below 10 MB, compressed."""


class _Results:
    """The worst results, in their order. They come in by host, so each kind waits in a file of its own.

    What a host has beyond its share stands behind what all others have in theirs.
    """

    def __init__(self) -> None:
        self._waiting: dict[tuple[bool, int, int], t.IO[str]] = {}
        self._numbers: dict[tuple[bool, int, int], int] = {}
        self.left_out: dict[str, int] = {}

    def add(self, finding: Finding, beyond_share: bool, result: t.Callable[[], str]) -> None:
        key = (beyond_share, *_badness(finding))
        better = sum(number for other, number in self._numbers.items() if other <= key)
        self._numbers[key] = self._numbers.get(key, 0) + 1
        if better >= MOST:
            return
        if key not in self._waiting:
            self._waiting[key] = _waiting()
        self._waiting[key].write(result() + "\n")

    def ordered(self) -> t.Iterator[str]:
        """Once; what is beyond the limit is counted in `left_out`."""
        room = MOST
        for key in sorted(self._numbers):
            shown = min(room, self._numbers[key])
            room -= shown
            beyond = self._numbers[key] - shown
            if beyond:
                status = STATUS_ORDER[key[1]]
                self.left_out[status] = self.left_out.get(status, 0) + beyond
            if key in self._waiting:
                with self._waiting.pop(key) as stream:
                    stream.seek(0)
                    for line in itertools.islice(stream, shown):
                        yield line.rstrip("\n")


def _badness(finding: Finding) -> tuple[int, int]:
    return STATUS_ORDER.index(finding.status), -rank(finding.severity)


def _waiting() -> t.IO[str]:
    return tempfile.SpooledTemporaryFile(1 << 18, "w+", encoding="ascii", newline="\n")


class Sarif(Format):
    filename = "report.sarif"

    def begin(self) -> None:
        self._index = {control.id: number for number, control in enumerate(self.fleet.controls)}
        self._results = _Results()
        run = {
            "tool": {
                "driver": {
                    "name": "fleetops.pbs preflight",
                    "fullName": f"fleetops.pbs preflight {self.context.version}",
                    "organization": "fleetops",
                    "informationUri": HOME,
                    "version": self.context.version,
                    "semanticVersion": self.context.version,
                    "rules": [_rule(control) for control in self.fleet.controls],
                }
            },
            # The category of code scanning: results of another report do not take the place of these.
            "automationDetails": {
                "id": f"{'/'.join(map(_in_path, filter(None, ('fleetops.pbs', self.context.name))))}/"
            },
            "columnKind": "unicodeCodePoints",
        }
        self.stream.write(f'{{"$schema":{to_json(_SCHEMA)},"version":"2.1.0","runs":[')
        self.stream.write(to_json(run)[:-1] + ',"results":[')

    def about_fleet(self, items: t.Sequence[Item]) -> None:
        self._write(items)

    def host(self, part: HostPart) -> None:
        self._write(part.items)

    def end(self) -> None:
        separator = "\n"
        for result in self._results.ordered():
            self.stream.write(separator + result)
            separator = ",\n"
        left_out = self._results.left_out
        notes = [f"Left out: {path}: {reason}" for path, reason in self.fleet.left_out]
        if left_out:
            kinds = ", ".join(f"{format(number, ',')} {status}" for status, number in left_out.items())
            notes.append(
                "Only the worst {} results are listed; left out are {}. report.json and report.csv have all of them.".format(
                    format(MOST, ","), kinds
                )
            )
        after = {
            "invocations": [
                {
                    "executionSuccessful": True,
                    "endTimeUtc": self.fleet.generated,
                    "toolExecutionNotifications": [{"level": "warning", "message": {"text": note}} for note in notes],
                }
            ],
            "properties": {"totals": self.fleet.totals(), "results_left_out": left_out},
        }
        self.stream.write("\n]," + to_json(after)[1:] + "]}\n")

    def _write(self, items: t.Sequence[Item]) -> None:
        found = [item for item in items if item.finding.status in _KINDS]
        # A host chooses how many problems it has, and must leave room for the others.
        share = MOST // max(1, len(self.fleet.hosts))
        if len(found) > share:
            found.sort(key=lambda item: _badness(item.finding))
        for number, item in enumerate(found):
            self._results.add(item.finding, number >= share, functools.partial(self._encoded, item))

    def _encoded(self, item: Item) -> str:
        return to_json(self._result(item))

    def _result(self, item: Item) -> dict[str, t.Any]:
        finding = item.finding
        kind = _KINDS[finding.status]
        host = finding.host or FLEET
        name = f"{host}/{finding.datastore}" if finding.datastore else host
        identity = "\0".join(
            (finding.host, finding.datastore, finding.control, finding.message if not finding.host else "")
        )
        text = finding.message + (" " + finding.remedy if finding.remedy else "")
        text += "".join("\nRun: " + command for command in finding.commands)
        fingerprint = hashlib.sha256(identity.encode()).hexdigest()
        evidence = finding.evidence
        if len(item.evidence) > EVIDENCE:
            evidence = {"left_out": f"{format(len(item.evidence), ',')} characters, see report.json"}
        result: dict[str, t.Any] = {
            "ruleId": finding.control,
            "ruleIndex": self._index.get(finding.control, -1),
            "kind": kind,
            "level": LEVELS[finding.severity] if kind == "fail" else "none",
            "message": {"text": f"{name}: {text}"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": _uri(host, finding.datastore)},
                        "region": {"startLine": 1},
                    },
                    "logicalLocations": [
                        {
                            "name": finding.datastore or host,
                            "fullyQualifiedName": name,
                            "kind": "datastore" if finding.datastore else "host" if finding.host else "fleet",
                        }
                    ],
                }
            ],
            # GitHub knows only the first of them.
            "partialFingerprints": {"primaryLocationLineHash": fingerprint, "finding/v1": fingerprint},
            "properties": {
                "host": finding.host,
                "datastore": finding.datastore,
                "status": finding.status,
                "severity": finding.severity,
                "commands": list(finding.commands),
                "evidence": evidence,
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


def _in_path(name: str) -> str:
    """A name as one part of a relative URI; a part of dots alone would lead elsewhere."""
    return quote(name, safe="") if name.strip(".") else name.replace(".", "%2E")


def _uri(host: str, datastore: str) -> str:
    """Where a finding is, as a path that is the same in every run: `host/datastore`, `host/host` of the host itself."""
    return "/".join(map(_in_path, (host, datastore or "(host)")))


def _rule(control: Control) -> dict[str, t.Any]:
    return {
        "id": control.id,
        "name": _rule_name(control),
        "shortDescription": {"text": control.title},
        "fullDescription": {"text": control.why or control.title},
        "help": {"text": control.remedy or control.title},
        "helpUri": documentation_of(control),
        "defaultConfiguration": {"level": LEVELS[control.severity]},
        "properties": {
            "tags": list(dict.fromkeys(control.standards)),
            "security-severity": _SECURITY_SEVERITY[control.severity],
        },
    }


def _rule_name(control: Control) -> str:
    """A name in Pascal case, as viewers show it beside the id: `PbsAtime01`."""
    return "".join(part.capitalize() for part in re.findall(r"[A-Za-z0-9]+", control.id)) or "Unnamed"
