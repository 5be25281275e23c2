#!/usr/bin/env python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the campaigns of tests/reliability at full length, and write the outcomes into docs/reliability.md.

usage: make reliability [JOBS=2] [ARGS="[--continue] [-k word]"]     called with the environment of make; other arguments go
to pytest.

Each campaign is a pytest of its own, JOBS at a time; its output is in .cache/reliability. With a choice of campaigns only their
rows are renewed. If all of them ran and passed on one state of the tree, the page names it. `--continue` runs what an interrupted
run of all campaigns has not yet done, if the state of the tree is the same.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.fleetops.pbs.scripts import gates

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/reliability.md"
BEGIN = "<!-- campaigns: written by make reliability -->"
END = "<!-- end of campaigns -->"
HEAD = "| what is done | what holds | tried | what happened | again with |\n|---|---|---|---|---|"
MIXED = (
    "The rows are not all from one state of the tree: some campaigns ran again after the last run of all of them, or it did not "
    "come to its end."
)
LOGS = Path(".cache/reliability")
LONGEST = (
    "test_any_error_at_any_operation",
    "test_no_chunk_is_called_missing_beside_a_working_pbs",
    "test_a_process_of_the_module_is_killed",
    "test_a_process_of_ansible_is_killed",
    "test_without",
)
"""Begun first, so that nobody waits for one of them at the end."""
TOGETHER = 8
"""So many campaigns of one function that has more of them share a process, and what it prepares."""
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


def page(text: str, results: list[dict], whole: bool, told: str = MIXED) -> str:
    """The page with the rows of these results; those of other campaigns stay unless this was the whole.

    `told`: the state of the tree on which the campaigns ran, above the tables.
    """
    before, rest = text.split(BEGIN)
    table, after = rest.split(END)
    again = {(row["section"], command(row["test"])) for row in results}
    rows = [] if whole else [old for old in old_rows(table) if (old[0], old[1].split(" | ")[-1][:-2]) not in again]
    rows += [(row["section"], new_row(row)) for row in results]
    parts = [
        f"### {section}\n\n{HEAD}\n" + "\n".join(line for other, line in rows if other == section)
        for section in sorted({section for section, _line in rows})
    ]
    return f"{before}{BEGIN}\n\n{told}\n\n" + "\n\n".join(parts) + f"\n\n{END}{after}"


@dataclasses.dataclass
class Run:
    """What is known of a run of all campaigns; kept in a file, so that it can be continued."""

    commit: str
    """Empty if the tree is not just this commit."""
    began: float
    """Seconds since the epoch."""
    jobs: int
    failed: list[str] = dataclasses.field(default_factory=list)
    """Campaigns that failed at first, and were run again."""

    def told(self, campaigns: int, ended: float, commit: str) -> str:
        """What the page says; `commit` is the state of the tree at the end."""
        if not self.commit or commit != self.commit:
            return MIXED
        began, until = (time.strftime("%Y-%m-%d %H:%M", time.gmtime(moment)) for moment in (self.began, ended))
        text = (
            f"All {campaigns} campaigns ran at full length on one state of the tree, commit {self.commit}: from {began} to "
            f"{until} UTC ({gates.duration(ended - self.began)}), {self.jobs} at a time, on {platform.system()} "
            f"{platform.release()} with {os.cpu_count()} processors."
        )
        if self.failed:
            text += f" At first these failed, and were run again: {', '.join(sorted(self.failed))}."
        return text


def commit_of_tree() -> str:
    """The commit that the tree is; empty if it is not known, or if other files than the page differ from it."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.rstrip("\n") if done.returncode == 0 else "?"

    changes = [line for line in git("status", "--porcelain").splitlines() if line[3:] != "docs/reliability.md"]
    commit = git("rev-parse", "HEAD")
    return "" if changes or commit == "?" else commit


def collected(arguments: Sequence[str], environment: dict[str, str]) -> list[str]:
    """The node ids of the campaigns. Raises `SystemExit` if pytest finds none."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/reliability", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    nodes = [line for line in done.stdout.splitlines() if line.startswith("tests/reliability/") and "::" in line]
    if done.returncode or not nodes:
        sys.exit(f"no campaign: {done.stdout}{done.stderr}")
    return nodes


def units(nodes: Sequence[str]) -> dict[str, list[str]]:
    """The node ids of each process, by a name for its log; those that take longest first."""
    functions: dict[str, list[str]] = {}
    for node in nodes:
        functions.setdefault(node.partition("[")[0], []).append(node)
    parts = [
        some[start : start + size]
        for some in functions.values()
        for size in [1 if len(some) <= TOGETHER else TOGETHER]
        for start in range(0, len(some), size)
    ]
    names = [word.partition("[")[0] for word in (part[0].rpartition("::")[2] for part in parts)]
    ranks = [LONGEST.index(name) if name in LONGEST else len(LONGEST) for name in names]
    order = sorted(range(len(parts)), key=ranks.__getitem__)
    return {f"{number:02}-{names[number]}": parts[number] for number in order}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--continue", dest="again", action="store_true")
    options, chosen = parser.parse_known_args(arguments)
    os.chdir(ROOT)
    LOGS.mkdir(parents=True, exist_ok=True)
    results, record = (LOGS / name for name in ("results.jsonl", "run.json"))
    run = Run(commit_of_tree(), time.time(), options.jobs)
    done: set[str] = set()
    if options.again:
        run, done = continued(record, results, run.commit)
    else:
        results.write_text("")
    nodes = collected(chosen, {**os.environ, **thorough(results.resolve())})
    work = units([node for node in nodes if node not in done])
    record.write_text(json.dumps(dataclasses.asdict(run)))
    interrupts = gates.note_interrupts()
    ended = gates.run(
        list(work), options.jobs, 600.0, interrupts, functools.partial(pytest, work, results.resolve()), LOGS
    )
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    passed = {row["node"] for row in rows}
    left = [node for node in nodes if node not in passed]
    run.failed += [node.rpartition("::")[2] for gate in ended if gate.code for node in work[gate.name] if node in left]
    record.write_text(json.dumps(dataclasses.asdict(run)))
    whole = not chosen and not left
    if rows and (whole or chosen):
        told = run.told(len(rows), time.time(), commit_of_tree()) if whole else MIXED
        PAGE.write_text(page(PAGE.read_text(), rows, whole, told))
        print(f"{len(rows)} campaigns: docs/reliability.md")
        print(told)
    if left:
        print("failed, skipped or not run: " + " ".join(left) + '; after a run of all: ARGS="--continue"')
    return 128 + interrupts[0] if interrupts else 1 if left else 0


def pytest(work: dict[str, list[str]], results: Path, name: str) -> list[str]:
    """The command of one process. Its limit for a test is for one that hangs, on a machine with other work, too."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--timeout=14400", *work[name]]
    return ["env", *(f"{key}={value}" for key, value in thorough(results).items()), *command]


def thorough(results: Path) -> dict[str, str]:
    """What tells the campaigns how long to run, and where their results go."""
    return {"RELIABILITY": "thorough", "RELIABILITY_RESULTS": os.fspath(results)}


def continued(record: Path, results: Path, commit: str) -> tuple[Run, set[str]]:
    """The run that was interrupted, and the node ids that it has done. Raises `SystemExit` if there is none like that."""
    try:
        run = Run(**json.loads(record.read_text()))
    except (OSError, ValueError, TypeError):
        sys.exit("--continue: there is no run to continue")
    if not commit or run.commit != commit:
        sys.exit(f"--continue: the tree is not the commit of that run ({run.commit or 'with changes'})")
    # The process that was interrupted may have left half a line.
    lines = [line for line in results.read_text().splitlines(keepends=True) if line.endswith("}\n")]
    results.write_text("".join(lines))
    return run, {json.loads(line)["node"] for line in lines}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
