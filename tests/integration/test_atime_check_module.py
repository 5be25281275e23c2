# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module atime_check as Ansible runs it, on real filesystems. Needs root."""

from __future__ import annotations

import json
import os

import pytest

from ansible_collections.fleetops.pbs.tests.support.ansible_run import run_module
from ansible_collections.fleetops.pbs.tests.support.mounts import remount
from ansible_collections.fleetops.pbs.tests.support.pbs.store import make_chunk_store

pytestmark = pytest.mark.root


def check(path, **options):
    mode = options.pop("check", False)
    return run_module("atime_check", {"path": os.fspath(path), **options}, check=mode)


def test_four_times_with_a_private_file(loopfs):
    store = make_chunk_store(loopfs("ext4", "noatime", mkfs=["-I", "128"]), prefixes=2)
    results = [check(store, check=mode) for mode in (True, False, False, True)]
    assert [(result["changed"], result["honoured"]) for result in results] == [
        (False, None),
        (False, True),
        (False, True),
        (False, None),
    ]
    assert not any(result.get("failed") for result in results)


def test_four_times_with_the_marker(chunk_store):
    store = chunk_store(prefixes=2, zero_chunk=False)
    store.directory(store.zero_chunk.parent, 0o750)
    results, there = [], []
    for mode in (True, False, False, True):
        results.append(check(store, probe="marker", check=mode))
        there.append(store.zero_chunk.exists())
    assert [result["changed"] for result in results] == [True, True, False, False]
    assert there == [False, True, True, True]


def test_where_the_check_of_pbs_fails_as_backup_the_task_fails_and_names_the_fix(chunk_store):
    store = chunk_store(prefixes=1)
    os.chown(store.zero_chunk, 0, 0)
    store.zero_chunk.chmod(0o666)
    result = check(store)
    assert (result["failed"], result["honoured"]) == (True, False)
    assert "EPERM" in result["msg"]
    assert "Root's own touch passes" in result["msg"]
    assert result["commands"] == [f"chown -h backup:backup {store.zero_chunk}"]


def test_read_only_fails_even_without_a_try(whole_store):
    store = whole_store()
    remount(store.path, "ro")
    for mode in (False, True):
        result = check(store, check=mode)
        assert result["failed"], mode
        assert "read-only" in result["msg"]


def test_no_answer_is_no_pass(faultfs):
    mount = faultfs()
    (mount.path / "dead").mkdir()
    mount.set("hang:/")
    result = check(mount.path / "dead", deadline=1)
    assert (result["failed"], result["honoured"]) == (True, None)
    assert "no answer within 1 s" in result["msg"]


def test_a_directory_that_becomes_a_datastore(tmp_path):
    path = tmp_path / "new"
    path.mkdir(mode=0o700)
    assert check(path)["honoured"] is True
    assert list(path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"path": "/nonexistent/store"}, ["path", "'/nonexistent/store'", "does not exist"]),
        ({"path": "/etc/passwd"}, ["path", "'/etc/passwd'", "not a directory"]),
        ({"path": "mnt/tank"}, ["path", "'mnt/tank'", "absolute"]),
        ({"path": "/"}, ["path", "'/'", "root directory"]),
        ({"path": "/tmp", "user": "no-such-user"}, ["user", "'no-such-user'"]),
        ({"path": "/tmp", "group": "no-such-group"}, ["group", "'no-such-group'"]),
    ],
)
def test_an_option_without_sense_is_named_with_its_value(options, words):
    result = run_module("atime_check", options)
    assert result["failed"]
    assert all(word in result["msg"] for word in words), result["msg"]
    assert "Traceback" not in json.dumps(result)
