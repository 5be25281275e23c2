# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a document tells of the next garbage collection of its datastores, and of the backups in them.

Documents of earlier versions have no forecast, and what has another type than it should is not told.
"""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.snapshot import parse_time
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.told import Json, inner, number_at, text_at

OUTCOMES = {"stops": "stops", "refused": "does not start", "unknown": "unknown", "sweeps": "runs"}
"""How it ends, and the word for it; what matters most first."""

_LARGEST_FACTOR = 10**15

MOST = 20
"""Groups that are named of one datastore; the counts are of all of them."""


class Group(t.NamedTuple):
    """A backup group that somebody should look at."""

    name: str
    newest: int
    """Backup time of its newest snapshot, in seconds since the epoch; 0 where there is none."""
    damaged: int = 0
    """Snapshots that cannot be restored."""
    intact: int = 0
    """Backup time of the newest snapshot that can; 0 where there is none."""


class Outlook(t.NamedTuple):
    """The next garbage collection of a datastore, and its backups. None stands for what is not known."""

    datastore: str
    outcome: str
    """One of `OUTCOMES`."""
    reason: str = ""
    step: str = ""
    removes_bytes: t.Optional[int] = None
    removes_chunks: t.Optional[int] = None
    exact: bool = True
    """False where what is removed is the most that it may come to."""
    would_remove_bytes: t.Optional[int] = None
    """What it would remove if nothing stopped it."""
    pending_bytes: t.Optional[int] = None
    """What nothing needs, and is not old enough yet."""
    pending_until: int = 0
    """When a garbage collection removes all of that, in seconds since the epoch; 0 where that is not known."""
    kept_bytes: t.Optional[int] = None
    deduplication: t.Optional[float] = None
    at_risk_chunks: int = 0
    """Chunks that backups need, and that it would remove or stop at."""
    at_risk_snapshots: t.Optional[int] = None
    """Snapshots that need one of them; None where they were not counted."""
    warnings: int = 0
    damaged_snapshots: t.Optional[int] = None
    """Snapshots that cannot be restored; None where nobody looked."""
    damaged_groups: tuple[Group, ...] = ()
    stale: t.Optional[int] = None
    """Groups without a backup that is young enough; None where the policy asks for no age."""
    stale_groups: tuple[Group, ...] = ()
    oldest: t.Optional[Group] = None
    """Of all groups the one whose newest backup is oldest."""

    @property
    def is_calm(self) -> bool:
        """Whether there is nothing to look at: it runs, and all backups are whole and young enough."""
        return self.outcome == "sweeps" and not (self.at_risk_chunks or self.damaged_snapshots or self.stale)

    def badness(self) -> tuple[bool, int, bool]:
        """A key to sort by; the worst is the smallest."""
        danger = bool(self.at_risk_chunks or self.damaged_snapshots)
        return not danger, tuple(OUTCOMES).index(self.outcome), not self.stale


def outlooks_of(document: Json) -> list[Outlook]:
    """For each datastore with a forecast; nothing of those that PBS does not have."""
    ages = {item["datastore"]: item for item in document["findings"] if item["control"] == "PBS-SNAP-01"}
    found = []
    for store in document["datastores"]:
        forecast = inner(store, "forecast")
        if forecast is not None and text_at(forecast, "outcome") in OUTCOMES:
            references = inner(store, "observed", "references") or {}
            found.append(_outlook(store["name"], forecast, references, ages.get(store["name"])))
    return found


def _outlook(name: str, forecast: Json, references: Json, ages: t.Optional[Json]) -> Outlook:
    """`ages`: the finding about the age of its backups."""
    asked = ages is not None and ages["status"] in ("pass", "fail", "waived")
    stale = ages["evidence"] if ages is not None else {}
    removes, would_remove, pending, kept = (
        inner(forecast, key) for key in ("removes", "would_remove", "pending", "kept")
    )
    groups = [_group(group) for group in _objects(references.get("groups"))]
    dated = [group for group in groups if group.newest]
    looked = bool(references) and not references.get("not_looked")
    return Outlook(
        datastore=display(name),
        outcome=forecast["outcome"],
        reason=text_at(forecast, "reason"),
        step=text_at(forecast, "step"),
        removes_bytes=_count(removes, "bytes"),
        removes_chunks=_count(removes, "chunks"),
        exact=forecast.get("exact") is not False,
        would_remove_bytes=_count(would_remove, "bytes"),
        pending_bytes=_count(pending, "bytes"),
        pending_until=number_at(pending or {}, "until"),
        kept_bytes=_count(kept, "bytes"),
        deduplication=_factor(forecast.get("deduplication")),
        at_risk_chunks=sum(number_at(risk, "chunks") for risk in _objects(forecast.get("risks"))),
        at_risk_snapshots=_snapshots(_objects(forecast.get("risks"))),
        warnings=number_at(forecast, "warnings"),
        damaged_snapshots=number_at(references, "damaged_snapshots") if looked else None,
        damaged_groups=tuple([group for group in groups if group.damaged][:MOST]),
        stale=number_at(stale, "old") if asked else None,
        stale_groups=tuple(
            Group(text_at(group, "group"), _seconds(group.get("newest")))
            for group in _objects(stale.get("groups"))[:MOST]
        ),
        oldest=min(dated, key=lambda group: group.newest, default=None),
    )


def _group(group: Json) -> Group:
    namespace, kind, name = (text_at(group, key) for key in ("namespace", "type", "id"))
    return Group(
        name="/".join(part for part in (namespace, kind, name) if part),
        newest=number_at(group, "newest"),
        damaged=number_at(group, "damaged"),
        intact=number_at(group, "newest_intact"),
    )


def _snapshots(risks: t.Sequence[Json]) -> t.Optional[int]:
    """Those of the only risk; several may be about the same snapshots."""
    if len(risks) != 1 or not isinstance(risks[0].get("snapshots"), int):
        return None
    return number_at(risks[0], "snapshots")


def _seconds(text: t.Any) -> int:
    """The time of a snapshot as PBS writes it into its name, in seconds since the epoch; 0 where it is none."""
    try:
        return parse_time(text) if isinstance(text, str) else 0
    except ValueError:
        return 0


def _factor(value: t.Any) -> t.Optional[float]:
    """A factor, or None where there is none that can be one: not every whole number of JSON is a float."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and 0 < value < _LARGEST_FACTOR else None


def _count(amount: t.Optional[Json], key: str) -> t.Optional[int]:
    return None if amount is None else number_at(amount, key)


def _objects(value: t.Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
