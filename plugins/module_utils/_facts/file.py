# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One file or path, as plain data."""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass
class FileFacts:
    """The result of one `statx`, which does not follow links."""

    path: str
    type: str
    """`file`, `directory`, `link`, `fifo`, `socket`, `block`, `char` or `unknown`."""
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
    flags: list[str] = dataclasses.field(default_factory=list)
    """Inode flags that forbid changes: `immutable`, `append`."""


@dataclasses.dataclass(order=True)
class PathProblem:
    """One path with a problem, as an example next to an exact count; ordered by path."""

    path: str
    detail: str
