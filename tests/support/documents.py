# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents of fleets that do not exist: what the preflight would have written about pbs1, pbs2, ...

The same seed gives the same documents.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import CONTROLS, Control
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.document import SCHEMA, SCHEMA_VERSION, timestamp
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.policy import Policy
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import STATUSES
from ansible_collections.fleetops.pbs.plugins.module_utils._version import VERSION
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.controls import rank

STORES = ("tank", "vault", "offsite", "archive", "cold", "weekly")
START = datetime.datetime(2026, 11, 20, 2, 0, tzinfo=datetime.timezone.utc).timestamp()

# (control, status, severity or "", message, remedy, evidence); %(path)s and %(n)s are filled in.
PROBLEMS: Sequence[tuple[str, str, str, str, str, dict[str, Any]]] = (
    (
        "PBS-ATIME-01",
        "fail",
        "",
        "A touch in %(path)s as uid 34 did not move atime forward (waited 1.5 s; nfs4, granularity 1 ns).",
        "The server ignores access times: export it from a filesystem that honours utimensat, or move the datastore.",
        {
            "before_ns": 1795368886061350381,
            "after_ns": 1795368886061350381,
            "errno": None,
            "fstype": "nfs4",
            "options": ["rw", "relatime", "vers=4.2", "hard"],
            "identity": {"uid": 34, "gid": 34, "groups": [34]},
        },
    ),
    (
        "PBS-OWNER-03",
        "fail",
        "",
        "%(n)s chunks do not belong to backup:backup (found: root:root). The next GC stops at the first one that it needs.",
        "Run the `repair` playbook, or: chown -h backup:backup on what is named.",
        {
            "coverage": {"complete": True, "files": 1048576, "prefixes_walked": 65536, "prefixes_total": 65536},
            "owners": [{"uid": 0, "gid": 0, "files": 8192}],
            "paths": [
                {
                    "path": "%(path)s/.chunks/bb9f/bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8",
                    "detail": "root:root",
                }
            ],
        },
    ),
    (
        "PBS-MOUNT-09",
        "fail",
        "",
        "The NFS mount at %(path)s is soft: a slow server becomes an I/O error, and verify renames good chunks.",
        "Mount with `hard`, without `nolock`.",
        {"fstype": "nfs4", "options": ["rw", "soft", "timeo=50"], "source": "nas1:/export/pbs"},
    ),
    (
        "PBS-CONF-03",
        "fail",
        "",
        "The last garbage collection failed (2026-11-19 03:00): unable to update atime: EPERM: Operation not permitted.",
        "Read the task log (`proxmox-backup-manager task list --all`), fix the cause, and start GC once by hand.",
        {"last_run_state": "unable to update atime: EPERM", "age_days": 1.4},
    ),
    (
        "PBS-MOUNT-02",
        "fail",
        "",
        "Nothing mounts %(path)s after a reboot: no line in /etc/fstab, no enabled .mount unit.",
        "Add a line to /etc/fstab, or enable a .mount unit.",
        {"fstab": [], "units": []},
    ),
    (
        "PBS-CONF-04",
        "warn",
        "",
        "No verify job covers %(path)s.",
        "Add a verify job for the root namespace of the datastore.",
        {"verify_jobs": [], "prune_jobs": ["daily"]},
    ),
    (
        "PBS-MOUNT-08",
        "warn",
        "",
        "%(path)s has 9 %% of its space free (wanted: 10 %%).",
        "Prune, collect garbage, or grow the filesystem before it is full.",
        {"bytes_available": 900000000000, "bytes_total": 10000000000000, "inodes_free_percent": 71.3},
    ),
    (
        "PBS-OWNER-07",
        "warn",
        "",
        "3 corrupt chunks (.bad) and 2 temporary files older than a day.",
        "Make a new backup of the snapshots concerned, verify, and remove old temporary files.",
        {"bad": 3, "empty": 0, "temporary": 2, "temporary_bytes": 4194304},
    ),
    (
        "PBS-MOUNT-06",
        "warn",
        "",
        "The live options differ from those in /etc/fstab: noatime is live, relatime is persistent.",
        "Remount (`mount -o remount`) or correct the file.",
        {"live": ["rw", "noatime"], "persistent": ["rw", "relatime"]},
    ),
    (
        "PBS-MOUNT-13",
        "unknown",
        "",
        "The path gave no answer within 10 s: fcntl on a private file.",
        "",
        {"stuck": "fcntl(F_SETLK)", "deadline_s": 10},
    ),
    (
        "PBS-HOST-02",
        "fail",
        "",
        "The clock is not synchronised (adjtimex says: unsynchronised).",
        "Start a time service (`systemctl enable --now chrony`) and wait until the kernel reports a synchronised clock.",
        {"status": 64, "max_error_us": 16000000},
    ),
    (
        "PBS-HOST-05",
        "warn",
        "",
        "The marker of the old locking waits for a reboot.",
        "Reboot the host in a maintenance window.",
        {"marker": "/run/proxmox-backup/old-locking"},
    ),
)

# What to run against some of them, a command each; documents of other problems have none.
COMMANDS = {
    "PBS-HOST-02": ["systemctl enable --now chrony"],
    "PBS-OWNER-03": ["find %(path)s/.chunks ! -user backup -exec chown -h backup:backup {} +"],
}


def document(
    number: int,
    seed: int = 1,
    stores: int = 2,
    when: float = START,
    badness: float = 0.06,
    name: str = "",
    jobs: bool = False,
) -> dict[str, Any]:
    """The document of host pbs`number`. badness: how many of the possible problems each datastore has, 0 to 1.

    `jobs`: with the jobs of its datastores, and all else that a report tells of a host beside findings.
    """
    chance = random.Random(f"{seed} {number}")
    names = [STORES[i] if i < len(STORES) else f"store{i}" for i in range(stores)]
    findings = [
        _finding(control, None, "/", chance, badness)
        for control in CONTROLS
        if control.scope == "host" and "WAIVER" not in control.id
    ]
    for store in names:
        findings += [
            _finding(control, store, f"/mnt/datastore/{store}", chance, badness)
            for control in CONTROLS
            if control.scope == "datastore"
        ]
    made = whole(name or f"pbs{number}", names, findings, when + number)
    for store in made["datastores"]:
        store["observed"]["ownership"] = _walk(chance)
        store["forecast"], store["observed"]["references"] = _outlook(chance, when, badness)
    if jobs:
        _add_jobs(made, int(when))
    return made


def _add_jobs(made: dict[str, Any], now: int) -> None:
    run = {
        "state": "ok",
        "start": now - 7200,
        "end": now - 3600,
        "history": {"last_success": now - 3600, "longest": 3600},
    }
    for store in made["datastores"]:
        job = {"id": f"{store['name']}-job", "schedule": "daily", "last_run": run}
        store["observed"]["configured"] = {
            "gc_schedule": "sat 03:00",
            "gc_last_run": run,
            "prune_jobs": [job],
            "verify_jobs": [job],
        }
    sync = {"id": "offsite", "store": made["datastores"][0]["name"], "direction": "push", "remote": "vault"}
    made["observed"]["config_dir"] = {
        "certificate": {"fingerprint": ":".join(["ab"] * 32), "not_after": now + 90 * 86400},
        "remotes": [{"name": "vault", "host": "vault.example.com"}],
        "sync_jobs": [{**sync, "remote_store": "copies", "schedule": "hourly", "last_run": run}],
    }
    for item in made["findings"]:
        if item["control"] == "PBS-HOST-07":
            item["evidence"] = {"faults": []}


def _walk(chance: random.Random) -> dict[str, Any]:
    chunks = chance.randrange(200_000, 3_000_000)
    return {
        "scope": "full",
        "prefixes_total": 65536,
        "prefixes_walked": 65536,
        "complete": True,
        "elapsed_ns": chunks * 900,
        "chunks": {"files": chunks, "bytes": chunks * 1_900_000},
    }


def _outlook(chance: random.Random, when: float, badness: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the next garbage collection does to a datastore, and what its backups need."""
    now, kept = int(when), chance.randrange(10**11, 10**13)
    bad = chance.random() < badness
    groups = [
        {
            "namespace": "",
            "type": "vm",
            "id": str(100 + number),
            "snapshots": 30,
            "newest": now - chance.randrange(3600, 90_000) - (30 * 86400 if bad and not number else 0),
            "damaged": 2 if bad and number == 1 else 0,
            "newest_intact": now - 4 * 86400,
        }
        for number in range(chance.randrange(2, 9))
    ]
    forecast = {
        "outcome": "stops" if bad else "sweeps",
        "reason": "unable to read index vm/101/2026-11-18T02:00:00Z/drive-scsi0.img.fidx: wrong magic" if bad else "",
        "step": "mark" if bad else "",
        "removes": {"chunks": 0 if bad else kept // 20_000_000, "bytes": 0 if bad else kept // 10, "bad": 0},
        "exact": True,
        "would_remove": {"chunks": kept // 20_000_000, "bytes": kept // 10, "bad": 0},
        "pending": {"chunks": 900, "bytes": kept // 40, "bad": 0, "first": now + 600, "until": now + 86_700},
        "kept": {"chunks": kept // 1_900_000, "bytes": kept, "bad": 0},
        "deduplication": round(chance.uniform(4, 40), 2),
        "risks": [],
        "warnings": 0,
    }
    damaged = sum(group["damaged"] for group in groups)
    return forecast, {"scope": "full", "not_looked": "", "damaged_snapshots": damaged, "groups": groups}


def whole(host: str, stores: Sequence[str], findings: list[dict[str, Any]], finished: float) -> dict[str, Any]:
    """A document around findings."""
    failed = [item["severity"] for item in findings if item["status"] == "fail"]
    unknown = [item["severity"] for item in findings if item["status"] == "unknown"]
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "host": host,
        "started": timestamp(finished - 4),
        "finished": timestamp(finished),
        "collection_version": VERSION,
        "pbs_version": "4.2.0",
        "check_mode": False,
        "asked": {
            "scope": "full",
            "sample_prefixes": 256,
            "probe": "private",
            "controls": [],
            "policy": dataclasses.asdict(Policy()),
        },
        "observed": {"name": host, "euid": 0},
        "datastores": [
            {"name": store, "path": f"/mnt/datastore/{store}", "observed": {"name": store, "numbers": list(range(300))}}
            for store in stores
        ],
        "findings": findings,
        "summary": {
            **{status: sum(item["status"] == status for item in findings) for status in STATUSES},
            "worst": max(failed, key=rank, default=None),
            "worst_unknown": max(unknown, key=rank, default=None),
        },
    }


def finding(control: str, datastore: str | None = None, status: str = "pass", **other: Any) -> dict[str, Any]:
    return {
        "control": control,
        "datastore": datastore,
        "status": status,
        "severity": "medium",
        "message": "What was found.",
        "remedy": "",
        "evidence": {},
        "waiver": None,
        **other,
    }


def _finding(control: Control, store: str | None, path: str, chance: random.Random, badness: float) -> dict[str, Any]:
    severity = control.severity
    for name, status, special, message, remedy, evidence in PROBLEMS:
        if name == control.id and chance.random() < badness:
            fill = {"path": path, "n": format(chance.randrange(1, 9000), ",")}
            text = json.dumps(evidence).replace("%(path)s", path)
            return finding(
                name,
                store,
                status,
                severity=special or severity,
                message=message % fill,
                remedy=remedy,
                commands=[command % fill for command in COMMANDS.get(name, ())],
                evidence=json.loads(text),
            )
    if chance.random() < 0.2:
        return finding(control.id, store, "skip", severity=severity, message="Does not apply here.")
    coverage = {"complete": True, "files": chance.randrange(10**6), "prefixes_total": 65536, "prefixes_walked": 65536}
    return finding(
        control.id,
        store,
        "pass",
        severity=severity,
        message=f"{control.title[:1].upper()}{control.title[1:]} (looked at in {chance.random():.3f} s).",
        evidence={"path": path, "coverage": coverage, "options": ["rw", "relatime"], "elapsed_ms": chance.random()},
    )


def write(directory: Path, documents: Sequence[dict[str, Any]] | Iterator[dict[str, Any]]) -> list[Path]:
    """One HOST.json for each document."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for item in documents:
        path = directory / f"{item['host']}.json"
        path.write_text(json.dumps(item, indent=1, sort_keys=True), encoding="utf-8")
        paths.append(path)
    return paths
