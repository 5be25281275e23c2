# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opens groups, snapshots, and every index file that garbage collection would open."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.index_file import (
    IndexFile,
    NoFile,
    open_file,
    open_through_link,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.problems import ProblemCounter
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.tree import (
    UNSEEN,
    Hidden,
    Tree,
    describe_mode,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.units import Unit
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.open_store import OpenStore
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.workers import Heartbeat
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import index
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import is_hidden, is_text
from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import open_inside
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity
from ansible_collections.fleetops.pbs.plugins.module_utils._system.permission import READ, allows
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error, display

_MAX_LINKED = 10_000
"""Links to index files whose targets are remembered."""


@dataclasses.dataclass
class Totals:
    """Numbers that are added up over all processes; see `ReferenceFacts`."""

    snapshots: int = 0
    indexes: int = 0
    index_bytes: int = 0
    data_bytes: int = 0
    references: int = 0
    shared: int = 0
    needing: int = 0
    """Snapshots with an index file."""
    damaged_snapshots: int = 0
    """Only of groups that are left out."""
    damaged_groups: int = 0
    errors: int = 0


class Visit:
    """Opens the parts of a unit; subclasses process them."""

    def __init__(self, store: OpenStore, identity: Identity, problems: ProblemCounter, heartbeat: Heartbeat) -> None:
        self.totals = Totals()
        self.first_error = ""
        self.linked: list[tuple[int, int]] = []
        """Device and inode of index files that were opened through a link."""
        self._store = store
        self._identity = identity
        self._problems = problems
        self._heartbeat = heartbeat
        self._tree = Tree(store, identity, problems, heartbeat, self._emit, self.error)
        """For directories in those of snapshots."""

    @property
    def hidden(self) -> list[Hidden]:
        """Index files with hidden names in directories of odd snapshots."""
        return self._tree.hidden

    def progress(self) -> dict[str, int]:
        return {"indexes": self.totals.indexes}

    def error(self, path: str, error: t.Union[OSError, str]) -> None:
        """Note something that could not be read, so that the result is incomplete."""
        self.totals.errors += 1
        if not self.first_error:
            text = error if isinstance(error, str) else describe_error(error)
            self.first_error = f"{display(os.path.join(self._store.path, path))}: {text}"

    def visit(self, units: t.Iterable[Unit]) -> None:
        """Do all of them. Raises `digests.Full` and `tree.TooLarge`."""
        for unit in units:
            self._heartbeat.at(unit.directory)
            self._heartbeat.beat(self.progress)
            fd = self._open(unit.directory)
            if fd is None:
                continue
            try:
                if unit.stray:
                    self._strays(unit, fd)
                else:
                    self._group(unit, fd)
            finally:
                os.close(fd)
        self._heartbeat.put("progress", self.progress())

    def _open(self, path: str) -> t.Optional[int]:
        """A directory below the base, name by name; None where it is gone."""
        fd = os.dup(self._store.base)
        for name in path.split("/") if path else ():
            try:
                below = open_inside(name, fd)
            except (FileNotFoundError, NotADirectoryError):
                return None
            except OSError as exc:
                self.error(path, exc)
                return None
            finally:
                os.close(fd)
            fd = below
        return fd

    # --- index files ---------------------------------------------------------------------------------------------------

    def _emit(self, unit: Unit) -> None:
        """Index files in a directory of a snapshot."""
        fd = self._open(unit.directory)
        if fd is not None:
            try:
                self._strays(unit, fd)
            finally:
                os.close(fd)

    def _strays(self, unit: Unit, dir_fd: int) -> None:
        for name in unit.names:
            path = f"{unit.directory}/{name}" if unit.directory else name
            opened = self._open_index(path, name, dir_fd, expected=False)
            if opened is not None:
                with contextlib.closing(opened):
                    self._stray(path, opened)

    def _open_in_snapshot(self, path: str, entry: os.DirEntry[str], dir_fd: int) -> t.Optional[IndexFile]:
        """An index file in a snapshot, as `_open_index`; `entry` has the name of one, and is no directory.

        GC lists the regular files of a snapshot with readable names, hidden ones too. The others its walk finds.
        """
        if entry.is_file(follow_symlinks=False) and is_text(entry.name) and "\n" not in entry.name:
            return self._open_index(path, entry.name, dir_fd, expected=True)
        if is_hidden(entry.name):
            return None
        if self._tree.hides_all:
            self._tree.hide(Hidden(path, UNSEEN, entry.inode()))
            return None
        return self._open_index(path, entry.name, dir_fd, expected=False)

    def _open_index(self, path: str, name: str, dir_fd: int, expected: bool) -> t.Optional[IndexFile]:
        """An index file that PBS would open; None if it has vanished, or PBS would not open it."""
        self._heartbeat.at(path)
        self._heartbeat.beat(self.progress)
        dynamic = bool(index.is_dynamic(name))
        what = f"can't open {'dynamic' if dynamic else 'fixed'} index: "
        link = False
        try:
            try:
                fd, status = open_file(name, dir_fd)
            except NoFile:
                link = os.path.islink(f"/proc/self/fd/{dir_fd}/{name}")
                if not link:
                    raise
                fd, status = open_through_link(name, dir_fd)
        except FileNotFoundError:
            if link:
                self._problem("index-dangling", path, "a link that leads nowhere; GC passes over it")
            return None
        except NoFile as exc:
            self._problem("index-directory", path, what + str(exc))
            return None
        except OSError as exc:
            if link and exc.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENAMETOOLONG):
                self._problem(
                    "index-directory", path, f"can't open file: a link that cannot be followed ({describe_error(exc)})"
                )
                return None
            if isinstance(exc, PermissionError):
                # Looked at as the daemon's user, since root is refused: so garbage collection is refused, too.
                self._problem("index-unreadable", path, "Permission denied (os error 13)")
            self.error(path, exc)
            return None
        if link:
            if len(self.linked) < _MAX_LINKED:
                self.linked.append((status.st_dev, status.st_ino))
            self._problem("index-link", path, "a link; GC follows it, with a warning")
        elif not expected:
            self._problem("index-place", path, "PBS puts no index file there; GC marks its chunks, with a warning")
        if not allows(self._identity, status, READ):
            self._problem("index-unreadable", path, f"Permission denied (os error 13): {describe_mode(status)}")
            if link:
                # Whoever made the link may not read it, so it is not read for him.
                os.close(fd)
                return None
        try:
            return IndexFile(fd, status, dynamic)
        except index.IndexFileError as exc:
            self._problem(exc.kind, path, what + str(exc))
        except OSError as exc:
            self.error(path, exc)
        return None

    def _problem(self, kind: str, path: str, detail: str) -> None:
        self._problems.add(kind, path, detail)

    def _group(self, unit: Unit, group_fd: int) -> None:
        raise NotImplementedError

    def _stray(self, path: str, opened: IndexFile) -> None:
        """An index file in a place where PBS puts none."""
        raise NotImplementedError
