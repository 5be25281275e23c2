#!/usr/bin/env bash
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# proxmoxer 2.3.0 supports Proxmox Backup Server as a service, but its helper for tasks knows only the task ids of Proxmox VE:
# nine fields. A task id of PBS has ten (a task counter after the start of the process). Tasks.decode_upid() raises
# AssertionError for each of them, and Tasks.blocking_status() with it.
#
# Expected: the helper decodes the id, as it does for Proxmox VE. Observed: AssertionError.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install -q --disable-pip-version-check proxmoxer==2.3.0 requests==2.32.3 2> "$scratch/log" || { cat "$scratch/log"; exit 2; }
"$scratch/venv/bin/python" - <<'END'
import importlib.metadata
import sys

from proxmoxer.tools import Tasks

PVE = "UPID:node1:00000A1B:0000C3D4:67748580:vzdump:100:root@pam:"
PBS = "UPID:node1:00000A1B:0000C3D4:00000005:67748580:garbage_collection:store1:root@pam:"
print("proxmoxer", importlib.metadata.version("proxmoxer"))
assert Tasks.decode_upid(PVE)["type"] == "vzdump"
print("expected: the task id of PBS is decoded, with type garbage_collection")
try:
    found = Tasks.decode_upid(PBS)
except AssertionError as exc:
    print("observed: AssertionError:", exc)
    sys.exit(0)
print("observed:", found)
sys.exit(1)
END
