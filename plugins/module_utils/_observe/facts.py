# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the observers found out about one host, as plain data.

Every class here can be turned into JSON (C(dataclasses.asdict)) and back (C(load)): facts travel over a pipe from
the child that may hang, and into the document. Nothing here judges, and nothing here touches a disk.

Conventions: times are nanoseconds since the epoch where the name ends in C(_ns), else seconds; sizes are bytes; modes
are the low twelve bits as an octal string such as C("0750"); C(None) means "could not be found out", never "no".
Strings that came from a disk are display-safe (see C(_system.text)).
"""

from __future__ import annotations

import dataclasses
import sys
import typing as t

T = t.TypeVar("T")

GROUPS = ("ct", "host", "ns", "vm")
"""The directories that PBS makes below the base of a datastore, for namespaces and backup groups."""


# --- one file ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class FileFacts:
    """The result of one C(statx), without following a link."""

    path: str
    type: str
    """C(file), C(directory), C(link), C(fifo), C(socket), C(block), C(char) or C(unknown)."""
    uid: int
    gid: int
    mode: str
    size: int
    nlink: int
    dev: int
    ino: int
    atime_ns: int
    mtime_ns: int
    ctime_ns: int
    btime_ns: t.Optional[int] = None
    flags: t.List[str] = dataclasses.field(default_factory=list)
    """Inode flags that forbid changes: C(immutable), C(append)."""


@dataclasses.dataclass(order=True)
class PathProblem:
    """One offending path, kept as an example beside an exact count; they are ordered by path."""

    path: str
    detail: str


# --- the host ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class AccountFacts:
    """The daemon's account, looked up by name as PBS does on every use."""

    user: str
    group: str
    uid: t.Optional[int] = None
    primary_gid: t.Optional[int] = None
    gid: t.Optional[int] = None
    """The id of the group named C(group)."""
    groups: t.List[int] = dataclasses.field(default_factory=list)
    """Every group that the user is in, the primary one included."""


@dataclasses.dataclass
class ClockFacts:
    """The kernel's own opinion of its clock (C(adjtimex), read only)."""

    synchronised: t.Optional[bool] = None
    state: t.Optional[int] = None
    status: t.Optional[int] = None
    max_error_us: t.Optional[int] = None
    error: str = ""


@dataclasses.dataclass
class DaemonFacts:
    unit: str
    load_state: str = ""
    active_state: str = ""
    main_pid: int = 0
    executable: str = ""
    replaced: t.Optional[bool] = None
    """True where the running program file was replaced on disk since the start (an upgrade without a restart)."""
    old_workers: t.List[int] = dataclasses.field(default_factory=list)
    """Processes of the unit that still run a replaced program (they stay after a reload, for running tasks)."""
    error: str = ""


@dataclasses.dataclass
class ConfigFileFacts:
    path: str
    exists: bool
    uid: t.Optional[int] = None
    gid: t.Optional[int] = None
    mode: t.Optional[str] = None
    digest: str = ""
    """SHA-256 of the bytes in hex; a missing file has the digest of the empty string, as PBS has it."""
    parsed: t.Optional[bool] = None
    """True also for a missing file: PBS takes it for an empty one. None where it could not be read."""
    error: str = ""
    line: int = 0
    readable: t.Optional[bool] = None
    """Whether the daemon's user may read it, by owner, group and mode; None where the account or the file is unknown."""
    unknown: t.List[str] = dataclasses.field(default_factory=list)
    """What a PBS that is newer than this collection may know, and this collection does not; it is no error."""


@dataclasses.dataclass
class ConfigDirFacts:
    path: str
    exists: bool
    uid: t.Optional[int] = None
    gid: t.Optional[int] = None
    mode: t.Optional[str] = None
    files: t.List[ConfigFileFacts] = dataclasses.field(default_factory=list)
    error: str = ""


@dataclasses.dataclass
class IdRange:
    """One line of C(/proc/self/uid_map) or C(gid_map)."""

    inside: int
    outside: int
    count: int


@dataclasses.dataclass
class IdMapFacts:
    namespaced: bool
    """False where the map is the identity over all ids (no user namespace)."""
    uids: t.List[IdRange] = dataclasses.field(default_factory=list)
    gids: t.List[IdRange] = dataclasses.field(default_factory=list)
    error: str = ""


@dataclasses.dataclass
class HostFacts:
    name: str
    euid: int
    systemd: bool
    """systemd is process 1 here, so that units mean something."""
    pbs_installed: bool
    pbs_version: t.Optional[str]
    account: AccountFacts
    clock: ClockFacts
    daemons: t.List[DaemonFacts]
    config_dir: ConfigDirFacts
    old_locking: t.Optional[bool]
    id_map: IdMapFacts
    container: str = ""
    """The kind of container that this host is (C(lxc), C(systemd-nspawn), …), as systemd has noted it; empty for none."""


# --- configuration ----------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class JobRunFacts:
    """The last run of one job, from C(/var/lib/proxmox-backup/jobstates)."""

    state: str
    """C(ok), C(warning), C(error), C(running), C(created) (never run), C(unknown) or C(unreadable)."""
    end: t.Optional[int] = None
    """Seconds since the epoch; None where the run has not ended or never began."""
    message: str = ""
    warnings: int = 0
    upid: str = ""


@dataclasses.dataclass
class JobFacts:
    """One prune or verify job that covers (part of) a datastore."""

    id: str
    schedule: str = ""
    namespace: str = ""
    max_depth: t.Optional[int] = None
    disabled: bool = False
    keeps: t.Dict[str, int] = dataclasses.field(default_factory=dict)
    last_run: t.Optional[JobRunFacts] = None


@dataclasses.dataclass
class DatastoreConfig:
    """One section of C(datastore.cfg), with the property strings taken apart."""

    name: str
    path: str
    """As configured; relative to the device for a removable datastore."""
    properties: t.Dict[str, t.Any] = dataclasses.field(default_factory=dict)
    """Every other property as text, verbatim (C(gc-schedule), C(comment), …)."""
    tuning: t.Dict[str, t.Any] = dataclasses.field(default_factory=dict)
    """Parsed tuning: C(gc-atime-safety-check) as bool, C(gc-atime-cutoff) in minutes, the rest as typed."""
    tuning_error: str = ""
    """Why the tuning string does not parse (PBS stores it, and GC then breaks)."""
    backend: str = "filesystem"
    """C(filesystem) or C(s3)."""
    backing_device: str = ""
    """Filesystem UUID of a removable datastore, else empty."""
    maintenance_type: str = ""
    maintenance_message: str = ""
    gc_schedule: str = ""
    gc_last_run: t.Optional[JobRunFacts] = None
    prune_jobs: t.List[JobFacts] = dataclasses.field(default_factory=list)
    verify_jobs: t.List[JobFacts] = dataclasses.field(default_factory=list)


# --- where a datastore lives -------------------------------------------------------------------------------------------


@dataclasses.dataclass
class LocationFacts:
    """The path itself, as root sees it and as the daemon's user can reach it."""

    exists: bool
    type: str = ""
    """Type of what the path leads to, links followed (PBS follows them)."""
    realpath: str = ""
    dev: int = 0
    ino: int = 0
    uid: int = -1
    gid: int = -1
    mode: str = ""
    error: str = ""
    """errno name and text where the path could not be looked at."""
    reachable: t.Optional[bool] = None
    """Whether the daemon's user can enter every directory on the way."""
    blocked_at: str = ""
    """The first directory on the way that it cannot enter."""


@dataclasses.dataclass
class MountFacts:
    """The mount that a path is on, from C(/proc/self/mountinfo)."""

    mount_id: int
    parent_id: int
    device: str
    """C(major:minor)."""
    root: str
    """The directory of the filesystem that is mounted here; not C(/) for a bind mount or a btrfs subvolume."""
    mount_point: str
    fstype: str
    source: str
    options: t.List[str] = dataclasses.field(default_factory=list)
    """Per-mount options (C(ro), C(noatime), C(relatime), …)."""
    super_options: t.List[str] = dataclasses.field(default_factory=list)
    """Options of the filesystem itself, shared by all its mounts."""
    bind: bool = False
    """It shows a part of a filesystem (root is not C(/), and that is no subvolume or dataset root), or one that is mounted elsewhere too."""
    stacked: int = 0
    """How many other mounts lie hidden under this one at the same mount point."""
    is_root: bool = False
    """It is the mount of C(/)."""
    deleted: bool = False
    """The directory that it shows has been removed from its filesystem since, so that nothing can mount it again."""
    also_at: t.List[str] = dataclasses.field(default_factory=list)
    """Other mount points that show the same directory of the same filesystem."""


@dataclasses.dataclass
class PersistentMount:
    """One thing that would make a mount at boot."""

    kind: str
    """C(fstab), C(systemd), C(zfs) or C(pbs) (a removable datastore that PBS mounts itself)."""
    where: str
    source: str = ""
    fstype: str = ""
    options: t.List[str] = dataclasses.field(default_factory=list)
    file: str = ""
    """The file that says so, or the unit or dataset name."""
    active_at_boot: t.Optional[bool] = None
    """False for C(noauto), a disabled unit, C(canmount=off|noauto)."""
    detail: str = ""
    source_matches: t.Optional[bool] = None
    """Whether its source names the device that is mounted now; None where that cannot be told."""


@dataclasses.dataclass
class UnitOrderFacts:
    """Whether one PBS unit waits for the mount at boot."""

    unit: str
    waits: t.Optional[bool]
    """At boot it starts only after the mount has been made or has failed."""
    by: str = ""
    """What makes it wait: C(RequiresMountsFor=…), C(Requires=… After=…), C(After=local-fs.target)."""
    needs: t.Optional[bool] = None
    """It does not start at all where the mount has failed."""
    error: str = ""


@dataclasses.dataclass
class DaemonViewFacts:
    """The same path in the mount namespace of a running daemon."""

    unit: str
    pid: int
    same: t.Optional[bool]
    """There the path leads to the same directory of the same filesystem."""
    detail: str = ""
    options: t.List[str] = dataclasses.field(default_factory=list)
    """The per-mount options there: a unit may make read-only for itself what is read-write for us."""


@dataclasses.dataclass
class SpaceFacts:
    bytes_total: int
    bytes_available: int
    """For an ordinary user (C(f_bavail)), since the daemon is one."""
    inodes_total: int
    """0 where the filesystem has no fixed number."""
    inodes_available: int


@dataclasses.dataclass
class ZfsFacts:
    dataset: str
    properties: t.Dict[str, str] = dataclasses.field(default_factory=dict)
    """C(atime), C(relatime), C(canmount), C(mountpoint), C(readonly), C(mounted), C(quota), C(refquota)."""
    error: str = ""


# --- the chunk store ---------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class SkeletonFacts:
    """What is at the path, before any chunk is looked at."""

    state: str
    """C(absent), C(empty), C(foreign), C(half-made) or C(whole).

    PBS takes a directory for empty that holds only dot-entries and C(lost+found). Whole: C(.chunks) with 65,536 prefix
    directories and C(.lock). Half-made: C(.chunks) is there, but something of that is missing.
    """
    base: t.Optional[FileFacts] = None
    chunks: t.Optional[FileFacts] = None
    lock: t.Optional[FileFacts] = None
    gc_status: t.Optional[FileFacts] = None
    zero_chunk: t.Optional[FileFacts] = None
    prefixes: int = 0
    """Prefix directories C(0000)…C(ffff) that exist."""
    missing: t.List[str] = dataclasses.field(default_factory=list)
    """The first few prefix names that are missing."""
    groups: t.List[str] = dataclasses.field(default_factory=list)
    """Which of C(ns), C(vm), C(ct), C(host) exist."""
    foreign: t.List[str] = dataclasses.field(default_factory=list)
    """Top-level entries that are not PBS's, the first few."""
    foreign_count: int = 0
    error: str = ""


@dataclasses.dataclass
class TouchFacts:
    """One try of PBS's touch: C(utimensat(path, {UTIME_NOW, UTIME_OMIT}, AT_SYMLINK_NOFOLLOW))."""

    target: str
    """C(private) (our own file), C(marker) (the zero chunk, inserted by us) or C(zero-chunk) (the one that was there)."""
    path: str
    uid: int
    gid: int
    groups: t.List[int]
    advanced: t.Optional[bool]
    """True where atime became strictly later; None where the try could not be made at all."""
    step: str = ""
    """The call that failed: C(open), C(create), C(stat), C(utimensat), … or empty."""
    errno: int = 0
    error: str = ""
    """errno name and text, such as C(EPERM: Operation not permitted)."""
    before_ns: t.Optional[int] = None
    after_ns: t.Optional[int] = None
    refreshed_ns: t.Optional[int] = None
    """atime from a forced statx and a newly opened descriptor, the earlier of both."""
    refresh_error: str = ""
    inode_changes: int = 0
    """How often the path led to another inode between two looks."""
    waits: int = 0
    """How many times it waited before the answer was clear."""
    elapsed_ns: int = 0
    created_by: str = ""
    """C(backup) or C(root): who made the private file."""
    placement: str = ""
    """Where the file lay: C(prefix) or C(base)."""
    file: t.Optional[FileFacts] = None


@dataclasses.dataclass
class AtimeFacts:
    """All tries on one datastore, by identity."""

    mode: str
    """C(private), C(marker) or C(none)."""
    wanted: str = ""
    """The mode that was asked for, where nothing but check mode kept it from being tried."""
    probe: t.Optional[TouchFacts] = None
    zero_chunk: t.Optional[TouchFacts] = None
    """The real zero chunk, touched by the daemon's user."""
    zero_chunk_as_root: t.Optional[TouchFacts] = None
    granularity_ns: t.Optional[int] = None
    """The coarsest step that the file's timestamps were seen to be cut to."""
    clock_offset_ns: t.Optional[int] = None
    """The filesystem's clock minus the host's, from the birth of the private file."""
    clock_resolution_ns: t.Optional[int] = None
    """How exact that difference is."""
    not_tried: str = ""
    """Why nothing was tried (check mode, the daemon's user is unknown, not root, …)."""
    marker_inserted: bool = False
    """The zero chunk was inserted (or replaced) by us, in PBS's own way."""
    left_behind: str = ""
    """The private file that could not be removed, and why; the next run removes it."""
    leftovers_removed: int = 0
    """Private files of an earlier, killed run that were removed."""


@dataclasses.dataclass
class LockFacts:
    """POSIX record locks, tried on the private file."""

    works: t.Optional[bool]
    error: str = ""
    not_tried: str = ""


@dataclasses.dataclass
class OwnerCount:
    uid: int
    gid: int
    count: int


@dataclasses.dataclass
class WalkCounts:
    """Exact counts of one tree, with the first offending paths."""

    directories: int = 0
    files: int = 0
    bytes: int = 0
    wrong_owner: int = 0
    """Files and directories whose uid or gid is not the wanted one."""
    wrong_uid: int = 0
    wrong_gid: int = 0
    owners: t.List[OwnerCount] = dataclasses.field(default_factory=list)
    """Who owns what is wrong, most first."""
    wrong_mode: int = 0
    """Directories or files whose mode is not the exact one that PBS gives."""
    unreadable: int = 0
    """What the daemon's user cannot read (files) or enter and list (directories)."""
    foreign: t.Dict[str, int] = dataclasses.field(default_factory=dict)
    """Counts by kind: C(link), C(fifo), C(socket), C(device), C(hardlink), C(directory), C(mount), C(name), C(immutable)."""
    vanished: int = 0
    """Names that were gone when looked at; normal while GC or a backup runs."""
    errors: int = 0
    """Directories or files that could not be looked at."""
    examples: t.Dict[str, t.List[PathProblem]] = dataclasses.field(default_factory=dict)
    """The first paths per kind: C(wrong_owner), C(wrong_mode), C(unreadable), C(errors) and each foreign kind."""


@dataclasses.dataclass
class OwnershipFacts:
    """The walk over C(.chunks) and over the metadata tree."""

    scope: str
    """C(full), C(sample), C(skeleton) or C(none)."""
    method: str = ""
    """How the answer was obtained, such as C(stat walk, 2 workers)."""
    uid: int = -1
    gid: int = -1
    """The wanted ids."""
    prefixes_total: int = 65536
    prefixes_walked: int = 0
    prefixes_missing: int = 0
    complete: bool = False
    """Everything that the scope asked for was seen."""
    stuck: str = ""
    """Where the walk was when it stopped answering, or the error that ended it."""
    elapsed_ns: int = 0
    skeleton: WalkCounts = dataclasses.field(default_factory=WalkCounts)
    """Base, C(.chunks), the prefix directories, C(.lock), C(.gc-status)."""
    chunks: WalkCounts = dataclasses.field(default_factory=WalkCounts)
    """What lies in the prefix directories."""
    metadata: WalkCounts = dataclasses.field(default_factory=WalkCounts)
    """C(ns), C(vm), C(ct), C(host) and what else lies below the base directory."""
    bad_chunks: int = 0
    empty_chunks: int = 0
    """Chunk files of length 0: corruption, but normal on an S3 cache."""
    temporary: int = 0
    """C(.tmp_XXXXXX) files older than a day; GC never removes them."""
    temporary_bytes: int = 0
    using_markers: int = 0
    not_walked: str = ""
    """Why there was no walk."""


# --- one datastore -----------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class StoreFacts:
    name: str
    path: str
    """The effective absolute path (C(/mnt/datastore/NAME) for a removable datastore)."""
    configured: t.Optional[DatastoreConfig] = None
    """None where the datastore is only declared, not configured."""
    mounted: t.Optional[bool] = None
    """For a removable datastore: whether its device is mounted at the path now. None for all others."""
    stuck: str = ""
    """What was being looked at when the deadline passed; empty where everything answered."""
    deadline: float = 0.0
    """Seconds that the path had to answer."""
    error: str = ""
    """An observer's unexpected failure, as one line."""
    root_refused: str = ""
    """What root is told where only the daemon's user may look (root_squash, FUSE without rights for root)."""
    location: t.Optional[LocationFacts] = None
    mount: t.Optional[MountFacts] = None
    declared_source_matches: t.Optional[bool] = None
    """Whether the mounted device is the one that the declaration names; None without one, or where that cannot be told."""
    persistent: t.Optional[t.List[PersistentMount]] = None
    unit_order: t.List[UnitOrderFacts] = dataclasses.field(default_factory=list)
    daemon_views: t.List[DaemonViewFacts] = dataclasses.field(default_factory=list)
    zfs: t.Optional[ZfsFacts] = None
    space: t.Optional[SpaceFacts] = None
    dir_nlink: t.Optional[bool] = None
    """Whether an ext filesystem allows more than 64,998 subdirectories (C(dir_nlink) with C(dir_index)).

    None for other filesystems, or where it cannot be read.
    """
    skeleton: t.Optional[SkeletonFacts] = None
    atime: t.Optional[AtimeFacts] = None
    lock: t.Optional[LockFacts] = None
    ownership: t.Optional[OwnershipFacts] = None


# --- back from JSON ----------------------------------------------------------------------------------------------------


def load(cls: t.Type[T], data: t.Any) -> T:
    """Build one of these classes from what C(dataclasses.asdict) and JSON made of it.

    Raises C(TypeError) or C(KeyError) where the data is not of that shape.
    """
    return t.cast(T, _load(cls, data))


_NONE = type(None)


def _load(kind: t.Any, data: t.Any) -> t.Any:
    if dataclasses.is_dataclass(kind):
        if not isinstance(data, dict):
            raise TypeError("%s wants an object, not %s" % (getattr(kind, "__name__", kind), type(data).__name__))
        hints = t.get_type_hints(kind, vars(sys.modules[__name__]))
        unknown = set(data) - set(hints)
        if unknown:
            raise TypeError("%s has no %s" % (getattr(kind, "__name__", kind), ", ".join(sorted(unknown))))
        return t.cast(t.Any, kind)(**{name: _load(hints[name], value) for name, value in data.items()})
    origin = t.get_origin(kind)
    args = t.get_args(kind)
    if origin is t.Union:
        if data is None:
            return None
        return _load(next(arg for arg in args if arg is not _NONE), data)
    if origin is list:
        return [_load(args[0], item) for item in data]
    if origin is dict:
        return {key: _load(args[1], value) for key, value in data.items()}
    return data
