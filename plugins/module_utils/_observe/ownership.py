# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who owns a datastore, and what of it the daemon's user can read: the walk, split over processes.

Nothing is changed, not even the access times of what is read. The answer is no snapshot: backups and garbage
collection go on, and each name is reported as it was when it was looked at.
"""

from __future__ import annotations

import dataclasses
import mmap
import os
import stat
import time
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.chunk_store import (
    CHUNKS,
    GC_STATUS,
    LOCK,
    PREFIX_COUNT,
    is_prefix,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.facts import OwnershipFacts, WalkCounts, load
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.metadata_walk import MetadataWalk
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.permission import READ, SEARCH, WRITE, allows
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.tally import Tally, foreign_kind, merge
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk import (
    BASE_MODE,
    CHUNKS_MODE,
    LOCK_MODE,
    ChunkWalk,
    OpenStore,
    Position,
    Pulse,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._system.child import Channel, Outcome, Task, run
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

SCOPES = ("full", "sample", "skeleton", "none")

_BLOCK = 64
"""Neighbouring prefix directories that one worker takes: their inodes share disk blocks."""


@dataclasses.dataclass
class WalkPlan:
    """What of a datastore is walked, and how."""

    path: str
    """The base directory, absolute."""
    uid: int
    gid: int
    """Who should own everything."""
    groups: t.Tuple[int, ...] = ()
    """The groups of that user, for what it can read."""
    scope: str = "full"
    """C(full): everything. C(sample): the chunks of some prefix directories only. C(skeleton): neither chunks nor
    metadata. C(none): nothing."""
    sample_prefixes: int = 256
    """Prefix directories, evenly chosen, that C(sample) looks into."""
    workers: int = 0
    """Processes that walk over the chunks; 0 for as many as there are processors, and at least two."""
    max_paths: int = 20
    """Paths that are kept as examples, of each kind."""
    stall: float = 60.0
    """Seconds of silence after which a worker is given up."""
    temporary_age: float = 86400.0
    """Seconds after which a temporary file counts as left behind."""

    @property
    def identity(self) -> Identity:
        return Identity(self.uid, self.gid, self.groups)

    def worker_count(self) -> int:
        if self.workers:
            return self.workers
        return max(2, len(os.sched_getaffinity(0)))

    def listed(self) -> t.Container[int]:
        """The numbers of the prefix directories that are looked into."""
        if self.scope == "full":
            return range(PREFIX_COUNT)
        if self.scope == "sample":
            count = min(max(self.sample_prefixes, 0), PREFIX_COUNT)
            return frozenset(number * PREFIX_COUNT // count for number in range(count))
        return ()


@dataclasses.dataclass
class WalkProgress:
    """How far a walk is."""

    prefixes: int = 0
    prefixes_total: int = PREFIX_COUNT
    files: int = 0
    """Chunk files seen."""
    wrong: int = 0
    """Files and directories seen that belong to somebody else."""


OnProgress = t.Callable[[WalkProgress], None]


def observe_ownership(plan: WalkPlan, on_progress: t.Optional[OnProgress] = None) -> OwnershipFacts:
    """Walk over a datastore; see C(WalkPlan).

    Never raises because of the datastore: what could not be seen is said in C(complete), C(stuck) and C(errors).
    Access control lists are not looked at: what the mode bits deny counts as unreadable.
    """
    facts = OwnershipFacts(scope=plan.scope, uid=plan.uid, gid=plan.gid)
    if plan.scope == "none":
        facts.not_walked = "not asked for"
        return facts
    started = time.monotonic_ns()
    tasks, positions = _tasks(plan)
    outcomes = run(tasks, plan.stall, renew=True, on_part=ProgressSum(on_progress).on_part)
    facts.elapsed_ns = time.monotonic_ns() - started
    facts.method = "one stat a file, %d workers" % plan.worker_count()
    _take(facts, outcomes, plan)
    trouble = describe_trouble(plan.path, outcomes, positions)
    errors = [problem for part in _trees(facts) for problem in part.examples.get("errors", ())]
    if not trouble and errors:
        trouble = "%s: %s" % (errors[0].path, errors[0].detail)
    facts.stuck = trouble
    facts.complete = not trouble
    return facts


def _tasks(plan: WalkPlan) -> t.Tuple[t.Dict[str, Task], t.Dict[str, Position]]:
    workers = plan.worker_count() if plan.scope == "full" else 1
    keys = ["skeleton"] + ["chunks %d" % number for number in range(workers)]
    if plan.scope != "skeleton":
        keys.append("metadata")
    memory = mmap.mmap(-1, len(keys) * Position.SIZE)
    positions = {key: Position(memory, slot) for slot, key in enumerate(keys)}

    def chunk_task(worker: int) -> Task:
        return lambda channel: _walk_chunks(plan, worker, workers, channel, positions["chunks %d" % worker])

    tasks: t.Dict[str, Task] = {"chunks %d" % number: chunk_task(number) for number in range(workers)}
    tasks["skeleton"] = lambda channel: _look_at_skeleton(plan, channel, positions["skeleton"])
    if plan.scope != "skeleton":
        tasks["metadata"] = lambda channel: _walk_metadata(plan, channel, positions["metadata"])
    return tasks, positions


def share(worker: int, workers: int) -> t.Iterator[int]:
    """The numbers of the prefix directories that one of several workers takes."""
    for block in range(worker * _BLOCK, PREFIX_COUNT, workers * _BLOCK):
        yield from range(block, min(block + _BLOCK, PREFIX_COUNT))


# --- in the children ---------------------------------------------------------------------------------------------------


def _walk_chunks(plan: WalkPlan, worker: int, workers: int, channel: Channel, position: Position) -> None:
    store = OpenStore(plan.path)
    position.set(CHUNKS)
    walk = ChunkWalk(
        store,
        plan.identity,
        lambda progress: Pulse(channel, position, progress),
        plan.max_paths,
        plan.temporary_age,
    )
    walk.walk(share(worker, workers), plan.listed())
    channel.put("progress", walk.progress())
    channel.put("skeleton", walk.skeleton.result())
    channel.put("chunks", walk.chunks.result())
    channel.put("extras", walk.extras)


def _walk_metadata(plan: WalkPlan, channel: Channel, position: Position) -> None:
    walk = MetadataWalk(
        OpenStore(plan.path), plan.identity, lambda progress: Pulse(channel, position, progress), plan.max_paths
    )
    walk.walk()
    channel.put("metadata", walk.tally.result())


def _look_at_skeleton(plan: WalkPlan, channel: Channel, position: Position) -> None:
    """The base directory, C(.chunks), C(.lock) and C(.gc-status), and what else lies in C(.chunks)."""
    store = OpenStore(plan.path)
    tally = Tally(plan.identity, plan.max_paths)
    _directory(tally, plan.path, store.status, BASE_MODE)
    for name, needed in ((LOCK, READ | WRITE), (GC_STATUS, READ)):
        position.set(name)
        path = os.path.join(plan.path, name)
        try:
            status = os.stat(name, dir_fd=store.base, follow_symlinks=False)
        except FileNotFoundError:
            continue
        except OSError as exc:
            tally.error(path, exc)
            continue
        if not stat.S_ISREG(status.st_mode):
            tally.foreign(foreign_kind(status.st_mode), path, "instead of a file")
            continue
        tally.counts.files += 1
        if status.st_nlink != 1:
            tally.foreign("hardlink", path, "%d links" % status.st_nlink)
        tally.owner(path, status)
        if name == LOCK:
            tally.exact_mode(path, status, LOCK_MODE)
        if not allows(plan.identity, status, needed):
            tally.unreadable(path, status)
    position.set(CHUNKS)
    top = store.open_chunks()
    _directory(tally, os.path.join(plan.path, CHUNKS), os.fstat(top), CHUNKS_MODE)
    pulse = Pulse(channel, position, dict)
    with os.scandir(top) as entries:
        for entry in entries:
            pulse.beat()
            if not is_prefix(entry.name):
                tally.foreign("name", os.path.join(plan.path, CHUNKS, entry.name), "no prefix directory")
    channel.put("skeleton", tally.result())


def _directory(tally: Tally, path: str, status: os.stat_result, mode: int) -> None:
    tally.counts.directories += 1
    tally.owner(path, status)
    tally.exact_mode(path, status, mode)
    if not allows(tally.identity, status, READ | SEARCH):
        tally.unreadable(path, status)


# --- what they found ---------------------------------------------------------------------------------------------------


class ProgressSum:
    """Adds up what the children say about their progress."""

    def __init__(self, on_progress: t.Optional[OnProgress]) -> None:
        self._on_progress = on_progress
        self._latest: t.Dict[str, t.Dict[str, int]] = {}

    def on_part(self, key: str, name: str, value: t.Any) -> None:
        if name != "progress" or self._on_progress is None:
            return
        self._latest[key] = value
        total = WalkProgress()
        for part in self._latest.values():
            for field, number in part.items():
                setattr(total, field, getattr(total, field) + number)
        self._on_progress(total)


def _take(facts: OwnershipFacts, outcomes: t.Mapping[str, Outcome], plan: WalkPlan) -> None:
    parts = [outcome.parts for outcome in outcomes.values()]
    for tree in ("skeleton", "chunks", "metadata"):
        found = [load(WalkCounts, part[tree]) for part in parts if tree in part]
        setattr(facts, tree, merge(found, plan.max_paths))
    for part in parts:
        for name, number in part.get("extras", {}).items():
            setattr(facts, name, getattr(facts, name) + number)


def _trees(facts: OwnershipFacts) -> t.Tuple[WalkCounts, ...]:
    return (facts.skeleton, facts.chunks, facts.metadata)


def describe_trouble(path: str, outcomes: t.Mapping[str, Outcome], positions: t.Mapping[str, Position]) -> str:
    """Where the first child that did not come to its end was, and why it did not; empty where all did."""
    for key, outcome in outcomes.items():
        if outcome.finished:
            continue
        where = display(os.path.join(path, positions[key].get()))
        return "%s: %s" % (where, "no answer" if outcome.timed_out else outcome.error)
    return ""
