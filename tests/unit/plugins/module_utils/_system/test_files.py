# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import time

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import open_directory


def test_a_link_is_followed_only_where_that_is_asked_for(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    os.close(open_directory(tmp_path / "link", follow=True))
    with pytest.raises(OSError):
        open_directory(tmp_path / "link")
    base = open_directory(tmp_path)
    try:
        os.close(open_directory("real", base))
        with pytest.raises(OSError):
            open_directory("link", base)
    finally:
        os.close(base)


@pytest.mark.parametrize("kind", ["file", "fifo"])
def test_anything_else_is_refused_and_does_not_block(tmp_path, kind):
    path = tmp_path / kind
    path.touch() if kind == "file" else os.mkfifo(path)
    with pytest.raises(NotADirectoryError):
        open_directory(path)


def test_listing_does_not_move_the_access_time(loopfs):
    directory = loopfs("ext4", "strictatime") / "directory"
    directory.mkdir()
    before = directory.stat().st_atime_ns
    time.sleep(0.02)
    fd = open_directory(directory)
    try:
        os.listdir(fd)
    finally:
        os.close(fd)
    assert directory.stat().st_atime_ns == before
    os.listdir(directory)
    assert directory.stat().st_atime_ns > before, "this filesystem does not notice a listing at all"
