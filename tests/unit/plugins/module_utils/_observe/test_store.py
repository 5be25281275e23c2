# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many datastores side by side, each in a child with a deadline."""

from __future__ import annotations

import os
import time

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import DatastoreConfig
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import StoreFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.account import observe_account
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.store import (
    CHECK_MODE,
    daemon_identity,
    observe_stores,
    plan_probe,
)
from ansible_collections.fleetops.pbs.tests.support.pbs.store import backup_ids, make_chunk_store


def observe(*stores, probe="private", check_mode=False, deadline=30.0):
    plan = plan_probe(observe_account(), probe, check_mode, deadline)
    return observe_stores(stores, plan, MountTable.read())


def facts(path, name="tank", **more):
    return StoreFacts(name=name, path=os.fspath(path), **more)


@pytest.mark.root
def test_the_daemon_has_the_group_by_name_and_all_other_groups_of_its_user():
    uid, gid = backup_ids()
    identity = daemon_identity(observe_account())
    assert (identity.uid, identity.gid) == (uid, gid)
    assert gid in identity.groups
    assert daemon_identity(observe_account("no-such-user")) is None


@pytest.mark.root
def test_everything_about_one_datastore(chunk_store):
    store = facts(chunk_store(prefixes=2))
    assert observe(store) == [store.path]
    assert (store.stuck, store.error) == ("", "")
    assert (store.location.type, store.location.reachable, store.location.blocked_at) == ("directory", True, "")
    assert store.space.bytes_total > 0
    assert store.skeleton.state == "half-made"
    assert store.atime.probe.advanced
    assert store.lock.works


@pytest.mark.root
def test_a_whole_host_answers_side_by_side(loopfs):
    """Thirty-two datastores cost one task, and no wait that adds up."""
    base = loopfs("ext4")
    stores = [facts(make_chunk_store(base / str(n), prefixes=1), f"store{n}") for n in range(32)]
    observe(*stores)
    assert [store.atime.probe.advanced for store in stores] == [True] * 32
    assert [store.atime.probe.waits for store in stores] == [0] * 32


@pytest.mark.root
def test_broken_datastores_are_waited_for_together(faultfs):
    mount = faultfs()
    stores = [facts(make_chunk_store(mount.path / str(n), prefixes=1), f"store{n}") for n in range(8)]
    mount.set("ignore")
    started = time.monotonic()
    observe(*stores)
    elapsed = time.monotonic() - started
    assert [store.atime.probe.advanced for store in stores] == [False] * 8
    assert elapsed < sum(store.atime.probe.elapsed_ns for store in stores) / 1e9 / 2


@pytest.mark.root
def test_one_that_never_answers_costs_only_itself(faultfs, chunk_store):
    mount = faultfs()
    dead = make_chunk_store(mount.path / "dead", prefixes=1)
    os.stat(dead)
    mount.set("hang:/")
    stuck, fine = facts(dead, "dead"), facts(chunk_store(prefixes=1), "fine")
    observe(stuck, fine, deadline=5.0)
    assert fine.atime.probe.advanced
    assert not fine.stuck
    assert stuck.stuck == f"the path {stuck.path}"
    assert (stuck.deadline, stuck.location, stuck.atime, stuck.skeleton) == (5.0, None, None, None)


@pytest.mark.root
def test_what_was_seen_before_it_hung_is_kept(faultfs):
    mount = faultfs()
    store = make_chunk_store(mount.path / "store", prefixes=1)
    list(store.chunks.rglob("*"))
    mount.set("hang:/store/.chunks")
    seen = facts(store)
    observe(seen, deadline=5.0)
    assert seen.location.exists
    assert seen.space is not None
    assert seen.stuck.startswith("the chunk store in")
    assert seen.skeleton is None


@pytest.mark.root
def test_check_mode_leaves_every_byte_owner_and_timestamp(loopfs):
    store = make_chunk_store(loopfs("ext4", "strictatime"), prefixes=16, chunks=64)
    store.add_snapshot("vm/100")

    def picture():
        found = {}
        for directory, directories, files in os.walk(store.path):
            for path in [directory, *(os.path.join(directory, name) for name in [*directories, *files])]:
                status = os.lstat(path)
                found[path] = (status.st_ino, status.st_mode, status.st_uid, status.st_gid, status.st_size)
                found[path] += (status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns)
        return found

    picture()  # os.walk itself moves the access times of directories here
    paths = list(picture())
    for path in paths:
        os.utime(path, ns=(7, 7), follow_symlinks=False)
    before = {
        path: tuple(getattr(os.lstat(path), f"st_{key}_ns") for key in ("atime", "mtime", "ctime")) for path in paths
    }
    for probe in ("private", "marker"):
        seen = facts(store)
        observe(seen, probe=probe, check_mode=True)
        assert (seen.atime.mode, seen.atime.wanted, seen.atime.not_tried) == ("none", probe, CHECK_MODE)
        assert seen.location.reachable is True
    after = {
        path: tuple(getattr(os.lstat(path), f"st_{key}_ns") for key in ("atime", "mtime", "ctime")) for path in paths
    }
    assert after == before
    assert sorted(picture()) == sorted(paths)


def test_without_rights_nothing_is_tried_and_the_reason_is_reported(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    plan = plan_probe(observe_account(), "private", False, 5.0)
    assert plan.mode == "none"
    assert plan.identity is None
    assert "run as root" in plan.not_tried
    store = facts(tmp_path)
    observe_stores([store], plan, MountTable.read())
    assert (store.atime.mode, store.lock.works) == ("none", None)
    assert "run as root" in store.lock.not_tried
    assert store.location.reachable is None


@pytest.mark.root
def test_without_the_daemons_user_nothing_is_tried(tmp_path):
    plan = plan_probe(observe_account("no-such-user"), "private", False, 5.0)
    assert "do not exist" in plan.not_tried
    store = facts(tmp_path)
    observe_stores([store], plan, MountTable.read())
    assert store.atime.not_tried == plan.not_tried


def test_a_missing_path_and_a_file_are_facts(tmp_path):
    (tmp_path / "file").touch()
    missing, file = facts(tmp_path / "missing"), facts(tmp_path / "file")
    observe(missing, file)
    assert (missing.location.exists, missing.skeleton.state, missing.error) == (False, "absent", "")
    assert (file.location.type, file.skeleton.state, file.error) == ("file", "foreign", "")


def test_a_removable_datastore_that_is_not_mounted_is_left_alone(tmp_path):
    config = DatastoreConfig("usb", "backups", backing_device="0a1b2c3d-0000-4000-8000-000000000001")
    store = facts(tmp_path, configured=config, mounted=False)
    observe(store)
    assert (store.location, store.atime, store.skeleton) == (None, None, None)


@pytest.mark.root
def test_an_empty_chunk_of_an_s3_cache_is_a_marker_and_stays(chunk_store):
    store = chunk_store(prefixes=1)
    store.file(store.zero_chunk)
    cached = facts(store, configured=DatastoreConfig("s3", os.fspath(store), backend="s3"))
    observe(cached, probe="marker")
    assert (cached.atime.marker_inserted, store.zero_chunk.stat().st_size) == (False, 0)
    plain = facts(store, configured=DatastoreConfig("plain", os.fspath(store)))
    observe(plain, probe="marker")
    assert (plain.atime.marker_inserted, store.zero_chunk.stat().st_size) == (True, 159)
