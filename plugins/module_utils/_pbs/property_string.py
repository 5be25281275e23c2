# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Property strings: several settings in one value, for example `gc-atime-cutoff=2880,sync-level=file`.

PBS stores them as they were sent, so two of them must be compared by their meaning, never as text. Nothing here touches a
disk. Source: PBS, property string parser (proxmox-schema) and its API types, as of 4.2.
"""

from __future__ import annotations

import dataclasses
import typing as t
import unicodedata
import urllib.parse

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import values as kinds
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.values import Kind, Value, shown
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError

_ESCAPES = {'"': '"', "\\": "\\", "n": "\n"}


class PropertyStringError(CollectionError, ValueError):
    """A message with the problem, its place, and what is allowed."""


# --- syntax -------------------------------------------------------------------------------------------------------------


def parse(text: str, default_key: t.Optional[str] = None) -> dict[str, str]:
    """Split a property string into keys and values, in its own order and without a check of keys.

    A value without a key belongs to `default_key`. A trailing comma is allowed, as in PBS. Raises `PropertyStringError`.
    """
    result: dict[str, str] = {}
    position = 0
    while position < len(text):
        start = position
        key, position = _key(text, position)
        value, position = _value(text, position)
        if key is None:
            key = default_key
            if key is None:
                raise PropertyStringError("%s at character %d has no key" % (shown(value), start + 1))
        if key in result:
            raise PropertyStringError("%s at character %d is repeated" % (shown(key), start + 1))
        result[key] = value
    return result


def _key(text: str, position: int) -> tuple[t.Optional[str], int]:
    if text.startswith('"', position):
        return None, position
    equals = text.find("=", position)
    comma = text.find(",", position)
    if equals < 0 or 0 <= comma < equals:
        return None, position
    return text[position:equals], equals + 1


def _value(text: str, position: int) -> tuple[str, int]:
    """The value, and the position after its comma."""
    if not text.startswith('"', position):
        comma = text.find(",", position)
        return (text[position:], len(text)) if comma < 0 else (text[position:comma], comma + 1)
    value, end = _quoted(text, position)
    if end < len(text) and text[end] != ",":
        raise PropertyStringError("a comma is missing after the quoted value, at character %d" % (end + 1))
    return value, end + 1


def _quoted(text: str, opening: int) -> tuple[str, int]:
    """The text between the quotes, and the position after the closing quote."""
    parts: list[str] = []
    position = opening + 1
    while position < len(text):
        char = text[position]
        if char == '"':
            return "".join(parts), position + 1
        if char == "\\":
            position += 1
            escaped = text[position : position + 1]
            if escaped not in _ESCAPES:
                break
            char = _ESCAPES[escaped]
        parts.append(char)
        position += 1
    if position < len(text):
        raise PropertyStringError(
            '%s at character %d is not a valid escape; valid are \\", \\\\ and \\n'
            % (shown(text[position - 1 : position + 1]), position)
        )
    raise PropertyStringError("the quote at character %d is never closed" % (opening + 1))


def render(
    values: t.Mapping[str, object],
    default_key: t.Optional[str] = None,
    order: t.Optional[t.Sequence[str]] = None,
) -> str:
    """Format a property string that `parse` reads back unchanged.

    Keys are in `order`, all others follow by name, so that equal settings give equal text. The default key comes first, and
    without its name if its value permits that. Omits None. Raises `PropertyStringError` for values that a property string
    or a configuration file cannot contain.
    """
    first = [default_key] if default_key is not None else []
    ranks = {key: rank for rank, key in reversed(list(enumerate([*first, *(order or ())])))}
    parts = []
    for key in sorted(values, key=lambda name: (ranks.get(name, len(ranks) + 1), name)):
        value = values[key]
        if value is None:
            continue
        text = as_text(value, key)
        if not key or key != key.strip() or any(char in ',="' or _is_control(char) for char in key):
            raise PropertyStringError(f"{shown(key)} cannot be a key")
        if any(_is_control(char) and char != "\n" for char in text):
            raise PropertyStringError(f"{shown(key)}: {shown(text)} has a control character")
        if key == default_key and text and not set(text) & set(',="\n'):
            parts.append(text)
        else:
            parts.append(key + "=" + (_quote(text) if "," in text or "\n" in text or text.startswith('"') else text))
    return ",".join(parts)


def as_text(value: object, name: str) -> str:
    """A scalar in PBS's syntax. Raises `PropertyStringError` if it is not a string, an integer or a boolean."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, str)):
        return str(value)
    raise PropertyStringError(f"{shown(name)}: a {type(value).__name__} cannot be a value")


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _is_control(char: str) -> bool:
    return unicodedata.category(char) == "Cc"


def parse_bool(text: str) -> bool:
    """Parse a boolean: 1, on, yes, true; 0, off, no, false; case does not matter. Raises `PropertyStringError`."""
    try:
        return kinds.Boolean().read(text)
    except ValueError as exc:
        raise PropertyStringError(f"{shown(text)} is not a boolean; allowed: {exc}") from None


def percent_decoded(message: str) -> str:
    """A maintenance message as PBS shows it; empty if it does not decode to UTF-8."""
    try:
        return urllib.parse.unquote(message, errors="strict")
    except UnicodeDecodeError:
        return ""


# --- keys ---------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Key:
    """One key of a property string."""

    kind: Kind
    default: t.Optional[Value] = None
    """The value that PBS uses if the key is missing; None if there is no such value."""
    since: str = ""
    """The first PBS that supports it, if relevant."""


@dataclasses.dataclass(frozen=True)
class Schema:
    """The keys of one property string."""

    name: str
    keys: t.Mapping[str, Key]
    default_key: t.Optional[str] = None
    required: tuple[str, ...] = ()
    consistent: t.Optional[t.Callable[[t.Mapping[str, Value]], None]] = None
    """Raises `PropertyStringError` if valid keys contradict each other."""
    choices_checked_when_stored: bool = False
    """Whether PBS checks choices already when it reads the configuration file."""


def parse_typed(text: str, schema: Schema, unknown: t.Optional[list[str]] = None) -> dict[str, Value]:
    """Parse a property string into booleans, integers and text, by the schema.

    With a list `unknown`, keys and values that are not in the schema are kept as text and reported in this list, because a
    newer PBS may support them. Raises `PropertyStringError` with key, value and what is allowed.
    """
    return _typed(parse(text, schema.default_key), schema, unknown, check_choices=True)


def check_stored(text: str, schema: Schema) -> None:
    """Make the checks of PBS when it reads a configuration file; they do not check the values of enumerations.

    PBS 4 accepts `tuning sync-level=sometimes` in the file and in an update, and fails when it uses the tuning (GC).
    Raises `PropertyStringError`.
    """
    _typed(parse(text, schema.default_key), schema, None, check_choices=schema.choices_checked_when_stored)


def _typed(
    raw: t.Mapping[str, str], schema: Schema, unknown: t.Optional[list[str]], check_choices: bool
) -> dict[str, Value]:
    result: dict[str, Value] = {}
    for name, text in raw.items():
        key = schema.keys.get(name)
        result[name] = text
        if key is None:
            problem = f"{schema.name} has no key {shown(name)}; it has {', '.join(sorted(schema.keys))}"
        elif isinstance(key.kind, kinds.Choice) and not check_choices:
            continue
        else:
            try:
                result[name] = key.kind.read(text)
                continue
            except ValueError as exc:
                problem = f"{schema.name}: {name} is {shown(text)}; allowed: {exc}"
        if unknown is None:
            raise PropertyStringError(problem)
        unknown.append(problem)
    missing = [name for name in schema.required if name not in result]
    if missing:
        raise PropertyStringError(f"{schema.name}: {', '.join(missing)} is missing")
    if schema.consistent is not None:
        schema.consistent(result)
    return result


def compare_equal(
    a: t.Union[str, t.Mapping[str, object], None],
    b: t.Union[str, t.Mapping[str, object], None],
    schema: Schema,
    in_effect: bool = False,
) -> bool:
    """Whether two property strings have the same meaning, regardless of order, quotes and spelling of booleans.

    Each may be the text or a mapping of its keys; None counts as empty. With `in_effect`, a missing key counts as its
    default. A text that does not parse is equal only to the same text.
    """
    if a == b:
        return True
    try:
        return _comparable(a, schema, in_effect) == _comparable(b, schema, in_effect)
    except PropertyStringError:
        return False


def _comparable(
    source: t.Union[str, t.Mapping[str, object], None], schema: Schema, in_effect: bool
) -> dict[str, Value]:
    if isinstance(source, str):
        raw = parse(source, schema.default_key)
    else:
        raw = {key: as_text(value, key) for key, value in (source or {}).items() if value is not None}
    # An empty string means that the property is not set, so required keys do not matter.
    values = _typed(raw, schema, None, check_choices=True) if raw else {}
    if in_effect:
        defaults = {name: key.default for name, key in schema.keys.items() if key.default is not None}
        values = {**defaults, **values}
    return values


# --- the property strings of PBS 4.2 ----------------------------------------------------------------------------------

TUNING = Schema(
    "tuning",
    {
        "chunk-order": Key(kinds.Choice(("none", "inode")), "inode"),
        "sync-level": Key(kinds.Choice(("none", "file", "filesystem")), "filesystem"),
        "gc-atime-safety-check": Key(kinds.Boolean(), True, "3.3.7"),
        "gc-atime-cutoff": Key(kinds.Integer(1, 2880), 1445, "3.3.7"),
        "gc-cache-capacity": Key(kinds.Integer(0, 8388608), 1048576, "3.3.7"),
        "default-verification-workers": Key(kinds.THREADS, 4, "4.0.22"),
        "default-verification-readers": Key(kinds.THREADS, 1, "4.0.22"),
    },
)
"""Tuning options of a datastore; `gc-atime-cutoff` is in minutes, `gc-cache-capacity` in digests."""

_NOTIFY = Key(kinds.Choice(("always", "never", "error")))

NOTIFY = Schema("notify", {"gc": _NOTIFY, "verify": _NOTIFY, "sync": _NOTIFY, "prune": _NOTIFY})
"""When each kind of job sends mail; only for `notification-mode legacy-sendmail`."""

MAINTENANCE = Schema(
    "maintenance-mode",
    {
        "type": Key(kinds.Choice(("read-only", "offline", "delete", "unmount", "s3-refresh"))),
        "message": Key(kinds.MAINTENANCE_MESSAGE),
    },
    default_key="type",
    required=("type",),
)
"""`unmount` since 3.3, `s3-refresh` since 4.0.4. Users set `read-only` and `offline`; only PBS sets the others."""


def _backend_consistent(values: t.Mapping[str, Value]) -> None:
    kind = values.get("type", "filesystem")
    s3_only = ("client", "bucket", "max-cache-size")
    if kind == "filesystem":
        extra = [name for name in s3_only if name in values]
        if extra:
            raise PropertyStringError(f"backend: type filesystem allows no option {', '.join(extra)}")
    elif kind == "s3":
        missing = [name for name in s3_only[:2] if name not in values]
        if missing:
            raise PropertyStringError(f"backend: missing option {', '.join(missing)}, which type s3 requires")


BACKEND = Schema(
    "backend",
    {
        "type": Key(kinds.Choice(("filesystem", "s3")), "filesystem", "4.0.4"),
        "client": Key(kinds.S3_CLIENT),
        "bucket": Key(kinds.S3_BUCKET),
        "max-cache-size": Key(kinds.Size()),
    },
    default_key="type",
    consistent=_backend_consistent,
    choices_checked_when_stored=True,
)
"""Where the chunks are stored, since 4.0.4; `max-cache-size` is parsed to bytes."""

THRESHOLDS = Schema(
    "notification-thresholds",
    {
        **{"s3-" + name: Key(kinds.Integer(), since="4.1.7") for name in ("get", "put", "post", "head", "delete")},
        **{"s3-" + name: Key(kinds.Size(), since="4.1.7") for name in ("upload", "download")},
    },
)
"""Numbers of requests, and sizes in bytes, above which PBS sends a notification; since 4.1.7."""
