# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Proxmox Backup Server as far as provisioning sees one: configuration, state, and the imitation's manager."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from ansible_collections.fleetops.pbs.tests.support import machine
from ansible_collections.fleetops.pbs.tests.support.pbs.rules import backup_ids

PACKAGE = Path(__file__).parent


class FakeHost:
    """root: holds etc, run, var and bin/proxmox-backup-manager, a script that calls the stand-in for this root.

    prefixes: how many of the 65536 prefix directories the stand-in makes; a test of its own answers takes few.
    """

    def __init__(
        self,
        root: Path,
        *,
        version: str = "4.2.0-1",
        prefixes: int = 65536,
        lock_wait: float = 0.2,
        slow: float = 0,
        python: str = sys.executable,
    ) -> None:
        self.root = root
        self.etc, self.run, self.var = root / "etc", root / "run", root / "var"
        self.manager = root / "bin" / "proxmox-backup-manager"
        for directory in (root, root / "bin", self.run, self.var, self.run / "active-operations"):
            directory.mkdir(exist_ok=True)
            directory.chmod(0o755)
        self.make_etc()
        machine.open_way(root)
        # A copy: the checkout may be in the home directory of root, which `backup` cannot enter.
        self.program = root / "lib" / "pbs"
        shutil.copytree(PACKAGE, self.program, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        self.settings = {"VERSION": version, "PREFIXES": prefixes, "LOCK_WAIT": lock_wait, "SLOW": slow}
        self.python = python
        self.configure()
        self.daemons("both")

    def make_etc(self) -> None:
        self.etc.mkdir(exist_ok=True)
        self.etc.chmod(0o700)
        os.chown(self.etc, *backup_ids())

    def configure(self, **settings: Any) -> None:
        """Change what the stand-in is told: version, prefixes, lock_wait, slow."""
        self.settings.update({name.upper(): value for name, value in settings.items()})
        words = [f"FAKE_MANAGER_ROOT='{self.root}'"]
        words += [f"FAKE_MANAGER_{name}='{value}'" for name, value in self.settings.items()]
        self.manager.write_text(
            f"#!/bin/sh\nexec env {' '.join(words)} '{self.python}' -I -S '{self.program}' \"$@\"\n"
        )
        self.manager.chmod(0o755)

    def daemons(self, running: str) -> None:
        """Which run: `both`, `api`, `proxy` or `none`."""
        for name in ("api", "proxy"):
            marker = self.run / name
            marker.unlink(missing_ok=True)
            if running in ("both", name):
                marker.touch()

    def options(self, **more: Any) -> dict[str, Any]:
        """Options of the modules that reach this host, and not the one that the test runs on."""
        return {"manager": str(self.manager), "config_dir": str(self.etc), **more}

    def config(self, name: str = "datastore.cfg") -> str:
        path = self.etc / name
        return path.read_text() if path.exists() else ""
