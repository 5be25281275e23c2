# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests of modules, roles and playbooks, with each line of ansible-core on each Python of a managed host.

usage: matrix.py [--core 2.20] [--managed 3.9] [argument of pytest ...]

Called by `make test-matrix`. A line of ansible-core gets a virtual environment of its own, from its lock file in
requirements/. Combinations for which this machine has no Python are left out, and are listed in the table at the end.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

from ansible_collections.fleetops.pbs.tests.support.machine import pythons

ROOT = Path(__file__).resolve().parents[1]
VENVS = ROOT / ".cache" / "matrix"
OUTPUT = ROOT / "tests" / "output" / "matrix"

# The Pythons that a line of ansible-core runs on, the one that is taken where it is there first: between them the
# oldest and the newest.
CONTROLLERS = {
    "2.19": ("3.11", "3.12", "3.13"),
    "2.20": ("3.12", "3.13", "3.14"),
    "2.21": ("3.13", "3.14", "3.12"),
}
MANAGED = ("3.9", "3.11", "3.13")


@dataclasses.dataclass
class Combination:
    """One line of the table: `verdict` is passed, FAILED, or left out with the reason."""

    core: str
    controller: str
    managed: str
    verdict: str
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    seconds: float = 0

    def line(self) -> str:
        counts = [self.counts.get(name, "") for name in ("passed", "failed", "skipped")]
        seconds = f"{self.seconds:.0f}" if self.counts else ""
        return "{:<8} {:<11} {:<9} {:>6} {:>6} {:>7} {:>7}  {}".format(
            self.core, self.controller, self.managed, *counts, seconds, self.verdict
        )


HEADER = f"{'core':<8} {'controller':<11} {'managed':<9} {'passed':>6} {'failed':>6} {'skipped':>7} {'seconds':>7}"


def environment(core: str, python: Path) -> Path:
    """The interpreter of a virtual environment that holds this line of ansible-core. Raises CalledProcessError."""
    venv = VENVS / f"{core}-{python.name}"
    env = {**os.environ, "PYTHON": str(python), "VENV": str(venv)}
    subprocess.run([ROOT / "scripts" / "setup", f"matrix-{core}"], env=env, check=True)
    return venv / "bin" / "python"


def counts(report: Path) -> dict[str, int]:
    """How many tests a JUnit file tells of, by outcome."""
    suite = next(ElementTree.parse(report).iter("testsuite"))
    found = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    failed = found["failures"] + found["errors"]
    return {"passed": found["tests"] - failed - found["skipped"], "failed": failed, "skipped": found["skipped"]}


def run(core: str, controller: str, python: Path, managed: str, interpreter: Path, more: list[str]) -> Combination:
    """Run the tests of one combination, and show what pytest says."""
    print(f"\n== ansible-core {core} on Python {controller}, managed hosts with Python {managed}", flush=True)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    report = OUTPUT / f"core-{core}-python-{managed}.xml"
    report.unlink(missing_ok=True)
    argv = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/integration", *more]
    argv += ["--managed-python", str(interpreter), "--junit-xml", str(report)]
    path = os.pathsep.join([str(python.parent), os.environ["PATH"]])
    started = time.monotonic()
    code = subprocess.run(
        argv, cwd=ROOT, env={**os.environ, "PATH": path}, stdin=subprocess.DEVNULL, check=False
    ).returncode
    seconds = time.monotonic() - started
    verdict = "passed" if code == 0 else f"FAILED (exit {code})"
    return Combination(core, controller, managed, verdict, counts(report) if report.exists() else {}, seconds)


def cell(core: str, found: dict[str, Path], chosen: list[str], more: list[str]) -> list[Combination]:
    """Every combination of one line of ansible-core."""
    supported = CONTROLLERS[core]
    controller = next((version for version in supported if version in found), None)
    if controller is None:
        why = f"left out: no Python {' or '.join(supported)} for the controller here"
        return [Combination(core, "", managed, why) for managed in chosen]
    try:
        python = environment(core, found[controller])
    except subprocess.CalledProcessError:
        return [Combination(core, controller, managed, "FAILED: its environment") for managed in chosen]
    results = []
    for managed in chosen:
        if managed in found:
            results.append(run(core, controller, python, managed, found[managed], more))
        else:
            results.append(Combination(core, controller, managed, f"left out: no Python {managed} here"))
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--core", action="append", choices=list(CONTROLLERS), help="only this line (may be repeated)")
    parser.add_argument("--managed", action="append", choices=MANAGED, help="only this Python (may be repeated)")
    options, more = parser.parse_known_args()
    versions = {version for supported in CONTROLLERS.values() for version in supported} | set(MANAGED)
    # Not that of the virtual environment that this runs in: a managed host has none of its packages.
    ours = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join(name for name in os.environ["PATH"].split(os.pathsep) if name != ours)
    found = pythons(sorted(versions))
    results: list[Combination] = []
    for core in options.core or CONTROLLERS:
        results += cell(core, found, options.managed or list(MANAGED), more)
    print("\n" + HEADER)
    print("\n".join(result.line() for result in results), flush=True)
    return 1 if any(result.verdict.startswith("FAILED") for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
