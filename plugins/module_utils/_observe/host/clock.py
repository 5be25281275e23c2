# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the kernel considers its clock synchronised.

GC removes chunks by their access time, so they expire if the clock jumps forward. Every time service (chrony, timesyncd,
ntpd, the outer host of a container) reports to the kernel, so the kernel's state covers them all.
"""

from __future__ import annotations

import ctypes
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import ClockFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._system.libc import call
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error

TIME_ERROR = 5
"""The state of an unsynchronised clock."""
STA_UNSYNC = 0x0040


class Timex(ctypes.Structure):
    """`struct timex` of the C library."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time_sec", ctypes.c_long),
        ("time_usec", ctypes.c_long),
        ("tick", ctypes.c_long),
        ("ppsfreq", ctypes.c_long),
        ("jitter", ctypes.c_long),
        ("shift", ctypes.c_int),
        ("stabil", ctypes.c_long),
        ("jitcnt", ctypes.c_long),
        ("calcnt", ctypes.c_long),
        ("errcnt", ctypes.c_long),
        ("stbcnt", ctypes.c_long),
        ("tai", ctypes.c_int),
        ("reserved", ctypes.c_int * 11),
    ]


def adjtimex() -> tuple[int, Timex]:
    """adjtimex(2) without a mode bit, which only reads. Raises `OSError`."""
    timex = Timex()
    state = call("adjtimex", ctypes.byref(timex))
    return state, timex


def observe_clock(read: t.Callable[[], tuple[int, Timex]] = adjtimex) -> ClockFacts:
    """Read the kernel's clock state. Some container runtimes forbid that; the state is then unknown, with the `error`."""
    try:
        state, timex = read()
    except OSError as exc:
        return ClockFacts(error="adjtimex: " + describe_error(exc))
    return ClockFacts(
        synchronised=state != TIME_ERROR and not timex.status & STA_UNSYNC,
        state=state,
        status=timex.status,
        max_error_us=timex.maxerror,
    )
