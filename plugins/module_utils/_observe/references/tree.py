# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where garbage collection (GC) finds index files: everything visible below the base directory.

GC goes two ways. It walks over the whole tree, leaves out hidden names and follows no link, and notes every `*.fidx` and
`*.didx`. Then it goes through namespaces, groups and snapshots by their names, and marks what the index files in the
snapshots need. What the first way has found and the second has not is marked, too, each with a warning.
Source: PBS, `garbage_collection`: `list_index_files`, `mark_used_chunks`.
"""

from __future__ import annotations

import errno
import itertools
import os
import stat
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.problems import ProblemCounter
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.units import Unit
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.open_store import OpenStore
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.workers import Heartbeat
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import snapshot
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.index import is_dynamic
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import CHUNKS, base_name, is_hidden, is_text
from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import open_inside
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity
from ansible_collections.fleetops.pbs.plugins.module_utils._system.listing import batches
from ansible_collections.fleetops.pbs.plugins.module_utils._system.permission import READ, SEARCH, allows
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error, display

BASE, NAMESPACES, NAMESPACE, TYPE, GROUP, SNAPSHOT, ODD = (
    "base",
    "namespaces",
    "namespace",
    "type",
    "group",
    "snapshot",
    "odd",
)
"""What a directory is to PBS. `namespaces` is `ns`; `odd` is what PBS has no use for."""

_MAX_DEPTH = 100
"""Directories below each other; PBS itself goes down to 18. Each holds two descriptors."""
_MAX_NAMES = 20_000_000
"""Names in all directories."""
_MAX_SNAPSHOTS = 200_000
"""Snapshots of one group, whose names are sorted."""
_MAX_HIDDEN = 20_000
"""Names in hidden directories, which GC does not look into."""
_MAX_HELD = 1000
"""Hidden index files that are compared with what links lead to."""
_LEAST_TOGETHER = 8
_MOST_UNITS = 8
"""A group is cut into units of at least so many snapshots, and into no more units than that, so that it can be shared out."""
LISTED_GROUPS = 20_000
"""The first groups, about which everything is remembered; of the others only those with damage are."""
MORE_GROUPS = 2000
"""The most of those others that one process remembers; the rest is counted."""
_FORGIVEN = "lost+found"
_LINKS = {NAMESPACE: "link-namespace", TYPE: "link-type", GROUP: "link-group", SNAPSHOT: "link-snapshot"}
"""The kind of problem that a link is, by what it is in place of."""
UNSEEN = "the name of the base directory begins with a dot, so that GC finds only the index files in snapshots; it finds no links"


class TooLarge(Exception):
    """The tree exceeds a limit; the message names the limit."""


class Place:
    """A directory that is being listed."""

    def __init__(self, path: str, fd: int, kind: str, parts: tuple[str, ...]) -> None:
        self.path = path
        """Relative to the base directory; empty for it."""
        self.fd = fd
        self.kind = kind
        self.parts = parts
        """The names of the namespaces, the type and the id so far."""
        self.entries = itertools.chain.from_iterable(batches(fd))
        self.snapshots: list[str] = []
        self.strays: list[str] = []

    def join(self, name: str) -> str:
        return f"{self.path}/{name}" if self.path else name


class Hidden(t.NamedTuple):
    """An index file that GC does not look for. It lies on the filesystem of the datastore, so that its inode names it."""

    path: str
    detail: str
    inode: int


class Tree:
    """Walks over everything except the snapshots and the chunk store, and lists the index files to read."""

    def __init__(
        self,
        store: OpenStore,
        identity: Identity,
        problems: ProblemCounter,
        heartbeat: Heartbeat,
        emit: t.Callable[[Unit], None],
        error: t.Callable[[str, t.Union[OSError, str]], None],
    ) -> None:
        """`error` is called with the path and the reason for everything that could not be read."""
        self.types: list[str] = []
        self.groups = 0
        self.snapshots = 0
        self.hides_all = is_hidden(base_name(store.path))
        """GC leaves out hidden names, and its base directory has one: its first way ends there, and finds nothing."""
        self.hidden: list[Hidden] = []
        """The first index files with hidden names; they are a problem unless a link makes GC read them."""
        self._store = store
        self._identity = identity
        self._problems = problems
        self._heartbeat = heartbeat
        self._emit = emit
        self._error = error
        self._names = 0
        self._hidden_names = 0

    def walk(self) -> None:
        """From the base directory on. Raises `OSError` where it cannot be listed, and `TooLarge`."""
        self._walk(Place("", os.dup(self._store.base), BASE, ()))

    def walk_odd(self, path: str, name: str, dir_fd: int) -> None:
        """A directory where PBS makes none; `path` is that of the one that it is in. Raises `TooLarge`."""
        above = Place(path, os.dup(dir_fd), ODD, ())
        below = None
        try:
            if self.hides_all or is_hidden(name):
                self._look_into_hidden(above, name)
                return
            below = self._descend(above, name, ODD, ())
        finally:
            os.close(above.fd)
        if below is not None:
            self._walk(below)

    def _walk(self, start: Place) -> None:
        # A list of open listings instead of recursion: another user decides how deep the tree is.
        stack = [start]
        try:
            while stack:
                self._heartbeat.beat(dict)
                place = stack[-1]
                try:
                    entry = next(place.entries, None)
                except OSError as exc:
                    self._error(place.path, exc)
                    entry = None
                if entry is None:
                    self._finish(place)
                    os.close(stack.pop().fd)
                    continue
                self._names += 1
                if self._names > _MAX_NAMES:
                    raise TooLarge(f"more than {_MAX_NAMES} files and directories beside the chunks")
                below = self._visit(place, entry)
                if below is None:
                    continue
                if len(stack) >= _MAX_DEPTH:
                    os.close(below.fd)
                    self._error(below.path, f"deeper than {_MAX_DEPTH} directories")
                else:
                    stack.append(below)
        finally:
            while stack:
                os.close(stack.pop().fd)

    def _finish(self, place: Place) -> None:
        if place.strays:
            self._emit(Unit(place.path, place.strays, stray=True))
        if place.kind != GROUP:
            return
        *namespace, backup_type, backup_id = place.parts
        place.snapshots.sort()
        # A group that may be left out of the list of groups stays whole, so that one process can count it.
        units = _MOST_UNITS if self.groups < LISTED_GROUPS else 1
        together = max(_LEAST_TOGETHER, -(-len(place.snapshots) // units))
        for start in range(0, max(1, len(place.snapshots)), together):
            self._emit(
                Unit(
                    directory=place.path,
                    names=place.snapshots[start : start + together],
                    before=place.snapshots[start - 1] if start else "",
                    first=start == 0,
                    namespace="/".join(namespace),
                    type=backup_type,
                    id=backup_id,
                    group=self.groups,
                    start=self.snapshots + start,
                )
            )
        self.groups += 1
        self.snapshots += len(place.snapshots)

    # --- one name ------------------------------------------------------------------------------------------------------

    def _visit(self, place: Place, entry: os.DirEntry[str]) -> t.Optional[Place]:
        name, path = entry.name, place.join(entry.name)
        try:
            is_link = entry.is_symlink()
            is_directory = not is_link and entry.is_dir(follow_symlinks=False)
        except OSError as exc:
            self._missed(path, exc)
            return None
        if is_directory:
            self._check_name(place, name, path)
        if is_hidden(name):
            if is_directory and not (place.kind == BASE and name == CHUNKS):
                self._look_into_hidden(place, name)
            elif not is_directory and is_dynamic(name) is not None:
                self.hide(Hidden(path, "GC leaves out hidden names", entry.inode()))
            return None
        if is_directory:
            return self._directory(place, name, path)
        if is_dynamic(name) is not None:
            if self.hides_all:
                self.hide(Hidden(path, UNSEEN, entry.inode()))
            else:
                self._stray(place, name)
        else:
            self._no_directory(place, name, path, is_link)
        return None

    def _check_name(self, place: Place, name: str, path: str) -> None:
        """Names of directories at which GC stops."""
        if place.kind == NAMESPACES and len(place.parts) < snapshot.DEEPEST_NAMESPACE and is_text(name):
            # GC lists no deeper namespaces.
            why = ""
            if not snapshot.is_namespace(name):
                why = "not a valid namespace component"
            elif len("/".join([*place.parts, name])) > snapshot.LONGEST_NAMESPACE:
                why = "namespace length exceeded"
            if why:
                self._problems.add("namespace-name", path, f"{why}: {display(name)}")
        elif place.kind == GROUP and snapshot.is_time(name) and snapshot.snapshot_time(name) is None:
            self._problems.add("snapshot-name", path, f"listing snapshots failed: no time: {display(name)}")

    def _no_directory(self, place: Place, name: str, path: str, is_link: bool) -> None:
        """A link, or a file, where PBS may want a directory."""
        kind, _parts = self._kind_of(place, name)
        if kind == NAMESPACES and len(place.parts) < snapshot.DEEPEST_NAMESPACE:
            self._no_namespaces(place, name, path, is_link)
        elif is_link and kind != ODD:
            self._problems.add(_LINKS[kind], path, f"a link to {_target(place.fd, name)}")
        elif not is_link and kind == TYPE:
            self._problems.add("type-file", path, "no directory")

    def _no_namespaces(self, place: Place, name: str, path: str, is_link: bool) -> None:
        """`ns` is opened by its name, so that GC follows a link, and stops at a file."""
        try:
            status = os.stat(name, dir_fd=place.fd)
        except FileNotFoundError:
            return  # for PBS the same as no `ns`
        except OSError as exc:
            self._problems.add("namespaces-file", path, f"iterating namespaces failed: {describe_error(exc)}")
            return
        if not stat.S_ISDIR(status.st_mode):
            self._problems.add("namespaces-file", path, "iterating namespaces failed: ENOTDIR: Not a directory")
        elif is_link:
            self._error(path, f"a link to {_target(place.fd, name)}, which GC follows, and which is not followed here")

    def _stray(self, place: Place, name: str) -> None:
        place.strays.append(name)
        if len(place.strays) >= 256:
            self._emit(Unit(place.path, place.strays, stray=True))
            place.strays = []

    def _kind_of(self, place: Place, name: str) -> tuple[str, tuple[str, ...]]:
        """The role of a directory of that name for PBS."""
        kind = ODD
        if place.kind in (BASE, NAMESPACE):
            if name == snapshot.NAMESPACE_DIRECTORY:
                return NAMESPACES, place.parts
            kind = TYPE if name in snapshot.BACKUP_TYPES else ODD
        elif place.kind == NAMESPACES:
            deep = len(place.parts) >= snapshot.DEEPEST_NAMESPACE
            kind = NAMESPACE if not deep and snapshot.is_namespace(name) else ODD
        elif place.kind == TYPE:
            kind = GROUP if snapshot.is_group_id(name) else ODD
        elif place.kind == GROUP:
            kind = SNAPSHOT if snapshot.snapshot_time(name) is not None else ODD
        return kind, (*place.parts, name) if kind in (NAMESPACE, TYPE, GROUP) else place.parts

    def _directory(self, place: Place, name: str, path: str) -> t.Optional[Place]:
        kind, parts = self._kind_of(place, name)
        if self.hides_all and kind == ODD:
            self._look_into_hidden(place, name)
            return None
        if is_dynamic(name) is not None and not self.hides_all:
            self._problems.add("index-directory", path, "Is a directory (os error 21)")
        if kind == SNAPSHOT:
            if len(place.snapshots) >= _MAX_SNAPSHOTS:
                raise TooLarge(f"more than {_MAX_SNAPSHOTS} snapshots in {display(place.path)}")
            place.snapshots.append(name)
            return None
        below = self._descend(place, name, kind, parts)
        if below is not None and place.kind == BASE and kind != ODD:
            self.types.append(name)
        return below

    def _descend(self, place: Place, name: str, kind: str, parts: tuple[str, ...]) -> t.Optional[Place]:
        path = place.join(name)
        self._heartbeat.at(path)
        if path in self._store.mounts:
            self._mounted(path)
            return None
        try:
            fd = open_inside(name, place.fd)
        except PermissionError as exc:
            # Looked at as the daemon's user, since root is refused: so garbage collection is refused, too.
            if not (place.kind == BASE and name == _FORGIVEN):
                self._problems.add("directory-unreadable", path, describe_error(exc))
                self._error(path, exc)
            return None
        except OSError as exc:
            self._missed(path, exc)
            return None
        try:
            status = os.fstat(fd)
            if status.st_dev != self._store.device:
                os.close(fd)
                self._mounted(path)
                return None
            if not allows(self._identity, status, READ | SEARCH):
                if place.kind == BASE and name == _FORGIVEN:
                    os.close(fd)
                    return None
                self._problems.add("directory-unreadable", path, describe_mode(status))
            return Place(path, fd, kind, parts)
        except OSError as exc:
            os.close(fd)
            self._missed(path, exc)
            return None

    def _missed(self, path: str, error: OSError) -> None:
        """What could not be looked at, which is normal if it is gone meanwhile."""
        if error.errno == errno.EXDEV:
            self._mounted(path)
        elif error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            self._error(path, error)

    def _mounted(self, path: str) -> None:
        self._problems.add("mount", path, "another filesystem is mounted there")
        self._error(path, "another filesystem is mounted there, and was not looked into")

    # --- what GC does not see ------------------------------------------------------------------------------------------

    def _look_into_hidden(self, place: Place, name: str) -> None:
        """Note the index files in a hidden directory. What cannot be looked at there matters to nobody."""
        stack = [(place.join(name), name, os.dup(place.fd))]
        while stack:
            path, name, above = stack.pop()
            try:
                fd = open_inside(name, above)
            except OSError:
                continue
            finally:
                os.close(above)
            try:
                for entry in itertools.chain.from_iterable(batches(fd)):
                    self._hidden_names += 1
                    if self._hidden_names > _MAX_HIDDEN:
                        break
                    self._heartbeat.beat(dict)
                    if entry.is_dir(follow_symlinks=False):
                        if len(stack) < _MAX_DEPTH:
                            stack.append((f"{path}/{entry.name}", entry.name, os.dup(fd)))
                    elif is_dynamic(entry.name) is not None:
                        inner = f"{path}/{entry.name}"
                        detail = UNSEEN if self.hides_all else "GC does not look into hidden directories"
                        self.hide(Hidden(inner, detail, entry.inode()))
            except OSError:
                pass
            finally:
                os.close(fd)

    def hide(self, index: Hidden) -> None:
        """Note an index file that GC does not look for."""
        if len(self.hidden) < _MAX_HELD:
            self.hidden.append(index)
        else:
            self._problems.add("index-hidden", index.path, index.detail)


def describe_mode(status: os.stat_result) -> str:
    return f"mode {stat.S_IMODE(status.st_mode):04o}, uid {status.st_uid}, gid {status.st_gid}"


def _target(dir_fd: int, name: str) -> str:
    try:
        return display(os.readlink(name, dir_fd=dir_fd))
    except OSError as exc:
        return describe_error(exc)
