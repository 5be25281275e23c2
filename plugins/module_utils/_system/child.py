# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Forked children with a deadline.

A `stat` on a dead NFS server does not return, and no signal ends it. So whatever touches a datastore path happens in
a child: the parent reads what the child has found out so far from a pipe, gives up when the deadline has passed, and
goes on. A child that cannot be killed is left behind; it holds none of the parent's descriptors, so nobody who waits
for the end of our output waits for it.

What crosses the pipe is JSON, one object a line: the child may have become the daemon's user, which may be hostile,
and JSON cannot make the parent, who is root, run anything.
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
"""Bytes of one child that are held: of its answers, and of a message that has no end yet. One that sends more is given up."""

_LAST_BREATH = 0.2
"""Seconds that a killed child gets to be reaped."""


class Channel:
    """The child's end: it says what it begins and hands over what it has found out."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def begin(self, what: str) -> None:
        """Say what comes next, so that the parent can name it if it never ends."""
        self._send({"begin": what})

    def put(self, name: str, value: t.Any) -> None:
        """Hand over one part of the answer: anything that JSON has, or a dataclass (which the parent gets as a dict)."""
        self._send({"part": name, "value": value})

    def fail(self, message: str) -> None:
        self._send({"error": message})

    def end(self) -> None:
        """Say that all is said. How a process ended is not always to be learned: the kernel may have reaped it."""
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
    """What came back from one child."""

    parts: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    """The last value of each part that was put."""
    finished: bool = False
    """The child ended by itself, in time, without an error."""
    timed_out: bool = False
    doing: str = ""
    """What it had begun last; where it hangs, if it hangs."""
    error: str = ""
    """Its exception as one line, or how it was ended."""
    elapsed: float = 0.0
    """Seconds from the fork to the end or to giving up."""
    abandoned: int = 0
    """Process id of a child that could not even be killed; 0 otherwise."""


class _Running:
    def __init__(self, key: str, pid: int, fd: int, now: float, deadline: float) -> None:
        self.key = key
        self.pid = pid
        self.fd = fd
        self.started = now
        self.expires = now + deadline
        self.unfinished: list[bytes] = []
        """The pieces of a message whose end has not come yet."""
        self.held = 0
        """Bytes of these pieces."""
        self.sizes: dict[str, int] = {}
        """Bytes of each part of the answer."""
        self.kept = 0
        """Bytes of all of them."""
        self.ended = False
        """It has said that all is said."""
        self.outcome = Outcome()


def run(
    tasks: t.Mapping[str, Task],
    deadline: float,
    renew: bool = False,
    parallel: int = 64,
    on_part: t.Optional[t.Callable[[str, str, t.Any], None]] = None,
    keep: t.Container[int] = (),
) -> dict[str, Outcome]:
    """Run every task in a forked child of its own, side by side, and return what each found out, by key.

    `deadline` is in seconds, for each child from its own start; with `renew` every message starts it anew, so that
    it bounds silence instead of the whole. `parallel` bounds how many children there are at once. `on_part` is
    called in this process for each part as it arrives, with key, name and value. `keep` are the descriptors that the
    children keep; they hold no others.

    Never raises because of a child. Children end when this process ends, whatever ends it.
    """
    waiting = list(tasks.items())
    outcomes: dict[str, Outcome] = {}
    running: dict[int, _Running] = {}
    selector = selectors.DefaultSelector()
    # Children copy what they write to; frozen objects are not written to by the collector.
    gc.freeze()
    try:
        while waiting or running:
            while waiting and len(running) < parallel:
                key, task = waiting.pop(0)
                child = _start(key, task, deadline, keep)
                running[child.fd] = child
                selector.register(child.fd, selectors.EVENT_READ)
            now = time.monotonic()
            soonest = min(child.expires for child in running.values())
            for ready, _events in selector.select(max(0.0, soonest - now)):
                child = running[ready.fd]
                if _receive(child, on_part):
                    if renew:
                        child.expires = time.monotonic() + deadline
                else:
                    selector.unregister(child.fd)
                    del running[child.fd]
                    outcomes[child.key] = _reap(child)
            now = time.monotonic()
            for child in [child for child in running.values() if child.expires <= now]:
                child.outcome.timed_out = True
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
    """Run a single task; see `run`."""
    return run({"": task}, deadline)[""]


def _start(key: str, task: Task, deadline: float, keep: t.Container[int]) -> _Running:
    reader, writer = open_pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            _settle(writer, parent, keep)
            channel = Channel(writer)
            try:
                task(channel)
                channel.end()
                status = 0
            except OSError as exc:
                where = ": " + display(exc.filename) if isinstance(exc.filename, (str, bytes)) else ""
                channel.fail(describe_error(exc) + where)
            except BaseException as exc:  # the parent has to learn of anything that ends this child
                channel.fail(f"{type(exc).__name__}: {display(str(exc))}")
        finally:
            os._exit(status)
    os.close(writer)
    os.set_blocking(reader, False)
    return _Running(key, pid, reader, time.monotonic(), deadline)


def _settle(writer: int, parent: int, keep: t.Container[int]) -> None:
    """Make the child independent of everything but its pipe and its parent's life."""
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
    """Take what the child has sent; False once it has closed its end (or sends what it should not)."""
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
        if not _understand(child, b"".join(child.unfinished), on_part):
            return False
        child.unfinished, child.held = [piece], len(piece)
    if child.held + child.kept > _MESSAGE_LIMIT:
        child.outcome.error = "the child sent more than it should"
        return False
    return True


def _understand(child: _Running, line: bytes, on_part: t.Optional[t.Callable[[str, str, t.Any], None]]) -> bool:
    """Take one message; False where it is none."""
    try:
        message = json.loads(line)
        kind = next(kind for kind in ("begin", "part", "error", "end") if kind in message)
        text, value = str(message[kind]), message["value"] if kind == "part" else None
    except (ValueError, KeyError, TypeError, StopIteration, RecursionError):
        child.outcome.error = "the child sent what is not a message"
        return False
    # It is safe to show as the child has sent it, unless the child is not what it was any more.
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
        status = _wait(child.pid, _LAST_BREATH)
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
    """The wait status of the child, or None where it has not ended within so many seconds.

    0 also where the kernel has reaped it, as it does where SIGCHLD is ignored.
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
            os.kill(child.pid, signal.SIGKILL)  # it has not made its own session yet
