# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of datastores and jobs, shared by the modules that manage one of them and by the list of all datastores."""

from __future__ import annotations

import textwrap

_DATASTORE = r"""
comment:
  description: One line of at most 128 characters.
  type: str
gc_schedule:
  description: When garbage collection runs, as a calendar event. Without one it never runs.
  type: str
gc_on_unmount:
  description: Whether to run garbage collection before a removable datastore is unmounted. Since PBS 4.1.8.
  type: bool
verify_new:
  description: Whether to verify new backups immediately.
  type: bool
notification_mode:
  description: How PBS sends notifications. Since PBS 3.2.
  type: str
  choices: [legacy-sendmail, notification-system]
notify_user:
  description: Recipient of notifications with V(legacy-sendmail), for example V(root@pam).
  type: str
notify:
  description: For which results of which jobs to send notifications with V(legacy-sendmail).
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
    - Tuning options of the datastore. PBS stores an invalid value without an error, and garbage collection then fails. The
      module therefore checks all values first.
  type: dict
  suboptions:
    chunk_order:
      description: Order in which chunks are read.
      type: str
      choices: [none, inode]
    sync_level:
      description: How chunks are synced to disk.
      type: str
      choices: [none, file, filesystem]
    gc_atime_safety_check:
      description: PBS's own check of access times. Keep it enabled. Since PBS 3.3.7.
      type: bool
    gc_atime_cutoff:
      description: Minutes after which garbage collection removes a chunk that was not touched, from 1 to 2880. Since PBS 3.3.7.
      type: int
    gc_cache_capacity:
      description: Number of digests that garbage collection caches, from 0 to 8388608. Since PBS 3.3.7.
      type: int
    default_verification_workers:
      description: Number of threads that verify, from 1 to 32. Since PBS 4.0.22.
      type: int
    default_verification_readers:
      description: Number of threads that read for a verification, from 1 to 32. Since PBS 4.0.22.
      type: int
maintenance_mode:
  description:
    - Maintenance mode of the datastore.
    - Type and text are set together. A type without a text removes an earlier text.
  type: dict
  suboptions:
    type:
      description: V(read-only) refuses write access, V(offline) refuses all access.
      type: str
      choices: [read-only, offline]
      required: true
    text:
      description:
        - Message for users, one line of at most 64 characters.
        - PBS 4.2 cannot store commas or quotes in it. The module percent-encodes them, and PBS shows them decoded.
      type: str
notification_thresholds:
  description: Numbers of S3 requests and sizes above which PBS sends a notification. Since PBS 4.1.7.
  type: dict
  suboptions:
    s3_get:
      description: Number of GET requests.
      type: int
    s3_put:
      description: Number of PUT requests.
      type: int
    s3_post:
      description: Number of POST requests.
      type: int
    s3_head:
      description: Number of HEAD requests.
      type: int
    s3_delete:
      description: Number of DELETE requests.
      type: int
    s3_upload:
      description: Size of uploads, for example V(64GiB).
      type: str
    s3_download:
      description: Size of downloads, for example V(64GiB).
      type: str
counter_reset_schedule:
  description: When to reset the counters of S3 requests, as a calendar event. Since PBS 4.1.7.
  type: str
backing_device:
  description: UUID of the filesystem of a removable datastore. PBS cannot change it. Since PBS 3.2.12.
  type: str
backend:
  description: Where the chunks are stored. PBS cannot change it. Since PBS 4.0.4.
  type: dict
  suboptions:
    type:
      description: V(filesystem), or V(s3). V(s3) needs a client and a bucket, and uses the path of the datastore as its cache.
      type: str
      choices: [filesystem, s3]
      default: filesystem
    client:
      description: Id of the S3 endpoint in PBS's configuration.
      type: str
    bucket:
      description: Name of the bucket.
      type: str
    max_cache_size:
      description: Maximum size of the cache, for example V(64GiB).
      type: str
"""

_PRUNE_JOB = r"""
schedule:
  description: When the job runs, as a calendar event. Required to create a job.
  type: str
comment:
  description: One line of at most 128 characters.
  type: str
disable:
  description: Whether the job is disabled.
  type: bool
ns:
  description: The namespace; empty for the root namespace.
  type: str
max_depth:
  description: Number of namespace levels below it to include, from 0 to 7.
  type: int
keep_last:
  description: Number of last backups to keep.
  type: int
keep_hourly:
  description: Number of hourly backups to keep.
  type: int
keep_daily:
  description: Number of daily backups to keep.
  type: int
keep_weekly:
  description: Number of weekly backups to keep.
  type: int
keep_monthly:
  description: Number of monthly backups to keep.
  type: int
keep_yearly:
  description: Number of yearly backups to keep.
  type: int
"""

_VERIFY_JOB = r"""
schedule:
  description: When the job runs, as a calendar event. Without one it runs only when started manually.
  type: str
comment:
  description: One line of at most 128 characters.
  type: str
ignore_verified:
  description: Whether to skip verified backups. PBS skips them by default.
  type: bool
outdated_after:
  description: Days after which to verify a verified backup again.
  type: int
ns:
  description: The namespace; empty for the root namespace.
  type: str
max_depth:
  description: Number of namespace levels below it to include, from 0 to 7.
  type: int
read_threads:
  description: Number of threads that read, from 1 to 32. Since PBS 4.0.20.
  type: int
verify_threads:
  description: Number of threads that verify, from 1 to 32. Since PBS 4.0.20.
  type: int
"""

_JOB_ID = r"""
id:
  description: Id of the job, unique on the host.
  type: str
  required: true
"""

_MOUNT = r"""
path:
  description: The mount point. By default any mount is accepted except the one at C(/).
  type: str
source:
  description: What to mount, for example C(UUID=…), a device or a share.
  type: str
fstype:
  description: Type of the filesystem.
  type: str
options:
  description: Required mount options.
  type: list
  elements: str
options_forbidden:
  description: Forbidden mount options.
  type: list
  elements: str
persistent:
  description: Whether the mount must return after a reboot. By default it must.
  type: bool
severity:
  description: Severity of PBS-MOUNT-05 if the mount options are wrong.
  type: str
  choices: [info, low, medium, high, critical]
"""


def _within(text: str, spaces: int) -> str:
    return textwrap.indent(text.strip("\n"), " " * spaces)


# The assembled texts are annotated, because ansible-test reads a plain assignment here as a literal string.
class ModuleDocFragment:
    # One datastore: options of the module datastore.
    DATASTORE: str = f"options:\n{_within(_DATASTORE, 2)}\n"

    # One job: options of the modules prune_job and verify_job.
    PRUNE_JOB: str = f"options:\n{_within(_PRUNE_JOB, 2)}\n"
    VERIFY_JOB: str = f"options:\n{_within(_VERIFY_JOB, 2)}\n"

    # All datastores and jobs: the variable pbs_datastores.
    DATASTORES: str = f"""
options:
  datastores:
    description:
      - The declared datastores. The module checks these and all datastores that PBS knows. PBS-CONF-01 reports differences
        between the two; PBS-MOUNT-01 and PBS-MOUNT-05 report differences from C(mount).
      - Options that you omit are not compared.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the datastore.
        type: str
        required: true
      path:
        description: Absolute path of the datastore. Omit it if you set O(datastores[].backing_device).
        type: str
{_within(_DATASTORE, 6)}
      mount:
        description: Requirements for the filesystem of the datastore.
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
