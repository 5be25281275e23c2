#!/usr/bin/python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: datastore_info
short_description: List the datastores of Proxmox Backup Server, with their filesystems and last job runs
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - Reads PBS's configuration files and job states on the host, and inspects the path of each datastore with a deadline.
  - The module does not judge. To find out whether the next garbage collection is safe, use M(fleetops.pbs.preflight).
requirements:
  - Python 3.9 or newer on the host; no other libraries.
extends_documentation_fragment:
  - fleetops.pbs.attributes
  - fleetops.pbs.account
attributes:
  check_mode:
    support: full
    details:
      - The module never changes anything.
  diff_mode:
    support: none
    details:
      - The module never changes anything.
  idempotent:
    support: full
  platform:
    platforms: linux
    support: full
options:
  name:
    description: Return only the datastore with this name. It is not an error if it does not exist.
    type: str
  config_dir:
    description: PBS's configuration directory.
    type: path
    default: /etc/proxmox-backup
  state_dir:
    description: Directory of PBS's job states.
    type: path
    default: /var/lib/proxmox-backup
  deadline:
    description: Seconds within which each path must answer. The module inspects all paths in parallel.
    type: float
    default: 10
seealso:
  - module: fleetops.pbs.datastore
  - module: fleetops.pbs.preflight
notes:
  - Needs root on the host (C(become)), or permission to read PBS's configuration.
"""

EXAMPLES = r"""
- name: List the datastores
  fleetops.pbs.datastore_info:
  become: true
  register: pbs

- name: Show the datastores without any garbage collection so far
  ansible.builtin.debug:
    msg: "{{ pbs.datastores | selectattr('gc_last_run.state', 'eq', 'created') | map(attribute='name') }}"
"""

RETURN = r"""
datastores:
  description: One entry for each datastore, in the order of PBS's configuration.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the datastore.
      type: str
      sample: tank
    path:
      description: The configured path; relative to the device for a removable datastore.
      type: str
      sample: /mnt/datastore/tank
    effective_path:
      description: The absolute path.
      type: str
      sample: /mnt/datastore/tank
    properties:
      description: The other properties, as text.
      type: dict
      sample: {comment: nightly}
    tuning:
      description: The parsed tuning options.
      type: dict
      sample: {gc_atime_cutoff: 1445}
    backend:
      description: V(filesystem) or V(s3).
      type: str
    backing_device:
      description: The UUID of the filesystem of a removable datastore, or empty.
      type: str
    maintenance:
      description: The type of the maintenance mode, or empty.
      type: str
    maintenance_message:
      description: The message of the maintenance mode.
      type: str
    gc_last_run:
      description:
        - The last garbage collection. Each last run has its history from PBS's lists of tasks, if they have runs of the job,
          with the last success and the number of failures since then.
      type: dict
      sample: {state: ok, end: 1795361347}
    prune_jobs:
      description: Its prune jobs, each with its last run.
      type: list
      elements: dict
    verify_jobs:
      description: Its verify jobs, each with its last run.
      type: list
      elements: dict
    sync_jobs:
      description: The sync jobs that write to it, or push from it, each with its last run.
      type: list
      elements: dict
    mounted:
      description: Whether the device of a removable datastore is mounted; null for all others.
      type: bool
    mount:
      description: The mount that contains the path.
      type: dict
      sample: {path: /mnt/datastore/tank, source: /dev/sdb1, fstype: ext4, options: [rw, relatime], is_root: false}
    state:
      description: What is at the path, one of V(absent), V(empty), V(foreign), V(half-made) and V(whole). Empty if unknown.
      type: str
    space:
      description: Bytes and inodes, total and available.
      type: dict
    error:
      description: Why the path could not be inspected, or empty.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import account_spec
from ansible_collections.fleetops.pbs.plugins.module_utils._datastore_info import datastore_info
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError


def main():
    module = AnsibleModule(
        argument_spec=dict(
            account_spec(),
            name=dict(type="str"),
            config_dir=dict(type="path", default="/etc/proxmox-backup"),
            state_dir=dict(type="path", default="/var/lib/proxmox-backup"),
            deadline=dict(type="float", default=10),
        ),
        supports_check_mode=True,
    )
    try:
        datastores = datastore_info(module.params)
    except CollectionError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=False, datastores=datastores)


if __name__ == "__main__":
    main()
