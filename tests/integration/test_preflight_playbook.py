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

# The machine that runs the tests is no well-kept server.
WAIVERS = [
    {"control": control, "justification": "the machine of the tests", "until": "2999-12-31"}
    for control in ("PBS-HOST-02", "PBS-MOUNT-02", "PBS-MOUNT-01", "PBS-MOUNT-08")
]
DOWN = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_retries": 0}


@pytest.fixture
def fleet(tmp_path):
    """Run the playbook on hosts that are all this machine, each with its own variables."""

    def play(hosts, check=False, playbook="fleetops.pbs.preflight", limit="", env=None, **variables):
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
        if not isinstance(playbook, str):
            content, playbook = playbook, str(tmp_path / "play.yml")
            Path(playbook).write_text(json.dumps([content]))
        return run_playbook(playbook, inventory=inventory, local=False, check=check, limit=limit, env=env, cwd=tmp_path)

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
    assert run.before == "", "standard output is the callback's"
    assert "bad: 1 of 1 datastores failed" in run.stderr
    failed = {host for host, counts in run.stats.items() if counts["failures"]}
    assert failed == {"bad", "down", "wrong"}
    assert {host for host, counts in run.stats.items() if counts["changed"]} == set()
    # Nobody was skipped over: each host has an answer of its own.
    reasons = {host: run.result(LOOK, host)["msg"] for host in ("bad", "down", "wrong")}
    assert not any(run.result(LOOK, host).get("failed") for host in ("good", "nopbs"))
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
    assert "fail_on_unknown (critical)" in run.result(LOOK, "nas")["msg"]
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
    told = next(result["msg"] for name, result in all_results(run) if name == REPORT and result.get("failed"))
    assert "No datastore was checked on any host" in told
    assert fleet({"one": empty}, preflight_require_datastores=False).rc == 0


def test_a_named_configuration_that_is_not_there_fails_the_host(fleet, whole_store, tmp_path):
    run = fleet({"lost": {}, "good": declare("tank", whole_store().path)})
    assert {host for host, counts in run.stats.items() if counts["failures"]} == {"lost"}
    assert "was named as the configuration directory" in json.dumps(document(tmp_path / "results", "lost"))


# --- a part of the fleet, and hosts that do not go together -------------------------------------------------------------


def report_of(tmp_path):
    """The hosts of the report by name: state, whether it was asked in an earlier run only."""
    report = json.loads((tmp_path / "results/report/report.json").read_text())
    return {row["host"]: (row["state"], row["earlier"]) for row in report["hosts"]}


def reports_written(run):
    return [result for name, result in all_results(run) if name == REPORT and "paths" in result]


def role(**play):
    return {
        "hosts": "all",
        "gather_facts": False,
        "roles": [{"role": "fleetops.pbs.preflight", **play.pop("when_", {})}],
        **play,
    }


def test_with_a_limit_the_report_is_still_of_the_fleet(fleet, whole_store, tmp_path):
    good, bad = whole_store(), whole_store()
    os.chown(bad.zero_chunk, 0, 0)
    hosts = {"good": declare("tank", good.path), "bad": declare("tank", bad.path), "down": DOWN, "new": {}}
    atime = {"preflight_controls": ["PBS-ATIME-01", "PBS-ATIME-03"], "preflight_scope": "none"}
    fleet(hosts, limit="good,bad,down", **atime)
    assert report_of(tmp_path) == {
        "good": ("ok", False),
        "bad": ("fail", False),
        "down": ("unknown", False),
        "new": ("not_asked", True),
    }
    run = fleet(hosts, limit="good", **atime)
    assert run.rc == 0, "what is known of other hosts does not fail this run"
    assert report_of(tmp_path) == {
        "good": ("ok", False),
        "bad": ("fail", True),
        "down": ("unknown", True),
        "new": ("not_asked", True),
    }
    (written,) = reports_written(run)
    assert "1 of them was not asked in this run, last seen" in " ".join(written["table"].split())
    assert (tmp_path / "results/bad.json").exists()


def test_a_condition_that_leaves_out_the_first_host_does_not_leave_out_the_report(fleet, whole_store, tmp_path):
    store = whole_store()
    hosts = {"first": DOWN, "second": declare("tank", store.path), "third": DOWN}
    only = role(when_={"when": "inventory_hostname == 'second'"})
    run = fleet(hosts, playbook=only, preflight_controls=["PBS-ATIME-01"], preflight_scope="none")
    assert run.rc == 0
    assert report_of(tmp_path) == {"first": ("not_asked", True), "second": ("ok", False), "third": ("not_asked", True)}
    assert len(reports_written(run)) == 1


@pytest.mark.parametrize("play", [{"serial": 1}, {"strategy": "free"}, {"strategy": "host_pinned"}, {}], ids=str)
def test_there_is_one_report_of_all_hosts_however_they_are_asked(fleet, whole_store, tmp_path, play):
    store = whole_store()
    hosts = {name: declare("tank", store.path) for name in ("one", "two", "three")}
    run = fleet(hosts, playbook=role(**play), preflight_scope="none", preflight_controls=["PBS-ATIME-01"])
    assert run.rc == 0
    assert report_of(tmp_path) == dict.fromkeys(hosts, ("ok", False))
    assert len(reports_written(run)) == 1


def test_where_the_play_ends_early_the_report_says_who_was_not_asked(fleet, whole_store, tmp_path):
    store = whole_store()
    hosts = {"one": declare("tank", store.path), "two": DOWN, "three": declare("tank", store.path)}
    run = fleet(hosts, playbook=role(serial=1), preflight_scope="none", preflight_controls=["PBS-ATIME-01"])
    assert run.rc == 2
    assert report_of(tmp_path) == {"one": ("ok", False), "two": ("unknown", False), "three": ("not_asked", True)}


def test_there_is_a_report_though_no_host_can_be_reached(fleet, tmp_path):
    run = fleet({"one": DOWN, "two": DOWN})
    assert run.rc == 2
    assert report_of(tmp_path) == {"one": ("unknown", False), "two": ("unknown", False)}
    assert {host: counts["failures"] for host, counts in run.stats.items()} == {"one": 1, "two": 1}


# --- wrong arguments ----------------------------------------------------------------------------------------------------

WRONG = [
    ({"preflight_controls": ["PBS-ATIM-01"]}, "perhaps 'PBS-ATIME-01'"),
    ({"preflight_fail_on": "hihg"}, "perhaps 'high'"),
    ({"preflight_policy": {"gc_max_age": 3}}, "perhaps 'gc_max_age_days'"),
    ({"preflight_policy": {"severity": {"pbs-host-1": "low"}}}, "perhaps 'PBS-HOST-01'"),
    ({"preflight_waivers": [{"control": "PBS-HOST-2", "justification": "x", "until": "2999-01-01"}]}, "'PBS-HOST-02'"),
    ({"preflight_report_formats": ["report.htm"]}, "perhaps 'report.html'"),
    ({"preflight_deadline": "soon"}, "preflight_deadline: 'soon' is not of type float."),
    ({"pbs_datastores": [{"name": "tank", "path": "relative"}]}, "'relative' is not an absolute path"),
]


@pytest.mark.parametrize(("wrong", "told"), WRONG, ids=[next(iter(wrong)) for wrong, _told in WRONG])
def test_wrong_arguments_are_found_first_and_write_nothing(fleet, tmp_path, wrong, told):
    (tmp_path / "results/report").mkdir(parents=True)
    kept = [tmp_path / "results" / name for name in ("one.json", "report/report.json", "report/status.txt")]
    for path in kept:
        path.write_text("as it was")
    # A declaration is wrong for all hosts here; for one of them it fails only that host, see below.
    first = wrong if "pbs_datastores" in wrong else {}
    run = fleet({"one": {**DOWN, **first}, "two": {**DOWN, **wrong}})
    assert run.rc == 2
    (first,) = [result["msg"] for name, result in all_results(run) if result.get("failed")]
    assert told in first
    assert not any(name == LOOK for name, _result in all_results(run)), "nobody was asked"
    assert {path.read_text() for path in kept} == {"as it was"}
    assert sorted(path.name for path in (tmp_path / "results/report").iterdir()) == ["report.json", "status.txt"]


def test_a_wrong_declaration_of_one_host_keeps_what_is_known_of_it(fleet, whole_store, tmp_path):
    hosts = {"good": declare("tank", whole_store().path), "wrong": declare("tank", "relative")}
    (tmp_path / "results").mkdir()
    (tmp_path / "results/wrong.json").write_text("as it was")
    run = fleet(hosts)
    assert {host for host, counts in run.stats.items() if counts["failures"]} == {"wrong"}
    assert (tmp_path / "results/wrong.json").read_text() == "as it was"
