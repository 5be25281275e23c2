#!/usr/bin/python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: atime_check
short_description: Fail if a path does not honour access times as Proxmox Backup Server needs it
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - A gate for playbooks. It does what PBS's own atime safety check does, on one path and as the user that runs garbage
    collection. It fails if that check would fail, and returns the reason and the fix.
  - PBS runs its check as root when it creates a datastore, and as C(backup) in each garbage collection. A path that passes
    the first check can fail the second one every time.
  - The path may be a datastore, or a directory that will become one.
requirements:
  - Python 3.9 or newer on the host; no other libraries.
extends_documentation_fragment:
  - fleetops.pbs.attributes
  - fleetops.pbs.account
attributes:
  check_mode:
    support: partial
    details:
      - Check mode probes nothing, so the result is V(unknown) and the task does not fail. It fails only if the failure is
        certain without a probe (a read-only mount, a zero chunk with another owner).
  diff_mode:
    support: none
    details:
      - The module makes no changes that a diff could show.
  idempotent:
    support: full
  platform:
    platforms: linux
    support: full
options:
  path:
    description: Absolute path of the datastore, or of the directory that will become one.
    type: path
    required: true
  probe:
    description:
      - V(private) creates, touches and removes a private file, and then touches the real zero chunk if it exists.
      - V(marker) inserts the zero chunk as PBS does if it is missing, and keeps it.
    type: str
    choices: [private, marker]
    default: private
  deadline:
    description: Seconds within which the path must answer. A path that does not answer in time fails.
    type: float
    default: 10
seealso:
  - module: fleetops.pbs.preflight
"""

EXAMPLES = r"""
- name: Stop if garbage collection would lose chunks
  fleetops.pbs.atime_check:
    path: /mnt/datastore/tank
  become: true

- name: Check a share before it becomes a datastore, and decide in the playbook
  fleetops.pbs.atime_check:
    path: /mnt/nas/pbs
  become: true
  register: atime
  failed_when: false
"""

RETURN = r"""
honoured:
  description: Whether a touch as the daemon's user moves the access time; null if that could not be tested.
  type: bool
  returned: always, unless an option is invalid
  sample: true
findings:
  description: The findings of PBS-ATIME-01, 02, 03 and 06 on this path, as in the document of M(fleetops.pbs.preflight).
  type: list
  elements: dict
  returned: always, unless an option is invalid
remedy:
  description: How to fix the first failure.
  type: str
  returned: failure
  sample: Return it to backup:backup.
commands:
  description: The shell commands of this remedy, in this order.
  type: list
  elements: str
  returned: failure
  sample:
    - chown -h backup:backup /mnt/datastore/tank/.chunks/bb9f/bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8
msg:
  description: The result in one sentence.
  type: str
  returned: always
  sample: A touch in /mnt/datastore/tank as uid 34 moved atime forward (0.8 ms, ext4).
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import account_spec
from ansible_collections.fleetops.pbs.plugins.module_utils._atime_check import check_atime
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError


def main():
    module = AnsibleModule(
        argument_spec=dict(
            account_spec(),
            path=dict(type="path", required=True),
            probe=dict(type="str", choices=["private", "marker"], default="private"),
            deadline=dict(type="float", default=10),
        ),
        supports_check_mode=True,
    )
    try:
        result = check_atime(module.params, module.check_mode)
    except CollectionError as exc:
        module.fail_json(msg=str(exc))
    if result.pop("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
