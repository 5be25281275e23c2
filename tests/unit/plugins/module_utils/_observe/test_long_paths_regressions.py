# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A path of two thousand parts, as PBS's configuration may have it for each of many datastores, costs no more than that.

Counted instead of timed: once, each part cost a walk over all parts before it, and a host was busy for hours.
"""

from __future__ import annotations

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.boot.persistence import boot_mounts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.environment import MountEnvironment
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable
from ansible_collections.fleetops.pbs.plugins.module_utils._system.program import Answer

PARTS = 2000
DEEP = "/b" * PARTS
MOUNTS = b"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:9 / /b rw - tmpfs x rw\n31 30 0:10 / /b/b rw - tmpfs y rw\n"


class Counted(dict):
    asked = 0

    def get(self, key, default=None):
        self.asked += 1
        return super().get(key, default)


@pytest.mark.parametrize("mounts", [MOUNTS, MOUNTS[: MOUNTS.index(b"\n") + 1]], ids=["mounts on the way", "one mount"])
def test_links_of_a_long_path_are_looked_for_once_a_part(mounts):
    table = MountTable.parse(mounts)
    table._on = Counted(table._on)
    assert table.resolve(DEEP + "/x/..") == DEEP
    assert table._on.asked <= 2 * PARTS + 20


def test_no_unit_is_looked_for_that_cannot_have_a_file(monkeypatch):
    environment = MountEnvironment(
        fstab="/nonexistent", unit_directories=(), systemd=False, table=MountTable.parse(MOUNTS), run_command=no_zfs
    )
    asked = []
    monkeypatch.setattr(environment.units, "_load", asked.append)
    assert boot_mounts(DEEP, None, False, environment) == []
    assert "b-b.mount" in asked
    assert max(map(len, asked)) <= 255


def no_zfs(_argv, _timeout):
    return Answer(missing=True)


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/b/../b/x", "/b/x"),
        ("/../../b", "/b"),
        ("/b/b/../../etc", "/etc"),
        ("//b//./b/", "/b/b"),
    ],
)
def test_the_way_back_is_on_the_mount_it_was_on(path, leads_to):
    assert MountTable.parse(MOUNTS).resolve(path) == leads_to
