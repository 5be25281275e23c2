# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One datastore: the skeleton of its chunk store, the touch of access times, and everything else that was observed of it."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import DatastoreConfig
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.file import FileFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import (
    DaemonViewFacts,
    LocationFacts,
    MountFacts,
    PersistentMount,
    SpaceFacts,
    UnitOrderFacts,
    ZfsFacts,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.references import ReferenceFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.walk import OwnershipFacts


@dataclasses.dataclass
class SkeletonFacts:
    """What is at the path, before any chunk is looked at."""

    state: str
    """`absent`, `empty`, `foreign`, `half-made` or `whole`.

    PBS takes a directory for empty that holds only dot-entries and `lost+found`. Whole: `.chunks` with 65,536 prefix
    directories and `.lock`. Half-made: `.chunks` is there, but something of that is missing.
    """
    base: t.Optional[FileFacts] = None
    chunks: t.Optional[FileFacts] = None
    lock: t.Optional[FileFacts] = None
    gc_status: t.Optional[FileFacts] = None
    zero_chunk: t.Optional[FileFacts] = None
    prefixes: int = 0
    """Prefix directories `0000`…`ffff` that exist."""
    missing: list[str] = dataclasses.field(default_factory=list)
    """The first few prefix names that are missing."""
    groups: list[str] = dataclasses.field(default_factory=list)
    """Which of `ns`, `vm`, `ct`, `host` exist."""
    foreign: list[str] = dataclasses.field(default_factory=list)
    """Top-level entries that are not PBS's, the first few."""
    foreign_count: int = 0
    error: str = ""


@dataclasses.dataclass
class TouchFacts:
    """One try of PBS's touch: `utimensat(path, {UTIME_NOW, UTIME_OMIT}, AT_SYMLINK_NOFOLLOW)`."""

    target: str
    """`private` (our own file), `marker` (the zero chunk, inserted by us) or `zero-chunk` (the one that was there)."""
    path: str
    uid: int
    gid: int
    groups: list[int]
    advanced: t.Optional[bool]
    """True where atime became strictly later; None where the try could not be made at all."""
    step: str = ""
    """The call that failed: `open`, `create`, `stat`, `utimensat`, … or empty."""
    errno: int = 0
    error: str = ""
    """errno name and text, such as `EPERM: Operation not permitted`."""
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
    """`backup` or `root`: who made the private file."""
    placement: str = ""
    """Where the file lay: `prefix` or `base`."""
    file: t.Optional[FileFacts] = None


@dataclasses.dataclass
class AtimeFacts:
    """All tries on one datastore, by identity."""

    mode: str
    """`private`, `marker` or `none`."""
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
class StoreFacts:
    name: str
    path: str
    """The effective absolute path (`/mnt/datastore/NAME` for a removable datastore)."""
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
    persistent: t.Optional[list[PersistentMount]] = None
    unit_order: list[UnitOrderFacts] = dataclasses.field(default_factory=list)
    daemon_views: list[DaemonViewFacts] = dataclasses.field(default_factory=list)
    zfs: t.Optional[ZfsFacts] = None
    space: t.Optional[SpaceFacts] = None
    dir_nlink: t.Optional[bool] = None
    """Whether an ext filesystem allows more than 64,998 subdirectories (`dir_nlink` with `dir_index`).

    None for other filesystems, or where it cannot be read.
    """
    skeleton: t.Optional[SkeletonFacts] = None
    atime: t.Optional[AtimeFacts] = None
    lock: t.Optional[LockFacts] = None
    ownership: t.Optional[OwnershipFacts] = None
    references: t.Optional[ReferenceFacts] = None
    """What its backups need, held against its chunks."""
