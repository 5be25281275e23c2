# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of datastore_info."""

from __future__ import annotations

import dataclasses

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import AccountFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.account import observe_account
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.store import ProbePlan, plan_probe
from ansible_collections.fleetops.pbs.plugins.module_utils._options.common import (
    Options,
    require_account,
    require_seconds,
)


@dataclasses.dataclass(frozen=True)
class InfoPlan:
    """List the configured datastores and their filesystems, without a probe."""

    name: str
    """Only the datastore with this name; empty for all."""
    account: AccountFacts
    config_dir: str
    state_dir: str
    probe: ProbePlan


def info_plan(options: Options) -> InfoPlan:
    require_seconds(options, "deadline")
    require_account(options["user"])
    account = observe_account(options["user"], options["group"])
    return InfoPlan(
        name=options["name"] or "",
        account=account,
        config_dir=options["config_dir"],
        state_dir=options["state_dir"],
        probe=plan_probe(account, "none", True, options["deadline"]),
    )
