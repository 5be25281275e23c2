# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Marks of processes: put into the name of a file, one tells later whether the process that made it is still there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import typing as t

PATTERN = r"[0-9a-f]{8}-[1-9][0-9]{0,9}"
"""What a mark looks like, as a regular expression."""

_MARK = re.compile(r"([0-9a-f]{8})-([1-9][0-9]{0,9})\Z")


def own_mark() -> str:
    """The mark of this process: where its number means something, and the number."""
    return "%s-%d" % (_where(), os.getpid())


def is_gone(mark: str) -> t.Optional[bool]:
    """Whether the process of a mark has ended; None where that cannot be told from here.

    A number that was given to another process meanwhile counts as still there.
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
        return False  # somebody else's
    except OverflowError:
        return None
    return False


def _where() -> str:
    """This boot of this machine, and this namespace of process numbers, in 8 hex digits."""
    parts = []
    # Bytes, for a text file would have Python look for its encoding in files that the daemon's user may not be let to.
    with contextlib.suppress(OSError):
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            parts.append(file.read())
        parts.append(os.fsencode(os.readlink("/proc/self/ns/pid")))
    # Where one of them is not to be had, numbers of processes say nothing to others.
    return hashlib.sha256(b"".join(parts) if len(parts) == 2 else os.urandom(16)).hexdigest()[:8]
