# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is a document, what is none and why, and where they are looked for."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report import documents as reader
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.documents import LeftOut, Missing, NotADocument, Read
from ansible_collections.fleetops.pbs.tests.support import documents, reports


def good(**changes: Any) -> dict[str, Any]:
    return {**documents.document(1, stores=1), **changes}


def broken_finding(**changes: Any) -> dict[str, Any]:
    return good(findings=[{**documents.finding("PBS-ATIME-01", "tank"), **changes}])


NONE_OF_OURS = [
    (b"", "it is empty"),
    (b"  \n", "it is empty"),
    (b"\xff\xfe\x00", "it is not text in UTF-8 (byte 0)"),
    (b"{", "it ends in the middle (truncated after 1 bytes)"),
    (b'{"schema": "fleet', "it ends in the middle (truncated after 17 bytes)"),
    (b"host: pbs1\n", "it is no JSON: Expecting value in line 1, column 1"),
    (b'{"a": NaN}', "it is no JSON: NaN is no number there"),
    (b"[" * 100000, "it is nested too deeply"),
    (b"[]", "it is no document of this collection ('schema' is not 'fleetops.pbs/preflight')"),
    (b'{"schema": "other"}', "it is no document of this collection ('schema' is not 'fleetops.pbs/preflight')"),
    (
        good(schema_version=2),
        "it is a document of schema version 2, and this collection reads up to 1: update the collection",
    ),
    (good(schema_version=True), "'schema_version' is missing or no number, so it is no document of this collection"),
    (good(schema_version="1"), "'schema_version' is missing or no number, so it is no document of this collection"),
    (good(host=""), "'host' is missing, empty or no text"),
    (good(finished="yesterday"), "'finished' is no time such as 2026-01-31T03:00:00.000Z"),
    (good(finished="2026-13-01T00:00:00.000Z"), "'finished' is no time such as 2026-01-31T03:00:00.000Z"),
    (good(pbs_version=4), "'pbs_version' or 'collection_version' is missing or no text"),
    (good(findings={}), "'findings' is missing or no list"),
    (good(datastores=[{"path": "/x"}]), "datastores[0] has no name"),
    (good(findings=["x"]), "findings[0]: it is no object"),
    (good(findings=[{"control": "PBS-ATIME-01"}]), "findings[0]: 'datastore' is missing"),
    (broken_finding(status="broken"), "findings[0]: there is no status 'broken'"),
    (broken_finding(status=["fail"]), "findings[0]: there is no status ['fail']"),
    (broken_finding(severity="worse"), "findings[0]: there is no severity 'worse'"),
    (broken_finding(message=None), "findings[0]: 'control', 'message' or 'remedy' is no text"),
    (broken_finding(datastore=7), "findings[0]: 'datastore' is neither null nor a name"),
    (broken_finding(evidence=[]), "findings[0]: 'evidence' or 'waiver' is no object"),
]


@pytest.mark.parametrize(("content", "reason"), NONE_OF_OURS)
def test_says_why_something_is_no_document(content: Any, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    assert list(reader.scan(str(path))) == [LeftOut(str(path), reason)]


@given(st.binary(max_size=200))
def test_no_bytes_stop_the_reading(data: bytes) -> None:
    with pytest.raises(reader.NotADocument):
        reader.checked(reader.parse(data))


@given(st.data())
def test_a_document_cut_anywhere_is_no_document(data: st.DataObject) -> None:
    whole = json.dumps(documents.whole("pbs1", ["tank"], [documents.finding("PBS-ATIME-01", "tank")], documents.START))
    end = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(reader.NotADocument, match=r"ends in the middle|is empty"):
        reader.checked(reader.parse(whole[:end].encode()))


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "gone.json").symlink_to("nowhere")
    (tmp_path / "dir.json").mkdir()
    for name, why in (("gone.json", "No such file or directory"), ("dir.json", "Is a directory")):
        (left,) = reader.scan(str(tmp_path / name))
        assert left == LeftOut(str(tmp_path / name), f"it cannot be read: {why}")


def test_a_name_that_would_paint_the_terminal_is_shown_harmlessly(tmp_path: Path) -> None:
    path = tmp_path / "\x1b[31m.json"
    path.write_text("{")
    (left,) = reader.scan(str(path))
    assert isinstance(left, LeftOut)
    assert left.path.endswith("\\x1b[31m.json")


def test_a_directory_stands_for_its_documents_but_not_for_what_a_report_wrote(tmp_path: Path) -> None:
    documents.write(tmp_path, [documents.document(2), documents.document(1)])
    (tmp_path / "notes.txt").write_text("x")
    first = reports.report(tmp_path, tmp_path)
    assert [host.name for host in first.fleet.hosts] == ["pbs1", "pbs2"]
    second = reports.report(tmp_path, tmp_path)
    assert not second.fleet.left_out
    assert second.changed == []
    # Elsewhere the report of that directory counts, once for each host.
    third = reports.report(tmp_path / "other", tmp_path)
    assert [host.name for host in third.fleet.hosts] == ["pbs1", "pbs2"]
    assert not third.fleet.left_out


def test_paths_patterns_and_typing_errors(tmp_path: Path) -> None:
    documents.write(tmp_path / "one", [documents.document(1)])
    documents.write(tmp_path / "two", [documents.document(2)])
    report = reports.report(
        tmp_path / "out", merge=[str(tmp_path / "*"), str(tmp_path / "noone"), str(tmp_path / "x*")]
    )
    assert [host.name for host in report.fleet.hosts] == ["pbs1", "pbs2"]
    assert report.fleet.left_out == [
        LeftOut(str(tmp_path / "noone"), "there is no such file or directory"),
        LeftOut(str(tmp_path / "x*"), "nothing matches this pattern"),
    ]
    assert report.code == 3 or report.fleet.counts["fail"]


def test_an_earlier_report_gives_its_documents_and_its_gaps(tmp_path: Path) -> None:
    source = documents.write(tmp_path / "in", [documents.document(1), documents.document(2)])
    path = reports.report(tmp_path / "out", merge=map(str, source), hosts={"pbs9": "unreachable: no route"}).paths[
        "report.json"
    ]
    told = list(reader.scan(path))
    assert told[0] == Missing("pbs9", "unreachable: no route", documents.document(2)["finished"])
    read = [item for item in told if isinstance(item, Read)]
    assert [item.document["host"] for item in read] == ["pbs1", "pbs2"]
    for item in read:
        assert reader.load(item.place) == item.document


@pytest.mark.parametrize("cut", [-1, -3, -100, 3000])
def test_a_report_that_was_cut_is_left_out_whole(cut: int, tmp_path: Path) -> None:
    source = documents.write(tmp_path / "in", [documents.document(1), documents.document(2)])
    path = Path(reports.report(tmp_path / "out", *source).paths["report.json"])
    path.write_bytes(path.read_bytes()[:cut])
    assert list(reader.scan(str(path))) == [
        LeftOut(str(path), "the report is truncated, or another program has rewritten it")
    ]


def test_a_bad_line_of_a_report_costs_one_document(tmp_path: Path) -> None:
    source = documents.write(tmp_path / "in", [documents.document(1), documents.document(2), documents.document(3)])
    path = Path(reports.report(tmp_path / "out", *source).paths["report.json"])
    lines = path.read_text().splitlines(keepends=True)
    lines[2] = lines[2].replace('"schema_version": 1', '"schema_version": 7')
    path.write_text("".join(lines))
    report = reports.report(tmp_path / "again", merge=[str(path)])
    assert [host.name for host in report.fleet.hosts] == ["pbs1", "pbs3"]
    (left,) = report.fleet.left_out
    assert left.path == f"{path}, line 3"
    assert "schema version 7" in left.reason


def test_a_report_of_a_future_schema_is_named(tmp_path: Path) -> None:
    source = documents.write(tmp_path / "in", [documents.document(1)])
    path = Path(reports.report(tmp_path / "out", *source).paths["report.json"])
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 2', 1))
    ((_path, reason),) = list(reader.scan(str(path)))
    assert reason == "it is a report of schema version 2, and this collection reads up to 1: update the collection"


def test_every_format_names_what_was_left_out(tmp_path: Path) -> None:
    source = documents.write(tmp_path / "in", [documents.document(1, badness=0)])
    (tmp_path / "in" / "pbs2.json").write_text(json.dumps(good(host="pbs2", schema_version=2)))
    report = reports.report(tmp_path / "out", tmp_path / "in")
    assert source
    assert report.code == 3
    for name in ("report.json", "report.html", "report.sarif", "summary.md", "oscal.json"):
        text = Path(report.paths[name]).read_text()
        assert "pbs2.json" in text, name
        assert "schema version 2" in text, name
    assert "1 files left out" in Path(report.paths["status.txt"]).read_text()
    assert reports.samples(Path(report.paths["metrics.prom"]))["fleetops_pbs_report_left_out"] == [({}, 1.0)]


def test_what_was_checked_is_not_checked_again_unless_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = documents.write(tmp_path, [documents.document(1)])
    (found,) = reader.scan(str(path))
    assert isinstance(found, Read)
    checks: list[Any] = []
    checked = reader.checked
    monkeypatch.setattr(reader, "checked", lambda data: checks.append(data) or checked(data))
    assert reader.load(found.place) == found.document
    assert checks == []
    path.write_text(json.dumps({**found.document, "findings": 3}))
    with pytest.raises(reader.NotADocument, match="'findings' is missing or no list"):
        reader.load(found.place)
    assert len(checks) == 1


def test_a_document_that_changes_meanwhile_stops_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = documents.write(tmp_path / "in", [documents.document(1)])
    scan = reader.scan

    def scan_and_spoil(name: str) -> Any:
        yield from scan(name)
        path.write_text("{")

    monkeypatch.setattr(reader, "scan", scan_and_spoil)
    from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.report import ReportError

    with pytest.raises(ReportError, match="changed while the report was made"):
        reports.report(tmp_path / "out", path)
    assert os.listdir(tmp_path / "out") == []


# --- what lies there and would have stopped a report ------------------------------------------------------------------


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pbs1.json")
    assert list(reader.scan(str(tmp_path / "pbs1.json"))) == [
        LeftOut(str(tmp_path / "pbs1.json"), "it is no regular file")
    ]


def test_a_line_without_end_in_an_earlier_report_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "in"
    documents.write(source, [documents.document(1)])
    path = reports.report(tmp_path / "out", merge=[str(source)]).paths["report.json"]
    with open(path, encoding="utf-8") as stream:
        head, document, end = stream.read().splitlines(keepends=True)
    longer = json.loads(document)
    longer["padding"] = "x" * 2 * len(document)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(head + document.replace("\n", ",\n") + json.dumps(longer) + "\n" + end)
    monkeypatch.setattr(reader, "MAX_BYTES", len(head) + len(document))
    first, second = reader.scan(path)
    assert isinstance(first, Read)
    assert second.reason == "line 3 has more than 0 MiB, which no document has"


@pytest.mark.parametrize("text", ["1e999", "-1e999", '[1.0, {"a": 1e400}]'])
def test_numbers_that_no_json_can_hold_are_refused(text: str) -> None:
    with pytest.raises(NotADocument, match="is too large"):
        reader.parse(text.encode())


def test_depth_has_a_limit_far_above_what_documents_have() -> None:
    def nested(depth: int) -> dict[str, Any]:
        value: Any = []
        for _each in range(depth):
            value = {"a": [value]}
        return dict(documents.document(1), observed=value)

    assert reader.checked(nested(40))
    with pytest.raises(NotADocument, match="nested too deeply"):
        reader.checked(nested(60))
    with pytest.raises(NotADocument, match="nested too deeply"):
        reader.checked(nested(600))
