# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sources of information about mounts on a host, read on demand and once for all datastores."""

from __future__ import annotations

import os
import typing as t
from functools import cached_property

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.fstab import FstabEntry, parse_fstab
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.systemd import (
    UNIT_DIRECTORIES,
    UnitDirectory,
    Units,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.zfs import Dataset, list_datasets
from ansible_collections.fleetops.pbs.plugins.module_utils._system.program import Answer, Run, run

_TIMEOUT = 10.0
"""Seconds within which systemd must answer."""

PBS_UNITS = ("proxmox-backup.service", "proxmox-backup-proxy.service")

_UNIT_PROPERTIES = (
    "Id,LoadState,After,Requires,Requisite,BindsTo,Wants,RequiresMountsFor,WantsMountsFor"  # the last since systemd 256
)


class MountEnvironment:
    """The sources of one host, none of them on a datastore. The properties raise `OSError` if a source cannot be read."""

    def __init__(
        self,
        fstab: str = "/etc/fstab",
        unit_directories: t.Sequence[UnitDirectory] = UNIT_DIRECTORIES,
        proc: str = "/proc",
        dev: str = "/dev",
        sys: str = "/sys",
        systemd: t.Optional[bool] = None,
        run_command: Run = run,
        table: t.Optional[MountTable] = None,
    ) -> None:
        self.fstab_path = fstab
        self.proc = proc
        self.dev = dev
        self.sys = sys
        self.systemd = os.path.isdir("/run/systemd/system") if systemd is None else systemd
        """Whether systemd is process 1, so that it can be queried."""
        self.run_command = run_command
        self.units = Units(unit_directories)
        self._table = table
        self._tables: dict[int, MountTable] = {}

    @cached_property
    def table(self) -> MountTable:
        """The mounts that this process sees."""
        return MountTable.read(os.path.join(self.proc, "self")) if self._table is None else self._table

    def table_of(self, pid: int) -> MountTable:
        """The mounts that another process sees."""
        if pid not in self._tables:
            self._tables[pid] = MountTable.read(os.path.join(self.proc, str(pid)))
        return self._tables[pid]

    @cached_property
    def fstab(self) -> list[tuple[str, FstabEntry]]:
        """Each entry of fstab with its real mount point; links are followed, as in mount(8)."""
        try:
            with open(self.fstab_path, "rb") as file:
                entries, _skipped = parse_fstab(file.read())
        except FileNotFoundError:
            return []
        return [(self.table.resolve(entry.where), entry) for entry in entries]

    @cached_property
    def datasets(self) -> list[Dataset]:
        """The ZFS datasets, if zfs is installed and answers."""
        return list_datasets(self.run_command)

    @cached_property
    def unit_answer(self) -> Answer:
        """The properties of PBS's units from systemd, in one call."""
        return self.run_command(
            ["systemctl", "show", "--no-pager", "--property", _UNIT_PROPERTIES, "--", *PBS_UNITS], _TIMEOUT
        )
