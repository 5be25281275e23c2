# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The walk over what lies beside C(.chunks): namespaces, groups, snapshots, and what does not belong there.

Garbage collection walks this whole tree to find index files. It follows no links, leaves out hidden names, and stops
at a directory or an index file that it cannot read; only C(lost+found) in the base directory is forgiven.
Source: PBS, garbage collection, marking.
"""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.chunk_store import GROUPS
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.permission import READ, SEARCH, allows
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.tally import Tally, foreign_kind
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk import OpenStore, Pulse
from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import open_directory
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity

_MAX_DEPTH = 100
"""Directories below each other; PBS itself goes down to 18. Each holds two descriptors."""

_INDEXES = (".fidx", ".didx")
_PROTECTED = ".protected"


class MetadataWalk:
    """Looks at everything below the base directory except the chunk store."""

    def __init__(
        self,
        store: OpenStore,
        identity: Identity,
        pulse: t.Callable[[t.Callable[[], t.Dict[str, int]]], Pulse],
        max_paths: int,
    ) -> None:
        self.store = store
        self.identity = identity
        self.tally = Tally(identity, max_paths)
        self.pulse = pulse(self.progress)

    def progress(self) -> t.Dict[str, int]:
        return {"wrong": self.tally.counts.wrong_owner}

    def walk(self) -> None:
        """Walk the tree. Raises C(OSError) where the base directory cannot be listed."""
        # Descending by a list of listings that are open, not by recursion: the depth is somebody else's choice.
        stack = [_Level("", self.store.base, os.scandir(self.store.base), False)]
        try:
            while stack:
                self.pulse.beat()
                level = stack[-1]
                try:
                    entry = next(level.entries, None)
                except OSError as exc:
                    self.tally.error(self._path(level.path), exc)
                    entry = None
                if entry is None:
                    stack.pop().close()
                    continue
                below = self._visit(level, entry, len(stack))
                if below is not None:
                    stack.append(below)
        finally:
            while stack:
                stack.pop().close()

    def _path(self, path: str) -> str:
        return self.store.path + "/" + path if path else self.store.path

    def _visit(self, level: "_Level", entry: "os.DirEntry[str]", depth: int) -> t.Optional["_Level"]:
        """One name; the directory to go on with, if it is one."""
        name = entry.name
        if name.startswith(".") and not (name == _PROTECTED and level.owned):
            return None
        path = level.path + "/" + name if level.path else name
        if depth == 1 and name == "lost+found":
            return None
        self.pulse.at(path)
        if path in self.store.mounts:
            self.tally.foreign("mount", self._path(path))
            return None
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            self.tally.counts.vanished += 1
            return None
        except OSError as exc:
            self.tally.error(self._path(path), exc)
            return None
        if status.st_dev != self.store.device:
            self.tally.foreign("mount", self._path(path))
            return None
        owned = level.owned
        if depth == 1:
            owned = name in GROUPS
            if not owned:
                self.tally.foreign("name", self._path(path), "no part of a datastore")
        if stat.S_ISDIR(status.st_mode):
            return self._descend(level, name, path, status, owned, depth)
        if stat.S_ISREG(status.st_mode):
            self._file(level.fd, name, path, status, owned)
        elif owned:
            self.tally.foreign(foreign_kind(status.st_mode), self._path(path))
        return None

    def _descend(
        self, level: "_Level", name: str, path: str, status: os.stat_result, owned: bool, depth: int
    ) -> t.Optional["_Level"]:
        if depth >= _MAX_DEPTH:
            self.tally.error(self._path(path), "deeper than %d directories" % _MAX_DEPTH)
            return None
        try:
            fd = open_directory(name, dir_fd=level.fd)
        except FileNotFoundError:
            self.tally.counts.vanished += 1
            return None
        except OSError as exc:
            self._directory(-1, path, status, owned)
            self.tally.error(self._path(path), exc)
            return None
        try:
            status = os.fstat(fd)
            if status.st_dev != self.store.device:
                self.tally.foreign("mount", self._path(path))
                os.close(fd)
                return None
            self._directory(fd, path, status, owned)
            return _Level(path, fd, os.scandir(fd), owned)
        except OSError as exc:
            os.close(fd)
            self.tally.error(self._path(path), exc)
            return None

    def _directory(self, fd: int, path: str, status: os.stat_result, owned: bool) -> None:
        """A directory; C(owned) where it is PBS's. C(fd) is -1 where it could not be opened."""
        self.tally.counts.directories += 1
        if owned:
            self.tally.owner(self._path(path), status)
        if not allows(self.identity, status, READ | SEARCH):
            self.tally.unreadable(self._path(path), status)

    def _file(self, fd: int, name: str, path: str, status: os.stat_result, owned: bool) -> None:
        """A regular file in the directory C(fd)."""
        self.tally.counts.files += 1
        self.tally.counts.bytes += status.st_size
        if owned:
            if status.st_nlink != 1:
                self.tally.foreign("hardlink", self._path(path), "%d links" % status.st_nlink)
            self.tally.owner(self._path(path), status)
        if (owned or name.endswith(_INDEXES)) and not allows(self.identity, status, READ):
            self.tally.unreadable(self._path(path), status)


class _Level:
    """A directory that is being listed."""

    def __init__(self, path: str, fd: int, entries: t.Any, owned: bool) -> None:
        self.path = path
        self.fd = fd
        self.entries = entries
        self.owned = owned

    def close(self) -> None:
        self.entries.close()
        if self.path:
            os.close(self.fd)
