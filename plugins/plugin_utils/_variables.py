# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of variables that look like those of the roles, and are not."""

from __future__ import annotations

import difflib
import typing as t

KNOWN = frozenset(
    [
        "adopt_become",
        "adopt_config_dir",
        "adopt_deadline",
        "adopt_directory",
        "adopt_file",
        "adopt_group",
        "adopt_mode",
        "adopt_overwrite",
        "adopt_state_dir",
        "adopt_user",
        "datastore_become",
        "datastore_config_dir",
        "datastore_deadline",
        "datastore_fail_on",
        "datastore_group",
        "datastore_lock_timeout",
        "datastore_manager",
        "datastore_run_dir",
        "datastore_timeout",
        "datastore_user",
        "mounts_become",
        "mounts_config_dir",
        "mounts_fail_on",
        "mounts_protect",
        "mounts_wait",
        "pbs_datastores",
        "pbs_notification_matchers",
        "pbs_notification_targets",
        "pbs_remotes",
        "pbs_s3_endpoints",
        "pbs_sync_jobs",
        "pbs_traffic_controls",
        "preflight_become",
        "preflight_show",
        "preflight_before",
        "preflight_config_dir",
        "preflight_controls",
        "preflight_deadline",
        "preflight_fail_on",
        "preflight_fail_on_unknown",
        "preflight_group",
        "preflight_max_paths",
        "preflight_policy",
        "preflight_probe",
        "preflight_references",
        "preflight_report_dest",
        "preflight_report_formats",
        "preflight_report_history",
        "preflight_report_name",
        "preflight_require_datastores",
        "preflight_results",
        "preflight_run_dir",
        "preflight_sample_prefixes",
        "preflight_scope",
        "preflight_stall",
        "preflight_state_dir",
        "preflight_timeout",
        "preflight_user",
        "preflight_waivers",
        "preflight_workers",
        "repair_become",
        "repair_show",
        "repair_config_dir",
        "repair_deadline",
        "repair_group",
        "repair_max_changes",
        "repair_max_paths",
        "repair_modes",
        "repair_only_from",
        "repair_run_dir",
        "repair_scope",
        "repair_stall",
        "repair_state_dir",
        "repair_timeout",
        "repair_user",
        "repair_workers",
        "report_dest",
        "report_documents",
        "report_formats",
        "report_history",
        "report_history_days",
        "report_merge",
        "report_name",
        "report_partial",
        "server_become",
        "server_config_dir",
        "server_lock_timeout",
        "server_manager",
    ]
)
"""The variables of all roles, as their argument_specs have them; kept here, because reading YAML for each host takes time."""

OF_PLAYBOOKS = frozenset(
    [
        "adopt_hosts",
        "adopt_result",
        "preflight_hosts",
        "repair_hosts",
        "preflight_result",
        "repair_before",
        "repair_failed",
        "repair_result",
        "repair_used",
        "report_result",
    ]
)
"""Variables that the playbooks read or register."""

_OWN_PREFIX = "preflight_"
"""No one else's variables begin so. Of the other prefixes only a name that is nearly a known one is reported."""
_ALIKE = 0.85


def misspelt(names: t.Iterable[str]) -> list[str]:
    """A warning for each variable whose name is probably a known one, misspelt; in the order of the names."""
    warnings = []
    for name in sorted(set(names) - KNOWN - OF_PLAYBOOKS):
        own = name.startswith(_OWN_PREFIX)
        alike = difflib.get_close_matches(name, KNOWN, 1, 0.6 if own else _ALIKE) if own or _may_be(name) else []
        if alike:
            warnings.append(f"The variable '{name}' has no effect: no role of fleetops.pbs has it. Is it '{alike[0]}'?")
        elif own:
            warnings.append(f"The variable '{name}' has no effect: no role of fleetops.pbs has it.")
    return warnings


def _may_be(name: str) -> bool:
    """Whether a name is worth a comparison; a play has hundreds of variables."""
    return name.startswith(("pbs_", "repair_", "report_", "mounts_", "datastore_", "adopt_", "server_"))
