# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The walk over C(.chunks): 65,536 prefix directories by name, and what lies in them.

The store belongs to an account that may be hostile, and the walk runs as root. So it goes through descriptors of
directories, follows no link, enters no other filesystem, and takes a name that is gone for normal: backups and garbage
collection run meanwhile.

Listing with C(os.scandir) and one C(fstatat) a name was measured against C(os.listdir), C(statx) and C(getdents64)
called through ctypes, and batches of those: it is the fastest, because a call through ctypes costs more than Python's
own stat. What a file costs beyond the two system calls is kept to one line of comparisons.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
import stat
import time
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.chunk_store import CHUNKS
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.crew import Pulse
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.open_store import OpenStore
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.tally import foreign_kind
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.visitor import CHUNK, PREFIX, Place, Visitor
from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import open_directory
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity

_BATCH = 256
"""Names that are held at once; a directory may have millions."""

_PLAIN_PREFIX = stat.S_IFDIR | PREFIX.mode

_DIGEST = re.compile(r"[0-9a-fA-F]{64}\Z")
_DIGESTS = re.compile(r"(?:[0-9a-fA-F]{64}/)*\Z")
_SUFFIXED = re.compile(r"[0-9a-fA-F]{64}\.(?:(?P<bad>[0-9]\.bad)|(?P<using>using)|(?P<temporary>tmp_[A-Za-z0-9]{6}))\Z")


def chunk_class(name: str) -> str:
    """What PBS takes a regular file in a prefix directory for: C(chunk), C(bad), C(using), C(temporary) or C(other).

    Source: PBS, the chunk iterator of garbage collection, 4.1.2 and newer; it ignores temporary files and others.
    """
    if _DIGEST.match(name):
        return "chunk"
    found = _SUFFIXED.match(name)
    return found.lastgroup or "other" if found else "other"


@dataclasses.dataclass
class ChunkExtras:
    """What is counted in prefix directories beyond owners and modes; see C(OwnershipFacts)."""

    prefixes_walked: int = 0
    prefixes_missing: int = 0
    bad_chunks: int = 0
    empty_chunks: int = 0
    temporary: int = 0
    temporary_bytes: int = 0
    using_markers: int = 0


class ChunkWalk:
    """Looks at prefix directories, and at what lies in those that shall be listed."""

    def __init__(
        self,
        store: OpenStore,
        identity: Identity,
        skeleton: Visitor,
        chunks: Visitor,
        pulse: Pulse,
        temporary_age: float = 86400.0,
    ) -> None:
        """C(skeleton) is told of prefix directories, C(chunks) of what lies in them.

        Temporary files younger than C(temporary_age) seconds are somebody's work and left alone. Raises C(OSError)
        where C(.chunks) cannot be opened.
        """
        self.extras = ChunkExtras()
        self._store = store
        self._top = store.open_chunks()
        self._skeleton = skeleton
        self._chunks = chunks
        self._pulse = pulse
        self._uid = identity.uid
        self._gid = identity.gid
        self._stale_before = time.time() - temporary_age
        self._visited = 0
        self._files = 0
        # Every mode of a regular file that its owner may read: one look instead of several.
        may_read = range(0o10000) if identity.uid == 0 else (mode for mode in range(0o10000) if mode & 0o400)
        self._plain_modes = frozenset(stat.S_IFREG | mode for mode in may_read)

    def progress(self) -> t.Dict[str, int]:
        wrong = self._chunks.wrong() + (self._skeleton.wrong() if self._skeleton is not self._chunks else 0)
        return {"prefixes": self._visited, "files": self._files, "wrong": wrong}

    def walk(self, numbers: t.Iterable[int], listed: t.Container[int]) -> None:
        """Look at the prefix directories with these numbers, and into those of them that are C(listed)."""
        for number in numbers:
            name = "%04x" % number
            path = "%s/%s" % (CHUNKS, name)
            self._pulse.at(path)
            if path in self._store.mounts:
                self._skeleton.foreign("mount", self._path(name))
            elif number in listed:
                self._enter(name)
            else:
                self._look(name)
            self._visited += 1
            self._pulse.beat(self.progress)
        self._pulse.put("progress", self.progress())

    def _path(self, *names: str) -> str:
        return self._store.join(CHUNKS, *names)

    # --- prefix directories

    def _look(self, name: str) -> bool:
        """Look at a prefix directory from outside; whether it is there."""
        try:
            status = os.stat(name, dir_fd=self._top, follow_symlinks=False)
        except FileNotFoundError:
            self.extras.prefixes_missing += 1
            return False
        except OSError as exc:
            self._skeleton.error(self._path(name), exc)
            return False
        if not stat.S_ISDIR(status.st_mode):
            self._skeleton.foreign(foreign_kind(status.st_mode), self._path(name), "instead of a directory")
            return False
        self._skeleton.directory(self._path(name), status, PREFIX, Place(self._top, name))
        return True

    def _enter(self, name: str) -> None:
        try:
            fd = open_directory(name, dir_fd=self._top)
        except OSError as exc:
            if self._look(name):
                self._chunks.error(self._path(name), exc)
            return
        try:
            status = os.fstat(fd)
            if status.st_dev != self._store.device:
                self._skeleton.foreign("mount", self._path(name))
                return
            if status.st_uid == self._uid and status.st_gid == self._gid and status.st_mode == _PLAIN_PREFIX:
                self._skeleton.plain(directories=1)
            else:
                self._skeleton.directory(self._path(name), status, PREFIX, Place(self._top, name, fd))
            self._list(name, fd)
            self.extras.prefixes_walked += 1
        except OSError as exc:
            self._chunks.error(self._path(name), exc)
        finally:
            os.close(fd)

    # --- what lies in them

    def _list(self, prefix: str, fd: int) -> None:
        uid, gid, plain_modes = self._uid, self._gid, self._plain_modes
        with os.scandir(fd) as entries:
            while True:
                batch = list(itertools.islice(entries, _BATCH))
                if not batch:
                    return
                if not _DIGESTS.match("/".join([entry.name for entry in batch]) + "/"):
                    batch = self._set_apart(prefix, fd, batch)
                files = 0
                size = 0
                for entry in batch:
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except OSError as exc:
                        self._failed(prefix, entry.name, exc)
                        continue
                    if (
                        status.st_uid == uid
                        and status.st_gid == gid
                        and status.st_mode in plain_modes
                        and status.st_nlink == 1
                        and status.st_size
                    ):
                        files += 1
                        size += status.st_size
                    else:
                        self._odd(prefix, fd, entry.name, status, "chunk")
                self._files += files
                self._chunks.plain(files=files, size=size)
                self._pulse.beat(self.progress)

    def _set_apart(self, prefix: str, fd: int, batch: t.Iterable[os.DirEntry[str]]) -> t.List[os.DirEntry[str]]:
        """Deal with the names that are not digests; return the others."""
        chunks = []
        for entry in batch:
            kind = chunk_class(entry.name)
            if kind == "chunk":
                chunks.append(entry)
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError as exc:
                self._failed(prefix, entry.name, exc)
            else:
                self._odd(prefix, fd, entry.name, status, kind)
        return chunks

    def _failed(self, prefix: str, name: str, error: OSError) -> None:
        if isinstance(error, FileNotFoundError):
            self._chunks.vanished()
        else:
            self._chunks.error(self._path(prefix, name), error)

    def _odd(self, prefix: str, fd: int, name: str, status: os.stat_result, kind: str) -> None:
        """Anything but a chunk that is all right."""
        path = self._path(prefix, name)
        if not stat.S_ISREG(status.st_mode):
            self._chunks.foreign(foreign_kind(status.st_mode), path)
            return
        self._files += 1
        if kind == "temporary" and status.st_mtime >= self._stale_before:
            self._chunks.plain(files=1, size=status.st_size)
            return
        self._classify(kind, path, status)
        self._chunks.file(path, status, CHUNK, Place(fd, name))

    def _classify(self, kind: str, path: str, status: os.stat_result) -> None:
        extras = self.extras
        if kind == "chunk":
            extras.empty_chunks += status.st_size == 0
        elif kind == "bad":
            extras.bad_chunks += 1
        elif kind == "using":
            extras.using_markers += 1
        elif kind == "temporary":
            extras.temporary += 1
            extras.temporary_bytes += status.st_size
        else:
            self._chunks.foreign("name", path)
