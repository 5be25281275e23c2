# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import ConfigDirFacts, HostFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.load import load
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.shown import shown
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.account import observe_account
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.host import (
    container_kind,
    observe_host,
    old_locking,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._system.program import Answer


def host(tmp_path: Path, systemd: bool = False, installed: tuple[bool, str | None] = (False, None)) -> HostFacts:
    def run(argv: Sequence[str], _timeout: float) -> Answer:
        assert argv[0] == "systemctl"
        return Answer(1, "", "Failed to connect to bus")

    if systemd:
        (tmp_path / "systemd").mkdir()
    return observe_host(
        "pbs1\x1b[31m",
        observe_account(),
        ConfigDirFacts("/etc/proxmox-backup", exists=False),
        installed,
        run_dir=str(tmp_path / "run"),
        run_command=run,
        systemd_dir=str(tmp_path / "systemd"),
    )


def test_a_host_without_pbs(tmp_path: Path) -> None:
    found = shown(host(tmp_path))
    assert found.name == r"pbs1\x1b[31m"
    assert found.euid == os.geteuid()
    assert (found.systemd, found.pbs_installed, found.pbs_version, found.old_locking) == (False, False, None, False)
    assert len(found.daemons) == 2
    assert found.clock.state is not None
    assert found.id_map.uids


def test_a_host_with_pbs(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "old-locking").touch()
    found = host(tmp_path, systemd=True, installed=(True, "3.4.8-3"))
    assert (found.systemd, found.pbs_installed, found.pbs_version, found.old_locking) == (True, True, "3.4.8-3", True)
    assert [daemon.error for daemon in found.daemons] == ["Failed to connect to bus"] * 2


def test_facts_survive_the_way_through_json(tmp_path: Path) -> None:
    found = host(tmp_path)
    assert load(HostFacts, json.loads(json.dumps(dataclasses.asdict(found)))) == found


def test_old_locking(tmp_path: Path) -> None:
    assert old_locking(str(tmp_path)) is False
    (tmp_path / "old-locking").symlink_to("nowhere")
    assert old_locking(str(tmp_path)) is True
    assert old_locking(str(tmp_path / "missing")) is False
    assert old_locking(str(tmp_path / ("x" * 300))) is None


def test_the_kind_of_container_is_what_systemd_noted(tmp_path: Path) -> None:
    note = tmp_path / "container"
    assert container_kind(str(note)) == ""
    note.write_bytes(b"lxc\n")
    assert container_kind(str(note)) == "lxc"
    note.write_bytes(b"\xff\x1b[31m" + b"x" * 1000)
    assert shown([container_kind(str(note))])[0].isprintable()
    assert len(container_kind(str(note))) < 100
