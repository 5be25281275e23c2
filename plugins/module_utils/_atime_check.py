# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module atime_check: whether one path honours PBS's touch as the daemon's user."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import (
    OptionError,
    check_path,
    require_account,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import (
    AccountFacts,
    ClockFacts,
    ConfigDirFacts,
    HostFacts,
    IdMapFacts,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import StoreFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.judge import Finding, Question, judge
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.policy import Policy
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.account import observe_account
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.probe.atime import inserts_marker
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.store import observe_stores, plan_probe
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

OF_PBS = ("PBS-ATIME-01", "PBS-ATIME-02", "PBS-ATIME-03")
"""Controls whose failure stops garbage collection: an unknown result also fails the module."""

CONTROLS = (*OF_PBS, "PBS-ATIME-06")


def check_atime(params: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Test the touch on `params["path"]` and return the module's result, including `failed`.

    Raises `ValueError` for an invalid option: a path that is relative, `/`, missing or no directory, or a user that does
    not exist.
    """
    path = check_path(params["path"], "path")
    if not 0 < params["deadline"] < float("inf"):
        raise OptionError(f"deadline: must be more than 0 seconds, not {params['deadline']:g}")
    require_account(params["user"])
    account = observe_account(params["user"], params["group"])
    if account.uid is None or account.gid is None:
        what = f"user '{params['user']}'" if account.uid is None else f"group '{params['group']}'"
        raise OptionError(f"there is no {what} on this host, so nothing can be tested as the daemon's user")
    store = StoreFacts(name="path", path=path)
    plan = plan_probe(account, params["probe"], check_mode, params["deadline"])
    table = MountTable.read()
    (real_path,) = observe_stores([store], plan, table)
    store.mount = table.find(real_path)
    _require_directory(store)
    findings = judge(no_host(account), [store], Question(Policy(), time.time(), controls=CONTROLS))
    return _result(store, findings, check_mode)


def _require_directory(store: StoreFacts) -> None:
    location = store.location
    if location is None:
        return
    if not location.exists:
        raise OptionError(f"path: '{display(store.path)}' {location.error or 'does not exist'}")
    if location.type != "directory":
        raise OptionError(f"path: '{display(store.path)}' is not a directory but a {location.type}")


def _result(store: StoreFacts, findings: t.Sequence[Finding], check_mode: bool) -> dict[str, t.Any]:
    failures = [finding for finding in findings if finding.status == "fail"]
    open_questions = [finding for finding in findings if finding.status == "unknown" and finding.control in OF_PBS]
    atime = store.atime
    result: dict[str, t.Any] = {
        "changed": inserts_marker(store),
        "honoured": True,
        "findings": [dataclasses.asdict(finding) for finding in findings],
        "failed": False,
        "msg": findings[0].message,
    }
    if failures:
        result.update(honoured=False, failed=True, msg=failures[0].message, remedy=failures[0].remedy)
    elif open_questions:
        # Without a test (check mode) the module does not fail; a test without a result fails.
        result.update(honoured=None, failed=atime is None or atime.mode != "none" or not check_mode)
        result["msg"] = open_questions[0].message
        if result["failed"]:
            result["remedy"] = open_questions[0].remedy
    return result


def no_host(account: AccountFacts) -> HostFacts:
    """Host facts for the rules about access times, which need only the account."""
    return HostFacts(
        name="",
        euid=0,
        systemd=False,
        pbs_installed=False,
        pbs_version=None,
        account=account,
        clock=ClockFacts(),
        daemons=[],
        config_dir=ConfigDirFacts(path="", exists=False),
        old_locking=None,
        id_map=IdMapFacts(namespaced=False),
    )
