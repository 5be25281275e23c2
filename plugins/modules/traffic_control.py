#!/usr/bin/python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: traffic_control
short_description: Create, update or remove one traffic control rule of Proxmox Backup Server
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - Creates, updates or removes one traffic control rule with C(proxmox-backup-manager) on the host.
  - Rates and bursts are compared as numbers of bytes, so V(10MB) and V(10 MB) are the same.
  - Options that you omit keep their value. To unset a property, set it to an empty string or an empty list, or list it in
    O(unset).
requirements:
  - Python 3.9 or newer on the host; no other libraries.
extends_documentation_fragment:
  - fleetops.pbs.attributes
  - fleetops.pbs.manager
  - fleetops.pbs.notification.traffic_control
attributes:
  check_mode:
    support: full
    details:
      - RV(commands) holds the commands that would be run.
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    platforms: linux
    support: full
options:
  name:
    description: Name of the rule, unique on the host.
    type: str
    required: true
  state:
    description: V(present) creates or updates the rule, V(absent) removes it.
    type: str
    choices: [present, absent]
    default: present
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
- name: Limit the traffic of the office during the day
  fleetops.pbs.traffic_control:
    name: office-hours
    network: [192.0.2.0/24, "2001:db8::/32"]
    rate_in: 50MiB
    rate_out: 50MiB
    timeframe: ["mon..fri 8-17"]
  become: true

- name: Remove a rule
  fleetops.pbs.traffic_control:
    name: old-rule
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
  sample: [[/usr/sbin/proxmox-backup-manager, traffic-control, remove, old-rule]]
rule:
  description: The properties of the rule in PBS's configuration, in check mode as they would be; empty if it is absent.
  type: dict
  returned: success
  sample: {network: [192.0.2.0/24], rate_in: 50 MiB}
log:
  description: The output of PBS.
  type: list
  elements: str
  returned: success
msg:
  description: The result in one sentence.
  type: str
  returned: always
  sample: Traffic control rule 'office-hours' was created.
"""

from ansible_collections.fleetops.pbs.plugins.module_utils._options.section import TRAFFIC_CONTROL
from ansible_collections.fleetops.pbs.plugins.module_utils._section import run_module


def main():
    run_module(TRAFFIC_CONTROL, "rule")


if __name__ == "__main__":
    main()
