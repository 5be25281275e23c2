# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of a module that changes PBS's configuration."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.settings import Changes, Text
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display


@dataclasses.dataclass
class Outcome:
    """The changes that were made, or in check mode would be made."""

    commands: list[list[str]]
    changed: bool = False
    action: str = "none"
    """`none`, `create`, `reuse`, `complete`, `update`, `mount`, `unmount` or `remove`."""
    message: str = ""
    warnings: list[str] = dataclasses.field(default_factory=list)
    log: list[str] = dataclasses.field(default_factory=list)
    """The log of PBS's task."""
    before: dict[str, Text] = dataclasses.field(default_factory=dict)
    after: dict[str, Text] = dataclasses.field(default_factory=dict)
    id: str = ""
    completed: int = 0
    """How many directories and files of a half-made store were made, or got another owner or mode."""
    not_tried: str = ""

    def show(self, changes: Changes, identifier: str) -> None:
        """Keep the section before and after the changes, for the diff and the result."""
        self.id, self.before, self.after = identifier, changes.before, changes.after
        self.warnings += [warning for warning in changes.warnings if warning not in self.warnings]

    def result(self, name: str) -> dict[str, t.Any]:
        """The module's result; `name` is its key for the section's properties."""
        return {
            "changed": self.changed,
            "decision": self.action,
            "msg": self.message,
            "commands": self.commands,
            name: {
                key.replace("-", "_"): display(value) if isinstance(value, str) else [display(item) for item in value]
                for key, value in sorted(self.after.items())
            },
            "log": self.log,
            "diff": {
                "before_header": self.id,
                "after_header": self.id,
                "before": _lines(self.before),
                "after": _lines(self.after),
            },
        }


def _lines(properties: t.Mapping[str, Text]) -> str:
    """One line for each value, as PBS writes them."""
    return "".join(
        f"{name} {display(text)}\n"
        for name, value in sorted(properties.items())
        for text in ([value] if isinstance(value, str) else value)
    )
