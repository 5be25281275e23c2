#!/usr/bin/python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sync_job
short_description: Create, update or remove one sync job of Proxmox Backup Server
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - Creates, updates or removes one sync job with C(proxmox-backup-manager) on the host.
  - PBS accepts a job whose datastore, remote or owner does not exist, and the job then fails in every run. The module checks
    them first, and the other rules of PBS too for an update, where PBS does not check them.
  - PBS treats an update without the schedule as a new schedule, and postpones the next run. The module therefore sends an
    update only if something differs, and always includes the schedule.
  - Options that you omit keep their value. To unset a property, set it to an empty string or list it in O(unset).
requirements:
  - Python 3.9 or newer on the host; no other libraries.
extends_documentation_fragment:
  - fleetops.pbs.attributes
  - fleetops.pbs.manager
  - fleetops.pbs.declaration.sync_job
attributes:
  check_mode:
    support: full
    details:
      - RV(commands) holds the commands that would be run. In check mode it is only a warning if something that the declaration
        names does not exist, because an earlier task may create it.
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
  unset:
    description: Properties to unset, by the names of these options.
    type: list
    elements: str
    default: []
seealso:
  - module: fleetops.pbs.remote
  - module: fleetops.pbs.datastore
notes:
  - Needs root on the host (C(become)). The PBS daemons do not have to run.
  - PBS deletes the configuration of a job that runs, and only then waits for its end, which does not come in time. The module reports such a
    removal as done, with a warning.
"""

EXAMPLES = r"""
- name: Pull everything from the other site every night
  fleetops.pbs.sync_job:
    id: offsite
    store: tank
    remote: pbs2
    remote_store: tank
    schedule: "02:30"
    remove_vanished: false
    rate_in: 50MB
  become: true

- name: Push the verified backups of virtual machines, encrypted
  fleetops.pbs.sync_job:
    id: archive
    store: tank
    remote: pbs3
    remote_store: archive
    sync_direction: push
    verified_only: true
    group_filter: [type:vm, exclude:group:vm/9000]
    active_encryption_key: offsite-key
    schedule: sun 04:00
  become: true

- name: Copy to a disk whenever it is mounted
  fleetops.pbs.sync_job:
    id: to-usb
    store: usb
    remote_store: tank
    run_on_mount: true
    unmount_on_done: true
  become: true
"""

RETURN = r"""
decision:
  description: "What the module did, or would do in check mode: V(none), V(create), V(update) or V(remove)."
  type: str
  returned: success
  sample: create
commands:
  description: The commands that changed something, or that would be run in check mode. A secret is shown as C(********).
  type: list
  elements: list
  returned: always, unless an option is invalid
  sample: [[/usr/sbin/proxmox-backup-manager, sync-job, remove, offsite]]
job:
  description: The properties of the job in PBS's configuration, in check mode as they would be; empty if it is absent.
  type: dict
  returned: success
  sample: {store: tank, remote: pbs2, remote_store: tank, schedule: daily}
log:
  description: The output of PBS.
  type: list
  elements: str
  returned: success
msg:
  description: The result in one sentence.
  type: str
  returned: always
  sample: Sync job 'offsite' was created.
"""

from ansible_collections.fleetops.pbs.plugins.module_utils._options.section import SYNC
from ansible_collections.fleetops.pbs.plugins.module_utils._section import run_module


def main():
    run_module(SYNC, "job")


if __name__ == "__main__":
    main()
