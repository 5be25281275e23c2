# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the programs that read a report demand beyond the standards of their formats."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.documents import Run
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats import oscal, report_csv, sarif
from ansible_collections.fleetops.pbs.tests.support import documents, reports

COMMANDS = ["mount -o remount,rw /mnt/datastore/tank", "chown -h backup:backup '/mnt/a b/.chunks'"]


def told(status: str = "fail", **other: Any) -> dict[str, Any]:
    return documents.finding("PBS-ATIME-01", "tank", status, severity="critical", **other)


def one(tmp_path: Path, *findings: dict[str, Any], host: str = "pbs1", **options: Any) -> dict[str, Path]:
    stores = list(dict.fromkeys(item["datastore"] for item in findings if item["datastore"]))
    documents.write(tmp_path / "in", [documents.whole(host, stores, list(findings), documents.START)])
    report = reports.report(tmp_path / "out", tmp_path / "in", **options)
    for path in report.paths.values():
        reports.check(Path(path))
    return {name: Path(path) for name, path in report.paths.items()}


def the_run(path: Path) -> dict[str, Any]:
    (run,) = json.loads(path.read_text())["runs"]
    return dict(run)


# --- commands ---------------------------------------------------------------------------------------------------------


def test_commands_are_in_every_format_for_people_and_programs(tmp_path: Path) -> None:
    paths = one(tmp_path, told(remedy="Remount it.", commands=COMMANDS))
    with paths["report.csv"].open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row["commands"].splitlines() == COMMANDS
    (result,) = the_run(paths["report.sarif"])["results"]
    assert result["properties"]["commands"] == COMMANDS
    assert all(command in result["message"]["text"] for command in COMMANDS)
    failure = ElementTree.parse(paths["junit.xml"]).find(".//failure")
    assert failure is not None
    assert [line for line in (failure.text or "").splitlines() if line.startswith("Run: ")] == [
        f"Run: {command}" for command in COMMANDS
    ]
    (document,) = json.loads(paths["report.json"].read_text())["documents"]
    assert document["findings"][0]["commands"] == COMMANDS
    assert (
        COMMANDS[1]
        in json.loads(paths["oscal.json"].read_text())["assessment-results"]["results"][0]["observations"][0]["remarks"]
    )
    _fleet, ((item,),) = reports.page_data(paths["report.html"])
    assert item["commands"] == COMMANDS
    summary = paths["summary.md"].read_text()
    assert all(f"`{command}`" in summary for command in COMMANDS)


def test_a_document_without_commands_is_as_good(tmp_path: Path) -> None:
    paths = one(tmp_path, told(remedy="Remount it."))
    (result,) = the_run(paths["report.sarif"])["results"]
    assert result["properties"]["commands"] == []


@pytest.mark.parametrize("commands", ["true", [1], {"a": "b"}, [None]])
def test_commands_that_are_none_make_no_document(commands: Any, tmp_path: Path) -> None:
    documents.write(tmp_path, [documents.whole("pbs1", ["tank"], [told(commands=commands)], documents.START)])
    report = reports.report(tmp_path / "out", tmp_path, formats=["status.txt"])
    ((_path, reason),) = report.fleet.left_out
    assert reason == "findings[0]: 'commands' is no list of texts"


# --- CSV --------------------------------------------------------------------------------------------------------------


def test_every_reader_takes_the_longest_cells(tmp_path: Path) -> None:
    """Python's own reader gives up the whole file at a field of 128 KiB; a spreadsheet cuts one at 32,767 characters."""
    long = "x" * 200_000
    evidence = {"paths": ["/a" * 50] * 3000}
    paths = one(tmp_path, told(message=long, remedy=long, commands=[long], evidence=evidence), told(message="short"))
    with paths["report.csv"].open(newline="") as stream:
        rows = list(csv.DictReader(stream, strict=True))
    assert [row["status"] for row in rows] == ["fail", "fail"]
    assert max(len(value) for row in rows for value in row.values()) <= 32_767
    assert rows[0]["message"].endswith("… (168,000 more characters, see report.json)")
    assert json.loads(rows[0]["evidence"]) == {"left_out": "309,011 characters, see report.json"}
    assert json.loads(report_csv.evidence_cell('{"a":1}')) == {"a": 1}


# --- SARIF ------------------------------------------------------------------------------------------------------------


def test_code_scanning_has_a_place_for_every_result(tmp_path: Path) -> None:
    """GitHub refuses a file in which a result has no physicalLocation; a fingerprint keeps an alert the same."""
    host = documents.finding("PBS-HOST-02", None, "unknown", severity="high")
    run = the_run(one(tmp_path, told(), host, host="pbs18")["report.sarif"])
    places = [
        location["physicalLocation"]["artifactLocation"]["uri"]
        for result in run["results"]
        for location in result["locations"]
    ]
    assert places == ["pbs18/tank", "pbs18/%28host%29"]
    for result in run["results"]:
        assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 1}
        assert re.fullmatch(r"[0-9a-f]{64}", result["partialFingerprints"]["primaryLocationLineHash"])


@pytest.mark.parametrize(
    ("host", "store"), [("../../etc", "passwd"), ("http://a", "b c"), ("..", "."), ("a/b", "ä"), ("a?b#c", "%2e")]
)
def test_a_place_is_a_relative_path_of_two_parts(host: str, store: str, tmp_path: Path) -> None:
    finding = documents.finding("PBS-ATIME-01", store, "fail")
    (tmp_path / "in").mkdir()
    document = documents.whole(host, [store], [finding], documents.START)
    (tmp_path / "in" / "x.json").write_text(json.dumps(document))
    report = reports.report(tmp_path / "out", tmp_path / "in", formats=["report.sarif"])
    (result,) = the_run(Path(report.paths["report.sarif"]))["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert re.fullmatch(r"[A-Za-z0-9._~%()-]+/[A-Za-z0-9._~%()-]+", uri)
    assert all(part.strip(".") for part in uri.split("/"))


def test_azure_devops_knows_the_run_the_tool_and_the_rules(tmp_path: Path) -> None:
    run = the_run(one(tmp_path, told(), name="eu west")["report.sarif"])
    assert run["automationDetails"]["id"] == "fleetops.pbs/eu%20west/"
    driver = run["tool"]["driver"]
    assert driver["fullName"].startswith(driver["name"])
    assert all(re.fullmatch(r"([A-Z0-9][a-z0-9]*)+", rule["name"]) for rule in driver["rules"])
    assert len({rule["name"] for rule in driver["rules"]}) == len(driver["rules"])


def test_no_more_results_than_github_shows_and_the_worst_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sarif, "MOST", 5)
    found = [
        told("warn"),
        *(documents.finding("PBS-CONF-04", "tank", "fail", severity="low", message=str(n)) for n in range(4)),
        told("unknown"),
        *(told("fail", message=str(n)) for n in range(3)),
    ]
    run = the_run(one(tmp_path, *found)["report.sarif"])
    shown = [(item["properties"]["status"], item["properties"]["severity"]) for item in run["results"]]
    assert shown == [("fail", "critical")] * 3 + [("fail", "low")] * 2
    assert run["properties"]["results_left_out"] == {"fail": 2, "unknown": 1, "warn": 1}
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"] == (
        "Only the worst 5 results are listed; left out are 2 fail, 1 unknown, 1 warn. "
        "report.json and report.csv have all of them."
    )


def test_evidence_without_end_does_not_make_the_file_too_large(tmp_path: Path) -> None:
    (result,) = the_run(one(tmp_path, told(evidence={"a": "x" * 50_000}))["report.sarif"])["results"]
    assert result["properties"]["evidence"] == {"left_out": "50,008 characters, see report.json"}


# --- JUnit ------------------------------------------------------------------------------------------------------------


def test_times_are_those_of_the_document(tmp_path: Path) -> None:
    found = [
        documents.finding("PBS-HOST-01"),
        documents.finding("PBS-OWNER-01", "tank"),
        documents.finding("PBS-OWNER-03", "tank"),
        documents.finding("PBS-ATIME-01", "tank"),
    ]
    document = documents.whole("pbs1", ["tank"], found, documents.START)
    document["datastores"][0]["observed"] = {
        "ownership": {"elapsed_ns": 2_500_000_000},
        "atime": {"probe": {"elapsed_ns": 20_000_000}},
    }
    documents.write(tmp_path / "in", [document])
    path = Path(reports.report(tmp_path / "out", tmp_path / "in", formats=["junit.xml"]).paths["junit.xml"])
    reports.check(path)
    root = ElementTree.parse(path).getroot()
    assert root.get("time") == "4.000"
    assert [suite.get("time") for suite in root] == ["4.000"]
    assert [case.get("time") for case in root.iter("testcase")] == ["0.000", "2.500", "0.000", "0.020"]


@pytest.mark.parametrize("observed", [None, [], {"ownership": 3}, {"ownership": {"elapsed_ns": "x"}}, {"atime": [1]}])
def test_times_that_are_none_do_not_stop_a_report(observed: Any, tmp_path: Path) -> None:
    document = documents.whole("pbs1", ["tank"], [told()], documents.START)
    document["datastores"][0]["observed"] = observed
    documents.write(tmp_path / "in", [document])
    path = Path(reports.report(tmp_path / "out", tmp_path / "in").paths["junit.xml"])
    assert 'time="0.000"' in path.read_text()


# --- OSCAL ------------------------------------------------------------------------------------------------------------


def test_values_of_oscal_are_one_line(tmp_path: Path) -> None:
    assert oscal._text("a\nb\x00c\u2028d\x9f") == "a b c d"
    assert oscal._text(" \n ") == "-"
    paths = one(tmp_path, told(message="a\nb", remedy="c\td"), host="pbs\n1")
    data = json.loads(paths["oscal.json"].read_text())["assessment-results"]
    assert data["metadata"]["oscal-version"] == "1.2.1"

    def texts(value: Any) -> Any:
        if isinstance(value, dict):
            for inner in value.values():
                yield from texts(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from texts(inner)
        elif isinstance(value, str):
            yield value

    assert not [text for text in texts(data) if re.search(r"[\x00-\x1f\x7f-\x9f]", text)]


# --- metrics ----------------------------------------------------------------------------------------------------------


def test_an_unreachable_host_is_worse_than_any_failure(tmp_path: Path) -> None:
    documents.write(tmp_path / "in", [documents.whole("pbs1", ["tank"], [told()], documents.START)])
    report = reports.report(tmp_path / "out", tmp_path / "in", hosts={"pbs1": "", "pbs2": "unreachable"})
    samples = reports.samples(Path(report.paths["metrics.prom"]))
    assert samples["fleetops_pbs_host_worst_severity"] == [({"host": "pbs1"}, 5.0), ({"host": "pbs2"}, 6.0)]
    assert samples["fleetops_pbs_host_info"] == [
        (
            {
                "host": "pbs1",
                "pbs_version": "4.2.0",
                "collection_version": samples["fleetops_pbs_host_info"][0][0]["collection_version"],
            },
            1.0,
        )
    ]


def test_the_last_document_of_an_unreachable_host_is_known(tmp_path: Path) -> None:
    documents.write(tmp_path / "in", [documents.whole("pbs1", ["tank"], [told()], documents.START)])
    report = reports.report(tmp_path / "out", merge=[str(tmp_path / "in")], hosts={"pbs1": "unreachable"})
    samples = reports.samples(Path(report.paths["metrics.prom"]))
    assert samples["fleetops_pbs_host_document_timestamp_seconds"] == [({"host": "pbs1"}, 0.0)]
    assert samples["fleetops_pbs_host_last_seen_timestamp_seconds"] == [({"host": "pbs1"}, documents.START)]


def test_two_reports_with_names_do_not_collide(tmp_path: Path) -> None:
    """What a textfile collector reads is all files of a directory together: no series may be in two of them."""
    documents.write(tmp_path / "in", [documents.document(1)])
    series: list[tuple[str, frozenset[tuple[str, str]]]] = []
    for name in ("eu", 'us "west"'):
        report = reports.report(tmp_path / name, tmp_path / "in", name=name)
        for metric, found in reports.samples(Path(report.paths["metrics.prom"])).items():
            assert all(labels["report"] == name for labels, _value in found), metric
            series += [(metric, frozenset(labels.items())) for labels, _value in found]
    assert len(series) == len(set(series)) > 100


def test_help_texts_are_a_part_of_the_contract(tmp_path: Path) -> None:
    """Two files with different help for one name cannot be read together, so a change of one is a change for users."""
    text = one(tmp_path, told())["metrics.prom"].read_text()
    helps = dict(re.findall(r"^# HELP (\w+) (.*)$", text, re.MULTILINE))
    assert helps["fleetops_pbs_control_status"] == (
        "What a control says: 0 pass, 1 warn, 2 fail, 3 unknown, 4 skip, 5 waived, 6 fixed."
    )
    assert helps["fleetops_pbs_host_worst_severity"] == (
        "The worst severity that failed on a host: 0 none, 1 info, 2 low, 3 medium, 4 high, 5 critical; 6 no document."
    )
    assert set(helps) == set(re.findall(r"^# TYPE (\w+) gauge$", text, re.MULTILINE))


# --- who asked what ---------------------------------------------------------------------------------------------------


def test_a_report_says_who_made_it_and_keeps_it_when_merged(tmp_path: Path) -> None:
    documents.write(tmp_path / "one", [documents.document(1)])
    documents.write(tmp_path / "two", [documents.document(2)])
    eu = Run("anna", ("inventory/eu.yml",), "pbs1*", False)
    us = Run("bert", ("inventory/us.yml", "/etc/more"), "", True)
    slices = [
        reports.report(tmp_path / name, tmp_path / source, run=run).paths["report.json"]
        for name, source, run in (("r1", "one", eu), ("r2", "two", us))
    ]
    report = reports.report(tmp_path / "merged", merge=slices)
    assert report.fleet.runs == [eu, us]
    reports.check(Path(report.paths["report.json"]))
    assert json.loads(Path(report.paths["report.json"]).read_text())["runs"] == [
        {"operator": "anna", "inventory": ["inventory/eu.yml"], "limit": "pbs1*", "check_mode": False},
        {"operator": "bert", "inventory": ["inventory/us.yml", "/etc/more"], "limit": "", "check_mode": True},
    ]
