# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action, role and playbook as they are used; that what is documented is what there is."""

from __future__ import annotations

import ast
import getpass
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.report import FORMATS
from ansible_collections.fleetops.pbs.tests.support import ansible_run, documents, reports

ROOT = Path(__file__).resolve().parents[4]


def report(**args: Any) -> dict[str, Any]:
    return ansible_run.run_module("report", args)


def playbook(tmp_path: Path, **variables: Any) -> ansible_run.Run:
    return ansible_run.run_playbook(
        ROOT / "playbooks/report.yml", inventory="localhost,", variables=variables, cwd=tmp_path
    )


def result(run: ansible_run.Run) -> dict[str, Any]:
    return next(
        found for name, found in run.results("localhost") if name.endswith("Write the report on the controller")
    )


def test_all_formats_by_default(tmp_path: Path) -> None:
    documents.write(tmp_path / "results", [documents.document(number) for number in (1, 2, 3)])
    told = report(
        documents=[str(tmp_path / "results")],
        dest=str(tmp_path / "out"),
        hosts={"pbs1": "", "pbs2": None, "pbs3": {"summary": {}}, "pbs4": {"unreachable": True, "msg": "no route"}},
    )
    assert told["changed"] is True
    assert sorted(told["paths"]) == sorted(FORMATS)
    for path in told["paths"].values():
        reports.check(Path(path))
    assert told["totals"]["hosts"] == 4
    assert told["totals"]["hosts_without_document"] == 1
    assert "pbs4" in told["unsafe"]
    assert told["status"]["line"].startswith(str(told["status"]["code"]))
    assert told["history"] == str(tmp_path / "out/history.sqlite")
    assert Path(told["history"]).exists()
    assert "pbs4" in told["table"]
    assert Path(told["paths"]["report.html"]).stat().st_mode & 0o777 == 0o640
    assert Path(told["paths"]["metrics.prom"]).stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"dest": "out", "formats": ["report.pdf"]}, "report.pdf"),
        ({"dest": "out", "fail_on": "bad"}, "fail_on"),
        ({}, "dest"),
        ({"dest": "out", "unknown_option": 1}, "unknown_option"),
        ({"dest": "out", "history_days": -1}, "history_days: must be 0"),
        (
            {"dest": "out", "waivers": [{"control": "PBS-NO-01", "justification": "x", "until": "2027-01-01"}]},
            "control 'PBS-NO-01' does not exist",
        ),
        (
            {"dest": "out", "waivers": [{"control": "PBS-ATIME-01", "justification": "x", "until": "soon"}]},
            "waivers[0].until: 'soon' is not a date",
        ),
        ({"dest": "/proc/nothing/here"}, "the directory '/proc/nothing/here' cannot be made"),
    ],
)
def test_wrong_options_are_reported_with_a_message(args: dict[str, Any], message: str) -> None:
    told = report(**args)
    assert told["failed"]
    assert message in told["msg"]
    assert "Traceback" not in json.dumps(told)


def test_check_mode_writes_nothing_and_reports_everything(tmp_path: Path) -> None:
    documents.write(tmp_path / "results", [documents.document(1)])
    told = ansible_run.run_module(
        "report", {"documents": [str(tmp_path / "results")], "dest": str(tmp_path / "out")}, check=True
    )
    assert told["totals"]["hosts"] == 1
    assert not (tmp_path / "out").exists()


def test_the_playbook_needs_no_variable(tmp_path: Path) -> None:
    documents.write(tmp_path / "results", [documents.document(1)])
    first = playbook(tmp_path)
    assert first.rc == 0
    assert result(first)["changed"] is True
    assert (tmp_path / "results/report/report.html").exists()
    again = playbook(tmp_path)
    assert result(again)["changed"] is False
    assert result(again)["totals"] == result(first)["totals"]


def test_the_playbook_merges_slices(tmp_path: Path) -> None:
    for name, numbers in (("eu", (1, 2)), ("us", (3,))):
        documents.write(tmp_path / name, [documents.document(number) for number in numbers])
    run = playbook(tmp_path, report_merge="eu,us", report_dest="fleet", report_formats="report.json", report_history="")
    assert run.rc == 0
    assert result(run)["totals"]["hosts"] == 3
    assert result(run)["left_out"] == []
    assert [path.name for path in (tmp_path / "fleet").iterdir()] == ["report.json"]


def test_the_report_says_who_made_it_of_what(tmp_path: Path) -> None:
    documents.write(tmp_path / "results", [documents.document(1)])
    run = playbook(tmp_path, report_name="eu")
    assert run.rc == 0
    report = json.loads((tmp_path / "results/report/report.json").read_text())
    (caller,) = report["runs"]
    assert caller["operator"] == os.environ.get("SUDO_USER", getpass.getuser())
    assert caller["inventory"] == ["localhost,"]
    assert caller["limit"] == ""
    assert caller["check_mode"] is False
    assert 'report="eu"' in (tmp_path / "results/report/metrics.prom").read_text()
    assert "<title>Preflight report: eu</title>" in (tmp_path / "results/report/report.html").read_text()


def test_with_nothing_at_all_it_says_so(tmp_path: Path) -> None:
    run = playbook(tmp_path)
    assert run.rc == 0
    assert result(run)["msg"] == "0 hosts: no documents"
    assert result(run)["status"]["code"] == 3


# --- documentation ----------------------------------------------------------------------------------------------------


def documentation() -> dict[str, Any]:
    tree = ast.parse((ROOT / "plugins/modules/report.py").read_text())
    texts = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    return {name: yaml.safe_load(text) for name, text in texts.items()}


def test_the_documentation_knows_every_option(tmp_path: Path) -> None:
    """Nothing outside of the action can list its options; so every documented option is given, with its default."""
    options = documentation()["DOCUMENTATION"]["options"]
    given = {name: option["default"] for name, option in options.items() if "default" in option}
    told = report(**given, dest=str(tmp_path / "out"), history="")
    assert not told.get("failed"), told
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FORMATS)
    assert options["formats"]["choices"] == options["formats"]["default"] == list(FORMATS)


def test_the_documentation_knows_every_result(tmp_path: Path) -> None:
    told = report(dest=str(tmp_path / "out"))
    assert set(documentation()["RETURN"]) == set(told) - {"changed", "action", "_ansible_no_log"}


def test_the_specification_of_the_role_is_its_defaults() -> None:
    role = ROOT / "roles/report"
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text())
    options = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    assert {name: option["default"] for name, option in options.items()} == defaults
    readme = (role / "README.md").read_text()
    assert all(f"| `{name}` |" in readme for name in defaults)
