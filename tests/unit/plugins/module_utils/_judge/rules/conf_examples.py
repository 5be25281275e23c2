# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controls of PBS's configuration say."""

from __future__ import annotations

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import (
    JobFacts,
    JobHistoryFacts,
    JobRunFacts,
    RemoteFacts,
    SyncJobFacts,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import TaskFacts
from ansible_collections.fleetops.pbs.tests.support.facts import DAY, NOW, PREFIXES, job_run, not_looked_at
from ansible_collections.fleetops.pbs.tests.support.judging import Example

TANK = "/mnt/datastore/tank"
CONFIG_CONTROLS = [
    "PBS-CONF-02",
    "PBS-CONF-03",
    "PBS-CONF-04",
    "PBS-CONF-05",
    "PBS-CONF-07",
    "PBS-CONF-08",
    "PBS-COPY-01",
]
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


PRUNE, VERIFY = "configured.prune_jobs.0.", "configured.verify_jobs.0."


def sync_job(**more):
    """A host with a healthy job that pushes the datastore to another host."""
    job = {
        "remote": "pbs2",
        "remote_store": "tank",
        "direction": "push",
        "schedule": "hourly",
        "last_run": job_run("ok", 0.02),
    }
    return {
        "host.config_dir.sync_jobs": [SyncJobFacts("offsite", "tank", **{**job, **more})],
        "host.config_dir.remotes": [RemoteFacts("pbs2", "pbs2.example.com")],
    }


def failures(number, last_success_days):
    """The history of a job that failed every day."""
    last = None if last_success_days is None else int(NOW - last_success_days * DAY)
    return JobHistoryFacts(30, int(NOW - 30 * DAY), last, number, int(NOW - number * DAY), 3600)


def task(kind, store="tank"):
    """A task of PBS that runs on a datastore."""
    return TaskFacts(
        f"UPID:pbs1:00000A1B:0000C3D4:00000005:6B025B50:{kind}:{store}:root@pam:", kind, store, int(NOW) - 60
    )


GC_TASK = f"UPID:pbs1:00000A1B:0000C3D4:00000005:{int(NOW) - DAY:08X}:garbage_collection:tank:root@pam:"
OLD_GC_TASK = f"UPID:pbs1:00000A1B:0000C3D4:00000005:{int(NOW) - 30 * DAY:08X}:garbage_collection:tank:root@pam:"

EXAMPLES = [
    # --- states under way
    *(
        Example(
            "PBS-CONF-05",
            "warn",
            {"configured.maintenance_type": mode, "host.running_tasks": [task(kind)]},
            f"maintenance mode `{mode}`: PBS works on that now (task UPID:",
            ["Wait until the task has ended", "proxmox-backup-manager task log"],
            "low",
        )
        for mode, kind in (("delete", "delete-datastore"), ("unmount", "unmount-device"), ("s3-refresh", "s3-refresh"))
    ),
    *(
        Example("PBS-CONF-05", "fail", {"configured.maintenance_type": "delete", "host.running_tasks": running}, says)
        for running, says in (
            (None, "a removal is under way, or it failed half way"),
            ([], "no removal runs, so an earlier one failed half way"),
            ([task("delete-datastore", "pool")], "no removal runs"),
            ([task("garbage_collection")], "no removal runs"),
        )
    ),
    *(
        Example(control, "skip", {**changes, "host.running_tasks": [task(kind)]}, f"PBS is {doing} this datastore now")
        for kind, doing, changes in (
            (
                "create-datastore",
                "creating",
                {"configured": None, "skeleton.prefixes": 100, "skeleton.state": "half-made"},
            ),
            ("delete-datastore", "removing", {"skeleton.prefixes": 100, "skeleton.state": "half-made"}),
        )
        for control in ("PBS-CONF-01", "PBS-CONF-06", "PBS-OWNER-01", "PBS-ATIME-01", "PBS-DATA-03")
        if control != "PBS-CONF-01" or kind == "create-datastore"
    ),
    # --- the state of the last GC is lost, and .gc-status has its task
    Example(
        "PBS-CONF-03",
        "pass",
        {"configured.gc_last_run": JobRunFacts("created"), "skeleton.gc_task": GC_TASK},
        "The last GC succeeded 1.0 days ago",
    ),
    Example(
        "PBS-CONF-03",
        "fail",
        {"configured.gc_last_run": JobRunFacts("created"), "skeleton.gc_task": OLD_GC_TASK},
        "The last GC ended 30.0 days ago",
        "proxmox-backup-manager garbage-collection start",
    ),
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
    *(Example(control, "pass", UNMOUNTED) for control in CONFIG_CONTROLS if control != "PBS-COPY-01"),
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
    # Several jobs cover all namespaces together; the healthy datastore has groups in the root and in a/b.
    Example(
        "PBS-CONF-04",
        "pass",
        {
            "configured.prune_jobs": [
                JobFacts("root", "daily", max_depth=0, keeps={"keep-last": 3}),
                JobFacts("a", "daily", namespace="a", keeps={"keep-last": 3}),
            ]
        },
    ),
    Example(
        "PBS-CONF-04",
        "fail",
        {"configured.prune_jobs.0.namespace": "site1"},
        "no prune job covers the root namespace, namespace 'a/b' (required",
        "prune-job create tank-prune",
    ),
    Example(
        "PBS-CONF-04",
        "fail",
        {"configured.prune_jobs.0.max_depth": 1},
        "no prune job covers namespace 'a/b' (required",
    ),
    Example("PBS-CONF-04", "fail", {"configured.verify_jobs.0.namespace": "a/bc"}, "no verify job covers"),
    Example(
        "PBS-CONF-04",
        "unknown",
        {"configured.prune_jobs.0.namespace": "a", "references.complete": False},
        "'tank' has prune jobs only for some namespaces",
        "preflight_references",
    ),
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
        ["datastore remove tank", "stop both daemons"],
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
    # A running proxy has the removed file open, and locks that one.
    Example(
        "PBS-CONF-06",
        "warn",
        half_made(0),
        "a running proxy still locks the removed file",
        [
            "When no backup and no GC runs",
            "restart the daemons",
            "systemctl restart proxmox-backup proxmox-backup-proxy",
        ],
    ),
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
    # --- how jobs ran
    Example("PBS-CONF-07", "pass", says="prune job 'tank-daily', verify job 'tank-verify' ended well and in time"),
    Example("PBS-CONF-07", "pass", sync_job(), "sync job 'offsite'"),
    Example("PBS-CONF-07", "pass", {VERIFY + "last_run": JobRunFacts("running", start=int(NOW) - 60)}),
    Example("PBS-CONF-07", "pass", {VERIFY + "last_run": JobRunFacts("created", since=int(NOW) - DAY)}),
    Example("PBS-CONF-07", "pass", {PRUNE + "disabled": True, PRUNE + "last_run": job_run("error", message="x")}),
    Example(
        "PBS-CONF-07",
        "fail",
        {VERIFY + "last_run": job_run("error", message="verification failed - please check the log for details")},
        ["last run of verify job 'tank-verify' failed 1.0 days ago: verification failed - please check"],
        ["task log UPID", "verify-job run tank-verify"],
        "high",
    ),
    # A job that fails every night, as the list of tasks shows.
    Example(
        "PBS-CONF-07",
        "fail",
        sync_job(last_run=job_run("error", 0.1, message="sync failed with some errors.", history=failures(8, 9))),
        ["sync failed with some errors; it failed 8 times in a row, and its last success was 9.0 days ago."],
        "sync-job run offsite",
        "high",
    ),
    Example(
        "PBS-CONF-07",
        "fail",
        sync_job(last_run=job_run("error", 0.1, message="no such remote 'x'", history=failures(30, None))),
        "it failed 30 times since 30.0 days, and no success is in the list of tasks",
    ),
    Example("PBS-CONF-07", "fail", {PRUNE + "last_run": JobRunFacts("error")}, "PBS gives no reason", "task list"),
    # Two times of the schedule have passed.
    Example(
        "PBS-CONF-07",
        "fail",
        {PRUNE + "last_run": job_run("ok", 4)},
        ["Prune job 'tank-daily' last ran 4.0 days ago, but its schedule is 'daily'", "on 2026-11-19 at 00:00"],
        ["journalctl", "prune-job run tank-daily"],
        "medium",
    ),
    Example(
        "PBS-CONF-07",
        "fail",
        {PRUNE + "last_run": JobRunFacts("created", since=int(NOW) - 9 * DAY)},
        "has never run, but its schedule is 'daily'",
    ),
    Example("PBS-CONF-07", "pass", {PRUNE + "last_run": job_run("ok", 4, since=int(NOW) - 3600)}),
    Example("PBS-CONF-07", "pass", {PRUNE + "last_run": job_run("ok", 4), "configured.maintenance_type": "offline"}),
    Example("PBS-CONF-07", "pass", {**UNMOUNTED, PRUNE + "last_run": job_run("ok", 4)}),
    Example(
        "PBS-CONF-07", "warn", {PRUNE + "last_run": None}, "Prune job 'tank-daily' has not run yet", severity="medium"
    ),
    Example(
        "PBS-CONF-07",
        "warn",
        {PRUNE + "last_run": job_run("warning", warnings=3)},
        "ended with 3 warnings 1.0 days ago",
    ),
    Example(
        "PBS-CONF-07",
        "unknown",
        {PRUNE + "last_run": JobRunFacts("unreadable", message="it is not UTF-8")},
        "not UTF-8",
    ),
    Example(
        "PBS-CONF-07", "unknown", {PRUNE + "last_run": job_run("ok", -40)}, "40.0 days in the future", "timedatectl"
    ),
    Example(
        "PBS-CONF-07",
        "unknown",
        {PRUNE + "last_run": JobRunFacts("created", since=int(NOW) + 40 * DAY)},
        "waits for its first run since a time 40.0 days in the future",
        "timedatectl",
    ),
    Example(
        "PBS-CONF-07",
        "fail",
        {PRUNE + "last_run": JobRunFacts("ok", end=int(NOW) - 9 * DAY, since=int(NOW) + 40 * DAY)},
        "last ran 9.0 days ago",
        severity="medium",
    ),
    Example("PBS-CONF-07", "unknown", {"host.config_dir.sync_jobs": None}, "sync.cfg could not be read"),
    # What is known to be wrong counts more than what is not known.
    Example(
        "PBS-CONF-07",
        "fail",
        {"host.config_dir.sync_jobs": None, PRUNE + "last_run": job_run("error", message="x")},
        ["prune job 'tank-daily' failed", "sync.cfg could not be read"],
    ),
    Example("PBS-CONF-07", "skip", {"configured.prune_jobs": [], "configured.verify_jobs": []}, "No enabled prune"),
    # --- whether jobs can run
    Example("PBS-CONF-08", "pass", says="3 scheduled jobs can run, and GC and verify do not overlap"),
    Example("PBS-CONF-08", "pass", sync_job(), "4 scheduled jobs"),
    Example(
        "PBS-CONF-08",
        "fail",
        {PRUNE + "schedule": "2020-1-1 0:0"},
        "Prune job 'tank-daily' never runs: its schedule '2020-1-1 0:0' does not come again",
        "prune-job update tank-daily --schedule daily",
        "medium",
    ),
    Example("PBS-CONF-08", "fail", {PRUNE + "schedule": "*-2-30 1:0"}, "does not come again"),
    Example(
        "PBS-CONF-08", "fail", {PRUNE + "keeps": {}}, "PBS 4.2.5-1 runs it with a warning", "tank-daily --keep-daily 14"
    ),
    Example(
        "PBS-CONF-08", "fail", {PRUNE + "keeps": {}, "host.pbs_version": "4.1.0"}, "PBS before 4.2.3 leaves it out"
    ),
    Example("PBS-CONF-08", "fail", sync_job(remote="pbs3"), "Sync job 'offsite' cannot run: there is no remote 'pbs3'"),
    Example("PBS-CONF-08", "fail", sync_job(remote=""), "it pushes, but has no remote"),
    Example("PBS-CONF-08", "fail", sync_job(remote="", direction="pull"), "are the same datastore"),
    Example(
        "PBS-CONF-08",
        "fail",
        sync_job(remote="", direction="pull", remote_store="gone"),
        "there is no datastore 'gone'",
    ),
    Example(
        "PBS-CONF-08", "warn", {VERIFY + "schedule": ""}, "Verify job 'tank-verify' has no schedule", "--schedule daily"
    ),
    Example("PBS-CONF-08", "pass", sync_job(schedule="", run_on_mount=True)),
    Example(
        "PBS-CONF-08",
        "warn",
        sync_job(last_run=job_run("ok", 0.1, seconds=9000)),
        "Sync job 'offsite' takes 2.5 hours, but is scheduled every 60 minutes ('hourly')",
        "less often",
        "medium",
    ),
    # GC at midnight for 6 hours, verify on Sunday at 05:00: an hour together, by the clock of the host.
    Example(
        "PBS-CONF-08",
        "warn",
        {"configured.gc_last_run": job_run(seconds=6 * 3600)},
        [
            "GC ('daily', takes 6.0 hours) and verify job 'tank-verify' ('sun 05:00', takes 10 minutes)",
            "2026-11-29 at 05:00",
        ],
        "Move one",
        "low",
    ),
    Example("PBS-CONF-08", "pass", {"configured.gc_last_run": job_run(seconds=4 * 3600)}),
    Example(
        "PBS-CONF-08",
        "unknown",
        {PRUNE + "schedule": "nonsense"},
        "The schedule 'nonsense' of prune job",
        severity="low",
    ),
    Example("PBS-CONF-08", "unknown", {"host.config_dir.sync_jobs": None}, "sync.cfg could not be read"),
    Example(
        "PBS-CONF-08",
        "skip",
        {"configured.prune_jobs": [], "configured.verify_jobs": [], "configured.gc_schedule": ""},
        "Neither GC nor an enabled job",
    ),
    # --- copies on other hosts
    Example("PBS-COPY-01", "pass", sync_job(), "pushed datastore 'tank' to remote 'pbs2' 0.0 days ago"),
    Example("PBS-COPY-01", "pass", sync_job(group_filters=["group:vm/100"]), "1 job leaves out groups by a filter"),
    Example(
        "PBS-COPY-01",
        "pass",
        sync_job(last_run=job_run("error", 0.1, message="x", history=failures(3, 3.5))),
        "3.5 days ago",
    ),
    Example(
        "PBS-COPY-01",
        "fail",
        sync_job(last_run=job_run("error", 0.1, message="x", history=failures(8, 9))),
        ["succeeded ended 9.0 days ago (sync job 'offsite' to remote 'pbs2')", "allows 7"],
        "sync-job run offsite",
        "medium",
    ),
    Example(
        "PBS-COPY-01", "fail", sync_job(last_run=job_run("ok", 3)), "allows 2", ask={"policy": {"sync_max_age_days": 2}}
    ),
    Example("PBS-COPY-01", "fail", sync_job(last_run=job_run("error", 1, message="x")), "No push of datastore 'tank'"),
    Example("PBS-COPY-01", "fail", sync_job(last_run=None), "has succeeded"),
    Example(
        "PBS-COPY-01",
        "unknown",
        sync_job(last_run=job_run("ok", -7300)),
        "ended 7300.0 days in the future",
        "timedatectl status",
        "medium",
    ),
    Example("PBS-COPY-01", "fail", sync_job(namespace="a"), "no push job covers the root namespace", severity="low"),
    Example("PBS-COPY-01", "fail", sync_job(max_depth=1), "no push job covers namespace 'a/b'"),
    Example("PBS-COPY-01", "skip", {}, ["No job of this host copies datastore 'tank'", "this host cannot know"]),
    # A copy beside the original is none.
    Example("PBS-COPY-01", "skip", sync_job(remote="", remote_store="other"), "No job of this host"),
    Example("PBS-COPY-01", "unknown", {"host.config_dir.sync_jobs": None}, "sync.cfg could not be read"),
    Example(
        "PBS-COPY-01",
        "skip",
        sync_job(direction="pull"),
        "holds copies itself: sync job 'offsite' pulls from remote 'pbs2'",
    ),
]
