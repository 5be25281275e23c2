# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every link of the documentation that leads to this project leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.tests.support.examples import ROOT, pages

LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
FENCED = re.compile(r"^ *```.*?^ *```", re.M | re.S)
HEADING = re.compile(r"^#+ (?P<text>.+)$", re.M)


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    kept = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
    return kept.strip().replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {anchor(found["text"]) for found in HEADING.finditer(FENCED.sub("", page.read_text(encoding="utf-8")))}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for found in LINK.finditer(FENCED.sub("", page.read_text(encoding="utf-8"))):
        target = found["target"]
        if re.match(r"[a-z]+:", target):
            continue
        name, _hash, fragment = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists():
            broken.append(f"{target}: no such file")
        elif fragment and file.suffix == ".md" and fragment not in anchors(file):
            broken.append(f"{target}: no such heading")
    assert broken == []


def test_every_page_is_in_the_list() -> None:
    listed = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    assert [path.name for path in sorted(ROOT.glob("docs/*.md")) if f"({path.name})" not in listed] == ["README.md"]


def test_every_control_says_what_to_type() -> None:
    import yaml

    from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import CONTROLS

    commands = yaml.safe_load((ROOT / "docs/controls_commands.yml").read_text(encoding="utf-8"))
    assert list(commands) == [control.id for control in CONTROLS]
    reference = (ROOT / "docs/controls.md").read_text(encoding="utf-8")
    for text in commands.values():
        assert text in reference
