# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong values of all hosts are found before any host is asked."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fleetops.pbs.plugins.plugin_utils._role_options import wrong_variables


class HostVars:
    """Like Ansible's: raw values by `raw_get`, values by index."""

    def __init__(self, inventory: dict[str, dict[str, Any]]) -> None:
        self.inventory = inventory

    def raw_get(self, host: str) -> dict[str, Any]:
        return self.inventory[host]

    def __getitem__(self, host: str) -> dict[str, Any]:
        return self.inventory[host]


def wrong(*hosts: dict[str, Any], roles: tuple[str, ...] = ("preflight",), **here: Any) -> list[str]:
    """What is wrong with hosts of these variables; `here` is what the play sets."""
    inventory = {f"pbs{number}": values for number, values in enumerate(hosts or ({},))}
    variables = {
        "preflight_fail_on": "high",  # as the defaults of the role
        **inventory["pbs0"],
        **here,
        "hostvars": HostVars(inventory),
        "inventory_hostname": "pbs0",
        "ansible_play_hosts_all": list(inventory),
    }
    return wrong_variables(roles, variables, lambda value: value)


GOOD = {"pbs_datastores": [{"name": "tank", "path": "/mnt/tank"}]}
BAD = {"pbs_datastores": [{"name": "tank", "path": "tank"}]}


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        (
            {"preflight_controls": ["PBS-ATIM-01"]},
            ["preflight_controls: control 'PBS-ATIM-01'", "(perhaps 'PBS-ATIME-01')"],
        ),
        ({"preflight_fail_on": "hihg"}, ["preflight_fail_on: there is no 'hihg' (perhaps 'high'); known are info, "]),
        ({"preflight_report_formats": ["report.htm"]}, ["(perhaps 'report.html')"]),
        ({"preflight_deadline": "soon"}, ["preflight_deadline: 'soon' is not of type float."]),
        ({"preflight_deadline": 0}, ["preflight_deadline"]),
        ({"preflight_workers": -1}, ["preflight_workers: must be at least 0, not -1."]),
        (
            {"preflight_policy": {"gc_max_age": 3}},
            ["preflight_policy: there is no 'gc_max_age' (perhaps 'gc_max_age_days')"],
        ),
        ({"preflight_waivers": [{"control": "PBS-ATIME-01"}]}, ["preflight_waivers", "justification"]),
        (
            {"preflight_waivers": [{"control": "PBS-X-9", "justification": "x", "until": "2999-01-01"}]},
            ["preflight_waivers"],
        ),
        (BAD, ["pbs_datastores[0].path: 'tank' is not an absolute path."]),
        ({"pbs_datastores": [{"name": "tank", "path": "/x", "gc_shedule": "daily"}]}, ["pbs_datastores", "gc_shedule"]),
    ],
)
def test_a_wrong_value_is_a_sentence_with_the_name_of_the_variable(values: dict[str, Any], parts: list[str]) -> None:
    (text,) = wrong(values)
    assert text.startswith(next(iter(values)))
    assert all(part in text for part in parts)
    assert "\n" not in text
    assert len(text) < 1000


def test_right_values_and_those_of_others_are_none() -> None:
    assert wrong({**GOOD, "preflight_fail_on": "never", "preflight_waivers": [], "other": "x"}) == []
    assert wrong({"preflight_user": "nobody-here"}) == [], "only the host knows its users"


def test_the_values_of_every_host_are_checked_and_told_once() -> None:
    bad = {"preflight_fail_on": "hihg"}
    assert len(wrong({}, {}, bad, bad)) == 1
    assert len(wrong(bad, {"preflight_scope": "some"})) == 2


def test_what_the_play_sets_hides_the_inventory() -> None:
    assert wrong({}, {"preflight_fail_on": "hihg"}, preflight_fail_on="low") == []


def test_a_wrong_declaration_counts_only_if_no_host_has_a_right_one() -> None:
    assert wrong(GOOD, BAD) == []
    assert len(wrong(BAD, BAD)) == 1


def test_several_roles() -> None:
    assert wrong({"datastore_fail_on": "hihg"}, roles=("mounts", "datastore", "preflight"))
    assert wrong({"datastore_fail_on": "hihg"}) == []
