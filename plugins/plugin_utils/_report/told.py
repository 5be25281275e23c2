# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a document tells beside its findings: what was asked of the host, how much was seen, how long it took.

Documents come from other machines and from other versions: what is not there, or has another type than it should, is
not told, and never an error.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.model import Asked, Walked

Json = t.Mapping[str, t.Any]

_LARGEST = 2**63
_LONGEST = 4000
"""Characters of a text that are told."""
_MOST = 200
"""Thresholds and controls that are told of one host; a document of ours has fewer."""


def seconds_between(started: str, finished: str) -> float:
    """How long something took, by the timestamps of a document; never less than 0."""
    try:
        begin, end = (datetime.datetime.strptime(time, "%Y-%m-%dT%H:%M:%S.%fZ") for time in (started, finished))
    except (TypeError, ValueError):
        return 0.0
    return max(0.0, (end - begin).total_seconds())


def asked_of(document: Json) -> Asked | None:
    """What was asked of the host."""
    asked = document.get("asked")
    if not isinstance(asked, dict):
        return None
    controls, policy = asked.get("controls"), asked.get("policy")
    scope, sample = text_at(asked, "scope"), number_at(asked, "sample_prefixes")
    return Asked(
        scope="%s of %d prefix directories" % (scope, sample) if scope == "sample" and sample else scope,
        probe=text_at(asked, "probe"),
        controls=tuple(display(str(item)) for item in controls[:_MOST]) if isinstance(controls, list) else (),
        policy=tuple(
            (display(str(name)), display(_setting(value))) for name, value in sorted(policy.items(), key=str)[:_MOST]
        )
        if isinstance(policy, dict)
        else (),
        check_mode=document.get("check_mode") is True,
    )


def _setting(value: t.Any) -> str:
    if isinstance(value, list):
        return "; ".join(_setting(item) for item in value[:_MOST]) or "-"
    if isinstance(value, dict):
        return ", ".join("{}: {}".format(*pair) for pair in sorted(value.items(), key=str)) or "-"
    return f"{value:g}" if isinstance(value, float) else str(value)


def walked_of(document: Json) -> list[Walked]:
    """How much of each datastore was seen; nothing of those that were not walked."""
    found = []
    for store in document["datastores"]:
        walk = inner(store, "observed", "ownership")
        if walk is None:
            continue
        chunks = inner(walk, "chunks") or {}
        found.append(
            Walked(
                datastore=display(store["name"]),
                scope=text_at(walk, "scope"),
                chunks=number_at(chunks, "files"),
                bytes=number_at(chunks, "bytes"),
                prefixes=number_at(walk, "prefixes_walked"),
                prefixes_total=number_at(walk, "prefixes_total"),
                complete=walk.get("complete") is True,
            )
        )
    return found


def durations_of(document: Json) -> dict[tuple[str, str], float]:
    """Seconds of the work behind the controls of a family (`PBS-OWNER`), by datastore and family."""
    found = {}
    for store in document["datastores"]:
        for family, path in (("PBS-OWNER", ("ownership",)), ("PBS-ATIME", ("atime", "probe"))):
            part = inner(store, "observed", *path)
            elapsed = number_at(part, "elapsed_ns") if part is not None else 0
            if elapsed:
                found[display(store["name"]), family] = elapsed / 1e9
    return found


def inner(value: t.Any, *keys: str) -> Json | None:
    """The object inside of objects, if all of them are there."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else None


def number_at(value: Json, key: str) -> int:
    """A count, or 0 where there is none that can be one."""
    found = value.get(key)
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < _LARGEST else 0


def text_at(value: Json, key: str) -> str:
    """A text, safe to display; empty where there is none."""
    found = value.get(key)
    return display(found[:_LONGEST]) if isinstance(found, str) else ""
