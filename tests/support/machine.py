# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this machine and user can do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

# What the engine supports on managed hosts.
MANAGED_VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13")


class Unsupported(Exception):
    """What a test asks for cannot be had on this machine; the text is the reason to skip it with."""


def is_capable() -> bool:
    """Whether every test can run here: root on Linux mounts, changes owners and makes namespaces."""
    return sys.platform == "linux" and os.geteuid() == 0


def open_way(path: Path) -> None:
    """Let other users pass through `path` and what leads to it, as far as it is ours: pytest closes its directories."""
    for directory in (path, *path.parents):
        status = directory.stat()
        if status.st_uid != os.geteuid() or status.st_mode & 0o001:
            continue
        directory.chmod(status.st_mode | 0o011)


def pythons(versions: Sequence[str] = MANAGED_VERSIONS) -> dict[str, Path]:
    """The interpreters of this machine by version, as {"3.9": Path(".../bin/python3.9")}.

    Those on PATH, and those that pyenv keeps. Only one that answers counts: version managers put stand-ins on PATH
    that fail when they are called.
    """
    directories = [Path(name) for name in os.get_exec_path() if name]
    home = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    directories += sorted(home.glob("versions/*/bin"))
    found = {}
    for version in versions:
        for directory in directories:
            python = directory / f"python{version}"
            if directory.name != "shims" and _answers(python, version):
                found[version] = python
                break
    return found


def python(*versions: str) -> Path:
    """The interpreter of the first of these versions that is there. Unsupported: none is."""
    found = pythons(versions)
    if not found:
        raise Unsupported(f"Python {', '.join(versions)} is not installed")
    return next(iter(found.values()))


def _answers(python: Path, version: str) -> bool:
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.returncode == 0 and done.stdout.strip() == version
