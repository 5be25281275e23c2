# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The jobs of a datastore in one shape, when they run, and how long they take."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import (
    DatastoreConfig,
    JobRunFacts,
    SyncJobFacts,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.calendar_times import next_times, parse_event

GC, PRUNE, VERIFY, SYNC = "GC", "prune job", "verify job", "sync job"
MAX_TIMES = 400
"""Runs of one job that are compared with those of another."""
ENOUGH_DAYS = 8 * 366
"""29 February comes at least this often."""


@dataclasses.dataclass(frozen=True)
class Job:
    kind: str
    id: str
    schedule: str
    run: t.Optional[JobRunFacts]
    disabled: bool = False
    on_mount: bool = False
    keeps: t.Mapping[str, int] = dataclasses.field(default_factory=dict)
    sync: t.Optional[SyncJobFacts] = None

    @property
    def name(self) -> str:
        """`prune job 'daily'`; the GC of a datastore is `GC`."""
        return self.kind if self.kind == GC else f"{self.kind} '{self.id}'"

    @property
    def seconds(self) -> t.Optional[int]:
        """How long it takes: the longest of its last runs, else the last one; None if it has not ended yet."""
        run = self.run
        if run is None:
            return None
        if run.history is not None:
            return run.history.longest
        if run.start is None or run.end is None or run.end < run.start:
            return None
        return run.end - run.start

    @property
    def understood(self) -> bool:
        return not self.schedule or parse_event(self.schedule) is not None

    def times(self, after: float, utc_offset: int, count: int, days: int = ENOUGH_DAYS) -> list[int]:
        return next_times(self.schedule, after, utc_offset, count, days) if self.schedule else []


def jobs_of(config: DatastoreConfig, sync_jobs: t.Sequence[SyncJobFacts]) -> list[Job]:
    """The prune, verify and sync jobs of a datastore; of the sync jobs, those that write to it or push from it."""
    return [
        *(
            Job(PRUNE, job.id, job.schedule, job.last_run, disabled=job.disabled, keeps=job.keeps)
            for job in config.prune_jobs
        ),
        *(Job(VERIFY, job.id, job.schedule, job.last_run) for job in config.verify_jobs),
        *(
            Job(SYNC, job.id, job.schedule, job.last_run, on_mount=job.run_on_mount, sync=job)
            for job in sync_jobs
            if job.store == config.name
        ),
    ]


def gc_of(config: DatastoreConfig) -> Job:
    return Job(GC, config.name, config.gc_schedule, config.gc_last_run)


def shortest_period(job: Job, now: float, utc_offset: int) -> t.Optional[int]:
    """Seconds between two runs, the least of the next ones; None if there are no two."""
    times = job.times(now, utc_offset, 24)
    return min((later - earlier for earlier, later in zip(times, times[1:])), default=None)


def first_overlap(one: Job, other: Job, now: float, utc_offset: int, days: int) -> t.Optional[int]:
    """When both run at the same time next, if each takes as long as before; None if they do not, or that is not known."""
    if not one.seconds or not other.seconds:
        return None
    first = [(start, start + one.seconds) for start in one.times(now, utc_offset, MAX_TIMES, days)]
    second = [(start, start + other.seconds) for start in other.times(now, utc_offset, MAX_TIMES, days)]
    at = 0
    for start, end in first:
        while at < len(second) and second[at][1] <= start:
            at += 1
        if at < len(second) and second[at][0] < end:
            return max(start, second[at][0])
    return None


def covers_namespace(base: str, max_depth: t.Optional[int], namespace: str, below: int = 0) -> bool:
    """Whether a job with that namespace and depth works on a namespace, and on those up to `below` levels below it."""
    if base and namespace != base and not namespace.startswith(base + "/"):
        return False
    return max_depth is None or _level(namespace) - _level(base) + below <= max_depth


def _level(namespace: str) -> int:
    return namespace.count("/") + 1 if namespace else 0
