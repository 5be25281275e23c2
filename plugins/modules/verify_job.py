#!/usr/bin/python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: verify_job
short_description: Create, update or remove one verify job of Proxmox Backup Server
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - Creates, updates or removes one verify job with C(proxmox-backup-manager) on the host.
  - PBS treats an update without the schedule as a new schedule, and postpones the next run. The module therefore sends an
    update only if something differs, and always includes the schedule.
  - Options that you omit keep their value. To unset a property, set it to an empty string or list it in O(unset).
requirements:
  - Python 3.9 or newer on the host; no other libraries.
extends_documentation_fragment:
  - fleetops.pbs.attributes
  - fleetops.pbs.manager
  - fleetops.pbs.declaration.verify_job
attributes:
  check_mode:
    support: full
    details:
      - RV(commands) holds the commands that would be run. In check mode a missing datastore is only a warning, because an
        earlier task may create it.
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    platforms: linux
    support: full
options:
  id:
    description: Id of the job, unique on the host.
    type: str
    required: true
  state:
    description: V(present) creates or updates the job, V(absent) removes it.
    type: str
    choices: [present, absent]
    default: present
  store:
    description:
      - Datastore of the job. Required to create a job. It is an error if a job with this id exists for another datastore.
    type: str
  unset:
    description: Properties to unset, by the names of these options.
    type: list
    elements: str
    default: []
seealso:
  - module: fleetops.pbs.datastore
notes:
  - Needs root on the host (C(become)). The PBS daemons do not have to run.
"""

EXAMPLES = r"""
- name: Every week, verify backups that were not verified for 30 days
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
  description: "What the module did, or would do in check mode: V(none), V(create), V(update) or V(remove)."
  type: str
  returned: success
  sample: update
commands:
  description: The commands that changed something, or that would be run in check mode.
  type: list
  elements: list
  returned: always, unless an option is invalid
  sample: [[/usr/sbin/proxmox-backup-manager, verify-job, remove, tank-verify]]
job:
  description: The properties of the job in PBS's configuration, in check mode as they would be; empty if it is absent.
  type: dict
  returned: success
  sample: {store: tank, schedule: daily}
log:
  description: The output of PBS.
  type: list
  elements: str
  returned: success
msg:
  description: The result in one sentence.
  type: str
  returned: always
  sample: Verify job 'tank-verify' was created.
"""

from ansible_collections.fleetops.pbs.plugins.module_utils._options.section import VERIFY
from ansible_collections.fleetops.pbs.plugins.module_utils._section import run_module


def main():
    run_module(VERIFY, "job")


if __name__ == "__main__":
    main()
