#!/usr/bin/python
# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: datastore
short_description: Make one datastore of Proxmox Backup Server what it is declared to be
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - Adds, changes and removes one datastore, by C(proxmox-backup-manager) on the host.
  - What happens to a datastore that PBS does not know is decided by what is at its path. Where there is nothing, or an empty
    directory, it is created. A whole chunk store is adopted as it is. A half-made one, which a creation that failed has
    left, is completed and then adopted. Anything else is refused, and what is in the way is named. Nothing is ever deleted
    for a creation.
  - Before PBS is asked, access times are tried as the daemon's user, and the filesystem is held against the controls of
    M(fleetops.pbs.preflight). PBS checks after it has made 65,536 directories, and takes nothing back.
  - What is left out stays as it is, down to the single keys of O(tuning), O(notify) and O(notification_thresholds). Values
    are compared by their meaning. To unset a property, give an empty string or name it in O(unset).
  - Success is what can be seen in PBS's configuration afterwards, not an exit code.
  - What PBS called prune options of a datastore are prune jobs; see M(fleetops.pbs.prune_job).
requirements:
  - Python 3.9 or newer on the host; nothing beside its standard library.
extends_documentation_fragment:
  - fleetops.pbs.attributes
  - fleetops.pbs.account
  - fleetops.pbs.manager
attributes:
  check_mode:
    support: full
    details:
      - RV(commands) holds the commands that would be run. Access times are not tried then, since that takes a file.
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    platforms: linux
    support: full
options:
  name:
    description: The name of the datastore.
    type: str
    required: true
  state:
    description:
      - V(present) to have it as described.
      - V(absent) to remove it from PBS's configuration. Its data and its jobs stay, unless O(destroy_data) and
        O(keep_jobs) say otherwise.
    type: str
    choices: [present, absent]
    default: present
  path:
    description:
      - The absolute path; for a datastore with O(backing_device) the path on the device. Needed to add a datastore.
      - PBS cannot change it. One that differs is an error; it is never taken for a reason to remove and create.
    type: str
  comment:
    description: One line of at most 128 characters.
    type: str
  gc_schedule:
    description: When garbage collection runs, as a calendar event. Without one it never does.
    type: str
  gc_on_unmount:
    description: Whether garbage collection runs before a removable datastore is unmounted. Since PBS 4.1.8.
    type: bool
  verify_new:
    description: Whether new backups are verified at once.
    type: bool
  notification_mode:
    description: How PBS notifies. Since PBS 3.2.
    type: str
    choices: [legacy-sendmail, notification-system]
  notify_user:
    description: Who is notified with V(legacy-sendmail), such as V(root@pam).
    type: str
  notify:
    description: Which results of which jobs are told with V(legacy-sendmail).
    type: dict
    suboptions:
      gc:
        description: Garbage collection.
        type: str
        choices: [always, never, error]
      verify:
        description: Verify jobs.
        type: str
        choices: [always, never, error]
      sync:
        description: Sync jobs.
        type: str
        choices: [always, never, error]
      prune:
        description: Prune jobs.
        type: str
        choices: [always, never, error]
  tuning:
    description:
      - How the datastore works. PBS stores a wrong word here without complaint, and garbage collection fails on it; so
        everything is checked before.
    type: dict
    suboptions:
      chunk_order:
        description: In which order chunks are read.
        type: str
        choices: [none, inode]
      sync_level:
        description: How chunks are brought to the disk.
        type: str
        choices: [none, file, filesystem]
      gc_atime_safety_check:
        description: PBS's own check of access times. Leave it on. Since PBS 3.3.7.
        type: bool
      gc_atime_cutoff:
        description: Minutes after which a chunk that was not touched is removed, from 1 to 2880. Since PBS 3.3.7.
        type: int
      gc_cache_capacity:
        description: Digests that garbage collection remembers, from 0 to 8388608. Since PBS 3.3.7.
        type: int
      default_verification_workers:
        description: Threads that verify, from 1 to 32. Since PBS 4.0.22.
        type: int
      default_verification_readers:
        description: Threads that read for a verification, from 1 to 32. Since PBS 4.0.22.
        type: int
  maintenance_mode:
    description:
      - What the datastore is closed for. To open it again, name it in O(unset).
      - Type and text are one statement. A type without a text takes an earlier text away.
    type: dict
    suboptions:
      type:
        description: V(read-only) for nothing that writes, V(offline) for nothing at all.
        type: str
        choices: [read-only, offline]
        required: true
      text:
        description:
          - What people are told, in one line of at most 64 characters.
          - PBS 4.2 cannot store a comma or a quote in it, but shows percent-encoded ones; so they are encoded here.
        type: str
  notification_thresholds:
    description: Numbers of S3 requests and sizes above which PBS notifies. Since PBS 4.1.7.
    type: dict
    suboptions:
      s3_get:
        description: GET requests.
        type: int
      s3_put:
        description: PUT requests.
        type: int
      s3_post:
        description: POST requests.
        type: int
      s3_head:
        description: HEAD requests.
        type: int
      s3_delete:
        description: DELETE requests.
        type: int
      s3_upload:
        description: What is uploaded, such as V(64GiB).
        type: str
      s3_download:
        description: What is downloaded, such as V(64GiB).
        type: str
  counter_reset_schedule:
    description: When the counters of S3 requests are reset, as a calendar event. Since PBS 4.1.7.
    type: str
  backing_device:
    description: The UUID of the filesystem of a removable datastore. PBS cannot change it. Since PBS 3.2.12.
    type: str
  backend:
    description: Where the chunks are kept. PBS cannot change it. Since PBS 4.0.4.
    type: dict
    suboptions:
      type:
        description: V(s3) needs O(backend.client) and O(backend.bucket); O(path) is its cache.
        type: str
        choices: [filesystem, s3]
        default: filesystem
      client:
        description: The id of the S3 endpoint in PBS's configuration.
        type: str
      bucket:
        description: The bucket.
        type: str
      max_cache_size:
        description: How large the cache may become, such as V(64GiB).
        type: str
  unset:
    description:
      - Properties to unset, by the names of the options here. Of a property with keys, the keys that are given beside stay.
    type: list
    elements: str
    default: []
  reuse:
    description:
      - Without it, what is at O(path) decides. With V(true) only a chunk store that is there is adopted, and nothing is
        created; with V(false) nothing is adopted.
      - Nobody can see beforehand what is on the device of a removable datastore, or in a bucket. There it is created,
        unless this is V(true).
    type: bool
  overwrite_in_use:
    description: Whether a bucket is taken over that is marked as used by another PBS.
    type: bool
    default: false
  keep_jobs:
    description:
      - With O(state=absent), whether the prune, verify, sync and tape jobs of the datastore and its permissions stay.
    type: bool
    default: true
  destroy_data:
    description:
      - With O(state=absent), the name of the datastore once more, if every backup in it is to be destroyed.
      - With anything else than the very name, nothing is done at all.
    type: str
  probe:
    description:
      - How access times are tried before a datastore is added. With V(private) a file of our own is made, touched and removed.
      - With V(none) PBS finds out by itself, as root, when it has made everything.
    type: str
    choices: [private, none]
    default: private
  run_dir:
    description: The directory of PBS's run-time files, where it says which datastores are in use.
    type: path
    default: /run/proxmox-backup
  timeout:
    description: Seconds that PBS may take to create or remove the datastore.
    type: float
    default: 1800
  deadline:
    description: Seconds that the path has to answer.
    type: float
    default: 10
seealso:
  - module: fleetops.pbs.preflight
  - module: fleetops.pbs.prune_job
  - module: fleetops.pbs.verify_job
notes:
  - Needs root on the host (C(become)).
  - PBS holds a lock over its whole configuration while it creates a datastore. Create one after the other on each host.
"""

EXAMPLES = r"""
- name: A datastore with a weekly garbage collection
  fleetops.pbs.datastore:
    name: tank
    path: /mnt/datastore/tank
    comment: nightly
    gc_schedule: sat 03:00
    tuning:
      chunk_order: inode
  become: true

- name: Close it for maintenance
  fleetops.pbs.datastore:
    name: tank
    maintenance_mode:
      type: read-only
      text: moving to new disks
  become: true

- name: Open it again
  fleetops.pbs.datastore:
    name: tank
    unset: [maintenance_mode]
  become: true

- name: Take it out of PBS, and keep everything that is in it
  fleetops.pbs.datastore:
    name: tank
    state: absent
  become: true

- name: Destroy it with all of its backups and jobs
  fleetops.pbs.datastore:
    name: scratch
    state: absent
    keep_jobs: false
    destroy_data: scratch
  become: true
"""

RETURN = r"""
decision:
  description: "What was decided, and done unless in check mode: V(none), V(create), V(reuse), V(complete), V(update) or V(remove)."
  type: str
  returned: success
  sample: create
commands:
  description: The commands that were run to change something, or that would be.
  type: list
  elements: list
  returned: always, unless an option has no sense
  sample: [[/usr/sbin/proxmox-backup-manager, datastore, update, tank, --comment, nightly]]
completed:
  description: Directories and files that were made or handed over to complete a half-made chunk store.
  type: int
  returned: success
  sample: 0
datastore:
  description: The properties of the datastore as PBS has them now, or would have them; empty if it is absent.
  type: dict
  returned: success
  sample: {path: /mnt/datastore/tank, comment: nightly}
log:
  description: The log of PBS's task.
  type: list
  elements: str
  returned: success
msg:
  description: What is so.
  type: str
  returned: always
  sample: Datastore 'tank' was created at /mnt/datastore/tank.
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import account_spec, manager_spec, property_spec
from ansible_collections.fleetops.pbs.plugins.module_utils._datastore import ERRORS, ensure_datastore, new_manager


def main():
    module = AnsibleModule(
        argument_spec=dict(
            account_spec(),
            **manager_spec(),
            **property_spec(),
            name=dict(type="str", required=True),
            state=dict(type="str", choices=["present", "absent"], default="present"),
            path=dict(type="str"),
            unset=dict(type="list", elements="str", default=[]),
            reuse=dict(type="bool"),
            overwrite_in_use=dict(type="bool", default=False),
            keep_jobs=dict(type="bool", default=True),
            destroy_data=dict(type="str"),
            probe=dict(type="str", choices=["private", "none"], default="private"),
            run_dir=dict(type="path", default="/run/proxmox-backup"),
            timeout=dict(type="float", default=1800),
            deadline=dict(type="float", default=10),
        ),
        supports_check_mode=True,
    )
    manager = new_manager(module.params, module.check_mode)
    try:
        outcome = ensure_datastore(module.params, module.check_mode, manager)
    except ERRORS as exc:
        module.fail_json(msg=str(exc), commands=manager.commands)
    for warning in outcome.warnings:
        module.warn(warning)
    module.exit_json(completed=outcome.completed, **outcome.result("datastore"))


if __name__ == "__main__":
    main()
