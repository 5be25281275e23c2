#!/usr/bin/python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: adopt
short_description: Write the configuration of Proxmox Backup Server as a declaration
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - Reads PBS's configuration on the host, and writes it on the controller as variables for the roles of this collection, for
    example to C(host_vars). The playbook C(fleetops.pbs.provision) then changes nothing on this host, and gives another
    host the same configuration.
  - The file has the datastores with their jobs and mounts, remotes, S3 endpoints, sync jobs, traffic control rules, and the
    targets and matchers of notifications.
  - Secrets are not in the file. PBS does not show them, and keeps those that it has. For each one the file has a variable
    with a clear name, which you define before you create the entry again.
  - What cannot be declared is in the file as a comment, for example a value that PBS cannot use.
requirements:
  - Python 3.9 or newer on the host; no other libraries.
extends_documentation_fragment:
  - fleetops.pbs.attributes
  - fleetops.pbs.attributes.action
  - fleetops.pbs.account
attributes:
  check_mode:
    support: full
    details:
      - Check mode reads the configuration and shows the file, but does not write it.
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    platforms: linux
    support: full
  action:
    support: full
    details:
      - The module reads the host, and the action plugin writes the file on the controller.
options:
  dest:
    description: Path of the file on the controller. Missing directories are created.
    type: path
    required: true
  overwrite:
    description: Whether to overwrite a file that exists and differs. Otherwise it stays as it is, and RV(written) is false.
    type: bool
    default: false
  mode:
    description: Mode of a file that is written.
    type: str
    choices: ["0600", "0640", "0644"]
    default: "0640"
  config_dir:
    description: PBS's configuration directory.
    type: path
    default: /etc/proxmox-backup
  state_dir:
    description: Directory of PBS's job states.
    type: path
    default: /var/lib/proxmox-backup
  deadline:
    description: Seconds within which the path of each datastore must answer.
    type: float
    default: 10
seealso:
  - module: fleetops.pbs.datastore
  - module: fleetops.pbs.preflight
notes:
  - Needs root on the host (C(become)).
"""

EXAMPLES = r"""
- name: Declare what is configured
  fleetops.pbs.adopt:
    dest: host_vars/{{ inventory_hostname }}/pbs.yml
  become: true
"""

RETURN = r"""
dest:
  description: Path of the file.
  type: str
  returned: success
written:
  description: Whether the file has the configuration of the host; V(false) in check mode if it would have to be written.
  type: bool
  returned: success
declaration:
  description: The variables.
  type: dict
  returned: success
  sample: {pbs_datastores: [{name: tank, path: /mnt/datastore/tank}]}
secrets:
  description: Secrets that the host has, each with the variable that the file expects.
  type: list
  elements: dict
  returned: success
  sample:
    - variable: pbs_remotes
      name: offsite
      option: password
      placeholder: vault_pbs_remote_offsite_password
notes:
  description: What is left out, and hints.
  type: list
  elements: dict
  returned: success
msg:
  description: The result in one sentence.
  type: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetops.pbs.plugins.module_utils._adopt import adopt
from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import account_spec
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError


def main():
    module = AnsibleModule(
        argument_spec=dict(
            account_spec(),
            # Of the action plugin, which writes the file.
            dest=dict(type="path", required=True),
            overwrite=dict(type="bool", default=False),
            mode=dict(type="str", choices=["0600", "0640", "0644"], default="0640"),
            config_dir=dict(type="path", default="/etc/proxmox-backup"),
            state_dir=dict(type="path", default="/var/lib/proxmox-backup"),
            deadline=dict(type="float", default=10),
        ),
        supports_check_mode=True,
    )
    try:
        found = adopt(module.params)
    except CollectionError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=False, declaration=found.variables, secrets=found.secrets, notes=found.notes)


if __name__ == "__main__":
    main()
