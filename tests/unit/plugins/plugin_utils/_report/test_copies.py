# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies between hosts, and the week of each host, as a report tells them from the documents of both ends."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import (
    JobHistoryFacts,
    JobRunFacts,
    RemoteFacts,
    SyncJobFacts,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import CertificateFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.document import Asked, build, timestamp
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.judge import Question, judge
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.policy import Policy
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.copies import (
    DEFAULT_LIMIT,
    MOST_FINDINGS,
    findings_of,
    match,
    side_of,
)
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.timeline import WIDTH, lanes_of
from ansible_collections.fleetops.pbs.tests.support import documents, facts, reports

DAY = facts.DAY
GENERATED = timestamp(facts.NOW)
FINGERPRINTS = {"pbs1": ":".join(["a1"] * 32), "pbs2": ":".join(["b2"] * 32)}
FAILED = JobRunFacts(
    "error",
    end=int(facts.NOW) - 3600,
    message="sync failed with some errors.",
    start=int(facts.NOW) - 7200,
    history=JobHistoryFacts(30, int(facts.NOW) - 30 * DAY, int(facts.NOW) - 8 * DAY, 8, int(facts.NOW) - 7 * DAY, 1800),
)


def pull(run: JobRunFacts, remote: str) -> list[SyncJobFacts]:
    return [SyncJobFacts("from-" + remote, "copies", remote, "tank", schedule="daily", last_run=run)]


def made(
    name: str, other: str, run: JobRunFacts, newest_days: float = 1.0, address: str = "192.0.2.7"
) -> dict[str, Any]:
    """The document of a host with its own datastore `tank`, and `copies` into which it pulls `tank` of the other host."""
    host = facts.change(
        facts.host(),
        {
            "name": name,
            "config_dir.sync_jobs": pull(run, other),
            "config_dir.remotes": [RemoteFacts(other, address, fingerprint=FINGERPRINTS[other].upper())],
            "config_dir.certificate": CertificateFacts(FINGERPRINTS[name], int(facts.NOW) + 30 * DAY),
        },
    )
    copied = facts.store("copies", 1)
    for group in copied.references.groups:
        group.newest = int(facts.NOW - newest_days * DAY)
    stores = [facts.store(), copied]
    findings = judge(host, stores, Question(policy=Policy(), now=facts.NOW))
    return json.loads(json.dumps(build(host, stores, findings, facts.NOW, facts.NOW, False, Asked())))


def report(tmp_path: Path, *found: dict[str, Any], **options: Any) -> Path:
    documents.write(tmp_path / "in", list(found))
    for path in reports.report(tmp_path / "out", tmp_path / "in", **options).paths.values():
        reports.check(Path(path))
    return tmp_path / "out"


def section(page: Path, name: str) -> str:
    found = re.search(rf'<section class="card" aria-labelledby="{name}">.*?</section>', page.read_text(), re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", found.group(0))).split()) if found else ""


def test_two_hosts_that_sync_to_each_other_and_one_fails_for_eight_days(tmp_path: Path) -> None:
    out = report(
        tmp_path,
        made("pbs1", "pbs2", facts.job_run("ok", 0.5)),
        made("pbs2", "pbs1", FAILED, newest_days=9.0),
    )
    shown = section(out / "report.html", "copies-title")
    # The failing one is first, and both documents are heard: the job of one, the backups of both.
    assert "pbs1 / tank pbs2 / copies old or failing 8.0 days ago daily" in shown
    assert (
        "pbs2: pull job 'from-pbs1' failed 8 times in a row (sync failed with some errors); its last success was 8.0 days ago."
        in shown
    )
    assert re.search(r"The newest backup of pbs2/copies is \d\.\d days older than that of pbs1/tank\.", shown)
    assert "pbs2 / tank pbs1 / copies fresh 0.5 days ago" in shown
    assert shown.index("old or failing") < shown.index("fresh")
    (finding,) = [
        item
        for item in json.loads((out / "report.json").read_text())["findings"]
        if item["control"] == "PBS-COPY-01" and item["status"] == "fail"
    ]
    assert "pbs1 / tank is not copied to pbs2 / copies as it should be." in finding["message"]
    samples = reports.samples(out / "metrics.prom")
    assert sorted(value for _labels, value in samples["fleetops_pbs_copy_state"]) == [0.0, 2.0]
    assert len(samples["fleetops_pbs_copy_last_success_timestamp_seconds"]) == 2


def test_with_one_document_the_report_says_what_it_cannot_know(tmp_path: Path) -> None:
    out = report(tmp_path, made("pbs2", "pbs1", FAILED), hosts={"pbs2": "", "pbs1": "unreachable"})
    shown = section(out / "report.html", "copies-title")
    assert "its last success was 8.0 days ago" in shown
    assert (
        "There is no document of 192.0.2.7 that tells of it: whether the source is there, and whether the copy has all"
        in shown
    )
    assert "1 datastore that no known job copies" in shown
    assert "1 host of this report has no document: whether a job there pulls one of these is not known." in shown


def test_a_host_is_known_by_its_fingerprint_or_its_name() -> None:
    pbs1, pbs2 = (
        made("pbs1", "pbs2", facts.job_run()),
        made("pbs2", "pbs1", facts.job_run(), address="PBS1.example.com"),
    )
    sides = {"pbs1": side_of(pbs1), "pbs2": side_of(pbs2)}
    assert {copy.source_host for copy in match(sides, pbs1["finished"])} == {"pbs1", "pbs2"}
    for document in (pbs1, pbs2):
        document["observed"]["config_dir"]["certificate"] = None
    sides = {"pbs1": side_of(pbs1), "pbs2": side_of(pbs2)}
    # By address nobody is known; by the first part of a name pbs1 is.
    assert sorted(copy.source_host for copy in match(sides, pbs1["finished"])) == ["", "pbs1"]


def test_a_document_that_does_not_tell_of_sync_jobs_says_nothing(tmp_path: Path) -> None:
    old = documents.whole("pbs1", ["tank"], [], documents.START)
    assert side_of(old) is None
    out = report(tmp_path, old)
    assert section(out / "report.html", "copies-title") == ""


def test_the_week_of_a_host(tmp_path: Path) -> None:
    document = made("pbs1", "pbs2", facts.job_run("ok", 0.5, seconds=6 * 3600))
    lanes = {lane.name: lane for lane in lanes_of(document)}
    assert list(lanes)[:3] == ["tank: GC", "tank: prune tank-daily", "tank: verify tank-verify"]
    daily = lanes["copies: sync from-pbs2"]
    # By the clock of the host, an hour before UTC: seven midnights, a quarter of a day each.
    assert [left for left, _width in daily.bars] == [round(day * WIDTH / 7, 2) for day in range(7)]
    assert {width for _left, width in daily.bars} == {round(WIDTH / 28, 2)}
    assert daily.days == ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    (sunday,) = lanes["tank: verify tank-verify"].bars
    assert sunday[0] == round(5 / 24 * WIDTH / 7, 2)
    shown = section(report(tmp_path, document) / "report.html", "timeline-title")
    assert "pbs1: 7 scheduled jobs" in shown
    assert "copies: sync from-pbs2 daily, 6.0 h" in shown


def test_metrics_of_jobs_versions_and_certificates(tmp_path: Path) -> None:
    samples = reports.samples(report(tmp_path, made("pbs1", "pbs2", FAILED)) / "metrics.prom")
    job = {"host": "pbs1", "datastore": "copies", "kind": "sync", "job_id": "from-pbs2"}
    assert (job, 2.0) in samples["fleetops_pbs_job_state"]
    assert (job, facts.NOW - 8 * DAY) in samples["fleetops_pbs_job_last_success_timestamp_seconds"]
    assert (job, 3600.0) in samples["fleetops_pbs_job_duration_seconds"]
    assert samples["fleetops_pbs_version_faults"] == [({"host": "pbs1"}, 0.0)]
    assert samples["fleetops_pbs_certificate_end_timestamp_seconds"] == [({"host": "pbs1"}, facts.NOW + 30 * DAY)]


WRONG = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(WRONG, WRONG, WRONG)
def test_facts_of_any_type_are_not_told_and_no_error(jobs: Any, remotes: Any, configured: Any) -> None:
    document = documents.whole("pbs1", ["tank"], [], documents.START)
    document["observed"]["config_dir"] = {"sync_jobs": jobs, "remotes": remotes, "certificate": remotes}
    document["observed"]["utc_offset"] = jobs
    document["datastores"][0]["observed"] = {"configured": configured, "references": remotes}
    match({"pbs1": side_of(document), "pbs2": None}, document["finished"])
    for lane in lanes_of(document):
        assert lane.bars == lane.bars


@pytest.mark.parametrize("state", ["ok", "created", "running"])
def test_a_copy_that_never_succeeded_is_not_fresh(state: str) -> None:
    run = facts.job_run(state) if state == "ok" else JobRunFacts(state)
    (copy,) = match({"pbs1": side_of(made("pbs1", "pbs2", run))}, made("pbs1", "pbs2", run)["finished"])
    assert copy.state == ("pass" if state == "ok" else "unknown")


def test_a_time_in_the_future_is_not_known(tmp_path: Path) -> None:
    """The last run, and a directory with the name of a snapshot that is still to come."""
    two = {"pbs1": side_of(made("pbs1", "pbs2", facts.job_run("ok", -7300))), "pbs2": None}
    assert match(two, GENERATED)[0].state == "unknown"
    fresh = made("pbs1", "pbs2", facts.job_run("ok", 0.5), newest_days=-7300)
    late = made("pbs2", "pbs1", facts.job_run("ok", 0.5), newest_days=-7300)
    told = [copy.told[-1] for copy in match({"pbs1": side_of(fresh), "pbs2": side_of(late)}, GENERATED)]
    assert told == [
        "The newest backup of pbs1/copies is of the future, so the two cannot be compared.",
        "The newest backup of pbs2/copies is of the future, so the two cannot be compared.",
    ]


def test_no_host_takes_the_place_of_another_by_its_certificate() -> None:
    sides = {
        "pbs1": side_of(made("pbs1", "pbs2", facts.job_run("ok", 0.5), newest_days=9.0, address="pbs2")),
        "pbs2": side_of(made("pbs2", "pbs1", facts.job_run("ok", 0.5))),
        "evil": side_of(made("pbs2", "pbs1", facts.job_run("ok", 0.5), newest_days=0.0)),
    }
    (copy,) = [copy for copy in match(sides, GENERATED) if copy.runs_on == "pbs1"]
    assert (copy.source_host, copy.state) == ("pbs2", "fail")


def test_one_host_leaves_room_for_the_failing_copies_of_the_others() -> None:
    one = side_of(made("pbs1", "pbs2", FAILED))
    assert one is not None
    many = one._replace(jobs=tuple(one.jobs[0]._replace(id=f"j{number:03}") for number in range(256)))
    found = findings_of(match({"a": many, "z": one}, GENERATED))
    assert len(found) == MOST_FINDINGS
    assert "z" in {finding.evidence["runs_on"] for finding in found}


@pytest.mark.parametrize("value", [10**400, -1, 1e300, True, "7"], ids=["large", "negative", "float", "flag", "text"])
def test_a_limit_that_cannot_be_one_is_the_default(value: Any) -> None:
    document = made("pbs1", "pbs2", facts.job_run("ok", 0.5))
    document["asked"] = {"policy": {"sync_max_age_days": value}}
    side = side_of(document)
    assert side is not None
    assert side.limit_days == DEFAULT_LIMIT


def test_jobs_of_the_same_id_are_one(tmp_path: Path) -> None:
    document = made("pbs1", "pbs2", facts.job_run("ok", 0.5))
    document["observed"]["config_dir"]["sync_jobs"] *= 2
    assert len(reports.samples(report(tmp_path, document) / "metrics.prom")["fleetops_pbs_copy_state"]) == 1
