#!/usr/bin/python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: remote
short_description: Create, update or remove one remote of Proxmox Backup Server
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - Creates, updates or removes one remote with C(proxmox-backup-manager) on the host. A remote is another PBS, and a user or API
    token on it, for sync jobs; see M(fleetops.pbs.sync_job).
  - PBS does not connect to the other PBS when it creates a remote. A wrong password, fingerprint or host name shows when a sync
    job runs.
  - The module does not remove a remote that a sync job uses.
  - Options that you omit keep their value. To unset a property, set it to an empty string or list it in O(unset).
requirements:
  - Python 3.9 or newer on the host; no other libraries.
extends_documentation_fragment:
  - fleetops.pbs.attributes
  - fleetops.pbs.manager
  - fleetops.pbs.declaration.remote
attributes:
  check_mode:
    support: full
    details:
      - RV(commands) holds the commands that would be run. In check mode it is only a warning if something that the declaration
        names does not exist, because an earlier task may create it.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - With O(update_secret=always) every run is a change, because PBS does not say what the secret was.
  platform:
    platforms: linux
    support: full
options:
  name:
    description: Name of the remote.
    type: str
    required: true
  unset:
    description: Properties to unset, by the names of these options.
    type: list
    elements: str
    default: []
seealso:
  - module: fleetops.pbs.sync_job
notes:
  - Needs root on the host (C(become)). The PBS daemons do not have to run.
  - PBS takes the secret only as an argument of its command. While the command runs, other users of the host can see it
    in the list of processes, unless C(/proc) is mounted with C(hidepid). It is in no result, diff or log of the module.
"""

EXAMPLES = r"""
- name: Add the other site
  fleetops.pbs.remote:
    name: pbs2
    host: pbs2.example.org
    auth_id: sync@pbs!offsite
    password: "{{ vault_pbs2_token }}"
    fingerprint: "38:25:b0:3b:cc:53:99:60:ff:e5:18:3c:38:c9:77:18:4b:5b:26:9c:5b:65:9d:d1:f2:69:26:ee:ac:83:a0:f4"
  become: true

- name: Set a new secret once
  fleetops.pbs.remote:
    name: pbs2
    password: "{{ vault_pbs2_token }}"
    update_secret: always
  become: true

- name: Remove it
  fleetops.pbs.remote:
    name: pbs2
    state: absent
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
  sample: [[/usr/sbin/proxmox-backup-manager, remote, remove, pbs2]]
remote:
  description: The properties of the remote in PBS's configuration, in check mode as they would be; empty if it is absent.
  type: dict
  returned: success
  sample: {host: pbs2.example.org, auth_id: sync@pbs!offsite}
log:
  description: The output of PBS.
  type: list
  elements: str
  returned: success
msg:
  description: The result in one sentence.
  type: str
  returned: always
  sample: Remote 'pbs2' was created.
"""

from ansible_collections.fleetops.pbs.plugins.module_utils._options.section import REMOTE
from ansible_collections.fleetops.pbs.plugins.module_utils._section import run_module


def main():
    run_module(REMOTE, "remote")


if __name__ == "__main__":
    main()
