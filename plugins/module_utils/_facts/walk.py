# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the walk over a chunk store counted."""

from __future__ import annotations

import dataclasses

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.file import PathProblem


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
    owners: list[OwnerCount] = dataclasses.field(default_factory=list)
    """Who owns what is wrong, most first."""
    wrong_mode: int = 0
    """Directories or files whose mode is not the exact one that PBS gives."""
    unreadable: int = 0
    """What the daemon's user cannot read (files) or enter and list (directories)."""
    foreign: dict[str, int] = dataclasses.field(default_factory=dict)
    """Counts by kind: `link`, `fifo`, `socket`, `device`, `hardlink`, `directory`, `mount`, `name`, `immutable`."""
    vanished: int = 0
    """Names that were gone when looked at; normal while GC or a backup runs."""
    errors: int = 0
    """Directories or files that could not be looked at."""
    examples: dict[str, list[PathProblem]] = dataclasses.field(default_factory=dict)
    """The first paths per kind: `wrong_owner`, `wrong_mode`, `unreadable`, `errors` and each foreign kind."""


@dataclasses.dataclass
class OwnershipFacts:
    """The walk over `.chunks` and over the metadata tree."""

    scope: str
    """`full`, `sample`, `skeleton` or `none`."""
    method: str = ""
    """How the answer was obtained, such as `stat walk, 2 workers`."""
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
    """Base, `.chunks`, the prefix directories, `.lock`, `.gc-status`."""
    chunks: WalkCounts = dataclasses.field(default_factory=WalkCounts)
    """What lies in the prefix directories."""
    metadata: WalkCounts = dataclasses.field(default_factory=WalkCounts)
    """`ns`, `vm`, `ct`, `host` and what else lies below the base directory."""
    bad_chunks: int = 0
    empty_chunks: int = 0
    """Chunk files of length 0: corruption, but normal on an S3 cache."""
    temporary: int = 0
    """`.tmp_XXXXXX` files older than a day; GC never removes them."""
    temporary_bytes: int = 0
    using_markers: int = 0
    not_walked: str = ""
    """Why there was no walk."""
