# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for proxmox-backup-manager: real chunk stores, real configuration files, recorded answers.

usage: python3 -I tests/support/pbs datastore create NAME PATH [--OPTION VALUE]...      (and what else COMMANDS lists)

It answers as PBS 4.2.0 was seen to answer; test_manager.py replays the recordings against it. Nothing of it is ever
installed. environment.py lists the variables that it reads.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from . import datastores, jobs, notifications, sections, store_tasks, traffic
from .arguments import parse_arguments
from .environment import ROOT, VERSION, VERSION_NUMBERS
from .options import PRUNE_OPTIONS, VERIFY_OPTIONS, Failure, UsageFailure

Command = Callable[[list[str]], None]


def version(words: list[str]) -> None:
    options = parse_arguments(words, [], ["verbose", "output-format"])
    running = VERSION.partition("-")[0]
    if "output-format" in options:
        raise Failure("not part of the stand-in")
    print(f"proxmox-backup-server {VERSION} running version: {running}")


def usage(words: list[str]) -> None:
    """`help COMMAND`, as far as it is part of the stand-in."""
    if words == ["notification"]:
        print(notifications.usage(), end="")
    else:
        sections.usage(words)


COMMANDS: dict[str, dict[str, Command]] = {
    "datastore": {
        "list": datastores.datastore_list,
        "show": datastores.datastore_show,
        "create": datastores.datastore_create,
        "update": datastores.datastore_update,
        "remove": datastores.datastore_remove,
        "mount": datastores.datastore_mount,
        "unmount": datastores.datastore_unmount,
    },
    "prune-job": {
        **jobs.job_commands("prune.cfg", "prunejob", PRUNE_OPTIONS, ["store", "schedule"], announce=True),
        "run": store_tasks.run_prune_job,
    },
    "verify-job": {
        **jobs.job_commands("verification.cfg", "verificationjob", VERIFY_OPTIONS, ["store"], announce=False),
        "run": store_tasks.run_verify_job,
    },
    "traffic-control": traffic.COMMANDS,
    "remote": sections.REMOTE,
    "sync-job": sections.SYNC,
    "garbage-collection": {"start": store_tasks.collect_garbage, "status": store_tasks.garbage_status},
}
SINGLE: dict[str, Command] = {"version": version, "verify": store_tasks.verify_store, "help": usage}
if VERSION_NUMBERS >= (3, 2):
    SINGLE["notification"] = notifications.notification
if VERSION_NUMBERS >= (4, 0, 4):
    SINGLE["s3"] = sections.s3


def main(words: list[str]) -> int:
    """The exit code of one call."""
    os.umask(0o022)
    try:
        command, rest = find(words)
        command(rest)
    except Failure as failure:
        print(f"Error: {failure}", file=sys.stderr)
        if failure.usage:
            print("Usage: proxmox-backup-manager <command> ...\n\n(the whole usage text follows)", file=sys.stderr)
        return 255
    return 0


def find(words: list[str]) -> tuple[Command, list[str]]:
    """The command that the words name, and what is left of them."""
    head = words[0] if words else ""
    if head in SINGLE:
        return SINGLE[head], words[1:]
    if head not in COMMANDS:
        raise UsageFailure(f"no such command '{head}'\n")
    verb = words[1] if len(words) > 1 else ""
    if verb not in COMMANDS[head]:
        raise UsageFailure(f"no such command '{verb}'\n")
    return COMMANDS[head][verb], words[2:]


def run() -> NoReturn:
    """The program."""
    if not ROOT.is_dir():
        sys.exit("FAKE_MANAGER_ROOT names no directory")
    # What a task prints comes as it happens, also to whoever is killed meanwhile.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.exit(main(sys.argv[1:]))
