# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about the mount that PBS's daemons see at the path."""

from __future__ import annotations

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.causes import read_only
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.rules.mount._common import drop_in
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import (
    RESTART,
    Case,
    Evidence,
    Remedy,
    Verdict,
    failed,
    passed,
    unknown,
)


def daemon_view(case: Case) -> Verdict:
    views = case.the_store.daemon_views
    if not views:
        return unknown(f"No running daemon could be asked what it sees at {case.the_store.path}.")
    evidence: Evidence = {
        "views": [
            {"unit": view.unit, "pid": view.pid, "same": view.same, "detail": view.detail, "options": view.options}
            for view in views
        ]
    }
    other = [view for view in views if view.same is False]
    if other:
        return failed(
            "%s (process %d) sees something else at %s: %s."
            % (other[0].unit, other[0].pid, case.the_store.path, other[0].detail),
            Remedy("Restart both daemons when no backup is running.", (RESTART,)),
            **evidence,
        )
    mount = case.the_store.mount
    closed = [view for view in views if "ro" in view.options and not read_only(mount)]
    if closed:
        return failed(
            "%s (process %d) sees %s read-only, while it is read-write outside of the unit."
            % (closed[0].unit, closed[0].pid, case.the_store.path),
            Remedy(
                "Let the unit write there with a drop-in, then restart it when no backup is running.",
                (
                    *drop_in([closed[0].unit], "Service", "ReadWritePaths", case.the_store.path),
                    f"systemctl restart {closed[0].unit}",
                ),
            ),
            **evidence,
        )
    unclear = [view for view in views if view.same is None]
    if unclear:
        return unknown(f"What {unclear[0].unit} sees could not be found out: {unclear[0].detail}.", **evidence)
    return passed("The daemons see the same mount.", **evidence)
