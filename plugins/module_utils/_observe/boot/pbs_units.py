# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The dependencies of PBS's units, from systemd if it runs, else from the unit files."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.environment import (
    PBS_UNITS,
    MountEnvironment,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.systemd import Unit

_WORD = re.compile(r'"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>\S+)', re.DOTALL)
_ESCAPED = re.compile(r"\\([0-7]{3}|.)", re.DOTALL)
_CONTROLS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclasses.dataclass(frozen=True)
class Dependencies:
    """The dependencies of one unit that affect mounts."""

    unit: str
    error: str = ""
    """Why they are unknown; all other fields are then empty."""
    after: frozenset[str] = frozenset()
    requires: frozenset[str] = frozenset()
    """All dependencies without which the unit does not start: `Requires=`, `Requisite=`, `BindsTo=`."""
    wants: frozenset[str] = frozenset()
    requires_mounts_for: tuple[str, ...] = ()
    """Paths."""
    wants_mounts_for: tuple[str, ...] = ()

    def pulls_in(self, mount_unit: str, mount_point: str) -> str:
        """The dependency that makes systemd mount it, for example `Requires=mnt-tank.mount`; empty if there is none."""
        for key, paths in (
            ("RequiresMountsFor", self.requires_mounts_for),
            ("WantsMountsFor", self.wants_mounts_for),
        ):
            path = path_below(paths, mount_point)
            if path:
                return f"{key}={path}"
        if mount_unit in self.requires:
            return "Requires=" + mount_unit
        return "Wants=" + mount_unit if mount_unit in self.wants else ""


def path_below(paths: t.Iterable[str], mount_point: str) -> str:
    """The first of these paths at or below the mount point, which needs the mount."""
    below = mount_point.rstrip("/") + "/"
    return next((path for path in paths if path == mount_point or path.startswith(below)), "")


def read_dependencies(env: MountEnvironment) -> list[Dependencies]:
    """The dependencies of each unit of PBS. Raises `OSError` if unit files cannot be read."""
    if env.systemd:
        return _from_systemd(env)
    return [_from_files(name, env) for name in PBS_UNITS]


def _from_systemd(env: MountEnvironment) -> list[Dependencies]:
    answer = env.unit_answer
    blocks = {}
    for block in answer.output.split("\n\n"):
        properties = dict(line.partition("=")[::2] for line in block.split("\n") if "=" in line)
        blocks[properties.get("Id", "")] = properties
    return [_from_properties(name, blocks.get(name), answer.error) for name in PBS_UNITS]


def _from_properties(name: str, properties: t.Optional[dict[str, str]], error: str) -> Dependencies:
    if properties is None:
        return Dependencies(name, error or "systemctl returned nothing about it")
    state = properties.get("LoadState", "")
    if state != "loaded":
        return Dependencies(name, "the unit is not loaded (%s)" % (state or "no state"))

    def units(*keys: str) -> frozenset[str]:
        return frozenset(unit for key in keys for unit in _words(properties.get(key, "")))

    return Dependencies(
        unit=name,
        after=units("After"),
        requires=units("Requires", "Requisite", "BindsTo"),
        wants=units("Wants"),
        requires_mounts_for=tuple(_words(properties.get("RequiresMountsFor", ""))),
        wants_mounts_for=tuple(_words(properties.get("WantsMountsFor", ""))),
    )


def _words(value: str) -> list[str]:
    """The items of a list from `systemctl show`.

    Items with a space or a backslash are quoted; the unit of every mount point with a dash has a backslash. In quotes,
    special characters follow a backslash, and control characters are escaped as in the C language.
    """
    return [
        _ESCAPED.sub(_unescaped, quoted) if plain is None else plain
        for quoted, plain in ((found.group("quoted"), found.group("plain")) for found in _WORD.finditer(value))
    ]


def _unescaped(found: t.Match[str]) -> str:
    text = found.group(1)
    return chr(int(text, 8)) if len(text) == 3 else _CONTROLS.get(text, text)


def _from_files(name: str, env: MountEnvironment) -> Dependencies:
    unit = env.units.get(name)
    if unit is None:
        return Dependencies(name, "the unit does not exist")
    if unit.masked:
        return Dependencies(name, "the unit is masked")
    return Dependencies(
        unit=name,
        after=frozenset(unit.units("After") | _implied_after(unit)),
        requires=frozenset(unit.units("Requires") | unit.units("Requisite") | unit.units("BindsTo")),
        wants=frozenset(unit.units("Wants")),
        requires_mounts_for=tuple(unit.paths("RequiresMountsFor")),
        wants_mounts_for=tuple(unit.paths("WantsMountsFor")),
    )


def _implied_after(unit: Unit) -> set[str]:
    return {"sysinit.target", "basic.target"} if unit.default_dependencies else set()
