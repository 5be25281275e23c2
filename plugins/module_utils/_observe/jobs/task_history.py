# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The history of jobs, from PBS's lists of tasks. They are on the log filesystem, which may not answer."""

from __future__ import annotations

import collections
import dataclasses
import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import JobHistoryFacts, JobRunFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.job_state import parse_upid
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.task_list import FILES, Task, parse_task_list
from ansible_collections.fleetops.pbs.plugins.module_utils._system.child import Channel, run_one
from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import open_directory
from ansible_collections.fleetops.pbs.plugins.module_utils._system.small_file import only_roots, read_small

LOG_DIR = "/var/log/proxmox-backup"
SIZE_LIMIT = 8 * 1024 * 1024
"""PBS begins a new archive at half a MiB."""
_DURATIONS = 10
"""How many runs count for how long a job takes."""

Key = tuple[str, str]
"""Type and object of a task: the same in each run of a job."""


def observe_histories(runs: t.Iterable[t.Optional[JobRunFacts]], log_dir: str, deadline: float) -> str:
    """Add its history to each run; returns why that was not possible, or an empty text. Never raises `OSError`.

    Two jobs may share type and object (prune jobs of one namespace); then nobody knows whose run it was, and both get none.
    """
    by_key: dict[Key, list[JobRunFacts]] = collections.defaultdict(list)
    for run in runs:
        upid = parse_upid(run.upid) if run is not None else None
        if run is not None and upid is not None:
            by_key[upid.type, upid.id].append(run)
    wanted = {key: found[0] for key, found in by_key.items() if len(found) == 1}
    if not wanted:
        return ""

    def look(channel: Channel) -> None:
        for key, history in read_histories(log_dir, wanted).items():
            channel.put("\t".join(key), dataclasses.asdict(history))

    outcome = run_one(look, deadline)
    for name, parts in outcome.parts.items():
        kind, _tab, of = name.partition("\t")
        if (kind, of) in wanted:
            wanted[kind, of].history = JobHistoryFacts(**parts)
    if outcome.timed_out:
        return f"{log_dir} gave no answer within {deadline:g} s"
    return outcome.error


def open_tasks(log_dir: str) -> int:
    """Open the directory of the lists of tasks. Raises `OSError`."""
    base = open_directory(log_dir, follow=True)
    try:
        return open_directory("tasks", dir_fd=base)
    finally:
        os.close(base)


def read_histories(log_dir: str, wanted: t.Container[Key]) -> dict[Key, JobHistoryFacts]:
    """The histories of these tasks. Raises `OSError`; a list that does not exist is empty."""
    try:
        fd = open_tasks(log_dir)
    except FileNotFoundError:
        return {}
    found: dict[str, tuple[Key, Task]] = {}
    try:
        for name in FILES:
            file = read_small(name, fd, SIZE_LIMIT, only_roots)
            if file.exists and file.data is None:
                raise OSError(0, f"{os.path.join(log_dir, 'tasks', name)}: {file.error}")
            for task in parse_task_list(file.data or b""):
                key = (task.upid.type, task.upid.id)
                if key in wanted and task.end is not None:
                    # A task that is moved from one list to the next while they are read is in both.
                    found[repr(task.upid)] = (key, task)
    finally:
        os.close(fd)
    tasks: dict[Key, list[Task]] = collections.defaultdict(list)
    for key, task in found.values():
        tasks[key].append(task)
    return {key: _history(sorted(of, key=lambda task: (task.end or 0, task.upid.start))) for key, of in tasks.items()}


def _history(tasks: t.Sequence[Task]) -> JobHistoryFacts:
    """`tasks` from old to new, at least one, all of them ended."""
    good = [number for number, task in enumerate(tasks) if task.status in ("ok", "warning")]
    failed = tasks[good[-1] + 1 :] if good else tasks
    return JobHistoryFacts(
        runs=len(tasks),
        oldest=tasks[0].end or 0,
        last_success=tasks[good[-1]].end if good else None,
        failures=len(failed),
        first_failure=failed[0].end if failed else None,
        longest=max(max((task.end or 0) - task.upid.start, 0) for task in tasks[-_DURATIONS:]),
    )
