# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a small file in a directory that the daemon's user owns, and in which it may create anything.

This process is root, and the content may become part of a report. It therefore does not follow a link, which could lead to
a file that only root may read, and does not wait for a pipe, a device or an endless file.
"""

from __future__ import annotations

import dataclasses
import os
import stat
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import kind_of
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error

_HANDLE = getattr(os, "O_PATH", 0) | os.O_NOFOLLOW | os.O_CLOEXEC
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclasses.dataclass
class SmallFile:
    """The file; `data` is None if it does not exist or was not read."""

    exists: bool
    status: t.Optional[os.stat_result] = None
    data: t.Optional[bytes] = None
    error: str = ""


def only_roots(status: os.stat_result) -> str:
    """Why root must not read a file in a directory of the daemon's user; an empty text if it may.

    That user can move a file there that only root may read, and what is read gets into a report.
    """
    mode = status.st_mode
    readable = mode & stat.S_IROTH or (mode & stat.S_IRGRP and status.st_gid != 0)
    return "only root may read it; it was not read" if status.st_uid == 0 and not readable else ""


def read_small(
    name: str,
    dir_fd: int,
    limit: int,
    refuse: t.Optional[t.Callable[[os.stat_result], str]] = None,
    flags: int = 0,
) -> SmallFile:
    """Read a regular file of at most `limit` bytes by its name in an open directory. Never raises `OSError`.

    `refuse` tells from the status of the file why it must not be read; an empty text if it may.
    `flags`: more flags to open it with, such as `os.O_NOATIME`.
    """
    found = SmallFile(exists=False)
    try:
        handle = os.open(name, _HANDLE, dir_fd=dir_fd)
        try:
            found.status = os.fstat(handle)
            found.exists = True
            # Check before opening: opening a device can have side effects.
            if not stat.S_ISREG(found.status.st_mode):
                found.error = f"it is a {kind_of(found.status.st_mode)}, not a regular file; it was not read"
                return found
            found.error = refuse(found.status) if refuse is not None else ""
            if found.error:
                return found
            data = _read(handle, limit, flags=flags)
        finally:
            os.close(handle)
    except FileNotFoundError:
        return SmallFile(exists=False)
    except OSError as exc:
        found.exists = True
        found.error = describe_error(exc)
        return found
    if len(data) > limit:
        found.error = "it is larger than %d bytes; it was not read" % limit
    else:
        found.data = data
    return found


def read_end(name: str, dir_fd: int, size: int, refuse: t.Optional[t.Callable[[os.stat_result], str]] = None) -> bytes:
    """The last `size` bytes of a regular file, by its name in an open directory. Raises `OSError`.

    `refuse` as in `read_small`.
    """
    handle = os.open(name, _HANDLE, dir_fd=dir_fd)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"it is a {kind_of(status.st_mode)}, not a regular file")
        reason = refuse(status) if refuse is not None else ""
        if reason:
            raise OSError(reason)
        return _read(handle, size, max(status.st_size - size, 0))[:size]
    finally:
        os.close(handle)


def _read(handle: int, limit: int, offset: int = 0, flags: int = 0) -> bytes:
    """At most one byte more than the limit, of exactly the file of this handle, even if its name now means another one."""
    fd = os.open("/proc/self/fd/%d" % handle, _FLAGS | flags)
    try:
        os.lseek(fd, offset, os.SEEK_SET)
        parts: list[bytes] = []
        left = limit + 1
        while left > 0:
            part = os.read(fd, left)
            if not part:
                break
            parts.append(part)
            left -= len(part)
        return b"".join(parts)
    finally:
        os.close(fd)
