# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""oscal.json: an assessment-results document of OSCAL.

A finding for each control, satisfied where nothing failed or is unknown; behind it an observation for everything that
did not pass, and one observation a host with the counts of the rest. Hosts are inventory items. Every UUID follows from
what it names, so that the same documents give the same file.
"""

from __future__ import annotations

import re
import typing as t
import uuid

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import Control
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.base import (
    FLEET,
    Format,
    HostPart,
    Item,
    to_json,
)
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.model import Counts, Finding, Host

OSCAL_VERSION = "1.2.1"
_NAMESPACE = uuid.UUID("c1f2c1de-51f3-5f6c-9a28-4b0d3a1f6d10")
_NS = "https://github.com/fleetops/pbs"
_QUIET = ("pass", "skip")


def identity(*words: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, "\0".join(words)))


class Oscal(Format):
    filename = "oscal.json"

    def begin(self) -> None:
        fleet = self.fleet
        made = fleet.generated
        self._tool = identity("tool")
        self._plan = identity("plan")
        self._related: dict[str, list[str]] = {}
        self._by_control: dict[str, Counts] = {}
        self._used: dict[tuple[str, str], int] = {}
        run = "\0".join(f"{host.name}\x00{host.finished}" for host in fleet.hosts)
        metadata = {
            "title": "Preflight of Proxmox Backup Servers",
            "last-modified": made,
            "version": made,
            "oscal-version": OSCAL_VERSION,
            "props": [_prop("collection-version", self.context.version)],
        }
        result = {
            "uuid": identity("result", made, run),
            "title": f"Preflight of {len(fleet.hosts)} hosts",
            "description": "Whether the next garbage collection of each datastore is safe.",
            "start": min((host.finished for host in fleet.hosts if host.finished), default=made),
            "end": made,
            "props": [
                *(_prop("findings-" + status, str(number)) for status, number in fleet.counts.by_status.items()),
                _prop("hosts", str(len(fleet.hosts))),
                _prop("left-out", str(len(fleet.left_out))),
            ],
            "local-definitions": {
                "components": [
                    {
                        "uuid": self._tool,
                        "type": "software",
                        "title": "fleetops.pbs",
                        "description": "The Ansible collection that made the observations.",
                        "props": [_prop("version", self.context.version)],
                        "status": {"state": "operational"},
                    }
                ]
            },
            "reviewed-controls": {
                "description": "The controls of NIST SP 800-53 that the catalog of the collection refers to.",
                "control-selections": [
                    {"include-controls": [{"control-id": name} for name in nist_controls(fleet.controls)]}
                ],
            },
        }
        if fleet.hosts:
            result["local-definitions"]["inventory-items"] = [_inventory_item(host) for host in fleet.hosts]  # type: ignore[index]
        if fleet.left_out:
            result["remarks"] = _text("Left out: " + "; ".join("{}: {}".format(*pair) for pair in fleet.left_out))
        self.stream.write(
            '{{"assessment-results":{{"uuid":{},"metadata":{},"import-ap":{{"href":"#{}"}},"results":[{},"observations":['.format(
                to_json(identity("report", made, run)), to_json(metadata), self._plan, to_json(result)[:-1]
            )
        )
        self._separator = "\n"

    def about_fleet(self, items: t.Sequence[Item]) -> None:
        for item in items:
            self._observe(item, [], self.fleet.generated)

    def host(self, part: HostPart) -> None:
        subjects = [{"subject-uuid": identity("host", part.host.name), "type": "inventory-item"}]
        collected = part.host.finished or self.fleet.generated
        self._used.clear()
        for item in part.items:
            if item.finding.status not in _QUIET:
                self._observe(item, subjects, collected)
            else:
                self._count(item.finding)
        counts = part.host.counts
        self._write(
            {
                "uuid": identity("host observation", part.host.name, collected),
                "title": f"Passed on {_text(part.host.name)}",
                "description": "%d controls passed, %d do not apply." % (counts["pass"], counts["skip"]),
                "props": [_prop("findings-" + status, str(counts[status])) for status in _QUIET],
                "methods": ["TEST"],
                "origins": [{"actors": [{"type": "tool", "actor-uuid": self._tool}]}],
                "subjects": subjects,
                "collected": collected,
            }
        )

    def _count(self, finding: Finding) -> None:
        self._by_control.setdefault(finding.control, Counts()).add(finding.status, finding.severity)

    def _observe(self, item: Item, subjects: list[dict[str, str]], collected: str) -> None:
        finding = item.finding
        self._count(finding)
        # A control can have several findings, such as one for each expired waiver.
        key = (finding.datastore, finding.control)
        self._used[key] = self._used.get(key, 0) + 1
        unique = identity("observation", finding.host, *key, collected, str(self._used[key]))
        self._related.setdefault(finding.control, []).append(unique)
        where = _text((finding.host or FLEET) + ("/" + finding.datastore if finding.datastore else ""))
        observation: dict[str, t.Any] = {
            "uuid": unique,
            "title": f"{_text(finding.control)} on {where}",
            "description": _text(finding.message),
            "props": [
                _prop("status", finding.status),
                _prop("severity", finding.severity),
                _prop("control", finding.control),
            ],
            "methods": ["TEST"],
            "types": ["finding"],
            "origins": [{"actors": [{"type": "tool", "actor-uuid": self._tool}]}],
            "collected": collected,
        }
        if subjects:
            observation["subjects"] = subjects
        if finding.datastore:
            observation["props"].append(_prop("datastore", finding.datastore))
        if finding.waiver is not None:
            observation["props"].append(_prop("waived-until", finding.waiver.get("until", "")))
            observation["remarks"] = "Waived: " + _text(finding.waiver.get("justification", ""))
        elif finding.remedy:
            observation["remarks"] = _text("Remedy: " + " Run: ".join((finding.remedy, *finding.commands)))
        if item.evidence:
            observation["relevant-evidence"] = [{"description": item.evidence}]
        self._write(observation)

    def _write(self, item: t.Mapping[str, t.Any]) -> None:
        self.stream.write(self._separator + to_json(item))
        self._separator = ",\n"

    def end(self) -> None:
        if self._separator == "\n":  # an empty list is not allowed
            self._write(
                {
                    "uuid": identity("nothing observed"),
                    "description": "There is no host in this report.",
                    "methods": ["EXAMINE"],
                    "collected": self.fleet.generated,
                }
            )
        findings = [
            self._finding(control, self._by_control[control.id])
            for control in self.fleet.controls
            if control.id in self._by_control
        ]
        self.stream.write("\n]")
        if findings:
            self.stream.write(',"findings":' + to_json(findings))
        plan = {
            "uuid": self._plan,
            "title": "The controls of fleetops.pbs",
            "description": "The reference of the controls of the collection describes what is assessed.",
            "rlinks": [{"href": _NS + "/blob/main/docs/controls.md"}],
        }
        self.stream.write(f'}}],"back-matter":{{"resources":[{to_json(plan)}]}}}}}}\n')

    def _finding(self, control: Control, counts: Counts) -> dict[str, t.Any]:
        satisfied = not counts["fail"] and not counts["unknown"]
        finding: dict[str, t.Any] = {
            "uuid": identity("finding", control.id, self.fleet.generated),
            "title": _text(f"{control.id} {control.title}"),
            "description": _text(control.why or control.title),
            "props": [
                _prop("severity", control.severity),
                *(_prop("findings-" + status, str(number)) for status, number in counts.by_status.items()),
                *(_prop("reference", standard) for standard in control.standards),
            ],
            "target": {
                "type": "objective-id",
                "target-id": control.id,
                "status": {
                    "state": "satisfied" if satisfied else "not-satisfied",
                    "reason": "pass" if satisfied else "fail",
                },
            },
        }
        if control.id in self._related:
            finding["related-observations"] = [{"observation-uuid": name} for name in self._related[control.id]]
        return finding


def nist_controls(controls: t.Iterable[Control]) -> list[str]:
    """The ids as NIST's own catalog writes them: `cp-9`."""
    begin = "NIST 800-53 "
    found = {name[len(begin) :].lower() for control in controls for name in control.standards if name.startswith(begin)}
    return sorted(found)


def _inventory_item(host: Host) -> dict[str, t.Any]:
    props = [_prop("asset-id", host.name), _prop("state", host.state)]
    if host.pbs_version:
        props.append(_prop("pbs-version", host.pbs_version))
    return {
        "uuid": identity("host", host.name),
        "description": _text(f"{host.name}, {len(host.datastores)} datastores"),
        "props": props,
    }


def _prop(name: str, value: str) -> dict[str, str]:
    return {"name": name, "ns": _NS, "value": _text(value)}


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def _text(value: str) -> str:
    """Text as OSCAL has it: one line without control characters, not empty, no space around it."""
    return _CONTROL.sub(" ", value).strip() or "-"
