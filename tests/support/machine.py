# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this machine and user can do."""

from __future__ import annotations

import os
import sys
from pathlib import Path


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
