# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The walk over everything outside of `.chunks`: namespaces, groups, snapshots, and foreign files.

Garbage collection walks this whole tree to find index files. It follows no links, ignores hidden names, and stops at a
directory or an index file that it cannot read; the only exception is `lost+found` in the base directory.
Source: PBS, garbage collection, marking.
"""

from __future__ import annotations

import errno
import itertools
import os
import stat
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.counters import foreign_kind
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.open_store import OpenStore
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.visitor import (
    DIRECTORIES,
    INDEX_FILE,
    INNER_DIRECTORY,
    MANIFEST_FILE,
    METADATA_FILE,
    OWNER_FILE,
    STRAY_DIRECTORY,
    STRAY_FILE,
    STRAY_INDEX,
    Directory,
    Rule,
    Visitor,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.workers import Heartbeat
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import manifest
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import GROUPS, OWNER
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.snapshot import DEEPEST_NAMESPACE, directory_kind
from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import open_inside
from ansible_collections.fleetops.pbs.plugins.module_utils._system.listing import batches

_MAX_DEPTH = 100
"""Maximum depth of directories; PBS itself uses at most 18. Each level needs two descriptors."""

_INDEXES = (".fidx", ".didx")
_PROTECTED = ".protected"
_DEEPEST = 2 * DEEPEST_NAMESPACE + 3
"""Names of a path below which there is no directory of PBS: seven namespaces, type, group and snapshot."""
_IGNORED = "lost+found"


class MetadataWalk:
    """Visits everything below the base directory except the chunk store."""

    def __init__(self, store: OpenStore, visitor: Visitor, heartbeat: Heartbeat) -> None:
        self._store = store
        self._visitor = visitor
        self._heartbeat = heartbeat

    def progress(self) -> dict[str, int]:
        return {"wrong": self._visitor.wrong()}

    def walk(self) -> None:
        """Walk the tree. Raises `OSError` if the base directory cannot be listed."""
        # A stack of open listings instead of recursion, because a hostile owner may choose the depth.
        stack = [_Level(self._store.path, self._store.base, self._store.status, owned=False)]
        try:
            while stack:
                self._heartbeat.beat(self.progress)
                level = stack[-1]
                try:
                    entry = next(level.entries, None)
                except OSError as exc:
                    self._visitor.error(level.path, exc)
                    self._visitor.unseen(level.join(""))
                    entry = None
                if entry is None:
                    self._leave(stack.pop())
                    continue
                below = self._visit(level, entry, len(stack))
                if below is not None:
                    stack.append(below)
        finally:
            while stack:
                stack.pop().close()
        self._heartbeat.put("progress", self.progress())

    def _visit(self, level: _Level, entry: os.DirEntry[str], depth: int) -> t.Optional[_Level]:
        """Visit one name; returns the directory to descend into, if it is one."""
        name = entry.name
        if name.startswith(".") and not (name == _PROTECTED and level.owned):
            if level.owned:
                self._visitor.unseen(level.join(name))
            return None
        if depth == 1 and name == _IGNORED:
            return None
        path = level.join(name)
        inner = path[len(self._store.path.rstrip("/")) + 1 :]
        self._heartbeat.at(inner)
        if inner in self._store.mounts:
            self._visitor.foreign("mount", path)
            return None
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError as exc:
            self._visitor.missed(path, exc)
            return None
        if status.st_dev != self._store.device:
            self._visitor.foreign("mount", path)
            return None
        owned = level.owned
        if depth == 1:
            owned = name in GROUPS
            if not owned:
                self._visitor.foreign("name", path, "not part of a datastore")
        if stat.S_ISDIR(status.st_mode):
            return self._descend(level, name, status, owned, depth)
        if stat.S_ISREG(status.st_mode):
            rule = _file_rule(name, level) if owned else STRAY_INDEX if name.endswith(_INDEXES) else STRAY_FILE
            self._visitor.file(level, name, status, rule)
        elif owned:
            self._visitor.foreign(foreign_kind(status.st_mode), path)
        return None

    def _descend(self, level: _Level, name: str, status: os.stat_result, owned: bool, depth: int) -> t.Optional[_Level]:
        path = level.join(name)
        rule = STRAY_DIRECTORY
        if owned:
            inner = path[len(self._store.path.rstrip("/")) + 1 :]
            rule = DIRECTORIES.get(directory_kind(inner.split("/", _DEEPEST)), INNER_DIRECTORY)
        if depth >= _MAX_DEPTH:
            self._visitor.error(path, "deeper than %d directories" % _MAX_DEPTH)
            return None
        try:
            fd = open_inside(name, level.fd)
        except OSError as exc:
            if exc.errno not in (errno.ENOENT, errno.EXDEV):
                self._visitor.directory(path, status, rule, -1)
            self._visitor.missed(path, exc)
            return None
        try:
            status = os.fstat(fd)
            if status.st_dev != self._store.device:
                self._visitor.foreign("mount", path)
                os.close(fd)
                return None
            return _Level(path, fd, status, owned, level, rule)
        except OSError as exc:
            os.close(fd)
            self._visitor.error(path, exc)
            return None

    def _leave(self, level: _Level) -> None:
        """Report a directory after everything in it, and close it."""
        try:
            if level.rule is not None:
                self._visitor.directory(level.path, level.status, level.rule, level.fd)
        finally:
            level.close()


def _file_rule(name: str, level: _Level) -> Rule:
    """The rule of a file in a backup type or namespace."""
    if name.endswith(_INDEXES):
        return INDEX_FILE
    if name == manifest.NAME:
        return MANIFEST_FILE
    if name == OWNER and level.rule is DIRECTORIES["group"]:
        return OWNER_FILE
    return METADATA_FILE


class _Level(Directory):
    """A directory during its listing."""

    def __init__(
        self,
        path: str,
        fd: int,
        status: os.stat_result,
        owned: bool,
        parent: t.Optional[_Level] = None,
        rule: t.Optional[Rule] = None,
    ) -> None:
        """`rule` is None for the base directory, which another walk reports."""
        super().__init__(path, fd, status, parent)
        self.rule = rule
        self.entries = itertools.chain.from_iterable(batches(fd))
        self.owned = owned

    def close(self) -> None:
        os.close(self.fd)
