# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""junit.xml: a suite for each host, a test case for each finding.

JUnit knows less than we do: `fail` is a failure, `unknown` an error, `skip` and `waived` are skipped; `warn` and
`fixed` pass, with a line of output. The properties of a suite have the exact counts. The time of a suite is that of the
preflight on the host; the time of a walk or a probe is that of the first case that rests on it.
"""

from __future__ import annotations

import functools
import typing as t
from xml.sax.saxutils import escape, quoteattr

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report import told
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.base import FLEET, Format, HostPart, Item
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.model import Counts

_quoted = functools.lru_cache(64)(quoteattr)


class JUnit(Format):
    filename = "junit.xml"

    def begin(self) -> None:
        counts = self.fleet.counts
        self._names = {control.id: quoteattr(f"{control.id} {control.title}") for control in self.fleet.controls}
        self._id = 0
        self.stream.write(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<testsuites name="fleetops.pbs preflight" tests="%d" failures="%d" errors="%d" time="%.3f">\n'
            % (counts.total, counts["fail"], counts["unknown"], sum(host.seconds for host in self.fleet.hosts))
        )

    def about_fleet(self, items: t.Sequence[Item]) -> None:
        counts = Counts()
        for item in items:
            counts.add(item.finding.status, item.finding.severity)
        self._suite(FLEET, self.fleet.generated, 0.0, counts, items, {}, {})

    def host(self, part: HostPart) -> None:
        properties = {"pbs_version": part.host.pbs_version, "collection_version": part.host.collection_version}
        self._suite(
            part.host.name,
            part.host.finished or part.host.seen or self.fleet.generated,
            part.host.seconds,
            part.host.counts,
            part.items,
            properties,
            told.durations_of(part.document) if part.document is not None else {},
        )

    def end(self) -> None:
        self.stream.write("</testsuites>\n")

    def _suite(
        self,
        name: str,
        when: str,
        seconds: float,
        counts: Counts,
        items: t.Sequence[Item],
        properties: t.Mapping[str, str],
        durations: dict[tuple[str, str], float],
    ) -> None:
        lines = [
            '<testsuite name=%s id="%d" package="fleetops.pbs" hostname=%s timestamp="%s" time="%.3f" '
            'tests="%d" failures="%d" errors="%d" skipped="%d">\n<properties>'
            % (
                quoteattr(name),
                self._id,
                quoteattr(name),
                when[:19],  # the time of a suite has no zone; it is UTC
                seconds,
                counts.total,
                counts["fail"],
                counts["unknown"],
                counts["skip"] + counts["waived"],
            )
        ]
        self._id += 1
        lines += [f'<property name="{key}" value={quoteattr(value)}/>' for key, value in properties.items() if value]
        lines += ['<property name="%s" value="%d"/>' % pair for pair in counts.by_status.items()]
        lines.append("</properties>\n")
        for item in items:
            finding = item.finding
            spent = durations.pop((finding.datastore, finding.control.rpartition("-")[0]), 0.0)
            lines.append(self._case(name, item, spent))
        lines.append("</testsuite>\n")
        self.stream.write("".join(lines))

    def _case(self, suite: str, item: Item, seconds: float) -> str:
        finding = item.finding
        where = _quoted(f"{suite}.{finding.datastore}" if finding.datastore else suite)
        begin = f'<testcase classname={where} name={self._names[finding.control]} time="{seconds:.3f}">'
        status = finding.status
        if status == "pass":
            return begin[:-1] + "/>\n"
        if status in ("fail", "unknown"):
            tag = "failure" if status == "fail" else "error"
            body = finding.message + ("\nRemedy: " + finding.remedy if finding.remedy else "")
            body += "".join("\nRun: " + command for command in finding.commands)
            body += "\nEvidence: " + item.evidence if item.evidence else ""
            inner = f'<{tag} type="{finding.severity}" message={quoteattr(finding.message)}>{escape(body)}</{tag}>'
        elif status in ("skip", "waived"):
            message = finding.message
            if finding.waiver:
                message = "Waived until {} ({}): {}".format(
                    finding.waiver.get("until", "?"),
                    finding.waiver.get("justification", "?"),
                    message,
                )
            inner = f'<skipped type="{status}" message={quoteattr(message)}/>'
        else:
            remedy = " " + finding.remedy if finding.remedy else ""
            inner = "<system-out>{}</system-out>".format(escape(f"{status}: {finding.message}{remedy}"))
        return begin + inner + "</testcase>\n"
