# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""summary.md: for a ticket, a merge request or a chat; GitHub's and GitLab's Markdown."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.controls import control_of, rank
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.base import FLEET, Format, HostPart, Item
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.status import line
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.model import PROBLEMS, STATUS_ORDER, Finding

_MARKUP = re.compile(r"[\\`*_\[\]<>|~&$#@]|(?<=\w):(?=//)|(?<=www)\.")
_LIST = re.compile(r"^(\s*\d*)([-+=.)])")
MAX_HOSTS = 100
MAX_FINDINGS = 200


def text(value: str) -> str:
    """The text, so that Markdown takes none of it for markup."""
    return _LIST.sub(r"\1\\\2", _MARKUP.sub(r"\\\g<0>", value))


class Summary(Format):
    filename = "summary.md"

    def begin(self) -> None:
        self._problems: t.List[Finding] = []
        self._more = 0
        fleet = self.fleet
        counts = fleet.counts
        lines = [
            "# Preflight of %d Proxmox Backup Server%s" % (len(fleet.hosts), "" if len(fleet.hosts) == 1 else "s"),
            "",
        ]
        lines += ["**%s** (%s)" % (text(line(self.context).split(" ", 1)[1].split(" | ")[0]), fleet.generated), ""]
        lines += ["| %s |" % " | ".join(STATUS_ORDER), "|%s" % ("---:|" * len(STATUS_ORDER))]
        lines += ["| %s |" % " | ".join(format(counts[status], ",") for status in STATUS_ORDER), ""]
        problems = [host for host in fleet.worst_first if host.counts.state != "ok"]
        if problems:
            lines += [
                "## Hosts",
                "",
                "| host | worst | fail | unknown | warn | first remedy |",
                "|---|---|---:|---:|---:|---|",
            ]
            for host in problems[:MAX_HOSTS]:
                first = min(host.stores, key=lambda store: store.first_rank)
                lines.append(
                    "| %s | %s | %d | %d | %d | %s |"
                    % (
                        text(host.name),
                        host.counts.worst or host.counts.state,
                        host.counts["fail"],
                        host.counts["unknown"],
                        host.counts["warn"],
                        text(first.first),
                    )
                )
            if len(problems) > MAX_HOSTS:
                lines.append("")
                lines.append("… and %d more hosts." % (len(problems) - MAX_HOSTS))
            lines.append("")
        self.stream.write("\n".join(lines) + "\n")

    def about_fleet(self, items: t.Sequence[Item]) -> None:
        self._keep(items)

    def host(self, part: HostPart) -> None:
        self._keep(part.items)

    def _keep(self, items: t.Sequence[Item]) -> None:
        self._problems += [item.finding for item in items if item.finding.status in PROBLEMS]
        if len(self._problems) > 4 * MAX_FINDINGS:
            self._cut()

    def _cut(self) -> None:
        self._problems.sort(key=lambda finding: (PROBLEMS.index(finding.status), -rank(finding.severity)))
        self._more += len(self._problems[MAX_FINDINGS:])
        del self._problems[MAX_FINDINGS:]

    def end(self) -> None:
        self._cut()
        lines: t.List[str] = []
        if self._problems:
            lines += ["## Findings", ""]
        for finding in self._problems:
            where = finding.host + ("/" + finding.datastore if finding.datastore else "") or FLEET
            lines.append(
                "- **%s** %s, %s, %s: %s"
                % (text(where), text(finding.control), finding.status, finding.severity, text(finding.message))
            )
            lines.append("  *%s.*" % text(_sentence(control_of(finding.control).title)))
            if finding.remedy:
                lines.append("  Remedy: %s" % text(finding.remedy))
        if self._more:
            lines += ["", "… and %s more findings." % format(self._more, ",")]
        waivers = self.fleet.waivers
        if waivers:
            lines += [
                "",
                "## Waivers",
                "",
                "| control | host | datastore | until | state | because |",
                "|---|---|---|---|---|---|",
            ]
            for use in waivers:
                fields = use.as_dict()
                keys = ("control", "host", "datastore", "until", "state", "justification")
                lines.append("| %s |" % " | ".join(text(str(fields[key])) for key in keys))
        if self.fleet.left_out:
            lines += ["", "## Left out", ""]
            lines += ["- %s: %s" % (text(path), text(reason)) for path, reason in self.fleet.left_out]
        if lines:
            self.stream.write("\n".join(lines) + "\n")


def _sentence(title: str) -> str:
    return title[:1].upper() + title[1:]
