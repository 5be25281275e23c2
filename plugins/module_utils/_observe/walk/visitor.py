# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What PBS wants of each part of a datastore, and who is told what a walk comes across.

A walk knows where it may go; a visitor knows what to do there: count (`tally`), or make it right (`mender`).
"""

from __future__ import annotations

import dataclasses
import errno
import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.permission import READ, SEARCH, WRITE


@dataclasses.dataclass(frozen=True, eq=False)
class Rule:
    """What one kind of file or directory has to be like."""

    mode: int
    """The low nine bits that PBS gives."""
    needs: int
    """What the daemon's user must be allowed to do, a sum of `READ`, `WRITE`, `SEARCH`."""
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


class Directory:
    """A directory that a walk is in."""

    def __init__(self, path: str, fd: int, status: os.stat_result) -> None:
        self.path = path
        """Whole, and as the kernel has it (`os.fsdecode`)."""
        self.fd = fd
        """Open, so that what is in it is reached without walking down the path again."""
        self.status = status
        """What it was like when it was opened."""

    def join(self, name: str) -> str:
        return self.path.rstrip("/") + "/" + name


class Visitor:
    """Told what a walk comes across."""

    def files(self, where: Directory, names: t.Sequence[bytes], rule: Rule) -> None:
        """Names in an open directory, not looked at yet, that should be regular files."""
        raise NotImplementedError

    def file(self, where: Directory, name: str, status: os.stat_result, rule: Rule) -> None:
        """A regular file."""
        raise NotImplementedError

    def directory(self, path: str, status: os.stat_result, rule: Rule, fd: int) -> None:
        """A directory, held open; `fd` is -1 where it could not be opened. For `files` in it, after them."""
        raise NotImplementedError

    def busy(self, status: os.stat_result) -> None:
        """A file that somebody is still writing, and is not done with its owner and mode."""
        raise NotImplementedError

    def foreign(self, kind: str, path: str, detail: str = "") -> None:
        """What does not belong there; see `WalkCounts.foreign` for the kinds."""
        raise NotImplementedError

    def missed(self, path: str, error: OSError) -> None:
        """What could not be looked at, which is normal if it is gone meanwhile."""
        if isinstance(error, FileNotFoundError):
            self.vanished()
        elif error.errno == errno.EXDEV:
            self.foreign("mount", path)
        else:
            self.error(path, error)

    def vanished(self) -> None:
        """A name that was gone when it was looked at."""
        raise NotImplementedError

    def error(self, path: str, error: t.Union[OSError, str]) -> None:
        """What could not be looked at."""
        raise NotImplementedError

    def seen(self) -> int:
        """How many files there were so far."""
        raise NotImplementedError

    def wrong(self) -> int:
        """How many files and directories did not have the wanted owner so far."""
        raise NotImplementedError
