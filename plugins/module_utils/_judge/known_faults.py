# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which versions of PBS lose backups, have a security hole, or get no more updates: a table with the source of each entry.

A fault is here only if Proxmox has published it and a version without it. Faults that no release had are not here: PBS can
move groups and namespaces since 4.1.9, and the journal that protects such a move from GC came in the same release.
"""

from __future__ import annotations

import calendar
import dataclasses
import datetime
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.version import parse_version

SOURCES_UNTIL = datetime.date(2026, 8, 20)
"""The date of the newest release whose changelog was read for this table (3.4.9-2). Change it with the table."""
NEWEST = {3: "3.4.9", 4: "4.2.5"}
"""The newest release of each supported major version in these sources."""
TABLE_MAX_AGE_DAYS = 365
"""An older table is no evidence that nothing is known."""
END_NOTICE_DAYS = 90
"""How long before the end of support a host is told."""

_ADVISORIES = "https://forum.proxmox.com/threads/proxmox-backup-server-security-advisories.149332/"
_CHANGELOG = "https://git.proxmox.com/?p=proxmox-backup.git;a=blob;f=debian/changelog"
_CHANGELOG_3 = f"{_CHANGELOG};hb=refs/heads/stable-3"
SUPPORT_TABLE = "https://pbs.proxmox.com/docs/faq.html"


@dataclasses.dataclass(frozen=True)
class Span:
    """Versions from `first` on that have a fault, and the first version without it."""

    fixed: str
    first: str = ""
    before: str = ""
    """The first version of which the sources do not tell whether it has the fault; empty: `fixed`."""

    def __contains__(self, version: object) -> bool:
        end = parse_version(self.before or self.fixed)
        return isinstance(version, tuple) and parse_version(self.first) <= version < end


@dataclasses.dataclass(frozen=True)
class Fault:
    severity: str
    what: str
    """What can happen, as a main clause without a full stop."""
    spans: tuple[Span, ...]
    source: str
    """The document, in few words."""
    url: str
    concerns: str = ""
    """Which hosts: `s3`, `pull` (jobs that copy from another datastore), `sync-level`, `hidden` (a datastore whose directory
    begins with a dot); empty: all."""

    def fixed_in(self, version: tuple[int, ...]) -> str:
        """The first version without the fault; empty if this version does not have it."""
        return next((span.fixed for span in self.spans if version in span), "")


@dataclasses.dataclass(frozen=True)
class Support:
    """The lifetime of a major version, from the table in PBS's documentation."""

    major: int
    debian: str
    ends: str = ""
    """Year and month in which updates end; empty: not announced."""
    debian_ends: str = ""

    def last_day(self) -> t.Optional[datetime.date]:
        if not self.ends:
            return None
        year, month = (int(part) for part in self.ends.split("-"))
        return datetime.date(year, month, calendar.monthrange(year, month)[1])


FAULTS: tuple[Fault, ...] = (
    Fault(
        "critical",
        "GC can delete chunks of a new backup if the previous one is removed while GC marks",
        (Span("3.4.0"),),
        "advisory PSA-2025-00019-1",
        _ADVISORIES,
    ),
    Fault(
        "critical",
        "GC finds no index below a datastore path that begins with a dot, and deletes all chunks",
        (Span("3.4.1"),),
        "changelog of 3.3.5 and 3.4.1, source of the mark phase",
        _CHANGELOG_3,
        concerns="hidden",
    ),
    Fault(
        "critical",
        "GC can miss the only backup of a group if backups follow each other quickly and each prune keeps one",
        (Span("3.4.1"),),
        "changelog of 3.4.1",
        _CHANGELOG_3,
    ),
    Fault(
        "high",
        "verify renames good chunks as bad when the S3 endpoint gives an error",
        (Span("4.0.20", first="4.0.4"),),
        "changelog of 4.0.17 and 4.0.20",
        _CHANGELOG,
        concerns="s3",
    ),
    Fault(
        "high",
        "a manifest with an invented archive name makes a sync job read or write files of user backup outside of the snapshot",
        (Span("3.4.9"), Span("4.2.5", first="4")),
        "changelog of 4.2.5 and 3.4.9",
        _CHANGELOG,
    ),
    Fault(
        "high",
        "a pull sync job overwrites an encrypted backup, or another backup of the same time, with what the source has",
        (Span("4.2.1", before="3.4.9"), Span("4.2.1", first="4")),
        "changelog of 4.2.1; the source of 3.4.8 has the same code",
        _CHANGELOG,
        concerns="pull",
    ),
    Fault(
        "medium",
        "an old chunk that no backup needs is deleted if it is uploaded again at the moment in which GC looks at it",
        (Span("4.0.19", before="3.4.9"), Span("4.0.19", first="4")),
        "changelog of 4.0.19",
        _CHANGELOG,
    ),
    Fault(
        "medium",
        "a change of sync-level has no effect before the next restart of the daemon",
        (Span("4.2.1", before="3.4.9"), Span("4.2.1", first="4")),
        "changelog of 4.2.1",
        _CHANGELOG,
        concerns="sync-level",
    ),
)

SUPPORT: tuple[Support, ...] = (
    Support(1, "10 (buster)", "2022-07", "2022-08"),
    Support(2, "11 (bullseye)", "2024-07", "2024-07"),
    Support(3, "12 (bookworm)", "2026-08", "2026-07"),
    Support(4, "13 (trixie)"),
)


def support_of(version: tuple[int, ...]) -> t.Optional[Support]:
    """The lifetime of this version; None if the table does not have its major version."""
    return next((one for one in SUPPORT if version[:1] == (one.major,)), None)


def is_newer_than_sources(version: tuple[int, ...]) -> bool:
    """Whether a version is newer than the newest of its major version that the sources have."""
    newest = parse_version(NEWEST.get(version[0], "") if version else "")
    return bool(newest) and version[: len(newest)] > newest
