#!/usr/bin/python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Tell whether the next garbage collection is safe, for every datastore of a host
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - Looks at every datastore of a Proxmox Backup Server in one task, judges what it finds by the catalog of controls, and
    returns one document.
  - The touch of access times that garbage collection depends on is tried as the daemon's user, and as root; every chunk
    is looked at for its owner. Datastores are looked at side by side, each with a deadline, so that a dead file server
    costs one datastore and not the run.
  - Without O(datastores) the datastores are read from the configuration of the host itself.
  - The module reports; it fails only where it cannot be used (an option without sense). Whether findings fail the host
    is decided by whoever reads the document, such as the role P(fleetops.pbs.preflight#role).
  - Needs root on the host (C(become)); without it, what only root can find out is V(unknown).
requirements:
  - Python 3.9 or newer on the host; nothing beside its standard library.
extends_documentation_fragment:
  - fleetops.pbs.attributes
  - fleetops.pbs.attributes.action
  - fleetops.pbs.account
  - fleetops.pbs.declaration.datastores
  - fleetops.pbs.waivers
  - fleetops.pbs.long_run
attributes:
  check_mode:
    support: full
    details:
      - In check mode nothing is written, not even the private file of the probe. What only a probe can tell is then
        V(unknown).
  diff_mode:
    support: none
    details:
      - Nothing that is worth a diff is changed.
  idempotent:
    support: full
  platform:
    platforms: linux
    support: full
  action:
    support: full
    details:
      - The action plugin writes the document to O(dest) and shows the summary.
options:
  host:
    description:
      - The name of the host in the document; the name in the inventory, if it is not given.
    type: str
  probe:
    description:
      - How access times are tried.
      - With V(private) a file of our own is made beside the zero chunk under a name that garbage collection ignores,
        touched and removed; then the real zero chunk is touched, if it is there.
      - With V(marker) the zero chunk is inserted as PBS does it, if it is missing; it stays, as PBS leaves it.
      - With V(none) nothing is tried, and what only a try can tell is V(unknown).
    type: str
    choices: [private, marker, none]
    default: private
  scope:
    description:
      - How much of each datastore is walked for owners and modes.
      - V(full) looks at everything, V(sample) at O(sample_prefixes) of the 65,536 prefix directories, V(skeleton) at the
        directories alone, V(none) at nothing. Only V(full) can answer whether garbage collection is safe.
    type: str
    choices: [full, sample, skeleton, none]
    default: full
  sample_prefixes:
    description: How many prefix directories a sample looks at, chosen evenly.
    type: int
    default: 256
  workers:
    description: Processes that walk a datastore; V(0) for as many as there are processors, and at least two.
    type: int
    default: 0
  max_paths:
    description: How many offending paths of each kind are kept as examples, the first by name; the counts are exact in any case.
    type: int
    default: 20
  deadline:
    description: Seconds that each datastore has to answer, before the walk. What did not answer is V(unknown).
    type: float
    default: 10
  stall:
    description: Seconds of silence after which a walk is given up.
    type: float
    default: 60
  controls:
    description: The controls to ask, by their ids; all, if it is empty.
    type: list
    elements: str
    default: []
  policy:
    description:
      - Numbers that are a matter of choice. An unknown key and a wrong type are errors.
      - C(gc_atime_cutoff_min) (1445) and C(gc_atime_cutoff_max) (2880), minutes, for PBS-ATIME-05.
      - C(gc_max_age_days) (14), days since the last successful garbage collection, for PBS-CONF-03.
      - C(space_fail_percent) (5), C(space_warn_percent) (10), C(inodes_fail_percent) (5) and C(inodes_warn_percent) (10),
        percent that are free, for PBS-MOUNT-08.
      - C(clock_offset_max) (60), seconds between the clocks of the filesystem and of the host, for PBS-ATIME-06.
      - C(temporary_files_max) (0), stale temporary files that are no finding, for PBS-OWNER-07.
      - C(severity), a dictionary with other severities for controls, by their ids.
    type: dict
    default: {}
  config_dir:
    description: The directory of PBS's configuration.
    type: path
    default: /etc/proxmox-backup
  state_dir:
    description: The directory of the states of PBS's jobs.
    type: path
    default: /var/lib/proxmox-backup
  run_dir:
    description: The directory of PBS's run-time files.
    type: path
    default: /run/proxmox-backup
  before:
    description:
      - Findings of an earlier preflight of this host, from before a repair. What failed there and passes now is V(fixed).
    type: list
    elements: dict
    default: []
  dest:
    description:
      - A directory on the controller. The document is written there as C(HOST.json), and the result then carries the
        path instead of the document.
    type: path
seealso:
  - module: fleetops.pbs.atime_check
  - module: fleetops.pbs.chunk_ownership
  - module: fleetops.pbs.report
"""

EXAMPLES = r"""
- name: Look at every datastore that PBS knows
  fleetops.pbs.preflight:
  become: true
  register: preflight

- name: Stop where the next garbage collection is not safe
  ansible.builtin.assert:
    that: preflight.summary.worst not in ['critical', 'high']
    fail_msg: "{{ preflight.msg }}"

- name: Compare with what should be there, quickly, and keep the document on the controller
  fleetops.pbs.preflight:
    datastores:
      - name: tank
        path: /mnt/datastore/tank
        gc_schedule: "sat 03:00"
        mount:
          fstype: ext4
          options: [rw, relatime]
    scope: sample
    policy:
      gc_max_age_days: 8
    waivers:
      - control: PBS-MOUNT-11
        justification: The daemons are started by hand on this host.
        until: "2027-03-31"
    dest: results/preflight
  become: true
"""

RETURN = r"""
document:
  description:
    - Everything that was observed, and the findings. A JSON Schema is in C(docs/document.schema.json).
  type: dict
  returned: if O(dest) is not given
  sample:
    schema: fleetops.pbs/preflight
    schema_version: 1
    host: pbs1
    findings:
      - control: PBS-ATIME-01
        datastore: tank
        status: pass
        severity: critical
        message: A touch in /mnt/datastore/tank as uid 34 moved atime forward (0.8 ms, ext4).
        remedy: ''
        evidence: {}
        waiver:
dest:
  description: Where the document was written on the controller.
  type: str
  returned: if O(dest) is given
  sample: results/preflight/pbs1.json
summary:
  description: How many findings of each status there are, and the worst severity that failed.
  type: dict
  returned: success
  sample: {pass: 31, fail: 1, warn: 2, unknown: 0, skip: 3, waived: 0, fixed: 0, worst: critical, worst_unknown: null}
msg:
  description: The same for people, in one line.
  type: str
  returned: success
  sample: '1 of 2 datastores is not safe: 1 failed (worst: critical), 2 warnings.'
"""

import platform

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import account_spec, datastore_spec, waivers_spec
from ansible_collections.fleetops.pbs.plugins.module_utils._long_run import job_spec, run_module
from ansible_collections.fleetops.pbs.plugins.module_utils._preflight import in_one_line, preflight


def main():
    module = AnsibleModule(
        argument_spec=dict(
            dict(account_spec(), **waivers_spec()),
            host=dict(type="str"),
            datastores=dict(type="list", elements="dict", options=datastore_spec()),
            probe=dict(type="str", choices=["private", "marker", "none"], default="private"),
            scope=dict(type="str", choices=["full", "sample", "skeleton", "none"], default="full"),
            sample_prefixes=dict(type="int", default=256),
            workers=dict(type="int", default=0),
            max_paths=dict(type="int", default=20),
            deadline=dict(type="float", default=10),
            stall=dict(type="float", default=60),
            controls=dict(type="list", elements="str", default=[]),
            policy=dict(type="dict", default={}),
            config_dir=dict(type="path", default="/etc/proxmox-backup"),
            state_dir=dict(type="path", default="/var/lib/proxmox-backup"),
            run_dir=dict(type="path", default="/run/proxmox-backup"),
            before=dict(type="list", elements="dict", default=[]),
            dest=dict(type="path"),
            _job=job_spec(),
        ),
        supports_check_mode=True,
    )
    params = dict(module.params, host=module.params["host"] or platform.node())

    def work(report):
        outcome = preflight(params, module.check_mode, report)
        return dict(
            changed=outcome.changed,
            document=outcome.document,
            summary=outcome.document["summary"],
            msg=in_one_line(outcome.document),
        )

    run_module(module, work)


if __name__ == "__main__":
    main()
