# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module preflight: checks the options, observes the host, judges, and builds the document."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.document import Asked, build
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.judge import judge, mark_fixed
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.observation import Progress, observe
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.probe.atime import inserts_marker
from ansible_collections.fleetops.pbs.plugins.module_utils._options.preflight import PreflightPlan, preflight_plan


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The result of the module."""

    document: dict[str, t.Any]
    changed: bool
    """Whether a zero chunk was inserted as a marker, or would be."""


def preflight(options: t.Mapping[str, t.Any], check_mode: bool, on_progress: t.Optional[Progress] = None) -> Outcome:
    """Observe, judge, and build the document.

    `options` are the module's; all of them are checked first. Raises `CollectionError` with option and value.
    """
    started = time.time()
    plan = preflight_plan(options, check_mode, started)
    host, stores = observe(plan.look, on_progress)
    findings = judge(host, stores, plan.question)
    mark_fixed(plan.before, findings)
    document = build(host, stores, findings, started, time.time(), check_mode, _asked(plan))
    return Outcome(document, any(inserts_marker(store) for store in stores))


def _asked(plan: PreflightPlan) -> Asked:
    look, question = plan.look, plan.question
    return Asked(
        scope=look.scope,
        sample_prefixes=look.sample_prefixes,
        probe=look.probe,
        deadline=look.deadline,
        declared=question.declarations is not None,
        controls=list(question.controls),
        policy=question.policy,
    )


def in_one_line(document: t.Mapping[str, t.Any]) -> str:
    """The result as text, in one line."""
    summary = document["summary"]
    stores = document["datastores"]
    if not stores:
        installed = document["observed"]["pbs_installed"]
        return (
            "Proxmox Backup Server has no datastore on this host."
            if installed
            else "No Proxmox Backup Server was found on this host, and no datastore is declared for it."
        )
    unsafe = {item["datastore"] for item in document["findings"] if item["status"] == "fail" and item["datastore"]}
    counts = ["%d %s" % (summary[status], word) for status, word in _WORDS if summary[status]]
    worst = f" (worst: {summary['worst']})" if summary["worst"] else ""
    return f"{len(unsafe)} of {len(stores)} datastores failed a control{worst}: {', '.join(counts)}."


_WORDS = (
    ("fail", "failed"),
    ("warn", "warnings"),
    ("unknown", "unknown"),
    ("waived", "waived"),
    ("fixed", "fixed"),
    ("pass", "passed"),
    ("skip", "skipped"),
)
