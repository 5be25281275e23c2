# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The C library of this process, for the few calls that Python's own library lacks or changes."""

from __future__ import annotations

import ctypes
import errno
import os
import typing as t

_LIBC = ctypes.CDLL(None, use_errno=True)

_BARE = ctypes.PyDLL(None)
"""The same library, but without errno and without a release of the interpreter lock. This saves a tenth of the time of a
call that takes less than a microsecond."""


class Timespec(ctypes.Structure):
    """`struct timespec`; PBS runs on 64-bit machines only, where both fields are `long`."""

    _fields_ = [("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long)]


def call(name: str, *args: t.Any) -> int:
    """Call a function of the C library that returns -1 and sets errno if it fails.

    Raises `OSError` with that errno, and with `ENOSYS` if the library does not have the function.
    """
    try:
        function = getattr(_LIBC, name)
    except AttributeError:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), name) from None
    ctypes.set_errno(0)
    result = int(function(*args))
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def bind(name: str) -> t.Callable[..., int]:
    """The plain function, for calls that are made a million times: takes `int` and `bytes`, returns an `int`.

    Declared argument types would make ctypes twice as slow. If the function returns -1, the caller raises `last_error`.
    Raises `OSError` with `ENOSYS` if the library does not have the function.
    """
    return _bound(_LIBC, name)


def bind_bare(name: str) -> t.Callable[..., int]:
    """The same for processes with one thread, without `last_error`: to learn the reason, the caller must repeat the call."""
    return _bound(_BARE, name)


def _bound(library: ctypes.CDLL, name: str) -> t.Callable[..., int]:
    try:
        return t.cast(t.Callable[..., int], library[name])
    except AttributeError:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), name) from None


def last_error() -> OSError:
    """The error of the last call, from errno."""
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
