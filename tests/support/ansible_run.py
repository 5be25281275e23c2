# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs modules and playbooks of this collection as a user does: Ansible, a module payload, an interpreter.

Nothing of the caller's configuration is seen: no ansible.cfg, no environment, a home of its own.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HOST = "testhost"
TIMEOUT = 600  # seconds; a module takes one on an idle machine

managed_python = Path(sys.executable)
"""The managed side's interpreter, where a call does not name one. Set by pytest's --managed-python."""


@dataclasses.dataclass
class Run:
    """What one call of ansible or ansible-playbook did.

    rc: its exit code. plays, stats: as the callback ansible.posix.json prints them. stderr: warnings and errors.
    """

    rc: int
    plays: list[dict[str, Any]]
    stats: dict[str, dict[str, int]]
    stderr: str
    before: str = ""
    """What stood on standard output before the document of the callback."""

    def results(self, host: str = HOST) -> Iterator[tuple[str, dict[str, Any]]]:
        """(task name, result) of one host, in order."""
        for play in self.plays:
            for task in play["tasks"]:
                if host in task["hosts"]:
                    yield task["task"]["name"], task["hosts"][host]

    def result(self, task: str, host: str = HOST) -> dict[str, Any]:
        """The result of the last task of that name."""
        return [found for name, found in self.results(host) if name == task][-1]


def _environment(home: str, more: Mapping[str, str]) -> dict[str, str]:
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "/usr/bin:/bin")]),
        "HOME": home,
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_HOME": f"{home}/.ansible",
        "ANSIBLE_LOCAL_TEMP": f"{home}/local",
        "ANSIBLE_REMOTE_TEMP": f"{home}/remote",
        "ANSIBLE_CONFIG": f"{home}/ansible.cfg",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
        "ANSIBLE_NOCOLOR": "1",
        **more,
    }


def _run(argv: list[str], env: Mapping[str, str], timeout: float, cwd: Path | None) -> Run:
    with tempfile.TemporaryDirectory(prefix="fleetops-pbs-") as home:
        Path(home, "ansible.cfg").touch()
        done = subprocess.run(
            [sys.executable, "-m", "ansible", *argv],
            env=_environment(home, env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            cwd=cwd or home,
        )
    try:
        # What Ansible itself has to say may stand before the callback's document.
        start = done.stdout.index("{\n")
        document = json.loads(done.stdout[start:])
    except ValueError:
        raise AssertionError(f"exit {done.returncode}, no result:\n{done.stdout}\n{done.stderr}") from None
    return Run(done.returncode, document["plays"], document["stats"], done.stderr, done.stdout[:start])


def _connection(python: str | os.PathLike[str] | None) -> list[str]:
    variables = {"ansible_connection": "local", "ansible_python_interpreter": os.fspath(python or managed_python)}
    return ["--extra-vars", json.dumps(variables)]


def run_module(
    name: str,
    args: Mapping[str, Any] | None = None,
    *,
    check: bool = False,
    diff: bool = False,
    python: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
) -> dict[str, Any]:
    """The result of one module on this machine; a failure is `result["failed"]`, not an exception.

    name: with its collection, unless it is one of this. python: the managed side's interpreter, else `managed_python`.
    """
    if "." not in name:
        name = f"fleetops.pbs.{name}"
    argv = ["adhoc", HOST, "--inventory", f"{HOST},", "--module-name", name]
    argv += ["--args", json.dumps(dict(args))] if args else []
    argv += _connection(python)
    argv += ["--check"] * check + ["--diff"] * diff
    run = _run(argv, env or {}, timeout, None)
    ((_name, result),) = run.results()
    return result


def run_playbook(
    playbook: Path,
    *,
    inventory: str | os.PathLike[str] = f"{HOST},",
    variables: Mapping[str, Any] | None = None,
    check: bool = False,
    diff: bool = False,
    limit: str = "",
    local: bool = True,
    python: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 5 * TIMEOUT,
    cwd: Path | None = None,
) -> Run:
    """Run a playbook; `local` reaches every host without a connection, however the inventory says."""
    argv = ["playbook", "--inventory", os.fspath(inventory), "--extra-vars", json.dumps(dict(variables or {}))]
    argv += _connection(python) if local else []
    argv += ["--check"] * check + ["--diff"] * diff + (["--limit", limit] if limit else [])
    return _run([*argv, str(playbook)], env or {}, timeout, cwd)
