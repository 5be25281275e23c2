# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The walk that checks owners and readability of a datastore, split over processes.

It changes nothing, not even access times. The result is no snapshot: backups and garbage collection continue, and each
name is reported in the state at its check.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.load import load
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.walk import OwnershipFacts, WalkCounts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.chunk_walk import ChunkWalk, walk_together
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.counters import CountingVisitor, merge
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.metadata_walk import MetadataWalk
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.open_store import open_together
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.skeleton_walk import walk_skeleton
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.visitor import Collector
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.work_queue import WorkQueue
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.workers import (
    Heartbeat,
    Job,
    OnProgress,
    worker_count,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import PREFIX_COUNT
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity, become
from ansible_collections.fleetops.pbs.plugins.module_utils._system.limits import TimeLimit

SCOPES = ("full", "sample", "skeleton", "none")

_TREES = ("skeleton", "chunks", "metadata")


@dataclasses.dataclass
class WalkPlan:
    """Which part of a datastore to walk, and how."""

    path: str
    """The base directory, absolute."""
    uid: int
    gid: int
    """The required owner."""
    groups: tuple[int, ...] = ()
    """The groups of that user, which decide what it can read."""
    scope: str = "full"
    """`full`: everything. `sample`: the chunks of some prefix directories only. `skeleton`: neither chunks nor
    metadata. `none`: nothing."""
    sample_prefixes: int = 256
    """Number of prefix directories that `sample` lists, evenly spaced."""
    workers: int = 0
    """Processes that walk the chunks; 0 for one per processor, and at least two."""
    max_paths: int = 20
    """Number of example paths of each kind."""
    stall: float = 60.0
    """Seconds without progress after which a worker is abandoned."""
    limit: TimeLimit = dataclasses.field(default_factory=TimeLimit)
    """For all walks over this datastore together."""
    temporary_age: float = 86400.0
    """Seconds after which a temporary file counts as stale."""
    as_owner: bool = False
    """Walk as that user, if root is refused (root_squash)."""

    @property
    def identity(self) -> Identity:
        return Identity(self.uid, self.gid, self.groups)

    def listed(self) -> t.Container[int]:
        """The numbers of the prefix directories to list."""
        if self.scope == "full":
            return range(PREFIX_COUNT)
        if self.scope == "sample":
            count = min(max(self.sample_prefixes, 0), PREFIX_COUNT)
            return frozenset(number * PREFIX_COUNT // count for number in range(count))
        return ()


class Companion:
    """Collects more about the chunks of a walk, in the worker processes of the walk."""

    name: str
    """Name of the part that each process sends."""

    def collector(self, counter: CountingVisitor) -> Collector:
        """Called in each process; `counter` counts the same chunks."""
        raise NotImplementedError

    def result(self, collector: Collector) -> dict[str, t.Any]:
        """Called in each process after its walk; returns the part to send."""
        raise NotImplementedError

    def take(self, parts: t.Sequence[dict[str, t.Any]], trouble: str) -> None:
        """Called in the parent process with the parts of all workers, and the first failure."""
        raise NotImplementedError


def observe_ownership(
    plan: WalkPlan, on_progress: t.Optional[OnProgress] = None, companion: t.Optional[Companion] = None
) -> OwnershipFacts:
    """Walk a datastore; see `WalkPlan`. The companion is used only if the scope is `full`.

    Never raises because of the datastore: `complete`, `stuck` and `errors` report what could not be checked. Ignores access
    control lists: what the mode bits deny counts as unreadable.
    """
    facts = OwnershipFacts(scope=plan.scope, uid=plan.uid, gid=plan.gid)
    if plan.scope == "none":
        facts.not_walked = "the walk is switched off (scope: none)"
        return facts
    workers = worker_count(plan.workers) if plan.scope == "full" else 1
    started = time.monotonic_ns()
    parts, facts.stuck = walk_together(
        plan.path, lambda queue: _jobs(plan, workers, queue, companion), plan.stall, plan.limit, on_progress
    )
    facts.elapsed_ns = time.monotonic_ns() - started
    if companion is not None:
        companion.take([part[companion.name] for part in parts if companion.name in part], facts.stuck)
    facts.method = "one stat a file, workers: %d" % workers
    for tree in _TREES:
        found = [load(WalkCounts, part[tree]) for part in parts if tree in part]
        setattr(facts, tree, merge(WalkCounts, found, plan.max_paths))
    for part in parts:
        for name, number in part.get("extras", {}).items():
            setattr(facts, name, getattr(facts, name) + number)
    facts.stuck = facts.stuck or _first_error([getattr(facts, tree) for tree in _TREES])
    facts.complete = not facts.stuck
    return facts


def _first_error(trees: t.Sequence[WalkCounts]) -> str:
    """The first path that could not be checked; empty if there is none."""
    first = next((problem for counts in trees for problem in counts.examples.get("errors", ())), None)
    if first is not None:
        return f"{first.path}: {first.detail}"
    errors = sum(counts.errors for counts in trees)
    return "files or directories that could not be checked: %d" % errors if errors else ""


def _jobs(plan: WalkPlan, workers: int, queue: WorkQueue, companion: t.Optional[Companion]) -> dict[str, Job]:
    jobs: dict[str, Job] = {}
    for number in range(workers):
        jobs["chunks %d" % number] = lambda heartbeat: _walk_chunks(plan, queue, heartbeat, companion)
    jobs["skeleton"] = lambda heartbeat: _walk_skeleton(plan, heartbeat)
    if plan.scope != "skeleton":
        jobs["metadata"] = lambda heartbeat: _walk_metadata(plan, heartbeat)
    return {name: as_owner(plan.identity, job) for name, job in jobs.items()} if plan.as_owner else jobs


def as_owner(identity: Identity, job: Job) -> Job:
    """The same job, run as another user."""

    def work(heartbeat: Heartbeat) -> None:
        become(identity)
        job(heartbeat)

    return work


def _walk_chunks(
    plan: WalkPlan, numbers: t.Iterable[int], heartbeat: Heartbeat, companion: t.Optional[Companion]
) -> None:
    skeleton, chunks = CountingVisitor(plan.identity, plan.max_paths), CountingVisitor(plan.identity, plan.max_paths)
    collector = companion.collector(chunks) if companion is not None else None
    store = open_together(plan.path, heartbeat)
    walk = ChunkWalk(store, skeleton, chunks, heartbeat, plan.temporary_age, collector)
    walk.walk(numbers, plan.listed())
    if companion is not None and collector is not None:
        heartbeat.put(companion.name, companion.result(collector))
    heartbeat.put("skeleton", skeleton.result())
    heartbeat.put("chunks", chunks.result())
    heartbeat.put("extras", dict(dataclasses.asdict(walk.extras), empty_chunks=chunks.empty))


def _walk_skeleton(plan: WalkPlan, heartbeat: Heartbeat) -> None:
    counter = CountingVisitor(plan.identity, plan.max_paths)
    walk_skeleton(open_together(plan.path, heartbeat), counter, heartbeat)
    heartbeat.put("skeleton", counter.result())


def _walk_metadata(plan: WalkPlan, heartbeat: Heartbeat) -> None:
    counter = CountingVisitor(plan.identity, plan.max_paths)
    MetadataWalk(open_together(plan.path, heartbeat), counter, heartbeat).walk()
    heartbeat.put("metadata", counter.result())
