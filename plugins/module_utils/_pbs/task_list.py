# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lists of tasks in `/var/log/proxmox-backup/tasks`: `active`, `index` and `archive`, one task a line.

A line is `UPID` for a task that runs, and `UPID ENDTIME STATUS` for one that has ended, with ENDTIME in hex. Source: PBS,
worker tasks (proxmox-rest-server), and the lists of a PBS 4.2.3.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.job_state import Upid, parse_upid
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

FILES = ("archive", "index", "active")
"""From old to new; a task is moved from one to the next when it ends, and when many have ended."""

_LINE = re.compile(r"(?P<upid>UPID:\S+)(?: (?P<end>[0-9A-Fa-f]{8,16}) (?P<status>.*))?")
_WARNINGS = re.compile(r"WARNINGS: ([0-9]{1,15})")
_MESSAGE_LIMIT = 2000


@dataclasses.dataclass(frozen=True)
class Task:
    upid: Upid
    end: t.Optional[int] = None
    """Seconds since the epoch; None while it runs."""
    status: str = ""
    """`ok`, `warning`, `error` or `unknown` (it died); empty while it runs."""
    warnings: int = 0
    message: str = ""
    """Why it failed."""
    text: str = ""
    """The UPID as in the list."""


def parse_task_list(data: bytes) -> list[Task]:
    """The tasks of one list, in its order. A line that PBS does not write is left out, as PBS does."""
    tasks = []
    for line in data.decode("utf-8", "replace").split("\n"):
        match = _LINE.fullmatch(line)
        upid = parse_upid(match.group("upid")) if match is not None else None
        if match is None or upid is None:
            continue
        end, text = match.group("end"), match.group("upid")
        tasks.append(
            Task(upid, text=text) if end is None else Task(upid, int(end, 16), *_result(match.group("status")), text)
        )
    return tasks


def _result(text: str) -> tuple[str, int, str]:
    """State, number of warnings, and message of a task that ended with this status."""
    if text in ("OK", "unknown"):
        return text.lower(), 0, ""
    warnings = _WARNINGS.fullmatch(text)
    if warnings is not None:
        return "warning", int(warnings.group(1)), ""
    return "error", 0, display(text)[:_MESSAGE_LIMIT]


_LOG_END = re.compile(r"(?P<time>\S+): TASK (?P<status>OK|WARNINGS: [0-9]+|ERROR: .*)")


@dataclasses.dataclass(frozen=True)
class LogEnd:
    """How a task ended; the fields as in `Task`."""

    end: int
    status: str
    warnings: int = 0
    message: str = ""


def parse_log_end(data: bytes) -> t.Optional[LogEnd]:
    """The result in the last line of a task's log; None if there is none, because the task runs or died."""
    line = data.decode("utf-8", "replace").rstrip("\n").rpartition("\n")[2]
    match = _LOG_END.fullmatch(line)
    if match is None:
        return None
    try:
        # Python reads `Z` since 3.11.
        moment = datetime.datetime.fromisoformat(match.group("time").replace("Z", "+00:00"))
        end = int(moment.timestamp())
    except (ValueError, OverflowError):
        return None
    status = match.group("status")
    return LogEnd(end, *_result(status[len("ERROR: ") :] if status.startswith("ERROR: ") else status))
