# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module chunk_ownership, as a user runs it."""

from __future__ import annotations

import os
import threading

import pytest

from ansible_collections.fleetops.pbs.tests.support import machine
from ansible_collections.fleetops.pbs.tests.support.ansible_run import run_module
from ansible_collections.fleetops.pbs.tests.support.pbs.store import backup_ids, make_chunk_store

pytestmark = pytest.mark.root


@pytest.fixture
def store(chunk_store):
    store = chunk_store(prefixes=4, chunks=30, zero_chunk=False)
    for path in sorted(store.chunks.glob("*/*"))[:10]:
        os.chown(path, 0, 0)
    return store


def owners(store):
    return sorted((path.stat().st_uid, path.stat().st_gid) for path in store.chunks.glob("*/*"))


def test_check_do_repeat_repeat_in_check_mode(store):
    before = owners(store)
    args = {"path": str(store.path), "max_paths": 3}
    predicted = run_module("chunk_ownership", args, check=True, diff=True)
    assert owners(store) == before
    done = run_module("chunk_ownership", args, diff=True)
    repeated = run_module("chunk_ownership", args, diff=True)
    predicted_again = run_module("chunk_ownership", args, check=True, diff=True)

    for result in (predicted, done):
        assert result["changed"]
        assert (result["changes"]["total"], result["changes"]["owner"], result["changes"]["mode"]) == (10, 10, 0)
        assert result["changes"]["by_owner"] == [{"uid": 0, "gid": 0, "owner": "root:root", "count": 10}]
        assert len(result["changes"]["paths"]) == 3
        assert result["diff"]["before"].startswith("10 of root:root\n")
        assert result["diff"]["after"].startswith("10 of backup:backup\n")
        assert (result["complete"], result["failures"], result["refused"]) == (True, 0, {})
    assert "10 of 37 files and directories would be changed" in predicted["msg"]
    assert "10 of 37 files and directories were changed" in done["msg"]
    assert owners(store) == [backup_ids()] * 30
    for result in (repeated, predicted_again):
        assert not result["changed"]
        assert result["changes"]["total"] == 0
        assert "diff" not in result
        assert result["msg"] == "Nothing to change among 37 files and directories."


def test_the_oldest_python_of_managed_hosts(store):
    python = machine.python("3.9", "3.10", "3.11")
    result = run_module("chunk_ownership", {"path": str(store.path)}, python=python)
    assert result["changes"]["total"] == 10


def test_a_datastore_by_its_name(store, tmp_path):
    config = tmp_path / "proxmox-backup"
    config.mkdir()
    (config / "datastore.cfg").write_text(f"datastore: tank\n\tpath {store.path}\n")
    args = {"name": "tank", "config_dir": str(config)}
    assert run_module("chunk_ownership", args)["changes"]["total"] == 10


def test_hard_links_are_a_warning(store):
    chunk = sorted(store.chunks.glob("*/*"))[0]
    os.link(chunk, store.path.parent / "elsewhere")
    result = run_module("chunk_ownership", {"path": str(store.path)})
    assert not result.get("failed")
    assert result["refused"] == {"hardlink": 1}
    assert (result["changes"]["total"], chunk.stat().st_uid) == (9, 0)
    assert "second hard link" in str(result["warnings"])


def test_a_run_that_takes_longer_than_the_module_waits(faultfs):
    """The host gets no answer for a while; the result comes with a later question."""
    mount = faultfs()
    store = make_chunk_store(mount.path / "store", prefixes=2, chunks=2, zero_chunk=False)
    vm = store.add_snapshot("vm/100")
    os.chown(vm, 0, 0)
    mount.set("hang:/store/vm")
    release = threading.Timer(7.0, mount.set, ["ok"])
    release.start()
    try:
        result = run_module("chunk_ownership", {"path": str(store.path), "scope": "metadata"})
    finally:
        release.join()
    assert result.get("changed"), result["msg"]
    assert result["changes"]["total"] == 1
    assert not {"started", "finished", "ansible_job_id", "results_file"} & set(result)
    assert "_job" not in result.get("invocation", {}).get("module_args", {})


def test_bad_input_is_no_traceback_for_a_user():
    result = run_module("chunk_ownership", {"path": "tank"})
    assert result["failed"]
    assert "path: 'tank' is not an absolute path" in result["msg"]
    assert "Traceback" not in str(result)
    assert "one of the following is required: path, name" in run_module("chunk_ownership", {})["msg"]
