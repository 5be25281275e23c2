# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of jobs from the lists of tasks."""

from __future__ import annotations

import os

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import JobHistoryFacts, JobRunFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.jobs.task_history import observe_histories

START = 0x6B0B0000
DAY = 86400
SYNC = ("syncjob", r"rem1\x3adsa\x3adsb\x3a\x3asr1")


def upid(start: int, kind: str = SYNC[0], of: str = SYNC[1], number: int = 1) -> str:
    return f"UPID:vm:0000001B:00089EAC:{number:08X}:{start:08X}:{kind}:{of}:root@pam:"


def line(day: int, status: str, took: int = 60, **other) -> str:
    start = START + day * DAY
    return f"{upid(start, **other)} {start + took:08X} {status}\n"


def run(kind: str = SYNC[0], of: str = SYNC[1]) -> JobRunFacts:
    return JobRunFacts("error", upid=upid(START, kind, of))


@pytest.fixture
def logs(tmp_path):
    """Write one list of tasks; returns the directory of logs."""
    (tmp_path / "tasks").mkdir()

    def write(name: str, *lines: str) -> str:
        (tmp_path / "tasks" / name).write_text("".join(lines))
        return str(tmp_path)

    write.directory = str(tmp_path)
    return write


def test_days_of_failures_after_the_last_success(logs):
    logs("archive", line(0, "OK", took=600), line(1, "OK"), line(2, "connection refused"))
    logs("index", *(line(day, "sync failed with some errors.") for day in range(3, 10)))
    logs("active", upid(START + 10 * DAY) + "\n")
    job = run()
    assert observe_histories([job, None, JobRunFacts("created")], logs.directory, 10.0) == ""
    assert job.history == JobHistoryFacts(
        runs=10,
        oldest=START + 600,
        last_success=START + DAY + 60,
        failures=8,
        first_failure=START + 2 * DAY + 60,
        longest=600,
    )


def test_warnings_are_a_success_and_an_unknown_end_is_none(logs):
    logs("archive", line(0, "WARNINGS: 2"), line(1, "unknown"))
    job = run()
    observe_histories([job], logs.directory, 10.0)
    assert job.history is not None
    assert (job.history.last_success, job.history.failures) == (START + 60, 1)


def test_never_a_success(logs):
    logs("archive", line(0, "no such remote 'x'"), line(1, "no such remote 'x'"))
    job = run()
    observe_histories([job], logs.directory, 10.0)
    assert job.history is not None
    assert (job.history.last_success, job.history.failures, job.history.first_failure) == (None, 2, START + 60)


def test_tasks_of_others_do_not_count(logs):
    logs("archive", line(0, "OK"), line(1, "OK", of="dsc"), line(2, "OK", kind="prune"))
    job, other = run(), run("verificationjob", "dsa\\x3av1")
    observe_histories([job, other], logs.directory, 10.0)
    assert job.history is not None
    assert job.history.runs == 1
    assert other.history is None


def test_a_task_in_two_lists_is_one(logs):
    logs("archive", line(0, "OK"))
    logs("index", line(0, "OK"))
    job = run()
    observe_histories([job], logs.directory, 10.0)
    assert job.history is not None
    assert job.history.runs == 1


def test_prune_jobs_that_share_their_tasks_have_no_history(logs):
    logs("archive", line(0, "OK", kind="prunejob", of="dsa"))
    jobs = [run("prunejob", "dsa"), run("prunejob", "dsa")]
    assert observe_histories(jobs, logs.directory, 10.0) == ""
    assert [job.history for job in jobs] == [None, None]


def test_no_lists_are_no_error(tmp_path):
    job = run()
    assert observe_histories([job], str(tmp_path / "missing"), 10.0) == ""
    assert job.history is None


def test_a_link_in_place_of_a_list_is_not_followed(logs, tmp_path):
    (tmp_path / "secret").write_text(line(0, "OK"))
    os.symlink(tmp_path / "secret", tmp_path / "tasks" / "archive")
    job = run()
    assert "symbolic link" in observe_histories([job], str(tmp_path), 10.0) or job.history is None
    assert job.history is None


def test_a_log_filesystem_that_does_not_answer(faultfs):
    mount = faultfs("ok")
    mount.set("hang:/")
    job = run()
    try:
        assert "gave no answer within 0.5 s" in observe_histories([job], str(mount.path), 0.5)
    finally:
        mount.set("ok")
    assert job.history is None
