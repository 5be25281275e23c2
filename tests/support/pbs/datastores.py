# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's commands on datastores."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

from . import sections as other_sections
from .arguments import parse_arguments
from .configuration import Lock, Section, check_digest, read_config, write_config
from .creation import check_empty, create_store, nested_check, verify_store
from .daemons import connect, run_task, started
from .environment import MOUNTS, RUN, SHOWN_ETC, SLOW, VERSION_NUMBERS
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
from .rules import backup_ids
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
    s3 = check_backend(options.get("backend", ""))
    with Lock("datastore"):
        sections = read_config("datastore.cfg")
        if name in sections:
            raise parameter("name", f"datastore '{name}' already exists.", usage=False)
        if not path.startswith("/") and "backing-device" not in options:
            raise parameter("path", f"expected an absolute path, '{path}' is not", usage=False)
        if path.startswith("/") and "backing-device" in options:
            raise parameter("path", f"expected a relative on-device path, '{path}' is not", usage=False)
        prune = {key: options.pop(key) for key in [*KEEPS, "prune-schedule"] if key in options}
        section = {"path": path, **{key: stored(key, value) for key, value in options.items()}}
        job = prune_section(name, prune)

        def worker(log: Log, _upid: str) -> None:
            if path.strip("/") == "":
                raise TaskFailure("cannot create datastore in root path")
            nested_check(path, sections)
            check_tuning(section.get("tuning", ""))
            where = Path(path)
            if "backing-device" in section:
                where = mount_device(name, section)
            if s3 and reuse:
                # The bucket has the contents: what is here is only a cache, which is made again.
                shutil.rmtree(where / ".chunks", ignore_errors=True)
                create_store(name, where)
            elif reuse:
                verify_store(where)
            else:
                check_empty(where)
                create_store(name, where)
            time.sleep(SLOW)
            if wants_check(section):
                try:
                    check_atime(os.fspath(where), log)
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


def check_backend(text: str) -> bool:
    """Whether it is an S3 store; its endpoint and its bucket (the file `bucket-NAME` in ROOT/run) must be there."""
    backend = dict(split_properties(text, "type"))
    kind = backend.get("type", "filesystem")
    if kind not in ("filesystem", "s3"):
        raise parameter("backend", f"unknown variant `{kind}`, expected `filesystem` or `s3`")
    for key in ("client", "bucket"):
        if kind == "s3" and key not in backend:
            raise parameter("backend", f"missing option {key}, required for backend type s3")
        if kind == "filesystem" and key in backend:
            raise parameter("backend", f"additional option {key}, not allowed for backend type filesystem")
    if kind == "s3":
        if not other_sections.endpoint_exists(backend["client"]):
            raise Failure(f"no '{backend['client']}' in config")
        if not (RUN / f"bucket-{backend['bucket']}").exists():
            raise Failure("failed to access bucket: bucket does not exist or no permission to access it")
    return kind == "s3"


def is_mounted(name: str) -> bool:
    return os.path.ismount(MOUNTS / name)


def mount_device(name: str, section: Section) -> Path:
    """Mount a directory of the device where the datastore is looked for, as PBS does: by way of a mount of the device."""
    device, point = section["backing-device"], MOUNTS / name
    temporary = RUN / "mount" / str(uuid.uuid4())
    temporary.mkdir(parents=True)
    print(f"temporarily mounting '{device}' to '/run/proxmox-backup/mount/{temporary.name}'")
    argv = ["mount", f"UUID={device}", os.fspath(temporary)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        shown_argv = " ".join(f'"{word}"' for word in argv)
        raise TaskFailure(
            f"mounting to tmp path failed: command {shown_argv} failed - status code: {done.returncode} - {done.stderr}"
        )
    try:
        uid, gid = backup_ids()
        inside = temporary / section["path"]
        for directory in (inside, point):
            directory.mkdir(parents=True, exist_ok=True)
            os.chown(directory, uid, gid)
        print(f"bind mount '{name}'({section['path']}) to '/mnt/datastore/{name}'")
        subprocess.run(["mount", "--bind", inside, point], check=True)
    finally:
        subprocess.run(["umount", temporary], check=True)
        temporary.rmdir()
    return point


def _removable(words: list[str]) -> tuple[str, Section]:
    name = parse_arguments(words, ["name"], [])["_name"]
    connect()
    sections = read_config("datastore.cfg")
    if name not in sections:
        raise Failure(f"no such datastore '{name}'")
    if "backing-device" not in sections[name]:
        raise Failure(f"datastore '{name}' is not removable")
    return name, sections[name]


def datastore_mount(words: list[str]) -> None:
    name, section = _removable(words)

    def worker(_log: Log, _upid: str) -> None:
        if is_mounted(name):
            print(f"device is already mounted at '/mnt/datastore/{name}'")
        else:
            mount_device(name, section)

    run_task(worker)


def datastore_unmount(words: list[str]) -> None:
    name, _section = _removable(words)
    if not is_mounted(name):
        raise Failure(f"Datastore '{name}' is not mounted")
    subprocess.run(["umount", MOUNTS / name], check=True)


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
            other_sections.remove_jobs_of(name)
        section = sections.pop(name)
        if "backing-device" in section and is_mounted(name):
            subprocess.run(["umount", MOUNTS / name], check=True)
        if boolean(options.get("destroy-data", "false")):
            for entry in (".chunks", ".lock", ".gc-status", "ns", "vm", "ct", "host"):
                where = Path(section["path"]) / entry
                if where.is_dir():
                    shutil.rmtree(where)
                else:
                    where.unlink(missing_ok=True)
        write_config("datastore.cfg", sections)
