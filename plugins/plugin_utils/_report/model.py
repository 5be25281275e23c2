# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings and hosts as a report has them, and their counts.

Every text in here is display-safe (see `_system.text`): it may be shown anywhere after the escaping that a format wants.
"""

from __future__ import annotations

import collections
import dataclasses
import re
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import SEVERITIES
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import FAIL, SKIP, STATUSES, UNKNOWN, WARN
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.controls import NO_DOCUMENT, rank

if t.TYPE_CHECKING:
    from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.copies import Side
    from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.outlook import Outlook
    from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.timeline import Lane

NEVER_ASKED = "The host was not asked in this run, and no document of it is known"
ASK_IT = "Run the preflight for it, without leaving it out."

STATUS_ORDER = (FAIL, UNKNOWN, WARN, "waived", "fixed", "pass", "skip")
"""From what matters most to what matters least."""

PROBLEMS = (FAIL, UNKNOWN, WARN)
"""The statuses that somebody has to look at."""

STATES = (FAIL, UNKNOWN, WARN, "ok")
NOTHING = "none"
"""The state of a host with nothing to check: no datastore, and no problem."""
NOT_ASKED = "not_asked"
"""The state of a host that was left out of this run, and of which no document is known."""
HOST_STATES = (*STATES, NOTHING, NOT_ASKED)
"""The states of a host or datastore, the worst first: whether anything failed, is unknown or worth a warning."""


class Finding(t.NamedTuple):
    """A control's answer. No host: it is about the fleet; no datastore: about the host itself."""

    host: str
    datastore: str
    control: str
    status: str
    severity: str
    message: str
    remedy: str
    evidence: t.Mapping[str, t.Any]
    waiver: t.Mapping[str, str] | None
    since: str = ""
    """When the history first saw it; empty where there is none."""
    commands: tuple[str, ...] = ()
    """What to run to fix it, a command each; empty where a document has none."""


class Counts:
    """How many findings of each status there are, and the worst severities that failed and that nobody could judge."""

    __slots__ = ("by_status", "worst", "worst_unknown")

    def __init__(self) -> None:
        self.by_status: dict[str, int] = dict.fromkeys(STATUSES, 0)
        self.worst: str | None = None
        self.worst_unknown: str | None = None

    def add(self, status: str, severity: str) -> None:
        self.by_status[status] += 1
        if status == FAIL and rank(severity) > rank(self.worst):
            self.worst = severity
        elif status == UNKNOWN and rank(severity) > rank(self.worst_unknown):
            self.worst_unknown = severity

    def merge(self, other: Counts) -> None:
        for status, number in other.by_status.items():
            self.by_status[status] += number
        self.worst = max(self.worst, other.worst, key=rank)
        self.worst_unknown = max(self.worst_unknown, other.worst_unknown, key=rank)

    def __getitem__(self, status: str) -> int:
        return self.by_status[status]

    @property
    def total(self) -> int:
        return sum(self.by_status.values())

    @property
    def state(self) -> str:
        """One of `STATES`."""
        return next((status for status in PROBLEMS if self.by_status[status]), "ok")

    def badness(self) -> tuple[int, ...]:
        """A key to sort by; the worst is the smallest."""
        return (
            STATES.index(self.state),
            -rank(self.worst),
            -rank(self.worst_unknown),
            -self.by_status[FAIL],
            -self.by_status[UNKNOWN],
            -self.by_status[WARN],
        )

    def as_dict(self) -> dict[str, t.Any]:
        return dict(self.by_status, worst=self.worst, worst_unknown=self.worst_unknown)


class Asked(t.NamedTuple):
    """What a preflight asked of a host: the settings that its document names, in words."""

    scope: str = ""
    """How much of the chunk stores was walked."""
    probe: str = ""
    controls: tuple[str, ...] = ()
    """The controls that were asked for; empty: all."""
    policy: tuple[tuple[str, str], ...] = ()
    """The thresholds, by name."""
    check_mode: bool = False


class Walked(t.NamedTuple):
    """How much of a datastore the walk over its chunks saw."""

    datastore: str
    scope: str
    chunks: int
    bytes: int
    prefixes: int
    prefixes_total: int
    complete: bool


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a document lies: the bytes of a file from `offset` on; all of them if `length` is -1."""

    path: str
    offset: int = 0
    length: int = -1
    digest: bytes = b""
    """Of the bytes that were read and checked there; empty where they were not yet."""


@dataclasses.dataclass
class Store:
    """A line of the table on the terminal: one datastore, or the host itself where the name is empty."""

    name: str
    counts: Counts
    first: str = ""
    """The remedy of the worst finding, or its message where it has none."""
    first_commands: tuple[str, ...] = ()
    """The commands of that remedy."""
    first_rank: tuple[int, int] = (99, 0)


@dataclasses.dataclass
class Host:
    """A host of the fleet, without its findings: these are read again when they are needed."""

    name: str
    counts: Counts
    stores: list[Store]
    """The host itself, then its datastores."""
    finished: str = ""
    """When its document was finished; empty where there is none."""
    seconds: float = 0.0
    """How long the preflight took on the host."""
    pbs_version: str = ""
    collection_version: str = ""
    check_mode: bool = False
    asked: Asked | None = None
    """What was asked of it; None where its document does not say."""
    seen_in: list[Walked] = dataclasses.field(default_factory=list)
    """What was seen in its datastores."""
    outlooks: list[Outlook] = dataclasses.field(default_factory=list)
    """The next garbage collection of each of them."""
    copies: Side | None = None
    """Its sync jobs; None where its document does not tell of them."""
    schedules: list[Lane] = dataclasses.field(default_factory=list)
    """When its jobs run."""
    place: Place | None = None
    """None where there is no document."""
    reason: str = ""
    """Why there is none."""
    seen: str = ""
    """When it was found out that there is none."""
    last: str = ""
    """What an older document said, where the newest news is that there is none."""
    last_seen: str = ""
    """When its newest document was finished, an older one's too; empty where none is known."""
    earlier: bool = False
    """It was not asked in this run: what is known of it is from an earlier one."""
    not_asked: bool = False
    """There is no document because it was never asked, as far as is known."""
    waivers_used: frozenset[int] = frozenset()
    """The numbers of the waivers that cover a finding."""
    waivers_asked: frozenset[int] = frozenset()
    """Of those that could: their control was asked."""
    waivers_wanted: frozenset[int] = frozenset()
    """Of those that would, if they were in force when the document was made."""

    @property
    def worst_store(self) -> Store:
        """Where the worst finding is."""
        return min(self.stores, key=lambda store: store.first_rank)

    @property
    def state(self) -> str:
        """One of `HOST_STATES`: a host without a datastore, or one that was not asked, is not a safe one."""
        if self.not_asked:
            return NOT_ASKED
        state = self.counts.state
        return NOTHING if state == "ok" and not self.datastores else state

    @property
    def has_document(self) -> bool:
        return self.place is not None

    @property
    def datastores(self) -> list[str]:
        return [store.name for store in self.stores if store.name]

    def missing(self) -> Finding:
        """The finding that stands for the document that there is not."""
        if self.not_asked:
            return Finding(
                self.name, "", NO_DOCUMENT.id, SKIP, NO_DOCUMENT.severity, f"{NEVER_ASKED}.", ASK_IT, {}, None
            )
        message = "There is no document of this host: %s" % (
            self.reason.rstrip(".") + "." if self.reason else "no reason is known."
        )
        if self.last:
            message += " " + self.last
        return Finding(
            self.name, "", NO_DOCUMENT.id, UNKNOWN, NO_DOCUMENT.severity, message, NO_DOCUMENT.remedy, {}, None
        )

    def as_dict(self) -> dict[str, t.Any]:
        return {
            "host": self.name,
            "state": self.state,
            "finished": self.finished or None,
            "pbs_version": self.pbs_version or None,
            "collection_version": self.collection_version or None,
            "check_mode": self.check_mode,
            "datastores": self.datastores,
            "summary": self.counts.as_dict(),
            "last_seen": self.last_seen or None,
            "earlier": self.earlier,
            "reason": self.reason or None,
            "seen": self.seen or None,
        }


def findings_of(
    host: str, document: t.Mapping[str, t.Any], only_problems_in_words: bool = False
) -> t.Iterator[Finding]:
    """The findings of a document that was checked, in its order.

    `only_problems_in_words`: leave out the texts of what is no problem, where they are only to be counted.
    """
    for item in document["findings"]:
        status, waiver, datastore = item["status"], item["waiver"], item["datastore"]
        if waiver is not None:
            waiver = {display(str(key)): display(str(value)) for key, value in waiver.items()}
        in_words = status in PROBLEMS or not only_problems_in_words
        remedy = item["remedy"]
        yield Finding(
            host,
            display(datastore) if datastore else "",
            display(item["control"]),
            status,
            item["severity"],
            display(item["message"]) if in_words else "",
            display(remedy) if remedy and in_words else "",
            item["evidence"],
            waiver,
            commands=tuple(display(command) for command in item.get("commands") or ()) if in_words else (),
        )


def count(host: Host, findings: t.Iterable[Finding]) -> None:
    """Fill the counts of a host and its datastores."""
    stores = {store.name: store for store in host.stores}
    for finding in findings:
        host.counts.add(finding.status, finding.severity)
        store = stores.get(finding.datastore)
        if store is None:
            store = stores[finding.datastore] = Store(finding.datastore, Counts())
            host.stores.append(store)
        store.counts.add(finding.status, finding.severity)
        if finding.status in PROBLEMS:
            how_bad = (PROBLEMS.index(finding.status), -SEVERITIES.index(finding.severity))
            if how_bad < store.first_rank:
                store.first_rank = how_bad
                store.first = finding.remedy or finding.message
                store.first_commands = finding.commands


_DIGITS = re.compile(r"(\d+)")


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts pbs2 before pbs10."""
    return [_natural_part(part) for part in _DIGITS.split(name) if part]


def _natural_part(part: str) -> tuple[int, int, str]:
    if not (part.isdecimal() and part.isascii()):
        return 1, 0, part
    # Of two numbers the one with fewer digits is smaller; Python does not convert any number of them.
    digits = part.lstrip("0")
    return 0, len(digits), digits


T = t.TypeVar("T")


def spread(rows: t.Sequence[T], most: int, host_of: t.Callable[[T], str]) -> list[T]:
    """At most `most` of the rows, in their order: the first of each host, then the second of each, and so on.

    A host chooses how many datastores and problems it has, and must leave room for the others.
    """
    before: collections.Counter[str] = collections.Counter()
    turns = []
    for place, row in enumerate(rows):
        host = host_of(row)
        turns.append((before[host], place))
        before[host] += 1
    return [rows[place] for place in sorted(place for _turn, place in sorted(turns)[:most])]
