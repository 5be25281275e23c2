# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a role documents is what it does: its argument specs, its defaults and its README name the same variables."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())


def options(role):
    specs = yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    return specs["argument_specs"]["main"]["options"]


def test_the_roles_of_the_design_are_there():
    assert ROLES == ["datastore", "mounts", "preflight", "repair", "report"]


@pytest.mark.parametrize("role", ROLES)
def test_argument_specs_are_the_defaults(role):
    defaults = yaml.safe_load((ROOT / "roles" / role / "defaults/main.yml").read_text(encoding="utf-8")) or {}
    documented = {name: option["default"] for name, option in options(role).items() if "default" in option}
    # A default that leaves the option out is none that could be documented.
    assert documented == {name: value for name, value in defaults.items() if value != "{{ omit }}"}
    assert set(defaults) <= set(options(role))


@pytest.mark.parametrize("role", ROLES)
def test_the_readme_names_every_variable(role):
    text = (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")
    assert [name for name in options(role) if f"`{name}`" not in text] == []
