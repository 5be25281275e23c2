# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of datastores, jobs, remotes and S3 endpoints, shared by the modules that manage one of them and by the lists of all."""

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

_RATES = r"""
rate_in:
  description: Limit of the incoming traffic per second, as a size such as V(10MB) or V(10MiB).
  type: str
burst_in:
  description: Limit of the incoming traffic for short times, as a size such as V(20MB).
  type: str
rate_out:
  description: Limit of the outgoing traffic per second, as a size such as V(10MB) or V(10MiB).
  type: str
burst_out:
  description: Limit of the outgoing traffic for short times, as a size such as V(20MB).
  type: str
"""

_SYNC_JOB = r"""
store:
  description:
    - The datastore on this host. A pull job writes to it, a push job reads from it. Required to create a job.
  type: str
ns:
  description: The namespace in O(PREFIXstore); empty for the root namespace.
  type: str
remote:
  description:
    - Name of the remote; see M(fleetops.pbs.remote). Without one the other datastore is on this host as well.
  type: str
remote_store:
  description:
    - The other datastore. A pull job reads from it, a push job writes to it. Required to create a job.
  type: str
remote_ns:
  description: The namespace in O(PREFIXremote_store); empty for the root namespace.
  type: str
sync_direction:
  description: Whether to copy from O(PREFIXremote_store) (V(pull), PBS's default) or to it (V(push)). A push needs O(PREFIXremote).
  type: str
  choices: [pull, push]
owner:
  description:
    - User or API token that owns the groups that a pull job creates, and with whose permissions the job runs. PBS uses
      V(root@pam) by default. Groups of another owner fail the job.
  type: str
schedule:
  description: When the job runs, as a calendar event. Without one it runs only when started manually or with O(PREFIXrun_on_mount).
  type: str
comment:
  description: One line of at most 128 characters.
  type: str
group_filter:
  description:
    - Which backup groups to copy, for example V(type:vm), V(group:vm/100), V(regex:^host/.*) or V(exclude:group:ct/7). The list
      replaces the present one. Without a filter all groups are copied.
  type: list
  elements: str
max_depth:
  description: Number of namespace levels below O(PREFIXns) to include, from 0 to 7. By default all are included.
  type: int
transfer_last:
  description: How many of the last snapshots of each group to copy.
  type: int
remove_vanished:
  description: Whether to remove what no longer exists in the source.
  type: bool
resync_corrupt:
  description: Whether a pull job copies again what failed its verification. PBS can only set this, not unset it.
  type: bool
encrypted_only:
  description: Whether to copy only encrypted backups.
  type: bool
verified_only:
  description: Whether to copy only verified backups.
  type: bool
run_on_mount:
  description: Whether to run the job when a removable datastore that it uses is mounted.
  type: bool
unmount_on_done:
  description: Whether to unmount the removable datastore at the end of the job. Needs O(PREFIXrun_on_mount=true).
  type: bool
worker_threads:
  description: Number of groups to copy at the same time, from 1 to 32.
  type: int
active_encryption_key:
  description: Id of the key in PBS with which a push job encrypts what is not encrypted.
  type: str
associated_key:
  description: Ids of the keys in PBS that belong to this job. The list replaces the present one.
  type: list
  elements: str
"""

_REMOTE = r"""
host:
  description: DNS name or IP address of the other PBS. Required to create a remote.
  type: str
port:
  description: Port of the other PBS, 8007 by default.
  type: int
auth_id:
  description: User or API token on the other PBS, for example V(sync@pbs) or V(sync@pbs!offsite). Required to create a remote.
  type: str
password:
  description:
    - Password of the user, or secret of the API token. Required to create a remote.
    - PBS shows it to nobody, so the module cannot compare it; see O(PREFIXupdate_secret).
  type: str
fingerprint:
  description: SHA-256 fingerprint of the certificate of the other PBS, if no authority that this host knows has signed it.
  type: str
comment:
  description: One line of at most 128 characters.
  type: str
use_node_proxy:
  description: Whether to connect through the HTTP proxy of the node's configuration.
  type: bool
"""

_S3_ENDPOINT = r"""
endpoint:
  description:
    - DNS name or IP address of the object store, without scheme and port. V({{bucket}}) and V({{region}}) stand for the
      bucket and for O(PREFIXregion); in a template of Ansible, write them with C(!unsafe). Required to create an endpoint.
  type: str
port:
  description: Port of the object store.
  type: int
region:
  description: Region of the object store.
  type: str
access_key:
  description: Access key. Required to create an endpoint.
  type: str
secret_key:
  description:
    - Secret key. Required to create an endpoint.
    - PBS shows it to nobody, so the module cannot compare it; see O(PREFIXupdate_secret).
  type: str
fingerprint:
  description: SHA-256 fingerprint of the certificate, if no authority that this host knows has signed it.
  type: str
path_style:
  description: Whether the bucket is part of the path instead of the host name.
  type: bool
provider_quirks:
  description: Differences of the provider from the protocol. The list replaces the present one.
  type: list
  elements: str
  choices: [skip-if-none-match-header, delete-objects-via-delete-object]
put_rate_limit:
  description:
    - Maximum number of C(PUT) requests per second. PBS sets it only when the endpoint is created, and ignores it in an
      update; a difference is therefore an error.
  type: int
"""

_SECTION = r"""
state:
  description: V(present) creates or updates it, V(absent) removes it.
  type: str
  choices: [present, absent]
  default: present
"""

_UPDATE_SECRET = r"""
update_secret:
  description:
    - V(on_create) sets the secret only when it is created.
    - V(always) sets it in every run, which is then reported as a change, because PBS does not say what the secret was.
  type: str
  choices: [on_create, always]
  default: on_create
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


def _within(text: str, spaces: int, prefix: str = "") -> str:
    """prefix: what comes before the name of an option in a reference, such as `remotes[].`."""
    return textwrap.indent(text.strip("\n").replace("PREFIX", prefix), " " * spaces)


# The assembled texts are annotated, because ansible-test reads a plain assignment here as a literal string.
class ModuleDocFragment:
    # One datastore: options of the module datastore.
    DATASTORE: str = f"options:\n{_within(_DATASTORE, 2)}\n"

    # One job: options of the modules prune_job and verify_job.
    PRUNE_JOB: str = f"options:\n{_within(_PRUNE_JOB, 2)}\n"
    VERIFY_JOB: str = f"options:\n{_within(_VERIFY_JOB, 2)}\n"

    SYNC_JOB: str = f"options:\n{_within(_SYNC_JOB, 2)}\n{_within(_RATES, 2)}\n{_within(_SECTION, 2)}\n"

    # One remote, one S3 endpoint.
    REMOTE: str = f"options:\n{_within(_REMOTE, 2)}\n{_within(_SECTION, 2)}\n{_within(_UPDATE_SECRET, 2)}\n"
    S3_ENDPOINT: str = (
        f"options:\n{_within(_S3_ENDPOINT, 2)}\n{_within(_RATES, 2)}\n{_within(_SECTION, 2)}\n"
        f"{_within(_UPDATE_SECRET, 2)}\n"
    )

    # All remotes, S3 endpoints and sync jobs: the variables pbs_remotes, pbs_s3_endpoints and pbs_sync_jobs.
    SECTIONS: str = f"""
options:
  remotes:
    description:
      - The declared remotes. PBS-HOST-08 reports differences between these and the remotes that PBS knows.
      - Options that you omit are not compared; passwords never are.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the remote.
        type: str
        required: true
{_within(_REMOTE, 6, "remotes[].")}
{_within(_UPDATE_SECRET, 6)}
  s3_endpoints:
    description:
      - The declared S3 endpoints. PBS-HOST-08 reports differences between these and the endpoints that PBS knows.
      - Options that you omit are not compared; keys never are.
    type: list
    elements: dict
    suboptions:
      id:
        description: Id of the endpoint.
        type: str
        required: true
{_within(_S3_ENDPOINT, 6, "s3_endpoints[].")}
{_within(_RATES, 6)}
{_within(_UPDATE_SECRET, 6)}
  sync_jobs:
    description:
      - The declared sync jobs. PBS-HOST-08 reports differences between these and the jobs that PBS knows.
      - Options that you omit are not compared.
    type: list
    elements: dict
    suboptions:
      id:
        description: Id of the job, unique on the host.
        type: str
        required: true
{_within(_SYNC_JOB, 6, "sync_jobs[].")}
{_within(_RATES, 6)}
"""

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
