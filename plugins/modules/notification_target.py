#!/usr/bin/python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: notification_target
short_description: Create, update or remove one target of notifications of Proxmox Backup Server
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - Creates, updates or removes one target of notifications with C(proxmox-backup-manager) on the host. It needs PBS 3.2, and
    a webhook PBS 3.3.
  - An option that the type of the target does not have is an error.
  - Options that you omit keep their value. To unset a property, set it to an empty string or an empty list, or list it in
    O(unset).
requirements:
  - Python 3.9 or newer on the host; no other libraries.
extends_documentation_fragment:
  - fleetops.pbs.attributes
  - fleetops.pbs.manager
  - fleetops.pbs.notification.target
attributes:
  check_mode:
    support: full
    details:
      - RV(commands) holds the commands that would be run.
  diff_mode:
    support: full
    details:
      - Secrets are never part of the diff.
  idempotent:
    support: full
    details:
      - With O(update_secret=always) the module sets the secret in every run, and always reports a change.
  platform:
    platforms: linux
    support: full
options:
  name:
    description: Name of the target, unique on the host among targets and matchers.
    type: str
    required: true
  state:
    description:
      - V(present) creates or updates the target, V(absent) removes it.
      - PBS's own target V(mail-to-root) cannot be removed. V(absent) gives it back the settings that PBS ships, and
        O(disable) switches it off.
    type: str
    choices: [present, absent]
    default: present
  update_secret:
    description:
      - When to set O(password), O(token) or the values of O(secrets). PBS does not show them, so the module cannot compare them.
      - V(on_create) sets a secret that PBS does not have yet. V(always) sets it in every run.
    type: str
    choices: [on_create, always]
    default: on_create
  unset:
    description: Properties to unset, by the names of these options.
    type: list
    elements: str
    default: []
seealso:
  - module: fleetops.pbs.notification_matcher
notes:
  - Needs root on the host (C(become)). The PBS daemons do not have to run.
  - PBS takes secrets only as arguments of its command. While it runs, for about a second, other users of the host can see
    them in the list of processes, unless C(/proc) is mounted with C(hidepid).
"""

EXAMPLES = r"""
- name: Send mails through a relay
  fleetops.pbs.notification_target:
    name: operators
    type: smtp
    server: mail.example.org
    mode: starttls
    username: pbs
    password: "{{ vault_smtp_password }}"
    from_address: pbs@example.org
    mailto: [operators@example.org]
  become: true

- name: Call a webhook with a secret
  fleetops.pbs.notification_target:
    name: chat
    type: webhook
    method: post
    url: https://chat.example.org/hooks/pbs
    headers:
      Authorization: "Bearer {{ '{{ secrets.token }}' }}"
    body: "{{ '{{ title }}' }}"
    secrets:
      token: "{{ vault_chat_token }}"
  become: true

- name: Switch off the target that PBS brings
  fleetops.pbs.notification_target:
    name: mail-to-root
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
  description: The commands that changed something, or that would be run in check mode. C(********) stands
    for a secret.
  type: list
  elements: list
  returned: always, unless an option is invalid
  sample: [[/usr/sbin/proxmox-backup-manager, notification, endpoint, smtp, delete, operators]]
target:
  description: The properties of the target in PBS's configuration, in check mode as they would be; empty if it is absent.
  type: dict
  returned: success
  sample: {mailto: [operators@example.org], server: mail.example.org}
log:
  description: The output of PBS.
  type: list
  elements: str
  returned: success
msg:
  description: The result in one sentence.
  type: str
  returned: always
  sample: SMTP target 'operators' was created.
"""

from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import notification_target_spec
from ansible_collections.fleetops.pbs.plugins.module_utils._notification import ensure_target
from ansible_collections.fleetops.pbs.plugins.module_utils._section import run_with


def main():
    run_with(notification_target_spec(), ensure_target, "target")


if __name__ == "__main__":
    main()
