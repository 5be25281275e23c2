# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every link of the documentation that leads to this project leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleetops.pbs.tests.support.examples import ROOT, pages

LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
# A file of this project, as Galaxy's page of the collection has to name it.
HERE = re.compile(
    r"https://(?:github\.com/fleetops/pbs/blob|raw\.githubusercontent\.com/fleetops/pbs)/main/(?P<path>.+)"
)
FENCED = re.compile(r"^ *```.*?^ *```", re.M | re.S)
HEADING = re.compile(r"^#+ (?P<text>.+)$", re.M)


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    kept = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
    return kept.strip().replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {anchor(found["text"]) for found in HEADING.finditer(FENCED.sub("", page.read_text(encoding="utf-8")))}


def links(page: Path) -> list[str]:
    return [found["target"] for found in LINK.finditer(FENCED.sub("", page.read_text(encoding="utf-8")))]


def is_relative(target: str) -> bool:
    return not re.match(r"[a-z]+:", target)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in links(page):
        here = HERE.fullmatch(target)
        if not here and not is_relative(target):
            continue
        name, _hash, fragment = (here["path"] if here else target).partition("#")
        file = ((ROOT if here else page.parent) / name).resolve() if name else page
        if not file.exists():
            broken.append(f"{target}: no such file")
        elif fragment and file.suffix == ".md" and fragment not in anchors(file):
            broken.append(f"{target}: no such heading")
    assert broken == []


def test_the_links_of_the_readme_work_on_galaxy() -> None:
    """Galaxy shows README.md alone, so a relative path leads nowhere there."""
    relative = [target for target in links(ROOT / "README.md") if is_relative(target) and not target.startswith("#")]
    assert relative == []
    assert sum(bool(HERE.fullmatch(target)) for target in links(ROOT / "README.md")) > 20


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_to_what_is_installed(page: Path) -> None:
    ignored = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["build_ignore"]
    targets = [(page.parent / target.partition("#")[0]).resolve() for target in links(page) if is_relative(target)]
    paths = [str(target.relative_to(ROOT)) for target in targets]
    assert [path for path in paths if any(f"{path}/".startswith(f"{left_out}/") for left_out in ignored)] == []


def test_every_page_is_in_the_list() -> None:
    listed = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    docs = ROOT / "docs"
    names = [str(path.relative_to(docs)) for path in sorted(docs.rglob("*.md"))]
    assert [name for name in names if f"({name})" not in listed] == ["README.md"]


def test_every_page_is_in_the_site() -> None:
    """Sphinx warns of a page without a place, and a warning fails `make docs`."""
    placed = re.findall(
        r"^    (?:.*<)?([\w/.-]+)>?$", (ROOT / "docs/docsite/index.rst").read_text(encoding="utf-8"), re.M
    )
    names = [str(page.relative_to(ROOT).with_suffix("")) for page in pages()]
    assert [name for name in names if name not in placed] == []


def test_every_control_says_what_to_type() -> None:
    from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import CONTROLS

    commands = yaml.safe_load((ROOT / "docs/controls_commands.yml").read_text(encoding="utf-8"))
    assert list(commands) == [control.id for control in CONTROLS]
    reference = (ROOT / "docs/controls.md").read_text(encoding="utf-8")
    for text in commands.values():
        assert text in reference
