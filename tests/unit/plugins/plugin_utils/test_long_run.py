# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of a long run: what it asks, what it shows, and what it does when the host is gone."""

from __future__ import annotations

import contextlib
import signal
import subprocess

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.fleetops.pbs.plugins.plugin_utils import _long_run
from ansible_collections.fleetops.pbs.plugins.plugin_utils._long_run import LongRun, _Watch, duration, progress_line

LOST = AnsibleConnectionFailure("the network is down")


class Display:
    def __init__(self):
        self.lines = []

    def display(self, line, color=None):
        self.lines.append(line)


class Task:
    async_val = 0


class Action(LongRun):
    """An action plugin whose host answers what the test says."""

    def __init__(self, *answers):
        self._task = Task()
        self._display = Display()
        self.answers = list(answers)
        self.asked = []

    def get_shell_option(self, _name, default=None):
        return default

    def _execute_module(self, module_name, module_args, task_vars, wrap_async=False):
        self.asked.append((module_name, module_args, wrap_async))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


class Clock:
    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(_long_run, "time", clock)
    return clock


def running(prefixes=0, **more):
    progress = {"what": "repairing", "prefixes": prefixes, "prefixes_total": 65536, "files": 16 * prefixes, "wrong": 3}
    progress.update(elapsed=10.0, **more)
    return {
        "started": True,
        "finished": False,
        "ansible_job_id": "j",
        "results_file": "/root/.ansible_async/j",
        "progress": progress,
    }


DONE = {"changed": True, "msg": "done", "ansible_job_id": "j", "finished": True, "stdout": "", "results_file": "x"}
GONE = {"failed": True, "msg": "could not find job", "ansible_job_id": "j", "started": True, "finished": True}
HOSTS = {"inventory_hostname": "pbs1", "ansible_play_batch": ["pbs1"]}


def test_a_short_run_is_one_question():
    action = Action({"changed": False, "msg": "ok", "invocation": {"module_args": {"path": "/x", "_job": {}}}})
    result = action.run_long("m", {"path": "/x"}, HOSTS)
    assert result == {"changed": False, "msg": "ok"}
    ((name, args, wrapped),) = action.asked
    assert (name, args["path"], wrapped) == ("m", "/x", False)
    assert set(args["_job"]) == {"id", "directory", "patience"}
    assert action._display.lines == []


def test_a_long_run_is_asked_for_until_it_is_done():
    action = Action(
        dict(running(), results_file="/home/me/jobs/j1"), running(16384), running(32768), DONE, {"erased": "x"}
    )
    result = action.run_long("m", {}, HOSTS)
    assert result == {"changed": True, "msg": "done"}
    jobs = {args.get("jid") for _name, args, _wrapped in action.asked[1:]}
    assert jobs == {action.asked[0][1]["_job"]["id"]}
    assert [args["mode"] for _name, args, _wrapped in action.asked[1:]] == ["status", "status", "status", "cleanup"]
    assert {args["_async_dir"] for _name, args, _wrapped in action.asked[1:]} == {"/home/me/jobs"}
    assert action._display.lines == ["pbs1: repairing: 25 %, 262,144 chunks, 3 wrong, 26,214/s, about 30 s left"]


@pytest.mark.parametrize("hosts", [1, 100, 500])
def test_the_lines_of_all_hosts_are_no_flood(hosts, clock):
    action = Action(*[running(number + 1) for number in range(200)], DONE, {})
    started = clock.now
    action.run_long("m", {}, dict(HOSTS, ansible_play_batch=["h"] * hosts))
    lines = len(action._display.lines)
    assert lines > 1
    assert lines * hosts / (clock.now - started) <= 2.5


@pytest.mark.parametrize(
    ("hosts", "forks", "patience"), [(1, 5, 4), (200, 1, 4), (200, 20, 20), (10, 50, 10), (500, 500, 30)]
)
def test_many_hosts_at_once_are_waited_for_longer_instead_of_being_asked(hosts, forks, patience):
    action = Action({"msg": "ok"})
    action.run_long("m", {}, dict(HOSTS, ansible_play_batch=["h"] * hosts, ansible_forks=forks))
    assert action.asked[0][1]["_job"]["patience"] == patience


@pytest.mark.parametrize("hosts", [1, 20, 500])
@pytest.mark.parametrize("work", [15, 60, 600])
def test_the_end_is_learned_of_soon(hosts, work, clock):
    """A host that is done and not asked would keep the others waiting."""
    action = Action()
    started = clock.now

    def answer(module_name, module_args, **_more):
        done = clock.now - started >= work
        return dict(DONE if done else running(int(clock.now)))

    action._execute_module = answer
    action.run_long("m", {}, dict(HOSTS, ansible_play_batch=["h"] * 500, ansible_forks=hosts))
    assert clock.now - started - work <= max(10, 0.25 * work)


def test_a_lost_connection_is_no_end():
    action = Action(running(), running(1), LOST, LOST, running(2), DONE, {})
    assert action.run_long("m", {}, HOSTS)["msg"] == "done"
    lines = action._display.lines
    assert [line for line in lines if "lost" in line] == [
        "pbs1: the connection is lost; the work on the host continues: the network is down"
    ]
    assert "pbs1: connected again; the work continued meanwhile" in lines


@pytest.mark.parametrize(
    "cut",
    [
        AnsibleError("Failed to set permissions on remote files (rc: -9, err: )"),
        AnsibleError("Failed to create temporary directory"),
        {"failed": True, "rc": -9, "module_stdout": "", "module_stderr": "", "msg": "MODULE FAILURE"},
        {"failed": True, "rc": 255, "module_stdout": "", "module_stderr": "Connection closed.\r\n", "msg": "x"},
        {"failed": True, "rc": -9, "module_stdout": "\r\n", "module_stderr": "", "msg": "MODULE FAILURE"},
        {"failed": True, "unreachable": True, "msg": ""},
        {"unreadable": True},
    ],
)
def test_a_connection_that_ends_in_the_middle_of_a_question_is_no_end(cut):
    action = Action(running(), running(1), cut, DONE, {})
    assert action.run_long("m", {}, HOSTS) == {"changed": True, "msg": "done"}
    assert len([line for line in action._display.lines if "lost" in line]) == 1


@pytest.mark.parametrize("cut", [LOST, AnsibleError("Failed to create temporary directory")])
def test_a_result_that_has_arrived_is_kept_if_the_connection_is_lost_then(cut):
    assert Action(running(), DONE, cut).run_long("m", {}, HOSTS) == {"changed": True, "msg": "done"}


def test_a_file_that_cannot_be_read_yet_is_no_result():
    young = {"started": True, "finished": False, "ansible_job_id": "j", "results_file": "x"}
    assert Action(running(), young, young, DONE, {}).run_long("m", {}, HOSTS) == {"changed": True, "msg": "done"}


def test_a_host_that_cannot_be_reached_is_unreachable_at_once():
    action = Action(LOST)
    with pytest.raises(AnsibleConnectionFailure):
        action.run_long("m", {}, HOSTS)
    assert len(action.asked) == 1


def test_a_host_that_stays_away_is_unreachable(clock):
    action = Action(running(), *[LOST, AnsibleError("no directory")] * 250)
    started = clock.now
    with pytest.raises(AnsibleConnectionFailure):
        action.run_long("m", {}, HOSTS)
    assert 600 <= clock.now - started < 700


def test_a_host_without_a_record_of_the_work():
    result = Action(running(), GONE).run_long("m", {}, HOSTS)
    assert result["failed"]
    assert "The host has no record of the work" in result["msg"]


def test_work_that_does_not_move_any_more_is_given_up(clock):
    action = Action(*[running(7)] * 500)
    started = clock.now
    result = action.run_long("m", {"stall": 100, "deadline": 50}, HOSTS)
    assert result["failed"]
    assert 550 <= clock.now - started < 600


def test_a_task_with_async_is_left_to_ansible():
    action = Action({"started": True, "ansible_job_id": "j9"})
    action._task.async_val = 100
    assert action.run_long("m", {"path": "/x"}, HOSTS) == {"started": True, "ansible_job_id": "j9"}
    assert action.asked == [("m", {"path": "/x"}, True)]


def test_progress_for_people():
    assert progress_line({}) == "working: 0 %, 0 chunks, 0 wrong"
    assert (
        progress_line(
            {"what": "tank", "prefixes": 65536, "prefixes_total": 65536, "files": 5, "wrong": 1, "elapsed": 2}
        )
        == "tank: 100 %, 5 chunks, 1 wrong, 2/s, about 0 s left"
    )
    assert (
        progress_line({"what": "tank", "indexes": 1200, "elapsed": 2})
        == "tank: 0 %, 1,200 index files, 0 chunks, 0 wrong, 0/s"
    )
    assert [duration(seconds) for seconds in (0.4, 99, 100, 5900, 12000)] == [
        "0 s",
        "99 s",
        "2 min",
        "98 min",
        "3 h 20 min",
    ]


# --- what a hostile host says of its progress -------------------------------------------------------------------------


def test_escapes_do_not_reach_the_terminal():
    terminal = Display()
    watch = _Watch(terminal, "pbs1", 1)
    watch._shown_at = -1000.0
    watch.show({"what": "\x1b[2Jwalking\nFAKE: ok"})
    watch.offline(Exception("stderr: \x1b]0;title\x07"))
    assert terminal.lines == [
        r"pbs1: \x1b[2Jwalking\x0aFAKE: ok: 0 %, 0 chunks, 0 wrong",
        r"pbs1: the connection is lost; the work on the host continues: stderr: \x1b]0;title\x07",
    ]


@pytest.mark.parametrize(
    "progress",
    [
        ["a"],
        "text",
        {"files": "many"},
        {"prefixes": 10**5000},
        {"elapsed": float("nan")},
        {"prefixes_total": -1},
        {"files": True},
    ],
)
def test_what_is_no_progress_counts_as_none(progress):
    assert progress_line(progress) == "working: 0 %, 0 chunks, 0 wrong"


def test_a_host_whose_progress_never_ends_is_given_up(clock):
    """Each answer goes forward a little."""
    action = Action(*[running(0, files=number) for number in range(20_000)], DONE, {})
    started = clock.now
    result = action.run_long("m", {}, HOSTS)
    assert result.get("failed")
    assert "took longer than 24 h" in result["msg"]
    assert 0 < clock.now - started - 2 * 12 * 3600 < 600


@pytest.mark.parametrize(
    ("args", "total"),
    [
        ({"timeout": 60_000}, 120_000),
        ({"timeout": "600", "deadline": 20}, 1200),
        ({"timeout": 5.0}, 10),
        # What the module refuses leaves the defaults, so that its refusal can be shown.
        ({"timeout": "soon"}, 86_400),
        ({"timeout": 0}, 86_400),
        ({"timeout": float("nan")}, 86_400),
        ({"timeout": None, "deadline": [], "stall": {}}, 86_400),
    ],
)
def test_the_total_is_twice_the_timeout_of_one_datastore(clock, args, total):
    """The module ends by its own limits before that, so an honest host is never given up."""
    action = Action(*[running(0, files=number) for number in range(20_000)])
    started = clock.now
    assert "took longer than" in action.run_long("m", args, HOSTS)["msg"]
    assert 0 < clock.now - started - total < 600


@pytest.fixture
def no_alarm():
    """Without the alarm of pytest, which would take precedence."""
    left, again = signal.setitimer(signal.ITIMER_REAL, 0)
    before = signal.getsignal(signal.SIGALRM)
    yield
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.setitimer(signal.ITIMER_REAL, left, again) == (0.0, 0.0)


class Silent(Action):
    """Ansible's connection to a host that answers no more questions, and keeps it for longer than anybody waits."""

    def __init__(self, *answers):
        super().__init__(*answers)
        self.ssh = []

    def _execute_module(self, module_name, module_args, task_vars, wrap_async=False):
        if self.answers:
            return super()._execute_module(module_name, module_args, task_vars, wrap_async)
        self.ssh.append(subprocess.Popen(["sleep", "30"]))
        self.ssh[-1].wait()
        return {"msg": "at last"}


@pytest.mark.parametrize("kind", ["run_long", "run_short"])
def test_a_host_that_never_answers_at_all_is_given_up(monkeypatch, no_alarm, kind):
    """It accepts the connection and keeps it; Ansible has no limit for that."""
    monkeypatch.setattr(_long_run, "_MARGIN", 0.1)
    action = Silent()
    with pytest.raises(_long_run.HostTookTooLong, match="no answer for 0 s, so this task stopped waiting"):
        getattr(action, kind)("m", {"timeout": 0.001, "deadline": 0.001}, HOSTS)
    assert action.ssh[0].wait() == -signal.SIGTERM


def test_a_host_that_stops_to_answer_counts_as_offline(monkeypatch, no_alarm, clock):
    monkeypatch.setattr(_long_run, "_PATIENCE_QUESTION", 0.1)
    monkeypatch.setattr(_long_run, "_PATIENCE_OFFLINE", 5.0)
    action = Silent(running(1), running(2))
    with pytest.raises(AnsibleConnectionFailure, match="no answer for 0 s"):
        action.run_long("m", {}, HOSTS)
    assert len(action.ssh) > 1
    assert {ssh.wait() for ssh in action.ssh} == {-signal.SIGTERM}


def test_the_timeout_of_the_task_takes_precedence(monkeypatch, no_alarm):
    monkeypatch.setattr(_long_run, "_MARGIN", 0.1)
    action = Action(DONE)
    signal.setitimer(signal.ITIMER_REAL, 500)
    assert action.run_long("m", {"timeout": 0.001, "deadline": 0.001}, HOSTS)["msg"] == "done"
    assert signal.setitimer(signal.ITIMER_REAL, 0)[0] > 0


def lies(kind):
    """What a hostile host answers, one question after the other."""
    for number in range(10**6):
        yield {
            "always forward": running(0, files=number),
            "backwards": running(65536 - number % 65536),
            "another step each time": {**running(1), "progress": {"what": str(number), "prefixes": 1}},
            "nothing moves": running(3),
            "no progress": {**running(), "progress": ["x"] * (number % 3)},
            "gone, and there again": running(0, files=number) if number % 40 or not number else AnsibleError("cut"),
            "gone": AnsibleError("cut") if number else running(),
            "garbage": {"finished": False, "ansible_job_id": number, "progress": float("nan")} if number else running(),
            "clock of its own": {**running(), "progress": {"what": "x", "files": number, "elapsed": 1e300}},
            "never a result": {**running(number), "finished": 0, "results_file": "/etc/shadow"},
        }[kind]


KINDS = [
    "always forward",
    "backwards",
    "another step each time",
    "nothing moves",
    "no progress",
    "gone, and there again",
    "gone",
    "garbage",
    "clock of its own",
    "never a result",
]


def test_a_play_with_ten_hostile_hosts_ends_within_the_sum_of_the_stated_limits(clock):
    """With fewer forks than hosts they are waited for one after the other; each costs its own limits, and no more."""
    args = {"timeout": 7200.0, "stall": 30.0, "deadline": 5.0}
    stated = 2 * args["timeout"] + 8 * args["deadline"] + _long_run._MARGIN
    # A question that is under way when the limit is reached is waited for, and a host that is gone is asked again.
    stated += _long_run._PATIENCE_OFFLINE + _long_run._PACE
    for kind in KINDS:
        action = Action()
        action.answers = Endless(lies(kind))
        started = clock.now
        with contextlib.suppress(AnsibleConnectionFailure):
            assert action.run_long("m", args, HOSTS).get("failed"), kind
        assert clock.now - started <= stated, kind


class Endless:
    def __init__(self, answers):
        self._answers = answers

    def pop(self, _place):
        return next(self._answers)


def test_going_backwards_is_no_progress(clock):
    action = Action(*[running(7 - number % 3) for number in range(500)])
    started = clock.now
    assert "made no progress for 9 min" in action.run_long("m", {"stall": 100, "deadline": 50}, HOSTS)["msg"]
    assert clock.now - started < 700


@pytest.mark.parametrize("place", [None, 7, [], {"a": 1}])
def test_a_place_of_the_results_that_is_none_is_not_used(place):
    assert Action({**running(), "results_file": place}, DONE, {}).run_long("m", {}, HOSTS)["msg"] == "done"
