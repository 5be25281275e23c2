# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tasks that run now, and how runs ended whose state files do not have it. The log filesystem may not answer.

PBS asks the process of a task whether it still runs. From outside, a task runs if `tasks/active` has it without an end and
its process lives. How it ended is in the lists of tasks, or in the last line of its log. Source: PBS, worker tasks
(proxmox-rest-server) and job states (`jobstate.rs`).
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import JobRunFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import TaskFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.load import load
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.jobs.job_state import process_start
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.jobs.task_history import SIZE_LIMIT, open_tasks
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.job_state import Upid, parse_upid, unescaped
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.task_list import (
    FILES,
    Task,
    parse_log_end,
    parse_task_list,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._system.child import Channel, run_one
from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import open_directory
from ansible_collections.fleetops.pbs.plugins.module_utils._system.small_file import only_roots, read_end, read_small

_MAX_TASKS = 512
_TAIL = 8192
"""PBS reads as much of a log to find its last line."""

NO_END = "its task does not run, and its log has no result"


def observe_running_tasks(
    runs: t.Iterable[t.Optional[JobRunFacts]], log_dir: str, deadline: float, proc: str = "/proc"
) -> t.Optional[list[TaskFacts]]:
    """The tasks that run now; None if that cannot be found out. Completes runs without a known end, in place.

    Never raises `OSError`.
    """
    open_ends = {run.upid: run for run in runs if run is not None and run.upid and run.state in ("running", "unknown")}

    def look(channel: Channel) -> None:
        found = _read(log_dir, set(open_ends), proc)
        if found is not None:
            running, ends = found
            channel.put("running", running)
            channel.put("ends", ends)

    outcome = run_one(look, deadline)
    if "running" not in outcome.parts:
        return None
    running = [load(TaskFacts, item) for item in outcome.parts["running"]]
    alive = {task.upid for task in running}
    for upid, run in open_ends.items():
        if upid in alive:
            continue
        end = outcome.parts.get("ends", {}).get(upid)
        parsed = parse_upid(upid)
        if end is not None:
            run.state, run.end, run.warnings, run.message = end
        elif run.state == "running":
            run.state, run.end, run.message = "unknown", parsed.start if parsed is not None else None, NO_END
    return running


End = tuple[str, int, int, str]
"""State, end (seconds since the epoch), number of warnings, message."""


def _read(log_dir: str, wanted: t.Collection[str], proc: str) -> t.Optional[tuple[list[TaskFacts], dict[str, End]]]:
    """Running tasks, and the ends of the wanted ones; None without lists of tasks. Raises `OSError`."""
    try:
        fd = open_tasks(log_dir)
    except FileNotFoundError:
        return None
    try:
        tasks: dict[str, Task] = {}
        for name in FILES:
            file = read_small(name, fd, SIZE_LIMIT, only_roots)
            if file.exists and file.data is None:
                raise OSError(0, f"{os.path.join(log_dir, 'tasks', name)}: {file.error}")
            for task in parse_task_list(file.data or b""):
                # From old to new; a task that ends while the lists are read may be in two.
                known = tasks.get(task.text)
                if known is None or known.end is None:
                    tasks[task.text] = task
        running = [
            TaskFacts(text, task.upid.type, unescaped(task.upid.id), task.upid.start)
            for text, task in tasks.items()
            if task.end is None and process_start(task.upid.pid, proc) == task.upid.pstart
        ][:_MAX_TASKS]
        alive = {task.upid for task in running}
        ends: dict[str, End] = {}
        for text in wanted:
            if text in alive:
                continue
            listed = tasks.get(text)
            end = _from_log(fd, text)
            if end is None and listed is not None and listed.end is not None:
                end = (listed.status, listed.end, listed.warnings, listed.message)
            if end is not None:
                ends[text] = end
        return running, ends
    finally:
        os.close(fd)


def _from_log(tasks: int, text: str) -> t.Optional[End]:
    """How a task ended, from the last line of its log."""
    upid: t.Optional[Upid] = parse_upid(text)
    if upid is None or "/" in text:
        return None
    try:
        directory = open_directory(f"{upid.pstart % 256:02X}", tasks)
    except OSError:
        return None
    try:
        log = read_end(text, directory, _TAIL, only_roots)
    except OSError:
        return None
    finally:
        os.close(directory)
    found = parse_log_end(log)
    return None if found is None else (found.status, found.end, found.warnings, found.message)
