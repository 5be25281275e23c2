# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controls of mounts say."""

from __future__ import annotations

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import MountFacts, SpaceFacts
from ansible_collections.fleetops.pbs.tests.support.facts import change, not_looked_at, persistent, refused, store
from ansible_collections.fleetops.pbs.tests.support.judging import Example

TANK = "/mnt/datastore/tank"
ON_ROOT = {
    "mount": MountFacts(25, 1, "8:1", "/", "/", "ext4", "/dev/sda1", ["rw"], ["rw"], is_root=True),
    "persistent": [],
}
NO_MOUNT = {"mount": None}
UUID = "0a1b2c3d-0000-4000-8000-000000000001"
REMOVABLE = {"configured.backing_device": UUID, "configured.path": "x", "mounted": True}
UNMOUNTED = {**REMOVABLE, "mounted": False, "location": None}
NOT_MADE_YET = {"configured": None, "location.exists": False, "skeleton.state": "absent"}
EMPTY = {"skeleton.state": "empty", "skeleton.chunks": None, "skeleton.prefixes": 0}
PBS_IS_NOT_HERE = {"host.pbs_installed": False, "host.pbs_version": None}
MIB = 1024 * 1024


def contract(**mount):
    return {"declared": {"path": TANK, "mount": mount}}


def removable(name, path, **changes):
    """Another removable datastore on the same device."""
    other = {**REMOVABLE, "configured.path": path, "location": None, **changes}
    return change(store(name, 0), other)


def at(path, realpath="", **changes):
    """Another datastore on the filesystem of the first."""
    other = change(store("vault", 0), {"path": path, "location.realpath": realpath or path, "location.ino": 77})
    return change(other, changes)


def on(fstype, *options, **changes):
    return {
        "mount.fstype": fstype,
        "mount.super_options": ["rw", *options],
        "mount.source": "server:/export",
        **changes,
    }


EXAMPLES = [
    # --- on the declared mount
    Example("PBS-MOUNT-01", "pass", says=["/dev/sdb1", f"mounted at {TANK}"]),
    Example(
        "PBS-MOUNT-01",
        "fail",
        ON_ROOT,
        f"{TANK} lies on the root filesystem (ext4 on /).",
        ["Mount a filesystem of its own", "do not run GC"],
        "medium",
    ),
    Example("PBS-MOUNT-01", "fail", ON_ROOT, "root filesystem", severity="medium", ask=contract(options=["noatime"])),
    Example(
        "PBS-MOUNT-01",
        "fail",
        {**ON_ROOT, "declared_source_matches": False},
        "root filesystem (ext4 on /), declared is UUID=0a1b",
        "do not run GC",
        "critical",
        contract(source="UUID=0a1b"),
    ),
    Example("PBS-MOUNT-01", "pass", {**ON_ROOT, "declared_source_matches": True}, ask=contract(source="UUID=0a1b")),
    Example("PBS-MOUNT-01", "pass", ON_ROOT, "declared mount", ask=contract(path="/")),
    Example(
        "PBS-MOUNT-01",
        "fail",
        {**ON_ROOT, "persistent": [persistent(TANK)], "persistent.0.source_matches": False},
        ["/etc/fstab mounts UUID=", f"at {TANK} at boot, but it is not mounted now", "lies on /dev/sda1"],
        f"mount {TANK}",
        "critical",
    ),
    Example(
        "PBS-MOUNT-01",
        "fail",
        {"declared_source_matches": False},
        "/dev/sdb1 is mounted, declared is UUID=ffff",
        f"mount UUID=ffff {TANK}",
        "critical",
        contract(source="UUID=ffff"),
    ),
    Example(
        "PBS-MOUNT-01", "fail", {}, "filesystem ext4, declared is xfs", severity="critical", ask=contract(fstype="xfs")
    ),
    Example(
        "PBS-MOUNT-01",
        "fail",
        {},
        f"it is on the mount at {TANK}, declared is /mnt/pool",
        "mount /mnt/pool",
        ask=contract(path="/mnt/pool"),
    ),
    Example("PBS-MOUNT-01", "pass", {"mount.fstype": "nfs4"}, ask=contract(fstype="nfs", path=TANK + "/")),
    Example("PBS-MOUNT-01", "pass", {"mount.fstype": "fuse.mergerfs"}, ask=contract(fstype="mergerfs")),
    Example(
        "PBS-MOUNT-01",
        "unknown",
        {},
        "No filesystem with LABEL=tank is visible here",
        "lsblk --output",
        ask=contract(source="LABEL=tank"),
    ),
    Example("PBS-MOUNT-01", "unknown", {**NO_MOUNT, **not_looked_at()}, "gave no answer within 10 s"),
    Example("PBS-MOUNT-01", "skip", UNMOUNTED, "not mounted; PBS skips it, too"),
    # --- it comes back
    Example("PBS-MOUNT-02", "pass", says="(fstab: /etc/fstab)"),
    Example(
        "PBS-MOUNT-02",
        "fail",
        {"persistent": []},
        f"Nothing mounts {TANK} at boot",
        ["/etc/fstab", "by UUID", ".mount unit"],
        "high",
    ),
    Example("PBS-MOUNT-02", "fail", {"persistent.0.where": "/mnt/elsewhere"}, f"Nothing mounts {TANK}"),
    # The outer host makes the mounts of a container; inside, nothing knows of them.
    Example(
        "PBS-MOUNT-02",
        "warn",
        {"persistent": [], "host.container": "lxc"},
        "mounted from outside of this container (lxc)",
        "outer host",
        "low",
    ),
    Example("PBS-MOUNT-02", "pass", {"host.container": "lxc"}, "(fstab: /etc/fstab)"),
    Example("PBS-MOUNT-11", "skip", {"persistent": [], "host.container": "lxc"}, "from outside of this container"),
    *(
        Example(
            "PBS-MOUNT-02",
            "fail",
            {
                "persistent.0.active_at_boot": False,
                "persistent.0.kind": kind,
                "persistent.0.file": file,
                "persistent.0.detail": detail,
            },
            [f"{file} knows {TANK}, but does not mount it at boot ({detail})"],
            remedy,
        )
        for kind, file, detail, remedy in (
            ("fstab", "/etc/fstab", "line 3", f"Remove `noauto` from the line for {TANK} in /etc/fstab"),
            (
                "systemd",
                "/etc/systemd/system/mnt-datastore-my\\x2dstore.mount",
                "nothing pulls it in",
                "systemctl enable 'mnt-datastore-my\\x2dstore.mount'",
            ),
            ("zfs", "rpool/tank", "canmount=noauto", "zfs set canmount=on rpool/tank"),
            ("pbs", "removable-device-attach@.service", "masked", "systemctl unmask removable-device-attach@.service"),
        )
    ),
    Example(
        "PBS-MOUNT-02",
        "fail",
        {"persistent.0.source_matches": False},
        ["At boot /etc/fstab mounts UUID=0a1b2c3d", "mounted now is /dev/sdb1"],
        "Correct /etc/fstab",
    ),
    Example(
        "PBS-MOUNT-02",
        "fail",
        {"mount.deleted": True},
        f"The directory that is mounted at {TANK} was removed",
        "while it is still mounted",
    ),
    Example(
        "PBS-MOUNT-02",
        "warn",
        {"persistent.0.source_matches": None},
        "whether that is what is mounted now (/dev/sdb1) could not be found out",
        "UUID=",
        "low",
    ),
    Example(
        "PBS-MOUNT-02",
        "pass",
        {"persistent": [change(persistent(TANK), {"source_matches": None}), persistent(TANK)]},
    ),
    Example(
        "PBS-MOUNT-02",
        "unknown",
        {"persistent.0.active_at_boot": None, "persistent.0.detail": "zfs-mount.service is not enabled"},
        "zfs-mount.service is not enabled",
    ),
    Example("PBS-MOUNT-02", "unknown", {"persistent": None}, "It was not looked at"),
    Example(
        "PBS-MOUNT-02",
        "unknown",
        {"persistent": None, "error": "/etc/fstab: EACCES: Permission denied"},
        "/etc/fstab: EACCES",
    ),
    Example("PBS-MOUNT-02", "skip", ON_ROOT, "always comes back"),
    Example("PBS-MOUNT-02", "skip", {"persistent": []}, "does not want", ask=contract(persistent=False)),
    # --- the filesystem
    *(
        Example("PBS-MOUNT-03", "pass", {"mount.fstype": fstype}, f"{fstype} can carry")
        for fstype in ("ext4", "xfs", "zfs", "btrfs", "nfs", "nfs4", "cifs", "ceph")
    ),
    *(
        Example("PBS-MOUNT-03", "fail", {"mount.fstype": fstype}, says, "ext4, xfs, ZFS or btrfs", "critical")
        for fstype, says in (
            ("vfat", ["no owners", "a date instead of an access time"]),
            ("exfat", "no owners"),
            ("ext3", "about 32,000"),
            ("tmpfs", "gone after a reboot"),
        )
    ),
    *(
        Example(
            "PBS-MOUNT-03",
            "fail",
            {"mount.fstype": fstype, "mount.source": source},
            [name, "an object store as a filesystem"],
            "PBS's own S3 backend",
            "high",
        )
        for fstype, source, name in (
            ("fuse.s3fs", "s3fs", "fuse.s3fs"),
            ("fuse.rclone", "remote:bucket", "fuse.rclone"),
            ("fuse", "mountpoint-s3", "mountpoint-s3 (fuse)"),
        )
    ),
    *(
        Example("PBS-MOUNT-03", "pass", {"mount.fstype": fstype}, f"{fstype} can carry")
        for fstype in ("fuse.ceph-fuse", "fuse.glusterfs", "fuse.juicefs")
    ),
    Example("PBS-MOUNT-03", "warn", {"mount.fstype": "fuse.mergerfs"}, "fuse.mergerfs is not among", "ext4", "high"),
    Example("PBS-MOUNT-03", "warn", {"mount.fstype": "overlay"}, "overlay is not among", severity="medium"),
    Example("PBS-MOUNT-03", "unknown", {"mount.fstype": "autofs"}, "an automount waits there"),
    Example("PBS-MOUNT-03", "unknown", NO_MOUNT),
    Example("PBS-MOUNT-03", "skip", UNMOUNTED),
    # --- read-write, and which half is not
    Example("PBS-MOUNT-04", "pass", says="read-write"),
    Example(
        "PBS-MOUNT-04",
        "fail",
        {"mount.options": ["ro", "relatime"]},
        "this mount is read-only (mount option ro), the filesystem below is not",
        f"mount -o remount,bind,rw {TANK}",
        "critical",
    ),
    Example(
        "PBS-MOUNT-04",
        "fail",
        {"mount.options": ["ro"], "mount.super_options": ["ro", "errors=remount-ro"]},
        "the filesystem itself is read-only (superblock option ro)",
        ["dmesg", f"mount -o remount,rw {TANK}"],
    ),
    Example(
        "PBS-MOUNT-04",
        "fail",
        {"mount.options": ["ro"], "mount.mount_point": "/mnt/my disk"},
        "/mnt/my disk",
        "rw '/mnt/my disk'",
    ),
    *(
        Example(
            "PBS-MOUNT-04",
            "fail",
            {"mount.super_options": ["rw", "errors=remount-ro", option]},
            ["has stopped after an error", option],
            ["dmesg", f"umount {TANK}", "fsck -f /dev/sdb1"],
        )
        for option in ("emergency_ro", "shutdown")
    ),
    Example(
        "PBS-MOUNT-04",
        "fail",
        refused("EROFS", 30, "Read-only file system", "create"),
        [f"read-write, but no file could be made as uid 34 in {TANK}", "EROFS", "the storage below refuses to write"],
        "exports it read-only",
    ),
    Example(
        "PBS-MOUNT-04",
        "fail",
        refused("EIO", 5, "Input/output error", "utimensat", "zero_chunk"),
        [f"no file could be touched as uid 34 in {TANK}", "EIO"],
        "dmesg",
    ),
    Example(
        "PBS-MOUNT-04",
        "fail",
        {"mount.options": ["ro"], "mount.super_options": ["ro"], "mount.fstype": "nfs4"},
        "the filesystem itself is read-only",
        [f"mount -o remount,rw {TANK}", "give this host the right to write"],
    ),
    Example("PBS-MOUNT-04", "unknown", NO_MOUNT),
    Example("PBS-MOUNT-04", "skip", UNMOUNTED),
    # --- options as declared
    Example("PBS-MOUNT-05", "pass", ask=contract(options=["rw", "relatime"], options_forbidden=["ro", "noatime"])),
    *(
        Example("PBS-MOUNT-05", "pass", {"mount.options": live}, ask=contract(options=required))
        for live, required in (
            (["rw"], ["strictatime", "atime", "suid", "dev", "exec", "async"]),  # the kernel does not show defaults
            (["rw", "relatime"], ["defaults", "nofail", "_netdev", "x-systemd.automount"]),  # nothing that is live
            (["rw", "noatime", "nodev"], ["noatime", "nodev"]),
        )
    ),
    Example(
        "PBS-MOUNT-05",
        "fail",
        {},
        "required and missing: noatime, nodev",
        f"mount -o remount,noatime,nodev {TANK}",
        "medium",
        contract(options=["rw", "noatime", "nodev"]),
    ),
    Example(
        "PBS-MOUNT-05",
        "fail",
        {"mount.options": ["rw", "noatime", "sync"]},
        "forbidden and present: noatime, sync",
        f"mount -o remount,relatime,async {TANK}",
        "critical",
        contract(options_forbidden=["noatime", "sync"], severity="critical"),
    ),
    Example(
        "PBS-MOUNT-05",
        "fail",
        {"mount.super_options": ["ro"]},
        "required and missing: rw",
        ask=contract(options=["rw"]),
    ),
    Example("PBS-MOUNT-05", "unknown", NO_MOUNT, ask=contract(options=["rw"])),
    Example("PBS-MOUNT-05", "skip", {}, "No options are declared"),
    Example("PBS-MOUNT-05", "skip", {}, "No options are declared", ask=contract(fstype="ext4")),
    # --- live as written
    # fusermount adds nosuid and nodev; nobody writes them.
    *(
        Example(
            "PBS-MOUNT-06",
            "pass",
            {
                "mount.fstype": fstype,
                "persistent.0.options": ["defaults"],
                "mount.options": ["rw", "nosuid", "nodev", "relatime"],
            },
        )
        for fstype in ("fuse", "fuse.mergerfs", "fuseblk")
    ),
    Example(
        "PBS-MOUNT-06",
        "fail",
        {
            "mount.fstype": "fuse.mergerfs",
            "persistent.0.options": ["defaults"],
            "mount.options": ["rw", "noexec", "relatime"],
        },
        "live noexec, written exec",
    ),
    *(
        Example("PBS-MOUNT-06", "pass", {"persistent.0.options": written, "mount.options": live})
        for written, live in (
            (["defaults"], ["rw", "relatime"]),
            (["noatime", "nofail"], ["rw", "noatime"]),
            (["ro", "rw"], ["rw", "relatime"]),  # the last one wins
            (["strictatime"], ["rw"]),
            (["user"], ["rw", "nosuid", "nodev", "noexec", "relatime"]),  # implied
            (["users", "exec"], ["rw", "nosuid", "nodev", "relatime"]),
            # A bind mount keeps the flags of its source; only what is written asks for something.
            (["bind"], ["rw", "noatime", "nosuid", "nodev"]),
            (["defaults", "bind"], ["ro", "noexec"]),
            (["rbind", "nofail"], ["rw", "noatime"]),
            (["bind", "nosuid"], ["rw", "noatime", "nosuid"]),
            (["bind", "ro"], ["ro", "noatime"]),
        )
    ),
    *(
        Example(
            "PBS-MOUNT-06",
            "fail",
            {"persistent.0.options": written, "mount.options": live},
            ["than /etc/fstab says", says],
            [f"mount -o remount {TANK}", "written in /etc/fstab, or correct that file"],
            "medium",
        )
        for written, live, says in (
            (["defaults"], ["rw", "noatime"], "live noatime, written relatime"),
            (["noatime"], ["rw", "relatime"], "live relatime, written noatime"),
            (["ro"], ["rw", "relatime"], "live rw, written ro"),
            (["defaults"], ["ro", "relatime"], "live ro, written rw"),
            (["bind", "ro"], ["rw", "relatime"], "live rw, written ro"),
            (["bind", "noatime"], ["rw", "relatime"], "live relatime, written noatime"),
            (["bind", "nodev"], ["rw", "relatime"], "live dev, written nodev"),
            (["defaults"], ["rw", "relatime", "nodev"], "live nodev, written dev"),
            (["nosuid"], ["rw", "relatime"], "live suid, written nosuid"),
        )
    ),
    Example("PBS-MOUNT-06", "unknown", {"persistent": None}),
    Example("PBS-MOUNT-06", "skip", {"persistent": []}, "PBS-MOUNT-02"),
    # --- 65,538 entries in one directory
    Example("PBS-MOUNT-07", "pass", {"dir_nlink": None}, "All 65,536 prefix directories are there"),
    Example("PBS-MOUNT-07", "pass", EMPTY, "ext4 with dir_nlink"),
    *(
        Example("PBS-MOUNT-07", "pass", {**EMPTY, "mount.fstype": fstype, "dir_nlink": None})
        for fstype in ("xfs", "btrfs", "zfs")
    ),
    Example(
        "PBS-MOUNT-07",
        "fail",
        {**EMPTY, "dir_nlink": False},
        ["without dir_nlink ends at 64,998", "65,536"],
        ["type=offline\numount", "tune2fs -O dir_nlink /dev/sdb1\ne2fsck -fy /dev/sdb1\nmount"],
        "critical",
    ),
    Example("PBS-MOUNT-07", "fail", {**EMPTY, "mount.fstype": "ext3"}, "ext3 ends at about 32,000", "Move to ext4"),
    Example("PBS-MOUNT-07", "fail", {**EMPTY, "mount.fstype": "vfat"}, "vfat cannot hold 65,538", "ext4"),
    Example("PBS-MOUNT-07", "unknown", {**EMPTY, "dir_nlink": None}, "could not be read from /dev/sdb1"),
    Example("PBS-MOUNT-07", "unknown", {**EMPTY, "mount.fstype": "nfs4"}, "a directory of nfs4 can have is unknown"),
    Example("PBS-MOUNT-07", "skip", NOT_MADE_YET),
    # --- space and inodes
    Example("PBS-MOUNT-08", "pass", says=["50 % of the bytes", "82 % of the inodes"]),
    Example("PBS-MOUNT-08", "pass", {"space.inodes_total": 0, "space.inodes_available": 0}, "inodes without limit"),
    # CephFS has no number of inodes; f_ffree is 2^64 - 1.
    Example("PBS-MOUNT-08", "pass", {"space": SpaceFacts(1000, 500, 1511, -1)}, "inodes without limit"),
    Example("PBS-MOUNT-08", "pass", {**EMPTY, "space": SpaceFacts(2**40, 2**39, 1511, -1)}, "inodes without limit"),
    Example("PBS-MOUNT-08", "pass", {"space": SpaceFacts(1000, 500, 10, 11)}, "inodes without limit"),
    Example(
        "PBS-MOUNT-08",
        "pass",
        {"mount.fstype": "fuse.rclone", "space": SpaceFacts(1000, 500, 10**9, 0)},
        "inodes without limit",
    ),
    Example(
        "PBS-MOUNT-08",
        "pass",
        {"mount.fstype": "fuse", "mount.source": "mfs#host:9421", "space": SpaceFacts(1000, 500, 10**9, 0)},
        "inodes without limit",
    ),
    Example("PBS-MOUNT-08", "fail", {"space": SpaceFacts(1000, 500, 10**9, 0)}, "0.0 % of the inodes"),
    Example("PBS-MOUNT-08", "pass", {"space": SpaceFacts(1000, 100, 1000, 100)}),
    *(
        Example(
            "PBS-MOUNT-08",
            "fail",
            refused("EDQUOT", 122, "Disk quota exceeded", "create")
            | {"mount.fstype": fstype, "mount.source": source, "space.inodes_total": 0},
            ["50 % of the bytes and 100 % of the inodes are free, but no file could be made", TANK, "EDQUOT"],
            remedy,
        )
        for fstype, source, remedy in (
            ("ext4", "/dev/sdb1", f"Raise the quota of 'backup' on {TANK}"),
            ("nfs4", "nas:/x", "Raise the quota of 'backup' on the file server"),
            ("btrfs", "/dev/sdb1", f"btrfs qgroup show -reF {TANK}"),
            ("zfs", "rpool/tank", "zfs get quota,refquota,userquota@backup rpool/tank"),
        )
    ),
    Example(
        "PBS-MOUNT-08",
        "fail",
        refused("ENOSPC", 28, "No space left on device", "create") | {"space": None},
        [f"No file could be made as uid 34 in {TANK}", "ENOSPC"],
        "Free space or inodes",
    ),
    *(
        Example("PBS-MOUNT-08", status, {"space": SpaceFacts(*figures)}, says, "grow the filesystem", "high")
        for status, figures, says in (
            ("fail", (10000, 499, 1000, 500), ["4.9 % of the bytes are free", "required are 5 %"]),
            ("fail", (1000, 500, 100000, 4999), ["4.9 % of the inodes are free", "required are 5 %"]),
            ("warn", (1000, 50, 1000, 500), ["5.0 % of the bytes are free", "below 10 %"]),
            ("warn", (1000, 500, 1000, 99), ["9.9 % of the inodes are free", "below 10 %"]),
            ("fail", (1000, 0, 0, 0), "0.0 % of the bytes"),
        )
    ),
    Example(
        "PBS-MOUNT-08",
        "fail",
        {},
        "required are 60 %",
        ask={"policy": {"space_fail_percent": 60, "space_warn_percent": 70}},
    ),
    Example(
        "PBS-MOUNT-08",
        "fail",
        {**EMPTY, "space": SpaceFacts(500 * MIB, 400 * MIB, 65536, 65526)},
        ["65,526 inodes free", "needs 65,537"],
        "mkfs.ext4 -N",
    ),
    Example(
        "PBS-MOUNT-08",
        "fail",
        {**EMPTY, "space": SpaceFacts(512 * MIB, 256 * MIB, 70000, 69989)},
        "256 MiB free; a new datastore needs 257 MiB on ext4",
    ),
    Example(
        "PBS-MOUNT-08", "pass", {**EMPTY, "space": SpaceFacts(512 * MIB, 256 * MIB, 0, 0), "mount.fstype": "btrfs"}
    ),
    Example("PBS-MOUNT-08", "unknown", {"space": SpaceFacts(0, 0, 0, 0)}, "does not report its size"),
    Example("PBS-MOUNT-08", "unknown", not_looked_at(), "gave no answer"),
    Example("PBS-MOUNT-08", "skip", NOT_MADE_YET),
    # --- network mounts
    Example("PBS-MOUNT-09", "pass", on("nfs4", "hard", "local_lock=none"), "The NFS mount is hard"),
    Example("PBS-MOUNT-09", "pass", on("nfs", "hard", "local_lock=flock")),
    *(
        Example("PBS-MOUNT-09", "fail", on("nfs4", option), [says, TANK], remedy, "high")
        for option, says, remedy in (
            ("soft", "verify renames good chunks", "`hard`"),
            ("softerr", "verify renames good chunks", "`hard`"),
            ("nolock", "locks stay on this client", "`lock,local_lock=none`"),
            ("local_lock=all", "locks stay on this client", "`lock,local_lock=none`"),
            ("local_lock=posix", "locks stay on this client", "`lock,local_lock=none`"),
        )
    ),
    Example("PBS-MOUNT-09", "fail", on("nfs", "soft", "nolock"), ["soft:", "locks stay"], "`hard` and `lock"),
    Example("PBS-MOUNT-09", "pass", on("cifs", "soft", "uid=34", "forceuid", "gid=34", "forcegid"), "CIFS"),
    Example("PBS-MOUNT-09", "pass", on("smb3", "uid=0", "noforceuid", "gid=0", "noforcegid")),
    Example(
        "PBS-MOUNT-09",
        "fail",
        on("cifs", "uid=0", "forceuid", "gid=0", "forcegid"),
        ["uid is forced to 0, 'backup' is 34", "gid is forced to 0, 'backup' is 34"],
        "uid=34,gid=34,forceuid,forcegid",
    ),
    Example(
        "PBS-MOUNT-09",
        "fail",
        on("cifs", "uid=0", "noforceuid", "gid=0", "noforcegid", "nounix", "serverino"),
        ["uid of every file is (without UNIX extensions) 0, 'backup' is 34"],
        "uid=34,gid=34,forceuid,forcegid",
    ),
    Example("PBS-MOUNT-09", "pass", on("cifs", "uid=0", "noforceuid", "gid=0", "noforcegid", "nounix", "cifsacl")),
    Example(
        "PBS-MOUNT-09",
        "warn",
        {"root_refused": "EACCES: Permission denied"},
        [f"Root has no access to {TANK} (EACCES: Permission denied), only 'backup' has"],
        ["no_root_squash", "allow_other"],
        "medium",
    ),
    Example("PBS-MOUNT-09", "fail", on("cifs", "nobrl"), "nobrl: locks do not reach the server", "without nobrl"),
    Example("PBS-MOUNT-09", "warn", on("cifs", "noserverino"), "inode numbers", "serverino", "medium"),
    Example("PBS-MOUNT-09", "unknown", on("cifs", "uid=0", "forceuid", **{"host.account.uid": None}), "PBS-HOST-01"),
    Example("PBS-MOUNT-09", "unknown", NO_MOUNT),
    Example("PBS-MOUNT-09", "skip", {"mount.fstype": "xfs"}, "xfs is not a network filesystem"),
    # --- what the daemon sees
    Example("PBS-MOUNT-10", "pass"),
    Example(
        "PBS-MOUNT-10",
        "fail",
        {"daemon_views.1.same": False, "daemon_views.1.detail": "there it is on /dev/sda1, mounted at /"},
        ["proxmox-backup-proxy.service (process 701)", "there it is on /dev/sda1"],
        "systemctl restart proxmox-backup proxmox-backup-proxy",
        "high",
    ),
    Example(
        "PBS-MOUNT-10",
        "fail",
        {"daemon_views.1.options": ["ro", "relatime"]},
        f"proxmox-backup-proxy.service (process 701) sees {TANK} read-only",
        f"ReadWritePaths={TANK}",
    ),
    Example("PBS-MOUNT-10", "pass", {"daemon_views.1.options": ["ro"], "mount.options": ["ro"]}),
    Example(
        "PBS-MOUNT-10",
        "unknown",
        {"daemon_views.0.same": None, "daemon_views.0.detail": "EACCES: Permission denied"},
        ["proxmox-backup.service", "EACCES"],
    ),
    Example("PBS-MOUNT-10", "unknown", {"daemon_views": []}, "No running daemon"),
    Example("PBS-MOUNT-10", "skip", PBS_IS_NOT_HERE),
    # --- who waits for whom
    Example("PBS-MOUNT-11", "pass", says=f"RequiresMountsFor={TANK}"),
    Example(
        "PBS-MOUNT-11",
        "fail",
        {"unit_order.0.waits": False},
        f"proxmox-backup.service does not wait for {TANK}",
        f"RequiresMountsFor={TANK}",
        "medium",
    ),
    Example(
        "PBS-MOUNT-11",
        "fail",
        {"unit_order.0.waits": False, "unit_order.1.waits": False},
        "proxmox-backup.service and proxmox-backup-proxy.service do not wait",
    ),
    Example(
        "PBS-MOUNT-11", "unknown", {"unit_order.1.waits": None, "unit_order.1.error": "no such unit"}, "no such unit"
    ),
    Example("PBS-MOUNT-11", "unknown", {"unit_order": []}),
    # A program that does not answer is not a file server that does not answer.
    Example(
        "PBS-MOUNT-11",
        "unknown",
        {"unit_order.1.waits": None, "unit_order.1.error": "systemctl: no answer in 10 s"},
        "systemctl: no answer in 10 s",
        ["why this program does not answer", "The datastore is not the cause", "systemctl is-system-running"],
    ),
    Example("PBS-MOUNT-11", "skip", ON_ROOT, "always there first"),
    Example("PBS-MOUNT-11", "skip", REMOVABLE, "removable datastores itself"),
    Example("PBS-MOUNT-11", "skip", PBS_IS_NOT_HERE),
    # --- one real directory each: text first, then links, binds and `..`
    Example("PBS-MOUNT-12", "pass", ask={"others": [store("vault", 1)]}),
    *(
        Example(
            "PBS-MOUNT-12",
            status,
            {"path": "/mnt/a/b", "location.realpath": "/mnt/a/b", "mount.mount_point": "/mnt"},
            says,
            "a directory of its own" if status == "fail" else "",
            "critical",
            {"others": [at(path, realpath, **{"mount.mount_point": "/mnt"})]},
        )
        for path, realpath, status, says in (
            ("/mnt/a/b", "", "fail", "'tank' and 'vault' are one directory"),
            ("/mnt/a", "", "fail", "/mnt/a/b lies inside /mnt/a."),
            ("/mnt/a/b/c", "", "fail", "/mnt/a/b/c lies inside /mnt/a/b."),
            ("/mnt/a/bc", "", "pass", "No other datastore"),
            ("/mnt/a/c", "", "pass", "No other datastore"),
            ("/mnt/a/../a/b2", "/mnt/a/b2", "pass", "No other datastore"),
            ("/mnt/a/../a/b", "/mnt/a/b", "fail", "are one directory"),
            ("/srv/link", "/mnt/a/b", "fail", "are one directory"),
            ("/srv/link", "/mnt/a/b/inner", "fail", "/srv/link lies inside /mnt/a/b"),
        )
    ),
    Example(
        "PBS-MOUNT-12",
        "fail",
        {},
        "are one directory (device 2050, inode 2)",
        ask={"others": [at("/srv/other", **{"location.ino": 2})]},
    ),
    Example(  # a bind mount of a directory inside the datastore
        "PBS-MOUNT-12",
        "fail",
        {},
        f"/srv/bound lies inside {TANK}",
        ask={"others": [at("/srv/bound", **{"mount.mount_point": "/srv/bound", "mount.root": "/ns/deep"})]},
    ),
    Example(  # the same directory of another filesystem
        "PBS-MOUNT-12",
        "pass",
        {},
        ask={"others": [at("/srv/b", **{"mount.mount_point": "/srv/b", "mount.device": "8:9", "location.dev": 2057})]},
    ),
    *(
        Example("PBS-MOUNT-12", status, REMOVABLE, says, ask={"others": [removable("vault", path, mounted=mounted)]})
        for path, mounted, status, says in (
            ("x/y", False, "fail", "are nested"),
            ("x", False, "fail", "are one directory"),
            ("", False, "fail", "are nested"),
            ("xy", False, "pass", "No other datastore"),
        )
    ),
    Example(
        "PBS-MOUNT-12",
        "fail",
        not_looked_at(),
        f"{TANK}/below lies inside {TANK}",
        ask={"others": [at(TANK + "/below")]},
    ),
    Example("PBS-MOUNT-12", "unknown", not_looked_at(), "gave no answer", ask={"others": [store("vault", 1)]}),
    Example(
        "PBS-MOUNT-12",
        "unknown",
        {},
        "vault did not answer",
        ask={"others": [change(store("vault", 0), not_looked_at())]},
    ),
    Example("PBS-MOUNT-12", "skip", UNMOUNTED),
    # --- record locks
    Example("PBS-MOUNT-13", "pass", says="private file"),
    Example(
        "PBS-MOUNT-13",
        "fail",
        {"lock.works": False, "lock.error": "ENOLCK: No locks available"},
        "ENOLCK",
        ["rpc.statd", "nolock", "nobrl"],
        "high",
    ),
    Example(
        "PBS-MOUNT-13",
        "fail",
        {"lock.works": False, "lock.error": "the lock was granted, but another open file does not see it"},
        "another open file does not see it",
    ),
    Example(
        "PBS-MOUNT-13", "unknown", {"lock.works": None, "lock.not_tried": "check mode changes nothing"}, "check mode"
    ),
    Example("PBS-MOUNT-13", "unknown", not_looked_at(), "gave no answer"),
    Example("PBS-MOUNT-13", "skip", NOT_MADE_YET),
    # Another filesystem answers for itself, whatever the datastore on this one does.
    Example("PBS-MOUNT-12", "pass", {}, "", ask={"others": [change(store("vault", 1), not_looked_at())]}),
    # What is declared is not mounted: rules about it do not judge what is mounted in its place.
    *(
        Example(
            control,
            "skip",
            {"mount.is_root": True, "mount.mount_point": "/", "declared_source_matches": False, **changes},
            "is not mounted (PBS-MOUNT-01)",
            ask={
                "declared": {
                    "name": "tank",
                    "path": TANK,
                    "mount": {"source": "UUID=ffff", "path": TANK, "options": ["noatime"]},
                }
            },
        )
        for control, changes in (
            ("PBS-MOUNT-05", {}),
            ("PBS-MOUNT-06", {}),
            ("PBS-MOUNT-08", {"space.bytes_available": 0}),
        )
    ),
    # Names of disks that follow the order in which they are found.
    *(
        Example("PBS-MOUNT-02", status, {"persistent.0.source": source}, says)
        for source, status, says in (
            ("/dev/sdb1", "warn", "mounts /dev/sdb1 at boot"),
            ("/dev/nvme0n1p2", "warn", "may name another disk"),
            ("/dev/vdb", "warn", ""),
            ("/dev/mapper/vg-tank", "pass", ""),
            ("/dev/disk/by-id/ata-1", "pass", ""),
            ("LABEL=tank", "pass", ""),
        )
    ),
]
