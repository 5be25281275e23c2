# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every format does: it is begun, given one host after the other, and ended."""

from __future__ import annotations

import dataclasses
import json.encoder
import typing as t

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.fleet import Fleet
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.model import Finding, Host

FLEET = "(fleet)"
"""Stands for the host where a finding is about the fleet itself, in formats that want a name."""


@dataclasses.dataclass(frozen=True)
class Context:
    """What a format may know before it sees the first host."""

    fleet: Fleet
    version: str
    """Of this collection."""
    fail_on: str
    fail_on_unknown: str
    name: str = ""
    """Of the report, where there are several."""
    trend: t.Sequence[t.Mapping[str, t.Any]] = ()
    fixed: t.Callable[[], t.Sequence[t.Mapping[str, str]]] = tuple
    """What was fixed since the run before: host, datastore, control, first_seen; complete when all hosts have been."""


class Item:
    """A finding on its way to the formats, with what several of them need made only once."""

    __slots__ = ("_evidence", "finding")

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        self._evidence: str | None = None

    @property
    def evidence(self) -> str:
        """The evidence as JSON in ASCII; empty where there is none."""
        if self._evidence is None:
            self._evidence = to_json(self.finding.evidence) if self.finding.evidence else ""
        return self._evidence


to_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
"""JSON in ASCII, so that no character of a hostile text means anything to a reader of lines or scripts."""


class HostPart(t.NamedTuple):
    """A host in its turn."""

    host: Host
    items: t.Sequence[Item]
    document: t.Mapping[str, t.Any] | None
    """As it was read; None where there is none."""


quoted = json.encoder.encode_basestring_ascii
"""The same for a text, and faster."""


class Format:
    """Writes one format to a stream. Nothing of a host is kept when its turn is over."""

    filename = ""
    mode = 0o640
    """The permissions of the file, less the umask. Paths and configurations of servers are for the owner and the group only."""

    def __init__(self, stream: t.TextIO, context: Context) -> None:
        self.stream = stream
        self.context = context
        self.fleet = context.fleet

    def begin(self) -> None:
        """Called once, before any host."""

    def about_fleet(self, items: t.Sequence[Item]) -> None:
        """Called once after `begin` with the findings about the fleet itself, if there are any."""

    def host(self, part: HostPart) -> None:
        """Called for each host. Without a document there is one finding that says why."""

    def end(self) -> None:
        """Called once, after the last host."""
