# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The C library of this process, for the few calls that Python's own library lacks or softens."""

from __future__ import annotations

import ctypes
import errno
import os
import typing as t

_LIBC = ctypes.CDLL(None, use_errno=True)

_BARE = ctypes.PyDLL(None)
"""The same without a step between: no errno, and the interpreter's lock is kept, which takes a tenth of the time away
from a call that takes less than a microsecond."""


class Timespec(ctypes.Structure):
    """`struct timespec`; PBS runs on 64-bit machines only, where both fields are `long`."""

    _fields_ = [("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long)]


def call(name: str, *args: t.Any) -> int:
    """Call a function of the C library that answers -1 and sets errno where it fails.

    Raises `OSError` with that errno, and with `ENOSYS` where the library does not have the function.
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
    """The bare function, for what is called a million times: it takes `int` and `bytes`, and answers an `int`.

    Naming the types of the arguments would make ctypes twice as slow. The caller looks at the answer, and raises
    `last_error` where it is -1. Raises `OSError` with `ENOSYS` where the library does not have the function.
    """
    return _bound(_LIBC, name)


def bind_bare(name: str) -> t.Callable[..., int]:
    """The same for processes of one thread, and without `last_error`: a caller that wants to know why asks again."""
    return _bound(_BARE, name)


def _bound(library: ctypes.CDLL, name: str) -> t.Callable[..., int]:
    try:
        return t.cast(t.Callable[..., int], library[name])
    except AttributeError:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), name) from None


def last_error() -> OSError:
    """What errno says about the last call."""
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
