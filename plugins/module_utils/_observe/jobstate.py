# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last run of PBS's jobs, from its state files: JSON of one object, owned by the daemon's user.

Source: PBS, job state handling (C(src/server/jobstate.rs)).
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.facts import JobRunFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.small_file import read_small
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

_SIZE_LIMIT = 256 * 1024
_MESSAGE_LIMIT = 2000
_TIME_LIMIT = 2**53
_UPID = re.compile(
    r"UPID:(?P<node>[A-Za-z0-9][A-Za-z0-9-]*):(?P<pid>[0-9A-Fa-f]{8}):(?P<pstart>[0-9A-Fa-f]{8,9})"
    r":(?P<task_id>[0-9A-Fa-f]{8,16}):(?P<start>[0-9A-Fa-f]{8}):(?P<type>[^:\s]+):(?P<id>[^:\s]*):(?P<auth_id>[^:\s]+):"
)


@dataclasses.dataclass(frozen=True)
class Upid:
    """The name of one task run."""

    node: str
    pid: int
    pstart: int
    """When that process began, in clock ticks since boot (C(/proc/PID/stat))."""
    task_id: int
    start: int
    """Seconds since the epoch."""
    type: str
    id: str
    """What the task works on, with PBS's escapes."""
    auth_id: str


def parse_upid(text: str) -> t.Optional[Upid]:
    """Take a UPID apart; None where it is not one."""
    match = _UPID.fullmatch(text)
    if match is None:
        return None
    numbers = {name: int(match.group(name), 16) for name in ("pid", "pstart", "task_id", "start")}
    return Upid(
        node=match.group("node"),
        type=match.group("type"),
        id=match.group("id"),
        auth_id=match.group("auth_id"),
        **numbers,
    )


def observe_run(dir_fd: int, job_type: str, name: str, proc: str = "/proc") -> JobRunFacts:
    """The last run of one job. C(dir_fd) is the open directory C(jobstates). Never raises an exception for its content.

    C(job_type) is C(garbage_collection), C(prunejob) or C(verificationjob). A job without a state file has never run.
    """
    found = read_small("%s-%s.json" % (job_type, name), dir_fd, _SIZE_LIMIT)
    if found.data is None:
        return unreadable(found.error) if found.exists else JobRunFacts(state="created")
    facts = parse_state(found.data)
    if facts.state == "running":
        _look_after_process(facts, proc)
    return facts


def unreadable(why: str) -> JobRunFacts:
    return JobRunFacts(state="unreadable", message=why)


def parse_state(data: bytes) -> JobRunFacts:
    """Read the content of a state file. What is not one gives the state C(unreadable); PBS tolerates it since 4.1.8."""
    try:
        return _facts(json.loads(data.decode("utf-8")))
    except UnicodeDecodeError:
        return unreadable("it is not UTF-8")
    except RecursionError:
        return unreadable("it is nested without end")
    except (ValueError, KeyError, TypeError) as exc:
        return unreadable("it is not the state of a job: " + display(str(exc))[:200])


def _facts(state: t.Any) -> JobRunFacts:
    (kind, value), *more = _object(state).items()
    if more:
        raise ValueError("it has more than one state")
    value = _object(value)
    if kind == "created":
        _integer(value["time"])
        return JobRunFacts(state="created")
    upid = display(_text(value["upid"]))
    if kind == "started":
        return JobRunFacts(state="running", upid=upid)
    if kind != "finished":
        raise ValueError("unknown state")
    (result, details), *more = _object(value["state"]).items()
    if more:
        raise ValueError("it has more than one result")
    details = _object(details)
    facts = JobRunFacts(state=_RESULTS[result], end=_integer(details["endtime"]), upid=upid)
    if facts.state == "error":
        message = display(_text(details["message"]))
        facts.message = message if len(message) <= _MESSAGE_LIMIT else message[: _MESSAGE_LIMIT - 1] + "…"
    if facts.state == "warning":
        facts.warnings = _integer(details["count"])
    return facts


_RESULTS = {"OK": "ok", "Warning": "warning", "Error": "error", "Unknown": "unknown"}


def _object(value: t.Any) -> t.Dict[str, t.Any]:
    if not isinstance(value, dict) or not value:
        raise TypeError("an object is missing")
    return value


def _text(value: t.Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is missing")
    return value


def _integer(value: t.Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _TIME_LIMIT:
        raise TypeError("a number is missing")
    return value


def _look_after_process(facts: JobRunFacts, proc: str) -> None:
    """PBS writes C(started) and dies: then the run has ended, nobody knows how, and PBS counts it from its start."""
    upid = parse_upid(facts.upid)
    if upid is None:
        facts.state, facts.message = "unreadable", "its UPID is not one"
    elif _process_start(upid.pid, proc) != upid.pstart:
        facts.state, facts.end = "unknown", upid.start
        facts.message = "the process that ran it has ended without a result"


def _process_start(pid: int, proc: str) -> t.Optional[int]:
    """When a process began, in clock ticks since boot; None where there is none with this id."""
    try:
        with open(os.path.join(proc, str(pid), "stat"), "rb") as handle:
            # The name, in parentheses, may itself hold parentheses and blanks.
            return int(handle.read(4096).rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None
