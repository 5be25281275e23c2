# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PBS's configuration as facts: datastores and their jobs with the last run of each, remotes, and S3 endpoints."""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass
class JobHistoryFacts:
    """The runs of one job that have ended, from PBS's lists of tasks, which go back some weeks or months."""

    runs: int
    oldest: int
    """End of the oldest run, in seconds since the epoch."""
    last_success: t.Optional[int] = None
    """End of the newest run that ended with or without warnings, but without an error."""
    failures: int = 0
    """Runs since then, all of them failed."""
    first_failure: t.Optional[int] = None
    """End of the first of these."""
    longest: int = 0
    """Seconds that the longest of the last runs took."""


@dataclasses.dataclass
class JobRunFacts:
    """The last run of one job, from `/var/lib/proxmox-backup/jobstates`."""

    state: str
    """`ok`, `warning`, `error`, `running`, `created` (never run), `unknown` or `unreadable`."""
    end: t.Optional[int] = None
    """Seconds since the epoch; None if the run has not ended or never began."""
    message: str = ""
    warnings: int = 0
    upid: str = ""
    start: t.Optional[int] = None
    """Seconds since the epoch."""
    since: t.Optional[int] = None
    """Since when PBS waits for the next run, if not since the last start: the job was created, or its schedule changed."""
    history: t.Optional[JobHistoryFacts] = None
    """None if there is no list of tasks, or it has no run of this job."""


@dataclasses.dataclass
class JobFacts:
    """One prune or verify job that covers (part of) a datastore."""

    id: str
    schedule: str = ""
    namespace: str = ""
    max_depth: t.Optional[int] = None
    disabled: bool = False
    keeps: dict[str, int] = dataclasses.field(default_factory=dict)
    last_run: t.Optional[JobRunFacts] = None
    properties: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    """Every property as text, verbatim."""


@dataclasses.dataclass
class DatastoreConfig:
    """One section of `datastore.cfg`, with parsed property strings."""

    name: str
    path: str
    """As configured; relative to the device for a removable datastore."""
    properties: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    """Every property except `path` as text, verbatim (`gc-schedule`, `tuning`, …)."""
    tuning: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    """Parsed tuning options: `gc-atime-safety-check` as bool, `gc-atime-cutoff` in minutes, the others by their types."""
    tuning_error: str = ""
    """Why the tuning string does not parse (PBS stores it, and GC then fails)."""
    backend: str = "filesystem"
    """`filesystem` or `s3`."""
    backing_device: str = ""
    """Filesystem UUID of a removable datastore; empty for others."""
    maintenance_type: str = ""
    maintenance_message: str = ""
    gc_schedule: str = ""
    gc_last_run: t.Optional[JobRunFacts] = None
    prune_jobs: list[JobFacts] = dataclasses.field(default_factory=list)
    verify_jobs: list[JobFacts] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class SyncJobFacts:
    """One section of `sync.cfg`."""

    id: str
    store: str
    """The datastore on this host: the target of a pull, the source of a push."""
    remote: str = ""
    """Name of the remote; empty if both datastores are on this host."""
    remote_store: str = ""
    """The other datastore: the source of a pull, the target of a push."""
    direction: str = "pull"
    """`pull` or `push`."""
    namespace: str = ""
    remote_namespace: str = ""
    max_depth: t.Optional[int] = None
    schedule: str = ""
    owner: str = ""
    """Owner of the groups that a pull creates; empty means `root@pam`."""
    group_filters: list[str] = dataclasses.field(default_factory=list)
    run_on_mount: bool = False
    properties: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    """Every property as in the file: text, or a list of texts for `group-filter` and `associated-key`."""
    last_run: t.Optional[JobRunFacts] = None


@dataclasses.dataclass
class RemoteFacts:
    """One section of `remote.cfg`, without the password."""

    name: str
    host: str
    port: t.Optional[int] = None
    """None for PBS's default, 8007."""
    auth_id: str = ""
    fingerprint: str = ""
    properties: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    """Every property as in the file, except the password."""


@dataclasses.dataclass
class S3EndpointFacts:
    """One section of `s3.cfg`, without its keys."""

    id: str
    endpoint: str
    port: t.Optional[int] = None
    region: str = ""
    properties: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    """Every property as in the file, except the keys; a list of texts for `provider-quirks`."""


@dataclasses.dataclass
class ServerEntryFacts:
    """A traffic control rule, or a target or matcher of notifications, without secrets."""

    name: str
    type: str
    """`rule`, `matcher`, or the type of a target."""
    properties: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    """Every property as in the file: text, or a list of texts for one that repeats."""
    digests: dict[str, str] = dataclasses.field(default_factory=dict)
    """For the properties of a webhook that may hold a secret, and are therefore left out: the SHA-256 of their meaning."""
