# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The daemon's account, looked up by name as PBS does on every use: PBS never assumes uid 34."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import AccountFacts

_NOT_FOUND = (KeyError, ValueError, OSError)
"""Unknown name, invalid name, failed directory service: in each case the ids are unknown."""


def observe_account(user: str = "backup", group: str = "backup") -> AccountFacts:
    """Look up the user and the group separately. An unknown id is None; never raises an exception."""
    facts = AccountFacts(user=user, group=group)
    with contextlib.suppress(*_NOT_FOUND):
        entry = pwd.getpwnam(user)
        facts.uid, facts.primary_gid = entry.pw_uid, entry.pw_gid
        facts.groups = sorted(set(os.getgrouplist(entry.pw_name, entry.pw_gid)))
    with contextlib.suppress(*_NOT_FOUND):
        facts.gid = grp.getgrnam(group).gr_gid
    return facts
