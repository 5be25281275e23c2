# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about the jobs of a datastore: how they ran, and whether they can run (PBS-CONF-07, PBS-CONF-08)."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import DatastoreConfig, SyncJobFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import rank
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.schedule import (
    PRUNE,
    SYNC,
    VERIFY,
    Job,
    first_overlap,
    gc_of,
    jobs_of,
    shortest_period,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import (
    FAIL,
    PASS,
    UNKNOWN,
    WARN,
    Advice,
    Case,
    Evidence,
    Remedy,
    Rule,
    Verdict,
    counted,
    failed,
    passed,
    remedy_of,
    skipped,
    unknown,
    warned,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.version import parse_version

DAY = 86400.0
HOUR = 3600.0
LATE = 600.0
"""Seconds after its time at which PBS must have started a job; it looks once a minute."""
CLOCK_TOLERANCE_DAYS = 1.0 / 24
NAMED = 3
"""Jobs that a message names; the evidence has all."""
OVERLAP_DAYS = 28
KEEPS_ALL_RUNS_SINCE = (4, 2, 3)
"""The first PBS whose scheduler starts a prune job without keep options; before, it leaves the job out."""
_COMMANDS = {PRUNE: "prune-job", VERIFY: "verify-job", SYNC: "sync-job"}
_ORDER = (PASS, WARN, UNKNOWN, FAIL)


def _jobs(case: Case) -> tuple[DatastoreConfig, list[Job], bool]:
    """The datastore's configuration, its enabled jobs, and whether these are all (`sync.cfg` could be read)."""
    configured = t.cast(DatastoreConfig, case.need("configured"))
    sync = case.host.config_dir.sync_jobs
    return configured, [job for job in jobs_of(configured, sync or ()) if not job.disabled], sync is not None


def _offset(case: Case) -> int:
    return case.host.utc_offset or 0


def _worst(verdicts: t.Sequence[Verdict], good: str, more: t.Mapping[str, t.Any]) -> Verdict:
    """One verdict for several jobs: the worst status, the messages of all that are not right, the remedies of the worst."""
    bad = sorted((one for one in verdicts if one.status != PASS), key=lambda one: -_ORDER.index(one.status))
    evidence: Evidence = {**more, "jobs": [{"status": one.status, **one.evidence} for one in verdicts if one.evidence]}
    if not bad:
        return passed(good, **evidence)
    worst = [one for one in bad if one.status == bad[0].status]
    message = " ".join(one.message for one in bad[:NAMED])
    if len(bad) > NAMED:
        message += f" And {counted(len(bad) - NAMED, 'more fault', 'more faults')}."
    commands = tuple(dict.fromkeys(command for one in worst[:NAMED] for command in one.commands))
    severities = [one.severity for one in worst if one.severity]
    return Verdict(
        bad[0].status,
        message,
        worst[0].remedy,
        evidence,
        max(severities, key=rank) if severities else "",
        commands,
    )


# --- how they ran -------------------------------------------------------------------------------------------------------


def ran_well(case: Case) -> Verdict:
    configured, jobs, complete = _jobs(case)
    verdicts = [_ran(job, case) for job in jobs]
    if not complete:
        verdicts.append(unknown("The sync jobs are not known: sync.cfg could not be read (PBS-HOST-04)."))
    if not verdicts:
        return skipped(f"No enabled prune, verify or sync job names datastore '{configured.name}'.")
    names = ", ".join(job.name for job in jobs[:NAMED]) + (", …" if len(jobs) > NAMED else "")
    return _worst(verdicts, f"The last runs of {names} ended well and in time.", {})


def _ran(job: Job, case: Case) -> Verdict:
    """How the last run of one job ended."""
    run, name = job.run, job.name[:1].upper() + job.name[1:]
    if run is None or run.state == "created":
        ahead = -(_age_days(run.since, case) or 0.0) if run is not None else 0.0
        if ahead > CLOCK_TOLERANCE_DAYS:
            return unknown(
                f"{name} waits for its first run since a time {ahead:.1f} days in the future, so when it must run is not known.",
                Remedy("Correct the clock of the host.", ("timedatectl status",)),
                severity="medium",
                **_evidence(job, case),
            )
        return _late(job, case) or (
            passed(f"{name} waits for its first run.")
            if (run is not None and run.since is not None) or not job.schedule
            else warned(f"{name} has not run yet.", _start(job, case), severity="medium", **_evidence(job, case))
        )
    evidence = _evidence(job, case)
    if run.state == "running":
        return passed(f"{name} is running now.", **evidence)
    if run.state in ("unreadable", "unknown"):
        return unknown(
            f"How the last run of {job.name} ended is not known: {(run.message or run.state).rstrip('.')}.",
            _log(job, case),
            severity="medium",
            **evidence,
        )
    age = _age_days(run.end, case)
    if age is not None and age < -CLOCK_TOLERANCE_DAYS:
        return unknown(
            f"The last run of {job.name} ended {-age:.1f} days in the future, so when it ran is not known.",
            Remedy("Correct the clock of the host.", ("timedatectl status",)),
            severity="medium",
            **evidence,
        )
    if run.state == "error":
        return failed(
            "The last run of %s failed%s: %s%s."
            % (job.name, _ago(age), run.message.rstrip(".") or "PBS gives no reason", _since_when(job, case)),
            _log(job, case),
            **evidence,
        )
    late = _late(job, case)
    if late is not None:
        return late
    if run.state == "warning":
        return warned(
            f"The last run of {job.name} ended with {counted(run.warnings, 'warning')}{_ago(age)}.",
            _log(job, case),
            severity="medium",
            **evidence,
        )
    return passed(f"{name} ran well{_ago(age)}.", **evidence)


def _since_when(job: Job, case: Case) -> str:
    """How long a job has failed, from the list of tasks."""
    history = job.run.history if job.run is not None else None
    if history is None or not history.failures:
        return ""
    if history.last_success is None:
        return "; it failed %s since %.1f days, and no success is in the list of tasks" % (
            counted(history.failures, "time"),
            _age_days(history.oldest, case) or 0.0,
        )
    return "; it failed %s, and its last success was %.1f days ago" % (
        counted(history.failures, "time in a row", "times in a row"),
        _age_days(history.last_success, case) or 0.0,
    )


def _late(job: Job, case: Case) -> t.Optional[Verdict]:
    """Whether two times of its schedule have passed without a run: the first may have waited for the run before it."""
    run = job.run
    if run is None or case.store is None or case.store.mounted is False:
        return None
    if case.store.configured is not None and case.store.configured.maintenance_type:
        return None
    latest = case.now + CLOCK_TOLERANCE_DAYS * DAY
    # A time in the future is wrong, and after it no run would ever be late.
    known = [moment for moment in (run.end, run.start, run.since) if moment is not None and moment <= latest]
    if not known:
        return None
    times = job.times(max(known), _offset(case), 2)
    if len(times) < 2 or times[1] + LATE >= case.now:
        return None
    what = "has never run" if run.state == "created" else "last ran %.1f days ago" % ((case.now - max(known)) / DAY)
    return failed(
        "%s %s, but its schedule is '%s': it should have run %s."
        % (job.name[:1].upper() + job.name[1:], what, job.schedule, _clock(times[0], case)),
        Remedy(
            "Find out why the scheduler leaves it out, then start it by hand.",
            ("journalctl --no-pager -n 100 -u proxmox-backup-proxy", *_start(job, case).commands),
        ),
        severity="medium",
        **_evidence(job, case),
    )


def _start(job: Job, case: Case) -> Remedy:
    return Remedy("Start it by hand.", (case.manager(_COMMANDS[job.kind], "run", job.id),))


def _log(job: Job, case: Case) -> Remedy:
    upid = job.run.upid if job.run is not None else ""
    if not upid:
        return Remedy("The list of tasks contains the job.", (case.manager("task", "list", "--all", "true"),))
    return Remedy(
        "The task's log contains the reason; fix it, and start the job by hand.",
        (case.manager("task", "log", upid), *_start(job, case).commands),
    )


def _evidence(job: Job, case: Case) -> Evidence:
    run = job.run
    age = _age_days(run.end, case) if run is not None else None
    history = run.history if run is not None else None
    return {
        "job": job.name,
        "schedule": job.schedule,
        "state": run.state if run is not None else "created",
        "age_days": None if age is None else round(age, 2),
        "seconds": job.seconds,
        "failures": None if history is None else history.failures,
        "last_success": None if history is None else history.last_success,
        "upid": run.upid if run is not None else "",
    }


def _age_days(moment: t.Optional[int], case: Case) -> t.Optional[float]:
    return None if moment is None else (case.now - moment) / DAY


def _ago(age: t.Optional[float]) -> str:
    return "" if age is None else " %.1f days ago" % max(age, 0.0)


def _clock(moment: float, case: Case) -> str:
    """A time by the host's clock, as in its schedules."""
    return time.strftime("on %Y-%m-%d at %H:%M", time.gmtime(moment + _offset(case)))


# --- whether they can run -----------------------------------------------------------------------------------------------


def can_run(case: Case) -> Verdict:
    configured, jobs, complete = _jobs(case)
    gc = gc_of(configured)
    scheduled = [gc, *jobs] if gc.schedule else jobs
    verdicts = [fault for job in jobs for fault in _cannot(job, case)]
    verdicts += [fault for job in scheduled for fault in _too_long(job, case)]
    verdicts += _overlaps(gc, [job for job in jobs if job.kind == VERIFY], case)
    verdicts += [
        unknown(f"The schedule '{job.schedule}' of {job.name} is not understood.", severity="low")
        for job in scheduled
        if not job.understood
    ]
    if not complete:
        verdicts.append(unknown("The sync jobs are not known: sync.cfg could not be read (PBS-HOST-04)."))
    if not scheduled and not verdicts:
        return skipped(f"Neither GC nor an enabled job is scheduled for datastore '{configured.name}'.")
    schedules = [{"job": job.name, "schedule": job.schedule, "seconds": job.seconds} for job in scheduled]
    return _worst(
        verdicts,
        "%s can run, and %s."
        % (
            counted(len(scheduled), "scheduled job", "scheduled jobs"),
            "GC and verify do not overlap" if any(job.kind == VERIFY for job in jobs) else "none takes too long",
        ),
        {"schedules": schedules},
    )


def _cannot(job: Job, case: Case) -> t.Iterator[Verdict]:
    """Why a job never runs, or does nothing when it runs."""
    name = job.name[:1].upper() + job.name[1:]
    command = _COMMANDS[job.kind]
    if job.schedule and job.understood and not job.times(case.now, _offset(case), 1):
        yield failed(
            f"{name} never runs: its schedule '{job.schedule}' does not come again.",
            Remedy("Give it another schedule.", (case.manager(command, "update", job.id, "--schedule", "daily"),)),
            job=job.name,
        )
    if not job.schedule and not job.on_mount:
        yield warned(
            f"{name} has no schedule: it runs only by hand.",
            Remedy(
                "Give it a schedule, or remove it.", (case.manager(command, "update", job.id, "--schedule", "daily"),)
            ),
            job=job.name,
        )
    if job.kind == PRUNE and not job.keeps:
        version = case.host.pbs_version
        runs = bool(version) and parse_version(version or "") >= KEEPS_ALL_RUNS_SINCE
        yield failed(
            f"{name} keeps everything: it has no keep option, and PBS "
            + (f"{version} runs it with a warning." if runs else "before 4.2.3 leaves it out."),
            Remedy(
                "Say how many snapshots it keeps, or remove it.",
                (case.manager("prune-job", "update", job.id, "--keep-daily", "14"),),
            ),
            job=job.name,
        )
    if job.sync is not None:
        why, fix = _sync_cannot(job.sync, case)
        if why:
            advice = remedy_of(fix)
            yield failed(f"{name} cannot run: {why}.", advice, job=job.name)


def _sync_cannot(job: SyncJobFacts, case: Case) -> tuple[str, Advice]:
    """Why a sync job fails whenever it runs; PBS accepts all of these when the job is made or changed (PBS 4.2.3)."""
    remotes = case.host.config_dir.remotes
    if job.remote and remotes is not None and job.remote not in {remote.name for remote in remotes}:
        return f"there is no remote '{job.remote}'", "Add the remote, or remove the job."
    if not job.remote:
        if job.direction == "push":
            return "it pushes, but has no remote", "Give it a remote, or make it a pull job."
        if job.remote_store == job.store and not job.namespace and not job.remote_namespace:
            return "source and target are the same datastore", "Give it another source."
        if job.remote_store not in {store.name for store in case.stores if store.configured is not None}:
            return f"there is no datastore '{job.remote_store}' on this host", "Correct its source, or remove the job."
    return "", ""


def _too_long(job: Job, case: Case) -> t.Iterator[Verdict]:
    period = shortest_period(job, case.now, _offset(case))
    if job.seconds is None or period is None or job.seconds <= period:
        return
    yield warned(
        "%s takes %s, but is scheduled every %s ('%s')."
        % (job.name[:1].upper() + job.name[1:], _span(job.seconds), _span(period), job.schedule),
        "Run it less often.",
        job=job.name,
        seconds=job.seconds,
        period=period,
    )


def _overlaps(gc: Job, verify_jobs: t.Sequence[Job], case: Case) -> t.Iterator[Verdict]:
    """GC and verify both read the whole datastore; at the same time each takes longer."""
    for job in verify_jobs:
        moment = first_overlap(gc, job, case.now, _offset(case), OVERLAP_DAYS)
        if moment is not None:
            yield warned(
                "GC ('%s', takes %s) and %s ('%s', takes %s) run at the same time, next %s."
                % (
                    *(gc.schedule, _span(gc.seconds or 0), job.name, job.schedule, _span(job.seconds or 0)),
                    _clock(moment, case),
                ),
                "Move one of the two schedules.",
                severity="low",
                job=job.name,
                next=moment,
            )


def _span(seconds: float) -> str:
    if seconds < 2 * HOUR:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / HOUR:.1f} hours" if seconds < 2 * DAY else f"{seconds / DAY:.1f} days"


RULES: dict[str, Rule] = {
    "PBS-CONF-07": ran_well,
    "PBS-CONF-08": can_run,
}
