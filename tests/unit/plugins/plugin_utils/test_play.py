# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who was asked in a play, who was not, and when there is nothing more to wait for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.fleetops.pbs.plugins.plugin_utils._play import PlaySoFar

DONE, SKIPPED = {"summary": {}}, {"skipped": True}
DOWN = {"failed": True, "msg": "Unreachable: no route"}
WRONG = {"failed": True, "wrong_options": True, "msg": "controls: …"}


def play(said, batch=None, left=None, strategy="linear", static=True, limit="", fleet=(), **settings):
    """`said`: what each host has registered. The hosts of the batch and of the play that did not fail: all, if not given."""
    alive = [host for host, value in said.items() if not (value or {}).get("failed")]
    task = SimpleNamespace(
        get_play=lambda: SimpleNamespace(
            **{
                "strategy": strategy,
                "hosts": ["pbs"],
                "max_fail_percentage": None,
                "any_errors_fatal": False,
                **settings,
            }
        ),
        all_parents_static=lambda: static,
    )
    variables = {
        "hostvars": SimpleNamespace(raw_get=lambda host: {"seen": said[host]} if said[host] else {}),
        "ansible_play_hosts_all": list(said),
        "ansible_play_batch": alive if batch is None else batch,
        "ansible_play_hosts": alive if left is None else left,
        "ansible_limit": limit,
    }
    return PlaySoFar(task, variables, "seen", lambda _patterns, _variables: fleet)


def test_everybody_had_a_turn():
    found = play({"a": DONE, "b": DOWN, "c": SKIPPED})
    assert (found.is_over, found.hosts, found.not_asked) == (True, {"a": "", "b": "unreachable: no route"}, ["c"])


def test_hosts_that_a_limit_left_out_belong_to_the_fleet():
    assert play({"a": DONE}, limit="a", fleet=["a", "b"]).not_asked == ["b"]
    assert play({"a": DONE}, fleet=["a", "b"]).not_asked == []


@pytest.mark.parametrize(
    ("batch", "settings", "is_over"),
    [
        (["a"], {}, False),
        ([], {}, True),  # every host of the batch failed: Ansible ends the play
        (["a"], {"max_fail_percentage": 0}, True),
        (["a"], {"any_errors_fatal": True}, True),
    ],
)
def test_after_a_batch_there_is_a_report_only_if_it_may_be_the_last(batch, settings, is_over):
    found = play({"a": DONE, "b": None}, batch=batch, left=["a", "b"], **settings)
    assert found.is_over is is_over
    assert found.not_asked == (["b"] if is_over else [])


def test_a_host_that_failed_before_is_not_waited_for():
    found = play({"a": DONE, "gone": None}, batch=["a"], left=["a"])
    assert (found.is_over, found.not_asked) == (True, ["gone"])


@pytest.mark.parametrize(
    ("strategy", "static", "is_over"),
    [
        ("free", True, False),
        ("ansible.builtin.free", True, False),
        ("host_pinned", True, False),
        ("free", False, True),
        ("linear", True, True),
        (None, True, True),
    ],
)
def test_where_hosts_do_not_wait_the_last_one_reports(strategy, static, is_over):
    assert play({"a": DONE, "b": None}, strategy=strategy, static=static).is_over is is_over
    assert play({"a": DONE, "b": DONE}, strategy=strategy, static=static).is_over


def test_wrong_options_of_all_hosts_are_no_run():
    assert not play({"a": WRONG, "b": SKIPPED}).is_asked
    found = play({"a": WRONG, "b": DONE})
    assert (found.is_asked, found.hosts) == (True, {"a": "controls: …", "b": ""})
