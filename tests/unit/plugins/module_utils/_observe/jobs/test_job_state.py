# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import JobRunFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.jobs.job_state import observe_run

UPID = "UPID:pbs1:00000A1B:0000C3D4:00000005:67748580:garbage_collection:store1:root@pam:"


@pytest.fixture
def dir_fd(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def finished(state: Any, updated: int | None = None) -> bytes:
    return json.dumps({"finished": {"upid": UPID, "state": state, "updated": updated}}).encode()


def start_of(pid: int | str) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def test_a_job_without_a_file_has_never_run(dir_fd: int) -> None:
    assert observe_run(dir_fd, "garbage_collection", "store1") == JobRunFacts("created")


def test_the_file_is_found_by_type_and_name(tmp_path: Path, dir_fd: int) -> None:
    (tmp_path / "prunejob-daily.json").write_bytes(finished({"OK": {"endtime": 5}}))
    assert observe_run(dir_fd, "prunejob", "daily").end == 5
    assert observe_run(dir_fd, "verificationjob", "daily").state == "created"


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff\xfe", b"\x00" * 512, finished({"OK": {"endtime": -1}})])
def test_what_is_no_state_is_unreadable(tmp_path: Path, dir_fd: int, data: bytes) -> None:
    (tmp_path / "prunejob-daily.json").write_bytes(data)
    facts = observe_run(dir_fd, "prunejob", "daily")
    assert facts.state == "unreadable"
    assert facts.message
    assert facts.message.isprintable()
    assert facts.end is None


def test_everything_that_the_file_tells_is_in_the_facts(tmp_path: Path, dir_fd: int) -> None:
    (tmp_path / "prunejob-daily.json").write_bytes(finished({"Warning": {"count": 3, "endtime": 1735689700}}))
    assert observe_run(dir_fd, "prunejob", "daily") == JobRunFacts(
        "warning", 1735689700, warnings=3, upid=UPID, start=1735689600
    )


def test_a_link_is_not_followed(tmp_path: Path, dir_fd: int) -> None:
    (tmp_path / "real.json").write_bytes(finished({"OK": {"endtime": 5}}))
    (tmp_path / "prunejob-daily.json").symlink_to("real.json")
    facts = observe_run(dir_fd, "prunejob", "daily")
    assert (facts.state, facts.message) == ("unreadable", "it is a link, not a regular file; it was not read")


def test_a_run_of_a_living_process_goes_on(tmp_path: Path, dir_fd: int) -> None:
    upid = f"UPID:pbs1:{os.getpid():08X}:{start_of('self'):08X}:00000005:67748580:prunejob:x:root@pam:"
    (tmp_path / "prunejob-daily.json").write_text(json.dumps({"started": {"upid": upid}}))
    assert observe_run(dir_fd, "prunejob", "daily") == JobRunFacts("running", upid=upid, start=0x67748580)


def test_a_run_of_a_process_that_is_gone_has_ended(tmp_path: Path, dir_fd: int) -> None:
    # The id is in use again, by a process that began at another time.
    upid = f"UPID:pbs1:{os.getpid():08X}:{start_of('self') + 1:08X}:00000005:67748580:prunejob:x:root@pam:"
    (tmp_path / "prunejob-daily.json").write_text(json.dumps({"started": {"upid": upid}}))
    facts = observe_run(dir_fd, "prunejob", "daily")
    assert (facts.state, facts.end) == ("unknown", 1735689600)
    assert facts.message == "its process ended without a result"
    (tmp_path / "no-proc").mkdir()
    assert observe_run(dir_fd, "prunejob", "daily", str(tmp_path / "no-proc")).state == "unknown"


def test_a_run_without_a_upid_cannot_be_told(tmp_path: Path, dir_fd: int) -> None:
    (tmp_path / "prunejob-daily.json").write_text('{"started":{"upid":"\\u001b[31m"}}')
    facts = observe_run(dir_fd, "prunejob", "daily")
    assert (facts.state, facts.upid) == ("unreadable", r"\x1b[31m")


@pytest.mark.root
def test_a_state_that_only_root_may_read_is_not_read(tmp_path: Path, dir_fd: int) -> None:
    """The directory belongs to the daemon's user, who can move a file of root to this name."""
    path = tmp_path / "prunejob-daily.json"
    path.write_bytes(finished({"Error": {"endtime": 5, "message": "root's secret"}}))
    path.chmod(0o600)
    facts = observe_run(dir_fd, "prunejob", "daily")
    assert "secret" not in facts.message
    assert (facts.state, facts.message) == ("unreadable", "only root may read it; it was not read")
