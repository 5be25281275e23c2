# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about the age of backups and of their verification (PBS-SNAP-*)."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.references import GroupFacts, ReferenceFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.rules.references import (
    group_name,
    looked,
    snapshot_name,
    verify,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import (
    Case,
    NotObserved,
    Rule,
    Verdict,
    counted,
    failed,
    in_shell,
    passed,
    skipped,
    warned,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.snapshot import Group, Snapshot

DAY = 86400
NAMED = 3
EXAMPLES = 50
_DAY = re.compile("-?[0-9]{1,12}")


def _age(seconds: float) -> str:
    """`3.5 days`."""
    return f"{seconds / DAY:.1f} days"


@looked
def young(case: Case, facts: ReferenceFacts) -> Verdict:
    limits = case.policy.max_backup_age_days
    if not limits:
        return skipped("No age of backups is asked for (policy: max_backup_age_days).")
    old: list[tuple[GroupFacts, float]] = []
    asked = 0
    for group in facts.groups:
        limit = next(
            (limit.days for limit in limits if limit.covers(group.namespace, f"{group.type}/{group.id}")), None
        )
        if limit is None:
            continue
        asked += 1
        if group.newest is None or case.now - group.newest > limit * DAY:
            old.append((group, limit))
    if old:
        old.sort(key=lambda item: (item[0].newest or 0, group_name(item[0])))
        named = ", ".join(
            f"{group_name(group)} ({_newest(case, group)}, at most {limit:g} days)" for group, limit in old[:NAMED]
        )
        more = f", and {counted(len(old) - NAMED, 'other group')}" if len(old) > NAMED else ""
        return failed(
            f"{counted(len(old), 'group has', 'groups have')} no backup that is young enough: {named}{more}.",
            "Find out why the client makes no backups, or change the limit; a group that is not needed any more can be given a "
            "limit of its own in max_backup_age_days.",
            groups=[
                {
                    "group": group_name(group),
                    "newest": None if group.newest is None else snapshot_name(group.newest),
                    "max_days": limit,
                }
                for group, limit in old[:EXAMPLES]
            ],
            old=len(old),
            asked=asked,
        )
    if not facts.complete:
        raise NotObserved(f"Not everything was seen: {facts.stuck or 'the look was interrupted'}")
    if len(facts.groups) < facts.groups_total:
        raise NotObserved(
            f"only {len(facts.groups):,} of {facts.groups_total:,} groups are in the observations; none of these is too old"
        )
    if not asked:
        return skipped("No group here is covered by max_backup_age_days.")
    return passed(f"The newest backup of each of {counted(asked, 'group')} is young enough.", asked=asked)


def _newest(case: Case, group: GroupFacts) -> str:
    if group.newest is None:
        return "no finished snapshot"
    return f"{_age(case.now - group.newest)} old"


@looked
def verified(case: Case, facts: ReferenceFacts) -> Verdict:
    failures = facts.failed_verifications.counts.get("failed", 0)
    if failures:
        return _failed(case, facts, failures)
    limit = case.policy.verified_max_age_days
    # A day counts when all of it is too long ago.
    last_day = int((case.now - limit * DAY) // DAY) - 1
    outdated = _up_to(facts.verified_by_day, last_day)
    never = _up_to(facts.unverified_by_day, last_day)
    evidence = {"failed": 0, "outdated": outdated, "never": never, "max_days": limit}
    if limit and (outdated or never):
        parts = []
        if never:
            were = "was" if never == 1 else "were"
            parts.append(f"{counted(never, 'snapshot')} older than {limit:g} days {were} never verified")
        if outdated:
            were = "was" if outdated == 1 else "were"
            parts.append(f"{counted(outdated, 'snapshot')} {were} last verified more than {limit:g} days ago")
        return warned(
            f"No verification failed, but {' and '.join(parts)}.",
            "Let a verify job cover the whole datastore, with `outdated-after` set; a rotten chunk shows at the restore otherwise.",
            severity="medium",
            **evidence,
        ).then(
            f"proxmox-backup-manager verify {in_shell(case.the_store.name)} --outdated-after {max(1, int(limit))}",
        )
    if not facts.complete:
        raise NotObserved(f"Not everything was seen: {facts.stuck or 'the look was interrupted'}")
    return passed(f"No snapshot of {facts.snapshots:,} failed its last verification.", **evidence)


def _up_to(days: t.Mapping[str, int], last: int) -> int:
    return sum(number for day, number in days.items() if _DAY.fullmatch(day) and int(day) <= last)


def _failed(case: Case, facts: ReferenceFacts, failures: int) -> Verdict:
    groups = [group for group in facts.groups if group.failed]
    named = ", ".join(f"{group_name(group)} ({group.failed:,} of {group.snapshots:,})" for group in groups[:NAMED])
    more = f", and {counted(len(groups) - NAMED, 'other group')}" if len(groups) > NAMED else ""
    return failed(
        f"The last verification of {counted(failures, 'snapshot')} failed: {named}{more}."
        if named
        else f"The last verification of {counted(failures, 'snapshot')} failed.",
        "Back these groups up again: after a failed verification the next backup uploads what is missing or damaged. Then verify "
        "the new snapshots, and forget the damaged ones when nothing needs them.",
        failed=failures,
        groups=[
            {
                "group": group_name(group),
                "failed": group.failed,
                "snapshots": group.snapshots,
                "newest_failed": None if group.newest_failed is None else snapshot_name(group.newest_failed),
            }
            for group in groups[:EXAMPLES]
        ],
        paths=[problem.path for problem in facts.failed_verifications.examples.get("failed", [])],
    ).then(*_again(case, groups))


def _again(case: Case, groups: t.Sequence[GroupFacts]) -> list[str]:
    return [
        verify(
            case,
            Snapshot(
                Group(tuple(name for name in group.namespace.split("/") if name), group.type, group.id),
                group.newest_failed,
            ),
        )
        for group in groups[:NAMED]
        if group.newest_failed is not None
    ]


RULES: dict[str, Rule] = {"PBS-SNAP-01": young, "PBS-SNAP-02": verified}
