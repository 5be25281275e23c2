# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of our own that a probe makes in a datastore: their names, and what becomes of those of a killed run."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import time

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.zero_chunk import zero_chunk
from ansible_collections.fleetops.pbs.plugins.module_utils._system.listing import batches
from ansible_collections.fleetops.pbs.plugins.module_utils._system.process_mark import PATTERN, is_gone, own_mark
from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import Statx, statx

PRIVATE_PREFIX = ".fleetops-pbs-probe-"
"""GC takes only names of 64 hex digits and their known suffixes; a dot-name is never swept, and never taken for a
chunk."""

LEFTOVER_AGE = 120 * 1_000_000_000
"""ns after which a file cannot belong to a run that is still going on; for files of other machines and containers,
and of before a reboot."""

_NAME = re.compile(re.escape(PRIVATE_PREFIX) + "(?P<mark>" + PATTERN + r")-[0-9a-f]{16}\Z")


def new_name() -> str:
    """A name that nothing has yet, and that says which process has made it."""
    return f"{PRIVATE_PREFIX}{own_mark()}-{secrets.token_hex(8)}"


def remove_leftovers(directory: int) -> int:
    """Remove the files of runs that were killed from an open directory; return how many there were. Never raises.

    Ours by the exact form of the name, by owner and by size, and of a process that is gone. The names may be
    somebody's trap: what has such a name is removed with the rights of who calls this, and nothing is followed.
    """
    removed = 0
    with contextlib.suppress(OSError):
        # A broken server's listing may have no end.
        names = [entry.name for batch in batches(directory) for entry in batch if entry.name.startswith(PRIVATE_PREFIX)]
        for name in names:
            found = _NAME.match(name)
            with contextlib.suppress(OSError):
                if found and _is_leftover(found.group("mark"), statx(name, directory)):
                    os.unlink(name, dir_fd=directory)
                    removed += 1
    return removed


def _is_leftover(mark: str, status: Statx) -> bool:
    # What root has made, the daemon's user may remove from its own directory.
    ours = status.st_uid in (os.geteuid(), 0) and stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    if not ours or status.st_size > len(zero_chunk()):
        return False
    gone = is_gone(mark)
    # A process has its files no longer than it takes to try them, so one of our own number is of an earlier life.
    return gone or mark == own_mark() or (gone is None and status.st_ctime_ns < time.time_ns() - LEFTOVER_AGE)
