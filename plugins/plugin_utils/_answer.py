# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the controller takes from the answer of a host: known keys, of known types, in bounded sizes, fit for a terminal.

A host may be hostile, and Ansible acts on many keys of a result: it sets `ansible_facts`, prints `warnings` and
`exception`, ends the work on a host that is `unreachable`. So a result is rebuilt from what a module of this
collection documents; everything else in the answer is left out.
"""

from __future__ import annotations

import math
import re
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

MAX_TEXT = 20_000
"""Characters of one text."""
MAX_ITEMS = 100_000
"""Items of one list, or keys of one object."""
_MAX_WARNINGS = 20
_MAX_NUMBER = 10**18

Answer = t.Mapping[str, t.Any]
_Take = t.Callable[[t.Any], t.Any]


class WrongAnswer(ValueError):
    """The host's answer is no result of the module; the message says why."""


def one_line(value: t.Any, limit: int = MAX_TEXT) -> str:
    """A text that cannot control a terminal. Raises `WrongAnswer`."""
    if not isinstance(value, str):
        raise WrongAnswer("a text is missing or of another type")
    return display(value[:limit])


def lines(value: t.Any) -> str:
    """The same of several lines. Raises `WrongAnswer`."""
    if not isinstance(value, str):
        raise WrongAnswer("a text is missing or of another type")
    return "\n".join(map(display, value[: MAX_TEXT * 100].split("\n")))


def flag(value: t.Any) -> bool:
    """Raises `WrongAnswer`."""
    if not isinstance(value, bool):
        raise WrongAnswer("a truth value is of another type")
    return value


def count(value: t.Any) -> int:
    """Raises `WrongAnswer`."""
    if isinstance(value, bool) or not isinstance(value, int) or not -_MAX_NUMBER < value < _MAX_NUMBER:
        raise WrongAnswer("a count is no number, or too large")
    return value


def seconds(value: t.Any) -> float:
    """Raises `WrongAnswer`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise WrongAnswer("a time is no number")
    return float(value)


def each(take: _Take) -> _Take:
    """A list."""

    def taken(value: t.Any) -> list[t.Any]:
        if not isinstance(value, list) or len(value) > MAX_ITEMS:
            raise WrongAnswer("a list is of another type, or too long")
        return [take(item) for item in value]

    return taken


def by_name(take: _Take) -> _Take:
    """An object with any keys."""

    def taken(value: t.Any) -> dict[str, t.Any]:
        if not isinstance(value, dict) or len(value) > MAX_ITEMS:
            raise WrongAnswer("an object is of another type, or too long")
        return {one_line(key, 200): take(item) for key, item in value.items()}

    return taken


def record(**takes: _Take) -> _Take:
    """An object of which these keys are taken, where they are there."""

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
    """The module's warnings as texts; later versions of Ansible hand over objects."""
    found = answer.get("warnings")
    texts = [
        warning if isinstance(warning, str) else getattr(getattr(warning, "event", None), "msg", None)
        for warning in (found if isinstance(found, (list, tuple)) else ())[:_MAX_WARNINGS]
    ]
    return [one_line(text) for text in texts if isinstance(text, str)]


def failure(answer: Answer) -> dict[str, t.Any]:
    """The result for an answer that reports a failure, with the reason in one line."""
    said = answer.get("msg")
    text = said if isinstance(said, str) and said else "The module failed without a reason"
    # No Python, no sudo, no room for temporary files: the host has written the reason. A remote terminal writes it to
    # standard output, and ssh its own farewell to standard error.
    cause = complaint(answer.get("module_stderr")) or complaint(answer.get("module_stdout"))
    if cause and _NO_RESULT.search(text):
        text = "The module could not run on the host"
    return {"failed": True, "msg": one_line(f"{text}: {cause}" if cause else text)}


_NO_RESULT = re.compile(r"MODULE FAILURE|[Dd]eserialization failed|No start of json|The module interpreter")
"""What Ansible reports where a module gave no result; it names Ansible's protocol, and not the cause."""
_FAREWELL = re.compile(r"(Shared connection|Connection) to \S+ closed\.?|Killed by signal \d+\.|debug\d: .*")


_COMPLAINT = re.compile(
    r"not found|no such|denied|not permitted|cannot|unable|no space|read-only|refused|timed out|\berror\b",
    re.IGNORECASE,
)
_TRACEBACK = "Traceback (most recent call last):"


def complaint(output: t.Any) -> str:
    """The line of an output that names the reason of a failure; empty where it has no text.

    A traceback ends with it. Elsewhere it is the first line that reads like an error, since advice may follow, as from
    pyenv; and where no line does, the last one.
    """
    found = output[-MAX_TEXT:].splitlines() if isinstance(output, str) else []
    lines = [line.strip() for line in found if line.strip() and not _FAREWELL.fullmatch(line.strip())]
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
"""What Ansible says of a task that was started with `async`."""


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
    """The result of a task that goes on in the background."""
    numbers = {key: int(answer[key]) for key in ("started", "finished") if isinstance(answer.get(key), (bool, int))}
    try:
        return t.cast("dict[str, t.Any]", _STARTED({**answer, **numbers}))
    except WrongAnswer as exc:
        return wrong(exc)


def wrong(reason: Exception) -> dict[str, t.Any]:
    """The result for an answer that is none."""
    return {"failed": True, "msg": one_line(f"The host's answer is no result of this collection: {reason}.")}
