# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.environment import MountEnvironment
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.systemd import UnitDirectory
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable
from ansible_collections.fleetops.pbs.plugins.module_utils._system.program import Answer


class MountHost:
    """A host that exists in a directory: fstab, unit files, links of udev, and a made-up table of mounts.

    Unless told otherwise, /dev/sdb1 (8:17, ext4) is mounted on /mnt/tank and systemd is not process 1.
    """

    MOUNTS = (
        "1 0 8:1 / / rw,relatime - ext4 /dev/sda1 rw",
        "2 1 8:17 / /mnt/tank rw,relatime - ext4 /dev/sdb1 rw",
    )

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.fstab = directory / "fstab"
        self.dev = directory / "dev"
        self.dev.mkdir()
        self.answers: dict[str, Answer] = {}
        """What programs answer, by their name; others are missing."""
        self.asked: list[list[str]] = []

    def unit(self, name: str, text: str, place: str = "etc") -> Path:
        """A file below the directory of units; `etc`, `run`, `generator` or `lib`."""
        path = self.directory / place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def link(self, holder: str, name: str, place: str = "etc") -> None:
        """`link("multi-user.target.wants", "x.mount")`, as `systemctl enable` makes it."""
        path = self.directory / place / holder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to("../" + name)

    def device(self, name: str, number: str) -> Path:
        """A block device node; needs root."""
        path = self.dev / name
        path.parent.mkdir(parents=True, exist_ok=True)
        major, minor = number.split(":")
        os.mknod(path, 0o60600, os.makedev(int(major), int(minor)))
        return path

    def run_command(self, argv: list[str], timeout: float) -> Answer:
        assert timeout > 0
        self.asked.append(list(argv))
        return self.answers.get(argv[0], Answer(error=f"{argv[0]}: ENOENT", missing=True))

    def environment(self, *mounts: str, systemd: bool = False) -> MountEnvironment:
        names = ("etc", "run", "generator", "lib")
        places = [UnitDirectory(str(self.directory / name), lasting=name != "run") for name in names]
        return MountEnvironment(
            fstab=str(self.fstab),
            unit_directories=places,
            dev=str(self.dev),
            sys=str(self.directory / "sys"),
            systemd=systemd,
            run_command=self.run_command,
            table=MountTable.parse("\n".join(mounts or self.MOUNTS).replace("/dev/", f"{self.dev}/").encode()),
        )


@pytest.fixture
def mount_host(tmp_path: Path) -> MountHost:
    directory = tmp_path / "host"
    directory.mkdir()
    return MountHost(directory)
