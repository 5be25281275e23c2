# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module adopt: PBS's configuration on this host as a declaration, such as provisioning takes it.

It is the reverse of what the modules do with their options: the same tables of properties name what can be declared. What
cannot be declared, because PBS could not use it or because only PBS sets it, becomes a note. Secrets are left out.
"""

from __future__ import annotations

import dataclasses
import os
import re
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._datastore_info import datastore_info
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.config_file import (
    DATASTORES,
    NOTIFICATIONS,
    read_configuration,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._options.common import OptionError, check_path
from ansible_collections.fleetops.pbs.plugins.module_utils._options.section import (
    MATCHER,
    PRUNE,
    REMOTE,
    S3_ENDPOINT,
    SYNC,
    TARGETS,
    TRAFFIC_CONTROL,
    VERIFY,
    Resource,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import notifications, property_string, settings
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.notification_settings import is_name
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.section_config import PropertyString, Section
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.values import shown
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

Entry = dict[str, t.Any]
"""One entry of a declared list: options of a module."""


def placeholder_base(variable: str, name: str, option: str = "") -> str:
    """The variable for a secret of an entry, without a number; without an option what such names begin with."""
    words = "_".join([variable[:-1] if variable.endswith("s") else variable, name, option])
    return "vault_" + re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")


@dataclasses.dataclass
class Declaration:
    """What was found."""

    variables: dict[str, list[Entry]] = dataclasses.field(default_factory=dict)
    """The declared lists, by variable."""
    secrets: list[dict[str, str]] = dataclasses.field(default_factory=list)
    """Secrets that an entry has: `variable`, `name` of the entry, `option`, and `placeholder`, a variable to hold it."""
    notes: list[dict[str, str]] = dataclasses.field(default_factory=list)
    """What an entry has and cannot be declared: `variable`, `name` (empty: of no entry), `text`."""

    def note(self, variable: str, name: str, text: str) -> None:
        self.notes.append({"variable": variable, "name": name, "text": display(text)})

    def secret(self, variable: str, name: str, option: str) -> None:
        """Give a secret a variable of its own, such as `vault_pbs_remote_offsite_password`."""
        base = placeholder_base(variable, name, option.replace("secrets.", ""))
        taken = {item["placeholder"] for item in self.secrets}
        placeholder = base
        number = 2
        while placeholder in taken:
            placeholder = f"{base}_{number}"
            number += 1
        self.secrets.append({"variable": variable, "name": name, "option": option, "placeholder": placeholder})


def adopt(options: t.Mapping[str, t.Any]) -> Declaration:
    """Read the configuration. Raises `CollectionError` if a file cannot be read."""
    if os.geteuid() != 0:
        raise OptionError(
            "Only root may read all of PBS's configuration, but this task runs as uid %d: use become: true."
            % os.geteuid()
        )
    found = Declaration()
    _sections("pbs_remotes", REMOTE, options, found)
    _sections("pbs_s3_endpoints", S3_ENDPOINT, options, found)
    _datastores(options, found)
    _sections("pbs_sync_jobs", SYNC, options, found)
    _sections("pbs_traffic_controls", TRAFFIC_CONTROL, options, found)
    _notifications(options, found)
    return found


# --- lists with one entry for each section of a file ------------------------------------------------------------------


def _sections(variable: str, resource: Resource, options: t.Mapping[str, t.Any], found: Declaration) -> None:
    entries = found.variables[variable] = []
    for name, section in read_configuration(options["config_dir"], resource.file).sections.items():
        if section.type not in resource.file[1]:
            found.note(variable, "", f"'{name}' is a {section.type}, which this collection does not know")
            continue
        entries.append({resource.key: name, **_declared(resource.settings, section, found, variable)})


def _notifications(options: t.Mapping[str, t.Any], found: Declaration) -> None:
    """Targets and matchers; those that PBS brings only if they are not as it brings them."""
    targets, matchers = "pbs_notification_targets", "pbs_notification_matchers"
    found.variables[targets], found.variables[matchers] = [], []
    for name, section in read_configuration(options["config_dir"], NOTIFICATIONS).sections.items():
        if notifications.is_as_shipped(section):
            continue
        if section.type == notifications.MATCHER:
            declared = {**_emptied(MATCHER, section), **_declared(MATCHER.settings, section, found, matchers)}
            found.variables[matchers].append({"name": name, **declared})
        elif section.type in TARGETS:
            entry = {"name": name, "type": section.type, **_emptied(TARGETS[section.type], section)}
            entry.update(_declared(TARGETS[section.type].settings, section, found, targets))
            _tidy_webhook(entry, found)
            found.variables[targets].append(entry)
        else:
            found.note(targets, "", f"'{name}' is a {section.type}, which this collection does not know")


def _emptied(resource: Resource, section: Section) -> Entry:
    """What PBS brings with an entry of its own and this host does not have: another host has to unset it."""
    kind = resource.settings
    shipped = resource.builtin.get(section.id)
    gone = set() if shipped is None else set(shipped.properties) - set(section.properties)
    return {
        kind.option(name): kind.defaults.get(name, [] if kind.type.properties[name].repeats else "")
        for name in sorted(gone)
    }


def _tidy_webhook(entry: Entry, found: Declaration) -> None:
    """Headers, body and secrets as people write them."""
    variable, name = "pbs_notification_targets", entry["name"]
    for secret in notifications.named_values(entry.pop("secrets", [])):
        found.secret(variable, name, f"secrets.{secret}")
    if "body" in entry:
        entry["body"] = notifications.decoded(entry["body"])
    if "headers" in entry:
        lines = entry.pop("headers")
        headers = notifications.named_values(lines)
        if len(headers) == len(lines) and None not in headers.values() and all(map(is_name, headers)):
            entry["headers"] = headers
        else:
            found.note(variable, name, "headers: some have the same name, or none that HTTP permits; they are left out")


# --- datastores and their jobs ----------------------------------------------------------------------------------------


def _datastores(options: t.Mapping[str, t.Any], found: Declaration) -> None:
    variable = "pbs_datastores"
    sections = read_configuration(options["config_dir"], DATASTORES).sections
    places = {store["name"]: store for store in datastore_info({**options, "name": None})}
    stores: dict[str, Entry] = {}
    for name, section in sections.items():
        store: Entry = {"name": name, **_declared(settings.DATASTORE, section, found, variable)}
        problem = _problem(store)
        if problem:
            found.note(variable, "", f"datastore '{name}' cannot be declared: {problem}")
            continue
        _tidy_maintenance(store, found)
        _mount(store, places.get(name, {}), found)
        stores[name] = store
    for resource, jobs in ((PRUNE, "prune_jobs"), (VERIFY, "verify_jobs")):
        kind = resource.settings
        for identifier, section in read_configuration(options["config_dir"], resource.file).sections.items():
            owner = section.text("store")
            if owner not in stores:
                found.note(
                    variable, "", f"{kind.name} '{identifier}' is for datastore '{owner}', which is not declared"
                )
                continue
            job = {"id": identifier, **_declared(kind, section, found, variable, owner)}
            del job["store"]
            stores[owner].setdefault(jobs, []).append(job)
    found.variables[variable] = list(stores.values())


def _problem(store: Entry) -> str:
    """Why the modules refuse a datastore that PBS has; empty if they do not."""
    if store.get("maintenance_mode", {}).get("type") == "delete":
        return "it is being deleted"
    if "backing_device" in store:
        return ""
    try:
        store["path"] = check_path(store.get("path", ""), "path")
    except OptionError as exc:
        return str(exc)
    if os.path.basename(store["path"]).startswith("."):
        return f"garbage collection ignores directories whose name begins with a dot, such as {store['path']}"
    return ""


def _tidy_maintenance(store: Entry, found: Declaration) -> None:
    """Only users set read-only and offline; the others are states of PBS, which end by themselves."""
    mode = store.get("maintenance_mode")
    if mode is None:
        return
    if mode.get("type") not in ("read-only", "offline"):
        del store["maintenance_mode"]
        found.note(
            "pbs_datastores", store["name"], f"maintenance mode {mode.get('type')}: set by PBS, so it is left out"
        )
    elif "text" in mode:
        mode["text"] = property_string.percent_decoded(mode["text"])


def _mount(store: Entry, place: t.Mapping[str, t.Any], found: Declaration) -> None:
    """The mount that the datastore is on, as a requirement. Without a source, provision checks it and does not mount it."""
    mount = place.get("mount")
    if not mount or mount["is_root"] or "backing_device" in store:
        return
    store["mount"] = {"path": mount["path"], "fstype": mount["fstype"]}
    found.note(
        "pbs_datastores",
        store["name"],
        f"mount: {mount['source']} is mounted there, which provision only checks. With mount.source it mounts it, too.",
    )


# --- one section ------------------------------------------------------------------------------------------------------


def _declared(kind: settings.Kind, section: Section, found: Declaration, variable: str, entry: str = "") -> Entry:
    """The options that give a section its properties. `entry`: the name of the entry for notes, if it is another one."""
    declared: Entry = {}
    entry = entry or section.id
    where = "" if entry == section.id else f"{kind.name} '{section.id}': "
    for name in section.properties:
        prop = kind.type.properties.get(name)
        if prop is None or name in kind.not_settable:
            found.note(variable, entry, f"{where}{name} cannot be declared, so it is left out")
            continue
        option = kind.option(name)
        if prop.secret:
            found.secret(variable, entry, option)
            continue
        texts = section.texts(name)
        try:
            if isinstance(prop.kind, PropertyString):
                value: t.Any = _keys(prop.kind.schema, section.text(name), f"{where}{option}", found, variable, entry)
            elif prop.repeats:
                value = [_plain(prop.kind.read(text.strip()), text) for text in texts]
            else:
                value = _plain(prop.kind.read(section.text(name).strip()), section.text(name))
        except ValueError as exc:
            what = "what it is" if prop.private else shown(", ".join(texts))
            found.note(
                variable, entry, f"{where}{option} is {what}, which cannot be declared, so it is left out: {exc}"
            )
            continue
        if value not in ("", {}):
            declared[option] = value
    return declared


def _keys(
    schema: property_string.Schema, text: str, where: str, found: Declaration, variable: str, entry: str
) -> dict[str, t.Any]:
    values: dict[str, t.Any] = {}
    for name, value in property_string.parse(text, schema.default_key).items():
        key = settings.option_of_key(name)
        known = schema.keys.get(name)
        if known is None:
            found.note(variable, entry, f"{where}.{key} cannot be declared, so it is left out")
            continue
        try:
            values[key] = _plain(known.kind.read(value), value)
        except ValueError as exc:
            found.note(
                variable, entry, f"{where}.{key} is {shown(value)}, which PBS cannot use, so it is left out: {exc}"
            )
    return values


def _plain(value: t.Any, text: str) -> t.Union[bool, int, str]:
    """A value as people write it: sizes keep their text."""
    return value if type(value) in (bool, int) else text.strip()
