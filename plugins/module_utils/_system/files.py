# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opening directories of a store that a hostile account may own: by descriptor, never through a link."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.libc import bind, last_error
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import ExplainedError, display

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NONBLOCK
_NOATIME = getattr(os, "O_NOATIME", 0)


def open_directory(
    path: t.Union[str, bytes, os.PathLike[str]], dir_fd: t.Optional[int] = None, follow: bool = False
) -> int:
    """Open a directory for listing, without changing its atime if possible.

    Use `follow` only for the base directory: an administrator may configure a path that contains links, and PBS follows
    them. Everything below the base is opened with `O_NOFOLLOW`. Only the owner and CAP_FOWNER may use O_NOATIME; other
    users open the directory without it. Raises `OSError`.
    """
    flags = _DIRECTORY | (0 if follow else os.O_NOFOLLOW)
    try:
        return os.open(path, flags | _NOATIME, dir_fd=dir_fd)
    except PermissionError:
        return os.open(path, flags, dir_fd=dir_fd)
    except ValueError:  # Python checks for NUL itself, and its message differs between versions
        raise ExplainedError(errno.EINVAL, "no path can hold a NUL byte") from None


# --- on one mount -------------------------------------------------------------------------------------------------------

_RESOLVE_NO_XDEV = 0x01
_SYS_OPENAT2 = ctypes.c_long(437)

_syscall = bind("syscall")
_openat = bind("openat")


class _OpenHow(ctypes.Structure):
    """`struct open_how`."""

    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


_SIZE_OF_HOW = ctypes.c_size_t(ctypes.sizeof(_OpenHow))


class Opening:
    """Opens names in an open directory; follows no link and enters no mount.

    A bind mount from the same filesystem has the same device number, so a comparison of numbers does not show it, and
    the mount table may change right after it is read. `openat2` can refuse mounts. Kernels before 5.6 and the filters
    of old container managers do not support it; there, callers can only compare the numbers.
    """

    refuses_mounts = False
    """Whether the kernel refuses mounts."""

    def __init__(self, flags: int) -> None:
        self._flags = flags | os.O_NOFOLLOW | os.O_CLOEXEC
        self._how = _OpenHow(self._flags, 0, _RESOLVE_NO_XDEV)

    def one(self, name: str, dir_fd: int) -> int:
        """Return a descriptor. Raises `OSError`, for a mount with `EXDEV`."""
        if self.refuses_mounts:
            fd = _syscall(_SYS_OPENAT2, dir_fd, os.fsencode(name), ctypes.byref(self._how), _SIZE_OF_HOW)
        else:
            fd = _openat(dir_fd, os.fsencode(name), self._flags)
        if fd == -1:
            error = last_error()
            raise OSError(error.errno, error.strerror, name)
        return fd


def _has_openat2() -> bool:
    try:
        root = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            how = ctypes.byref(_OpenHow(_DIRECTORY, 0, _RESOLVE_NO_XDEV))
            fd = _syscall(_SYS_OPENAT2, root, b".", how, _SIZE_OF_HOW)
        finally:
            os.close(root)
    except OSError:
        return False
    if fd != -1:
        os.close(fd)
    return fd != -1


Opening.refuses_mounts = _has_openat2()

_INSIDE = Opening(_DIRECTORY | _NOATIME)
_INSIDE_ATIME = Opening(_DIRECTORY)


def open_inside(name: str, dir_fd: int) -> int:
    """`open_directory` for a directory on the same mount as `dir_fd`. Raises `OSError`, for a mount with `EXDEV`."""
    try:
        return _INSIDE.one(name, dir_fd)
    except PermissionError:
        return _INSIDE_ATIME.one(name, dir_fd)


# --- the path to a store that root will change ---------------------------------------------------------------------------

_LINKS = 40
"""The kernel's limit."""


def open_to_change(path: str) -> int:
    """Open the base directory of a store in which root will change something.

    Opens the path one component at a time. The path may come from a configuration file that the daemon's user owns, and
    may lead through directories of that user, so a link is followed only if only root can have created it. A directory
    in which every user may create files (`/tmp`) is refused, because a change of its owner would affect the files of
    other users. Raises `OSError`.
    """
    flags = getattr(os, "O_PATH", 0) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open("/", flags)
    links = 0
    try:
        rest = path.split("/")[::-1]
        while rest:
            name = rest.pop()
            if name in ("", "."):
                continue
            try:
                below = os.open(name, flags, dir_fd=fd)
            except NotADirectoryError:
                target = _trusted_link(name, fd)
                links += 1
                if links > _LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path) from None
                rest += target.split("/")[::-1]
                below = os.open("/", flags) if target.startswith("/") else os.dup(fd)
            os.close(fd)
            fd = below
        status = os.fstat(fd)
        if status.st_mode & stat.S_ISVTX and status.st_mode & stat.S_IWOTH:
            raise OSError(f"every user may create files in {display(path)}, so it cannot be a datastore")
        return open_directory(".", fd)
    finally:
        os.close(fd)


def _trusted_link(name: str, dir_fd: int) -> str:
    """The target of the link. Raises `OSError` if it is no link, or if another user than root can have created it."""
    try:
        target = os.readlink(name, dir_fd=dir_fd)
    except OSError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name) from None
    where = os.fstat(dir_fd)
    if where.st_uid != 0 or where.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise OSError(
            f"the link {display(name)} is in a directory that other users than root may write to. Root does not follow it to "
            "make changes; use the path of its target instead"
        )
    return target
