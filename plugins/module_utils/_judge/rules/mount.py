# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about where a datastore lives (PBS-MOUNT-*)."""

from __future__ import annotations

import errno
import os.path
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import MountFacts, PersistentMount, SpaceFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import StoreFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.causes import (
    NETWORK,
    damaged,
    explain,
    read_only,
    read_only_cause,
    said_elsewhere,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import (
    Case,
    Evidence,
    NotObserved,
    Rule,
    Verdict,
    counted,
    failed,
    in_shell,
    owners_by_mount,
    passed,
    skipped,
    unknown,
    warned,
)

PREFIXES = 65536
MIB = 1024 * 1024

NEW_STORE_INODES = 65537
NEW_STORE_BYTES = {"ext2": 257 * MIB, "ext3": 257 * MIB, "ext4": 257 * MIB, "xfs": 34 * MIB}
"""What an empty datastore was measured to take, before the first backup."""

GOOD = frozenset(("ext4", "xfs", "btrfs", "zfs", "nfs", "nfs4", "cifs", "smb3", "ceph", "f2fs", "bcachefs", "jfs"))
UNFIT = {
    "vfat": "it has no owners, and keeps a date instead of an access time",
    "msdos": "it has no owners, and keeps a date instead of an access time",
    "exfat": "it has no owners and coarse access times",
    "ext2": "a directory holds at most about 32,000 others",
    "ext3": "a directory holds at most about 32,000 others",
    "minix": "a directory holds too few others",
    "tmpfs": "its content is gone after a reboot",
    "ramfs": "its content is gone after a reboot",
    "squashfs": "it can never be written to",
    "erofs": "it can never be written to",
    "iso9660": "it can never be written to",
    "udf": "it is made for discs that are written once",
}
OBJECT_STORES = frozenset(
    "fuse." + name
    for name in (
        "s3fs",
        "goofys",
        "rclone",
        "s3ql",
        "gcsfuse",
        "blobfuse",
        "blobfuse2",
        "geesefs",
        "mountpoint-s3",
        "juicefs",
    )
)
ANY_SIZE = frozenset(("xfs", "btrfs", "zfs", "f2fs", "bcachefs", "tmpfs", "ceph"))
"""Filesystems whose directories have no limit that a chunk store would meet."""

ATIME_OPTIONS = ("noatime", "strictatime", "relatime")
FLAGS = (("nosuid", "suid"), ("nodev", "dev"), ("noexec", "exec"), ("sync", "async"), ("nodiratime", "diratime"))
IMPLIED = {
    "user": ("noexec", "nosuid", "nodev"),
    "users": ("noexec", "nosuid", "nodev"),
    "owner": ("nosuid", "nodev"),
    "group": ("nosuid", "nodev"),
}
"""What mount(8) adds where others than root may mount."""
BOOT_ONLY = ("noauto", "nofail", "user", "users", "owner", "group", "defaults", "auto", "nouser", "loop")


def _mount(case: Case) -> MountFacts:
    return t.cast(MountFacts, case.need("mount"))


def _evidence(mount: MountFacts) -> Evidence:
    return {
        "mount_point": mount.mount_point,
        "source": mount.source,
        "fstype": mount.fstype,
        "options": mount.options,
        "super_options": mount.super_options,
    }


def _contract(case: Case) -> t.Mapping[str, t.Any]:
    """The C(mount) part of the declaration; empty where there is none."""
    return (case.declared or {}).get("mount") or {}


# --- where it is --------------------------------------------------------------------------------------------------------


def declared_mount(case: Case) -> Verdict:
    mount = _mount(case)
    contract = _contract(case)
    path = case.the_store.path
    waiting = _mounted_at_boot_only(case, mount)
    if waiting is not None:
        return failed(
            "%s mounts %s at %s at boot, but it is not mounted now: %s lies on %s (mounted at %s)."
            % (waiting.file, waiting.source, waiting.where, path, mount.source, mount.mount_point),
            "mount %s, and find out why it was not mounted; do not run GC or backups before." % in_shell(waiting.where),
            **_evidence(mount),
        )
    point, source = contract.get("path"), contract.get("source")
    matches = case.the_store.declared_source_matches
    if mount.is_root and not point and matches is not True:
        return failed(
            "%s lies on the root filesystem (%s on /)%s."
            % (path, mount.fstype, ", declared is %s" % source if source else ""),
            "Mount a filesystem of its own there. If one should be mounted, it is not: do not run GC or backups now.",
            severity="" if source else "medium",
            **_evidence(mount),
        )
    if not contract:
        return passed("%s is on %s, mounted at %s." % (path, mount.source, mount.mount_point), **_evidence(mount))
    wrong = []
    if point and os.path.normpath(point) != mount.mount_point:
        wrong.append("it is on the mount at %s, declared is %s" % (mount.mount_point, point))
    if contract.get("fstype") and not _same_fstype(contract["fstype"], mount.fstype):
        wrong.append("filesystem %s, declared is %s" % (mount.fstype, contract["fstype"]))
    if source and matches is False:
        wrong.append("%s is mounted, declared is %s" % (mount.source, source))
    if wrong:
        return failed(
            "%s is not on the declared mount: %s." % (path, "; ".join(wrong)),
            "mount %s, and find out why it was not mounted; do not run GC or backups before." % in_shell(point or path),
            declared=dict(contract),
            **_evidence(mount),
        )
    if source and matches is None:
        return unknown(
            "Whether %s is the declared %s could not be found out." % (mount.source, source),
            "Declare the source as UUID=… or as a path below /dev/disk.",
            **_evidence(mount),
        )
    return passed(
        "%s is on the declared mount (%s at %s)." % (path, mount.source, mount.mount_point), **_evidence(mount)
    )


def _same_fstype(declared: str, live: str) -> bool:
    alike = {"nfs4": "nfs", "smb3": "cifs"}
    return alike.get(declared, declared) == alike.get(live, live) or live == "fuse." + declared


def _own_persistent(case: Case, mount: MountFacts) -> t.List[PersistentMount]:
    return [entry for entry in case.need("persistent") if entry.where == mount.mount_point]


def _mounted_at_boot_only(case: Case, mount: MountFacts) -> t.Optional[PersistentMount]:
    """What will be mounted at boot between the present mount and the datastore, and is not mounted now."""
    for entry in case.the_store.persistent or ():
        automatic = entry.kind != "pbs" and entry.active_at_boot and entry.source_matches is not True
        if automatic and _below(entry.where, mount.mount_point):
            return entry
    return None


def persistent(case: Case) -> Verdict:
    if _contract(case).get("persistent") is False:
        return skipped("The declaration does not want this mount to be persistent.")
    mount = _mount(case)
    entries = _own_persistent(case, mount)
    if mount.is_root:
        return skipped("The root filesystem always comes back.")
    evidence: Evidence = {
        "entries": [
            {"kind": e.kind, "where": e.where, "source": e.source, "file": e.file, "active_at_boot": e.active_at_boot}
            for e in entries
        ],
        **_evidence(mount),
    }
    if mount.deleted:
        return failed(
            "The directory that is mounted at %s was removed from its filesystem: nothing can mount it again."
            % mount.mount_point,
            "Copy what is needed while it is still mounted (cp -a), then make the directory and the mount anew.",
            **evidence,
        )
    if not entries and case.host.container:
        return warned(
            "%s is mounted from outside of this container (%s); whether it comes back is decided there."
            % (mount.mount_point, case.host.container),
            "Look at the container's configuration on the outer host (a mount point of LXC, a bind of systemd-nspawn).",
            severity="low",
            **evidence,
        )
    if not entries:
        return failed(
            "Nothing mounts %s at boot: no line in /etc/fstab, no .mount unit, no ZFS dataset." % mount.mount_point,
            "Add a line to /etc/fstab (by UUID) or enable a .mount unit; the `mounts` role does it.",
            **evidence,
        )
    good = [entry for entry in entries if entry.active_at_boot and entry.source_matches is not False]
    good.sort(key=lambda entry: entry.source_matches is None)
    if good:
        first = good[0]
        if first.source_matches is None and first.kind in ("fstab", "systemd"):
            return warned(
                "%s mounts %s at boot; whether that is what is mounted now (%s) could not be found out."
                % (first.file, first.source, mount.source),
                "Write the source as UUID=….",
                severity="low",
                **evidence,
            )
        return passed(
            "%s comes back after a reboot (%s: %s)." % (mount.mount_point, first.kind, first.file), **evidence
        )
    other = [entry for entry in entries if entry.source_matches is False]
    if other:
        return failed(
            "At boot %s mounts %s at %s; mounted now is %s."
            % (other[0].file, other[0].source, mount.mount_point, mount.source),
            "Correct %s, or mount what it names." % other[0].file,
            **evidence,
        )
    undecided = [entry for entry in entries if entry.active_at_boot is None]
    if undecided:
        return unknown(
            "Whether %s is active at boot could not be found out: %s."
            % (undecided[0].file, undecided[0].detail or "no answer"),
            **evidence,
        )
    return failed(
        "%s knows %s, but does not mount it at boot (%s)."
        % (entries[0].file, mount.mount_point, entries[0].detail or "not active at boot"),
        _activate(entries[0]),
        **evidence,
    )


def _activate(entry: PersistentMount) -> str:
    """What makes an entry count at boot."""
    if entry.kind == "zfs":
        return "zfs set canmount=on %s" % in_shell(entry.file)
    if entry.kind == "systemd":
        return "systemctl enable %s" % in_shell(os.path.basename(entry.file))
    if entry.kind == "fstab":
        return "Remove `noauto` from the line for %s in %s, or what overrides it." % (entry.where, entry.file)
    return "Unmask %s." % entry.file


def filesystem(case: Case) -> Verdict:
    mount = _mount(case)
    kind = mount.fstype
    move = "Move the datastore to ext4, xfs, ZFS or btrfs."
    if kind in UNFIT:
        return failed("%s cannot carry a chunk store: %s." % (kind, UNFIT[kind]), move, **_evidence(mount))
    if kind in OBJECT_STORES or (kind == "fuse" and "fuse." + mount.source in OBJECT_STORES):
        kind = kind if kind in OBJECT_STORES else "%s (fuse)" % mount.source
        return failed(
            "%s shows an object store as a filesystem: owners, access times and locks are only pretended." % kind,
            "Use PBS's own S3 backend (since 4.0), with a local cache.",
            severity="high",
            **_evidence(mount),
        )
    if kind == "autofs":
        return unknown("%s is not mounted yet: an automount waits there." % mount.mount_point, **_evidence(mount))
    if kind in GOOD:
        return passed("%s can carry a chunk store." % kind, **_evidence(mount))
    return warned(
        "%s is not among the filesystems that are known to carry a chunk store; the probes decide (PBS-ATIME-*)."
        % kind,
        move,
        severity="high" if kind.startswith("fuse") else "medium",
        **_evidence(mount),
    )


def writable(case: Case) -> Verdict:
    mount = _mount(case)
    half = read_only(mount)
    stopped = {"emergency_ro", "shutdown"} & set(mount.super_options)
    if stopped:
        return failed(
            "%s: the filesystem has stopped after an error (superblock option %s)."
            % (mount.mount_point, stopped.pop()),
            damaged(mount),
            half=half,
            **_evidence(mount),
        )
    if half == "filesystem":
        return failed(
            "%s: the filesystem itself is read-only (superblock option ro)." % mount.mount_point,
            read_only_cause(case.the_store)[1],
            half=half,
            **_evidence(mount),
        )
    if half == "mount":
        return failed(
            "%s: this mount is read-only (mount option ro), the filesystem below is not." % mount.mount_point,
            "mount -o remount,bind,rw %s" % in_shell(mount.mount_point),
            half=half,
            **_evidence(mount),
        )
    refused = _refused(case, _NOT_WRITABLE)
    if refused is not None:
        what, remedy = refused
        return failed("%s is mounted read-write, but %s." % (mount.mount_point, what), remedy, **_evidence(mount))
    return passed("%s is mounted read-write." % mount.mount_point, **_evidence(mount))


_NOT_WRITABLE = (errno.EROFS, errno.EIO, errno.ENXIO, errno.EUCLEAN, errno.ESHUTDOWN)
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def _refused(case: Case, numbers: t.Sequence[int]) -> t.Optional[t.Tuple[str, str]]:
    """What the probe could not do, and what mends it, if it was stopped by one of these errors; None if it was not."""
    atime = case.the_store.atime
    for touch in (atime.probe, atime.zero_chunk) if atime is not None else ():
        if touch is not None and touch.errno in numbers:
            explanation, remedy = explain(case, touch.errno)
            made = "made" if touch.step == "create" else "touched"
            detail = "%s: %s" % (touch.error, explanation) if explanation else touch.error
            return "no file could be %s as uid %d in %s: %s" % (made, touch.uid, case.the_store.path, detail), remedy
    return None


def options(case: Case) -> Verdict:
    contract = _contract(case)
    required, forbidden = contract.get("options") or [], contract.get("options_forbidden") or []
    if not required and not forbidden:
        return skipped("No options are declared.")
    mount = _mount(case)
    live = _in_force(mount)
    missing = [o for o in required if o not in live and o not in BOOT_ONLY and not o.startswith(("x-", "_netdev"))]
    present = [option for option in forbidden if option in live]
    severity = contract.get("severity") or ""
    if missing or present:
        parts = ["required and missing: %s" % ", ".join(missing)] if missing else []
        parts += ["forbidden and present: %s" % ", ".join(present)] if present else []
        return failed(
            "%s: %s." % (mount.mount_point, "; ".join(parts)),
            _mend_options(missing, present, mount),
            severity=severity,
            missing=missing,
            present=present,
            **_evidence(mount),
        )
    return passed("The options satisfy the contract.", **_evidence(mount))


def _in_force(mount: MountFacts) -> t.Set[str]:
    """The options that hold, with those that the kernel does not show because they are the default."""
    live = set(mount.options) | set(mount.super_options)
    if read_only(mount):
        live.discard("rw")
    if not live & {"noatime", "relatime"}:
        live.add("strictatime")
    live.update(opposite for flag, opposite in (*FLAGS, ("noatime", "atime")) if flag not in live)
    return live


def _mend_options(missing: t.Sequence[str], present: t.Sequence[str], mount: MountFacts) -> str:
    parts = []
    if missing:
        parts.append("mount -o remount,%s" % in_shell(",".join(missing), mount.mount_point))
    if present:
        parts.append("remount %s without %s" % (mount.mount_point, ", ".join(present)))
    return "%s; and the same where the mount is made at boot." % "; ".join(parts)


def options_persist(case: Case) -> Verdict:
    mount = _mount(case)
    entries = [
        entry
        for entry in _own_persistent(case, mount)
        if entry.kind in ("fstab", "systemd") and entry.active_at_boot and entry.source_matches is not False
    ]
    if not entries:
        return skipped("No line of /etc/fstab and no unit to compare with (PBS-MOUNT-02).")
    entry = entries[0]
    differences = _option_differences(entry.options, mount)
    evidence: Evidence = {"persistent": entry.options, "file": entry.file, **_evidence(mount)}
    if differences:
        return failed(
            "%s is mounted otherwise than %s says: %s." % (mount.mount_point, entry.file, "; ".join(differences)),
            "mount -o remount %s, or correct %s." % (in_shell(mount.mount_point), entry.file),
            differences=differences,
            **evidence,
        )
    return passed("The live options are those of %s." % entry.file, **evidence)


def _option_differences(written: t.Sequence[str], mount: MountFacts) -> t.List[str]:
    """Compare what the kernel shows of an option list; the last of contradicting options wins, as mount(8) has it."""
    live = set(mount.options)
    written = [part for option in written for part in (*IMPLIED.get(option, ()), option)]
    differences = []
    wants_ro = _last(written, ("ro", "rw"), "rw") == "ro"
    if wants_ro != bool(read_only(mount)):
        differences.append("live %s, written %s" % (("rw", "ro") if wants_ro else ("ro", "rw")))
    wanted_atime = _last(written, ATIME_OPTIONS, "relatime")
    live_atime = next((option for option in ATIME_OPTIONS if option in live), "strictatime")
    if wanted_atime != live_atime:
        differences.append("live %s, written %s" % (live_atime, wanted_atime))
    for flag, opposite in FLAGS:
        wanted = _last(written, (flag, opposite), opposite) == flag
        present = flag in live or flag in mount.super_options
        if wanted != present:
            differences.append("live %s, written %s" % ((flag, opposite) if present else (opposite, flag)))
    return differences


def _last(written: t.Sequence[str], choices: t.Sequence[str], default: str) -> str:
    found = [option for option in written if option in choices]
    return found[-1] if found else default


# --- what it offers -----------------------------------------------------------------------------------------------------


def directory_limit(case: Case) -> Verdict:
    skeleton = case.the_store.skeleton
    if skeleton is not None and skeleton.prefixes >= PREFIXES:
        return passed("All 65,536 prefix directories are there.")
    mount = _mount(case)
    dir_nlink = case.the_store.dir_nlink
    evidence: Evidence = {"fstype": mount.fstype, "dir_nlink": dir_nlink}
    if mount.fstype in ("ext2", "ext3"):
        return failed("%s ends at about 32,000 directories in one." % mount.fstype, "Move to ext4.", **evidence)
    if mount.fstype == "ext4":
        if dir_nlink is None:
            return unknown("Whether ext4 has dir_nlink could not be read from %s." % mount.source, **evidence)
        if not dir_nlink:
            return failed(
                "ext4 without dir_nlink ends at 64,998 directories in one; a chunk store has 65,536.",
                "Unmounted: tune2fs -O dir_nlink %s && e2fsck -f %s" % (in_shell(mount.source), in_shell(mount.source)),
                **evidence,
            )
        return passed("ext4 with dir_nlink.", **evidence)
    if mount.fstype in ANY_SIZE:
        return passed("%s has no such limit." % mount.fstype, **evidence)
    if mount.fstype in UNFIT:
        return failed(
            "%s cannot hold 65,538 entries in one directory." % mount.fstype, "Move to ext4, xfs or ZFS.", **evidence
        )
    return unknown(
        "How many entries a directory of %s holds is not known here; creation would tell." % mount.fstype, **evidence
    )


def space(case: Case) -> Verdict:
    refused = _refused(case, _NO_ROOM)
    if refused is not None and case.the_store.space is None:
        return failed("%s." % (refused[0][0].upper() + refused[0][1:]), refused[1])
    found: SpaceFacts = case.need("space")
    policy = case.policy
    evidence: Evidence = {
        "bytes_total": found.bytes_total,
        "bytes_available": found.bytes_available,
        "inodes_total": found.inodes_total,
        "inodes_available": found.inodes_available,
    }
    skeleton = case.the_store.skeleton
    if skeleton is not None and skeleton.state in ("absent", "empty"):
        short = _too_small_for_creation(case, found)
        if short:
            return failed(
                "%s." % short, "Use a larger filesystem, or make it with more inodes (mkfs.ext4 -N).", **evidence
            )
    if not found.bytes_total:
        return unknown("The filesystem says nothing about its size.", **evidence)
    bytes_free = _percent(found.bytes_available, found.bytes_total)
    inodes_free = _percent(found.inodes_available, found.inodes_total) if found.inodes_total else 100.0
    evidence.update(bytes_free_percent=bytes_free, inodes_free_percent=inodes_free)
    remedy = "Prune and collect garbage, or grow the filesystem."
    for what, free, fail in (
        ("bytes", bytes_free, policy.space_fail_percent),
        ("inodes", inodes_free, policy.inodes_fail_percent),
    ):
        if free < fail:
            return failed("%.1f %% of the %s are free; required are %g %%." % (free, what, fail), remedy, **evidence)
    if refused is not None:
        return failed(
            "%.0f %% of the bytes and %.0f %% of the inodes are free, but %s." % (bytes_free, inodes_free, refused[0]),
            refused[1],
            **evidence,
        )
    for what, free, warn in (
        ("bytes", bytes_free, policy.space_warn_percent),
        ("inodes", inodes_free, policy.inodes_warn_percent),
    ):
        if free < warn:
            return warned(
                "%.1f %% of the %s are free; below %g %% it is time to act." % (free, what, warn), remedy, **evidence
            )
    inodes_text = "%.0f %% of the inodes" % inodes_free if found.inodes_total else "inodes without limit"
    return passed("%.0f %% of the bytes and %s are free." % (bytes_free, inodes_text), **evidence)


def _percent(part: int, whole: int) -> float:
    """Cut, not rounded, to what is shown: 4.96 is not 5.0 where 5 are required."""
    return part * 1000 // whole / 10


def _too_small_for_creation(case: Case, found: SpaceFacts) -> str:
    mount = case.the_store.mount
    needed = NEW_STORE_BYTES.get(mount.fstype, 0) if mount is not None else 0
    if found.inodes_total and found.inodes_available < NEW_STORE_INODES:
        return "%s free; a new datastore takes 65,537" % counted(found.inodes_available, "inode")
    if found.bytes_available < needed:
        return "%d MiB free; a new datastore takes %d MiB on %s" % (
            found.bytes_available // MIB,
            needed // MIB,
            mount.fstype if mount is not None else "",
        )
    return ""


def network(case: Case) -> Verdict:
    mount = _mount(case)
    refused = case.the_store.root_refused
    if refused:
        return warned(
            "Root is refused at %s (%s), only '%s' may look. PBS works there, but it cannot create, adopt or mount the "
            "datastore anew, which it does as root." % (case.the_store.path, refused, case.host.account.user),
            "Let the server give root its rights (NFS: no_root_squash; FUSE: allow_other).",
            severity="medium",
            **_evidence(mount),
        )
    if mount.fstype not in NETWORK:
        return skipped("%s is no network filesystem." % mount.fstype)
    live = set(mount.options) | set(mount.super_options)
    if mount.fstype in ("nfs", "nfs4"):
        return _nfs(mount, live)
    return _cifs(case, mount, live)


def _nfs(mount: MountFacts, live: t.Set[str]) -> Verdict:
    problems, remedies = [], []
    if live & {"soft", "softerr"}:
        problems.append("soft: a slow server becomes an I/O error, and verify renames good chunks")
        remedies.append("`hard`")
    if live & {"nolock", "local_lock=all", "local_lock=posix"}:
        problems.append("locks stay on this client (nolock or local_lock), no other host sees them")
        remedies.append("`lock,local_lock=none`")
    if problems:
        return failed(
            "%s: %s." % (mount.mount_point, "; ".join(problems)),
            "Unmount, and mount again with %s." % " and ".join(remedies),
            problems=problems,
            **_evidence(mount),
        )
    return passed("The NFS mount is hard, and its locks reach the server.", **_evidence(mount))


def _cifs(case: Case, mount: MountFacts, live: t.Set[str]) -> Verdict:
    account = case.host.account
    problems = []
    if "nobrl" in live:
        problems.append("nobrl: locks do not reach the server")
    forced = [
        (key, option.split("=", 1)[1], wanted)
        for key, wanted in (("uid", account.uid), ("gid", account.gid))
        for option in sorted(live)
        if ("force" + key in live or owners_by_mount(mount)) and option.startswith(key + "=")
    ]
    for key, given, wanted in forced:
        if wanted is not None and given != str(wanted):
            how = "is forced to" if "force" + key in live else "of every file is (without UNIX extensions)"
            problems.append("%s %s %s, '%s' is %d" % (key, how, given, account.user, wanted))
    if problems:
        return failed(
            "%s: %s." % (mount.mount_point, "; ".join(problems)),
            "Unmount, and mount again with uid=%s,gid=%s,forceuid,forcegid and without nobrl."
            % (account.uid, account.gid),
            problems=problems,
            **_evidence(mount),
        )
    if any(wanted is None for _key, _given, wanted in forced):
        return unknown(
            "Owners are forced, and the ids of '%s' are not known (PBS-HOST-01)." % account.user, **_evidence(mount)
        )
    if "noserverino" in live:
        return warned(
            "noserverino: inode numbers are made up by the client and may change, which PBS's check takes for another file.",
            "Mount with serverino.",
            severity="medium",
            **_evidence(mount),
        )
    return passed("The locks of the CIFS mount reach the server, and no wrong owner is forced.", **_evidence(mount))


# --- who else sees it ---------------------------------------------------------------------------------------------------


def daemon_view(case: Case) -> Verdict:
    views = case.the_store.daemon_views
    if not views:
        return unknown("No running daemon could be asked what it sees at %s." % case.the_store.path)
    evidence: Evidence = {
        "views": [
            {"unit": view.unit, "pid": view.pid, "same": view.same, "detail": view.detail, "options": view.options}
            for view in views
        ]
    }
    other = [view for view in views if view.same is False]
    if other:
        return failed(
            "%s (process %d) sees something else at %s: %s."
            % (other[0].unit, other[0].pid, case.the_store.path, other[0].detail),
            "systemctl restart proxmox-backup proxmox-backup-proxy, when no backup is running.",
            **evidence,
        )
    mount = case.the_store.mount
    closed = [view for view in views if "ro" in view.options and not read_only(mount)]
    if closed:
        return failed(
            "%s (process %d) sees %s read-only, while it is read-write outside of the unit."
            % (closed[0].unit, closed[0].pid, case.the_store.path),
            "A drop-in for the unit: [Service] ReadWritePaths=%s; then restart it when no backup is running."
            % case.the_store.path,
            **evidence,
        )
    unclear = [view for view in views if view.same is None]
    if unclear:
        return unknown("What %s sees could not be found out: %s." % (unclear[0].unit, unclear[0].detail), **evidence)
    return passed("The daemons see the same mount.", **evidence)


def unit_order(case: Case) -> Verdict:
    store = case.the_store
    mount = _mount(case)
    if mount.is_root:
        return skipped("The root filesystem is always there first.")
    if store.configured is not None and store.configured.backing_device:
        return skipped("PBS mounts removable datastores itself.")
    if case.host.container and store.persistent is not None and not _own_persistent(case, mount):
        return skipped("It is mounted from outside of this container before anything starts here.")
    orders = store.unit_order
    if not orders:
        return unknown("The order of the units could not be found out.")
    evidence: Evidence = {
        "units": [{"unit": order.unit, "waits": order.waits, "by": order.by, "needs": order.needs} for order in orders]
    }
    idle = [order for order in orders if order.waits is False]
    if idle:
        return failed(
            "%s not wait for %s at boot."
            % (" and ".join(order.unit for order in idle) + (" does" if len(idle) == 1 else " do"), mount.mount_point),
            "A drop-in for both units: [Unit] RequiresMountsFor=%s (the `mounts` role writes it)." % store.path,
            **evidence,
        )
    unclear = [order for order in orders if order.waits is None]
    if unclear:
        return unknown("Whether %s waits could not be found out: %s." % (unclear[0].unit, unclear[0].error), **evidence)
    return passed("Both units wait for %s (%s)." % (mount.mount_point, orders[0].by), **evidence)


def _inside(store: StoreFacts) -> t.Optional[t.Tuple[str, str]]:
    """A datastore's real place: the device, and the path inside the filesystem, so that bind mounts do not hide it."""
    if store.mount is None or store.location is None or not store.location.exists:
        return None
    relative = os.path.relpath(store.location.realpath, store.mount.mount_point)
    return store.mount.device, os.path.normpath(os.path.join(store.mount.root, relative))


def _overlap(one: StoreFacts, two: StoreFacts) -> str:
    """How two datastores share a place; empty where they do not."""
    a, b = one.location, two.location
    if a is not None and b is not None and a.exists and b.exists and (a.dev, a.ino) == (b.dev, b.ino):
        return "are one directory (device %d, inode %d)" % (a.dev, a.ino)
    for mine, other in _places(one, two):
        if mine == other:
            return "are one directory"
        if _below(mine, other):
            return "are nested: %s lies inside %s" % (one.path, two.path)
        if _below(other, mine):
            return "are nested: %s lies inside %s" % (two.path, one.path)
    return ""


def _places(one: StoreFacts, two: StoreFacts) -> t.List[t.Tuple[str, str]]:
    """Pairs of paths of two datastores that can be compared with each other."""
    pairs = []
    if one.mounted is not False and two.mounted is not False:
        pairs.append((_real(one), _real(two)))
        here, there = _inside(one), _inside(two)
        if here is not None and there is not None and here[0] == there[0]:
            pairs.append((here[1], there[1]))
    first, second = one.configured, two.configured
    if first is not None and second is not None and first.backing_device == second.backing_device != "":
        # The paths of removable datastores are relative to their device, mounted or not.
        pairs.append(("/" + first.path.strip("/"), "/" + second.path.strip("/")))
    return pairs


def _real(store: StoreFacts) -> str:
    """The path without links; as it is written where the filesystem did not answer."""
    location = store.location
    return location.realpath if location is not None and location.exists else os.path.normpath(store.path)


def _below(path: str, parent: str) -> bool:
    return path.startswith(parent.rstrip("/") + "/")


def distinct(case: Case) -> Verdict:
    store = case.the_store
    others = [other for other in case.stores if other is not store]
    for other in others:
        how = _overlap(store, other)
        if how:
            return failed(
                "Datastores '%s' and '%s' %s." % (store.name, other.name, how),
                "Give each a directory of its own. Do not run GC on either of them before.",
                other=other.name,
                paths=[store.path, other.path],
            )
    if store.location is None or store.location.error:
        raise NotObserved(case.why_not_observed())
    unseen = [other.name for other in others if other.location is None and other.mounted is not False]
    if unseen:
        return unknown("%s did not answer, so the real directories could not be compared." % ", ".join(unseen))
    return passed("No other datastore shares or nests in %s." % _real(store))


def locks(case: Case) -> Verdict:
    found = case.need("lock")
    if found.works is None:
        atime = case.the_store.atime
        return unknown(
            "Locks in %s were not tried: %s." % (case.the_store.path, found.not_tried or "no answer"),
            said_elsewhere(atime.probe if atime is not None else None),
        )
    if not found.works:
        return failed(
            "A POSIX record lock does not work in %s: %s." % (case.the_store.path, found.error),
            "NFS: start rpc.statd and mount without nolock; CIFS: mount without nobrl; FUSE: use another filesystem.",
            error=found.error,
        )
    return passed("POSIX record locks work (tried on a private file).")


RULES: t.Dict[str, Rule] = {
    "PBS-MOUNT-01": declared_mount,
    "PBS-MOUNT-02": persistent,
    "PBS-MOUNT-03": filesystem,
    "PBS-MOUNT-04": writable,
    "PBS-MOUNT-05": options,
    "PBS-MOUNT-06": options_persist,
    "PBS-MOUNT-07": directory_limit,
    "PBS-MOUNT-08": space,
    "PBS-MOUNT-09": network,
    "PBS-MOUNT-10": daemon_view,
    "PBS-MOUNT-11": unit_order,
    "PBS-MOUNT-12": distinct,
    "PBS-MOUNT-13": locks,
}
