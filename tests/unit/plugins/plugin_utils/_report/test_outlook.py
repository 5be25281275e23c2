# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report tells of the next garbage collection: on the page, in the summary and in the metrics."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.document import Asked, build
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.judge import Question, judge
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.policy import Policy
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.outlook import MOST, Group, Outlook, outlooks_of
from ansible_collections.fleetops.pbs.tests.support import documents, facts, reports

DAY = 86400
NOW = int(documents.START)


def group(name: str, **other: Any) -> dict[str, Any]:
    return {
        "namespace": "",
        "type": "vm",
        "id": name,
        "newest": NOW - DAY,
        "damaged": 0,
        "newest_intact": None,
        **other,
    }


FORECAST = {
    "outcome": "sweeps",
    "reason": "",
    "step": "",
    "removes": {"chunks": 40, "bytes": 5 * 2**30, "bad": 0},
    "exact": True,
    "would_remove": {"chunks": 40, "bytes": 5 * 2**30, "bad": 0},
    "pending": {"chunks": 3, "bytes": 2**30, "bad": 0, "first": NOW, "until": NOW + 2 * DAY},
    "kept": {"chunks": 900, "bytes": 2**40, "bad": 0},
    "deduplication": 12.5,
    "risks": [],
    "warnings": 0,
}
STOPS = {
    **FORECAST,
    "outcome": "stops",
    "step": "mark",
    "reason": "vm/1/x.fidx: wrong magic",
    "removes": {"chunks": 0, "bytes": 0, "bad": 0},
    "risks": [{"why": "touches-ignored", "chunks": 7, "bytes": 9, "snapshots": 2}],
}
UNKNOWN = {"outcome": "unknown", "reason": "not looked at", "removes": None, "pending": None, "kept": None, "risks": []}


def fleet(tmp_path: Path, *stores: tuple[str, dict[str, Any] | None, dict[str, Any]], ages: Any = None) -> Path:
    found = [
        documents.finding(
            "PBS-SNAP-01", name, "fail" if name == "tank" else "pass", evidence=ages if name == "tank" else {}
        )
        for name, _forecast, _references in stores
        if ages is not None
    ]
    document = documents.whole("pbs1", [name for name, _forecast, _references in stores], found, documents.START)
    for made, (_name, forecast, references) in zip(document["datastores"], stores, strict=True):
        made["forecast"] = forecast
        made["observed"]["references"] = references
    documents.write(tmp_path / "in", [document])
    report = reports.report(tmp_path / "out", tmp_path / "in")
    for path in report.paths.values():
        reports.check(Path(path))
    return tmp_path / "out"


DAMAGED = {
    "not_looked": "",
    "damaged_snapshots": 2,
    "groups": [group("1"), group("2", damaged=2, newest_intact=NOW - 4 * DAY)],
}
WHOLE = {"not_looked": "", "damaged_snapshots": 0, "groups": [group("3", newest=NOW - 9 * DAY, namespace="a/b")]}
AGES = {
    "old": 3,
    "groups": [{"group": "vm/9", "newest": "2026-11-01T00:00:00Z", "max_days": 2}, {"group": "vm/8", "newest": None}],
}


def section(page: Path) -> str:
    found = re.search(
        r'<section class="card" aria-labelledby="outlook-title">.*?</section>', page.read_text(), re.DOTALL
    )
    return " ".join(re.sub(r"<[^>]*>", " ", found.group(0)).split()) if found else ""


def test_one_sees_what_is_freed_what_stops_and_what_is_damaged(tmp_path: Path) -> None:
    out = fleet(tmp_path, ("calm", FORECAST, WHOLE), ("tank", STOPS, DAMAGED), ages=AGES)
    shown = section(out / "report.html")
    assert "5.0 GiB will be freed 2.0 GiB not needed, but too young 1 of 2 datastores: stops or does not start" in shown
    assert "7 needed chunks at risk 2 damaged snapshots 3 groups too old" in shown
    assert "pbs1 / tank stops 0 bytes 1.0 GiB 7 2 vm/1/x.fidx: wrong magic without that it frees 5.0 GiB" in shown
    assert "7 chunks that backups need, in 2 snapshots: at risk" in shown
    assert "vm/2 : 2 damaged snapshots, the newest intact one is of 2026-11-16" in shown
    assert (
        "vm/9 : too old, newest backup of 2026-11-01 vm/8 : too old, no finished backup 1 other group too old: see PBS-SNAP-01"
        in shown
    )
    # What is calm stands only in the table of all datastores.
    assert shown.count("pbs1 / calm") == 1
    assert "pbs1 / calm runs 5.0 GiB 1.0 GiB 2026-11-22 1.0 TiB 12.50 a/b/vm/3, 2026-11-11" in shown
    summary = (out / "summary.md").read_text()
    assert (
        "It frees 5.0 GiB in 2 datastores; 2.0 GiB more are not needed, but too young. In 1 datastore it stops"
        in summary
    )
    assert "2 snapshots cannot be restored. 3 groups have no backup that is young enough." in summary
    assert "| pbs1/tank | stops | 0 bytes | 7 | 2 | 3 | vm/1/x.fidx: wrong magic |" in summary


def test_what_is_not_known_is_not_shown_as_nothing(tmp_path: Path) -> None:
    out = fleet(tmp_path, ("tank", UNKNOWN, {"not_looked": "not asked for"}))
    shown = section(out / "report.html")
    assert "? damaged snapshots: nobody looked \u2013 groups too old: no age is asked for" in shown
    assert "Of 1 datastore it is not known what garbage collection does." in shown
    assert "pbs1 / tank unknown not known not known 0 not known not looked at" in shown
    samples = reports.samples(out / "metrics.prom")
    labels = {"host": "pbs1", "datastore": "tank"}
    assert samples["fleetops_pbs_gc_outcome"] == [(labels, 3.0)]
    for name in ("gc_removable_bytes", "gc_pending_bytes", "gc_kept_bytes", "damaged_snapshots", "stale_groups"):
        assert samples[f"fleetops_pbs_{name}"] == [], name


def test_metrics_of_the_next_collection(tmp_path: Path) -> None:
    out = fleet(tmp_path, ("tank", STOPS, DAMAGED), ("vault", FORECAST, WHOLE), ages=AGES)
    samples = reports.samples(out / "metrics.prom")
    tank, vault = ({"host": "pbs1", "datastore": name} for name in ("tank", "vault"))
    assert samples["fleetops_pbs_gc_outcome"] == [(tank, 1.0), (vault, 0.0)]
    assert samples["fleetops_pbs_gc_removable_bytes"] == [(tank, 0.0), (vault, 5.0 * 2**30)]
    assert samples["fleetops_pbs_gc_removable_chunks"] == [(tank, 0.0), (vault, 40.0)]
    assert samples["fleetops_pbs_gc_pending_bytes"] == [(tank, 2.0**30), (vault, 2.0**30)]
    assert samples["fleetops_pbs_gc_at_risk_chunks"] == [(tank, 7.0), (vault, 0.0)]
    assert samples["fleetops_pbs_damaged_snapshots"] == [(tank, 2.0), (vault, 0.0)]
    assert samples["fleetops_pbs_stale_groups"] == [(tank, 3.0), (vault, 0.0)]
    assert samples["fleetops_pbs_oldest_group_timestamp_seconds"] == [(tank, NOW - DAY), (vault, NOW - 9 * DAY)]


def test_a_document_without_forecasts_has_no_panel(tmp_path: Path) -> None:
    documents.write(tmp_path / "in", [documents.whole("pbs1", ["tank"], [], documents.START)])
    report = reports.report(tmp_path / "out", tmp_path / "in")
    assert section(Path(report.paths["report.html"])) == ""
    assert "garbage collection\n" not in Path(report.paths["summary.md"]).read_text()
    out = fleet(tmp_path / "none", ("tank", None, {}))
    assert section(out / "report.html") == ""


def test_what_the_preflight_itself_writes_is_read() -> None:
    """No imitation: the forecast and the facts as the judge has them."""
    host, store = facts.host(), facts.store()
    question = Question(policy=Policy.from_mapping({"max_backup_age_days": 1}), now=facts.NOW)
    made = build(host, [store], judge(host, [store], question), facts.NOW, facts.NOW, False, Asked())
    made = json.loads(json.dumps(made))
    (outlook,) = outlooks_of(made)
    forecast = made["datastores"][0]["forecast"]
    assert outlook.datastore == store.name
    assert outlook.outcome == forecast["outcome"]
    assert outlook.damaged_snapshots == store.references.damaged_snapshots
    assert outlook.removes_bytes == (forecast["removes"] or {}).get("bytes")
    assert outlook.stale is not None


def test_many_groups_are_counted_and_some_are_named() -> None:
    groups = [group(str(number), damaged=1) for number in range(500)]
    document = documents.whole("pbs1", ["tank"], [], documents.START)
    document["datastores"][0]["forecast"] = STOPS
    document["datastores"][0]["observed"] = {"references": {"damaged_snapshots": 500, "groups": groups}}
    (outlook,) = outlooks_of(document)
    assert outlook.damaged_snapshots == 500
    assert len(outlook.damaged_groups) == MOST
    assert outlook.damaged_groups[0] == Group("vm/0", NOW - DAY, 1, 0)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*FORECAST, "groups", "chunks", "bytes", "old", "group", "newest"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@given(anything, anything, anything)
def test_nothing_that_a_document_holds_stops_the_reading(forecast: Any, references: Any, evidence: Any) -> None:
    found = documents.finding("PBS-SNAP-01", "tank", "fail", evidence=evidence if isinstance(evidence, dict) else {})
    document = documents.whole("pbs1", ["tank"], [found], documents.START)
    if isinstance(forecast, dict):
        forecast = {"outcome": "sweeps", **forecast}
    document["datastores"][0]["forecast"] = forecast
    document["datastores"][0]["observed"] = {"references": references}
    for outlook in outlooks_of(document):
        assert isinstance(outlook, Outlook)
        outlook.badness()


@pytest.mark.parametrize(
    "value",
    [10**400, -(10**400), 1e300, -1.5, True, "2"],
    ids=["large", "negative and large", "float", "negative", "flag", "text"],
)
def test_a_factor_that_cannot_be_one_is_not_told(value: Any) -> None:
    document = documents.whole("pbs1", ["tank"], [], documents.START)
    document["datastores"][0]["forecast"] = {**FORECAST, "deduplication": value}
    assert outlooks_of(document)[0].deduplication is None


@pytest.mark.parametrize("time", ["0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_no_directory_of_a_snapshot_stops_the_page(time: str, tmp_path: Path) -> None:
    """PBS takes years from 0 on, and whoever owns the datastore creates such a directory."""
    groups = [{"group": "vm/1", "newest": time}]
    found = documents.finding("PBS-SNAP-01", "tank", "fail", evidence={"old": 1, "groups": groups})
    document = documents.whole("pbs1", ["tank"], [found], documents.START)
    document["datastores"][0]["forecast"] = FORECAST
    documents.write(tmp_path / "documents", [document])
    reports.report(tmp_path / "out", tmp_path / "documents")
    assert "vm/1" in section(tmp_path / "out" / "report.html")


def test_long_reasons_take_no_time() -> None:
    document = documents.whole("pbs1", ["tank"], [], documents.START)
    document["datastores"][0]["forecast"] = {**FORECAST, "outcome": "stops", "reason": "`x" * 100_000}
    assert len(outlooks_of(document)[0].reason) == 4000


@pytest.mark.parametrize("seconds", [0, 253402300799, 253402300800, 2**62])
def test_no_time_stops_the_page(seconds: int, tmp_path: Path) -> None:
    references = {**DAMAGED, "groups": [group("1", newest=seconds, damaged=1, newest_intact=seconds)]}
    pending = {**FORECAST, "pending": {"bytes": 1, "until": seconds}}
    assert section(fleet(tmp_path, ("tank", pending, references)) / "report.html")
