# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Descriptors of many files in one directory, so that exactly the checked files are changed.

An account that may be hostile controls the names, and can move other files to them at any time. A descriptor always means
the same file.
"""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.visitor import Directory
from ansible_collections.fleetops.pbs.plugins.module_utils._system.owner import (
    change_owners,
    close_handles,
    open_handles,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import Batch


class Handles:
    """Descriptors of `open_handles`. They stay open until `close`."""

    def __init__(self, batch: Batch, fds: t.Sequence[int], st_dev: int) -> None:
        """`st_dev`: the device that all files must be on."""
        self._batch = batch
        self._fds = fds
        self._st_dev = st_dev

    @classmethod
    def open(cls, batch: Batch, where: Directory, names: t.Sequence[bytes]) -> Handles:
        """Open handles of files in a directory. If one of them cannot be opened, `look` returns None."""
        return cls(batch, open_handles(where.fd, names), where.status.st_dev)

    def look(self) -> t.Optional[tuple[bytes, ...]]:
        """The signature of each file (see `Batch`), in order.

        None if one of them could not be read, or is on another device: the caller then handles each file separately.
        """
        return None if -1 in self._fds else self._batch.held(self._fds, self._st_dev)

    def change_owner(self, uid: int, gid: int) -> bool:
        """As `change_owners`."""
        return change_owners(self._fds, uid, gid)

    def part(self, places: t.Sequence[int]) -> Handles:
        """Only the files at these places; `close` has to be called on the whole."""
        return Handles(self._batch, [self._fds[place] for place in places], self._st_dev)

    def one(self, place: int) -> int:
        """The descriptor of the file at that place."""
        return self._fds[place]

    def close(self) -> None:
        """Close all descriptors."""
        close_handles(self._fds)
