# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a program of the system with a timeout."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error, display

_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}


@dataclasses.dataclass
class Answer:
    """The output of a program. `code` is None if it could not be run or did not end in time; `error` has the reason."""

    code: t.Optional[int] = None
    output: str = ""
    error: str = ""
    missing: bool = False
    """Whether the program is not installed."""
    errors: str = ""
    """Its standard error, unchanged."""


class _Program(subprocess.Popen):  # type: ignore[type-arg]
    """A program that can be abandoned. `subprocess.run` cannot do that: it waits for the end of a process that it kills."""

    def abandon(self) -> None:
        """Kill it, and do not wait for its end."""
        self.kill()
        for pipe in (self.stdout, self.stderr):
            if pipe is not None:
                pipe.close()
        # The kernel may be unable to end it now, so wait only for a moment.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(timeout=1)


Run = t.Callable[[t.Sequence[str], float], Answer]


def run(argv: t.Sequence[str], timeout: float) -> Answer:
    """Run a program without a shell, in the C locale, and return its output as UTF-8 text (other bytes as surrogates).

    `timeout` is in seconds. If the program fails, `error` is the first line of its standard error. Never raises `OSError`.
    """
    try:
        child = _Program(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
    except OSError as exc:
        missing = isinstance(exc, FileNotFoundError)
        return Answer(error=f"{argv[0]}: {describe_error(exc)}", missing=missing)
    try:
        output, errors = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        child.abandon()
        return Answer(error=f"{argv[0]}: no answer in {timeout:g} s")
    complaint = os.fsdecode(errors)
    lines = complaint.strip().splitlines()
    first = display(lines[0]) if lines else "it failed without a message"
    error = f"{argv[0]}: {first}" if child.returncode else ""
    return Answer(child.returncode, os.fsdecode(output), error, errors=complaint)
