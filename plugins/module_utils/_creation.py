# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Before PBS is asked to add a datastore: what is at the path, what follows from it, and whether it would go well.

PBS makes its check of access times after it has made 65,536 directories, makes it as root, and takes nothing back. So
everything that can be known before is asked before, with the observers and the rules of the preflight.
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
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import SkeletonFacts, StoreFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.judge import Finding, Question, judge
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.policy import Policy
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.configuration import effective_path
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.probe.probe_file import new_name
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.store import ProbePlan, observe_stores, plan_probe
from ansible_collections.fleetops.pbs.plugins.module_utils._system.child import Channel, run_one
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
"""For a new store only: one that is full is adopted all the same."""
_HAS_TO_BE_KNOWN = ("PBS-ATIME-01",)
"""Not to know is not good enough here, once it could be tried."""

_LEVELS = 64
"""How far up from a path that does not exist yet the way is looked for."""


class RefusedError(ValueError):
    """Why nothing was done, and what would have to be different."""


@dataclasses.dataclass
class Decision:
    """What has to be done with the path."""

    action: str
    """`create`, `reuse`, or `complete` (and then reuse)."""
    warnings: list[str] = dataclasses.field(default_factory=list)
    not_tried: str = ""
    """Why access times were not tried, where they were not."""


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
    """Look at `path` and decide. `others` is what PBS has configured; `reuse` is what the user insists on, if anything.

    Nothing is changed, but for the private file of the probe, which is removed. Raises `RefusedError`.
    """
    store, neighbours = _observe(name, path, others, plan_probe(account, probe, check_mode, deadline))
    decision = _decision(store, reuse)
    findings = _judge(store, neighbours, account, decision.action)
    problems = [finding for finding in findings if finding.status == "fail"]
    if probe != "none" and not check_mode:
        problems += [item for item in findings if item.status == "unknown" and item.control in _HAS_TO_BE_KNOWN]
    if problems:
        raise RefusedError(_in_words(name, problems))
    if store.location is not None and store.location.reachable is False:
        raise RefusedError(
            "The user of the daemon cannot enter %s, which is on the way to %s: PBS would create the datastore as root, "
            "and then fail with every backup. Mend it with: chmod o+x %s"
            % (store.location.blocked_at, display(path), store.location.blocked_at)
        )
    if decision.action != REUSE and probe != "none" and not check_mode:
        _require_that_root_can_give(store, account, deadline)
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
    # Only where they are, not what is in them; and what does not answer does not count against the new one twice.
    looking = dataclasses.replace(plan, mode="none", identity=None)
    _look(neighbours, looking, table)
    store = StoreFacts(name=name, path=path)
    _look([store], plan, table)
    if store.location is not None and not store.location.exists and not store.location.error:
        store = _from_above(name, path, plan, table)
    return store, neighbours


def _look(stores: t.Sequence[StoreFacts], plan: ProbePlan, table: MountTable) -> None:
    for store, real_path in zip(stores, observe_stores(stores, plan, table)):
        store.mount = table.find(real_path)


def _from_above(name: str, path: str, plan: ProbePlan, table: MountTable) -> StoreFacts:
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
                "%s cannot be made: %s is not a directory but a %s. Correct the path."
                % (display(path), display(above), place.location.type)
            )
        rest = os.path.relpath(path, above)
        found.location = LocationFacts(
            exists=True,
            type="directory",
            realpath=os.path.join(place.location.realpath, rest),
            dev=place.location.dev,
            ino=-1,  # it has none yet, and so is nobody else's
            reachable=place.location.reachable,
            blocked_at=place.location.blocked_at,
        )
    return found


def _require_that_root_can_give(store: StoreFacts, account: AccountFacts, deadline: float) -> None:
    """PBS makes everything as root and gives it to the daemon's user; raise `RefusedError` where that has no effect."""
    uid, gid = account.uid, account.gid
    if os.geteuid() != 0 or uid is None or gid is None:
        return
    wanted = (uid, gid)

    def task(channel: Channel) -> None:
        channel.put("error", _give(store.path, wanted))

    outcome = run_one(task, deadline)
    error = outcome.parts.get("error", "" if outcome.finished else outcome.error or "no answer")
    if error:
        raise RefusedError(
            "Root cannot give files to '%s' in %s (%s), which PBS does with all of its directories when it creates a "
            "datastore. NFS: export it with no_root_squash; CIFS: mount with uid=%d,gid=%d,forceuid,forcegid; FUSE: use a "
            "filesystem that keeps owners. PBS was not asked." % (account.user, display(store.path), error, uid, gid)
        )


def _give(path: str, wanted: tuple[int, int]) -> str:
    """Make a file as root, give it away, look, remove it; what went wrong, or empty. Runs in a child."""
    place = path
    while not os.path.isdir(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    try:
        base = open_to_change(place)
    except OSError:
        return ""  # where root makes nothing, PBS is not to be asked for other reasons
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
    return "the filesystem says that it is done, and the owner is still %d:%d" % (found.st_uid, found.st_gid)


# --- deciding ----------------------------------------------------------------------------------------------------------


def _decision(store: StoreFacts, reuse: t.Optional[bool]) -> Decision:
    shown = display(store.path)
    if store.stuck:
        raise RefusedError(
            "%s has not answered for %g s (%s). A file server that is gone? Nothing was changed."
            % (shown, store.deadline, store.stuck)
        )
    skeleton = store.skeleton
    if store.location is None or skeleton is None or store.location.error:
        error = store.error or (store.location.error if store.location is not None else "") or "no answer"
        raise RefusedError(f"{shown} could not be looked at: {error}. Nothing was changed.")
    if store.location.type != "directory":
        raise RefusedError(f"{shown} is not a directory but a {store.location.type}. Correct the path.")
    state = skeleton.state
    if state in ("absent", "empty"):
        if reuse:
            raise RefusedError(f"There is no chunk store at {shown} to be reused (reuse: true). Is it mounted?")
        if skeleton.foreign_count or skeleton.groups:
            state = "foreign"
        else:
            return Decision(CREATE)
    if state == "foreign":
        names = [*skeleton.groups, *skeleton.foreign] or [".chunks, which is not a directory"]
        more = skeleton.foreign_count - len(skeleton.foreign)
        raise RefusedError(
            "%s is neither empty nor a chunk store: %s%s. Nothing is removed for you: correct the path, mount what "
            "belongs there, or clear the directory yourself."
            % (shown, ", ".join(names[:8]), " and %d more" % more if more > 0 else "")
        )
    if reuse is False:
        raise RefusedError(
            f"There is a chunk store at {shown}, which is not to be reused (reuse: false). Nothing is removed for you."
        )
    if state == "whole":
        return Decision(REUSE, _remarks(skeleton))
    decision = Decision(COMPLETE, _remarks(skeleton))
    if skeleton.groups:
        missing = 65536 - skeleton.prefixes
        decision.warnings.append(
            "%s holds backups (%s), and %d of its prefix directories were missing. Chunks may be lost with them: verify it."
            % (shown, ", ".join(skeleton.groups), missing)
        )
    return decision


def _remarks(skeleton: SkeletonFacts) -> list[str]:
    if not skeleton.foreign_count:
        return []
    return [f"beside the chunk store there is {', '.join(skeleton.foreign)}, which PBS does not know"]


def _judge(store: StoreFacts, neighbours: t.Sequence[StoreFacts], account: AccountFacts, action: str) -> list[Finding]:
    controls = [*_PLACE_CONTROLS, _ROOM_CONTROL] if action == CREATE else [*_PLACE_CONTROLS]
    # Neighbours first asked of themselves would be findings about somebody else: only this store's count.
    host = dataclasses.replace(no_host(account), pbs_installed=True)
    findings = judge(host, [store, *neighbours], Question(Policy(), time.time(), controls=controls))
    return [finding for finding in findings if finding.datastore == store.name]


def _in_words(name: str, problems: t.Sequence[Finding]) -> str:
    parts = [f"{item.message} ({item.control}){' ' + item.remedy if item.remedy else ''}" for item in problems]
    return f"Datastore '{name}' would not be safe there, so PBS was not asked. {' '.join(parts)}"
