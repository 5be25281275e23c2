# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host may add to the result of `adopt`: nothing but what is documented."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.action import ActionBase

from ansible_collections.fleetops.pbs.plugins.action.adopt import ActionModule
from ansible_collections.fleetops.pbs.plugins.plugin_utils._long_run import HostTookTooLong

EXTRA = {
    "ansible_facts": {"provision_fail_on": "never"},
    "add_host": {"host_name": "x"},
    "warnings": ["\x1b[2J"],
    "exception": "\x1b[2J",
    "diff": {"before": "\x1b[2J"},
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    def act(answer: dict[str, Any]) -> dict[str, Any]:
        task = SimpleNamespace(
            args={"dest": str(tmp_path / "vars.yml")}, async_val=0, check_mode=False, action="x", diff=False
        )
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/none"))
        action = ActionModule(task, connection, SimpleNamespace(), None, None, None)
        monkeypatch.setattr(ActionBase, "run", lambda *_args: {})
        monkeypatch.setattr(ActionModule, "_execute_module", lambda *_args, **_kwargs: answer)
        monkeypatch.setattr(
            ActionModule,
            "validate_argument_spec",
            lambda *_args, **_kwargs: (None, {**task.args, "mode": "0640", "overwrite": False}),
        )
        return action.run(None, {"inventory_hostname": "pbs1"})

    return act


def test_a_host_that_never_answers_is_given_up(run, monkeypatch):
    limits = []

    def at_most(_self, seconds):
        limits.append(seconds)
        raise HostTookTooLong("no answer")

    monkeypatch.setattr(ActionModule, "_at_most", at_most)
    with pytest.raises(HostTookTooLong):
        run({})
    assert limits == [8 * 10.0 + 300.0]


@pytest.mark.parametrize(
    ("answer", "keys"),
    [
        ({}, {"failed", "msg"}),
        ({"failed": True, "msg": "no\x1b[2J"}, {"failed", "msg"}),
        ({"failed": "yes", "msg": "no"}, {"failed", "msg"}),
        ({"declaration": ["x"]}, {"failed", "msg"}),
        ({"skipped": True, "msg": "check mode"}, {"skipped"}),
        (
            {"declaration": {"pbs_remotes": []}},
            {"changed", "dest", "written", "declaration", "secrets", "notes", "msg", "diff"},
        ),
    ],
)
def test_nothing_else_is_taken_from_a_host(run, answer, keys):
    result = run({**EXTRA, **answer})
    assert set(result) == keys
    assert "\x1b" not in str(result.get("msg"))
    assert result.get("diff") != EXTRA["diff"]
