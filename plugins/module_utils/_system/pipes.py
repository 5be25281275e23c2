# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pipes that a process keeps when it replaces its standard streams."""

from __future__ import annotations

import fcntl
import os

_FIRST_OWN = 3


def open_pipe() -> tuple[int, int]:
    """`os.pipe`, but never with the number of a standard stream.

    The caller of this process may have closed these, and the kernel assigns the lowest free number. A child that opens
    the null device as its standard streams would then close its pipe. Raises `OSError`.
    """
    reader, writer = os.pipe()
    return _above_standard(reader), _above_standard(writer)


def _above_standard(fd: int) -> int:
    if fd >= _FIRST_OWN:
        return fd
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_OWN)
    finally:
        os.close(fd)
