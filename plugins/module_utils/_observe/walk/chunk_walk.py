# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The walk over `.chunks`: 65,536 prefix directories by name, and their contents.

The walk runs as root in a store that a hostile account may own. It therefore works with directory descriptors, follows no
link and enters no other filesystem. A name that vanishes is normal, because backups and garbage collection run meanwhile.
"""

from __future__ import annotations

import array
import dataclasses
import errno
import os
import re
import stat
import time
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.walk import NO_DIRECTORY
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.chunk_listing import (
    chunk_lister,
    is_digest,
    prefix_lister,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.counters import foreign_kind
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.open_store import OpenStore
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.visitor import (
    CHUNK,
    PREFIX,
    STRAY_FILE,
    Collector,
    Directory,
    Visitor,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.work_queue import WorkQueue
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.workers import (
    Heartbeat,
    Job,
    OnProgress,
    run_jobs,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import CHUNKS, PREFIX_COUNT, is_prefix
from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import open_inside
from ansible_collections.fleetops.pbs.plugins.module_utils._system.limits import TimeLimit
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

_SUFFIXED = re.compile(
    rb"[0-9a-fA-F]{64}\.(?:(?P<bad>[0-9]\.bad)|(?P<using>using)|(?P<temporary>tmp_[A-Za-z0-9]{6}))\Z"
)


def chunk_class(name: bytes) -> str:
    """How PBS treats a regular file in a prefix directory: as `chunk`, `bad`, `using`, `temporary` or `other`.

    Source: PBS, the chunk iterator of garbage collection, 4.1.2 and newer; it ignores `temporary` and `other`.
    """
    if is_digest(name):
        return "chunk"
    found = _SUFFIXED.match(name)
    return found.lastgroup or "other" if found else "other"


@dataclasses.dataclass
class ChunkExtras:
    """Counts in prefix directories other than owners and modes; see `OwnershipFacts`."""

    prefixes_walked: int = 0
    prefixes_missing: int = 0
    bad_chunks: int = 0
    temporary: int = 0
    temporary_bytes: int = 0
    using_markers: int = 0


def walk_together(
    path: str,
    jobs: t.Callable[[WorkQueue], t.Mapping[str, Job]],
    stall: float,
    limit: TimeLimit,
    on_progress: t.Optional[OnProgress] = None,
) -> tuple[list[dict[str, t.Any]], str]:
    """`run_jobs` for walks that share the numbers of the prefix directories through one queue."""
    queue = WorkQueue(range(PREFIX_COUNT))
    try:
        _parts, trouble = run_jobs(path, {"order": lambda heartbeat: _arrange(queue, path, heartbeat)}, stall, limit)
        if trouble:
            return [], trouble
        parts, trouble = run_jobs(path, jobs(queue), stall, limit, on_progress, keep=(queue.fd,))
        # All workers may have ended normally although another process took numbers from the queue.
        left = queue.count - sum(part.get("progress", {}).get("prefixes", 0) for part in parts)
        if left and not trouble:
            where = display(os.path.join(path, CHUNKS))
            trouble = "%s: %d of %d prefix directories were not checked" % (where, left, queue.count)
        return parts, trouble
    finally:
        queue.close()


def _arrange(queue: WorkQueue, path: str, heartbeat: Heartbeat) -> None:
    """Sort the numbers by the inodes of their directories.

    Inodes that were created together are together on the disk, and in a copied store the order of creation differs from
    the order of names. In inode order, each block of inodes is read once and written once. This is only an optimisation:
    the walk itself finds and reports errors.
    """
    inodes = array.array("Q", bytes(8 * PREFIX_COUNT))
    left = 2 * PREFIX_COUNT  # a hostile owner may put millions of other names there
    lister = prefix_lister()
    try:
        store = OpenStore(path)
        if not store.local:
            return
        heartbeat.at(CHUNKS)
        for names, all_prefixes in lister.batches(store.open_chunks()):
            for name, inode in zip(names, lister.inodes()):
                if all_prefixes or is_prefix(os.fsdecode(name)):
                    inodes[int(name, 16)] = inode
            heartbeat.beat(dict)
            left -= len(names)
            if left <= 0:
                break
    except OSError:
        return
    queue.arrange(inodes.__getitem__)


class ChunkWalk:
    """Visits prefix directories, and the contents of those that are to be listed."""

    def __init__(
        self,
        store: OpenStore,
        skeleton: Visitor,
        chunks: Visitor,
        heartbeat: Heartbeat,
        temporary_age: float = 86400.0,
        collector: t.Optional[Collector] = None,
    ) -> None:
        """`skeleton` gets the prefix directories, `chunks` their contents, `collector` what GC checks.

        Temporary files younger than `temporary_age` seconds count as in use. Raises `OSError` if `.chunks` cannot be
        opened.
        """
        self.extras = ChunkExtras()
        self._store = store
        top = store.open_chunks()
        self._top = Directory(store.path.rstrip("/") + "/" + CHUNKS, top, os.fstat(top))
        self._skeleton = skeleton
        self._chunks = chunks
        self._heartbeat = heartbeat
        self._stale_before = time.time() - temporary_age
        self._visited = 0
        self._lister = chunk_lister()
        self._collector = collector

    def close(self) -> None:
        """Close `.chunks`."""
        os.close(self._top.fd)

    def progress(self) -> dict[str, int]:
        return {
            "prefixes": self._visited,
            "files": self._chunks.seen(),
            # Both may be the same visitor.
            "wrong": sum(visitor.wrong() for visitor in dict.fromkeys((self._chunks, self._skeleton))),
        }

    def walk(self, numbers: t.Iterable[int], listed: t.Container[int]) -> None:
        """Visit the prefix directories with these numbers, and list those that are in `listed`."""
        for number in numbers:
            name = f"{number:04x}"
            inner = CHUNKS + "/" + name
            self._heartbeat.at(inner)
            if self._collector is not None:
                self._collector.enter(number)
            if inner in self._store.mounts:
                self._skeleton.foreign("mount", self._top.join(name))
                self._leave(None, False)
            else:
                self._enter(name, number in listed)
            self._visited += 1
            self._heartbeat.beat(self.progress)
        self._heartbeat.put("progress", self.progress())

    def _leave(self, prefix: t.Optional[Directory], seen: bool) -> None:
        if self._collector is not None:
            self._collector.leave(prefix, seen)

    def _enter(self, name: str, listed: bool) -> None:
        path = self._top.join(name)
        try:
            fd = open_inside(name, self._top.fd)
        except FileNotFoundError:
            self.extras.prefixes_missing += 1
            self._leave(None, True)
            return
        except OSError as exc:
            self._closed(name, path, exc)
            self._leave(None, False)
            return
        prefix: t.Optional[Directory] = None
        seen = False
        try:
            status = os.fstat(fd)
            if status.st_dev != self._store.chunks_device:
                self._skeleton.foreign("mount", path)
                return
            prefix = Directory(path, fd, status)
            seen = self._list(prefix) if listed else False
            self._skeleton.directory(path, status, PREFIX, fd)
        except OSError as exc:
            self._chunks.error(path, exc)
        finally:
            self._leave(prefix, seen)
            os.close(fd)

    def _closed(self, name: str, path: str, error: OSError) -> None:
        """Handle a prefix directory that cannot be opened as a directory."""
        if error.errno == errno.EXDEV:
            self._skeleton.foreign("mount", path)
            return
        try:
            status = os.stat(name, dir_fd=self._top.fd, follow_symlinks=False)
        except OSError as exc:
            self._skeleton.missed(path, exc)
            return
        if stat.S_ISDIR(status.st_mode):
            self._skeleton.directory(path, status, PREFIX, -1)
            self._skeleton.error(path, error)
        else:
            self._skeleton.foreign(foreign_kind(status.st_mode), path, NO_DIRECTORY)

    def _list(self, prefix: Directory) -> bool:
        """Whether all of it was listed."""
        try:
            for number, (names, digests) in enumerate(self._lister.batches(prefix.fd)):
                if number:
                    self._heartbeat.beat(self.progress)
                chunks = names if digests else self._set_apart(prefix, names)
                if chunks:
                    self._chunks.files(prefix, chunks, CHUNK)
                    if self._collector is not None:
                        self._collector.chunks(prefix, chunks)
            self.extras.prefixes_walked += 1
            return True
        except OSError as exc:
            self._chunks.error(prefix.path, exc)
            self._chunks.unseen(prefix.join(""))
            return False

    def _set_apart(self, prefix: Directory, names: t.Iterable[bytes]) -> list[bytes]:
        """Handle the names that are not digests; return the digests."""
        chunks = []
        for raw in names:
            kind = chunk_class(raw)
            if kind == "chunk":
                chunks.append(raw)
                continue
            name = os.fsdecode(raw)
            try:
                status = os.stat(name, dir_fd=prefix.fd, follow_symlinks=False)
            except OSError as exc:
                self._chunks.missed(prefix.join(name), exc)
                continue
            if not stat.S_ISREG(status.st_mode):
                self._chunks.foreign(foreign_kind(status.st_mode), prefix.join(name))
            elif kind == "temporary" and status.st_mtime >= self._stale_before:
                self._chunks.busy(status)
            else:
                if self._collector is not None:
                    self._collector.other(kind, raw, status)
                self._count(kind, prefix.join(name), status)
                self._chunks.file(prefix, name, status, STRAY_FILE if kind == "other" else CHUNK)
        return chunks

    def _count(self, kind: str, path: str, status: os.stat_result) -> None:
        if kind in ("bad", "temporary"):
            self._chunks.example(kind, path)
        if kind == "bad":
            self.extras.bad_chunks += 1
        elif kind == "using":
            self.extras.using_markers += 1
        elif kind == "temporary":
            self.extras.temporary += 1
            self.extras.temporary_bytes += status.st_size
        else:
            self._chunks.foreign("name", path)
