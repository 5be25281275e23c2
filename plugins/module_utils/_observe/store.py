# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything about datastores that may hang: each looked at in a child of its own, all side by side, with a deadline."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.atime import AtimeProbe
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.chunk_store import (
    observe_location,
    observe_reach,
    observe_skeleton,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.ext import observe_dir_nlink
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.facts import (
    AtimeFacts,
    LocationFacts,
    LockFacts,
    SkeletonFacts,
    SpaceFacts,
    StoreFacts,
    load,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts import MountTable
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.space import observe_space
from ansible_collections.fleetops.pbs.plugins.module_utils._system.child import Channel, Outcome, run
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity, become, current
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display


@dataclasses.dataclass
class ProbePlan:
    """How datastores are looked at."""

    identity: t.Optional[Identity]
    """The daemon's user; None where it could not be looked up."""
    mode: str = "private"
    """C(private), C(marker) or C(none)."""
    not_tried: str = ""
    """Why there is no probe, where mode is C(none)."""
    deadline: float = 10.0
    """Seconds that one datastore has for all of its answers."""


def observe_stores(stores: t.Sequence[StoreFacts], plan: ProbePlan, table: MountTable) -> None:
    """Fill in location, space, skeleton, atime and lock of every datastore.

    What did not answer in time stays None, and C(stuck) says what was being looked at. The children run side by side,
    so that a host costs one wait and not one per datastore. A removable datastore that is not mounted is left alone.
    """
    to_see = {str(number): store for number, store in enumerate(stores) if store.mounted is not False}
    tasks = {key: _task(store, plan, table) for key, store in to_see.items()}
    for key, outcome in run(tasks, plan.deadline).items():
        _take(to_see[key], outcome, plan)


def _task(store: StoreFacts, plan: ProbePlan, table: MountTable) -> t.Callable[[Channel], None]:
    path = store.path
    s3 = store.configured is not None and store.configured.backend == "s3"

    def look(channel: Channel) -> None:
        channel.begin("the path %s" % display(path))
        location = observe_location(path)
        channel.put("location", location)
        if not location.exists:
            channel.put("skeleton", SkeletonFacts(state="absent"))
            return
        channel.begin("free space of %s" % display(path))
        channel.put("space", observe_space(path))
        if location.type != "directory":
            channel.put("skeleton", SkeletonFacts(state="foreign"))
            return
        mount = table.find(location.realpath)
        if mount is not None:
            channel.begin("the superblock of %s" % mount.source)
            channel.put("dir_nlink", observe_dir_nlink(mount))
        channel.begin("the chunk store in %s" % display(path))
        try:
            channel.put("skeleton", observe_skeleton(path))
        except OSError as exc:
            channel.put("skeleton_error", display(str(exc)))
        if plan.identity is None:
            return
        probe = AtimeProbe(path, plan.mode, plan.identity, s3) if plan.mode != "none" else None
        if probe is not None:
            channel.begin("the zero chunk of %s, as root" % display(path))
            probe.begin()
        if plan.identity != current():
            channel.begin("becoming uid %d" % plan.identity.uid)
            become(plan.identity)
        channel.begin("the way to %s, as uid %d" % (display(path), plan.identity.uid))
        channel.put("reach", observe_reach(location.realpath))
        if probe is not None:
            channel.begin("the atime probe in %s, as uid %d" % (display(path), plan.identity.uid))
            probe.finish()
            channel.put("atime", probe.facts)
            channel.put("lock", probe.lock)

    return look


def _take(store: StoreFacts, outcome: Outcome, plan: ProbePlan) -> None:
    """Turn what the child has sent into facts of the datastore."""
    parts = outcome.parts
    store.deadline = plan.deadline
    if "location" in parts:
        store.location = load(LocationFacts, parts["location"])
        store.location.realpath = display(store.location.realpath)
    if "reach" in parts and store.location is not None:
        store.location.reachable, store.location.blocked_at = parts["reach"]
    if "space" in parts:
        store.space = load(SpaceFacts, parts["space"])
    store.dir_nlink = parts.get("dir_nlink")
    if "skeleton" in parts:
        store.skeleton = load(SkeletonFacts, parts["skeleton"])
    if "atime" in parts:
        store.atime = load(AtimeFacts, parts["atime"])
        store.lock = load(LockFacts, parts["lock"])
    if store.atime is None and (plan.mode == "none" or plan.identity is None):
        store.atime = AtimeFacts(mode="none", not_tried=plan.not_tried)
        store.lock = LockFacts(works=None, not_tried=plan.not_tried)
    if outcome.timed_out:
        store.stuck = outcome.doing
    elif outcome.error:
        store.error = "%s (while looking at %s)" % (outcome.error, outcome.doing)
    elif "skeleton_error" in parts:
        store.error = parts["skeleton_error"]
