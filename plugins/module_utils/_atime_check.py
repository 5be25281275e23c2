# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module atime_check: whether one path honours PBS's touch as the daemon's user."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import (
    AccountFacts,
    ClockFacts,
    ConfigDirFacts,
    HostFacts,
    IdMapFacts,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.shown import shown
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import StoreFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.judge import Finding, Question, judge
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.policy import Policy
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.probe.atime import inserts_marker
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.store import observe_stores
from ansible_collections.fleetops.pbs.plugins.module_utils._options.atime import atime_plan
from ansible_collections.fleetops.pbs.plugins.module_utils._options.common import OptionError
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

OF_PBS = ("PBS-ATIME-01", "PBS-ATIME-02", "PBS-ATIME-03")
"""Controls whose failure stops garbage collection: an unknown result also fails the module."""

CONTROLS = (*OF_PBS, "PBS-ATIME-06")


def check_atime(options: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Test the touch on the option `path` and return the module's result, including `failed`.

    Raises `CollectionError` for an invalid option: a path that is relative, `/`, missing or no directory, or a user that does
    not exist.
    """
    plan = atime_plan(options, check_mode)
    store = StoreFacts(name="path", path=plan.path)
    table = MountTable.read()
    (real_path,) = observe_stores([store], plan.probe, table)
    store.mount = table.find(real_path)
    _require_directory(shown(store))
    findings = judge(no_host(plan.account), [store], Question(Policy(), time.time(), controls=CONTROLS))
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
        result.update(honoured=False, failed=True, msg=failures[0].message, **_fix(failures[0]))
    elif open_questions:
        # Without a test (check mode) the module does not fail; a test without a result fails.
        result.update(honoured=None, failed=atime is None or atime.mode != "none" or not check_mode)
        result["msg"] = open_questions[0].message
        if result["failed"]:
            result.update(_fix(open_questions[0]))
    return result


def _fix(finding: Finding) -> dict[str, t.Any]:
    return {"remedy": finding.remedy, "commands": finding.commands}


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
