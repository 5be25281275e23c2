# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where an action shows what people read, and how wide it may be.

Standard output belongs to the callback. Lines of ours between its own are welcome only where it writes for people.
"""

from __future__ import annotations

import dataclasses
import shutil
import typing as t

from ansible import constants

FOR_PEOPLE = frozenset(
    [
        "awx_display",
        "counter_enabled",
        "debug",
        "default",
        "default_without_diff",
        "dense",
        "diy",
        "minimal",
        "print_task",
        "profile_tasks",
        "selective",
        "timer",
        "unixy",
        "yaml",
    ]
)
"""The callbacks, without their collections, whose output nobody parses."""

WIDTH = shutil.get_terminal_size().columns
"""Columns of the terminal, or COLUMNS. Found when Ansible loads the action, because its workers have no terminal."""


@dataclasses.dataclass
class Console:
    """What `show` chose among."""

    ansible: t.Any
    """Ansible's own."""
    show: str = "auto"
    """`auto`, `stdout`, `stderr` or `none`."""

    @property
    def is_silent(self) -> bool:
        return self.show == "none"

    def display(self, text: str, color: str | None = None) -> None:
        if not self.is_silent:
            self.ansible.display(text, color=color, stderr=self._to_stderr())

    def _to_stderr(self) -> bool:
        if self.show == "auto":
            return str(constants.DEFAULT_STDOUT_CALLBACK).rpartition(".")[2] not in FOR_PEOPLE
        return self.show == "stderr"
