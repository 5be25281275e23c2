# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.space import observe_space


@pytest.mark.root
def test_what_root_may_use_is_not_available(loopfs):
    path = loopfs("ext4", mkfs=["-b", "4096", "-N", "1024", "-m", "20"])
    before = observe_space(str(path))
    assert 0 < before.bytes_available < before.bytes_total * 0.85
    assert before.inodes_total == 1024
    (path / "file").write_bytes(b"x" * 1048576)
    after = observe_space(str(path))
    assert before.inodes_available - after.inodes_available == 1
    assert after.bytes_available <= before.bytes_available - 1048576
    assert after.bytes_total == before.bytes_total


@pytest.mark.root
def test_a_filesystem_without_a_number_of_inodes(loopfs):
    path = loopfs("btrfs")
    assert observe_space(str(path)).inodes_total == 0


@pytest.mark.root
def test_exact_figures(tmpfs):
    path = tmpfs("size=8m,nr_inodes=100")
    fd = os.open(path, os.O_RDONLY)
    try:
        space = observe_space(fd)
    finally:
        os.close(fd)
    assert (space.bytes_total, space.bytes_available) == (8 * 2**20, 8 * 2**20)
    assert (space.inodes_total, space.inodes_available) == (100, 99)


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        observe_space(str(tmp_path / "nothing"))
