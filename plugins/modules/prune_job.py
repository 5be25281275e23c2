#!/usr/bin/python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: prune_job
short_description: Make one prune job of Proxmox Backup Server what it is declared to be
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - Adds, changes and removes one prune job, by C(proxmox-backup-manager) on the host.
  - What is left out stays as it is. To unset a property, give an empty string or name it in O(unset).
requirements:
  - Python 3.9 or newer on the host; nothing beside its standard library.
extends_documentation_fragment:
  - fleetops.pbs.attributes
  - fleetops.pbs.manager
  - fleetops.pbs.declaration.prune_job
attributes:
  check_mode:
    support: full
    details:
      - RV(commands) holds the commands that would be run. A datastore that is not there yet is a warning then, since an
        earlier task may be about to create it.
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    platforms: linux
    support: full
options:
  id:
    description: The id of the job, one list for the whole host.
    type: str
    required: true
  state:
    description: V(present) to have the job, V(absent) to have none of that id.
    type: str
    choices: [present, absent]
    default: present
  store:
    description:
      - The datastore that it belongs to. Needed to add a job. A job of that id that belongs to another datastore is an error.
    type: str
  unset:
    description: Properties to unset, by the names of the options here.
    type: list
    elements: str
    default: []
seealso:
  - module: fleetops.pbs.datastore
notes:
  - Needs root on the host (C(become)). PBS's daemons need not run for it.
"""

EXAMPLES = r"""
- name: Keep a fortnight
  fleetops.pbs.prune_job:
    id: tank-prune
    store: tank
    schedule: daily
    keep_last: 3
    keep_daily: 14
  become: true

- name: Do not keep weekly backups any more
  fleetops.pbs.prune_job:
    id: tank-prune
    unset: [keep_weekly]
  become: true
"""

RETURN = r"""
decision:
  description: "What was decided, and done unless in check mode: V(none), V(create), V(update) or V(remove)."
  type: str
  returned: success
  sample: update
commands:
  description: The commands that were run to change something, or that would be.
  type: list
  elements: list
  returned: always, unless an option has no sense
  sample: [[/usr/sbin/proxmox-backup-manager, prune-job, remove, tank-prune]]
job:
  description: The properties of the job as PBS has them now, or would have them; empty if it is absent.
  type: dict
  returned: success
  sample: {store: tank, schedule: daily}
log:
  description: What PBS said.
  type: list
  elements: str
  returned: success
msg:
  description: What is so.
  type: str
  returned: always
  sample: Prune job 'tank-prune' was created.
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import manager_spec, prune_job_spec
from ansible_collections.fleetops.pbs.plugins.module_utils._job import ERRORS, PRUNE, ensure_job, new_manager


def main():
    module = AnsibleModule(
        argument_spec=dict(
            manager_spec(),
            **prune_job_spec(),
            id=dict(type="str", required=True),
            state=dict(type="str", choices=["present", "absent"], default="present"),
            store=dict(type="str"),
            unset=dict(type="list", elements="str", default=[]),
        ),
        supports_check_mode=True,
    )
    manager = new_manager(module.params, module.check_mode)
    try:
        outcome = ensure_job(PRUNE, module.params, module.check_mode, manager)
    except ERRORS as exc:
        module.fail_json(msg=str(exc), commands=manager.commands)
    for warning in outcome.warnings:
        module.warn(warning)
    module.exit_json(**outcome.result("job"))


if __name__ == "__main__":
    main()
