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
    """PBS's touch: `utimensat(dir_fd, path, {UTIME_NOW, UTIME_OMIT}, AT_SYMLINK_NOFOLLOW)`.

    `os.utime` sends `{UTIME_NOW, UTIME_NOW}` instead, which the kernel permits to anyone who may write to the file. To
    omit mtime, the caller must own the file (or have CAP_FOWNER). GC fails because of exactly this.

    Source: PBS, chunk store, `cond_touch_path`. Raises `OSError`.
    """
    call(
        "utimensat",
        ctypes.c_int(AT_FDCWD if dir_fd is None else dir_fd),
        ctypes.c_char_p(os.fsencode(path)),
        ctypes.byref(_times(0, UTIME_NOW)),
        ctypes.c_int(AT_SYMLINK_NOFOLLOW),
    )


def touch_atime_fd(fd: int) -> None:
    """The same for an open file, which may have no name. Raises `OSError`."""
    call("futimens", ctypes.c_int(fd), ctypes.byref(_times(0, UTIME_NOW)))


def touch_atime_handle(fd: int) -> None:
    """The same for a handle from `open_handle`, which `futimens` refuses. Raises `OSError`."""
    call(
        "utimensat",
        ctypes.c_int(AT_FDCWD),
        ctypes.c_char_p(b"/proc/self/fd/%d" % fd),
        ctypes.byref(_times(0, UTIME_NOW)),
        ctypes.c_int(0),
    )


def set_atime_fd(fd: int, atime_ns: int) -> None:
    """Set only the access time of an open file (ns since the epoch). Raises `OSError`."""
    call("futimens", ctypes.c_int(fd), ctypes.byref(_times(*divmod(atime_ns, 1_000_000_000))))


def _times(seconds: int, nanoseconds: int) -> ctypes.Array[Timespec]:
    return (Timespec * 2)(Timespec(seconds, nanoseconds), Timespec(0, UTIME_OMIT))
