# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Process marks: in the name of a file, a mark shows later whether the process that created the file still runs."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import typing as t

PATTERN = r"[0-9a-f]{8}-[1-9][0-9]{0,9}"
"""Regular expression of a mark."""

_MARK = re.compile(r"([0-9a-f]{8})-([1-9][0-9]{0,9})\Z")


def own_mark() -> str:
    """The mark of this process: the place where its process id is valid, and the id."""
    return "%s-%d" % (_where(), os.getpid())


def is_gone(mark: str) -> t.Optional[bool]:
    """Whether the process of a mark has ended; None if that cannot be found out from here.

    If another process has the same process id now, the result is False.
    """
    found = _MARK.match(mark)
    if found is None or found.group(1) != _where():
        return None
    number = int(found.group(2))
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False  # a process of another user
    except OverflowError:
        return None
    return False


def _where() -> str:
    """8 hex digits for this boot of this machine and this namespace of process ids."""
    parts = []
    # Read as bytes: for a text file, Python would load its codec from files that the daemon's user may not be able to read.
    with contextlib.suppress(OSError):
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            parts.append(file.read())
        parts.append(os.fsencode(os.readlink("/proc/self/ns/pid")))
    # If one of them cannot be read, the place is unknown; a random value then matches no other mark.
    return hashlib.sha256(b"".join(parts) if len(parts) == 2 else os.urandom(16)).hexdigest()[:8]
