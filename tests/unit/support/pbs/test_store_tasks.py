# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's tasks on a store with snapshots: their output, their state files, and the exit codes that PBS gives."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetops.pbs.tests.support.pbs.damages import Recorded, resize
from ansible_collections.fleetops.pbs.tests.support.pbs.host import FakeHost
from ansible_collections.fleetops.pbs.tests.support.pbs.store import make_chunk_store

pytestmark = pytest.mark.root


class Host(FakeHost):
    """A host that knows one datastore, gc1, with snapshots."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, version="4.2.3-1", prefixes=4)
        self.recorded = Recorded(make_chunk_store(root / "gc1", prefixes=4))
        self.write_config("datastore.cfg", f"datastore: gc1\n\tgc-schedule daily\n\tpath {self.recorded.base}\n")

    def write_config(self, name: str, text: str) -> None:
        (self.etc / name).write_text(text)

    def call(self, *words: str) -> tuple[int, str]:
        done = subprocess.run([self.manager, *words], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    def state(self, name: str) -> dict[str, Any]:
        return json.loads((self.var / "jobstates" / f"{name}.json").read_text())["finished"]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    root = tmp_path / "host"
    root.mkdir()
    return Host(root)


def last_line(text: str) -> str:
    return text.splitlines()[-1]


def test_a_good_run(host):
    code, text = host.call("garbage-collection", "start", "gc1")
    assert (code, last_line(text)) == (0, "TASK OK")
    state = host.state("garbage_collection-gc1")
    assert list(state) == ["upid", "state", "updated"]
    assert list(state["state"]) == ["OK"]
    assert re.fullmatch(
        r"UPID:pbs1:[0-9A-F]{8}:[0-9A-F]{8}:[0-9A-F]{8}:[0-9A-F]{8}:garbage_collection:gc1:root@pam:", state["upid"]
    )
    status = json.loads((host.recorded.base / ".gc-status").read_text())
    assert (status["upid"], status["disk-chunks"]) == (state["upid"], 6)
    code, text = host.call("garbage-collection", "status", "gc1", "--output-format", "json")
    shown = json.loads(text)
    assert shown == {
        **status,
        "store": "gc1",
        "last-run-endtime": state["state"]["OK"]["endtime"],
        "last-run-state": "OK",
        "duration": shown["duration"],
    }


def test_warnings_are_no_failure(host):
    host.recorded.image.unlink()
    code, text = host.call("garbage-collection", "start", "gc1")
    assert (code, last_line(text)) == (0, "TASK WARNINGS: 1")
    assert host.state("garbage_collection-gc1")["state"]["Warning"]["count"] == 1


def test_a_failed_run_keeps_the_counters_of_the_one_before(host):
    assert host.call("garbage-collection", "start", "gc1")[0] == 0
    before = (host.recorded.base / ".gc-status").read_bytes()
    resize(host.recorded.fidx, -1)
    code, text = host.call("garbage-collection", "start", "gc1")
    problem = f"marking used chunks failed: can't open fixed index '\"{host.recorded.fidx}\"': got unexpected file size (64 != 63)"
    assert (code, last_line(text)) == (255, f"TASK ERROR: {problem}")
    assert host.state("garbage_collection-gc1")["state"]["Error"]["message"] == problem
    assert (host.recorded.base / ".gc-status").read_bytes() == before
    shown = json.loads(host.call("garbage-collection", "status", "gc1", "--output-format", "json")[1])
    assert (shown["last-run-state"], shown["disk-chunks"]) == (problem, 6)


def test_json_gives_the_task_s_id_and_no_log(host):
    resize(host.recorded.fidx, -1)
    code, text = host.call("garbage-collection", "start", "gc1", "--output-format", "json")
    assert code == 0
    assert json.loads(text) == host.state("garbage_collection-gc1")["upid"]


def test_a_base_that_backup_may_not_write_gets_no_status(host):
    os.chown(host.recorded.base, 0, 0)
    assert host.call("garbage-collection", "start", "gc1")[0] == 0
    assert not (host.recorded.base / ".gc-status").exists()
    shown = json.loads(host.call("garbage-collection", "status", "gc1", "--output-format", "json")[1])
    assert shown["upid"] is None
    assert "last-run-state" not in shown


def test_the_cutoff_of_the_tuning(host):
    host.write_config("datastore.cfg", f"datastore: gc1\n\tpath {host.recorded.base}\n\ttuning gc-atime-cutoff=1\n")
    old = host.recorded.unreferenced("aa01" + "0" * 60, 1000, 120)
    young = host.recorded.unreferenced("aa02" + "0" * 60, 2000, 30)
    text = host.call("garbage-collection", "start", "gc1")[1]
    assert "Using access time cutoff 1m, minimum access time is " in text
    assert "Removed garbage: 1000 B\nRemoved chunks: 1\nPending removals: 1.953 KiB (in 1 chunks)\n" in text
    assert not old.exists()
    assert young.exists()


def test_verification(host):
    assert host.call("verify", "gc1")[0] == 0
    host.write_config("verification.cfg", "verification: vj1\n\tschedule daily\n\tstore gc1\n")
    host.recorded.last.unlink()
    code, text = host.call("verify-job", "run", "vj1")
    assert (code, text.splitlines()[0]) == (255, "Starting datastore verify job 'gc1:vj1'")
    state = host.state("verificationjob-vj1")
    assert ":verificationjob:gc1\\x3avj1:root@pam:" in state["upid"]
    assert state["state"]["Error"]["message"] == "verification failed - please check the log for details"


def test_pruning(host):
    host.write_config("prune.cfg", "prune: pj1\n\tkeep-last 1\n\tschedule daily\n\tstore gc1\n")
    code, text = host.call("prune-job", "run", "pj1")
    assert (code, text.splitlines()[0], last_line(text)) == (0, "prune job 'pj1'", "TASK OK")
    assert not host.recorded.snapshot.exists()
    assert ":prunejob:gc1:root@pam:" in host.state("prunejob-pj1")["upid"]


def test_a_job_in_a_namespace_that_is_not_there(host):
    host.write_config("prune.cfg", "prune: pj3\n\tkeep-last 1\n\tns nope\n\tschedule daily\n\tstore gc1\n")
    code, text = host.call("prune-job", "run", "pj3")
    assert code == 255
    assert "Starting datastore prune on datastore 'gc1', namespace 'nope', down to full depth" in text
    assert "retention options: --ns nope --keep-last 1" in text
    assert last_line(text) == "TASK ERROR: ENOENT: No such file or directory"
    assert ":prunejob:gc1\\x3anope:root@pam:" in host.state("prunejob-pj3")["upid"]


CREATED = {"created": {"time": 1795911353}}
FINISHED = {
    "finished": {
        "upid": "UPID:vm:000017FB:000B105F:0000000E:6B0B6EC2:verificationjob:dsa\\x3avj1:root@pam:",
        "state": {"OK": {"endtime": 1795911362}},
        "updated": None,
    }
}


@pytest.mark.parametrize("state", [CREATED, FINISHED], ids=["created", "finished"])
@pytest.mark.parametrize(
    ("job", "update", "counts_again"),
    [
        ("prune-job", "--comment x", False),
        ("prune-job", "--schedule daily", False),
        ("prune-job", "--schedule hourly", True),
        ("verify-job", "--comment x", True),
        ("verify-job", "--schedule daily --comment x", False),
        ("verify-job", "--schedule hourly", True),
        ("verify-job", "--delete schedule", False),
        ("sync-job", "--comment x", True),
        ("sync-job", "--schedule daily --comment x", False),
        ("sync-job", "--schedule hourly", True),
        ("sync-job", "--delete schedule", False),
    ],
)
def test_which_updates_let_a_job_count_from_now(host, state, job, update, counts_again):
    """A prune job without a schedule in its update keeps its state; verify and sync jobs do not."""
    host.write_config("prune.cfg", "prune: job1\n\tkeep-last 1\n\tschedule daily\n\tstore gc1\n")
    host.write_config("verification.cfg", "verification: job1\n\tschedule daily\n\tstore gc1\n")
    host.write_config("sync.cfg", "sync: job1\n\tremote-store other\n\tschedule daily\n\tstore gc1\n")
    kind = {"prune-job": "prunejob", "verify-job": "verificationjob", "sync-job": "syncjob"}[job]
    path = host.var / "jobstates" / f"{kind}-job1.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(state))
    subprocess.run([host.manager, job, "update", "job1", *update.split()], check=True)
    after = json.loads(path.read_text())
    if counts_again and "created" in state:
        assert list(after) == ["created"]
        assert after["created"]["time"] > state["created"]["time"]
    elif counts_again:
        updated = after["finished"].pop("updated")
        assert updated > state["finished"]["state"]["OK"]["endtime"]
        assert after["finished"] == {name: state["finished"][name] for name in ("upid", "state")}
    else:
        assert after == state
