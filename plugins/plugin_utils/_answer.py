# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks the answer of a host: only known keys, of known types and limited sizes, safe to show on a terminal.

A host may be hostile, and Ansible acts on many keys of a result: it sets `ansible_facts`, prints `warnings` and
`exception`, and ends the work on a host that is `unreachable`. So a result is rebuilt from the keys that a module of this
collection documents; all other keys of the answer are dropped.
"""

from __future__ import annotations

import math
import re
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

MAX_TEXT = 20_000
"""The most characters of one text."""
MAX_ITEMS = 100_000
"""The most items of one list, or keys of one object."""
_MAX_WARNINGS = 20
_MAX_NUMBER = 10**18

Answer = t.Mapping[str, t.Any]
_Take = t.Callable[[t.Any], t.Any]


class WrongAnswer(ValueError):
    """The host's answer is not a result of the module; the message says why."""


def one_line(value: t.Any, limit: int = MAX_TEXT) -> str:
    """A text that cannot control a terminal. Raises `WrongAnswer`."""
    if not isinstance(value, str):
        raise WrongAnswer("a text is missing or of another type")
    return display(value[:limit])


def lines(value: t.Any) -> str:
    """A text of several lines that cannot control a terminal. Raises `WrongAnswer`."""
    if not isinstance(value, str):
        raise WrongAnswer("a text is missing or of another type")
    return "\n".join(map(display, value[: MAX_TEXT * 100].split("\n")))


def flag(value: t.Any) -> bool:
    """Raises `WrongAnswer`."""
    if not isinstance(value, bool):
        raise WrongAnswer("a value that must be true or false is of another type")
    return value


def count(value: t.Any) -> int:
    """Raises `WrongAnswer`."""
    if isinstance(value, bool) or not isinstance(value, int) or not -_MAX_NUMBER < value < _MAX_NUMBER:
        raise WrongAnswer("a count is not a whole number, or is too large")
    return value


def seconds(value: t.Any) -> float:
    """Raises `WrongAnswer`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise WrongAnswer("a time is not a number")
    return float(value)


def each(take: _Take) -> _Take:
    """A list."""

    def taken(value: t.Any) -> list[t.Any]:
        if not isinstance(value, list) or len(value) > MAX_ITEMS:
            raise WrongAnswer(f"a list is of another type, or has more than {MAX_ITEMS} items")
        return [take(item) for item in value]

    return taken


def by_name(take: _Take) -> _Take:
    """An object with any keys."""

    def taken(value: t.Any) -> dict[str, t.Any]:
        if not isinstance(value, dict) or len(value) > MAX_ITEMS:
            raise WrongAnswer(f"an object is of another type, or has more than {MAX_ITEMS} keys")
        return {one_line(key, 200): take(item) for key, item in value.items()}

    return taken


def record(**takes: _Take) -> _Take:
    """An object from which only these keys are taken; each may be missing."""

    def taken(value: t.Any) -> dict[str, t.Any]:
        if not isinstance(value, dict):
            raise WrongAnswer("an object is of another type")
        found: dict[str, t.Any] = {}
        for key, take in takes.items():
            if value.get(key) is not None:
                try:
                    found[key] = take(value[key])
                except WrongAnswer as exc:
                    raise WrongAnswer(f"'{key}': {exc}") from None
        return found

    return taken


def warnings_of(answer: Answer) -> list[str]:
    """The module's warnings as texts; newer versions of Ansible give objects."""
    found = answer.get("warnings")
    texts = [
        warning if isinstance(warning, str) else getattr(getattr(warning, "event", None), "msg", None)
        for warning in (found if isinstance(found, (list, tuple)) else ())[:_MAX_WARNINGS]
    ]
    return [one_line(text) for text in texts if isinstance(text, str)]


def failure(answer: Answer) -> dict[str, t.Any]:
    """The result for an answer that reports a failure, with the reason in one line."""
    message = answer.get("msg")
    text = message if isinstance(message, str) and message else "The module failed without a message"
    # If Python, sudo or space for temporary files is missing, the reason is in the output. A remote terminal writes it to
    # standard output, and ssh writes its closing message to standard error.
    cause = complaint(answer.get("module_stderr")) or complaint(answer.get("module_stdout"))
    if cause and _NO_RESULT.search(text):
        text = "The module could not run on the host"
    return {"failed": True, "msg": one_line(f"{text}: {cause}" if cause else text)}


_NO_RESULT = re.compile(r"MODULE FAILURE|[Dd]eserialization failed|No start of json|The module interpreter")
"""Ansible's messages for a module without a result; they name Ansible's protocol, not the cause."""
_CLOSED = re.compile(r"(Shared connection|Connection) to \S+ closed\.?|Killed by signal \d+\.|debug\d: .*")


_COMPLAINT = re.compile(
    r"not found|no such|denied|not permitted|cannot|unable|no space|read-only|refused|timed out|\berror\b",
    re.IGNORECASE,
)
_TRACEBACK = "Traceback (most recent call last):"


def complaint(output: t.Any) -> str:
    """The line of an output that names the reason of a failure; empty if the output is empty.

    In a traceback it is the last line. Otherwise it is the first line that looks like an error, because advice may follow
    (pyenv gives some), or the last line if none looks like an error.
    """
    found = output[-MAX_TEXT:].splitlines() if isinstance(output, str) else []
    lines = [line.strip() for line in found if line.strip() and not _CLOSED.fullmatch(line.strip())]
    if not lines:
        return ""
    if _TRACEBACK in lines:
        return lines[-1]
    return next((line for line in lines if _COMPLAINT.search(line)), lines[-1])


_PATHS = each(record(path=one_line, detail=one_line))

_OWNERSHIP = record(
    changed=flag,
    failed=flag,
    msg=one_line,
    base=one_line,
    changes=record(
        total=count,
        owner=count,
        mode=count,
        by_owner=each(record(uid=count, gid=count, owner=one_line, count=count)),
        by_mode=each(record(step=one_line, count=count)),
        paths=_PATHS,
    ),
    left=count,
    refused=by_name(count),
    refused_paths=_PATHS,
    failures=count,
    failed_paths=_PATHS,
    vanished=count,
    seen=count,
    complete=flag,
    elapsed=seconds,
    diff=record(before=lines, after=lines),
)
"""The result of the module `chunk_ownership`, as it is documented there."""

_STARTED = record(ansible_job_id=one_line, started=count, finished=count, results_file=one_line, changed=flag)
"""Ansible's result of a task that was started with `async`."""


def ownership_result(answer: Answer) -> dict[str, t.Any]:
    """The result of the module `chunk_ownership` from the answer of a host."""
    if answer.get("started") and answer.get("ansible_job_id"):
        return started(answer)
    if "base" not in answer:
        return failure(answer)
    try:
        result: dict[str, t.Any] = _OWNERSHIP(answer)
    except WrongAnswer as exc:
        return wrong(exc)
    warnings = warnings_of(answer)
    return {**result, "warnings": warnings} if warnings else result


def started(answer: Answer) -> dict[str, t.Any]:
    """The result of a task that continues in the background."""
    numbers = {key: int(answer[key]) for key in ("started", "finished") if isinstance(answer.get(key), (bool, int))}
    try:
        return t.cast("dict[str, t.Any]", _STARTED({**answer, **numbers}))
    except WrongAnswer as exc:
        return wrong(exc)


def wrong(reason: Exception) -> dict[str, t.Any]:
    """The result for an answer that is not a result of the module."""
    return {"failed": True, "msg": one_line(f"The host's answer is not a result of this collection: {reason}.")}
