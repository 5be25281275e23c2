# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.fleetops.pbs.plugins.plugin_utils._variables import KNOWN, OF_PLAYBOOKS, misspelt

ROOT = Path(__file__).resolve().parents[4]


def test_the_known_names_are_those_of_the_roles() -> None:
    specs = [yaml.safe_load(path.read_text()) for path in ROOT.glob("roles/*/meta/argument_specs.yml")]
    assert {name for spec in specs for entry in spec["argument_specs"].values() for name in entry["options"]} == KNOWN


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("preflight_failon", "preflight_fail_on"),
        ("pbs_datastore", "pbs_datastores"),
        ("preflight_policies", "preflight_policy"),
        ("repair_max_change", "repair_max_changes"),
        ("report_format", "report_formats"),
    ],
)
def test_a_misspelt_name_is_reported_with_the_nearest(name: str, meant: str) -> None:
    (warning,) = misspelt([name, "ansible_host", *KNOWN])
    assert f"'{name}'" in warning
    assert warning.endswith(f"Is it '{meant}'?")


def test_a_name_with_our_prefix_is_reported_though_nothing_is_near() -> None:
    (warning,) = misspelt(["preflight_zzzzzzzzzzzzzzzz"])
    assert warning == "The variable 'preflight_zzzzzzzzzzzzzzzz' has no effect: no role of fleetops.pbs has it."


@pytest.mark.parametrize(
    "name",
    [
        "pbs_version",
        "pbs_host",
        "report_server",
        "datastore",
        "mounts",
        "backup_user",
        "group_names",
        "__preflight_reason",
    ],
)
def test_names_of_others_are_left_alone(name: str) -> None:
    assert misspelt([name]) == []


def test_what_the_playbooks_use_is_known() -> None:
    assert misspelt(KNOWN | OF_PLAYBOOKS) == []
