# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Setting timestamps exactly as PBS does."""

from __future__ import annotations

import ctypes
import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.libc import Timespec, call

UTIME_NOW = (1 << 30) - 1
UTIME_OMIT = (1 << 30) - 2
AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100


def touch_atime(path: t.Union[str, bytes], dir_fd: t.Optional[int] = None) -> None:
    """PBS's touch: C(utimensat(dir_fd, path, {UTIME_NOW, UTIME_OMIT}, AT_SYMLINK_NOFOLLOW)).

    C(os.utime) sends C({UTIME_NOW, UTIME_NOW}) instead, which the kernel also grants to a mere writer. Leaving mtime
    out needs ownership of the file (or CAP_FOWNER), and it is that which GC runs into.

    Source: PBS, chunk store, C(cond_touch_path). Raises C(OSError).
    """
    _utimensat(AT_FDCWD if dir_fd is None else dir_fd, os.fsencode(path), (0, UTIME_NOW), (0, UTIME_OMIT), AT_SYMLINK_NOFOLLOW)


def touch_atime_fd(fd: int) -> None:
    """The same on an open file, for one that has no name (any more). Raises C(OSError)."""
    _utimensat(fd, None, (0, UTIME_NOW), (0, UTIME_OMIT), 0)


def set_atime_fd(fd: int, atime_ns: int) -> None:
    """Set the access time of an open file to a given time (ns since the epoch), and nothing else. Raises C(OSError)."""
    _utimensat(fd, None, divmod(atime_ns, 1_000_000_000), (0, UTIME_OMIT), 0)


def _utimensat(
    dir_fd: int, path: t.Optional[bytes], atime: t.Tuple[int, int], mtime: t.Tuple[int, int], flags: int
) -> None:
    times = (Timespec * 2)(Timespec(*atime), Timespec(*mtime))
    call("utimensat", ctypes.c_int(dir_fd), ctypes.c_char_p(path), ctypes.byref(times), ctypes.c_int(flags))
