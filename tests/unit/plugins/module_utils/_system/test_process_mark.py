# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Marks of processes: alive, gone, of another place, and no marks at all."""

from __future__ import annotations

import os
import re

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity, become
from ansible_collections.fleetops.pbs.plugins.module_utils._system.process_mark import PATTERN, is_gone, own_mark
from ansible_collections.fleetops.pbs.tests.support.pbs.store import backup_ids
from ansible_collections.fleetops.pbs.tests.support.processes import of_the_dead


def test_a_process_knows_its_own_mark():
    mark = own_mark()
    assert re.fullmatch(PATTERN, mark)
    assert mark.endswith("-%d" % os.getpid())
    assert is_gone(mark) is False
    assert own_mark() == mark


def test_a_process_that_has_ended_is_gone():
    mark = of_the_dead(own_mark)
    assert mark.split("-")[0] == own_mark().split("-")[0]
    assert is_gone(mark) is True


def test_somebody_elses_process_is_there():
    assert is_gone(f"{own_mark().split('-')[0]}-1") is False


@pytest.mark.root
def test_the_daemons_user_says_the_same_as_root():
    uid, gid = backup_ids()

    def as_backup():
        become(Identity(uid, gid))
        return own_mark() + f" {is_gone(mark)}"

    mark = own_mark()
    theirs, gone = of_the_dead(as_backup).split()
    assert theirs.split("-")[0] == mark.split("-")[0]
    assert gone == "False"


@pytest.mark.parametrize(
    "mark",
    ["00000000-%d" % os.getpid(), "", "x", "../../x", "%s-0", "%s--1", "%s-1 ", "%s-99999999999", "%s-9999999999"],
)
def test_what_cannot_be_told_from_here(mark):
    assert is_gone(mark.replace("%s", own_mark().split("-")[0])) is None
