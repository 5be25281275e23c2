# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rule about copies on other hosts (PBS-COPY-01), as far as one host can tell.

A host sees the jobs that push from it. Jobs that pull are in the configuration of the other host: a report of both hosts
holds their documents against each other.
"""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import DatastoreConfig, SyncJobFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.schedule import covers_namespace
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import (
    Case,
    Evidence,
    Remedy,
    Rule,
    Verdict,
    counted,
    failed,
    passed,
    skipped,
    unknown,
)

DAY = 86400.0
CLOCK_TOLERANCE_DAYS = 1.0 / 24
NAMED = 3


def copied(case: Case) -> Verdict:
    configured = t.cast(DatastoreConfig, case.need("configured"))
    jobs = case.host.config_dir.sync_jobs
    if jobs is None:
        return unknown("Whether the datastore is copied is not known: sync.cfg could not be read (PBS-HOST-04).")
    mine = [job for job in jobs if job.store == configured.name and job.remote]
    pushes = [job for job in mine if job.direction == "push"]
    pulls = [job for job in mine if job.direction != "push"]
    limit = case.policy.sync_max_age_days
    evidence: Evidence = {
        "limit_days": limit,
        "jobs": [
            {"job": job.id, "direction": job.direction, "remote": job.remote, "last_success": last_success(job)}
            for job in mine
        ],
    }
    if not pushes and pulls:
        return skipped(
            "Datastore '%s' holds copies itself: %s into it."
            % (
                configured.name,
                ", ".join(f"sync job '{job.id}' pulls from remote '{job.remote}'" for job in pulls[:NAMED]),
            ),
            **evidence,
        )
    if not pushes:
        # Not unknown: the question is not one for this host, and the report asks it of all of them.
        return skipped(
            f"No job of this host copies datastore '{configured.name}' to another host. Whether another host pulls it, this "
            "host cannot know; the report compares the documents of both.",
            **evidence,
        )
    ended = [(last_success(job), job) for job in pushes]
    good = [(end, job) for end, job in ended if end is not None]
    if not good:
        return failed(
            f"No push of datastore '{configured.name}' to another host has succeeded, as far as PBS's lists of tasks go back: "
            f"{_named(pushes)}.",
            Remedy("Start one by hand; its log contains why it fails.", (_run(case, pushes[0]),)),
            **evidence,
        )
    end, newest = max(good, key=lambda pair: pair[0])
    age = (case.now - end) / DAY
    if age < -CLOCK_TOLERANCE_DAYS:
        return unknown(
            f"The last push of datastore '{configured.name}' that succeeded ended {-age:.1f} days in the future (sync job "
            f"'{newest.id}'), so when it ran is not known.",
            Remedy("Correct the clock of the host.", ("timedatectl status",)),
            severity="medium",
            **evidence,
        )
    if age > limit:
        return failed(
            "The last push of datastore '%s' that succeeded ended %.1f days ago (sync job '%s' to remote '%s'); the policy "
            "allows %g." % (configured.name, age, newest.id, newest.remote, limit),
            Remedy("Start it by hand; its log contains why it fails.", (_run(case, newest),)),
            **evidence,
        )
    left = _not_pushed(case, pushes)
    if left:
        return failed(
            "Datastore '%s' is copied in part: no push job covers %s."
            % (
                configured.name,
                ", ".join(f"namespace '{name}'" if name else "the root namespace" for name in left[:NAMED]),
            ),
            "Extend a push job to it, or add another one.",
            severity="low",
            not_copied=left,
            **evidence,
        )
    filtered = [job.id for job in pushes if job.group_filters]
    return passed(
        "Sync job '%s' pushed datastore '%s' to remote '%s' %.1f days ago%s."
        % (
            *(newest.id, configured.name, newest.remote, max(age, 0.0)),
            f"; {counted(len(filtered), 'job leaves', 'jobs leave')} out groups by a filter" if filtered else "",
        ),
        **evidence,
    )


def last_success(job: SyncJobFacts) -> t.Optional[int]:
    """End of the last run without an error, in seconds since the epoch; None if none is known."""
    run = job.last_run
    if run is None:
        return None
    if run.state in ("ok", "warning"):
        return run.end
    return run.history.last_success if run.history is not None else None


def _not_pushed(case: Case, pushes: t.Sequence[SyncJobFacts]) -> list[str]:
    """The namespaces with backups that no job pushes; none if the namespaces are not known."""
    found = case.the_store.references
    namespaces = sorted({group.namespace for group in found.groups}) if found is not None else []
    return [
        name for name in namespaces if not any(covers_namespace(job.namespace, job.max_depth, name) for job in pushes)
    ]


def _named(jobs: t.Sequence[SyncJobFacts]) -> str:
    return ", ".join(f"sync job '{job.id}' to remote '{job.remote}'" for job in jobs[:NAMED])


def _run(case: Case, job: SyncJobFacts) -> str:
    return case.manager("sync-job", "run", job.id)


RULES: dict[str, Rule] = {
    "PBS-COPY-01": copied,
}
