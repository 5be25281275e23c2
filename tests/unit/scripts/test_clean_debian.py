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


# A Debian that is made, cloned into and entered only in name.
MADE = {
    "mmdebstrap": """
        for word; do
            case $word in */root)
                mkdir -p "$word/etc/apt/apt.conf.d" "$word/usr/local/share/ca-certificates"
                echo 13.1 > "$word/etc/debian_version" ;;
            esac
        done""",
    "git": "exit 0",
    "chroot": "exit 0",
    "unshare": "exit 0",
}


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    path = tmp_path / "scratch"
    path.mkdir()
    return path


@pytest.fixture
def call(tmp_path: Path, scratch: Path):
    programs = tmp_path / "bin"
    programs.mkdir()

    def run(uid: int, more: dict[str, str] | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        for name, text in {**PROGRAMS, **(more or {})}.items():
            (programs / name).write_text(f"#!/bin/sh\n{text}\n")
            (programs / name).chmod(0o755)
        path = os.pathsep.join([str(programs), os.environ["PATH"]])
        done = subprocess.run(
            [str(ROOT / "scripts/clean_debian"), "true"],
            env={"PATH": path, "TMPDIR": str(scratch), "WHO": str(uid), **environment},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert "CLEAN_DEBIAN_KEEP" in environment or list(scratch.iterdir()) == []
        return done

    return run


def test_it_needs_root(call) -> None:
    done = call(1000)
    assert done.returncode == 1
    assert "only root can make and enter another system" in done.stderr


def test_it_says_why_there_is_no_debian_and_leaves_nothing(call) -> None:
    done = call(0)
    assert done.returncode == 1
    assert "of http://mirror.test/debian/" in done.stderr
    assert "no way to the mirror" in done.stderr


def test_files_that_the_settings_of_pip_name_are_there_too(call, tmp_path: Path, scratch: Path) -> None:
    settings = tmp_path / "settings"
    settings.mkdir()
    (settings / "constraints.txt").write_text("wheel<1\n")
    (settings / "certificates").write_text("ours\n")
    listed = [
        ":env:.default-timeout='180'",
        f":env:.cert='{settings}/certificates'",
        f"global.constraint='{settings}/constraints.txt'",
        f"global.find-links='file://{tmp_path}/nowhere'",
    ]
    lines = "\n".join(listed)
    done = call(0, {**MADE, "python3": f'cat << "END"\n{lines}\nEND'}, CLEAN_DEBIAN_KEEP="1")
    assert done.returncode == 0, done.stderr
    root = next(scratch.glob("clean-debian.*/root"))
    assert (root / "etc/pip.conf").read_text().splitlines() == [
        "[global]",
        f"cert = {settings}/certificates",
        f"constraint = {settings}/constraints.txt",
        "default-timeout = 180",
        f"find-links = file://{tmp_path}/nowhere",
    ]
    inside = root / settings.relative_to("/")
    assert (inside / "constraints.txt").read_text() == "wheel<1\n"
    assert (inside / "certificates").read_text() == "ours\n"


def test_the_new_system_s_own_files_are_not_replaced(call, scratch: Path, tmp_path: Path) -> None:
    """A file of the same name may be the new system's, as /etc/ssl/certs/ca-certificates.crt is."""
    listed = "global.cert='/etc/debian_version'"
    done = call(0, {**MADE, "python3": f'echo "{listed}"'}, CLEAN_DEBIAN_KEEP="1")
    assert done.returncode == 0, done.stderr
    root = next(scratch.glob("clean-debian.*/root"))
    assert (root / "etc/debian_version").read_text() == "13.1\n"
