# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of preflight."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import require_known
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.judge import Question
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.policy import Policy
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.rules.conf import SECTIONS
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.waivers import parse_waivers
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.observation import Declared, Plan
from ansible_collections.fleetops.pbs.plugins.module_utils._options.common import (
    OptionError,
    Options,
    check_declarations,
    require_account,
    require_seconds,
)


@dataclasses.dataclass(frozen=True)
class PreflightPlan:
    """What to observe, and how to judge it."""

    look: Plan
    question: Question
    before: t.Sequence[t.Mapping[str, t.Any]]
    """The findings of an earlier run, for controls that are now fixed."""


def preflight_plan(options: Options, check_mode: bool, now: float) -> PreflightPlan:
    """`now` is in seconds since the epoch."""
    require_seconds(options, "deadline", "stall", "timeout")
    for name, low in (("sample_prefixes", 1), ("workers", 0), ("max_paths", 0)):
        if options[name] < low:
            raise OptionError("%s: must be at least %d, not %d" % (name, low, options[name]))
    require_account(options["user"])
    declarations = None
    if options["datastores"] is not None:
        declarations = {entry["name"]: entry for entry in check_declarations(options["datastores"], "datastores")}
    require_known(options["controls"], "controls")
    look = Plan(
        declared=[_declared(name, entry) for name, entry in (declarations or {}).items()],
        check_mode=check_mode,
        **{name: options[name] for name in _LOOK},
    )
    question = Question(
        policy=Policy.from_mapping(options["policy"]),
        now=now,
        declarations=declarations,
        waivers=parse_waivers(options["waivers"]),
        controls=options["controls"],
        check_mode=check_mode,
        inventory=options.get("inventory") or (),
        sections={
            name: [{key: value for key, value in entry.items() if value is not None} for entry in options[name]]
            for name, *_kind in SECTIONS
            if options.get(name) is not None
        },
    )
    return PreflightPlan(look, question, options.get("before") or [])


_LOOK = (
    "host",
    "user",
    "group",
    "config_dir",
    "state_dir",
    "run_dir",
    "probe",
    "deadline",
    "scope",
    "references",
    "sample_prefixes",
    "workers",
    "max_paths",
    "stall",
    "timeout",
)
"""Options that are passed on to the observers unchanged, under the same names."""


def _declared(name: str, entry: t.Mapping[str, t.Any]) -> Declared:
    mount = entry.get("mount") or {}
    return Declared(name, entry["path"], mount.get("source") or "", mount.get("fstype") or "")
