#!/usr/bin/python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: s3_endpoint
short_description: Create, update or remove one S3 endpoint of Proxmox Backup Server
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - Creates, updates or removes one S3 endpoint with C(proxmox-backup-manager) on the host. Datastores with
    O(fleetops.pbs.datastore#module:backend) of type V(s3) use it. Needs PBS 4.0.4 or newer.
  - PBS does not connect to the object store when it creates an endpoint. Wrong keys show when a datastore uses it.
  - The module does not remove an endpoint that a datastore uses.
  - Options that you omit keep their value. To unset a property, set it to an empty string or list it in O(unset).
requirements:
  - Python 3.9 or newer on the host; no other libraries.
extends_documentation_fragment:
  - fleetops.pbs.attributes
  - fleetops.pbs.manager
  - fleetops.pbs.declaration.s3_endpoint
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
  id:
    description: Id of the endpoint; in a datastore, O(fleetops.pbs.datastore#module:backend.client).
    type: str
    required: true
  unset:
    description: Properties to unset, by the names of these options.
    type: list
    elements: str
    default: []
seealso:
  - module: fleetops.pbs.datastore
notes:
  - Needs root on the host (C(become)). The PBS daemons do not have to run.
  - PBS takes the secret only as an argument of its command. While the command runs, other users of the host can see it
    in the list of processes, unless C(/proc) is mounted with C(hidepid). It is in no result, diff or log of the module.
"""

EXAMPLES = r"""
- name: Add an object store
  fleetops.pbs.s3_endpoint:
    id: archive
    endpoint: "{{ '{{bucket}}.s3.{{region}}.example.org' }}"
    region: eu-central-1
    access_key: "{{ vault_s3_access_key }}"
    secret_key: "{{ vault_s3_secret_key }}"
  become: true

- name: Add a datastore in it
  fleetops.pbs.datastore:
    name: archive
    path: /var/cache/pbs/archive
    backend:
      type: s3
      client: archive
      bucket: backups
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
  sample: [[/usr/sbin/proxmox-backup-manager, s3, endpoint, remove, archive]]
endpoint:
  description: The properties of the endpoint in PBS's configuration, in check mode as they would be; empty if it is absent.
  type: dict
  returned: success
  sample: {endpoint: s3.eu-central-1.example.org, region: eu-central-1}
log:
  description: The output of PBS.
  type: list
  elements: str
  returned: success
msg:
  description: The result in one sentence.
  type: str
  returned: always
  sample: S3 endpoint 'archive' was created.
"""

from ansible_collections.fleetops.pbs.plugins.module_utils._options.section import S3_ENDPOINT
from ansible_collections.fleetops.pbs.plugins.module_utils._section import run_module


def main():
    run_module(S3_ENDPOINT, "endpoint")


if __name__ == "__main__":
    main()
