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
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.facts import JobRunFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.jobstate import (
    Upid,
    observe_run,
    parse_state,
    parse_upid,
)

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


# --- UPIDs ---


def test_upid() -> None:
    assert parse_upid(UPID) == Upid(
        node="pbs1",
        pid=2587,
        pstart=50132,
        task_id=5,
        start=1735689600,
        type="garbage_collection",
        id="store1",
        auth_id="root@pam",
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        UPID[:-1],
        UPID + "x",
        UPID + "\n",
        UPID.replace("0A1B", "0A1G"),
        UPID.replace("00000A1B", "A1B"),
        UPID.replace("root@pam", ""),
        UPID.replace("pbs1", ""),
    ],
)
def test_what_is_no_upid(text: str) -> None:
    assert parse_upid(text) is None


def test_a_task_may_work_on_nothing() -> None:
    upid = parse_upid("UPID:a-b:00000001:000000001:0000000000000002:00000003:logrotate::root@pam!token:")
    assert upid is not None
    assert (upid.id, upid.auth_id, upid.pstart, upid.task_id) == ("", "root@pam!token", 1, 2)


# --- the content ---


@pytest.mark.parametrize(
    ("data", "facts"),
    [
        (b'{"created":{"time":1735689600}}', JobRunFacts("created")),
        (
            """{"finished":{"upid":"UPID:…:","state":{"Error":{"message":"atime safety check failed: …",\
"endtime":1735689700}},"updated":null}}""".encode(),
            JobRunFacts("error", 1735689700, "atime safety check failed: …", upid="UPID:…:"),
        ),
        (
            """{"finished":{"upid":"UPID:…:","state":{"Warning":{"count":3,"endtime":1735689700}},\
"updated":1735690000}}""".encode(),
            JobRunFacts("warning", 1735689700, warnings=3, upid="UPID:…:"),
        ),
        (finished({"OK": {"endtime": 1735689700}}), JobRunFacts("ok", 1735689700, upid=UPID)),
        (finished({"Unknown": {"endtime": 1735689700}}), JobRunFacts("unknown", 1735689700, upid=UPID)),
        (b'{"started":{"upid":"UPID:x"}}', JobRunFacts("running", upid="UPID:x")),
        (
            finished({"Error": {"message": "no \x1b[31mway\n", "endtime": 1}}),
            JobRunFacts("error", 1, r"no \x1b[31mway\x0a", upid=UPID),
        ),
    ],
)
def test_states(data: bytes, facts: JobRunFacts) -> None:
    assert parse_state(data) == facts


def test_a_long_message_is_cut() -> None:
    facts = parse_state(finished({"Error": {"message": "x" * 100_000, "endtime": 1}}))
    assert len(facts.message) == 2000
    assert facts.message.endswith("…")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"finis',
        b"null",
        b"[]",
        b"{}",
        b'"created"',
        b'{"created":{}}',
        b'{"created":{"time":"x"}}',
        b'{"created":{"time":1},"started":{"upid":"x"}}',
        b'{"ended":{"upid":"x"}}',
        b'{"started":{"upid":7}}',
        b'{"finished":{"upid":"x"}}',
        finished({}),
        finished("OK"),
        finished({"OK": {}}),
        finished({"Fine": {"endtime": 1}}),
        finished({"OK": {"endtime": True}}),
        finished({"OK": {"endtime": -1}}),
        finished({"OK": {"endtime": 1e300}}),
        finished({"OK": {"endtime": 10**30}}),
        finished({"Warning": {"endtime": 1}}),
        finished({"Error": {"endtime": 1}}),
        finished({"OK": {"endtime": 1}, "Error": {"endtime": 1, "message": ""}}),
        b'{"created":{"time":' + b"9" * 10_000 + b"}}",
        b'{"created":' * 50_000,
        b"\xff\xfe",
        b"\x00" * 512,
    ],
)
def test_what_is_no_state_is_unreadable(data: bytes) -> None:
    facts = parse_state(data)
    assert facts.state == "unreadable"
    assert facts.message
    assert facts.message.isprintable()
    assert facts.end is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["created", "started", "finished", "time", "upid", "state", "OK", "Error", "endtime", "message"]
            ),
            inner,
            max_size=3,
        )
    ),
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_content_raises(data: bytes) -> None:
    facts = parse_state(data)
    assert facts.state in ("ok", "warning", "error", "running", "created", "unknown", "unreadable")
    assert facts.message.isprintable()
    assert facts.upid.isprintable()


# --- the file ---


def test_a_job_without_a_file_has_never_run(dir_fd: int) -> None:
    assert observe_run(dir_fd, "garbage_collection", "store1") == JobRunFacts("created")


def test_the_file_is_found_by_type_and_name(tmp_path: Path, dir_fd: int) -> None:
    (tmp_path / "prunejob-daily.json").write_bytes(finished({"OK": {"endtime": 5}}))
    assert observe_run(dir_fd, "prunejob", "daily").end == 5
    assert observe_run(dir_fd, "verificationjob", "daily").state == "created"


def test_a_link_is_not_followed(tmp_path: Path, dir_fd: int) -> None:
    (tmp_path / "real.json").write_bytes(finished({"OK": {"endtime": 5}}))
    (tmp_path / "prunejob-daily.json").symlink_to("real.json")
    facts = observe_run(dir_fd, "prunejob", "daily")
    assert (facts.state, facts.message) == ("unreadable", "it is a link, not a regular file; it was not read")


def test_a_run_of_a_living_process_goes_on(tmp_path: Path, dir_fd: int) -> None:
    upid = f"UPID:pbs1:{os.getpid():08X}:{start_of('self'):08X}:00000005:67748580:prunejob:x:root@pam:"
    (tmp_path / "prunejob-daily.json").write_text(json.dumps({"started": {"upid": upid}}))
    assert observe_run(dir_fd, "prunejob", "daily") == JobRunFacts("running", upid=upid)


def test_a_run_of_a_process_that_is_gone_has_ended(tmp_path: Path, dir_fd: int) -> None:
    # The id is in use again, by a process that began at another time.
    upid = f"UPID:pbs1:{os.getpid():08X}:{start_of('self') + 1:08X}:00000005:67748580:prunejob:x:root@pam:"
    (tmp_path / "prunejob-daily.json").write_text(json.dumps({"started": {"upid": upid}}))
    facts = observe_run(dir_fd, "prunejob", "daily")
    assert (facts.state, facts.end) == ("unknown", 1735689600)
    assert facts.message == "the process that ran it has ended without a result"
    (tmp_path / "no-proc").mkdir()
    assert observe_run(dir_fd, "prunejob", "daily", str(tmp_path / "no-proc")).state == "unknown"


def test_a_run_without_a_upid_cannot_be_told(tmp_path: Path, dir_fd: int) -> None:
    (tmp_path / "prunejob-daily.json").write_text('{"started":{"upid":"\\u001b[31m"}}')
    facts = observe_run(dir_fd, "prunejob", "daily")
    assert (facts.state, facts.upid) == ("unreadable", r"\x1b[31m")
