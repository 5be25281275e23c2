# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What backups need, as programs of their own, to be measured like any other.

usage: references_walk.py audit|references|script DIRECTORY CHUNKS

`audit` looks at owners only, `references` at what the index files need, too. `script` is what an administrator would
write: a set of all digests, and a look at the file of each.
"""

from __future__ import annotations

import grp
import os
import pwd
import sys


def script(path: str, chunks: int) -> None:
    """The straightforward way; nothing of this collection is in it."""
    digests = set()
    for directory, names, files in os.walk(path):
        names[:] = [name for name in names if not name.startswith(".")]
        for name in files:
            if name.endswith(".fidx"):
                with open(os.path.join(directory, name), "rb") as file:
                    data = file.read()
                digests.update(data[place : place + 32].hex() for place in range(4096, len(data), 32))
            elif name.endswith(".didx"):
                with open(os.path.join(directory, name), "rb") as file:
                    data = file.read()
                digests.update(data[place + 8 : place + 40].hex() for place in range(4096, len(data), 40))
    missing = unneeded = removable = 0
    oldest = 0.0
    for prefix in os.listdir(os.path.join(path, ".chunks")):
        for name in os.listdir(os.path.join(path, ".chunks", prefix)):
            status = os.stat(os.path.join(path, ".chunks", prefix, name))
            if name not in digests:
                unneeded += 1
                removable += status.st_size
                oldest = min(oldest, status.st_atime)
    for digest in digests:
        if not os.path.exists(os.path.join(path, ".chunks", digest[:4], digest)):
            missing += 1
    assert missing == 0, missing
    assert len(digests) + unneeded == chunks, (len(digests), unneeded, chunks)


def main(action: str, path: str, files: str) -> None:
    chunks = int(files)
    if action == "script":
        script(path, chunks)
        return
    from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.observer import (
        ReferencePlan,
        observe_store,
    )
    from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.ownership import WalkPlan

    uid, gid = pwd.getpwnam("backup").pw_uid, grp.getgrnam("backup").gr_gid
    scope = "full" if action == "references" else "none"
    ownership, facts = observe_store(WalkPlan(path, uid, gid, (gid,)), ReferencePlan(scope=scope))
    assert ownership.complete, ownership.stuck
    assert ownership.chunks.files == chunks, ownership.chunks.files
    if action == "references":
        assert facts.complete, facts.stuck
        assert not facts.problems.counts, facts.problems
        assert facts.sweep is not None
        assert facts.needed + facts.sweep.removable.chunks + facts.sweep.pending.chunks == chunks, facts.sweep


if __name__ == "__main__":
    main(*sys.argv[1:])
