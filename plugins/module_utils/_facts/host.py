# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host: its account, clock, daemons, configuration directory and id map."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import (
    RemoteFacts,
    S3EndpointFacts,
    ServerEntryFacts,
    SyncJobFacts,
)


@dataclasses.dataclass
class AccountFacts:
    """The daemon's account, looked up by name as PBS does for every use."""

    user: str
    group: str
    uid: t.Optional[int] = None
    primary_gid: t.Optional[int] = None
    gid: t.Optional[int] = None
    """The id of the group named `group`."""
    groups: list[int] = dataclasses.field(default_factory=list)
    """Every group of the user, including the primary one."""


@dataclasses.dataclass
class ClockFacts:
    """The state of the kernel's clock, read with `adjtimex`."""

    synchronised: t.Optional[bool] = None
    state: t.Optional[int] = None
    status: t.Optional[int] = None
    max_error_us: t.Optional[int] = None
    error: str = ""


@dataclasses.dataclass
class DaemonFacts:
    unit: str
    load_state: str = ""
    active_state: str = ""
    main_pid: int = 0
    executable: str = ""
    replaced: t.Optional[bool] = None
    """True if the file of the running program was replaced on disk since the start (an upgrade without a restart)."""
    old_workers: list[int] = dataclasses.field(default_factory=list)
    """Processes of the unit that still run a replaced program (after a reload they stay until their tasks end)."""
    error: str = ""


@dataclasses.dataclass
class ConfigFileFacts:
    path: str
    exists: bool
    uid: t.Optional[int] = None
    gid: t.Optional[int] = None
    mode: t.Optional[str] = None
    digest: str = ""
    """SHA-256 of the bytes in hex; for a missing file the digest of the empty string, as in PBS."""
    parsed: t.Optional[bool] = None
    """Also True for a missing file, which PBS treats as empty. None if it could not be read."""
    error: str = ""
    line: int = 0
    readable: t.Optional[bool] = None
    """Whether the daemon's user may read it, by owner, group and mode; None if the account or the file is unknown."""
    unknown: list[str] = dataclasses.field(default_factory=list)
    """Settings that this collection does not know, but a newer PBS may know; not an error."""


@dataclasses.dataclass
class CertificateFacts:
    """The certificate of PBS's web server, `proxy.pem`."""

    fingerprint: str = ""
    """SHA-256 as other servers have it in `remote.cfg`; empty if it could not be read."""
    not_after: t.Optional[int] = None
    """The end of its validity, in seconds since the epoch."""
    error: str = ""


@dataclasses.dataclass
class ConfigDirFacts:
    path: str
    exists: bool
    uid: t.Optional[int] = None
    gid: t.Optional[int] = None
    mode: t.Optional[str] = None
    files: list[ConfigFileFacts] = dataclasses.field(default_factory=list)
    error: str = ""
    sync_jobs: t.Optional[list[SyncJobFacts]] = None
    """None if `sync.cfg` could not be read or has no valid syntax; empty if it does not exist."""
    remotes: t.Optional[list[RemoteFacts]] = None
    """None if `remote.cfg` could not be read or has no valid syntax; empty if it does not exist."""
    s3_endpoints: t.Optional[list[S3EndpointFacts]] = None
    """None if `s3.cfg` could not be read or has no valid syntax; empty if it does not exist."""
    certificate: t.Optional[CertificateFacts] = None
    """None if there is none: PBS makes it when it starts for the first time."""
    traffic_controls: t.Optional[list[ServerEntryFacts]] = None
    """None if `traffic-control.cfg` could not be read or has no valid syntax; empty if it does not exist."""
    notification_targets: t.Optional[list[ServerEntryFacts]] = None
    """With those that PBS brings; None if `notifications.cfg` could not be read or has no valid syntax."""
    notification_matchers: t.Optional[list[ServerEntryFacts]] = None
    """With those that PBS brings; None if `notifications.cfg` could not be read or has no valid syntax."""


@dataclasses.dataclass
class IdRange:
    """One line of `/proc/self/uid_map` or `gid_map`."""

    inside: int
    outside: int
    count: int


@dataclasses.dataclass
class IdMapFacts:
    namespaced: bool
    """False if the map is the identity over all ids (no user namespace)."""
    uids: list[IdRange] = dataclasses.field(default_factory=list)
    gids: list[IdRange] = dataclasses.field(default_factory=list)
    error: str = ""


@dataclasses.dataclass
class TaskFacts:
    """A task of PBS that runs."""

    upid: str
    type: str
    """`delete-datastore`, `garbage_collection`, …"""
    id: str
    """What it works on, such as the name of a datastore."""
    start: int
    """Seconds since the epoch."""


@dataclasses.dataclass
class HostFacts:
    name: str
    euid: int
    systemd: bool
    """Whether systemd is process 1, so that units are in effect."""
    pbs_installed: bool
    pbs_version: t.Optional[str]
    account: AccountFacts
    clock: ClockFacts
    daemons: list[DaemonFacts]
    config_dir: ConfigDirFacts
    old_locking: t.Optional[bool]
    id_map: IdMapFacts
    container: str = ""
    """The kind of container that this host is (`lxc`, `systemd-nspawn`, …), as systemd recorded it; empty for none."""
    utc_offset: t.Optional[int] = None
    """Local time of the host minus UTC at the time of the run, in seconds: PBS's schedules are in local time."""
    task_list_error: str = ""
    """Why PBS's lists of tasks could not be read; empty if they were read, or do not exist."""
    running_tasks: t.Optional[list[TaskFacts]] = None
    """None if they are not known."""
