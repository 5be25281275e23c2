# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's own loader, which pytest-ansible puts into place, finds what is here under the names that users write."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml
from ansible.plugins.loader import action_loader, module_loader
from ansible.utils.collection_loader import AnsibleCollectionConfig

from ansible_collections.fleetops.pbs.plugins.module_utils import _version

ROOT = Path(__file__).resolve().parents[3]
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
ACTIONS = sorted(path.stem for path in (ROOT / "plugins" / "action").glob("*.py"))
# These run on the controller, or without PBS's accounts: what a group of defaults would set is not for them.
WITHOUT_GROUP = {"report"}


def test_the_collection_is_imported_by_ansible():
    assert AnsibleCollectionConfig.collection_finder is not None
    assert type(sys.modules["ansible_collections.fleetops.pbs"].__loader__).__module__.startswith("ansible.")
    assert type(_version.__loader__).__module__.startswith("ansible.")
    assert Path(_version.__file__).samefile(ROOT / "plugins" / "module_utils" / "_version.py")


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_found(name):
    found = module_loader.find_plugin_with_context(f"fleetops.pbs.{name}")
    assert found.resolved
    assert found.resolved_fqcn == f"fleetops.pbs.{name}"
    assert Path(found.plugin_resolved_path).samefile(ROOT / "plugins" / "modules" / f"{name}.py")


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_is_found_and_has_a_module_to_document_it(name):
    action = action_loader.get(f"fleetops.pbs.{name}", class_only=True)
    assert Path(sys.modules[action.__module__].__file__).samefile(ROOT / "plugins" / "action" / f"{name}.py")
    assert name in MODULES


def test_what_is_not_there_is_not_found():
    assert not module_loader.find_plugin_with_context("fleetops.pbs.no_such_module").resolved


def test_the_action_group_holds_every_module_that_works_on_a_host():
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
    assert sorted(groups) == ["pbs"]
    assert sorted(groups["pbs"]) == sorted(set(MODULES) - WITHOUT_GROUP)
