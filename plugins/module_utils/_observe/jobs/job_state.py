# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last run of PBS's jobs, from its state files. The daemon's user owns them and may write anything to them."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import JobRunFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.job_state import JobStateError, parse_state, parse_upid
from ansible_collections.fleetops.pbs.plugins.module_utils._system.small_file import only_roots, read_small

_SIZE_LIMIT = 256 * 1024


def observe_run(dir_fd: int, job_type: str, name: str, proc: str = "/proc") -> JobRunFacts:
    """The last run of one job. `dir_fd` is the open directory `jobstates`. Never raises because of the content.

    `job_type` is `garbage_collection`, `prunejob`, `verificationjob` or `syncjob`. A job without a state file has never run.
    """
    found = read_small(f"{job_type}-{name}.json", dir_fd, _SIZE_LIMIT, only_roots)
    if found.data is None:
        return unreadable(found.error) if found.exists else JobRunFacts(state="created")
    try:
        facts = JobRunFacts(**dataclasses.asdict(parse_state(found.data)))
    except JobStateError as exc:
        return unreadable(str(exc))
    if facts.state == "running":
        _look_after_process(facts, proc)
    return facts


def unreadable(why: str) -> JobRunFacts:
    return JobRunFacts(state="unreadable", message=why)


def _look_after_process(facts: JobRunFacts, proc: str) -> None:
    """If PBS dies after it wrote `started`, the run has ended with an unknown result, and PBS counts it from its start."""
    upid = parse_upid(facts.upid)
    if upid is None:
        facts.state, facts.message = "unreadable", "its UPID is invalid"
    elif process_start(upid.pid, proc) != upid.pstart:
        facts.state, facts.end = "unknown", upid.start
        facts.message = "its process ended without a result"


def process_start(pid: int, proc: str = "/proc") -> t.Optional[int]:
    """Start time of a process, in clock ticks since boot; None if there is no such process."""
    try:
        with open(os.path.join(proc, str(pid), "stat"), "rb") as handle:
            # The name, in parentheses, may contain parentheses and blanks.
            return int(handle.read(4096).rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None
