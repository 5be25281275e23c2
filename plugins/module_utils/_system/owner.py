# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changing owner and mode of just the object that was looked at, whatever its name means by now."""

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
    """Get hold of what is at a name, without opening it: no link is followed, no FIFO or device woken, no atime moved.

    The descriptor is good for `os.fstat` and for the functions here. What is mounted there is not got hold of.
    Raises `OSError`, for a mount with `EXDEV`.
    """
    return _HANDLE.one(name, dir_fd)


def open_handles(dir_fd: int, names: t.Sequence[bytes]) -> list[int]:
    """`open_handle` for many names of one directory; -1 where it failed.

    For millions of files: a call of the kernel for each of them, the cheaper one, and no step of the interpreter
    between. What is mounted there is got hold of, too: the caller looks, see `Batch.mounted`.
    """
    return list(map(_openat_many, itertools.repeat(dir_fd), names, itertools.repeat(_FLAGS)))


def close_handles(fds: t.Sequence[int]) -> None:
    """Close what `open_handles` has opened."""
    opened = [fd for fd in fds if fd != -1]
    # The kernel gives the lowest number that is free: they ascend, and after the first few they are in a row, which one
    # call closes.
    first, last = 0, len(opened) - 1
    while first < last and opened[last] - opened[first] != last - first:
        os.close(opened[first])
        first += 1
    if opened:
        os.closerange(opened[first], opened[last] + 1)


def change_owners(fds: t.Sequence[int], uid: int, gid: int) -> bool:
    """`change_owner` of many. False where at least one failed: the caller tries each, and learns why."""
    answers = map(
        _fchownat_many,
        fds,
        itertools.repeat(b""),
        itertools.repeat(uid),
        itertools.repeat(gid),
        itertools.repeat(AT_EMPTY_PATH),
    )
    # All of them, also after one that failed.
    return not any(list(answers))


def change_owners_by_name(dir_fd: int, names: t.Sequence[bytes], uid: int, gid: int) -> bool:
    """The same by names in a directory in which nobody exchanges them, up to the first that failed.

    No link is followed.
    """
    chown = os.chown
    try:
        for name in names:
            chown(name, uid, gid, dir_fd=dir_fd, follow_symlinks=False)
    except OSError:
        return False
    return True


def change_owner(fd: int, uid: int, gid: int) -> None:
    """`fchownat` on the descriptor itself, also on one of `open_handle`; -1 keeps an id. Raises `OSError`."""
    if _fchownat(fd, b"", uid, gid, AT_EMPTY_PATH) == -1:
        raise last_error()


def change_mode(fd: int, mode: int) -> None:
    """The same for the low twelve bits of the mode. Raises `OSError`.

    `fchmod` refuses a descriptor of `open_handle`; the kernel's name for it leads to the object and nowhere else.
    """
    os.chmod("/proc/self/fd/%d" % fd, mode)
