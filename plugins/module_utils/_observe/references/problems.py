# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Exact counts of problems by kind, with the first paths of each."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.counters import Examples


class ProblemCounter:
    """The problems that one process has found; sent through a pipe as `Problems`."""

    def __init__(self, max_paths: int) -> None:
        self.counts: dict[str, int] = {}
        self._examples = Examples(max_paths)

    def add(self, kind: str, path: str, detail: str) -> None:
        """One more; the path is relative to the base directory, and as the kernel has it."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self._examples.add(kind, path, detail)

    def result(self) -> dict[str, t.Any]:
        examples = {
            kind: [dataclasses.asdict(problem) for problem in found] for kind, found in self._examples.found.items()
        }
        return {"counts": self.counts, "examples": examples}
