# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One try of the touch, on files that behave and on files that do not."""

from __future__ import annotations

import os

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.probe.touch import (
    ONE_TRY,
    SECOND,
    WAITS,
    NamedFile,
    OpenFile,
    set_back,
    try_touch,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import Statx


class Scripted:
    """A file whose looks are given one after the other; the matrix of PBS's comparison needs no filesystem."""

    path = "/scripted"

    def __init__(self, *looks):
        self.looks = list(looks)
        self.touches = 0

    def look(self, force_sync=False):
        inode, atime = self.looks.pop(0)
        return Statx(0o100644, 34, 34, 0, 1, 1, inode, atime, 0, 0, None, 0, 0)

    def touch(self):
        self.touches += 1

    def reopened(self):
        return self.look()


@pytest.mark.parametrize(
    ("before", "after", "advanced"),
    [
        (10 * SECOND, 11 * SECOND, True),
        (10 * SECOND, 10 * SECOND, False),
        (11 * SECOND, 10 * SECOND, False),  # the server's clock was set back
        (10 * SECOND, 10 * SECOND + 1, True),
    ],
)
def test_only_a_strictly_later_time_counts(before, after, advanced):
    facts = try_touch(Scripted((1, before), (1, after)), "private", ONE_TRY)
    assert facts.advanced is advanced
    assert (facts.before_ns, facts.after_ns, facts.errno, facts.step) == (before, after, 0, "")


def test_the_comparison_is_with_the_look_right_before_the_touch():
    """A time that moves only later, by itself, is no answer to the touch; PBS, too, looks right after it."""
    target = Scripted((1, 5), (1, 5), (1, 9), (1, 9))
    facts = try_touch(target, "private", (0.0, 0.001))
    assert (facts.advanced, target.touches) == (False, 2)


def test_another_inode_once_means_once_more():
    target = Scripted((1, 5), (2, 9), (2, 9), (2, 10))
    facts = try_touch(target, "zero-chunk", ONE_TRY)
    assert (facts.advanced, facts.inode_changes, target.touches) == (True, 1, 2)


def test_another_inode_twice_is_no_answer():
    facts = try_touch(Scripted((1, 5), (2, 9), (2, 9), (3, 10)), "zero-chunk", WAITS)
    assert (facts.advanced, facts.inode_changes) == (None, 2)
    assert "replaced twice" in facts.error


@pytest.mark.parametrize(("kind", "word"), [("link", "link"), ("directory", "directory"), ("fifo", "fifo")])
def test_what_is_no_regular_file_is_not_touched(tmp_path, kind, word):
    path = tmp_path / "x"
    {"link": lambda: path.symlink_to("/etc/passwd"), "directory": path.mkdir, "fifo": lambda: os.mkfifo(path)}[kind]()
    os.utime(path, ns=(7, 7), follow_symlinks=False)
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        facts = try_touch(NamedFile(str(path), directory, "x"), "zero-chunk")
    finally:
        os.close(directory)
    assert (facts.advanced, facts.step) == (None, "stat")
    assert word in facts.error
    assert os.lstat(path).st_atime_ns == 7


@pytest.mark.parametrize(
    ("fstype", "options", "mkfs", "granularity"),
    [
        ("ext4", "relatime", [], 1),
        ("ext4", "noatime", [], 1),
        ("ext4", "strictatime", [], 1),
        ("ext4", "lazytime", [], 1),
        ("ext4", "nodiratime", [], 1),
        ("ext4", "noatime", ["-I", "128"], SECOND),
        ("ext3", "relatime", ["-I", "128"], SECOND),
        ("xfs", "relatime", [], 1),
        ("xfs", "noatime", [], 1),
        ("btrfs", "relatime", [], 1),
        ("btrfs", "noatime", [], 1),
        ("tmpfs", "", [], 1),
    ],
)
def test_our_own_file_answers_at_once_whatever_the_mount_options(loopfs, tmpfs, fstype, options, mkfs, granularity):
    path = (tmpfs() if fstype == "tmpfs" else loopfs(fstype, options, mkfs=mkfs)) / "file"
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        target = OpenFile(str(path), fd)
        assert set_back(fd, target) == granularity
        facts = try_touch(target, "private", ONE_TRY, refresh=True)
    finally:
        os.close(fd)
    assert (facts.advanced, facts.waits) == (True, 0)
    assert facts.refreshed_ns == facts.after_ns > facts.before_ns


@pytest.mark.parametrize(
    ("fault", "granularity"),
    [("ok", 1), ("second", SECOND), ("day", 86400 * SECOND), ("ignore", None), ("now", None)],
)
def test_how_coarse_a_filesystem_keeps_times(faultfs, fault, granularity):
    path = faultfs(fault).path / "file"
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        assert set_back(fd, OpenFile(str(path), fd)) == granularity
    finally:
        os.close(fd)


@pytest.mark.parametrize("name", ["EIO", "ENOSPC", "EDQUOT", "EROFS", "ESTALE", "EPERM", "ENOSYS"])
def test_an_error_of_the_touch_is_kept_with_its_step(faultfs, name):
    mount = faultfs()
    path = mount.path / "file"
    path.touch()
    mount.set("errno:" + name)
    directory = os.open(mount.path, os.O_RDONLY)
    try:
        facts = try_touch(NamedFile(str(path), directory, "file"), "zero-chunk")
    finally:
        os.close(directory)
    # The kernel gives a filesystem without the call another name for it.
    assert facts.error.split(":")[0] in (name, "EOPNOTSUPP" if name == "ENOSYS" else name)
    assert (facts.advanced, facts.step, facts.waits) == (False, "utimensat", 0)
