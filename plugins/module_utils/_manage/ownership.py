# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the daemon's user the owner of a datastore again: the walk of the audit, with a `Repairer` as its visitor.

It may be interrupted at any moment: every object is either unchanged or right, and another run completes the repair.
Access and modification times stay unchanged; garbage collection and backups may run at the same time.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.load import load
from ansible_collections.fleetops.pbs.plugins.module_utils._manage.base import require_base
from ansible_collections.fleetops.pbs.plugins.module_utils._manage.repairer import RepairCounts, Repairer, RepairStopped
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.chunk_walk import ChunkWalk, walk_together
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.counters import merge
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.metadata_walk import MetadataWalk
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.open_store import OpenStore, open_together
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.skeleton_walk import walk_skeleton
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.work_queue import WorkQueue
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.workers import (
    Heartbeat,
    Job,
    OnProgress,
    run_jobs,
    worker_count,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import HOST_DIRECTORIES, PREFIX_COUNT
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity
from ansible_collections.fleetops.pbs.plugins.module_utils._system.limits import TIMEOUT, TimeLimit

SCOPES = ("full", "skeleton", "chunks", "metadata")


@dataclasses.dataclass
class RepairPlan:
    """Which parts of a datastore are repaired, and how."""

    path: str
    """The base directory, absolute."""
    uid: int
    gid: int
    """The required owner and group of everything."""
    scope: str = "full"
    """`skeleton`: base directory, `.chunks`, prefix directories, `.lock`, `.gc-status`. `chunks`: these and the
    chunks. `metadata`: namespaces, groups, snapshots. `full`: everything."""
    only_from: t.Optional[frozenset[int]] = None
    """Repair only objects that are owned by one of these uids."""
    modes: bool = True
    """Also repair modes: those that lock out the daemon's user, and those that PBS requires exactly."""
    guarded: tuple[str, ...] = HOST_DIRECTORIES
    """Directories that must not become a part of a datastore, see `require_base`."""
    dry: bool = False
    """Only count, change nothing."""
    workers: int = 0
    """As in `WalkPlan`."""
    max_paths: int = 20
    stall: float = 60.0
    timeout: float = TIMEOUT
    """Seconds that the repair may take in all."""

    @property
    def identity(self) -> Identity:
        return Identity(self.uid, self.gid)


@dataclasses.dataclass
class RepairFacts:
    """The result of a repair."""

    counts: RepairCounts = dataclasses.field(default_factory=RepairCounts)
    complete: bool = False
    """Everything in the scope was seen, and nothing failed."""
    stopped: str = ""
    """Why and where it stopped before its end; empty if it did not."""
    exact: bool = True
    """The counts cover all changes. If False, a worker was lost, and with it the counts of its last half second."""
    elapsed_ns: int = 0


def repair(plan: RepairPlan, on_progress: t.Optional[OnProgress] = None) -> RepairFacts:
    """Repair a datastore; see `RepairPlan`. Problems of the datastore are in the result, not raised."""
    facts = RepairFacts()
    started = time.monotonic_ns()
    limit = TimeLimit(plan.timeout)
    if plan.scope == "metadata":
        parts, facts.stopped = run_jobs(plan.path, _metadata_job(plan), plan.stall, limit, on_progress)
    else:
        parts, facts.stopped = walk_together(
            plan.path, lambda queue: _jobs(plan, queue), plan.stall, limit, on_progress
        )
    facts.exact = not (facts.stopped and parts)  # without parts nothing was begun
    facts.elapsed_ns = time.monotonic_ns() - started
    facts.counts = merge(
        RepairCounts, [load(RepairCounts, part["counts"]) for part in parts if "counts" in part], plan.max_paths
    )
    stopped = [part["stopped"] for part in parts if "stopped" in part]
    if stopped:
        facts.stopped = stopped[0]
    facts.complete = not facts.stopped and not facts.counts.failed
    return facts


def _jobs(plan: RepairPlan, queue: WorkQueue) -> dict[str, Job]:
    jobs: dict[str, Job] = {"skeleton": lambda heartbeat: _work(plan, heartbeat, walk_skeleton)}
    for number in range(1 if plan.scope == "skeleton" else worker_count(plan.workers)):
        jobs["chunks %d" % number] = lambda heartbeat: _work(
            plan, heartbeat, lambda *with_: _walk_chunks(plan, queue, *with_)
        )
    if plan.scope == "full":
        jobs.update(_metadata_job(plan))
    return jobs


def _metadata_job(plan: RepairPlan) -> dict[str, Job]:
    return {"metadata": lambda heartbeat: _work(plan, heartbeat, _walk_metadata)}


def _work(plan: RepairPlan, heartbeat: Heartbeat, walk: t.Callable[[OpenStore, Repairer, Heartbeat], None]) -> None:
    """The work of each child: it walks, and sends its counts even if the walk fails or is ended."""
    store = open_together(plan.path, heartbeat, change=True)
    require_base(store.base, plan.path, plan.identity, plan.guarded)
    repairer = Repairer(plan.identity, store, plan.dry, plan.modes, plan.only_from, plan.max_paths)
    heartbeat.also = lambda: heartbeat.put("counts", repairer.result())
    try:
        walk(store, repairer, heartbeat)
    except RepairStopped as exc:
        heartbeat.put("stopped", str(exc))
    finally:
        heartbeat.put("counts", repairer.result())


def _walk_chunks(
    plan: RepairPlan, numbers: t.Iterable[int], store: OpenStore, repairer: Repairer, heartbeat: Heartbeat
) -> None:
    listed: t.Container[int] = () if plan.scope == "skeleton" else range(PREFIX_COUNT)
    ChunkWalk(store, repairer, repairer, heartbeat).walk(numbers, listed)


def _walk_metadata(store: OpenStore, repairer: Repairer, heartbeat: Heartbeat) -> None:
    MetadataWalk(store, repairer, heartbeat).walk()
