# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cutoff of garbage collection: which access times are old enough, in whole seconds as PBS compares them.

Before 3.3.7, without the tuning option, it was also a day and five minutes, but older writers moved it differently.
Source: PBS, `ChunkStore::sweep_unused_chunks` and `DataStore::garbage_collection_impl`.
"""

from __future__ import annotations

import typing as t

DEFAULT_MINUTES = 1445
"""24 h 5 min; a day for `relatime`, and five minutes more."""
LEAST_MINUTES = 1
MOST_MINUTES = 2880

_SLACK = 300
"""Seconds before the start of the oldest writer."""


def cutoff_seconds(tuning: t.Mapping[str, t.Any]) -> int:
    """The cutoff in seconds of a datastore with this (parsed) tuning; PBS's default if it has no valid one."""
    minutes = tuning.get("gc-atime-cutoff")
    if not isinstance(minutes, int) or isinstance(minutes, bool) or not LEAST_MINUTES <= minutes <= MOST_MINUTES:
        minutes = DEFAULT_MINUTES
    return minutes * 60


def removal_limit(start: int, cutoff: int, oldest_writer: t.Optional[int] = None) -> int:
    """GC removes unneeded chunks with an access time before this second, and keeps those in it.

    `start` is the second in which the mark phase begins, `cutoff` is in seconds. A writer that started before the limit
    moves it to five minutes before its own start.
    """
    limit = start - cutoff
    if oldest_writer is not None and oldest_writer < limit:
        limit = oldest_writer - _SLACK
    return limit


def pending_mark(start: int, oldest_writer: t.Optional[int] = None) -> int:
    """GC counts kept chunks with an access time before this second as pending, and later ones as in use."""
    return start if oldest_writer is None else oldest_writer


def removable_from(atime: int, cutoff: int) -> int:
    """The first start second of a GC that removes an unneeded chunk with this access time (in seconds)."""
    return atime + cutoff + 1
