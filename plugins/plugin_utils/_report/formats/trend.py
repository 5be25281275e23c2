# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trend over earlier runs, as a drawing in the page."""

from __future__ import annotations

import typing as t
from html import escape

_SERIES = (("fail", "failed"), ("unknown", "unknown"), ("warn", "warnings"))
_WIDTH, _HEIGHT = 640.0, 140.0
_LEFT, _TOP, _RIGHT, _BOTTOM = 40.0, 8.0, 8.0, 22.0


def chart(trend: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """An SVG and the same as a table, for those who do not see it; nothing for fewer than two runs."""
    if len(trend) < 2:
        return ""
    most = max(max(int(run[name]) for name, _word in _SERIES) for run in trend) or 1
    step = (_WIDTH - _LEFT - _RIGHT) / (len(trend) - 1)
    tall = _HEIGHT - _TOP - _BOTTOM

    def x_of(number: int) -> float:
        return _LEFT + step * number

    def y_of(value: float) -> float:
        return _TOP + tall * (1 - value / most)

    lines = [
        '<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/><text x="%g" y="%.1f" class="y">%s</text>'
        % (_LEFT, _WIDTH - _RIGHT, y_of(value), y_of(value), _LEFT - 6, y_of(value) + 4, format(value, ","))
        for value in sorted({0, most // 2, most})
    ]
    for name, _word in reversed(_SERIES):
        points = " ".join("%.1f,%.1f" % (x_of(number), y_of(int(run[name]))) for number, run in enumerate(trend))
        last = trend[-1]
        lines.append(
            '<polyline class="s-%s" points="%s"/><circle class="s-%s" cx="%.1f" cy="%.1f" r="3.5"/>'
            % (name, points, name, x_of(len(trend) - 1), y_of(int(last[name])))
        )
    for number, anchor in ((0, "start"), (len(trend) - 1, "end")):
        lines.append(
            '<text x="%.1f" y="%g" text-anchor="%s">%s</text>'
            % (x_of(number), _HEIGHT - 4, anchor, escape(str(trend[number]["generated"])[:10]))
        )
    legend = "".join('<li class="s-%s"><i aria-hidden="true"></i>%s</li>' % pair for pair in _SERIES)
    rows = "".join(
        '<tr><th scope="row">%s</th>%s</tr>'
        % (
            escape(str(run["generated"])[:16].replace("T", " ")),
            "".join("<td>%d</td>" % run[name] for name, _word in _SERIES),
        )
        for run in reversed(trend)
    )
    return (
        '<section aria-labelledby="trend-title" class="card"><h2 id="trend-title">Trend over %d runs</h2>'
        '<svg class="trend" viewBox="0 0 %g %g" role="img" aria-label="Failed, unknown and warnings over time; '
        'the numbers are in the table below">%s</svg><ul class="legend">%s</ul>'
        '<details><summary>As a table</summary><div class="scroll"><table class="plain"><thead><tr>'
        '<th scope="col">Run (UTC)</th>%s</tr></thead><tbody>%s</tbody></table></div></details></section>'
        % (
            len(trend),
            _WIDTH,
            _HEIGHT,
            "".join(lines),
            legend,
            "".join('<th scope="col">%s</th>' % word for _name, word in _SERIES),
            rows,
        )
    )
