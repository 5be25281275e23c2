# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controls of access times say."""

from __future__ import annotations

import errno

from ansible_collections.fleetops.pbs.tests.support.facts import NOW_NS, SECOND, not_looked_at, refused, touch
from ansible_collections.fleetops.pbs.tests.support.judging import Example

ZERO_CHUNK = "/mnt/datastore/tank/.chunks/bb9f/bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8"
NO_PROBE = {
    "atime.mode": "none",
    "atime.not_tried": "check mode changes nothing on the host",
    "atime.probe": None,
    "atime.zero_chunk": None,
    "atime.zero_chunk_as_root": None,
}
IGNORED = {"atime.probe.advanced": False, "atime.probe.after_ns": NOW_NS - SECOND, "atime.probe.refreshed_ns": None}
NOT_KNOWN_TO_PBS = {"configured": None}
NOT_MADE_YET = {"configured": None, "location.exists": False, "skeleton.state": "absent"}
UNMOUNTED = {"configured.backing_device": "0a1b2c3d-0000-4000-8000-000000000001", "mounted": False}
EPERM = "Operation not permitted"
EACCES = "Permission denied"


def before_and_after(before: int, after: int) -> dict[str, object]:
    """A touch that answered success, with these times."""
    return {
        "atime.probe.advanced": after > before,
        "atime.probe.before_ns": before,
        "atime.probe.after_ns": after,
        "atime.probe.refreshed_ns": after,
    }


EXAMPLES = [
    # PBS replaces an empty zero chunk and one that is larger than its own (159 bytes), and keeps any other.
    *(
        Example(
            "PBS-ATIME-03",
            status,
            {
                **refused("EPERM", 1, EPERM, which="zero_chunk"),
                "atime.zero_chunk.file.uid": 0,
                "skeleton.zero_chunk.uid": 0,
                "skeleton.zero_chunk.size": size,
                "configured.tuning": tuning,
            },
            says,
            f"chown -h backup:backup {ZERO_CHUNK}",
            severity,
        )
        for size, tuning, status, says, severity in (
            (0, {}, "warn", "belongs to uid 0 and has 0 bytes. PBS's next check replaces it", "low"),
            (300, {}, "warn", "has 300 bytes", "low"),
            (100, {}, "fail", "cannot touch the zero chunk", "critical"),
            (159, {}, "fail", "cannot touch the zero chunk", "critical"),
            (300, {"gc-atime-safety-check": False}, "fail", "cannot touch the zero chunk", "critical"),
        )
    ),
    # --- the explicit touch: the comparison is strict, to the nanosecond
    Example("PBS-ATIME-01", "pass", says=["as uid 34", "4.0 ms", "ext4"]),
    Example("PBS-ATIME-01", "pass", before_and_after(10 * SECOND, 11 * SECOND)),
    Example("PBS-ATIME-01", "pass", before_and_after(10 * SECOND, 10 * SECOND + 1)),
    Example(
        "PBS-ATIME-01",
        "fail",
        before_and_after(10 * SECOND, 10 * SECOND),
        ["answered success as uid 34", "10000000000 ns before, 10000000000 ns after", "required is a later one"],
        ["honours access times", "do not switch PBS's check off"],
        "critical",
    ),
    Example(
        "PBS-ATIME-01",
        "fail",
        before_and_after(11 * SECOND, 10 * SECOND),
        "11000000000 ns before, 10000000000 ns after",
    ),
    Example(
        "PBS-ATIME-01",
        "unknown",
        {
            "atime.probe.advanced": None,
            "atime.probe.inode_changes": 2,
            "atime.probe.error": "the file was replaced twice during the check",
        },
        "replaced twice",
    ),
    # Options of the mount are evidence and never a verdict.
    *(
        Example("PBS-ATIME-01", "pass", {"mount.options": ["rw", *options]})
        for options in ([], ["noatime"], ["relatime"], ["nodiratime"], ["lazytime"], ["noatime", "nodiratime"])
    ),
    # --- each errno has its own meaning and its own remedy
    Example(
        "PBS-ATIME-01",
        "fail",
        {**refused("EROFS", 30, "Read-only file system"), "mount.options": ["ro", "relatime"]},
        ["EROFS", "the mount at /mnt/datastore/tank is read-only"],
        "mount -o remount,bind,rw /mnt/datastore/tank",
    ),
    Example(
        "PBS-ATIME-01",
        "fail",
        {
            **refused("EROFS", 30, "Read-only file system", "create"),
            "atime.zero_chunk": None,
            "mount.super_options": ["ro"],
        },
        ["uid 34 cannot make a file", "EROFS", "the filesystem at /mnt/datastore/tank is read-only"],
        ["dmesg", "mount -o remount,rw /mnt/datastore/tank"],
    ),
    Example(
        "PBS-ATIME-01",
        "fail",
        refused("EROFS", 30, "Read-only file system"),
        ["EROFS", "the mount at /mnt/datastore/tank and its superblock are read-write"],
        "a server that exports it read-only",
    ),
    Example(
        "PBS-ATIME-01",
        "fail",
        refused("EPERM", 1, EPERM) | {"atime.probe.file.flags": ["immutable"]},
        ["EPERM", "the immutable flag is set", "stops root too"],
        "chattr -i /mnt/datastore/tank/.chunks/bb9f/.fleetops-pbs-probe-",
    ),
    Example(
        "PBS-ATIME-01",
        "fail",
        {
            **refused("EACCES", 13, EACCES, "create"),
            "atime.zero_chunk": None,
            "location.reachable": False,
            "location.blocked_at": "/mnt/my data",
        },
        ["uid 34 cannot make a file", "'backup' cannot enter /mnt/my data"],
        "chmod a+x '/mnt/my data'",
    ),
    Example(
        "PBS-ATIME-01",
        "fail",
        {
            **refused("EACCES", 13, EACCES, "create"),
            "atime.zero_chunk": None,
            "skeleton.chunks.uid": 0,
            "skeleton.chunks.gid": 0,
        },
        ["EACCES", "/mnt/datastore/tank/.chunks belongs to 0:0 mode 0750"],
        "chown -h backup:backup /mnt/datastore/tank/.chunks",
    ),
    Example(
        "PBS-ATIME-01",
        "fail",
        refused("EACCES", 13, EACCES, "create") | {"atime.zero_chunk": None},
        "EACCES",
        ["from /mnt/datastore/tank downwards", "ACL"],
    ),
    Example(
        "PBS-ATIME-01",
        "pass",
        refused("EACCES", 13, EACCES, "create"),
        ["The zero chunk's atime moved", "a file of our own could not be made (EACCES"],
    ),
    *(
        Example("PBS-ATIME-01", "fail", refused(name, number, text, step) | {"atime.zero_chunk": None}, name, remedy)
        for name, number, text, step, remedy in (
            ("ENOSPC", 28, "No space left on device", "create", "Free space or inodes on /mnt/datastore/tank"),
            ("EDQUOT", 122, "Disk quota exceeded", "create", "Raise the quota of 'backup' on /mnt/datastore/tank"),
            ("ESTALE", 116, "Stale file handle", "utimensat", "umount -l /mnt/datastore/tank"),
            ("EIO", 5, "Input/output error", "utimensat", "dmesg --level err,warn"),
            ("ENOSYS", 38, "Function not implemented", "utimensat", "ext4, xfs, ZFS or btrfs"),
            ("EOPNOTSUPP", 95, "Operation not supported", "utimensat", "ext4, xfs, ZFS or btrfs"),
            ("ETXTBSY", 26, "Text file busy", "utimensat", "Fix what the error names"),
        )
    ),
    # --- without a probe only a read-only mount is certain
    Example("PBS-ATIME-01", "unknown", NO_PROBE, "check mode changes nothing on the host"),
    Example(
        "PBS-ATIME-01",
        "fail",
        {**NO_PROBE, "mount.options": ["ro"]},
        "A touch in /mnt/datastore/tank cannot work: the mount at /mnt/datastore/tank is read-only",
        "mount -o remount,bind,rw",
    ),
    Example(
        "PBS-ATIME-01",
        "fail",
        {**NO_PROBE, "mount.super_options": ["ro"]},
        "the filesystem at",
        ["dmesg", "remount,rw"],
    ),
    Example("PBS-ATIME-01", "unknown", not_looked_at(), "The path /mnt/datastore/tank gave no answer within 10 s"),
    Example("PBS-ATIME-01", "unknown", {"atime.probe": None}, "It was not looked at"),
    Example("PBS-ATIME-01", "skip", NOT_MADE_YET, "nothing at /mnt/datastore/tank yet"),
    Example("PBS-ATIME-01", "skip", UNMOUNTED, "not mounted; PBS skips it, too"),
    # --- the forced refresh
    Example("PBS-ATIME-02", "pass"),
    Example(
        "PBS-ATIME-02",
        "fail",
        {"atime.probe.refreshed_ns": NOW_NS - SECOND},
        [
            "from %d to %d ns" % (NOW_NS - SECOND, NOW_NS),
            "refresh it is %d ns" % (NOW_NS - SECOND),
            "came from a cache",
        ],
        "a dropped SETATTR",
        "high",
    ),
    Example(
        "PBS-ATIME-02",
        "unknown",
        {"atime.probe.refreshed_ns": None, "atime.probe.refresh_error": "ESTALE: Stale file handle"},
        "ESTALE",
    ),
    Example("PBS-ATIME-02", "unknown", NO_PROBE, "check mode"),
    Example("PBS-ATIME-02", "unknown", {"atime.probe": None, "atime.zero_chunk": None}),
    Example("PBS-ATIME-02", "skip", {**IGNORED, "atime.zero_chunk.advanced": False}, "PBS-ATIME-01"),
    Example("PBS-ATIME-02", "pass", refused("EACCES", 13, EACCES, "create")),
    Example(
        "PBS-ATIME-02",
        "fail",
        refused("EACCES", 13, EACCES, "create") | {"atime.zero_chunk.refreshed_ns": NOW_NS - SECOND},
    ),
    # --- the real zero chunk: only the owner may update atime alone, write permission is not enough
    Example("PBS-ATIME-03", "pass", says="as uid 34"),
    *(
        Example(
            "PBS-ATIME-03",
            "fail",
            refused("EPERM", 1, EPERM, which="zero_chunk")
            | {"atime.zero_chunk.file.uid": uid, "atime.zero_chunk.file.gid": gid, "atime.zero_chunk.file.mode": mode},
            [
                "EPERM",
                "belongs to %d:%d mode %s" % (uid, gid, mode),
                "uid 34 is not the owner",
                "Root's own touch passes",
            ],
            f"chown -h backup:backup {ZERO_CHUNK}",
            "critical",
        )
        for uid, gid, mode in ((0, 0, "0644"), (0, 0, "0666"), (0, 34, "0664"))
    ),
    Example("PBS-ATIME-03", "pass", {"atime.zero_chunk.file.gid": 0, "atime.zero_chunk.file.mode": "0400"}),
    Example(
        "PBS-ATIME-03",
        "fail",
        {
            **refused("EPERM", 1, EPERM, which="zero_chunk"),
            **refused("EPERM", 1, EPERM, which="zero_chunk_as_root"),
            "atime.zero_chunk.file.flags": ["immutable", "append"],
        },
        "the immutable and append flags are set",
        f"chattr -i -a {ZERO_CHUNK}",
    ),
    Example(
        "PBS-ATIME-03",
        "fail",
        refused("EROFS", 30, "Read-only file system", which="zero_chunk") | {"mount.options": ["ro"]},
        "EROFS",
        "remount,bind,rw",
    ),
    Example(
        "PBS-ATIME-03",
        "fail",
        refused("ENOSPC", 28, "No space left on device", "create", "zero_chunk") | {"skeleton.zero_chunk": None},
        ["uid 34 cannot insert the zero chunk /mnt", "ENOSPC"],
        "Free space",
    ),
    Example(
        "PBS-ATIME-03",
        "fail",
        refused("EIO", 5, "Input/output error", "open") | {"atime.zero_chunk": None},
        [f"uid 34 cannot reach the zero chunk {ZERO_CHUNK}", "EIO"],
        "dmesg",
    ),
    Example(
        "PBS-ATIME-03",
        "fail",
        {"atime.zero_chunk.advanced": None, "atime.zero_chunk.error": "not a regular file but a directory"},
        "not a regular file but a directory",
        f"mv --backup=numbered -T {ZERO_CHUNK}",
    ),
    Example(
        "PBS-ATIME-03",
        "fail",
        {"atime.zero_chunk.advanced": False, "atime.zero_chunk.after_ns": NOW_NS - SECOND},
        ["did not move forward", "%d ns after" % (NOW_NS - SECOND)],
        "/mnt/datastore/tank to a filesystem that honours",
    ),
    Example(
        "PBS-ATIME-03",
        "fail",
        {"atime.zero_chunk.refreshed_ns": NOW_NS - SECOND},
        "and %d ns after a forced refresh" % (NOW_NS - SECOND),
    ),
    # Untouched, some failures are certain all the same.
    Example(
        "PBS-ATIME-03",
        "fail",
        {**NO_PROBE, "skeleton.zero_chunk.uid": 0},
        ["belongs to uid 0, not to 'backup' (34)", "EPERM"],
        f"chown -h backup:backup {ZERO_CHUNK}",
    ),
    Example(
        "PBS-ATIME-03",
        "fail",
        {**NO_PROBE, "skeleton.zero_chunk.flags": ["append"]},
        "The append flag is set on the zero chunk",
        f"chattr -a {ZERO_CHUNK}",
    ),
    Example("PBS-ATIME-03", "fail", {"atime.zero_chunk": None}, "'backup' cannot reach the zero chunk", "PBS-OWNER-01"),
    Example("PBS-ATIME-03", "unknown", NO_PROBE, "check mode"),
    Example(
        "PBS-ATIME-03",
        "unknown",
        {"atime.mode": "marker", "atime.zero_chunk": None, "skeleton.zero_chunk": None},
        "could not be inserted",
    ),
    Example("PBS-ATIME-03", "unknown", not_looked_at(), "gave no answer within 10 s"),
    Example("PBS-ATIME-03", "skip", {"atime.zero_chunk": None, "skeleton.zero_chunk": None}, "no zero chunk yet"),
    # --- PBS's own check; its spellings (off, 0, No, FALSE) arrive as False
    Example("PBS-ATIME-04", "pass"),
    Example("PBS-ATIME-04", "pass", {"configured.tuning": {"gc-atime-safety-check": True}}),
    Example(
        "PBS-ATIME-04",
        "fail",
        {"configured.tuning": {"gc-atime-safety-check": False}},
        ["is off for datastore 'tank'", "required is on"],
        "datastore update tank --delete tuning",
        "critical",
    ),
    Example(
        "PBS-ATIME-04",
        "fail",
        {"configured.tuning": {"chunk-order": "none", "gc-atime-safety-check": False, "gc-atime-cutoff": 1500}},
        "is off",
        "datastore update tank --tuning chunk-order=none,gc-atime-cutoff=1500",
    ),
    Example(
        "PBS-ATIME-04", "warn", {"host.pbs_version": "3.3.6-1"}, ["PBS 3.3.6-1", "3.3.7"], "Upgrade PBS", "critical"
    ),
    Example("PBS-ATIME-04", "pass", {"host.pbs_version": "3.3.7-1"}),
    Example("PBS-ATIME-04", "pass", {"host.pbs_version": None}),
    Example("PBS-ATIME-04", "unknown", {"configured.tuning_error": "unknown key"}, ["unknown key", "PBS-HOST-04"]),
    Example("PBS-ATIME-04", "skip", NOT_KNOWN_TO_PBS, "only declared"),
    Example("PBS-ATIME-04", "fail", {**UNMOUNTED, "configured.tuning": {"gc-atime-safety-check": False}}),
    # --- the cutoff; PBS itself takes 1 to 2880 minutes
    *(
        Example("PBS-ATIME-05", "pass", {"configured.tuning": tuning}, "%d minutes" % minutes)
        for tuning, minutes in (
            ({}, 1445),
            ({"gc-atime-cutoff": 1445}, 1445),
            ({"gc-atime-cutoff": 1446}, 1446),
            ({"gc-atime-cutoff": 2880}, 2880),
        )
    ),
    *(
        Example(
            "PBS-ATIME-05",
            "fail",
            {"configured.tuning": {"sync-level": "file", "gc-atime-cutoff": minutes}},
            ["is %d minutes" % minutes, "1445 to 2880"],
            "datastore update tank --tuning sync-level=file",
            "medium",
        )
        for minutes in (1, 60, 1444)
    ),
    Example(
        "PBS-ATIME-05",
        "fail",
        {},
        ["is 1445 minutes", "2000 to 2880"],
        "datastore update tank --tuning gc-atime-cutoff=2000",
        ask={"policy": {"gc_atime_cutoff_min": 2000}},
    ),
    Example(
        "PBS-ATIME-05",
        "fail",
        {},
        "1 to 60",
        "--tuning gc-atime-cutoff=60",
        ask={"policy": {"gc_atime_cutoff_min": 1, "gc_atime_cutoff_max": 60}},
    ),
    Example("PBS-ATIME-05", "unknown", {"configured.tuning_error": "gc-atime-cutoff: 0 is too small"}, "too small"),
    Example("PBS-ATIME-05", "skip", NOT_KNOWN_TO_PBS),
    # --- fine enough, and on time
    Example("PBS-ATIME-06", "pass", says="kept to 1 ns"),
    Example("PBS-ATIME-06", "pass", {"atime.granularity_ns": SECOND}, "kept to 1 s"),
    Example("PBS-ATIME-06", "pass", {"atime.granularity_ns": 100}, "kept to 100 ns"),
    Example("PBS-ATIME-06", "pass", {"atime.granularity_ns": 1000}, "kept to 1 µs"),
    Example(
        "PBS-ATIME-06",
        "fail",
        {"atime.granularity_ns": 2 * SECOND},
        ["cut to 2 s", "over one second"],
        "of a second or finer",
        "high",
    ),
    Example("PBS-ATIME-06", "fail", {"atime.granularity_ns": 86400 * SECOND}, "cut to 86400 s"),
    Example("PBS-ATIME-06", "pass", {"atime.clock_offset_ns": -60 * SECOND}),
    Example(
        "PBS-ATIME-06",
        "fail",
        {"atime.clock_offset_ns": -90 * SECOND},
        ["is behind the host's by 90 s", "allowed are 60 s"],
        "Synchronise the clock of the file server",
    ),
    Example("PBS-ATIME-06", "fail", {"atime.clock_offset_ns": 62 * SECOND}, "is ahead of the host's by 62 s"),
    Example(
        "PBS-ATIME-06",
        "fail",
        {"atime.clock_offset_ns": 3 * SECOND},
        "allowed are 1 s",
        ask={"policy": {"clock_offset_max": 1}},
    ),
    Example("PBS-ATIME-06", "unknown", {"atime.granularity_ns": None}, "did not keep a time that was set"),
    Example("PBS-ATIME-06", "unknown", {"atime.clock_offset_ns": None}, "no stamp of its own clock"),
    Example(
        "PBS-ATIME-06",
        "unknown",
        refused("EIO", 5, "Input/output error", "create") | {"atime.granularity_ns": None},
        "EIO",
    ),
    Example("PBS-ATIME-06", "unknown", NO_PROBE, "check mode"),
    Example("PBS-ATIME-06", "skip", UNMOUNTED),
    # --- PBS's own way
    Example(
        "PBS-ATIME-03", "pass", {"atime.mode": "marker", "atime.zero_chunk": touch(ZERO_CHUNK, "marker")}, "as uid 34"
    ),
    # The mount decides who owns a new file, and the file that was tried is gone.
    *(
        Example(
            "PBS-ATIME-01",
            "fail",
            {
                "mount.fstype": fstype,
                "atime.probe.errno": errno.EPERM,
                "atime.probe.error": "EPERM: Operation not permitted",
                "atime.probe.step": "utimensat",
                "atime.probe.advanced": False,
                "atime.probe.file.uid": 1000,
                "atime.probe.file.gid": 1000,
            },
            "a file that uid 34 makes in /mnt/datastore/tank belongs to 1000:1000",
            remedy,
        )
        for fstype, remedy in (("fuse.sshfs", "uid=34,gid=34"), ("nfs4", "anonuid=34,anongid=34"))
    ),
]
