#!/usr/bin/python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: atime_check
short_description: Fail where access times are not honoured as Proxmox Backup Server needs it
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - A gate for playbooks. It tries on one path what PBS's own check does, as the user that garbage collection runs as, and
    fails where that check would fail, with the reason and with what mends it.
  - PBS makes its check as root when a datastore is created, and as C(backup) in each garbage collection; a path that
    passes the first can fail the second for ever.
  - The path may be a datastore, or a directory that is going to be one.
requirements:
  - Python 3.9 or newer on the host; nothing beside its standard library.
extends_documentation_fragment:
  - fleetops.pbs.attributes
  - fleetops.pbs.account
attributes:
  check_mode:
    support: partial
    details:
      - In check mode nothing is tried, so the answer is V(unknown) and the task does not fail, save where the failure is
        certain without a try (a read-only mount, a zero chunk of somebody else's).
  diff_mode:
    support: none
    details:
      - Nothing that is worth a diff is changed.
  idempotent:
    support: full
  platform:
    platforms: linux
    support: full
options:
  path:
    description: The absolute path of the datastore, or of the directory that becomes one.
    type: path
    required: true
  probe:
    description:
      - With V(private) a file of our own is made, touched and removed; then the real zero chunk is touched, if it is there.
      - With V(marker) the zero chunk is inserted as PBS does it, if it is missing, and stays.
    type: str
    choices: [private, marker]
    default: private
  deadline:
    description: Seconds that the path has to answer. A path that does not answer in time fails.
    type: float
    default: 10
seealso:
  - module: fleetops.pbs.preflight
"""

EXAMPLES = r"""
- name: Go no further where garbage collection would lose chunks
  fleetops.pbs.atime_check:
    path: /mnt/datastore/tank
  become: true

- name: Look at a share before it becomes a datastore, and decide in the playbook
  fleetops.pbs.atime_check:
    path: /mnt/nas/pbs
  become: true
  register: atime
  failed_when: false
"""

RETURN = r"""
honoured:
  description: Whether a touch as the daemon's user moves the access time; null where it could not be tried.
  type: bool
  returned: always, unless an option has no sense
  sample: true
findings:
  description: The findings of PBS-ATIME-01, 02, 03 and 06 on this path, as in the document of M(fleetops.pbs.preflight).
  type: list
  elements: dict
  returned: always, unless an option has no sense
remedy:
  description: What mends the first failure.
  type: str
  returned: failure
  sample: chown backup:backup /mnt/datastore/tank/.chunks/bb9f/bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8
msg:
  description: What is so.
  type: str
  returned: always
  sample: A touch in /mnt/datastore/tank as uid 34 moved atime forward (0.8 ms, ext4).
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import account_spec
from ansible_collections.fleetops.pbs.plugins.module_utils._atime_check import check_atime


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
    except ValueError as exc:
        module.fail_json(msg=str(exc))
    if result.pop("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
