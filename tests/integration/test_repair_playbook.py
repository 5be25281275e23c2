# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook repair: look, repair what has findings, look again, say what was fixed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.tests.support.ansible_run import HOST, ROOT, run_playbook
from ansible_collections.fleetops.pbs.tests.support.chunk_store import make_chunk_store

pytestmark = pytest.mark.root

LOOK = "fleetops.pbs.repair : Look for wrong owners and modes in every datastore of this host"
MEND = "fleetops.pbs.repair : Give it back to the daemon"


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
    check = more.pop("check", False)
    return run_playbook(ROOT / "playbooks" / "repair.yml", variables=dict(variables, **more), check=check)


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
    (item,) = predicted.result(MEND)["results"]
    assert (item["item"]["name"], item["changed"], item["changes"]["total"]) == ("wrong", True, wrong)

    done = play(host)
    assert done.rc == 0, done.stderr
    (item,) = done.result(MEND)["results"]
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
    assert "would change, more than 1" in str(run.result(MEND))
    assert owners(stores["wrong"]) == before
