# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

r"""PBS's configuration files: sections `type: id`, with one indented `key value` per line.

PBS rejects the whole file for a comment, an unknown section type or property, a repeated property, or a missing required
property. Nothing here touches a disk. Source: PBS, section configuration parser (proxmox-section-config) and its API
types, as of 4.2.
"""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import property_string
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import values as kinds
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.values import Kind, shown
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError

# White space in Rust; Python also includes the separators \x1c to \x1f.
_SPACE = "\t\n\x0b\x0c\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
_SPACES = frozenset(_SPACE)


class SectionConfigError(CollectionError, ValueError):
    """Why PBS cannot read the file, and the line of the error (from 1)."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__("line %d: %s" % (line, message))
        self.line = line
        self.message = message


@dataclasses.dataclass(frozen=True)
class Property:
    """One property of a section."""

    kind: Kind
    required: bool = False
    since: str = ""
    """The first PBS that supports it, if relevant: an older one cannot read a file with it."""
    repeats: bool = False
    """Whether it may be repeated; each line is one value of a list, whose order PBS keeps."""
    secret: bool = False
    """Whether its value must not be in a result, a message or a document."""
    private: bool = False
    """Whether PBS shows it to its users, but reports, which travel further, leave it out."""


@dataclasses.dataclass(frozen=True)
class SectionType:
    id: Kind
    properties: t.Mapping[str, Property]
    id_property: str = ""
    """The property that the name of the section becomes. PBS accepts it in the section too, and replaces its value."""


Schema = t.Mapping[str, SectionType]
"""The section types of a file."""


@dataclasses.dataclass
class Section:
    type: str
    id: str
    line: int
    """Its first line, from 1."""
    properties: dict[str, t.Union[str, list[str]]] = dataclasses.field(default_factory=dict)
    """Values as in the file; a list if the schema has the property as a list, or does not have it and it is repeated."""
    unknown: list[str] = dataclasses.field(default_factory=list)
    """What the schema does not contain, as messages; empty if `parse` was strict."""
    has_id: bool = False
    """Whether a line repeats the name as a property."""

    def text(self, name: str) -> str:
        """The value of a property; empty if it is missing."""
        value = self.properties.get(name, "")
        return value if isinstance(value, str) else value[-1]

    def texts(self, name: str) -> list[str]:
        """The values of a property that may be repeated, in their order; empty if it is missing."""
        value = self.properties.get(name, [])
        return [value] if isinstance(value, str) else list(value)


def digest(data: bytes) -> str:
    """The `digest` of PBS's API: SHA-256 of the file in hex; a missing file counts as empty."""
    return hashlib.sha256(data).hexdigest()


def parse(data: bytes, schema: Schema, strict: bool = True) -> list[Section]:
    """Parse a configuration file as PBS does; returns the sections in the order of the file.

    Of two sections with the same id the later one counts, as in PBS. If not `strict`, unknown section types, properties and
    values, which a newer PBS may have, are not errors but are listed in `Section.unknown`. Syntax errors, repeated known
    properties and missing required properties are always errors. Raises `SectionConfigError`.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as exc:
        before = data.count(b"\n", 0, exc.start)
        raise SectionConfigError(before + 1, f"the byte 0x{data[exc.start]:02x} is not UTF-8") from None
    sections: dict[str, Section] = {}
    section: t.Optional[Section] = None
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip(_SPACE):
            if section is not None:
                _finish(section, schema)
            section = None
        elif section is None:
            section = _begin(number, line, schema, strict)
            # A later section with the same id replaces the earlier one, at its own position.
            sections.pop(section.id, None)
            sections[section.id] = section
        else:
            _add(section, number, line, schema, strict)
    if section is not None:
        _finish(section, schema)
    return list(sections.values())


def _begin(number: int, line: str, schema: Schema, strict: bool) -> Section:
    kind, colon, name = line.partition(":")
    kind, name = kind.strip(_SPACE), name.strip(_SPACE)
    if not line[0].isalpha() or not colon:
        hint = "; PBS's files have no comments" if line.lstrip(_SPACE).startswith(("#", ";")) else ""
        # Not what was found: another file may lie here, and its content must not get into a report.
        raise SectionConfigError(number, f"expected a section header 'type: id'{hint}")
    section = Section(kind, name, number)
    known = schema.get(kind)
    if known is None:
        problem = f"unknown section type; known: {', '.join(sorted(schema))}"
        if strict:
            raise SectionConfigError(number, problem)
        section.unknown.append("line %d: %s" % (number, problem))
        return section
    try:
        known.id.read(name)
    except ValueError as exc:
        # Always an error, also for a newer PBS, because names become part of paths and commands.
        raise SectionConfigError(number, f"{shown(name)} cannot be the name of a {kind}; allowed: {exc}") from None
    return section


def _add(section: Section, number: int, line: str, schema: Schema, strict: bool) -> None:
    content = line.lstrip(_SPACE)
    end = next((index for index, char in enumerate(content) if char in _SPACES), None)
    if line[0] not in _SPACES or end is None:
        raise SectionConfigError(number, f"expected an indented 'key value' of section {shown(section.id)}")
    key, value = content[:end], content[end:].strip(_SPACE)
    if section.type in schema and key == schema[section.type].id_property:
        _check_id_property(section, number, key, value, schema)
        return
    known = schema[section.type].properties.get(key) if section.type in schema else None
    repeats = known is not None and known.repeats
    if known is not None and not repeats and key in section.properties:
        raise SectionConfigError(number, f"property {shown(key)} is repeated")
    problem = _problem(section.type, key, value, schema)
    if problem:
        if strict:
            raise SectionConfigError(number, problem)
        section.unknown.append("line %d: %s" % (number, problem))
    earlier = section.properties.get(key)
    if isinstance(earlier, list):
        earlier.append(value)
    elif repeats:
        section.properties[key] = [value]
    else:
        section.properties[key] = value if earlier is None else [earlier, value]


def _check_id_property(section: Section, number: int, key: str, value: str, schema: Schema) -> None:
    if section.has_id:
        raise SectionConfigError(number, f"property {shown(key)} is repeated")
    section.has_id = True
    try:
        schema[section.type].id.read(value)
    except ValueError as exc:
        raise SectionConfigError(number, f"{key} is {shown(value)}; allowed: {exc}") from None


def _problem(kind: str, key: str, value: str, schema: Schema) -> str:
    """Why the schema does not permit a property; empty if it does."""
    if kind not in schema:
        return ""  # already reported for the section
    known = schema[kind].properties.get(key)
    if known is None:
        return f"unknown property {shown(key)}"
    try:
        known.kind.read(value)
    except property_string.PropertyStringError as exc:
        return str(exc)
    except ValueError as exc:
        return f"{key} is {'invalid' if known.secret else shown(value)}; allowed: {exc}"
    return ""


def _finish(section: Section, schema: Schema) -> None:
    if section.type not in schema:
        return
    for name, known in schema[section.type].properties.items():
        if known.required and name not in section.properties:
            raise SectionConfigError(section.line, f"section {shown(section.id)} has no {name}")


# --- the files of PBS 4.2 ---------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class PropertyString(Kind):
    """A property string, with the checks that PBS makes when it reads the file."""

    schema: property_string.Schema

    @property
    def allowed(self) -> str:  # type: ignore[override]
        return "a property string of " + ", ".join(sorted(self.schema.keys))

    def read(self, text: str) -> str:
        property_string.check_stored(text, self.schema)
        return text


_SCHEDULE = kinds.CalendarEvent()
_FLAG = kinds.Boolean()
_KEEPS = {
    "keep-" + name: Property(kinds.Integer(1)) for name in ("last", "hourly", "daily", "weekly", "monthly", "yearly")
}

DATASTORE: Schema = {
    "datastore": SectionType(
        kinds.DATASTORE_NAME,
        {
            "path": Property(kinds.PATH, required=True),
            "comment": Property(kinds.COMMENT),
            "gc-schedule": Property(_SCHEDULE),
            "gc-on-unmount": Property(_FLAG, since="4.1.8"),
            "prune-schedule": Property(_SCHEDULE),
            **_KEEPS,
            "verify-new": Property(_FLAG),
            "notify-user": Property(kinds.USER_ID),
            "notify": Property(PropertyString(property_string.NOTIFY)),
            "notification-mode": Property(kinds.Choice(("legacy-sendmail", "notification-system")), since="3.2"),
            "tuning": Property(PropertyString(property_string.TUNING)),
            "maintenance-mode": Property(PropertyString(property_string.MAINTENANCE)),
            "backing-device": Property(kinds.FILESYSTEM_UUID, since="3.2.12"),
            "backend": Property(PropertyString(property_string.BACKEND), since="4.0.4"),
            "notification-thresholds": Property(PropertyString(property_string.THRESHOLDS), since="4.1.7"),
            "counter-reset-schedule": Property(_SCHEDULE, since="4.1.7"),
        },
        "name",
    )
}
"""`datastore.cfg`."""

PRUNE: Schema = {
    "prune": SectionType(
        kinds.JOB_ID,
        {
            "store": Property(kinds.DATASTORE_NAME, required=True),
            "schedule": Property(_SCHEDULE, required=True),
            "disable": Property(_FLAG),
            "comment": Property(kinds.COMMENT),
            "ns": Property(kinds.NAMESPACE),
            "max-depth": Property(kinds.Integer(0, 7)),
            **_KEEPS,
        },
        "id",
    )
}
"""`prune.cfg`."""

VERIFICATION: Schema = {
    "verification": SectionType(
        kinds.JOB_ID,
        {
            "store": Property(kinds.DATASTORE_NAME, required=True),
            "schedule": Property(_SCHEDULE),
            "ignore-verified": Property(_FLAG),
            "outdated-after": Property(kinds.Integer(0)),
            "comment": Property(kinds.COMMENT),
            "ns": Property(kinds.NAMESPACE),
            "max-depth": Property(kinds.Integer(0, 7)),
            "read-threads": Property(kinds.THREADS, since="4.0.20"),
            "verify-threads": Property(kinds.THREADS, since="4.0.20"),
        },
        "id",
    )
}
"""`verification.cfg`."""

_SIZE = kinds.Size()
_RATES = {name: Property(_SIZE) for name in ("rate-in", "burst-in", "rate-out", "burst-out")}

SYNC: Schema = {
    "sync": SectionType(
        kinds.JOB_ID,
        {
            "store": Property(kinds.DATASTORE_NAME, required=True),
            "ns": Property(kinds.NAMESPACE),
            "remote": Property(kinds.REMOTE_NAME),
            "remote-store": Property(kinds.DATASTORE_NAME, required=True),
            "remote-ns": Property(kinds.NAMESPACE),
            "sync-direction": Property(kinds.Choice(("pull", "push"))),
            "owner": Property(kinds.AUTH_ID),
            "schedule": Property(_SCHEDULE),
            "comment": Property(kinds.COMMENT),
            "group-filter": Property(kinds.GroupFilter(), repeats=True),
            "max-depth": Property(kinds.Integer(0, 7)),
            "transfer-last": Property(kinds.Integer(1)),
            "remove-vanished": Property(_FLAG),
            "resync-corrupt": Property(_FLAG),
            "encrypted-only": Property(_FLAG),
            "verified-only": Property(_FLAG),
            "run-on-mount": Property(_FLAG),
            "unmount-on-done": Property(_FLAG),
            "worker-threads": Property(kinds.THREADS),
            "active-encryption-key": Property(kinds.KEY_ID),
            "associated-key": Property(kinds.KEY_ID, repeats=True),
            **_RATES,
        },
        "id",
    )
}
"""`sync.cfg`. Without `remote`, the other datastore is on this host. `store` is the target of a pull, the source of a push."""

REMOTE: Schema = {
    "remote": SectionType(
        kinds.REMOTE_NAME,
        {
            "host": Property(kinds.HOST, required=True),
            "port": Property(kinds.PORT),
            "auth-id": Property(kinds.AUTH_ID, required=True),
            "password": Property(kinds.SECRET, required=True, secret=True),
            "fingerprint": Property(kinds.FINGERPRINT),
            "comment": Property(kinds.COMMENT),
            "use-node-proxy": Property(_FLAG),
        },
        "name",
    )
}
"""`remote.cfg`; the file has the password in base64."""

S3: Schema = {
    "s3-endpoint": SectionType(
        kinds.S3_CLIENT,
        {
            "endpoint": Property(kinds.S3_ENDPOINT, required=True),
            "port": Property(kinds.PORT),
            "region": Property(kinds.S3_REGION),
            "access-key": Property(kinds.SECRET, required=True, private=True),
            "secret-key": Property(kinds.SECRET, required=True, secret=True),
            "fingerprint": Property(kinds.FINGERPRINT),
            "path-style": Property(_FLAG),
            "provider-quirks": Property(
                kinds.Choice(("skip-if-none-match-header", "delete-objects-via-delete-object")), repeats=True
            ),
            "put-rate-limit": Property(kinds.Integer(1)),
            **_RATES,
        },
        "id",
    )
}
"""`s3.cfg`, since 4.0.4; the file has the secret key in clear."""

USER: Schema = {"user": SectionType(kinds.AUTH_ID, {}), "token": SectionType(kinds.AUTH_ID, {})}
"""`user.cfg`: only the names of users and API tokens; `root@pam` exists without a section."""
