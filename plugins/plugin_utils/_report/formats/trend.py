# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trend over earlier runs: where the page draws it."""

from __future__ import annotations

import dataclasses
import typing as t

_SERIES = (("fail", "failed"), ("unknown", "unknown"), ("warn", "warnings"))
_TOP, _BOTTOM = 8, 22
LEAST_RUNS = 2
"""Fewer of them are no trend."""


@dataclasses.dataclass(frozen=True)
class Tick:
    """A horizontal line."""

    value: int
    y: float


@dataclasses.dataclass(frozen=True)
class Line:
    """How many findings of a status the runs had."""

    status: str
    word: str
    points: list[tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class Chart:
    """A drawing, in its own units."""

    runs: t.Sequence[t.Mapping[str, t.Any]]
    """The oldest first."""
    ticks: list[Tick]
    lines: list[Line]
    width: int = 640
    height: int = 140
    left: int = 40
    right: int = 632


def chart(runs: t.Sequence[t.Mapping[str, t.Any]]) -> Chart | None:
    """The drawing of some runs; None where there are too few."""
    if len(runs) < LEAST_RUNS:
        return None
    most = max(max(int(run[status]) for status, _word in _SERIES) for run in runs) or 1
    step = (Chart.right - Chart.left) / (len(runs) - 1)
    tall = Chart.height - _TOP - _BOTTOM

    def y_of(value: int) -> float:
        return round(_TOP + tall * (1 - value / most), 1)

    lines = [
        Line(
            status,
            word,
            [(round(Chart.left + step * number, 1), y_of(int(run[status]))) for number, run in enumerate(runs)],
        )
        for status, word in _SERIES
    ]
    return Chart(runs, [Tick(value, y_of(value)) for value in sorted({0, most // 2, most})], lines)
