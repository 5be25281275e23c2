# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet in slices gives the same report as the fleet in one run; ansible-runner carries the slices."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.benchmarks import fleet_slices
from ansible_collections.fleetops.pbs.tests.support.ansible_run import ROOT, run_playbook

HOSTS = ["good", "bad", "nopbs", "other", "down"]


def inventory(directory: Path, whole_store) -> Path:
    def declare(store):
        return {"pbs_datastores": [{"name": "tank", "path": os.fspath(store.path)}]}

    bad = whole_store()
    os.chown(bad.zero_chunk, 0, 0)
    path = directory / "inventory.json"
    everybody = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "preflight_config_dir": str(directory / "none"),
        "preflight_scope": "none",
        "preflight_deadline": 60,
    }
    down = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_retries": 0}
    hosts = {
        "good": declare(whole_store()),
        "bad": declare(bad),
        "nopbs": {},
        "other": declare(whole_store()),
        "down": down,
    }
    path.write_text(json.dumps({"all": {"vars": everybody, "hosts": hosts}}))
    return path


def environment(directory: Path) -> dict[str, str]:
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(directory),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_HOME": str(directory / ".ansible"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
    }


@pytest.mark.root
@pytest.mark.timeout(600)
def test_slices_and_the_whole_give_the_same_report(whole_store, tmp_path):
    hosts = inventory(tmp_path, whole_store)
    whole = run_playbook("fleetops.pbs.preflight", inventory=hosts, local=False, cwd=tmp_path)
    assert whole.rc == 2
    parts = fleet_slices.slices(HOSTS, 2)
    assert sorted(host for part in parts for host in part) == sorted(HOSTS)
    reports = fleet_slices.run(hosts, parts, tmp_path, variables={}, forks=2, environment=environment(tmp_path))
    # What a slice has to say comes back with its artefacts, and nothing is left where it ran.
    documents = {path.stem for report in reports for path in report.parents[1].glob("documents/*.json")}
    assert documents == set(HOSTS) - {"down"}
    merged = fleet_slices.merge(reports, tmp_path / "merged", environment(tmp_path), tmp_path)
    found, expected = fleet_slices.essence(merged), fleet_slices.essence(tmp_path / "results/report/report.json")
    assert found == expected
    assert found["totals"]["hosts"] == len(HOSTS)
    assert found["totals"]["hosts_without_document"] == 1


def test_a_slice_that_brings_nothing_back_is_an_error_in_words(tmp_path):
    nowhere = tmp_path / "inventory.json"
    nowhere.write_text("{}")
    with pytest.raises(fleet_slices.SliceFailed, match="slice1: no report came back"):
        fleet_slices.run(nowhere, [["nobody"]], tmp_path, variables={}, forks=1, environment=environment(tmp_path))


def test_every_host_is_in_one_slice():
    assert fleet_slices.slices(["a", "b", "c", "d", "e"], 2) == [["a", "c", "e"], ["b", "d"]]
