# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One row for every host, made of the newest that is known about each."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import functools
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import Control
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.document import timestamp
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.waivers import Waiver
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report import copies, documents, told
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.controls import KNOWN, control_of, reaches
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.copies import Copy, match, side_of, without_copy
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.documents import LeftOut, Missing, Read, Run
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.model import (
    HOST_STATES,
    Counts,
    Finding,
    Host,
    Place,
    Store,
    count,
    findings_of,
    natural,
)
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.outlook import outlooks_of
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.timeline import lanes_of
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.waivers import WaiverUse

CLOCK_TOLERANCE = 86400.0
"""Seconds that a host's clock may be ahead of the controller's for its document to be used."""

MAX_STRANGE_CONTROLS = 64
"""Controls of all documents together that this version of the collection does not know."""

_KNOWN_IDS = frozenset(control.id for control in KNOWN)


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What a report is made of."""

    documents: t.Sequence[str] = ()
    """Files, directories and patterns. If `hosts` is given, those of hosts that are in neither `hosts` nor `not_asked` are
    passed over, unless `others` is set."""
    merge: t.Sequence[str] = ()
    """The same of other runs, and earlier reports."""
    hosts: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The hosts of this run that should have a document, and why one has none (empty: not known, or it has one). What
    is known of other hosts is of earlier runs."""
    not_asked: t.Collection[str] = ()
    """Hosts of the fleet that were left out of this run. One without a document has a row that says so."""
    others: bool = False
    """Documents of all other hosts count too: the report is of everything that is known."""
    earlier: str = ""
    """The `report.json` of an earlier run: what it says of hosts without a document holds until there is newer news."""
    waivers: t.Sequence[Waiver] = ()
    run: Run | None = None
    """Who makes this report, of what."""
    partial: bool = False
    """This is a part of the fleet: waivers for hosts that are not in it are not called unused."""
    own_outputs: frozenset[str] = frozenset()
    """Real paths of files that reports write, so that they are not taken for documents."""


@dataclasses.dataclass
class Fleet:
    hosts: list[Host]
    """By name, pbs2 before pbs10."""
    findings: list[Finding]
    """About the fleet itself."""
    left_out: list[LeftOut]
    generated: str
    """When the newest document was finished; the present where there is none. So that the same input gives the same report."""
    waivers: list[WaiverUse]
    controls: list[Control]
    """Those of the catalog, the report's own, and what else the documents have."""
    runs: list[Run] = dataclasses.field(default_factory=list)
    """Who made this report and those that it was merged from, of what; by their texts."""
    counts: Counts = dataclasses.field(default_factory=Counts)

    def __post_init__(self) -> None:
        for host in self.hosts:
            self.counts.merge(host.counts)
        for finding in self.findings:
            self.counts.add(finding.status, finding.severity)

    @functools.cached_property
    def worst_first(self) -> list[Host]:
        """The one order in which hosts are shown to people: by what matters most, then by name."""
        return sorted(self.hosts, key=lambda host: host.counts.badness())

    @functools.cached_property
    def ranks(self) -> dict[str, int]:
        """The places of the hosts in that order. Findings about the fleet itself (no host) stand before all of them."""
        return {"": -1, **{host.name: place for place, host in enumerate(self.worst_first)}}

    @functools.cached_property
    def copies(self) -> list[Copy]:
        """All copies between hosts, the worst first."""
        return match({host.name: host.copies for host in self.hosts}, self.generated)

    def without_copy(self) -> list[tuple[str, str]]:
        """Host and datastore of what nobody is known to copy."""
        sides = {host.name: host.copies for host in self.hosts}
        return without_copy(sides, {host.name: host.datastores for host in self.hosts}, self.copies)

    def hosts_by_state(self) -> dict[str, int]:
        found = dict.fromkeys(HOST_STATES, 0)
        for host in self.hosts:
            found[host.state] += 1
        return found

    @property
    def datastores(self) -> int:
        """How many datastores were checked."""
        return sum(len(host.datastores) for host in self.hosts)

    @property
    def datastores_of_this_run(self) -> int:
        """How many of them were checked in this run."""
        return sum(len(host.datastores) for host in self.hosts if not host.earlier)

    def without_document(self) -> list[Host]:
        return [host for host in self.hosts if not host.has_document]

    def unsafe(self, fail_on: str, fail_on_unknown: str) -> list[Host]:
        """The hosts with a failure or something unknown at or above the thresholds."""
        return [
            host
            for host in self.hosts
            if reaches(host.counts.worst, fail_on) or reaches(host.counts.worst_unknown, fail_on_unknown)
        ]

    def totals(self) -> dict[str, t.Any]:
        """The counts that every format has."""
        return {
            "hosts": len(self.hosts),
            "hosts_without_document": len(self.without_document()),
            "hosts_by_state": self.hosts_by_state(),
            "datastores": self.datastores,
            "findings": self.counts.total,
            "by_status": dict(self.counts.by_status),
            "worst": self.counts.worst,
            "worst_unknown": self.counts.worst_unknown,
            "left_out": len(self.left_out),
        }


def gather(inputs: Inputs, now: float) -> Fleet:
    """Read everything once; keep of each host what is newest, without its findings. `now`: seconds since the epoch."""
    gathering = _Gathering(inputs, now)
    for path in inputs.documents:
        # Of this run's own documents a missing one is told by its host.
        gathering.take(path, of_this_run=True)
    for path in inputs.merge:
        gathering.take(path, of_this_run=False)
    gathering.leave_out_strange_controls()
    newest = max((host.finished for host in gathering.newest.values()), default="")
    # A host may be wrong about the time, and must not decide what time it is for the whole fleet.
    generated = min(newest or timestamp(now), timestamp(now))
    gathering.add_missing(generated)
    hosts = sorted(gathering.newest.values(), key=lambda host: (natural(host.name), host.name))
    uses = [WaiverUse(number, waiver) for number, waiver in enumerate(inputs.waivers)]
    today = datetime.date.fromisoformat(generated[:10])
    findings = [
        finding
        for use in uses
        for finding in use.judge(hosts, today=today, partial=inputs.partial, fleet_made=generated)
    ]
    findings += copies.findings_of(match({host.name: host.copies for host in hosts}, generated))
    controls = [*KNOWN, *(control_of(name) for name in sorted(gathering.controls - {control.id for control in KNOWN}))]
    runs = sorted({*gathering.runs, *([inputs.run] if inputs.run else [])})
    return Fleet(hosts, findings, sorted(set(gathering.left_out)), generated, uses, controls, runs)


class _Gathering:
    def __init__(self, inputs: Inputs, now: float) -> None:
        self.inputs = inputs
        self._now = timestamp(now)
        self._latest = timestamp(now + CLOCK_TOLERANCE)
        self._strange: dict[str, frozenset[str]] = {}
        """Controls that this collection does not know, by host."""
        self.newest: dict[str, Host] = {}
        self.missing: dict[str, Missing] = {}
        self.left_out: list[LeftOut] = []
        self.runs: set[Run] = set()
        self.controls: set[str] = set()
        self.expected = frozenset(display(str(name)) for name in inputs.hosts)
        self.not_asked = frozenset(display(str(name)) for name in inputs.not_asked) - self.expected
        self.known = documents.known_of(inputs.earlier) if inputs.earlier else {}
        self._seen: set[str] = set()

    def take(self, path: str, of_this_run: bool) -> None:
        names, wrong = documents.expand(path, self.inputs.own_outputs)
        told_by_host = of_this_run and bool(self.expected)
        wanted = self.expected | self.not_asked if told_by_host and not self.inputs.others else None
        if wrong and not told_by_host:
            self.left_out.append(wrong)
        for name in names:
            if name in self._seen:
                continue
            self._seen.add(name)
            for item in documents.scan(name):
                if isinstance(item, LeftOut):
                    self.left_out.append(item)
                elif isinstance(item, Run):
                    self.runs.add(item)
                elif isinstance(item, Missing):
                    self._note_missing(item, name)
                else:
                    self._add(item, wanted, of_this_run)

    def _note_missing(self, item: Missing, path: str) -> None:
        if max(item.seen, item.last_seen) > self._latest:
            # It would be the newest that is known of this host for ever.
            self.left_out.append(LeftOut(display(path), f"what it has of {item.host} is from the future"))
            return
        earlier = self.missing.get(item.host)
        if earlier is None or earlier.seen < item.seen:
            self.missing[item.host] = item

    def _add(self, item: Read, wanted: t.Container[str] | None, of_this_run: bool) -> None:
        document = item.document
        name = display(document["host"])
        if wanted and name not in wanted:
            return
        if document["finished"] > self._latest:
            self._refuse(
                name,
                item.place,
                f"it was finished on {document['finished'][:10]}, and the controller has {self._now[:10]}: correct the "
                "clock of the host",
                # One of an earlier run says nothing about the present.
                self._now if of_this_run else "",
            )
            return
        earlier = self.newest.get(name)
        if earlier is not None and earlier.finished >= document["finished"]:
            return
        host = Host(
            name=name,
            counts=Counts(),
            stores=[
                Store(store, Counts())
                for store in dict.fromkeys(["", *(display(item["name"]) for item in document["datastores"])])
            ],
            finished=document["finished"],
            pbs_version=display(document["pbs_version"] or ""),
            collection_version=display(document["collection_version"]),
            seconds=told.seconds_between(document["started"], document["finished"]),
            check_mode=document.get("check_mode") is True,
            asked=told.asked_of(document),
            seen_in=told.walked_of(document),
            outlooks=outlooks_of(document),
            copies=side_of(document),
            schedules=lanes_of(document),
            last_seen=document["finished"],
            place=item.place,
        )
        findings = list(findings_of(name, document, only_problems_in_words=True))
        self._strange[name] = frozenset(finding.control for finding in findings) - _KNOWN_IDS
        count(host, findings)
        WaiverUse.note(host, findings, self.inputs.waivers)
        self.newest[name] = host

    def _refuse(self, name: str, place: Place, reason: str, seen: str) -> None:
        """A document that is not used. Its host gets a row with the reason, unless there is a document after `seen`."""
        self.left_out.append(LeftOut(display(place.path), reason))
        earlier = self.missing.get(name)
        if earlier is None or earlier.seen <= seen:
            self.missing[name] = Missing(name, f"its document is not used: {reason}", seen)

    def leave_out_strange_controls(self) -> None:
        """Each control is a column, so their number must not be the hosts' choice: what most hosts have goes first."""
        named = collections.Counter(control for strange in self._strange.values() for control in strange)
        most = sorted(named, key=lambda control: (-named[control], control))
        taken = frozenset(most[:MAX_STRANGE_CONTROLS])
        for name, host in list(self.newest.items()):
            strange = self._strange.get(name, frozenset())
            if not strange <= taken and host.place is not None:
                del self.newest[name]
                self._refuse(
                    name,
                    host.place,
                    "it has controls that this collection does not know; update the collection",
                    self._now,
                )
            else:
                self.controls |= strange

    def add_missing(self, generated: str) -> None:
        """Rows for the hosts without a document, where that is the newest news about them."""
        for name, known in self.known.items():
            # Without hosts of its own, this report is about all that the earlier one knew.
            if known.missing is not None and (name in self.not_asked or not self.inputs.hosts):
                self.missing.setdefault(name, known.missing)
        for name, item in self.missing.items():
            have = self.newest.get(name)
            if item.not_asked:
                if have is None:
                    self._never_ask(name)
            elif have is None or have.finished < item.seen:
                self._miss(name, item.reason, item.seen or generated, item.last_seen)
        for given, reason in self.inputs.hosts.items():
            name = display(str(given))
            if reason or name not in self.newest:
                self._miss(name, display(reason or ""), generated)
        for name in self.not_asked - set(self.newest):
            self._never_ask(name)
        if self.inputs.hosts or self.not_asked:
            for name, host in self.newest.items():
                host.earlier = name not in self.expected

    def _miss(self, name: str, reason: str, seen: str, last_seen: str = "") -> None:
        older, known = self.newest.get(name), self.known.get(name)
        last = ""
        if older is not None and older.has_document:
            counts = older.counts
            said = "%d failed, %d unknown, %d warnings" % (counts["fail"], counts["unknown"], counts["warn"])
            last = f"Its last document is of {older.finished}: {said}."
        elif known is not None and known.finished:
            last = f"Its last document was of {known.finished}: {known.counts}."
        host = Host(name=name, counts=Counts(), stores=[Store("", Counts())], reason=reason, seen=seen, last=last)
        host.last_seen = max(last_seen, older.last_seen if older is not None else "", _last_seen(known))
        count(host, [host.missing()])
        # Why is more than the remedy, which is the same for all of them.
        host.stores[0].first = "No document: %s" % (reason or "no reason is known")
        self.newest[name] = host

    def _never_ask(self, name: str) -> None:
        host = Host(name=name, counts=Counts(), stores=[Store("", Counts())], reason="not asked", not_asked=True)
        count(host, [host.missing()])
        self.newest[name] = host


def _last_seen(known: documents.Known | None) -> str:
    if known is None:
        return ""
    return known.finished or (known.missing.last_seen if known.missing is not None else "")
