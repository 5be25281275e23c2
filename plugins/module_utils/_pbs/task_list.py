# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lists of tasks in `/var/log/proxmox-backup/tasks`: `active`, `index` and `archive`, one task a line.

A line is `UPID` for a task that runs, and `UPID ENDTIME STATUS` for one that has ended, with ENDTIME in hex. Source: PBS,
worker tasks (proxmox-rest-server), and the lists of a PBS 4.2.3.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.job_state import Upid, parse_upid

FILES = ("archive", "index", "active")
"""From old to new; a task is moved from one to the next when it ends, and when many have ended."""

_LINE = re.compile(r"(?P<upid>UPID:\S+)(?: (?P<end>[0-9A-Fa-f]{8,16}) (?P<status>.*))?")
_WARNINGS = re.compile(r"WARNINGS: [0-9]+")


@dataclasses.dataclass(frozen=True)
class Task:
    upid: Upid
    end: t.Optional[int] = None
    """Seconds since the epoch; None while it runs."""
    status: str = ""
    """`ok`, `warning`, `error` or `unknown` (it died); empty while it runs."""


def parse_task_list(data: bytes) -> list[Task]:
    """The tasks of one list, in its order. A line that PBS does not write is left out, as PBS does."""
    tasks = []
    for line in data.decode("utf-8", "replace").split("\n"):
        match = _LINE.fullmatch(line)
        upid = parse_upid(match.group("upid")) if match is not None else None
        if match is None or upid is None:
            continue
        end = match.group("end")
        tasks.append(Task(upid) if end is None else Task(upid, int(end, 16), _status(match.group("status"))))
    return tasks


def _status(text: str) -> str:
    if text in ("OK", "unknown"):
        return text.lower()
    return "warning" if _WARNINGS.fullmatch(text) else "error"
