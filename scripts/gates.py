# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs targets of the Makefile of this directory side by side, all of them even if one fails, and reports how long each took.

usage: gates.py [--jobs N] [--every SECONDS] TARGET...

A line announces the start of each target. Its output is printed when it ends, in one piece, and kept in
.cache/gates/TARGET.log; until then a line every minute shows which targets run and what each of them wrote last.
Exit code: 0 if every target succeeded, 1 if one failed, 130 (143, 129) if interrupted by SIGINT (SIGTERM, SIGHUP).
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

LOGS = Path(".cache/gates")
PATIENCE = 30  # seconds that a target has to end after an interrupt
# What `make` tells its children: these targets are not its children, and share no job server with it.
OF_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")


@dataclasses.dataclass
class Gate:
    """One target; `seconds` and `code` are set when it has ended."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    began: float
    seconds: float = 0.0
    code: int | None = None

    def last_line(self) -> str:
        """The end of what it has written so far; of pytest, the progress."""
        lines = self.log.read_text(errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "no output yet")


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def say(text: str) -> None:
    print(f"test: {text}", flush=True)


Commands = Callable[[str], Sequence[str]]
"""The command of a gate, by its name."""


def target(name: str) -> Sequence[str]:
    return ["make", "--no-print-directory", name]


def start(name: str, commands: Commands, logs: Path) -> Gate:
    log = logs / f"{name}.log"
    environment = {key: value for key, value in os.environ.items() if key not in OF_MAKE}
    with log.open("wb") as output:
        process = subprocess.Popen(
            commands(name),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    say(f"{name}: started")
    return Gate(name, process, log, time.monotonic())


def has_ended(gate: Gate) -> bool:
    gate.code = gate.process.poll()
    if gate.code is None:
        return False
    gate.seconds = time.monotonic() - gate.began
    return True


def report_end(gate: Gate) -> None:
    sys.stdout.write(gate.log.read_text(errors="replace"))
    outcome = "ok" if gate.code == 0 else f"FAILED (exit {gate.code})"
    say(f"{gate.name}: {outcome} after {duration(gate.seconds)}")


def report_progress(running: list[Gate]) -> None:
    for gate in running:
        line = re.sub(r"\s+", " ", gate.last_line())[-60:]
        say(f"{gate.name}: running for {duration(time.monotonic() - gate.began)}: {line}")


def run(
    names: list[str],
    jobs: int,
    every: float,
    interrupts: list[int],
    commands: Commands = target,
    logs: Path = LOGS,
) -> list[Gate]:
    """All gates, `jobs` at a time, in the order in which they ended; none is left once there is an interrupt."""
    waiting = list(names)
    running: list[Gate] = []
    ended: list[Gate] = []
    reported = time.monotonic()
    while (waiting or running) and not interrupts:
        while waiting and len(running) < jobs:
            running.append(start(waiting.pop(0), commands, logs))
        for gate in [gate for gate in running if has_ended(gate)]:
            running.remove(gate)
            ended.append(gate)
            report_end(gate)
        if time.monotonic() - reported >= every:
            report_progress(running)
            reported = time.monotonic()
        time.sleep(0.1)
    stop(running)
    return ended


def note_interrupts() -> list[int]:
    """A list of the signals that ask for an end, as they arrive.

    Noted and not raised: between the start of a target and its entry in a list, an exception would lose it.
    """
    interrupts: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: interrupts.append(number))
    return interrupts


def stop(running: list[Gate]) -> None:
    """End the gates that are left: each leads a session of its own, so that an interrupt has to be passed on."""
    for gate in running:
        send(gate, signal.SIGINT)
    until = time.monotonic() + PATIENCE
    while any(gate.process.poll() is None for gate in running) and time.monotonic() < until:
        time.sleep(0.05)
    for gate in running:
        if gate.process.poll() is None:
            send(gate, signal.SIGKILL)
            gate.process.wait()


def send(gate: Gate, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(gate.process.pid, number)


def main() -> int:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--every", type=float, default=60)
    parser.add_argument("targets", nargs="+")
    arguments = parser.parse_args()
    LOGS.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    side_by_side = f", {arguments.jobs} at a time" if arguments.jobs > 1 else ""
    say(f"{len(arguments.targets)} gates{side_by_side}: {' '.join(arguments.targets)}; output in .cache/gates")
    interrupts = note_interrupts()
    ended = run(arguments.targets, arguments.jobs, arguments.every, interrupts)
    if interrupts:
        say("interrupted")
        return 128 + interrupts[0]
    failed = [gate.name for gate in ended if gate.code != 0]
    say("summary")
    for gate in sorted(ended, key=lambda gate: arguments.targets.index(gate.name)):
        say(f"  {gate.name:14} {'ok' if gate.code == 0 else 'FAILED':7} {duration(gate.seconds)}")
    verdict = f"failed: {' '.join(failed)}" if failed else "everything holds"
    say(f"{verdict}, after {duration(time.monotonic() - began)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
