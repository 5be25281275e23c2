# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The private files of the probe in a datastore: their names, and the removal of files from killed runs."""

from __future__ import annotations

import contextlib
import itertools
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
"""GC uses only names of 64 hex digits and their known suffixes: it never removes a name with a dot in front, and never
treats it as a chunk."""

LEFTOVER_AGE = 120 * 1_000_000_000
"""Age in ns after which no running probe can own a file; for files from other machines and containers, and from before a
reboot."""

_MAX_LEFTOVERS = 1000

_NAME = re.compile(re.escape(PRIVATE_PREFIX) + "(?P<mark>" + PATTERN + r")-[0-9a-f]{16}\Z")


def new_name() -> str:
    """A new unique name with the mark of this process."""
    return f"{PRIVATE_PREFIX}{own_mark()}-{secrets.token_hex(8)}"


def remove_leftovers(directory: int) -> int:
    """Remove the files of killed runs from an open directory; return their number. Never raises.

    A file counts as ours if its name has the exact form, its owner and size are right, and its process has ended. Another
    user may create such names as a trap: the removal uses only the rights of this process, and follows no link.
    """
    removed = 0
    with contextlib.suppress(OSError):
        # batches() also detects an endless listing of a broken server.
        ours = (entry.name for batch in batches(directory) for entry in batch if _NAME.match(entry.name))
        # As many as killed runs can have left; a hostile owner may have made millions, and a later run takes the next.
        names = list(itertools.islice(ours, _MAX_LEFTOVERS))
        for name in names:
            found = _NAME.match(name)
            with contextlib.suppress(OSError):
                if found and _is_leftover(found.group("mark"), statx(name, directory)):
                    os.unlink(name, dir_fd=directory)
                    removed += 1
    return removed


def _is_leftover(mark: str, status: Statx) -> bool:
    # The daemon's user may remove files of root from its own directory.
    ours = status.st_uid in (os.geteuid(), 0) and stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    if not ours or status.st_size > len(zero_chunk()):
        return False
    gone = is_gone(mark)
    # This process keeps no probe file for long, so a file with its own mark is from an earlier process with the same id.
    return gone or mark == own_mark() or (gone is None and status.st_ctime_ns < time.time_ns() - LEFTOVER_AGE)
