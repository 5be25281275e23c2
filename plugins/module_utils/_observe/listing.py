# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listing a directory of any size, of a filesystem that may lie."""

from __future__ import annotations

import errno
import itertools
import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import ExplainedError

_BATCH = 256
"""Names that are held at once; a directory may have millions."""


def batches(fd: int) -> t.Iterator[t.List[os.DirEntry[str]]]:
    """List an open directory, some names at a time.

    Raises C(OSError) where listing fails, and where it comes round to the same names again: a broken server can
    make a listing endless. (One name is remembered, another one each time that the number of batches has doubled; so
    a circle is found after at most three rounds, without remembering it.)
    """
    mark: t.Optional[t.Tuple[str, int]] = None
    count = 0
    with os.scandir(fd) as entries:
        while True:
            batch = list(itertools.islice(entries, _BATCH))
            if not batch:
                return
            if mark is not None and any(entry.name == mark[0] and entry.inode() == mark[1] for entry in batch):
                raise ExplainedError(errno.ELOOP, "the listing of this directory has no end")
            count += 1
            if count & (count - 1) == 0:
                mark = (batch[0].name, batch[0].inode())
            yield batch
