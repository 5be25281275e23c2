# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds wrong values in the variables of roles, for all hosts of a play, before any host is asked."""

from __future__ import annotations

import functools
import os.path
import time
import typing as t

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.text.converters import to_text

from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import preflight_spec
from ansible_collections.fleetops.pbs.plugins.module_utils._options.preflight import preflight_plan
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display, meant

Template = t.Callable[[t.Any], t.Any]
Variables = t.Mapping[str, t.Any]

DECLARATIONS = "pbs_datastores"
"""A variable of each host. The others are mostly the same for all hosts."""

_ROLES = os.path.join(os.path.dirname(__file__), "..", "..", "roles")
_MOST = 300
"""Characters of a value that are shown."""


def wrong_variables(roles: t.Sequence[str], variables: Variables, template: Template) -> list[str]:
    """A sentence for each wrong value, without repetitions.

    `variables`: those of the task, with `hostvars`; `template` makes values of templates.
    """
    specs: dict[str, dict[str, t.Any]] = {}
    defaults: dict[str, t.Any] = {}
    for role in roles:
        specs.update(_yaml_of(str(role), "meta", "argument_specs.yml")["argument_specs"]["main"]["options"])
        defaults.update(_yaml_of(str(role), "defaults", "main.yml"))
    found: dict[str, None] = {}
    declarations: list[list[str]] = []
    for values in _values_of_hosts(specs, defaults, variables, template):
        wrong = list(_wrong(specs, values))
        found.update(dict.fromkeys(text for name, text in wrong if name != DECLARATIONS))
        declarations.append([text for name, text in wrong if name == DECLARATIONS])
    if all(declarations):
        found.update(dict.fromkeys(text for texts in declarations for text in texts))
    return list(found)


@functools.cache
def _yaml_of(*names: str) -> dict[str, t.Any]:
    with open(os.path.join(_ROLES, *names), encoding="utf-8") as stream:
        found: dict[str, t.Any] = yaml.safe_load(stream)
    return found


def _values_of_hosts(
    specs: t.Container[str], defaults: Variables, variables: Variables, template: Template
) -> t.Iterator[Variables]:
    """The values of the task's host, then those of other hosts that differ from all before."""
    names = [name for name in variables if name in specs]
    yield _given({name: variables[name] for name in names}, template)
    hostvars = variables.get("hostvars")
    this = variables.get("inventory_hostname")
    if hostvars is None or not hasattr(hostvars, "raw_get"):
        return
    own = _set_for(hostvars.raw_get(this), specs)
    # What the play sets itself holds for all hosts, whatever the inventory has.
    fixed = {name for name in names if variables[name] not in (own.get(name), defaults.get(name))}
    seen = {_key(own, fixed)}
    for host in variables.get("ansible_play_hosts_all") or ():
        values = _set_for(hostvars.raw_get(host), specs)
        key = _key(values, fixed)
        if key not in seen:
            seen.add(key)
            yield _given({name: name for name in values if name not in fixed}, hostvars[host].__getitem__)


def _given(values: Variables, value_of: Template) -> dict[str, t.Any]:
    """The values, without those that are omitted."""
    found = {}
    for name, value in values.items():
        try:
            found[name] = value_of(value)
        except Exception as exc:  # noqa: PERF203 - one value may be omitted, and the next not
            if type(exc).__name__ != "AnsibleValueOmittedError":
                raise
    return found


def _set_for(values: t.Any, names: t.Container[str]) -> dict[str, t.Any]:
    return {name: values[name] for name in values if name in names} if isinstance(values, t.Mapping) else {}


def _key(values: Variables, without: t.Container[str]) -> str:
    return repr(sorted((name, repr(value)) for name, value in values.items() if name not in without))


# --- one set of values ------------------------------------------------------------------------------------------------


def _wrong(specs: t.Mapping[str, dict[str, t.Any]], values: Variables) -> t.Iterator[tuple[str, str]]:
    """The names of the variables that are wrong, and sentences about them."""
    right = {}
    for name, value in values.items():
        if value is None:
            continue
        text = _wrong_form(name, specs[name], value)
        if text:
            yield name, text
        else:
            right[name] = value
    if "preflight_policy" not in specs:
        return
    for option, name in _OPTIONS.items():
        # One at a time, so that each wrong variable is found.
        if name not in right:
            continue
        try:
            _plan({option: right[name]})
        except CollectionError as exc:
            yield name, _sentence(name, str(exc), option)


_OPTIONS = {
    **{
        option: f"preflight_{option}"
        for option in (
            "controls",
            "policy",
            "waivers",
            "deadline",
            "stall",
            "timeout",
            "sample_prefixes",
            "workers",
            "max_paths",
        )
    },
    "datastores": DECLARATIONS,
}
"""The options of the module preflight that are checked by more than their form, with the variables they come from."""


def _plan(options: t.Mapping[str, t.Any]) -> None:
    """Raises `CollectionError` where the module would refuse the options."""
    checked = ArgumentSpecValidator(preflight_spec()).validate({"host": "host", **options})
    if checked.error_messages:
        raise CollectionError(" ".join(checked.error_messages))
    preflight_plan(checked.validated_parameters, False, time.time())


def _sentence(name: str, text: str, option: str) -> str:
    rest = text[len(option) :] if text.startswith(option) else f": {text}"
    return display(f"{name}{rest.rstrip('.')}.")


def _wrong_form(name: str, spec: t.Mapping[str, t.Any], value: t.Any) -> str:
    """Whether the value is of the type, and one of the choices."""
    choices = spec.get("choices")
    form = {key: spec[key] for key in ("type", "elements") if key in spec}
    checked = ArgumentSpecValidator({name: form}).validate({name: value})
    shown = display(to_text(value))[:_MOST]
    if checked.error_messages:
        what = spec["type"] + (f" of {spec['elements']}" if "elements" in spec else "")
        return f"{name}: '{shown}' is not of type {what}."
    if choices:
        typed = checked.validated_parameters[name]
        for item in typed if isinstance(typed, list) else [typed]:
            if item not in choices:
                known = ", ".join(str(choice) for choice in choices)
                return (
                    f"{name}: there is no '{display(str(item))[:_MOST]}'{meant(str(item), choices)}; known are {known}."
                )
    return ""
