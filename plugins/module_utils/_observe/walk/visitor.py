# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PBS's requirements for each part of a datastore, and the interface of a walk to its visitor.

A walk decides where to go; a visitor decides what to do there: count (`counters`), or repair (`_manage`).
"""

from __future__ import annotations

import dataclasses
import errno
import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.permission import READ, SEARCH, WRITE


@dataclasses.dataclass(frozen=True, eq=False)
class Rule:
    """The requirements for one kind of file or directory."""

    mode: int
    """The low nine bits that PBS sets."""
    needs: int
    """The permissions that the daemon's user needs, a sum of `READ`, `WRITE`, `SEARCH`."""
    exact: bool = False
    """Whether PBS requires exactly this mode when it reuses a datastore."""
    owned: bool = True
    """Whether it is part of PBS's data, so that the daemon's user must own it."""
    kind: str = ""
    """What it is to PBS, where that decides what a denied permission stops; see `WalkCounts.denied`."""


# Source: PBS, chunk store and datastore: what creation sets, what reuse requires, what the daemon opens.
ALL = READ | WRITE | SEARCH
BASE = Rule(0o755, ALL, exact=True, kind="base")
CHUNKS_DIRECTORY = Rule(0o750, ALL, exact=True, kind="chunks")
PREFIX = Rule(0o750, ALL, exact=True, kind="prefix")
LOCK_FILE = Rule(0o644, READ | WRITE, exact=True, kind="lock")
STATUS_FILE = Rule(0o644, READ, kind="gc-status")
CHUNK = Rule(0o644, READ)
DIRECTORIES = {kind: Rule(0o755, ALL, kind=kind) for kind in ("namespace", "type", "group", "snapshot")}
"""Directories of the metadata tree, by `directory_kind`."""
INNER_DIRECTORY = Rule(0o755, ALL, kind="directory")
INDEX_FILE = Rule(0o644, READ, kind="index")
MANIFEST_FILE = Rule(0o644, READ, kind="manifest")
OWNER_FILE = Rule(0o644, READ, kind="owner")
METADATA_FILE = Rule(0o644, READ, kind="file")
STRAY_DIRECTORY = Rule(0o755, READ | SEARCH, owned=False, kind="directory")
"""Garbage collection walks it, and stops if it is not permitted to."""
STRAY_INDEX = Rule(0o644, READ, owned=False, kind="index")
"""Garbage collection opens every file with the name of an index file."""
STRAY_FILE = Rule(0o644, 0, owned=False)


class Directory:
    """A directory during a walk."""

    def __init__(self, path: str, fd: int, status: os.stat_result, parent: t.Optional[Directory] = None) -> None:
        self.parent = parent
        """The directory of the same walk that it is in; None where the walk began with it."""
        self.path = path
        """The whole path, as in the kernel (`os.fsdecode`)."""
        self.fd = fd
        """Open descriptor, for access to its contents without the path."""
        self.status = status
        """Its status when it was opened."""

    def join(self, name: str) -> str:
        return self.path.rstrip("/") + "/" + name


class Visitor:
    """Gets everything that a walk finds."""

    def files(self, where: Directory, names: t.Sequence[bytes], rule: Rule) -> None:
        """Names in an open directory that should be regular files; not checked yet."""
        raise NotImplementedError

    def file(self, where: Directory, name: str, status: os.stat_result, rule: Rule) -> None:
        """A regular file."""
        raise NotImplementedError

    def directory(self, path: str, status: os.stat_result, rule: Rule, fd: int) -> None:
        """An open directory; `fd` is -1 if it could not be opened. Called after everything in it."""
        raise NotImplementedError

    def unseen(self, path: str) -> None:
        """A name that was not looked at, since PBS passes over it; or the rest of a directory, as `DIRECTORY/`."""

    def busy(self, status: os.stat_result) -> None:
        """A file that a process is still writing, so that its owner and mode are not final."""
        raise NotImplementedError

    def foreign(self, kind: str, path: str, detail: str = "") -> None:
        """Something that does not belong there; see `WalkCounts.foreign` for the kinds."""
        raise NotImplementedError

    def example(self, kind: str, path: str) -> None:
        """A path of a kind that is counted elsewhere, as an example for people."""

    def missed(self, path: str, error: OSError) -> None:
        """A name that could not be checked; that is normal if it has vanished."""
        if isinstance(error, FileNotFoundError):
            self.vanished()
        elif error.errno == errno.EXDEV:
            self.foreign("mount", path)
        else:
            self.error(path, error)

    def vanished(self) -> None:
        """A name that vanished before it was checked."""
        raise NotImplementedError

    def error(self, path: str, error: t.Union[OSError, str]) -> None:
        """A file or directory that could not be checked."""
        raise NotImplementedError

    def seen(self) -> int:
        """Number of files so far."""
        raise NotImplementedError

    def wrong(self) -> int:
        """Number of files and directories with a wrong owner so far."""
        raise NotImplementedError


class Collector:
    """Gets the regular files in prefix directories that garbage collection checks, and nothing else.

    Calls for each prefix directory: `enter`, its contents, `leave`. For each chunk the visitor is called first.
    """

    def enter(self, number: int) -> None:
        """A prefix directory begins."""
        raise NotImplementedError

    def chunks(self, prefix: Directory, found: t.Sequence[bytes]) -> None:
        """Names of chunks that the visitor has just checked."""
        raise NotImplementedError

    def other(self, kind: str, name: bytes, status: os.stat_result) -> None:
        """Another file, by its class (see `chunk_walk.chunk_class`)."""
        raise NotImplementedError

    def leave(self, prefix: t.Optional[Directory], seen: bool) -> None:
        """The prefix directory ends; None if it does not exist. `seen` is False if some of it could not be checked."""
        raise NotImplementedError
