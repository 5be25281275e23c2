# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook preflight on a small fleet: every host is checked, documents are written, then unsafe hosts fail."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.tests.support import ansible_run
from ansible_collections.fleetops.pbs.tests.support.ansible_run import run_playbook
from ansible_collections.fleetops.pbs.tests.support.findings import finding, valid

pytestmark = pytest.mark.root

LOOK = "fleetops.pbs.preflight : Check every datastore of this host"
REPORT = "fleetops.pbs.preflight : Write the report"
FAIL = "fleetops.pbs.preflight : Fail the hosts that are not safe"

# The machine that runs the tests is no well-kept server.
WAIVERS = [
    {"control": control, "justification": "the machine of the tests", "until": "2999-12-31"}
    for control in ("PBS-HOST-02", "PBS-MOUNT-02", "PBS-MOUNT-01", "PBS-MOUNT-08")
]
DOWN = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_retries": 0}


@pytest.fixture
def fleet(tmp_path):
    """Run the playbook on hosts that are all this machine, each with its own variables."""

    def play(hosts, check=False, **variables):
        everybody = {
            "ansible_connection": "local",
            "ansible_python_interpreter": str(ansible_run.managed_python),
            "preflight_config_dir": str(tmp_path / "none"),
            "preflight_waivers": WAIVERS,
            "preflight_scope": "skeleton",
            **variables,
        }
        inventory = tmp_path / "inventory.json"
        inventory.write_text(json.dumps({"all": {"vars": everybody, "hosts": hosts}}))
        return run_playbook("fleetops.pbs.preflight", inventory=inventory, local=False, check=check, cwd=tmp_path)

    return play


def declare(name, path):
    return {"pbs_datastores": [{"name": name, "path": os.fspath(path)}]}


def all_results(run):
    for host in run.stats:
        yield from run.results(host)


def document(directory, host):
    return valid(json.loads(Path(directory, f"{host}.json").read_text()))


def test_everybody_is_looked_at_and_only_the_unsafe_fail(fleet, whole_store, tmp_path):
    good, bad = whole_store(), whole_store()
    os.chown(bad.zero_chunk, 0, 0)
    run = fleet(
        {
            "good": declare("tank", good.path),
            "bad": declare("tank", bad.path),
            "nopbs": {"preflight_config_dir": "/etc/proxmox-backup"},
            "down": DOWN,
            "wrong": declare("tank", "not/absolute"),
        }
    )
    assert run.rc == 2
    failed = {host for host, counts in run.stats.items() if counts["failures"]}
    assert failed == {"bad", "down", "wrong"}
    assert {host for host, counts in run.stats.items() if counts["changed"]} == set()
    # Nobody was skipped over: each host has an answer of its own.
    reasons = {host: run.result(FAIL, host)["msg"] for host in ("bad", "down", "wrong")}
    assert not any(name == FAIL for host in ("good", "nopbs") for name, _result in run.results(host))
    assert "worst: critical" in reasons["bad"]
    assert "Unreachable" in reasons["down"]
    assert "'not/absolute' is not an absolute path" in reasons["wrong"]
    assert run.result(LOOK, "nopbs")["msg"].startswith("No Proxmox Backup Server was found")
    results = tmp_path / "results"
    report = next(result for name, result in all_results(run) if name == REPORT)
    assert (report["totals"]["hosts"], report["totals"]["hosts_without_document"]) == (5, 2)
    assert sorted(report["unsafe"]) == ["bad", "down", "wrong"]
    assert (results / "report/report.html").exists()
    assert sorted(path.name for path in results.glob("*.json")) == ["bad.json", "good.json", "nopbs.json"]
    assert finding(document(results, "bad"), "PBS-ATIME-03", "tank")["status"] == "fail"
    assert finding(document(results, "good"), "PBS-ATIME-03", "tank")["status"] == "pass"


@pytest.mark.parametrize(
    ("variables", "rc"),
    [
        ({"preflight_fail_on": "critical"}, 2),
        ({"preflight_fail_on": "never"}, 0),
        ({"preflight_controls": ["PBS-ATIME-01"]}, 0),
        ({"preflight_policy": {"severity": {"PBS-ATIME-03": "low"}}}, 0),
        ({"preflight_policy": {"severity": {"PBS-ATIME-03": "low"}}, "preflight_fail_on": "low"}, 2),
    ],
)
def test_from_which_severity_on_a_host_fails(fleet, whole_store, variables, rc):
    store = whole_store()
    os.chown(store.zero_chunk, 0, 0)
    assert fleet({"bad": declare("tank", store.path)}, **variables).rc == rc


def test_what_is_not_known_is_not_safe(fleet, faultfs):
    mount = faultfs()
    (mount.path / "dead").mkdir()
    mount.set("hang:/")
    hosts = {"nas": declare("dead", mount.path / "dead")}
    run = fleet(hosts, preflight_deadline=1)
    assert run.rc == 2
    assert "preflight_fail_on_unknown (critical)" in run.result(FAIL, "nas")["msg"]
    assert fleet(hosts, preflight_deadline=1, preflight_fail_on_unknown="never").rc == 0


def test_check_mode_reports_and_does_not_fail_for_what_it_could_not_try(fleet, whole_store, tmp_path):
    run = fleet({"good": declare("tank", whole_store().path)}, check=True)
    assert run.rc == 0
    found = document(tmp_path / "results", "good")
    assert found["check_mode"] is True
    assert finding(found, "PBS-ATIME-01", "tank")["status"] == "unknown"


def test_a_document_of_an_earlier_run_does_not_pass_for_an_answer_of_this_one(fleet, tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results/down.json").write_text("{}")
    fleet({"down": DOWN})
    assert not (tmp_path / "results/down.json").exists()


def test_a_variable_without_sense_is_named(fleet):
    run = fleet({"good": {}}, preflight_fail_on="sometimes")
    assert run.rc == 2
    (_name, result) = next(iter(run.results("good")))
    assert "preflight_fail_on" in json.dumps(result)
    assert "sometimes" in json.dumps(result)


def test_a_host_name_cannot_lead_out_of_the_results(fleet, tmp_path):
    fleet({"../escape": {}})
    assert not (tmp_path / "escape.json").exists()
    assert [path.name for path in (tmp_path / "results").glob("*.json")] == ["%2E.%2Fescape.json"]


def test_a_run_that_looks_at_no_datastore_is_no_success(fleet, tmp_path):
    (tmp_path / "etc").mkdir()
    empty = {"preflight_config_dir": str(tmp_path / "etc"), "preflight_fail_on": "never"}
    run = fleet({"one": empty, "two": empty})
    assert run.rc == 2
    told = run.result(FAIL, "one")["msg"]
    assert "No datastore was checked on any host" in told
    assert fleet({"one": empty}, preflight_require_datastores=False).rc == 0


def test_a_named_configuration_that_is_not_there_fails_the_host(fleet, whole_store):
    run = fleet({"lost": {}, "good": declare("tank", whole_store().path)})
    assert {host for host, counts in run.stats.items() if counts["failures"]} == {"lost"}
    assert "was named as the configuration directory" in run.result(FAIL, "lost")["msg"]
