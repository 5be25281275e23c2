# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a hostile host says of its progress is shown as text, or not at all."""

from __future__ import annotations

import pytest

from ansible_collections.fleetops.pbs.plugins.plugin_utils._long_run import _Watch, progress_line


class Terminal:
    def __init__(self):
        self.lines = []

    def display(self, text, color=None):
        self.lines.append(text)


def test_escapes_do_not_reach_the_terminal():
    terminal = Terminal()
    watch = _Watch(terminal, "pbs1", 1)
    watch._shown_at = -1000.0
    watch.show({"what": "\x1b[2Jwalking\nFAKE: ok"})
    watch.offline(Exception("stderr: \x1b]0;title\x07"))
    assert terminal.lines == [
        r"pbs1: \x1b[2Jwalking\x0aFAKE: ok: 0 %, 0 chunks, 0 wrong",
        r"pbs1: the connection is lost, the work there goes on: stderr: \x1b]0;title\x07",
    ]


@pytest.mark.parametrize(
    "progress",
    [
        ["a"],
        "text",
        {"files": "many"},
        {"prefixes": 10**5000},
        {"elapsed": float("nan")},
        {"prefixes_total": -1},
        {"files": True},
    ],
)
def test_what_is_no_progress_counts_as_none(progress):
    assert progress_line(progress) == "working: 0 %, 0 chunks, 0 wrong"
