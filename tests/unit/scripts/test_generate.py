# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

import jsonschema
import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import CONTROLS

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def generate():
    loader = SourceFileLoader("generate", str(ROOT / "scripts/generate.py"))
    module = module_from_spec(spec_from_loader("generate", loader))
    loader.exec_module(module)
    return module


def test_every_generated_file_is_the_one_that_follows_from_the_code(generate):
    outputs = generate.outputs()
    assert [str(path.relative_to(ROOT)) for path in outputs] == [
        "docs/document.schema.json",
        "docs/controls.md",
    ]
    for path, text in outputs.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is stale: run scripts/generate.py"


def test_the_page_of_the_controls_begins_with_a_table_of_the_catalog():
    text = (ROOT / "docs/controls.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| [PBS-")]
    assert rows == [
        f"| [{c.id}](#{c.id.lower()}) | {c.title} | {' / '.join(filter(None, (c.severity, c.lesser_severity)))} |"
        for c in CONTROLS
    ]
    assert text.index(rows[-1]) < text.index("\n## ")


def test_the_reference_explains_every_control():
    text = (ROOT / "docs/controls.md").read_text(encoding="utf-8")
    assert [line[4:] for line in text.splitlines() if line.startswith("### ")] == [control.id for control in CONTROLS]
    for control in CONTROLS:
        for part in (control.why, control.remedy, control.behaviour, ", ".join(control.standards)):
            assert part in text


def test_the_schema_is_a_schema_and_closed_everywhere():
    schema = json.loads((ROOT / "docs/document.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    for name, definition in [("document", schema), *schema["$defs"].items()]:
        assert definition["additionalProperties"] is False, name
        assert set(definition["required"]) == set(definition["properties"]), name


def test_check_says_what_is_stale_and_writes_nothing(generate, tmp_path, monkeypatch, capsys):
    fresh, stale = tmp_path / "fresh", tmp_path / "stale"
    fresh.write_text("same\n", encoding="utf-8")
    stale.write_text("old\n", encoding="utf-8")
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "outputs", lambda: {fresh: "same\n", stale: "new\n"})
    monkeypatch.setattr(sys, "argv", ["generate", "--check"])
    assert generate.main() == 1
    said = capsys.readouterr()
    assert "-old\n+new\n" in said.out
    assert "1 generated files are stale" in said.err
    assert stale.read_text(encoding="utf-8") == "old\n"
    monkeypatch.setattr(sys, "argv", ["generate"])
    assert generate.main() == 0
    assert stale.read_text(encoding="utf-8") == "new\n"


def test_as_a_command():
    answer = subprocess.run(
        [sys.executable, ROOT / "scripts/generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
