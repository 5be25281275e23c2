# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action around the module: whose document it is that gets written."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.fleetops.pbs.plugins.action.preflight import ActionModule
from ansible_collections.fleetops.pbs.tests.support import documents


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the action with a module that answers as given."""

    def act(answer, variables=(), **args):
        variables = dict(variables)
        task = SimpleNamespace(
            args={"dest": str(tmp_path / "results"), **args}, async_val=0, check_mode=False, action="x", diff=False
        )
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/none"))
        action = ActionModule(task, connection, SimpleNamespace(), None, None, None)
        monkeypatch.setattr(ActionModule, "run_long", lambda *_args: answer)
        monkeypatch.setattr(action, "_remove_tmp_path", lambda *_args, **_kwargs: None, raising=False)
        return action.run(None, {"inventory_hostname": "pbs1", **variables})

    return act


def answer(host):
    return {"document": documents.whole(host, [], [], documents.START), "msg": "all is well"}


@pytest.mark.parametrize("claimed", ["pbs1", "pbs2", "../pbs2"])
def test_a_host_cannot_write_in_the_name_of_another(run, tmp_path, claimed):
    result = run(answer(claimed))
    assert result["dest"] == str(tmp_path / "results/pbs1.json")
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["pbs1.json"]
    assert json.loads((tmp_path / "results/pbs1.json").read_text(encoding="utf-8"))["host"] == "pbs1"


def test_a_misspelt_variable_is_a_warning(run):
    result = run(answer("pbs1"), variables={"preflight_failon": "high", "pbs_datastores": []})
    assert result["warnings"] == [
        "The variable 'preflight_failon' has no effect: no role of fleetops.pbs has it. Is it 'preflight_fail_on'?"
    ]
    assert "warnings" not in run(answer("pbs1"))


def test_an_answer_without_a_document_is_handed_on_as_it_is(run, tmp_path):
    result = run({"failed": True, "msg": "no room", "module_stderr": "sh: 1: cannot create temp file\n"})
    assert result["msg"] == "no room: sh: 1: cannot create temp file"
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("document", ["text", [1], {"schema": "other"}, dict(documents.document(1), findings=[{}])])
def test_an_answer_that_is_no_document_is_a_failure_in_words(run, tmp_path, document):
    result = run({"document": document, "msg": "all is well"})
    assert result["failed"]
    assert result["msg"].startswith("The host's answer is not a document of this collection: ")
    assert not (tmp_path / "results/pbs1.json").exists()


EXTRA = {
    "ansible_facts": {
        "preflight_report_dest": "/tmp/elsewhere",
        "preflight_report_formats": [],
        "preflight_fail_on": "never",
    },
    "add_host": {"host_name": "x"},
    "deprecations": [{"msg": "\x1b[2J", "version": "9"}],
    "exception": "\x1b[2J",
    "unreachable": True,
    "skipped": True,
    "_ansible_no_log": True,
    "dest": "/tmp/elsewhere",
    "report": "x",
}


@pytest.mark.parametrize("key", EXTRA)
def test_nothing_but_what_the_module_documents_is_taken_from_a_host(run, key):
    usual = run(answer("pbs1"))
    assert run({**answer("pbs1"), key: EXTRA[key]}) == usual
    assert key not in run({"failed": True, "msg": "no", key: EXTRA[key]})


@pytest.mark.parametrize("claimed", [{"worst": "bogus"}, {"worst": None}, None, "text", {}, {"worst": ["critical"]}])
def test_summary_and_headline_are_those_of_the_findings(run, claimed):
    finding = documents.finding("PBS-ATIME-01", "tank", "fail", severity="critical")
    document = documents.whole("pbs1", ["tank"], [finding], documents.START)
    document["summary"] = claimed
    result = run({"document": document, "summary": claimed, "msg": "\x1b[2Jall is well", "failed": False})
    counts = result["summary"]
    assert isinstance(counts, dict)
    assert (counts.get("fail"), counts.get("worst")) == (1, "critical")
    assert result["msg"].startswith("1 of 1 datastores failed a control (worst: critical)")
    written = json.loads(Path(result["dest"]).read_text(encoding="utf-8"))
    assert written["summary"] == result["summary"]


def test_without_a_walk_there_is_nothing_to_be_asked_for_later(run, monkeypatch):
    asked = []
    monkeypatch.setattr(ActionModule, "_execute_module", lambda _self, **how: asked.append(how) or answer("pbs1"))
    assert run({"failed": True, "msg": "as a long run"}, scope="none")["msg"].startswith("No Proxmox")
    (how,) = asked
    assert "_job" not in how["module_args"]
    assert how["wrap_async"] is False
    assert run({"failed": True, "msg": "as a long run"}, scope="full")["msg"] == "as a long run"
