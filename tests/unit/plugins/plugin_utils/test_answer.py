# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller takes from the answer of a host."""

from __future__ import annotations

import json

import pytest

from ansible_collections.fleetops.pbs.plugins.plugin_utils import _answer
from ansible_collections.fleetops.pbs.plugins.plugin_utils._answer import failure, ownership_result, warnings_of

WHOLE = {
    "changed": True,
    "failed": False,
    "msg": "3 of 5 files and directories were changed.",
    "base": "/mnt/tank",
    "changes": {
        "total": 3,
        "owner": 3,
        "mode": 0,
        "by_owner": [{"uid": 0, "gid": 0, "owner": "root:root", "count": 3}],
        "by_mode": [{"step": "0600 to 0644", "count": 1}],
        "paths": [{"path": "/mnt/tank/.chunks", "detail": "uid 0, gid 0"}],
    },
    "left": 0,
    "refused": {"hardlink": 1},
    "refused_paths": [{"path": "/mnt/tank/x", "detail": "2 links"}],
    "failures": 0,
    "failed_paths": [],
    "vanished": 0,
    "seen": 5,
    "complete": True,
    "elapsed": 0.25,
    "diff": {"before": "3 of root:root\n", "after": "3 of backup:backup\n"},
    "warnings": ["Files with a second hard link were not changed (1)."],
}


def test_a_whole_result_passes_as_it_is():
    assert ownership_result(WHOLE) == WHOLE


@pytest.mark.parametrize(
    "key",
    [
        "ansible_facts",
        "add_host",
        "add_group",
        "ansible_stats",
        "deprecations",
        "exception",
        "unreachable",
        "skipped",
        "invocation",
        "include",
        "_ansible_no_log",
        "_ansible_verbose_always",
        "_ansible_parsed",
        "results",
        "retries",
        "rc",
        "dest",
    ],
)
def test_no_other_key_passes(key):
    value = {"preflight_report_dest": "/tmp/elsewhere"}
    assert ownership_result({**WHOLE, key: value}) == WHOLE
    assert key not in ownership_result({"msg": "no", "failed": True, key: value})
    assert key not in ownership_result({**WHOLE, "changes": {**WHOLE["changes"], key: value}})["changes"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("changed", "yes"),
        ("failed", {}),
        ("msg", ["a"]),
        ("base", 7),
        ("changes", []),
        ("changes", {"total": "many"}),
        ("changes", {"paths": ["x"]}),
        ("left", 10**30),
        ("refused", {"hardlink": "x"}),
        ("refused_paths", "text"),
        ("failed_paths", [{}] * (_answer.MAX_ITEMS + 1)),
        ("elapsed", float("nan")),
        ("diff", {"before": 1}),
        ("seen", True),
    ],
)
def test_what_is_of_another_type_is_no_result(key, value):
    result = ownership_result({**WHOLE, key: value})
    assert result["failed"] is True
    assert result["msg"].startswith("The host's answer is not a result of this collection: ")
    assert key in result["msg"]
    assert set(result) == {"failed", "msg"}


def test_nothing_in_it_controls_a_terminal():
    hostile = json.loads(json.dumps(WHOLE).replace("tank", "\\u001b[2J\\u202e").replace("root:root", "\\u0007"))
    hostile.update(msg="\x1b[31mall is well\r", warnings=["\x1b]0;title\x07", 7, None], refused={"\x1b[1m": 1})
    text = repr_of(ownership_result(hostile))
    assert not [char for char in text if not char.isprintable() and char != "\n"]


def repr_of(value):
    if isinstance(value, dict):
        return "".join(str(key) + repr_of(inner) for key, inner in value.items())
    if isinstance(value, list):
        return "".join(map(repr_of, value))
    return str(value)


def test_texts_are_bounded():
    assert len(failure({"msg": "x" * 10**6})["msg"]) == _answer.MAX_TEXT
    assert len(warnings_of({"warnings": ["w"] * 1000})) == 20


@pytest.mark.parametrize(
    ("answer", "msg"),
    [
        ({"msg": "no room", "module_stderr": "a\nsh: cannot create\x1b[2J\n"}, r"no room: sh: cannot create\x1b[2J"),
        (
            {
                "msg": "Module result deserialization failed: No start of json char found",
                "module_stdout": "/bin/sh: 1: sudo: not found\r\n",
                "module_stderr": "Shared connection to 192.0.2.1 closed.\r\n",
            },
            "The module could not run on the host: /bin/sh: 1: sudo: not found",
        ),
        (
            {
                "msg": "MODULE FAILURE\nSee stdout/stderr for the exact error",
                "module_stdout": "",
                "module_stderr": "Traceback (most recent call last):\n  File x\nMemoryError\n",
            },
            "The module could not run on the host: MemoryError",
        ),
        (
            {
                "msg": "MODULE FAILURE: No start of json char found\nSee stdout/stderr for the exact error",
                "module_stderr": (
                    "pyenv: python3.9: command not found\n\nThe `python3.9' command exists in these versions:\n  3.9.18\n\n"
                    "Note: See 'pyenv help global' for tips on allowing multiple\n      versions at the same time.\n"
                ),
            },
            "The module could not run on the host: pyenv: python3.9: command not found",
        ),
        (
            {"msg": "MODULE FAILURE", "module_stderr": "motd: welcome\nsomething happened\n"},
            "The module could not run on the host: something happened",
        ),
        ({}, "The module failed without a message"),
        ({"msg": {"a": 1}, "module_stdout": ["x"]}, "The module failed without a message"),
    ],
)
def test_a_failure_in_one_line(answer, msg):
    assert failure(answer) == {"failed": True, "msg": msg}
