# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A test's end of the daemon in proxy.py: started as `backup`, told what to do, asked what it has met."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity, become, die_with_parent
from ansible_collections.fleetops.pbs.tests.support.pbs import rules
from ansible_collections.fleetops.pbs.tests.support.pbs.proxy import Proxy
from ansible_collections.fleetops.pbs.tests.support.pbs.store import ChunkStore

DIED = "the daemon has died; what it said is in the captured output"


class PbsDaemon:
    """The test's end of it. `begin()`, look at the store, `end(operations)`; `errors` must stay empty.

    pid: of the daemon. done: what it has done, by kind. operations: how many steps in all.
    """

    def __init__(self, pid: int, commands: int, answers: int) -> None:
        self.pid = pid
        self.done: dict[str, int] = {}
        self.errors: list[str] = []
        self.operations = 0
        self._commands = commands
        self._answers = os.fdopen(answers, "rb")

    def _tell(self, **command: Any) -> None:
        try:
            os.write(self._commands, json.dumps(command).encode() + b"\n")
        except BrokenPipeError:
            raise AssertionError(DIED) from None

    def _hear(self) -> dict[str, Any]:
        line = self._answers.readline()
        assert line, DIED
        answer = json.loads(line)
        self.done, self.errors = answer["done"], answer["errors"]
        self.operations += answer.get("operations", 0)
        return answer

    def _ask(self, **command: Any) -> dict[str, Any]:
        self._tell(**command)
        return self._hear()

    def begin(self, operations: int) -> None:
        """Let it work, for so many operations at least, and until `end`."""
        self._tell(do="work", operations=operations)

    def end(self) -> None:
        self._tell(do="nothing")
        self._hear()
        self._hear()

    def repaired(self) -> None:
        """From now on no chunk belongs to another user."""
        self._ask(do="repaired")

    def hold(self, *, exclusive: bool) -> None:
        """Hold the lock on `.lock` as garbage collection does, or as a backup does."""
        self._ask(do="hold", exclusive=exclusive)

    def release(self) -> None:
        self._ask(do="release")

    def inspect(self) -> dict[str, Any]:
        """End what is under way, then look whether everything is as it should be; what is not is in `errors`."""
        self._ask(do="finish")
        return self._ask(do="inspect")


def _serve(base: str, seed: int, foreign: set[str], commands: int, answers: int) -> None:
    proxy = Proxy(base, seed, foreign)
    with os.fdopen(commands, "rb", buffering=0) as lines:
        for line in lines:
            command = json.loads(line)
            answer = {} if command["do"] == "nothing" else proxy.answer(command, commands)
            answer.update(done=dict(proxy.done), errors=proxy.errors[:20])
            os.write(answers, json.dumps(answer).encode() + b"\n")


@contextlib.contextmanager
def as_backup(task: Any) -> Iterator[int]:
    """Run `task()` in a child that is `backup`, and that dies with us; its process id. Killed at the end, unless the
    test has waited for its end itself."""
    uid, gid = rules.backup_ids()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            die_with_parent(signal.SIGKILL)
            os.umask(0o022)
            become(Identity(uid, gid, (gid,)))
            task()
            status = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@contextlib.contextmanager
def pbs_daemon(store: ChunkStore | Path, seed: int = 0, foreign: set[str] | None = None) -> Iterator[PbsDaemon]:
    """A daemon that serves `store`. foreign: chunks of another user when it starts, which it may not touch."""
    command_reader, command_writer = os.pipe()
    answer_reader, answer_writer = os.pipe()

    def serve() -> None:
        os.close(command_writer)
        os.close(answer_reader)
        _serve(os.fspath(store), seed, set(foreign or ()), command_reader, answer_writer)

    with as_backup(serve) as pid:
        os.close(command_reader)
        os.close(answer_writer)
        daemon = PbsDaemon(pid, command_writer, answer_reader)
        try:
            yield daemon
        finally:
            os.close(command_writer)
            daemon._answers.close()
