# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks of PBS: how they end, what is written of that, and their ids."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import rules

ENTRIES = {"GC": "garbage_collection", "prune": "prunejob", "verify": "verificationjob", "sync": "syncjob"}


class TaskFailure(Exception):
    """A worker task that ends with this status."""


@dataclasses.dataclass
class Log:
    """What a task tells. write: gets each line. warnings: how many of the lines were warnings."""

    write: Callable[[str], object] = print
    warnings: int = 0

    def info(self, text: str) -> None:
        self.write(text)

    def warn(self, text: str) -> None:
        self.warnings += 1
        self.write(text)


def upid(kind: str, worker: str, *, start: float | None = None, node: str = "pbs1", user: str = "root@pam") -> str:
    """An id in PBS's form: node, pid, start of the process, number of the task, start of the task, type, id, user."""
    moment = int(time.time() if start is None else start)
    return f"UPID:{node}:{os.getpid():08X}:{12345:08X}:{1:08X}:{moment:08X}:{kind}:{rules.escape_id(worker)}:{user}:"


def created(moment: float) -> dict[str, Any]:
    """The state of a job that has not run."""
    return {"created": {"time": int(moment)}}


def started(identifier: str) -> dict[str, Any]:
    return {"started": {"upid": identifier}}


def finished(
    identifier: str, moment: float, *, warnings: int = 0, error: str | None = None, updated: int | None = None
) -> dict[str, Any]:
    """The state of a job after a run. moment: of its end. updated: when the schedule counted as changed since."""
    state: dict[str, Any]
    if error is not None:
        state = {"Error": {"message": error, "endtime": int(moment)}}
    elif warnings:
        state = {"Warning": {"count": warnings, "endtime": int(moment)}}
    else:
        state = {"OK": {"endtime": int(moment)}}
    return {"finished": {"upid": identifier, "state": state, "updated": updated}}


def write_state(states: Path, kind: str, name: str, state: dict[str, Any]) -> Path:
    """Write a job's state where the scheduler looks for it. kind: the type of its tasks, as `prunejob`."""
    states.mkdir(parents=True, exist_ok=True)
    path = states / f"{kind}-{name}.json"
    new = path.with_suffix(".tmp")
    new.write_text(json.dumps(state, separators=(",", ":")))
    new.chmod(rules.FILE_MODE)
    if os.geteuid() == 0:
        os.chown(new, *rules.backup_ids())
    new.replace(path)
    return path


def count_again(states: Path, kind: str, name: str) -> None:
    """The schedule of a job counts as changed: the scheduler waits from now. kind: as for `write_state`."""
    now = time.time()
    try:
        state = json.loads((states / f"{kind}-{name}.json").read_text())
    except (OSError, ValueError):
        state = {}
    if "finished" in state:
        state["finished"]["updated"] = int(now)
    elif "started" not in state:
        state = created(now)
    write_state(states, kind, name, state)
