# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of modules that manage one section of a configuration file, such as a job, a remote or an S3 endpoint."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.config_file import (
    DATASTORES,
    NOTIFICATIONS,
    PRUNE_JOBS,
    REMOTES,
    S3_ENDPOINTS,
    SYNC_JOBS,
    TRAFFIC_CONTROLS,
    USERS,
    VERIFY_JOBS,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._options.common import Options, require_name, require_seconds
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import (
    notification_settings,
    notifications,
    property_string,
    settings,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.property_string import PropertyStringError
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.section_config import Schema, Section

File = tuple[str, Schema]
Properties = t.Mapping[str, settings.Text]
"""The properties that a section will have; a secret is not among them."""


@dataclasses.dataclass(frozen=True)
class Reference:
    """A property with the name of a section of another file. PBS often stores one that does not exist, and fails later."""

    property: str
    file: File
    words: str
    """What it refers to, for messages: `datastore`."""
    depends: str = ""
    """A property whose presence gives this one another meaning, on another host."""
    always: frozenset[str] = frozenset()
    """Names that exist without a section."""
    types: tuple[str, ...] = ()
    """The types of section that it may name; empty for all of the file."""


@dataclasses.dataclass(frozen=True)
class Use:
    """Sections of another file that can use a section of this kind. PBS does not remove what is used."""

    file: File
    words: str
    used: t.Callable[[Section], t.Collection[str]]
    """The names of the sections of this kind that a section of the other file uses."""


def _no_contradiction(_properties: Properties) -> str:
    return ""


@dataclasses.dataclass(frozen=True)
class Resource:
    """One kind of section that a module manages: its command, its settings, its configuration file."""

    command: tuple[str, ...]
    """The words of the command before `create`, `update` and `remove`."""
    settings: settings.Kind
    file: File
    key: str = "id"
    """The option with the name of the section."""
    required: tuple[str, ...] = ()
    """Options that a new section needs, in addition to `key`."""
    references: tuple[Reference, ...] = ()
    uses: tuple[Use, ...] = ()
    contradiction: t.Callable[[Properties], str] = _no_contradiction
    """Why PBS would refuse, or fail on, the properties of a section as a whole; empty if it would not."""
    since: str = ""
    """The first PBS with this command."""
    asks_for_options: bool = False
    """Whether the usage text of the command decides if the installed PBS has an option."""
    remove: str = "remove"
    """The last word of the command that removes a section."""
    builtin: t.Mapping[str, Section] = dataclasses.field(default_factory=dict)
    """Sections that PBS brings: it always has them, and their removal gives them back these properties."""

    def is_shipped(self, section: Section) -> bool:
        """Whether this is a section that PBS brings, with the properties that it brings."""
        shipped = self.builtin.get(section.id)
        return shipped is not None and (shipped.type, shipped.properties) == (section.type, section.properties)

    @property
    def words(self) -> str:
        name = self.settings.name
        return name[:1].upper() + name[1:]


@dataclasses.dataclass(frozen=True)
class SectionPlan:
    """The declaration of one section."""

    resource: Resource
    id: str
    desired: settings.Desired
    fixed: t.Mapping[str, str]
    """Properties that PBS cannot change later."""
    lacking: tuple[str, ...]
    """Missing options that a new section needs."""
    present: bool
    always_set_secrets: bool
    config_dir: str
    check_mode: bool


def section_plan(resource: Resource, options: Options, check_mode: bool) -> SectionPlan:
    """Check the options. Raises `CollectionError` for the first that is wrong."""
    kind, key = resource.settings, resource.key
    require_name(key, options[key], kind.type.id, kind.name)
    fixed = {}
    for name in sorted(kind.fixed):
        option = name.replace("-", "_")
        if options[option] is not None:
            fixed[name] = settings.check_fixed(kind, option, options[option])
    require_seconds(options, "lock_timeout")
    return SectionPlan(
        resource,
        id=options[key],
        desired=settings.check(kind, options, options["unset"] or ()),
        fixed=fixed,
        lacking=tuple(option for option in resource.required if not options[option]),
        present=options["state"] == "present",
        always_set_secrets=options.get("update_secret") == "always",
        config_dir=options["config_dir"],
        check_mode=check_mode,
    )


# --- the kinds of sections ----------------------------------------------------------------------------------------------

_STORE = Reference("store", DATASTORES, "datastore")

PRUNE = Resource(("prune-job",), settings.PRUNE_JOB, PRUNE_JOBS, required=("store", "schedule"), references=(_STORE,))

VERIFY = Resource(("verify-job",), settings.VERIFY_JOB, VERIFY_JOBS, required=("store",), references=(_STORE,))


def _sync_contradiction(properties: Properties) -> str:
    """The rules that PBS checks when it creates a sync job, but not all of them when it updates one."""
    remote, store = _text(properties, "remote"), _text(properties, "store")
    push = _text(properties, "sync-direction") == "push"
    if push and not remote:
        return "sync_direction: push needs a remote"
    if not remote and store == _text(properties, "remote-store"):
        return (
            f"store and remote_store are both '{store}' on this host, and PBS cannot sync a datastore with itself: set "
            "remote, or name another datastore"
        )
    if push and _flag(properties, "resync-corrupt"):
        return "resync_corrupt: PBS supports it only with sync_direction: pull"
    depth = _text(properties, "max-depth")
    if depth.isdecimal():
        for option in ("ns", "remote-ns"):
            levels = len(list(filter(None, _text(properties, option).split("/"))))
            if levels + int(depth) > _DEEPEST:
                return (
                    f"max_depth: {depth} levels below the {levels} of {option.replace('-', '_')} are more than "
                    f"{_DEEPEST}, which a namespace can have"
                )
    if _flag(properties, "unmount-on-done") and not _flag(properties, "run-on-mount"):
        return "unmount_on_done: it needs run_on_mount: true"
    return ""


_DEEPEST = 7


def _text(properties: Properties, name: str) -> str:
    value = properties.get(name, "")
    return value if isinstance(value, str) else ""


def _flag(properties: Properties, name: str) -> bool:
    text = _text(properties, name)
    try:
        return bool(text) and property_string.parse_bool(text)
    except PropertyStringError:
        return False


SYNC = Resource(
    ("sync-job",),
    settings.SYNC_JOB,
    SYNC_JOBS,
    required=("store", "remote_store"),
    references=(
        _STORE,
        Reference("remote", REMOTES, "remote"),
        Reference("remote-store", DATASTORES, "datastore", depends="remote"),
        Reference("owner", USERS, "user or API token", always=frozenset(("root@pam",))),
    ),
    contradiction=_sync_contradiction,
    asks_for_options=True,
)

REMOTE = Resource(
    ("remote",),
    settings.REMOTE,
    REMOTES,
    key="name",
    required=("host", "auth_id", "password"),
    uses=(Use(SYNC_JOBS, "sync job", lambda section: section.texts("remote")),),
    asks_for_options=True,
)


def _s3_client(section: Section) -> list[str]:
    try:
        return [property_string.parse(section.text("backend"), "type").get("client", "")]
    except PropertyStringError:
        return []


S3_ENDPOINT = Resource(
    ("s3", "endpoint"),
    settings.S3_ENDPOINT,
    S3_ENDPOINTS,
    required=("endpoint", "access_key", "secret_key"),
    uses=(Use(DATASTORES, "datastore", _s3_client),),
    since="4.0.4",
    asks_for_options=True,
)


# --- traffic control and notifications ----------------------------------------------------------------------------------

TRAFFIC_CONTROL = Resource(
    ("traffic-control",),
    notification_settings.TRAFFIC_CONTROL,
    TRAFFIC_CONTROLS,
    key="name",
    required=("network",),
)

_MATCHERS = Use(
    NOTIFICATIONS,
    "notification matcher",
    lambda section: section.texts("target") if section.type == notifications.MATCHER else [],
)


def _no_recipient(properties: Properties) -> str:
    if properties.get("mailto") or properties.get("mailto-user"):
        return ""
    return "it needs at least one recipient, in mailto or in mailto_user"


_REQUIRED = {
    "smtp": ("server", "from_address"),
    "gotify": ("server", "token"),
    "webhook": ("url", "method"),
}

TARGETS: t.Mapping[str, Resource] = {
    kind: Resource(
        ("notification", "endpoint", kind),
        known,
        NOTIFICATIONS,
        key="name",
        required=_REQUIRED.get(kind, ()),
        uses=(_MATCHERS,),
        contradiction=_no_recipient if "mailto" in known.type.properties else _no_contradiction,
        since=notifications.WEBHOOK_SINCE if kind == "webhook" else notifications.SINCE,
        remove="delete",
        builtin=notifications.BUILTIN,
    )
    for kind, known in notification_settings.TARGETS.items()
}
"""By type of target."""

MATCHER = Resource(
    ("notification", "matcher"),
    notification_settings.MATCHER,
    NOTIFICATIONS,
    key="name",
    references=(Reference("target", NOTIFICATIONS, "target of notifications", types=notifications.TARGETS),),
    since=notifications.SINCE,
    remove="delete",
    builtin=notifications.BUILTIN,
)
