# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the fuzzer starts: what healthy hosts answer, and small variations of it."""

from __future__ import annotations

import json

from ansible_collections.fleetops.pbs.tests.fuzz.targets import DOCUMENT, TARGETS, UPID
from ansible_collections.fleetops.pbs.tests.support.pbs.store import (
    ZERO_CHUNK,
    ZERO_DIGEST,
    blob,
    dynamic_index,
    fixed_index,
)

_FINISHED = {"finished": {"upid": UPID, "state": {"OK": {"endtime": 1732000000}}, "updated": None}}
_FAILED = {"finished": {"upid": UPID, "state": {"Error": {"endtime": 1, "message": "EPERM: Operation not permitted"}}}}
_WARNED = {"finished": {"upid": UPID, "state": {"Warning": {"endtime": 1732000000, "count": 3}}, "updated": 1}}

_MANIFEST = {
    "backup-id": "100",
    "backup-time": 1735689600,
    "backup-type": "vm",
    "files": [{"crypt-mode": "none", "csum": "07" * 32, "filename": "drive-scsi0.img.fidx", "size": 9388608}],
    "signature": None,
    "unprotected": {
        "chunk_upload_stats": {"count": 3, "size": 12582912, "compressed_size": 477, "duplicates": 2},
        "notes": "weekly",
        "verify_state": {"state": "ok", "upid": UPID},
    },
}

SEEDS: dict[str, tuple[bytes, ...]] = {
    **dict.fromkeys(TARGETS, (b"",)),
    "text": (b"/mnt/datastore/tank", b"a\nb\x1b[31m\xff\xe2\x80\xae", "ä€😀".encode()),
    "mountinfo_file": (
        (
            b"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
            b"31 22 0:40 /@pbs /mnt/tank rw,noatime shared:9 - btrfs /dev/sdb rw,subvolid=256,subvol=/@pbs\n"
        ),
        b"36 22 0:42 /d /mnt/a\\040b rw master:1 - cifs //nas/share rw,username=u,password=p\n",
        b"37 22 0:43 / /mnt/n rw - nfs4 nas:/export rw,vers=4.2,hard\n38 37 0:4 /x//deleted /mnt/n rw - tmpfs  rw\n",
    ),
    "fstab_file": (
        b'# a comment\nUUID=0a1b /mnt/tank ext4 rw,noatime,nofail 0 2\nLABEL="x" /mnt/b\\040c xfs defaults\n',
        b"//u:p@nas/s /mnt/s cifs credentials=/etc/c,x-systemd.automount,noauto\n/dev/sda2 none swap sw\n",
    ),
    "unit_file": (
        (
            b'[Unit]\nDescription=Mount tank\nAfter=a.service \\\n b.service\nRequiresMountsFor=/mnt/tank "/mnt/a b"\n'
            b"[Mount]\nWhat=/dev/disk/by-uuid/0a1b\nWhere=/mnt/tank\nType=ext4\nOptions=rw,noatime\n"
            b"[Install]\nWantedBy=multi-user.target\n"
        ),
        b"/mnt/my-store",
    ),
    "systemctl_output": (
        (
            b"Id=proxmox-backup.service\nLoadState=loaded\nActiveState=active\nMainPID=2587\nControlGroup=/\n\n"
            b"Id=proxmox-backup-proxy.service\nLoadState=loaded\nAfter=mnt-tank.mount basic.target\n"
            b"Requires=mnt-tank.mount\nRequiresMountsFor=/mnt/tank/x /var\n"
        ),
    ),
    "id_map": (b"         0          0 4294967295\n", b"0 100000 65536\n65536 1000 1\n"),
    "zfs_output": (b"tank/pbs\t/mnt/tank\ton\n", b"tank/pbs\tatime\toff\ntank/pbs\tmountpoint\tlegacy\n"),
    "package_version": (b"installed 4.2.0-1\n", b"config-files 3.4.1~rc1-2\n", b"not-installed \n"),
    "section_file": (
        (
            b"datastore: tank\n\tcomment nightly\n\tgc-schedule sat 03:00\n\tpath /mnt/tank\n"
            b'\ttuning gc-atime-cutoff=1445,chunk-order=inode\n\tmaintenance-mode type=offline,message="a b"\n\n'
            b"datastore: usb\n\tbacking-device 01234567-89ab-cdef-0123-456789abcdef\n\tpath x\n"
        ),
        b"prune: tank-daily\n\tkeep-daily 14\n\tschedule daily\n\tstore tank\n\tns a/b\n\tmax-depth 2\n",
        b"verification: tank-v\n\tignore-verified true\n\toutdated-after 30\n\tstore tank\n",
    ),
    "property_text": (
        b"gc-atime-cutoff=1445,chunk-order=inode",
        b'type=offline,message="a, \\"b\\"\\n"',
        b"type=s3,client=cl1,bucket=b-1,max-cache-size=64GiB",
        b"offline,message=a%20b",
        b"gc=always,verify=error",
    ),
    "single_value": (
        b"sat 03:00",
        b"mon..fri 21:30",
        b"*-1,15 02:00",
        b"*/15",
        b"64GiB",
        b"1",
        b"ns/a/b",
        b"admin@pbs",
    ),
    "manager_answer": (
        b"\x00\x00\x0bTASK OK\r\nTASK",
        b"\x01\x00\x00Error: task failed (status datastore path not empty)\n",
        b"\x00\x00\x17one\nTASK WARNINGS: 3\n    ",
        b'\x01\x00\x00Error: Unable to acquire lock "/etc/proxmox-backup/.datastore.lck" - Interrupted system call\n',
        b"\x00\x00\x39proxmox-backup-server 4.2.0-1 running version: 4.2.0\n      ",
    ),
    "job_state": (
        UPID.encode(),
        *(
            json.dumps(state).encode()
            for state in (_FINISHED, _FAILED, _WARNED, {"created": {"time": 1}}, {"started": {"upid": UPID}})
        ),
    ),
    "blob_file": (
        ZERO_CHUNK,
        ZERO_CHUNK[12:],
        blob(b"hello"),
        bytes.fromhex("7b6785be222d4cf0480383a3") + bytes(32) + b"ABC",
        bytes.fromhex("31b958426fb6a37f32fd384028b52ffd206445000010616101003f012c"),
    ),
    "manifest_file": (json.dumps(_MANIFEST).encode(), json.dumps(_MANIFEST, indent=2).encode(), b'{"files": []}'),
    "index_file": (
        fixed_index([ZERO_DIGEST, ZERO_DIGEST], 5000000),
        dynamic_index([(4194304, ZERO_DIGEST), (5000000, ZERO_DIGEST)]),
        fixed_index([ZERO_DIGEST], 1)[:80] + bytes(32),
        dynamic_index([(1, ZERO_DIGEST)])[:80] + bytes(40),
    ),
    "owner_file": (b"root@pam\n", b"backup@pbs!nightly\n", b"nobody", b"\n"),
    "snapshot_path": (
        b"vm/100/2025-01-01T00:00:00Z",
        b"ns/a/ns/b/host/web-1/2024-02-29T23:59:59Z",
        b"ct/7/2025-02-30T00:00:00Z",
    ),
    "process_stat": (b"2587 (proxmox (x) y) S 1 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 50132 0\n", b"12\n13\n"),
    "child_message": (
        b'{"begin":"stat"}\n{"part":"location","value":{"exists":true,"dev":1,"mode":"0755"}}\n',
        b'{"part":"space","value":null}\n{"error":"EIO: Input/output error"}\n',
    ),
    "document_file": (
        json.dumps(DOCUMENT).encode(),
        json.dumps(DOCUMENT, indent=1).encode()[:1000],
        b'{"schema": "fleetops.pbs/report", "schema_version": 1, "hosts": [{"host": "pbs9", "finished": null, '
        b'"reason": "unreachable", "seen": "2026-11-20T02:00:00.000Z"}], "documents": [\n'
        + json.dumps(DOCUMENT).encode()
        + b"\n]}\n",
    ),
    "waiver_list": (b"\x01\x08[a-z]bs*\x01\x03t?n\x01", b"\x00\x00\x00"),
}
