# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Comparison of PBS versions, and the newest version that this collection knows."""

from __future__ import annotations

import re
import typing as t

PACKAGE = "proxmox-backup-server"
MANAGER = "/usr/sbin/proxmox-backup-manager"
NEWEST_KNOWN = (4, 2, 3)
"""The newest PBS whose configuration files this collection knows completely. Patch releases add properties, too: 4.0.20,
4.0.22, 4.1.7 and 4.1.8 did."""

_PARTS = re.compile(r"([0-9]+)|(~)")


def parse_version(text: str) -> tuple[int, ...]:
    """The numbers of a version for comparison: `4.2.0-1` is `(4, 2, 0, 1)`; empty if there are none.

    A tilde sorts before everything, as in Debian versions. Ignores an epoch: PBS has none.
    """
    numbers = (int(digits) if digits else -1 for digits, _tilde in _PARTS.findall(text[:64].rpartition(":")[2]))
    return tuple(numbers)


def is_newer_than_known(version: t.Optional[str]) -> bool:
    """Whether this PBS may have settings that this collection does not know. An unknown version counts as known."""
    return version is not None and parse_version(version)[: len(NEWEST_KNOWN)] > NEWEST_KNOWN
