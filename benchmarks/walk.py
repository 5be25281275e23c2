# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The walks of this collection as a program of their own, to be measured like any other.

usage: walk.py audit|repair DIRECTORY FILES
"""

from __future__ import annotations

import grp
import pwd
import sys

from ansible_collections.fleetops.pbs.plugins.module_utils._manage.ownership import RepairPlan, repair
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.ownership import WalkPlan, observe_ownership


def main(action: str, path: str, files: str) -> None:
    uid, gid = pwd.getpwnam("backup").pw_uid, grp.getgrnam("backup").gr_gid
    if action == "audit":
        facts = observe_ownership(WalkPlan(path, uid, gid, (gid,)))
        assert facts.complete, facts.stuck
        assert facts.chunks.files == int(files), facts.chunks.files
        assert facts.chunks.wrong_owner in (0, int(files))
    else:
        done = repair(RepairPlan(path, uid, gid))
        assert done.complete, done.stopped
        assert done.counts.seen >= int(files)


if __name__ == "__main__":
    main(*sys.argv[1:])
