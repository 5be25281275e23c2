# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On a managed host: where the processor time of one preflight goes. Prints milliseconds as JSON.

usage: python3 -B fleet_phases.py DIRECTORY SCOPE    the unpacked payload of the module, and how much to walk

Without byte code, as a module runs. Uses nothing of the collection but the payload.
"""

from __future__ import annotations

import json
import resource
import sys


def used() -> float:
    """Milliseconds of this process and of the children that it has waited for."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return 1000.0 * sum(one.ru_utime + one.ru_stime for one in usage)


def main(payload: str, scope: str) -> None:
    sys.path.insert(0, payload)
    sys.dont_write_bytecode = True
    marks = [("Python's own start", used())]

    def mark(what: str) -> None:
        marks.append((what, used()))

    import ansible.module_utils.basic  # noqa: F401

    mark("reading and compiling Ansible's part of the module")
    from ansible_collections.fleetops.pbs.plugins.module_utils import _preflight

    mark("reading and compiling the engine")
    defaults = {
        "host": "host",
        "datastores": None,
        "probe": "private",
        "scope": scope,
        "references": "full",
        "sample_prefixes": 256,
        "workers": 0,
        "max_paths": 20,
        "deadline": 60.0,
        "stall": 60.0,
        "timeout": 43200.0,
        "controls": [],
        "policy": {},
        "waivers": [],
        "user": "backup",
        "group": "backup",
        "config_dir": "/etc/proxmox-backup",
        "state_dir": "/var/lib/proxmox-backup",
        "run_dir": "/run/proxmox-backup",
    }
    plan = _preflight.preflight_plan(defaults, False, 0.0)
    host, stores = _preflight.observe(plan.look, None)
    mark("looking at the host and its datastore")
    findings = _preflight.judge(host, stores, plan.question)
    mark("judging")
    asked = _preflight._asked(plan)
    text = json.dumps(_preflight.build(host, stores, findings, 0.0, 0.0, False, asked))
    mark("the document")
    before = 0.0
    phases = {}
    for what, at in marks:
        phases[what] = at - before
        before = at
    print(json.dumps({"phases": phases, "document": len(text)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
