# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about the filesystem and mount of a datastore (PBS-MOUNT-*)."""

from __future__ import annotations

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.rules.mount.boot import persistent, unit_order
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.rules.mount.capacity import directory_limit, space
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.rules.mount.network import locks, network
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.rules.mount.options import (
    options,
    options_persist,
    writable,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.rules.mount.place import (
    declared_mount,
    distinct,
    filesystem,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.rules.mount.visibility import daemon_view
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import Rule

RULES: dict[str, Rule] = {
    "PBS-MOUNT-01": declared_mount,
    "PBS-MOUNT-02": persistent,
    "PBS-MOUNT-03": filesystem,
    "PBS-MOUNT-04": writable,
    "PBS-MOUNT-05": options,
    "PBS-MOUNT-06": options_persist,
    "PBS-MOUNT-07": directory_limit,
    "PBS-MOUNT-08": space,
    "PBS-MOUNT-09": network,
    "PBS-MOUNT-10": daemon_view,
    "PBS-MOUNT-11": unit_order,
    "PBS-MOUNT-12": distinct,
    "PBS-MOUNT-13": locks,
}
