# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The id map of this user namespace."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import IdMapFacts, IdRange
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error, display

_ALL = IdRange(inside=0, outside=0, count=2**32 - 1)


def observe_id_map(proc: str = "/proc") -> IdMapFacts:
    """Read the maps of this process; outside ids are those of the parent namespace."""
    facts = IdMapFacts(namespaced=False)
    for name, ranges in (("uid_map", facts.uids), ("gid_map", facts.gids)):
        path = os.path.join(proc, "self", name)
        try:
            with open(path, "rb") as handle:
                ranges.extend(_ranges(handle.read(1 << 16)))
        except FileNotFoundError:
            ranges.append(_ALL)  # a kernel without user namespaces
        except OSError as exc:
            facts.error = f"{path}: {describe_error(exc)}"
        except ValueError as exc:
            facts.error = f"{path}: {exc}"
    facts.namespaced = not facts.error and (facts.uids, facts.gids) != ([_ALL], [_ALL])
    return facts


def _ranges(data: bytes) -> list[IdRange]:
    ranges = []
    for line in data.splitlines():
        words = line.split()
        if len(words) != 3 or not all(word.isdigit() and len(word) <= 10 for word in words):
            raise ValueError(f"'{display(line[:80])}' is not a range of ids")
        ranges.append(IdRange(*map(int, words)))
    return ranges


def outside_id(ranges: t.Sequence[IdRange], inside: int) -> t.Optional[int]:
    """The id outside of this namespace; None if no range maps it, so that it cannot own a file."""
    for part in ranges:
        if part.inside <= inside < part.inside + part.count:
            return part.outside + (inside - part.inside)
    return None
