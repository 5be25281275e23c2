# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When names will do, and when they do not. Needs root."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import threading

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._manage import grip as grip_module
from ansible_collections.fleetops.pbs.plugins.module_utils._manage.grip import Held, Named, seal, wait_for_seal
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.visitor import Directory
from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import Batch
from ansible_collections.fleetops.pbs.tests.support.pbs.store import backup_ids

pytestmark = pytest.mark.root

# As in an access control list of the kernel (linux/posix_acl_xattr.h).
ACL_USER_OBJ, ACL_USER, ACL_GROUP_OBJ, ACL_MASK, ACL_OTHER = 0x01, 0x02, 0x04, 0x10, 0x20

NAMES = [b"one", b"two", b"three"]


@pytest.fixture
def directory(tmp_path):
    path = tmp_path / "0000"
    path.mkdir(mode=0o750)
    for name in NAMES:
        (path / os.fsdecode(name)).touch(mode=0o644)
    return path


@contextlib.contextmanager
def opened(path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


def grips(fd):
    batch = Batch()
    where = Directory("", fd, os.fstat(fd))
    return {"by descriptor": Held.open(batch, where, NAMES), "by name": Named(batch, where, NAMES)}


def owners(path):
    return {
        name: ((path / os.fsdecode(name)).stat().st_uid, (path / os.fsdecode(name)).stat().st_gid) for name in NAMES
    }


@pytest.mark.parametrize("way", ["by descriptor", "by name"])
def test_look_and_change(directory, way):
    with opened(directory) as fd:
        files = grips(fd)[way]
        before = files.look()
        assert before == before[:1] * 3
        assert files.change_owner(34, -1)
        assert owners(directory) == dict.fromkeys(NAMES, (34, 0))
        assert files.look() == (Batch.owned(before[0], 34, 0),) * 3
        part = files.part([2, 0])
        assert part.change_owner(-1, 35)
        assert owners(directory) == {b"one": (34, 35), b"two": (34, 0), b"three": (34, 35)}
        assert part.look() == (Batch.owned(before[0], 34, 35),) * 2
        with files.one(1) as one:
            assert os.fstat(one).st_ino == (directory / "two").stat().st_ino
        files.close()


@pytest.mark.parametrize("way", ["by descriptor", "by name"])
def test_what_is_gone_is_told(directory, way):
    (directory / "two").unlink()
    with opened(directory) as fd:
        files = grips(fd)[way]
        assert files.look() is None
        files.close()


def test_a_link_is_changed_itself(directory, tmp_path):
    (tmp_path / "secret").touch()
    (directory / "two").unlink()
    (directory / "two").symlink_to(tmp_path / "secret")
    with opened(directory) as fd:
        assert grips(fd)["by name"].change_owner(34, 34)
    assert (tmp_path / "secret").stat().st_uid == 0
    assert (directory / "two").lstat().st_uid == 34


@pytest.mark.parametrize(
    ("uid", "mode", "sealed"),
    [(0, 0o750, True), (0, 0o755, True), (0, 0o700, True), (0, 0o770, False), (0, 0o757, False), (1, 0o700, False)],
)
def test_only_a_directory_of_root_alone_can_be_sealed(directory, uid, mode, sealed):
    os.chown(directory, uid, backup_ids()[1])
    directory.chmod(mode)
    with opened(directory) as fd, opened(directory) as other:
        assert seal(fd, os.fstat(fd)) == sealed
        assert grip_module._is_locked(other) == sealed


def test_a_directory_that_was_given_away_before_it_was_sealed(directory):
    """Another run was done with it between the look at it and the lock."""
    with opened(directory) as fd, opened(directory) as other:
        status = os.fstat(fd)
        os.chown(directory, *backup_ids())
        assert not seal(fd, status)
        assert not grip_module._is_locked(other)


def test_a_right_to_write_that_a_list_gives_shows_in_the_mode(loopfs):
    path = loopfs("ext4", "acl") / "0000"
    path.mkdir(mode=0o750)
    entries = [(ACL_USER_OBJ, 7, -1), (ACL_USER, 7, 34), (ACL_GROUP_OBJ, 5, -1), (ACL_MASK, 7, -1), (ACL_OTHER, 0, -1)]
    packed = b"".join(struct.pack("<HHi", *entry) for entry in entries)
    os.setxattr(path, "system.posix_acl_access", struct.pack("<I", 2) + packed)
    with opened(path) as fd:
        assert not seal(fd, os.fstat(fd))


def test_what_is_sealed_is_not_given_away(directory, monkeypatch):
    monkeypatch.setattr(grip_module, "_PATIENCE", 0.05)
    with opened(directory) as fd, opened(directory) as other:
        status = os.fstat(fd)
        assert seal(fd, status)
        wait_for_seal(fd, status)  # whoever has sealed it may give it away
        assert not seal(other, status)
        with pytest.raises(OSError, match="another process holds a lock"):
            wait_for_seal(other, status)


def test_a_seal_is_waited_for(directory):
    with opened(directory) as other:
        first = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        assert seal(first, os.fstat(first))
        timer = threading.Timer(0.2, os.close, [first])
        timer.start()
        wait_for_seal(other, os.fstat(other))
        timer.join()
        assert not grip_module._is_locked(other)


def test_locks_on_what_others_may_write_to_do_not_matter(directory):
    """Its owner may hold one for ever."""
    os.chown(directory, *backup_ids())
    with opened(directory) as fd, opened(directory) as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        wait_for_seal(fd, os.fstat(fd))
