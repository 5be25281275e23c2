# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waivers: failures that somebody accepted, for a reason and until a day."""

from __future__ import annotations

import dataclasses
import datetime
import fnmatch
import re
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import require_known
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import meant

DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
KEYS = ("control", "host", "datastore", "justification", "until")


class WaiverError(CollectionError):
    """A waiver that is incomplete, or whose date is none."""


@dataclasses.dataclass(frozen=True)
class Waiver:
    """One accepted failure."""

    control: str
    justification: str
    until: datetime.date
    """The last day on which it counts, by the observed host's clock in UTC."""
    host: str = "*"
    """A shell pattern for the host's name in the inventory."""
    datastore: str = "*"
    """A shell pattern for the datastore's name; controls of the host itself match any."""

    def names(self, host: str) -> bool:
        return fnmatch.fnmatchcase(host, self.host)

    def covers(self, control: str, host: str, datastore: t.Optional[str]) -> bool:
        return (
            self.control == control
            and self.names(host)
            and (datastore is None or fnmatch.fnmatchcase(datastore, self.datastore))
        )

    def expired(self, today: datetime.date) -> bool:
        return today > self.until

    def as_dict(self) -> dict[str, str]:
        return {
            "control": self.control,
            "host": self.host,
            "datastore": self.datastore,
            "justification": self.justification,
            "until": self.until.isoformat(),
        }


def parse_waivers(given: t.Sequence[t.Mapping[str, t.Any]]) -> list[Waiver]:
    """Read waivers as a user wrote them. Raises `WaiverError` or `UnknownControl`, naming place, key and value."""
    waivers = []
    for number, item in enumerate(given):
        where = "waivers[%d]" % number
        if not isinstance(item, dict):
            raise WaiverError(f"{where}: must be a dictionary, not {item!r}")
        for key in item:
            if key not in KEYS:
                raise WaiverError(f"{where}: there is no '{key}'{meant(str(key), KEYS)}; known are {', '.join(KEYS)}")
        for key in ("control", "justification", "until"):
            if not str(item.get(key) or "").strip():
                raise WaiverError(f"{where}: '{key}' is missing; a waiver needs control, justification and until")
        require_known([str(item["control"])], where + ".control")
        for key in ("host", "datastore"):
            _check_pattern(str(item.get(key) or "*"), f"{where}.{key}")
        waivers.append(
            Waiver(
                control=str(item["control"]),
                justification=" ".join(str(item["justification"]).split()),
                until=_day(item["until"], where),
                host=str(item.get("host") or "*"),
                datastore=str(item.get("datastore") or "*"),
            )
        )
    return waivers


def _check_pattern(pattern: str, where: str) -> None:
    """Python 3.9 does not get along with every pattern that later ones take, such as `[z-a]`."""
    try:
        re.compile(fnmatch.translate(pattern))
    except re.error as exc:
        raise WaiverError(f"{where}: '{pattern}' is no pattern: {exc}") from None


def _day(value: t.Any, where: str) -> datetime.date:
    if isinstance(value, datetime.datetime):
        return value.date()
    if isinstance(value, datetime.date):
        return value
    try:
        # Newer Pythons take other forms of ISO 8601 too; the answer must not depend on the host.
        if not DAY.fullmatch(str(value)):
            raise ValueError
        return datetime.date.fromisoformat(str(value))
    except ValueError:
        raise WaiverError(f"{where}.until: '{value}' is not a date such as 2026-12-31") from None
