# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports in tests: made in one call, read back format by format, checked against the published schema of each."""

from __future__ import annotations

import base64
import csv
import functools
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import xmlschema
from prometheus_client.parser import text_string_to_metric_families

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import CONTROLS, SEVERITIES
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import STATUSES
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.waivers import parse_waivers
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.fleet import Inputs
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.report import FORMATS, Order, Report, make

DATA = Path(__file__).resolve().parents[1] / "unit/plugins/plugin_utils/_report/data"
DOCS = Path(__file__).resolve().parents[2] / "docs"
NOW = 2110360000.0
"""Later than every document of the tests: one from the future is refused."""
QUIET = ("pass", "skip")


def report(dest: Path, *documents: Path, **options: Any) -> Report:
    """A report to `dest`; options are those of Inputs and Order. Without a history unless one is asked for."""
    waivers = parse_waivers(options.pop("waivers", []))
    inputs = {
        key: options.pop(key)
        for key in ("merge", "hosts", "not_asked", "others", "earlier", "partial", "run")
        if key in options
    }
    options.setdefault("history", "")
    now = options.pop("now", NOW)
    return make(Order(Inputs([str(path) for path in documents], waivers=waivers, **inputs), str(dest), **options), now)


# --- what each format says: how many findings of each status ----------------------------------------------------------


def _json(path: Path) -> Counter[str]:
    data = json.loads(path.read_text())
    found = Counter(item["status"] for document in data["documents"] for item in document["findings"])
    found.update(item["status"] for item in data["findings"])
    missing = [host["state"] for host in data["hosts"] if host["finished"] is None]
    found["skip"] += missing.count("not_asked")
    found["unknown"] += len(missing) - missing.count("not_asked")
    assert +found == +Counter(data["totals"]["by_status"])
    return found


def _csv(path: Path) -> Counter[str]:
    with path.open(newline="", encoding="utf-8") as stream:
        return Counter(row["status"] for row in csv.DictReader(stream, strict=True))


def _junit(path: Path) -> Counter[str]:
    root = ElementTree.parse(path).getroot()
    found: Counter[str] = Counter()
    for suite in root:
        named = {item.get("name"): item.get("value", "") for item in suite.iter("property")}
        of_suite = Counter({status: int(named[status]) for status in STATUSES})
        cases = list(suite.iter("testcase"))
        kinds = Counter(child.tag for case in cases for child in case)
        skipped = Counter(child.get("type") for case in cases for child in case if child.tag == "skipped")
        assert len(cases) == int(suite.get("tests", "")) == sum(of_suite.values())
        assert kinds["failure"] == int(suite.get("failures", "")) == of_suite["fail"]
        assert kinds["error"] == int(suite.get("errors", "")) == of_suite["unknown"]
        assert kinds["skipped"] == int(suite.get("skipped", "")) == of_suite["skip"] + of_suite["waived"]
        assert skipped["waived"] == of_suite["waived"]
        found += of_suite
    assert int(root.get("tests", "")) == sum(found.values())
    return found


def _sarif(path: Path) -> Counter[str]:
    (run,) = json.loads(path.read_text())["runs"]
    totals = Counter(run["properties"]["totals"]["by_status"])
    told = Counter(result["properties"]["status"] for result in run["results"])
    told.update(run["properties"]["results_left_out"])
    assert +told == +Counter({status: totals[status] for status in totals if status not in QUIET})
    return totals


def _metrics(path: Path) -> Counter[str]:
    found: Counter[str] = Counter()
    for sample in samples(path)["fleetops_pbs_findings"]:
        found[sample[0]["status"]] += int(sample[1])
    return found


def samples(path: Path) -> dict[str, list[tuple[dict[str, str], float]]]:
    families = text_string_to_metric_families(path.read_text())
    return {family.name: [(sample.labels, sample.value) for sample in family.samples] for family in families}


def _summary(path: Path) -> Counter[str]:
    lines = path.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("| fail | "))
    names, numbers = ([part.strip() for part in lines[i].strip("|").split("|")] for i in (at, at + 2))
    return Counter({name: int(number.replace(",", "")) for name, number in zip(names, numbers, strict=True)})


def _status(path: Path) -> Counter[str]:
    figures = dict(part.split("=") for part in path.read_text().split("|")[1].split())
    return Counter({status: int(figures[status]) for status in STATUSES})


def _oscal(path: Path) -> Counter[str]:
    (result,) = json.loads(path.read_text())["assessment-results"]["results"]
    totals = Counter(
        {item["name"][9:]: int(item["value"]) for item in result["props"] if item["name"].startswith("findings-")}
    )
    told: Counter[str] = Counter()
    for observation in result["observations"]:
        for prop in observation.get("props", []):
            if prop["name"] == "status":
                told[prop["value"]] += 1
            elif prop["name"].startswith("findings-"):
                told[prop["name"][9:]] += int(prop["value"])
    by_control: Counter[str] = Counter()
    for finding in result.get("findings", []):
        by_control.update(
            {item["name"][9:]: int(item["value"]) for item in finding["props"] if item["name"].startswith("findings-")}
        )
    assert +told == +totals == +by_control
    return totals


def page_data(path: Path) -> tuple[dict[str, Any], list[list[dict[str, Any]]]]:
    """What report.html carries for its script: the fleet, and per host what its findings say."""
    page = path.read_text()
    fleet = re.search(r'<script type="application/json" id="fleet">(.*?)</script>', page, re.DOTALL)
    details = re.search(r'<script type="text/plain" id="details">\n(.*?)</script>', page, re.DOTALL)
    assert fleet
    assert details
    unpacked = [json.loads(zlib.decompress(base64.b64decode(line), -15)) for line in details.group(1).splitlines()]
    return json.loads(fleet.group(1)), unpacked


def _html(path: Path) -> Counter[str]:
    fleet, details = page_data(path)
    tiles = re.findall(r'<li class="tile s-(\w+)"><b>([\d,]+)</b>', path.read_text())
    told = Counter(fleet["statuses"][item["status"]] for host in details for item in host)
    assert +told == +Counter({name: int(number.replace(",", "")) for name, number in tiles})
    problems = Counter(fleet["statuses"][status] for status in fleet["problems"]["status"])
    assert problems == +Counter({status: told[status] for status in told if status not in QUIET})
    assert len(details) == len(fleet["hosts"])
    return told


TOTALS: Mapping[str, Callable[[Path], Counter[str]]] = {
    "report.json": _json,
    "report.html": _html,
    "report.csv": _csv,
    "junit.xml": _junit,
    "report.sarif": _sarif,
    "metrics.prom": _metrics,
    "summary.md": _summary,
    "status.txt": _status,
    "oscal.json": _oscal,
}
assert list(TOTALS) == list(FORMATS)


# --- what is published about each -------------------------------------------------------------------------------------


@functools.cache
def validator(path: Path) -> jsonschema.protocols.Validator:
    # Python's expressions have no \p{…}; these stand for letters, and for letters and digits.
    text = path.read_text().replace(r"(\\p{L}|_)(\\p{L}|\\p{N}|[.\\-_])*", r"[^\\W\\d]([\\w.\\-])*")
    schema = json.loads(text)
    return jsonschema.validators.validator_for(schema)(schema)


@functools.cache
def _xsd() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(DATA / "junit-10.xsd")


def check(path: Path) -> None:
    """Fails where a file is not what the publication of its format says."""
    schemas = {
        "report.json": DOCS / "report.schema.json",
        "report.sarif": DATA / "sarif-schema-2.1.0.json",
        "oscal.json": DATA / "oscal_assessment-results_schema.json",
    }
    if path.name in schemas:
        validator(schemas[path.name]).validate(json.loads(path.read_text()))
    elif path.name == "junit.xml":
        _xsd().validate(path)
    elif path.name == "metrics.prom":
        _check_metrics(path)
    elif path.name == "status.txt":
        assert re.fullmatch(r"[0-3] (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+ \|( \w+=\d+)+\n", path.read_text())


def _check_metrics(path: Path) -> None:
    for name, found in samples(path).items():
        labels = [tuple(sorted(item[0].items())) for item in found]
        assert len(labels) == len(set(labels)), f"a series of {name} is there twice"
    assert path.read_text().endswith("\n")


CONTROL_IDS = tuple(control.id for control in CONTROLS)
__all__ = ["CONTROL_IDS", "DATA", "NOW", "SEVERITIES", "TOTALS", "check", "page_data", "report", "samples", "validator"]
