# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._system.child import run_one
from ansible_collections.fleetops.pbs.plugins.module_utils._system.pipes import open_pipe


@pytest.mark.parametrize("closed", [(), (0,), (1,), (0, 1), (0, 1, 2)])
def test_a_pipe_is_none_of_the_standard_streams(closed):
    def task(channel):
        for fd in closed:
            os.close(fd)
        before = len(os.listdir("/proc/self/fd"))
        reader, writer = open_pipe()
        os.write(writer, b"content")
        os.close(writer)
        channel.put("found", [reader, writer, os.read(reader, 100).decode(), os.get_inheritable(reader)])
        os.close(reader)
        channel.put("left", len(os.listdir("/proc/self/fd")) - before)

    parts = run_one(task, 60).parts
    reader, writer, content, inheritable = parts["found"]
    assert min(reader, writer) > 2
    assert reader != writer
    assert (content, inheritable, parts["left"]) == ("content", False, 0)
