# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one host can say about sizes and times, and what that does to the report of the others: nothing."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report import documents as reader
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report import fleet as fleet_module
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.absence import reason_of
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.documents import NotADocument, checked
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats import sarif
from ansible_collections.fleetops.pbs.tests.support import documents, reports

NOW = documents.START + 3600.0
DAY = 86400.0


def whole(stores: int = 1, findings: list[dict[str, Any]] | None = None, **other: Any) -> dict[str, Any]:
    names = [f"store{number}" for number in range(stores)]
    return {**documents.whole("pbs1", names, findings or [], documents.START), **other}


def finding(number: int = 0, **other: Any) -> dict[str, Any]:
    return {**documents.finding("PBS-ATIME-01", "store0", "fail", severity="critical"), **other}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (whole(reader.MAX_DATASTORES + 1), "513 datastores, more than 512"),
        (
            whole(0, [finding(datastore=f"s{number}") for number in range(reader.MAX_DATASTORES + 1)]),
            "findings of 513 datastores",
        ),
        (whole(1, [finding(commands=["true"] * 65)]), "more than 64 commands"),
        (whole(1, [finding(commands=["x" * 200_000] * 2)]), "more than 262144 characters"),
        (whole(1, [finding()] * (reader.MAX_FINDINGS + 1)), "50001 findings, more than 50000"),
        (whole(1, [finding(control=f"PBS-NEW-{number}") for number in range(17)]), "17 controls that this collection"),
        (whole(1, [finding(message="x" * (reader.MAX_TEXT + 1))]), r"findings\[0\]: a text has more than 262144"),
        (whole(1, [finding(control="x" * (reader.MAX_NAME + 1))]), r"findings\[0\]: a name has more than 1024"),
        (whole(1, [finding(remedy="x" * (reader.MAX_TEXT + 1))]), r"findings\[0\]: a text has more than 262144"),
        (whole(1, [finding(datastore="x" * (reader.MAX_NAME + 1))]), r"findings\[0\]: a name has more than 1024"),
        (whole(finished="0001-01-01T00:00:00.000Z"), "'finished' is no time such as"),
        (whole(datastores=[{"name": "a\n"}, {"name": "a\\x0a"}]), "two datastores have the same name"),
        (whole(1, [finding(control="PBS 1")]), r"findings\[0\]: 'control' is not an id such as PBS-ATIME-01"),
        (whole(1, [finding(control="x" * 65)]), r"findings\[0\]: 'control' is not an id such as PBS-ATIME-01"),
        (whole(pbs_version="x" * (reader.MAX_NAME + 1)), "a version, has more than 1024"),
        (whole(collection_version="x" * (reader.MAX_NAME + 1)), "a version, has more than 1024"),
        (whole(host="x" * (reader.MAX_NAME + 1)), "the name of the host"),
    ],
)
def test_what_a_writer_multiplies_is_bounded(document: dict[str, Any], reason: str) -> None:
    with pytest.raises(NotADocument, match=reason):
        checked(document)


def test_the_reason_of_a_host_that_is_not_reached_is_bounded() -> None:
    """What its SSH server says is part of it."""
    assert len(reason_of({"unreachable": True, "msg": "x" * 5_000_000})) < 2100


def test_as_much_as_a_host_can_have_passes() -> None:
    stores = reader.MAX_DATASTORES
    told = [finding(datastore=f"store{number}") for number in range(stores)]
    told += [finding(control=f"PBS-NEW-{number}") for number in range(reader.MAX_UNKNOWN_CONTROLS)]
    assert checked(whole(stores, told))


def test_many_hosts_with_controls_of_their_own_take_no_columns_from_the_others(tmp_path: Path) -> None:
    """Two honest hosts have a newer collection, and name the same new control."""
    newer = [documents.whole(name, [], [documents.finding("PBS-NEW-01")], documents.START) for name in ("a1", "z1")]
    strange = [
        documents.whole(f"m{host}", [], [documents.finding(f"PBS-M{host}-{n:02}") for n in range(16)], documents.START)
        for host in range(30)
    ]
    documents.write(tmp_path / "documents", [*newer, *strange])
    fleet = reports.report(tmp_path / "out", tmp_path / "documents", now=NOW).fleet
    controls = {control.id for control in fleet.controls}
    assert "PBS-NEW-01" in controls
    assert len(controls - fleet_module._KNOWN_IDS) <= fleet_module.MAX_STRANGE_CONTROLS
    hosts = {host.name: host for host in fleet.hosts}
    assert len(hosts) == 32
    assert all(hosts[name].has_document for name in ("a1", "z1"))
    refused = [host for host in fleet.hosts if not host.has_document]
    assert len(refused) >= 26
    assert "update the collection" in refused[0].reason


def test_one_host_leaves_room_for_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It chooses how many problems it has, and that they are the worst of all."""
    monkeypatch.setattr(sarif, "MOST", 100)
    worst = [documents.finding("PBS-ATIME-02", f"d{n}", "fail", severity="critical") for n in range(500)]
    slight = [documents.finding("PBS-MOUNT-02", "tank", "fail", severity="low")]
    honest = [f"pbs{n}" for n in range(1, 41)]
    documents.write(
        tmp_path / "in",
        [
            documents.whole("evil", [f"d{n}" for n in range(500)], worst, documents.START),
            *(documents.whole(name, ["tank"], slight, documents.START) for name in honest),
        ],
    )
    report = reports.report(tmp_path / "out", tmp_path / "in", formats=["summary.md", "report.sarif"])
    text = Path(report.paths["summary.md"]).read_text()
    rows = [line for line in text.splitlines() if line.startswith("- **") and "PBS-MOUNT-02" in line]
    assert len(rows) == 40
    assert text.count("PBS-ATIME-02") == 160
    (run,) = json.loads(Path(report.paths["report.sarif"]).read_text())["runs"]
    hosts = [result["properties"]["host"] for result in run["results"]]
    assert (len(hosts), set(hosts) >= set(honest)) == (100, True)
    assert run["properties"]["results_left_out"] == {"fail": 440}


# --- time is the controller's -------------------------------------------------------------------------------------------


def at(host: str, seconds: float, status: str = "fail") -> dict[str, Any]:
    return documents.whole(host, ["tank"], [documents.finding("PBS-ATIME-01", "tank", status)], seconds)


def in_year(host: str, year: int) -> dict[str, Any]:
    return dict(at(host, documents.START), finished=f"{year}-12-31T23:59:59.999Z")


@pytest.mark.parametrize("hosts", [{}, {"evil": "", "pbs1": ""}])
def test_a_document_from_the_future_is_refused_with_a_row(tmp_path: Path, hosts: dict[str, str]) -> None:
    documents.write(tmp_path / "documents", [in_year("evil", 9999), at("pbs1", documents.START)])
    report = reports.report(tmp_path / "out", tmp_path / "documents", now=NOW, hosts=hosts)
    (evil, honest) = report.fleet.hosts
    assert (evil.has_document, honest.has_document) == (False, True)
    assert "finished on 9999-12-31" in evil.reason
    assert "correct the clock of the host" in evil.reason
    assert evil.counts.state == "unknown"
    assert report.fleet.generated == honest.finished
    assert [reason for _path, reason in report.fleet.left_out if "9999-12-31" in reason]


def test_a_clock_that_is_some_hours_ahead_does_not_decide_what_time_it_is(tmp_path: Path) -> None:
    documents.write(tmp_path / "documents", [at("ahead", NOW + 0.9 * DAY), at("pbs1", documents.START)])
    waivers = [{"control": "PBS-ATIME-01", "justification": "known", "until": "2026-11-20"}]
    report = reports.report(tmp_path / "out", tmp_path / "documents", now=NOW, waivers=waivers)
    assert [host.has_document for host in report.fleet.hosts] == [True, True]
    assert report.fleet.generated[:10] == "2026-11-20"
    assert not [item for item in report.fleet.findings if "expired" in item.message]


@pytest.mark.parametrize("year", [2027, 2126, 9999])
def test_no_other_host_is_forgotten_because_of_it(tmp_path: Path, year: int) -> None:
    documents.write(tmp_path / "first", [at("pbs1", documents.START)])
    reports.report(tmp_path / "out", tmp_path / "first", now=NOW, history=None)
    documents.write(tmp_path / "second", [in_year("evil", year), at("pbs1", documents.START + 60)])
    reports.report(tmp_path / "out", tmp_path / "second", now=NOW, history=None)
    with contextlib.closing(sqlite3.connect(tmp_path / "out/history.sqlite")) as db:
        assert db.execute("SELECT count(*) FROM run").fetchone() == (2,)
        assert db.execute("SELECT max(generated) < '2026-11-21' FROM run").fetchone() == (1,)
        assert db.execute("SELECT name FROM host").fetchall() == [("pbs1",)]


@pytest.mark.parametrize("kind", ["document", "report"])
def test_an_older_document_from_the_future_does_not_hide_the_one_of_this_run(tmp_path: Path, kind: str) -> None:
    """What earlier versions have kept of a host, as a document or as a row of an earlier report."""
    documents.write(tmp_path / "documents", [at("pbs1", NOW - 60), at("pbs2", NOW - 60)])
    if kind == "document":
        documents.write(tmp_path / "older", [in_year("pbs1", 9999), in_year("gone", 9999)])
    else:
        reports.report(tmp_path / "older", hosts={"pbs1": "no route", "gone": "no route"}, now=NOW)
        made = tmp_path / "older/report.json"
        made.write_text(
            made.read_text().replace(made.read_text().partition('"seen": "')[2][:24], "9999-12-31T23:59:59.999Z")
        )
        assert made.read_text().count("9999-12-31") >= 2
    older = [str(tmp_path / "older" / ("report.json" if kind == "report" else ""))]
    report = reports.report(
        tmp_path / "out", tmp_path / "documents", now=NOW, merge=older, hosts={"pbs1": "", "pbs2": ""}
    )
    rows = {host.name: host.has_document for host in report.fleet.hosts}
    assert rows == ({"gone": False, "pbs1": True, "pbs2": True} if kind == "document" else {"pbs1": True, "pbs2": True})
    told = " ".join(f"{path} {reason}" for path, reason in report.fleet.left_out)
    assert "9999-12-31" in told or "what it has of pbs1 is from the future" in told
    assert str(tmp_path / "older") in told


# --- files of the report ------------------------------------------------------------------------------------------------


def test_a_temporary_file_has_a_name_that_nobody_can_have_made_before(tmp_path: Path) -> None:
    """Somebody who can write to the directory has put links under the names that earlier versions used."""
    victim = tmp_path / "victim"
    victim.write_text("as it was")
    out = tmp_path / "out"
    out.mkdir()
    os.link(victim, out / ("report.json.%d.tmp" % os.getpid()))
    documents.write(tmp_path / "documents", [at("pbs1", documents.START)])
    reports.report(out, tmp_path / "documents", now=NOW)
    assert victim.read_text() == "as it was"
    assert json.loads((out / "report.json").read_text())["hosts"]
    assert not list(out.glob(".*.tmp"))
