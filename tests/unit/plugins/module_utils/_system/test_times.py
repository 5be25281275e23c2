# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PBS's touch: what it changes, and who may do it."""

from __future__ import annotations

import errno
import os

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._system import child
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity, become
from ansible_collections.fleetops.pbs.plugins.module_utils._system.times import (
    set_atime_fd,
    touch_atime,
    touch_atime_fd,
)
from ansible_collections.fleetops.pbs.tests.support.machine import open_way
from ansible_collections.fleetops.pbs.tests.support.pbs.store import backup_ids

LONG_AGO = 1_000_000_000 * 10**9 + 7


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file"
    path.touch()
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    return path


def test_only_the_access_time_moves(path):
    touch_atime(str(path))
    status = path.stat()
    assert status.st_atime_ns > LONG_AGO
    assert status.st_mtime_ns == LONG_AGO


def test_an_open_file_is_touched_without_its_name(path):
    with path.open("rb") as file:
        path.unlink()
        touch_atime_fd(file.fileno())
        status = os.fstat(file.fileno())
    assert status.st_atime_ns > LONG_AGO
    assert status.st_mtime_ns == LONG_AGO


@pytest.mark.parametrize("when", [0, 123_456_789, 10**9, 1_700_000_000_123_456_789])
def test_a_given_time_is_set_to_the_nanosecond(path, when):
    with path.open("rb") as file:
        set_atime_fd(file.fileno(), when)
    assert (path.stat().st_atime_ns, path.stat().st_mtime_ns) == (when, LONG_AGO)


def test_a_link_is_touched_itself_and_not_what_it_leads_to(path, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(path)
    os.utime(link, ns=(LONG_AGO, LONG_AGO), follow_symlinks=False)
    touch_atime(str(link))
    assert path.stat().st_atime_ns == LONG_AGO
    assert os.lstat(link).st_atime_ns > LONG_AGO


def test_a_name_that_is_gone_is_an_error_as_in_the_check_of_pbs(tmp_path):
    with pytest.raises(FileNotFoundError):
        touch_atime(str(tmp_path / "gone"))


@pytest.mark.root
@pytest.mark.parametrize(
    ("owner", "group", "mode", "number"),
    [
        ("root", "root", 0o644, errno.EPERM),
        ("root", "root", 0o666, errno.EPERM),
        ("root", "backup", 0o664, errno.EPERM),
        ("backup", "root", 0o400, 0),
        ("backup", "backup", 0o000, 0),
    ],
)
def test_only_the_owner_may_touch_and_a_right_to_write_is_not_enough(path, owner, group, mode, number):
    uid, gid = backup_ids()
    open_way(path.parent)
    os.chown(path, uid if owner == "backup" else 0, gid if group == "backup" else 0)
    path.chmod(mode)

    def touch(channel):
        become(Identity(uid, gid, (gid,)))
        try:
            touch_atime(str(path))
        except OSError as exc:
            channel.put("errno", exc.errno)
        else:
            channel.put("errno", 0)

    assert child.run_one(touch, 10).parts == {"errno": number}
    touch_atime(str(path))  # root may, whoever owns it


@pytest.mark.root
def test_python_itself_asks_for_less_and_so_passes_where_pbs_fails(path):
    """The reason for all of this: os.utime sends {NOW, NOW}, which a mere writer may do."""
    uid, gid = backup_ids()
    open_way(path.parent)
    path.chmod(0o666)

    def touch(channel):
        become(Identity(uid, gid, (gid,)))
        os.utime(path)
        channel.put("python", "passes")
        touch_atime(str(path))

    outcome = child.run_one(touch, 10)
    assert outcome.parts == {"python": "passes"}
    assert outcome.error.startswith("EPERM")
