# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The catalog of all controls: what is checked, how bad a failure is, why it matters, and what mends it.

Ids are stable for ever; reports, waivers and dashboards refer to them. `docs/controls.md` is generated from here.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError

SEVERITIES = ("info", "low", "medium", "high", "critical")
"""From least to worst."""

BACKUP = ("NIST 800-53 CP-9", "CIS 11", "ISO 27001 A.8.13")
STORAGE = ("NIST 800-53 CP-6", "NIST 800-53 CP-9", "ISO 27001 A.8.13")
ACCESS = ("NIST 800-53 AC-6", "NIST 800-53 CP-9", "ISO 27001 A.8.13")
CLOCK = ("NIST 800-53 AU-8",)
INTEGRITY = ("NIST 800-53 SI-7", "NIST 800-53 CP-9", "ISO 27001 A.8.13")


@dataclasses.dataclass(frozen=True)
class Control:
    """One entry of the catalog."""

    id: str
    severity: str
    title: str
    why: str
    remedy: str
    behaviour: str
    """What PBS does that this control guards."""
    standards: tuple[str, ...]
    lesser_severity: str = ""
    """Given to the milder of two kinds of failure, where there are two."""
    on_s3: bool = True
    """It also applies to a datastore that is the local cache of an S3 bucket."""
    unmounted: bool = False
    """It also applies to a removable datastore whose device is not mounted."""
    needs_pbs: bool = False
    """It is about an installed PBS."""
    needs_config: bool = False
    """It is about a datastore that PBS knows."""

    @property
    def scope(self) -> str:
        """`host` or `datastore`."""
        return "host" if self.id.startswith(("PBS-HOST-", "PBS-WAIVER-")) else "datastore"


CONTROLS: tuple[Control, ...] = (
    Control(
        "PBS-HOST-01",
        "critical",
        "user and group `backup` exist, looked up by name; the user's primary group is that group",
        "The daemon that collects garbage runs as this user. PBS gives new directories the user's primary group and later "
        "demands the group of that name; where the two differ, a datastore that PBS made cannot be reused.",
        "Restore the account of Debian's base-passwd: `backup:x:34:34`, primary group `backup`.",
        "PBS looks both up by name on every use and compares numbers.",
        ACCESS,
    ),
    Control(
        "PBS-HOST-02",
        "high",
        "the clock is synchronised",
        "GC decides by time alone: a clock that jumps forward by more than the cutoff makes chunks look unused that are "
        "not, and one that jumps back makes the atime check fail.",
        "Start a time service (`systemctl enable --now chrony`) and wait until the kernel reports a synchronised clock.",
        "The sweep deletes what has an access time before the start of the mark phase minus the cutoff.",
        CLOCK,
    ),
    Control(
        "PBS-HOST-03",
        "medium",
        "both daemons are active, and run the installed version",
        "Without the proxy nothing is scheduled, GC included. After an upgrade without a restart the old program, with its "
        "old rules for chunks, goes on.",
        "`systemctl restart proxmox-backup proxmox-backup-proxy`, when no backup is running.",
        "proxmox-backup-proxy runs GC, prune, verify and all backups; proxmox-backup runs what needs root.",
        BACKUP,
        needs_pbs=True,
    ),
    Control(
        "PBS-HOST-04",
        "high",
        "`/etc/proxmox-backup` is 0700 backup:backup and every configuration file parses",
        "With another owner or mode the daemon refuses to start; one wrong line in a file makes PBS lose every section in it.",
        "`chown backup:backup /etc/proxmox-backup && chmod 0700 /etc/proxmox-backup`; correct the line that is named.",
        "The API daemon checks owner and mode exactly; a section file with one bad line fails to parse as a whole.",
        ACCESS,
    ),
    Control(
        "PBS-HOST-05",
        "low",
        "no old-locking marker is waiting for a reboot",
        "Until the reboot PBS keeps locking backup groups in the old way; empty groups are kept and moves are refused.",
        "Reboot the host in a maintenance window.",
        "An upgrade from before 3.3.5 leaves /run/proxmox-backup/old-locking.",
        BACKUP,
        needs_pbs=True,
    ),
    Control(
        "PBS-HOST-06",
        "critical",
        "the id map can express `backup`",
        "In an unprivileged container the numbers differ inside and outside. What the outer host made for uid 34 belongs to "
        "nobody inside, and no chunk of it can be touched.",
        "On the outer host give the datastore to the number that this control names, or map the ids through.",
        "The kernel shows an id without a mapping as 65534 and refuses changes to it.",
        ACCESS,
    ),
    Control(
        "PBS-MOUNT-01",
        "critical",
        "the path is on the declared mount; with no contract: it is not on the root filesystem",
        "PBS does not test whether a filesystem is mounted: it sees whatever lies below. GC then runs on the wrong chunks, "
        "and backups fill the root filesystem.",
        "Mount the filesystem; declare it (`mount:` of the datastore) so that the difference can be seen.",
        "Only removable datastores have a mount test.",
        STORAGE,
        lesser_severity="medium",
    ),
    Control(
        "PBS-MOUNT-02",
        "high",
        "the mount comes back after a reboot",
        "A mount made by hand is gone after the next reboot, and PBS writes below the mount point.",
        "Add it to /etc/fstab, enable its .mount unit, or set the dataset's mountpoint and canmount=on.",
        "PBS's own `disk fs create` writes an enabled .mount unit.",
        STORAGE,
    ),
    Control(
        "PBS-MOUNT-03",
        "critical",
        "the filesystem can carry a chunk store",
        "FAT has no owners and keeps a date for access times; ext3 ends at about 32,000 directories; what lives in memory is "
        "gone after a reboot; object stores behind FUSE answer touches that never happened.",
        "Move the datastore to ext4, xfs, ZFS or btrfs; for object storage use PBS's own S3 backend.",
        "The documentation names ext4, xfs and ZFS, and excludes FAT.",
        STORAGE,
        lesser_severity="high",
    ),
    Control(
        "PBS-MOUNT-04",
        "critical",
        "it is mounted read-write",
        "Nothing can be touched on a read-only filesystem: GC stops at its first step and backups fail.",
        "Find out why (a disk error remounts read-only: `dmesg`), repair, and remount read-write.",
        "utimensat answers EROFS and GC aborts.",
        STORAGE,
    ),
    Control(
        "PBS-MOUNT-05",
        "medium",
        "options satisfy the contract: required present, forbidden absent",
        "An option that the contract asks for and that is not live is a promise that nobody keeps.",
        "Remount with the options of the contract, and write them where the mount is made at boot.",
        "PBS checks no mount options.",
        STORAGE,
    ),
    Control(
        "PBS-MOUNT-06",
        "medium",
        "live options agree with the persistent ones",
        "What runs now was set by hand and is gone after the next reboot, or the file was changed and never applied.",
        "Remount (`mount -o remount`) or correct the file.",
        "PBS checks no mount options.",
        STORAGE,
    ),
    Control(
        "PBS-MOUNT-07",
        "critical",
        "65,538 entries fit in one directory",
        "A chunk store has 65,536 prefix directories in one. Where the filesystem stops at 32,000 or 64,998, creation fails "
        "half way and leaves a torso behind.",
        "ext4: `tune2fs -O dir_nlink DEVICE` (unmounted); ext3: move to ext4.",
        "PBS makes all prefix directories at creation and rolls nothing back.",
        STORAGE,
    ),
    Control(
        "PBS-MOUNT-08",
        "high",
        "free space and free inodes are above the thresholds",
        "On a full filesystem backups fail, GC cannot insert its zero chunk, and ZFS and btrfs cannot even delete.",
        "Prune, collect garbage, or grow the filesystem before it is full.",
        "A new datastore takes 65,537 inodes, and about 257 MiB on ext4.",
        STORAGE,
    ),
    Control(
        "PBS-MOUNT-09",
        "high",
        "a network mount is safe",
        "A soft NFS mount turns a slow server into I/O errors, which verify takes for corruption and renames good chunks; "
        "without locks GC and backups do not see each other; forced ids on CIFS decide who may touch.",
        "NFS: mount with `hard`, without `nolock`. CIFS: `uid=backup,gid=backup,forceuid,forcegid`, without `nobrl`.",
        "Verify renames a chunk that it cannot read; .lock is a POSIX record lock.",
        STORAGE,
    ),
    Control(
        "PBS-MOUNT-10",
        "high",
        "the daemon sees the same mount as we do",
        "A daemon that was started before the mount, or in a mount namespace of its own, works on the directory below.",
        "Restart both daemons when no backup is running.",
        "PBS opens the path anew for each operation, in its own mount namespace.",
        STORAGE,
        needs_pbs=True,
    ),
    Control(
        "PBS-MOUNT-11",
        "medium",
        "the PBS units wait for the mount at boot",
        "Without an order the daemons can be first, and the scheduler works on an empty mount point.",
        "A drop-in for both units with `RequiresMountsFor=PATH`.",
        "The units carry no order towards datastore mounts.",
        STORAGE,
        needs_pbs=True,
    ),
    Control(
        "PBS-MOUNT-12",
        "critical",
        "no two datastores share or nest in one real directory",
        "Two datastores on one chunk store do not know each other's indexes and locks: the GC of one deletes the chunks "
        "of the other.",
        "Give each datastore a directory of its own; remove the link, bind mount or second mount.",
        "PBS compares the configured paths as text only; links, bind mounts and `..` escape it.",
        INTEGRITY,
    ),
    Control(
        "PBS-MOUNT-13",
        "high",
        "POSIX record locks work on this filesystem",
        "PBS's lock between GC and running backups is a POSIX record lock. Where it is refused nothing works; where it is "
        "granted and means nothing, GC may delete what a backup is about to need.",
        "NFS: start lockd/statd and mount without `nolock`; CIFS: mount without `nobrl`; FUSE: use another filesystem.",
        "fcntl(F_SETLK) on .lock: shared for backups, exclusive for GC.",
        INTEGRITY,
    ),
    Control(
        "PBS-ATIME-01",
        "critical",
        "an explicit touch as `backup` moves atime forward",
        "GC marks a needed chunk by nothing but its access time. Where the touch has no effect, GC deletes chunks that "
        "backups need.",
        "Use a filesystem that honours utimensat. Do not switch PBS's own check off.",
        "Mark phase: utimensat(path, {UTIME_NOW, UTIME_OMIT}) on every chunk of every index; PBS's check wants a strictly "
        "later access time.",
        INTEGRITY,
    ),
    Control(
        "PBS-ATIME-02",
        "high",
        "the move survives a forced attribute refresh",
        "A network client may show a new time from its cache that the server never kept. GC sees the server's time later.",
        "Check the server's export (noatime handling, read-only replicas) and the client's attribute cache.",
        "PBS looks only once, right after the touch.",
        INTEGRITY,
    ),
    Control(
        "PBS-ATIME-03",
        "critical",
        "the real zero chunk, where it exists, can be touched by `backup`",
        "PBS's check touches this very chunk at the start of each GC. If it belongs to somebody else, every GC stops there.",
        "`chown backup:backup` on the chunk; `chattr -i -a` where a flag is set.",
        "utimensat with UTIME_OMIT needs ownership of the file; the right to write is not enough.",
        ACCESS,
    ),
    Control(
        "PBS-ATIME-04",
        "critical",
        "PBS's own safety check is not switched off",
        "Without it GC runs on a filesystem that ignores touches, and deletes what is needed.",
        "`proxmox-backup-manager datastore update NAME --tuning …` with the tuning string less gc-atime-safety-check.",
        "Tuning gc-atime-safety-check, default on, since 3.3.7.",
        INTEGRITY,
        unmounted=True,
        needs_config=True,
    ),
    Control(
        "PBS-ATIME-05",
        "medium",
        "the GC cutoff is inside the policy",
        "A cutoff below the default of 24 h 5 min leaves no room for clocks and for backups that run long; a very long one "
        "keeps rubbish.",
        "Remove gc-atime-cutoff from the tuning string, or set it inside the policy.",
        "Tuning gc-atime-cutoff, 1 to 2880 minutes, default 1445, since 3.3.7.",
        INTEGRITY,
        unmounted=True,
        needs_config=True,
    ),
    Control(
        "PBS-ATIME-06",
        "high",
        "timestamps are fine enough, and the filesystem's clock agrees with the host's",
        "With timestamps coarser than a second PBS's check fails by chance. The cutoff is reckoned by the host's clock, the "
        "chunks carry the server's: a server that lags makes fresh chunks look old.",
        "Synchronise the file server's clock; use a filesystem with timestamps of a second or finer.",
        "The sweep compares access times in seconds with the host's clock.",
        CLOCK,
    ),
    Control(
        "PBS-OWNER-01",
        "critical",
        "base, `.chunks`, the 65,536 prefixes, `.lock`, `.gc-status` belong to backup:backup",
        "In a prefix directory of somebody else's, backups cannot insert and GC cannot delete; a .lock of root's makes the "
        "whole datastore unusable.",
        "Run the `repair` playbook, or `chown backup:backup` on what is named.",
        "PBS opens, inserts, locks and sweeps as `backup`.",
        ACCESS,
        lesser_severity="medium",
    ),
    Control(
        "PBS-OWNER-02",
        "medium",
        "base, `.chunks`, the prefixes and `.lock` have the exact modes that a reuse demands",
        "After a reinstallation the datastore has to be added with reuse; PBS then demands these modes exactly.",
        "chmod: base 0755, .chunks and the prefix directories 0750, .lock 0644 (the `repair` playbook does it).",
        "The reuse check compares the low nine bits of each mode.",
        ACCESS,
    ),
    Control(
        "PBS-OWNER-03",
        "critical",
        "every chunk belongs to backup:backup",
        "GC stops for good at the first needed chunk that it may not touch, and a backup that would use it again fails.",
        "Run the `repair` playbook: it changes only what is wrong.",
        "The first EPERM aborts the mark phase; a chunk file is never checked before.",
        ACCESS,
        lesser_severity="medium",
    ),
    Control(
        "PBS-OWNER-04",
        "critical",
        "every chunk is readable by `backup`",
        "The next verify takes a chunk that it cannot read for a corrupt one and renames it, good as it is.",
        "Run the `repair` playbook, or `chown backup:backup` and `chmod 0644` on what is named.",
        "On a read error verify renames the chunk to .N.bad; the right to rename comes from the directory.",
        INTEGRITY,
    ),
    Control(
        "PBS-OWNER-05",
        "critical",
        "namespaces, groups, snapshots, index files: owner, and readable by `backup`",
        "An index or directory that GC cannot read ends the collection; a group without a readable owner takes no backups.",
        "Run the `repair` playbook, or `chown -h backup:backup` on what is named.",
        "The mark phase walks the whole tree and aborts on permission denied, lost+found excepted.",
        ACCESS,
        lesser_severity="medium",
    ),
    Control(
        "PBS-OWNER-06",
        "high",
        "nothing foreign: links, devices, hard links, unreadable directories in the store",
        "PBS makes none of these. A link where a chunk should be is no backup; a mount inside the store hides chunks; an "
        "unreadable directory of a NAS ends GC.",
        "Look at what is named, find out who made it, and move it away.",
        "PBS skips what is no regular file in a prefix directory, and never deletes it.",
        INTEGRITY,
    ),
    Control(
        "PBS-OWNER-07",
        "medium",
        "no `.bad` chunks, no zero-length chunks, no stale temporary files",
        "A .bad chunk was found corrupt by verify; a chunk of length 0 cannot be restored; temporary files are left over "
        "from a crash and are never removed.",
        "Make a new backup of the snapshots concerned (it replaces missing chunks), verify, and remove old temporary files.",
        "GC ages .bad chunks out and ignores temporary names for ever; on S3 a chunk of length 0 is a marker.",
        INTEGRITY,
    ),
    Control(
        "PBS-DATA-01",
        "critical",
        "every index file that GC opens is whole",
        "GC opens every index file below the datastore before it removes anything. At one that is cut short, empty or not "
        "readable it stops, every time, and the datastore grows until it is full.",
        "Put the file back from another copy of the datastore, or forget the snapshot; move what is no backup away.",
        "The mark phase opens every *.fidx and *.didx that is not in a hidden directory, wherever it lies, and tests magic and "
        "length; the first error ends GC.",
        INTEGRITY,
    ),
    Control(
        "PBS-DATA-02",
        "critical",
        "no index lost entries or is out of GC's sight",
        "What GC does not see it does not mark: chunks of a backup behind a link, in a hidden directory, on a filesystem that is "
        "not mounted, or of an index that lost entries are removed after the cutoff, and the task log says OK.",
        "Put the directory or the index file back in its place before the next GC.",
        "GC follows no links and enters no hidden directory; it tests no checksum of an index. Verify tests it, but not the "
        "one in the header.",
        INTEGRITY,
        lesser_severity="medium",
    ),
    Control(
        "PBS-DATA-03",
        "critical",
        "every chunk that a backup needs is there and readable",
        "A snapshot that needs a chunk which is missing, empty, unreadable or left only as .bad cannot be restored. GC warns of "
        "missing chunks only, verify of all, days later.",
        "Rename a .bad with good content back; verify the snapshots that are damaged, back up their groups again, and verify "
        "once more.",
        "After a failed verify the next backup of the group uploads every chunk that is missing. GC keeps a .bad whose chunk is "
        "needed and missing.",
        INTEGRITY,
        on_s3=False,
    ),
    Control(
        "PBS-DATA-04",
        "high",
        "each snapshot agrees with its manifest, and each group has an owner",
        "Without its manifest a snapshot is unfinished to PBS and cannot be restored; without an owner that can be read every "
        "backup of the group fails, and lists leave it out without a word.",
        "Put the file back from another copy of the datastore, or forget the snapshot; write the owner's name into the file.",
        "Verify and restore begin with the manifest and hold names, sizes and checksums against it; a backup reads the owner "
        "file first. GC looks at neither.",
        INTEGRITY,
        lesser_severity="medium",
    ),
    Control(
        "PBS-DATA-05",
        "critical",
        "the next GC removes only what nothing needs",
        "This is the forecast: what the next GC removes, what is pending, and where it stops. What it removes by mistake is "
        "gone for good.",
        "Do what the other controls say before the next GC; hold it off with maintenance mode read-only.",
        "GC removes what was not touched for longer than the cutoff, by access time in whole seconds; errors before the sweep "
        "remove nothing.",
        INTEGRITY,
        on_s3=False,
        needs_config=True,
    ),
    Control(
        "PBS-SNAP-01",
        "high",
        "the newest backup of each group is young enough",
        "A client that stopped making backups is noticed by nobody until the restore.",
        "Find out why the client makes no backups, or change the limit (policy max_backup_age_days).",
        "PBS knows no age at which a group is too old.",
        BACKUP,
        needs_config=True,
    ),
    Control(
        "PBS-SNAP-02",
        "high",
        "snapshots are verified, and no verification failed",
        "A failed verification means that this backup cannot be restored as it is; what was never verified may be rotten.",
        "Back up the groups again, and verify the new snapshots; let a verify job cover the whole datastore.",
        "Verify writes its result into the manifest; after a failure the next backup uploads all missing chunks.",
        INTEGRITY,
        lesser_severity="medium",
        needs_config=True,
    ),
    Control(
        "PBS-CONF-01",
        "high",
        "declared and configured datastores agree",
        "What is declared is what everybody believes to be there.",
        "Run the `provision` playbook, or correct the declaration.",
        "PBS cannot change the path of a datastore; most other properties it can.",
        BACKUP,
        unmounted=True,
    ),
    Control(
        "PBS-CONF-02",
        "high",
        "GC is scheduled",
        "Without a schedule nothing is ever collected, and the datastore grows until it is full.",
        "`proxmox-backup-manager datastore update NAME --gc-schedule daily`",
        "A datastore made by the command line or the API has no GC schedule unless one is given.",
        BACKUP,
        unmounted=True,
        needs_config=True,
    ),
    Control(
        "PBS-CONF-03",
        "high",
        "the last GC succeeded and is recent",
        "A collection that fails every night frees nothing, and often it is this check that failed.",
        "Read the task log (`proxmox-backup-manager task list --all`), mend the cause, and start GC once by hand.",
        "The scheduler passes over a datastore that it cannot open without a word in the task list.",
        BACKUP,
        unmounted=True,
        needs_config=True,
    ),
    Control(
        "PBS-CONF-04",
        "medium",
        "a verify job and a prune job cover the datastore",
        "Without verify nobody learns of a rotten chunk before the restore; without prune nothing becomes free.",
        "Add a prune job and a verify job for the root namespace of the datastore.",
        "Jobs cover a namespace and a depth below it.",
        BACKUP,
        unmounted=True,
        needs_config=True,
    ),
    Control(
        "PBS-CONF-05",
        "medium",
        "no maintenance mode was left behind",
        "In read-only mode GC and backups are refused; in offline mode nothing can be restored.",
        "`proxmox-backup-manager datastore update NAME --delete maintenance-mode`",
        "A failed removal leaves the mode `delete` behind; unmount and s3-refresh can be left as well.",
        BACKUP,
        unmounted=True,
        needs_config=True,
    ),
    Control(
        "PBS-CONF-06",
        "high",
        "the chunk store is whole",
        "A creation that failed leaves a torso that can neither be created again nor reused; an insert into a missing prefix "
        "directory fails, and an empty path usually is a filesystem that is not mounted.",
        "Mount the filesystem; complete a half-made store (the `provision` playbook does) and add it with reuse.",
        "PBS rolls nothing back when a creation fails, and wants all 65,536 prefix directories for a reuse.",
        INTEGRITY,
    ),
    Control(
        "PBS-WAIVER-01",
        "medium",
        "every waiver that names this host is still in force",
        "A waiver is a decision for a time. When that is over the failure counts again, and somebody has to decide anew.",
        "Mend what was waived, or extend `until` with a fresh justification; remove waivers that nothing needs.",
        "None; this is about the use of this collection.",
        ("NIST 800-53 CA-5",),
    ),
)

BY_ID: dict[str, Control] = {control.id: control for control in CONTROLS}


class UnknownControl(CollectionError):
    """A control id that the catalog does not have."""


def require_known(ids: t.Iterable[str], option: str) -> None:
    """Raise `UnknownControl` that names the option and the first id that the catalog does not have."""
    for control_id in ids:
        if control_id not in BY_ID:
            raise UnknownControl(
                "%s: there is no control '%s'; the ids are %s to %s, see docs/controls.md"
                % (option, control_id, CONTROLS[0].id, CONTROLS[-1].id)
            )


def rank(severity: str) -> int:
    """The place of a severity in `SEVERITIES`; -1 for none."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1
