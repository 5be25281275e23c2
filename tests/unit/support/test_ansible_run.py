# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running Ansible from tests: what comes back is what Ansible said."""

from __future__ import annotations

import pytest

from ansible_collections.fleetops.pbs.tests.support import ansible_run, machine


def test_a_module_s_result():
    result = ansible_run.run_module("ansible.builtin.stat", {"path": "/"})
    assert result["stat"]["isdir"] is True
    assert result["changed"] is False


def test_a_failure_is_a_result():
    result = ansible_run.run_module("ansible.builtin.stat", {"path": "/", "checksum_algorithm": "none"})
    assert result["failed"] is True
    assert "checksum_algorithm" in result["msg"]


def test_check_mode_and_diff(tmp_path):
    target = tmp_path / "new"
    arguments = {"path": str(target), "state": "directory"}
    result = ansible_run.run_module("ansible.builtin.file", arguments, check=True, diff=True)
    assert result["changed"] is True
    assert result["diff"]["before"]["state"] == "absent"
    assert not target.exists()


@pytest.mark.parametrize("version", [machine.MANAGED_VERSIONS[0], machine.MANAGED_VERSIONS[-1]])
def test_the_managed_side_s_interpreter(version):
    python = machine.python(version)
    result = ansible_run.run_module(
        "ansible.builtin.setup", {"gather_subset": ["!all", "!min", "python"]}, python=python
    )
    found = result["ansible_facts"]["ansible_python"]["version"]
    assert f"{found['major']}.{found['minor']}" == version


def test_a_playbook_s_results(tmp_path):
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(
        "- hosts: all\n"
        "  gather_facts: false\n"
        "  tasks:\n"
        "    - name: Say it\n"
        "      ansible.builtin.debug: {var: word}\n"
        "    - name: Fail\n"
        "      ansible.builtin.fail: {msg: on purpose}\n"
    )
    run = ansible_run.run_playbook(playbook, inventory="one,two,", variables={"word": "hello"})
    assert run.rc == 2
    assert run.result("Say it", "two")["word"] == "hello"
    assert run.result("Fail", "one")["msg"] == "on purpose"
    assert run.stats["one"]["failures"] == 1


def test_the_caller_s_configuration_is_not_seen(tmp_path, monkeypatch):
    (tmp_path / "ansible.cfg").write_text("[defaults]\nstdout_callback = minimal\n")
    monkeypatch.setenv("ANSIBLE_CONFIG", str(tmp_path / "ansible.cfg"))
    monkeypatch.setenv("ANSIBLE_MODULE_NAME", "ansible.builtin.none")
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "minimal")
    assert ansible_run.run_module("ansible.builtin.ping")["ping"] == "pong"


def test_what_is_no_result_is_told():
    with pytest.raises(AssertionError, match="no result"):
        ansible_run.run_module("ansible.builtin.ping", env={"ANSIBLE_STDOUT_CALLBACK": "no.such.callback"})
