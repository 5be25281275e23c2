# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client of `proxmox-backup-manager`, which believes no exit code.

PBS's own command line says 0 for tasks that failed: with `--output-format json` it returns before the task has ended,
and a removal waits for the task without a look at its result. So everything here runs in text mode, and what counts is
the task's last word. Source: PBS 4.2, its command line client and worker tasks.
"""

from __future__ import annotations

import dataclasses
import re
import time
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.version import MANAGER, parse_version
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.plugins.module_utils._system.program import Answer, run
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

_TASK = re.compile(r"TASK (OK|WARNINGS: (?P<count>[0-9]{1,18})|ERROR:(?P<error>.*))")
_FAILED_TASK = re.compile(r"task failed \(status (?P<status>.*)\)")
_PROGRESS = re.compile(r"Chunkstore create: [0-9]+%")
"""Ninety-nine lines of a creation, which say nothing once it is over."""
_LOCKED = "Unable to acquire lock"
_CHANGED_MEANWHILE = "detected modified configuration"

_EXPLANATIONS = (
    (
        "client error (Connect)",
        "Its daemons do not answer: systemctl start proxmox-backup.service proxmox-backup-proxy.service, then run this again.",
    ),
    ("no password input mechanism available", "It has to be run as root (become: true)."),
    ('.lck" failed - EACCES', "It has to be run as root (become: true)."),
    (
        "is not on tmpfs",
        "PBS was never started on this host: systemctl start proxmox-backup.service proxmox-backup-proxy.service.",
    ),
    (_CHANGED_MEANWHILE, "Somebody else changes the configuration at the same time; run this again."),
    ("datastore is being deleted", "A removal has begun; let it end (state: absent)."),
    ("datastore is currently in use", "Backups, restores or jobs use it; wait for their end, then run this again."),
)
"""What PBS says, and what a person can do about it."""

_PAUSE = 1.0
"""Seconds between two attempts to get PBS's configuration lock; PBS itself waits 10 s in each."""
_SHORT = 60.0
"""Seconds that a command may take which starts no task."""


class ManagerError(CollectionError):
    """PBS did not do it. The message says what PBS said, and what mends it."""

    def __init__(self, message: str, said: str = "") -> None:
        super().__init__(message)
        self.said = said
        """PBS's own words."""

    @property
    def changed_meanwhile(self) -> bool:
        """Whether the configuration file was not the one any more that the digest was of."""
        return _CHANGED_MEANWHILE in self.said


@dataclasses.dataclass
class Reply:
    """What one command did."""

    log: list[str] = dataclasses.field(default_factory=list)
    """The task's log, or the command's output, line by line and fit for showing."""
    warnings: int = 0
    """How many warnings the task ended with."""


Runner = t.Callable[[t.Sequence[str], float], Answer]


class Manager:
    """One `proxmox-backup-manager`, and everything that it was asked to change."""

    def __init__(
        self,
        program: str = MANAGER,
        timeout: float = 1800.0,
        lock_timeout: float = 120.0,
        check_mode: bool = False,
        runner: Runner = run,
        sleep: t.Callable[[float], None] = time.sleep,
        clock: t.Callable[[], float] = time.monotonic,
    ) -> None:
        """`timeout` is how many seconds one task may take, `lock_timeout` how many to go on asking for PBS's lock."""
        self.program = program
        self.commands: list[list[str]] = []
        """The commands that change something, as they were run; in check mode, as they would be."""
        self._timeout = timeout
        self._lock_timeout = lock_timeout
        self._check_mode = check_mode
        self._runner = runner
        self._sleep = sleep
        self._clock = clock
        self._version: t.Optional[str] = None

    def version(self) -> str:
        """The version of the installed PBS (`4.2.0-1`); empty where it does not say. Raises `ManagerError`."""
        if self._version is None:
            words = "".join(self._run(["version"], _SHORT).log[:1]).split()
            # The package's version, and the program's own where dpkg does not know the package.
            self._version = next((word for word in (*words[1:2], *words[-1:]) if parse_version(word)), "")
        return self._version

    def change(self, arguments: t.Sequence[str], task: bool = False) -> Reply:
        """Run a command that changes something; in check mode only note it.

        `task` is for commands that may take as long as a task does. Raises `ManagerError` where PBS refuses, where
        its task fails, or where its configuration stays locked for longer than `lock_timeout`.
        """
        self.commands.append([self.program, *arguments])
        if self._check_mode:
            return Reply()
        return self._run(arguments, self._timeout if task else _SHORT + self._lock_timeout)

    def require_daemons(self, name: str) -> None:
        """Raise `ManagerError` where PBS's daemons do not answer. Changes nothing, in check mode or not.

        The cheapest question that goes through both: the state of a garbage collection, here of a datastore that does
        not exist, so that being told so is the good answer.
        """
        try:
            self._run(["garbage-collection", "status", name], _SHORT)
        except ManagerError as exc:
            if "no such datastore" not in exc.said:
                raise

    def _run(self, arguments: t.Sequence[str], timeout: float) -> Reply:
        began = self._clock()
        while True:
            answer = self._runner([self.program, *arguments], timeout)
            said, reply = _read(answer)
            if not said:
                return reply
            waited = self._clock() - began
            if _LOCKED not in said or waited + _PAUSE > self._lock_timeout:
                raise ManagerError(self._explain(arguments, answer, said, waited, timeout), said)
            self._sleep(_PAUSE)

    def _explain(self, arguments: t.Sequence[str], answer: Answer, said: str, waited: float, timeout: float) -> str:
        what = "proxmox-backup-manager " + " ".join(display(word) for word in arguments[:3])
        if answer.missing:
            return (
                "There is no %s on this host: install proxmox-backup-server, or name the program (option manager)."
                % display(self.program)
            )
        if answer.code is None:
            return (
                "%s did not end within %g s. A task that it has started goes on in PBS: see "
                "`proxmox-backup-manager task list`, and run this again when it has ended." % (what, timeout)
            )
        if _LOCKED in said:
            return (
                "%s: PBS's configuration has been locked by somebody else for %.0f s, which is the limit (lock_timeout %g). "
                "A datastore that is being created holds this lock: see `proxmox-backup-manager task list`, and run this "
                "again. PBS said: %s" % (what, waited, self._lock_timeout, said)
            )
        hints = [hint for sign, hint in _EXPLANATIONS if sign in said]
        if answer.code == 101:
            hints.append(
                "PBS was never started on this host: systemctl start proxmox-backup.service proxmox-backup-proxy.service."
            )
        return " ".join([f"{what}: {said if said.endswith(('.', '!', '?')) else said + '.'}", *hints[:1]])


def option(name: str, value: str) -> list[str]:
    """A property as arguments. A value that begins with a dash would be taken for an option of its own."""
    if value.startswith("-"):
        return [f"--{name}={value}"]
    return ["--" + name, value]


def _read(answer: Answer) -> tuple[str, Reply]:
    """What went wrong in PBS's words (empty where nothing did), and the log.

    The first `Error:` line counts, for a usage text follows it; and the last `TASK` line, wherever it stands.
    """
    log = [display(line) for line in _lines(answer.output) if not _PROGRESS.fullmatch(line)]
    complaints = [display(line) for line in _lines(answer.errors)]
    reply = Reply(log)
    task_error = ""
    ends = [match for match in map(_TASK.fullmatch, [*log, *complaints]) if match is not None]
    if ends:
        reply.warnings = int(ends[-1].group("count") or 0)
        error = ends[-1].group("error")
        task_error = "" if error is None else error.strip() or "the task failed without a word"
    if answer.code == 0:
        return task_error, reply
    first = next((line[len("Error: ") :] for line in complaints if line.startswith("Error: ")), "")
    failed = _FAILED_TASK.fullmatch(first)
    said = task_error or (failed.group("status") if failed is not None else first)
    if not said:
        said = next((line for line in reversed(complaints) if "Err" in line), "") or answer.error
    return said or f"it failed without a word (exit code {answer.code})", reply


def _lines(text: str) -> list[str]:
    """By line feeds alone: PBS's messages hold names from the disk, in which other line ends may stand."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return lines
