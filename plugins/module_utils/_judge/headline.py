# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one-line result of a document, and the counts of its findings; the same on the host and on the controller."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import rank
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import FAIL, STATUSES, UNKNOWN
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

_WORDS = (
    ("fail", "failed"),
    ("warn", "warnings"),
    ("unknown", "unknown"),
    ("waived", "waived"),
    ("fixed", "fixed"),
    ("pass", "passed"),
    ("skip", "skipped"),
)

Findings = t.Sequence[t.Mapping[str, t.Any]]


def counted(document: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The summary of a document, from its findings: counts by status, and the worst severity that failed or is unknown.

    None for no severity.
    """
    findings: Findings = document["findings"]
    counts: dict[str, t.Any] = dict.fromkeys(STATUSES, 0)
    for finding in findings:
        counts[finding["status"]] += 1
    counts["worst"] = _worst(findings, FAIL)
    counts["worst_unknown"] = _worst(findings, UNKNOWN)
    return counts


def _worst(findings: Findings, status: str) -> t.Optional[str]:
    return max((f["severity"] for f in findings if f["status"] == status), key=rank, default=None)


def _unread(document: t.Mapping[str, t.Any]) -> str:
    """Why the datastores of the host are unknown; empty if they are known."""
    for item in document["findings"]:
        if item.get("control") == "PBS-HOST-04" and item["status"] in (UNKNOWN, FAIL):
            return display(item["message"])
    return ""


def in_one_line(document: t.Mapping[str, t.Any]) -> str:
    """The result as text, in one line, from the findings and the datastores of a document."""
    summary = counted(document)
    stores = document["datastores"]
    if not stores:
        unread = _unread(document)
        if unread:
            return f"No datastore was checked. {unread}"
        observed = document.get("observed")
        observed = observed if isinstance(observed, dict) else {}
        directory = observed.get("config_dir")
        installed = observed.get("pbs_installed") is True or (
            isinstance(directory, dict) and directory.get("exists") is True
        )
        return (
            "Proxmox Backup Server has no datastore on this host."
            if installed
            else "No Proxmox Backup Server was found on this host, and no datastore is declared for it."
        )
    unsafe = {item["datastore"] for item in document["findings"] if item["status"] == "fail" and item["datastore"]}
    counts = ["%d %s" % (summary[status], word) for status, word in _WORDS if summary[status]]
    worst = f" (worst: {summary['worst']})" if summary["worst"] else ""
    return f"{len(unsafe)} of {len(stores)} datastores failed a control{worst}: {', '.join(counts)}."
