#!/usr/bin/python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: chunk_ownership
short_description: Give a datastore back to the user that Proxmox Backup Server runs as
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - Makes owner and group of everything in a datastore right, and the modes that endanger data. Garbage collection stops at
    the first chunk that is not its own, and a chunk that the daemon cannot read is taken for a corrupt one and renamed by
    the next verification.
  - Only what is wrong is changed, and only the id that is wrong. Access and modification times stay as they are. Backups and
    garbage collection may go on meanwhile.
  - The datastore may belong to a hostile account. No link is followed, no other filesystem entered, and a file with a
    second hard link is refused. Every change is looked at again, because some filesystems answer that all is well and do
    nothing.
  - It may be interrupted at any moment; another run does the rest.
  - What lies in the base directory and is no part of a datastore is left alone, as is what garbage collection never looks
    at. Access control lists are not looked at.
requirements:
  - Python 3.9 or newer on the host; nothing beside its standard library.
extends_documentation_fragment:
  - fleetops.pbs.attributes
  - fleetops.pbs.attributes.action
  - fleetops.pbs.account
  - fleetops.pbs.long_run
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Counts by old owner and mode, and the first paths.
  idempotent:
    support: full
  platform:
    platforms: linux
    support: full
  action:
    support: full
    details:
      - A long run shows its progress on the controller, and goes on if the connection is lost.
options:
  path:
    description: The absolute path of the datastore. Either this or O(name).
    type: path
  name:
    description: The name of the datastore in the configuration of PBS on the host.
    type: str
  scope:
    description:
      - V(full) is everything.
      - V(skeleton) is the base directory, C(.chunks), the prefix directories, C(.lock) and C(.gc-status).
      - V(chunks) is the skeleton and the chunks.
      - V(metadata) is namespaces, groups and snapshots.
    type: str
    choices: [full, skeleton, chunks, metadata]
    default: full
  only_from:
    description: Repair only what belongs to these users, by name or number. What else is wrong is counted in RV(left).
    type: list
    elements: str
  modes:
    description:
      - Repair modes, too. Files that the daemon could not read get V(0644) and metadata directories that it could not enter
        V(0755); the base directory gets V(0755), C(.chunks) and the prefix directories V(0750), C(.lock) V(0644), as PBS
        demands them for a reuse. Other modes stay.
    type: bool
    default: true
  max_changes:
    description:
      - Fail before the first change if more files and directories would change. They are counted first, which costs a
        walk of its own.
      - A wrong id map looks as if everything belonged to somebody else.
    type: int
  workers:
    description: Processes that walk over the chunks; V(0) for as many as there are processors, and at least two.
    type: int
    default: 0
  max_paths:
    description: How many paths of each kind are returned as examples, the first by name. The counts do not depend on it.
    type: int
    default: 20
  deadline:
    description: Seconds that the path has to answer at the start.
    type: float
    default: 10
  stall:
    description: Seconds of silence after which a walk is given up.
    type: float
    default: 60
  config_dir:
    description: The directory of PBS's configuration, for O(name).
    type: path
    default: /etc/proxmox-backup
seealso:
  - module: fleetops.pbs.preflight
  - module: ansible.builtin.file
"""

EXAMPLES = r"""
- name: Give what root has written back to the daemon
  fleetops.pbs.chunk_ownership:
    path: /mnt/datastore/tank
    only_from: [root]
  become: true

- name: Repair a datastore by its name, unless more than a few files are wrong
  fleetops.pbs.chunk_ownership:
    name: tank
    max_changes: 1000
  become: true
"""

RETURN = r"""
msg:
  description: What was done, in one line.
  type: str
  returned: always
  sample: 3 of 1114116 files and directories were given to backup:backup or got their mode.
base:
  description: The base directory of the datastore.
  type: str
  returned: unless an option has no sense
  sample: /mnt/datastore/tank
changes:
  description: What was changed, or what would be, in check mode and where O(max_changes) stopped it.
  type: dict
  returned: unless an option has no sense
  contains:
    total:
      description: Files and directories that were changed.
      type: int
    owner:
      description: How many of them got another user or group.
      type: int
    mode:
      description: How many of them got another mode.
      type: int
    by_owner:
      description: To whom they belonged, with C(uid), C(gid), C(owner) in words and C(count), most first.
      type: list
      elements: dict
    by_mode:
      description: The changes of modes, with C(step), such as C(0600 to 0644), and C(count).
      type: list
      elements: dict
    paths:
      description: The first O(max_paths) of them, with C(path) and what they were in C(detail).
      type: list
      elements: dict
left:
  description: What is wrong, but belongs to nobody in O(only_from).
  type: int
  returned: unless an option has no sense
refused:
  description:
    - Counts of what is never touched, by kind, such as C(hardlink), C(link), C(fifo), C(socket), C(device), C(directory)
      where files belong, and C(mount).
  type: dict
  returned: unless an option has no sense
refused_paths:
  description: The first paths of each kind.
  type: list
  elements: dict
  returned: unless an option has no sense
failures:
  description: How many files and directories could not be looked at or changed. The task fails if there is one.
  type: int
  returned: unless an option has no sense
failed_paths:
  description: The first of them, with the error in C(detail).
  type: list
  elements: dict
  returned: unless an option has no sense
vanished:
  description: Names that were gone when they were looked at, which is normal while backups and garbage collection run.
  type: int
  returned: unless an option has no sense
seen:
  description: Files and directories that were looked at.
  type: int
  returned: unless an option has no sense
complete:
  description: Whether everything that O(scope) asks for was seen, and nothing failed.
  type: bool
  returned: unless an option has no sense
elapsed:
  description: Seconds that the walk took.
  type: float
  returned: unless an option has no sense
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import account_spec
from ansible_collections.fleetops.pbs.plugins.module_utils._chunk_ownership import chunk_ownership
from ansible_collections.fleetops.pbs.plugins.module_utils._long_run import job_spec, run_module


def main():
    module = AnsibleModule(
        argument_spec=dict(
            account_spec(),
            path=dict(type="path"),
            name=dict(type="str"),
            scope=dict(type="str", choices=["full", "skeleton", "chunks", "metadata"], default="full"),
            only_from=dict(type="list", elements="str"),
            modes=dict(type="bool", default=True),
            max_changes=dict(type="int"),
            workers=dict(type="int", default=0),
            max_paths=dict(type="int", default=20),
            deadline=dict(type="float", default=10),
            stall=dict(type="float", default=60),
            config_dir=dict(type="path", default="/etc/proxmox-backup"),
            _job=job_spec(),
        ),
        mutually_exclusive=[["path", "name"]],
        required_one_of=[["path", "name"]],
        supports_check_mode=True,
    )
    run_module(module, lambda progress: chunk_ownership(module.params, module.check_mode, progress))


if __name__ == "__main__":
    main()
