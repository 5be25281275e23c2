# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changing owner and mode of exactly the object that was checked, even if its name now refers to another one."""

from __future__ import annotations

import itertools
import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import Opening
from ansible_collections.fleetops.pbs.plugins.module_utils._system.libc import bind, bind_bare, last_error
from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import AT_EMPTY_PATH

_FLAGS = getattr(os, "O_PATH", 0) | os.O_NOFOLLOW | os.O_CLOEXEC
_HANDLE = Opening(_FLAGS)
_fchownat = bind("fchownat")
_openat_many = bind_bare("openat")
_fchownat_many = bind_bare("fchownat")


def open_handle(name: str, dir_fd: int) -> int:
    """Get a handle (O_PATH) of the object at a name: follows no link, opens no FIFO or device, changes no atime.

    Use the descriptor with `os.fstat` and with the functions here. Raises `OSError`, for a mount with `EXDEV`.
    """
    return _HANDLE.one(name, dir_fd)


def open_handles(dir_fd: int, names: t.Sequence[bytes]) -> list[int]:
    """`open_handle` for many names of one directory; -1 for each name that failed.

    Made for millions of files: one cheap system call for each, without interpreter steps in between. It also opens
    mounts; the caller must check for them, see `Batch.mounted`.
    """
    return list(map(_openat_many, itertools.repeat(dir_fd), names, itertools.repeat(_FLAGS)))


def close_handles(fds: t.Sequence[int]) -> None:
    """Close the handles from `open_handles`."""
    opened = [fd for fd in fds if fd != -1]
    # The kernel assigns the lowest free number. The numbers ascend, and after the first few they are consecutive, so one
    # call can close them.
    first, last = 0, len(opened) - 1
    while first < last and opened[last] - opened[first] != last - first:
        os.close(opened[first])
        first += 1
    if opened:
        os.closerange(opened[first], opened[last] + 1)


def change_owners(fds: t.Sequence[int], uid: int, gid: int) -> bool:
    """`change_owner` for many. False if at least one failed: the caller then repeats each to learn the reason."""
    answers = map(
        _fchownat_many,
        fds,
        itertools.repeat(b""),
        itertools.repeat(uid),
        itertools.repeat(gid),
        itertools.repeat(AT_EMPTY_PATH),
    )
    # The list makes all calls, even after one that failed.
    return not any(list(answers))


def change_owner(fd: int, uid: int, gid: int) -> None:
    """`fchownat` on the descriptor itself, also on one from `open_handle`; -1 keeps an id. Raises `OSError`."""
    if _fchownat(fd, b"", uid, gid, AT_EMPTY_PATH) == -1:
        raise last_error()


def change_mode(fd: int, mode: int) -> None:
    """The same for the low twelve bits of the mode. Raises `OSError`.

    `fchmod` refuses a descriptor from `open_handle`; its name in /proc always leads to exactly this object.
    """
    os.chmod("/proc/self/fd/%d" % fd, mode)
