# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts without a host: everything healthy, and small ways to change one thing and to ask one control about it."""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import DatastoreConfig, JobFacts, JobRunFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.file import FileFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import (
    AccountFacts,
    ClockFacts,
    ConfigDirFacts,
    ConfigFileFacts,
    DaemonFacts,
    HostFacts,
    IdMapFacts,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import (
    DaemonViewFacts,
    LocationFacts,
    MountFacts,
    PersistentMount,
    SpaceFacts,
    UnitOrderFacts,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.references import (
    GroupFacts,
    ReferenceFacts,
    ReferenceProblem,
    Sum,
    SweepFacts,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import (
    AtimeFacts,
    LockFacts,
    SkeletonFacts,
    StoreFacts,
    TouchFacts,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.walk import OwnershipFacts, WalkCounts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.judge import Finding, Question, judge
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.policy import Policy

NOW = 1795350000.0
"""2026-11-22 UTC, by the clock of the host that was not there."""
SECOND = 1_000_000_000
NOW_NS = int(NOW) * SECOND
DAY = 86400
PREFIXES = 65536
ZERO_CHUNK = "bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8"

F = t.TypeVar("F")
Changes = t.Mapping[str, t.Any]


# --- everything healthy -----------------------------------------------------------------------------------------------


def host() -> HostFacts:
    """A host with PBS 4.2.5 on which nothing is wrong."""
    return HostFacts(
        utc_offset=3600,
        name="pbs1",
        euid=0,
        systemd=True,
        pbs_installed=True,
        pbs_version="4.2.5-1",
        account=AccountFacts(user="backup", group="backup", uid=34, primary_gid=34, gid=34, groups=[26, 34]),
        clock=ClockFacts(synchronised=True, state=0, status=0x2001, max_error_us=4000),
        daemons=[
            DaemonFacts(unit, "loaded", "active", pid, f"/usr/lib/{unit}", replaced=False)
            for unit, pid in (("proxmox-backup.service", 700), ("proxmox-backup-proxy.service", 701))
        ],
        config_dir=ConfigDirFacts(
            path="/etc/proxmox-backup",
            exists=True,
            uid=34,
            gid=34,
            mode="0700",
            files=[
                ConfigFileFacts(
                    f"/etc/proxmox-backup/{name}.cfg", True, 0, 34, "0640", "0" * 64, parsed=True, readable=True
                )
                for name in (
                    *("datastore", "prune", "verification", "sync", "remote", "s3", "traffic-control", "notifications"),
                )
            ],
            sync_jobs=[],
            remotes=[],
            s3_endpoints=[],
            traffic_controls=[],
            notification_targets=[],
            notification_matchers=[],
        ),
        old_locking=False,
        id_map=IdMapFacts(namespaced=False),
    )


def store(name: str = "tank", number: int = 0) -> StoreFacts:
    """A datastore on an ext4 of its own, with all its jobs, in which nothing is wrong; `number` tells two apart."""
    path = f"/mnt/datastore/{name}"
    return StoreFacts(
        name=name,
        path=path,
        configured=configured(name, path),
        deadline=10.0,
        location=LocationFacts(
            True, "directory", path, dev=2050 + number, ino=2, uid=34, gid=34, mode="0755", reachable=True
        ),
        mount=MountFacts(
            mount_id=40 + number,
            parent_id=25,
            device="8:%d" % (2 + number),
            root="/",
            mount_point=path,
            fstype="ext4",
            source="/dev/sdb%d" % (1 + number),
            options=["rw", "relatime"],
            super_options=["rw"],
        ),
        persistent=[persistent(path)],
        unit_order=[
            UnitOrderFacts(unit, waits=True, by=f"RequiresMountsFor={path}", needs=True)
            for unit in ("proxmox-backup.service", "proxmox-backup-proxy.service")
        ],
        daemon_views=[
            DaemonViewFacts(unit, pid, same=True, options=["rw", "relatime"])
            for unit, pid in (("proxmox-backup.service", 700), ("proxmox-backup-proxy.service", 701))
        ],
        space=SpaceFacts(10**12, 5 * 10**11, 61_000_000, 50_000_000),
        dir_nlink=True,
        skeleton=SkeletonFacts(
            state="whole",
            base=file(path, "directory", "0755"),
            chunks=file(path + "/.chunks", "directory", "0750"),
            lock=file(path + "/.lock"),
            gc_status=file(path + "/.gc-status"),
            zero_chunk=file(zero_chunk_path(path)),
            prefixes=PREFIXES,
            groups=["vm"],
        ),
        atime=AtimeFacts(
            mode="private",
            wanted="private",
            probe=touch(path + "/.chunks/bb9f/.fleetops-pbs-probe-0011223344556677", "private"),
            zero_chunk=touch(zero_chunk_path(path), "zero-chunk"),
            zero_chunk_as_root=touch(zero_chunk_path(path), "zero-chunk", uid=0, gid=0),
            granularity_ns=1,
            clock_offset_ns=0,
            clock_resolution_ns=50_000,
        ),
        lock=LockFacts(works=True),
        ownership=walk(),
        references=references(),
    )


def configured(name: str, path: str) -> DatastoreConfig:
    run = JobRunFacts("ok", end=int(NOW) - DAY, upid="UPID:pbs1:00000A1B:")
    return DatastoreConfig(
        name=name,
        path=path,
        properties={"gc-schedule": "daily"},
        gc_schedule="daily",
        gc_last_run=run,
        prune_jobs=[
            JobFacts(
                f"{name}-daily",
                "daily",
                keeps={"keep-daily": 14},
                last_run=job_run(),
                properties={"store": name, "schedule": "daily", "keep-daily": "14"},
            )
        ],
        verify_jobs=[
            JobFacts(
                f"{name}-verify",
                "sun 05:00",
                last_run=job_run(),
                properties={"store": name, "schedule": "sun 05:00"},
            ),
        ],
    )


def job_run(state: str = "ok", days_ago: float = 1.0, seconds: int = 600, **more: t.Any) -> JobRunFacts:
    """A run that ended then, and took so many seconds."""
    end = int(NOW - days_ago * DAY)
    return JobRunFacts(state, end=end, upid="UPID:pbs1:00000A1C:", **{"start": end - seconds, **more})


def persistent(path: str) -> PersistentMount:
    return PersistentMount(
        kind="fstab",
        where=path,
        source="UUID=0a1b2c3d-0000-4000-8000-000000000001",
        fstype="ext4",
        options=["defaults"],
        file="/etc/fstab",
        active_at_boot=True,
        detail="line 3",
        source_matches=True,
    )


def zero_chunk_path(path: str) -> str:
    return f"{path}/.chunks/bb9f/{ZERO_CHUNK}"


def file(path: str, kind: str = "file", mode: str = "0644", uid: int = 34, gid: int = 34) -> FileFacts:
    return FileFacts(path, kind, uid, gid, mode, 159, 1, 2050, 12, NOW_NS, NOW_NS, NOW_NS, NOW_NS)


def touch(path: str, target: str, uid: int = 34, gid: int = 34) -> TouchFacts:
    """A touch that moved atime by a second, in 4 ms."""
    return TouchFacts(
        target=target,
        path=path,
        uid=uid,
        gid=gid,
        groups=[26, 34] if uid else [0],
        advanced=True,
        before_ns=NOW_NS - SECOND,
        after_ns=NOW_NS,
        refreshed_ns=NOW_NS,
        elapsed_ns=4_000_000,
        created_by="backup" if target == "private" else "",
        placement="prefix",
        file=file(path),
    )


def walk() -> OwnershipFacts:
    return OwnershipFacts(
        scope="full",
        method="stat walk, 2 workers",
        uid=34,
        gid=34,
        prefixes_walked=PREFIXES,
        complete=True,
        skeleton=WalkCounts(directories=PREFIXES + 2, files=2),
        chunks=WalkCounts(files=1000, bytes=10**9),
        metadata=WalkCounts(directories=12, files=40, bytes=10**6),
    )


def references() -> ReferenceFacts:
    """Three snapshots of two groups, made and verified within the last days, with all their chunks; some garbage."""
    day = int(NOW) // DAY
    newest = (day - 1) * DAY
    return ReferenceFacts(
        scope="full",
        complete=True,
        chunks_seen=True,
        started=int(NOW),
        snapshots=3,
        indexes=4,
        index_bytes=4 * 4096 + 1500 * 32,
        data_bytes=1500 * 4 * 2**20,
        references=1500,
        needed=990,
        types=["host", "vm"],
        groups=[
            GroupFacts("", "vm", "100", 2, newest, verified=2, owner="root@pam", newest_intact=newest),
            GroupFacts("a/b", "host", "web", 1, newest, verified=1, owner="root@pam", newest_intact=newest),
        ],
        groups_total=2,
        verified_by_day={str(day - 1): 2, str(day - 2): 1},
        sweep=SweepFacts(
            start=int(NOW),
            cutoff=86700,
            limit=int(NOW) - 86700,
            mark=int(NOW),
            removable=Sum(4, 40_000),
            pending=Sum(6, 60_000),
            pending_first=int(NOW) + 300,
            pending_last=int(NOW) + 80_000,
            kept=Sum(990, 10**9 - 100_000),
            needed_old=Sum(700, 7 * 10**8),
            needed_old_snapshots=2,
        ),
    )


# --- one thing changed ------------------------------------------------------------------------------------------------


def change(original: F, changes: Changes) -> F:
    """A copy in which what a dotted path leads to (`mount.options`, `persistent.0.file`) is something else.

    Raises `AttributeError` for a path that leads nowhere, so that a test cannot change what does not exist.
    """
    changed = copy.deepcopy(original)
    for path, value in changes.items():
        *way, last = path.split(".")
        place: t.Any = changed
        for part in way:
            place = _step(place, part)
        if isinstance(place, dict):
            place[last] = value
        elif isinstance(place, list):
            place[int(last)] = value
        else:
            getattr(place, last)
            setattr(place, last, value)
    return changed


def _step(place: t.Any, part: str) -> t.Any:
    if isinstance(place, dict):
        return place[part]
    return place[int(part)] if isinstance(place, list) else getattr(place, part)


def refused(name: str, errno: int, text: str, step: str = "utimensat", which: str = "probe") -> dict[str, t.Any]:
    """The changes of a touch that an error stopped."""
    prefix = f"atime.{which}."
    return {
        prefix + "advanced": False if step != "create" else None,
        prefix + "errno": errno,
        prefix + "error": f"{name}: {text}",
        prefix + "step": step,
        prefix + "after_ns": None,
        prefix + "refreshed_ns": None,
    }


def needs(kind: str, count: int, path: str, detail: str = "") -> dict[str, t.Any]:
    """The changes of a datastore in which so many problems of that kind were found; the path is the first of them."""
    return {
        "references.problems.counts": {kind: count},
        "references.problems.examples": {kind: [ReferenceProblem(path, detail)]},
    }


def not_looked_at(path: str = "/mnt/datastore/tank", deadline: float = 10.0) -> dict[str, t.Any]:
    """The changes of a datastore whose filesystem never answered: only what is known without touching it is there."""
    return {
        "stuck": f"the path {path}",
        "deadline": deadline,
        **dict.fromkeys(("location", "space", "skeleton", "atime", "lock", "dir_nlink", "ownership", "references")),
    }


# --- one control asked ------------------------------------------------------------------------------------------------


def ask(
    control: str,
    changes: Changes | None = None,
    *,
    others: t.Sequence[StoreFacts] = (),
    declared: t.Mapping[str, t.Any] | None = None,
    declares: bool | None = None,
    policy: t.Mapping[str, t.Any] | None = None,
    check_mode: bool = False,
    no_datastore: bool = False,
    sections: t.Mapping[str, t.Any] | None = None,
) -> Finding:
    """What one control says about the healthy datastore `tank` and its host after some changes.

    Paths that begin with `host.` change the host, all others the datastore.
    """
    to_host = {path[len("host.") :]: value for path, value in (changes or {}).items() if path.startswith("host.")}
    to_store = {path: value for path, value in (changes or {}).items() if not path.startswith("host.")}
    declarations = None
    if declares or declared is not None:
        declarations = {} if declared is None else {"tank": {"name": "tank", **declared}}
    question = Question(
        Policy.from_mapping(policy or {}),
        NOW,
        declarations,
        controls=[control],
        check_mode=check_mode,
        sections=sections or {},
    )
    stores = [] if no_datastore else [change(store(), to_store), *others]
    findings = judge(change(host(), to_host), stores, question)
    return next(finding for finding in findings if finding.datastore in (None, "tank"))
