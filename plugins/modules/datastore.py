#!/usr/bin/python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: datastore
short_description: Make one datastore of Proxmox Backup Server what it is declared to be
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - Adds, changes and removes one datastore, by C(proxmox-backup-manager) on the host.
  - What happens to a datastore that PBS does not know is decided by what is at its path. Where there is nothing, or an empty
    directory, it is created. A whole chunk store is adopted as it is. A half-made one, which a creation that failed has
    left, is completed and then adopted. Anything else is refused, and what is in the way is named. Nothing is ever deleted
    for a creation.
  - Before PBS is asked, access times are tried as the daemon's user, and the filesystem is held against the controls of
    M(fleetops.pbs.preflight). PBS checks after it has made 65,536 directories, and takes nothing back.
  - What is left out stays as it is, down to the single keys of O(tuning), O(notify) and O(notification_thresholds). Values
    are compared by their meaning. To unset a property, give an empty string or name it in O(unset).
  - Success is what can be seen in PBS's configuration afterwards, not an exit code.
  - What PBS called prune options of a datastore are prune jobs; see M(fleetops.pbs.prune_job).
requirements:
  - Python 3.9 or newer on the host; nothing beside its standard library.
extends_documentation_fragment:
  - fleetops.pbs.attributes
  - fleetops.pbs.account
  - fleetops.pbs.declaration.datastore
  - fleetops.pbs.manager
attributes:
  check_mode:
    support: full
    details:
      - RV(commands) holds the commands that would be run. Access times are not tried then, since that takes a file.
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    platforms: linux
    support: full
options:
  name:
    description: The name of the datastore.
    type: str
    required: true
  state:
    description:
      - V(present) to have it as described.
      - V(absent) to remove it from PBS's configuration. Its data and its jobs stay, unless O(destroy_data) and
        O(keep_jobs) say otherwise.
    type: str
    choices: [present, absent]
    default: present
  path:
    description:
      - The absolute path; for a datastore with O(backing_device) the path on the device. Needed to add a datastore.
      - PBS cannot change it. One that differs is an error; it is never taken for a reason to remove and create.
    type: str
  unset:
    description:
      - Properties to unset, by the names of the options here. Of a property with keys, the keys that are given beside stay.
      - V(maintenance_mode) opens a datastore again.
    type: list
    elements: str
    default: []
  reuse:
    description:
      - Without it, what is at O(path) decides. With V(true) only a chunk store that is there is adopted, and nothing is
        created; with V(false) nothing is adopted.
      - Nobody can see beforehand what is on the device of a removable datastore, or in a bucket. There it is created,
        unless this is V(true).
    type: bool
  overwrite_in_use:
    description: Whether a bucket is taken over that is marked as used by another PBS.
    type: bool
    default: false
  keep_jobs:
    description:
      - With O(state=absent), whether the prune, verify, sync and tape jobs of the datastore and its permissions stay.
    type: bool
    default: true
  destroy_data:
    description:
      - With O(state=absent), the name of the datastore once more, if every backup in it is to be destroyed.
      - With anything else than the very name, nothing is done at all.
    type: str
  probe:
    description:
      - How access times are tried before a datastore is added. With V(private) a file of our own is made, touched and removed.
      - With V(none) PBS finds out by itself, as root, when it has made everything.
    type: str
    choices: [private, none]
    default: private
  run_dir:
    description: The directory of PBS's run-time files, where it says which datastores are in use.
    type: path
    default: /run/proxmox-backup
  timeout:
    description: Seconds that PBS may take to create or remove the datastore.
    type: float
    default: 1800
  deadline:
    description: Seconds that the path has to answer.
    type: float
    default: 10
seealso:
  - module: fleetops.pbs.preflight
  - module: fleetops.pbs.prune_job
  - module: fleetops.pbs.verify_job
notes:
  - Needs root on the host (C(become)).
  - PBS holds a lock over its whole configuration while it creates a datastore. Create one after the other on each host.
"""

EXAMPLES = r"""
- name: A datastore with a weekly garbage collection
  fleetops.pbs.datastore:
    name: tank
    path: /mnt/datastore/tank
    comment: nightly
    gc_schedule: sat 03:00
    tuning:
      chunk_order: inode
  become: true

- name: Close it for maintenance
  fleetops.pbs.datastore:
    name: tank
    maintenance_mode:
      type: read-only
      text: moving to new disks
  become: true

- name: Open it again
  fleetops.pbs.datastore:
    name: tank
    unset: [maintenance_mode]
  become: true

- name: Take it out of PBS, and keep everything that is in it
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
  description: "What was decided, and done unless in check mode: V(none), V(create), V(reuse), V(complete), V(update) or V(remove)."
  type: str
  returned: success
  sample: create
commands:
  description: The commands that were run to change something, or that would be.
  type: list
  elements: list
  returned: always, unless an option has no sense
  sample: [[/usr/sbin/proxmox-backup-manager, datastore, update, tank, --comment, nightly]]
completed:
  description: Directories and files that were made or handed over to complete a half-made chunk store.
  type: int
  returned: success
  sample: 0
datastore:
  description: The properties of the datastore as PBS has them now, or would have them; empty if it is absent.
  type: dict
  returned: success
  sample: {path: /mnt/datastore/tank, comment: nightly}
log:
  description: The log of PBS's task.
  type: list
  elements: str
  returned: success
msg:
  description: What is so.
  type: str
  returned: always
  sample: Datastore 'tank' was created at /mnt/datastore/tank.
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import account_spec, manager_spec, property_spec
from ansible_collections.fleetops.pbs.plugins.module_utils._datastore import ERRORS, ensure_datastore, new_manager


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
    except ERRORS as exc:
        module.fail_json(msg=str(exc), commands=manager.commands)
    for warning in outcome.warnings:
        module.warn(warning)
    module.exit_json(completed=outcome.completed, **outcome.result("datastore"))


if __name__ == "__main__":
    main()
