# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a datastore lives: the path, its mount, and what makes that mount at boot."""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass
class LocationFacts:
    """The path itself, as root sees it and as the daemon's user can reach it."""

    exists: bool
    type: str = ""
    """Type of what the path leads to, links followed (PBS follows them)."""
    realpath: str = ""
    dev: int = 0
    ino: int = 0
    uid: int = -1
    gid: int = -1
    mode: str = ""
    error: str = ""
    """errno name and text where the path could not be looked at."""
    reachable: t.Optional[bool] = None
    """Whether the daemon's user can enter every directory on the way."""
    blocked_at: str = ""
    """The first directory on the way that it cannot enter."""


@dataclasses.dataclass
class MountFacts:
    """The mount that a path is on, from `/proc/self/mountinfo`."""

    mount_id: int
    parent_id: int
    device: str
    """`major:minor`."""
    root: str
    """The directory of the filesystem that is mounted here; not `/` for a bind mount or a btrfs subvolume."""
    mount_point: str
    fstype: str
    source: str
    options: list[str] = dataclasses.field(default_factory=list)
    """Per-mount options (`ro`, `noatime`, `relatime`, …)."""
    super_options: list[str] = dataclasses.field(default_factory=list)
    """Options of the filesystem itself, shared by all its mounts."""
    bind: bool = False
    """It shows a part of a filesystem (root is not `/`, and that is no subvolume or dataset root), or one that is mounted elsewhere too."""
    stacked: int = 0
    """How many other mounts lie hidden under this one at the same mount point."""
    is_root: bool = False
    """It is the mount of `/`."""
    deleted: bool = False
    """The directory that it shows has been removed from its filesystem since, so that nothing can mount it again."""
    also_at: list[str] = dataclasses.field(default_factory=list)
    """Other mount points that show the same directory of the same filesystem."""


@dataclasses.dataclass
class PersistentMount:
    """One thing that would make a mount at boot."""

    kind: str
    """`fstab`, `systemd`, `zfs` or `pbs` (a removable datastore that PBS mounts itself)."""
    where: str
    source: str = ""
    fstype: str = ""
    options: list[str] = dataclasses.field(default_factory=list)
    file: str = ""
    """The file that says so, or the unit or dataset name."""
    active_at_boot: t.Optional[bool] = None
    """False for `noauto`, a disabled unit, `canmount=off|noauto`."""
    detail: str = ""
    source_matches: t.Optional[bool] = None
    """Whether its source names the device that is mounted now; None where that cannot be told."""


@dataclasses.dataclass
class UnitOrderFacts:
    """Whether one PBS unit waits for the mount at boot."""

    unit: str
    waits: t.Optional[bool]
    """At boot it starts only after the mount has been made or has failed."""
    by: str = ""
    """What makes it wait: `RequiresMountsFor=…`, `Requires=… After=…`, `After=local-fs.target`."""
    needs: t.Optional[bool] = None
    """It does not start at all where the mount has failed."""
    error: str = ""


@dataclasses.dataclass
class DaemonViewFacts:
    """The same path in the mount namespace of a running daemon."""

    unit: str
    pid: int
    same: t.Optional[bool]
    """There the path leads to the same directory of the same filesystem."""
    detail: str = ""
    options: list[str] = dataclasses.field(default_factory=list)
    """The per-mount options there: a unit may make read-only for itself what is read-write for us."""


@dataclasses.dataclass
class SpaceFacts:
    bytes_total: int
    bytes_available: int
    """For an ordinary user (`f_bavail`), since the daemon is one."""
    inodes_total: int
    """0 where the filesystem has no fixed number."""
    inodes_available: int


@dataclasses.dataclass
class ZfsFacts:
    dataset: str
    properties: dict[str, str] = dataclasses.field(default_factory=dict)
    """`atime`, `relatime`, `canmount`, `mountpoint`, `readonly`, `mounted`, `quota`, `refquota`."""
    error: str = ""
