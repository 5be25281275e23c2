# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What PBS wants of each part of a datastore, and who is told what a walk comes across.

A walk knows where it may go; a visitor knows what to do there: count (C(tally)), or make it right (C(mender)).
"""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.permission import READ, SEARCH, WRITE


@dataclasses.dataclass(frozen=True)
class Rule:
    """What one kind of file or directory has to be like."""

    mode: int
    """The low nine bits that PBS gives."""
    needs: int
    """What the daemon's user must be allowed to do, a sum of C(READ), C(WRITE), C(SEARCH)."""
    exact: bool = False
    """PBS demands just this mode when a datastore is reused."""
    owned: bool = True
    """It is PBS's own: it has to belong to the daemon's user."""


# Source: PBS, chunk store and datastore: what creation makes, what reuse demands, what the daemon opens.
BASE = Rule(0o755, READ | SEARCH, exact=True)
CHUNKS_DIRECTORY = Rule(0o750, READ | SEARCH, exact=True)
PREFIX = Rule(0o750, READ | SEARCH, exact=True)
LOCK_FILE = Rule(0o644, READ | WRITE, exact=True)
STATUS_FILE = Rule(0o644, READ)
CHUNK = Rule(0o644, READ)
METADATA_DIRECTORY = Rule(0o755, READ | SEARCH)
METADATA_FILE = Rule(0o644, READ)
STRAY_DIRECTORY = Rule(0o755, READ | SEARCH, owned=False)
"""Garbage collection walks over it and stops where it may not."""
STRAY_INDEX = Rule(0o644, READ, owned=False)
"""Garbage collection opens whatever has the name of an index file."""
STRAY_FILE = Rule(0o644, 0, owned=False)


class Visitor:
    """Told what a walk comes across. Paths are whole, and as the kernel has them (C(os.fsdecode))."""

    def plain(self, directories: int = 0, files: int = 0, size: int = 0) -> None:
        """So many directories, and files of so many bytes together, that are as they should be."""
        raise NotImplementedError

    def directory(self, path: str, status: os.stat_result, rule: Rule, place: Place) -> None:
        """A directory."""
        raise NotImplementedError

    def file(self, path: str, status: os.stat_result, rule: Rule, place: Place) -> None:
        """A regular file."""
        raise NotImplementedError

    def foreign(self, kind: str, path: str, detail: str = "") -> None:
        """What does not belong there; see C(WalkCounts.foreign) for the kinds."""
        raise NotImplementedError

    def vanished(self) -> None:
        """A name that was gone when it was looked at."""
        raise NotImplementedError

    def error(self, path: str, error: t.Union[OSError, str]) -> None:
        """What could not be looked at."""
        raise NotImplementedError

    def wrong(self) -> int:
        """How many files and directories did not have the wanted owner so far."""
        raise NotImplementedError


class Place(t.NamedTuple):
    """How to get at a name without walking down its path again."""

    dir_fd: int
    """The directory that holds it; -1 if C(fd) is the only way."""
    name: str
    fd: int = -1
    """The object itself, where the walk holds it open; -1 if not."""
