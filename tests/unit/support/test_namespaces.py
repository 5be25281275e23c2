# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run's own mount namespace, and user namespaces as unprivileged containers have them."""

from __future__ import annotations

import os

import pytest

from ansible_collections.fleetops.pbs.tests.support.userns import (
    call_in_user_namespace,
    run_in_user_namespace,
)

pytestmark = pytest.mark.root


def test_the_run_has_its_own_mount_namespace():
    assert os.readlink("/proc/self/ns/mnt") != os.readlink(f"/proc/{os.getppid()}/ns/mnt")


def test_root_of_a_user_namespace_is_nobody_special_outside(tmp_path):
    done = run_in_user_namespace(["sh", "-c", "id -u; cat /proc/self/uid_map"])
    assert done.stdout.split() == ["0", "0", "100000", "65536"]
    # owned by real root, closed to all others
    assert run_in_user_namespace(["ls", tmp_path]).returncode != 0


def test_ids_outside_the_map_are_the_overflow_id(tmpfs):
    path = tmpfs()
    inside = path / "inside"
    inside.touch()
    os.chown(inside, 100034, 100034)
    owners = call_in_user_namespace(lambda: (inside.stat().st_uid, path.stat().st_uid))
    assert owners == (34, 65534)


def test_a_map_without_backup_cannot_express_it(tmpfs):
    file = tmpfs() / "file"
    file.touch()
    os.chown(file, 100000, 100000)
    with pytest.raises(RuntimeError, match="Invalid argument"):
        call_in_user_namespace(lambda: os.chown(file, 34, 34), id_map="0:100000:30")
    call_in_user_namespace(lambda: os.chown(file, 34, 34))
    assert file.stat().st_uid == 100034


def test_mounts_of_the_namespace_are_its_own():
    done = run_in_user_namespace(["sh", "-c", "mount -t tmpfs none /mnt && grep -c ' /mnt ' /proc/self/mountinfo"])
    assert done.stdout.strip() == "1"
    assert not os.path.ismount("/mnt")


def test_the_exit_code_is_the_command_s():
    assert run_in_user_namespace(["sh", "-c", "exit 7"]).returncode == 7


def test_a_map_that_the_kernel_refuses_is_an_error():
    with pytest.raises(OSError, match="Invalid argument"):
        run_in_user_namespace(["true"], id_map="0:100000:0")
