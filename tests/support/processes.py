# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of runs that a test kills: which exist, and what they would have left behind."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.probe.probe_file import new_name
from ansible_collections.fleetops.pbs.plugins.module_utils._system.child import Outcome
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import die_with_parent
from ansible_collections.fleetops.pbs.plugins.module_utils._system.libc import call


def of_the_dead(make: Callable[[], str]) -> str:
    """What `make()` says in a process that has ended since."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, make().encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return said


def ended(outcome: Outcome) -> Outcome:
    """The same, once its child is dead: a killed one is not waited for for long, and a busy machine may take longer."""
    if outcome.abandoned:
        os.waitpid(outcome.abandoned, 0)
    return outcome


def name_of_the_dead() -> str:
    """A name for a probe's file, of a process that has ended."""
    return of_the_dead(new_name)


# --- runs whose processes can be killed -------------------------------------------------------------------------------

PR_SET_CHILD_SUBREAPER = 36


@dataclasses.dataclass(frozen=True)
class Process:
    """One process of a run. depth: 1 for the one that the run began with. command: its command line."""

    pid: int
    parent: int
    depth: int
    command: str


class Nursery:
    """All processes that come of one, however they cut themselves loose: what loses its parent stays in the nursery.

    pid: of the process that minds them.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: int | None = None

    def processes(self) -> list[Process]:
        """Those that are there now, parents before their children; no zombies."""
        children: dict[int, list[int]] = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with contextlib.suppress(OSError):
                    state, parent = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[:2]
                    if state != "Z":
                        children.setdefault(int(parent), []).append(int(entry))
        found = []
        level = [self.pid]
        depth = 0
        while level:
            depth += 1
            below = []
            for parent in level:
                for pid in children.get(parent, ()):
                    with contextlib.suppress(OSError):
                        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
                        found.append(Process(pid, parent, depth, os.fsdecode(command).strip()))
                    below.append(pid)
            level = below
        return found

    def is_empty(self) -> bool:
        """Whether every process has ended."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = status if pid else None
        return self._status is not None

    def wait(self, seconds: float = 150.0) -> None:
        """Until all of them have ended by themselves."""
        deadline = time.monotonic() + seconds
        while not self.is_empty():
            assert time.monotonic() < deadline, f"still there after {seconds} s: {self.processes()}"
            time.sleep(0.005)

    def close(self) -> None:
        """Kill what is left."""
        while not self.is_empty():
            for process in reversed(self.processes()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
            time.sleep(0.005)


@contextlib.contextmanager
def nursery(
    begin: Callable[[], object] | Sequence[str], env: Mapping[str, str] | None = None, output: Path | None = None
) -> Iterator[Nursery]:
    """Call `begin()` in a new process, or run a program; nothing of it is left at the end. output: where stdout and
    stderr go."""
    minder = os.fork()
    if minder == 0:
        try:
            die_with_parent(signal.SIGKILL)
            call("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            if os.fork() == 0:
                os.setsid()
                null = os.open(os.devnull, os.O_RDWR)
                sink = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if output else null
                for number, fd in enumerate((null, sink, sink)):
                    os.dup2(fd, number)
                if callable(begin):
                    begin()
                else:
                    os.execvpe(begin[0], list(begin), dict(os.environ if env is None else env))
            else:
                while True:
                    os.wait()
        except BaseException as end:
            if not isinstance(end, ChildProcessError):
                traceback.print_exc()
        finally:
            os._exit(0)
    found = Nursery(minder)
    try:
        yield found
    finally:
        found.close()
