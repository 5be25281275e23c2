# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.ext import observe_dir_nlink
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable

pytestmark = pytest.mark.root


def mount_of(path):
    return MountTable.read().find(str(path))


@pytest.mark.parametrize(
    ("features", "expected"), [("dir_nlink,dir_index", True), ("^dir_nlink", False), ("dir_nlink,^dir_index", False)]
)
def test_ext4(loopfs, features, expected):
    assert observe_dir_nlink(mount_of(loopfs("ext4", mkfs=["-O", features]))) is expected


@pytest.mark.parametrize("size", ["1024", "4096"])
def test_the_block_size_does_not_matter(loopfs, size):
    assert observe_dir_nlink(mount_of(loopfs("ext4", mkfs=["-b", size]))) is True


@pytest.mark.parametrize(("fstype", "expected"), [("ext2", False), ("ext3", False), ("xfs", None), ("btrfs", None)])
def test_other_filesystems(loopfs, fstype, expected):
    assert observe_dir_nlink(mount_of(loopfs(fstype))) is expected


def test_the_device_is_found_by_its_number(loopfs):
    mount = dataclasses.replace(mount_of(loopfs("ext4")), source="/dev/root")
    assert observe_dir_nlink(mount) is True


def test_another_device_under_the_name_is_not_believed(loopfs, tmp_path):
    without = mount_of(loopfs("ext4", mkfs=["-O", "^dir_nlink"]))
    other = mount_of(loopfs("ext4"))
    mixed = dataclasses.replace(other, source=without.source)
    assert observe_dir_nlink(mixed, dev=str(tmp_path), sys=str(tmp_path)) is None
    assert observe_dir_nlink(mixed) is True


def test_a_device_that_cannot_be_read(loopfs, tmp_path):
    mount = mount_of(loopfs("ext4"))
    assert (
        observe_dir_nlink(dataclasses.replace(mount, source="/nowhere"), dev=str(tmp_path), sys=str(tmp_path)) is None
    )
    image = tmp_path / "image"
    image.write_bytes(bytes(4096))
    assert observe_dir_nlink(dataclasses.replace(mount, source=str(image)), str(tmp_path), str(tmp_path)) is None
