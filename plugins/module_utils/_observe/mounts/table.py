# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mount that a path is on, from `/proc/PID/mountinfo` only: no mounted filesystem is accessed."""

from __future__ import annotations

import heapq
import os
import select
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import MountFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.mount_text import (
    hide_secret_in_source,
    hide_secrets,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.mountinfo import MountEntry, parse_mountinfo

_ATTEMPTS = 5
"""Number of attempts to read a mountinfo that changes meanwhile."""

_MAX_LINKS = 40
"""Maximum number of symbolic links in the resolution of one path, as in the kernel."""


MAX_ALSO_AT = 20
"""Other mount points of the same directory that are named; a container host can have many thousands."""


class _Step(t.NamedTuple):
    """A directory on a path: its mount, and the mounts that were entered before."""

    entry: t.Optional[MountEntry]
    seen: frozenset[int]


_NOWHERE = _Step(None, frozenset())


class MountTable:
    """All mounts of one mount namespace at one moment."""

    def __init__(self, entries: t.Sequence[MountEntry], skipped: int = 0) -> None:
        self.entries = list(entries)
        """In the order of mountinfo."""
        self.skipped = skipped
        """Number of lines of mountinfo that could not be parsed."""
        self._by_id = {entry.mount_id: entry for entry in self.entries}
        self._on: dict[tuple[t.Optional[int], str], MountEntry] = {}
        self._same: dict[tuple[str, str], list[MountEntry]] = {}
        for entry in self.entries:
            self._on[self._parent(entry), entry.mount_point] = entry
            self._same.setdefault((entry.device, entry.root), []).append(entry)

    @classmethod
    def read(cls, proc: str = "/proc/self") -> MountTable:
        """Read the mounts of a process; `proc` is its directory in procfs. Raises `OSError`."""
        fd = os.open(os.path.join(proc, "mountinfo"), os.O_RDONLY | os.O_CLOEXEC)
        try:
            poller = select.poll()
            poller.register(fd, select.POLLPRI)
            text = b""
            for _attempt in range(_ATTEMPTS):
                os.lseek(fd, 0, os.SEEK_SET)
                text = _read_all(fd)
                # A long table needs several reads, between which it may change. The kernel reports whether it has changed
                # since the open or the last poll.
                if not poller.poll(0):
                    break
        finally:
            os.close(fd)
        return cls.parse(text)

    @classmethod
    def parse(cls, text: bytes) -> MountTable:
        """Parse the text of a mountinfo; invalid lines are counted and never an error."""
        return cls(*parse_mountinfo(text))

    def find(self, path: str) -> t.Optional[MountFacts]:
        """The mount of an absolute path without links; None for a relative path, or if no mount covers it.

        Returns the visible mount: the topmost of a stack, and never one that a later mount hides.
        """
        entry = self.find_entry(path)
        return None if entry is None else self.facts(entry)

    def find_entry(self, path: str) -> t.Optional[MountEntry]:
        """The same, with names as in the kernel."""
        if not path.startswith("/"):
            return None
        here = _NOWHERE
        for prefix in path_prefixes(path):
            here = self._enter(here, prefix)
        return here.entry

    def _enter(self, here: _Step, directory: str) -> _Step:
        """Enter a directory like the kernel: then go up through all mounts that are stacked on it."""
        entry = here.entry
        # One set for the whole stack: one for each mount would need quadratic time.
        seen: set[int] = set()
        while True:
            above = self._on.get((None if entry is None else entry.mount_id, directory))
            if above is None or above.mount_id in seen or above.mount_id in here.seen:
                return _Step(entry, here.seen | seen) if seen else here
            entry = above
            seen.add(above.mount_id)

    def facts(self, entry: MountEntry) -> MountFacts:
        """The entry as facts for the document."""
        also_at = heapq.nsmallest(
            MAX_ALSO_AT,
            {
                other.mount_point
                for other in self._same[entry.device, entry.root]
                if other.mount_point != entry.mount_point
            },
        )
        return MountFacts(
            mount_id=entry.mount_id,
            parent_id=entry.parent_id,
            device=entry.device,
            root=entry.root,
            mount_point=entry.mount_point,
            fstype=entry.fstype,
            source=hide_secret_in_source(entry.source),
            options=list(entry.options),
            super_options=list(hide_secrets(entry.super_options)),
            bind=entry.shows_part or bool(also_at),
            stacked=self._stacked(entry),
            is_root=entry.mount_point == "/",
            deleted=entry.deleted,
            also_at=list(also_at),
        )

    def resolve(self, path: str) -> str:
        """Follow the symbolic links of an absolute path that are on the root filesystem.

        Links on other mounts are not followed, because access to them may never return.
        """
        root = self._enter(_NOWHERE, "/")
        # Every directory of the path with its mount, for `..`.
        way = [("/", root)]
        todo = path.split("/")[::-1]
        links = 0
        while todo:
            name = todo.pop()
            if name in ("", "."):
                continue
            if name == "..":
                del way[max(1, len(way) - 1) :]
                continue
            done, here = way[-1]
            step = done.rstrip("/") + "/" + name
            here = self._enter(here, step)
            target = _link_target(step) if here.entry is not None and here.entry.mount_point == "/" else None
            if target is None or links >= _MAX_LINKS:
                way.append((step, here))
                continue
            links += 1
            if target.startswith("/"):
                del way[1:]
            todo.extend(target.split("/")[::-1])
        return way[-1][0]

    def _parent(self, entry: MountEntry) -> t.Optional[int]:
        """The mount that it is mounted on; None if that is not visible, as for the root."""
        if entry.parent_id == entry.mount_id or entry.parent_id not in self._by_id:
            return None
        return entry.parent_id

    def _stacked(self, entry: MountEntry) -> int:
        below: set[int] = set()
        current = self._by_id.get(entry.parent_id)
        while current is not None and current.mount_point == entry.mount_point and current.mount_id != entry.mount_id:
            if current.mount_id in below:
                break
            below.add(current.mount_id)
            current = self._by_id.get(current.parent_id)
        return len(below)


def path_prefixes(path: str) -> t.Iterator[str]:
    """For `/mnt/tank`: `/`, `/mnt`, `/mnt/tank`."""
    prefix = ""
    yield "/"
    for part in path.split("/"):
        if part:
            prefix += "/" + part
            yield prefix


def _read_all(fd: int) -> bytes:
    pieces: list[bytes] = []
    while True:
        piece = os.read(fd, 1 << 20)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


def _link_target(path: str) -> t.Optional[str]:
    try:
        return os.readlink(path)
    except (OSError, ValueError):  # a path from a configuration file may contain a NUL
        return None
