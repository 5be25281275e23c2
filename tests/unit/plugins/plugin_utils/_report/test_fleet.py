# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One row for each host, the newest news first; waivers over the whole fleet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.absence import reason_of
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.fleet import Fleet
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.model import natural
from ansible_collections.fleetops.pbs.tests.support import documents, reports

DAY = 86400.0


def fleet(tmp_path: Path, *found: dict[str, Any], **options: Any) -> Fleet:
    for number, document in enumerate(found):
        documents.write(tmp_path / f"in{number}", [document])
    paths = [str(tmp_path / f"in{number}") for number in range(len(found))]
    return reports.report(tmp_path / "out", merge=paths, formats=["status.txt"], **options).fleet


def one(host: str, status: str = "pass", when: float = documents.START, **other: Any) -> dict[str, Any]:
    return documents.whole(host, ["tank"], [documents.finding("PBS-ATIME-01", "tank", status, **other)], when)


def test_of_each_host_the_newest_document_counts(tmp_path: Path) -> None:
    found = fleet(tmp_path, one("pbs1", "fail"), one("pbs1", "pass", documents.START + DAY), one("pbs2", "fail"))
    assert [(host.name, host.counts.state) for host in found.hosts] == [("pbs1", "ok"), ("pbs2", "fail")]
    assert found.generated == "2026-11-21T02:00:00.000Z"


def test_hosts_are_in_the_order_that_people_count_in(tmp_path: Path) -> None:
    found = fleet(tmp_path, *(one(name) for name in ("pbs10", "pbs9", "a", "pbs1", "pbs01")))
    assert [host.name for host in found.hosts] == ["a", "pbs01", "pbs1", "pbs9", "pbs10"]


def test_hosts_sort_by_their_numbers_however_long() -> None:
    names = ["pbs10", "pbs2", "pbs", "pbs" + "9" * 5000, "pbs02", "10", "9a", "b"]
    assert sorted(names, key=lambda name: (natural(name), name)) == [
        "9a",
        "10",
        "b",
        "pbs",
        "pbs02",
        "pbs2",
        "pbs10",
        "pbs" + "9" * 5000,
    ]


def test_a_host_without_document_is_a_row_with_its_reason(tmp_path: Path) -> None:
    found = fleet(tmp_path, one("pbs1"), hosts={"pbs1": "", "pbs2": "unreachable: no route to host"})
    row = found.hosts[1]
    assert (row.name, row.has_document, row.counts.state, row.counts.worst_unknown) == (
        "pbs2",
        False,
        "unknown",
        "critical",
    )
    finding = row.missing()
    assert finding.control == "PBS-REPORT-01"
    assert finding.message == "There is no document of this host: unreachable: no route to host."


def test_a_host_that_failed_now_hides_its_document_of_yesterday_but_tells_of_it(tmp_path: Path) -> None:
    found = fleet(tmp_path, one("pbs1", "fail"), hosts={"pbs1": "unreachable"})
    assert found.hosts[0].missing().message == (
        "There is no document of this host: unreachable. "
        "Its last document is of 2026-11-20T02:00:00.000Z: 1 failed, 0 unknown, 0 warnings."
    )


def test_a_gap_of_an_earlier_report_is_filled_by_a_later_document(tmp_path: Path) -> None:
    earlier = reports.report(tmp_path / "earlier", merge=[], hosts={"pbs1": "down"}, now=documents.START).paths[
        "report.json"
    ]
    documents.write(tmp_path / "in", [one("pbs1", when=documents.START + DAY)])
    merged = reports.report(tmp_path / "out", merge=[earlier, str(tmp_path / "in")]).fleet
    assert [(host.name, host.counts.state) for host in merged.hosts] == [("pbs1", "ok")]
    documents.write(tmp_path / "in", [one("pbs1", when=documents.START - DAY)])
    merged = reports.report(tmp_path / "out", merge=[earlier, str(tmp_path / "in")]).fleet
    assert [(host.name, host.counts.state) for host in merged.hosts] == [("pbs1", "unknown")]


def test_thresholds_say_who_is_unsafe(tmp_path: Path) -> None:
    found = fleet(
        tmp_path,
        one("pbs1", "fail", severity="medium"),
        one("pbs2", "fail", severity="high"),
        one("pbs3", "unknown", severity="critical"),
        one("pbs4", "warn", severity="critical"),
    )
    assert [host.name for host in found.unsafe("high", "critical")] == ["pbs2", "pbs3"]
    assert [host.name for host in found.unsafe("never", "never")] == []
    assert [host.name for host in found.unsafe("info", "never")] == ["pbs1", "pbs2"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (None, ""),
        ("no route", "no route"),
        ({"summary": {}}, ""),
        ({"unreachable": True, "msg": "Failed to\nconnect"}, "unreachable: Failed to connect"),
        ({"failed": True, "msg": "No Python."}, "No Python."),
        ({"skipped": True}, "the preflight was skipped for it"),
        ({}, "the preflight gave no answer"),
    ],
)
def test_the_reason_follows_from_what_ansible_registered(said: Any, reason: str) -> None:
    assert reason_of(said) == reason


# --- waivers ----------------------------------------------------------------------------------------------------------


def waiver(**changes: str) -> dict[str, str]:
    return {"control": "PBS-ATIME-01", "justification": "moved soon", "until": "2027-01-31", **changes}


def waived(host: str, given: dict[str, str]) -> dict[str, Any]:
    return one(host, "waived", waiver={"host": "*", "datastore": "*", **given})


CASES = [
    # what the documents say, the waiver, options, the finding (status, severity, part of the message), the state
    ([waived("pbs1", waiver())], waiver(), {}, None, "in force"),
    ([waived("pbs1", waiver(justification="older words"))], waiver(), {}, None, "in force"),
    ([one("pbs1")], waiver(), {}, ("warn", "low", "is not needed"), "unused"),
    ([one("pbs1", "fail")], waiver(), {}, None, "in force"),  # it is younger than the document
    ([one("pbs1")], waiver(host="old*"), {}, ("warn", "low", "names no host of this report"), "unused"),
    ([one("pbs1")], waiver(host="old*"), {"partial": True}, None, "in force"),
    ([one("pbs1")], waiver(datastore="gone"), {}, ("warn", "low", "names no datastore of the 1 hosts"), "unused"),
    ([one("pbs1")], waiver(control="PBS-CONF-05"), {}, None, "in force"),  # nobody was asked
    ([one("pbs1")], waiver(), {"hosts": {"pbs1": "", "pbs2": "down"}}, None, "in force"),  # pbs2 may need it
    ([one("pbs1", "fail")], waiver(until="2026-01-01"), {}, None, "expired"),  # the host says so
    (
        [one("pbs1")],
        waiver(until="2026-01-01", host="x"),
        {},
        ("fail", "medium", "ended on 2026-01-01, and names"),
        "expired",
    ),
]


@pytest.mark.parametrize(("found", "given", "options", "expected", "state"), CASES)
def test_waivers_that_nothing_needs_are_findings(
    found: list[dict[str, Any]],
    given: dict[str, str],
    options: dict[str, Any],
    expected: tuple[str, str, str] | None,
    state: str,
    tmp_path: Path,
) -> None:
    result = fleet(tmp_path, *found, waivers=[given], **options)
    (use,) = result.waivers
    assert use.state == state
    if expected is None:
        assert result.findings == []
    else:
        (finding,) = result.findings
        assert (finding.host, finding.control) == ("", "PBS-WAIVER-01")
        assert (finding.status, finding.severity) == expected[:2]
        assert expected[2] in finding.message
        assert result.counts[expected[0]] == 1


def test_a_waiver_that_another_one_makes_needless_is_unused(tmp_path: Path) -> None:
    result = fleet(tmp_path, waived("pbs1", waiver()), waivers=[waiver(), waiver(host="pbs*")])
    assert [use.state for use in result.waivers] == ["in force", "unused"]
    assert [use.hosts for use in result.waivers] == [1, 0]


# --- a part of the fleet ----------------------------------------------------------------------------------------------


def rows(found: Fleet) -> dict[str, tuple[str, bool, str]]:
    return {host.name: (host.state, host.earlier, host.last_seen[:10]) for host in found.hosts}


def test_hosts_that_were_not_asked_keep_their_older_documents(tmp_path: Path) -> None:
    documents.write(tmp_path / "in", [one("pbs1"), one("pbs2", "fail", documents.START - 3 * DAY)])
    found = reports.report(tmp_path / "out", tmp_path / "in", hosts={"pbs1": ""}, not_asked=["pbs2", "pbs3"]).fleet
    assert rows(found) == {
        "pbs1": ("ok", False, "2026-11-20"),
        "pbs2": ("fail", True, "2026-11-17"),
        "pbs3": ("not_asked", True, ""),
    }
    assert (found.datastores, found.datastores_of_this_run) == (2, 1)
    assert found.totals()["hosts_by_state"] == {"fail": 1, "unknown": 0, "warn": 0, "ok": 1, "none": 0, "not_asked": 1}
    assert found.counts["unknown"] == 0, "not asked is not unknown"


def test_a_host_that_could_not_be_reached_stays_so_until_it_is_asked_again(tmp_path: Path) -> None:
    documents.write(tmp_path / "in", [one("pbs1"), one("pbs2", "fail")])
    out = tmp_path / "out"
    reports.report(out, tmp_path / "in", hosts={"pbs1": "", "pbs2": ""})
    (tmp_path / "in/pbs2.json").unlink()
    documents.write(tmp_path / "in", [one("pbs1", when=documents.START + DAY)])
    earlier = {"earlier": str(out / "report.json")}
    now = reports.report(out, tmp_path / "in", hosts={"pbs1": "", "pbs2": "unreachable"}, **earlier).fleet
    assert rows(now)["pbs2"] == ("unknown", False, "2026-11-20")
    assert "Its last document was of 2026-11-20T02:00:00.000Z: 1 failed" in now.hosts[1].missing().message
    documents.write(tmp_path / "in", [one("pbs1", when=documents.START + 2 * DAY)])
    limited = reports.report(out, tmp_path / "in", hosts={"pbs1": ""}, not_asked=["pbs2"], **earlier).fleet
    assert rows(limited)["pbs2"] == ("unknown", True, "2026-11-20")
    assert limited.hosts[1].reason == "unreachable"
    alone = reports.report(out, tmp_path / "in", **earlier).fleet
    assert rows(alone)["pbs2"] == ("unknown", False, "2026-11-20"), "a report of its own does not forget it either"
    documents.write(tmp_path / "in", [one("pbs2", when=documents.START + 3 * DAY)])
    assert rows(reports.report(out, tmp_path / "in", **earlier).fleet)["pbs2"] == ("ok", False, "2026-11-23")


def test_a_host_that_left_the_fleet_is_not_kept_by_an_earlier_report(tmp_path: Path) -> None:
    documents.write(tmp_path / "in", [one("pbs1")])
    out = tmp_path / "out"
    reports.report(out, tmp_path / "in", hosts={"pbs1": "", "gone": "unreachable"})
    found = reports.report(out, tmp_path / "in", hosts={"pbs1": ""}, earlier=str(out / "report.json")).fleet
    assert list(rows(found)) == ["pbs1"]


def test_a_host_that_one_slice_did_not_ask_has_the_document_of_another(tmp_path: Path) -> None:
    documents.write(tmp_path / "eu", [one("pbs1")])
    documents.write(tmp_path / "us", [one("pbs2")])
    slices = [
        reports.report(tmp_path / f"{name}-report", tmp_path / name, hosts={asked: ""}, not_asked=[other])
        for name, asked, other in (("eu", "pbs1", "pbs2"), ("us", "pbs2", "pbs1"))
    ]
    assert rows(slices[0].fleet)["pbs2"] == ("not_asked", True, "")
    merged = reports.report(tmp_path / "out", merge=[slice_.paths["report.json"] for slice_ in slices]).fleet
    assert rows(merged) == {"pbs1": ("ok", False, "2026-11-20"), "pbs2": ("ok", False, "2026-11-20")}
    alone = reports.report(tmp_path / "out", merge=[slices[0].paths["report.json"]]).fleet
    assert rows(alone)["pbs2"][0] == "not_asked"


@pytest.mark.parametrize("content", ["", "{}", "[", '{"schema": "fleetops.pbs/report", "hosts": [1], "documents": [\n'])
def test_an_earlier_report_that_cannot_be_used_tells_nothing(tmp_path: Path, content: str) -> None:
    documents.write(tmp_path / "in", [one("pbs1")])
    (tmp_path / "earlier").write_text(content)
    for earlier in ("earlier", "nothing"):
        found = reports.report(tmp_path / "out", tmp_path / "in", earlier=str(tmp_path / earlier)).fleet
        assert list(rows(found)) == ["pbs1"]


def test_three_things_that_are_not_the_same_are_told_apart_in_every_format(tmp_path: Path) -> None:
    """A host without a datastore, one that was not asked, and one that is safe."""
    nothing = documents.whole("empty", [], [documents.finding("PBS-HOST-01", None, "skip")], documents.START)
    documents.write(tmp_path / "in", [one("safe"), nothing])
    report = reports.report(tmp_path / "out", tmp_path / "in", hosts={"safe": "", "empty": ""}, not_asked=["left"])
    assert {host.name: host.state for host in report.fleet.hosts} == {
        "safe": "ok",
        "empty": "none",
        "left": "not_asked",
    }
    text = {name: Path(path).read_text() for name, path in report.paths.items()}
    for path in report.paths.values():
        reports.check(Path(path))
    assert "1 without a datastore, 1 not asked" in text["status.txt"]
    assert report.code == 0
    for host, state, severity in (("safe", 0, 0), ("empty", 4, 0), ("left", 5, None)):
        assert f'fleetops_pbs_host_state{{host="{host}"}} {state}\n' in text["metrics.prom"]
        worst = f'fleetops_pbs_host_worst_severity{{host="{host}"}} '
        assert worst not in text["metrics.prom"] if severity is None else f"{worst}{severity}\n" in text["metrics.prom"]
    assert "1 not asked" in text["summary.md"]
    assert "No datastore that was checked has a problem." in text["report.html"]
    for words in ("1 fine", "1 without a datastore", "1 not asked"):
        assert words in text["report.html"]
    assert {row["host"]: row["state"] for row in json.loads(text["report.json"])["hosts"]} == {
        "safe": "ok",
        "empty": "none",
        "left": "not_asked",
    }
    assert "left,,PBS-REPORT-01,skip" in text["report.csv"].replace('"', "")
    assert all(reports.TOTALS[name](Path(path)) for name, path in report.paths.items())
