#!/usr/bin/python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Check for every datastore of a host whether the next garbage collection is safe
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - Checks every datastore of a Proxmox Backup Server in one task against the catalog of controls, and returns one document.
  - Garbage collection depends on updates of access times; the module tests them as the daemon's user and as root. It checks
    the owner of every chunk. It checks datastores in parallel, each with a deadline, so that a dead file server affects one
    datastore and not the whole run.
  - Without O(datastores), the module reads the datastores from the host's own configuration.
  - The module reports. It fails if an option is invalid (then nothing is asked, and no document of an earlier run is removed),
    and where O(fail_on) or O(fail_on_unknown) say so.
  - Needs root on the host (C(become)); without it, what only root can find out is V(unknown).
requirements:
  - Python 3.9 or newer on the host; no other libraries.
extends_documentation_fragment:
  - fleetops.pbs.attributes
  - fleetops.pbs.attributes.action
  - fleetops.pbs.account
  - fleetops.pbs.declaration.datastores
  - fleetops.pbs.declaration.sections
  - fleetops.pbs.notification.traffic_controls
  - fleetops.pbs.notification.targets
  - fleetops.pbs.notification.matchers
  - fleetops.pbs.waivers
  - fleetops.pbs.long_run
attributes:
  check_mode:
    support: full
    details:
      - Check mode writes nothing, not even the private file of the probe. What only a probe can find out is then
        V(unknown).
  diff_mode:
    support: none
    details:
      - The module makes no changes that a diff could show.
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
      - Name of the host in the document. Defaults to its name in the inventory.
    type: str
  probe:
    description:
      - How to test access times.
      - V(private) creates a private file next to the zero chunk under a name that garbage collection ignores, touches it and
        removes it. Then it touches the real zero chunk if it exists.
      - V(marker) inserts the zero chunk as PBS does if it is missing, and keeps it, as PBS does.
      - V(none) tests nothing. What only a test can find out is then V(unknown).
    type: str
    choices: [private, marker, none]
    default: private
  scope:
    description:
      - How much of each datastore to walk for owners and modes.
      - V(full) checks everything, V(sample) checks O(sample_prefixes) of the 65,536 prefix directories, V(skeleton) checks
        only the directories, V(none) checks nothing. Only V(full) can answer whether garbage collection is safe.
    type: str
    choices: [full, sample, skeleton, none]
    default: full
  references:
    description:
      - How much of the index files to read, to find out which chunks the backups need.
      - V(full) reads every entry and compares it with the chunks, which needs O(scope=full). V(headers) reads only the
        header and the length of each index file. V(none) reads nothing.
    type: str
    choices: [full, headers, none]
    default: full
  sample_prefixes:
    description: Number of prefix directories in a sample, evenly spaced.
    type: int
    default: 256
  workers:
    description: Processes that walk a datastore; V(0) for one per processor, and at least two.
    type: int
    default: 0
  max_paths:
    description: Number of example paths to keep for each kind of problem, the first ones by name. The counts do not depend on it.
    type: int
    default: 20
  deadline:
    description: Seconds within which each datastore must answer, before the walk. A datastore that does not answer is V(unknown).
    type: float
    default: 10
  stall:
    description: Seconds without progress after which a walk is abandoned.
    type: float
    default: 60
  timeout:
    description:
      - Seconds that the walks over one datastore may take together, whatever progress they make. All datastores of a host
        together may take twice as long. What was not checked by then is V(unknown).
      - The controller waits for a host a few minutes longer than that, whatever the host reports. With O(scope=none), it
        waits a few minutes.
    type: float
    default: 43200
  controls:
    description: Ids of the controls to check; empty for all.
    type: list
    elements: str
    default: []
  policy:
    description:
      - Thresholds, with their defaults in parentheses. An unknown key or a value of a wrong type is an error.
      - C(gc_atime_cutoff_min) (1445) and C(gc_atime_cutoff_max) (2880), minutes, for PBS-ATIME-05.
      - C(gc_max_age_days) (14), days since the last successful garbage collection, for PBS-CONF-03.
      - C(space_fail_percent) (5), C(space_warn_percent) (10), C(inodes_fail_percent) (5) and C(inodes_warn_percent) (10),
        percent free, for PBS-MOUNT-08.
      - C(clock_offset_max) (60), seconds between the clock of the filesystem and the clock of the host, for PBS-ATIME-06.
      - C(temporary_files_max) (0), number of stale temporary files to tolerate, for PBS-OWNER-07.
      - C(max_backup_age_days) (no limit), days since the newest backup of each group, for PBS-SNAP-01. One number for all
        groups, or a list of dictionaries with C(days) and the shell patterns C(group), such as C(vm/1*), and C(namespace), such
        as C(prod/*). The first entry that covers a group holds; a group that none covers is not asked about.
      - C(verified_max_age_days) (30), days since the last verification of each snapshot, for PBS-SNAP-02; 0 for no limit.
      - C(sync_max_age_days) (7), days since the last sync to another host that succeeded, for PBS-COPY-01.
      - C(severity), a dictionary of control ids and their new severities.
    type: dict
    default: {}
  config_dir:
    description: PBS's configuration directory.
    type: path
    default: /etc/proxmox-backup
  state_dir:
    description: Directory of PBS's job states.
    type: path
    default: /var/lib/proxmox-backup
  run_dir:
    description: PBS's run-time directory.
    type: path
    default: /run/proxmox-backup
  before:
    description:
      - Findings of an earlier preflight of this host, from before a repair. A control that failed there and passes now is
        V(fixed).
    type: list
    elements: dict
    default: []
  inventory:
    description:
      - Inventory sources for the commands in the findings that run a playbook. Defaults to those of this run.
    type: list
    elements: str
    default: []
  dest:
    description:
      - Directory on the controller. The document is written there as C(HOST.json), and the module returns its path instead
        of the document.
    type: path
  fail_on:
    description:
      - The task fails if a control of this severity or above failed. The document is written before.
    type: str
    choices: [info, low, medium, high, critical, never]
    default: never
  fail_on_unknown:
    description:
      - The task fails if a control of this severity or above could not be judged. Ignored in check mode, where nothing is tried.
    type: str
    choices: [info, low, medium, high, critical, never]
    default: never
  fail_unreachable:
    description:
      - Whether a host that cannot be reached counts as failed instead of unreachable. Tasks in C(always) then run for it too,
        so that there is a report even if no host can be reached.
    type: bool
    default: false
  show:
    description:
      - Where to show the problems and the progress.
      - V(auto) is standard output if the callback there writes for people, and standard error if it writes for programs, such
        as P(ansible.posix.json#callback).
    type: str
    choices: [auto, stdout, stderr, none]
    default: auto
seealso:
  - module: fleetops.pbs.atime_check
  - module: fleetops.pbs.chunk_ownership
  - module: fleetops.pbs.report
"""

EXAMPLES = r"""
- name: Check every datastore that PBS knows
  fleetops.pbs.preflight:
  become: true
  register: preflight

- name: Stop if the next garbage collection is not safe
  ansible.builtin.assert:
    that: preflight.summary.worst not in ['critical', 'high']
    fail_msg: "{{ preflight.msg }}"

- name: Compare with the declaration, check only a sample, and store the document on the controller
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
      max_backup_age_days:
        - {group: host/archive, days: 32}
        - {days: 2}
    waivers:
      - control: PBS-MOUNT-11
        justification: The daemons are started by hand on this host.
        until: "2027-03-31"
    dest: results/preflight
  become: true
  register: preflight_result
"""

RETURN = r"""
document:
  description:
    - All observations and findings. C(docs/document.schema.json) is a JSON Schema of the document.
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
  description: Number of findings of each status, the worst severity that failed, and the worst that is unknown.
  type: dict
  returned: success
  sample: {pass: 31, fail: 1, warn: 2, unknown: 0, skip: 3, waived: 0, fixed: 0, worst: critical, worst_unknown: null}
msg:
  description: The summary as text, in one line.
  type: str
  returned: success
  sample: '1 of 2 datastores is not safe: 1 failed (worst: critical), 2 warnings.'
"""

import platform

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import preflight_spec
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.headline import in_one_line
from ansible_collections.fleetops.pbs.plugins.module_utils._long_run import job_spec, run_module
from ansible_collections.fleetops.pbs.plugins.module_utils._preflight import preflight


def main():
    module = AnsibleModule(
        argument_spec=dict(preflight_spec(), _job=job_spec()),
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
