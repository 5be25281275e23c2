# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What datastores and jobs are declared to be: said once, for the modules that make one and for the list of all."""

from __future__ import annotations

import textwrap

_DATASTORE = r"""
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
    - What the datastore is closed for.
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
      description: V(filesystem), or V(s3), which needs a client and a bucket; the path of the datastore is its cache.
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
"""

_PRUNE_JOB = r"""
schedule:
  description: When it runs, as a calendar event. Needed to add a job.
  type: str
comment:
  description: One line of at most 128 characters.
  type: str
disable:
  description: Whether it is switched off.
  type: bool
ns:
  description: The namespace; the root, if it is empty.
  type: str
max_depth:
  description: Levels of namespaces below it, from 0 to 7.
  type: int
keep_last:
  description: How many of the last backups are kept.
  type: int
keep_hourly:
  description: How many hourly backups are kept.
  type: int
keep_daily:
  description: How many daily backups are kept.
  type: int
keep_weekly:
  description: How many weekly backups are kept.
  type: int
keep_monthly:
  description: How many monthly backups are kept.
  type: int
keep_yearly:
  description: How many yearly backups are kept.
  type: int
"""

_VERIFY_JOB = r"""
schedule:
  description: When it runs, as a calendar event. Without one it runs only by hand.
  type: str
comment:
  description: One line of at most 128 characters.
  type: str
ignore_verified:
  description: Whether verified backups are passed over; they are, if PBS is not told otherwise.
  type: bool
outdated_after:
  description: Days after which a verified backup is verified again.
  type: int
ns:
  description: The namespace; the root, if it is empty.
  type: str
max_depth:
  description: Levels of namespaces below it, from 0 to 7.
  type: int
read_threads:
  description: Threads that read, from 1 to 32. Since PBS 4.0.20.
  type: int
verify_threads:
  description: Threads that verify, from 1 to 32. Since PBS 4.0.20.
  type: int
"""

_JOB_ID = r"""
id:
  description: The id of the job, unique on the host.
  type: str
  required: true
"""

_MOUNT = r"""
path:
  description: The mount point. If it is not given, any mount but that of C(/) will do.
  type: str
source:
  description: What is mounted, such as C(UUID=…), a device or a share.
  type: str
fstype:
  description: The type of the filesystem.
  type: str
options:
  description: Options that must be there.
  type: list
  elements: str
options_forbidden:
  description: Options that must not be there.
  type: list
  elements: str
persistent:
  description: Whether it has to come back after a reboot; it has to, if this is not V(false).
  type: bool
severity:
  description: How bad it is where the options do not satisfy the contract.
  type: str
  choices: [info, low, medium, high, critical]
"""


def _within(text: str, spaces: int) -> str:
    return textwrap.indent(text.strip("\n"), " " * spaces)


# What is put together is annotated: ansible-test takes a plain assignment here for a text as it stands.
class ModuleDocFragment:
    # One datastore, as the module datastore takes it.
    DATASTORE: str = f"options:\n{_within(_DATASTORE, 2)}\n"

    # One job, as the modules prune_job and verify_job take it.
    PRUNE_JOB: str = f"options:\n{_within(_PRUNE_JOB, 2)}\n"
    VERIFY_JOB: str = f"options:\n{_within(_VERIFY_JOB, 2)}\n"

    # All of them: the variable pbs_datastores.
    DATASTORES: str = f"""
options:
  datastores:
    description:
      - What should be there. The datastores that PBS knows are looked at in any case, those that are only declared here
        as well; what differs is reported by PBS-CONF-01, and the C(mount) part by PBS-MOUNT-01 and PBS-MOUNT-05.
      - What is left out is not compared.
    type: list
    elements: dict
    suboptions:
      name:
        description: The name of the datastore.
        type: str
        required: true
      path:
        description: The absolute path of the datastore. Not for one with O(datastores[].backing_device).
        type: str
{_within(_DATASTORE, 6)}
      mount:
        description: The contract about the filesystem that the datastore lies on.
        type: dict
        suboptions:
{_within(_MOUNT, 10)}
      prune_jobs:
        description: Prune jobs of this datastore.
        type: list
        elements: dict
        suboptions:
{_within(_JOB_ID, 10)}
{_within(_PRUNE_JOB, 10)}
      verify_jobs:
        description: Verify jobs of this datastore.
        type: list
        elements: dict
        suboptions:
{_within(_JOB_ID, 10)}
{_within(_VERIFY_JOB, 10)}
"""
