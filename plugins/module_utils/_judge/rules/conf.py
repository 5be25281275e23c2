# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about the configuration of a datastore (PBS-CONF-*)."""

from __future__ import annotations

import os.path
import time
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import DatastoreConfig, JobRunFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import SkeletonFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.causes import OTHERWISE, help_for
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.drift import (
    differences,
    section_differences,
    target_differences,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.schedule import covers_namespace
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import (
    RESTART,
    Case,
    Evidence,
    NotObserved,
    Remedy,
    Rule,
    Verdict,
    counted,
    failed,
    in_shell,
    passed,
    skipped,
    unknown,
    warned,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import notification_settings, notifications, settings
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.calendar_event import is_over
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.job_state import parse_upid
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.property_string import (
    PropertyStringError,
    parse_bool,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.settings import SettingError
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.version import parse_version
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

DAY = 86400.0
CLOCK_TOLERANCE_DAYS = 1.0 / 24
"""How far in the future an end may be: clocks are set back by minutes, not by more."""
PREFIXES = 65536
HIDDEN_BASE_SINCE = (3, 4, 1)
"""The first PBS whose GC works in a datastore whose directory has a hidden name."""
DEEPEST = 7
"""Levels of namespaces below the root; a job without a depth covers them all."""


def _configured(case: Case) -> DatastoreConfig:
    return t.cast(DatastoreConfig, case.need("configured"))


def drift(case: Case) -> Verdict:
    store = case.the_store
    if not case.declares:
        return skipped("Nothing is declared for this host (pbs_datastores).")
    if case.declared is None:
        return warned(
            f"Datastore '{store.name}' is configured, but not declared in pbs_datastores.",
            "Declare it, or remove it from PBS.",
            severity="low",
        )
    if store.configured is None:
        if not case.host.pbs_installed:
            return skipped("Proxmox Backup Server is not installed here, so nothing is configured.")
        if case.configuration_unreadable():
            raise NotObserved(case.configuration_unreadable())
        return failed(
            f"Datastore '{store.name}' is declared, but PBS does not know it.",
            Remedy("Run the provision playbook on the controller.", (case.playbook("provision"),)),
            declared_path=store.path,
        )
    others = [other.configured for other in case.stores if other is not store and other.configured is not None]
    try:
        found = differences(case.declared, store.configured, others)
    except SettingError as exc:
        return failed(
            f"The declaration of datastore '{store.name}' has a value that PBS does not accept. {exc}.",
            "Correct pbs_datastores; the provision playbook stops at this value, too.",
        )
    if found:
        return failed(
            "Datastore '%s' differs from its declaration: %s."
            % (store.name, "; ".join(f"{one.option} is {one.have}, declared is {one.wanted}" for one in found)),
            Remedy(
                "Run the provision playbook on the controller, or correct pbs_datastores.",
                (case.playbook("provision"),),
            ),
            differences=[{"property": one.option, "declared": one.wanted, "configured": one.have} for one in found],
        )
    return passed("Everything that is declared is configured so.")


SECTIONS: tuple[tuple[str, str, str, t.Optional[settings.Kind]], ...] = (
    ("remotes", "name", settings.REMOTE.name, settings.REMOTE),
    ("s3_endpoints", "id", settings.S3_ENDPOINT.name, settings.S3_ENDPOINT),
    ("sync_jobs", "id", settings.SYNC_JOB.name, settings.SYNC_JOB),
    ("traffic_controls", "name", notification_settings.TRAFFIC_CONTROL.name, notification_settings.TRAFFIC_CONTROL),
    ("notification_targets", "name", "target of notifications", None),
    ("notification_matchers", "name", notification_settings.MATCHER.name, notification_settings.MATCHER),
)
"""The declared lists: variable without its prefix, key of the name, words, kind; None if each entry has its own."""


def sections_drift(case: Case) -> Verdict:
    """Remotes, S3 endpoints, sync jobs, traffic control and notifications, compared as the modules that manage them compare."""
    if not case.sections:
        variables = ", ".join(f"pbs_{row[0]}" for row in SECTIONS)
        return skipped(f"Nothing is declared for this host ({variables}).")
    if not case.host.pbs_installed and not case.host.config_dir.exists:
        return skipped("Proxmox Backup Server is not installed here, so nothing is configured.")
    found: list[tuple[str, str, str, str]] = []
    extra: list[str] = []
    for option, key, words, kind in SECTIONS:
        declared = case.sections.get(option)
        if declared is None:
            continue
        configured = getattr(case.host.config_dir, option)
        if configured is None:
            raise NotObserved(case.host.config_dir.error or f"{option} could not be read; see PBS-HOST-04")
        by_name = {getattr(section, key): section for section in configured}
        for entry in declared:
            name = f"{words} '{display(str(entry[key]))}'"
            section = by_name.pop(entry[key], None)
            if section is None:
                found.append((name, "", "present", "absent"))
                continue
            try:
                differs = (
                    section_differences(kind, entry, section.properties)
                    if kind is not None
                    else target_differences(entry, section)
                )
            except SettingError as exc:
                return failed(
                    f"The declaration of {name} has a value that PBS does not accept. {exc}.",
                    f"Correct pbs_{option}; the provision playbook stops at this value, too.",
                )
            found += [(name, one.option, one.wanted, one.have) for one in differs]
        extra += [f"{words} '{name}'" for name in by_name if name not in notifications.BUILTIN]
    if found:
        return failed(
            "What is configured differs from its declaration: %s."
            % "; ".join(
                f"{name} {option or 'itself'} is {have}, declared is {want}" for name, option, want, have in found
            ),
            Remedy(
                "Run the provision playbook on the controller, or correct the declaration.",
                (case.playbook("provision"),),
            ),
            differences=[
                {"section": name, "property": option, "declared": want, "configured": have}
                for name, option, want, have in found
            ],
        )
    if extra:
        return warned(
            f"These are configured, but not declared: {', '.join(extra)}.",
            "Declare them, or remove them from PBS.",
            severity="low",
        )
    return passed("All of these that are declared are configured so.")


def _is_true(value: object) -> bool:
    try:
        return parse_bool(str(value or "no"))
    except PropertyStringError:
        return False


def gc_scheduled(case: Case) -> Verdict:
    configured = _configured(case)
    if not configured.gc_schedule and _is_true(configured.properties.get("gc-on-unmount")):
        return passed(f"GC runs whenever '{configured.name}' is unmounted (gc-on-unmount).")
    if not configured.gc_schedule:
        return failed(
            f"Datastore '{configured.name}' has no gc-schedule: nothing is ever collected.",
            Remedy(
                "Give it a schedule.", (case.manager("datastore", "update", configured.name, "--gc-schedule", "daily"),)
            ),
        )
    if is_over(configured.gc_schedule, time.gmtime(case.now)):
        return failed(
            f"The gc-schedule '{configured.gc_schedule}' of datastore '{configured.name}' never comes again.",
            Remedy(
                "Give it another schedule.",
                (case.manager("datastore", "update", configured.name, "--gc-schedule", "daily"),),
            ),
            schedule=configured.gc_schedule,
        )
    return passed(f"GC runs at '{configured.gc_schedule}'.", schedule=configured.gc_schedule)


def gc_succeeded(case: Case) -> Verdict:
    configured = _configured(case)
    run = configured.gc_last_run
    if run is None or run.state == "created":
        run = _gc_by_status(case) or run
    log = _task_log(case, run)
    if run is None or run.state == "created":
        return warned(
            f"GC has not run yet on '{configured.name}'.",
            Remedy(
                "Start it when the other controls pass.",
                (case.manager("garbage-collection", "start", configured.name),),
            ),
        )
    evidence = _run_evidence(run, case.now)
    if run.state == "running":
        return passed("GC is running now (task %s)." % run.upid, **evidence)
    if run.state in ("unreadable", "unknown"):
        return unknown("How the last GC ended is not known: %s." % (run.message or run.state), log, **evidence)
    if run.state == "error":
        return failed(f"The last GC failed: {run.message.rstrip('.')}.", log, **evidence)
    age = _age_days(run, case.now)
    if age is not None and age < -CLOCK_TOLERANCE_DAYS:
        return unknown(
            f"The last GC ended {-age:.1f} days in the future, so when it ran is not known.",
            Remedy("Correct the clock of the host, and run GC.", ("timedatectl status",)),
            **evidence,
        )
    if age is not None and age > case.policy.gc_max_age_days:
        return failed(
            f"The last GC ended {age:.1f} days ago; the policy allows {case.policy.gc_max_age_days:g}.",
            Remedy(
                "Find out why the scheduler skips it, then start GC by hand.",
                (
                    "journalctl --no-pager -n 100 -u proxmox-backup-proxy",
                    case.manager("garbage-collection", "start", configured.name),
                ),
            ),
            **evidence,
        )
    if run.state == "warning":
        return warned(
            "The last GC ended with %s: usually chunks that an index needs and that are not there."
            % counted(run.warnings, "warning"),
            log,
            **evidence,
        )
    return passed("The last GC succeeded%s." % ("" if age is None else " %.1f days ago" % max(age, 0.0)), **evidence)


def _gc_by_status(case: Case) -> t.Optional[JobRunFacts]:
    """The last GC by `.gc-status`, which is in the datastore and outlives the job state of the host."""
    skeleton = case.the_store.skeleton
    upid = parse_upid(skeleton.gc_task) if skeleton is not None else None
    if skeleton is None or upid is None:
        return None
    return JobRunFacts("ok", end=upid.start, upid=skeleton.gc_task)


def _task_log(case: Case, run: t.Optional[JobRunFacts]) -> Remedy:
    """Where to read why a task ended."""
    if run is None or not run.upid:
        return Remedy(
            "The list of tasks contains GC; the task's log contains where it stopped.",
            (case.manager("task", "list", "--all", "true"),),
        )
    return Remedy("The task's log contains where it stopped.", (case.manager("task", "log", run.upid),))


def _run_evidence(run: JobRunFacts, now: float) -> Evidence:
    age = _age_days(run, now)
    return {"state": run.state, "end": run.end, "age_days": None if age is None else round(age, 2), "upid": run.upid}


def _age_days(run: JobRunFacts, now: float) -> t.Optional[float]:
    return None if run.end is None else (now - run.end) / DAY


def jobs(case: Case) -> Verdict:
    configured = _configured(case)
    evidence: Evidence = {
        "prune_jobs": [job.id for job in configured.prune_jobs],
        "verify_jobs": [job.id for job in configured.verify_jobs],
    }
    options = {
        "verify": ("--schedule", "sun 05:00", "--outdated-after", "30"),
        "prune": ("--schedule", "daily", "--keep-daily", "14"),
    }
    taken = {job.id for job in (*configured.prune_jobs, *configured.verify_jobs)}
    namespaces = _namespaces(case)
    gaps: dict[str, str] = {}
    partly: list[str] = []
    for kind, found in (("verify", configured.verify_jobs), ("prune", configured.prune_jobs)):
        active = [job for job in found if not job.disabled and job.schedule and (kind == "verify" or job.keeps)]
        if any(covers_namespace(job.namespace, job.max_depth, "", DEEPEST) for job in active):
            continue
        if not active:
            gaps[kind] = f"no {kind} job covers it"
        elif namespaces is None:
            partly.append(kind)
        else:
            left = [
                one
                for one in namespaces
                if not any(covers_namespace(job.namespace, job.max_depth, one) for job in active)
            ]
            if left:
                gaps[kind] = f"no {kind} job covers {_named(left)}"
    if gaps:
        return failed(
            "Datastore '%s': %s (required: root namespace, all depths, enabled, with a schedule; or several jobs that cover "
            "all namespaces together)." % (configured.name, " and ".join(gaps.values())),
            Remedy(
                "Add the job; choose schedule and retention.",
                tuple(
                    case.manager(
                        f"{kind}-job",
                        "create",
                        _job_id(configured.name, kind, taken),
                        "--store",
                        configured.name,
                        *options[kind],
                    )
                    for kind in gaps
                ),
            ),
            **evidence,
        )
    if partly:
        return unknown(
            "Datastore '%s' has %s jobs only for some namespaces, and whether these are all is not known."
            % (configured.name, " and ".join(partly)),
            "Run preflight with preflight_references full or headers, which reads the namespaces.",
            **evidence,
        )
    return passed("A verify job and a prune job cover the whole datastore.", **evidence)


def _namespaces(case: Case) -> t.Optional[list[str]]:
    """The namespaces with backups, the root as an empty text; None if they are not all known."""
    found = case.the_store.references
    if found is None or not found.complete or found.groups_total != len(found.groups):
        return None
    return sorted({group.namespace for group in found.groups})


def _named(namespaces: t.Sequence[str]) -> str:
    names = ", ".join(f"namespace '{name}'" if name else "the root namespace" for name in namespaces[:3])
    return names + (", …" if len(namespaces) > 3 else "")


def _job_id(name: str, kind: str, taken: t.Container[str]) -> str:
    """An id that PBS accepts (at most 32 characters) and that no job of this datastore has."""
    base = f"{name[: 31 - len(kind)]}-{kind}"
    return next(one for one in (base, *(f"{base[:29]}-{n}" for n in range(2, 100))) if one not in taken)


_TASK_OF_MODE = {"delete": "delete-datastore", "unmount": "unmount-device", "s3-refresh": "s3-refresh"}
"""Modes that PBS sets itself while a task of this type runs."""


def maintenance(case: Case) -> Verdict:
    configured = _configured(case)
    kind = configured.maintenance_type
    if not kind:
        return passed("No maintenance mode.")
    if ((case.declared or {}).get("maintenance_mode") or {}).get("type") == kind:
        return passed(f"Datastore '{configured.name}' is in maintenance mode `{kind}`, as declared.", type=kind)
    message = f" ({configured.maintenance_message})" if configured.maintenance_message else ""
    task = case.running(_TASK_OF_MODE.get(kind, ""))
    if task is not None:
        return warned(
            f"Datastore '{configured.name}' is in maintenance mode `{kind}`: PBS works on that now (task {task.upid}).",
            Remedy("Wait until the task has ended.", (case.manager("task", "log", task.upid),)),
            severity="low",
            type=kind,
            task=task.upid,
        )
    if kind == "delete":
        return failed(
            "Datastore '%s' is in maintenance mode `delete`%s: %s. PBS offers no way back."
            % (
                configured.name,
                message,
                "a removal is under way, or it failed half way"
                if case.host.running_tasks is None
                else "no removal runs, so an earlier one failed half way",
            ),
            Remedy(
                "Wait until no removal runs, then finish it. The command keeps the data and the jobs. To keep the datastore "
                "instead, stop both daemons and remove the line maintenance-mode from datastore.cfg.",
                (case.manager("datastore", "remove", configured.name, "--keep-job-configs", "true"),),
            ),
            severity="high",
            type=kind,
        )
    return failed(
        f"Datastore '{configured.name}' is in maintenance mode `{kind}`{message}: GC does not run.",
        Remedy(
            "End the maintenance mode.",
            (case.manager("datastore", "update", configured.name, "--delete", "maintenance-mode"),),
        ),
        type=kind,
    )


def whole(case: Case) -> Verdict:
    store = case.the_store
    if store.configured is not None and store.configured.maintenance_type == "delete":
        return skipped("The datastore is being removed (PBS-CONF-05).")
    broken = store.location.error if store.location is not None and not store.location.exists else ""
    if broken:
        what = f"{store.path}: {broken}"
        return failed(f"{what}.", help_for(case, what) or OTHERWISE, state="", prefixes=0, missing=[])
    found: SkeletonFacts = case.need("skeleton")
    evidence: Evidence = {"state": found.state, "prefixes": found.prefixes, "missing": found.missing}
    if found.chunks is not None and found.chunks.type == "link":
        return _linked(case, found.chunks.path, evidence)
    known = store.configured is not None
    if found.state == "whole" and os.path.basename(store.path).startswith("."):
        return _hidden(case, evidence)
    if found.state == "whole":
        return passed("All 65,536 prefix directories and .lock are there.", **evidence)
    if found.state in ("absent", "empty"):
        if not known:
            return skipped("Nothing is there yet, and PBS does not know the datastore.", **evidence)
        what = f"{store.path} does not exist" if found.state == "absent" else f"{store.path} is empty"
        return failed(
            f"PBS knows datastore '{store.name}', but {what}: most likely a filesystem is not mounted.",
            Remedy(
                "Mount it. Do not create the datastore again before you know where its chunks are.",
                _mounts(case) or (f"findmnt --target {in_shell(store.path)}",),
            ),
            severity="critical",
            **evidence,
        )
    if found.state == "foreign":
        if store.location is not None and store.location.type != "directory":
            return failed(
                f"{store.path} is not a directory but a {store.location.type}.", "Correct the path.", **evidence
            )
        examples = ", ".join((found.groups + found.foreign)[:3]) or ".chunks that is no directory"
        return failed(
            f"{store.path} holds no chunk store, but other things ({examples}).",
            "Check the path and the mount; this collection removes nothing here.",
            groups=found.groups,
            foreign=found.foreign,
            **evidence,
        )
    return _half_made(case, found, evidence)


def _linked(case: Case, chunks: str, evidence: Evidence) -> Verdict:
    """PBS follows a link in place of `.chunks`; nothing of this collection does, because the daemon's user can change it."""
    store = case.the_store
    place = store.chunks_place
    target = place.path if place is not None else ""
    name = store.name if store.configured is not None else ""
    account = case.host.account
    return failed(
        f"{chunks} is a link{f' to {target}' if target else ''}. PBS follows it, but this collection does not, so owners, chunks "
        "and the touch were not checked.",
        Remedy(
            "Mount the directory in place of the link, while no backup and no GC runs. Write the mount into /etc/fstab, too.",
            (
                *((case.manager("datastore", "update", name, "--maintenance-mode", "type=offline"),) if name else ()),
                f"rm {in_shell(chunks)}",
                f"install -d -o {in_shell(account.user)} -g {in_shell(account.group)} -m 0750 {in_shell(chunks)}",
                f"mount --bind {in_shell(target, chunks)}",
                *((case.manager("datastore", "update", name, "--delete", "maintenance-mode"),) if name else ()),
            )
            if target
            else (f"namei -l {in_shell(chunks)}",),
        ),
        severity="medium",
        target=target,
        **evidence,
    )


def _mounts(case: Case) -> tuple[str, ...]:
    """The mounts that are made at boot on the way to the datastore."""
    path = case.the_store.path.rstrip("/")
    entries = [entry for entry in case.the_store.persistent or () if entry.kind != "pbs"]
    return tuple(
        f"mount {in_shell(entry.where)}"
        for entry in entries
        if (path + "/").startswith(entry.where.rstrip("/") + "/") and entry.source_matches is not True
    )


def _hidden(case: Case, evidence: Evidence) -> Verdict:
    """PBS before 3.4.1 skips hidden names when it looks for indexes, including the datastore's own directory."""
    store, version = case.the_store, case.host.pbs_version
    if version and parse_version(version) >= HIDDEN_BASE_SINCE:
        return passed(f"The chunk store is whole; PBS {version} collects below a hidden name, too.", **evidence)
    return failed(
        "The last part of %s begins with a dot: the GC of PBS before 3.4.1 finds no index there%s."
        % (store.path, ", and this is %s" % version if version else ""),
        "Do not run GC. Upgrade PBS to 3.4.1 or newer, or move the datastore to a path without the dot.",
        severity="critical",
        **evidence,
    )


def complete_prefixes(path: str, user: str) -> str:
    """The command that makes the missing prefix directories; those that are there stay as they are.

    65,536 names are too many for one command line, so `xargs` makes several of them.
    """
    return (
        f"printf '%04x\\n' $(seq 0 65535) | runuser -u {in_shell(user)} -- env -C {in_shell(os.path.join(path, '.chunks'))} "
        "xargs mkdir -p -m 0750"
    )


def _half_made(case: Case, found: SkeletonFacts, evidence: Evidence) -> Verdict:
    account, path = case.host.account, case.the_store.path
    # A datastore that PBS has in its configuration is in use, and nothing of ours completes it.
    known = case.the_store.configured is not None
    provision = "" if known else " The provision playbook does the same, and then lets PBS reuse the datastore."
    if found.prefixes == PREFIXES:
        return warned(
            ".lock is missing. PBS makes it again only when it opens the datastore; a running proxy still locks the removed "
            "file, which a new process does not see. PBS refuses to reuse a datastore without it.",
            Remedy(
                f"When no backup and no GC runs, make the file as PBS makes it{', and restart the daemons' if known else ''}."
                f"{provision}",
                (
                    in_shell(
                        *("install", "-o", account.user, "-g", account.group, "-m", "0644"),
                        *("/dev/null", os.path.join(path, ".lock")),
                    ),
                    *((RESTART,) if known and case.host.pbs_installed else ()),
                ),
            ),
            severity="low",
            **evidence,
        )
    absent = PREFIXES - found.prefixes
    return failed(
        "The chunk store is half-made: %s (%s%s)."
        % (
            counted(absent, "prefix directory is missing", "prefix directories are missing"),
            ", ".join(found.missing[:4]),
            ", …" if absent > 4 else "",
        ),
        Remedy(
            f"Make the directories that are missing, as '{account.user}'. What was in them stays lost: verify afterwards."
            f"{provision}",
            (complete_prefixes(path, account.user),),
        ),
        **evidence,
    )


RULES: dict[str, Rule] = {
    "PBS-HOST-08": sections_drift,
    "PBS-CONF-01": drift,
    "PBS-CONF-02": gc_scheduled,
    "PBS-CONF-03": gc_succeeded,
    "PBS-CONF-04": jobs,
    "PBS-CONF-05": maintenance,
    "PBS-CONF-06": whole,
}
