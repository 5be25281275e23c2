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
