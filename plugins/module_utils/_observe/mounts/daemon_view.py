# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the running daemons see at a path: a unit may have its own mount namespace, and keeps old mounts."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import DaemonViewFacts, MountFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.environment import MountEnvironment
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.mount_text import hide_secret_in_source
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.mountinfo import MountEntry
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error


def observe_daemon_views(
    path: str,
    mount: t.Optional[MountFacts],
    daemons_main_pids: t.Mapping[str, int],
    env: t.Optional[MountEnvironment] = None,
) -> list[DaemonViewFacts]:
    """Compare the target of an absolute path without links for this process and for each daemon (unit name: process id).

    Uses only the mount tables, because a look through `/proc/PID/root` could hang on a dead server. `mount` is the mount
    that this process sees; if it is None there is nothing to compare with.
    """
    env = env or MountEnvironment()
    return [_view(path, mount, unit, pid, env) for unit, pid in daemons_main_pids.items()]


def _view(path: str, mount: t.Optional[MountFacts], unit: str, pid: int, env: MountEnvironment) -> DaemonViewFacts:
    if pid <= 0:
        return DaemonViewFacts(unit, 0, None, "it is not running")
    ours = env.table.find_entry(path)
    if mount is None or ours is None:
        return DaemonViewFacts(unit, pid, None, "the mount of the path is unknown")
    try:
        table = env.table if _shares_our_view(pid, env) else env.table_of(pid)
    except OSError as exc:
        return DaemonViewFacts(unit, pid, None, "its mounts cannot be read: " + describe_error(exc))
    return _compare(path, ours, table, DaemonViewFacts(unit, pid, None))


def _compare(path: str, ours: MountEntry, table: MountTable, view: DaemonViewFacts) -> DaemonViewFacts:
    theirs = table.find_entry(path)
    if theirs is None:
        view.detail = "the mount of its root directory is not visible from here"
        return view
    view.options = list(theirs.options)
    view.same = (theirs.device, theirs.inside(path)) == (ours.device, ours.inside(path))
    if not view.same:
        view.detail = "for it the path is %s of %s (%s, mounted on %s)" % (
            theirs.inside(path),
            hide_secret_in_source(theirs.source),
            theirs.fstype,
            theirs.mount_point,
        )
    return view


def _shares_our_view(pid: int, env: MountEnvironment) -> bool:
    """Whether it has our mount namespace and our root directory. Raises `OSError`."""
    theirs, ours = os.path.join(env.proc, str(pid)), os.path.join(env.proc, "self")
    return all(
        os.readlink(os.path.join(theirs, link)) == os.readlink(os.path.join(ours, link)) for link in ("ns/mnt", "root")
    )
