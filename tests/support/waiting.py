# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for what comes about by itself, on a machine that may stand still for some seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(condition: Callable[[], Any], what: str | Callable[[], str] = "", seconds: float = 150.0) -> Any:
    """Wait until the condition holds; its answer. what: the message if it never does."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not so after {seconds} s: {what() if callable(what) else what}"
        time.sleep(0.1)
