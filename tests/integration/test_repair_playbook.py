# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook repair: look, repair what has findings, look again, say what was fixed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.tests.support.ansible_run import HOST, ROOT, run_playbook
from ansible_collections.fleetops.pbs.tests.support.pbs.store import make_chunk_store

pytestmark = pytest.mark.root

LOOK = "fleetops.pbs.repair : Find wrong owners and modes in every datastore of this host"
FAIL = "Fail the hosts that could not be repaired"
REPAIR = "fleetops.pbs.repair : Repair the datastores with findings"


@pytest.fixture
def host(tmpfs, tmp_path):
    """Two datastores, one of them partly root's, and the configuration that names them."""
    base = tmpfs()
    stores = {name: make_chunk_store(base / name, prefixes=4, chunks=12) for name in ("good", "wrong")}
    for path in sorted(stores["wrong"].chunks.glob("*/*"))[:5]:
        os.chown(path, 0, 0)
    os.chown(stores["wrong"].zero_chunk, 0, 0)
    config = tmp_path / "proxmox-backup"
    config.mkdir()
    sections = [f"datastore: {name}\n\tpath {store.path}\n" for name, store in stores.items()]
    (config / "datastore.cfg").write_text("\n".join(sections))
    return stores, config, tmp_path / "results"


def play(host, **more):
    _stores, config, results = host
    directories = {"config_dir": str(config), "state_dir": str(config), "run_dir": str(config)}
    variables = {f"{role}_{name}": value for role in ("repair", "preflight") for name, value in directories.items()}
    variables.update(preflight_results=str(results), preflight_fail_on="never", preflight_fail_on_unknown="never")
    variables.update(preflight_report_formats=["report.json"])
    how = {name: more.pop(name) for name in ("check", "inventory", "local") if name in more}
    return run_playbook(ROOT / "playbooks" / "repair.yml", variables=dict(variables, **more), **how)


def owners(store):
    return sorted({(path.stat().st_uid, path.stat().st_gid) for path in store.path.rglob("*")})


def statuses(results):
    document = json.loads(Path(results, f"{HOST}.json").read_text())
    return {(finding["control"], finding["datastore"]): finding["status"] for finding in document["findings"]}


def test_check_do_repeat(host):
    stores, _config, results = host
    before = owners(stores["wrong"])
    wrong = sum(path.stat().st_uid == 0 for path in stores["wrong"].chunks.glob("*/*"))
    assert wrong in (5, 6)
    predicted = play(host, check=True)
    assert owners(stores["wrong"]) == before
    assert not results.exists()
    (item,) = predicted.result(REPAIR)["results"]
    assert (item["item"]["name"], item["changed"], item["changes"]["total"]) == ("wrong", True, wrong)

    done = play(host)
    assert done.rc == 0, done.stderr
    (item,) = done.result(REPAIR)["results"]
    assert (item["item"]["name"], item["changed"]) == ("wrong", True)
    assert owners(stores["wrong"]) == owners(stores["good"])
    found = statuses(results)
    assert found["PBS-OWNER-03", "wrong"] == "fixed"
    assert found["PBS-ATIME-03", "wrong"] == "fixed"
    assert found["PBS-OWNER-03", "good"] == "pass"

    repeated = play(host)
    assert repeated.rc == 0, repeated.stderr
    assert repeated.stats[HOST]["changed"] == 0
    assert statuses(results)["PBS-OWNER-03", "wrong"] == "pass"


def test_more_changes_than_allowed_fail_the_host_and_change_nothing(host):
    stores, _config, _results = host
    before = owners(stores["wrong"])
    run = play(host, repair_max_changes=1)
    assert run.rc != 0
    assert "would change, more than 1" in str(run.result(REPAIR))
    assert owners(stores["wrong"]) == before


def test_what_cannot_be_repaired_does_not_hide_what_was(host):
    """One datastore is refused; the other one is repaired, both are looked at again, and the host fails in the end."""
    stores, _config, results = host
    wrong = owners(stores["wrong"])
    os.chown(stores["good"].zero_chunk, 0, 0)
    run = play(host, repair_max_changes=1)
    assert run.rc == 2
    assert owners(stores["wrong"]) == wrong
    found = statuses(results)
    assert found["PBS-ATIME-03", "good"] == "fixed"
    assert found["PBS-ATIME-03", "wrong"] == "fail"
    assert (results / "report/report.json").exists()
    assert run.result(FAIL)["msg"].startswith("wrong: max_changes: ")
    assert "good: " not in run.result(FAIL)["msg"]


def test_a_host_that_cannot_be_looked_at_is_a_row_of_the_report(host, tmp_path):
    _stores, _config, results = host
    inventory = tmp_path / "hosts.yml"
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    away = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    inventory.write_text(json.dumps({"all": {"hosts": {HOST: here, "away": away}}}))
    run = play(host, inventory=inventory, local=False)
    assert statuses(results)["PBS-OWNER-03", "wrong"] == "fixed"
    report = json.loads((results / "report/report.json").read_text())
    (row,) = [row for row in report["hosts"] if row["host"] == "away"]
    assert "127.0.0.1 port 1" in str(row)
    assert run.rc != 0


def test_the_second_look_is_made_as_the_repair_was(host):
    """With nothing said to the preflight: the directories are the repair's, and so is the user."""
    _stores, config, results = host
    variables = {f"repair_{name}": str(config) for name in ("config_dir", "state_dir", "run_dir")}
    variables.update(repair_user="daemon", repair_group="daemon")
    variables.update(preflight_results=str(results), preflight_fail_on="never", preflight_fail_on_unknown="never")
    run = run_playbook(ROOT / "playbooks" / "repair.yml", variables=dict(variables, preflight_report_formats=[]))
    assert run.rc == 0, run.stderr
    found = statuses(results)
    assert (found["PBS-OWNER-03", "wrong"], found["PBS-OWNER-03", "good"]) == ("fixed", "fixed")
