# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import grp
import os
import pathlib
import pwd

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.shown import shown
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.account import observe_account


def test_an_account_of_this_machine() -> None:
    entry = pwd.getpwuid(os.getuid())
    group = grp.getgrgid(entry.pw_gid)
    facts = observe_account(entry.pw_name, group.gr_name)
    assert (facts.uid, facts.primary_gid, facts.gid) == (entry.pw_uid, entry.pw_gid, entry.pw_gid)
    assert entry.pw_gid in facts.groups
    assert facts.groups == sorted(set(os.getgrouplist(entry.pw_name, entry.pw_gid)))


@pytest.mark.skipif(not pathlib.Path("/etc/debian_version").exists(), reason="needs Debian's accounts")
def test_backup_is_found_by_its_name() -> None:
    facts = observe_account()
    assert (facts.user, facts.group) == ("backup", "backup")
    # Debian's base-passwd reserves these numbers.
    assert (facts.uid, facts.primary_gid, facts.gid) == (34, 34, 34)


def test_user_and_group_are_looked_up_each_by_itself() -> None:
    group = grp.getgrgid(pwd.getpwuid(os.getuid()).pw_gid)
    facts = observe_account("no-such-user-here", group.gr_name)
    assert (facts.uid, facts.primary_gid, facts.groups, facts.gid) == (None, None, [], group.gr_gid)


@pytest.mark.parametrize("name", ["no-such-user-here", "", "a\x00b", "a:b", "\udc80", "x" * 5000])
def test_what_does_not_exist_is_none(name: str) -> None:
    facts = shown(observe_account(name, name))
    assert (facts.uid, facts.primary_gid, facts.gid, facts.groups) == (None, None, None, [])
    assert facts.user.isprintable()
