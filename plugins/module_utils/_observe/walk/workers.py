# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The worker processes that walk one datastore: their progress and their results."""

from __future__ import annotations

import dataclasses
import mmap
import os
import struct
import time
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import PREFIX_COUNT
from ansible_collections.fleetops.pbs.plugins.module_utils._system.child import Channel, Outcome, Task, run
from ansible_collections.fleetops.pbs.plugins.module_utils._system.limits import TimeLimit
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display


@dataclasses.dataclass
class WalkProgress:
    """Progress of a walk."""

    prefixes: int = 0
    prefixes_total: int = PREFIX_COUNT
    files: int = 0
    """Chunk files seen so far."""
    wrong: int = 0
    """Files and directories with a wrong owner seen so far."""
    indexes: int = 0
    """Number of index files read so far."""


OnProgress = t.Callable[[WalkProgress], None]
Counter = t.Callable[[], dict[str, int]]
"""Returns a worker's share of `WalkProgress`, by field."""


class Position:
    """The current path of a worker, in memory shared with its parent, because a worker that hangs cannot report it."""

    SIZE = 512

    def __init__(self, memory: mmap.mmap, slot: int) -> None:
        self._memory = memory
        self._start = slot * self.SIZE

    def set(self, path: str) -> None:
        """Record the path, relative to the base directory, before it is accessed."""
        data = path.encode("utf-8", "surrogateescape")[: self.SIZE - 1] + b"\0"
        self._memory[self._start : self._start + len(data)] = data

    def get(self) -> str:
        data = self._memory[self._start : self._start + self.SIZE]
        return data.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


class SharedBase:
    """The base directory that each worker opened, in memory shared by all of them.

    Each worker opens the path itself, and its target may change in between: if a filesystem is unmounted, another store
    may be below it. The worker that opens the path later sees what the others opened.
    """

    _ENTRY = struct.Struct("=QQ")
    SIZE = _ENTRY.size

    def __init__(self, memory: mmap.mmap, slot: int, slots: int) -> None:
        self._memory = memory
        self._slot = slot
        self._slots = slots

    def check(self, status: os.stat_result) -> None:
        """Call this before any change. Raises `OSError` if another worker opened another directory."""
        mine = (status.st_dev, status.st_ino)
        self._ENTRY.pack_into(self._memory, self._slot * self.SIZE, *mine)
        found = {self._ENTRY.unpack_from(self._memory, slot * self.SIZE) for slot in range(self._slots)}
        if found - {mine, (0, 0)}:
            raise OSError(
                "the path of the datastore now leads to another directory than at the start (was a filesystem mounted or "
                "unmounted?)"
            )


class Heartbeat:
    """Regular progress messages of a worker: the parent abandons a worker that is silent for too long."""

    INTERVAL = 0.5
    """Seconds."""

    def __init__(self, channel: Channel, position: Position, shared_base: SharedBase) -> None:
        self.at = position.set
        self.put = channel.put
        self.check_base = shared_base.check
        self.also: t.Callable[[], None] = lambda: None
        """Sends more results along with the progress; they are kept if the worker is killed."""
        self._due = 0.0

    def beat(self, progress: Counter) -> None:
        """Send the progress, if it is due."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + self.INTERVAL
            self.put("progress", progress())
            self.also()


Job = t.Callable[[Heartbeat], None]
"""The work of one worker; it sends its results with `Heartbeat.put`."""


def worker_count(wanted: int) -> int:
    """Number of processes that walk the chunks; 0 means one per processor, and at least two."""
    return wanted or max(2, len(os.sched_getaffinity(0)))


def run_jobs(
    path: str,
    jobs: t.Mapping[str, Job],
    stall: float,
    limit: TimeLimit,
    on_progress: t.Optional[OnProgress] = None,
    keep: t.Container[int] = (),
) -> tuple[list[dict[str, t.Any]], str]:
    """Run each job in its own worker process, and abandon a worker that is silent for `stall` seconds, or when `limit` ends.

    The workers keep the descriptors in `keep`. Returns the results of each worker, and the path and reason of the first
    failure; an empty text if all of them finished.
    """
    memory = mmap.mmap(-1, max(1, len(jobs)) * Position.SIZE)
    positions = {key: Position(memory, slot) for slot, key in enumerate(jobs)}
    common = mmap.mmap(-1, max(1, len(jobs)) * SharedBase.SIZE)
    shared_bases = {key: SharedBase(common, slot, len(jobs)) for slot, key in enumerate(jobs)}

    def task(key: str, job: Job) -> Task:
        return lambda channel: job(Heartbeat(channel, positions[key], shared_bases[key]))

    tasks = {key: task(key, job) for key, job in jobs.items()}
    outcomes = run(tasks, stall, renew=True, on_part=_Sum(on_progress).on_part, keep=keep, total=limit.left())
    trouble = _trouble(path, outcomes, positions, limit)
    memory.close()
    common.close()
    return [outcome.parts for outcome in outcomes.values()], trouble


def _trouble(
    path: str, outcomes: t.Mapping[str, Outcome], positions: t.Mapping[str, Position], limit: TimeLimit
) -> str:
    for key, outcome in outcomes.items():
        if not outcome.finished:
            where = display(os.path.join(path, positions[key].get())).rstrip("/")
            slow = f"not done within {limit.text}" if outcome.overtime else "no answer"
            return f"{where}: {slow if outcome.timed_out else outcome.error}"
    return ""


class _Sum:
    """Adds up the progress of the workers."""

    def __init__(self, on_progress: t.Optional[OnProgress]) -> None:
        self._on_progress = on_progress
        self._latest: dict[str, dict[str, int]] = {}

    def on_part(self, key: str, name: str, value: t.Any) -> None:
        if name != "progress" or self._on_progress is None:
            return
        self._latest[key] = value
        total = WalkProgress()
        for part in self._latest.values():
            for field, number in part.items():
                setattr(total, field, getattr(total, field) + number)
        self._on_progress(total)
