# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.daemon_view import observe_daemon_views
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.environment import MountEnvironment
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable

UNIT = "proxmox-backup-proxy.service"


@contextlib.contextmanager
def daemon(script: str = "true"):
    """A process in a mount namespace of its own, after a few commands in there; its id."""
    process = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-euc", script + "\necho ready\nread line"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
    finally:
        process.communicate()


def view(path: Path, pid: int):
    env = MountEnvironment(systemd=False)
    (facts,) = observe_daemon_views(str(path), env.table.find(str(path)), {UNIT: pid}, env)
    assert (facts.unit, facts.pid) == (UNIT, max(pid, 0))
    return facts


def test_a_process_that_shares_our_view(tmp_path):
    facts = view(tmp_path, os.getppid() if os.geteuid() else os.getpid())
    assert (facts.same, facts.detail) == (True, "")
    assert "rw" in facts.options


def test_a_daemon_that_is_not_running(tmp_path):
    facts = view(tmp_path, 0)
    assert (facts.same, facts.detail) == (None, "it is not running")


def test_a_process_that_has_ended(tmp_path):
    process = subprocess.Popen(["true"])
    process.wait()
    facts = view(tmp_path, process.pid)
    assert facts.same is None
    assert "ENOENT" in facts.detail


def test_nothing_to_compare_with(tmp_path):
    (facts,) = observe_daemon_views(str(tmp_path), None, {UNIT: os.getpid()})
    assert facts.same is None


@pytest.mark.root
def test_a_namespace_of_its_own_with_the_same_mounts(loopfs):
    path = loopfs("ext4")
    with daemon() as pid:
        facts = view(path / "store", pid)
    assert (facts.same, facts.detail) == (True, "")


@pytest.mark.root
def test_a_daemon_that_was_started_before_the_mount(loopfs, tmp_path):
    point = tmp_path / "point"
    point.mkdir()
    with daemon() as pid:
        loopfs("ext4", point=point)
        facts = view(point / "store", pid)
    assert facts.same is False
    assert "mounted on" in facts.detail


@pytest.mark.root
def test_a_daemon_that_keeps_an_older_mount(tmpfs, tmp_path):
    point = tmp_path / "point"
    point.mkdir()
    tmpfs("size=1m", point=point)
    with daemon() as pid:
        tmpfs("size=2m", point=point)
        facts = view(point, pid)
    assert facts.same is False


@pytest.mark.root
def test_a_daemon_for_which_the_store_is_read_only(loopfs):
    path = loopfs("ext4")
    (path / "store").mkdir()
    with daemon(f"mount --bind {path}/store {path}/store; mount -o remount,bind,ro {path}/store") as pid:
        facts = view(path / "store", pid)
    # The same directory, under another mount.
    assert facts.same is True
    assert "ro" in facts.options


@pytest.mark.root
def test_a_daemon_that_sees_another_directory_there(loopfs):
    path = loopfs("ext4")
    for name in ("store", "other"):
        (path / name).mkdir()
    with daemon(f"mount --bind {path}/other {path}/store") as pid:
        facts = view(path / "store", pid)
    assert facts.same is False
    assert facts.detail.startswith("for it the path is /other of /dev/loop")


@pytest.mark.root
def test_the_mounts_of_a_daemon_are_read_once(loopfs, monkeypatch):
    path = loopfs("ext4")
    reads = []
    read = MountTable.read

    def counted(proc="/proc/self"):
        reads.append(proc)
        return read(proc)

    monkeypatch.setattr(MountTable, "read", counted)
    env = MountEnvironment(systemd=False)
    with daemon() as pid:
        for number in range(32):
            store = str(path / str(number))
            (facts,) = observe_daemon_views(store, env.table.find(store), {UNIT: pid}, env)
            assert facts.same is True
    assert sorted(reads) == sorted(["/proc/self", f"/proc/{pid}"])
