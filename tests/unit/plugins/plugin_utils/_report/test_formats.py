# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same counts in every format, whatever the documents hold, and every format as it is published."""

from __future__ import annotations

import datetime
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import SEVERITIES
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import STATUSES
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.report import FORMATS
from ansible_collections.fleetops.pbs.tests.support import documents, reports

# Names and texts as the worst of users, disks and attackers would choose them.
HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "a\u2028b\u2029c\u0085d",
    "\x00\x07\x1b[31mred\x1b[0m\r\n",
    '"quoted" \\back\\ \n{x="y"} 1',
    "]]><!-- & &amp; -->",
    "\u202egnp.exe",
    "# heading | `code` *b* [x](javascript:alert(1)) ~~s~~",
    "\ud800 lone \udfff",
    "naïve 東京 🙂 \ufeff\ufffe",
    "{{POLICY}} %s {{ 7*7 }}",
    "-1+1",
)
words = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_categories=()), max_size=30),
    st.sampled_from(("tank", "pbs1", "vault")),
)
names = words.filter(bool)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), words),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def findings(draw: st.DrawFn, datastore: str | None) -> dict[str, Any]:
    status = draw(st.sampled_from(STATUSES))
    waiver = {
        "control": "PBS-ATIME-01",
        "host": "*",
        "datastore": "*",
        "justification": draw(words),
        "until": "2027-01-01",
    }
    return documents.finding(
        draw(st.one_of(st.sampled_from(reports.CONTROL_IDS), st.sampled_from(("PBS-NEWER-99", "PBS-WAIVER-01")))),
        datastore,
        status,
        severity=draw(st.sampled_from(SEVERITIES)),
        message=draw(words),
        remedy=draw(words),
        evidence=draw(st.dictionaries(words, json_values, max_size=3)),
        waiver=waiver if status == "waived" else None,
    )


@st.composite
def fleets(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Documents of some hosts, and hosts that have none."""
    found = []
    for number, host in enumerate(draw(st.lists(names, max_size=4, unique=True))):
        stores = draw(st.lists(names, max_size=3, unique=True))
        told = draw(st.lists(findings(None), max_size=3))
        for store in stores:
            told += draw(st.lists(findings(store), max_size=4))
        found.append(documents.whole(host, stores, told, documents.START + number))
    missing = draw(st.dictionaries(names, words, max_size=2))
    return found, missing


def write(directory: Path, found: list[dict[str, Any]]) -> Path:
    directory.mkdir(exist_ok=True)
    for number, document in enumerate(found):
        (directory / f"{number}.json").write_text(json.dumps(document))
    return directory


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(fleets())
def test_every_format_counts_the_same_and_is_valid(fleet: tuple[list[dict[str, Any]], dict[str, str]]) -> None:
    found, missing = fleet
    with tempfile.TemporaryDirectory() as scratch:
        source = write(Path(scratch, "in"), found)
        report = reports.report(Path(scratch, "out"), merge=[str(source)], hosts=missing)
        expected = +Counter(report.fleet.counts.by_status)
        for name, path in report.paths.items():
            assert +reports.TOTALS[name](Path(path)) == expected, name
            reports.check(Path(path))
        assert report.fleet.counts.total == sum(expected.values())
        assert not report.fleet.left_out


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(fleets(), st.data())
def test_slices_merged_are_one_run(fleet: tuple[list[dict[str, Any]], dict[str, str]], data: st.DataObject) -> None:
    found, missing = fleet
    first = [document for document in found if data.draw(st.booleans())]
    second = [document for document in found if document not in first]
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        whole = reports.report(place / "whole", merge=[str(write(place / "all", found))], hosts=missing)
        slices = [str(write(place / "one", first)), str(write(place / "two", second))]
        merged = reports.report(place / "merged", merge=slices, hosts=missing)
        for name in FORMATS:
            assert Path(whole.paths[name]).read_bytes() == Path(merged.paths[name]).read_bytes(), name


def test_reports_of_slices_merge_into_the_report_of_one_run(tmp_path: Path) -> None:
    every = [documents.document(number) for number in range(1, 9)]
    whole = reports.report(tmp_path / "whole", write(tmp_path / "all", every), merge=[])
    slices = []
    for name, part in (("one", every[:5]), ("two", every[5:])):
        slices.append(reports.report(tmp_path / f"report-{name}", write(tmp_path / name, part)).paths["report.json"])
    merged = reports.report(tmp_path / "merged", merge=slices)
    for name in FORMATS:
        assert Path(whole.paths[name]).read_bytes() == Path(merged.paths[name]).read_bytes(), name


def test_the_same_documents_give_the_same_bytes(tmp_path: Path) -> None:
    source = write(tmp_path / "in", [documents.document(1)])
    first = reports.report(tmp_path / "out", source)
    assert sorted(first.changed) == sorted(FORMATS)
    assert reports.report(tmp_path / "out", source, now=reports.NOW + 9).changed == []


def test_formats_are_chosen_by_name(tmp_path: Path) -> None:
    source = write(tmp_path / "in", [documents.document(1)])
    reports.report(tmp_path / "out", source, formats=["status.txt", "junit.xml"])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["junit.xml", "status.txt"]


def test_cells_do_not_compute(tmp_path: Path) -> None:
    told = [documents.finding("PBS-ATIME-01", "=1+1", "fail", message="@SUM(1)", remedy=" \t+1", evidence={"=": "=2"})]
    source = write(tmp_path / "in", [documents.whole("-pbs1", ["=1+1"], told, documents.START)])
    path = Path(reports.report(tmp_path / "out", source).paths["report.csv"])
    row = path.read_text().splitlines()[1]
    assert row.split(",")[:6] == ["'-pbs1", "'=1+1", "PBS-ATIME-01", "fail", "medium", "'@SUM(1)"]


def test_metrics_have_the_labels_that_join(tmp_path: Path) -> None:
    told = [documents.finding("PBS-ATIME-01", "tank", "fail", severity="critical"), documents.finding("PBS-HOST-01")]
    source = write(tmp_path / "in", [documents.whole("pbs1", ["tank"], told, documents.START)])
    samples = reports.samples(
        Path(reports.report(tmp_path / "out", source, hosts={"pbs2": "unreachable"}).paths["metrics.prom"])
    )
    # pbs1 is not among the hosts of this run, so its document is passed over.
    assert {labels["host"] for labels, _value in samples["fleetops_pbs_control_status"]} == {"pbs2"}
    samples = reports.samples(
        Path(reports.report(tmp_path / "out", source, hosts={"pbs1": "", "pbs2": "unreachable"}).paths["metrics.prom"])
    )
    assert ({"host": "pbs1", "datastore": "tank", "control": "PBS-ATIME-01", "severity": "critical"}, 2.0) in samples[
        "fleetops_pbs_control_status"
    ]
    assert ({"host": "pbs2", "datastore": "", "control": "PBS-REPORT-01", "severity": "critical"}, 3.0) in samples[
        "fleetops_pbs_control_status"
    ]
    finished = datetime.datetime.fromtimestamp(documents.START, datetime.timezone.utc).timestamp()
    assert samples["fleetops_pbs_host_document_timestamp_seconds"] == [
        ({"host": "pbs1"}, finished),
        ({"host": "pbs2"}, 0.0),
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_waived_failure_stays_with_its_reason(text: str, tmp_path: Path) -> None:
    waiver = {"control": "PBS-ATIME-01", "host": "*", "datastore": "*", "justification": text, "until": "2027-01-01"}
    told = [documents.finding("PBS-ATIME-01", "tank", "waived", message=text, waiver=waiver)]
    source = write(tmp_path / "in", [documents.whole("pbs1", ["tank"], told, documents.START)])
    paths = reports.report(tmp_path / "out", source).paths
    (result,) = json.loads(Path(paths["report.sarif"]).read_text())["runs"][0]["results"]
    assert result["suppressions"][0]["kind"] == "external"
    assert 'type="waived"' in Path(paths["junit.xml"]).read_text()
    assert "2027-01-01" in Path(paths["report.csv"]).read_text()
    _fleet, ((item,),) = reports.page_data(Path(paths["report.html"]))
    assert item["waiver"]["until"] == "2027-01-01"
