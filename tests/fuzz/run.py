# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuzz every parser of foreign text for a while, guided by coverage. usage: make fuzz [ARGS="--seconds N --only NAME"]

Each target runs in a process of its own, from its seeds and from what earlier runs have found worth keeping. The first
finding of a target ends it: an exception that is not the documented one, a promise that does not hold, an input that
takes longer than 10 s, or more than 1 GiB of memory. Add what was found to tests/fuzz/regressions.py.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from ansible_collections.fleetops.pbs.tests.fuzz.seeds import SEEDS
from ansible_collections.fleetops.pbs.tests.fuzz.targets import TARGETS, Target

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache/fuzz"
SLOW = 10
"""Seconds after which one input has taken too long; all targets take milliseconds."""
MEMORY = 1024
"""MiB that a process may hold."""
_PROGRESS = re.compile(r"^#\d+\s.*\bcov: (?P<coverage>\d+) ft: (?P<features>\d+) corp: (?P<corpus>\d+)", re.MULTILINE)
_EXECUTED = re.compile(r"^stat::number_of_executed_units:\s*(\d+)", re.MULTILINE)


@dataclasses.dataclass
class Result:
    target: str
    seconds: float
    executions: int
    coverage: int
    features: int
    corpus: int
    finding: Path | None
    output: str
    failed: bool


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=20, help="for each target (default 20)")
    parser.add_argument("--only", action="append", choices=sorted(TARGETS), metavar="NAME", help="this target; repeats")
    parser.add_argument("--list", action="store_true", help="name the targets and end")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(TARGETS))
        return 0
    if importlib.util.find_spec("atheris") is None:
        print(
            f"make fuzz: atheris is not installed for Python {platform.python_version()} ({sys.executable}); "
            "requirements/fuzz.txt has it for CPython 3.11 to 3.13 on Linux.",
            file=sys.stderr,
        )
        return 2
    results = []
    print(f"{'target':22} {'executions':>12} {'seconds':>8} {'coverage':>9} {'features':>9} {'corpus':>7}")
    for name in arguments.only or TARGETS:
        result = fuzz(TARGETS[name], arguments.seconds)
        results.append(result)
        print(
            f"{name:22} {result.executions:12,} {result.seconds:8.1f} {result.coverage:9,} {result.features:9,} "
            f"{result.corpus:7,}{'  FINDING' if result.failed else ''}",
            flush=True,
        )
    findings = [result for result in results if result.failed]
    for result in findings:
        explain(result)
    executions = sum(result.executions for result in results)
    print(f"{len(results)} targets, {executions:,} executions, {len(findings)} findings")
    return 1 if findings else 0


def fuzz(target: Target, seconds: int) -> Result:
    """Run one target. Whatever ends it before its time is a finding."""
    corpus, findings = CACHE / "corpus" / target.name, CACHE / "findings" / target.name
    corpus.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(findings, ignore_errors=True)
    findings.mkdir(parents=True)
    for number, seed in enumerate(SEEDS[target.name]):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = CACHE / f"{target.name}.dict"
    words.write_text("".join(f'"{_quoted(word)}"\n' for word in target.words or (b" ",)))
    command = [
        sys.executable,
        os.fspath(Path(__file__).with_name("worker.py")),
        target.name,
        os.fspath(corpus),
        f"-max_total_time={seconds}",
        f"-max_len={target.max_len}",
        f"-timeout={SLOW}",
        f"-rss_limit_mb={MEMORY}",
        f"-artifact_prefix={findings}{os.sep}",
        f"-dict={words}",
        "-print_final_stats=1",
    ]
    start = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    output = done.stdout.decode("utf-8", "replace")
    executed = _EXECUTED.search(output)
    progress = list(_PROGRESS.finditer(output))
    last = progress[-1] if progress else None
    found = sorted(findings.iterdir())
    return Result(
        target=target.name,
        seconds=time.monotonic() - start,
        executions=int(executed.group(1)) if executed else 0,
        coverage=int(last["coverage"]) if last else 0,
        features=int(last["features"]) if last else 0,
        corpus=int(last["corpus"]) if last else 0,
        finding=found[0] if found else None,
        output=output,
        failed=done.returncode != 0,
    )


def _quoted(word: bytes) -> str:
    """As the dictionaries of libFuzzer have it."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word)


def explain(result: Result) -> None:
    """What was found, and how it becomes a regression case."""
    print(f"\n=== {result.target} ===")
    lines = [line for line in result.output.splitlines() if not line.startswith(("#", "INFO:", "stat::"))]
    print("\n".join(lines[-40:]))
    if result.finding is not None:
        data = result.finding.read_bytes()
        print(f"Kept as {result.finding}. For tests/fuzz/regressions.py:")
        print(f'    Case("{result.target}", {data!r}, "what it did"),')


if __name__ == "__main__":
    sys.exit(main())
