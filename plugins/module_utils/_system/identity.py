# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Becoming the daemon's user permanently, in a child that then ends."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.libc import call

_PR_SET_PDEATHSIG = 1
_PR_GET_PDEATHSIG = 2


@dataclasses.dataclass(frozen=True)
class Identity:
    """The numeric ids of a process: effective uid, effective gid and the supplementary groups."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


def current() -> Identity:
    """The identity of this process."""
    return Identity(os.geteuid(), os.getegid(), tuple(sorted(os.getgroups())))


def become(identity: Identity) -> None:
    """Change to another identity: first groups, then gid, then uid; real, effective and saved.

    This cannot be undone, so call it in a forked child. A change of credentials clears the parent-death signal of the
    kernel; it is set again here. Raises `OSError` if the change is not permitted (not root, or the ids have no mapping
    in this user namespace: EINVAL).
    """
    if identity == current() and os.getuid() == identity.uid and os.getgid() == identity.gid:
        return
    signal = ctypes.c_int(0)
    parent = os.getppid()
    call("prctl", _PR_GET_PDEATHSIG, ctypes.byref(signal), 0, 0, 0)
    os.setgroups(list(identity.groups))
    os.setresgid(identity.gid, identity.gid, identity.gid)
    os.setresuid(identity.uid, identity.uid, identity.uid)
    if signal.value:
        die_with_parent(signal.value, parent)


def die_with_parent(signal: int, parent: t.Optional[int] = None) -> None:
    """Ask the kernel to send this process a signal when its parent ends, however it ends.

    The kernel sends nothing if the parent has already ended. If you pass the process id of the parent and it is no longer
    the parent, the signal is sent immediately. Raises `OSError`.
    """
    call("prctl", _PR_SET_PDEATHSIG, ctypes.c_ulong(signal), 0, 0, 0)
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), signal)
