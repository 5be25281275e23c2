# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Prometheus and a node exporter of this test, on ports of the loopback device and with files of the test."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.fleetops.pbs.tests.support import waiting

ROOT = Path(__file__).resolve().parents[2]
UNPACKED = ROOT / ".cache/monitoring/usr/bin"
PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-node-exporter": "prometheus-node-exporter",
}
"""Programs, and the Debian packages that have them; `scripts/setup` unpacks these."""


def program(name: str) -> str | None:
    """The path of a program, installed or unpacked; None where it is neither."""
    return shutil.which(name) or shutil.which(name, path=str(UNPACKED))


def missing() -> str:
    """Why there can be no test; empty where there can."""
    lacking = {package for name, package in PACKAGES.items() if program(name) is None}
    return (
        f"no {' and no '.join(sorted(lacking))} (Debian packages of that name; `make venv` unpacks them)"
        if lacking
        else ""
    )


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    """Run it, with all of its output in `stdout`."""
    found = program("promtool")
    assert found is not None
    return subprocess.run([found, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


class Prometheus:
    """Answers queries about what it has scraped."""

    def __init__(self, address: str) -> None:
        self.address = address

    def get(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API. Raises `urllib.error.URLError` where there is none."""
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Labels and values of an instant query."""
        result = self.get("query", query=expression)["result"]
        return [(item["metric"], float(item["value"][1])) for item in result]


@contextlib.contextmanager
def running(place: Path, textfiles: Path, rules: Path) -> Iterator[tuple[Prometheus, str]]:
    """A Prometheus that scrapes a node exporter that reads the `*.prom` of a directory; and the exporter's address."""
    exporter, prometheus = f"127.0.0.1:{_free_port()}", f"127.0.0.1:{_free_port()}"
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [{"job_name": "node", "static_configs": [{"targets": [exporter]}]}],
    }
    (place / "prometheus.json").write_text(json.dumps(configuration))  # JSON is YAML, too
    commands = (
        [
            str(program("prometheus-node-exporter")),
            "--collector.disable-defaults",
            "--collector.textfile",
            f"--collector.textfile.directory={textfiles}",
            f"--web.listen-address={exporter}",
        ],
        [
            str(program("prometheus")),
            f"--config.file={place / 'prometheus.json'}",
            f"--storage.tsdb.path={place / 'data'}",
            f"--web.listen-address={prometheus}",
        ],
    )
    with contextlib.ExitStack() as stack:
        for name, command in zip(("exporter", "prometheus"), commands, strict=True):
            stack.enter_context(_process(command, place / f"{name}.log"))
        server = Prometheus(prometheus)
        waiting.until(
            lambda: _answers(server),
            lambda: (place / "prometheus.log").read_text() + (place / "exporter.log").read_text(),
        )
        yield server, exporter


def _answers(server: Prometheus) -> bool:
    try:
        return [value for _labels, value in server.query('up{job="node"}')] == [1.0]
    except (urllib.error.URLError, OSError, ValueError):
        return False


@contextlib.contextmanager
def _process(command: list[str], log: Path) -> Iterator[None]:
    with log.open("w") as stream:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
