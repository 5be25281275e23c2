# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host: its account, clock, daemons, configuration directory and id map."""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass
class AccountFacts:
    """The daemon's account, looked up by name as PBS does on every use."""

    user: str
    group: str
    uid: t.Optional[int] = None
    primary_gid: t.Optional[int] = None
    gid: t.Optional[int] = None
    """The id of the group named `group`."""
    groups: list[int] = dataclasses.field(default_factory=list)
    """Every group that the user is in, the primary one included."""


@dataclasses.dataclass
class ClockFacts:
    """The kernel's own opinion of its clock (`adjtimex`, read only)."""

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
    """True where the running program file was replaced on disk since the start (an upgrade without a restart)."""
    old_workers: list[int] = dataclasses.field(default_factory=list)
    """Processes of the unit that still run a replaced program (they stay after a reload, for running tasks)."""
    error: str = ""


@dataclasses.dataclass
class ConfigFileFacts:
    path: str
    exists: bool
    uid: t.Optional[int] = None
    gid: t.Optional[int] = None
    mode: t.Optional[str] = None
    digest: str = ""
    """SHA-256 of the bytes in hex; a missing file has the digest of the empty string, as PBS has it."""
    parsed: t.Optional[bool] = None
    """True also for a missing file: PBS takes it for an empty one. None where it could not be read."""
    error: str = ""
    line: int = 0
    readable: t.Optional[bool] = None
    """Whether the daemon's user may read it, by owner, group and mode; None where the account or the file is unknown."""
    unknown: list[str] = dataclasses.field(default_factory=list)
    """What a PBS that is newer than this collection may know, and this collection does not; it is no error."""


@dataclasses.dataclass
class ConfigDirFacts:
    path: str
    exists: bool
    uid: t.Optional[int] = None
    gid: t.Optional[int] = None
    mode: t.Optional[str] = None
    files: list[ConfigFileFacts] = dataclasses.field(default_factory=list)
    error: str = ""


@dataclasses.dataclass
class IdRange:
    """One line of `/proc/self/uid_map` or `gid_map`."""

    inside: int
    outside: int
    count: int


@dataclasses.dataclass
class IdMapFacts:
    namespaced: bool
    """False where the map is the identity over all ids (no user namespace)."""
    uids: list[IdRange] = dataclasses.field(default_factory=list)
    gids: list[IdRange] = dataclasses.field(default_factory=list)
    error: str = ""


@dataclasses.dataclass
class HostFacts:
    name: str
    euid: int
    systemd: bool
    """systemd is process 1 here, so that units mean something."""
    pbs_installed: bool
    pbs_version: t.Optional[str]
    account: AccountFacts
    clock: ClockFacts
    daemons: list[DaemonFacts]
    config_dir: ConfigDirFacts
    old_locking: t.Optional[bool]
    id_map: IdMapFacts
    container: str = ""
    """The kind of container that this host is (`lxc`, `systemd-nspawn`, …), as systemd has noted it; empty for none."""
