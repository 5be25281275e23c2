# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at what the backups of a store need, again and again, in a small process that forks in a millisecond.

usage: python -m ...look_again DIRECTORY TIMES; prints what was seen as JSON, and ends at the first false word.
"""

from __future__ import annotations

import collections
import json
import os
import sys

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.observer import (
    ReferencePlan,
    observe_store,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk import chunk_walk, work_queue
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.ownership import WalkPlan
from ansible_collections.fleetops.pbs.tests.support.pbs.store import backup_ids


def main(path: str, times: str) -> None:
    numbers = [int(name, 16) for name in os.listdir(os.path.join(path, ".chunks"))]
    # The store has few prefix directories; looking for the others is not what is to be seen.
    chunk_walk.WorkQueue = lambda _all: work_queue.WorkQueue(numbers)  # type: ignore[misc, assignment]
    uid, gid = backup_ids()
    plan = WalkPlan(path, uid, gid, (gid,), stall=120.0)
    seen: collections.Counter[str] = collections.Counter()
    for _number in range(int(times)):
        owners, facts = observe_store(plan, ReferencePlan())
        assert owners.complete, owners.stuck
        assert facts.complete, facts.stuck
        assert facts.chunks_seen, facts.chunks_not_seen
        assert facts.problems.counts == {}, facts.problems
        seen["looks"] += 1
        seen["snapshots read"] += facts.snapshots
        seen["references compared with chunks"] += facts.references
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
