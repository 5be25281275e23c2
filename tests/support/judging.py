# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One line of a table about rules: a control, what is changed on a healthy host, and what the control reports then."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleetops.pbs.tests.support import facts


@dataclasses.dataclass(frozen=True)
class Example:
    """`says` and `remedy` are parts of the texts that people read; the commands stand below the remedy, one a line."""

    control: str
    status: str
    changes: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    says: str | t.Sequence[str] = ()
    remedy: str | t.Sequence[str] = ()
    severity: str = ""
    ask: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    """More for `facts.ask`: declared, policy, others, check_mode."""

    def __str__(self) -> str:
        words = self.says if isinstance(self.says, str) else " ".join(self.says)
        changed = ",".join(path.removeprefix("host.") for path in [*self.changes, *self.ask])
        return f"{self.control} {self.status}: {(words or changed or 'healthy')[:60]}"

    def check(self) -> None:
        finding = facts.ask(self.control, self.changes, **self.ask)
        assert (finding.status, finding.control) == (self.status, self.control), finding.message
        for part in [self.says] if isinstance(self.says, str) else self.says:
            assert part in finding.message
        for part in [self.remedy] if isinstance(self.remedy, str) else self.remedy:
            assert part in "\n".join([finding.remedy, *finding.commands])
        if self.severity:
            assert finding.severity == self.severity
