# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the preflight of a fleet against a play with one ansible.builtin.ping task on the same hosts.

Makes its own hosts (fleet_hosts.py), and removes them. The plays take turns, so that their ratio is right on a busy
machine. Then the same fleet in slices through ansible-runner, and whether their merged report is that of
the undivided run.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib.metadata
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.fleetops.pbs.benchmarks import fleet_hosts, fleet_slices
from ansible_collections.fleetops.pbs.benchmarks.page import PAGE, write_section

ROOT = Path(__file__).resolve().parents[1]
PHASES = Path(__file__).with_name("fleet_phases.py")

PING = [{"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.ping": {}}]}]
SKIPPED = [{"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.fail": {}, "when": False}] * 5}]
NOTHING = [{"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.meta": "noop"}]}]

# Simulated servers have no systemd and share a clock that nobody keeps; no host fails for that. Many on few processors
# are slow, and no answer would come late on hosts of their own.
VARIABLES = {"preflight_fail_on": "never", "preflight_fail_on_unknown": "never", "preflight_deadline": 120}


@dataclasses.dataclass(frozen=True)
class Play:
    name: str
    playbook: str
    variables: tuple[tuple[str, Any], ...] = ()


@dataclasses.dataclass
class Cost:
    """Of one run, all in seconds: by the clock, and of the processors on both sides."""

    seconds: float
    controller: float
    managed: float


@dataclasses.dataclass(frozen=True)
class Setting:
    forks: int
    pipelining: bool = False

    def without_pipelining(self) -> Setting:
        return Setting(self.forks)

    def __str__(self) -> str:
        return f"{self.forks}, pipelining" if self.pipelining else str(self.forks)


def log(line: str) -> None:
    print(line, flush=True)


class Bench:
    """A fleet that is up, and what it takes to run plays on it."""

    def __init__(self, fleet: fleet_hosts.Fleet, directory: Path, sockets: Path) -> None:
        """`sockets` is a directory for those of ssh, whose paths must be short."""
        self.fleet = fleet
        self.directory = directory
        self.sockets = sockets
        (directory / "ansible.cfg").touch()
        self.inventory = fleet.inventory(**VARIABLES)
        self.ping = self._playbook("ping", PING)

    def _playbook(self, name: str, content: Any) -> Play:
        path = self.directory / f"{name}.yml"
        path.write_text(json.dumps(content))
        return Play(name, str(path))

    def environment(self, pipelining: bool = False) -> dict[str, str]:
        """Ansible's defaults, and nothing of the caller's configuration."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_HOME": str(self.directory / ".ansible"),
            "ANSIBLE_CONFIG": str(self.directory / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.sockets),
            "ANSIBLE_PIPELINING": str(int(pipelining)),
            "ANSIBLE_NOCOLOR": "1",
        }

    def run(self, play: Play, setting: Setting, **more: Any) -> Cost:
        """Run a play over all hosts, with no connection left over from another one."""
        self._disconnect()
        argv = [sys.executable, "-m", "ansible", "playbook", "--inventory", str(self.inventory)]
        argv += ["--forks", str(setting.forks), "--extra-vars", json.dumps({**dict(play.variables), **more})]
        log_path = self.directory / f"{play.name.replace(' ', '_')}.log"
        managed = self.fleet.processor_seconds()
        with log_path.open("wb") as output:
            started = time.perf_counter()
            process = subprocess.Popen(
                [*argv, play.playbook],
                env=self.environment(setting.pipelining),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
            _pid, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise RuntimeError(f"{play.name}: exit {process.returncode}\n{log_path.read_text()[-2000:]}")
        self._disconnect()
        managed = self.fleet.processor_seconds() - managed
        return Cost(seconds, usage.ru_utime + usage.ru_stime, managed)

    def _disconnect(self) -> None:
        if self.fleet.connection == "ssh":
            fleet_hosts.close_connections(self.sockets)

    # --- what one thing costs ---

    def per_task(self) -> float:
        """Processor milliseconds of the controller for a task that does nothing on one host."""
        tasks = len(SKIPPED[0]["tasks"])  # type: ignore[arg-type]
        nothing = self.run(self._playbook("nothing", NOTHING), Setting(5)).controller
        skipped = self.run(self._playbook("skipped", SKIPPED), Setting(5)).controller
        return 1000 * (skipped - nothing) / tasks / len(self.fleet.hosts)

    def payload(self, module: str) -> tuple[int, Path]:
        """Bytes of what is sent to a host for a module, and where that lies on the first host."""
        argv = [sys.executable, "-m", "ansible", "adhoc", self.fleet.hosts[0].name, "-vvv", "-m", module]
        argv += ["--inventory", str(self.inventory)]
        done = subprocess.run(
            [*argv, *(["-a", "scope=none"] if "preflight" in module else [])],
            env={**self.environment(), "ANSIBLE_KEEP_REMOTE_FILES": "1"},
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
        found = re.search(r"TO (\S+/AnsiballZ_\w+\.py)", done.stdout)
        if found is None:
            raise RuntimeError(f"{module}: nothing was sent\n{done.stdout[-1000:]}")
        path = Path(found.group(1))
        size = int(self._on_first_host("wc", "-c", str(path)).split()[0])
        return size, path

    def phases(self, payload: Path, scope: str, rounds: int) -> dict[str, Any]:
        """The parts of one module run on the first host: medians of processor milliseconds."""
        python = self.fleet.python
        self._on_first_host(python, str(payload), "explode")
        found = []
        for _round in range(rounds):
            words = [python, "-B", "-", str(payload.parent / "debug_dir"), scope]
            found.append(json.loads(self._on_first_host(*words, text=PHASES.read_text())))
        names = found[0]["phases"]
        return {
            "phases": {name: statistics.median(one["phases"][name] for one in found) for name in names},
            "document": found[0]["document"],
        }

    def _on_first_host(self, *words: str, text: str = "") -> str:
        host = self.fleet.hosts[0]
        argv = list(words)
        if self.fleet.connection == "ssh":
            argv = ["ssh", *self.fleet.ssh_options(), f"root@{host.address}", *words]
        return subprocess.run(argv, input=text, capture_output=True, text=True, check=True).stdout

    # --- slices ---

    def slices(self, count: int, forks: int) -> tuple[float, float, bool]:
        """Seconds of all slices side by side, seconds of the merge, and whether it equals the report of the whole."""
        self._disconnect()
        hosts = [host.name for host in self.fleet.hosts]
        place = self.directory / "slices"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        started = time.perf_counter()
        reports = fleet_slices.run(
            self.inventory,
            fleet_slices.slices(hosts, count),
            place,
            variables={"preflight_scope": "none"},
            forks=forks,
            environment=self.environment(),
        )
        ran = time.perf_counter()
        merged = fleet_slices.merge(reports, place / "merged", self.environment(), self.directory)
        ended = time.perf_counter()
        whole = fleet_slices.essence(self.directory / "results/none/report/report.json")
        found = fleet_slices.essence(merged)
        if found["totals"]["hosts"] != len(hosts):
            raise RuntimeError(f"{found['totals']['hosts']} of {len(hosts)} hosts are in the merged report")
        return ran - started, ended - ran, found == whole


def preflight(name: str, scope: str) -> Play:
    more = {"preflight_scope": scope, "preflight_results": f"results/{scope}"}
    return Play(name, "fleetops.pbs.preflight", tuple(more.items()))


# --- the page ----------------------------------------------------------------------------------------------------------


class Figures:
    """What was measured so far; can be written at any time."""

    def __init__(self, hosts: int) -> None:
        self.hosts = hosts
        self.costs: dict[tuple[Setting, str], list[Cost]] = {}
        self.parts: list[str] = []

    def add(self, setting: Setting, play: Play, cost: Cost) -> None:
        self.costs.setdefault((setting, play.name), []).append(cost)
        log(
            f"  forks {setting}: {play.name}: {cost.seconds:.1f} s; processor per host:"
            f" controller {1000 * cost.controller / self.hosts:.0f} ms, host {1000 * cost.managed / self.hosts:.0f} ms"
        )

    def _median(self, setting: Setting, name: str, what: str) -> float | None:
        found = self.costs.get((setting, name))
        return statistics.median(getattr(cost, what) for cost in found) if found else None

    def table(self, names: Sequence[str]) -> str:
        """The first name is the measure of the others."""
        head = ["forks", names[0], *(word for name in names[1:] for word in (name, "ratio"))]
        lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
        for setting in sorted({setting for setting, _name in self.costs}, key=lambda one: (one.pipelining, one.forks)):
            base = self._median(setting, names[0], "seconds")
            if base is None:
                continue
            row = [str(setting), f"{base:.1f} s"]
            for name in names[1:]:
                seconds = self._median(setting, name, "seconds")
                row += ["", ""] if seconds is None else [f"{seconds:.1f} s", f"{seconds / base:.2f}"]
            lines.append("| " + " | ".join(row) + " |")
        return "\n".join(lines)

    def processors(self, names: Sequence[str]) -> str:
        """Processor time per host: medians over the runs with Ansible's defaults."""
        lines = ["| processor time for each host | on the controller | on the host |", "|---|---:|---:|"]
        for name in names:
            runs = [
                cost
                for (setting, other), costs in self.costs.items()
                for cost in costs
                if other == name and not setting.pipelining
            ]
            if runs:
                both = [
                    1000 * statistics.median(getattr(run, side) for run in runs) / self.hosts
                    for side in ("controller", "managed")
                ]
                lines.append(f"| {name} | {both[0]:.0f} ms | {both[1]:.0f} ms |")
        return "\n".join(lines)


def intro(fleet: fleet_hosts.Fleet, arguments: Sequence[str], rounds: int, walks: int) -> str:
    command = " ".join(["make bench-fleet", *([f'ARGS="{" ".join(arguments)}"'] if arguments else [])])
    how = (
        "each with namespaces, a root directory, an ssh server and an ext4 of its own"
        if fleet.connection == "ssh"
        else "each with an ext4 of its own, reached by the connection `local`"
    )
    cores = len(os.sched_getaffinity(0))
    version = importlib.metadata.version("ansible-core")
    kernel = ".".join(platform.release().split(".")[:2])
    hosts = len(fleet.hosts)
    rounds_told = "One round" if rounds == 1 else f"Medians of {rounds} rounds"
    walks_told = "once" if walks == 1 else f"{walks} times"
    made = (
        f"This makes {hosts} hosts that look like Proxmox Backup Servers to a preflight, {how}, and a datastore of 65,536"
        f" prefix directories and {fleet_hosts.CHUNKS} chunks. It runs the plays in turn, and removes the hosts."
        f" {rounds_told}; with the walk: {walks_told}."
    )
    return f"""## A fleet

The playbook `preflight`, compared with a play that has one `ansible.builtin.ping` task and gathers no facts, on the same
{hosts} hosts with the same settings. Made by

    {command}

{textwrap.fill(made, 120)}

- {cores} processors for the controller **and** all hosts, Linux {kernel}; ansible-core {version}, Python {platform.python_version()}
- load average before the run: {os.getloadavg()[0]:.1f}; other work at the same time makes the seconds longer and the
  ratios less certain
- Ansible's defaults, except for `forks` and, where named, `pipelining`. Each play opens new connections.
- *Without the walk* is `preflight_scope: none`: everything except the owners and modes in the chunk store. *With the
  walk* is the default, `full`. Real hosts walk at the same time, each with its own processors; here all share {cores}, so
  this column shows the cost of the walks, not the duration for a real fleet.

For a large fleet, set `forks` as high as the controller's processors and memory allow, and enable `pipelining`, which
avoids copying files before each task.
"""


@contextlib.contextmanager
def page(figures: Figures, head: str, write: bool) -> Iterator[None]:
    """Show what was measured, and write it down, even if the rest could not be measured."""
    try:
        yield
    finally:
        text = "\n\n".join([head.rstrip(), *figures.parts])
        print("\n" + text)
        if write:
            write_section(PAGE, "fleet", "bench-fleet", text)


def breakdown(bench: Bench, rounds: int) -> str:
    """Where the time of one host goes, on either side."""
    per_task = bench.per_task()
    ping, _path = bench.payload("ansible.builtin.ping")
    size, path = bench.payload("fleetops.pbs.preflight")
    none = bench.phases(path, "none", rounds)
    full = bench.phases(path, "full", rounds)
    lines = ["| processor time of one module run on a host | without the walk | with the walk |", "|---|---:|---:|"]
    lines += [f"| {name} | {none['phases'][name]:.0f} ms | {full['phases'][name]:.0f} ms |" for name in none["phases"]]
    kib = [number / 1024 for number in (size, ping, none["document"], full["document"])]
    text = f"""### Where the time goes

{{lines}}

- The controller sends {kib[0]:.0f} KiB to each host (`ping`: {kib[1]:.0f} KiB), built once for a play. The host answers
  with a document of {kib[2]:.0f} to {kib[3]:.0f} KiB.
- A task that does nothing costs the controller {per_task:.0f} ms for each host, because Ansible starts a process for it.
  The play has one task for each host, the module, and another only for hosts that fail; its variables are checked once.
- Each question for the progress is another module run. Without the walk there are no questions; with the walk the module
  first waits for its own work, one second for each host that works at the same time (at least 4 s, at most 30 s)."""
    return text.replace("{lines}", "\n".join(lines))


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="make bench-fleet ARGS=...", description=__doc__)
    parser.add_argument("--hosts", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--forks", default="5,20,50", help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="how often each play has its turn (default: 3)")
    parser.add_argument("--walks", type=int, default=1, help="how many runs with the walk (default: 1)")
    parser.add_argument("--slices", type=int, default=4, help="default: %(default)s")
    parser.add_argument("--connection", choices=["auto", "ssh", "local"], default="auto", help="default: %(default)s")
    parser.add_argument("--scratch", default="/var/tmp", help="21 MB for each host (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="put the result into docs/benchmarks.md")
    options = parser.parse_args(arguments)
    if os.geteuid() != 0:
        sys.exit("make bench-fleet makes namespaces and mounts filesystems: it needs root")
    connection = options.connection
    if connection != "local" and fleet_hosts.sshd() is None:
        log("no ssh server on this machine (Debian: apt-get install openssh-server openssh-client)")
        if connection == "ssh":
            sys.exit(1)
        log("the hosts are reached by the connection local instead")
        connection = "local"
    connection = "ssh" if connection == "auto" else connection
    settings = [Setting(int(forks)) for forks in options.forks.split(",")]
    # What is measured once is measured in the middle.
    settings.append(Setting(settings[len(settings) // 2].forks, pipelining=True))
    signal.signal(signal.SIGTERM, lambda *_args: sys.exit("ended"))  # so that what was made is removed
    fleet_hosts.enclose()
    with (
        tempfile.TemporaryDirectory(prefix="fleetops-pbs-fleet-", dir=options.scratch) as scratch,
        tempfile.TemporaryDirectory(prefix="fleetops-pbs-", dir="/tmp") as sockets,
    ):
        directory = Path(scratch)
        log(f"making {options.hosts} hosts")
        with fleet_hosts.fleet(options.hosts, directory, connection) as fleet:
            told = [argument for argument in arguments if argument != "--write"]
            measure(
                Bench(fleet, directory, Path(sockets)),
                settings,
                options,
                intro(fleet, told, options.rounds, options.walks),
            )


def measure(bench: Bench, settings: Sequence[Setting], options: argparse.Namespace, head: str) -> None:
    figures = Figures(len(bench.fleet.hosts))
    plays = [bench.ping, preflight("preflight without the walk", "none"), preflight("preflight with the walk", "full")]
    names = [play.name for play in plays]
    middle = settings[-1].without_pipelining()
    with page(figures, head, options.write):
        for number in range(options.rounds):
            for setting in settings:
                # Once is enough for what is no matter of chance: how much a walk adds.
                walk = number < options.walks and setting == middle
                for play in plays if walk else plays[:2]:
                    figures.add(setting, play, bench.run(play, setting))
                    figures.parts = [figures.table(names), figures.processors(names)]
        forks = middle.forks
        seconds, merging, equal = bench.slices(options.slices, max(1, forks // options.slices))
        if not equal:
            raise RuntimeError("the merged report of the slices differs from that of the undivided run")
        figures.parts.append(
            f"The same fleet in {options.slices} slices through ansible-runner (`transmit | worker | process`), without the"
            f" walk, side by side\nwith {max(1, forks // options.slices)} forks each: {seconds:.1f} s, and {merging:.1f} s to"
            " merge them into one report. The merged report has the same\nhosts, the same answers and the same totals as"
            " that of the undivided run."
        )
        if bench.fleet.connection == "ssh":
            log("where the time goes")
            figures.parts.append(breakdown(bench, options.rounds))


if __name__ == "__main__":
    main(sys.argv[1:])
