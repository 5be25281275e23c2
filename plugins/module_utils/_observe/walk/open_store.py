# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A datastore's base directory and chunk store, opened for a walk."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.mountinfo import MountEntry
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.workers import Heartbeat
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import CHUNKS
from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import (
    open_directory,
    open_inside,
    open_to_change,
)

_LOCAL = frozenset(("bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "tmpfs", "xfs", "zfs"))


def _is_local(entry: t.Optional[MountEntry]) -> bool:
    return entry is not None and entry.fstype in _LOCAL and "idmapped" not in entry.options


def _can_carry_chunks(base: t.Optional[MountEntry], chunks: t.Optional[MountEntry]) -> bool:
    """Whether what is mounted on `.chunks` belongs to the datastore.

    Only root mounts a filesystem, except FUSE, which the owner of the directory can mount. Another directory of the same
    filesystem can be anything.
    """
    if base is None or chunks is None or base.device == chunks.device:
        return False
    return chunks.fstype != "fuse" and not chunks.fstype.startswith("fuse.")


def open_together(path: str, heartbeat: Heartbeat, change: bool = False) -> OpenStore:
    """An `OpenStore` for one of several workers, which all must open the same directory. Raises `OSError`."""
    store = OpenStore(path, change)
    heartbeat.check_base(store.status)
    return store


class OpenStore:
    """The open base directory, with the mounts below it."""

    def __init__(self, path: str, change: bool = False) -> None:
        """Open the base directory, following links as PBS does. Raises `OSError`.

        With `change`, the path must satisfy `open_to_change` and must contain `.chunks`: the path may lead to another
        directory than at an earlier check.
        """
        self.path = path
        self.base = open_to_change(path) if change else open_directory(path, follow=True)
        self.status = os.fstat(self.base)
        self.device = self.status.st_dev
        # The kernel's path of the directory, which needs no access to the filesystem.
        real = os.readlink("/proc/self/fd/%d" % self.base).rstrip("/") + "/"
        table = MountTable.read()
        self.mounts = {entry.mount_point[len(real) :] for entry in table.entries if entry.mount_point.startswith(real)}
        """Mount points below the base directory, relative to it. Walks never access them, except `.chunks` if it is
        `separate`: their server may be dead, and they may be another part of the same filesystem."""
        self.separate = CHUNKS in self.mounts and _can_carry_chunks(
            table.find_entry(real.rstrip("/") or "/"), table.find_entry(real + CHUNKS)
        )
        """Whether `.chunks` is a mount of its own that belongs to the datastore."""
        self.chunks_device = self._device_of_chunks()
        """Device of the prefix directories and chunks; -1 if it cannot be found out."""
        places = [real.rstrip("/") or "/", *([real + CHUNKS] if self.separate else [])]
        self.local = all(_is_local(table.find_entry(place)) for place in places)
        """Whether this kernel itself enforces owners and modes, and shows the real ones. On other filesystems (a server,
        FUSE, overlays, mapped ids), other users may have rights that the mode does not show."""
        if change:
            os.close(self.open_chunks())

    def _device_of_chunks(self) -> int:
        if not self.separate:
            return self.device
        try:
            fd = self.open_chunks()
        except OSError:
            return -1
        try:
            return os.fstat(fd).st_dev
        finally:
            os.close(fd)

    def is_read_only(self) -> bool:
        """Whether the filesystem of the base directory, or that of `.chunks`, is mounted read-only. Raises `OSError`."""
        if os.fstatvfs(self.base).f_flag & os.ST_RDONLY:
            return True
        if not self.separate:
            return False
        chunks = self.open_chunks()
        try:
            return bool(os.fstatvfs(chunks).f_flag & os.ST_RDONLY)
        finally:
            os.close(chunks)

    def open_chunks(self) -> int:
        """Open `.chunks`, also if it is `separate`. Raises `OSError`, also if another filesystem is mounted there."""
        if self.separate:
            return open_directory(CHUNKS, self.base)
        if CHUNKS in self.mounts:
            raise OSError("another filesystem is mounted there")
        fd = open_inside(CHUNKS, self.base)
        if os.fstat(fd).st_dev != self.device:
            os.close(fd)
            raise OSError("it is on another filesystem than the base directory")
        return fd
