# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a role documents is what it does: its argument specs, its defaults and its README name the same variables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())


def options(role):
    specs = yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    return specs["argument_specs"]["main"]["options"]


def test_the_roles_of_the_design_are_there():
    assert ROLES == ["adopt", "datastore", "mounts", "preflight", "repair", "report", "server"]


@pytest.mark.parametrize("role", ROLES)
def test_argument_specs_are_the_defaults(role):
    defaults = yaml.safe_load((ROOT / "roles" / role / "defaults/main.yml").read_text(encoding="utf-8")) or {}
    documented = {name: option["default"] for name, option in options(role).items() if "default" in option}
    # A default that leaves the option out, or that is the value of another role, is none that could be documented.
    own = {name: value for name, value in defaults.items() if value != "{{ omit }}" and name not in shared(role)}
    assert documented == own
    assert set(defaults) <= set(options(role))


def shared(role):
    """The options of a role whose default is the option of the same name of the role preflight."""
    defaults = yaml.safe_load((ROOT / "roles" / role / "defaults/main.yml").read_text(encoding="utf-8")) or {}
    found = {
        name: re.fullmatch(r"\{\{ (preflight_\w+) \| default\((.*)\) \}\}", str(value))
        for name, value in defaults.items()
    }
    return {name: (match[1], yaml.safe_load(match[2])) for name, match in found.items() if match}


@pytest.mark.parametrize("role", ["repair", "datastore", "mounts"])
def test_a_role_is_told_by_the_variables_of_preflight(role):
    """What is the same for both is set once; without preflight's defaults its values are the same."""
    values = {name: option.get("default") for name, option in options("preflight").items()}
    found = shared(role)
    # These have another meaning there.
    own = {"preflight_scope", "preflight_fail_on", *({"preflight_timeout"} if role == "datastore" else ())}
    assert sorted(found) == sorted(
        f"{role}_{name.removeprefix('preflight_')}"
        for name in values
        if f"{role}_{name.removeprefix('preflight_')}" in options(role) and name not in own
    )
    for name, (other, fallback) in found.items():
        assert other == "preflight_" + name.removeprefix(f"{role}_")
        assert fallback == values[other]


@pytest.mark.parametrize("role", ROLES)
def test_the_readme_names_every_variable(role):
    text = (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")
    assert [name for name in options(role) if f"`{name}`" not in text] == []
