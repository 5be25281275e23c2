# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long work on a datastore may take in all, besides the limits of its single steps."""

from __future__ import annotations

import time

TIMEOUT = 12 * 3600.0
"""The default of the option `timeout`."""

TOGETHER = 2.0
"""All walks of one run of a module may take this many times as long as those over one datastore."""


class TimeLimit:
    """The time that all walks over one datastore may take together; it begins now.

    A filesystem that answers each call slowly, or lists names without end, never stalls; so silence alone is no limit.
    """

    def __init__(self, seconds: float = TIMEOUT, what: str = "the limit for one datastore") -> None:
        self._seconds = seconds
        self._what = what
        self._ends = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds."""
        return max(0.0, self._ends - time.monotonic())

    def part(self, seconds: float) -> TimeLimit:
        """The limit of something that begins now, within this one."""
        return TimeLimit(seconds) if seconds <= self.left() else self

    @property
    def text(self) -> str:
        """The limit in words."""
        return f"{self._what} ({self._seconds:g} s)"
