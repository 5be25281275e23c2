# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client of `proxmox-backup-manager` that does not rely on its exit code.

The command exits with 0 even if its task failed: with `--output-format json` it returns before the task has ended, and a
removal waits for the task but ignores its result. So every command runs in text mode, and the last `TASK` line of the
output decides. Source: PBS 4.2, its command line client and worker tasks.
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
"""A creation prints 99 of these lines; they have no use after it has ended."""
_OPTION = re.compile(r" --([a-z0-9][a-z0-9-]*)(?: |$)")
"""An option in a usage text."""
HIDDEN = "********"
"""What stands for a secret in commands and messages."""
_LOCKED = "Unable to acquire lock"
_JOB_STATES = "/jobstates/"
"""A lock of the state of a job, which is held as long as the job runs: there is no use in waiting."""
_CHANGED_MEANWHILE = "detected modified configuration"

_START_DAEMONS = "systemctl start proxmox-backup.service proxmox-backup-proxy.service"
_NEVER_STARTED = f"PBS was never started on this host: {_START_DAEMONS}."

_EXPLANATIONS = (
    (
        "client error (Connect)",
        f"PBS's daemons do not answer: {_START_DAEMONS}, then run this again.",
    ),
    ("no password input mechanism available", "Run this task as root (become: true)."),
    ('.lck" failed - EACCES', "Run this task as root (become: true)."),
    (
        "is not on tmpfs",
        _NEVER_STARTED,
    ),
    (_CHANGED_MEANWHILE, "Another process changed the configuration at the same time; run this again."),
    ("datastore is being deleted", "The removal of this datastore has begun; complete it with state: absent."),
    ("datastore is currently in use", "Backups, restores or jobs use it; wait for their end, then run this again."),
)
"""Parts of PBS's messages, each with the fix for the user."""

_PAUSE = 1.0
"""Seconds between two attempts to get PBS's configuration lock; PBS itself waits 10 s in each."""
_SHORT = 60.0
"""The limit in seconds for a command that starts no task."""
_NOBODY = "no.such.datastore"
"""The name of a datastore that does not exist."""


class ManagerError(CollectionError):
    """PBS refused a command, or its task failed. The message quotes PBS and names the fix."""

    def __init__(self, message: str, said: str = "") -> None:
        super().__init__(message)
        self.said = said
        """The error message of PBS."""

    @property
    def changed_meanwhile(self) -> bool:
        """Whether the configuration file no longer had the digest that the command named."""
        return _CHANGED_MEANWHILE in self.said


@dataclasses.dataclass
class Reply:
    """The output of one command."""

    log: list[str] = dataclasses.field(default_factory=list)
    """The lines of the task's log, or of the command's output, safe to show on a terminal."""
    warnings: int = 0
    """The number of warnings with which the task ended."""


Runner = t.Callable[[t.Sequence[str], float], Answer]


class Manager:
    """Runs `proxmox-backup-manager`, and keeps a list of the commands that change something."""

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
        """`timeout`: seconds that one task may take; `lock_timeout`: seconds to retry while PBS's lock is held."""
        self.program = program
        self.commands: list[list[str]] = []
        """The commands that change something; in check mode, those that would be run. `HIDDEN` stands for a secret."""
        self._timeout = timeout
        self._lock_timeout = lock_timeout
        self._check_mode = check_mode
        self._runner = runner
        self._sleep = sleep
        self._clock = clock
        self._version: t.Optional[str] = None

    def version(self) -> str:
        """The version of the installed PBS (`4.2.0-1`); empty if its output has none. Raises `ManagerError`."""
        if self._version is None:
            words = "".join(self._run(["version"], _SHORT).log[:1]).split()
            # The version of the package, or that of the program if dpkg does not list the package.
            self._version = next((word for word in (*words[1:2], *words[-1:]) if parse_version(word)), "")
        return self._version

    def change(self, arguments: t.Sequence[str], task: bool = False, secrets: t.Collection[str] = ()) -> Reply:
        """Run a command that changes something; in check mode only add it to `commands`.

        `task`: the command waits for a task, so `timeout` applies. `secrets`: values among the arguments that nobody may
        see; PBS takes them only as arguments. Raises `ManagerError` if PBS refuses the command, if its task fails, or if
        PBS's configuration stays locked for longer than `lock_timeout`.
        """
        self.commands.append([self.program, *(_hide_word(word, secrets) for word in arguments)])
        if self._check_mode:
            return Reply()
        reply = self._run(arguments, self._timeout if task else _SHORT + self._lock_timeout, secrets)
        reply.log = [_hide(line, secrets) for line in reply.log]
        return reply

    def options_of(self, command: t.Sequence[str]) -> t.Optional[frozenset[str]]:
        """The options of a command that changes something, from its usage text; None if this PBS has no such text.

        Changes nothing, in check mode or not.
        """
        try:
            log = self._run(["help", *command], _SHORT).log
        except ManagerError:
            return None
        return frozenset(match.group(1) for match in map(_OPTION.match, log) if match is not None) or None

    def require_daemons(self) -> None:
        """Raise `ManagerError` if PBS's daemons do not answer. Changes nothing, in check mode or not.

        It asks for the state of garbage collection, because both daemons take part in the answer and it costs little. The
        datastore does not exist, so "no such datastore" shows that the daemons answer.
        """
        try:
            self._run(["garbage-collection", "status", _NOBODY], _SHORT)
        except ManagerError as exc:
            if "no such datastore" not in exc.said:
                raise

    def _run(self, arguments: t.Sequence[str], timeout: float, secrets: t.Collection[str] = ()) -> Reply:
        began = self._clock()
        while True:
            answer = self._runner([self.program, *arguments], timeout)
            said, reply = _read(answer)
            said = _hide(said, secrets)
            if not said:
                return reply
            waited = self._clock() - began
            if _LOCKED not in said or _JOB_STATES in said or waited + _PAUSE > self._lock_timeout:
                raise ManagerError(self._explain(arguments, answer, said, waited, timeout), said)
            self._sleep(_PAUSE)

    def _explain(self, arguments: t.Sequence[str], answer: Answer, said: str, waited: float, timeout: float) -> str:
        what = "proxmox-backup-manager " + " ".join(display(word) for word in arguments[:3])
        if answer.missing:
            return (
                "This host has no program %s: install proxmox-backup-server, or set the option manager to the path of the "
                "program." % display(self.program)
            )
        if answer.code is None:
            return (
                "%s did not end within %g s. A task that it has started continues in PBS: see "
                "`proxmox-backup-manager task list`, and run this again after the task has ended." % (what, timeout)
            )
        if _LOCKED in said and _JOB_STATES not in said:
            return (
                "%s: another process has locked PBS's configuration for %.0f s, longer than lock_timeout (%g s) allows. "
                "The creation of a datastore holds this lock: see `proxmox-backup-manager task list`, and run this again "
                "after it has ended. PBS reports: %s" % (what, waited, self._lock_timeout, said)
            )
        hints = [hint for sign, hint in _EXPLANATIONS if sign in said]
        if answer.code == 101:
            hints.append(_NEVER_STARTED)
        return " ".join([f"{what}: {said if said.endswith(('.', '!', '?')) else said + '.'}", *hints[:1]])


def _hide_word(word: str, secrets: t.Collection[str]) -> str:
    name, equals, value = word.partition("=")
    if name.startswith("--") and equals and value in secrets:
        return f"{name}={HIDDEN}"
    return HIDDEN if word in secrets else word


def _hide(text: str, secrets: t.Collection[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def _read(answer: Answer) -> tuple[str, Reply]:
    """The error message of PBS (empty if there was no error), and the log.

    Of the `Error:` lines the first counts, because a usage text follows it; of the `TASK` lines the last, in either stream.
    """
    log = [display(line) for line in _lines(answer.output) if not _PROGRESS.fullmatch(line)]
    complaints = [display(line) for line in _lines(answer.errors)]
    reply = Reply(log)
    task_error = ""
    ends = [match for match in map(_TASK.fullmatch, [*log, *complaints]) if match is not None]
    if ends:
        reply.warnings = int(ends[-1].group("count") or 0)
        error = ends[-1].group("error")
        task_error = "" if error is None else error.strip() or "the task failed without a message"
    if answer.code == 0:
        return task_error, reply
    first = next((line[len("Error: ") :] for line in complaints if line.startswith("Error: ")), "")
    failed = _FAILED_TASK.fullmatch(first)
    said = task_error or (failed.group("status") if failed is not None else first)
    if not said:
        said = next((line for line in reversed(complaints) if "Err" in line), "") or answer.error
    return said or f"it failed without a message (exit code {answer.code})", reply


def _lines(text: str) -> list[str]:
    """Split at line feeds only: PBS's messages can have file names in them, and these can have other line separators."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return lines
