# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.job_state import (
    JobState,
    JobStateError,
    Upid,
    parse_state,
    parse_upid,
)

UPID = "UPID:pbs1:00000A1B:0000C3D4:00000005:67748580:garbage_collection:store1:root@pam:"


def finished(state: Any, updated: int | None = None) -> bytes:
    return json.dumps({"finished": {"upid": UPID, "state": state, "updated": updated}}).encode()


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
    ("data", "state"),
    [
        (b'{"created":{"time":1735689600}}', JobState("created", since=1735689600)),
        (
            """{"finished":{"upid":"UPID:…:","state":{"Error":{"message":"atime safety check failed: …",\
"endtime":1735689700}},"updated":null}}""".encode(),
            JobState("error", 1735689700, "atime safety check failed: …", upid="UPID:…:"),
        ),
        (
            """{"finished":{"upid":"UPID:…:","state":{"Warning":{"count":3,"endtime":1735689700}},\
"updated":1735690000}}""".encode(),
            JobState("warning", 1735689700, warnings=3, upid="UPID:…:", since=1735690000),
        ),
        (finished({"OK": {"endtime": 1735689700}}), JobState("ok", 1735689700, upid=UPID, start=1735689600)),
        (finished({"Unknown": {"endtime": 1735689700}}), JobState("unknown", 1735689700, upid=UPID, start=1735689600)),
        (b'{"started":{"upid":"UPID:x"}}', JobState("running", upid="UPID:x")),
        (
            finished({"Error": {"message": "no \x1b[31mway\n", "endtime": 1}}),
            JobState("error", 1, r"no \x1b[31mway\x0a", upid=UPID, start=1735689600),
        ),
    ],
)
def test_states(data: bytes, state: JobState) -> None:
    assert parse_state(data) == state


def test_the_recorded_upid_of_a_sync_job_keeps_its_escapes() -> None:
    """Its object is the same text in the list of tasks."""
    data = rb"""{"finished":{"upid":"UPID:vm:0000001B:00089EAC:00000022:6B0B69B5:syncjob:\\x2d\\x3adsa\\x3adsb\\x3a\\x3asl1:root@pam:",\
"state":{"OK":{"endtime":1795910069}},"updated":null}}"""
    state = parse_state(data.replace(b"\\\n", b""))
    upid = parse_upid(state.upid)
    assert upid is not None
    assert upid.id == r"\x2d\x3adsa\x3adsb\x3a\x3asl1"
    assert state.start == 0x6B0B69B5


def test_a_long_message_is_cut() -> None:
    state = parse_state(finished({"Error": {"message": "x" * 100_000, "endtime": 1}}))
    assert len(state.message) == 2000
    assert state.message.endswith("…")


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
def test_what_is_no_state_is_an_error(data: bytes) -> None:
    with pytest.raises(JobStateError) as caught:
        parse_state(data)
    assert str(caught.value)
    assert str(caught.value).isprintable()


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
def test_any_content_is_a_state_or_a_named_error(data: bytes) -> None:
    try:
        state = parse_state(data)
    except JobStateError as exc:
        state = JobState("unknown", message=str(exc))
    assert state.state in ("ok", "warning", "error", "running", "created", "unknown")
    assert state.message.isprintable()
    assert state.upid.isprintable()
