# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module preflight: checks the options, observes the host, judges, and builds the document."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import (
    OptionError,
    check_declarations,
    require_account,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import require_known
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.document import Asked, build
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.judge import Question, judge, mark_fixed
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.policy import Policy
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.waivers import parse_waivers
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.observation import Declared, Plan, Progress, observe
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.probe.atime import inserts_marker


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The result of the module."""

    document: dict[str, t.Any]
    changed: bool
    """Whether a zero chunk was inserted as a marker, or would be."""


def preflight(params: t.Mapping[str, t.Any], check_mode: bool, on_progress: t.Optional[Progress] = None) -> Outcome:
    """Observe, judge, and build the document.

    `params` are the module's options. All of them are checked first; raises `ValueError` with option and value.
    """
    started = time.time()
    plan, declarations = _plan(params, check_mode)
    require_known(params["controls"], "controls")
    question = Question(
        policy=Policy.from_mapping(params["policy"]),
        now=started,
        declarations=declarations,
        waivers=parse_waivers(params["waivers"]),
        controls=params["controls"],
        check_mode=check_mode,
    )
    host, stores = observe(plan, on_progress)
    findings = judge(host, stores, question)
    mark_fixed(params.get("before") or [], findings)
    asked = Asked(
        scope=params["scope"],
        sample_prefixes=params["sample_prefixes"],
        probe=params["probe"],
        deadline=params["deadline"],
        declared=declarations is not None,
        controls=list(params["controls"]),
        policy=question.policy,
    )
    document = build(host, stores, findings, started, time.time(), check_mode, asked)
    return Outcome(document, any(inserts_marker(store) for store in stores))


def _plan(params: t.Mapping[str, t.Any], check_mode: bool) -> tuple[Plan, t.Optional[dict[str, t.Any]]]:
    for option in ("deadline", "stall"):
        if not 0 < params[option] < float("inf"):
            raise OptionError(f"{option}: must be more than 0 seconds, not {params[option]:g}")
    for option, low in (("sample_prefixes", 1), ("workers", 0), ("max_paths", 0)):
        if params[option] < low:
            raise OptionError("%s: must be at least %d, not %d" % (option, low, params[option]))
    require_account(params["user"])
    declarations = None
    if params["datastores"] is not None:
        declarations = {entry["name"]: entry for entry in check_declarations(params["datastores"], "datastores")}
    declared = [
        Declared(
            name=name,
            path=entry["path"],
            source=(entry.get("mount") or {}).get("source") or "",
            fstype=(entry.get("mount") or {}).get("fstype") or "",
        )
        for name, entry in (declarations or {}).items()
    ]
    plan = Plan(
        host=params["host"],
        declared=declared,
        user=params["user"],
        group=params["group"],
        config_dir=params["config_dir"],
        state_dir=params["state_dir"],
        run_dir=params["run_dir"],
        probe=params["probe"],
        check_mode=check_mode,
        deadline=params["deadline"],
        scope=params["scope"],
        references=params["references"],
        sample_prefixes=params["sample_prefixes"],
        workers=params["workers"],
        max_paths=params["max_paths"],
        stall=params["stall"],
    )
    return plan, declarations


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
