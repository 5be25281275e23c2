#!/usr/bin/env python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the campaigns of tests/reliability at full length, and write the outcomes into docs/reliability.md.

usage: make reliability [ARGS="-k word"]     called with the environment of make; arguments go to pytest.
With a choice of campaigns only their rows are renewed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/reliability.md"
BEGIN = "<!-- campaigns: written by make reliability -->"
END = "<!-- end of campaigns -->"
HEAD = "| what is done | what holds | tried | what happened | again with |\n|---|---|---|---|---|"
COMMAND = '`make reliability ARGS="-k {}"`'


def command(test: str) -> str:
    """What repeats a campaign; one with a blank in its parameter is repeated with its sisters."""
    return COMMAND.format(test.split("[", maxsplit=1)[0] if " " in test else test)


def old_rows(text: str) -> list[tuple[str, str]]:
    """The lines of the table that is there, each with its section."""
    rows: list[tuple[str, str]] = []
    section = ""
    for line in text.splitlines():
        if line.startswith("### "):
            section = line.removeprefix("### ")
        elif line.startswith("| ") and not line.startswith("| what is done"):
            rows.append((section, line))
    return rows


def new_row(row: dict) -> str:
    happened = "; ".join(f"{outcome}: {times:,}" for outcome, times in row["outcomes"].items())
    tried = f"{row['tried']:,}" if row["thorough"] else f"{row['tried']:,} (short)"
    texts = [row["attack"], row["promise"], tried, happened, command(row["test"])]
    return "| " + " | ".join(text.replace("|", "\\|").replace("\n", " ") for text in texts) + " |"


def page(text: str, results: list[dict], whole: bool) -> str:
    """The page with the rows of these results; those of other campaigns stay unless this was the whole."""
    before, rest = text.split(BEGIN)
    table, after = rest.split(END)
    again = {(row["section"], command(row["test"])) for row in results}
    rows = [] if whole else [old for old in old_rows(table) if (old[0], old[1].split(" | ")[-1][:-2]) not in again]
    rows += [(row["section"], new_row(row)) for row in results]
    parts = [
        f"### {section}\n\n{HEAD}\n" + "\n".join(line for other, line in rows if other == section)
        for section in sorted({section for section, _line in rows})
    ]
    return f"{before}{BEGIN}\n\n" + "\n\n".join(parts) + f"\n\n{END}{after}"


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        results = Path(scratch) / "results.jsonl"
        results.touch()
        environment = {**os.environ, "RELIABILITY": "thorough", "RELIABILITY_RESULTS": os.fspath(results)}
        command = ["pytest", "--timeout=3600", "tests/reliability", *arguments]
        status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        rows = [json.loads(line) for line in results.read_text().splitlines()]
    if rows and (status == 0 or arguments):
        PAGE.write_text(page(PAGE.read_text(), rows, whole=not arguments))
        print(f"{len(rows)} campaigns: docs/reliability.md")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
