# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of atime_check."""

from __future__ import annotations

import dataclasses

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import AccountFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.account import observe_account
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.store import ProbePlan, plan_probe
from ansible_collections.fleetops.pbs.plugins.module_utils._options.common import (
    OptionError,
    Options,
    check_path,
    require_account,
    require_seconds,
)


@dataclasses.dataclass(frozen=True)
class AtimePlan:
    """Test the touch of access times on one path."""

    path: str
    account: AccountFacts
    probe: ProbePlan
    check_mode: bool


def atime_plan(options: Options, check_mode: bool) -> AtimePlan:
    path = check_path(options["path"], "path")
    require_seconds(options, "deadline")
    require_account(options["user"])
    account = observe_account(options["user"], options["group"])
    if account.uid is None or account.gid is None:
        what = f"user '{options['user']}'" if account.uid is None else f"group '{options['group']}'"
        raise OptionError(f"there is no {what} on this host, so nothing can be tested as the daemon's user")
    return AtimePlan(path, account, plan_probe(account, options["probe"], check_mode, options["deadline"]), check_mode)
