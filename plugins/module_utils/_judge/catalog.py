# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The catalog of all controls: what is checked, how severe a failure is, why it matters, and how to fix it.

Ids never change, because reports, waivers and dashboards refer to them. `docs/controls.md` is generated from this file.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display, meant

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
    """The behaviour of PBS because of which the control exists."""
    standards: tuple[str, ...]
    lesser_severity: str = ""
    """The severity of the milder kind of failure, if the control has two kinds."""
    on_s3: bool = True
    """It also applies to a datastore that is the local cache of an S3 bucket."""
    unmounted: bool = False
    """It also applies to a removable datastore whose device is not mounted."""
    needs_pbs: bool = False
    """It applies only to hosts with an installed PBS."""
    needs_config: bool = False
    """It applies only to datastores that are in PBS's configuration."""

    @property
    def scope(self) -> str:
        """`host` or `datastore`."""
        return "host" if self.id.startswith(("PBS-HOST-", "PBS-WAIVER-")) else "datastore"


CONTROLS: tuple[Control, ...] = (
    Control(
        "PBS-HOST-01",
        "critical",
        "user and group `backup` exist, looked up by name; the user's primary group is that group",
        "The daemon that collects garbage runs as this user. PBS gives new directories the user's primary group, and later "
        "requires the group of that name; if the two differ, a datastore that PBS made cannot be reused.",
        "Restore the account of Debian's base-passwd: `backup:x:34:34`, primary group `backup`.",
        "PBS looks both up by name on every use and compares numbers.",
        ACCESS,
    ),
    Control(
        "PBS-HOST-02",
        "high",
        "the clock is synchronised",
        "GC decides by time only: if the clock jumps forward by more than the cutoff, chunks in use look unused; if it jumps "
        "back, the atime check fails.",
        "Start a time service (`systemctl enable --now chrony`) and wait until the kernel reports a synchronised clock.",
        "The sweep deletes every chunk whose access time is before the start of the mark phase minus the cutoff.",
        CLOCK,
    ),
    Control(
        "PBS-HOST-03",
        "medium",
        "both daemons are active, and run the installed version",
        "Without the proxy no scheduled job runs, GC included. After an upgrade without a restart the old program keeps "
        "running, with its old rules for chunks.",
        "`systemctl restart proxmox-backup proxmox-backup-proxy`, when no backup is running.",
        "proxmox-backup-proxy runs GC, prune, verify and all backups; proxmox-backup runs the work that needs root.",
        BACKUP,
        needs_pbs=True,
    ),
    Control(
        "PBS-HOST-04",
        "high",
        "`/etc/proxmox-backup` is 0700 backup:backup and every configuration file parses",
        "With another owner or mode the daemon refuses to start; because of one wrong line PBS loses every section of the file.",
        "`chown backup:backup /etc/proxmox-backup && chmod 0700 /etc/proxmox-backup`; correct the line that the message names.",
        "The API daemon checks owner and mode exactly; a section file with one bad line fails to parse as a whole.",
        ACCESS,
    ),
    Control(
        "PBS-HOST-05",
        "low",
        "no old-locking marker is waiting for a reboot",
        "Until the reboot PBS locks backup groups in the old way; it keeps empty groups and refuses moves.",
        "Reboot the host in a maintenance window.",
        "An upgrade from before 3.3.5 leaves /run/proxmox-backup/old-locking.",
        BACKUP,
        needs_pbs=True,
    ),
    Control(
        "PBS-HOST-06",
        "critical",
        "the id map can express `backup`",
        "In an unprivileged container the ids differ inside and outside. Inside, files that the outer host made for uid 34 "
        "have no owner, and GC cannot update the atime of any of these chunks.",
        "On the outer host change the owner of the datastore to the id that the message names, or map the ids.",
        "The kernel shows an id without a mapping as 65534 and refuses changes to it.",
        ACCESS,
    ),
    Control(
        "PBS-HOST-07",
        "critical",
        "the installed version has no known loss of data, no known hole, and is supported",
        "Some versions of PBS delete chunks that backups need, or let a manifest reach files outside of a snapshot. Nothing on "
        "the disk shows that before it happens, and a version without support gets no fix.",
        "Upgrade PBS; the message names each fault, the version without it, and its source.",
        "Proxmox publishes faults in its security advisories and in the changelog of the package, and the end of support in "
        "the documentation.",
        INTEGRITY,
        lesser_severity="medium",
        needs_pbs=True,
    ),
    Control(
        "PBS-HOST-08",
        "high",
        "remotes, S3 endpoints, sync jobs, traffic control and notifications are configured as declared",
        "A sync job with another filter, direction or datastore copies something else than its owner believes; a remote or an "
        "endpoint with another address leads it to the wrong place. "
        "Without its matcher or target, a job that failed is reported to nobody.",
        "Run the `provision` playbook, or correct the declaration.",
        "PBS's web interface and command line change these files at any time. Secrets are not compared, because PBS shows them "
        "to nobody.",
        BACKUP,
        lesser_severity="low",
    ),
    Control(
        "PBS-MOUNT-01",
        "critical",
        "the path is on the declared mount; with no contract: it is not on the root filesystem",
        "PBS does not check that a filesystem is mounted: otherwise it uses the directory below. GC then runs on the wrong "
        "chunks, and backups fill the root filesystem.",
        "Mount the filesystem; declare it (`mount:` of the datastore) so that preflight can detect the difference.",
        "PBS checks the mount of removable datastores only.",
        STORAGE,
        lesser_severity="medium",
    ),
    Control(
        "PBS-MOUNT-02",
        "high",
        "the mount comes back after a reboot",
        "A mount made by hand is missing after the next reboot, and PBS then writes below the mount point.",
        "Add it to /etc/fstab, enable its .mount unit, or set the dataset's mountpoint and canmount=on.",
        "PBS's own `disk fs create` writes an enabled .mount unit.",
        STORAGE,
    ),
    Control(
        "PBS-MOUNT-03",
        "critical",
        "the filesystem can hold a chunk store",
        "FAT has no owners, and stores only the date of an access; ext3 allows about 32,000 directories; a filesystem in memory "
        "is empty after a reboot; object stores behind FUSE confirm atime updates that they do not make.",
        "Move the datastore to ext4, xfs, ZFS or btrfs; for object storage use PBS's own S3 backend.",
        "The documentation names ext4, xfs and ZFS, and excludes FAT.",
        STORAGE,
        lesser_severity="high",
    ),
    Control(
        "PBS-MOUNT-04",
        "critical",
        "it is mounted read-write",
        "A read-only filesystem allows no atime update: GC stops at its first step, and backups fail.",
        "Find the cause (a disk error remounts it read-only: see `dmesg`), repair it, and remount read-write.",
        "utimensat fails with EROFS and GC aborts.",
        STORAGE,
    ),
    Control(
        "PBS-MOUNT-05",
        "medium",
        "options satisfy the contract: required present, forbidden absent",
        "If an option that the contract requires is not active, its protection is missing.",
        "Remount with the options of the contract, and add them to the entry that mounts the filesystem at boot.",
        "PBS checks no mount options.",
        STORAGE,
    ),
    Control(
        "PBS-MOUNT-06",
        "medium",
        "live options agree with the persistent ones",
        "Either the active options were set by hand and are lost at the next reboot, or the file was changed and never applied.",
        "Remount (`mount -o remount`) or correct the file.",
        "PBS checks no mount options.",
        STORAGE,
    ),
    Control(
        "PBS-MOUNT-07",
        "critical",
        "65,538 entries fit in one directory",
        "A chunk store has 65,536 prefix directories in one directory. If the filesystem allows only 32,000 or 64,998, the "
        "creation fails half way and leaves an incomplete store.",
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
        "A new datastore uses 65,537 inodes, and about 257 MiB on ext4.",
        STORAGE,
    ),
    Control(
        "PBS-MOUNT-09",
        "high",
        "a network mount is safe",
        "On a soft NFS mount a slow server causes I/O errors; verify treats them as corruption and renames good chunks. "
        "Without locks GC and backups do not exclude each other. Forced ids on CIFS decide who may update atimes.",
        "NFS: mount with `hard`, without `nolock`. CIFS: `uid=backup,gid=backup,forceuid,forcegid`, without `nobrl`.",
        "Verify renames a chunk that it cannot read; .lock is a POSIX record lock.",
        STORAGE,
    ),
    Control(
        "PBS-MOUNT-10",
        "high",
        "PBS's daemon sees the same mount as this check",
        "A daemon that was started before the mount, or in its own mount namespace, uses the directory below.",
        "Restart both daemons when no backup is running.",
        "PBS opens the path again for each operation, in its own mount namespace.",
        STORAGE,
        needs_pbs=True,
    ),
    Control(
        "PBS-MOUNT-11",
        "medium",
        "the PBS units wait for the mount at boot",
        "Without this order the daemons can start before the mount, and the scheduler uses an empty mount point.",
        "Add a drop-in with `RequiresMountsFor=PATH` for both units.",
        "PBS's units have no dependency on the mounts of datastores.",
        STORAGE,
        needs_pbs=True,
    ),
    Control(
        "PBS-MOUNT-12",
        "critical",
        "no two datastores share one real directory, and none is inside of another",
        "Two datastores on one chunk store do not know each other's indexes and locks: the GC of one deletes the chunks "
        "of the other.",
        "Give each datastore its own directory; remove the link, bind mount or second mount.",
        "PBS compares the configured paths as text only, and does not detect links, bind mounts and `..`.",
        INTEGRITY,
    ),
    Control(
        "PBS-MOUNT-13",
        "high",
        "POSIX record locks work on this filesystem",
        "PBS's lock between GC and running backups is a POSIX record lock. If it is refused, GC and backups fail; if it is "
        "granted without effect, GC may delete chunks that a running backup needs.",
        "NFS: start lockd/statd and mount without `nolock`; CIFS: mount without `nobrl`; FUSE: use another filesystem.",
        "fcntl(F_SETLK) on .lock: shared for backups, exclusive for GC.",
        INTEGRITY,
    ),
    Control(
        "PBS-ATIME-01",
        "critical",
        "an explicit touch as `backup` moves atime forward",
        "GC marks a needed chunk by its access time only. If the touch has no effect, GC deletes chunks that backups need.",
        "Use a filesystem that honours utimensat. Do not switch PBS's own check off.",
        "Mark phase: utimensat(path, {UTIME_NOW, UTIME_OMIT}) on every chunk of every index; PBS's check requires a strictly "
        "later access time.",
        INTEGRITY,
    ),
    Control(
        "PBS-ATIME-02",
        "high",
        "the new atime survives a forced attribute refresh",
        "A network client may show a new time from its cache that the server did not store. Later GC sees the server's time.",
        "Check the server's export (noatime handling, read-only replicas) and the client's attribute cache.",
        "PBS checks only once, right after the touch.",
        INTEGRITY,
    ),
    Control(
        "PBS-ATIME-03",
        "critical",
        "if the zero chunk exists, `backup` can update its atime",
        "PBS's check touches this chunk at the start of each GC. If another user owns it, every GC stops there.",
        "`chown backup:backup` on the chunk; `chattr -i -a` where a flag is set.",
        "utimensat with UTIME_OMIT requires ownership of the file; write permission is not enough.",
        ACCESS,
    ),
    Control(
        "PBS-ATIME-04",
        "critical",
        "PBS's own safety check is not switched off",
        "Without this check GC also runs on a filesystem that ignores touches, and deletes needed chunks.",
        "`proxmox-backup-manager datastore update NAME --tuning …` with the tuning string without gc-atime-safety-check.",
        "Tuning gc-atime-safety-check, default on, since 3.3.7.",
        INTEGRITY,
        unmounted=True,
        needs_config=True,
    ),
    Control(
        "PBS-ATIME-05",
        "medium",
        "the GC cutoff is inside the policy",
        "A cutoff below the default of 24 h 5 min leaves no margin for wrong clocks and long backups; a very long one keeps "
        "unused chunks.",
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
        "With timestamps coarser than a second PBS's check fails at random. The host's clock sets the cutoff, the server's clock "
        "sets the times of chunks: if the server's clock is behind, new chunks look old.",
        "Synchronise the file server's clock; use a filesystem with timestamps of one second or finer.",
        "The sweep compares access times in seconds with the host's clock.",
        CLOCK,
    ),
    Control(
        "PBS-OWNER-01",
        "critical",
        "base, `.chunks`, the 65,536 prefixes, `.lock`, `.gc-status` are owned by backup:backup",
        "In a prefix directory of another user, backups cannot insert and GC cannot delete; if root owns .lock, the whole "
        "datastore is unusable.",
        "Run the `repair` playbook, or `chown backup:backup` on the named paths.",
        "PBS opens, inserts, locks and sweeps as `backup`.",
        ACCESS,
        lesser_severity="medium",
    ),
    Control(
        "PBS-OWNER-02",
        "medium",
        "base, `.chunks`, the prefixes and `.lock` have the exact modes that a reuse requires",
        "After a reinstallation the datastore has to be added with reuse; PBS then requires exactly these modes.",
        "chmod: base 0755, .chunks and the prefix directories 0750, .lock 0644 (the `repair` playbook does it).",
        "The reuse check compares the low nine bits of each mode.",
        ACCESS,
    ),
    Control(
        "PBS-OWNER-03",
        "critical",
        "every chunk is owned by backup:backup",
        "Every GC stops at the first needed chunk whose atime it may not update, and a backup that would reuse the chunk fails.",
        "Run the `repair` playbook: it changes only wrong owners and modes.",
        "The first EPERM aborts the mark phase; PBS does not check chunk files before it.",
        ACCESS,
        lesser_severity="medium",
    ),
    Control(
        "PBS-OWNER-04",
        "critical",
        "every chunk is readable by `backup`",
        "The next verify treats a chunk that it cannot read as corrupt, and renames it although it is good.",
        "Run the `repair` playbook, or `chown backup:backup` and `chmod 0644` on the named paths.",
        "On a read error verify renames the chunk to .N.bad; the right to rename comes from the directory.",
        INTEGRITY,
    ),
    Control(
        "PBS-OWNER-05",
        "critical",
        "namespaces, groups, snapshots, index files: owner, and readable by `backup`",
        "GC stops at an index or directory that it cannot read; a group without a readable owner file accepts no backups.",
        "Run the `repair` playbook, or `chown -h backup:backup` on the named paths.",
        "The mark phase walks the whole tree and aborts on permission denied, except in lost+found.",
        ACCESS,
        lesser_severity="medium",
    ),
    Control(
        "PBS-OWNER-06",
        "high",
        "nothing foreign: links, devices, hard links, unreadable directories in the store",
        "PBS makes none of these. A link in place of a chunk holds no data of the backup; a mount inside the store hides "
        "chunks; GC stops at an unreadable directory, as a NAS may make them.",
        "Check the named paths, find out who made them, and move them away.",
        "In a prefix directory PBS skips everything except regular files, and never deletes it.",
        INTEGRITY,
    ),
    Control(
        "PBS-OWNER-07",
        "medium",
        "no `.bad` chunks, no zero-length chunks, no stale temporary files",
        "Verify found that a .bad chunk is corrupt; a chunk of length 0 cannot be restored; temporary files remain after a crash "
        "and are never removed.",
        "Make a new backup of the affected snapshots (it replaces missing chunks), verify it, and remove old temporary files.",
        "GC removes .bad chunks after the cutoff and always ignores temporary names; on S3 a chunk of length 0 is a marker.",
        INTEGRITY,
    ),
    Control(
        "PBS-DATA-01",
        "critical",
        "every index file that GC opens is complete",
        "GC opens every index file below the datastore before it removes anything. Every GC stops at a truncated, empty or "
        "unreadable one, and the datastore grows until it is full.",
        "Restore the file from another copy of the datastore, or forget the snapshot; move files away that are not backups.",
        "The mark phase opens every *.fidx and *.didx below the datastore, except in hidden directories, and checks its magic "
        "number and length; the first error ends GC.",
        INTEGRITY,
    ),
    Control(
        "PBS-DATA-02",
        "critical",
        "GC sees every index, and no index has lost entries",
        "GC does not mark the chunks of a backup that it cannot see: behind a link, in a hidden directory, on a filesystem that "
        "is not mounted, or in an index that has lost entries. It removes them after the cutoff, and the task log reports OK.",
        "Restore the directory or the index file to its place before the next GC.",
        "GC follows no links, enters no hidden directory, and checks no checksum of an index. Verify checks it, but not the one "
        "in the header.",
        INTEGRITY,
        lesser_severity="medium",
    ),
    Control(
        "PBS-DATA-03",
        "critical",
        "every chunk that a backup needs exists and is readable",
        "A snapshot cannot be restored if a chunk that it needs is missing, empty, unreadable or exists only as .bad. GC warns "
        "only of missing chunks; verify reports all of these, but days later.",
        "Rename a .bad chunk with good content back; verify the damaged snapshots, back up their groups again, and verify "
        "again.",
        "After a failed verify the next backup of the group uploads every missing chunk. GC keeps a .bad chunk if the chunk "
        "itself is needed and missing.",
        INTEGRITY,
        on_s3=False,
    ),
    Control(
        "PBS-DATA-04",
        "high",
        "each snapshot agrees with its manifest, and each group has an owner",
        "Without its manifest PBS treats a snapshot as unfinished, and it cannot be restored; without a readable owner file "
        "every backup of the group fails, and PBS omits the group from lists without a message.",
        "Restore the file from another copy of the datastore, or forget the snapshot; write the owner's name into the file.",
        "Verify and restore first read the manifest, and compare names, sizes and checksums with it; a backup first reads the "
        "owner file. GC reads neither.",
        INTEGRITY,
        lesser_severity="medium",
    ),
    Control(
        "PBS-DATA-05",
        "critical",
        "the next GC removes only chunks that no backup needs",
        "This is the forecast: which chunks the next GC removes, which are pending, and where it stops. Needed chunks that it "
        "removes cannot be recovered.",
        "Follow the remedies of the other controls before the next GC; until then prevent it with maintenance mode read-only.",
        "GC removes chunks whose access time, in whole seconds, is older than the cutoff; if an error ends it before the sweep, "
        "it removes nothing.",
        INTEGRITY,
        on_s3=False,
        needs_config=True,
    ),
    Control(
        "PBS-SNAP-01",
        "high",
        "the newest backup of each group is recent",
        "If a client stops making backups, it may remain unnoticed until a restore is needed.",
        "Find out why the client makes no backups, or change the limit (policy max_backup_age_days).",
        "PBS has no limit for the age of a group's newest backup.",
        BACKUP,
        needs_config=True,
    ),
    Control(
        "PBS-SNAP-02",
        "high",
        "snapshots are verified, and no verification failed",
        "A snapshot whose verification failed cannot be restored completely; one that was never verified may be damaged.",
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
        "Administrators rely on the declaration; if it differs from the configuration, one of the two is wrong.",
        "Run the `provision` playbook, or correct the declaration.",
        "PBS cannot change the path of a datastore, but most other properties.",
        BACKUP,
        unmounted=True,
    ),
    Control(
        "PBS-CONF-02",
        "high",
        "GC is scheduled",
        "Without a schedule GC never runs, and the datastore grows until it is full.",
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
        "A GC that fails every night frees no space, and often PBS's atime check is the step that failed.",
        "Read the task log (`proxmox-backup-manager task list --all`), fix the cause, and start GC once by hand.",
        "The scheduler skips a datastore that it cannot open, without an entry in the task list.",
        BACKUP,
        unmounted=True,
        needs_config=True,
    ),
    Control(
        "PBS-CONF-04",
        "medium",
        "a verify job and a prune job cover the datastore",
        "Without verify a damaged chunk is not noticed before a restore; without prune no space becomes free.",
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
        "After a failed removal the mode `delete` remains; unmount and s3-refresh can remain as well.",
        BACKUP,
        unmounted=True,
        needs_config=True,
    ),
    Control(
        "PBS-CONF-06",
        "high",
        "the chunk store is complete",
        "A failed creation leaves an incomplete store that can neither be created again nor reused; an insert into a missing "
        "prefix directory fails; an empty path usually means that the filesystem is not mounted.",
        "Mount the filesystem; complete a half-made store (the `provision` playbook does this) and add it with reuse.",
        "PBS rolls nothing back when a creation fails, and requires all 65,536 prefix directories for a reuse.",
        INTEGRITY,
    ),
    Control(
        "PBS-CONF-07",
        "high",
        "the last runs of the prune, verify and sync jobs ended well and in time",
        "A verify job that fails every night finds damaged backups, or finds nothing; a sync job that fails leaves the copy "
        "old; a prune job that fails lets the datastore grow.",
        "Read the task log (`proxmox-backup-manager task list --all`), fix the cause, and start the job once by hand.",
        "PBS keeps the result of the last run of each job; the scheduler leaves out a job that it cannot start, without an entry "
        "in the task list.",
        BACKUP,
        lesser_severity="medium",
        unmounted=True,
        needs_config=True,
    ),
    Control(
        "PBS-CONF-08",
        "medium",
        "every job can run and does something, and GC and verify do not overlap",
        "PBS accepts jobs that fail at every run or never run, such as a sync job without its remote or a prune job without "
        "keep options. GC and verify at the same time read the whole datastore twice.",
        "Correct or remove the job; move one of two schedules that meet.",
        "PBS does not check remotes, datastores and times of a job when it is made. A prune job without keep options is left out "
        "before 4.2.3, and runs with a warning since then.",
        BACKUP,
        lesser_severity="low",
        unmounted=True,
        needs_config=True,
    ),
    Control(
        "PBS-COPY-01",
        "medium",
        "the datastore was copied to another host lately",
        "A copy on another host is what is left after a fire, a thief, or an attacker who deletes all snapshots of one host.",
        "Add a sync job that pulls the datastore on another host, or one that pushes it from this host.",
        "Sync jobs copy between two servers; PBS shows each job only on the server that runs it, and a failing one only in its "
        "task list.",
        STORAGE,
        lesser_severity="low",
        unmounted=True,
        needs_config=True,
    ),
    Control(
        "PBS-WAIVER-01",
        "medium",
        "every waiver that names this host is still in force",
        "A waiver is a decision for a limited time. After its end the failure counts again, and needs a new decision.",
        "Fix the cause of the waived failure, or extend `until` with a new justification; remove waivers that are not needed.",
        "None; this control is about the use of this collection.",
        ("NIST 800-53 CA-5",),
    ),
)

BY_ID: dict[str, Control] = {control.id: control for control in CONTROLS}


class UnknownControl(CollectionError):
    """A control id that the catalog does not have."""


def require_known(ids: t.Iterable[str], option: str) -> None:
    """Raise `UnknownControl` with the option and the first id that the catalog does not have."""
    for control_id in ids:
        if control_id not in BY_ID:
            raise UnknownControl(
                "%s: control '%s' does not exist%s; the ids are %s to %s, see docs/controls.md"
                % (option, display(control_id), meant(control_id, BY_ID), CONTROLS[0].id, CONTROLS[-1].id)
            )


def rank(severity: str) -> int:
    """The place of a severity in `SEVERITIES`; -1 for none."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1
