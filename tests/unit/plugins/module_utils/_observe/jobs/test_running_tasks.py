# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that run, and the ends of runs whose state files do not have them."""

from __future__ import annotations

import os

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import JobRunFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import TaskFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.jobs.job_state import process_start
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.jobs.running_tasks import (
    NO_END,
    observe_running_tasks,
)

START = 0x6B0B0000
GC = "garbage_collection"


def upid(kind=GC, of="tank", pid=None, number=1):
    """The id of a task of this process, or of one that is gone."""
    mine = os.getpid() if pid is None else pid
    began = process_start(os.getpid()) if pid is None else 12345
    return f"UPID:pbs1:{mine:08X}:{began:08X}:{number:08X}:{START:08X}:{kind}:{of}:root@pam:"


GONE = upid(pid=0x7FFFFFFF)


@pytest.fixture
def logs(tmp_path):
    """`logs(active=[…], log=(upid, text))`: the directory of logs with these lists of tasks, and the log of one task."""

    def make(log=None, **lists):
        tasks = tmp_path / "tasks"
        tasks.mkdir(exist_ok=True)
        for name, lines in lists.items():
            (tasks / name).write_text("".join(line + "\n" for line in lines))
        if log is not None:
            directory = tasks / f"{int(log[0].split(':')[3], 16) % 256:02X}"
            directory.mkdir(exist_ok=True)
            (directory / log[0]).write_text(log[1])
        return str(tmp_path)

    return make


def test_a_task_runs_while_its_process_lives_and_it_has_no_end(logs):
    ended, removal = upid(number=2), upid("delete-datastore", r"my\x2dstore", number=3)
    directory = logs(active=[upid(), f"{ended} {START + 9:08X} OK", removal, GONE, "what PBS does not write"])
    assert observe_running_tasks([], directory, 10.0) == [
        TaskFacts(upid(), GC, "tank", START),
        TaskFacts(removal, "delete-datastore", "my-store", START),
    ]


def test_without_lists_nothing_is_known(tmp_path):
    run = JobRunFacts("running", upid=upid())
    assert observe_running_tasks([run], str(tmp_path), 10.0) is None
    assert run.state == "running"


def test_a_run_that_runs(logs):
    run = JobRunFacts("running", upid=upid())
    observe_running_tasks([run, None, JobRunFacts("created")], logs(active=[upid()]), 10.0)
    assert run == JobRunFacts("running", upid=upid())


@pytest.mark.parametrize(
    ("last_line", "expected"),
    [
        ("2027-03-05T10:00:00+01:00: TASK OK", ("ok", 1804237200, 0, "")),
        ("2027-03-05T09:00:00Z: TASK OK", ("ok", 1804237200, 0, "")),
        ("2027-03-05T10:00:00+01:00: TASK WARNINGS: 3", ("warning", 1804237200, 3, "")),
        ("2027-03-05T10:00:00+01:00: TASK ERROR: EPERM: no", ("error", 1804237200, 0, "EPERM: no")),
        ("2027-03-05T10:00:00+01:00: found 3 chunks", ("unknown", START, 0, NO_END)),
        ("2027-03-05T10:00:00+01:00: TASK ERR", ("unknown", START, 0, NO_END)),
    ],
)
@pytest.mark.parametrize("state", ["running", "unknown"])
def test_a_state_that_was_left_behind_ends_as_the_log_says(logs, last_line, expected, state):
    """The daemon wrote `started` and then no end: it was killed, or the state file could not be written."""
    run = JobRunFacts(
        state, upid=upid(), end=None if state == "running" else START, message="" if state == "running" else NO_END
    )
    text = "2027-03-05T09:59:00+01:00: starting\n" * 400 + last_line + "\n"
    observe_running_tasks([run], logs(active=[], log=(upid(), text)), 10.0)
    assert (run.state, run.end, run.warnings, run.message) == expected


@pytest.mark.parametrize("name", ["active", "index", "archive"])
def test_a_state_that_was_left_behind_ends_as_the_lists_say(logs, name):
    """The log was rotated away."""
    run = JobRunFacts("running", upid=GONE)
    observe_running_tasks([run], logs(**{name: [f"{GONE} {START + 60:08X} connection lost"]}), 10.0)
    assert (run.state, run.end, run.message) == ("error", START + 60, "connection lost")


def test_a_log_that_is_no_file_is_not_read(logs, tmp_path):
    run = JobRunFacts("running", upid=GONE)
    directory = logs(active=[], log=(GONE, ""))
    log = next((tmp_path / "tasks").glob("*/UPID*"))
    log.unlink()
    log.symlink_to("/etc/passwd")
    observe_running_tasks([run], directory, 10.0)
    assert (run.state, run.message) == ("unknown", NO_END)


def test_lists_that_cannot_be_read(logs, tmp_path):
    directory = logs(active=[upid()])
    (tmp_path / "tasks" / "index").mkdir()
    assert observe_running_tasks([], directory, 10.0) is None
