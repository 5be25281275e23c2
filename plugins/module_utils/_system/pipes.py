# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pipes that a process keeps when it lets go of its standard streams."""

from __future__ import annotations

import fcntl
import os

_FIRST_OWN = 3


def open_pipe() -> tuple[int, int]:
    """`os.pipe`, but with no descriptor of a standard stream.

    Whoever starts us may have closed these; the kernel hands out the lowest number that is free, and a child that puts
    the null device there would read the end of its pipe instead of what is in it. Raises `OSError`.
    """
    reader, writer = os.pipe()
    return _lifted(reader), _lifted(writer)


def _lifted(fd: int) -> int:
    if fd >= _FIRST_OWN:
        return fd
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_OWN)
    finally:
        os.close(fd)
