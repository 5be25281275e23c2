# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of fifty hosts, ten of which send whatever harms a report most."""

from __future__ import annotations

import base64
import csv
import json
import os
import random
import re
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.documents import (
    MAX_BYTES,
    MAX_DATASTORES,
    MAX_FINDINGS,
)
from ansible_collections.fleetops.pbs.tests.support import documents

COLLECTIONS = Path(documents.__file__).parents[5]
HONEST = 40
MEMORY = 300 * 2**20
NOW = documents.START + 3600.0

MAKE = """
import json, resource, sys
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.fleet import Inputs
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.report import FORMATS, Order, make
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.table import table
source, dest, now, hosts = json.loads(sys.argv[1])
report = make(Order(Inputs([source], hosts=hosts), dest, history=dest + "/history.sqlite"), now)
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
lines = [line.text for line in table(report.fleet, rows=10_000)]
print(json.dumps({"memory": memory, "terminal": lines, "usual": [line.text for line in table(report.fleet)]}))
"""
"""In a process of its own, whose peak of memory is its own, too."""


def make(source: Path, dest: Path, hosts: list[str]) -> dict[str, Any]:
    arguments = json.dumps([str(source), str(dest), NOW, dict.fromkeys(hosts, "")])
    # Ansible's loader has found the collection; the other process takes it from Python's path.
    environment = {**os.environ, "PYTHONPATH": str(COLLECTIONS)}
    command = [sys.executable, "-c", MAKE, arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


# --- what the ten send ---------------------------------------------------------------------------------------------------


def base(name: str, stores: list[str] | None = None, told: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return documents.whole(
        name, stores or ["tank"], told or [documents.finding("PBS-ATIME-01", "tank")], documents.START
    )


def matrix(name: str, chance: random.Random) -> str:
    """Each finding of another control and another datastore."""
    count = chance.choice([6000, 50_000])
    told = [documents.finding(f"C{number}", f"d{number}", "fail") for number in range(count)]
    return json.dumps(base(name, [], told))


def full(name: str, chance: random.Random) -> str:
    """As much of everything as is allowed."""
    stores = [f"{chance.random()}-{number}" for number in range(MAX_DATASTORES)]
    controls = [f"PBS-{name.upper()}-{number:02}" for number in range(16)]
    told = [
        documents.finding(chance.choice(controls), chance.choice(stores), "fail", severity="critical")
        for _number in range(MAX_FINDINGS)
    ]
    document = base(name, stores, told)
    for item in document["datastores"]:
        item["observed"] = {}
    text = json.dumps(document)
    while len(text) > MAX_BYTES:
        del told[len(told) * 9 // 10 :]
        text = json.dumps(document)
    return text


def heavy(name: str, _chance: random.Random) -> str:
    """The most objects in the fewest bytes."""
    text = json.dumps(dict(base(name), observed={"x": 0}))
    return text.replace('{"x": 0}', '{"x": [' + ",".join(["{}"] * ((MAX_BYTES - len(text) - 100) // 3)) + "]}")


def evidence(name: str, _chance: random.Random) -> str:
    found = documents.finding("PBS-ATIME-01", "tank", "fail", evidence={"x": ["\x1b[2J<script>|&"] * 250_000})
    return json.dumps(base(name, ["tank"], [found]))


def future(name: str, chance: random.Random) -> str:
    return json.dumps(dict(base(name), finished=f"{chance.choice([2027, 2999, 9999])}-12-31T23:59:59.999Z"))


def bogus(name: str, _chance: random.Random) -> str:
    summary = {"worst": "bogus", "fail": -1, "ansible_facts": {"preflight_fail_on": "never"}}
    return json.dumps(dict(base(name), summary=summary, asked={"policy": {"a": {}}, "controls": [{}]}, observed=[]))


def markup(name: str, _chance: random.Random) -> str:
    text = "\x1b[2J\x1b]0;x\x07</script><script>alert(1)</script>]]>&amp;|\n\r\u202e{{7*7}}{% raw %}=cmd|' /C calc'!A0\ud800"
    found = documents.finding(text, text, "fail", message=text, remedy=text, commands=[text], evidence={text: text})
    return json.dumps(dict(base(name, [text], [found]), pbs_version=text, collection_version=text))


def deep(name: str, _chance: random.Random) -> str:
    return json.dumps(dict(base(name), observed=0))[:-1] + ', "x": ' + "[" * 100_000 + "]" * 100_000 + "}"


def large(name: str, _chance: random.Random) -> str:
    return json.dumps(dict(base(name), observed="x" * (MAX_BYTES * 2)))


def numbers(name: str, chance: random.Random) -> str:
    number = chance.choice(["1e999", "NaN", "-Infinity", "9" * 10_000])
    return json.dumps(dict(base(name), schema_version=0)).replace('"schema_version": 0', f'"schema_version": {number}')


HOSTILE: dict[str, Callable[[str, random.Random], str]] = {
    function.__name__: function
    for function in (matrix, full, heavy, evidence, future, bogus, markup, deep, large, numbers)
}


# --- what is left of the others -------------------------------------------------------------------------------------------


def rows(out: Path, names: set[str], terminal: list[str]) -> dict[str, list[str]]:
    """What each format says of these hosts, piece by piece."""
    with (out / "report.csv").open(newline="", encoding="utf-8") as stream:
        table = [json.dumps(row) for row in csv.DictReader(stream, strict=True) if row["host"] in names]
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    suites = ElementTree.parse(out / "junit.xml").getroot()
    for suite in suites:
        del suite.attrib["id"]  # its place in the file
    return {
        "html": list(page(out / "report.html", names)),
        "sarif": list(sarif(out / "report.sarif", names)),
        "oscal": list(oscal(out / "oscal.json", names)),
        "terminal": blocks(terminal, names),
        "csv": table,
        "json": [json.dumps(item) for item in [*report["hosts"], *report["documents"]] if item["host"] in names],
        "junit": [
            ElementTree.tostring(suite, encoding="unicode")
            for suite in suites
            if any(suite.get("name", "").partition("/")[0].split(" ")[0] == name for name in names)
        ],
        "metrics": [
            line
            for line in (out / "metrics.prom").read_text(encoding="utf-8").splitlines()
            if any(f'"{name}"' in line for name in names)
        ],
    }


def different(one: list[str], other: list[str]) -> list[str]:
    """What only one of them has, cut; to be read."""
    return [line[:300] for line in set(one) ^ set(other)][:3]


def page(path: Path, names: set[str]) -> Iterator[str]:
    """Rows of the tables, the data of each host with all details of its findings, and what the list shows of each."""
    text = path.read_text(encoding="utf-8")
    for row in re.findall(r"<tr>.*?</tr>", text, re.DOTALL):
        found = re.match(r'<tr><th scope="row"><a href="#host=([^"]*)">', row)
        if found and found[1] in names and 'data-label="PBS"' in row:
            yield row
    data = json.loads(script(text, "fleet"))
    controls = [control["id"] for control in data["controls"]]
    packed = script(text, "details").split()
    ranked = sorted((host["rank"], host["name"]) for host in data["hosts"] if host["name"] in names)
    yield f"in this order: {[name for _rank, name in ranked]}"
    problems = [dict(zip(data["problems"], values)) for values in zip(*data["problems"].values())]
    for number, (host, details) in enumerate(zip(data["hosts"], packed)):
        if host["name"] not in names:
            continue
        # Controls that only the ten have are further columns.
        cells = [(place // len(controls), controls[place % len(controls)], code) for place, code in cells_of(host)]
        yield json.dumps([{**host, "cells": "", "rank": 0}, cells])
        for item in json.loads(zlib.decompress(base64.b64decode(details), -15)):
            yield json.dumps({**item, "control": controls[item["control"]]})
        for item in problems:
            if item["host"] == number:
                texts = [data["strings"][item[name]] for name in ("message", "remedy", "commands")]
                yield json.dumps([controls[item["control"]], item["place"], item["status"], item["severity"], texts])


def script(text: str, name: str) -> str:
    return text.partition(f'id="{name}">')[2].partition("</script>")[0]


def cells_of(host: dict[str, Any]) -> Iterator[tuple[int, str]]:
    place = 0
    for skipped, code in re.findall(r"~(\d+)~|(.)", host["cells"]):
        if code:
            yield place, code
        place += int(skipped or 1)


def sarif(path: Path, names: set[str]) -> Iterator[str]:
    (run,) = json.loads(path.read_text(encoding="utf-8"))["runs"]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        if result["properties"]["host"] in names:
            assert rules[result.pop("ruleIndex")]["id"] == result["ruleId"]
            yield json.dumps(result)


def oscal(path: Path, names: set[str]) -> Iterator[str]:
    (result,) = json.loads(path.read_text(encoding="utf-8"))["assessment-results"]["results"]
    own = set()
    for item in result["local-definitions"]["inventory-items"]:
        if any(prop["name"] == "asset-id" and prop["value"] in names for prop in item["props"]):
            own.add(item["uuid"])
            yield json.dumps(item)
    for item in result["observations"]:
        if {subject["subject-uuid"] for subject in item["subjects"]} & own:
            yield json.dumps(item)


def blocks(lines: list[str], names: set[str]) -> list[str]:
    """The rows of the table of these hosts, each with the lines below it; without the widths of the columns."""
    found: list[str] = []
    is_theirs = False
    for line in lines:
        if not line.startswith(" "):
            is_theirs = line.split(" ", 1)[0] in names
        if is_theirs:
            found.append(line if line.startswith(" ") else " ".join(line.split()))
    return found


def test_ten_hostile_hosts_of_fifty(campaign, tmp_path: Path) -> None:
    trial = campaign(
        "10 of 50 hosts send documents with 50,000 controls and datastores, of the largest size in the smallest pieces, from "
        "the year 9999, with bogus summaries, markup and escapes, nested 100,000 deep, too large, or with numbers that are none",
        "what each format (page, SARIF, OSCAL, CSV, JSON, JUnit, metrics) and the terminal say of the other 40 is byte for byte "
        "what they say without the ten, each of the ten has a row, and the controller needs less than 300 MiB",
    )
    honest = [documents.document(number, badness=0.2) for number in range(1, HONEST + 1)]
    names = {document["host"] for document in honest}
    alone = tmp_path / "alone"
    documents.write(alone / "documents", honest)
    made = make(alone / "documents", alone / "out", sorted(names))
    expected = rows(alone / "out", names, made["terminal"])
    assert all(len(part) >= HONEST for part in expected.values()), {key: len(part) for key, part in expected.items()}
    for number in trial.rounds(1, 10):
        chance = random.Random(number)
        among = tmp_path / f"among{number}"
        documents.write(among / "documents", honest)
        for name, send in HOSTILE.items():
            (among / f"documents/evil-{name}.json").write_text(send(f"evil-{name}", chance), encoding="utf-8")
        evil = {f"evil-{name}" for name in HOSTILE}
        made = make(among / "documents", among / "out", sorted(names | evil))
        assert made["memory"] < MEMORY, f"{made['memory'] / 2**20:.0f} MiB"
        seen = rows(among / "out", names, made["terminal"])
        assert {key: different(seen[key], expected[key]) for key in expected} == {key: [] for key in expected}
        assert seen == expected
        # On the terminal there is no room for all of fifty hosts, but for more than the ten.
        assert len({line.split(" ", 1)[0] for line in made["usual"]} & names) >= 5
        assert max(map(len, made["usual"])) <= 4100
        assert len(made["usual"]) < 200
        assert "\x1b" not in "".join(made["usual"])
        report = json.loads((among / "out/report.json").read_text(encoding="utf-8"))
        assert {host["host"] for host in report["hosts"]} == names | evil
        print(f"{made['memory'] / 2**20:.0f} MiB")
        trial.saw("the forty as without the ten")
