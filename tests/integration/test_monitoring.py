# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection brings for Prometheus and Grafana, with a real Prometheus that scrapes a real node exporter."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats import metrics
from ansible_collections.fleetops.pbs.tests.support import documents, monitoring, reports, waiting

MONITORING = monitoring.ROOT / "extensions/monitoring"
RULES = MONITORING / "prometheus-rules.yml"
DASHBOARD = MONITORING / "grafana-dashboard.json"
METRICS = {metrics.PREFIX + name for name, _help in metrics.HELP}

needs_prometheus = pytest.mark.skipif(bool(monitoring.missing()), reason=monitoring.missing() or "it is there")


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return list(group["rules"])


def dashboard() -> dict[str, Any]:
    return dict(json.loads(DASHBOARD.read_text()))


def expressions() -> dict[str, str]:
    """Every query of the dashboard, with what stands for its variables."""
    return {
        f"{panel['title']} {target['refId']}": target["expr"].replace("$report", ".*").replace("$host", ".*")
        for panel in dashboard()["panels"]
        for target in panel["targets"]
    }


def test_rules_and_dashboard_use_metrics_that_there_are() -> None:
    used = [rule["expr"] for rule in rules()] + list(expressions().values())
    for expression in used:
        names = set(re.findall(r"\bfleetops_pbs_\w+", expression))
        assert names
        assert names <= METRICS, expression


def test_every_alert_says_what_to_do() -> None:
    assert len({rule["alert"] for rule in rules()}) == len(rules())
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) >= {"summary", "description"}
    tested = yaml.safe_load((MONITORING / "prometheus-rules.test.yml").read_text())["tests"]
    fired = {check["alertname"] for test in tested for check in test["alert_rule_test"] if check["exp_alerts"]}
    quiet = {check["alertname"] for test in tested for check in test["alert_rule_test"] if not check["exp_alerts"]}
    assert fired == quiet == {rule["alert"] for rule in rules()}


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        for cell in (
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ):
            assert cell not in taken, (panel["title"], taken[cell])
            taken[cell] = panel["title"]
        assert place["x"] + place["w"] <= 24
    assert len({panel["id"] for panel in dashboard()["panels"]}) == len(dashboard()["panels"])


@needs_prometheus
def test_the_rules_hold_what_they_promise() -> None:
    for words in (("check", "rules", str(RULES)), ("test", "rules", str(MONITORING / "prometheus-rules.test.yml"))):
        done = monitoring.promtool(*words)
        assert done.returncode == 0, done.stdout
        assert "SUCCESS" in done.stdout


@needs_prometheus
def test_promtool_finds_nothing_in_the_file(tmp_path: Path) -> None:
    documents.write(tmp_path / "in", [documents.document(number, badness=0.3, jobs=True) for number in range(1, 4)])
    path = reports.report(tmp_path / "out", tmp_path / "in", hosts={"pbs9": "unreachable"}).paths["metrics.prom"]
    with Path(path).open() as stream:
        checked = subprocess.run(
            [str(monitoring.program("promtool")), "check", "metrics"],
            stdin=stream,
            capture_output=True,
            text=True,
            check=False,
        )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[monitoring.Prometheus, str, list[Path]]]:
    """A Prometheus, the address of its exporter, and the files of two reports that the exporter reads."""
    place = tmp_path_factory.mktemp("monitoring")
    textfiles = place / "textfiles"
    textfiles.mkdir()
    files = []
    for name, first, missing in (("eu", 1, {}), ("us", 5, {"pbs9": "unreachable: no route to host"})):
        found = [documents.document(number, badness=0.5, jobs=True) for number in range(first, first + 3)]
        documents.write(place / name, found)
        hosts = {**{document["host"]: "" for document in found}, **missing}
        report = reports.report(place / f"report-{name}", place / name, hosts=hosts, name=name)
        target = textfiles / f"pbs-{name}.prom"
        shutil.copy(report.paths["metrics.prom"], target)
        files.append(target)
    with monitoring.running(place, textfiles, RULES) as (server, exporter):
        yield server, exporter, files


@needs_prometheus
def test_every_series_of_two_reports_reaches_prometheus(scraped: tuple[monitoring.Prometheus, str, list[Path]]) -> None:
    server, exporter, files = scraped
    with urllib.request.urlopen(f"http://{exporter}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    assert "node_textfile_scrape_error 0" in text
    for file in files:
        for name, samples in reports.samples(file).items():
            found = waiting.until(lambda name=name: server.query(name), f"{name} was not scraped")  # type: ignore[misc]
            have = {
                frozenset(
                    (key, value) for key, value in labels.items() if key not in ("__name__", "instance", "job")
                ): number
                for labels, number in found
            }
            for labels, value in samples:
                # Prometheus does not tell an empty label from none.
                assert have[frozenset((key, text) for key, text in labels.items() if text)] == value, (name, labels)


@needs_prometheus
def test_alerts_fire_for_what_the_report_says(scraped: tuple[monitoring.Prometheus, str, list[Path]]) -> None:
    server, _exporter, files = scraped
    failed = {
        (labels["report"], labels["host"], labels["datastore"], labels["control"])
        for file in files
        for labels, value in reports.samples(file)["fleetops_pbs_control_status"]
        if value == 2 and labels["severity"] == "critical"
    }
    assert failed

    def firing() -> set[tuple[str, ...]]:
        found = server.query('ALERTS{alertname="PbsCriticalControlFailed",alertstate="firing"}')
        return {(item["report"], item["host"], item.get("datastore", ""), item["control"]) for item, _value in found}

    waiting.until(lambda: firing() == failed, lambda: f"{firing()} is not {failed}")
    pending = waiting.until(
        lambda: server.query('ALERTS{alertname="PbsHostNotReached"}'), "no alert of the unreachable host"
    )
    assert [(item["host"], item["alertstate"]) for item, _value in pending] == [("pbs9", "pending")]


@needs_prometheus
def test_every_query_of_the_dashboard_is_answered(scraped: tuple[monitoring.Prometheus, str, list[Path]]) -> None:
    server, _exporter, _files = scraped
    waiting.until(lambda: server.query("fleetops_pbs_report_timestamp_seconds"), "nothing was scraped")
    for title, expression in expressions().items():
        assert server.query(expression), title
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            assert re.fullmatch(r"label_values\((\w+)(\{.*\})?, (report|host)\)", variable["definition"])


@needs_prometheus
def test_it_joins_with_what_others_export(
    scraped: tuple[monitoring.Prometheus, str, list[Path]], tmp_path: Path
) -> None:
    """The joins that docs/monitoring.md shows, with series as these exporters name them."""
    server, _exporter, files = scraped
    joins = re.findall(
        r"<!-- run: make integration -->\n```text\n(.*?)```",
        (monitoring.ROOT / "docs/monitoring.md").read_text(),
        re.DOTALL,
    )
    assert len(joins) == 2
    labels = next(labels for labels, _value in reports.samples(files[0])["fleetops_pbs_gc_removable_bytes"])
    host, store = labels["host"], labels["datastore"]
    other = files[0].parent / "other.prom"
    other.write_text(
        # rare-magma/pbs-exporter pushes `host` and `store`; natrontech/pbs-exporter is scraped by `instance`.
        f'pbs_used{{host="{host}",store="{store}"}} 1000\n'
        f'pbs_used{{datastore="{store}",scraped="{host}.example.org:9101"}} 2000\n'
    )
    waiting.until(lambda: len(server.query("pbs_used")) == 2, "the other exporters were not scraped")
    removable = {
        (found["host"], found["datastore"]): value for found, value in server.query("fleetops_pbs_gc_removable_bytes")
    }[host, store]
    for join, used in zip(joins, (2000, 1000), strict=True):
        # Both come from one node exporter here, so that the instance of the first is in a label of another name.
        ((found, value),) = server.query(join.replace('"instance"', '"scraped"'))
        assert (found["host"], found["datastore"]) == (host, store)
        assert value == pytest.approx(removable / used)
