# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which PBS is installed."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.version import MANAGER, PACKAGE
from ansible_collections.fleetops.pbs.plugins.module_utils._system.program import Run, run

_TIMEOUT = 10.0
_NOT_THERE = ("not-installed", "config-files")


def installed(run_command: Run = run, manager: str = MANAGER) -> tuple[bool, t.Optional[str]]:
    """Whether PBS is installed on this host, and the version of its package (`4.2.0-1`); None if there is no package."""
    answer = run_command(["dpkg-query", "-W", "-f=${db:Status-Status} ${Version}\n", PACKAGE], _TIMEOUT)
    for line in answer.output.splitlines() if answer.code == 0 else ():
        status, _space, version = line.partition(" ")
        if version and status not in _NOT_THERE:
            return True, version
    return os.path.exists(manager), None
