# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules that manage one section of a configuration file: bring it to its declaration, with PBS's own command.

An update is sent only if something differs.
"""

from __future__ import annotations

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import Spec, section_spec
from ansible_collections.fleetops.pbs.plugins.module_utils._manage.manager import Manager, ManagerError
from ansible_collections.fleetops.pbs.plugins.module_utils._manage.outcome import Outcome
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.config_file import (
    Configuration,
    read_configuration,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._options.common import OptionError, Options
from ansible_collections.fleetops.pbs.plugins.module_utils._options.section import (
    Properties,
    Resource,
    SectionPlan,
    section_plan,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import settings
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.section_config import Section
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

_ATTEMPTS = 3


def run_module(resource: Resource, name: str) -> None:
    """The `main()` of a module; `name` is the key of the section's properties in its result."""

    def ensure(options: Options, check_mode: bool, manager: Manager) -> Outcome:
        return ensure_section(resource, options, check_mode, manager)

    run_with(section_spec(resource.settings, resource.key), ensure, name)


def run_with(spec: Spec, ensure: t.Callable[[Options, bool, Manager], Outcome], name: str) -> None:
    """The `main()` of a module with options of its own."""
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    manager = new_manager(module.params, module.check_mode)
    try:
        outcome = ensure(module.params, module.check_mode, manager)
    except CollectionError as exc:
        module.fail_json(msg=str(exc), commands=manager.commands)
    for warning in outcome.warnings:
        module.warn(warning)
    module.exit_json(**outcome.result(name))


def new_manager(options: t.Mapping[str, t.Any], check_mode: bool) -> Manager:
    """The client that the module's options describe."""
    return Manager(options["manager"], lock_timeout=options["lock_timeout"], check_mode=check_mode)


def ensure_section(resource: Resource, options: t.Mapping[str, t.Any], check_mode: bool, manager: Manager) -> Outcome:
    """Bring one section to `state`. Raises `CollectionError`, if possible before any change."""
    outcome = Outcome(commands=manager.commands)
    plan = section_plan(resource, options, check_mode)
    if os.geteuid() != 0:
        raise OptionError(
            "Only root may change PBS's configuration, but this task runs as uid %d: use become: true." % os.geteuid()
        )
    identifier, words = plan.id, resource.words
    configuration = read_configuration(plan.config_dir, resource.file)
    section = configuration.sections.get(identifier)
    if section is not None:
        _require_same(plan, section)
    if not plan.present:
        _remove(plan, section, manager, outcome)
    elif section is None:
        _create(plan, manager, outcome)
    else:
        _update(plan, section, configuration, manager, outcome)
    if outcome.changed:
        past = {"create": "created", "update": "changed", "remove": "removed"}[outcome.action]
        if outcome.action == "remove" and identifier in resource.builtin:
            past = "reset to what PBS ships, because PBS always has it"
        outcome.message = f"{words} '{identifier}' {'would be' if check_mode else 'was'} {past}."
        if not check_mode:
            _verify(plan, outcome)
    else:
        state = "as declared" if plan.present else "absent"
        if not plan.present and identifier in resource.builtin:
            state = "as PBS ships it; PBS always has it, and disable: true switches it off"
        outcome.message = f"{words} '{identifier}' is {state}."
    return outcome


def _require_same(plan: SectionPlan, section: Section) -> None:
    """PBS cannot change the fixed properties. Raises `OptionError` if one of them differs."""
    resource = plan.resource
    if section.type not in resource.file[1] or resource.file[1][section.type] is not resource.settings.type:
        raise OptionError(
            "'%s' already exists, but it is of type %s. Choose another %s." % (plan.id, section.type, resource.key)
        )
    for name, want in plan.fixed.items():
        have = section.text(name)
        if have == want:
            continue
        if name == "store":
            raise OptionError(
                "%s '%s' belongs to datastore '%s', not to '%s'. Job ids are unique on a host: choose another id, or remove "
                "that job first." % (resource.words, plan.id, display(have), want)
            )
        raise OptionError(
            "%s '%s' has %s %s, declared is %s. PBS cannot change it: choose another %s, or remove it first."
            % (resource.words, plan.id, name.replace("-", "_"), display(have), want, resource.key)
        )


def _create(plan: SectionPlan, manager: Manager, outcome: Outcome) -> None:
    resource = plan.resource
    if plan.lacking:
        raise OptionError(
            "%s '%s' does not exist yet, and a new one needs: %s" % (resource.words, plan.id, ", ".join(plan.lacking))
        )
    changes = settings.compare(resource.settings, plan.desired, None)
    changes.after.update(plan.fixed)
    _require_secrets(plan, changes)
    _require_no_contradiction(plan, changes.after)
    _require_references(plan, changes.after, {*changes.set, *plan.fixed}, outcome)
    _require_version(plan, changes, manager, "create")
    outcome.show(changes, plan.id)
    fixed = [word for name, value in plan.fixed.items() for word in settings.as_argument(name, value)]
    outcome.log = manager.change(
        [*resource.command, "create", plan.id, *fixed, *settings.as_arguments(changes)],
        secrets=changes.hidden,
    ).log
    outcome.changed, outcome.action = True, "create"


def _update(
    plan: SectionPlan, section: Section, configuration: Configuration, manager: Manager, outcome: Outcome
) -> None:
    resource = plan.resource
    for attempt in range(_ATTEMPTS):
        changes = settings.compare(resource.settings, plan.desired, section, plan.always_set_secrets)
        if not changes and attempt:
            break
        outcome.show(changes, plan.id)
        if not changes:
            return
        _require_secrets(plan, changes)
        _require_no_contradiction(plan, changes.after)
        _require_references(plan, changes.after, set(changes.set) | set(changes.delete), outcome)
        _require_changeable(plan, changes)
        _require_version(plan, changes, manager, "update")
        del manager.commands[:]
        try:
            manager.change(
                [
                    *resource.command,
                    "update",
                    plan.id,
                    *settings.as_arguments(changes),
                    "--digest",
                    configuration.digest,
                ],
                secrets=changes.hidden,
            )
            break
        except ManagerError as exc:
            if not exc.changed_meanwhile or attempt == _ATTEMPTS - 1:
                raise
        configuration = read_configuration(plan.config_dir, resource.file)
        if plan.id not in configuration.sections:
            raise OptionError(f"{resource.words} '{plan.id}' was removed meanwhile. Run this again to create it.")
        section = configuration.sections[plan.id]
    outcome.changed, outcome.action = True, "update"


def _remove(plan: SectionPlan, section: t.Optional[Section], manager: Manager, outcome: Outcome) -> None:
    resource = plan.resource
    if section is None:
        return
    if resource.is_shipped(section):
        return
    if plan.id not in resource.builtin:
        _require_unused(plan, outcome)
    before = settings.shown_properties(resource.settings, section)
    after = (
        settings.shown_properties(resource.settings, resource.builtin[plan.id]) if plan.id in resource.builtin else {}
    )
    outcome.show(settings.Changes(before=before, after=after), plan.id)
    try:
        outcome.log = manager.change([*resource.command, resource.remove, plan.id]).log
    except ManagerError as exc:
        # PBS removes a running job from its configuration first, and then waits for the lock of its state.
        if plan.id in read_configuration(plan.config_dir, resource.file).sections:
            raise
        outcome.warnings.append(f"PBS removed {resource.settings.name} '{plan.id}', and then reported: {exc.said}")
    outcome.changed, outcome.action = True, "remove"


# --- what PBS does not check, or checks too late ------------------------------------------------------------------------


def _require_no_contradiction(plan: SectionPlan, after: Properties) -> None:
    problem = plan.resource.contradiction(after)
    if problem:
        raise OptionError(f"{plan.resource.words} '{plan.id}': {problem}.")


def _require_secrets(plan: SectionPlan, changes: settings.Changes) -> None:
    if changes.lacking:
        raise OptionError(
            "%s '%s': PBS does not have these secrets yet, so they need a value: %s"
            % (plan.resource.words, plan.id, ", ".join(changes.lacking))
        )


def _require_references(plan: SectionPlan, after: Properties, changed: t.Collection[str], outcome: Outcome) -> None:
    """What a changed property names must exist: PBS stores such a name, and fails when it uses it."""
    for reference in plan.resource.references:
        if reference.property not in changed and reference.depends not in changed:
            continue
        value = after.get(reference.property, "")
        names = [
            name for name in ([value] if isinstance(value, str) else value) if name and name not in reference.always
        ]
        if not names or after.get(reference.depends):
            continue
        sections = read_configuration(plan.config_dir, reference.file).sections
        for name in names:
            if name in sections and (not reference.types or sections[name].type in reference.types):
                continue
            if not plan.check_mode:
                raise OptionError(
                    "%s: there is no %s '%s' on this host; create it first"
                    % (reference.property.replace("-", "_"), reference.words, name)
                )
            # In check mode an earlier task may only have announced its creation.
            warning = f"there is no {reference.words} '{name}' yet"
            if warning not in outcome.warnings:
                outcome.warnings.append(warning)


def _require_unused(plan: SectionPlan, outcome: Outcome) -> None:
    for use in plan.resource.uses:
        users = [
            section.id
            for section in read_configuration(plan.config_dir, use.file).sections.values()
            if plan.id in use.used(section)
        ]
        if not users:
            continue
        problem = "%s '%s' is used by %s %s" % (
            plan.resource.words,
            plan.id,
            use.words,
            ", ".join(f"'{user}'" for user in users),
        )
        if not plan.check_mode:
            raise OptionError(f"{problem}, so PBS does not remove it. Remove what uses it first.")
        # In check mode an earlier task may only have announced the removal of its users.
        outcome.warnings.append(f"{problem} now, and PBS removes it only without them")


def _require_changeable(plan: SectionPlan, changes: settings.Changes) -> None:
    kind = plan.resource.settings
    for name in sorted(kind.only_at_creation & set(changes.set)):
        raise OptionError(
            "%s '%s' has %s %s, declared is %s. PBS sets it only when it creates the section, and ignores it in an update: %s."
            % (
                plan.resource.words,
                plan.id,
                name.replace("-", "_"),
                changes.before.get(name, "unset"),
                changes.set[name],
                kind.not_deletable[name],
            )
        )


def _require_version(plan: SectionPlan, changes: settings.Changes, manager: Manager, verb: str) -> None:
    resource = plan.resource
    since = dict(plan.desired.since)
    if resource.since:
        since[f"{resource.settings.name} '{plan.id}'"] = resource.since
    if since:
        problems = settings.too_new(settings.Desired(since=since), manager.version())
        if problems:
            raise OptionError(f"This PBS is too old: {'; '.join(problems)}. Upgrade PBS, or omit these options.")
    if not resource.asks_for_options:
        return
    has = manager.options_of([*resource.command, verb])
    missing = [] if has is None else sorted({*changes.set, *changes.secrets} - has)
    if missing:
        raise OptionError(
            "This PBS (%s) is too old: its command '%s' has no %s. Upgrade PBS, or omit %s."
            % (
                manager.version() or "of an unknown version",
                " ".join([*resource.command, verb]),
                ", ".join("--" + name for name in missing),
                ", ".join(name.replace("-", "_") for name in missing),
            )
        )


# --- check of the result ------------------------------------------------------------------------------------------------


def _verify(plan: SectionPlan, outcome: Outcome) -> None:
    resource = plan.resource
    section = read_configuration(plan.config_dir, resource.file).sections.get(plan.id)
    words = resource.settings.name
    if outcome.action == "remove":
        if section is not None and not resource.is_shipped(section):
            raise ManagerError(f"PBS reported that {words} '{plan.id}' was removed, but it is still configured.")
        return
    if section is None:
        raise ManagerError(f"PBS reported success, but {words} '{plan.id}' is not in its configuration.")
    left = settings.compare(resource.settings, plan.desired, section)
    if left:
        raise ManagerError(
            "PBS reported success, but %s '%s' still differs in: %s."
            % (words, display(plan.id), ", ".join(sorted([*left.set, *left.delete])))
        )
    outcome.after = settings.shown_properties(resource.settings, section)
