# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks before PBS adds a datastore: what is at the path, what to do with it, and whether it is safe.

PBS checks access times only after it has created 65,536 directories, checks them as root, and does not roll back. Everything
that can be known in advance is therefore checked first, with the observers and the rules of the preflight.
"""

from __future__ import annotations

import dataclasses
import os
import time
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._atime_check import no_host
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import DatastoreConfig
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import AccountFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import LocationFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.shown import shown as shown_facts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import SkeletonFacts, StoreFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.judge import Finding, Question, judge
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.policy import Policy
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.configuration import effective_path
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.probe.probe_file import new_name
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.store import ProbePlan, observe_stores, plan_probe
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import PREFIX_COUNT
from ansible_collections.fleetops.pbs.plugins.module_utils._system.child import Channel, run_one
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import open_to_change
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error, display

CREATE, REUSE, COMPLETE = "create", "reuse", "complete"

_PLACE_CONTROLS = (
    "PBS-MOUNT-03",
    "PBS-MOUNT-04",
    "PBS-MOUNT-07",
    "PBS-MOUNT-09",
    "PBS-MOUNT-12",
    "PBS-MOUNT-13",
    "PBS-ATIME-01",
    "PBS-ATIME-02",
    "PBS-ATIME-03",
    "PBS-ATIME-06",
)
_ROOM_CONTROL = "PBS-MOUNT-08"
"""Only for a new store: an existing one is adopted even if it is full."""
_MUST_BE_KNOWN = ("PBS-ATIME-01",)
"""Controls for which unknown counts as failure, unless nothing was tested."""

_LEVELS = 64
"""Maximum number of parent directories to try for a path that does not exist yet."""


class RefusedError(CollectionError):
    """The datastore was not added; the message has the reason and the fix."""


@dataclasses.dataclass
class Decision:
    """What to do with the path."""

    action: str
    """`create`, `reuse`, or `complete` (and then reuse)."""
    warnings: list[str] = dataclasses.field(default_factory=list)
    not_tried: str = ""
    """Why access times were not tested; empty if they were."""


def decide(
    name: str,
    path: str,
    others: t.Sequence[DatastoreConfig],
    account: AccountFacts,
    probe: str,
    reuse: t.Optional[bool],
    check_mode: bool,
    deadline: float,
) -> Decision:
    """Inspect `path` and decide. `others` are PBS's configured datastores; `reuse` is the user's option, if set.

    Changes nothing except the private file of the probe, which it removes. Raises `RefusedError`.
    """
    store, neighbours = _observe(name, path, others, plan_probe(account, probe, check_mode, deadline))
    decision = _decision(store, reuse)
    findings = _judge(store, neighbours, account, decision.action)
    problems = [finding for finding in findings if finding.status == "fail"]
    if probe != "none" and not check_mode:
        problems += [item for item in findings if item.status == "unknown" and item.control in _MUST_BE_KNOWN]
    if problems:
        raise RefusedError(_refusal(name, problems))
    if store.location is not None and store.location.reachable is False:
        raise RefusedError(
            "The user of the daemon cannot enter %s, which is a parent of %s: PBS would create the datastore as root, "
            "and then every backup would fail. To fix this, run: chmod o+x %s"
            % (store.location.blocked_at, display(path), store.location.blocked_at)
        )
    if decision.action != REUSE and probe != "none" and not check_mode:
        _require_chown(store, account, deadline)
    decision.warnings += [
        f"{finding.control}: {finding.message}"
        for finding in findings
        if finding.status == "warn" or (finding.status == "unknown" and not check_mode)
    ]
    if store.atime is not None:
        decision.not_tried = store.atime.not_tried
    return decision


# --- looking -----------------------------------------------------------------------------------------------------------


def _observe(
    name: str, path: str, others: t.Sequence[DatastoreConfig], plan: ProbePlan
) -> tuple[StoreFacts, list[StoreFacts]]:
    table = MountTable.read()
    neighbours = [StoreFacts(name=item.name, path=effective_path(item), configured=item) for item in others]
    # For the other datastores only their location matters, so they are not probed.
    looking = dataclasses.replace(plan, mode="none", identity=None)
    _look(neighbours, looking, table)
    store = StoreFacts(name=name, path=path)
    _look([store], plan, table)
    if store.location is not None and not store.location.exists and not store.location.error:
        store = _at_parent(name, path, plan, table)
    return store, neighbours


def _look(stores: t.Sequence[StoreFacts], plan: ProbePlan, table: MountTable) -> None:
    for store, real_path in zip(stores, observe_stores(stores, plan, table)):
        store.mount = table.find(real_path)
        shown_facts(store)


def _at_parent(name: str, path: str, plan: ProbePlan, table: MountTable) -> StoreFacts:
    """A path that does not exist will be on the filesystem of the first directory above it that does."""
    above = path
    for _level in range(_LEVELS):
        above = os.path.dirname(above)
        place = StoreFacts(name=name, path=above)
        _look([place], plan, table)
        if place.location is None or place.location.exists or place.location.error:
            break
    found = dataclasses.replace(place, path=path, skeleton=SkeletonFacts(state="absent"))
    if place.location is not None and place.location.exists:
        if place.location.type != "directory":
            raise RefusedError(
                "%s cannot be created: %s is not a directory but a %s. Correct the path."
                % (display(path), display(above), place.location.type)
            )
        rest = os.path.relpath(path, above)
        found.location = LocationFacts(
            exists=True,
            type="directory",
            realpath=os.path.join(place.location.realpath, rest),
            dev=place.location.dev,
            ino=-1,  # it has no inode yet, so it matches no other datastore
            reachable=place.location.reachable,
            blocked_at=place.location.blocked_at,
        )
    return found


def _require_chown(store: StoreFacts, account: AccountFacts, deadline: float) -> None:
    """PBS creates everything as root and changes the owner to the daemon's user. Raise `RefusedError` if that fails here."""
    uid, gid = account.uid, account.gid
    if os.geteuid() != 0 or uid is None or gid is None:
        return
    wanted = (uid, gid)

    def task(channel: Channel) -> None:
        channel.put("error", _try_chown(store.path, wanted))

    outcome = run_one(task, deadline)
    error = outcome.parts.get("error", "" if outcome.finished else outcome.error or "no answer")
    if error:
        raise RefusedError(
            "Root cannot change the owner of files to '%s' in %s (%s). PBS does that for all of its directories when it "
            "creates a datastore. NFS: export with no_root_squash; CIFS: mount with uid=%d,gid=%d,forceuid,forcegid; FUSE: "
            "use a filesystem that stores owners. PBS was not called."
            % (account.user, display(store.path), error, uid, gid)
        )


def _try_chown(path: str, wanted: tuple[int, int]) -> str:
    """Create a file as root, change its owner, check it, remove it; returns the error, or empty. Runs in a child."""
    place = path
    while not os.path.isdir(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    try:
        base = open_to_change(place)
    except OSError:
        return ""  # other checks refuse a path in which root must not create files
    name = new_name()
    try:
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=base)
        try:
            os.fchown(fd, *wanted)
            found = os.fstat(fd)
        finally:
            os.close(fd)
            os.unlink(name, dir_fd=base)
    except OSError as exc:
        return describe_error(exc)
    finally:
        os.close(base)
    if (found.st_uid, found.st_gid) == wanted:
        return ""
    return "the filesystem reports success, but the owner is still %d:%d" % (found.st_uid, found.st_gid)


# --- deciding ----------------------------------------------------------------------------------------------------------


def _decision(store: StoreFacts, reuse: t.Optional[bool]) -> Decision:
    shown = display(store.path)
    if store.stuck:
        raise RefusedError(
            "%s did not answer within %g s (%s). Is its file server down? Nothing was changed."
            % (shown, store.deadline, store.stuck)
        )
    skeleton = store.skeleton
    if store.location is None or skeleton is None or store.location.error:
        error = store.error or (store.location.error if store.location is not None else "") or "no answer"
        raise RefusedError(f"{shown} could not be read: {error}. Nothing was changed.")
    if store.location.type != "directory":
        raise RefusedError(f"{shown} is not a directory but a {store.location.type}. Correct the path.")
    state = skeleton.state
    if state in ("absent", "empty"):
        if reuse:
            raise RefusedError(f"There is no chunk store at {shown} to reuse (reuse: true). Is it mounted?")
        if skeleton.foreign_count or skeleton.groups:
            state = "foreign"
        else:
            return Decision(CREATE)
    if state == "foreign" and skeleton.chunks is not None and skeleton.chunks.type == "link":
        raise RefusedError(
            f"{shown}/.chunks is a link, which root does not follow to make changes. Mount its target there instead "
            "(mount --bind), then run this again."
        )
    if state == "foreign":
        names = [*skeleton.groups, *skeleton.foreign] or [".chunks, which is not a directory"]
        more = skeleton.foreign_count - len(skeleton.foreign)
        raise RefusedError(
            "%s is neither empty nor a chunk store: %s%s. The module removes nothing: correct the path, mount the "
            "right filesystem, or empty the directory yourself."
            % (shown, ", ".join(names[:8]), " and %d more" % more if more > 0 else "")
        )
    if reuse is False:
        raise RefusedError(
            f"There is a chunk store at {shown}, but it must not be reused (reuse: false). The module removes nothing: set reuse to true, "
            "correct the path, or empty the directory yourself."
        )
    if state == "whole":
        return Decision(REUSE, _remarks(skeleton))
    decision = Decision(COMPLETE, _remarks(skeleton))
    missing = PREFIX_COUNT - skeleton.prefixes
    if skeleton.groups and missing:
        decision.warnings.append(
            "%s contains backups (%s), but %d of its prefix directories are missing. Their chunks may be lost: verify the "
            "datastore." % (shown, ", ".join(skeleton.groups), missing)
        )
    return decision


def _remarks(skeleton: SkeletonFacts) -> list[str]:
    if not skeleton.foreign_count:
        return []
    return [
        f"the directory of the chunk store also contains {', '.join(skeleton.foreign)}, which is not part of a datastore"
    ]


def _judge(store: StoreFacts, neighbours: t.Sequence[StoreFacts], account: AccountFacts, action: str) -> list[Finding]:
    controls = [*_PLACE_CONTROLS, _ROOM_CONTROL] if action == CREATE else [*_PLACE_CONTROLS]
    # The other datastores are only for comparison: only findings about this one count.
    host = dataclasses.replace(no_host(account), pbs_installed=True)
    findings = judge(host, [store, *neighbours], Question(Policy(), time.time(), controls=controls))
    return [finding for finding in findings if finding.datastore == store.name]


def _refusal(name: str, problems: t.Sequence[Finding]) -> str:
    parts = [
        f"{item.message} ({item.control}){' ' + item.remedy if item.remedy else ''}"
        + (f" Run: {'; '.join(item.commands)}." if item.commands else "")
        for item in problems
    ]
    return f"Datastore '{name}' would not be safe there, so PBS was not called. {' '.join(parts)}"
