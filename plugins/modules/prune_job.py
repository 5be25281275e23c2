#!/usr/bin/python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: prune_job
short_description: Create, update or remove one prune job of Proxmox Backup Server
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - Creates, updates or removes one prune job with C(proxmox-backup-manager) on the host.
  - Options that you omit keep their value. To unset a property, set it to an empty string or list it in O(unset).
requirements:
  - Python 3.9 or newer on the host; no other libraries.
extends_documentation_fragment:
  - fleetops.pbs.attributes
  - fleetops.pbs.manager
  - fleetops.pbs.declaration.prune_job
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
- name: Keep the daily backups of two weeks
  fleetops.pbs.prune_job:
    id: tank-prune
    store: tank
    schedule: daily
    keep_last: 3
    keep_daily: 14
  become: true

- name: Stop keeping weekly backups
  fleetops.pbs.prune_job:
    id: tank-prune
    unset: [keep_weekly]
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
  sample: [[/usr/sbin/proxmox-backup-manager, prune-job, remove, tank-prune]]
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
  sample: Prune job 'tank-prune' was created.
"""

from ansible_collections.fleetops.pbs.plugins.module_utils._options.section import PRUNE
from ansible_collections.fleetops.pbs.plugins.module_utils._section import run_module


def main():
    run_module(PRUNE, "job")


if __name__ == "__main__":
    main()
