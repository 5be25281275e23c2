# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules prune_job and verify_job: bring one job to its declaration. An update is sent only if something differs."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import OptionError
from ansible_collections.fleetops.pbs.plugins.module_utils._manage import settings
from ansible_collections.fleetops.pbs.plugins.module_utils._manage.manager import Manager, ManagerError
from ansible_collections.fleetops.pbs.plugins.module_utils._manage.outcome import Outcome
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.config_file import (
    DATASTORES,
    PRUNE_JOBS,
    VERIFY_JOBS,
    Configuration,
    read_configuration,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.section_config import Schema, Section
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.values import DATASTORE_NAME, JOB_ID, shown
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

ERRORS = (ValueError, ManagerError)
"""The errors of the functions here, with messages for users."""

_ATTEMPTS = 3


@dataclasses.dataclass(frozen=True)
class JobKind:
    """One kind of job: its command, its settings, its configuration file."""

    command: str
    settings: settings.Kind
    file: tuple[str, Schema]
    required: tuple[str, ...]
    """Options that a new job needs, in addition to its datastore."""


PRUNE = JobKind("prune-job", settings.PRUNE_JOB, PRUNE_JOBS, ("schedule",))
VERIFY = JobKind("verify-job", settings.VERIFY_JOB, VERIFY_JOBS, ())


def new_manager(params: t.Mapping[str, t.Any], check_mode: bool) -> Manager:
    """The client that the module's options describe."""
    return Manager(params["manager"], lock_timeout=params["lock_timeout"], check_mode=check_mode)


def ensure_job(kind: JobKind, params: t.Mapping[str, t.Any], check_mode: bool, manager: Manager) -> Outcome:
    """Bring one job to `state`. Raises one of `ERRORS`, if possible before any change."""
    outcome = Outcome(commands=manager.commands)
    desired = _check(kind, params)
    if os.geteuid() != 0:
        raise OptionError(
            "Only root may change PBS's configuration, but this task runs as uid %d: use become: true." % os.geteuid()
        )
    identifier, words = params["id"], kind.settings.name.capitalize()
    configuration = read_configuration(params["config_dir"], kind.file)
    section = configuration.sections.get(identifier)
    if section is not None and params["store"] and section.text("store") != params["store"]:
        raise OptionError(
            "%s '%s' belongs to datastore '%s', not to '%s'. Job ids are unique on a host: choose another id, or remove "
            "that job first." % (words, identifier, section.text("store"), params["store"])
        )
    if params["state"] == "absent":
        _remove(kind, section, params, manager, outcome)
    elif section is None:
        _create(kind, params, desired, manager, outcome, check_mode)
    else:
        _update(kind, section, configuration, params, desired, manager, outcome)
    if outcome.changed:
        past = {"create": "created", "update": "changed", "remove": "removed"}[outcome.action]
        outcome.message = f"{words} '{identifier}' {'would be' if check_mode else 'was'} {past}."
        if not check_mode:
            _verify(kind, params, desired, outcome)
    else:
        state = "as declared" if params["state"] == "present" else "absent"
        outcome.message = f"{words} '{identifier}' is {state}."
    return outcome


def _check(kind: JobKind, params: t.Mapping[str, t.Any]) -> settings.Desired:
    for option, rule, what in (("id", JOB_ID, "job"), ("store", DATASTORE_NAME, "datastore")):
        if params[option] is None:
            continue
        try:
            rule.read(params[option])
        except ValueError as exc:
            raise OptionError(
                f"{option}: {shown(params[option])} is not a valid name of a {what}; allowed: {exc}"
            ) from None
    if not 0 < params["lock_timeout"] < float("inf"):
        raise OptionError(f"lock_timeout: must be more than 0 seconds, not {params['lock_timeout']:g}")
    return settings.check(kind.settings, params, params["unset"] or ())


def _create(
    kind: JobKind,
    params: t.Mapping[str, t.Any],
    desired: settings.Desired,
    manager: Manager,
    outcome: Outcome,
    check_mode: bool,
) -> None:
    missing = [option for option in ("store", *kind.required) if not params[option]]
    if missing:
        raise OptionError(
            "%s '%s' does not exist yet, and a new one needs: %s"
            % (kind.settings.name.capitalize(), params["id"], ", ".join(missing))
        )
    store = params["store"]
    if store not in read_configuration(params["config_dir"], DATASTORES).sections:
        if not check_mode:
            raise OptionError(f"store: there is no datastore '{store}' on this host; create it first")
        # In check mode an earlier task may only have announced its creation.
        outcome.warnings.append(f"there is no datastore '{store}' yet")
    _require_version(desired, manager)
    changes = settings.compare(kind.settings, desired, None)
    changes.after["store"] = store
    outcome.show(changes, params["id"])
    outcome.log = manager.change(
        [kind.command, "create", params["id"], "--store", store, *settings.as_arguments(changes)]
    ).log
    outcome.changed, outcome.action = True, "create"


def _update(
    kind: JobKind,
    section: Section,
    configuration: Configuration,
    params: t.Mapping[str, t.Any],
    desired: settings.Desired,
    manager: Manager,
    outcome: Outcome,
) -> None:
    for attempt in range(_ATTEMPTS):
        changes = settings.compare(kind.settings, desired, section)
        if not changes and attempt:
            break
        outcome.show(changes, params["id"])
        if not changes:
            return
        _require_version(desired, manager)
        del manager.commands[:]
        try:
            manager.change(
                [
                    kind.command,
                    "update",
                    params["id"],
                    *settings.as_arguments(changes),
                    "--digest",
                    configuration.digest,
                ]
            )
            break
        except ManagerError as exc:
            if not exc.changed_meanwhile or attempt == _ATTEMPTS - 1:
                raise
        configuration = read_configuration(params["config_dir"], kind.file)
        if params["id"] not in configuration.sections:
            raise OptionError(
                f"{kind.settings.name.capitalize()} '{params['id']}' was removed meanwhile. Run this again to create it."
            )
        section = configuration.sections[params["id"]]
    outcome.changed, outcome.action = True, "update"


def _remove(
    kind: JobKind,
    section: t.Optional[Section],
    params: t.Mapping[str, t.Any],
    manager: Manager,
    outcome: Outcome,
) -> None:
    if section is None:
        return
    before = {name: section.text(name) for name in section.properties}
    outcome.show(settings.Changes(before=before, after={}), params["id"])
    outcome.log = manager.change([kind.command, "remove", params["id"]]).log
    outcome.changed, outcome.action = True, "remove"


def _require_version(desired: settings.Desired, manager: Manager) -> None:
    if desired.since:
        problems = settings.too_new(desired, manager.version())
        if problems:
            raise OptionError(f"This PBS is too old: {'; '.join(problems)}. Upgrade PBS, or omit these options.")


def _verify(kind: JobKind, params: t.Mapping[str, t.Any], desired: settings.Desired, outcome: Outcome) -> None:
    section = read_configuration(params["config_dir"], kind.file).sections.get(params["id"])
    words = kind.settings.name
    if outcome.action == "remove":
        if section is not None:
            raise ManagerError(f"PBS reported that {words} '{params['id']}' was removed, but it is still configured.")
        return
    if section is None:
        raise ManagerError(f"PBS reported success, but {words} '{params['id']}' is not in its configuration.")
    left = settings.compare(kind.settings, desired, section)
    if left:
        raise ManagerError(
            "PBS reported success, but %s '%s' still differs in: %s."
            % (words, display(params["id"]), ", ".join(sorted([*left.set, *left.delete])))
        )
    outcome.after = {name: section.text(name) for name in section.properties}
