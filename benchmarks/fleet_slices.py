# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A preflight in slices, as large fleets run it: ansible-runner carries each slice to a worker, and its answers back.

transmit, worker and process communicate only through what they write, so the worker may be any machine. Only the
directory of artefacts comes back, so that a slice writes its documents and its report there.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RUNNER = [sys.executable, "-m", "ansible_runner"]
PLAYBOOK = [sys.executable, "-m", "ansible", "playbook"]
ARTEFACTS = "{{ lookup('ansible.builtin.env', 'AWX_ISOLATED_DATA_DIR') }}"
"""ansible-runner tells the play by this variable where its artefacts are."""


class SliceFailed(RuntimeError):
    """A slice ended without its documents."""


def slices(hosts: Sequence[str], count: int) -> list[list[str]]:
    """Every count-th host, as AWX slices an inventory."""
    return [list(hosts[number::count]) for number in range(count)]


def run(
    inventory: Path,
    parts: Sequence[Sequence[str]],
    directory: Path,
    *,
    variables: Mapping[str, Any],
    forks: int,
    environment: Mapping[str, str],
) -> list[Path]:
    """Run all slices side by side; the `report.json` of each, as it came back."""
    started = []
    for number, hosts in enumerate(parts, 1):
        project = _project(directory / f"slice{number}", inventory, variables)
        ident = f"slice{number}"
        started.append(
            (
                directory / f"back{number}",
                ident,
                _start(project, directory / f"back{number}", ident, hosts, forks, environment),
            )
        )
    reports = []
    for back, ident, processes in started:
        codes = [process.wait() for process in processes]
        report = back / "artifacts" / ident / "report/report.json"
        # A slice with an unsafe host fails, and has its report all the same.
        if not report.exists():
            log = (back.parent / f"{ident}.log").read_text(errors="replace")
            raise SliceFailed(f"{ident}: no report came back (transmit, worker, process: {codes})\n{log[-2000:]}")
        reports.append(report)
    return reports


def _project(project: Path, inventory: Path, variables: Mapping[str, Any]) -> Path:
    for name in ("inventory", "project", "env"):
        (project / name).mkdir(parents=True)
    shutil.copy(inventory, project / "inventory/hosts.json")
    where = {
        "preflight_results": f"{ARTEFACTS}/documents",
        "preflight_report_dest": f"{ARTEFACTS}/report",
        "preflight_report_formats": ["report.json"],
        "preflight_report_history": "",
    }
    (project / "env/extravars").write_text(json.dumps({**where, **variables}))
    return project


def _start(
    project: Path, back: Path, ident: str, hosts: Sequence[str], forks: int, environment: Mapping[str, str]
) -> list[subprocess.Popen[bytes]]:
    chosen = ["-p", "fleetops.pbs.preflight", "--limit", ",".join(hosts), "--forks", str(forks), "--ident", ident]
    scratch = back.with_name(f"{ident}.work")
    with back.with_name(f"{ident}.log").open("wb") as log:
        transmit = subprocess.Popen(
            [*RUNNER, "transmit", project, *chosen], env=environment, stdout=subprocess.PIPE, stderr=log
        )
        worker = subprocess.Popen(
            [*RUNNER, "worker", "--private-data-dir", scratch],
            env=environment,
            stdin=transmit.stdout,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        process = subprocess.Popen(
            [*RUNNER, "process", back, "--ident", ident],
            env=environment,
            stdin=worker.stdout,
            stdout=log,
            stderr=log,
        )
    # Each end of a pipe belongs to one process, so that all end when one does.
    for earlier in (transmit, worker):
        if earlier.stdout is not None:
            earlier.stdout.close()
    return [transmit, worker, process]


def merge(reports: Sequence[Path], destination: Path, environment: Mapping[str, str], directory: Path) -> Path:
    """One report of those of the slices, by the playbook `report`."""
    variables = {
        "report_merge": [str(path) for path in reports],
        "report_dest": str(destination),
        "report_history": "",
        "preflight_results": str(directory / "none"),
    }
    done = subprocess.run(
        [*PLAYBOOK, "--inventory", "localhost,", "--extra-vars", json.dumps(variables), "fleetops.pbs.report"],
        env=environment,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SliceFailed(f"the reports could not be merged:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return destination / "report.json"


def essence(report: Path) -> dict[str, Any]:
    """What two reports about the same state of a fleet have in common: the hosts, each answer, and the totals."""
    content = json.loads(report.read_text())
    return {
        "totals": content["totals"],
        "hosts": {row["host"]: (row["state"], row["datastores"], row["summary"]) for row in content["hosts"]},
        "answers": {
            document["host"]: [(item["control"], item["datastore"], item["status"]) for item in document["findings"]]
            for document in content["documents"]
        },
    }
