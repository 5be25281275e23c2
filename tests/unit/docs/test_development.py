# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages for contributors agree with the code: layers, files, excerpts, make targets, and what GitHub reads."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleetops.pbs.tests.support.examples import ROOT
from ansible_collections.fleetops.pbs.tests.unit.plugins.module_utils.test_layers import ALLOWED

DEVELOPMENT = ROOT / "docs/development"
EXCERPT = re.compile(r"^<!-- checked: (?P<file>\S+) -->\n```python\n(?P<text>.*?)^```", re.M | re.S)
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def layer(room: str) -> str:
    """`_observe.mounts` is a room of the layer `_observe`; `_system.text` is a file that a layer may use alone."""
    return room if room.startswith("_system.") else room.partition(".")[0]


def test_the_table_of_layers_is_that_of_the_test() -> None:
    text = (DEVELOPMENT / "architecture.md").read_text(encoding="utf-8").partition("## The layers")[2]
    rows = re.findall(r"^\| `(_[a-z]+)` \|.*\| ([^|]*) \|$", text, re.M)
    shown = {name: set(re.findall(r"`([^`]+)`", allowed)) for name, allowed in rows}
    expected: dict[str, set[str]] = {}
    for room, allowed in ALLOWED.items():
        if room and room != "_version":
            below = {layer(name) for name in allowed} - {"_version", layer(room)}
            expected.setdefault(layer(room), set()).update(
                re.sub(r"^(_system)\.(\w+)$", r"\1/\2.py", name) for name in below
            )
    assert shown == expected


@pytest.mark.parametrize("page", sorted(DEVELOPMENT.glob("*.md")), ids=lambda page: page.stem)
def test_names_in_excerpts_are_those_of_the_code(page: Path) -> None:
    """Texts may be worded in another way meanwhile; names of functions, fields and arguments may not."""
    for found in EXCERPT.finditer(page.read_text(encoding="utf-8")):
        code = (ROOT / found["file"]).read_text(encoding="utf-8")
        names = set(re.findall(r"[A-Za-z_]{3,}", STRING.sub("", found["text"])))
        names |= set(re.findall(r'"(PBS-[A-Z]+-\d+|host\.\w+)"', found["text"]))
        if "until(" in found["text"]:
            names = {"until"}
        assert [name for name in sorted(names) if name not in code] == [], found["file"]


@pytest.mark.parametrize(
    "page", [ROOT / "CONTRIBUTING.md", *sorted(DEVELOPMENT.glob("*.md"))], ids=lambda page: page.stem
)
def test_files_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w.*/-]+/[\w.*-]+\.(?:py|md|yml|yaml|json)|[\w.-]+/[\w./-]+/)`", text))
    below = ("", "plugins/module_utils", "tests/unit/plugins/module_utils", "roles/preflight")
    made_up = {"changelogs/fragments/SUBJECT.yml", "changelogs/fragments/pbs-host-05.yml"}
    assert [
        name for name in sorted(named - made_up) if not any(list((ROOT / place).glob(name)) for place in below)
    ] == []


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ("", "pytest tests/unit"),
        ("-k word", "pytest tests/unit -k word"),
        ("tests/unit/docs -q", "pytest tests/unit/docs -q"),
        ("-q tests/unit/docs -k 'a b'", "pytest -q tests/unit/docs -k 'a b'"),
    ],
)
def test_make_unit_runs_the_tests_that_are_named(arguments: str, command: str) -> None:
    # As from a terminal, although `make` may run this test.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "ARGS"))}
    argv = ["make", "-n", "unit", f"ARGS={arguments}"]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert " ".join(done.stdout.splitlines()[-1].split()) == command


# --- what GitHub reads ------------------------------------------------------------------------------------------------


def test_the_workflow_runs_what_ci_runs() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    steps = workflow["jobs"]["test"]["steps"]
    assert [step["run"] for step in steps if "run" in step][-1] == ".ci/run"
    assert (ROOT / ".ci/run").stat().st_mode & 0o111
    assert workflow["permissions"] == {"contents": "read"}


def test_actions_are_pinned() -> None:
    for path in (ROOT / ".github/workflows").iterdir():
        workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
        for job in workflow["jobs"].values():
            used = [step["uses"] for step in job["steps"] if "uses" in step]
            assert used
            assert [
                name for name in used if not re.fullmatch(r"[\w-]+/[\w-]+@(v\d+\.\d+\.\d+|[0-9a-f]{40})", name)
            ] == []


@pytest.mark.parametrize("name", ["bug_report", "feature_request", "wrong_finding"])
def test_an_issue_form_is_one_that_github_accepts(name: str) -> None:
    form = yaml.safe_load((ROOT / f".github/ISSUE_TEMPLATE/{name}.yml").read_text(encoding="utf-8"))
    assert set(form) == {"name", "description", "labels", "body"}
    assert all(item["type"] in ("input", "textarea") for item in form["body"])
    ids = [item["id"] for item in form["body"]]
    labels = [item["attributes"]["label"] for item in form["body"]]
    assert len(set(ids)) == len(set(labels)) == len(form["body"])
    assert any(item.get("validations", {}).get("required") for item in form["body"])
