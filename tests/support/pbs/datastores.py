# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's commands on datastores."""

from __future__ import annotations

import shutil
import sys
import time
import uuid
from pathlib import Path

from .arguments import parse_arguments
from .configuration import Lock, Section, check_digest, read_config, write_config
from .creation import check_empty, create_store, nested_check, verify_store
from .daemons import connect, run_task, started
from .environment import RUN, SHOWN_ETC, SLOW, VERSION_NUMBERS
from .garbage import check_atime
from .options import (
    DATASTORE_OPTIONS,
    ENUMERATION,
    Failure,
    boolean,
    check_tuning,
    parameter,
    split_properties,
    stored,
    unknown_variant,
    wants_check,
)
from .output import emit, shown
from .prune import KEEPS
from .tasks import Log, TaskFailure


def datastore_list(words: list[str]) -> None:
    options = parse_arguments(words, [], ["output-format"])
    if not started():
        raise Failure('path "/run/proxmox-backup/shmem" is not on tmpfs')
    stores = [shown(section, name, "name") for name, section in read_config("datastore.cfg").items()]
    emit(stores, options, ["name", "path", "comment"], "name")


def datastore_show(words: list[str]) -> None:
    options = parse_arguments(words, ["name"], ["output-format"])
    name = options["_name"]
    sections = read_config("datastore.cfg")
    if name not in sections:
        raise Failure(f"no such datastore '{name}'")
    emit(shown(sections[name], name, "name"), options, [], "name")


def datastore_create(words: list[str]) -> None:
    allowed = [*DATASTORE_OPTIONS, "backing-device", "backend", "overwrite-in-use"]
    if VERSION_NUMBERS >= (4, 0, 4):
        allowed.append("reuse-datastore")
    options = parse_arguments(words, ["name", "path"], allowed)
    connect()
    name, path = options.pop("_name"), options.pop("_path")
    reuse = boolean(options.pop("reuse-datastore", "false"))
    options.pop("overwrite-in-use", None)
    with Lock("datastore"):
        sections = read_config("datastore.cfg")
        if name in sections:
            raise parameter("name", f"datastore '{name}' already exists.", usage=False)
        if not path.startswith("/") and "backing-device" not in options:
            raise parameter("path", f"expected an absolute path, '{path}' is not", usage=False)
        prune = {key: options.pop(key) for key in [*KEEPS, "prune-schedule"] if key in options}
        section = {"path": path, **{key: stored(key, value) for key, value in options.items()}}
        job = prune_section(name, prune)

        def worker(log: Log, _upid: str) -> None:
            if path.strip("/") == "":
                raise TaskFailure("cannot create datastore in root path")
            nested_check(path, sections)
            check_tuning(section.get("tuning", ""))
            if reuse:
                verify_store(Path(path))
            else:
                check_empty(Path(path))
                create_store(name, Path(path))
            time.sleep(SLOW)
            if wants_check(section):
                try:
                    check_atime(path, log)
                except TaskFailure as failure:
                    raise TaskFailure(f"access time safety check failed: {failure}") from None
                print("Access time update check successful.")
            else:
                print("Access time update check skipped.")
            write_config("datastore.cfg", {**sections, name: section})
            if job:
                identifier = f"default-{name}-{uuid.uuid4()}"[:32]
                write_config("prune.cfg", {**read_config("prune.cfg"), identifier: job})
                print(f"Prune job created: {identifier}")

        run_task(worker)


def prune_section(store: str, prune: dict[str, str]) -> Section:
    """The prune job that a creation with prune options makes; nothing without a schedule."""
    if "prune-schedule" not in prune:
        return {}
    jobs = read_config("prune.cfg").values()
    if len(prune) == 1 and any(job["store"] == store for job in jobs):
        return {}
    schedule = prune.pop("prune-schedule")
    return {"store": store, "schedule": schedule, **prune}


def datastore_update(words: list[str]) -> None:
    options = parse_arguments(words, ["name"], [*DATASTORE_OPTIONS, "delete", "digest", "output-format"])
    deletable = {*DATASTORE_OPTIONS}
    for key in options.get("delete", ()):
        if key not in deletable:
            raise parameter("delete", f"value '{key}' is not defined in the enumeration.")
    connect()
    name = options.pop("_name")
    style = options.pop("output-format", "text")
    if options.get("notification-mode", "notification-system") not in ("legacy-sendmail", "notification-system"):
        raise Failure(unknown_variant(options["notification-mode"], ["legacy-sendmail", "notification-system"]))
    mode = dict(split_properties(options.get("maintenance-mode", ""), "type"))
    if mode and mode["type"] not in ENUMERATION["maintenance"]:
        raise Failure(unknown_variant(mode["type"], ENUMERATION["maintenance"]))
    with Lock("datastore"):
        sections = read_config("datastore.cfg")
        if name not in sections:
            raise Failure(f"no such datastore '{name}'")
        check_digest(options, "datastore.cfg")
        options.pop("digest", None)
        section = sections[name]
        deleted = options.pop("delete", [])
        if section.get("maintenance-mode", "").startswith("delete") and ("maintenance-mode" in deleted or mode):
            raise Failure("datastore is being deleted")
        for key in deleted:
            section.pop(key, None)
        for key, value in options.items():
            if key in KEEPS or key == "prune-schedule":
                raise parameter(key, "datastore prune settings have been replaced by prune jobs", usage=False)
            if key == "gc-on-unmount" and "backing-device" not in section:
                raise parameter(key, "only supported on removable datastores", usage=False)
            section[key] = stored(key, value)
            if key == "comment":
                section[key] = value.strip()
                if not section[key]:
                    del section[key]
        if mode:
            if "," in mode.get("message", ""):
                raise Failure(
                    f"writing \"{SHOWN_ETC}/datastore.cfg\" failed: verify section '{name}' failed - "
                    "parameter verification failed - 'maintenance-mode/type': duplicate key"
                )
            section["maintenance-mode"] = mode["type"] + (",message=" + mode["message"] if mode.get("message") else "")
        write_config("datastore.cfg", sections)
    if style != "text":
        print("null")


def datastore_remove(words: list[str]) -> None:
    options = parse_arguments(words, ["name"], ["keep-job-configs", "destroy-data", "digest"])
    name = options["_name"]
    if not started():
        raise Failure(f'mkstemp "{SHOWN_ETC}/.datastore.tmp_XXXXXX" failed: ENOENT: No such file or directory')
    with Lock("datastore"):
        sections = read_config("datastore.cfg")
        if name not in sections:
            raise Failure(f"datastore '{name}' does not exist.")
        check_digest(options, "datastore.cfg")
        sections[name]["maintenance-mode"] = "delete"
        write_config("datastore.cfg", sections)
        if (RUN / f"busy-{name}").exists():
            # The command line waits for the task, and does not look at how it ended.
            print("TASK ERROR: datastore is currently in use", file=sys.stderr)
            return
        if not boolean(options.get("keep-job-configs", "false")):
            for file in ("prune.cfg", "verification.cfg"):
                jobs = read_config(file)
                write_config(file, {key: job for key, job in jobs.items() if job["store"] != name})
        section = sections.pop(name)
        if boolean(options.get("destroy-data", "false")):
            for entry in (".chunks", ".lock", ".gc-status", "ns", "vm", "ct", "host"):
                where = Path(section["path"]) / entry
                if where.is_dir():
                    shutil.rmtree(where)
                else:
                    where.unlink(missing_ok=True)
        write_config("datastore.cfg", sections)
