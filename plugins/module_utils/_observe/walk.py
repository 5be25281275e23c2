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
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts import MountTable
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.permission import READ, SEARCH, allows
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.tally import Tally, foreign_kind
from ansible_collections.fleetops.pbs.plugins.module_utils._system.child import Channel
from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import open_directory
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity

BASE_MODE = 0o755
CHUNKS_MODE = 0o750
"""Of C(.chunks) and of every prefix directory. Source: PBS, what reusing a datastore demands."""
LOCK_MODE = 0o644

_BATCH = 256
"""Names that are held at once; a directory may have millions."""

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


class Position:
    """Where a child is, in memory that it shares with its parent: a child that hangs cannot say it any more."""

    SIZE = 512

    def __init__(self, memory: t.Any, slot: int) -> None:
        self._memory = memory
        self._start = slot * self.SIZE

    def set(self, path: str) -> None:
        """Note the path, relative to the base directory, before it is touched."""
        data = os.fsencode(path)[: self.SIZE - 1] + b"\0"
        self._memory[self._start : self._start + len(data)] = data

    def get(self) -> str:
        data: bytes = self._memory[self._start : self._start + self.SIZE]
        return os.fsdecode(data.split(b"\0", 1)[0])


class Pulse:
    """What a child says while it works, at a steady pace: silence is what makes the parent give it up."""

    INTERVAL = 0.5
    """Seconds."""

    def __init__(self, channel: Channel, position: Position, progress: t.Callable[[], t.Dict[str, int]]) -> None:
        self.at = position.set
        self._channel = channel
        self._progress = progress
        self._due = 0.0

    def beat(self) -> None:
        now = time.monotonic()
        if now >= self._due:
            self._due = now + self.INTERVAL
            self._channel.put("progress", self._progress())


class OpenStore:
    """The base directory and C(.chunks) of a datastore, held open, with what is mounted below."""

    def __init__(self, path: str) -> None:
        """Open the base directory, following links as PBS does. Raises C(OSError)."""
        self.path = path
        self.base = open_directory(path, follow=True)
        self.status = os.fstat(self.base)
        self.device = self.status.st_dev
        # The kernel's name for the directory: asking it touches no filesystem.
        real = os.readlink("/proc/self/fd/%d" % self.base).rstrip("/") + "/"
        self.mounts = {
            entry.mount_point[len(real) :] for entry in MountTable.read().entries if entry.mount_point.startswith(real)
        }
        """Mount points below, relative to the base directory."""

    def open_chunks(self) -> int:
        """Open C(.chunks). Raises C(OSError), also where it is on another filesystem."""
        if CHUNKS in self.mounts:
            raise OSError("another filesystem is mounted there")
        fd = open_directory(CHUNKS, dir_fd=self.base)
        if os.fstat(fd).st_dev != self.device:
            os.close(fd)
            raise OSError("it is on another filesystem than the base directory")
        return fd


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
        pulse: t.Callable[[t.Callable[[], t.Dict[str, int]]], Pulse],
        max_paths: int,
        temporary_age: float,
    ) -> None:
        self.store = store
        self.identity = identity
        self.top = store.open_chunks()
        self.skeleton = Tally(identity, max_paths)
        self.chunks = Tally(identity, max_paths)
        self.extras = ChunkExtras()
        self.prefixes = 0
        self.pulse = pulse(self.progress)
        self._stale_before = time.time() - temporary_age
        # Every mode of a regular file that its owner may read: one look instead of several.
        may_read = range(0o10000) if identity.uid == 0 else (mode for mode in range(0o10000) if mode & 0o400)
        self._plain_modes = frozenset(stat.S_IFREG | mode for mode in may_read)

    def progress(self) -> t.Dict[str, int]:
        wrong = self.chunks.counts.wrong_owner + self.skeleton.counts.wrong_owner
        return {"prefixes": self.prefixes, "files": self.chunks.counts.files, "wrong": wrong}

    def walk(self, numbers: t.Iterable[int], listed: t.Container[int]) -> None:
        """Look at the prefix directories with these numbers, and into those of them that are C(listed)."""
        for number in numbers:
            name = "%04x" % number
            path = "%s/%s" % (CHUNKS, name)
            self.pulse.at(path)
            if path in self.store.mounts:
                self.skeleton.foreign("mount", self._path(name))
            elif number in listed:
                self._enter(name)
            else:
                self._look(name)
            self.prefixes += 1
            self.pulse.beat()

    def _path(self, *names: str) -> str:
        return "/".join((self.store.path, CHUNKS) + names)

    # --- prefix directories

    def _look(self, name: str) -> t.Optional[os.stat_result]:
        """Look at a prefix directory from outside; None where there is nothing to enter."""
        try:
            status = os.stat(name, dir_fd=self.top, follow_symlinks=False)
        except FileNotFoundError:
            self.extras.prefixes_missing += 1
            return None
        except OSError as exc:
            self.skeleton.error(self._path(name), exc)
            return None
        if not stat.S_ISDIR(status.st_mode):
            self.skeleton.foreign(foreign_kind(status.st_mode), self._path(name), "instead of a directory")
            return None
        self._prefix(name, status)
        return status

    def _enter(self, name: str) -> None:
        try:
            fd = open_directory(name, dir_fd=self.top)
        except OSError as exc:
            if self._look(name) is not None:
                self.chunks.error(self._path(name), exc)
            return
        try:
            status = os.fstat(fd)
            if status.st_dev != self.store.device:
                self.skeleton.foreign("mount", self._path(name))
                return
            self._prefix(name, status, fd)
            self._list(name, fd)
            self.extras.prefixes_walked += 1
        except OSError as exc:
            self.chunks.error(self._path(name), exc)
        finally:
            os.close(fd)

    def _prefix(self, name: str, status: os.stat_result, fd: int = -1) -> None:
        """A prefix directory; C(fd) is open where it is going to be listed."""
        self.skeleton.counts.directories += 1
        path = self._path(name)
        self.skeleton.owner(path, status)
        self.skeleton.exact_mode(path, status, CHUNKS_MODE)
        if not allows(self.identity, status, READ | SEARCH):
            self.skeleton.unreadable(path, status)

    # --- what lies in them

    def _list(self, prefix: str, fd: int) -> None:
        uid, gid = self.identity.uid, self.identity.gid
        plain_modes = self._plain_modes
        counts = self.chunks.counts
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
                    except FileNotFoundError:
                        counts.vanished += 1
                        continue
                    except OSError as exc:
                        self.chunks.error(self._path(prefix, entry.name), exc)
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
                counts.files += files
                counts.bytes += size
                self.pulse.beat()

    def _set_apart(self, prefix: str, fd: int, batch: t.Iterable["os.DirEntry[str]"]) -> t.List["os.DirEntry[str]"]:
        """Deal with the names that are not digests; return the others."""
        chunks = []
        for entry in batch:
            kind = chunk_class(entry.name)
            if kind == "chunk":
                chunks.append(entry)
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                self.chunks.counts.vanished += 1
            except OSError as exc:
                self.chunks.error(self._path(prefix, entry.name), exc)
            else:
                self._odd(prefix, fd, entry.name, status, kind)
        return chunks

    def _odd(self, prefix: str, fd: int, name: str, status: os.stat_result, kind: str) -> None:
        """Anything but a chunk that is all right."""
        path = self._path(prefix, name)
        if not stat.S_ISREG(status.st_mode):
            self.chunks.foreign(foreign_kind(status.st_mode), path)
            return
        self.chunks.counts.files += 1
        self.chunks.counts.bytes += status.st_size
        if kind == "temporary" and status.st_mtime >= self._stale_before:
            return  # somebody is writing it, and is not done with its owner and mode
        self._classify(kind, path, status)
        if status.st_nlink != 1:
            self.chunks.foreign("hardlink", path, "%d links" % status.st_nlink)
        self.chunks.owner(path, status)
        if not allows(self.identity, status, READ):
            self.chunks.unreadable(path, status)

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
            self.chunks.foreign("name", path)
