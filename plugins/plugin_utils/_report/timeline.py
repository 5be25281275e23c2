# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the jobs of a host run in the week after its document was made, and how long each takes."""

from __future__ import annotations

import datetime
import functools
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.calendar_times import parse_event
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.told import Json, inner, number_at, text_at

DAY = 86400
DAYS = 7
MOST_LANES = 40
"""Jobs of a host that get a line."""
MOST_BARS = 200
"""Runs of a job in the week; one that runs more often gets one bar over all of it."""
MOST_HOSTS = 60
"""Hosts whose week the page has, the worst first."""
WIDTH = 1000.0
"""Of the week, in the units of the drawing."""
_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LEAST = 2.0
"""Of a bar: so that it can be seen."""


_event = functools.lru_cache(maxsize=512)(parse_event)
"""Most hosts of a fleet have the same schedules."""


class Lane(t.NamedTuple):
    """The week of one job."""

    name: str
    kind: str
    """`gc`, `prune`, `verify` or `sync`."""
    schedule: str
    seconds: int
    """How long it took last; 0 where that is not known."""
    begin: int
    """Of the week, in seconds since the epoch."""
    utc_offset: int
    """Local time of the host minus UTC, in seconds."""

    @property
    def bars(self) -> list[tuple[float, float]]:
        """Begin and width of each run, in units of the drawing; made when they are drawn, because there may be many."""
        event = _event(self.schedule)
        week = DAYS * DAY
        times = event.times(self.begin - 1, self.begin + week - 1, self.utc_offset, MOST_BARS + 1) if event else []
        if len(times) > MOST_BARS:
            return [(0.0, WIDTH)]
        bars = []
        for moment in times:
            left = (moment - self.begin) / week * WIDTH
            bars.append((round(left, 2), round(min(max(self.seconds / week * WIDTH, LEAST), WIDTH - left), 2)))
        return bars

    @property
    def days(self) -> list[str]:
        """The names of the seven days."""
        return [_NAMES[((self.begin + self.utc_offset) // DAY + 3 + number) % 7] for number in range(DAYS)]


def lanes_of(document: Json) -> list[Lane]:
    """The scheduled jobs of a document, by datastore: GC, prune, verify, sync."""
    observed = inner(document, "observed") or {}
    offset = observed.get("utc_offset")
    offset = offset if isinstance(offset, int) and abs(offset) <= DAY else 0
    try:
        finished = datetime.datetime.strptime(document["finished"], "%Y-%m-%dT%H:%M:%S.%fZ")
    except (TypeError, ValueError):
        return []
    # From midnight, by the clock of the host.
    begin = int(finished.replace(tzinfo=datetime.timezone.utc).timestamp() + offset) // DAY * DAY - offset
    lanes: list[Lane] = []
    for datastore, kind, job_id, job in jobs_of(document):
        if len(lanes) == MOST_LANES:
            break
        name = f"{datastore}: GC" if kind == "gc" else f"{datastore}: {kind} {job_id}"
        lane = _lane(name, kind, job, begin, offset)
        if lane is not None:
            lanes.append(lane)
    return lanes


def jobs_of(document: Json) -> t.Iterator[tuple[str, str, str, Json]]:
    """Datastore, kind (`gc`, `prune`, `verify`, `sync`), id and facts of each job; the id of GC is empty."""
    directory = inner(document, "observed", "config_dir") or {}
    sync_jobs = _objects(directory.get("sync_jobs"))
    for store in document["datastores"]:
        name, configured = display(store["name"]), inner(store, "observed", "configured")
        if configured is None:
            continue
        yield name, "gc", "", {"schedule": configured.get("gc_schedule"), "last_run": configured.get("gc_last_run")}
        for kind in ("prune", "verify"):
            for job in _objects(configured.get(f"{kind}_jobs")):
                yield name, kind, text_at(job, "id"), job
        for job in sync_jobs:
            if text_at(job, "store") == name:
                yield name, "sync", text_at(job, "id"), job


def _lane(name: str, kind: str, job: Json, begin: int, offset: int) -> t.Optional[Lane]:
    schedule = text_at(job, "schedule")
    if not schedule or job.get("disabled") is True or _event(schedule) is None:
        return None
    run = inner(job, "last_run") or {}
    history = inner(run, "history") or {}
    start, end = number_at(run, "start"), number_at(run, "end")
    seconds = number_at(history, "longest") or (end - start if start and end > start else 0)
    return Lane(name, kind, schedule, seconds, begin, offset)


def _objects(value: t.Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
