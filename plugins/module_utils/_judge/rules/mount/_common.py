# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Queries that several rules about mounts share."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import MountFacts, PersistentMount
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.causes import explain
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import Case, Evidence, Remedy, in_shell


def mount_of(case: Case) -> MountFacts:
    return t.cast(MountFacts, case.need("mount"))


def mount_evidence(mount: MountFacts) -> Evidence:
    return {
        "mount_point": mount.mount_point,
        "source": mount.source,
        "fstype": mount.fstype,
        "options": mount.options,
        "super_options": mount.super_options,
    }


def contract_of(case: Case) -> t.Mapping[str, t.Any]:
    """The `mount` part of the declaration; empty if there is none."""
    return (case.declared or {}).get("mount") or {}


def own_persistent(case: Case, mount: MountFacts) -> list[PersistentMount]:
    return [entry for entry in case.need("persistent") if entry.where == mount.mount_point]


def refused_by(case: Case, numbers: t.Sequence[int]) -> t.Optional[tuple[str, Remedy]]:
    """The failed step of the probe and its fix, if one of these errors stopped it; otherwise None."""
    atime = case.the_store.atime
    for touch in (atime.probe, atime.zero_chunk) if atime is not None else ():
        if touch is not None and touch.errno in numbers:
            explanation, remedy = explain(case, touch.errno)
            made = "made" if touch.step == "create" else "touched"
            detail = f"{touch.error}: {explanation}" if explanation else touch.error
            return "no file could be %s as uid %d in %s: %s" % (made, touch.uid, case.the_store.path, detail), remedy
    return None


def drop_in(units: t.Sequence[str], section: str, key: str, path: str) -> tuple[str, ...]:
    """Commands that give units a setting with a path, quoted for the unit file and again for the shell."""
    quoted = path.replace("%", "%%")
    if any(char in quoted for char in " \t\"'\\"):
        quoted = '"%s"' % quoted.replace("\\", "\\\\").replace('"', '\\"')
    commands = []
    for unit in units:
        directory = f"/etc/systemd/system/{unit}.d"
        file = f"{directory}/fleetops-{section.lower()}.conf"
        commands.append(f"mkdir -p {in_shell(directory)}")
        commands.append(f"printf '%s\\n' {in_shell(f'[{section}]', f'{key}={quoted}')} >> {in_shell(file)}")
    return (*commands, "systemctl daemon-reload")


def is_below(path: str, parent: str) -> bool:
    return path.startswith(parent.rstrip("/") + "/")
