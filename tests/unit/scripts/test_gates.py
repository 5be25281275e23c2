# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make test` announces each gate, runs all of them even if one fails, and reports how long each took."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.tests.support import waiting

PROGRAM = Path(__file__).resolve().parents[3] / "scripts" / "gates.py"
MAKEFILE = """\
good:
\t@echo good has run
bad:
\t@echo bad has run; exit 3
waits:
\t@echo waits; until [ -e go ]; do sleep 0.02; done; echo waits no more
asks:
\t@read answer && echo got an answer || echo got no answer
hangs:
\t@echo $$$$ > pid; exec sleep 600
"""


@pytest.fixture
def gates(tmp_path: Path):
    (tmp_path / "Makefile").write_text(MAKEFILE)
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        argv = [sys.executable, str(PROGRAM), *words]
        started.append(
            subprocess.Popen(argv, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
        return started[-1]

    yield start
    for process in started:
        process.terminate()
        process.wait()
        process.stdout.close()


def outcomes(text: str) -> dict[str, str]:
    """The summary: what became of each gate."""
    summary = text.partition("test: summary\n")[2]
    return dict(re.findall(r"^test:   (\S+) +(ok|FAILED) +\d+ s$", summary, re.MULTILINE))


def test_a_failed_gate_does_not_keep_the_others_from_running(gates):
    process = gates("bad", "good")
    text = process.communicate()[0]
    assert process.returncode == 1
    assert "bad has run" in text
    assert "good has run" in text
    assert "test: bad: FAILED (exit 2) after" in text
    assert outcomes(text) == {"bad": "FAILED", "good": "ok"}
    assert text.splitlines()[-1].startswith("test: failed: bad, after ")


def test_all_good(gates):
    process = gates("--jobs", "2", "good", "asks")
    text = process.communicate()[0]
    assert process.returncode == 0
    assert "got no answer" in text
    assert outcomes(text) == {"good": "ok", "asks": "ok"}


def test_each_start_is_announced_before_anything_has_ended(gates, tmp_path):
    process = gates("--jobs", "2", "--every", "0.2", "waits", "hangs", "good")
    lines = []
    while not any("waits: running for" in line for line in lines):
        lines.append(process.stdout.readline())
        assert lines[-1], lines
    assert "3 gates, 2 at a time: waits hangs good" in lines[0]
    assert lines[1:3] == ["test: waits: started\n", "test: hangs: started\n"]
    # What it wrote last; its whole output comes when it ends.
    assert lines[-1].endswith((": waits\n", ": no output yet\n"))
    (tmp_path / "go").touch()
    while "waits no more\n" not in lines:
        lines.append(process.stdout.readline())
        assert lines[-1], lines
    while "test: good: started\n" not in lines:
        lines.append(process.stdout.readline())
        assert lines[-1], lines


def is_alive(stat: Path) -> bool:
    try:
        return ") Z " not in stat.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_ends_what_runs(gates, tmp_path, number, code):
    process = gates("hangs")
    assert "1 gates" in process.stdout.readline()
    assert "started" in process.stdout.readline()
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
        assert process.poll() is None
    process.send_signal(number)
    process.communicate()
    assert process.returncode == code
    # The parent that could have waited for it is gone, too: who does so now takes its time.
    stat = Path("/proc", (tmp_path / "pid").read_text().strip(), "stat")
    waiting.until(lambda: not is_alive(stat), "the gate has ended")
