#!/usr/bin/python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: chunk_ownership
short_description: Return a datastore to the user of the Proxmox Backup Server daemon
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - Corrects owner and group of everything in a datastore, and the modes that endanger data. Garbage collection stops at the
    first chunk with another owner. The next verification treats a chunk that the daemon cannot read as corrupt, and renames
    it.
  - Changes only what is wrong, and only the wrong id. Access and modification times stay the same. Backups and garbage
    collection may run at the same time.
  - The datastore may be owned by a hostile account. The module follows no links, enters no other filesystem, and refuses
    files with a second hard link. It verifies every change, because some filesystems report success and change nothing.
  - You can interrupt the module at any moment; the next run continues.
  - Files in the base directory that are not part of a datastore stay as they are, and so does everything that garbage
    collection ignores. The module ignores access control lists.
requirements:
  - Python 3.9 or newer on the host; no other libraries.
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
      - Shows counts by old owner and mode, and the first paths.
  idempotent:
    support: full
  platform:
    platforms: linux
    support: full
  action:
    support: full
    details:
      - A long run shows its progress on the controller, and continues if the connection is lost.
options:
  path:
    description: Absolute path of the datastore. Either this or O(name) is required.
    type: path
  name:
    description: Name of the datastore in the configuration of PBS on the host.
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
    description:
      - Repair only files and directories that are owned by these users, by name or number. RV(left) counts the others that
        are wrong.
    type: list
    elements: str
  modes:
    description:
      - Also repair modes. Files that the daemon cannot read get V(0644), and metadata directories that it cannot enter get
        V(0755). The base directory gets V(0755), C(.chunks) and the prefix directories get V(0750), and C(.lock) gets
        V(0644), as PBS requires when it reuses a datastore. Other modes stay the same.
    type: bool
    default: true
  max_changes:
    description:
      - Fail before the first change if more files and directories would change. To count them, the module walks the
        datastore once more.
      - This protects against a wrong id map, with which everything seems to have another owner.
    type: int
  workers:
    description: Processes that walk the chunks; V(0) for one per processor, and at least two.
    type: int
    default: 0
  max_paths:
    description: Number of example paths to return for each kind, the first ones by name. The counts do not depend on it.
    type: int
    default: 20
  deadline:
    description: Seconds within which the path must answer at the start.
    type: float
    default: 10
  stall:
    description: Seconds without progress after which a walk is abandoned.
    type: float
    default: 60
  timeout:
    description:
      - Seconds that a walk may take in all, whatever progress it makes. The task then fails; another run continues the repair.
      - The controller waits for a host a few minutes longer than two such walks, whatever the host reports.
    type: float
    default: 43200
  config_dir:
    description: PBS's configuration directory, in which O(name) is looked up.
    type: path
    default: /etc/proxmox-backup
  show:
    description:
      - Where to show the progress.
      - V(auto) is standard output if the callback there writes for people, and standard error if it writes for programs, such
        as P(ansible.posix.json#callback).
    type: str
    choices: [auto, stdout, stderr, none]
    default: auto
seealso:
  - module: fleetops.pbs.preflight
  - module: ansible.builtin.file
"""

EXAMPLES = r"""
- name: Repair only what root wrote
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
  description: The result in one line.
  type: str
  returned: always
  sample: 3 of 1114116 files and directories were changed (owner to backup:backup, or mode).
base:
  description: Base directory of the datastore.
  type: str
  returned: unless an option is invalid
  sample: /mnt/datastore/tank
changes:
  description: The changes. In check mode, and if O(max_changes) stopped the module, the changes that it would make.
  type: dict
  returned: unless an option is invalid
  contains:
    total:
      description: Number of changed files and directories.
      type: int
    owner:
      description: How many of them got another user or group as owner.
      type: int
    mode:
      description: How many of them got another mode.
      type: int
    by_owner:
      description: Their old owners, with C(uid), C(gid), C(owner) as names and C(count), the highest count first.
      type: list
      elements: dict
    by_mode:
      description: The changes of modes, with C(step), for example C(0600 to 0644), and C(count).
      type: list
      elements: dict
    paths:
      description: The first O(max_paths) of them, with C(path) and their old state in C(detail).
      type: list
      elements: dict
left:
  description: Number of files and directories that are wrong, but not owned by a user in O(only_from).
  type: int
  returned: unless an option is invalid
refused:
  description:
    - Counts of what the module never touches, by kind, for example C(hardlink), C(link), C(fifo), C(socket), C(device),
      C(directory) (in the place of a file), and C(mount).
  type: dict
  returned: unless an option is invalid
refused_paths:
  description: The first paths of each kind.
  type: list
  elements: dict
  returned: unless an option is invalid
failures:
  description: Number of files and directories that could not be read or changed. The task fails if there is one.
  type: int
  returned: unless an option is invalid
failed_paths:
  description: The first paths with failures, with the error in C(detail).
  type: list
  elements: dict
  returned: unless an option is invalid
vanished:
  description: Number of names that vanished during the walk. That is normal while backups and garbage collection run.
  type: int
  returned: unless an option is invalid
seen:
  description: Number of files and directories that were checked.
  type: int
  returned: unless an option is invalid
complete:
  description: Whether the module checked everything in O(scope), and nothing failed.
  type: bool
  returned: unless an option is invalid
elapsed:
  description: Seconds that the walk took.
  type: float
  returned: unless an option is invalid
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import account_spec, show_spec
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
            timeout=dict(type="float", default=43200),
            config_dir=dict(type="path", default="/etc/proxmox-backup"),
            **show_spec(),
            _job=job_spec(),
        ),
        mutually_exclusive=[["path", "name"]],
        required_one_of=[["path", "name"]],
        supports_check_mode=True,
    )
    run_module(module, lambda progress: chunk_ownership(module.params, module.check_mode, progress))


if __name__ == "__main__":
    main()
