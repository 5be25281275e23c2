# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Datastores whose `.chunks` is not on the filesystem of the base directory: what is judged, and where."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._manage.ownership import RepairPlan, repair
from ansible_collections.fleetops.pbs.plugins.module_utils._preflight import preflight
from ansible_collections.fleetops.pbs.tests.support import mounts
from ansible_collections.fleetops.pbs.tests.support.findings import finding, valid
from ansible_collections.fleetops.pbs.tests.support.options import PREFLIGHT_OPTIONS
from ansible_collections.fleetops.pbs.tests.support.pbs.store import backup_ids

pytestmark = pytest.mark.root


@pytest.fixture
def moved(chunk_store, loopfs):
    """A store with a copy of its `.chunks` on another filesystem; `.chunks` itself is not yet replaced."""
    store = chunk_store(prefixes=4, chunks=8)
    there = loopfs("ext4") / "chunks"
    subprocess.run(["cp", "-a", store.chunks, there], check=True)
    return store, there


@pytest.fixture
def mounted(moved) -> Iterator[tuple[Path, Path]]:
    """`.chunks` is a mount of the directory on the other filesystem."""
    store, there = moved
    mounts.run("mount", "--bind", there, store.chunks)
    try:
        yield store, there
    finally:
        mounts.run("umount", store.chunks)


@pytest.fixture
def linked(moved):
    """`.chunks` is a link to the directory on the other filesystem."""
    store, there = moved
    subprocess.run(["rm", "-r", store.chunks], check=True)
    store.chunks.symlink_to(there)
    return store, there


def look(store, *controls):
    options = {
        **PREFLIGHT_OPTIONS,
        "datastores": [{"name": "tank", "path": str(store.path)}],
        "controls": [*controls],
    }
    document = valid(preflight(options, check_mode=False).document)
    return [finding(document, control, "tank") for control in controls]


def test_a_full_filesystem_of_the_chunks(mounted):
    store, there = mounted
    free = os.statvfs(there)
    with (there.parent / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, (free.f_bavail - 16) * free.f_frsize)
    (found,) = look(store, "PBS-MOUNT-08")
    assert found["status"] == "fail"
    assert f"The filesystem of .chunks ({store.chunks}): 0." in found["message"]


def test_a_read_only_filesystem_of_the_chunks(mounted):
    store, _there = mounted
    mounts.run("mount", "-o", "remount,bind,ro", store.chunks)
    for found in look(store, "PBS-MOUNT-04", "PBS-ATIME-01", "PBS-ATIME-03"):
        assert found["status"] == "fail"
        assert "read-only" in found["message"]
        assert "the storage below" not in found["message"]
        assert found["commands"] == [f"mount -o remount,bind,rw {store.chunks}"]


def test_a_mount_that_does_not_come_back(mounted):
    store, _there = mounted
    (found,) = look(store, "PBS-MOUNT-02")
    assert (found["status"], f"Nothing mounts {store.chunks} at boot" in found["message"]) == ("fail", True)


def test_what_is_mounted_there_is_walked(mounted):
    store, there = mounted
    controls = [f"PBS-OWNER-0{number}" for number in range(1, 8)]
    assert {found["status"] for found in look(store, *controls)} == {"pass"}
    chunk = next(there.glob("*/*"))
    os.chown(chunk, 0, 0)
    owner = look(store, "PBS-OWNER-03")[0]
    assert (owner["status"], owner["evidence"]["paths"][0][-64:]) == ("fail", chunk.name)


def test_what_is_mounted_there_is_repaired(mounted):
    store, there = mounted
    chunk = next(there.glob("*/*"))
    os.chown(chunk, 0, 0)
    facts = repair(RepairPlan(str(store.path), *backup_ids(), stall=30.0))
    assert (facts.complete, facts.counts.changed, chunk.stat().st_uid) == (True, 1, backup_ids()[0])


def test_a_mount_in_a_prefix_directory_is_never_entered(mounted, tmpfs):
    store, _there = mounted
    prefix = next(path for path in store.chunks.iterdir() if path.is_dir())
    mounts.run("mount", "--bind", tmpfs(), prefix)
    try:
        (found,) = look(store, "PBS-OWNER-06")
        assert (found["status"], "mount: 1" in found["message"]) == ("fail", True)
    finally:
        mounts.run("umount", prefix)


def test_a_link_is_one_finding(linked):
    store, there = linked
    whole, owner, touch, zero, space = look(
        store, "PBS-CONF-06", "PBS-OWNER-01", "PBS-ATIME-01", "PBS-ATIME-03", "PBS-MOUNT-08"
    )
    assert (whole["status"], f"{store.chunks} is a link to {there}" in whole["message"]) == ("fail", True)
    for found in (owner, touch, zero):
        assert (found["status"], "is a link" in found["message"]) == ("unknown", True), found["message"]
        assert "PBS-CONF-06" in found["message"]
        assert found["commands"] == []
    assert space["status"] in ("pass", "warn")


def test_the_commands_mount_the_directory_in_place_of_the_link(linked):
    store, _there = linked
    (before,) = look(store, "PBS-CONF-06")
    try:
        for command in before["commands"]:
            subprocess.run(["bash", "-c", command], check=True, cwd="/")
        owner, touch = look(store, "PBS-OWNER-03", "PBS-ATIME-01")
        assert (owner["status"], touch["status"]) == ("pass", "pass")
    finally:
        mounts.run("umount", store.chunks)
