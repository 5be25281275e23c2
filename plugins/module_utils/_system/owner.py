# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changing owner and mode of just the object that was looked at, whatever its name means by now."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.libc import bind, last_error
from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import AT_EMPTY_PATH

_HANDLE = getattr(os, "O_PATH", 0) | os.O_NOFOLLOW | os.O_CLOEXEC


def open_handle(name: str, dir_fd: t.Optional[int] = None) -> int:
    """Get hold of what is at a name, without opening it: no link is followed, no FIFO or device woken, no atime moved.

    The descriptor is good for C(os.fstat) and for the functions here. Raises C(OSError).
    """
    return os.open(name, _HANDLE, dir_fd=dir_fd)


_fchownat = bind("fchownat")


def change_owner(fd: int, uid: int, gid: int) -> None:
    """C(fchownat) on the descriptor itself, also on one of C(open_handle); -1 keeps an id. Raises C(OSError)."""
    if _fchownat(fd, b"", uid, gid, AT_EMPTY_PATH) == -1:
        raise last_error()


def change_mode(fd: int, mode: int) -> None:
    """The same for the low twelve bits of the mode. Raises C(OSError).

    C(fchmod) refuses a descriptor of C(open_handle); the kernel's name for it leads to the object and nowhere else.
    """
    os.chmod("/proc/self/fd/%d" % fd, mode)
