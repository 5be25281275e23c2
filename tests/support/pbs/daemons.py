# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PBS's two daemons, as far as the command line depends on them: whether they run, as whom, and the tasks they run."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from . import tasks
from .environment import ETC, RUN, STATES
from .options import Failure
from .rules import backup_ids
from .tasks import Log, TaskFailure


def started() -> bool:
    return ETC.is_dir()


def connect() -> None:
    """As the command line does for what the daemons do: log in as root, and reach both."""
    if os.geteuid() != 0:
        raise Failure("no password input mechanism available")
    if not started():
        sys.stderr.write(
            f"\nthread 'main' ({os.getpid()}) panicked at src/auth_helpers.rs:108:65:\n"
            "called `Result::unwrap()` on an `Err` value: unable to read "
            '"/etc/proxmox-backup/authkey.key" - No such file or directory (os error 2)\n'
            "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n"
        )
        sys.exit(101)
    if not ((RUN / "api").exists() and (RUN / "proxy").exists()):
        raise Failure("client error (Connect)")


@contextlib.contextmanager
def as_backup() -> Iterator[None]:
    """What the proxy does, which runs as `backup`: the command line itself does not."""
    uid, gid = backup_ids()
    before = os.getgroups()
    os.setgroups([gid])
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


def check_open(path: Path) -> None:
    """As `backup`: whether the proxy could open that store. Failure: it could not."""
    try:
        os.stat(path / ".chunks" / ".")
    except PermissionError:
        raise Failure(f'unable to open chunk store at "{path}/.chunks" - Permission denied (os error 13)') from None
    except FileNotFoundError:
        pass  # the proxy has had it open since before


def run_task(
    worker: Callable[[Log, str], None],
    kind: str = "",
    identifier: str = "",
    *,
    job: str = "",
    options: dict[str, Any] | None = None,
) -> None:
    """A task that the command line follows: its log, its result, and an exit code that tells it.

    worker: gets the log, and the task's id of `kind` and `identifier`. job: the name of its state, if it is a job's.
    """
    upid = tasks.upid(kind, identifier)
    quiet = (options or {}).get("output-format", "text") != "text"
    log = Log(write=(lambda _line: None) if quiet else print)
    error: str | None = None
    if job:
        tasks.write_state(STATES, kind, job, tasks.started(upid))
    try:
        worker(log, upid)
    except TaskFailure as failure:
        error = str(failure)
    if job:
        state = tasks.finished(upid, time.time(), warnings=log.warnings, error=error)
        tasks.write_state(STATES, kind, job, state)
    if quiet:
        # It has the task's id and does not wait for its end.
        print(json.dumps(upid))
        return
    if error is not None:
        log.info(f"TASK ERROR: {error}")
        raise Failure(f"task failed (status {error})")
    log.info(f"TASK WARNINGS: {log.warnings}" if log.warnings else "TASK OK")
