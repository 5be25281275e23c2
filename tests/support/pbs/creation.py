# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creating a datastore, and adopting a chunk store that is there: in PBS's order, which undoes nothing after a failure."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from .configuration import Section
from .environment import PREFIXES
from .rules import BASE_MODE, CHUNKS_MODE, LOCK_MODE, backup_ids, system_error
from .tasks import TaskFailure


def nested_check(path: str, sections: dict[str, Section]) -> None:
    mine = PurePosixPath(path).parts
    for name, section in sections.items():
        if "backing-device" in section:
            continue
        other = PurePosixPath(section["path"]).parts
        if mine[: len(other)] == other or other[: len(mine)] == mine:
            raise TaskFailure(
                "parameter verification failed - 'path': nested datastores not allowed: "
                f"'{name}' already in \"{section['path']}\""
            )


def check_empty(path: Path) -> None:
    try:
        names = os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    if any(not name.startswith(".") and name != "lost+found" for name in names):
        raise TaskFailure("datastore path not empty")


def create_store(name: str, path: Path) -> None:
    uid, gid = backup_ids()
    if path.exists() and not path.is_dir():
        raise TaskFailure(f"unable to create chunk store '{name}' at \"{path}\" - ENOTDIR: Not a directory")
    try:
        path.mkdir(parents=True, exist_ok=True)
        os.chown(path, uid, gid)
    except OSError as error:
        raise TaskFailure(system_error(error)) from None
    chunks = path / ".chunks"

    def directory(where: str) -> None:
        try:
            os.mkdir(where, CHUNKS_MODE)
            os.chown(where, uid, gid)
        except OSError as error:
            raise TaskFailure(
                f"unable to create chunk store '{name}' subdir \"{where}\" - "
                f'unable to create directory "{where}" - {system_error(error)}'
            ) from None

    directory(os.fspath(chunks))
    lock = path / ".lock"
    lock.touch(LOCK_MODE)
    os.chown(lock, uid, gid)
    percent = 0
    for done, prefix in enumerate(PREFIXES, 1):
        directory(f"{chunks}/{prefix:04x}")
        if done * 100 // len(PREFIXES) > percent and percent < 99:
            percent = done * 100 // len(PREFIXES)
            print(f"Chunkstore create: {percent}%")


def verify_store(path: Path) -> None:
    uid, gid = backup_ids()

    def check(where: str, mode: int) -> None:
        problem = ""
        try:
            found = os.lstat(where)
        except OSError as error:
            problem = system_error(error)
        else:
            if (found.st_uid, found.st_gid) != (uid, gid) or found.st_mode & 0o777 != mode:
                problem = "permissions or owner not correct"
        if problem:
            raise TaskFailure(f'unable to open existing chunk store path "{where}" - {problem}')

    check(f"{path}", BASE_MODE)
    check(f"{path}/.chunks", CHUNKS_MODE)
    for prefix in PREFIXES:
        check(f"{path}/.chunks/{prefix:04x}", CHUNKS_MODE)
    check(f"{path}/.lock", LOCK_MODE)
