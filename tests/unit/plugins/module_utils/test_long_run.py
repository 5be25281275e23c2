# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that outlives the module that started it."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import time

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils import _long_run
from ansible_collections.fleetops.pbs.plugins.module_utils._long_run import Job
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.plugins.module_utils._system.process_mark import is_gone, own_mark
from ansible_collections.fleetops.pbs.tests.support.processes import of_the_dead
from ansible_collections.fleetops.pbs.tests.support.waiting import until


@dataclasses.dataclass
class Progress:
    files: int


class Ended(Exception):
    pass


class Module:
    """As much of AnsibleModule as is used."""

    def __init__(self, **params):
        self.params = params
        self.result = None

    def exit_json(self, **result):
        self.result = result
        raise Ended

    fail_json = exit_json


def mark_of(pid):
    return "%s-%d" % (own_mark().split("-")[0], pid)


def wait_for(path, condition):
    """The content of the job file, as soon as the condition is true."""

    def content():
        found = json.loads(path.read_text())
        return found if condition(found) else None

    return until(content, path.read_text)


def test_a_short_run_has_its_result_and_leaves_nothing(tmp_path):
    result = Job("j1", str(tmp_path / "jobs"), 60.0).run(lambda report: {"changed": True, "pid": os.getpid()})
    assert result.pop("ansible_job_id") == "j1"
    assert result.pop("pid") != os.getpid()
    assert result == {"changed": True}
    assert os.listdir(tmp_path / "jobs") == []
    assert (tmp_path / "jobs").stat().st_mode & 0o777 == 0o700


def test_a_long_run_promises_tells_and_delivers(tmp_path, monkeypatch):
    monkeypatch.setattr(_long_run, "_PACE", 0.0)
    go_on = tmp_path / "go-on"

    def work(report):
        report("walking", Progress(files=7))
        until(go_on.exists)
        return {"changed": False, "msg": "done"}

    path = tmp_path / "j2"
    promise = Job("j2", str(tmp_path), 0.2).run(work)
    assert (promise["started"], promise["finished"], promise["ansible_job_id"]) == (True, False, "j2")
    content = wait_for(path, lambda content: content["progress"])
    assert (content["progress"]["what"], content["progress"]["files"]) == ("walking", 7)
    go_on.touch()
    assert wait_for(path, lambda content: "started" not in content) == {
        "changed": False,
        "msg": "done",
        "ansible_job_id": "j2",
    }
    assert path.stat().st_mode & 0o777 == 0o600


def test_work_that_is_begun_twice_is_done_once(tmp_path):
    """As with ansible_ssh_retries, where the connection is lost while the module still waits."""

    def work(report):
        (tmp_path / "times").open("a").write("once ")
        until((tmp_path / "go-on").exists)
        return {"changed": True}

    path = tmp_path / "jobs" / "j2"
    first = Job("j2", str(path.parent), 0.1).run(work)
    until((tmp_path / "times").exists)
    second = Job("j2", str(path.parent), 60.0).run(work)
    assert (first["started"], second["started"], second["results_file"]) == (True, True, str(path))
    (tmp_path / "go-on").touch()
    wait_for(path, lambda content: "started" not in content)
    assert Job("j2", str(path.parent), 60.0).run(work) == {"changed": True, "ansible_job_id": "j2"}
    assert (tmp_path / "times").read_text() == "once "
    assert os.listdir(path.parent) == []


def test_work_whose_process_is_gone_is_begun_again(tmp_path):
    job = Job("j2", str(tmp_path), 60.0)
    assert job.run(lambda report: os.kill(os.getpid(), signal.SIGKILL))["failed"]
    dead = {"started": True, "finished": False, "worker": mark_of(os.getppid()).rpartition("-")[0] + "-4194303"}
    (tmp_path / "j2").write_text(json.dumps(dead))
    assert job.run(lambda report: {"changed": False}) == {"changed": False, "ansible_job_id": "j2"}


def test_the_time_of_each_walk_is_its_own(tmp_path, monkeypatch):
    """The controller reckons from it how long the walk still takes."""
    monkeypatch.setattr(_long_run, "_PACE", 0.0)
    noted = []
    job = Job("j1", str(tmp_path), 60.0)
    monkeypatch.setattr(job, "_write", noted.append)
    clock = iter([100.0, 110.0, 160.0, 165.0])
    monkeypatch.setattr(_long_run.time, "monotonic", lambda: next(clock))
    for what in ("counting", "counting", "repairing", "repairing"):
        job._note(what, Progress(files=1))
    assert [(progress["what"], progress["elapsed"]) for progress in noted] == [
        ("counting", 0.0),
        ("counting", 10.0),
        ("repairing", 0.0),
        ("repairing", 5.0),
    ]


def test_the_work_survives_the_end_of_the_connection(tmp_path):
    """The session that the module was started in is killed, as sshd does it."""
    session = os.fork()
    if session == 0:
        os.setsid()

        def work(report):
            until((tmp_path / "go-on").exists)
            return {"msg": "still there"}

        Job("j3", str(tmp_path), 60.0).run(work)
        os._exit(0)
    path = tmp_path / "j3"
    # The file says who has it: at first the module, then the work, which is in another session.
    until(lambda: path.exists() and json.loads(path.read_text())["worker"] != mark_of(session))
    os.killpg(session, signal.SIGKILL)
    os.waitpid(session, 0)
    (tmp_path / "go-on").touch()
    assert wait_for(path, lambda content: "started" not in content)["msg"] == "still there"


def test_killed_work_is_reported_as_killed(tmp_path):
    result = Job("j4", str(tmp_path), 60.0).run(lambda report: os.kill(os.getpid(), signal.SIGKILL))
    assert result.pop("ansible_job_id") == "j4"
    assert result == {"failed": True, "msg": "The process that did the work ended without a result (SIGKILL)."}
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("ignored_children")
def test_work_has_its_result_whoever_reaps_it(tmp_path):
    def work(report):
        (tmp_path / "times").open("a").write("once ")
        return {"changed": True}

    assert Job("j1", str(tmp_path / "jobs"), 60.0).run(work) == {"changed": True, "ansible_job_id": "j1"}
    assert (tmp_path / "times").read_text() == "once "
    result = Job("j4", str(tmp_path / "jobs"), 60.0).run(lambda report: os.kill(os.getpid(), signal.SIGKILL))
    assert (result["failed"], result["msg"][:53]) == (True, "The process that did the work ended without a result ")


def test_the_streams_of_whoever_starts_it_may_be_closed(tmp_path):
    """The pipe whose end is the end of the work must not be among them."""
    starter = os.fork()
    if starter == 0:
        os.closerange(0, 3)
        promise = Job("j5", str(tmp_path), 0.5).run(
            lambda report: until((tmp_path / "go-on").exists) and {"msg": "done"}
        )
        (tmp_path / "promise").write_text(json.dumps(promise))
        (tmp_path / "go-on").touch()
        os._exit(0)
    os.waitpid(starter, 0)
    assert json.loads((tmp_path / "promise").read_text())["started"]
    assert wait_for(tmp_path / "j5", lambda content: "started" not in content)["msg"] == "done"


def test_who_waits_for_work_that_was_killed_learns_of_it(tmp_path):
    def work(report):
        until((tmp_path / "go-on").exists)
        os.kill(os.getpid(), signal.SIGKILL)

    assert Job("j4", str(tmp_path), 0.1).run(work)["started"]
    (tmp_path / "go-on").touch()
    content = wait_for(tmp_path / "j4", lambda content: "started" not in content)
    assert (content["failed"], content["msg"]) == (
        True,
        "The process that did the work ended without a result (SIGKILL).",
    )


def test_no_work_goes_on_when_its_keeper_was_killed(tmp_path):
    def work(report):
        (tmp_path / "written").write_text("%d %d" % (os.getppid(), os.getpid()))
        (tmp_path / "written").rename(tmp_path / "pids")
        time.sleep(600)

    promise = Job("j4", str(tmp_path), 1.0).run(work)
    assert promise["started"]
    until((tmp_path / "pids").exists)
    keeper, worker = map(int, (tmp_path / "pids").read_text().split())
    mark = json.loads((tmp_path / "j4").read_text())["worker"]
    assert mark == mark_of(worker)
    os.kill(keeper, signal.SIGKILL)
    os.waitpid(keeper, 0)
    until(lambda: is_gone(mark))


def test_an_exception_is_a_result(tmp_path):
    def work(report):
        raise RuntimeError("bad\x1b[31m")

    assert Job("j5", str(tmp_path), 60.0).run(work)["msg"] == "RuntimeError: bad\\x1b[31m"


@pytest.mark.parametrize("with_job", [True, False])
def test_options_without_sense_are_one_message(tmp_path, with_job):
    def work(report):
        raise CollectionError("path: no")

    module = Module(_job={"id": "j6", "directory": str(tmp_path), "patience": 60.0} if with_job else None)
    with pytest.raises(Ended):
        _long_run.run_module(module, work)
    module.result.pop("ansible_job_id", None)
    assert module.result == {"msg": "path: no"}


def test_without_room_for_a_job_the_work_is_done_all_the_same(tmp_path):
    (tmp_path / "file").touch()
    module = Module(_job={"id": "j7", "directory": str(tmp_path / "file"), "patience": 60.0})
    with pytest.raises(Ended):
        _long_run.run_module(module, lambda report: {"changed": True})
    assert module.result["changed"]
    assert "does not survive a lost connection" in module.result["warnings"][0]


def test_a_link_in_place_of_the_job_file_is_not_followed(tmp_path):
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "j8").symlink_to(target)
    module = Module(_job={"id": "j8", "directory": str(tmp_path), "patience": 60.0})
    with pytest.raises(Ended):
        _long_run.run_module(module, lambda report: {"changed": True})
    assert target.read_text() == "precious"


# --- what killed runs leave ------------------------------------------------------------------------------------------


def left(tmp_path, name, content, age=0.0):
    path = tmp_path / name
    path.write_text(json.dumps(content))
    os.utime(path, (time.time() - age,) * 2)
    return path


def after_another_run(tmp_path):
    assert Job("j1.pbs", str(tmp_path), 60.0).run(lambda report: {"changed": False})["changed"] is False
    return sorted(os.listdir(tmp_path))


def test_files_of_dead_work_are_removed_by_the_next_run(tmp_path):
    left(tmp_path, "j2.pbs", {"started": True, "worker": of_the_dead(own_mark), "progress": {}})
    left(tmp_path, f"j3.pbs.{of_the_dead(own_mark)}.tmp", {})
    left(tmp_path, "j4.pbs", {"changed": True}, age=7200)
    left(tmp_path, "j5.pbs", {"started": True, "worker": "00000000-1", "progress": {}}, age=7200)
    assert after_another_run(tmp_path) == []


def test_what_somebody_may_still_ask_for_stays(tmp_path):
    mine = own_mark()
    names = ["j2.pbs", "j3.pbs", "j4.pbs", f"j5.pbs.{mine}.tmp"]
    left(tmp_path, names[0], {"started": True, "worker": mine, "progress": {}}, age=7200)
    left(tmp_path, names[1], {"changed": True}, age=600)
    left(tmp_path, names[2], {"started": True, "worker": "00000000-1", "progress": {}})
    left(tmp_path, names[3], {}, age=7200)
    assert after_another_run(tmp_path) == names


def test_what_is_not_ours_stays(tmp_path):
    for name in ("j2", "j873.1234", "pbs", "j2.pbs.tmp", "xj2.pbs", "j2.pbs.bak", "j2.pbs\n", "j2.pbs.1.tmp"):
        left(tmp_path, name, {"changed": True}, age=7200)
    target = left(tmp_path, "target", {"changed": True}, age=7200)
    (tmp_path / "j6.pbs").symlink_to(target)
    (tmp_path / "j7.pbs").mkdir()
    os.mkfifo(tmp_path / "j8.pbs")
    (tmp_path / "j9.pbs").write_text("no JSON")
    before = sorted(os.listdir(tmp_path))
    assert after_another_run(tmp_path) == before
