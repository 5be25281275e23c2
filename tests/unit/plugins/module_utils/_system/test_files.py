# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import os
import time

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import (
    Opening,
    open_directory,
    open_inside,
    open_to_change,
)


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


# --- the same mount ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["openat2", "an old kernel"])
def kernel(request, monkeypatch):
    assert Opening.refuses_mounts, "this kernel should have openat2"
    monkeypatch.setattr(Opening, "refuses_mounts", request.param == "openat2")
    return request.param


def test_a_directory_inside(tmp_path, kernel):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "fifo")
    base = open_directory(tmp_path)
    try:
        os.close(open_inside("real", base))
        for name in ("link", "file", "fifo"):
            with pytest.raises(OSError) as caught:
                open_inside(name, base)
            assert caught.value.filename == name
        with pytest.raises(FileNotFoundError):
            open_inside("nothing", base)
    finally:
        os.close(base)


@pytest.mark.root
def test_a_mount_of_the_same_filesystem_is_not_entered(tmp_path, bind):
    for name in ("elsewhere", "inside"):
        (tmp_path / name).mkdir()
    bind(tmp_path / "elsewhere", point=tmp_path / "inside")
    base = open_directory(tmp_path)
    try:
        with pytest.raises(OSError) as caught:
            open_inside("inside", base)
        assert caught.value.errno == errno.EXDEV
    finally:
        os.close(base)


# --- where root changes something ---------------------------------------------------------------------------------------


def same(fd, path):
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    finally:
        os.close(fd)


@pytest.mark.root
def test_links_of_roots_are_followed_to_where_root_changes_something(tmp_path):
    (tmp_path / "real/store").mkdir(parents=True)
    (tmp_path / "relative").symlink_to("real/../real/./")
    (tmp_path / "absolute").symlink_to(tmp_path / "relative/store")
    for path in (tmp_path / "real/store", tmp_path / "relative/store", tmp_path / "absolute"):
        assert same(open_to_change(os.fspath(path)), tmp_path / "real/store")
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(OSError) as caught:
        open_to_change(os.fspath(tmp_path / "circle/store"))
    assert caught.value.errno == errno.ELOOP


@pytest.mark.root
@pytest.mark.parametrize(("uid", "mode"), [(34, 0o755), (0, 0o775), (0, 0o757)])
def test_a_link_that_another_user_can_have_created_is_not_followed(tmp_path, uid, mode):
    (tmp_path / "real/store").mkdir(parents=True)
    yard = tmp_path / "yard"
    yard.mkdir()
    (yard / "way\n").symlink_to(tmp_path / "real")
    (yard / "store").mkdir()
    yard.chmod(mode)
    os.chown(yard, uid, 0)
    with pytest.raises(OSError, match=r"^the link way\\x0a is in a directory that other users than root may write to"):
        open_to_change(os.fspath(yard / "way\n/store"))
    assert same(open_to_change(os.fspath(yard / "store")), yard / "store")


@pytest.mark.root
def test_where_everybody_makes_files_is_no_datastore(tmp_path):
    tmp_path.chmod(0o1777)
    (tmp_path / "store").mkdir()
    with pytest.raises(OSError, match="every user may create files in"):
        open_to_change(os.fspath(tmp_path))
    assert same(open_to_change(os.fspath(tmp_path / "store")), tmp_path / "store")
    with pytest.raises(NotADirectoryError):
        open_to_change("/dev/null/store")
