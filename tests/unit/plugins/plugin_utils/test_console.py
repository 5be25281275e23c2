# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Standard output belongs to the callback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible import constants

from ansible_collections.fleetops.pbs.plugins.plugin_utils import _console
from ansible_collections.fleetops.pbs.plugins.plugin_utils._console import Console

ROOT = Path(__file__).resolve().parents[4]


class Terminal:
    def __init__(self):
        self.lines = []

    def display(self, text, color=None, stderr=False):
        self.lines.append((text, "stderr" if stderr else "stdout"))


@pytest.mark.parametrize(
    ("callback", "show", "where"),
    [
        ("default", "auto", "stdout"),
        ("ansible.builtin.default", "auto", "stdout"),
        ("community.general.yaml", "auto", "stdout"),
        ("awx_display", "auto", "stdout"),
        ("json", "auto", "stderr"),
        ("ansible.posix.json", "auto", "stderr"),
        ("ansible.posix.jsonl", "auto", "stderr"),
        ("community.general.null", "auto", "stderr"),
        ("oneline", "auto", "stderr"),
        ("company.tools.logger", "auto", "stderr"),
        ("ansible.posix.json", "stdout", "stdout"),
        ("default", "stderr", "stderr"),
        ("default", "none", None),
        ("ansible.posix.json", "none", None),
    ],
)
def test_lines_go_where_they_disturb_nobody(monkeypatch, callback, show, where):
    monkeypatch.setattr(constants, "DEFAULT_STDOUT_CALLBACK", callback)
    terminal = Terminal()
    Console(terminal, show).display("a line")
    assert terminal.lines == ([("a line", where)] if where else [])


@pytest.mark.parametrize("columns", [40, 100])
def test_the_width_is_that_of_the_terminal(columns):
    told = subprocess.run(
        [sys.executable, "-c", f"from {_console.__name__} import WIDTH; print(WIDTH)"],
        env={**os.environ, "COLUMNS": str(columns), "PYTHONPATH": str(ROOT / ".collections")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == [str(columns)]
