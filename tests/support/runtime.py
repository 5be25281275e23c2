# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepares an environment for a checkout with ansible-compat, and prints as JSON what is found in it.

usage: runtime.py CHECKOUT MINIMUM [PLAYBOOK ...], in the directory and with the environment variables of offline.py

A process of its own: ansible-compat changes the Ansible that it is imported beside.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ansible_compat.runtime import Runtime


def main(checkout: str, minimum: str, *playbooks: str) -> None:
    runtime = Runtime(Path(checkout), isolated=True, min_required_version=minimum, require_module=True)
    # What galaxy.yml asks for, then the checkout itself, built and installed as any collection.
    runtime.prepare_environment(install_local=True)
    runtime.enable_plugin_loader()
    found = {
        "ansible": str(runtime.version),
        "collections": {
            name: {"version": collection.version, "path": str(collection.path)}
            for name, collection in runtime.collections.items()
        },
        "required": str(runtime.require_collection("fleetops.pbs", install=False)[0]),
        "modules": sorted(name for name in runtime.plugins.module if name.startswith("fleetops.")),
        "roles": sorted(name for name in runtime.plugins.role if name.startswith("fleetops.")),
        "playbooks": {playbook: runtime.has_playbook(playbook) for playbook in playbooks},
        "unknown": runtime.has_playbook("fleetops.pbs.no_such_playbook"),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
