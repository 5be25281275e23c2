# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The document: what one run found out about one host, as the contract between hosts, reports and reruns."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import HostFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import StoreFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.forecast import forecast
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.judge import Finding, summarise
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.policy import Policy
from ansible_collections.fleetops.pbs.plugins.module_utils._version import VERSION

SCHEMA = "fleetops.pbs/preflight"
SCHEMA_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Asked:
    """What was asked of a host, so that somebody who reads the answers later knows the questions."""

    scope: str = "full"
    """How much of each datastore was to be walked: `full`, `sample`, `skeleton` or `none`."""
    sample_prefixes: int = 256
    """Prefix directories of a sample."""
    probe: str = "private"
    """How access times were to be tried: `private`, `marker` or `none`."""
    deadline: float = 10.0
    """Seconds until a path that does not answer is given up."""
    declared: bool = False
    """There was a declaration of the datastores."""
    controls: list[str] = dataclasses.field(default_factory=list)
    """The controls that were asked for; empty: all."""
    policy: Policy = dataclasses.field(default_factory=Policy)
    """The thresholds, those of the defaults too."""


def build(
    host: HostFacts,
    stores: t.Sequence[StoreFacts],
    findings: t.Sequence[Finding],
    started: float,
    finished: float,
    check_mode: bool,
    asked: Asked,
) -> dict[str, t.Any]:
    """Put the document together; times in seconds since the epoch. It consists of what JSON has, and nothing else."""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "host": host.name,
        "started": timestamp(started),
        "finished": timestamp(finished),
        "collection_version": VERSION,
        "pbs_version": host.pbs_version,
        "check_mode": check_mode,
        "asked": _as_json(dataclasses.asdict(asked)),
        "observed": dataclasses.asdict(host),
        "datastores": [
            {
                "name": store.name,
                "path": store.path,
                "forecast": _forecast(host, store, stores),
                "observed": dataclasses.asdict(store),
            }
            for store in stores
        ],
        "findings": [dataclasses.asdict(finding) for finding in findings],
        "summary": summarise(findings),
    }


def _as_json(value: t.Any) -> t.Any:
    """The same without tuples, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _as_json(item) for key, item in value.items()}
    return [_as_json(item) for item in value] if isinstance(value, (list, tuple)) else value


def _forecast(host: HostFacts, store: StoreFacts, stores: t.Sequence[StoreFacts]) -> t.Optional[dict[str, t.Any]]:
    """What the next GC does; None where PBS does not have the datastore."""
    told = forecast(host, store, stores)
    return None if told is None else dataclasses.asdict(told)


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (moment.microsecond // 1000)
