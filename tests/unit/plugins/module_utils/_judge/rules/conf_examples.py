# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controls of PBS's configuration say."""

from __future__ import annotations

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import JobRunFacts
from ansible_collections.fleetops.pbs.tests.support.facts import DAY, NOW, PREFIXES, not_looked_at
from ansible_collections.fleetops.pbs.tests.support.judging import Example

TANK = "/mnt/datastore/tank"
CONFIG_CONTROLS = ["PBS-CONF-02", "PBS-CONF-03", "PBS-CONF-04", "PBS-CONF-05"]
ONLY_DECLARED = {"configured": None}
UNREADABLE = {
    "configured": None,
    "host.config_dir.files.0.parsed": False,
    "host.config_dir.files.0.error": "unknown property 'foo'",
}
NO_RIGHT_TO_LOOK = {"configured": None, "host.config_dir.error": "EACCES: Permission denied"}
PBS_IS_NOT_HERE = {"host.pbs_installed": False, "host.pbs_version": None}
UNMOUNTED = {"configured.backing_device": "0a1b2c3d-0000-4000-8000-000000000001", "mounted": False}


def run(state, days_ago=1.0, **more):
    return {"configured.gc_last_run": JobRunFacts(state, end=int(NOW - days_ago * DAY), **more)}


def declared(**properties):
    return {"declared": {"path": TANK, **properties}}


def half_made(missing, *names):
    return {"skeleton.state": "half-made", "skeleton.prefixes": PREFIXES - missing, "skeleton.missing": list(names)}


EXAMPLES = [
    # --- drift
    Example("PBS-CONF-01", "pass", ask=declared(gc_schedule="daily")),
    Example(
        "PBS-CONF-01",
        "fail",
        {},
        "'tank' differs from its declaration: gc_schedule is daily, declared is sat 03:00.",
        ["fleetops.pbs.provision", "correct pbs_datastores"],
        "high",
        declared(gc_schedule="sat 03:00"),
    ),
    Example("PBS-CONF-01", "fail", ONLY_DECLARED, "is declared, but PBS does not know it", "provision", ask=declared()),
    Example("PBS-CONF-01", "warn", {}, "configured, but not declared", "Declare it", "low", {"declares": True}),
    Example("PBS-CONF-01", "unknown", UNREADABLE, "datastore.cfg: unknown property 'foo'", ask=declared()),
    Example("PBS-CONF-01", "unknown", NO_RIGHT_TO_LOOK, "EACCES", ask=declared()),
    Example("PBS-CONF-01", "skip", {}, "Nothing is declared"),
    Example("PBS-CONF-01", "skip", {**ONLY_DECLARED, **PBS_IS_NOT_HERE}, "not installed", ask=declared()),
    # --- what needs the configuration
    *(Example(control, "skip", ONLY_DECLARED, "only declared", ask=declared()) for control in CONFIG_CONTROLS),
    *(
        Example(control, "unknown", UNREADABLE, "datastore.cfg: unknown property 'foo'", ask=declared())
        for control in CONFIG_CONTROLS
    ),
    *(Example(control, "pass", UNMOUNTED) for control in CONFIG_CONTROLS),
    # --- GC is scheduled
    Example("PBS-CONF-02", "pass", says="daily"),
    Example(
        "PBS-CONF-02",
        "fail",
        {"configured.gc_schedule": ""},
        "'tank' has no gc-schedule",
        "proxmox-backup-manager datastore update tank --gc-schedule daily",
        "high",
    ),
    Example(
        "PBS-CONF-02",
        "fail",
        {"configured.gc_schedule": "2020-01-01 00:00"},
        "'2020-01-01 00:00' of datastore 'tank' never comes again",
        "proxmox-backup-manager datastore update tank --gc-schedule daily",
        "high",
    ),
    # --- and succeeds
    Example("PBS-CONF-03", "pass", says="1.0 days ago"),
    Example("PBS-CONF-03", "pass", run("running"), "running now"),
    Example("PBS-CONF-03", "pass", run("ok", 14.0)),
    Example("PBS-CONF-03", "pass", run("ok", -0.01), "0.0 days ago"),
    Example("PBS-CONF-03", "unknown", run("ok", -7300.0), "ended 7300.0 days in the future", "timedatectl status"),
    Example("PBS-CONF-03", "pass", {"configured.gc_last_run": JobRunFacts("ok")}, "The last GC succeeded."),
    Example("PBS-CONF-03", "fail", run("ok", 14.1), ["14.1 days ago", "allows 14"], "journalctl", "high"),
    Example("PBS-CONF-03", "fail", run("ok", 3), "allows 2.5", ask={"policy": {"gc_max_age_days": 2.5}}),
    Example(
        "PBS-CONF-03",
        "fail",
        run("error", message="marking used chunks failed: update atime failed: EPERM."),
        "The last GC failed: marking used chunks failed",
        "task list",
        "high",
    ),
    Example("PBS-CONF-03", "warn", run("warning", warnings=3), "3 warnings", "task list"),
    Example(
        "PBS-CONF-03", "warn", {"configured.gc_last_run": None}, "has not run yet", "garbage-collection start tank"
    ),
    Example("PBS-CONF-03", "warn", run("created"), "has not run yet"),
    Example("PBS-CONF-03", "unknown", run("unreadable", message="EIO: Input/output error"), "EIO"),
    Example("PBS-CONF-03", "unknown", run("unknown"), "not known: unknown"),
    # --- jobs
    Example("PBS-CONF-04", "pass"),
    Example("PBS-CONF-04", "pass", {"configured.prune_jobs.0.max_depth": 7}),
    *(
        Example(
            "PBS-CONF-04",
            "fail",
            changes,
            [f"'tank': no {kind} job covers it", "root namespace, all depths, enabled, with a schedule"],
            f"proxmox-backup-manager {kind}-job create tank-{kind}",
            "medium",
        )
        for kind, changes in (
            ("prune", {"configured.prune_jobs": []}),
            ("prune", {"configured.prune_jobs.0.disabled": True}),
            ("prune", {"configured.prune_jobs.0.namespace": "site1"}),
            ("prune", {"configured.prune_jobs.0.max_depth": 0}),
            ("prune", {"configured.prune_jobs.0.keeps": {}}),
            ("verify", {"configured.verify_jobs": []}),
            ("verify", {"configured.verify_jobs.0.schedule": ""}),
        )
    ),
    Example(
        "PBS-CONF-04",
        "fail",
        {"configured.prune_jobs": [], "configured.verify_jobs": []},
        "no verify job covers it and no prune job covers it",
        ["verify-job create", "prune-job create"],
    ),
    # --- maintenance modes
    Example("PBS-CONF-05", "pass"),
    *(
        Example(
            "PBS-CONF-05",
            "fail",
            {"configured.maintenance_type": mode, "configured.maintenance_message": "moving disks"},
            f"in maintenance mode `{mode}` (moving disks): GC does not run",
            "datastore update tank --delete maintenance-mode",
            "medium",
        )
        for mode in ("read-only", "offline", "unmount", "s3-refresh")
    ),
    Example(
        "PBS-CONF-05",
        "fail",
        {"configured.maintenance_type": "delete"},
        "a removal is under way, or it failed half way",
        ["datastore remove tank", "both daemons are stopped"],
        "high",
    ),
    Example(
        "PBS-CONF-05",
        "pass",
        {"configured.maintenance_type": "read-only"},
        "as declared",
        ask=declared(maintenance_mode={"type": "read-only"}),
    ),
    # --- the store is whole
    Example("PBS-CONF-06", "pass", says="All 65,536"),
    Example(
        "PBS-CONF-06",
        "fail",
        {"skeleton.state": "empty", "skeleton.chunks": None},
        ["PBS knows datastore 'tank'", f"{TANK} is empty", "not mounted"],
        ["Mount it", "Do not create the datastore again"],
        "critical",
    ),
    Example(
        "PBS-CONF-06",
        "fail",
        {"skeleton.state": "absent", "skeleton.chunks": None, "location.exists": False},
        f"{TANK} does not exist",
        severity="critical",
    ),
    Example(
        "PBS-CONF-06",
        "fail",
        {
            "skeleton.state": "absent",
            "skeleton.chunks": None,
            "location.exists": False,
            "location.error": "ELOOP: Too many levels of symbolic links",
        },
        "ELOOP",
        "a link that leads to itself",
    ),
    Example("PBS-CONF-06", "skip", {**ONLY_DECLARED, "skeleton.state": "empty"}, "Nothing is there yet"),
    Example(
        "PBS-CONF-06",
        "fail",
        {"skeleton.state": "foreign", "skeleton.groups": ["vm"], "skeleton.foreign": ["photos", "music"]},
        "no chunk store, but other things (vm, photos, music)",
        ["Check the path", "this collection removes nothing here"],
        "high",
    ),
    Example(
        "PBS-CONF-06",
        "fail",
        {"skeleton.state": "foreign", "location.type": "file"},
        "is not a directory but a file",
        "Correct the path",
    ),
    Example(
        "PBS-CONF-06",
        "fail",
        half_made(2, "0a3f", "fde6"),
        "half-made: 2 prefix directories are missing (0a3f, fde6).",
        ["env -C /mnt/datastore/tank/.chunks", "xargs mkdir -p -m 0750"],
        "high",
    ),
    Example(
        "PBS-CONF-06",
        "fail",
        {**half_made(1, "ffff"), "configured": None},
        "1 prefix directory is missing (ffff)",
        "provision playbook",
        "high",
    ),
    Example("PBS-CONF-06", "fail", half_made(5, "0000", "0001", "0002", "0003", "0004"), "(0000, 0001, 0002, 0003, …)"),
    Example("PBS-CONF-06", "warn", half_made(0), ".lock is missing", "install -o backup -g backup -m 0644", "low"),
    # A hidden name: PBS before 3.4.1 marks nothing there.
    Example("PBS-CONF-06", "pass", {"path": "/mnt/.tank"}, "4.2.5-1"),
    Example(
        "PBS-CONF-06",
        "fail",
        {"path": "/mnt/.tank", "host.pbs_version": "3.3.4-1"},
        ["/mnt/.tank begins with a dot", "this is 3.3.4-1"],
        ["Do not run GC", "3.4.1"],
        "critical",
    ),
    Example("PBS-CONF-06", "fail", {"path": "/mnt/.tank", "host.pbs_version": None}, "begins with a dot"),
    Example("PBS-CONF-06", "unknown", not_looked_at(), "gave no answer within 10 s"),
    Example("PBS-CONF-06", "unknown", {"skeleton": None, "error": "EIO: Input/output error"}, "EIO"),
    Example("PBS-CONF-06", "unknown", {"skeleton": None, "location.type": "file"}, "is not a directory but a file"),
    Example("PBS-CONF-06", "skip", UNMOUNTED),
    # A state under way is none that was left behind.
    Example(
        "PBS-CONF-06",
        "skip",
        {"configured.maintenance_type": "delete", "skeleton.state": "half-made", "skeleton.prefixes": 40000},
        "is being removed",
    ),
    Example(
        "PBS-CONF-02",
        "pass",
        {"configured.gc_schedule": "", "configured.properties": {"gc-on-unmount": "true"}},
        "whenever 'tank' is unmounted",
    ),
]
