# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state file of one of PBS's jobs (one JSON object), and the ids of task runs.

Source: PBS, job state handling (`src/server/jobstate.rs`).
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

_MESSAGE_LIMIT = 2000
_TIME_LIMIT = 2**53
_UPID = re.compile(
    r"UPID:(?P<node>[A-Za-z0-9][A-Za-z0-9-]*):(?P<pid>[0-9A-Fa-f]{8}):(?P<pstart>[0-9A-Fa-f]{8,9})"
    r":(?P<task_id>[0-9A-Fa-f]{8,16}):(?P<start>[0-9A-Fa-f]{8}):(?P<type>[^:\s]+):(?P<id>[^:\s]*):(?P<auth_id>[^:\s]+):"
)


@dataclasses.dataclass(frozen=True)
class Upid:
    """The id of one task run."""

    node: str
    pid: int
    pstart: int
    """Start time of that process, in clock ticks since boot (`/proc/PID/stat`)."""
    task_id: int
    start: int
    """Seconds since the epoch."""
    type: str
    id: str
    """The object of the task, with PBS's escapes."""
    auth_id: str


def parse_upid(text: str) -> t.Optional[Upid]:
    """Parse a UPID; None if it is invalid."""
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


def unescaped(text: str) -> str:
    """The object of a task as PBS shows it: in a UPID some characters are `\\xNN`, and a slash is a dash."""
    return re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match.group(1), 16)), text.replace("-", "/"))


class JobStateError(CollectionError, ValueError):
    """The content is not a valid job state; PBS tolerates that since 4.1.8."""


@dataclasses.dataclass
class JobState:
    """The last run of one job, from its state file."""

    state: str
    """`ok`, `warning`, `error`, `running`, `created` (never run) or `unknown`."""
    end: t.Optional[int] = None
    """Seconds since the epoch; None if the run has not ended or never began."""
    message: str = ""
    warnings: int = 0
    upid: str = ""
    start: t.Optional[int] = None
    """Seconds since the epoch, from the UPID."""
    since: t.Optional[int] = None
    """Since when PBS waits for the next run, if not since the last start: the job was created, or its schedule changed."""


def parse_state(data: bytes) -> JobState:
    """Parse a state file. Raises `JobStateError`."""
    try:
        return _parsed(json.loads(data.decode("utf-8")))
    except UnicodeDecodeError:
        raise JobStateError("it is not UTF-8") from None
    except RecursionError:
        raise JobStateError("it is nested too deeply") from None
    except (ValueError, KeyError, TypeError) as exc:
        raise JobStateError("it is not the state of a job: " + display(str(exc))[:200]) from None


def _parsed(state: t.Any) -> JobState:
    (kind, value), *more = _object(state).items()
    if more:
        raise ValueError("it has more than one state")
    value = _object(value)
    if kind == "created":
        return JobState(state="created", since=_integer(value["time"]))
    upid = display(_text(value["upid"]))
    parsed = parse_upid(upid)
    start = parsed.start if parsed is not None else None
    if kind == "started":
        return JobState(state="running", upid=upid, start=start)
    if kind != "finished":
        raise ValueError("unknown state")
    (result, details), *more = _object(value["state"]).items()
    if more:
        raise ValueError("it has more than one result")
    details = _object(details)
    found = JobState(state=_RESULTS[result], end=_integer(details["endtime"]), upid=upid, start=start)
    if value.get("updated") is not None:
        found.since = _integer(value["updated"])
    if found.state == "error":
        message = display(_text(details["message"]))
        found.message = message if len(message) <= _MESSAGE_LIMIT else message[: _MESSAGE_LIMIT - 1] + "…"
    if found.state == "warning":
        found.warnings = _integer(details["count"])
    return found


_RESULTS = {"OK": "ok", "Warning": "warning", "Error": "error", "Unknown": "unknown"}


def _object(value: t.Any) -> dict[str, t.Any]:
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
