# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What scripts/clean_debian says where it cannot begin. What it is for takes long: `make clean-debian`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = {
    "id": "echo $WHO",
    "mmdebstrap": "echo no way to the mirror; exit 25",
    "apt-get": "echo Debian http://mirror.test/debian/",
}


@pytest.fixture
def call(tmp_path: Path):
    programs, scratch = tmp_path / "bin", tmp_path / "scratch"
    programs.mkdir()
    scratch.mkdir()
    for name, text in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)

    def run(uid: int) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(programs), os.environ["PATH"]])
        done = subprocess.run(
            [str(ROOT / "scripts/clean_debian"), "true"],
            env={"PATH": path, "TMPDIR": str(scratch), "WHO": str(uid)},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert list(scratch.iterdir()) == []
        return done

    return run


def test_it_takes_root(call) -> None:
    done = call(1000)
    assert done.returncode == 1
    assert "only root can make and enter another system" in done.stderr


def test_it_says_why_there_is_no_debian_and_leaves_nothing(call) -> None:
    done = call(0)
    assert done.returncode == 1
    assert "of http://mirror.test/debian/" in done.stderr
    assert "no way to the mirror" in done.stderr
