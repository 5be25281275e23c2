# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Forked children with a deadline.

A `stat` on a dead NFS server does not return, and no signal ends it. Everything that touches a datastore path therefore
runs in a child. The parent reads the child's results from a pipe until the deadline, and then continues without it. A
child that cannot be killed is abandoned. It holds none of the parent's descriptors, so a program that waits for the end
of our output does not wait for it.

The pipe carries JSON, one object per line. The child may run as the daemon's user, which may be hostile; JSON cannot
make the parent, which is root, execute anything.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import json
import os
import selectors
import signal
import time
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import die_with_parent
from ansible_collections.fleetops.pbs.plugins.module_utils._system.pipes import open_pipe
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error, display

_MESSAGE_LIMIT = 64 * 1024 * 1024
"""Bytes to hold for one child: its answers and an unfinished message. A child that sends more is stopped."""

_KILL_WAIT = 0.2
"""Seconds to wait for a killed child."""


class Channel:
    """The child's end of the pipe: sends each step as it begins, and the results."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def begin(self, what: str) -> None:
        """Send the name of the next step, so that the parent can report it if it never ends."""
        self._send({"begin": what})

    def put(self, name: str, value: t.Any) -> None:
        """Send one part of the answer: a JSON value, or a dataclass (the parent receives a dict)."""
        self._send({"part": name, "value": value})

    def fail(self, message: str) -> None:
        self._send({"error": message})

    def end(self) -> None:
        """Mark the answer as complete. The exit status cannot replace this: the kernel may have reaped the process."""
        self._send({"end": ""})

    def _send(self, message: dict[str, t.Any]) -> None:
        data = json.dumps(message, default=_plain, separators=(",", ":")).encode("ascii") + b"\n"
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]


def _plain(value: t.Any) -> t.Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(f"{type(value).__name__} does not go through the pipe")


Task = t.Callable[[Channel], None]


@dataclasses.dataclass
class Outcome:
    """The result of one child."""

    parts: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    """The last value of each part."""
    finished: bool = False
    """Whether the child ended by itself, in time and without an error."""
    timed_out: bool = False
    overtime: bool = False
    """It still answered, but took longer in all than it may."""
    doing: str = ""
    """The last step that it began; if it hangs, it hangs there."""
    error: str = ""
    """Its exception as one line, or the signal that ended it."""
    elapsed: float = 0.0
    """Seconds from the fork until the child ended or was stopped."""
    abandoned: int = 0
    """Process id of a child that could not be killed; 0 otherwise."""


class _Running:
    def __init__(self, key: str, pid: int, fd: int, now: float, deadline: float) -> None:
        self.key = key
        self.pid = pid
        self.fd = fd
        self.started = now
        self.expires = now + deadline
        self.unfinished: list[bytes] = []
        """The pieces of an unfinished message."""
        self.held = 0
        """Bytes of these pieces."""
        self.sizes: dict[str, int] = {}
        """Bytes of each part of the answer."""
        self.kept = 0
        """Bytes of all parts."""
        self.ended = False
        """Whether the child marked its answer as complete."""
        self.outcome = Outcome()


def run(
    tasks: t.Mapping[str, Task],
    deadline: float,
    renew: bool = False,
    parallel: int = 64,
    on_part: t.Optional[t.Callable[[str, str, t.Any], None]] = None,
    keep: t.Container[int] = (),
    total: float = float("inf"),
) -> dict[str, Outcome]:
    """Run each task in its own forked child, in parallel, and return the outcomes by key.

    `deadline` is in seconds from the start of each child; with `renew`, every message restarts it, so that it limits
    silence instead of the total time, which `total` limits (seconds for each child). `parallel` limits the number of
    children at a time. `on_part` is called in this process for each part as it arrives, with key, name and value. `keep`
    lists the descriptors that the children keep; they close all others.

    Never raises because of a child. Children end when this process ends, however it ends.
    """
    waiting = list(tasks.items())
    outcomes: dict[str, Outcome] = {}
    running: dict[int, _Running] = {}
    selector = selectors.DefaultSelector()
    # A child copies each memory page that it writes to, and the garbage collector writes to every object that is not frozen.
    gc.freeze()
    try:
        while waiting or running:
            while waiting and len(running) < parallel:
                key, task = waiting.pop(0)
                child = _start(key, task, min(deadline, total), keep)
                running[child.fd] = child
                selector.register(child.fd, selectors.EVENT_READ)
            now = time.monotonic()
            soonest = min(child.expires for child in running.values())
            for ready, _events in selector.select(max(0.0, soonest - now)):
                child = running[ready.fd]
                if _receive(child, on_part):
                    if renew:
                        child.expires = min(time.monotonic() + deadline, child.started + total)
                else:
                    selector.unregister(child.fd)
                    del running[child.fd]
                    outcomes[child.key] = _reap(child)
            now = time.monotonic()
            for child in [child for child in running.values() if child.expires <= now]:
                child.outcome.timed_out = True
                child.outcome.overtime = child.started + total <= now
                selector.unregister(child.fd)
                del running[child.fd]
                outcomes[child.key] = _reap(child)
    finally:
        for child in running.values():
            _kill(child)
            os.close(child.fd)
        selector.close()
        gc.unfreeze()
    return {key: outcomes[key] for key in tasks}


def run_one(task: Task, deadline: float) -> Outcome:
    """Run one task; see `run`."""
    return run({"": task}, deadline)[""]


def _start(key: str, task: Task, deadline: float, keep: t.Container[int]) -> _Running:
    reader, writer = open_pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            _detach(writer, parent, keep)
            channel = Channel(writer)
            try:
                task(channel)
                channel.end()
                status = 0
            except OSError as exc:
                where = ": " + display(exc.filename) if isinstance(exc.filename, (str, bytes)) else ""
                channel.fail(describe_error(exc) + where)
            except BaseException as exc:  # the parent must learn of everything that ends this child
                channel.fail(f"{type(exc).__name__}: {display(str(exc))}")
        finally:
            os._exit(status)
    os.close(writer)
    os.set_blocking(reader, False)
    return _Running(key, pid, reader, time.monotonic(), deadline)


def _detach(writer: int, parent: int, keep: t.Container[int]) -> None:
    """Detach the child from everything except its pipe and the life of its parent."""
    die_with_parent(signal.SIGKILL, parent)
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != writer and int(name) not in keep:
            with contextlib.suppress(OSError):  # the descriptor of the listing itself
                os.close(int(name))
    os.umask(0o022)


def _receive(child: _Running, on_part: t.Optional[t.Callable[[str, str, t.Any], None]]) -> bool:
    """Read from the child; False when it has closed its end, or if it sent too much or something invalid."""
    try:
        data = os.read(child.fd, 1 << 16)
    except BlockingIOError:
        return True
    if not data:
        return False
    first, *others = data.split(b"\n")
    child.unfinished.append(first)
    child.held += len(first)
    for piece in others:
        if not _handle_message(child, b"".join(child.unfinished), on_part):
            return False
        child.unfinished, child.held = [piece], len(piece)
    if child.held + child.kept > _MESSAGE_LIMIT:
        child.outcome.error = "the child sent too much data"
        return False
    return True


def _handle_message(child: _Running, line: bytes, on_part: t.Optional[t.Callable[[str, str, t.Any], None]]) -> bool:
    """Read one message; False if it is invalid."""
    try:
        message = json.loads(line)
        kind = next(kind for kind in ("begin", "part", "error", "end") if kind in message)
        text, value = str(message[kind]), message["value"] if kind == "part" else None
    except (ValueError, KeyError, TypeError, StopIteration, RecursionError):
        child.outcome.error = "the child sent an invalid message"
        return False
    # The child already escapes its texts; escaped again, because the daemon's user may have taken over the child.
    if kind == "begin":
        child.outcome.doing = display(text)
    elif kind == "error":
        child.outcome.error = display(text)
    elif kind == "end":
        child.ended = True
    else:
        child.outcome.parts[text] = value
        child.kept += len(line) - child.sizes.get(text, 0)
        child.sizes[text] = len(line)
        if on_part is not None:
            on_part(child.key, text, value)
    return True


def _reap(child: _Running) -> Outcome:
    outcome = child.outcome
    os.close(child.fd)
    now = time.monotonic()
    status = _wait(child.pid, 0.0 if outcome.timed_out else min(max(0.0, child.expires - now), 1.0))
    if status is None:
        _kill(child)
        status = _wait(child.pid, _KILL_WAIT)
        if status is None:
            outcome.abandoned = child.pid
    outcome.elapsed = time.monotonic() - child.started
    if not outcome.error and not outcome.timed_out:
        if status is not None and os.WIFSIGNALED(status):
            outcome.error = f"ended by {signal.Signals(os.WTERMSIG(status)).name}"
        elif status is None or os.WEXITSTATUS(status) or not child.ended:
            outcome.error = "ended without an answer"
    outcome.finished = not outcome.error and not outcome.timed_out
    return outcome


def _wait(pid: int, seconds: float) -> t.Optional[int]:
    """The wait status of the child, or None if it does not end within `seconds`.

    Also 0 if the kernel reaped the child, which it does if SIGCHLD is ignored.
    """
    until = time.monotonic() + seconds
    pause = 0.0005
    while True:
        try:
            done, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            return 0
        if done:
            return status
        if time.monotonic() >= until:
            return None
        time.sleep(pause)
        pause = min(pause * 2, 0.02)


def _kill(child: _Running) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except OSError:
        with contextlib.suppress(OSError):
            os.kill(child.pid, signal.SIGKILL)  # it does not have its own session yet
