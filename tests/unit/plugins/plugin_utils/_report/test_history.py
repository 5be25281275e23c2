# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a history remembers: first seen, last seen, fixed, the trend; and what it survives."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.report import Report
from ansible_collections.fleetops.pbs.tests.support import documents, reports

DAY = 86400.0


def day(tmp_path: Path, number: int, status: str = "", **options: Any) -> Report:
    """The report of a day on which one control had that status; nothing: it was not asked."""
    told = [documents.finding("PBS-ATIME-01", "tank", status, message=f"day {number}")] if status else []
    document = documents.whole("pbs1", options.pop("stores", ["tank"]), told, documents.START + number * DAY)
    documents.write(tmp_path / f"day{number}", [document])
    return reports.report(tmp_path / "out", merge=[str(tmp_path / f"day{number}")], history=None, **options)


def entries(tmp_path: Path) -> list[tuple[str, str, str | None]]:
    with contextlib.closing(sqlite3.connect(tmp_path / "out/history.sqlite")) as db:
        return [
            (first[:10], last[:10], fixed and fixed[:10])
            for first, last, fixed in db.execute(
                "SELECT first_seen, last_seen, fixed_at FROM entry ORDER BY first_seen"
            )
        ]


def runs(report: Report) -> list[tuple[str, int]]:
    head = json.loads(Path(report.paths["report.json"]).read_text())
    return [(run["generated"][:10], run["fail"]) for run in head["trend"]]


def test_the_life_of_a_problem(tmp_path: Path) -> None:
    day(tmp_path, 0, "fail")
    day(tmp_path, 1, "fail")
    assert entries(tmp_path) == [("2026-11-20", "2026-11-21", None)]
    day(tmp_path, 2)  # not asked: nobody knows
    assert entries(tmp_path) == [("2026-11-20", "2026-11-21", None)]
    report = day(tmp_path, 3, "pass")
    assert entries(tmp_path) == [("2026-11-20", "2026-11-21", "2026-11-23")]
    assert "Fixed since the run before" in Path(report.paths["report.html"]).read_text()
    report = day(tmp_path, 4, "warn")  # it comes again: a new life
    assert entries(tmp_path) == [("2026-11-20", "2026-11-21", "2026-11-23"), ("2026-11-24", "2026-11-24", None)]
    assert runs(report) == [
        ("2026-11-20", 1),
        ("2026-11-21", 1),
        ("2026-11-22", 0),
        ("2026-11-23", 0),
        ("2026-11-24", 0),
    ]
    _fleet, ((item,),) = reports.page_data(Path(report.paths["report.html"]))
    assert item["since"] == "2026-11-24T02:00:00.000Z"


def test_a_datastore_that_is_gone_has_no_problems(tmp_path: Path) -> None:
    day(tmp_path, 0, "fail")
    day(tmp_path, 1, stores=["vault"])
    assert entries(tmp_path) == [("2026-11-20", "2026-11-20", "2026-11-21")]


def test_a_host_that_does_not_answer_fixes_nothing(tmp_path: Path) -> None:
    day(tmp_path, 0, "fail")
    reports.report(tmp_path / "out", merge=[], hosts={"pbs1": "down"}, history=None, now=documents.START + DAY)
    assert entries(tmp_path) == [("2026-11-20", "2026-11-20", None)]


def test_the_same_report_twice_and_an_old_one_late_change_nothing(tmp_path: Path) -> None:
    day(tmp_path, 1, "fail")
    before = entries(tmp_path)
    report = day(tmp_path, 1, "fail")
    assert entries(tmp_path) == before
    assert runs(report) == [("2026-11-21", 1)]
    assert report.changed == []
    report = day(tmp_path, 0, "pass")
    assert entries(tmp_path) == before
    assert runs(report) == [("2026-11-20", 0), ("2026-11-21", 1)]


def test_what_is_old_is_forgotten(tmp_path: Path) -> None:
    day(tmp_path, 0, "fail")
    day(tmp_path, 1, "pass")
    report = day(tmp_path, 40, "pass", history_days=30)
    assert entries(tmp_path) == []
    assert runs(report) == [("2026-12-30", 0)]
    report = day(tmp_path, 500, "pass", history_days=0)
    assert len(runs(report)) == 2


def test_a_history_that_cannot_be_used_costs_the_trend_only(tmp_path: Path) -> None:
    documents.write(tmp_path / "in", [documents.document(1)])
    spoiled = tmp_path / "spoiled"
    spoiled.write_bytes(b"this is no database, whatever its name says" * 100)
    other = tmp_path / "other"
    with contextlib.closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE mine (x)")
        db.commit()
    newer = tmp_path / "newer"
    with contextlib.closing(sqlite3.connect(newer)) as db:
        db.execute("PRAGMA user_version = 99")
    for path, why in (
        (spoiled, "not a database"),
        (other, "something else"),
        (newer, "newer version"),
        (tmp_path / "in", ""),
    ):
        report = reports.report(tmp_path / "out", merge=[str(tmp_path / "in")], history=str(path))
        (warning,) = report.warnings
        assert str(path) in warning
        assert why in warning
        assert Path(report.paths["report.html"]).exists()
    with contextlib.closing(sqlite3.connect(other)) as db:
        assert db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)


def test_no_history_leaves_no_file(tmp_path: Path) -> None:
    documents.write(tmp_path / "in", [documents.document(1)])
    reports.report(tmp_path / "out", merge=[str(tmp_path / "in")], history="")
    assert not (tmp_path / "out/history.sqlite").exists()


def test_a_report_that_fails_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.fleetops.pbs.plugins.plugin_utils._report import report as module

    day(tmp_path, 0, "fail")

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_pass", full)
    with pytest.raises(module.ReportError, match="No space left on device"):
        day(tmp_path, 1, "pass")
    monkeypatch.undo()
    assert entries(tmp_path) == [("2026-11-20", "2026-11-20", None)]
    assert [path.name for path in (tmp_path / "out").iterdir() if path.suffix == ".tmp"] == []


def test_a_history_that_breaks_meanwhile_costs_the_trend_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.history import History

    day(tmp_path, 0, "fail")

    def full(*_args: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    for method in ("note", "keep"):
        monkeypatch.setattr(History, method, full)
        report = day(tmp_path, 1, "pass")
        monkeypatch.undo()
        (warning,) = report.warnings
        assert "cannot be written: database or disk is full" in warning
        assert report.history == ""
        assert runs(report) == []
        assert report.fleet.counts["pass"] == 1
    assert entries(tmp_path) == [("2026-11-20", "2026-11-20", None)]
