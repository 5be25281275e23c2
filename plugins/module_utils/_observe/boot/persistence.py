# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the next boot mounts along a path: fstab, mount units, ZFS, and PBS itself."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import MountFacts, PersistentMount
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.boot.boot_targets import started_at_boot
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.boot.pbs_units import read_dependencies
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.environment import MountEnvironment
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.fstab import FstabEntry
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.mount_source import source_matches
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.mount_text import (
    hide_secret_in_source,
    hide_secrets,
    split_options,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.systemd import Link, Unit, unit_name_for
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import path_prefixes

LOCAL = "local-fs.target"
REMOTE = "remote-fs.target"

# The network filesystems of systemd's own list (fuse.X counts as X).
_NETWORK = frozenset(
    [
        "afs",
        "ceph",
        "cifs",
        "davfs",
        "gfs",
        "gfs2",
        "glusterfs",
        "lustre",
        "ncp",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "pvfs2",
        "smb3",
        "smbfs",
        "sshfs",
    ]
)


_LONGEST = 255 - len(".mount") + 1
"""Maximum length of a mount point with a unit: the name of the unit is the path without its first slash, at most 255 bytes."""


@dataclasses.dataclass(frozen=True)
class BootMount:
    """One entry that creates a mount, with what decides its order at boot."""

    facts: PersistentMount
    where: str
    """The mount point as in the kernel, not safe to show."""
    before: frozenset[str] = frozenset()
    """The units that start after it."""
    essential: bool = False
    """Whether the boot stops if it fails."""
    automount: bool = False


def observe_persistence(
    path: str, mount: t.Optional[MountFacts], removable: bool, env: MountEnvironment
) -> list[PersistentMount]:
    """The entries that mount something along `path` at boot.

    `path` is absolute and without links, `mount` is its current mount. Returns every entry for the mount point of `mount`,
    and for the directories below it down to `path`. The latter are not mounted now, and at boot they hide what is visible
    now; `where` tells them apart. Raises `OSError` if fstab or unit files cannot be read.
    """
    return [boot_mount.facts for boot_mount in boot_mounts(path, mount, removable, env)]


def boot_mounts(path: str, mount: t.Optional[MountFacts], removable: bool, env: MountEnvironment) -> list[BootMount]:
    """The same, with what decides the order at boot."""
    found: list[BootMount] = []
    for where in _mount_points(path, mount):
        unit = env.units.get(unit_name_for(where)) if len(where) <= _LONGEST else None
        if unit is not None and _is_from_fstab(unit, env):
            unit = None
        found += _from_fstab(where, unit, mount, env)
        if unit is not None:
            found.append(_from_unit(where, unit, mount, env))
    found += _from_zfs(_mount_points(path, mount), mount, env)
    if removable:
        found.append(_from_pbs(path, env))
    return found


def _mount_points(path: str, mount: t.Optional[MountFacts]) -> list[str]:
    """The directories from the current mount point down to the path."""
    prefixes = list(path_prefixes(path))
    if mount is not None and mount.mount_point in prefixes:
        return prefixes[prefixes.index(mount.mount_point) :]
    return prefixes


def _matches(
    source: str, fstype: str, options: t.Sequence[str], mount: t.Optional[MountFacts], env: MountEnvironment
) -> t.Optional[bool]:
    return None if mount is None else source_matches(source, fstype, options, mount, env)


# --- fstab ------------------------------------------------------------------------------------------------------------


def _from_fstab(
    where: str, unit: t.Optional[Unit], mount: t.Optional[MountFacts], env: MountEnvironment
) -> list[BootMount]:
    """The entries for one mount point; `unit` is a unit for it that was not generated from fstab."""
    found: list[BootMount] = []
    for resolved, entry in env.fstab:
        if resolved != where:
            continue
        detail = "line %d" % entry.line
        active, reason = _fstab_state(entry, env)
        detail += reason
        # systemd generates one unit per name, from the first entry, and none if another file has that name.
        if env.systemd and unit is not None:
            active = False
            detail += f"; systemd uses {unit.file} instead"
        elif env.systemd and found:
            active = False
            detail += "; systemd uses the earlier entry for this mount point"
        elif entry.automount:
            detail += "; mounted when first used"
        found.append(
            BootMount(
                facts=PersistentMount(
                    kind="fstab",
                    where=where,
                    source=hide_secret_in_source(entry.source),
                    fstype=entry.fstype,
                    options=list(hide_secrets(entry.options)),
                    file=env.fstab_path,
                    active_at_boot=active,
                    detail=detail,
                    source_matches=_matches(entry.source, entry.fstype, entry.options, mount, env),
                ),
                where=where,
                before=_implied_before(entry.fstype, entry.options),
                essential=_is_essential(entry),
                automount=entry.automount,
            )
        )
    return found


def _fstab_state(entry: FstabEntry, env: MountEnvironment) -> tuple[t.Optional[bool], str]:
    """Whether the entry is mounted at boot, and the reason if that is not plain."""
    if not entry.at_boot:
        return False, ""
    if entry.fstype == "autofs":
        return None, "; autofs: an automount daemon decides"
    if env.systemd and ".." in entry.where.split("/"):
        return False, "; systemd ignores a mount point with '..'"
    if env.systemd and entry.pulled_in_by:
        return _reached(entry.pulled_in_by, env, "; ")
    return True, ""


def _reached(parents: t.Collection[str], env: MountEnvironment, start: str = "") -> tuple[t.Optional[bool], str]:
    """Whether the boot starts one of the units that pull in a mount; with the reason."""
    answers = {parent: started_at_boot(parent, env) for parent in sorted(parents)}
    at_boot = [parent for parent, answer in answers.items() if answer]
    if at_boot:
        return True, f"{start}pulled in by {', '.join(at_boot)}"
    names = ", ".join(answers)
    if set(answers.values()) == {False}:
        return False, f"{start}pulled in only by {names}, which a boot does not start"
    return None, f"{start}pulled in by {names}; whether a boot starts it could not be determined"


def _is_essential(entry: FstabEntry) -> bool:
    if entry.pulled_in_by:
        return False
    return entry.at_boot and not entry.automount and LOCAL in _implied_before(entry.fstype, entry.options)


def _implied_before(fstype: str, options: t.Iterable[str]) -> frozenset[str]:
    """The target of the mount, which starts after it, unless the mount may fail; see systemd.mount(5)."""
    if "nofail" in options:
        return frozenset()
    plain_type = fstype[len("fuse.") :] if fstype.startswith("fuse.") else fstype
    return frozenset((REMOTE if plain_type in _NETWORK or "_netdev" in options else LOCAL,))


# --- mount units ------------------------------------------------------------------------------------------------------


def _is_from_fstab(unit: Unit, env: MountEnvironment) -> bool:
    return unit.value("Unit", "SourcePath") == env.fstab_path


def _from_unit(where: str, unit: Unit, mount: t.Optional[MountFacts], env: MountEnvironment) -> BootMount:
    source = unit.value("Mount", "What")
    fstype = unit.value("Mount", "Type")
    options = split_options(unit.value("Mount", "Options"))
    links = env.units.links_to(unit.name)
    automount_links = env.units.links_to(unit_name_for(where, ".automount"))
    active, detail = _unit_state(where, unit, links + automount_links, env)
    before = unit.units("Before")
    if unit.default_dependencies:
        before |= _implied_before(fstype, options)
    return BootMount(
        facts=PersistentMount(
            kind="systemd",
            where=where,
            source=hide_secret_in_source(source),
            fstype=fstype,
            options=list(hide_secrets(options)),
            file=unit.file,
            active_at_boot=active,
            detail=detail,
            source_matches=None if unit.masked else _matches(source, fstype, options, mount, env),
        ),
        where=where,
        before=frozenset(before),
        essential=any(link.parent == LOCAL and link.kind == "requires" and link.lasting for link in links),
        automount=bool(active and automount_links),
    )


def _unit_state(where: str, unit: Unit, links: t.Sequence[Link], env: MountEnvironment) -> tuple[t.Optional[bool], str]:
    """Whether it is mounted at boot, and why."""
    if unit.masked:
        return False, "the unit is masked"
    if not unit.lasting:
        return False, "the unit file does not survive a reboot"
    named = unit.value("Mount", "Where")
    if os.path.normpath(named or ".") != os.path.normpath(where):
        return False, f"systemd refuses it: Where={named} does not match the name of the unit"
    parents = {link.parent for link in links if link.lasting}
    active, reason = _reached(parents, env) if parents else (False, "")
    if active:
        return _unless_conditions(unit, reason)
    for dependencies in read_dependencies(env):
        by = dependencies.pulls_in(unit.name, where)
        if by:
            return _unless_conditions(unit, f"pulled in by {dependencies.unit} ({by})")
    if reason:
        return active, reason
    if links:
        return False, "it is enabled only until the next reboot"
    return False, "nothing pulls it in: it is not enabled"


def _unless_conditions(unit: Unit, reason: str) -> tuple[t.Optional[bool], str]:
    """A condition is tested at boot, when its answer may differ from the one that it would have now."""
    conditions = sorted(
        {key for section, key, value in unit.settings if section == "Unit" and value and _is_condition(key)}
    )
    if conditions:
        return None, f"{reason}, if {', '.join(conditions)} holds at boot"
    return True, reason


def _is_condition(key: str) -> bool:
    return key.startswith(("Condition", "Assert"))


# --- ZFS and PBS ------------------------------------------------------------------------------------------------------


def _from_zfs(mount_points: t.Sequence[str], mount: t.Optional[MountFacts], env: MountEnvironment) -> list[BootMount]:
    """The datasets that ZFS itself mounts there, and the one that is mounted now, wherever ZFS will mount it."""
    if mount is not None and mount.fstype != "zfs" and not mount.is_root:
        return []
    found: list[BootMount] = []
    service = env.units.get("zfs-mount.service")
    runs = any(link.lasting for link in env.units.links_to("zfs-mount.service"))
    for dataset in env.datasets:
        is_mounted_now = mount is not None and mount.fstype == "zfs" and dataset.name == mount.source
        if not dataset.mountpoint.startswith("/"):
            continue
        if dataset.mountpoint not in mount_points and not is_mounted_now:
            continue
        active: t.Optional[bool] = dataset.canmount == "on"
        detail = f"canmount={dataset.canmount}"
        if active and service is not None and (service.masked or not runs):
            # zfs-mount-generator may mount it; it then has its own unit.
            active = None
            detail += "; zfs-mount.service is not enabled"
        found.append(
            BootMount(
                facts=PersistentMount(
                    kind="zfs",
                    where=dataset.mountpoint,
                    source=dataset.name,
                    fstype="zfs",
                    file=dataset.name,
                    active_at_boot=active,
                    detail=detail,
                    source_matches=None if mount is None else is_mounted_now,
                ),
                where=dataset.mountpoint,
                before=frozenset(service.units("Before")) if service is not None and active else frozenset(),
            )
        )
    return found


def _from_pbs(path: str, env: MountEnvironment) -> BootMount:
    """A removable datastore: udev starts a unit of PBS when the device appears, also at boot."""
    unit = "removable-device-attach@.service"
    there = env.units.get(unit)
    return BootMount(
        facts=PersistentMount(
            kind="pbs",
            where=path,
            file=unit,
            active_at_boot=None if there is None else not there.masked,
            detail="PBS mounts it when its device is attached",
        ),
        where=path,
    )
