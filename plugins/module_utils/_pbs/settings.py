# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares desired and actual settings: which properties of a section have to be set or deleted.

Values are compared by meaning: property strings are parsed, a boolean may have any spelling, a comment is trimmed as PBS
trims it, and an explicit default equals an absent one. Whatever was not asked for stays unchanged, including keys of a
property string. Every value is checked here before PBS gets it, because PBS stores an invalid value of an enumeration
and fails only when it uses it.
"""

from __future__ import annotations

import dataclasses
import typing as t
import urllib.parse

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import property_string, section_config
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import values as kinds
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.property_string import PropertyStringError
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.section_config import (
    PropertyString,
    Section,
    SectionType,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.values import Value, shown
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.version import parse_version
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError

Given = t.Union[Value, t.Mapping[str, t.Optional[Value]], list[Value]]
"""The value of a module's option: a scalar, the keys of a property string (with underscores), or a list."""

Text = t.Union[str, list[str]]
"""The value of a property in the file, and for the command line."""

Values = dict[str, Value]

_MESSAGE_UNSAFE = '%,="\\'
"""PBS 4.2 writes a message with these characters back without its quotes, and then cannot parse it. Percent-encoded they
survive, and PBS decodes them where it shows the message."""

_KEY_NAMES = {"text": "message"}
"""Keys whose option has another name: Ansible reserves `message`."""


class SettingError(CollectionError):
    """A value that PBS would refuse, or fail on later; the message names the option, the value and the allowed values."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of section: its properties, and which of them can be changed."""

    name: str
    """The name for messages: `datastore`, `prune job`."""
    type: SectionType
    fixed: frozenset[str] = frozenset()
    """Properties that PBS cannot change after creation; the caller reports a difference in them."""
    defaults: t.Mapping[str, Value] = dataclasses.field(default_factory=dict)
    """The values that PBS uses for absent properties."""
    always_sent: frozenset[str] = frozenset()
    """Properties that every update has to include: if they are missing, PBS treats them as changed."""
    not_settable: frozenset[str] = frozenset()
    """Properties of the file that have no option in the modules."""
    not_deletable: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Properties that PBS can set but not delete, each with what to do instead."""
    only_at_creation: frozenset[str] = frozenset()
    """Properties that PBS accepts in an update, and then does not change."""
    aliases: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Options that have another name than their property, by property."""

    def options(self) -> dict[str, str]:
        """The properties, keyed by the name of the option."""
        return {self.option(name): name for name in self.type.properties if name not in self.fixed | self.not_settable}

    def option(self, name: str) -> str:
        """The name of the option that sets a property."""
        return self.aliases.get(name, _option(name))

    @property
    def secrets(self) -> frozenset[str]:
        """Properties whose values nobody may see. PBS does not tell them either, so they are never compared."""
        return frozenset(name for name, known in self.type.properties.items() if known.secret)


_DATASTORE = section_config.DATASTORE["datastore"]

DATASTORE = Kind(
    "datastore",
    _DATASTORE,
    fixed=frozenset(("path", "backing-device", "backend")),
    defaults={"verify-new": False, "gc-on-unmount": False},
    # Since PBS 2.2 these belong to prune jobs; a datastore that is created with them gets a job with a random id.
    not_settable=frozenset(
        name for name in _DATASTORE.properties if name.startswith("keep-") or name == "prune-schedule"
    ),
)

PRUNE_JOB = Kind(
    "prune job", section_config.PRUNE["prune"], fixed=frozenset(("store",)), defaults={"disable": False, "ns": ""}
)

VERIFY_JOB = Kind(
    "verify job",
    section_config.VERIFICATION["verification"],
    fixed=frozenset(("store",)),
    defaults={"ignore-verified": True, "ns": "", "max-depth": 7, "read-threads": 1, "verify-threads": 4},
    # An update without it resets the job's last run, which postpones the next one (all versions up to 4.2).
    always_sent=frozenset(("schedule",)),
)

SYNC_JOB = Kind(
    "sync job",
    section_config.SYNC["sync"],
    defaults={
        "sync-direction": "pull",
        "ns": "",
        "remote-ns": "",
        "owner": "root@pam",
        "remove-vanished": False,
        "resync-corrupt": False,
        "encrypted-only": False,
        "verified-only": False,
        "run-on-mount": False,
        "unmount-on-done": False,
        "worker-threads": 1,
    },
    # As for a verify job: an update without it postpones the next run, even if it changes nothing.
    always_sent=frozenset(("schedule",)),
    not_deletable={"resync-corrupt": "set it to false"},
)

REMOTE = Kind("remote", section_config.REMOTE["remote"], defaults={"port": 8007, "use-node-proxy": False})

S3_ENDPOINT = Kind(
    "S3 endpoint",
    section_config.S3["s3-endpoint"],
    defaults={"path-style": False},
    not_deletable={"put-rate-limit": "remove the endpoint, and create it without this limit"},
    only_at_creation=frozenset(("put-rate-limit",)),
)


@dataclasses.dataclass
class Desired:
    """The settings that were asked for, checked. Properties to be unset are only in `unset`."""

    values: dict[str, Given] = dataclasses.field(default_factory=dict)
    """By property name; for a property string only the keys that were given, with dashes."""
    unset: list[str] = dataclasses.field(default_factory=list)
    since: dict[str, str] = dataclasses.field(default_factory=dict)
    """The first PBS version that has the setting, by the name of the option for messages."""
    secrets: dict[str, str] = dataclasses.field(default_factory=dict)
    """Values that nobody may see, by property name."""
    secret_items: dict[str, dict[str, t.Optional[str]]] = dataclasses.field(default_factory=dict)
    """Items of lists that PBS shows without their values: property, item as PBS shows it, item with the value that nobody may
    see. None: PBS has to keep the value that it has."""


@dataclasses.dataclass
class Changes:
    """The changes that one section needs."""

    set: dict[str, Text] = dataclasses.field(default_factory=dict)
    delete: list[str] = dataclasses.field(default_factory=list)
    before: dict[str, Text] = dataclasses.field(default_factory=dict)
    after: dict[str, Text] = dataclasses.field(default_factory=dict)
    warnings: list[str] = dataclasses.field(default_factory=list)
    secrets: dict[str, Text] = dataclasses.field(default_factory=dict)
    """Values that are set, too, or with another text than in `set`. They are never in `after`."""
    lacking: list[str] = dataclasses.field(default_factory=list)
    """Options, such as `secrets.token`, that need a value, because PBS does not have it."""

    def __bool__(self) -> bool:
        return bool(self.set or self.delete or self.secrets)

    @property
    def hidden(self) -> list[str]:
        """The words of the command line that nobody may see."""
        words = []
        for name, value in self.secrets.items():
            shown_items = self.set.get(name, [])
            words += [text for text in ([value] if isinstance(value, str) else value) if text not in shown_items]
        return words


# --- checking what was asked for ---------------------------------------------------------------------------------------


def check(kind: Kind, options: t.Mapping[str, t.Any], unset: t.Sequence[str] = ()) -> Desired:
    """Check options (None: not given; empty: to be unset) against the values that PBS allows.

    A mapping for a list: the items as PBS shows them, and for each the item with a value that nobody may see, or None.
    Raises `SettingError` for the first value that PBS would refuse or fail on.
    """
    desired = Desired()
    names = kind.options()
    for option in unset:
        if option not in names:
            raise SettingError(
                "unset: %s is not a property of %s that can be unset; allowed: %s"
                % (
                    shown(option),
                    _a(kind.name),
                    ", ".join(sorted(name for name in names if _deletable(kind, names[name]))),
                )
            )
        if names[option] in kind.not_deletable:
            raise SettingError(f"unset: PBS cannot unset {option}; instead, {kind.not_deletable[names[option]]}")
        if not _deletable(kind, names[option]):
            raise SettingError(f"unset: {option} is required for {_a(kind.name)} and cannot be unset")
        desired.unset.append(names[option])
    for option, name in names.items():
        given = options.get(option)
        if given is None:
            continue
        prop = kind.type.properties[name]
        if prop.secret:
            desired.secrets[name] = _check_secret(option, prop.kind, given)
        elif isinstance(prop.kind, PropertyString):
            values = _check_keys(option, prop.kind.schema, given, desired)
            if values:
                desired.values[name] = values
        elif given in ([], {}) or (isinstance(given, str) and not given.strip()):
            if prop.required:
                raise SettingError(f"{option}: must not be empty, because {_a(kind.name)} requires it")
            if name in kind.not_deletable:
                raise SettingError(f"{option}: PBS cannot unset it; instead, {kind.not_deletable[name]}")
            desired.unset.append(name)
        else:
            if name in desired.unset:
                raise SettingError(f"{option}: has a value and is also listed in unset; remove one of the two")
            if isinstance(given, t.Mapping):
                desired.secret_items[name] = dict(given)
            desired.values[name] = (
                [_check_value(option, prop.kind, item) for item in _listed(option, given)]
                if prop.repeats
                else _check_value(option, prop.kind, given)
            )
        if prop.since:
            desired.since[option] = prop.since
    return desired


def check_fixed(kind: Kind, option: str, given: t.Any) -> str:
    """The text of a property that can only be set when the section is created. Raises `SettingError`."""
    prop = kind.type.properties[option.replace("_", "-")]
    if isinstance(prop.kind, PropertyString):
        schema = prop.kind.schema
        values = _check_keys(option, schema, given, Desired())
        try:
            text = property_string.render(values, schema.default_key)
            property_string.parse_typed(text, schema)
        except PropertyStringError as exc:
            raise SettingError(f"{option}: {exc}") from None
        return text
    return str(_check_value(option, prop.kind, given))


def _deletable(kind: Kind, name: str) -> bool:
    return not kind.type.properties[name].required and name not in kind.not_deletable


def _a(words: str) -> str:
    return f"{'an' if words.startswith(('S3', 'SMTP')) else 'a'} {words}"


def _listed(option: str, given: t.Any) -> list[t.Any]:
    """The items of a list, each once."""
    if not isinstance(given, (list, tuple, dict)):
        raise SettingError(f"{option}: must be a list")
    return list(dict.fromkeys(given))


def _check_secret(option: str, kind: kinds.Kind, given: t.Any) -> str:
    text = str(given)
    try:
        kind.read(text)
    except ValueError as exc:
        raise SettingError(f"{option}: this value is not allowed; allowed: {exc}") from None
    return text


def _check_value(option: str, kind: kinds.Kind, given: t.Any) -> Value:
    text = property_string.as_text(given, option).strip()
    try:
        return kind.read(text)
    except ValueError as exc:
        raise SettingError(f"{option}: {shown(text)} is not allowed; allowed: {exc}") from None


def _check_keys(
    option: str, schema: property_string.Schema, given: t.Mapping[str, t.Any], desired: Desired
) -> dict[str, t.Optional[Value]]:
    values: dict[str, t.Optional[Value]] = {}
    for key, value in given.items():
        if value is None:
            continue
        name = _KEY_NAMES.get(key, key.replace("_", "-"))
        where = f"{option}.{key}"
        if name not in schema.keys:
            raise SettingError(
                "%s: this key does not exist; allowed: %s"
                % (where, ", ".join(sorted(known.replace("-", "_") for known in schema.keys)))
            )
        known = schema.keys[name]
        text = property_string.as_text(value, where).strip()
        if known.kind is kinds.MAINTENANCE_MESSAGE:
            text = _encoded(text)
            if not text:
                continue
        values[name] = _check_value(where, known.kind, text)
        if known.since:
            desired.since[where] = known.since
    return values


def _encoded(message: str) -> str:
    return "".join(urllib.parse.quote(char, safe="") if char in _MESSAGE_UNSAFE else char for char in message)


def too_new(desired: Desired, version: str) -> list[str]:
    """A message for each setting that this PBS version does not have yet; none if the version is unknown."""
    have = parse_version(version)
    if not have:
        return []
    return [
        f"{option} requires PBS {since} or later, this host has {version}"
        for option, since in sorted(desired.since.items())
        if have < parse_version(since)
    ]


# --- comparing ---------------------------------------------------------------------------------------------------------


def compare(kind: Kind, desired: Desired, section: t.Optional[Section], always_set_secrets: bool = False) -> Changes:
    """The changes that give the section (None: a new one) the desired settings.

    A section gets the secrets that it does not have; those that it has only with `always_set_secrets`.
    """
    have = {} if section is None else shown_properties(kind, section)
    present: t.Container[str] = () if section is None else section.properties
    changes = Changes(before=dict(have), after=dict(have))
    changes.secrets = {
        name: value for name, value in desired.secrets.items() if always_set_secrets or name not in present
    }
    for name in desired.unset:
        if name not in desired.values and name in present and not _is_default(kind, name, have.get(name)):
            changes.delete.append(name)
            changes.after.pop(name, None)
    for name, wanted in desired.values.items():
        text = _text_for(kind, name, wanted, have.get(name), name in desired.unset, changes.warnings)
        if text is not None:
            changes.set[name] = text
            changes.after[name] = text
    for name, items in desired.secret_items.items():
        _set_items(kind.option(name), name, items, have.get(name, []), always_set_secrets, changes)
    if changes and section is not None:
        for name in sorted(kind.always_sent):
            if name in have and name not in changes.set and name not in changes.delete:
                changes.set[name] = have[name]
    changes.delete.sort()
    return changes


def _set_items(
    option: str, name: str, items: t.Mapping[str, t.Optional[str]], have: Text, always: bool, changes: Changes
) -> None:
    """Put values into the items of a list that need one: PBS keeps the value of an item that comes without."""
    needed = {item: value for item, value in items.items() if item not in have or (always and value is not None)}
    changes.lacking += [
        f"{option}.{property_string.parse(item).get('name', '')}" for item, value in needed.items() if value is None
    ]
    if needed or name in changes.set:
        changes.set.setdefault(name, list(items))
        changes.after.setdefault(name, list(items))
        changes.secrets[name] = [needed.get(item) or item for item in items]


def _is_default(kind: Kind, name: str, have: t.Optional[Text]) -> bool:
    """Whether the value means the same as none."""
    return (
        isinstance(have, str)
        and name in kind.defaults
        and _read(kind.type.properties[name].kind, have) == kind.defaults[name]
    )


def shown_properties(kind: Kind, section: Section) -> dict[str, Text]:
    """The properties of a section as in the file, without its secrets."""
    return {
        name: section.texts(name) if _repeats(kind, name) else section.text(name)
        for name in section.properties
        if name not in kind.secrets
    }


def _repeats(kind: Kind, name: str) -> bool:
    known = kind.type.properties.get(name)
    return known is not None and known.repeats


def _text_for(
    kind: Kind, name: str, wanted: Given, had: t.Optional[Text], replace: bool, warnings: list[str]
) -> t.Optional[Text]:
    """The text that has to be sent; None if the present value means the same."""
    prop = kind.type.properties[name]
    if isinstance(wanted, list):
        # The order has no meaning to PBS: every item counts for itself.
        same = {_read(prop.kind, text) for text in had or ()} == set(wanted)
        return None if same else [property_string.as_text(item, name) for item in wanted]
    have = _last(had)
    if isinstance(prop.kind, PropertyString) and isinstance(wanted, t.Mapping):
        return _merged(prop.kind.schema, wanted, have, replace, warnings)
    actual = kind.defaults.get(name) if have is None else _read(prop.kind, have)
    return None if actual == wanted else property_string.as_text(wanted, name)


def _read(kind: kinds.Kind, text: str) -> t.Optional[Value]:
    try:
        return kind.read(text.strip())
    except ValueError:
        return None


def _merged(
    schema: property_string.Schema,
    wanted: t.Mapping[str, t.Optional[Value]],
    have: t.Optional[str],
    replace: bool,
    warnings: list[str],
) -> t.Optional[str]:
    try:
        present = property_string.parse(have or "", schema.default_key)
    except PropertyStringError as exc:
        warnings.append(
            f"{schema.name}: PBS's configuration has a value that cannot be parsed, so it is replaced: {exc}"
        )
        present = {}
    merged: dict[str, object] = {} if replace or schema is property_string.MAINTENANCE else dict(present)
    differs = bool(replace and set(present) - set(wanted))
    if schema is property_string.MAINTENANCE and set(present) - set(wanted):
        differs = True  # a message belongs to its mode: a new mode does not keep the old message
    for key, value in wanted.items():
        if not _same(schema, key, present.get(key), value):
            differs = True
            merged[key] = value
        elif key in present:
            merged[key] = present[key]
    wrong = [key for key, value in merged.items() if key not in wanted and not _allowed(schema, key, value)]
    if wrong:
        warnings.append(
            "%s: PBS fails on %s, which was left unchanged; set this key, or replace the whole value with unset: [%s]"
            % (schema.name, ", ".join("%s=%s" % (key, merged[key]) for key in wrong), schema.name.replace("-", "_"))
        )
    if not differs:
        return None
    try:
        return property_string.render(merged, schema.default_key, order=list(present))
    except PropertyStringError as exc:
        # PBS can read some texts that it cannot write, such as a key without a name.
        warnings.append(
            f"{schema.name}: the keys that were not asked for cannot be kept, so the value is replaced: {exc}"
        )
        return property_string.render(wanted, schema.default_key)


def _same(schema: property_string.Schema, key: str, have: t.Optional[str], wanted: t.Optional[Value]) -> bool:
    known = schema.keys[key]
    if have is None:
        return known.default is not None and known.default == wanted
    try:
        actual = known.kind.read(have)
    except ValueError:
        return False
    if known.kind is kinds.MAINTENANCE_MESSAGE:
        return property_string.percent_decoded(str(actual)) == property_string.percent_decoded(str(wanted))
    return actual == wanted


def _allowed(schema: property_string.Schema, key: str, value: object) -> bool:
    if key not in schema.keys:
        return True  # a newer PBS may have it
    try:
        schema.keys[key].kind.read(str(value))
    except ValueError:
        return False
    return True


@dataclasses.dataclass(frozen=True)
class Difference:
    """One setting that is not as desired: the option (`tuning.gc_atime_cutoff` for a key), and both values as text."""

    option: str
    wanted: str
    have: str


UNSET = "unset"


def differences(kind: Kind, desired: Desired, section: Section) -> list[Difference]:
    """The changes of `compare`, one by one: empty exactly if `compare` changes nothing."""
    changes = compare(kind, desired, section)
    found = [Difference(kind.option(name), UNSET, _joined(changes.before[name])) for name in changes.delete]
    for name, text in changes.set.items():
        have = changes.before.get(name)
        if text == have:
            continue  # only sent along
        prop = kind.type.properties[name]
        wanted = desired.values[name]
        if isinstance(prop.kind, PropertyString) and isinstance(wanted, t.Mapping):
            found += _key_differences(prop.kind.schema, wanted, _last(have), _joined(text))
        else:
            default = kind.defaults.get(name)
            found.append(
                Difference(
                    kind.option(name),
                    _joined(text) or UNSET,
                    _in_effect(None if have is None else _joined(have), default),
                )
            )
    return sorted(found, key=lambda difference: difference.option)


def _option(name: str) -> str:
    return name.replace("-", "_")


def option_of_key(key: str) -> str:
    """The name of the option that sets a key of a property string."""
    names = {name: option for option, name in _KEY_NAMES.items()}
    return names.get(key, _option(key))


def _joined(value: Text) -> str:
    return value if isinstance(value, str) else ", ".join(value)


def _last(value: t.Optional[Text]) -> t.Optional[str]:
    return value if value is None or isinstance(value, str) else value[-1]


def _in_effect(have: t.Optional[str], default: t.Optional[Value]) -> str:
    if have is None and default is not None:
        return property_string.as_text(default, "") or UNSET
    return have or UNSET


def _key_differences(
    schema: property_string.Schema,
    wanted: t.Mapping[str, t.Optional[Value]],
    have: t.Optional[str],
    text: str,
) -> list[Difference]:
    """The keys of a property string that differ. `text` is its new text."""
    option = _option(schema.name)
    try:
        present = property_string.parse(have or "", schema.default_key)
    except PropertyStringError as exc:
        return [Difference(option, text, f"unreadable ({exc})")]
    names = {name: option_name for option_name, name in _KEY_NAMES.items()}
    found = [
        Difference(
            f"{option}.{names.get(key, _option(key))}",
            property_string.as_text(value, key) if value is not None else UNSET,
            _in_effect(present.get(key), schema.keys[key].default),
        )
        for key, value in wanted.items()
        if not _same(schema, key, present.get(key), value)
    ]
    # Keys that nobody asked for: a message does not outlive its mode, and `unset` removes all.
    return found or [Difference(option, text, have or UNSET)]


def same_backend(declared: str, configured: str) -> bool:
    """Whether two backends are the same; an empty text means the filesystem."""
    return property_string.compare_equal(declared, configured, property_string.BACKEND, in_effect=True)


def as_arguments(changes: Changes) -> list[str]:
    """The command line options for `create` or `update`, in a fixed order, with one `--delete` for each property."""
    arguments: list[str] = []
    values: dict[str, Text] = {**changes.set, **changes.secrets}
    for name in sorted(values):
        value = values[name]
        for text in [value] if isinstance(value, str) else value:
            arguments += as_argument(name, text)
    for name in changes.delete:
        arguments += ["--delete", name]
    return arguments


def as_argument(name: str, value: str) -> list[str]:
    """A property as arguments. A value that begins with a dash is joined to its name, or it would count as an option."""
    if value.startswith("-"):
        return [f"--{name}={value}"]
    return ["--" + name, value]
