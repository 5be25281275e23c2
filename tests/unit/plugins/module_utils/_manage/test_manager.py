# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client against what a PBS 4.2.0 was recorded to answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._manage.manager import Manager, ManagerError
from ansible_collections.fleetops.pbs.plugins.module_utils._system.program import Answer

DATA = Path(__file__).parents[3] / "data" / "manager_recordings.json"
RECORDED = {record["id"][:3]: record for record in json.loads(DATA.read_text())["commands"]}


class Clock:
    """Time that advances with each sleep, and by 10 s with each command, as long as PBS waits for its lock."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def manager(answers: Sequence[Answer], clock: Clock | None = None, **options: Any) -> Manager:
    clock = clock or Clock()
    left = list(answers)

    def run(_argv: Sequence[str], _timeout: float) -> Answer:
        clock.now += 10
        return left.pop(0)

    return Manager("/sbin/manager", runner=run, sleep=clock.sleep, clock=clock, **options)


def recorded(number: str) -> Answer:
    record = RECORDED[number]
    return Answer(record["rc"], record["stdout"], errors=record["stderr"])


def message_of(number: str) -> str:
    with pytest.raises(ManagerError) as caught:
        manager([recorded(number)], lock_timeout=1).change(["datastore", "create", "ds1", "/mnt/x"], task=True)
    return str(caught.value)


@pytest.mark.parametrize("number", ["030", "031", "058", "096", "145", "182", "194"])
def test_success(number: str) -> None:
    reply = manager([recorded(number)]).change(["datastore", "create", "ds1", "/mnt/e1"], task=True)
    assert reply.warnings == 0


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("004", "never started on this host: systemctl start"),
        ("023", "client error (Connect). PBS's daemons do not answer: systemctl start"),
        ("039", "datastore create ds1: datastore path not empty."),
        ("050", "'gc-schedule': unable to parse calendar event at 'nonsense'"),
        ("057", "EEXIST: File exists."),
        ("078", "Run this task as root (become: true)."),
        ("082", "Run this task as root (become: true)."),
        ("089", "access time safety check using newly inserted chunk failed, aborting GC!"),
        ("141", "datastore is being deleted. The removal of this datastore has begun; complete it with state: absent."),
        ("142", "detected modified configuration - file changed by other user? Try again. Another process"),
        ("150", "unknown variant `sometimes`, expected one of"),
        ("186", "datastore 'nope' does not exist."),
    ],
)
def test_a_failure_is_reported_once_and_with_its_fix(number: str, words: str) -> None:
    message = message_of(number)
    assert words in message
    assert "Usage" not in message
    assert "\n" not in message


def test_a_task_that_failed_behind_exit_code_0() -> None:
    answer = Answer(0, "", errors="TASK ERROR: datastore is currently in use\n")
    with pytest.raises(ManagerError, match="wait for their end"):
        manager([answer]).change(["datastore", "remove", "dsfuse"], task=True)


def test_warnings_are_counted() -> None:
    reply = manager([Answer(0, "one\nTASK WARNINGS: 3\n")]).change(["datastore", "create", "x"], task=True)
    assert (reply.warnings, reply.log) == (3, ["one", "TASK WARNINGS: 3"])


LOCKED = Answer(
    255,
    errors='Error: Unable to acquire lock "/etc/proxmox-backup/.datastore.lck" - Interrupted system call (os error 4)\n',
)


def test_a_lock_is_asked_for_until_the_limit() -> None:
    clock = Clock()
    client = manager([LOCKED, LOCKED, Answer(0, "TASK OK\n")], clock, lock_timeout=120)
    client.change(["datastore", "update", "tank"])
    assert clock.now == 32
    assert len(client.commands) == 1
    with pytest.raises(
        ManagerError, match=r"another process has locked .* for 32 s, longer than lock_timeout \(30 s\)"
    ):
        manager([LOCKED] * 4, lock_timeout=30).change(["datastore", "update", "tank"])


def test_check_mode_runs_nothing() -> None:
    client = manager([], check_mode=True)
    client.change(["datastore", "remove", "tank"], task=True)
    assert client.commands == [["/sbin/manager", "datastore", "remove", "tank"]]


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("proxmox-backup-server 4.2.0-1 running version: 4.2.0\n", "4.2.0-1"),
        ("proxmox-backup-server unknown running version: 4.2.0\n", "4.2.0"),
        ("something else\n", ""),
        ("", ""),
    ],
)
def test_version(output: str, version: str) -> None:
    assert manager([Answer(0, output)]).version() == version


def test_what_cannot_be_run() -> None:
    missing = Answer(None, error="/sbin/manager: ENOENT", missing=True)
    with pytest.raises(ManagerError, match="install proxmox-backup-server"):
        manager([missing]).version()
    with pytest.raises(ManagerError, match="continues in PBS"):
        manager([Answer(None, error="/sbin/manager: no answer in 3 s")], timeout=3).change(["datastore"], task=True)


def test_what_is_shown_is_safe() -> None:
    with pytest.raises(ManagerError) as caught:
        manager([Answer(255, errors="Error: \x1b[31mred\n")]).change(["datastore", "create"])
    assert r"\x1b[31mred" in str(caught.value)


def test_a_secret_is_in_no_command_and_no_message() -> None:
    echo = Answer(255, errors="Error: parameter verification failed - 'password': hush-hush is wrong\n")
    client = manager([echo])
    with pytest.raises(ManagerError) as caught:
        client.change(["remote", "create", "pbs2", "--password", "hush-hush"], secrets=["hush-hush"])
    assert "'password': ******** is wrong" in str(caught.value)
    assert "hush" not in caught.value.said
    assert client.commands[0][-2:] == ["--password", "********"]
    client = manager([Answer(0, output="hush-hush\n")])
    assert client.change(["remote", "create", "--password=-hush"], secrets=["-hush", "hush-hush"]).log == ["********"]
    assert client.commands[0][-1] == "--password=********"


def test_the_options_of_a_command() -> None:
    usage = "Usage: sync-job create <id> --store <string> [OPTIONS]\n\n --store    <string>\n             A name.\n --ns <x>\n"
    assert manager([Answer(0, output=usage)]).options_of(["sync-job", "create"]) == {"store", "ns"}
    assert manager([Answer(0, output="remote create <name>\n")]).options_of(["remote", "create"]) is None
    assert manager([Answer(255, errors="Error: no such command 's3'\n")]).options_of(["s3", "endpoint"]) is None
