# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`traffic-control.cfg`: limits of the bandwidth by network, time and user. Source: PBS 4.2, its API types."""

from __future__ import annotations

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import values as kinds
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.section_config import Property, Schema, SectionType

_RATE = kinds.Size()

TRAFFIC_CONTROL: Schema = {
    "rule": SectionType(
        kinds.RULE_ID,
        {
            "network": Property(kinds.Network(), required=True, repeats=True),
            "rate-in": Property(_RATE),
            "rate-out": Property(_RATE),
            "burst-in": Property(_RATE),
            "burst-out": Property(_RATE),
            "timeframe": Property(kinds.DailyDuration(), repeats=True),
            "users": Property(kinds.USER_ID, repeats=True, since="4.1"),
            "comment": Property(kinds.COMMENT),
        },
    )
}
"""Rates are bytes per second, bursts are bytes."""
