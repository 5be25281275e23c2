# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of notifications and of traffic control, and the way from options to PBS's properties.

Options say what people mean: headers by name, the text of a body. PBS wants lists of property strings, and base64.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import notifications, property_string, traffic_control
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.property_string import PropertyStringError
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.section_config import (
    Property,
    Schema,
    Section,
    SectionType,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.settings import Kind, SettingError
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.values import Kind as ValueKind
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.values import shown

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")
_ALLOWED_NAME = "letters, digits and !#$%&'*+.^_`|~-"


@dataclasses.dataclass(frozen=True)
class SecretName(ValueKind):
    """A secret of a webhook, of which only the name counts: PBS does not show the value."""

    allowed = "name=NAME"

    def read(self, text: str) -> str:
        try:
            name = property_string.parse(text).get("name", "")
        except PropertyStringError:
            name = ""
        if not name:
            raise ValueError(self.allowed)
        return property_string.render({"name": name})


def _with_secrets(kind: str) -> SectionType:
    """A type of target, with the properties that PBS keeps in the private file, and checks that PBS makes too late."""
    known = notifications.NOTIFICATIONS[kind]
    private = notifications.NOTIFICATION_SECRETS[kind].properties if kind in notifications.NOTIFICATION_SECRETS else {}
    stricter = _WEBHOOK if kind == "webhook" else {}
    return SectionType(known.id, {**known.properties, **private, **stricter})


_WEBHOOK = {
    "header": Property(notifications.NamedValue(), repeats=True, private=True),
    "body": Property(notifications.Base64(), private=True),
    "secret": Property(SecretName(), repeats=True),
}


TRAFFIC_CONTROL = Kind("traffic control rule", traffic_control.TRAFFIC_CONTROL["rule"])

_FIXED_BY_PBS = {"smtp": {"mode": "set it to tls, which is the default"}, "gotify": {"token": "set another token"}}

TARGETS: t.Mapping[str, Kind] = {
    kind: Kind(
        f"{'SMTP' if kind == 'smtp' else kind} target",
        _with_secrets(kind),
        defaults={"disable": False, **({"mode": "tls"} if kind == "smtp" else {})},
        not_deletable=_FIXED_BY_PBS.get(kind, {}),
        aliases={"header": "headers", "secret": "secrets"} if kind == "webhook" else {},
    )
    for kind in notifications.TARGETS
}
"""By type of target."""

MATCHER = Kind(
    "notification matcher",
    notifications.NOTIFICATIONS[notifications.MATCHER],
    defaults={"disable": False, "mode": "all", "invert-match": False},
)

SCHEMA: Schema = {**{kind: known.type for kind, known in TARGETS.items()}, notifications.MATCHER: MATCHER.type}
"""Both files of notifications together, as PBS's commands show them: of secrets only their names, if they have any."""


def joined(public: t.Mapping[str, Section], private: t.Mapping[str, Section]) -> dict[str, Section]:
    """The targets and matchers that PBS uses, with the names of their secrets, and without a value of any."""
    found = {}
    for name, section in notifications.with_builtin(public).items():
        properties = dict(section.properties)
        secrets = private.get(name)
        if secrets is not None and secrets.type == section.type:
            for key in secrets.properties:
                if key == "secret":
                    properties[key] = [f"name={secret}" for secret in notifications.named_values(secrets.texts(key))]
                else:
                    properties[key] = ""
        found[name] = Section(section.type, section.id, section.line, properties, section.unknown)
    return found


def target_options(kind: str, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Options of a target as options of PBS's properties. Raises `SettingError` for one that its type does not have."""
    known = TARGETS[kind]
    names = known.options()
    given = {option: value for option, value in options.items() if value is not None}
    for option in given:
        if option in _OF_TARGETS and option not in names:
            raise SettingError(
                "%s: a target of type %s has no such option; it has %s" % (option, kind, ", ".join(sorted(names)))
            )
    if given.get("body"):
        given["body"] = notifications.encoded(str(given["body"]))
    if "headers" in given:
        given["headers"] = [
            notifications.named_value(*_named("headers", name, value)) for name, value in given["headers"].items()
        ]
    if "secrets" in given:
        given["secrets"] = {
            property_string.render({"name": _named("secrets", name, "")[0]}): (
                None if value is None else notifications.named_value(*_named("secrets", name, value))
            )
            for name, value in given["secrets"].items()
        }
    return {**options, **given}


_OF_TARGETS = frozenset(option for known in TARGETS.values() for option in known.options())


def digest(kind: ValueKind, texts: t.Iterable[str]) -> str:
    """The SHA-256 of values in any order, for a comparison where nobody may see them."""
    return hashlib.sha256("\n".join(sorted(_meaning(kind, text) for text in texts)).encode()).hexdigest()


def _meaning(kind: ValueKind, text: str) -> str:
    try:
        return str(kind.read(text))
    except ValueError:
        return text


def is_name(text: str) -> bool:
    """Whether a header or a secret may have this name."""
    return _NAME.fullmatch(text) is not None


def _named(option: str, name: t.Any, value: t.Any) -> tuple[str, str]:
    if not is_name(str(name)):
        raise SettingError(f"{option}: {shown(str(name))} is not a valid name; allowed: {_ALLOWED_NAME}")
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        raise SettingError(f"{option}.{name}: must be a text")
    return str(name), str(value)
