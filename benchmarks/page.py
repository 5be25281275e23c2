# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of the benchmarks: each of them writes its own section, and leaves the others as they are."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"


def marks(name: str, target: str) -> tuple[str, str]:
    """The lines around the section of a benchmark, which `make target` writes."""
    return f"<!-- {name}: written by make {target} -->", f"<!-- end of {name} -->"


def write_section(path: Path, name: str, target: str, text: str) -> None:
    """Put the text between its marks, at the end of the page where there are none yet."""
    begin, end = marks(name, target)
    old = path.read_text() if path.exists() else "# Benchmarks\n"
    section = f"{begin}\n\n{text.rstrip()}\n\n{end}"
    if begin in old and end in old:
        before, rest = old.split(begin, 1)
        path.write_text(before + section + rest.split(end, 1)[1])
    else:
        path.write_text(old.rstrip("\n") + "\n\n" + section + "\n")
