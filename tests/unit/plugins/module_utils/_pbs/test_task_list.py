# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of tasks that PBS keeps. The lines are those of a PBS 4.2.3."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.task_list import parse_task_list

RECORDED = rb"""UPID:vm:000017FB:000B105F:00000013:6B0B6EC7:verificationjob:dsa\x3avj3:root@pam: 6B0B6EC7 verification failed - please check the log for details
UPID:vm:000017FB:000B105F:00000014:6B0B6EC8:verificationjob:gc1\x3avj4:root@pam: 6B0B6EC8 OK
UPID:vm:000017FB:000B105F:00000015:6B0B6EC9:garbage_collection:gc1:root@pam: 6B0B6EC9 OK
"""


def test_recorded_lines():
    tasks = parse_task_list(RECORDED)
    assert [(task.upid.type, task.upid.id, task.end, task.status) for task in tasks] == [
        ("verificationjob", r"dsa\x3avj3", 1795911367, "error"),
        ("verificationjob", r"gc1\x3avj4", 1795911368, "ok"),
        ("garbage_collection", "gc1", 1795911369, "ok"),
    ]
    assert tasks[2].upid.start == 1795911369


def test_other_ends():
    upid = b"UPID:vm:000017FB:000B105F:0000000C:6B0B6EBF:prunejob:dsa:root@pam:"
    ends = (b"", b" 6B0B6EBF WARNINGS: 3", b" 6B0B6EBF unknown", b" 6B0B6EBF WARNINGS: many", b" 6B0B6EBF ")
    tasks = parse_task_list(b"\n".join(upid + end for end in ends))
    assert [task.status for task in tasks] == ["", "warning", "unknown", "error", "error"]
    assert tasks[0].end is None


def test_lines_that_pbs_does_not_write_are_left_out():
    lines = [b"", b"garbage", b"UPID:broken 6B0B6EBF OK", RECORDED.splitlines()[1] + b"\r", b"\xff\xfe"]
    assert len(parse_task_list(b"\n".join(lines))) <= 1


@given(st.binary(max_size=200))
def test_any_bytes_are_a_list(data):
    assert isinstance(parse_task_list(data + b"\n" + RECORDED), list)
    assert len(parse_task_list(data + b"\n" + RECORDED)) >= 3
