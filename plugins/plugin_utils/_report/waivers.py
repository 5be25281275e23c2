# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waivers over the whole fleet: only there can be seen which of them nothing needs."""

from __future__ import annotations

import datetime
import fnmatch
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import BY_ID
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import FAIL, WAIVED, WARN
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.waivers import Waiver
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.model import PROBLEMS, Finding, Host

CONTROL = BY_ID["PBS-WAIVER-01"]

IN_FORCE = "in force"
EXPIRED = "expired"
UNUSED = "unused"


class WaiverUse:
    """A waiver, and what it was good for."""

    def __init__(self, number: int, waiver: Waiver) -> None:
        self.number = number
        self.waiver = waiver
        self.state = IN_FORCE
        self.hosts = 0
        """On how many hosts it covers something."""

    @staticmethod
    def note(host: Host, findings: t.Iterable[Finding], waivers: t.Sequence[Waiver]) -> None:
        """Write down in the host which waivers cover a finding of its, and which could."""
        if not waivers:
            return
        by_control: dict[str, list[tuple[int, Waiver]]] = {}
        for number, waiver in enumerate(waivers):
            if waiver.names(host.name):
                by_control.setdefault(waiver.control, []).append((number, waiver))
        asked, used, wanted = set(), set(), set()
        for finding in findings:
            for number, waiver in by_control.get(finding.control, ()):
                if waiver.covers(finding.control, host.name, finding.datastore or None):
                    asked.add(number)
                    if finding.status == WAIVED and _is(waiver, finding.waiver):
                        used.add(number)
                    elif finding.status in PROBLEMS:
                        wanted.add(number)
        host.waivers_asked = frozenset(asked)
        host.waivers_used = frozenset(used)
        host.waivers_wanted = frozenset(wanted)

    def judge(
        self, hosts: t.Sequence[Host], *, today: datetime.date, partial: bool, fleet_made: str
    ) -> t.Iterator[Finding]:
        """The finding about this waiver, if there is one. The hosts that it names report that it has expired."""
        waiver = self.waiver
        named = [host for host in hosts if fnmatch.fnmatchcase(host.name, waiver.host)]
        self.hosts = sum(self.number in host.waivers_used for host in named)
        if waiver.expired(today):
            self.state = EXPIRED
        if self.hosts or (partial and not named) or any(not host.has_document for host in named):
            return
        asked = any(self.number in host.waivers_asked for host in named)
        if any(self.number in host.waivers_wanted for host in named):
            return  # it has expired, or is younger than the document
        if self.state == EXPIRED:
            if not named:
                yield self._finding(
                    FAIL, CONTROL.severity, f"ended on {waiver.until.isoformat()}, and names no host", fleet_made
                )
            return
        if not named:
            why = "names no host of this report"
        elif asked:
            why = "is not needed: nothing that it names fails, or another waiver covers it"
        elif waiver.datastore != "*" and not any(
            fnmatch.fnmatchcase(name, waiver.datastore) for host in named for name in host.datastores
        ):
            why = f"names no datastore of the {len(named)} hosts that it names"
        else:
            return  # the control was not asked, so nobody knows
        self.state = UNUSED
        yield self._finding(WARN, "low", why, fleet_made)

    def _finding(self, status: str, severity: str, what: str, fleet_made: str) -> Finding:
        waiver = self.waiver
        return Finding(
            host="",
            datastore="",
            control=CONTROL.id,
            status=status,
            severity=severity,
            message=display(
                f"The waiver of {waiver.control} for {waiver.host}/{waiver.datastore} {what} ({waiver.justification})."
            ),
            remedy=CONTROL.remedy,
            evidence=dict(waiver.as_dict(), judged=fleet_made),
            waiver=None,
        )

    def as_dict(self) -> dict[str, t.Any]:
        fields = {key: display(value) for key, value in self.waiver.as_dict().items()}
        return dict(fields, state=self.state, hosts=self.hosts)


def _is(waiver: Waiver, noted: t.Mapping[str, str] | None) -> bool:
    """A better justification does not make another waiver of it."""
    given = waiver.as_dict()
    return noted is not None and all(
        noted.get(key, "*") == display(given[key]) for key in ("control", "host", "datastore")
    )
