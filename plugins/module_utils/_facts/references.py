# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the backups of one datastore need, what is there, and what the next garbage collection (GC) would do.

Plain data, as everything here: counts are exact, lists are bounded examples beside them. Paths are relative to the base
directory and safe to display. Times are whole seconds since the epoch, as GC compares them; sizes are bytes. `None` means
"could not be found out".

Kinds of problems are words; `GC_SAYS` tells for each kind what GC makes of it.
"""

from __future__ import annotations

import dataclasses
import typing as t

STOPS = "stops"
"""GC ends with an error while it marks, and sweeps nothing."""
WARNS = "warns"
"""GC counts a warning and goes on."""
SILENT = "silent"
"""GC says nothing at all."""

GC_SAYS: dict[str, str] = {
    # index files that GC opens
    "index-too-small": STOPS,
    "index-magic": STOPS,
    "index-length": STOPS,
    "index-empty": STOPS,
    "index-chunk-size": STOPS,
    "index-unreadable": STOPS,
    "index-directory": STOPS,
    "index-place": WARNS,
    "index-link": WARNS,
    "index-checksum": SILENT,
    "index-header": SILENT,
    "index-order": SILENT,
    # what keeps GC from its way to index files
    "directory-unreadable": STOPS,
    "namespace-name": STOPS,
    "namespaces-file": STOPS,
    "snapshot-name": STOPS,
    # index files and directories that GC does not see
    "index-dangling": SILENT,
    "index-hidden": SILENT,
    "link-type": SILENT,
    "link-namespace": SILENT,
    "link-group": SILENT,
    "link-snapshot": SILENT,
    "link-directory": SILENT,
    "mount": SILENT,
    "type-file": SILENT,
    # what belongs to a snapshot or a group, and GC does not read
    "manifest-missing": SILENT,
    "manifest-unreadable": SILENT,
    "manifest-damaged": SILENT,
    "manifest-large": SILENT,
    "manifest-file-missing": SILENT,
    "manifest-file-unlisted": SILENT,
    "manifest-size": SILENT,
    "manifest-checksum": SILENT,
    "owner-missing": SILENT,
    "owner-unreadable": SILENT,
    "owner-damaged": SILENT,
    # chunks that an index needs
    "chunk-missing": WARNS,
    "chunk-only-bad": WARNS,
    "chunk-no-file": SILENT,
    "chunk-empty": SILENT,
    "chunk-unreadable": SILENT,
    "chunk-untouchable": STOPS,
}
"""Kind of problem: what GC makes of it.

- `index-too-small`: shorter than its header of 4,096 bytes; `index-magic`: another magic number; `index-length`: the
  length of the file is not the one that its header asks for (.fidx), or no whole number of entries (.didx);
  `index-empty`: a header without one entry; `index-chunk-size`: no power of two; `index-unreadable`: the daemon's user
  may not open it; `index-directory`: a directory, FIFO, socket or device with the name of an index file;
- `index-place`: an index file where GC does not expect one, or in a snapshot directory of an odd name: it counts;
  `index-link`: a link with the name of an index file: it counts, with two warnings; `index-dangling`: such a link that
  leads nowhere, which is to GC a file that was removed just now; one that cannot be followed is an `index-directory`;
- `index-checksum`: the checksum of the entries is neither the one in the header nor the one in the manifest, so that
  entries were lost or changed, and chunks are no longer marked (without a readable manifest: not the one in the header);
  `index-header`: it is the one in the manifest, so that only the header is wrong, which verify does not see; `index-order`: the ends of a .didx do not rise;
- `directory-unreadable`: the daemon's user may not list it (`lost+found` in the base directory is forgiven);
  `namespace-name`: a directory in `ns` whose name is none of a namespace, or makes it too long; `namespaces-file`: a file in
  place of `ns`; `snapshot-name`: a directory in a group whose
  name has the form of a time, and is none;
- `index-hidden`: an index file with a hidden name or in a hidden directory, or outside of snapshots where the base directory
  itself has a hidden name; `link-…`: a link in place of a type, namespace, group, snapshot or
  other directory; `mount`: another filesystem is mounted there, and it was not looked into (GC does enter it);
- `manifest-…`: see the texts; `manifest-large`: PBS reads it, and it was not read here; `manifest-size`: an index file
  has another content size, or a blob another length, than the manifest says; `manifest-checksum`: an index file whose
  header is right by its entries has another checksum;
- `type-file`: a file in place of `ct`, `host` or `vm`;
- `chunk-…`: of a chunk that an index needs. `chunk-no-file`: a directory, link, … in its place, which GC touches all the
  same; `chunk-only-bad`: what is left of it was renamed by a verification (`.N.bad`); `chunk-untouchable`: it belongs to
  another user than the daemon's, who may not move its access time, or is immutable or append-only, so that nobody may.
"""


@dataclasses.dataclass(order=True)
class ReferenceProblem:
    """One offending path, kept as an example beside an exact count."""

    path: str
    detail: str
    """What is observed, and what is required; for an index file that stops GC with PBS's own words."""


@dataclasses.dataclass
class Problems:
    """Exact counts by kind (see `GC_SAYS`), with the first few paths of each kind."""

    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    examples: dict[str, list[ReferenceProblem]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class GroupFacts:
    """One backup group."""

    namespace: str
    """`a/b` for `ns/a/ns/b`; empty for the root namespace."""
    type: str
    """`vm`, `ct` or `host`."""
    id: str
    snapshots: int = 0
    """Snapshot directories with a proper name."""
    newest: t.Optional[int] = None
    """Backup time of the newest snapshot that has a manifest."""
    unfinished: int = 0
    """Snapshots without a manifest (a backup may be running)."""
    verified: int = 0
    """Snapshots whose last verification was `ok`."""
    failed: int = 0
    """Snapshots whose last verification `failed`."""
    unverified: int = 0
    """Snapshots that were never verified."""
    newest_failed: t.Optional[int] = None
    """Backup time of the newest snapshot whose verification failed."""
    owner: str = ""
    """Authentication id in its owner file; empty where that cannot be read."""
    damaged: int = 0
    """Snapshots with a broken index, or that need a chunk that is missing, empty, unreadable or only `.bad`."""
    newest_damaged: t.Optional[int] = None
    newest_intact: t.Optional[int] = None
    """Backup time of the newest snapshot that has a manifest and is not damaged; None where there is none."""
    damaged_examples: list[str] = dataclasses.field(default_factory=list)
    """Names of damaged snapshot directories, newest first, the first few."""


@dataclasses.dataclass
class Sum:
    """Chunk files, and bytes of these files (`st_size`)."""

    chunks: int = 0
    bytes: int = 0


@dataclasses.dataclass
class SweepFacts:
    """What GC would do with each file in the prefix directories, if it began to mark at `start`.

    Counted as PBS counts: `.N.bad` files are in bytes and in `bad`, not in `chunks`. It is what the sweep would do after
    marking: that it comes to this is for the problems to tell.
    """

    start: int
    """The second in which marking is supposed to begin: when the walk began."""
    cutoff: int
    """Seconds."""
    limit: int
    """Removed is what was accessed before that second; a file of that very second is kept."""
    mark: int
    """Pending is what was accessed before that second: the oldest writer's start, or `start` where there is none."""
    removable: Sum = dataclasses.field(default_factory=Sum)
    removable_bad: int = 0
    pending: Sum = dataclasses.field(default_factory=Sum)
    pending_bad: int = 0
    pending_first: t.Optional[int] = None
    """When the first of what is pending becomes removable: a GC that begins in that second removes it."""
    pending_last: t.Optional[int] = None
    """When all that is pending now is removable."""
    future: Sum = dataclasses.field(default_factory=Sum)
    """What nothing needs, and cannot be removed: its access time is later than `start`. `future_last` is the latest."""
    future_last: t.Optional[int] = None
    kept: Sum = dataclasses.field(default_factory=Sum)
    """What stays: needed, or nothing needs it and it was accessed at `mark` or later (`future` included)."""
    kept_bad: int = 0
    blocked: Sum = dataclasses.field(default_factory=Sum)
    """Of `removable`: what the daemon's user may not remove, since the prefix directory is not writable, or it or the file is
    immutable or append-only: GC stops at the first."""
    blocked_bad: int = 0
    blocked_first: str = ""
    """The first of these prefix directories, with its owner and mode, such as `.chunks/27e8 (0:0 0755)`; or with the
    file and its flags."""
    using_markers: int = 0
    """`.using` files, which GC removes whatever their times are."""
    needed_old: Sum = dataclasses.field(default_factory=Sum)
    """Needed chunks that were accessed before `limit`: GC would remove them if its touch were not honoured."""
    needed_old_snapshots: t.Optional[int] = None
    """How many snapshots need one of these; None where that was not counted: it is if all or none of the needed chunks are old,
    or if a touch had no effect, so that these snapshots are in danger."""
    zero_chunk_kept: bool = False
    """The zero chunk is there, nothing needs it, and GC's own safety check touches it: it counts as kept."""


@dataclasses.dataclass
class ReferenceFacts:
    """What the index files of one datastore need, held against its chunks."""

    scope: str
    """`full`, `headers` (each index is opened, its header and length are read) or `none`."""
    complete: bool = False
    """Everything that the scope asks for was seen. Where it is False, counts are lower bounds and absence proves nothing."""
    stuck: str = ""
    """Where it stopped answering, or the first thing that could not be looked at, with the reason."""
    not_looked: str = ""
    """Why nothing was looked at: not asked for, S3, a removable datastore that is away, no answer, …"""
    chunks_seen: bool = False
    """The chunks were walked in full and joined: `sweep`, and problems of chunks, mean something."""
    chunks_not_seen: str = ""
    """Why not (the scope of the walk, …)."""
    unseen_prefixes: int = 0
    """Prefix directories that could not be looked into (a link, another filesystem, an error)."""
    unseen_chunks: int = 0
    """Needed chunks whose prefix directory is one of these."""
    started: int = 0
    """When it began, in seconds since the epoch."""
    elapsed_ns: int = 0
    snapshots: int = 0
    """Snapshot directories with a proper name in a proper place."""
    indexes: int = 0
    """Index files that GC would open."""
    index_bytes: int = 0
    """Bytes of these files."""
    data_bytes: int = 0
    """Bytes of backup data that they describe, as PBS sums them up for the deduplication factor."""
    references: int = 0
    """Entries in all of them."""
    needed: int = 0
    """Different chunks among these."""
    shared: int = 0
    """Entries that were the same as those of the snapshot before, and so cost nothing."""
    problems: Problems = dataclasses.field(default_factory=Problems)
    types: list[str] = dataclasses.field(default_factory=list)
    """Which of `ct`, `host`, `ns`, `vm` are directories in the base directory: GC marks nothing without them."""
    damaged_snapshots: int = 0
    damaged_groups: int = 0
    damaged_complete: bool = True
    """False where so many chunks are damaged that the snapshots of the first of them only were looked for."""
    groups: list[GroupFacts] = dataclasses.field(default_factory=list)
    """By namespace, type and id; damaged ones, and those with failed verifications, are never among those left out."""
    groups_total: int = 0
    verified_by_day: dict[str, int] = dataclasses.field(default_factory=dict)
    """Day since the epoch (as text, since JSON has no other keys): snapshots whose last verification began on it."""
    unverified_by_day: dict[str, int] = dataclasses.field(default_factory=dict)
    """Day since the epoch: finished snapshots of that day that were never verified."""
    failed_verifications: Problems = dataclasses.field(default_factory=Problems)
    """Kind `failed`: snapshots whose last verification failed."""
    untouchable_snapshots: t.Optional[int] = None
    """How many snapshots need a chunk that GC cannot touch; None where that was not counted."""
    sweep: t.Optional[SweepFacts] = None
