# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filesystems of the fixtures are what they say, and nothing of them is left."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.tests.support import mounts

pytestmark = pytest.mark.root


def options_of(path: Path) -> list[str]:
    return mounts.run("findmnt", "-n", "-o", "OPTIONS", path).strip().split(",")


def type_of(path: Path) -> str:
    return mounts.run("findmnt", "-n", "-o", "FSTYPE", path).strip()


def make_directories(top: int, count: int) -> None:
    for number in range(count):
        os.mkdir(f"{number:04x}", dir_fd=top)


@pytest.mark.parametrize("fstype", ["ext4", "xfs", "btrfs"])
@pytest.mark.parametrize("option", ["relatime", "noatime", "strictatime"])
def test_loop_filesystems_have_their_type_and_option(loopfs, fstype, option):
    path = loopfs(fstype, option)
    assert type_of(path) == fstype
    # strictatime is the absence of the two others
    shown = {"relatime", "noatime"} & set(options_of(path))
    assert shown == ({option} if option != "strictatime" else set())
    (path / "file").write_text("x")


def test_small_inodes_have_whole_seconds(loopfs):
    file = loopfs("ext4", mkfs=["-I", "128"]) / "file"
    file.touch()
    os.utime(file, ns=(1_500_000_000, 1_500_000_000))
    assert file.stat().st_atime_ns == 1_000_000_000


def test_without_dir_nlink_a_directory_is_full_at_65000_links(loopfs):
    path = loopfs("ext4", mkfs=["-O", "^dir_nlink", "-b", "1024", "-N", "70000"], size=160 * mounts.MIB)
    top = os.open(path, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="Too many links") as raised:
            make_directories(top, 65536)
    finally:
        os.close(top)
    assert raised.value.errno == errno.EMLINK


def test_without_inodes_nothing_more_is_created(loopfs):
    path = loopfs("ext4", mkfs=["-N", "16"], size=8 * mounts.MIB)
    top = os.open(path, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="No space") as raised:
            make_directories(top, 17)
    finally:
        os.close(top)
    assert raised.value.errno == errno.ENOSPC
    assert os.statvfs(path).f_ffree == 0
    assert os.statvfs(path).f_bavail > 0


def test_remount_read_only(loopfs):
    path = loopfs("ext4")
    mounts.remount(path, "ro")
    with pytest.raises(OSError, match="Read-only"):
        (path / "file").touch()


def test_bind_options_hold_for_the_bind_mount_only(tmpfs, bind):
    source = tmpfs()
    path = bind(source, "ro")
    (source / "file").touch()
    assert (path / "file").exists()
    with pytest.raises(OSError, match="Read-only"):
        (path / "other").touch()


def test_overlay_leaves_its_lower_directory_alone(tmp_path, overlay):
    (tmp_path / "file").write_text("below")
    path = overlay(tmp_path)
    (path / "file").write_text("above")
    assert (tmp_path / "file").read_text() == "below"


def test_many_loop_devices_at_once_are_all_freed(loopfs):
    paths = [loopfs("ext4", size=8 * mounts.MIB) for _number in range(12)]
    assert len({path.stat().st_dev for path in paths}) == 12


def test_the_end_takes_away_mount_image_and_loop_device():
    with mounts.loopfs("ext4") as path:
        device = mounts.run("findmnt", "-n", "-o", "SOURCE", path).strip()
        backing = Path("/sys/block", Path(device).name, "loop/backing_file")
        image = Path(backing.read_text().strip())
        assert image.exists()
    assert not path.exists()
    assert not image.exists()
    assert not image.parent.exists()
    # Another process may have taken the device in the meantime.
    assert not backing.exists() or backing.read_text().strip() != str(image)


def test_the_end_takes_away_the_mount_after_a_failure():
    with pytest.raises(ZeroDivisionError), mounts.loopfs("xfs") as path:
        raise ZeroDivisionError
    assert not path.exists()


def test_a_busy_mount_is_reported_and_taken_away():
    with pytest.raises(RuntimeError, match="still uses"):  # noqa: SIM117  # the end of the inner one raises
        with mounts.tmpfs() as path:
            holder = subprocess.Popen(["sleep", "60"], cwd=path)
    holder.kill()
    holder.wait()
    assert not path.is_mount()


def test_mounts_of_a_run_are_not_seen_outside(tmpfs):
    path = tmpfs()
    outside = Path(f"/proc/{os.getppid()}/mountinfo").read_text()
    assert f" {path} " in Path("/proc/self/mountinfo").read_text()
    assert f" {path} " not in outside


def test_a_missing_program_is_a_reason_to_skip():
    with pytest.raises(mounts.Unsupported, match=r"mkfs\.none is not installed"):
        mounts.run("mkfs.none")


def test_an_unknown_filesystem_is_a_reason_to_skip():
    with pytest.raises(mounts.Unsupported, match="kernel without nosuchfs"), mounts.mounted("-t", "nosuchfs", "none"):
        pass


def test_other_users_reach_what_is_mounted(loopfs):
    path = loopfs("ext4")
    (path / "file").write_text("x")
    read = [sys.executable, "-c", "import os, sys; os.setuid(65534); print(open(sys.argv[1]).read())", path / "file"]
    assert mounts.run(*read).strip() == "x"
