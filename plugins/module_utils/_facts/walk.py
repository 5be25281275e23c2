# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the walk over a chunk store counted."""

from __future__ import annotations

import dataclasses

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.file import PathProblem

NO_DIRECTORY = "instead of a directory"
"""The detail of what is in place of a prefix directory."""


@dataclasses.dataclass
class OwnerCount:
    uid: int
    gid: int
    count: int


@dataclasses.dataclass
class WalkCounts:
    """Exact counts of one tree, with the first paths that have problems."""

    directories: int = 0
    files: int = 0
    bytes: int = 0
    wrong_owner: int = 0
    """Files and directories with a wrong uid or gid."""
    wrong_uid: int = 0
    wrong_gid: int = 0
    owners: list[OwnerCount] = dataclasses.field(default_factory=list)
    """The wrong owners, the highest count first."""
    wrong_mode: int = 0
    """Directories and files without the exact mode that PBS sets."""
    unreadable: int = 0
    """Files that the daemon's user cannot read, and directories that it cannot enter and list."""
    unwritable: int = 0
    """Directories, and `.lock`, that the daemon's user can read but not write."""
    denied: dict[str, int] = dataclasses.field(default_factory=dict)
    """Both by what they are to PBS, such as `unreadable index` or `unwritable group`.

    Kinds: `base`, `chunks`, `prefix`, `lock`, `gc-status`; `namespace`, `type`, `group`, `snapshot`, `directory`, `index`,
    `manifest`, `owner`, `file`.
    """
    foreign: dict[str, int] = dataclasses.field(default_factory=dict)
    """Counts by kind: `link`, `fifo`, `socket`, `device`, `hardlink`, `directory`, `mount`, `name`, `immutable`."""
    vanished: int = 0
    """Names that vanished during the walk; normal while GC or a backup runs."""
    errors: int = 0
    """Directories and files that could not be inspected."""
    examples: dict[str, list[PathProblem]] = dataclasses.field(default_factory=dict)
    """The first paths of each kind: `wrong_owner`, `wrong_mode`, `unreadable`, `unwritable`, `errors`, each foreign kind, `bad`,
    `temporary` and each
    kind of `denied`."""


@dataclasses.dataclass
class OwnershipFacts:
    """The walk over `.chunks` and over the metadata tree."""

    scope: str
    """`full`, `sample`, `skeleton` or `none`."""
    method: str = ""
    """How the counts were obtained, for example `stat walk, 2 workers`."""
    uid: int = -1
    gid: int = -1
    """The required ids."""
    prefixes_total: int = 65536
    prefixes_walked: int = 0
    prefixes_missing: int = 0
    complete: bool = False
    """Whether everything in the scope was checked."""
    stuck: str = ""
    """Where the walk stopped answering, or the error that ended it."""
    elapsed_ns: int = 0
    skeleton: WalkCounts = dataclasses.field(default_factory=WalkCounts)
    """The base directory, `.chunks`, the prefix directories, `.lock`, `.gc-status`."""
    chunks: WalkCounts = dataclasses.field(default_factory=WalkCounts)
    """The contents of the prefix directories."""
    metadata: WalkCounts = dataclasses.field(default_factory=WalkCounts)
    """`ns`, `vm`, `ct`, `host` and everything else below the base directory."""
    bad_chunks: int = 0
    empty_chunks: int = 0
    """Chunk files of length 0: corrupt, but normal in the cache of an S3 datastore."""
    temporary: int = 0
    """`.tmp_XXXXXX` files older than a day; GC never removes them."""
    temporary_bytes: int = 0
    using_markers: int = 0
    not_walked: str = ""
    """Why there was no walk."""
