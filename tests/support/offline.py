# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine without this checkout: only the collections that ours depends on, and no network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Port 9 on this machine: a request is refused at once, and so is noticed.
CLOSED = "http://127.0.0.1:9/"


def dependencies(directory: Path) -> Path:
    """A collections path in `directory` that has every collection of this checkout's but ours. Returns it."""
    path = directory / "dependencies"
    (path / "ansible_collections").mkdir(parents=True)
    for namespace in (ROOT / ".collections" / "ansible_collections").iterdir():
        if namespace.name != "fleetops":
            (path / "ansible_collections" / namespace.name).symlink_to(namespace)
    return path


def environment(home: Path, *collections: Path) -> dict[str, str]:
    """Environment variables for Ansible's programs that see `collections`, in this order, and nothing of the user's."""
    config = home / "ansible.cfg"
    config.touch()
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "/usr/bin:/bin")]),
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_HOME": str(home / ".ansible"),
        "ANSIBLE_CONFIG": str(config),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(map(str, collections)),
        "ANSIBLE_GALAXY_SERVER_LIST": "closed",
        "ANSIBLE_GALAXY_SERVER_CLOSED_URL": CLOSED,
    }


def call(argv: list[str], env: dict[str, str], cwd: Path) -> str:
    """Run a program and return what it printed; AssertionError, with all it said, if it fails."""
    streams = {"stdin": subprocess.DEVNULL, "capture_output": True}
    done = subprocess.run(argv, env=env, cwd=cwd, text=True, check=False, timeout=280, **streams)
    assert done.returncode == 0, f"{argv}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
