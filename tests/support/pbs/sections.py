# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manager's commands on remotes, sync jobs and S3 endpoints."""

from __future__ import annotations

import base64
import os
import re
import time
from collections.abc import Callable
from typing import Any

from . import entries, rules, tasks
from .configuration import Lock, read_config
from .entries import COMMENT, Option, Options, Values
from .environment import LACKS, RUN, STATES
from .options import Failure, UsageFailure, parameter, schedule_problem, split_properties

Commands = dict[str, Callable[[list[str]], None]]

_SAFE_ID = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_NAME = Option(entries.matches(_SAFE_ID, 3, 32))
_AUTH_ID = Option(entries.matches(rf"[^\s:/\x00-\x1f\x7f]+@{_SAFE_ID}(!{_SAFE_ID})?", 3, 64))
_FINGERPRINT = Option(entries.matches(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){31}"))
_FLAG = Option(entries.flag, "<boolean>")
_LABEL = r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?"
_ADDRESS = r"\[?[0-9a-fA-F:]*:[0-9a-fA-F:.]*\]?"


def _port(text: str) -> str:
    if not 0 <= int(text) <= 65535:
        raise ValueError(f"invalid value: integer `{int(text)}`, expected u16")
    return str(int(text))


_PORT = Option(_port, "<integer>", late=True)
_RATES = {name: Option(entries.byte_size) for name in ("rate-in", "burst-in", "rate-out", "burst-out")}


def _available(options: dict[str, Option]) -> dict[str, Option]:
    """Without what the version that is played does not have."""
    return {name: option for name, option in options.items() if name not in LACKS}


def _may_look() -> None:
    """Who is neither root nor `backup` cannot open what says who may do what."""
    if os.geteuid() not in (0, rules.backup_ids()[0]):
        raise Failure("EACCES: Permission denied")


# --- remotes ----------------------------------------------------------------------------------------------------------

REMOTE_OPTIONS = _available(
    {
        "host": Option(entries.matches(rf"{_LABEL}(\.{_LABEL})*|{_ADDRESS}"), required=True, deletable=False),
        "auth-id": Option(_AUTH_ID.check, required=True, deletable=False),
        "password": Option(entries.matches(r"[^\x00-\x1f\x7f]+", 1, 1024), required=True, deletable=False, secret=True),
        "port": _PORT,
        "fingerprint": _FINGERPRINT,
        "comment": COMMENT,
        "use-node-proxy": _FLAG,
    }
)
_REMOTES, _REMOTE_KINDS = "remote.cfg", {"remote": REMOTE_OPTIONS}


def _encoded(given: Values) -> None:
    if "password" in given:
        given["password"] = [base64.b64encode(given["password"][0].encode()).decode()]


def _remote_create(words: list[str]) -> None:
    name, given = entries.take(words, REMOTE_OPTIONS)
    entries.require(given, REMOTE_OPTIONS)
    _encoded(given)
    with Lock("remote"):
        remotes = entries.read_entries(_REMOTES, _REMOTE_KINDS)
        if name in remotes:
            raise parameter("name", f"remote '{name}' already exists.", usage=False)
        remotes[name] = ("remote", given)
        entries.write_entries(_REMOTES, remotes)


def _remote_update(words: list[str]) -> None:
    name, given = entries.take(words, REMOTE_OPTIONS, ("delete", "digest"))
    _check_deletable(given, REMOTE_OPTIONS)
    _encoded(given)
    with Lock("remote"):
        remotes = entries.read_entries(_REMOTES, _REMOTE_KINDS)
        entries.digest_of(given, _REMOTES)
        entries.apply(_known(remotes, name, "remote"), given, REMOTE_OPTIONS)
        entries.write_entries(_REMOTES, remotes)


def _remote_remove(words: list[str]) -> None:
    name, given = entries.take(words, {}, ("digest",))
    for job, (_kind, values) in entries.read_entries(_JOBS, _JOB_KINDS).items():
        if values.get("remote") == [name]:
            store = values["store"][0]
            raise parameter("name", f"remote '{name}' is used by sync job '{job}' (datastore '{store}')", usage=False)
    with Lock("remote"):
        remotes = entries.read_entries(_REMOTES, _REMOTE_KINDS)
        entries.digest_of(given, _REMOTES)
        if name not in remotes:
            raise Failure(f"remote '{name}' does not exist.")
        del remotes[name]
        entries.write_entries(_REMOTES, remotes)


def _remote_list(words: list[str]) -> None:
    _rest, style = entries.output_format(words)
    _may_look()
    rows = [
        _row("name", name, values, REMOTE_OPTIONS)
        for name, (_kind, values) in entries.read_entries(_REMOTES, _REMOTE_KINDS).items()
    ]
    entries.emit_list(rows, style, ["name", "host", "auth-id", "fingerprint", "comment"])


def _remote_show(words: list[str]) -> None:
    rest, style = entries.output_format(words)
    name, _given = entries.take(rest, {})
    values = _known(entries.read_entries(_REMOTES, _REMOTE_KINDS), name, "remote")
    entries.emit_one(_row("name", name, values, REMOTE_OPTIONS), style, ["name", "auth-id", "host", "comment"])


REMOTE: Commands = {
    "create": _remote_create,
    "update": _remote_update,
    "remove": _remote_remove,
    "list": _remote_list,
    "show": _remote_show,
}


# --- sync jobs --------------------------------------------------------------------------------------------------------


def _schedule(text: str) -> str:
    problem = schedule_problem(text)
    if problem:
        raise ValueError(problem)
    return text


def _namespace(text: str) -> str:
    entries.matches(rf"(({_SAFE_ID}/){{0,7}}{_SAFE_ID})?", high=256)(text)
    return text


def _group_filter(text: str) -> str:
    rule = re.sub(r"^(include|exclude):", "", text)
    kind, _colon, value = rule.partition(":")
    if kind not in ("group", "type", "regex"):
        raise ValueError(f"expected 'group', 'type' or 'regex' prefix, got '{kind}'")
    if kind == "regex":
        try:
            re.compile(value)
        except re.error as problem:
            raise ValueError(f"regex parse error:\n    {value}\nerror: {problem}") from None
    return re.sub(r"^include:", "", text)


def _direction(text: str) -> str:
    if text not in ("pull", "push"):
        raise ValueError(f"unknown variant `{text}`, expected `pull` or `push`")
    return text


def _at_least(low: int, high: int | None = None) -> Callable[[str], str]:
    def check(text: str) -> str:
        number = int(text)
        if number < low:
            raise ValueError(f"value must have a minimum value of {low} (got {number})")
        if high is not None and number > high:
            raise ValueError(f"value must have a maximum value of {high} (got {number})")
        return str(number)

    return check


SYNC_OPTIONS = _available(
    {
        "store": Option(_NAME.check, required=True, deletable=False),
        "remote-store": Option(_NAME.check, required=True, deletable=False),
        "remote": _NAME,
        "owner": _AUTH_ID,
        "comment": COMMENT,
        "schedule": Option(_schedule),
        "remove-vanished": _FLAG,
        "group-filter": Option(_group_filter, repeats=True),
        **_RATES,
        "ns": Option(_namespace),
        "remote-ns": Option(_namespace),
        "max-depth": Option(_at_least(0, 7), "<integer>"),
        "transfer-last": Option(_at_least(1), "<integer>"),
        "encrypted-only": _FLAG,
        "verified-only": _FLAG,
        "run-on-mount": _FLAG,
        "unmount-on-done": _FLAG,
        "sync-direction": Option(_direction, "pull|push", late=True),
        "worker-threads": Option(_at_least(1, 32), "<integer>"),
        "active-encryption-key": _NAME,
        "associated-key": Option(_NAME.check, repeats=True),
        "resync-corrupt": Option(entries.flag, "<boolean>", deletable=False),
    }
)
_JOBS, _JOB_KINDS = "sync.cfg", {"sync": SYNC_OPTIONS}
_JOB_COLUMNS = [
    "id", "sync-direction", "store", "remote", "remote-store", "schedule", "group-filter", "rate-in", "comment",
]  # fmt: skip
_JOB_ORDER = ["id", "remote-store", "store"]
_JOB_ORDER += sorted(set(SYNC_OPTIONS) - set(_RATES) - set(_JOB_ORDER), key=lambda name: (name != "comment", name))
_JOB_ORDER += sorted(_RATES)


def _depths(given: Values) -> None:
    for name in ("ns", "remote-ns"):
        namespace = given.get(name, [""])[0]
        levels = len(namespace.split("/")) if namespace else 0
        if levels > 7:
            raise Failure(f'invalid value: string "{namespace}", expected valid backup namespace')
        if "max-depth" in given and levels + int(given["max-depth"][0]) > 7:
            depth = given["max-depth"][0]
            raise Failure(f"namespace '{namespace}'s depth and recursion depth exceed limit: {levels} + {depth} > 7")


def _require_keys(given: Values) -> None:
    for key in [*given.get("active-encryption-key", []), *given.get("associated-key", [])]:
        if not (RUN / f"key-{key}").exists():
            raise Failure(f"no such key or cannot access key '{key}'")


def _sync_create(words: list[str]) -> None:
    name, given = entries.take(words, SYNC_OPTIONS, key_name="id")
    entries.require(given, SYNC_OPTIONS)
    _may_look()
    _depths(given)
    push = given.get("sync-direction") == ["push"]
    if push and "remote" not in given:
        raise Failure("permission check failed")
    if "remote" not in given and given["store"] == given["remote-store"]:
        raise Failure("source and target datastore can't be the same")
    if push and given.get("resync-corrupt") == ["true"]:
        raise Failure("push jobs do not support resync-corrupt option")
    _require_keys(given)
    with Lock("sync"):
        jobs = entries.read_entries(_JOBS, _JOB_KINDS)
        if name in jobs:
            raise parameter("id", f"job '{name}' already exists.", usage=False)
        jobs[name] = ("sync", given)
        entries.write_entries(_JOBS, jobs)
    tasks.write_state(STATES, "syncjob", name, tasks.created(time.time()))
    (STATES / f"syncjob-{name}.lck").touch()


def _sync_update(words: list[str]) -> None:
    name, given = entries.take(words, SYNC_OPTIONS, ("delete", "digest"), key_name="id")
    _check_deletable(given, SYNC_OPTIONS)
    _may_look()
    if "digest" in given and not re.fullmatch("[0-9a-f]{64}", given["digest"][0]):
        raise parameter("digest", "value does not match the regex pattern")
    with Lock("sync"):
        jobs = entries.read_entries(_JOBS, _JOB_KINDS)
        entries.digest_of(given, _JOBS)
        values = _known(jobs, name, "sync")
        before = values.get("schedule")
        entries.apply(values, given, SYNC_OPTIONS)
        if values.get("sync-direction") == ["push"] and "remote" not in values:
            raise Failure("permission check failed")
        _require_keys(given)
        entries.write_entries(_JOBS, jobs)
    if "schedule" not in given.get("delete", []) and given.get("schedule") != before:
        tasks.count_again(STATES, "syncjob", name)


def _sync_remove(words: list[str]) -> None:
    name, given = entries.take(words, {}, ("digest",), key_name="id")
    _may_look()
    with Lock("sync"):
        jobs = entries.read_entries(_JOBS, _JOB_KINDS)
        entries.digest_of(given, _JOBS)
        if name not in jobs:
            raise Failure(f"job '{name}' does not exist.")
        del jobs[name]
        entries.write_entries(_JOBS, jobs)
    if (RUN / f"running-{name}").exists():
        # The job is gone from the configuration by now.
        path = f"/var/lib/proxmox-backup/jobstates/syncjob-{name}.lck"
        raise Failure(f'Unable to acquire lock "{path}" - Interrupted system call (os error 4)')
    for ending in ("json", "lck"):
        (STATES / f"syncjob-{name}.{ending}").unlink(missing_ok=True)


def _sync_list(words: list[str]) -> None:
    rest, style = entries.output_format(words)
    _may_look()
    direction = rest[1] if rest[:1] == ["--sync-direction"] else "pull"
    rows = [
        _row("id", name, values, SYNC_OPTIONS)
        for name, (_kind, values) in entries.read_entries(_JOBS, _JOB_KINDS).items()
    ]
    rows = [row for row in rows if direction in ("all", row.get("sync-direction", "pull"))]
    if style == "text":
        for row in rows:
            row["group-filter"] = " OR ".join(row.get("group-filter", ["all"]))
    entries.emit_list(rows, style, _JOB_COLUMNS, "id")


def _sync_show(words: list[str]) -> None:
    rest, style = entries.output_format(words)
    name, _given = entries.take(rest, {}, key_name="id")
    _may_look()
    values = _known(entries.read_entries(_JOBS, _JOB_KINDS), name, "sync")
    entries.emit_one(_row("id", name, values, SYNC_OPTIONS), style, _JOB_ORDER)


def _sync_run(words: list[str]) -> None:
    name, _given = entries.take(words, {}, key_name="id")
    if os.geteuid() != 0:
        raise Failure("no password input mechanism available")
    _known(entries.read_entries(_JOBS, _JOB_KINDS), name, "sync")
    if not ((RUN / "api").exists() and (RUN / "proxy").exists()):
        raise Failure("client error (Connect)")
    raise Failure("not part of the stand-in")


SYNC: Commands = {
    "create": _sync_create,
    "update": _sync_update,
    "remove": _sync_remove,
    "list": _sync_list,
    "show": _sync_show,
    "run": _sync_run,
}


# --- S3 endpoints -----------------------------------------------------------------------------------------------------

S3_OPTIONS = _available(
    {
        "endpoint": Option(
            entries.matches(
                rf"((\{{\{{(bucket|region)\}}\}}|{_LABEL})\.)*(\{{\{{(bucket|region)\}}\}}|{_LABEL})|{_ADDRESS}"
            ),
            required=True,
            deletable=False,
        ),
        "access-key": Option(entries.matches(r"[^\x00-\x1f\x7f]+"), required=True, deletable=False),
        "secret-key": Option(entries.matches(r"[^\x00-\x1f\x7f]+"), required=True, deletable=False, secret=True),
        "port": _PORT,
        "region": Option(entries.matches(r"[_a-z0-9][-_a-z0-9]+", 3, 32)),
        "fingerprint": _FINGERPRINT,
        "path-style": _FLAG,
        **_RATES,
        "provider-quirks": Option(
            entries.one_of("skip-if-none-match-header", "delete-objects-via-delete-object"), repeats=True
        ),
        "put-rate-limit": Option(_at_least(1), "<integer>", deletable=False),
    }
)
_ENDPOINTS, _ENDPOINT_KINDS = "s3.cfg", {"s3-endpoint": S3_OPTIONS}


def _s3_create(words: list[str]) -> None:
    name, given = entries.take(words, S3_OPTIONS, key_name="id")
    entries.require(given, S3_OPTIONS)
    with Lock("s3"):
        endpoints = entries.read_entries(_ENDPOINTS, _ENDPOINT_KINDS)
        if name in endpoints:
            raise parameter("id", f"s3 client config '{name}' already exists.", usage=False)
        endpoints[name] = ("s3-endpoint", given)
        entries.write_entries(_ENDPOINTS, endpoints)


def _s3_update(words: list[str]) -> None:
    name, given = entries.take(words, S3_OPTIONS, ("delete", "digest"), key_name="id")
    _check_deletable(given, S3_OPTIONS)
    given.pop("put-rate-limit", None)  # PBS takes it, and does nothing
    with Lock("s3"):
        endpoints = entries.read_entries(_ENDPOINTS, _ENDPOINT_KINDS)
        entries.digest_of(given, _ENDPOINTS)
        entries.apply(_known(endpoints, name, "s3-endpoint"), given, S3_OPTIONS)
        entries.write_entries(_ENDPOINTS, endpoints)


def _s3_remove(words: list[str]) -> None:
    name, given = entries.take(words, {}, ("digest",), key_name="id")
    with Lock("s3"):
        endpoints = entries.read_entries(_ENDPOINTS, _ENDPOINT_KINDS)
        entries.digest_of(given, _ENDPOINTS)
        for store, section in read_config("datastore.cfg").items():
            if dict(split_properties(section.get("backend", ""), "type")).get("client") == name:
                raise Failure(f"in-use by datastore {store}")
        if name not in endpoints:
            raise Failure(f"s3 client config '{name}' do not exist.")
        del endpoints[name]
        entries.write_entries(_ENDPOINTS, endpoints)


def _s3_list(words: list[str]) -> None:
    _rest, style = entries.output_format(words)
    _may_look()
    rows = [
        _row("id", name, values, S3_OPTIONS)
        for name, (_kind, values) in entries.read_entries(_ENDPOINTS, _ENDPOINT_KINDS).items()
    ]
    columns = ["id", "endpoint", "port", "region", "access-key", "fingerprint", "path-style"]
    if style == "text":
        for row in rows:
            if "path-style" in row:  # at the right, as numbers are
                row["path-style"] = str(int(row["path-style"])).rjust(len("path-style"))
    entries.emit_list(rows, style, columns, "id")


_S3_ENDPOINT: Commands = {"create": _s3_create, "update": _s3_update, "remove": _s3_remove, "list": _s3_list}


def s3(words: list[str]) -> None:
    for part, word in enumerate(words[:1]):
        if word != "endpoint":
            raise UsageFailure(f"no such command '{words[part]}'\n")
    verb = words[1] if len(words) > 1 else ""
    if verb not in _S3_ENDPOINT:
        raise UsageFailure(f"no such command '{verb}'\n")
    _S3_ENDPOINT[verb](words[2:])


def endpoint_exists(name: str) -> bool:
    return name in entries.read_entries(_ENDPOINTS, _ENDPOINT_KINDS)


# --- shared -----------------------------------------------------------------------------------------------------------


def remove_jobs_of(store: str) -> None:
    """What the removal of a datastore with its jobs does: only jobs whose local datastore it is."""
    jobs = entries.read_entries(_JOBS, _JOB_KINDS)
    kept = {name: job for name, job in jobs.items() if job[1]["store"] != [store]}
    if len(kept) < len(jobs):
        entries.write_entries(_JOBS, kept)


def _check_deletable(given: Values, options: Options) -> None:
    for key in given.get("delete", []):
        if key not in options or not options[key].deletable:
            raise parameter("delete", f"value '{key}' is not defined in the enumeration.")


def _known(found: entries.Entries, name: str, kind: str) -> Values:
    if name not in found:
        raise Failure(f"no such {kind} '{name}'")
    return found[name][1]


def _row(key: str, name: str, values: Values, options: Options) -> dict[str, Any]:
    """What the manager shows of a section: no secret."""
    shown = {option: lines for option, lines in values.items() if not options[option].secret}
    return {key: name, **entries.typed(shown, options)}


HELP: dict[tuple[str, ...], tuple[str, Options]] = {
    ("remote",): ("name", REMOTE_OPTIONS),
    ("sync-job",): ("id", SYNC_OPTIONS),
    ("s3", "endpoint"): ("id", S3_OPTIONS),
}


def usage(words: list[str]) -> None:
    """`help COMMAND create`, `help COMMAND update`, and `help s3 check`."""
    if words == ["s3", "check"]:
        print("Usage: s3 check <s3-endpoint-id> <bucket> [OPTIONS]\n\nOptional parameters:\n\n --store-prefix <string>")
        return
    command, verb = tuple(words[:-1]), words[-1] if words else ""
    if command in HELP and verb in ("create", "update"):
        key, options = HELP[command]
        entries.usage(" ".join(words), key, options, deletable=verb == "update")
        return
    raise Failure("not part of the stand-in")
