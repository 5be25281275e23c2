# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of provisioning share: modules' functions called as the modules do, and each action done four times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.fleetops.pbs.plugins.module_utils import _datastore, _notification, _section
from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import (
    notification_target_spec,
    property_spec,
    section_spec,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._options.section import Resource
from ansible_collections.fleetops.pbs.tests.support.pbs.host import FakeHost

Result = dict[str, Any]
Action = Callable[[bool], Result]


def _result(outcome: Any, name: str) -> Result:
    return {**outcome.result(name), "warnings": outcome.warnings, "completed": outcome.completed}


def datastore(host: FakeHost, **options: Any) -> Action:
    """The module datastore; the returned function takes whether it is check mode."""
    params = {
        **dict.fromkeys(property_spec()),
        "user": "backup",
        "group": "backup",
        "state": "present",
        "path": None,
        "unset": [],
        "reuse": None,
        "overwrite_in_use": False,
        "mounted": None,
        "keep_jobs": True,
        "destroy_data": None,
        "probe": "private",
        "run_dir": str(host.run),
        "timeout": 120.0,
        "lock_timeout": 10.0,
        "deadline": 30.0,
        **host.options(**options),
    }

    def act(check: bool) -> Result:
        manager = _datastore.new_manager(params, check)
        return _result(_datastore.ensure_datastore(params, check, manager), "datastore")

    return act


def section(machine: FakeHost, resource: Resource, /, **options: Any) -> Action:
    """The modules that manage one section of a configuration file: jobs, remotes, S3 endpoints."""
    spec = section_spec(resource.settings, resource.key)
    params = {
        **{name: option.get("default") for name, option in spec.items()},
        "lock_timeout": 10.0,
        **machine.options(**options),
    }
    assert set(params) == set(spec)

    def act(check: bool) -> Result:
        manager = _section.new_manager(params, check)
        return _result(_section.ensure_section(resource, params, check, manager), "job")

    return act


def target(host: FakeHost, **options: Any) -> Action:
    """The module notification_target."""
    spec = notification_target_spec()
    params = {
        **{name: option.get("default") for name, option in spec.items()},
        "lock_timeout": 10.0,
        **host.options(**options),
    }
    assert set(params) == set(spec)

    def act(check: bool) -> Result:
        manager = _section.new_manager(params, check)
        return _result(_notification.ensure_target(params, check, manager), "target")

    return act


FILES = ("datastore.cfg", "prune.cfg", "verification.cfg", "sync.cfg", "remote.cfg", "s3.cfg")
FILES += ("traffic-control.cfg", "notifications.cfg", "notifications-priv.cfg")


def four_times(host: FakeHost, action: Action) -> Result:
    """Check, do, again, again in check mode. The result of doing it, after one assertion over all four."""
    before = [host.config(name) for name in FILES]
    check = action(True)
    untouched = before == [host.config(name) for name in FILES]
    do = action(False)
    again = action(False)
    again_check = action(True)
    results = (check, do, again, again_check)
    assert (
        untouched,
        [result["changed"] for result in results],
        [result["decision"] for result in results],
        [result["diff"]["before"] == result["diff"]["after"] for result in results],
        check["commands"],
        again["commands"] + again_check["commands"],
    ) == (
        True,
        [True, True, False, False],
        [do["decision"], do["decision"], "none", "none"],
        [False, False, True, True],
        do["commands"],
        [],
    ), results
    return do
