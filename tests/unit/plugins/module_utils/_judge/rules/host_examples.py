# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controls of the host say."""

from __future__ import annotations

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import (
    RemoteFacts,
    S3EndpointFacts,
    ServerEntryFacts,
    SyncJobFacts,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import ConfigFileFacts, IdRange
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.walk import OwnerCount
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.notification_settings import TARGETS, digest
from ansible_collections.fleetops.pbs.tests.support.judging import Example

PBS_IS_NOT_HERE = {"host.pbs_installed": False, "host.pbs_version": None, "host.config_dir.exists": False}
NOTHING_DECLARED = {"no_datastore": True}

DATASTORE_CFG = "/etc/proxmox-backup/datastore.cfg"
CONTAINER = {
    "host.id_map.namespaced": True,
    "host.id_map.uids": [IdRange(0, 100000, 65536)],
    "host.id_map.gids": [IdRange(0, 200000, 65536)],
}

PBS2 = RemoteFacts("pbs2", "192.0.2.7", properties={"host": "192.0.2.7", "auth-id": "sync@pbs", "port": "8007"})
AWS = S3EndpointFacts("aws", "s3.example.org", properties={"endpoint": "s3.example.org", "rate-in": "10 MB"})
OFFSITE = SyncJobFacts(
    "offsite",
    "tank",
    properties={
        "store": "tank",
        "remote": "pbs2",
        "remote-store": "far",
        "schedule": "daily",
        "group-filter": ["type:vm", "exclude:group:vm/9"],
    },
)
SERVER = {
    "host.config_dir.traffic_controls": [
        ServerEntryFacts("office", "rule", {"network": ["192.0.2.0/24"], "rate-in": "10 MB"})
    ],
    "host.config_dir.notification_targets": [
        ServerEntryFacts(
            "web1",
            "webhook",
            {"method": "post"},
            {"header": digest(TARGETS["webhook"].type.properties["header"].kind, ["name=X-A,value=YQ=="])},
        ),
        ServerEntryFacts("mail-to-root", "sendmail", {"mailto-user": ["root@pam"]}),
    ],
    "host.config_dir.notification_matchers": [ServerEntryFacts("mat1", "matcher", {"target": ["web1"]})],
}

COPIES = {
    "host.config_dir.remotes": [PBS2],
    "host.config_dir.s3_endpoints": [AWS],
    "host.config_dir.sync_jobs": [OFFSITE],
}


def sections(**lists):
    return {"sections": lists}


EXAMPLES = [
    # PBS cannot read its datastores, and this collection does not read what the daemon's user may not read.
    Example(
        "PBS-HOST-04",
        "fail",
        {
            "host.config_dir.files.0.readable": False,
            "host.config_dir.files.0.parsed": None,
            "host.config_dir.files.0.error": "the daemon's user may not read it; it was not read",
        },
        ["User 'backup' cannot read /etc/proxmox-backup/datastore.cfg", "not known"],
        "chown -h root:backup /etc/proxmox-backup/datastore.cfg\nchmod 0640 /etc/proxmox-backup/datastore.cfg",
        "critical",
    ),
    # The account: looked up by name, and PBS creates with the user's primary group.
    Example("PBS-HOST-01", "pass", says="backup:backup is 34:34"),
    Example(
        "PBS-HOST-01", "fail", {"host.account.uid": None}, "There is no user 'backup'", "update-passwd", "critical"
    ),
    Example(
        "PBS-HOST-01",
        "fail",
        {"host.account.gid": None},
        "There is no group 'backup'",
        ["update-passwd", "(34:34)", "The datastores of this host are owned by uid 34"],
    ),
    Example(
        "PBS-HOST-01",
        "fail",
        {"host.account.uid": None, "host.account.user": "pbs"},
        "There is no user 'pbs'",
        "adduser --system --group pbs",
    ),
    Example(
        "PBS-HOST-01",
        "fail",
        {"host.account.gid": None, "host.account.group": "pbs"},
        "There is no group 'pbs'",
        "groupadd --system pbs",
    ),
    Example(
        "PBS-HOST-01",
        "fail",
        {"host.account.primary_gid": 1000},
        ["is gid 1000", "group 'backup' is gid 34"],
        "usermod -g backup backup",
    ),
    Example("PBS-HOST-01", "pass", {"host.account.uid": 1034, **PBS_IS_NOT_HERE}, "backup:backup is 1034:34"),
    Example("PBS-HOST-01", "skip", PBS_IS_NOT_HERE, "Neither Proxmox Backup Server nor", ask=NOTHING_DECLARED),
    # The clock.
    Example("PBS-HOST-02", "pass"),
    Example("PBS-HOST-02", "fail", {"host.clock.synchronised": False}, "is not synchronised", "chrony", "high"),
    Example(
        "PBS-HOST-02",
        "unknown",
        {"host.clock.synchronised": None, "host.clock.error": "ENOSYS: Function not implemented"},
        "ENOSYS",
    ),
    Example("PBS-HOST-02", "skip", PBS_IS_NOT_HERE, ask=NOTHING_DECLARED),
    # The daemons.
    Example("PBS-HOST-03", "pass", says="4.2.5-1"),
    *(Example("PBS-HOST-03", "pass", {"host.daemons.1.active_state": state}) for state in ("reloading", "refreshing")),
    Example("PBS-HOST-03", "pass", {"host.pbs_version": None}, "run the installed version."),
    Example(
        "PBS-HOST-03",
        "fail",
        {"host.daemons.1.active_state": "failed"},
        "proxmox-backup-proxy.service is failed, not active",
        ["systemctl start proxmox-backup-proxy.service", "journalctl --no-pager -n 50 -u proxmox-backup-proxy.service"],
        "medium",
    ),
    Example(
        "PBS-HOST-03",
        "fail",
        {"host.daemons.0.active_state": "inactive", "host.daemons.1.active_state": ""},
        "proxmox-backup.service is inactive and proxmox-backup-proxy.service is not there, not active",
    ),
    Example(
        "PBS-HOST-03",
        "fail",
        {"host.daemons.1.replaced": True},
        ["proxmox-backup-proxy.service still runs a program that was replaced", "installed: 4.2.5-1"],
        "systemctl restart proxmox-backup-proxy.service",
    ),
    Example(
        "PBS-HOST-03",
        "warn",
        {"host.daemons.1.old_workers": [811, 812]},
        "2 processes of a replaced program",
        "Wait for the tasks",
    ),
    Example(
        "PBS-HOST-03",
        "unknown",
        {"host.daemons.1.replaced": None, "host.daemons.1.error": "process 701: EACCES: Permission denied"},
        ["proxmox-backup-proxy.service", "EACCES"],
        "as root",
    ),
    Example(
        "PBS-HOST-03",
        "unknown",
        {"host.daemons.1.active_state": "", "host.daemons.1.error": "systemctl gave no answer"},
        "proxmox-backup-proxy.service: systemctl gave no answer",
    ),
    Example("PBS-HOST-03", "unknown", {"host.systemd": False}, "systemd does not run here"),
    Example("PBS-HOST-03", "unknown", {"host.daemons": []}, "could not be found out"),
    Example("PBS-HOST-03", "skip", PBS_IS_NOT_HERE, "not installed"),
    # The configuration: exactly 0700 backup:backup, and every file parses.
    Example("PBS-HOST-04", "pass", says=["is 0700", "8 files parse"]),
    Example(
        "PBS-HOST-04",
        "fail",
        {"host.config_dir.mode": "0750"},
        ["34:34 0750", "required is 34:34 0700"],
        "chown -h backup:backup /etc/proxmox-backup\nchmod 0700 /etc/proxmox-backup",
        "high",
    ),
    Example(
        "PBS-HOST-04", "fail", {"host.config_dir.uid": 0, "host.config_dir.gid": 0}, ["is 0:0", "required is 34:34"]
    ),
    Example("PBS-HOST-04", "fail", {"host.config_dir.exists": False}, "does not exist", "reinstall"),
    Example(
        "PBS-HOST-04",
        "fail",
        {
            "host.config_dir.files.0.parsed": False,
            "host.config_dir.files.0.error": "expected header",
            "host.config_dir.files.0.line": 1,
        },
        f"1 file does not parse: {DATASTORE_CFG}, line 1: expected header",
        ["Correct the line", "no comment syntax"],
    ),
    Example(
        "PBS-HOST-04",
        "fail",
        {
            "configured.tuning_error": "chunk-order: 'Inode' is not one of none, inode",
            "host.pbs_version": "4.2.0-1",
        },
        ["datastore 'tank'", "'Inode'", "next GC stops"],
        "datastore update tank --delete tuning",
        "high",
    ),
    Example(
        "PBS-HOST-04",
        "fail",
        {"host.pbs_version": "4.2.1-1", "configured.tuning_error": "chunk-order: 'Inode' is not one of none, inode"},
        ["datastore 'tank'", "PBS 4.2.1-1 cannot open the datastore"],
        "datastore update tank --delete tuning",
        "critical",
    ),
    # A PBS that is not a package of this host: its configuration was named.
    Example(
        "PBS-HOST-04",
        "pass",
        {**PBS_IS_NOT_HERE, "host.config_dir.exists": True},
        "/etc/proxmox-backup: 8 files parse.",
    ),
    Example(
        "PBS-HOST-04",
        "fail",
        {
            **PBS_IS_NOT_HERE,
            "host.config_dir.exists": True,
            "host.config_dir.files.0.parsed": False,
            "host.config_dir.files.0.error": "a comment",
            "host.config_dir.files.0.line": 1,
        },
        "datastore.cfg, line 1: a comment",
    ),
    *(
        Example(
            "PBS-HOST-04",
            "unknown",
            {**PBS_IS_NOT_HERE, "host.config_dir.exists": False, "host.config_dir.path": "/srv/pbs/etc"},
            ["/srv/pbs/etc does not exist", "named", "The datastores of this host are not known."],
            "Correct preflight_config_dir",
            severity,
            ask,
        )
        for ask, severity in (({}, "critical"), ({"declared": {"name": "tank", "path": "/mnt/datastore/tank"}}, "high"))
    ),
    Example(
        "PBS-HOST-04",
        "fail",
        {"host.config_dir.files.1.readable": False},
        "User 'backup' cannot read /etc/proxmox-backup/prune.cfg",
        "chown -h root:backup /etc/proxmox-backup/prune.cfg\nchmod 0640 /etc/proxmox-backup/prune.cfg",
    ),
    Example(
        "PBS-HOST-04",
        "pass",
        {"host.config_dir.files.2": ConfigFileFacts("/etc/proxmox-backup/verification.cfg", False, parsed=True)},
        "7 files parse",
    ),
    Example(
        "PBS-HOST-04",
        "unknown",
        {"host.config_dir.error": "EACCES: Permission denied"},
        ["EACCES", "datastores of this host are not known"],
        "as root",
        "critical",
    ),
    Example(
        "PBS-HOST-04",
        "unknown",
        {**PBS_IS_NOT_HERE, "host.config_dir.error": "EACCES: Permission denied"},
        "EACCES",
        "as root",
        "critical",
    ),
    Example(
        "PBS-HOST-04",
        "unknown",
        {"host.config_dir.files.0.parsed": None, "host.config_dir.files.0.error": "larger than 16 MiB"},
        [DATASTORE_CFG, "larger than 16 MiB"],
    ),
    Example("PBS-HOST-04", "skip", {**PBS_IS_NOT_HERE, "host.config_dir.exists": False}),
    # The old locking scheme.
    Example("PBS-HOST-05", "pass"),
    Example("PBS-HOST-05", "fail", {"host.old_locking": True}, ["old-locking exists", "3.3.5"], "Reboot", "low"),
    Example("PBS-HOST-05", "unknown", {"host.old_locking": None}),
    Example("PBS-HOST-05", "skip", PBS_IS_NOT_HERE),
    # The id map says the number of the outer host.
    Example("PBS-HOST-06", "pass", says="the same inside and outside"),
    Example("PBS-HOST-06", "pass", CONTAINER, "34:34 inside and 100034:200034 on the outer host"),
    Example(
        "PBS-HOST-06",
        "fail",
        {**CONTAINER, "host.id_map.uids": [IdRange(0, 100000, 34)]},
        "no mapping for uid 34 of backup:backup",
        "over uid 34",
        "critical",
    ),
    Example(
        "PBS-HOST-06",
        "fail",
        {**CONTAINER, "host.id_map.gids": [IdRange(35, 100000, 100)]},
        "no mapping for gid 34 of backup:backup",
        "over gid 34",
    ),
    Example(
        "PBS-HOST-06",
        "fail",
        {**CONTAINER, "location.uid": 65534},
        ["/mnt/datastore/tank belongs, in whole or in part, to an id", "65534"],
        ["on the outer host", "-exec chown -h 100034:200034 {} +"],
    ),
    Example(
        "PBS-HOST-06",
        "fail",
        {**CONTAINER, "ownership.chunks.owners": [OwnerCount(65534, 65534, 7)]},
        ["/mnt/datastore/tank belongs, in whole or in part, to an id"],
        ["on the outer host", "-exec chown -h 100034:200034 {} +"],
    ),
    Example("PBS-HOST-06", "pass", {"ownership.chunks.owners": [OwnerCount(65534, 65534, 7)]}, "No user namespace"),
    Example("PBS-HOST-06", "skip", PBS_IS_NOT_HERE, ask=NOTHING_DECLARED),
    Example("PBS-HOST-06", "unknown", {"host.id_map.error": "EACCES: Permission denied"}, "EACCES"),
    Example("PBS-HOST-06", "unknown", {**CONTAINER, "host.account.uid": None}, "ids of 'backup' are not known"),
    # Settings of a newer PBS are reported and are no failure.
    Example(
        "PBS-HOST-04",
        "pass",
        {"host.config_dir.files.0.unknown": ["line 3: unknown property 'new-one'"]},
        ["files parse, but this collection does not know 1 setting", "4.2.3", "datastore.cfg, line 3", "'new-one'"],
    ),
    Example(
        "PBS-HOST-04",
        "pass",
        {"host.config_dir.files.0.unknown": [f"line {n}: unknown property 'p{n}'" for n in range(3, 8)]},
        ["5 settings", "'p5'; …"],
    ),
    # The installed version, and where its faults are published.
    Example("PBS-HOST-07", "pass", says=["4.2.5-1 is supported", "sources until 2026-08-20"]),
    Example(
        "PBS-HOST-07",
        "fail",
        {"host.pbs_version": "3.3.2-1"},
        ["PSA-2025-00019-1", "fixed in 3.4.0", "fixed in 3.4.1", "no updates since the end of 2026-08"],
        ["3.4.9 or newer", "pbs3to4", "apt-get dist-upgrade"],
        "critical",
    ),
    Example(
        "PBS-HOST-07",
        "fail",
        {"host.pbs_version": "3.4.0-1"},
        ["fixed in 3.4.1; changelog of 3.4.1", "invented archive name", "fixed in 3.4.9"],
        "3.4.9 or newer",
        "critical",
    ),
    Example(
        "PBS-HOST-07",
        "fail",
        {"host.pbs_version": "3.4.8-3"},
        ["fixed in 3.4.9; changelog of 4.2.5 and 3.4.9"],
        severity="high",
    ),
    Example(
        "PBS-HOST-07",
        "fail",
        {"host.pbs_version": "3.4.9-2"},
        "PBS 3.4.9-2: PBS 3 gets no updates since the end of 2026-08, and Debian 12 (bookworm) since 2026-07",
        "Upgrade from 3 to 4",
        "medium",
    ),
    Example(
        "PBS-HOST-07",
        "fail",
        {"host.pbs_version": "4.1.8-1"},
        ["invented archive name", "fixed in 4.2.5; changelog of 4.2.5 and 3.4.9"],
        ["4.2.5 or newer", "apt-get dist-upgrade"],
        "high",
    ),
    Example(
        "PBS-HOST-07",
        "fail",
        {"host.pbs_version": "4.2.4-1"},
        ["PBS 4.2.4-1: a manifest with an invented archive name", "fixed in 4.2.5"],
        severity="high",
    ),
    Example(
        "PBS-HOST-07",
        "pass",
        {"host.pbs_version": "4.2.6-1"},
        ["4.2.6-1 is supported", "newer than 4.2.5, the newest one in the sources"],
    ),
    Example(
        "PBS-HOST-07",
        "unknown",
        {"host.pbs_version": "5.0.0-1"},
        ["nothing is known about major version 5", "2026-08-20 with 4.2.5"],
        "Upgrade this collection",
        "medium",
    ),
    Example(
        "PBS-HOST-07",
        "fail",
        {"host.pbs_version": "4.2.0-1", "configured.tuning": {"sync-level": "file"}},
        "sync-level",
    ),
    Example(
        "PBS-HOST-07",
        "fail",
        {"host.pbs_version": "4.2.0-1", "host.config_dir.sync_jobs": [SyncJobFacts("pull", "tank", "pbs2", "tank")]},
        "a pull sync job overwrites",
    ),
    Example("PBS-HOST-07", "fail", {"host.pbs_version": "4.0.19-1", "configured.backend": "s3"}, "S3 endpoint"),
    Example(
        "PBS-HOST-07", "fail", {"host.pbs_version": "3.4.0-1", "configured.path": "/mnt/.tank"}, "begins with a dot"
    ),
    Example(
        "PBS-HOST-07", "unknown", {"host.pbs_version": None}, "no package proxmox-backup-server", severity="medium"
    ),
    Example("PBS-HOST-07", "unknown", {"host.pbs_version": "git"}, "dpkg names it 'git'"),
    Example("PBS-HOST-07", "skip", PBS_IS_NOT_HERE, "not installed"),
    # --- remotes, S3 endpoints and sync jobs as declared
    Example("PBS-HOST-08", "skip", COPIES, "Nothing is declared for this host (pbs_remotes"),
    Example(
        "PBS-HOST-08",
        "pass",
        COPIES,
        "configured so",
        ask=sections(
            remotes=[{"name": "pbs2", "host": "192.0.2.7", "password": "neutral", "port": 8007}],
            s3_endpoints=[
                {"id": "aws", "rate_in": "10MB", "access_key": "AK", "secret_key": "neutral", "path_style": False}
            ],
            sync_jobs=[{"id": "offsite", "group_filter": ["exclude:group:vm/9", "type:vm"], "sync_direction": "pull"}],
        ),
    ),
    Example(
        "PBS-HOST-08",
        "fail",
        COPIES,
        [
            "remote 'pbs2' host is 192.0.2.7, declared is 192.0.2.8",
            "S3 endpoint 'minio' itself is absent, declared is present",
            "sync job 'offsite' group_filter is type:vm, exclude:group:vm/9, declared is type:vm",
            "sync job 'offsite' sync_direction is pull, declared is push",
        ],
        ["fleetops.pbs.provision", "correct the declaration"],
        "high",
        sections(
            remotes=[{"name": "pbs2", "host": "192.0.2.8"}],
            s3_endpoints=[{"id": "aws"}, {"id": "minio", "endpoint": "minio"}],
            sync_jobs=[{"id": "offsite", "group_filter": ["type:vm"], "sync_direction": "push"}],
        ),
    ),
    Example(
        "PBS-HOST-08",
        "fail",
        COPIES,
        "The declaration of sync job 'offsite' has a value that PBS does not accept. max_depth: '9'",
        "Correct pbs_sync_jobs",
        "high",
        sections(sync_jobs=[{"id": "offsite", "max_depth": 9}]),
    ),
    Example(
        "PBS-HOST-08",
        "warn",
        COPIES,
        "configured, but not declared: remote 'pbs2'.",
        "Declare them",
        "low",
        sections(remotes=[], sync_jobs=[{"id": "offsite"}]),
    ),
    Example(
        "PBS-HOST-08",
        "pass",
        SERVER,
        "configured so",
        ask=sections(
            traffic_controls=[{"name": "office", "network": ["192.0.2.0/24"], "rate_in": "10MB"}],
            notification_targets=[
                {"name": "web1", "type": "webhook", "headers": {"X-A": "a"}, "secrets": {"tok": None}},
                {"name": "mail-to-root", "mailto_user": ["root@pam"], "disable": False},
            ],
            notification_matchers=[{"name": "mat1", "target": ["web1"], "mode": "all"}],
        ),
    ),
    Example(
        "PBS-HOST-08",
        "fail",
        SERVER,
        [
            "traffic control rule 'office' rate_in is 10 MB, declared is 20MB",
            "target of notifications 'web1' headers is hidden, declared is another value (hidden)",
            "target of notifications 'mail-to-root' type is sendmail, declared is smtp",
            "notification matcher 'mat2' itself is absent, declared is present",
        ],
        ["fleetops.pbs.provision", "correct the declaration"],
        "high",
        sections(
            traffic_controls=[{"name": "office", "rate_in": "20MB"}],
            notification_targets=[{"name": "web1", "headers": {"X-A": "b"}}, {"name": "mail-to-root", "type": "smtp"}],
            notification_matchers=[{"name": "mat1"}, {"name": "mat2"}],
        ),
    ),
    Example(
        "PBS-HOST-08",
        "warn",
        SERVER,
        # PBS always has mail-to-root.
        "configured, but not declared: target of notifications 'web1'.",
        "Declare them",
        "low",
        sections(notification_targets=[]),
    ),
    Example(
        "PBS-HOST-08",
        "unknown",
        {"host.config_dir.remotes": None},
        "Remotes could not be read; see PBS-HOST-04",
        ask=sections(remotes=[]),
    ),
    Example(
        "PBS-HOST-08",
        "skip",
        {**PBS_IS_NOT_HERE, "host.config_dir.exists": False},
        "not installed",
        ask=sections(remotes=[]),
    ),
]
