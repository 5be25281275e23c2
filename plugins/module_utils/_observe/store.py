# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All observations of datastores that may hang: each datastore in its own child, in parallel, with a deadline."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import AccountFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.load import load
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import LocationFacts, SpaceFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import (
    AtimeFacts,
    ChunksPlace,
    LockFacts,
    SkeletonFacts,
    StoreFacts,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.chunk_store import (
    observe_gc_task,
    observe_location,
    observe_reach,
    observe_skeleton,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.idmap import observe_id_map, outside_id
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.ext import observe_dir_nlink
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.space import observe_space
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.probe.atime import AtimeProbe
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import CHUNKS, GC_STATUS
from ansible_collections.fleetops.pbs.plugins.module_utils._system.child import Channel, Outcome, run
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity, become, current
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error

CHECK_MODE = "check mode changes nothing on the host"


@dataclasses.dataclass
class ProbePlan:
    """How to observe datastores."""

    identity: t.Optional[Identity]
    """The daemon's user; None if it could not be looked up."""
    mode: str = "private"
    """`private`, `marker` or `none`."""
    not_tried: str = ""
    """Why there is no probe, if `mode` is `none`."""
    deadline: float = 10.0
    """Seconds for all observations of one datastore."""
    wanted: str = "private"
    """The requested mode, even if another one is used."""


def daemon_identity(account: AccountFacts) -> t.Optional[Identity]:
    """The daemon's identity: user and group from its unit, plus the user's other groups, which systemd adds."""
    if account.uid is None or account.gid is None:
        return None
    return Identity(account.uid, account.gid, tuple(sorted({*account.groups, account.gid})))


def plan_probe(account: AccountFacts, probe: str, check_mode: bool, deadline: float) -> ProbePlan:
    """How to test access times, or why not: in check mode, without the daemon's user, or without the right to become it."""
    identity = daemon_identity(account)
    not_tried = ""
    if check_mode:
        not_tried = CHECK_MODE
    elif probe == "none":
        not_tried = "the probe is switched off (probe: none)"
    elif identity is None:
        not_tried = f"user or group of the daemon do not exist here ({account.user}:{account.group})"
    elif _unmapped(identity):
        not_tried = f"this user namespace has no mapping for {_unmapped(identity)} of '{account.user}' (PBS-HOST-06)"
        identity = None
    elif os.geteuid() not in (0, identity.uid):
        not_tried = "uid %d cannot become '%s'; run as root (become: true)" % (os.geteuid(), account.user)
    if os.geteuid() != 0:
        # Without root, this process can neither become another user nor change its groups.
        identity = current() if identity is not None and identity.uid == os.geteuid() else None
    return ProbePlan(identity, "none" if not_tried else probe, not_tried, deadline, wanted=probe)


def observe_stores(stores: t.Sequence[StoreFacts], plan: ProbePlan, table: MountTable) -> list[str]:
    """Fill in location, space, skeleton, atime and lock of every datastore.

    A fact without an answer in time stays None, and `stuck` names the step. The children run in parallel, so a host needs
    one wait and not one per datastore. Skips removable datastores that are not mounted.

    Returns the paths without links, in the order of the datastores: from the kernel, or, if it did not answer, with the
    links on the root filesystem resolved.
    """
    to_see = {str(number): store for number, store in enumerate(stores) if store.mounted is not False}
    tasks = {key: _task(store, plan, table) for key, store in to_see.items()}
    outcomes = run(tasks, plan.deadline)
    for key, outcome in outcomes.items():
        _apply(to_see[key], outcome, plan)
    real_paths = []
    for number, store in enumerate(stores):
        location = outcomes[str(number)].parts.get("location") if str(number) in outcomes else None
        real_paths.append(location["realpath"] if location and location["exists"] else table.resolve(store.path))
    return real_paths


def _task(store: StoreFacts, plan: ProbePlan, table: MountTable) -> t.Callable[[Channel], None]:
    path = store.path
    s3 = store.configured is not None and store.configured.backend == "s3"
    new = store.configured is None

    def look(channel: Channel) -> None:
        channel.begin(f"the path {path}")
        location = observe_location(path)
        refused = ""
        if location.error and plan.identity is not None and _root_is_refused(location.error):
            # A server or a FUSE filesystem that gives root no access: observe as the daemon's user.
            become(plan.identity)
            location, refused = observe_location(path), location.error
            if location.error:
                refused = ""  # the daemon's user has no access either, which is another problem
        channel.put("location", location)
        channel.put("root_refused", refused)
        if not location.exists:
            if not location.error:
                channel.put("skeleton", SkeletonFacts(state="absent"))
            return
        channel.begin(f"free space of {path}")
        try:
            channel.put("space", observe_space(path))
        except OSError as exc:
            channel.put("space_error", _describe(path, exc))
        if location.type != "directory":
            channel.put("skeleton", SkeletonFacts(state="foreign"))
            return
        mount = table.find(location.realpath)
        if mount is not None:
            channel.begin(f"the superblock of {mount.source}")
            channel.put("dir_nlink", observe_dir_nlink(mount))
        channel.begin(f"the chunk store in {path}")
        place = _chunks_place(location.realpath, table)
        if place is not None:
            channel.put("chunks_place", place)
        try:
            channel.put("skeleton", observe_skeleton(path))
        except OSError as exc:
            channel.put("skeleton_error", _describe(path, exc))
            if _root_is_refused(describe_error(exc)):
                refused = describe_error(exc)
        if plan.identity is None:
            return
        linked = place is not None and place.link
        probe = AtimeProbe(path, plan.mode, plan.identity, s3, new) if plan.mode != "none" and not linked else None
        if linked and plan.mode != "none":
            reason = "`.chunks` is a link, and no probe goes through it (PBS-CONF-06)"
            channel.put("atime", AtimeFacts(mode="none", not_tried=reason))
            channel.put("lock", LockFacts(works=None, not_tried=reason))
        if probe is not None:
            channel.begin(f"the zero chunk of {path}, as root")
            probe.begin()
        if plan.identity != current():
            channel.begin("becoming uid %d" % plan.identity.uid)
            become(plan.identity)
        if refused:
            channel.begin("the chunk store in %s, as uid %d" % (path, plan.identity.uid))
            with contextlib.suppress(OSError):  # the daemon's user has no access either: keep root's error
                channel.put("skeleton", observe_skeleton(path))
                channel.put("root_refused", refused)
        # Only as the daemon's user: the name may be a second name of a file that only root may read.
        channel.begin("%s of %s, as uid %d" % (GC_STATUS, path, plan.identity.uid))
        channel.put("gc_task", observe_gc_task(path, plan.identity.uid))
        channel.begin("the directories above %s, as uid %d" % (path, plan.identity.uid))
        with contextlib.suppress(OSError):  # the probe reports the same error with more detail
            channel.put("reach", observe_reach(location.realpath))
        if probe is not None:
            channel.begin("the atime probe in %s, as uid %d" % (path, plan.identity.uid))
            probe.finish()
            channel.put("atime", probe.facts)
            channel.put("lock", probe.lock)

    return look


def _chunks_place(base: str, table: MountTable) -> t.Optional[ChunksPlace]:
    """Where `.chunks` is, if not on the mount of the base directory (a path without links)."""
    chunks = os.path.join(base, CHUNKS)
    if not os.path.lexists(chunks):
        return None
    link = os.path.islink(chunks)
    real = os.path.realpath(chunks)
    here, there = table.find_entry(base), table.find_entry(real)
    if not link and (here is None or there is None or here.mount_id == there.mount_id):
        return None
    place = ChunksPlace(real, link, mount=None if there is None else table.facts(there))
    with contextlib.suppress(OSError):
        place.space = observe_space(real)
    if place.mount is not None:
        place.dir_nlink = observe_dir_nlink(place.mount)
    return place


def _unmapped(identity: Identity) -> str:
    """The first id that is not mapped here, as text; empty if all are mapped."""
    found = observe_id_map()
    if found.error:
        return ""
    if outside_id(found.uids, identity.uid) is None:
        return "uid %d" % identity.uid
    gids = [gid for gid in (identity.gid, *identity.groups) if outside_id(found.gids, gid) is None]
    return "gid %d" % gids[0] if gids else ""


def _root_is_refused(error: str) -> bool:
    """Whether the error means that root has no access, because the server gives it none."""
    return os.geteuid() == 0 and error.split(":")[0] in ("EACCES", "EPERM")


def _describe(path: str, error: OSError) -> str:
    """The error with its path."""
    name = error.filename
    where = os.path.join(path, name) if isinstance(name, str) else path
    return f"{where}: {describe_error(error)}"


def _apply(store: StoreFacts, outcome: Outcome, plan: ProbePlan) -> None:
    """Copy the child's results to the facts of the datastore."""
    parts = outcome.parts
    store.deadline = plan.deadline
    if "location" in parts:
        store.location = load(LocationFacts, parts["location"])
    if "reach" in parts and store.location is not None:
        store.location.reachable, store.location.blocked_at = parts["reach"]
    store.root_refused = parts.get("root_refused", "")
    if "space" in parts:
        store.space = load(SpaceFacts, parts["space"])
    store.dir_nlink = parts.get("dir_nlink")
    if "chunks_place" in parts:
        store.chunks_place = load(ChunksPlace, parts["chunks_place"])
    if "skeleton" in parts:
        store.skeleton = load(SkeletonFacts, parts["skeleton"])
        store.skeleton.gc_task = parts.get("gc_task", "")
    if "atime" in parts:
        store.atime = load(AtimeFacts, parts["atime"])
        store.lock = load(LockFacts, parts["lock"])
    if store.atime is None and (plan.mode == "none" or plan.identity is None):
        store.atime = AtimeFacts(
            mode="none", wanted=plan.wanted if plan.not_tried == CHECK_MODE else "", not_tried=plan.not_tried
        )
        store.lock = LockFacts(works=None, not_tried=plan.not_tried)
    if outcome.timed_out:
        store.stuck = outcome.doing
    elif outcome.error:
        store.error = f"{outcome.error} (during: {outcome.doing})"
    elif "skeleton_error" in parts and store.skeleton is None:
        store.error = parts["skeleton_error"]
    elif "space_error" in parts:
        store.error = parts["space_error"]
