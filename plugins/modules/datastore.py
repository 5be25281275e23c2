#!/usr/bin/python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: datastore
short_description: Create, update or remove one datastore of Proxmox Backup Server
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - Creates, updates or removes one datastore with C(proxmox-backup-manager) on the host.
  - For a datastore that PBS does not know, the contents of its path decide. If the path does not exist or is an empty
    directory, the module creates the datastore. It adopts a complete chunk store as it is. It completes a half-made chunk
    store, which a failed creation left, and then adopts it. It refuses anything else, and names what is in the way. It
    never deletes anything to create a datastore.
  - Before it calls PBS, the module tests access times as the daemon's user, and checks the filesystem with the controls of
    M(fleetops.pbs.preflight). PBS itself checks only after it has created 65,536 directories, and does not roll back.
  - Options that you omit keep their value; this includes the single keys of O(tuning), O(notify) and
    O(notification_thresholds). The module compares values by their meaning. To unset a property, set it to an empty string
    or list it in O(unset).
  - The module takes the result from PBS's configuration, not from an exit code.
  - For the old prune options of a datastore, use prune jobs; see M(fleetops.pbs.prune_job).
requirements:
  - Python 3.9 or newer on the host; no other libraries.
extends_documentation_fragment:
  - fleetops.pbs.attributes
  - fleetops.pbs.account
  - fleetops.pbs.declaration.datastore
  - fleetops.pbs.manager
attributes:
  check_mode:
    support: full
    details:
      - RV(commands) holds the commands that would be run. Check mode does not test access times, because that needs a file.
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    platforms: linux
    support: full
options:
  name:
    description: Name of the datastore.
    type: str
    required: true
  state:
    description:
      - V(present) creates or updates the datastore.
      - V(absent) removes it from PBS's configuration. Its data stays unless you set O(destroy_data), and its jobs stay
        unless O(keep_jobs=false).
    type: str
    choices: [present, absent]
    default: present
  path:
    description:
      - Absolute path; for a datastore with O(backing_device), the path on the device. Required to create a datastore.
      - PBS cannot change the path. A different path is an error; the module never removes and recreates the datastore for it.
    type: str
  unset:
    description:
      - Properties to unset, by the names of these options. If you unset a property with keys and also set some of its keys,
        those keys stay.
      - V(maintenance_mode) ends the maintenance mode.
    type: list
    elements: str
    default: []
  reuse:
    description:
      - By default the contents of O(path) decide. V(true) only adopts an existing chunk store and never creates one;
        V(false) never adopts.
      - The module cannot see in advance what a removable device or a bucket contains. It creates such a datastore unless
        this is V(true). The path of a datastore in S3 is only a cache, which must be empty unless this is V(true).
    type: bool
  overwrite_in_use:
    description: Whether to take over a bucket that is marked as in use by another PBS.
    type: bool
    default: false
  mounted:
    description:
      - For a removable datastore, V(true) mounts it and V(false) unmounts it. Omit it to leave this to PBS, which mounts a new
        one.
      - With O(gc_on_unmount=true), PBS first collects garbage, which O(timeout) has to allow for. The module does not unmount a
        datastore that is in use.
    type: bool
  keep_jobs:
    description:
      - With O(state=absent), whether to keep the prune, verify, sync and tape jobs of the datastore and its permissions.
    type: bool
    default: true
  destroy_data:
    description:
      - With O(state=absent), the name of the datastore again, to destroy every backup in it.
      - With any other value, the module fails and changes nothing.
    type: str
  probe:
    description:
      - How to test access times before a datastore is created. V(private) creates, touches and removes a private file.
      - With V(none), only PBS's own check runs, as root and after it has created all directories.
    type: str
    choices: [private, none]
    default: private
  run_dir:
    description: PBS's run-time directory, in which PBS records which datastores are in use.
    type: path
    default: /run/proxmox-backup
  timeout:
    description:
      - Seconds that PBS may take to create or remove the datastore, and that the module may take to complete or check a store
        that is there already.
    type: float
    default: 1800
  deadline:
    description: Seconds within which the path must answer.
    type: float
    default: 10
seealso:
  - module: fleetops.pbs.preflight
  - module: fleetops.pbs.prune_job
  - module: fleetops.pbs.verify_job
  - module: fleetops.pbs.s3_endpoint
  - module: fleetops.pbs.sync_job
notes:
  - Needs root on the host (C(become)).
  - PBS locks its whole configuration while it creates a datastore. Create datastores one after the other on each host.
"""

EXAMPLES = r"""
- name: Create a datastore with a weekly garbage collection
  fleetops.pbs.datastore:
    name: tank
    path: /mnt/datastore/tank
    comment: nightly
    gc_schedule: sat 03:00
    tuning:
      chunk_order: inode
  become: true

- name: Set it to read-only for maintenance
  fleetops.pbs.datastore:
    name: tank
    maintenance_mode:
      type: read-only
      text: moving to new disks
  become: true

- name: End the maintenance mode
  fleetops.pbs.datastore:
    name: tank
    unset: [maintenance_mode]
  become: true

- name: Create a datastore on a removable disk, and unmount it
  fleetops.pbs.datastore:
    name: usb
    path: backups
    backing_device: 0a1b2c3d-0000-4000-8000-000000000001
    gc_on_unmount: true
    mounted: false
  become: true

- name: Create a datastore in an object store
  fleetops.pbs.datastore:
    name: archive
    path: /var/cache/pbs/archive
    backend:
      type: s3
      client: archive
      bucket: backups
      max_cache_size: 64GiB
  become: true

- name: Remove it from PBS, and keep its data
  fleetops.pbs.datastore:
    name: tank
    state: absent
  become: true

- name: Destroy it with all of its backups and jobs
  fleetops.pbs.datastore:
    name: scratch
    state: absent
    keep_jobs: false
    destroy_data: scratch
  become: true
"""

RETURN = r"""
decision:
  description:
    - "What the module did, or would do in check mode: V(none), V(create), V(reuse), V(complete), V(update), V(mount), V(unmount)
      or V(remove)."
  type: str
  returned: success
  sample: create
commands:
  description: The commands that changed something, or that would be run in check mode.
  type: list
  elements: list
  returned: always, unless an option is invalid
  sample: [[/usr/sbin/proxmox-backup-manager, datastore, update, tank, --comment, nightly]]
completed:
  description: Number of directories and files that were created, or given to the daemon's user, to complete a half-made chunk store.
  type: int
  returned: success
  sample: 0
datastore:
  description: The properties of the datastore in PBS's configuration, in check mode as they would be; empty if it is absent.
  type: dict
  returned: success
  sample: {path: /mnt/datastore/tank, comment: nightly}
log:
  description: The log of PBS's task.
  type: list
  elements: str
  returned: success
msg:
  description: The result in one sentence.
  type: str
  returned: always
  sample: Datastore 'tank' was created at /mnt/datastore/tank.
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import account_spec, manager_spec, property_spec
from ansible_collections.fleetops.pbs.plugins.module_utils._datastore import ensure_datastore, new_manager
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError


def main():
    module = AnsibleModule(
        argument_spec=dict(
            account_spec(),
            **manager_spec(),
            **property_spec(),
            name=dict(type="str", required=True),
            state=dict(type="str", choices=["present", "absent"], default="present"),
            path=dict(type="str"),
            unset=dict(type="list", elements="str", default=[]),
            reuse=dict(type="bool"),
            overwrite_in_use=dict(type="bool", default=False),
            mounted=dict(type="bool"),
            keep_jobs=dict(type="bool", default=True),
            destroy_data=dict(type="str"),
            probe=dict(type="str", choices=["private", "none"], default="private"),
            run_dir=dict(type="path", default="/run/proxmox-backup"),
            timeout=dict(type="float", default=1800),
            deadline=dict(type="float", default=10),
        ),
        supports_check_mode=True,
    )
    manager = new_manager(module.params, module.check_mode)
    try:
        outcome = ensure_datastore(module.params, module.check_mode, manager)
    except CollectionError as exc:
        module.fail_json(msg=str(exc), commands=manager.commands)
    for warning in outcome.warnings:
        module.warn(warning)
    module.exit_json(completed=outcome.completed, **outcome.result("datastore"))


if __name__ == "__main__":
    main()
