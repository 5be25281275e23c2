# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules prune_job and verify_job: bring one job to its declaration. An update is sent only if something differs."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._manage.manager import Manager, ManagerError
from ansible_collections.fleetops.pbs.plugins.module_utils._manage.outcome import Outcome
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.config_file import (
    DATASTORES,
    Configuration,
    read_configuration,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._options.common import OptionError
from ansible_collections.fleetops.pbs.plugins.module_utils._options.job import JobKind, JobPlan, job_plan
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import settings
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.section_config import Section
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

_ATTEMPTS = 3


def new_manager(options: t.Mapping[str, t.Any], check_mode: bool) -> Manager:
    """The client that the module's options describe."""
    return Manager(options["manager"], lock_timeout=options["lock_timeout"], check_mode=check_mode)


def ensure_job(kind: JobKind, options: t.Mapping[str, t.Any], check_mode: bool, manager: Manager) -> Outcome:
    """Bring one job to `state`. Raises `CollectionError`, if possible before any change."""
    outcome = Outcome(commands=manager.commands)
    plan = job_plan(kind, options, check_mode)
    if os.geteuid() != 0:
        raise OptionError(
            "Only root may change PBS's configuration, but this task runs as uid %d: use become: true." % os.geteuid()
        )
    identifier, words = plan.id, kind.words
    configuration = read_configuration(plan.config_dir, kind.file)
    section = configuration.sections.get(identifier)
    if section is not None and plan.store and section.text("store") != plan.store:
        raise OptionError(
            "%s '%s' belongs to datastore '%s', not to '%s'. Job ids are unique on a host: choose another id, or remove "
            "that job first." % (words, identifier, section.text("store"), plan.store)
        )
    if not plan.present:
        _remove(plan, section, manager, outcome)
    elif section is None:
        _create(plan, manager, outcome)
    else:
        _update(plan, section, configuration, manager, outcome)
    if outcome.changed:
        past = {"create": "created", "update": "changed", "remove": "removed"}[outcome.action]
        outcome.message = f"{words} '{identifier}' {'would be' if check_mode else 'was'} {past}."
        if not check_mode:
            _verify(plan, outcome)
    else:
        state = "as declared" if plan.present else "absent"
        outcome.message = f"{words} '{identifier}' is {state}."
    return outcome


def _create(plan: JobPlan, manager: Manager, outcome: Outcome) -> None:
    kind = plan.kind
    if plan.lacking:
        raise OptionError(
            "%s '%s' does not exist yet, and a new one needs: %s" % (kind.words, plan.id, ", ".join(plan.lacking))
        )
    store = plan.store
    if store not in read_configuration(plan.config_dir, DATASTORES).sections:
        if not plan.check_mode:
            raise OptionError(f"store: there is no datastore '{store}' on this host; create it first")
        # In check mode an earlier task may only have announced its creation.
        outcome.warnings.append(f"there is no datastore '{store}' yet")
    _require_version(plan.desired, manager)
    changes = settings.compare(kind.settings, plan.desired, None)
    changes.after["store"] = store
    outcome.show(changes, plan.id)
    outcome.log = manager.change(
        [kind.command, "create", plan.id, "--store", store, *settings.as_arguments(changes)]
    ).log
    outcome.changed, outcome.action = True, "create"


def _update(plan: JobPlan, section: Section, configuration: Configuration, manager: Manager, outcome: Outcome) -> None:
    kind = plan.kind
    for attempt in range(_ATTEMPTS):
        changes = settings.compare(kind.settings, plan.desired, section)
        if not changes and attempt:
            break
        outcome.show(changes, plan.id)
        if not changes:
            return
        _require_version(plan.desired, manager)
        del manager.commands[:]
        try:
            manager.change(
                [
                    kind.command,
                    "update",
                    plan.id,
                    *settings.as_arguments(changes),
                    "--digest",
                    configuration.digest,
                ]
            )
            break
        except ManagerError as exc:
            if not exc.changed_meanwhile or attempt == _ATTEMPTS - 1:
                raise
        configuration = read_configuration(plan.config_dir, kind.file)
        if plan.id not in configuration.sections:
            raise OptionError(f"{kind.words} '{plan.id}' was removed meanwhile. Run this again to create it.")
        section = configuration.sections[plan.id]
    outcome.changed, outcome.action = True, "update"


def _remove(plan: JobPlan, section: t.Optional[Section], manager: Manager, outcome: Outcome) -> None:
    kind = plan.kind
    if section is None:
        return
    before = {name: section.text(name) for name in section.properties}
    outcome.show(settings.Changes(before=before, after={}), plan.id)
    outcome.log = manager.change([kind.command, "remove", plan.id]).log
    outcome.changed, outcome.action = True, "remove"


def _require_version(desired: settings.Desired, manager: Manager) -> None:
    if desired.since:
        problems = settings.too_new(desired, manager.version())
        if problems:
            raise OptionError(f"This PBS is too old: {'; '.join(problems)}. Upgrade PBS, or omit these options.")


def _verify(plan: JobPlan, outcome: Outcome) -> None:
    kind = plan.kind
    section = read_configuration(plan.config_dir, kind.file).sections.get(plan.id)
    words = kind.settings.name
    if outcome.action == "remove":
        if section is not None:
            raise ManagerError(f"PBS reported that {words} '{plan.id}' was removed, but it is still configured.")
        return
    if section is None:
        raise ManagerError(f"PBS reported success, but {words} '{plan.id}' is not in its configuration.")
    left = settings.compare(kind.settings, plan.desired, section)
    if left:
        raise ManagerError(
            "PBS reported success, but %s '%s' still differs in: %s."
            % (words, display(plan.id), ", ".join(sorted([*left.set, *left.delete])))
        )
    outcome.after = {name: section.text(name) for name in section.properties}
