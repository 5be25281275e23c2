# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repair of one datastore: options in, result out."""

from __future__ import annotations

import os
import subprocess

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils import _chunk_ownership as engine
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.tests.support.options import REPAIR_OPTIONS
from ansible_collections.fleetops.pbs.tests.support.pbs.store import make_chunk_store

pytestmark = pytest.mark.root


@pytest.fixture
def store(chunk_store):
    store = chunk_store(prefixes=4, chunks=30, zero_chunk=False)
    for path in sorted(store.chunks.glob("*/*"))[:10]:
        os.chown(path, 0, 0)
    return store


def owners(store):
    return sorted((path.stat().st_uid, path.stat().st_gid) for path in store.chunks.glob("*/*"))


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("path", "tank", "path: 'tank' is not an absolute path"),
        ("path", "/", "path: '/' is the root directory, which cannot be a datastore"),
        ("path", "//", "path: '//' is the root directory, which cannot be a datastore"),
        ("path", "/proc/self/root", "leads to the root directory, which cannot be a datastore"),
        ("path", "/does/not/exist", "path: '/does/not/exist' cannot be read: ENOENT: No such file or directory"),
        ("path", "/etc/passwd", "path: '/etc/passwd' is not a directory but a file"),
        ("path", "/etc", "path: '/etc' is not a chunk store, it has no directory .chunks"),
        ("name", "nowhere", "name: there is no datastore 'nowhere' in /nonexistent/etc/datastore.cfg"),
        ("user", "nobody-here", "user: there is no user 'nobody-here' on this host"),
        ("group", "nobody-here", "group: there is no group 'nobody-here' on this host"),
        ("only_from", ["root", "nobody-here"], "only_from: there is no user 'nobody-here' on this host"),
        ("only_from", ["-1"], "only_from: there is no user '-1' on this host"),
        ("max_changes", -1, "max_changes: must not be negative, but is -1"),
        ("workers", -2, "workers: must not be negative, but is -2"),
        ("stall", 0.0, "stall: must be more than 0 seconds, not 0"),
        ("timeout", 0.0, "timeout: must be more than 0 seconds, not 0"),
        ("timeout", float("inf"), "timeout: must be more than 0 seconds, not inf"),
        ("deadline", float("nan"), "deadline: must be more than 0 seconds, not nan"),
    ],
)
def test_bad_input_gets_one_clear_message(store, option, value, message):
    params = dict(REPAIR_OPTIONS, path=str(store.path))
    if option == "name":
        params["path"] = None
    params[option] = value
    before = owners(store)
    with pytest.raises(CollectionError, match=r"^\w+: ") as error:
        engine.chunk_ownership(params, check_mode=False)
    assert message in str(error.value)
    assert owners(store) == before


@pytest.mark.parametrize("check_mode", [True, False])
def test_only_root_may_change_owners_and_check_mode_says_so(store, monkeypatch, check_mode):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(CollectionError, match="become: true"):
        engine.chunk_ownership(dict(REPAIR_OPTIONS, path=str(store.path)), check_mode)


def test_a_count_that_was_given_up_is_no_change(faultfs, walk_only):
    mount = faultfs()
    dead = make_chunk_store(mount.path / "dead", prefixes=2, chunks=4, zero_chunk=False)
    for path in dead.chunks.glob("*/*"):
        os.chown(path, 0, 0)
    before = owners(dead)
    prefixes = sorted(path.name for path in dead.chunks.iterdir())
    walk_only([int(name, 16) for name in prefixes])
    mount.set(f"hang:/dead/.chunks/{prefixes[1]}")
    params = dict(REPAIR_OPTIONS, path=str(dead.path), max_changes=100, stall=4.0)
    result = engine.chunk_ownership(params, check_mode=False)
    mount.set("ok")
    assert (result["changed"], result["failed"]) == (False, True)
    assert "At least " in result["msg"]
    assert " would be changed (owner to backup:backup, or mode)" in result["msg"]
    assert "Stopped: " in result["msg"]
    assert owners(dead) == before


def test_a_path_that_does_not_answer(faultfs):
    mount = faultfs("hang:/")
    params = dict(REPAIR_OPTIONS, path=str(mount.path), deadline=0.5)
    with pytest.raises(CollectionError, match=r"does not answer within 0\.5 seconds"):
        engine.chunk_ownership(params, check_mode=False)
    mount.set("ok")


@pytest.mark.parametrize(("max_paths", "first"), [(0, False), (1, True)])
def test_hard_links_are_told_of_however_many_paths_are_wanted(store, max_paths, first):
    chunk = min(store.chunks.glob("*/*"))
    os.link(chunk, store.path / "elsewhere")
    params = dict(REPAIR_OPTIONS, path=str(store.path), max_paths=max_paths)
    result = engine.chunk_ownership(params, check_mode=False)
    assert result["refused"] == {"hardlink": 1}
    (warning,) = result["warnings"]
    assert warning.startswith("Files with a second hard link were not changed (1)")
    assert (f"First: {chunk}" in warning) == first
    assert len(result["refused_paths"]) == first


@pytest.mark.parametrize(("limit", "changed"), [(9, False), (10, True), (0, False)])
@pytest.mark.parametrize("check_mode", [True, False])
def test_more_changes_than_allowed_are_none_at_all(store, limit, changed, check_mode):
    before = owners(store)
    result = engine.chunk_ownership(dict(REPAIR_OPTIONS, path=str(store.path), max_changes=limit), check_mode)
    assert (result["changed"], result["failed"]) == (changed, not changed)
    assert result["changes"]["total"] == 10
    assert (owners(store) == before) == (not changed or check_mode)
    if not changed:
        assert f"10 files and directories would change, more than {limit}" in result["msg"]
        assert "root:root (10)" in result["msg"]


def test_only_from_by_name_and_by_number(store):
    path = sorted(store.chunks.glob("*/*"))[20]
    os.chown(path, 4242, 4242)
    for user, total in (("4242", 1), ("root", 10)):
        result = engine.chunk_ownership(dict(REPAIR_OPTIONS, path=str(store.path), only_from=[user]), check_mode=True)
        assert (result["changes"]["total"], result["left"]) == (total, 11 - total)
    result = engine.chunk_ownership(dict(REPAIR_OPTIONS, path=str(store.path), only_from=[]), check_mode=True)
    assert (result["changes"]["total"], result["left"]) == (0, 11)


def test_what_fails_fails_the_task_and_all_else_is_done(loopfs):
    store = make_chunk_store(loopfs("ext4") / "store", prefixes=2, chunks=6, zero_chunk=False)
    chunks = sorted(store.chunks.glob("*/*"))
    for path in chunks:
        os.chown(path, 0, 0)
    subprocess.run(["chattr", "+i", chunks[0]], check=True)
    try:
        result = engine.chunk_ownership(dict(REPAIR_OPTIONS, path=str(store.path)), check_mode=False)
    finally:
        subprocess.run(["chattr", "-i", chunks[0]], check=True)
    assert (result["failed"], result["changed"], result["failures"]) == (True, True, 1)
    assert "chattr -i" in result["msg"]
    assert result["changes"]["total"] == 5


def test_progress_is_told(store):
    told = []
    engine.chunk_ownership(
        dict(REPAIR_OPTIONS, path=str(store.path), max_changes=100),
        False,
        lambda what, progress: told.append((what, progress)),
    )
    assert [what for what, _progress in told if what == "counting"]
    assert told[-1][0] == "repairing"
    assert told[-1][1].prefixes == 65536
