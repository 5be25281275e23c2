# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What management and auditors ask of a report: rates by standard, coverage, and what was asked of whom."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import Control
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.controls import told_as_problem_only
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.fleet import Fleet
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.model import Asked, Counts, Host, natural
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.outlook import Outlook


@dataclasses.dataclass
class Standard:
    """What a requirement of a standard comes to: the counts of all controls that refer to it."""

    name: str
    controls: int
    """How many controls of those that were asked."""
    counts: Counts


def standards(controls: t.Iterable[Control], by_control: t.Mapping[str, Counts]) -> list[Standard]:
    """Every requirement that the controls refer to, by its name."""
    found: dict[str, Standard] = {}
    for control in controls:
        counts = by_control.get(control.id)
        if counts is None or told_as_problem_only(control):
            continue
        for name in dict.fromkeys(control.standards):
            standard = found.setdefault(name, Standard(name, 0, Counts()))
            standard.controls += 1
            standard.counts.merge(counts)
    return sorted(found.values(), key=lambda standard: natural(standard.name))


@dataclasses.dataclass
class Coverage:
    """How much of what should have been looked at was."""

    expected: int
    """Hosts that should have a document."""
    reached: int
    """Hosts that have one."""
    earlier: int
    """Of those: the document is of an earlier run."""
    not_asked: int
    """Hosts that were not asked, and of which no document is known."""
    datastores: int
    walked: int
    """Datastores whose chunks were walked over."""
    complete: int
    """Of those: all chunks were seen."""
    chunks: int
    bytes: int
    """Of these chunks."""
    oldest: str
    """When the oldest document was finished; empty where there is none."""
    newest: str
    check_mode: int
    """Hosts that were looked at in check mode."""
    versions: list[tuple[str, int]]
    """Versions of PBS, with the number of hosts; the newest first."""
    collections: list[tuple[str, int]]
    """The same of this collection."""


@dataclasses.dataclass
class FleetOutlook:
    """The next garbage collections of the fleet, and its backups."""

    stores: list[tuple[Host, Outlook]]
    """All datastores with a forecast, in the order of the hosts."""
    not_calm: list[tuple[Host, Outlook]]
    """Those that somebody has to look at, the worst first."""
    removes_bytes: int
    pending_bytes: int
    stopped: int
    """Datastores whose garbage collection stops or does not start."""
    unknown: int
    at_risk_chunks: int
    damaged_snapshots: t.Optional[int]
    """None where nobody looked for them."""
    stale: t.Optional[int]
    """Groups without a backup that is young enough; None where no age was asked for."""


def fleet_outlook(fleet: Fleet) -> FleetOutlook:
    """What the datastores come to together."""
    stores = [(host, outlook) for host in fleet.worst_first for outlook in host.outlooks]
    told = [outlook for _host, outlook in stores]
    return FleetOutlook(
        stores=stores,
        not_calm=sorted((pair for pair in stores if not pair[1].is_calm), key=lambda pair: pair[1].badness()),
        removes_bytes=sum(outlook.removes_bytes or 0 for outlook in told),
        pending_bytes=sum(outlook.pending_bytes or 0 for outlook in told),
        stopped=sum(outlook.outcome in ("stops", "refused") for outlook in told),
        unknown=sum(outlook.outcome == "unknown" for outlook in told),
        at_risk_chunks=sum(outlook.at_risk_chunks for outlook in told),
        damaged_snapshots=_sum_of_known(outlook.damaged_snapshots for outlook in told),
        stale=_sum_of_known(outlook.stale for outlook in told),
    )


def _sum_of_known(numbers: t.Iterable[t.Optional[int]]) -> t.Optional[int]:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def coverage(fleet: Fleet) -> Coverage:
    reached = [host for host in fleet.hosts if host.has_document]
    walks = [walked for host in reached for walked in host.seen_in]
    times = sorted(host.finished for host in reached)
    full = [walked for walked in walks if walked.complete and walked.scope == "full"]
    return Coverage(
        expected=len(fleet.hosts),
        reached=len(reached),
        earlier=sum(host.earlier for host in reached),
        not_asked=sum(host.not_asked for host in fleet.hosts),
        datastores=sum(len(host.datastores) for host in fleet.hosts),
        walked=len(walks),
        complete=len(full),
        chunks=sum(walked.chunks for walked in walks),
        bytes=sum(walked.bytes for walked in walks),
        oldest=times[0] if times else "",
        newest=times[-1] if times else "",
        check_mode=sum(host.check_mode for host in reached),
        versions=_by_version(host.pbs_version for host in reached),
        collections=_by_version(host.collection_version for host in reached),
    )


def _by_version(versions: t.Iterable[str]) -> list[tuple[str, int]]:
    return sorted(collections.Counter(versions).items(), key=lambda pair: natural(pair[0]), reverse=True)


def asked_groups(fleet: Fleet) -> list[tuple[Asked | None, list[str]]]:
    """Hosts of which the same was asked, by their names; the largest group first."""
    groups: dict[Asked | None, list[str]] = {}
    for host in fleet.hosts:
        if host.has_document:
            groups.setdefault(host.asked, []).append(host.name)
    return sorted(groups.items(), key=lambda pair: -len(pair[1]))
