# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Children with a deadline: what comes back, and what never keeps the parent waiting."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.file import PathProblem
from ansible_collections.fleetops.pbs.plugins.module_utils._system import child
from ansible_collections.fleetops.pbs.tests.support import machine


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][:1] not in (b"Z", b"X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(pid):
    for _attempt in range(3000):
        if not is_alive(pid):
            return True
        time.sleep(0.01)
    return False


def test_every_task_answers_for_itself():
    outcomes = child.run({"one": lambda c: c.put("n", 1), "two": lambda c: c.put("n", [2, None, "ü\udcff"])}, 10)
    assert list(outcomes) == ["one", "two"]
    assert [outcome.parts for outcome in outcomes.values()] == [{"n": 1}, {"n": [2, None, "ü\udcff"]}]
    assert all(outcome.finished and not outcome.error for outcome in outcomes.values())


def test_children_keep_what_they_are_told_to_keep_and_nothing_else():
    kept, other = os.pipe()

    def inode_of(fd):
        try:
            return os.fstat(fd).st_ino
        except OSError:
            return None

    def task(channel):
        channel.put("here", {"kept": inode_of(kept), "other": inode_of(other)})

    inode = os.fstat(kept).st_ino
    outcomes = child.run({"a": task}, 10, keep=(kept,))
    os.close(kept)
    os.close(other)
    # The number of the other one may be that of the child's own pipe by now, which is another one.
    assert outcomes["a"].parts["here"]["kept"] == inode
    assert outcomes["a"].parts["here"]["other"] != inode


def test_dataclasses_arrive_as_dictionaries():
    assert child.run_one(lambda c: c.put("p", PathProblem("a", "b")), 10).parts == {"p": {"path": "a", "detail": "b"}}


def test_what_was_found_out_before_the_deadline_is_kept():
    def task(channel):
        channel.begin("the easy part")
        channel.put("easy", True)
        channel.begin("the hard part")
        time.sleep(600)

    started = time.monotonic()
    outcomes = child.run({"stuck": task, "fine": lambda c: c.put("x", 1)}, 5)
    assert time.monotonic() - started < 30
    assert outcomes["fine"].finished
    stuck = outcomes["stuck"]
    assert (stuck.timed_out, stuck.finished, stuck.parts, stuck.doing) == (True, False, {"easy": True}, "the hard part")


def test_with_renew_the_deadline_bounds_silence_only():
    def task(channel):
        for number in range(8):
            time.sleep(0.4)
            channel.put("n", number)

    assert child.run({"": task}, 2, renew=True)[""].finished
    assert child.run({"": task}, 2)[""].timed_out


@pytest.mark.usefixtures("ignored_children")
def test_a_killed_child_has_not_finished_whoever_reaps_it():
    outcomes = child.run(
        {"killed": lambda c: os.kill(os.getpid(), signal.SIGKILL), "fine": lambda c: c.put("x", 1)}, 60
    )
    assert (outcomes["killed"].finished, outcomes["killed"].error) == (False, "ended without an answer")
    assert (outcomes["fine"].finished, outcomes["fine"].parts) == (True, {"x": 1})


def test_parts_are_handed_on_as_they_arrive():
    seen = []
    child.run({"k": lambda c: [c.put("n", n) for n in range(3)]}, 10, on_part=lambda *part: seen.append(part))
    assert seen == [("k", "n", 0), ("k", "n", 1), ("k", "n", 2)]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(5, "whatever"), "EIO: Input/output error"),
        (FileNotFoundError(2, "x", "/a\nb"), r"ENOENT: No such file or directory: /a\x0ab"),
        (ValueError("bad\x1b"), r"ValueError: bad\x1b"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_an_exception_comes_back_as_one_line(error, said):
    def task(_channel):
        raise error

    outcome = child.run_one(task, 10)
    assert (outcome.error, outcome.finished) == (said, False)


def test_a_child_that_is_killed_says_by_what():
    assert child.run_one(lambda c: os.kill(os.getpid(), signal.SIGSEGV), 10).error == "ended by SIGSEGV"


def test_what_cannot_cross_the_pipe_is_an_error_and_no_crash():
    assert child.run_one(lambda c: c.put("x", object()), 10).error.startswith("TypeError: object does not go")


@pytest.mark.parametrize("message", [b"no json\n", b"[]\n", b"{}\n", b'{"part": 1}\n', b"\xff\n", b"1\n"])
def test_a_hostile_child_can_only_fail_itself(message):
    def task(channel):
        os.write(channel._fd, message)

    outcome = child.run_one(task, 10)
    assert outcome.error == "the child sent an invalid message"
    assert not outcome.parts


def test_a_child_that_floods_is_given_up(monkeypatch):
    monkeypatch.setattr(child, "_MESSAGE_LIMIT", 1 << 20)

    def task(channel):
        while True:
            os.write(channel._fd, b"x" * 65536)

    assert child.run_one(task, 60).error == "the child sent too much data"


# --- a child that has become the daemon's user, which may be hostile, and writes what it likes ------------------------


def hostile(data: bytes, times: int = 1):
    """A task that writes these bytes past the channel."""

    def task(channel: child.Channel) -> None:
        for _each in range(times):
            view = memoryview(data)
            while view:
                view = view[os.write(channel._fd, view) :]

    return task


@pytest.mark.parametrize(
    "data",
    [b"[" * 100_000 + b"\n", b'{"part":"x","value":' + b"[" * 100_000 + b"\n", b"\n", b'"begin"\n', b"{}\n", b"\xff\n"],
)
def test_what_is_not_a_message_ends_the_child_and_not_the_parent(data):
    outcome = child.run_one(hostile(data), 60)
    assert outcome.error == "the child sent an invalid message"
    assert not outcome.finished


def test_escapes_in_words_of_the_child_are_shown_as_what_they_are():
    message = {"begin": "\x1b[31mred\nline"}
    outcome = child.run_one(hostile(json.dumps(message).encode() + b'\n{"error":"\\u202e"}\n'), 60)
    assert outcome.doing == r"\x1b[31mred\x0aline"
    assert outcome.error == r"\u202e"


@pytest.mark.parametrize("end", [b"", b'"}\n'])
def test_what_a_child_sends_is_held_up_to_a_limit(monkeypatch, end):
    """A message without end, and answers without end, each of another name."""
    monkeypatch.setattr(child, "_MESSAGE_LIMIT", 1 << 20)
    counter = iter(range(10_000))

    def task(channel: child.Channel) -> None:
        while True:
            os.write(channel._fd, (b'{"part":"%d","value":"' % next(counter) if end else b"") + b"x" * 4096 + end)

    outcome = child.run_one(task, 60)
    assert outcome.error == "the child sent too much data"
    assert len(outcome.parts) <= 256 + 16  # what one more read can hold


def test_an_answer_that_is_given_again_is_held_once(monkeypatch):
    monkeypatch.setattr(child, "_MESSAGE_LIMIT", 1 << 20)
    outcome = child.run_one(lambda channel: [channel.put("counts", "x" * 4096) for _each in range(1000)] and None, 60)
    assert outcome.finished, outcome.error


# --- many, and none ---------------------------------------------------------------------------------------------------


def test_more_tasks_than_may_run_at_once_all_run():
    outcomes = child.run({str(n): (lambda c, n=n: c.put("n", n)) for n in range(20)}, 10, parallel=3)
    assert [outcome.parts["n"] for outcome in outcomes.values()] == list(range(20))


def test_no_task_is_no_work():
    assert child.run({}, 1) == {}


def test_the_child_holds_nothing_of_the_parent():
    """Ansible waits until the last process has closed its output; one that hangs for ever must not hold it."""
    reader, writer = os.pipe()
    try:
        outcome = child.run_one(lambda c: c.put("fds", sorted(os.listdir("/proc/self/fd"))), 10)
    finally:
        os.close(reader)
        os.close(writer)
    # Standard descriptors, the pipe, and the listing itself.
    assert len(outcome.parts["fds"]) == 5


def test_the_standard_descriptors_lead_nowhere():
    outcome = child.run_one(lambda c: c.put("to", [os.readlink("/proc/self/fd/%d" % fd) for fd in (0, 1, 2)]), 10)
    assert outcome.parts["to"] == [os.devnull] * 3


PARENT = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored here, as in whatever a shell starts with &
from ansible_collections.fleetops.pbs.plugins.module_utils._system import child
def task(channel):
    {become}
    with open(sys.argv[1], "w") as file:
        file.write(str(os.getpid()))
    os.rename(sys.argv[1], sys.argv[1] + ".done")
    time.sleep(600)
child.run({{"": task}}, 600)
"""

BECOME = (
    "from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity, become;"
    " become(Identity(34, 34))"
)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("become", ["pass", pytest.param(BECOME, marks=pytest.mark.root)])
def test_no_child_outlives_its_parent(tmp_path, how, become):
    tmp_path.chmod(0o777)
    machine.open_way(tmp_path)
    mark = tmp_path / "pid"
    program = textwrap.dedent(PARENT).format(become=become)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, "-c", program, str(mark)], stderr=subprocess.DEVNULL, env=environment)
    try:
        done = tmp_path / "pid.done"
        for _attempt in range(3000):
            if done.exists():
                break
            time.sleep(0.01)
        pid = int(done.read_text())
        assert is_alive(pid)
        parent.send_signal(how)
        parent.wait(30)
        assert wait_until_gone(pid)
    finally:
        parent.kill()
        parent.wait()


def test_a_path_that_never_answers_is_given_up_and_the_process_ends(faultfs):
    """The real thing: a call in the kernel that no signal interrupts."""
    mount = faultfs()
    (mount.source / "dead").touch()
    path = str(mount.path / "dead")
    os.stat(path)
    mount.set("hang:/dead")

    def task(channel):
        channel.begin("stat")
        os.stat(path)

    started = time.monotonic()
    outcome = child.run({"dead": task, "alive": lambda c: c.put("x", os.stat("/").st_ino)}, 3)
    assert time.monotonic() - started < 30
    assert outcome["alive"].finished
    assert (outcome["dead"].timed_out, outcome["dead"].doing) == (True, "stat")
    assert outcome["dead"].abandoned
    mount.set("ok")
    assert wait_until_gone(outcome["dead"].abandoned)


def test_a_child_that_always_answers_has_an_end_all_the_same():
    """A filesystem that answers each call slowly, or lists names without end, is never silent."""

    def task(channel):
        for _number in range(100):
            channel.put("progress", 1)
            time.sleep(0.05)

    (outcome,) = child.run({"": task}, 30.0, renew=True, total=0.5).values()
    assert (outcome.timed_out, outcome.overtime, outcome.finished) == (True, True, False)
    assert outcome.parts == {"progress": 1}
