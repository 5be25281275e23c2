# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listing a directory of any size, also on a broken filesystem."""

from __future__ import annotations

import errno
import itertools
import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import ExplainedError

BATCH = 256
"""Number of names in memory at a time; a directory may have millions."""


MAX_NAMES = 4 * 1024 * 1024
"""Names of one directory that are listed. The largest directories of a datastore, `.chunks` and its prefix directories, have
some 65,536; a filesystem can make up new names for ever."""


class LoopDetector:
    """Detects that a listing repeats itself: a broken server can make it endless.

    Remembers one name, and replaces it each time the number of batches has doubled. It so detects a loop after at most
    three rounds, in constant memory.
    """

    def __init__(self) -> None:
        self._count = 0
        self._names = 0
        self._mark: t.Optional[tuple[t.Union[str, bytes], int]] = None

    def check(self, names: t.Sequence[t.Union[str, bytes]], inodes: t.Sequence[int]) -> None:
        """Call this for each batch, with the inode of each name. Raises `OSError`."""
        # A name may also repeat because its file was replaced meanwhile, but then its inode differs.
        if self._mark is not None and self._mark[0] in names and self._mark[1] == inodes[names.index(self._mark[0])]:
            raise ExplainedError(errno.ELOOP, "the listing of this directory never ends")
        self._names += len(names)
        if self._names > MAX_NAMES:
            raise ExplainedError(errno.EOVERFLOW, f"this directory has more than {MAX_NAMES:,} names")
        self._count += 1
        if self._count & (self._count - 1) == 0:
            self._mark = (names[0], inodes[0])


def batches(fd: int) -> t.Iterator[list[os.DirEntry[str]]]:
    """List an open directory in batches.

    Raises `OSError` if the listing fails or never ends.
    """
    detector = LoopDetector()
    with os.scandir(fd) as entries:
        while True:
            batch = list(itertools.islice(entries, BATCH))
            if not batch:
                return
            detector.check([entry.name for entry in batch], [entry.inode() for entry in batch])
            yield batch
