# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module as pytest-ansible runs it: through Ansible's Python interface, in this process.

One module is enough. The others run as users run them, through Ansible's programs: see tests/support/ansible_run.py,
which also chooses the interpreter of the managed side and sees nothing of the user's configuration.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.fleetops.pbs.tests.support import ansible_run
from ansible_collections.fleetops.pbs.tests.support.machine import open_way

# pytest-ansible says so of its own fixtures, and Ansible that pytest-ansible was there first.
pytestmark = [
    pytest.mark.root,
    pytest.mark.filterwarnings("ignore:Host management is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:AnsibleCollectionFinder has already been configured:UserWarning"),
]


@pytest.fixture
def check(ansible_adhoc, tmp_path):
    """Run the module atime_check on a path."""
    variables = {"ansible_connection": "local", "ansible_python_interpreter": str(ansible_run.managed_python)}
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"testhost": variables}}}))
    hosts = ansible_adhoc(inventory=str(inventory), host_pattern="testhost")

    def run(path) -> dict[str, Any]:
        return getattr(hosts.testhost, "fleetops.pbs.atime_check")(path=str(path)).contacted["testhost"]

    return run


def test_a_store_that_honours_the_touch(check, chunk_store):
    result = check(chunk_store(prefixes=2).path)
    assert not result.get("failed"), result
    assert (result["changed"], result["honoured"]) == (False, True)


def test_a_path_that_does_not_exist(check, tmp_path):
    open_way(tmp_path)
    result = check(tmp_path / "none")
    assert result["failed"]
    assert str(tmp_path / "none") in result["msg"]
