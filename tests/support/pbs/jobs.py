# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's commands on prune and verify jobs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from . import tasks
from .arguments import parse_arguments
from .configuration import Lock, check_digest, read_config, write_config
from .environment import STATES
from .options import Failure, parameter, stored
from .output import emit, shown


def job_commands(
    file: str, kind: str, allowed: list[str], required: list[str], announce: bool
) -> dict[str, Callable[[list[str]], None]]:
    """The commands of one kind of job. kind: the type of its tasks. announce: creation tells the job's name."""
    lock = file.partition(".")[0]

    def create(words: list[str]) -> None:
        options = parse_arguments(words, ["id"], allowed)
        for key in required:
            if key not in options:
                raise parameter(key, "parameter is missing and it is not optional.")
        identifier = options.pop("_id")
        with Lock(lock):
            jobs = read_config(file)
            if identifier in jobs:
                raise parameter("id", f"job '{identifier}' already exists.", usage=False)
            section = {key: stored(key, value) for key, value in options.items()}
            if section.get("disable") == "false":
                del section["disable"]
            write_config(file, {**jobs, identifier: section})
        tasks.write_state(STATES, kind, identifier, tasks.created(time.time()))
        if announce:
            print(f"Prune job created: {identifier}", file=sys.stderr)

    def update(words: list[str]) -> None:
        options = parse_arguments(words, ["id"], [*allowed, "delete", "digest"])
        identifier = options.pop("_id")
        for key in options.get("delete", ()):
            if key not in allowed or key in ("store", *required):
                raise parameter("delete", f"value '{key}' is not defined in the enumeration.")
        with Lock(lock):
            jobs = read_config(file)
            if identifier not in jobs:
                raise Failure(f"job '{identifier}' does not exist.")
            check_digest(options, file)
            options.pop("digest", None)
            for key in options.pop("delete", []):
                jobs[identifier].pop(key, None)
            before = jobs[identifier].get("schedule")
            if not options.get("ns"):
                options.pop("ns", None)  # the root is not taken for a change; only --delete gets there
            jobs[identifier].update({key: stored(key, value) for key, value in options.items()})
            if jobs[identifier].get("disable") == "false":
                del jobs[identifier]["disable"]
            write_config(file, jobs)
        # A prune job needs its schedule, and an update without one leaves it.
        if options.get("schedule", before if "schedule" in required else None) != before:
            tasks.count_again(STATES, kind, identifier)

    def remove(words: list[str]) -> None:
        options = parse_arguments(words, ["id"], ["digest"])
        with Lock(lock):
            jobs = read_config(file)
            if options["_id"] not in jobs:
                raise Failure(f"job '{options['_id']}' does not exist.")
            check_digest(options, file)
            del jobs[options["_id"]]
            write_config(file, jobs)

    def show_list(words: list[str]) -> None:
        options = parse_arguments(words, [], ["output-format"])
        jobs = [shown(section, identifier, "id") for identifier, section in read_config(file).items()]
        emit(jobs, options, ["id", "store", "schedule"], "id")

    return {"create": create, "update": update, "remove": remove, "list": show_list}
