# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module chunk_ownership: checks the options, repairs one datastore, and builds the result."""

from __future__ import annotations

import dataclasses
import grp
import os
import pwd
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.file import PathProblem
from ansible_collections.fleetops.pbs.plugins.module_utils._manage.ownership import RepairFacts, RepairPlan, repair
from ansible_collections.fleetops.pbs.plugins.module_utils._manage.repairer import RepairCounts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.workers import WalkProgress
from ansible_collections.fleetops.pbs.plugins.module_utils._options.common import OptionError
from ansible_collections.fleetops.pbs.plugins.module_utils._options.ownership import OwnershipPlan, ownership_plan
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import CHUNKS
from ansible_collections.fleetops.pbs.plugins.module_utils._system.child import Channel, run_one
from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import kind_of
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

Progress = t.Callable[[str, WalkProgress], None]
"""Called with the current step and its progress."""


def chunk_ownership(
    options: t.Mapping[str, t.Any], check_mode: bool, on_progress: t.Optional[Progress] = None
) -> dict[str, t.Any]:
    """Repair, or in check mode count what would be repaired; return the module's result, including `failed`.

    Raises `CollectionError` for invalid options before any change; its message names option and value.
    """
    plan = ownership_plan(options, check_mode)
    _require_chunk_store(plan.repair.path, plan.deadline, plan.named_by)
    if os.geteuid() != 0:
        raise OptionError("only root may change owners; run this task with `become: true`")
    if check_mode or plan.max_changes is not None:
        look = dataclasses.replace(plan, repair=dataclasses.replace(plan.repair, dry=True))
        counted = _repair(look.repair, "counting", on_progress)
        if not counted.stopped and plan.max_changes is not None and counted.counts.changed > plan.max_changes:
            result = _result(counted, look)
            return dict(result, changed=False, failed=True, msg=_too_many(counted, plan.max_changes))
        if check_mode:
            return _result(counted, look)
        if counted.stopped:
            return dict(_result(counted, look), changed=False)
    return _result(_repair(plan.repair, "repairing", on_progress), plan)


def _repair(plan: RepairPlan, what: str, on_progress: t.Optional[Progress]) -> RepairFacts:
    return repair(plan, None if on_progress is None else lambda progress: on_progress(what, progress))


def _require_chunk_store(path: str, deadline: float, option: str) -> None:
    """Raise `OptionError` if there is no chunk store at the path."""

    def look(channel: Channel) -> None:
        channel.put("real", os.path.realpath(path))
        channel.put("kind", kind_of(os.stat(path).st_mode))
        channel.put("chunks", "")
        channel.put("chunks", kind_of(os.lstat(os.path.join(path, CHUNKS)).st_mode))

    outcome = run_one(look, deadline)
    parts = outcome.parts
    shown = f"{option}: '{display(path)}'"
    if outcome.timed_out:
        raise OptionError(f"{shown} does not answer within {deadline:g} seconds")
    if parts.get("real") == "/":
        raise OptionError(f"{shown} leads to the root directory, which cannot be a datastore")
    if "kind" not in parts:
        raise OptionError(f"{shown} cannot be read: {outcome.error}")
    if parts["kind"] != "directory":
        raise OptionError(f"{shown} is not a directory but a {parts['kind']}")
    if parts["chunks"] != "directory":
        found = f"it is a {parts['chunks']}" if parts["chunks"] else outcome.error
        raise OptionError(f"{shown} is not a chunk store, it has no directory {CHUNKS} ({found})")


# --- result ------------------------------------------------------------------------------------------------------------


def _result(facts: RepairFacts, plan: OwnershipPlan) -> dict[str, t.Any]:
    counts = facts.counts
    changes = {
        "total": counts.changed,
        "owner": counts.owner_changed,
        "mode": counts.mode_changed,
        "by_owner": [
            {"uid": owner.uid, "gid": owner.gid, "owner": _owner(owner.uid, owner.gid), "count": owner.count}
            for owner in counts.owners
        ],
        "by_mode": [{"step": step, "count": count} for step, count in sorted(counts.modes.items())],
        "paths": _paths(counts, "changed"),
    }
    result: dict[str, t.Any] = {
        "changed": bool(counts.changed),
        "failed": not facts.complete,
        "base": display(plan.repair.path),
        "changes": changes,
        "left": counts.left,
        "refused": counts.refused,
        "refused_paths": [path for kind in sorted(counts.refused) for path in _paths(counts, kind)],
        "failures": counts.failed,
        "failed_paths": _paths(counts, "failed"),
        "vanished": counts.vanished,
        "seen": counts.seen,
        "complete": facts.complete,
        "elapsed": round(facts.elapsed_ns / 1e9, 3),
    }
    if counts.changed:
        result["diff"] = _diff(counts, f"{plan.user}:{plan.group}")
    result["msg"] = _message(facts, result, plan)
    warnings = [_warning(counts, kind, why) for kind, why in _REFUSALS.items() if counts.refused.get(kind)]
    if warnings:
        result["warnings"] = warnings
    return result


_REFUSALS = {
    "hardlink": "Files with a second hard link were not changed (%d): the other link may be outside of the datastore, and "
    "the change would affect it, too.",
    "unproven": "Files that the daemon's user cannot read, and whose content is not PBS's, were not changed (%d): they may "
    "be files of another user that were moved here to become readable. Check them, and remove them or run chown.",
    "locked": "Directories that the daemon's user cannot enter, and in which not everything is PBS's, were not changed "
    "(%d): the change would give the daemon's user access to all of it. Check them, and remove what does not belong there.",
}
"""The reasons why something with a wrong owner is not changed, by kind."""


def _warning(counts: RepairCounts, kind: str, why: str) -> str:
    text = why % counts.refused[kind]
    for first in _paths(counts, kind)[:1]:
        text += f" First: {first['path']} ({first['detail']})"
    return text


def _message(facts: RepairFacts, result: t.Mapping[str, t.Any], plan: OwnershipPlan) -> str:
    counts = facts.counts
    done = "would be" if plan.repair.dry else "were"
    who = f"{plan.user}:{plan.group}"
    if counts.changed or not facts.exact:
        text = "%s%d of %d files and directories %s changed (owner to %s, or mode)." % (
            "" if facts.exact else "At least ",
            counts.changed,
            counts.seen,
            done,
            who,
        )
    else:
        text = "Nothing to change among %d files and directories." % counts.seen
    if counts.failed:
        first = result["failed_paths"][0] if result["failed_paths"] else {"path": plan.repair.path, "detail": ""}
        text += " %d failed, the first: %s: %s." % (counts.failed, first["path"], first["detail"])
    if facts.stopped:
        text += f" Stopped: {facts.stopped}."
    return text


def _too_many(facts: RepairFacts, limit: int) -> str:
    owners = ", ".join("%s (%d)" % (_owner(o.uid, o.gid), o.count) for o in facts.counts.owners[:3])
    return (
        "max_changes: %d files and directories would change, more than %d, so nothing was changed. They are owned by: %s. "
        "If everything seems to have another owner, check the id map of the mount or container first."
        % (facts.counts.changed, limit, owners or "the right owner, with wrong modes")
    )


def _paths(counts: RepairCounts, kind: str) -> list[dict[str, str]]:
    problems: list[PathProblem] = counts.examples.get(kind, [])
    return [dataclasses.asdict(problem) for problem in problems]


def _owner(uid: int, gid: int) -> str:
    """`user:group`, with numbers for ids without a name; `others` for owners that are not counted separately."""
    if uid < 0:
        return "others"
    try:
        user = pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        user = str(uid)
    try:
        group = grp.getgrgid(gid).gr_name
    except (KeyError, OverflowError):
        group = str(gid)
    return f"{user}:{group}"


def _diff(counts: RepairCounts, wanted: str) -> dict[str, str]:
    """Counts by old owner and mode, and the first paths."""
    before, after = [], []
    for owner in counts.owners:
        before.append("%d of %s" % (owner.count, _owner(owner.uid, owner.gid)))
        after.append("%d of %s" % (owner.count, wanted))
    for step, count in sorted(counts.modes.items()):
        old, new = step.split(" to ")
        before.append("%d with mode %s" % (count, old))
        after.append("%d with mode %s" % (count, new))
    for problem in counts.examples.get("changed", []):
        before.append(f"{problem.path} ({problem.detail})")
        after.append(f"{problem.path} ({wanted})")
    return {"before": "".join(line + "\n" for line in before), "after": "".join(line + "\n" for line in after)}
