# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything about datastores that may hang: each looked at in a child of its own, all side by side, with a deadline."""

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
    LockFacts,
    SkeletonFacts,
    StoreFacts,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.chunk_store import (
    observe_location,
    observe_reach,
    observe_skeleton,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.idmap import observe_id_map, outside_id
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.ext import observe_dir_nlink
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.space import observe_space
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.probe.atime import AtimeProbe
from ansible_collections.fleetops.pbs.plugins.module_utils._system.child import Channel, Outcome, run
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity, become, current
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error, display

CHECK_MODE = "check mode changes nothing on the host"


@dataclasses.dataclass
class ProbePlan:
    """How datastores are looked at."""

    identity: t.Optional[Identity]
    """The daemon's user; None where it could not be looked up."""
    mode: str = "private"
    """`private`, `marker` or `none`."""
    not_tried: str = ""
    """Why there is no probe, where mode is `none`."""
    deadline: float = 10.0
    """Seconds that one datastore has for all of its answers."""
    wanted: str = "private"
    """The mode that was asked for, where it is not the one that is used."""


def daemon_identity(account: AccountFacts) -> t.Optional[Identity]:
    """Who the daemon is: its unit names user and group, and systemd adds the user's other groups."""
    if account.uid is None or account.gid is None:
        return None
    return Identity(account.uid, account.gid, tuple(sorted({*account.groups, account.gid})))


def plan_probe(account: AccountFacts, probe: str, check_mode: bool, deadline: float) -> ProbePlan:
    """How to try access times, or why not: in check mode, without the daemon's user, or without the right to be it."""
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
        # Without root there is no looking through somebody else's eyes, and no choice of groups with one's own.
        identity = current() if identity is not None and identity.uid == os.geteuid() else None
    return ProbePlan(identity, "none" if not_tried else probe, not_tried, deadline, wanted=probe)


def observe_stores(stores: t.Sequence[StoreFacts], plan: ProbePlan, table: MountTable) -> list[str]:
    """Fill in location, space, skeleton, atime and lock of every datastore.

    What did not answer in time stays None, and `stuck` says what was being looked at. The children run side by side,
    so that a host costs one wait and not one per datastore. A removable datastore that is not mounted is left alone.

    Returns the paths without links, in the order of the datastores: as the kernel told them, or, where it did not
    answer, as far as they can be followed without touching anything but the root filesystem.
    """
    to_see = {str(number): store for number, store in enumerate(stores) if store.mounted is not False}
    tasks = {key: _task(store, plan, table) for key, store in to_see.items()}
    outcomes = run(tasks, plan.deadline)
    for key, outcome in outcomes.items():
        _take(to_see[key], outcome, plan)
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
        channel.begin(f"the path {display(path)}")
        location = observe_location(path)
        refused = ""
        if location.error and plan.identity is not None and _root_is_refused(location.error):
            # A server or a FUSE filesystem that gives root no rights: what there is to see, the daemon's user sees.
            become(plan.identity)
            location, refused = observe_location(path), location.error
            if location.error:
                refused = ""  # nobody is let in, which is another matter
        channel.put("location", location)
        channel.put("root_refused", refused)
        if not location.exists:
            if not location.error:
                channel.put("skeleton", SkeletonFacts(state="absent"))
            return
        channel.begin(f"free space of {display(path)}")
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
        channel.begin(f"the chunk store in {display(path)}")
        try:
            channel.put("skeleton", observe_skeleton(path))
        except OSError as exc:
            channel.put("skeleton_error", _describe(path, exc))
            if _root_is_refused(describe_error(exc)):
                refused = describe_error(exc)
        if plan.identity is None:
            return
        probe = AtimeProbe(path, plan.mode, plan.identity, s3, new) if plan.mode != "none" else None
        if probe is not None:
            channel.begin(f"the zero chunk of {display(path)}, as root")
            probe.begin()
        if plan.identity != current():
            channel.begin("becoming uid %d" % plan.identity.uid)
            become(plan.identity)
        if refused:
            channel.begin("the chunk store in %s, as uid %d" % (display(path), plan.identity.uid))
            with contextlib.suppress(OSError):  # nobody is let in: what root met is as good
                channel.put("skeleton", observe_skeleton(path))
                channel.put("root_refused", refused)
        channel.begin("the way to %s, as uid %d" % (display(path), plan.identity.uid))
        with contextlib.suppress(OSError):  # the probe meets it, too, and says it better
            channel.put("reach", observe_reach(location.realpath))
        if probe is not None:
            channel.begin("the atime probe in %s, as uid %d" % (display(path), plan.identity.uid))
            probe.finish()
            channel.put("atime", probe.facts)
            channel.put("lock", probe.lock)

    return look


def _unmapped(identity: Identity) -> str:
    """The first id that no process here can take, in words; empty where there is none."""
    found = observe_id_map()
    if found.error:
        return ""
    if outside_id(found.uids, identity.uid) is None:
        return "uid %d" % identity.uid
    gids = [gid for gid in (identity.gid, *identity.groups) if outside_id(found.gids, gid) is None]
    return "gid %d" % gids[0] if gids else ""


def _root_is_refused(error: str) -> bool:
    """Whether an error says that even root has no rights there: its server gives it none."""
    return os.geteuid() == 0 and error.split(":")[0] in ("EACCES", "EPERM")


def _describe(path: str, error: OSError) -> str:
    """The error with the path that it is about."""
    name = error.filename
    where = os.path.join(path, name) if isinstance(name, str) else path
    return f"{display(where)}: {describe_error(error)}"


def _take(store: StoreFacts, outcome: Outcome, plan: ProbePlan) -> None:
    """Turn what the child has sent into facts of the datastore."""
    parts = outcome.parts
    store.deadline = plan.deadline
    if "location" in parts:
        store.location = load(LocationFacts, parts["location"])
        store.location.realpath = display(store.location.realpath)
    if "reach" in parts and store.location is not None:
        store.location.reachable, store.location.blocked_at = parts["reach"]
    store.root_refused = parts.get("root_refused", "")
    if "space" in parts:
        store.space = load(SpaceFacts, parts["space"])
    store.dir_nlink = parts.get("dir_nlink")
    if "skeleton" in parts:
        store.skeleton = load(SkeletonFacts, parts["skeleton"])
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
        store.error = f"{outcome.error} (while looking at {outcome.doing})"
    elif "skeleton_error" in parts and store.skeleton is None:
        store.error = parts["skeleton_error"]
    elif "space_error" in parts:
        store.error = parts["space_error"]
