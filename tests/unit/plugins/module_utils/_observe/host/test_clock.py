# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ctypes
import errno
import time

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host import clock


def answering(state: int, status: int, max_error: int = 0) -> tuple[int, clock.Timex]:
    return state, clock.Timex(status=status, maxerror=max_error)


@pytest.mark.skipif(ctypes.sizeof(ctypes.c_long) != 8, reason="kernel without 64-bit time")
def test_the_structure_is_the_kernels() -> None:
    assert ctypes.sizeof(clock.Timex) == 208
    assert (clock.Timex.status.offset, clock.Timex.time_sec.offset, clock.Timex.tai.offset) == (40, 72, 160)


def test_the_clock_of_this_machine() -> None:
    state, timex = clock.adjtimex()
    assert abs(timex.time_sec - time.time()) < 5
    # Nothing of the kernel's idea of a tick is possible outside of this range: the fields lie where we think.
    assert 900000 // 100 <= timex.tick <= 1100000 // 100
    facts = clock.observe_clock()
    assert facts.error == ""
    assert facts.state == state
    assert facts.status == timex.status
    assert facts.synchronised is not None
    assert facts.synchronised == (state != 5 and not timex.status & 0x40)
    assert facts.max_error_us is not None
    assert facts.max_error_us >= 0


@pytest.mark.parametrize(
    ("state", "status", "synchronised"),
    [(0, 0x2001, True), (1, 0x2011, True), (5, 0x40, False), (0, 0x40, False), (5, 0, False)],
)
def test_synchronised(state: int, status: int, synchronised: bool) -> None:
    facts = clock.observe_clock(lambda: answering(state, status, 16_000_000))
    assert (facts.synchronised, facts.state, facts.status) == (synchronised, state, status)
    assert facts.max_error_us == 16_000_000


def test_a_container_that_may_not_ask() -> None:
    def forbidden() -> tuple[int, clock.Timex]:
        raise OSError(errno.EPERM, "")

    facts = clock.observe_clock(forbidden)
    assert facts.synchronised is None
    assert facts.error == "adjtimex: EPERM: Operation not permitted"
