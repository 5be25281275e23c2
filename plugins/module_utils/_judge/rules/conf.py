# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about what PBS is told to do with a datastore (PBS-CONF-*)."""

from __future__ import annotations

import os.path
import shlex
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import DatastoreConfig, JobFacts, JobRunFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import SkeletonFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.causes import help_for
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.drift import differences
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import (
    Case,
    Evidence,
    NotObserved,
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
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.version import parse_version

DAY = 86400.0
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
            "ansible-playbook fleetops.pbs.provision",
            declared_path=store.path,
        )
    found = differences(case.declared, store.configured, case.host.pbs_version)
    if found:
        return failed(
            "Datastore '%s' differs from its declaration: %s."
            % (store.name, "; ".join("%s is %s, declared is %s" % (key, have, want) for key, want, have in found)),
            "ansible-playbook fleetops.pbs.provision, or correct pbs_datastores.",
            differences=[{"property": key, "declared": want, "configured": have} for key, want, have in found],
        )
    return passed("Everything that is declared is configured so.")


def gc_scheduled(case: Case) -> Verdict:
    configured = _configured(case)
    if not configured.gc_schedule:
        return failed(
            f"Datastore '{configured.name}' has no gc-schedule: nothing is ever collected.",
            f"proxmox-backup-manager datastore update {in_shell(configured.name)} --gc-schedule daily",
        )
    return passed(f"GC runs at '{configured.gc_schedule}'.", schedule=configured.gc_schedule)


def gc_succeeded(case: Case) -> Verdict:
    configured = _configured(case)
    run = configured.gc_last_run
    log = "proxmox-backup-manager task list --all shows the task; its log says where it stopped."
    if run is None or run.state == "created":
        return warned(
            f"GC has not run yet on '{configured.name}'.",
            f"proxmox-backup-manager garbage-collection start {in_shell(configured.name)}",
        )
    evidence = _run_evidence(run, case.now)
    if run.state == "running":
        return passed("GC is running now.", **evidence)
    if run.state in ("unreadable", "unknown"):
        return unknown("How the last GC ended is not known: %s." % (run.message or run.state), log, **evidence)
    if run.state == "error":
        return failed(f"The last GC failed: {run.message.rstrip('.')}.", log, **evidence)
    age = _age_days(run, case.now)
    if age is not None and age > case.policy.gc_max_age_days:
        return failed(
            f"The last GC ended {age:.1f} days ago; the policy allows {case.policy.gc_max_age_days:g}.",
            "Find out why the scheduler passes over it (journalctl -u proxmox-backup-proxy), then start GC by hand.",
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
    commands = {
        "verify": "verify-job create ID --store %s --schedule 'sun 05:00' --outdated-after 30",
        "prune": "prune-job create ID --store %s --schedule daily --keep-daily 14",
    }
    missing = [
        kind
        for kind, found in (("verify", configured.verify_jobs), ("prune", configured.prune_jobs))
        if not any(_covers(job, kind) for job in found)
    ]
    if missing:
        return failed(
            "Datastore '%s': %s (required: root namespace, all depths, enabled, with a schedule)."
            % (configured.name, " and ".join("no %s job covers it" % kind for kind in missing)),
            "; ".join("proxmox-backup-manager " + commands[kind] % in_shell(configured.name) for kind in missing),
            **evidence,
        )
    return passed("A verify job and a prune job cover the whole datastore.", **evidence)


def _covers(job: JobFacts, kind: str) -> bool:
    if job.disabled or not job.schedule or job.namespace:
        return False
    if job.max_depth is not None and job.max_depth < DEEPEST:
        return False
    return kind == "verify" or bool(job.keeps)


def maintenance(case: Case) -> Verdict:
    configured = _configured(case)
    kind = configured.maintenance_type
    if not kind:
        return passed("No maintenance mode.")
    if ((case.declared or {}).get("maintenance_mode") or {}).get("type") == kind:
        return passed(f"Datastore '{configured.name}' is in maintenance mode `{kind}`, as declared.", type=kind)
    message = f" ({configured.maintenance_message})" if configured.maintenance_message else ""
    if kind == "delete":
        return failed(
            "Datastore '%s' is in maintenance mode `delete`%s: a removal failed half way, and PBS offers no way back."
            % (configured.name, message),
            "Finish the removal (proxmox-backup-manager datastore remove %s), or take the line out of datastore.cfg with "
            "both daemons stopped." % in_shell(configured.name),
            severity="high",
            type=kind,
        )
    return failed(
        f"Datastore '{configured.name}' is in maintenance mode `{kind}`{message}: GC does not run.",
        f"proxmox-backup-manager datastore update {in_shell(configured.name)} --delete maintenance-mode",
        type=kind,
    )


def whole(case: Case) -> Verdict:
    store = case.the_store
    broken = store.location.error if store.location is not None and not store.location.exists else ""
    if broken:
        what = f"{store.path}: {broken}"
        return failed(
            f"{what}.", help_for(case, what) or "Mend what the error names.", state="", prefixes=0, missing=[]
        )
    found: SkeletonFacts = case.need("skeleton")
    evidence: Evidence = {"state": found.state, "prefixes": found.prefixes, "missing": found.missing}
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
            "Mount it. Do not create the datastore anew before you know where its chunks are.",
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
            "Check the path and the mount; nothing here is removed for you.",
            groups=found.groups,
            foreign=found.foreign,
            **evidence,
        )
    return _half_made(case, found, evidence)


def _hidden(case: Case, evidence: Evidence) -> Verdict:
    """PBS before 3.4.1 passes over hidden names when it looks for indexes, the datastore's own directory included."""
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


def _half_made(case: Case, found: SkeletonFacts, evidence: Evidence) -> Verdict:
    account, path = case.host.account, shlex.quote(case.the_store.path)
    # A datastore that PBS has in its configuration is in use, and nothing of ours completes it.
    known = case.the_store.configured is not None
    provision = "" if known else "The `provision` playbook completes it, then PBS can reuse it; "
    if found.prefixes == PREFIXES:
        return warned(
            ".lock is missing; PBS makes it again when it opens the datastore, and refuses a reuse without it.",
            provision + f"by hand: install -o {account.user} -g {account.group} -m 0644 /dev/null {path}/.lock",
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
        provision + f"by hand, below {path}/.chunks: mkdir -m 0750 each, and chown {account.user}:{account.group}.",
        **evidence,
    )


RULES: dict[str, Rule] = {
    "PBS-CONF-01": drift,
    "PBS-CONF-02": gc_scheduled,
    "PBS-CONF-03": gc_succeeded,
    "PBS-CONF-04": jobs,
    "PBS-CONF-05": maintenance,
    "PBS-CONF-06": whole,
}
