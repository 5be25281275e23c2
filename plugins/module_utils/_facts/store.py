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
    """What is at the path, without a look at the chunks."""

    state: str
    """`absent`, `empty`, `foreign`, `half-made` or `whole`.

    For PBS, a directory with only dot-entries and `lost+found` is empty. Whole: `.chunks` with 65,536 prefix directories
    and `.lock`. Half-made: `.chunks` exists, but some of that is missing.
    """
    base: t.Optional[FileFacts] = None
    chunks: t.Optional[FileFacts] = None
    lock: t.Optional[FileFacts] = None
    gc_status: t.Optional[FileFacts] = None
    gc_task: str = ""
    """UPID of the last GC that succeeded, from `.gc-status`; empty if there is none."""
    zero_chunk: t.Optional[FileFacts] = None
    prefixes: int = 0
    """Prefix directories `0000`…`ffff` that exist."""
    missing: list[str] = dataclasses.field(default_factory=list)
    """The first missing prefix names."""
    groups: list[str] = dataclasses.field(default_factory=list)
    """Which of `ns`, `vm`, `ct`, `host` exist."""
    foreign: list[str] = dataclasses.field(default_factory=list)
    """The first top-level entries that are not part of a datastore."""
    foreign_count: int = 0
    error: str = ""


@dataclasses.dataclass
class TouchFacts:
    """One test of PBS's touch: `utimensat(path, {UTIME_NOW, UTIME_OMIT}, AT_SYMLINK_NOFOLLOW)`."""

    target: str
    """`private` (our own file), `marker` (the zero chunk that the probe inserted) or `zero-chunk` (the existing one)."""
    path: str
    uid: int
    gid: int
    groups: list[int]
    advanced: t.Optional[bool]
    """True if atime became strictly later; None if the test was not possible."""
    step: str = ""
    """The call that failed: `open`, `create`, `stat`, `utimensat`, … or empty."""
    errno: int = 0
    error: str = ""
    """errno name and text, for example `EPERM: Operation not permitted`."""
    before_ns: t.Optional[int] = None
    after_ns: t.Optional[int] = None
    refreshed_ns: t.Optional[int] = None
    """atime from a forced statx and from a newly opened descriptor, the earlier of the two."""
    refresh_error: str = ""
    inode_changes: int = 0
    """How often the inode at the path changed between two checks."""
    waits: int = 0
    """How often it waited before the result was clear."""
    elapsed_ns: int = 0
    created_by: str = ""
    """`backup` or `root`: who created the private file."""
    placement: str = ""
    """The directory of the file: `prefix` or `base`."""
    file: t.Optional[FileFacts] = None

    @property
    def has_no_effect(self) -> bool:
        """The touch succeeded and moved nothing, or moved what a refresh took back."""
        if self.errno or self.advanced is None:
            return False
        taken_back = (
            self.refreshed_ns is not None and self.before_ns is not None and self.refreshed_ns <= self.before_ns
        )
        return not self.advanced or taken_back


@dataclasses.dataclass
class AtimeFacts:
    """All atime tests on one datastore, by identity."""

    mode: str
    """`private`, `marker` or `none`."""
    wanted: str = ""
    """The requested mode, if only check mode prevented it."""
    probe: t.Optional[TouchFacts] = None
    zero_chunk: t.Optional[TouchFacts] = None
    """The real zero chunk, touched by the daemon's user."""
    zero_chunk_as_root: t.Optional[TouchFacts] = None
    granularity_ns: t.Optional[int] = None
    """The granularity of the file's timestamps, as measured."""
    clock_offset_ns: t.Optional[int] = None
    """The filesystem's clock minus the host's clock, measured at the creation of the private file."""
    clock_resolution_ns: t.Optional[int] = None
    """The precision of that difference."""
    not_tried: str = ""
    """Why nothing was tested (check mode, the daemon's user is unknown, not root, …)."""
    marker_inserted: bool = False
    """Whether the probe inserted (or replaced) the zero chunk, as PBS does."""
    left_behind: str = ""
    """The private file that could not be removed, and why; the next run removes it."""
    leftovers_removed: int = 0
    """Number of private files that this run removed after an earlier, killed run."""

    @property
    def ignores_touches(self) -> bool:
        """A touch as the daemon's user had no effect."""
        return any(touch is not None and touch.has_no_effect for touch in (self.probe, self.zero_chunk))


@dataclasses.dataclass
class LockFacts:
    """POSIX record locks, tested on the private file."""

    works: t.Optional[bool]
    error: str = ""
    not_tried: str = ""


@dataclasses.dataclass
class ChunksPlace:
    """Where the chunks are, if `.chunks` is a link or a mount of its own."""

    path: str
    """The directory, without links."""
    link: bool = False
    mount: t.Optional[MountFacts] = None
    persistent: t.Optional[list[PersistentMount]] = None
    space: t.Optional[SpaceFacts] = None
    dir_nlink: t.Optional[bool] = None
    unit_order: list[UnitOrderFacts] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class StoreFacts:
    name: str
    path: str
    """The effective absolute path (`/mnt/datastore/NAME` for a removable datastore)."""
    configured: t.Optional[DatastoreConfig] = None
    """None if the datastore is only declared, not configured."""
    mounted: t.Optional[bool] = None
    """For a removable datastore: whether its device is mounted at the path now. None for all others."""
    stuck: str = ""
    """The step that was running when the deadline passed; empty if all steps ended."""
    deadline: float = 0.0
    """Seconds within which the path had to answer."""
    error: str = ""
    """An unexpected failure of an observer, as one line."""
    root_refused: str = ""
    """The error that root gets if only the daemon's user has access (root_squash, FUSE without access for root)."""
    location: t.Optional[LocationFacts] = None
    mount: t.Optional[MountFacts] = None
    declared_source_matches: t.Optional[bool] = None
    """Whether the mounted device is the declared one; None without a declaration, or if that cannot be found out."""
    persistent: t.Optional[list[PersistentMount]] = None
    unit_order: list[UnitOrderFacts] = dataclasses.field(default_factory=list)
    daemon_views: list[DaemonViewFacts] = dataclasses.field(default_factory=list)
    zfs: t.Optional[ZfsFacts] = None
    space: t.Optional[SpaceFacts] = None
    dir_nlink: t.Optional[bool] = None
    """Whether an ext filesystem allows more than 64,998 subdirectories (`dir_nlink` with `dir_index`).

    None for other filesystems, or if it cannot be read.
    """
    skeleton: t.Optional[SkeletonFacts] = None
    atime: t.Optional[AtimeFacts] = None
    lock: t.Optional[LockFacts] = None
    ownership: t.Optional[OwnershipFacts] = None
    references: t.Optional[ReferenceFacts] = None
    """What its backups need, held against its chunks."""
    chunks_place: t.Optional[ChunksPlace] = None
    """None if `.chunks` is a directory on the mount of the base directory, or does not exist."""
