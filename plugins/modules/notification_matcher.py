#!/usr/bin/python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: notification_matcher
short_description: Create, update or remove one matcher of notifications of Proxmox Backup Server
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - Creates, updates or removes one matcher of notifications with C(proxmox-backup-manager) on the host. A matcher sends the
    notifications that fulfil its conditions to its targets. It needs PBS 3.2.
  - Options that you omit keep their value. To unset a property, set it to an empty string or an empty list, or list it in
    O(unset).
requirements:
  - Python 3.9 or newer on the host; no other libraries.
extends_documentation_fragment:
  - fleetops.pbs.attributes
  - fleetops.pbs.manager
  - fleetops.pbs.notification.matcher
attributes:
  check_mode:
    support: full
    details:
      - RV(commands) holds the commands that would be run. In check mode a missing target is only a
        warning, because an earlier task may create it.
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    platforms: linux
    support: full
options:
  name:
    description: Name of the matcher, unique on the host among targets and matchers.
    type: str
    required: true
  state:
    description:
      - V(present) creates or updates the matcher, V(absent) removes it.
      - PBS's own matcher V(default-matcher) cannot be removed. V(absent) gives it back the settings that PBS ships, and
        O(disable) switches it off.
    type: str
    choices: [present, absent]
    default: present
  unset:
    description: Properties to unset, by the names of these options.
    type: list
    elements: str
    default: []
seealso:
  - module: fleetops.pbs.notification_target
notes:
  - Needs root on the host (C(become)). The PBS daemons do not have to run.
"""

EXAMPLES = r"""
- name: Send errors and warnings of garbage collection and verification to the operators
  fleetops.pbs.notification_matcher:
    name: problems
    match_severity: ["error,warning"]
    match_field: ["exact:type=gc,verify"]
    target: [operators]
  become: true

- name: Switch off the matcher that PBS brings
  fleetops.pbs.notification_matcher:
    name: default-matcher
    disable: true
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
  sample: [[/usr/sbin/proxmox-backup-manager, notification, matcher, delete, problems]]
matcher:
  description: The properties of the matcher in PBS's configuration, in check mode as they would be; empty if it is absent.
  type: dict
  returned: success
  sample: {match_severity: ['error,warning'], target: [operators]}
log:
  description: The output of PBS.
  type: list
  elements: str
  returned: success
msg:
  description: The result in one sentence.
  type: str
  returned: always
  sample: Notification matcher 'problems' was created.
"""

from ansible_collections.fleetops.pbs.plugins.module_utils._options.section import MATCHER
from ansible_collections.fleetops.pbs.plugins.module_utils._section import run_module


def main():
    run_module(MATCHER, "matcher")


if __name__ == "__main__":
    main()
