# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ZFS datasets and their properties, if the program `zfs` is installed."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import ZfsFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._system.program import Run, run

PROPERTIES = ("atime", "relatime", "canmount", "mountpoint", "readonly", "mounted", "quota", "refquota")

_TIMEOUT = 10.0
"""Seconds; with a suspended pool the program hangs."""


@dataclasses.dataclass(frozen=True)
class Dataset:
    name: str
    mountpoint: str
    """A path, `legacy` (fstab mounts it) or `none`."""
    canmount: str
    """`on`, `off` or `noauto`."""


def observe_zfs(dataset: str, run_command: Run = run) -> t.Optional[ZfsFacts]:
    """The properties of one dataset; None if zfs is not installed. Never raises; returns within a deadline."""
    return observe_zfs_datasets([dataset], run_command).get(dataset)


def observe_zfs_datasets(datasets: t.Sequence[str], run_command: Run = run) -> dict[str, ZfsFacts]:
    """The same for several datasets in one call; empty if zfs is not installed."""
    if not datasets:
        return {}
    wanted = list(dict.fromkeys(datasets))
    answer = run_command(["zfs", "get", "-Hp", "-o", "name,property,value", ",".join(PROPERTIES), *wanted], _TIMEOUT)
    if answer.missing:
        return {}
    facts = {dataset: ZfsFacts(dataset) for dataset in wanted}
    for name, name_of_property, value in _rows(answer.output, 3):
        if name in facts:
            facts[name].properties[name_of_property] = value
    for found in facts.values():
        if not found.properties:
            found.error = answer.error or "zfs returned nothing about it"
    return facts


def list_datasets(run_command: Run = run) -> list[Dataset]:
    """All filesystem datasets of the imported pools; empty if zfs is not installed or does not answer."""
    answer = run_command(["zfs", "list", "-Hp", "-t", "filesystem", "-o", "name,mountpoint,canmount"], _TIMEOUT)
    return [Dataset(name, mountpoint, canmount) for name, mountpoint, canmount in _rows(answer.output, 3)]


def _rows(text: str, columns: int) -> t.Iterator[list[str]]:
    for line in text.split("\n"):
        fields = line.split("\t")
        if len(fields) == columns:
            yield fields
