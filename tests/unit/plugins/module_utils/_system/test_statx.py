# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""statx against os.stat, on whatever filesystem the temporary directory is."""

from __future__ import annotations

import os
import socket

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import (
    Batch,
    kind_of,
    marks_mounts,
    statx,
    statx_fd,
)
from ansible_collections.fleetops.pbs.tests.support.mounts import run


def same(found, status):
    assert (found.st_mode, found.st_uid, found.st_gid, found.st_size, found.st_nlink) == (
        status.st_mode,
        status.st_uid,
        status.st_gid,
        status.st_size,
        status.st_nlink,
    )
    assert (found.st_dev, found.st_ino) == (status.st_dev, status.st_ino)
    assert (found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns) == (
        status.st_atime_ns,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


@pytest.mark.parametrize("force_sync", [False, True])
def test_it_says_what_stat_says(tmp_path, force_sync):
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    os.utime(path, ns=(1_000_000_007, 2_000_000_009))
    same(statx(str(path), force_sync=force_sync), path.stat())
    with path.open("rb") as file:
        same(statx_fd(file.fileno(), force_sync=force_sync), path.stat())


def test_times_before_the_epoch_are_negative(tmp_path):
    path = tmp_path / "file"
    path.touch()
    os.utime(path, ns=(-1_500_000_000, 0))
    assert statx(str(path)).st_atime_ns == -1_500_000_000


def test_a_name_is_looked_up_in_a_directory_and_a_link_is_not_followed(tmp_path):
    (tmp_path / "link").symlink_to("/etc/passwd")
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        found = statx("link", directory)
    finally:
        os.close(directory)
    assert found.kind == "link"
    same(found, os.lstat(tmp_path / "link"))


def test_every_kind_of_file_has_a_word(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        kinds = {path.name: statx(str(path)).kind for path in tmp_path.iterdir()}
    assert kinds == {name: name for name in kinds}
    assert len(kinds) == 5
    assert statx("/dev/null").kind == "char"
    assert kind_of(0) == "unknown"


def test_a_name_that_is_not_there_is_an_oserror_with_its_errno(tmp_path):
    with pytest.raises(FileNotFoundError):
        statx(str(tmp_path / "nothing"))


@pytest.mark.parametrize(("letter", "flag"), [("i", "immutable"), ("a", "append")])
@pytest.mark.parametrize("fstype", ["ext4", "xfs", "btrfs"])
def test_inode_flags_are_named(loopfs, fstype, letter, flag):
    path = loopfs(fstype) / "file"
    path.touch()
    assert statx(str(path)).flags == []
    run("chattr", f"+{letter}", path)
    try:
        assert statx(str(path)).flags == [flag]
    finally:
        run("chattr", f"-{letter}", path)


def test_the_birth_time_is_there_where_the_filesystem_keeps_one(loopfs):
    path = loopfs("ext4") / "file"
    path.touch()
    born = statx(str(path)).st_btime_ns
    os.utime(path, ns=(1, 1))
    assert born is not None
    assert statx(str(path)).st_btime_ns == born


def test_what_many_descriptors_hold_is_told_as_stat_tells_it(tmp_path):
    names = ["a", "b", "c"]
    for number, name in enumerate(names):
        (tmp_path / name).touch(mode=0o600 + number)
    os.link(tmp_path / "c", tmp_path / "d")
    fds = [os.open(tmp_path / name, os.O_RDONLY) for name in names]
    device = os.stat(tmp_path).st_dev
    held = Batch().held(fds, device)
    assert len(held) == len(fds)
    for fd, signature in zip(fds, held):
        status = os.fstat(fd)
        _attributes, *rest = Batch.unpack(signature)
        assert rest == [status.st_nlink, status.st_uid, status.st_gid, status.st_mode]
        assert Batch.unpack(Batch.owned(signature, 7, 8))[1:] == (status.st_nlink, 7, 8, status.st_mode)
    elsewhere = os.open("/proc/self", os.O_RDONLY)
    assert Batch().held([*fds[:2], elsewhere], device) is None
    for fd in (*fds, elsewhere):
        os.close(fd)
    assert Batch().held([fds[0]], device) is None


@pytest.mark.root
def test_what_is_mounted_is_told_from_what_lies_below(tmp_path, bind):
    (tmp_path / "source").touch()
    (tmp_path / "target").touch()
    bind(tmp_path / "source", point=tmp_path / "target")
    assert marks_mounts()
    fds = [os.open(tmp_path / name, os.O_PATH) for name in ("source", "target")]
    below, root = Batch().held(fds, os.stat(tmp_path).st_dev)
    assert (Batch.mounted(below), Batch.mounted(root)) == (False, True)
    for fd in fds:
        os.close(fd)
