# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces of the kernel: private mounts for the test run, user namespaces as unprivileged containers have them."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """unshare(2); os.unshare came with Python 3.12."""
    _checked(_libc.unshare(flags), "unshare")


def private_mounts() -> None:
    """Give this process a mount namespace of its own that sends nothing back. Needs root."""
    unshare(CLONE_NEWNS)
    _checked(_libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "making / private")
