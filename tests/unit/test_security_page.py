# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SECURITY.md names a test for each promise; these tests are there, and where it says "taken out", that is done."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.tests.reliability.protections.table import PROTECTIONS

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("SECURITY.md", "docs/reliability.md")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`(?P<out> \(taken out\))?")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")


def named() -> list[tuple[str, str, str, bool]]:
    return [
        (page, match[1], match[2], match["out"] is not None)
        for page in PAGES
        for match in TEST.finditer((ROOT / page).read_text(encoding="utf-8"))
    ]


def functions(path: Path) -> set[str]:
    return {
        node.name for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)
    }


def test_each_test_that_is_named_exists() -> None:
    missing = [f"{page}: {file}::{name}" for page, file, name, _out in named() if name not in functions(ROOT / file)]
    assert not missing
    assert len(named()) > 20


def test_each_promise_has_a_test() -> None:
    table = (
        (ROOT / "SECURITY.md").read_text(encoding="utf-8").partition("## What it never does")[2].partition("\n## ")[0]
    )
    rows = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
    assert len(rows) > 10
    assert [row for row in rows if not TEST.search(row)] == []


def test_what_is_listed_as_taken_out_is() -> None:
    taken_out = {
        test.partition("[")[0] for protection in PROTECTIONS for test in protection.tests + protection.campaigns
    }
    assert [name for _page, file, name, out in named() if out and f"{file}::{name}" not in taken_out] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert [link for link in LINK.findall(text) if not ((ROOT / page).parent / link).exists()] == []
