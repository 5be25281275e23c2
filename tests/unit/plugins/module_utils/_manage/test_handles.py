# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many files of a directory, held by descriptors. Needs root."""

from __future__ import annotations

import os

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._manage.handles import Handles
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.visitor import Directory
from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import Batch

pytestmark = pytest.mark.root

NAMES = [b"one", b"two", b"three"]


@pytest.fixture
def directory(tmp_path):
    path = tmp_path / "0000"
    path.mkdir(mode=0o750)
    for name in NAMES:
        (path / os.fsdecode(name)).touch(mode=0o644)
    return path


@pytest.fixture
def handles(directory):
    """Made by a call, so that a test can prepare the directory."""
    opened = []

    def open_them():
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        files = Handles.open(Batch(), Directory("", fd, os.fstat(fd)), NAMES)
        opened.append((fd, files))
        return files

    yield open_them
    for fd, files in opened:
        files.close()
        os.close(fd)


def owners(path):
    looks = ((name, (path / os.fsdecode(name)).stat()) for name in NAMES)
    return {name: (status.st_uid, status.st_gid) for name, status in looks}


def test_look_and_change(directory, handles):
    files = handles()
    before = files.look()
    assert before == before[:1] * 3
    assert files.change_owner(34, -1)
    assert owners(directory) == dict.fromkeys(NAMES, (34, 0))
    assert files.look() == (Batch.owned(before[0], 34, 0),) * 3
    part = files.part([2, 0])
    assert part.change_owner(-1, 35)
    assert owners(directory) == {b"one": (34, 35), b"two": (34, 0), b"three": (34, 35)}
    assert part.look() == (Batch.owned(before[0], 34, 35),) * 2
    assert os.fstat(files.one(1)).st_ino == (directory / "two").stat().st_ino


def test_a_missing_file_is_reported(directory, handles):
    (directory / "two").unlink()
    assert handles().look() is None


def test_a_name_that_changes_its_meaning_does_not_matter(directory, handles, tmp_path):
    (tmp_path / "secret").touch()
    files = handles()
    (directory / "two").unlink()
    os.link(tmp_path / "secret", directory / "two")
    assert files.change_owner(34, 34)
    assert (tmp_path / "secret").stat().st_uid == 0
