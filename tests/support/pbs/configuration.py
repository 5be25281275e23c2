# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration files: read with PBS's errors, written with its owners, locks and digests."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from typing import Any, NoReturn

from .environment import ETC, LOCK_WAIT, SHOWN_ETC
from .options import DATASTORE_OPTIONS, PRUNE_OPTIONS, SCHEDULES, VERIFY_OPTIONS, Failure, schedule_problem
from .rules import backup_ids, system_error

Section = dict[str, Any]

KNOWN = {
    "datastore.cfg": ("datastore", {"path", "backing-device", "backend", *DATASTORE_OPTIONS}),
    "prune.cfg": ("prune", set(PRUNE_OPTIONS)),
    "verification.cfg": ("verification", set(VERIFY_OPTIONS)),
}


def read_config(name: str) -> dict[str, Section]:
    try:
        data = (ETC / name).read_text()
    except FileNotFoundError:
        return {}
    except PermissionError:
        raise Failure(f"unable to read '\"{SHOWN_ETC}/{name}\"' - Permission denied (os error 13)") from None
    kind, properties = KNOWN[name]
    sections: dict[str, Section] = {}
    current: Section | None = None

    def broken(number: int, problem: str) -> NoReturn:
        raise Failure(f'parsing "{SHOWN_ETC}/{name}" failed: line {number} - {problem}')

    for number, line in enumerate(data.split("\n"), 1):
        if not line.strip():
            current = None
        elif current is None:
            if not line.startswith(kind + ":"):
                broken(number, "syntax error (expected header)")
            current = sections[line.partition(":")[2].strip()] = {}
        else:
            if line[0] not in "\t ":
                broken(number, "syntax error (expected section properties)")
            key, _space, value = line.lstrip().partition(" ")
            if key not in properties:
                broken(number, f"unknown property '{key}'")
            problem = schedule_problem(value) if key in SCHEDULES else ""
            if problem:
                broken(number, f"property '{key}': {problem}")
            current[key] = value.strip()
    return sections


def write_config(name: str, sections: dict[str, Section]) -> None:
    kind, _properties = KNOWN[name]
    text = "\n".join(
        f"{kind}: {identifier}\n" + "".join(f"\t{key} {section[key]}\n" for key in sorted(section))
        for identifier, section in sections.items()
    )
    new = ETC / f".{name}.new"
    new.write_text(text)
    new.chmod(0o640)
    os.chown(new, 0, backup_ids()[1])
    new.replace(ETC / name)


class Lock:
    """PBS's lock of a configuration file; whoever waits too long for it fails."""

    def __init__(self, name: str) -> None:
        self.name = f".{name}.lck"

    def __enter__(self) -> None:
        try:
            self.fd = os.open(ETC / self.name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
        except OSError as error:
            raise Failure(f'open "{SHOWN_ETC}/{self.name}" failed - {system_error(error)}') from None
        until = time.monotonic() + LOCK_WAIT
        while not self.try_lock():
            if time.monotonic() > until:
                raise Failure(
                    f'Unable to acquire lock "{SHOWN_ETC}/{self.name}" - Interrupted system call (os error 4)'
                )
            time.sleep(0.01)

    def try_lock(self) -> bool:
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def __exit__(self, *_error: object) -> None:
        os.close(self.fd)


def check_digest(options: dict[str, Any], name: str) -> None:
    wanted = options.get("digest")
    if wanted is None:
        return
    data = (ETC / name).read_bytes() if (ETC / name).exists() else b""
    if hashlib.sha256(data).hexdigest() != wanted:
        raise Failure("detected modified configuration - file changed by other user? Try again.")
