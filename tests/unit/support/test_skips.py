# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A skip that need not be fails the session, where nothing may be skipped."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.root

ROOT = Path(__file__).resolve().parents[3]


def run_pytest(directory: Path, test: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (directory / "test_it.py").write_text(f"import pytest\n\n{test}\n")
    (directory / "pytest.ini").write_text("[pytest]\n")
    shutil.copy(ROOT / "tests" / "conftest.py", directory)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--ansible-unit-inject-only", *arguments, "."],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT / ".collections"), "CI": ""},
        capture_output=True,
        text=True,
        check=False,
    )


SKIPPED = "@pytest.mark.skip(reason='not today')\ndef test_it(): pass"


@pytest.mark.parametrize(
    "test",
    [
        SKIPPED,
        "def test_it(): pytest.skip('not today')",
        "pytest.skip('not today', allow_module_level=True)",
        "@pytest.fixture\ndef thing(): pytest.skip('not today')\ndef test_it(thing): pass",
    ],
    ids=["mark", "call", "module", "fixture"],
)
def test_a_needless_skip_fails_the_session(tmp_path, test):
    (tmp_path / "test_other.py").write_text("def test_other(): pass")
    done = run_pytest(tmp_path, test, "--no-skips")
    assert done.returncode == 1
    assert "test_it.py" in done.stdout
    assert "not today" in done.stdout
    assert "the session fails" in done.stdout


def test_what_the_kernel_lacks_may_be_skipped(tmp_path):
    test = "def test_it(): pytest.skip('kernel without vfat')\ndef test_other(): pass"
    assert run_pytest(tmp_path, test, "--no-skips").returncode == 0


def test_elsewhere_a_skip_is_a_skip(tmp_path):
    done = run_pytest(tmp_path, f"{SKIPPED}\ndef test_other(): pass")
    assert done.returncode == 0
    assert "1 passed, 1 skipped" in done.stdout


def test_an_expected_failure_is_no_skip(tmp_path):
    test = "@pytest.mark.xfail\ndef test_it(): raise ZeroDivisionError"
    assert run_pytest(tmp_path, test, "--no-skips").returncode == 0
