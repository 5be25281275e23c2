# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds documents in files and directories, and says of what is none why not.

A file holds one document, or it is the `report.json` of an earlier report, which holds many, each on a line of its own.
"""

from __future__ import annotations

import datetime
import functools
import glob
import hashlib
import json
import math
import os
import re
import stat
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import BY_ID, SEVERITIES
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.document import SCHEMA, SCHEMA_VERSION
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import STATUSES
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.model import NOT_ASKED, Place

REPORT_SCHEMA = "fleetops.pbs/report"
REPORT_SCHEMA_VERSION = 1
REPORT_BEGIN = f'{{"schema": "{REPORT_SCHEMA}", '
"""How `report.json` begins, to the byte."""
REPORT_DOCUMENTS = '"documents": ['
"""How its first line ends; the documents follow, one a line, and then `REPORT_END`."""
REPORT_END = "]}\n"

MAX_BYTES = 8 * 1024 * 1024
"""A document takes some 10 KB a datastore; what is larger than this is none. Python needs up to 24 times as much memory for
what is in it."""

MAX_DATASTORES = 512
"""Datastores of one document; a preflight stops at half of that."""

MAX_FINDINGS = 50_000
"""Findings of one document: each control once for each datastore are fewer."""

MAX_UNKNOWN_CONTROLS = 16
"""Controls of one document that this version of the collection does not have; a newer version may have some more."""

MAX_TEXT = 256 * 1024
"""Characters of a message or a remedy."""

MAX_COMMANDS = 64
"""Commands of one finding; together they have at most `MAX_TEXT` characters."""

MAX_NAME = 1024
"""Characters of a name or a version. Reports repeat them for each finding."""

MAX_DEPTH = 100
"""Objects and lists inside of each other; a document has some 10. Deeper ones stop some of the writers of formats."""

MAX_RUNS = 100
"""Runs that one report tells of, and sources of an inventory."""

Json = dict[str, t.Any]


class NotADocument(ValueError):
    """What was read is no document of this schema; the message says why."""


class LeftOut(t.NamedTuple):
    """A file, or a part of one, that is not in the report."""

    path: str
    reason: str


class Missing(t.NamedTuple):
    """A host of an earlier report that had no document then."""

    host: str
    reason: str
    seen: str
    last_seen: str = ""
    """When its newest document was finished; empty where none is known."""
    not_asked: bool = False
    """It was left out of that run, and no document of it was known."""


class Known(t.NamedTuple):
    """What a report says of a host, without its document."""

    finished: str
    """When its document was finished; empty where there was none."""
    counts: str
    """What that document said, in words."""
    missing: Missing | None
    """Why there was none."""


class Run(t.NamedTuple):
    """Who made a report, of what: as Ansible was called."""

    operator: str = ""
    """The account that ran it."""
    inventory: tuple[str, ...] = ()
    limit: str = ""
    """The pattern that left out hosts; empty where there is none."""
    check_mode: bool = False

    def as_dict(self) -> Json:
        return {**self._asdict(), "inventory": list(self.inventory)}


class Read(t.NamedTuple):
    """A document that was found."""

    place: Place
    document: Json


# --- where to look ----------------------------------------------------------------------------------------------------


def expand(path: str, own_outputs: t.Container[str] = ()) -> tuple[list[str], LeftOut | None]:
    """The files that a file, directory or glob pattern stands for, and what is wrong with it.

    Of a directory these are its `*.json`, less what a report has written there: `own_outputs` are real paths.
    """
    if os.path.isdir(path):
        return [
            name
            for name in sorted(glob.glob(os.path.join(glob.escape(path), "*.json")))
            if os.path.realpath(name) not in own_outputs and not _is_other_output(name)
        ], None
    if os.path.lexists(path):
        return [path], None
    if glob.has_magic(path):
        found: list[str] = []
        for name in sorted(glob.glob(path)):
            found += expand(name, own_outputs)[0] if os.path.isdir(name) else [name]
        return found, None if found else LeftOut(display(path), "nothing matches this pattern")
    return [], LeftOut(display(path), "there is no such file or directory")


def _is_other_output(path: str) -> bool:
    """Reports lie where documents lie; the OSCAL file beside a report.json is neither."""
    return os.path.basename(path) == "oscal.json" and _begins_with(path, b'{"assessment-results"')


def _begins_with(path: str, beginning: bytes) -> bool:
    try:
        with open(path, "rb") as stream:
            return stream.read(len(beginning)) == beginning
    except OSError:
        return False


# --- reading ----------------------------------------------------------------------------------------------------------


def scan(path: str) -> t.Iterator[Read | Missing | Run | LeftOut]:
    """Everything in one file; never raises for what is in it."""
    try:
        if stat.S_IFMT(os.stat(path).st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
            # A pipe would have to be waited for; and what is in a report is read twice.
            raise NotADocument("it is no regular file")
        if _begins_with(path, REPORT_BEGIN.encode()):
            yield from _scan_report(path)
        else:
            data = _bytes_of(Place(path))
            yield Read(Place(path, digest=digest_of(data)), checked(parse(data)))
    except (NotADocument, OSError) as exc:
        yield LeftOut(display(path), display(_in_words(exc)))


def _in_words(exc: Exception) -> str:
    return f"it cannot be read: {exc.strerror}" if isinstance(exc, OSError) else str(exc)


def load(place: Place) -> Json:
    """Read and check one document. Raises `NotADocument` or `OSError`.

    Bytes that were checked before, by the digest of the place, are not checked again.
    """
    data = _bytes_of(place)
    return parse(data) if place.digest == digest_of(data) else checked(parse(data))


def digest_of(data: bytes) -> bytes:
    """What tells these bytes from any others."""
    return hashlib.blake2b(data, digest_size=32).digest()


def _bytes_of(place: Place) -> bytes:
    with open(place.path, "rb") as stream:
        stream.seek(place.offset)
        data = stream.read(place.length if place.length >= 0 else MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise NotADocument("it has more than %d MiB, which no document has" % (MAX_BYTES >> 20))
    return data


def _scan_report(path: str) -> t.Iterator[Read | Missing | Run | LeftOut]:
    with open(path, "rb") as stream:
        stream.seek(-min(len(REPORT_END), os.fstat(stream.fileno()).st_size), os.SEEK_END)
        if stream.read() != REPORT_END.encode():
            raise NotADocument("the report is truncated, or another program has rewritten it")
        stream.seek(0)
        head = stream.readline(MAX_BYTES)
        if not head.endswith(REPORT_DOCUMENTS.encode() + b"\n"):
            raise NotADocument("another program has rewritten the report; use the original file")
        parsed = parse(head + b"]}")
        yield from _missing(parsed)
        yield from _runs(parsed)
        offset = len(head)
        for number, line in enumerate(iter(functools.partial(stream.readline, MAX_BYTES + 1), b""), 2):
            if len(line) > MAX_BYTES:
                raise NotADocument("line %d has more than %d MiB, which no document has" % (number, MAX_BYTES >> 20))
            start, offset = offset, offset + len(line)
            if line == REPORT_END.encode():
                return
            data = line.rstrip(b",\n")
            place = Place(path, start, len(data), digest_of(data))
            try:
                yield Read(place, checked(parse(data)))
            except NotADocument as exc:
                yield LeftOut("%s, line %d" % (display(path), number), display(str(exc)))


def _missing(head: t.Any) -> t.Iterator[Missing]:
    if _is_deep(head):
        raise NotADocument("it is nested too deeply")
    _require_version(head, REPORT_SCHEMA_VERSION, "report")
    hosts = head.get("hosts")
    if not isinstance(hosts, list):
        raise NotADocument("'hosts' is missing from the report, or no list")
    for host in hosts:
        if isinstance(host, dict) and host.get("finished") is None:
            name, seen = host.get("host"), host.get("seen")
            if not isinstance(name, str) or not name:
                raise NotADocument("a host of the report has no name")
            last = host.get("last_seen")
            yield Missing(
                display(name),
                display(str(host.get("reason") or "")),
                str(seen) if _is_timestamp(seen) else "",
                str(last) if _is_timestamp(last) else "",
                host.get("state") == NOT_ASKED,
            )


def known_of(path: str) -> dict[str, Known]:
    """The hosts of a report by name, without reading its documents; nothing where there is no report that can be used."""
    try:
        with open(path, "rb") as stream:
            head = stream.readline(MAX_BYTES)
        if not head.endswith(REPORT_DOCUMENTS.encode() + b"\n"):
            return {}
        parsed = parse(head + b"]}")
        found = {item.host: Known("", "", item) for item in _missing(parsed)}
    except (NotADocument, OSError):
        return {}
    for host in parsed["hosts"]:
        if isinstance(host, dict) and isinstance(host.get("host"), str) and _is_timestamp(host.get("finished")):
            summary = host.get("summary")
            counts = summary if isinstance(summary, dict) else {}
            numbers = tuple(counts.get(status) for status in ("fail", "unknown", "warn"))
            known = all(isinstance(number, int) for number in numbers)
            said = "{} failed, {} unknown, {} warnings".format(*numbers) if known else "what it said is not known"
            found[display(host["host"])] = Known(host["finished"], said, None)
    return found


def _runs(head: Json) -> t.Iterator[Run]:
    """Who made the report; reports of earlier versions do not say it."""
    runs = head.get("runs", [])
    if not isinstance(runs, list):
        raise NotADocument("'runs' of the report is no list")
    for run in runs[:MAX_RUNS]:
        if not isinstance(run, dict) or not isinstance(run.get("inventory"), list):
            raise NotADocument("a run of the report is no object with an inventory")
        yield Run(
            operator=display(str(run.get("operator") or "")),
            inventory=tuple(display(str(source)) for source in run["inventory"][:MAX_RUNS]),
            limit=display(str(run.get("limit") or "")),
            check_mode=run.get("check_mode") is True,
        )


def parse(data: bytes) -> t.Any:
    """JSON as the standard has it. Raises `NotADocument`."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise NotADocument("it is not text in UTF-8 (byte %d)" % exc.start) from None
    if not text.strip():
        raise NotADocument("it is empty")
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except json.JSONDecodeError as exc:
        if exc.msg.startswith("Unterminated string") or _CUT.fullmatch(text, exc.pos):
            raise NotADocument(f"it ends in the middle (truncated after {len(data)} bytes)") from None
        raise NotADocument("it is no JSON: %s in line %d, column %d" % (exc.msg, exc.lineno, exc.colno)) from None
    except RecursionError:
        raise NotADocument("it is nested too deeply") from None
    except NotADocument:
        raise
    except ValueError as exc:  # a number with thousands of digits
        raise NotADocument(f"it is no JSON that can be read: {exc}") from None


_CONTAINERS = frozenset((dict, list))


def _is_deep(value: t.Any) -> bool:
    """Told level by level: whatever calls itself for each would not come back."""
    # What a parser of JSON returns is of these very types, and asking for them costs a third of `isinstance`.
    level = [value] if type(value) in _CONTAINERS else []
    for _depth in range(MAX_DEPTH):
        if not level:
            return False
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if type(inner) in _CONTAINERS
        ]
    return bool(level)


def _finite(text: str) -> float:
    """Python makes an infinity of 1e999, which no JSON can hold."""
    number = float(text)
    if not math.isfinite(number):
        raise NotADocument(f"it is no JSON that can be read: {text[:40]} is too large")
    return number


_CUT = re.compile(r"\s*|t(r(u)?)?|f(a(l(s)?)?)?|n(u(l)?)?|-|\d*[.eE][-+]?|\\?u?[0-9a-fA-F]{0,3}")
"""What can be left of JSON behind the place where a parser stumbles over its end."""


def _refuse(constant: str) -> t.NoReturn:
    raise NotADocument(f"it is no JSON: {constant} is no number there")


# --- checking ---------------------------------------------------------------------------------------------------------

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z", re.ASCII)


def _is_timestamp(value: t.Any) -> bool:
    # Clocks begin with 1970; Python's calendar ends in the year 1, of which no local time can be had everywhere.
    if not isinstance(value, str) or not _TIMESTAMP.match(value) or value < "1970":
        return False
    try:
        datetime.datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError:
        return False
    return True


def _require_version(data: t.Any, known: int, what: str) -> None:
    version = data.get("schema_version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise NotADocument(f"'schema_version' is missing or no number, so it is no {what} of this collection")
    if version > known:
        raise NotADocument(
            "it is a %s of schema version %d, and this collection reads up to %d: update the collection"
            % (what, version, known)
        )


def checked(data: t.Any) -> Json:
    """The document, if it is one of a schema that this collection reads. Raises `NotADocument`.

    Only what reports use is looked at: what was observed passes through as it is.
    """
    if _is_deep(data):
        raise NotADocument("it is nested too deeply")
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise NotADocument(f"it is no document of this collection ('schema' is not '{SCHEMA}')")
    _require_version(data, SCHEMA_VERSION, "document")
    if not isinstance(data.get("host"), str) or not data["host"]:
        raise NotADocument("'host' is missing, empty or no text")
    for key in ("started", "finished"):
        if not _is_timestamp(data.get(key)):
            raise NotADocument(f"'{key}' is no time such as 2026-01-31T03:00:00.000Z")
    if not isinstance(data.get("pbs_version", False), (str, type(None))) or not isinstance(
        data.get("collection_version"), str
    ):
        raise NotADocument("'pbs_version' or 'collection_version' is missing or no text")
    for key in ("datastores", "findings"):
        if not isinstance(data.get(key), list):
            raise NotADocument(f"'{key}' is missing or no list")
    if len(data["datastores"]) > MAX_DATASTORES:
        raise NotADocument("it has %d datastores, more than %d" % (len(data["datastores"]), MAX_DATASTORES))
    if len(data["findings"]) > MAX_FINDINGS:
        raise NotADocument("it has %d findings, more than %d" % (len(data["findings"]), MAX_FINDINGS))
    for text in (data["host"], data.get("pbs_version") or "", data["collection_version"]):
        if len(text) > MAX_NAME:
            raise NotADocument("the name of the host, or a version, has more than %d characters" % MAX_NAME)
    shown: list[str] = []
    for number, item in enumerate(data["datastores"]):
        if not isinstance(item, dict) or not isinstance(item.get("name"), str) or not item["name"]:
            raise NotADocument("datastores[%d] has no name" % number)
        if len(item["name"]) > MAX_NAME:
            raise NotADocument("datastores[%d]: the name has more than %d characters" % (number, MAX_NAME))
        shown.append(display(item["name"]))
    if len(set(shown)) < len(shown):
        # Their series in Prometheus's format would be the same, and no reader takes the file then.
        raise NotADocument("two datastores have the same name")
    names = set(shown)
    unknown: set[str] = set()
    for number, item in enumerate(data["findings"]):
        wrong = _wrong_in_finding(item)
        if wrong:
            raise NotADocument("findings[%d]: %s" % (number, wrong))
        if item["control"] not in BY_ID:
            unknown.add(item["control"])
        if item["datastore"] is not None:
            names.add(display(item["datastore"]))
    # Reports have a cell for each control and datastore: neither number may be the host's choice.
    if len(unknown) > MAX_UNKNOWN_CONTROLS:
        raise NotADocument("it has %d controls that this collection does not know" % len(unknown))
    if len(names) > MAX_DATASTORES:
        raise NotADocument("it has findings of %d datastores, more than %d" % (len(names), MAX_DATASTORES))
    return data


_STATUSES = frozenset(STATUSES)
_SEVERITIES = frozenset(SEVERITIES)
_CONTROL_ID = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
"""Formats use ids as names: OSCAL takes only such."""


def _wrong_in_finding(item: t.Any) -> str:
    try:
        control, datastore, status, severity = item["control"], item["datastore"], item["status"], item["severity"]
        message, remedy, evidence, waiver = item["message"], item["remedy"], item["evidence"], item["waiver"]
    except (TypeError, KeyError) as exc:
        return f"{exc} is missing" if isinstance(exc, KeyError) else "it is no object"
    if not (isinstance(control, str) and isinstance(message, str) and isinstance(remedy, str) and control):
        return "'control', 'message' or 'remedy' is no text"
    if max(len(message), len(remedy)) > MAX_TEXT:
        return "a text has more than %d characters" % MAX_TEXT
    if len(control) > MAX_NAME or (isinstance(datastore, str) and len(datastore) > MAX_NAME):
        return "a name has more than %d characters" % MAX_NAME
    if not _CONTROL_ID.fullmatch(control):
        return "'control' is not an id such as PBS-ATIME-01"
    if datastore is not None and not (isinstance(datastore, str) and datastore):
        return "'datastore' is neither null nor a name"
    if not isinstance(status, str) or status not in _STATUSES:
        return f"there is no status {status!r}"
    if not isinstance(severity, str) or severity not in _SEVERITIES:
        return f"there is no severity {severity!r}"
    if not isinstance(evidence, dict) or not (waiver is None or isinstance(waiver, dict)):
        return "'evidence' or 'waiver' is no object"
    commands = item.get("commands")
    if commands is not None and not (
        isinstance(commands, list) and all(isinstance(command, str) for command in commands)
    ):
        return "'commands' is no list of texts"
    if commands and (len(commands) > MAX_COMMANDS or sum(map(len, commands)) > MAX_TEXT):
        return "it has more than %d commands, or they have more than %d characters" % (MAX_COMMANDS, MAX_TEXT)
    return ""
