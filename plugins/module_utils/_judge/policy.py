# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The policy: the numbers that are a matter of choice, with their defaults."""

from __future__ import annotations

import dataclasses
import fnmatch
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import SEVERITIES, require_known
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import meant


class PolicyError(CollectionError):
    """A policy with an unknown key, a wrong type, or a value that makes no sense."""


@dataclasses.dataclass(frozen=True)
class AgeLimit:
    """How old the newest backup of a group may be."""

    days: float
    group: str = "*"
    """Shell pattern for the group, such as `vm/1*`."""
    namespace: str = "*"
    """Shell pattern for the namespace, such as `prod/*`; the root namespace is the empty text."""

    def covers(self, namespace: str, group: str) -> bool:
        return fnmatch.fnmatchcase(group, self.group) and fnmatch.fnmatchcase(namespace, self.namespace)


@dataclasses.dataclass(frozen=True)
class Policy:
    """What counts as good enough where PBS itself sets no limit."""

    gc_atime_cutoff_min: int = 1445
    """Minutes; PBS's default of 24 h 5 min is the least that makes sense beside `relatime`."""
    gc_atime_cutoff_max: int = 2880
    """Minutes."""
    gc_max_age_days: float = 14.0
    """Days since the end of the last successful GC."""
    space_fail_percent: float = 5.0
    space_warn_percent: float = 10.0
    """Percent of the filesystem's bytes that are free for `backup`."""
    inodes_fail_percent: float = 5.0
    inodes_warn_percent: float = 10.0
    """Percent of its inodes; not asked where their number is not fixed."""
    clock_offset_max: float = 60.0
    """Seconds that the filesystem's clock may differ from the host's."""
    temporary_files_max: int = 0
    """Stale temporary files that are no finding."""
    max_backup_age_days: tuple[AgeLimit, ...] = ()
    """The first that covers a group holds for it; a group that none covers may be as old as it is. Given as one number for
    all groups, or as a list."""
    verified_max_age_days: float = 30.0
    """Days since the last verification of a snapshot, as `outdated-after` of a verify job; 0 for no limit."""
    sync_max_age_days: float = 7.0
    """Days since the last sync to another host that succeeded."""
    severity: dict[str, str] = dataclasses.field(default_factory=dict)
    """Another severity for a control, by its id."""

    @classmethod
    def from_mapping(cls, given: t.Mapping[str, t.Any]) -> Policy:
        """Build a policy from what a user wrote. Raises `PolicyError` and names key and value."""
        defaults = cls()
        values: dict[str, t.Any] = {}
        for key, value in given.items():
            if key not in cls.__dataclass_fields__:
                known = ", ".join(sorted(cls.__dataclass_fields__))
                raise PolicyError(
                    f"policy: there is no '{key}'{meant(key, cls.__dataclass_fields__)}; known are {known}"
                )
            values[key] = _convert(key, value, getattr(defaults, key))
        policy = cls(**values)
        policy._check()
        return policy

    def _check(self) -> None:
        require_known(self.severity, "policy.severity")
        for control_id, severity in self.severity.items():
            if severity not in SEVERITIES:
                raise PolicyError(f"policy.severity.{control_id}: '{severity}' is not one of {', '.join(SEVERITIES)}")
        if not 1 <= self.gc_atime_cutoff_min <= self.gc_atime_cutoff_max <= 2880:
            raise PolicyError(
                "policy: gc_atime_cutoff_min (%d) and gc_atime_cutoff_max (%d) must be minutes from 1 to 2880, the first "
                "not above the second" % (self.gc_atime_cutoff_min, self.gc_atime_cutoff_max)
            )
        for what in ("space", "inodes"):
            fail, warn = getattr(self, what + "_fail_percent"), getattr(self, what + "_warn_percent")
            if not 0 <= fail <= warn <= 100:
                raise PolicyError(
                    "policy: %s_fail_percent (%g) and %s_warn_percent (%g) must be from 0 to 100, the first not above the "
                    "second" % (what, fail, what, warn)
                )


_PATTERNS = ("group", "namespace")


def _age_limits(key: str, value: t.Any) -> tuple[AgeLimit, ...]:
    """One number of days, or a list of dictionaries with `days` and, if wanted, `group` and `namespace`."""
    if not isinstance(value, (list, tuple)):
        return (AgeLimit(_convert(key, value, 0.0)),)
    limits = []
    for number, entry in enumerate(value):
        name = f"{key}[{number}]"
        if not isinstance(entry, dict) or "days" not in entry:
            raise PolicyError(f"policy.{name}: must be a dictionary with 'days', not {entry!r}")
        unknown = sorted(str(member) for member in entry if member not in ("days", *_PATTERNS))
        if unknown:
            raise PolicyError(
                f"policy.{name}: there is no '{unknown[0]}'{meant(str(unknown[0]), ('days', *_PATTERNS))}; known are days, {', '.join(_PATTERNS)}"
            )
        patterns = {member: entry[member] for member in _PATTERNS if member in entry}
        for member, pattern in patterns.items():
            if not isinstance(pattern, str):
                raise PolicyError(f"policy.{name}.{member}: must be a shell pattern, not {pattern!r}")
        limits.append(AgeLimit(_convert(f"{name}.days", entry["days"], 0.0), **patterns))
    return tuple(limits)


_LARGEST = 10**9
"""Nothing that a policy has a number for comes near it; Python neither converts nor shows every larger one."""


def _convert(key: str, value: t.Any, default: t.Any) -> t.Any:
    """Check the type of one value; Ansible hands numbers from -e over as text, so text that is a number is one."""
    if isinstance(default, tuple):
        return _age_limits(key, value)
    if isinstance(default, dict):
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise PolicyError(f"policy.{key}: must be a dictionary of control ids and severities, not {value!r}")
        return dict(value)
    wanted = "a whole number" if isinstance(default, int) else "a number"
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise PolicyError(f"policy.{key}: must be {wanted}, not {value!r}")
    try:
        number = type(default)(value) if isinstance(value, str) else value
    except ValueError:
        raise PolicyError(f"policy.{key}: must be {wanted}, not {value!r}") from None
    # Not below zero, and neither infinite nor "nan", which compares with nothing.
    if not 0 <= number < float("inf"):
        raise PolicyError(f"policy.{key}: must not be negative or infinite, but is {value!r}")
    if number > _LARGEST:
        raise PolicyError("policy.%s: must not be above %d" % (key, _LARGEST))
    if isinstance(default, int) and number != int(number):
        raise PolicyError(f"policy.{key}: must be {wanted}, not {value!r}")
    return type(default)(number)
