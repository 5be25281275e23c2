# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the manager finds its host, and what it claims to be: read once, from the environment.

FAKE_MANAGER_ROOT       the directory that holds etc, run and var (required by the program)
FAKE_MANAGER_VERSION    the version that it claims (4.2.0-1)
FAKE_MANAGER_PREFIXES   how many of the 65536 prefix directories it makes and wants to see, from 0000 on, and bb9f
FAKE_MANAGER_LOCK_WAIT  seconds that it waits for the configuration lock (10)
FAKE_MANAGER_SLOW       seconds that a creation takes longer, with the lock held (0)
FAKE_MANAGER_LACKS      options of remotes, sync jobs and S3 endpoints that this version does not have, joined by commas

In ROOT/run, the files `api` and `proxy` say that the daemons run, `busy-NAME` that a datastore is in use, `running-NAME`
that a sync job runs, `key-NAME` that there is an encryption key, and `bucket-NAME` a bucket of that name.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

ROOT = Path(os.environ.get("FAKE_MANAGER_ROOT", "/nonexistent"))
ETC = ROOT / "etc"
RUN = ROOT / "run"
STATES = ROOT / "var" / "jobstates"
VERSION = os.environ.get("FAKE_MANAGER_VERSION", "4.2.0-1")
VERSION_NUMBERS = tuple(map(int, re.findall(r"[0-9]+", VERSION)[:3]))
SHOWN_ETC = "/etc/proxmox-backup"
PREFIXES = sorted({*range(int(os.environ.get("FAKE_MANAGER_PREFIXES", "65536"))), 0xBB9F})
LOCK_WAIT = float(os.environ.get("FAKE_MANAGER_LOCK_WAIT", "10"))
SLOW = float(os.environ.get("FAKE_MANAGER_SLOW", "0"))
LACKS = frozenset(filter(None, os.environ.get("FAKE_MANAGER_LACKS", "").split(",")))
MOUNTS = Path("/mnt/datastore")
"""Where PBS mounts removable datastores."""
