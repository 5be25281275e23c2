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

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report import history
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


# --- a history that somebody has harmed ---------------------------------------------------------------------------------

POISON = """
INSERT INTO run SELECT 'x1', '9999-12-31T23:59:59.999Z', 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 'critical';
INSERT INTO run SELECT 'x2', x'00ff', 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 'critical';
INSERT INTO run SELECT 'x3', '2026-11-20T00:00:00.000Z', 'many', 0, 1, 0, 1, 0, 0, 0, 0, 0, 'critical';
INSERT INTO run SELECT 'x4', '1', 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, x'ff';
INSERT OR REPLACE INTO host VALUES ('pbs1', '9999-12-31T23:59:59.999Z'), ('evil\x1b[2J', x'ff');
INSERT INTO entry SELECT 'evil', 'd' || value, 'C', 'fail', 'critical', 'm', '2026-11-20T00:00:00.000Z',
    '2026-11-20T00:00:00.000Z', '9999-12-31T23:59:59.999Z' FROM (WITH RECURSIVE n(value) AS
    (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 1000) SELECT value FROM n);
INSERT INTO entry VALUES ('pbs1', 'tank', 'PBS-ATIME-02', 'fail', 'high', 'm', '9999-12-31T23:59:59.999Z',
    '9999-12-31T23:59:59.999Z', NULL);
INSERT INTO entry VALUES ('pbs1', 'tank', x'ff', 'fail', 'high', 'm', '2026-11-20T00:00:00.000Z',
    '2026-11-20T00:00:00.000Z', NULL);
"""


def test_what_cannot_be_true_is_removed_named_and_changes_no_row(tmp_path: Path) -> None:
    """Earlier versions kept whatever time a host said; such a row is the newest for ever."""
    reported = []
    for name, poison in (("clean", ""), ("poisoned", POISON)):
        place = tmp_path / name
        day(place, 0, "fail")
        day(place, 1, "fail")
        with contextlib.closing(sqlite3.connect(place / "out/history.sqlite")) as db:
            db.executescript(poison)
        report = day(place, 2, "pass")
        assert report.history
        reported.append({name: Path(path).read_text().replace(str(place), "") for name, path in report.paths.items()})
        if poison:
            (warning,) = report.warnings
            assert "had 1008 entries that cannot be true (from the future, or damaged)" in warning
            assert "of evil, evil\\x1b[2J, pbs1;" in warning
        assert day(place, 3, "pass").warnings == []  # healed
    assert reported[0] == reported[1]


def test_a_damaged_file_is_to_be_moved_away_and_nothing_else_is_touched(tmp_path: Path) -> None:
    day(tmp_path, 0, "fail")
    path = tmp_path / "out/history.sqlite"
    damaged = path.read_bytes()[:5000] + b"\xff" * 4000
    path.write_bytes(damaged)
    (warning,) = day(tmp_path, 1, "fail").warnings
    assert f"the history '{path}' cannot be" in warning
    assert "Move the file away; the next report begins a new one." in warning
    assert path.read_bytes() == damaged
    path.rename(tmp_path / "away")
    assert day(tmp_path, 2, "fail").warnings == []


def test_a_host_that_has_other_datastores_each_time_does_not_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MAX_ENTRIES", 5)
    for number in range(6):
        stores = [f"d{number}-{part}" for part in range(4)]
        told = [documents.finding("PBS-ATIME-01", store, "fail", message="x" * 200_000) for store in stores]
        documents.write(
            tmp_path / f"day{number}",
            [
                documents.whole("evil", stores, told, documents.START + number * DAY),
                documents.whole(
                    "pbs1",
                    ["tank"],
                    [documents.finding("PBS-ATIME-01", "tank", "fail")],
                    documents.START + number * DAY,
                ),
            ],
        )
        reports.report(tmp_path / "out", merge=[str(tmp_path / f"day{number}")], history=None)
    with contextlib.closing(sqlite3.connect(tmp_path / "out/history.sqlite")) as db:
        kept = db.execute(
            "SELECT host, datastore, length(message) <= 1000 FROM entry ORDER BY host, datastore"
        ).fetchall()
    assert kept[:5] == [("evil", "d4-0", 1), *(("evil", f"d5-{part}", 1) for part in range(4))]
    assert kept[5:] == [("pbs1", "tank", 1)]
