# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing owners through handles, one and many. Needs root."""

from __future__ import annotations

import os
import stat

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._system.owner import (
    change_mode,
    change_owner,
    change_owners,
    close_handles,
    open_handle,
    open_handles,
)

pytestmark = pytest.mark.root


@pytest.fixture
def directory(tmp_path):
    for name in ("one", "two", "three"):
        (tmp_path / name).touch(mode=0o600)
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def owners(directory):
    return {
        name: (os.stat(name, dir_fd=directory).st_uid, os.stat(name, dir_fd=directory).st_gid)
        for name in os.listdir(directory)
    }


def is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_a_handle_changes_what_it_holds_and_not_what_has_its_name_now(directory):
    fd = open_handle("one", dir_fd=directory)
    os.rename("two", "one", src_dir_fd=directory, dst_dir_fd=directory)
    change_owner(fd, 34, 35)
    change_mode(fd, 0o640)
    held = os.fstat(fd)
    os.close(fd)
    assert (held.st_uid, held.st_gid, stat.S_IMODE(held.st_mode), held.st_nlink) == (34, 35, 0o640, 0)
    assert owners(directory) == {"one": (0, 0), "three": (0, 0)}


def test_many_handles_are_one_after_the_other(directory):
    fds = open_handles(directory, [b"one", b"two"])
    assert change_owners(fds, 34, -1)
    assert owners(directory) == {"one": (34, 0), "two": (34, 0), "three": (0, 0)}
    close_handles(fds)
    assert not any(map(is_open, fds))


def test_what_could_not_be_opened_has_no_handle_and_the_others_are_closed(directory):
    fds = open_handles(directory, [b"one", b"missing", b"three"])
    assert fds[1] == -1
    assert -1 not in (fds[0], fds[2])
    close_handles(fds)
    assert not is_open(fds[0])
    assert not is_open(fds[2])


def test_only_its_own_handles_are_closed(directory):
    """Where descriptors of others lie between."""
    first = open_handles(directory, [b"one"])
    stranger = os.open("two", os.O_RDONLY, dir_fd=directory)
    second = open_handles(directory, [b"three"])
    close_handles(first + second)
    assert is_open(stranger)
    assert not is_open(first[0])
    assert not is_open(second[0])
    os.close(stranger)


def test_one_failure_among_many_is_told_and_the_others_are_changed(directory):
    fds = open_handles(directory, [b"one", b"two", b"three"])
    broken = [fds[0], -1, fds[2]]
    assert not change_owners(broken, 34, 34)
    assert owners(directory) == {"one": (34, 34), "two": (0, 0), "three": (34, 34)}
    close_handles(fds)


def test_a_link_itself_is_held(directory, tmp_path):
    os.symlink("one", tmp_path / "link")
    fds = open_handles(directory, [b"link"])
    assert stat.S_ISLNK(os.fstat(fds[0]).st_mode)
    close_handles(fds)
