# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""summary.md: for a ticket, a merge request or a chat; GitHub's and GitLab's Markdown."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report import overview, templates
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.controls import rank
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.base import FLEET, Format, HostPart, Item
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.status import line
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.model import PROBLEMS, STATUS_ORDER, Finding, spread
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.outlook import OUTCOMES

MAX_HOSTS = 100
MAX_FINDINGS = 200


class Summary(Format):
    filename = "summary.md"

    def begin(self) -> None:
        self._problems: list[Finding] = []
        self._more = 0

    def about_fleet(self, items: t.Sequence[Item]) -> None:
        self._keep(items)

    def host(self, part: HostPart) -> None:
        self._keep(part.items)

    def _keep(self, items: t.Sequence[Item]) -> None:
        self._problems += [item.finding for item in items if item.finding.status in PROBLEMS]
        if len(self._problems) > 4 * MAX_FINDINGS:
            self._cut()

    def _cut(self) -> None:
        ranks = self.fleet.ranks
        self._problems.sort(
            key=lambda finding: (PROBLEMS.index(finding.status), -rank(finding.severity), ranks[finding.host])
        )
        kept = spread(self._problems, MAX_FINDINGS, lambda finding: finding.host)
        self._more += len(self._problems) - len(kept)
        self._problems = kept

    def end(self) -> None:
        self._cut()
        fleet = self.fleet
        outlook = overview.fleet_outlook(fleet)
        templates.write(
            self.stream,
            templates.markdown(),
            "summary.md.j2",
            fleet=fleet,
            verdict=line(self.context).split(" ", 1)[1].split(" | ")[0],
            statuses=STATUS_ORDER,
            problem_hosts=[host for host in fleet.worst_first if host.counts.state != "ok"],
            most_hosts=MAX_HOSTS,
            outlook=outlook,
            not_calm=spread(outlook.not_calm, MAX_HOSTS, lambda pair: pair[0].name),
            outcomes=OUTCOMES,
            findings=self._problems,
            more=self._more,
            titles={control.id: control.title for control in fleet.controls},
            fleet_name=FLEET,
            waivers=[use.as_dict() for use in fleet.waivers],
        )
