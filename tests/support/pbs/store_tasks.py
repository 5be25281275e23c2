# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's commands that run tasks on a datastore: garbage collection, verification, prune and verify jobs."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import formats, garbage, rules, verify
from .arguments import parse_arguments
from .configuration import Section, read_config
from .daemons import as_backup, check_open, connect, run_task
from .environment import STATES, VERSION_NUMBERS
from .options import Failure, check_tuning, split_properties, wants_check
from .output import emit
from .prune import KEEPS, prune
from .tasks import Log, TaskFailure


def known(name: str) -> Section:
    sections = read_config("datastore.cfg")
    if name not in sections:
        raise Failure(f"no such datastore '{name}'")
    return sections[name]


def refuse_maintenance(name: str, section: Section) -> None:
    mode = dict(split_properties(section.get("maintenance-mode", ""), "type"))
    if mode:
        raise Failure(f"datastore '{name}' is unavailable: {mode['type']} maintenance mode: {mode.get('message', '')}")


@contextlib.contextmanager
def announced(log: Log) -> Iterator[None]:
    """PBS sends a notification however the task ends."""
    try:
        yield
    finally:
        log.info(f"queued notification (id={uuid.uuid4()})")


# --- garbage collection -----------------------------------------------------------------------------------------------


def collect_garbage(words: list[str]) -> None:
    options = parse_arguments(words, ["store"], ["output-format"])
    connect()
    name = options["_store"]
    section = known(name)
    refuse_maintenance(name, section)
    try:
        check_tuning(section.get("tuning", ""))
    except TaskFailure as failure:
        raise Failure(str(failure)) from None
    path = Path(section["path"])
    with as_backup():
        check_open(path)

    def worker(log: Log, upid: str) -> None:
        log.info(f"starting garbage collection on store {name}")
        with announced(log), as_backup():
            check_access_time(name, path, section, log)
            tuning = dict(split_properties(section.get("tuning", "")))
            cutoff = int(tuning.get("gc-atime-cutoff", rules.CUTOFF_MINUTES)) * 60
            run = garbage.Collection(path, name=name, cutoff=cutoff, log=log, version=VERSION_NUMBERS)
            write_status(path, run.run().status(upid))

    run_task(worker, "garbage_collection", name, job=name, options=options)


def check_access_time(name: str, path: Path, section: Section, log: Log) -> None:
    if not wants_check(section):
        log.info("Access time update check disabled by datastore tuning options.")
        return
    try:
        garbage.check_atime(path, log)
    except TaskFailure as failure:
        raise TaskFailure(f"atime safety check failed: {failure}") from None
    except FileNotFoundError:
        chunk = rules.chunk_path(path, formats.ZERO_DIGEST)
        raise TaskFailure(
            f"atime safety check failed: inserting chunk on store '{name}' failed for {formats.ZERO_DIGEST} - "
            f'mkstemp "{chunk}.tmp_XXXXXX" failed: ENOENT: No such file or directory'
        ) from None
    log.info("Access time update check successful, proceeding with GC.")


def write_status(path: Path, status: dict[str, Any]) -> None:
    """`.gc-status`; where `backup` may not write it, nothing reports that."""
    new = path / ".gc-status.tmp_AbCdEf"
    with contextlib.suppress(OSError):
        new.write_text(json.dumps(status, separators=(",", ":")))
        new.chmod(rules.FILE_MODE)
        new.replace(path / ".gc-status")


def garbage_status(words: list[str]) -> None:
    options = parse_arguments(words, ["store"], ["output-format"])
    connect()
    name = options["_store"]
    section = known(name)
    if "offline" in section.get("maintenance-mode", ""):
        refuse_maintenance(name, section)
    path = Path(section["path"])
    with as_backup():
        check_open(path)
        status = read_status(path)
    if status["upid"] is not None:
        status.update(last_run(name))
    emit({**status, "store": name}, options, [], "store")


def read_status(path: Path) -> dict[str, Any]:
    """What the last successful run left; zeros and no id where nothing is left of one."""
    try:
        return json.loads((path / ".gc-status").read_text())
    except (OSError, ValueError):
        status = garbage.Counts().status(None)
        del status["cache-stats"]
        return status


def last_run(name: str) -> dict[str, Any]:
    try:
        state = json.loads((STATES / f"garbage_collection-{name}.json").read_text())["finished"]
    except (OSError, ValueError, KeyError):
        return {}
    ((kind, details),) = state["state"].items()
    shown = {"OK": "OK", "Warning": f"WARNINGS: {details.get('count')}", "Error": details.get("message")}[kind]
    start = int(state["upid"].split(":")[5], 16)
    return {
        "last-run-endtime": details["endtime"],
        "last-run-state": shown,
        "duration": details["endtime"] - start,
    }


# --- verification -----------------------------------------------------------------------------------------------------


def verify_store(words: list[str]) -> None:
    options = parse_arguments(words, ["store"], ["ignore-verified", "outdated-after", "output-format"])
    connect()
    name = options["_store"]
    run_verification(name, known(name), "verify", name, options=options)


def run_verification(name: str, section: Section, kind: str, identifier: str, **task: Any) -> None:
    refuse_maintenance(name, section)

    def worker(log: Log, upid: str) -> None:
        with as_backup():
            if kind == "verificationjob":
                log.info(f"Starting datastore verify job '{identifier}'")
            verify.Verification(section["path"], name=name, upid=upid, log=log).run()

    run_task(worker, kind, identifier, **task)


def run_verify_job(words: list[str]) -> None:
    options = parse_arguments(words, ["id"], ["output-format"])
    connect()
    job = known_job("verification.cfg", options["_id"])
    name = job["store"]
    run_verification(
        name, known(name), "verificationjob", f"{name}:{options['_id']}", job=options["_id"], options=options
    )


# --- pruning ----------------------------------------------------------------------------------------------------------


def known_job(file: str, identifier: str) -> Section:
    jobs = read_config(file)
    if identifier not in jobs:
        raise Failure(f"no such job '{identifier}'")
    return jobs[identifier]


def run_prune_job(words: list[str]) -> None:
    options = parse_arguments(words, ["id"], ["output-format"])
    connect()
    identifier = options["_id"]
    job = known_job("prune.cfg", identifier)
    name, names = job["store"], tuple(filter(None, job.get("ns", "").split("/")))
    section = known(name)
    refuse_maintenance(name, section)
    keep = {key: int(job[key]) for key in KEEPS if key in job}

    def worker(log: Log, _upid: str) -> None:
        log.info(f"prune job '{identifier}'")
        with announced(log), as_backup():
            prune(os.fspath(section["path"]), keep, name=name, namespace=names, log=log)

    worker_id = ":".join(filter(None, [name, "/".join(names)]))
    run_task(worker, "prunejob", worker_id, job=identifier, options=options)
