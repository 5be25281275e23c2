# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names in a datastore: namespaces, backup groups and snapshots, and the directories that they are.

A snapshot lies in `[ns/NAME/…]TYPE/ID/TIME` below the base directory. Source: PBS, `backup_info.rs` and `hierarchy.rs`;
the forms of the names: `pbs-api-types`.
"""

from __future__ import annotations

import datetime
import re
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError

BACKUP_TYPES = ("ct", "host", "vm")
"""The directories of backup types."""
NAMESPACE_DIRECTORY = "ns"
DEEPEST_NAMESPACE = 7
"""Levels below the root namespace."""
LONGEST_NAMESPACE = 256
"""Characters of a whole namespace, slashes included."""

_SAFE_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z", re.ASCII)
_MOST = (12, 31, 23, 59, 60)
"""Month, day, hour, minute and second (a leap second)."""
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_YEARS, _DAYS = 400, 146097
"""After which the calendar repeats itself."""


class WrongName(CollectionError, ValueError):
    """PBS does not accept the name; the message says for what."""


class Group(t.NamedTuple):
    """One backup group."""

    namespace: tuple[str, ...]
    """From the root down; empty for the root namespace."""
    type: str
    id: str

    @property
    def directory(self) -> str:
        """Relative to the base directory."""
        return "/".join([*(part for name in self.namespace for part in (NAMESPACE_DIRECTORY, name)), str(self)])

    def __str__(self) -> str:
        """As PBS's own logs have it, without the namespace: `vm/100`."""
        return f"{self.type}/{self.id}"


class Snapshot(t.NamedTuple):
    """One snapshot of a group."""

    group: Group
    time: int
    """Seconds since the epoch."""

    @property
    def directory(self) -> str:
        """Relative to the base directory."""
        return f"{self.group.directory}/{format_time(self.time)}"


def is_namespace(name: str) -> bool:
    """Whether a directory in `ns` is a namespace, by its name. Any other directory there stops GC."""
    return _SAFE_ID.fullmatch(name) is not None


def is_group_id(name: str) -> bool:
    """Whether a directory of a type is a group; PBS passes over any other name."""
    return _SAFE_ID.fullmatch(name) is not None


def parse_namespace(text: str) -> tuple[str, ...]:
    """`a/b` to its names, from the root down. Raises `WrongName`."""
    if not text:
        return ()
    names = tuple(text.split("/"))
    wrong = [name for name in names if not is_namespace(name)]
    if wrong:
        raise WrongName("not a valid namespace component")
    if len(names) > DEEPEST_NAMESPACE or len(text) > LONGEST_NAMESPACE:
        raise WrongName(
            f"a namespace has at most {DEEPEST_NAMESPACE} levels and {LONGEST_NAMESPACE} characters, "
            f"not {len(names)} and {len(text)}"
        )
    return names


def is_time(name: str) -> bool:
    """Whether PBS takes a directory of a group for a snapshot, by the form of its name. If `parse_time` then fails, PBS
    cannot list the snapshots of the group, and garbage collection stops."""
    return _TIME.fullmatch(name) is not None


def parse_time(name: str) -> int:
    """The name of a snapshot's directory to seconds since the epoch. Raises `WrongName`.

    As PBS reads it, each number is held against its greatest value only: February 30 is March 2, month 0 is December.
    Source: `proxmox-time`, `parse_rfc3339`, and `timegm` of the C library.
    """
    found = _TIME.fullmatch(name)
    if not found:
        raise WrongName("not a time such as 2025-01-01T00:00:00Z")
    # Not strptime: it imports a module when it is called first, which the daemon's user may not be able to read.
    year, month, day, hour, minute, second = map(int, found.groups())
    for value, most in zip((month, day, hour, minute, second), _MOST):
        if value > most:
            raise WrongName(f"value too large ({value} > {most})")
    year, month = (year - 1, 12) if month == 0 else (year, month)
    # Python's calendar begins with year 1.
    early = year < 1
    first = datetime.date(year + _YEARS if early else year, month, 1).toordinal() - (_DAYS if early else 0)
    days = first + day - 1 - _EPOCH
    return ((days * 24 + hour) * 60 + minute) * 60 + second


def snapshot_time(name: str) -> t.Optional[int]:
    """The same; None where it is not the name of one."""
    try:
        return parse_time(name)
    except WrongName:
        return None


def format_time(seconds: int) -> str:
    """Seconds since the epoch to the name of a snapshot's directory; years 1 to 9999."""
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    # Not strftime: it pads no years on some systems.
    return moment.isoformat(timespec="seconds") + "Z"


def parse_group(parts: t.Sequence[str]) -> Group:
    """The names of a directory below the base, from the base down, to the group that it is. Raises `WrongName`."""
    names: list[str] = []
    rest = list(parts)
    while len(rest) >= 2 and rest[0] == NAMESPACE_DIRECTORY:
        names.append(rest[1])
        del rest[:2]
    namespace = parse_namespace("/".join(names))
    if len(rest) != 2 or rest[0] not in BACKUP_TYPES or not is_group_id(rest[1]):
        raise WrongName("not the directory of a backup group")
    return Group(namespace, rest[0], rest[1])


def parse_snapshot(parts: t.Sequence[str]) -> Snapshot:
    """The names of a directory below the base, from the base down, to the snapshot that it is. Raises `WrongName`."""
    if not parts:
        raise WrongName("not the directory of a snapshot")
    seconds = parse_time(parts[-1])
    try:
        reached = format_time(seconds) == parts[-1]
    except OverflowError:
        reached = False
    if not reached:
        raise WrongName("PBS, which is asked for a snapshot by its time, would look for it in another directory")
    return Snapshot(parse_group(parts[:-1]), seconds)


def directory_kind(parts: t.Sequence[str]) -> str:
    """What a directory of these names, from the base down, is to PBS.

    `type`, `namespace`, `group` or `snapshot`; empty where it is none of these.
    """
    rest = list(parts)
    while len(rest) >= 2 and rest[0] == NAMESPACE_DIRECTORY and is_namespace(rest[1]):
        del rest[:2]
        if not rest:
            return "namespace"
    if len(rest) == 1:
        return "namespace" if rest[0] == NAMESPACE_DIRECTORY else "type" if rest[0] in BACKUP_TYPES else ""
    if len(rest) in (2, 3) and rest[0] in BACKUP_TYPES and is_group_id(rest[1]):
        return "group" if len(rest) == 2 else "snapshot" if snapshot_time(rest[2]) is not None else ""
    return ""
