# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of modules as Ansible hands them to the engine, for tests that call it without Ansible.

The defaults of the modules, except for what would lead a test to this machine's own configuration, and for the name of the host.
"""

from __future__ import annotations

from typing import Any

PREFLIGHT_OPTIONS: dict[str, Any] = {
    "host": "pbs1",
    "datastores": None,
    "remotes": None,
    "s3_endpoints": None,
    "sync_jobs": None,
    "traffic_controls": None,
    "notification_targets": None,
    "notification_matchers": None,
    "user": "backup",
    "group": "backup",
    "probe": "private",
    "scope": "full",
    "references": "full",
    "sample_prefixes": 256,
    "workers": 0,
    "max_paths": 20,
    "deadline": 10.0,
    "stall": 60.0,
    "timeout": 43200.0,
    "controls": [],
    "policy": {},
    "waivers": [],
    "config_dir": "/nonexistent/etc",
    "state_dir": "/nonexistent/state",
    "run_dir": "/nonexistent/run",
}

REPAIR_OPTIONS: dict[str, Any] = {
    "path": None,
    "name": None,
    "user": "backup",
    "group": "backup",
    "scope": "full",
    "only_from": None,
    "modes": True,
    "max_changes": None,
    "workers": 0,
    "max_paths": 20,
    "deadline": 10.0,
    "stall": 60.0,
    "timeout": 43200.0,
    "config_dir": "/nonexistent/etc",
}
