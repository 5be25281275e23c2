# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a datastore lives: the path, its mount, and what makes that mount at boot."""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass
class LocationFacts:
    """The path itself: as root sees it, and whether the daemon's user can reach it."""

    exists: bool
    type: str = ""
    """Type of the object at the path; links are followed, as in PBS."""
    realpath: str = ""
    dev: int = 0
    ino: int = 0
    uid: int = -1
    gid: int = -1
    mode: str = ""
    error: str = ""
    """errno name and text if the path could not be inspected."""
    reachable: t.Optional[bool] = None
    """Whether the daemon's user can enter every directory of the path."""
    blocked_at: str = ""
    """The first directory of the path that it cannot enter."""


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
    """Whether it shows a part of a filesystem (root is neither `/` nor a subvolume or dataset root), or is also mounted elsewhere."""
    stacked: int = 0
    """Number of other mounts that this one hides at the same mount point."""
    is_root: bool = False
    """Whether it is the mount of `/`."""
    deleted: bool = False
    """Whether the directory that it shows was removed from its filesystem, so that it cannot be mounted again."""
    also_at: list[str] = dataclasses.field(default_factory=list)
    """Other mount points that show the same directory of the same filesystem."""


@dataclasses.dataclass
class PersistentMount:
    """One configuration entry that creates a mount at boot."""

    kind: str
    """`fstab`, `systemd`, `zfs` or `pbs` (a removable datastore that PBS mounts itself)."""
    where: str
    source: str = ""
    fstype: str = ""
    options: list[str] = dataclasses.field(default_factory=list)
    file: str = ""
    """The file with the entry, or the name of the unit or dataset."""
    active_at_boot: t.Optional[bool] = None
    """False for `noauto`, a disabled unit, `canmount=off|noauto`."""
    detail: str = ""
    source_matches: t.Optional[bool] = None
    """Whether its source names the device that is mounted now; None if that cannot be found out."""


@dataclasses.dataclass
class UnitOrderFacts:
    """Whether one PBS unit waits for the mount at boot."""

    unit: str
    waits: t.Optional[bool]
    """Whether it starts at boot only after the mount succeeded or failed."""
    by: str = ""
    """What makes it wait: `RequiresMountsFor=…`, `Requires=… After=…`, `After=local-fs.target`."""
    needs: t.Optional[bool] = None
    """Whether it does not start if the mount fails."""
    error: str = ""


@dataclasses.dataclass
class DaemonViewFacts:
    """The same path in the mount namespace of a running daemon."""

    unit: str
    pid: int
    same: t.Optional[bool]
    """Whether the path leads to the same directory of the same filesystem there."""
    detail: str = ""
    options: list[str] = dataclasses.field(default_factory=list)
    """The per-mount options there: a unit may mount read-only for itself what is read-write for us."""


@dataclasses.dataclass
class SpaceFacts:
    bytes_total: int
    bytes_available: int
    """Available to an ordinary user (`f_bavail`), because the daemon is one."""
    inodes_total: int
    """0 if the filesystem has no fixed number."""
    inodes_available: int


@dataclasses.dataclass
class ZfsFacts:
    dataset: str
    properties: dict[str, str] = dataclasses.field(default_factory=dict)
    """`atime`, `relatime`, `canmount`, `mountpoint`, `readonly`, `mounted`, `quota`, `refquota`."""
    error: str = ""
