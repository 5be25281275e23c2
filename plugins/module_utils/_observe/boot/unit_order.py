# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the daemons of PBS wait for the mount of a datastore when the host boots."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import UnitOrderFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.boot.pbs_units import (
    Dependencies,
    path_below,
    read_dependencies,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.boot.persistence import (
    LOCAL,
    BootMount,
    boot_mounts,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.environment import MountEnvironment
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.systemd import unit_name_for


def observe_unit_order(path: str, env: MountEnvironment) -> list[UnitOrderFacts]:
    """For each daemon's unit, whether it waits for the mount that `path` will be on after a boot.

    `path` is absolute and without links. A unit waits either by a dependency on the mount, or by systemd's default order:
    a local mount without `nofail` comes before `local-fs.target`, and nearly every service starts after that. `needs` is
    whether the daemon does not start if the mount fails. Raises `OSError` if unit files cannot be read.
    """
    boot_mount, mount_point = _awaited(path, env)
    order: list[UnitOrderFacts] = []
    for dependencies in read_dependencies(env):
        if dependencies.error:
            order.append(UnitOrderFacts(dependencies.unit, None, error=dependencies.error))
        elif mount_point == "/":
            order.append(UnitOrderFacts(dependencies.unit, True, by="it is the root filesystem", needs=True))
        else:
            order.append(_order(_with_files(dependencies, mount_point, env), mount_point, boot_mount, order))
    return order


def _awaited(path: str, env: MountEnvironment) -> tuple[t.Optional[BootMount], str]:
    """The mount to wait for: the deepest one of the next boot, else the current one."""
    now = env.table.find_entry(path)
    at_boot = [
        boot_mount
        for boot_mount in boot_mounts(path, env.table.find(path), False, env)
        if boot_mount.facts.active_at_boot is not False
    ]
    if at_boot:
        deepest = max(at_boot, key=lambda boot_mount: len(boot_mount.where))
        return deepest, deepest.where
    return None, "/" if now is None else now.mount_point


def _with_files(dependencies: Dependencies, mount_point: str, env: MountEnvironment) -> Dependencies:
    """The dependencies plus those in the mount's own unit files; the answer of systemd already contains them."""
    if env.systemd:
        return dependencies
    name = unit_name_for(mount_point)
    kinds = {link.kind for link in env.units.links_to(name) if link.parent == dependencies.unit}
    unit = env.units.get(name)
    before = unit.units("Before") if unit is not None else set()
    return Dependencies(
        unit=dependencies.unit,
        after=dependencies.after | ({name} if dependencies.unit in before else set()),
        requires=dependencies.requires | ({name} if "requires" in kinds else set()),
        wants=dependencies.wants | ({name} if "wants" in kinds else set()),
        requires_mounts_for=dependencies.requires_mounts_for,
        wants_mounts_for=dependencies.wants_mounts_for,
    )


def _order(
    unit: Dependencies, mount_point: str, boot_mount: t.Optional[BootMount], others: t.Sequence[UnitOrderFacts]
) -> UnitOrderFacts:
    mount_unit = unit_name_for(mount_point)
    needed = path_below(unit.requires_mounts_for, mount_point)
    if needed:
        return UnitOrderFacts(unit.unit, True, by=f"RequiresMountsFor={needed}", needs=True)
    is_after = mount_unit in unit.after
    if mount_unit in unit.requires:
        by = f"Requires={mount_unit}" + (f" After={mount_unit}" if is_after else f" without After={mount_unit}")
        return UnitOrderFacts(unit.unit, is_after, by=by, needs=True)
    essential = boot_mount is not None and boot_mount.essential
    by = _waits_by(unit, mount_unit, mount_point, boot_mount, others)
    return UnitOrderFacts(unit.unit, bool(by), by=by, needs=bool(by) and essential)


def _waits_by(
    unit: Dependencies,
    mount_unit: str,
    mount_point: str,
    boot_mount: t.Optional[BootMount],
    others: t.Sequence[UnitOrderFacts],
) -> str:
    """The dependency that makes the unit wait without requiring the mount; empty if there is none."""
    wanted = path_below(unit.wants_mounts_for, mount_point)
    if wanted:
        return "WantsMountsFor=" + wanted
    is_after = mount_unit in unit.after
    if is_after and mount_unit in unit.wants:
        return f"Wants={mount_unit} After={mount_unit}"
    if boot_mount is None:
        return ""
    if is_after:
        return "After=" + mount_unit
    if boot_mount.automount:
        return "the automount, which makes every access wait"
    before = boot_mount.before & _reached(unit)
    if before:
        return "After=" + min(before)
    for other in others:
        if other.waits and other.unit in unit.after:
            return f"After={other.unit}, which waits"
    return ""


def _reached(unit: Dependencies) -> frozenset[str]:
    """The units that it starts after, including the one indirect step that matters for mounts."""
    if {"sysinit.target", "basic.target"}.isdisjoint(unit.after):
        return unit.after
    return unit.after | {LOCAL}
