# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PBS's two daemons: whether they run, and whether they run the installed program.

After an upgrade without a restart the old program continues. After a reload it stays while one of its tasks runs, with the
old handling of locks and settings. The kernel marks the program file of such a process as deleted.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import DaemonFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._system.program import Run, run
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error

UNITS = ("proxmox-backup.service", "proxmox-backup-proxy.service")

_TIMEOUT = 10.0
_PROPERTIES = "Id,LoadState,ActiveState,MainPID,ControlGroup"
_DELETED = " (deleted)"
_CGROUPS = ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified")
"""Mount points of systemd's cgroup hierarchy: version 2, version 1, and hybrid."""


def observe_daemons(
    systemd: bool, run_command: Run = run, proc: str = "/proc", cgroups: t.Sequence[str] = _CGROUPS
) -> list[DaemonFacts]:
    """Ask systemd about both units in one call, and the kernel about their processes. Never raises `OSError`."""
    if not systemd:
        return [DaemonFacts(unit=unit, error="systemd is not running, so there are no units") for unit in UNITS]
    answer = run_command(["systemctl", "show", "--property=" + _PROPERTIES, "--", *UNITS], _TIMEOUT)
    shown = _blocks(answer.output)
    return [_daemon(unit, shown.get(unit), answer.error, proc, cgroups) for unit in UNITS]


def _blocks(output: str) -> dict[str, dict[str, str]]:
    """The properties by unit; systemctl separates units by an empty line."""
    blocks = {}
    for block in output.split("\n\n"):
        values = dict(line.partition("=")[::2] for line in block.splitlines())
        blocks[values.get("Id", "")] = values
    return blocks


def _daemon(
    unit: str, shown: t.Optional[dict[str, str]], error: str, proc: str, cgroups: t.Sequence[str]
) -> DaemonFacts:
    facts = DaemonFacts(unit=unit)
    if shown is None:
        facts.error = error or "systemctl returned nothing about it"
        return facts
    facts.load_state = shown.get("LoadState", "")
    facts.active_state = shown.get("ActiveState", "")
    main_pid = shown.get("MainPID", "")
    facts.main_pid = int(main_pid) if main_pid.isdecimal() and len(main_pid) < 10 else 0
    if facts.main_pid:
        try:
            program = _program(proc, facts.main_pid)
            facts.replaced = program.endswith(_DELETED)
            facts.executable = program[: -len(_DELETED)] if facts.replaced else program
        except OSError as exc:
            facts.error = "process %d: %s" % (facts.main_pid, describe_error(exc))
    others = set(_processes(shown.get("ControlGroup", ""), cgroups)) - {facts.main_pid}
    facts.old_workers = sorted(pid for pid in others if _is_replaced(proc, pid))
    return facts


def _program(proc: str, pid: int) -> str:
    return os.readlink(os.path.join(proc, str(pid), "exe"))


def _is_replaced(proc: str, pid: int) -> bool:
    try:
        return _program(proc, pid).endswith(_DELETED)
    except OSError:
        return False  # it has ended meanwhile


def _processes(control_group: str, cgroups: t.Sequence[str]) -> list[int]:
    """Every process of a unit; empty if it has no control group."""
    if not control_group.startswith("/"):
        return []
    for root in cgroups:
        with contextlib.suppress(OSError, ValueError), open(root + control_group + "/cgroup.procs", "rb") as handle:
            return [int(line) for line in handle]
    return []
