#!/usr/bin/python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: verify_job
short_description: Make one verify job of Proxmox Backup Server what it is declared to be
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - Adds, changes and removes one verify job, by C(proxmox-backup-manager) on the host.
  - PBS takes an update that does not name the schedule for a new schedule, and puts off the next run. So an update is sent only
    if something differs, and it always names the schedule.
  - What is left out stays as it is. To unset a property, give an empty string or name it in O(unset).
requirements:
  - Python 3.9 or newer on the host; nothing beside its standard library.
extends_documentation_fragment:
  - fleetops.pbs.attributes
  - fleetops.pbs.manager
  - fleetops.pbs.declaration.verify_job
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
- name: Verify every week what was not verified for a month
  fleetops.pbs.verify_job:
    id: tank-verify
    store: tank
    schedule: sun 05:00
    outdated_after: 30
  become: true

- name: Remove a job
  fleetops.pbs.verify_job:
    id: old-verify
    state: absent
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
  sample: [[/usr/sbin/proxmox-backup-manager, verify-job, remove, tank-verify]]
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
  sample: Verify job 'tank-verify' was created.
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import manager_spec, verify_job_spec
from ansible_collections.fleetops.pbs.plugins.module_utils._job import ERRORS, VERIFY, ensure_job, new_manager


def main():
    module = AnsibleModule(
        argument_spec=dict(
            manager_spec(),
            **verify_job_spec(),
            id=dict(type="str", required=True),
            state=dict(type="str", choices=["present", "absent"], default="present"),
            store=dict(type="str"),
            unset=dict(type="list", elements="str", default=[]),
        ),
        supports_check_mode=True,
    )
    manager = new_manager(module.params, module.check_mode)
    try:
        outcome = ensure_job(VERIFY, module.params, module.check_mode, manager)
    except ERRORS as exc:
        module.fail_json(msg=str(exc), commands=manager.commands)
    for warning in outcome.warnings:
        module.warn(warning)
    module.exit_json(**outcome.result("job"))


if __name__ == "__main__":
    main()
