# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pruning: which snapshots of a group stay, and the removal of the others."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence

from . import listing, rules
from .tasks import Log, TaskFailure

KEEPS = [f"keep-{name}" for name in ("last", "hourly", "daily", "weekly", "monthly", "yearly")]
# Snapshots of one such period count as one, in local time.
PERIODS: dict[str, str] = {
    "keep-hourly": "%Y/%m/%d/%H",
    "keep-daily": "%Y/%m/%d",
    "keep-weekly": "%G/%V",
    "keep-monthly": "%Y/%m",
    "keep-yearly": "%Y",
}


def select(snapshots: Sequence[listing.Snapshot], keep: Mapping[str, int]) -> dict[str, str]:
    """What becomes of each snapshot of a group, by name: `keep`, `protected` or `remove`. snapshots: newest first.

    Each option looks at what those before it have not kept. Unfinished snapshots are removed, except for the newest of
    all, which may be a backup under way.
    """
    marks = {each.name: "remove" for each in snapshots if not each.is_finished and each is not snapshots[0]}
    for option in KEEPS:
        if option in keep:
            _mark(snapshots, marks, keep[option], _period(option))
    return {each.name: "protected" if each.is_protected else marks.get(each.name, "remove") for each in snapshots}


def _period(option: str) -> Callable[[listing.Snapshot], str]:
    if option == "keep-last":
        return lambda snapshot: snapshot.name
    return lambda snapshot: time.strftime(PERIODS[option], time.localtime(rules.snapshot_time(snapshot.name)))


def _mark(
    snapshots: Sequence[listing.Snapshot], marks: dict[str, str], count: int, period: Callable[[listing.Snapshot], str]
) -> None:
    kept_before = {period(each) for each in snapshots if marks.get(each.name) == "keep"}
    kept: set[str] = set()
    for each in snapshots:
        if each.name in marks or period(each) in kept_before or each.is_protected:
            continue
        if period(each) in kept:
            marks[each.name] = "remove"
        elif len(kept) < count:
            kept.add(period(each))
            marks[each.name] = "keep"
        else:
            break


def prune(
    base: str | os.PathLike[str],
    keep: Mapping[str, int],
    *,
    name: str = "tank",
    namespace: tuple[str, ...] = (),
    log: Log | None = None,
) -> list[str]:
    """Prune the groups at and below a namespace; paths of the snapshots that went. TaskFailure: no such namespace."""
    base, log = os.fspath(base), log or Log()
    place = "root namespace" if not namespace else f"namespace '{'/'.join(namespace)}'"
    log.info(f"Starting datastore prune on datastore '{name}', {place}, down to full depth")
    if keep:
        words = [f"--{option} {keep[option]}" for option in KEEPS if option in keep]
        log.info(f"retention options: {' '.join([*(['--ns ' + '/'.join(namespace)] if namespace else []), *words])}")
    else:
        # The task ends with a warning since 4.2.3.
        log.warn("No prune selection - keeping all files.")
    if namespace and not os.path.isdir(os.path.join(base, rules.namespace_path(namespace))):
        raise TaskFailure("ENOENT: No such file or directory")
    removed = []
    for names in listing.namespaces(base, namespace):
        for group in listing.groups(base, names):
            snapshots = listing.snapshots(base, names, group)
            log.info(f'Pruning group {"/".join(names)}:"{group}"')
            marks = select(snapshots, keep)
            for snapshot in reversed(snapshots):
                mark = marks[snapshot.name]
                log.info(f"{mark} {snapshot.shown}")
                # Without an option it says what it would remove, and keeps it.
                if mark == "remove" and keep and _remove(snapshot, log):
                    removed.append(snapshot.path)
    return removed


def _remove(snapshot: listing.Snapshot, log: Log) -> bool:
    """Remove a snapshot's directory. What is in it goes first, also where the directory itself then cannot go."""
    log.info(f'removing backup snapshot "{snapshot.path}"')
    try:
        shutil.rmtree(snapshot.path)
    except OSError as error:
        log.warn(
            f'failed to remove dir "{snapshot.shown}": removing backup snapshot "{snapshot.path}" failed - '
            f"{rules.library_error(error)}"
        )
        return False
    return True
