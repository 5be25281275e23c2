# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base class of this collection's errors."""

from __future__ import annotations


class CollectionError(Exception):
    """An error with a message for the user: the object, the problem, and the fix. Modules fail with this message."""
