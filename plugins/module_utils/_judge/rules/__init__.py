# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules, one pure function per control, and which rule answers which control."""

from __future__ import annotations

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.rules import (
    atime,
    conf,
    copies,
    host,
    jobs,
    mount,
    owner,
    references,
    snapshots,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import Rule

RULES: dict[str, Rule] = {
    **host.RULES,
    **mount.RULES,
    **atime.RULES,
    **owner.RULES,
    **conf.RULES,
    **jobs.RULES,
    **copies.RULES,
    **references.RULES,
    **snapshots.RULES,
}
