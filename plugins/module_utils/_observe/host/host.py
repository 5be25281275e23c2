# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host as a whole: identity, clock, daemons, version, id map."""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import AccountFacts, ConfigDirFacts, HostFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.clock import observe_clock
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.daemons import observe_daemons
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.idmap import observe_id_map
from ansible_collections.fleetops.pbs.plugins.module_utils._system.program import Run, run


def observe_host(
    name: str,
    account: AccountFacts,
    config_dir: ConfigDirFacts,
    installed: tuple[bool, t.Optional[str]],
    run_dir: str = "/run/proxmox-backup",
    run_command: Run = run,
    proc: str = "/proc",
    systemd_dir: str = "/run/systemd/system",
    container_file: str = "/run/systemd/container",
) -> HostFacts:
    """Collect the facts of this host. Nothing here blocks for longer than the limit of a command (10 s).

    `installed` is the result of `version.installed`.
    """
    systemd = os.path.isdir(systemd_dir)
    pbs_installed, pbs_version = installed
    return HostFacts(
        name=name,
        euid=os.geteuid(),
        systemd=systemd,
        pbs_installed=pbs_installed,
        pbs_version=pbs_version,
        account=account,
        clock=observe_clock(),
        daemons=observe_daemons(systemd, run_command, proc),
        config_dir=config_dir,
        old_locking=old_locking(run_dir),
        id_map=observe_id_map(proc),
        container=container_kind(container_file),
        utc_offset=time.localtime().tm_gmtoff,
    )


def container_kind(path: str) -> str:
    """The kind of container that systemd recorded at its start; empty outside of containers."""
    try:
        with open(path, "rb") as file:
            return os.fsdecode(file.read(64).strip())
    except OSError:
        return ""


def old_locking(run_dir: str) -> t.Optional[bool]:
    """Whether the marker exists with which a PBS that was upgraded from before 3.3.5 keeps its old locks until a reboot."""
    try:
        os.lstat(os.path.join(run_dir, "old-locking"))
        return True
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return None
