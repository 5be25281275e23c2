# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role mounts on paths that others than root can change. Needs root."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.tests.support import ansible_run, machine

pytestmark = pytest.mark.root

PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: fleetops.pbs.mounts, tasks_from: mount_point}
      vars: {__mounts_item: {name: tank, path: "{{ target }}"}, mounts_become: false, mounts_protect: false}
"""


@pytest.mark.parametrize("way", ["root's", "of backup", "a link", "a link instead of the mount point", "of everybody"])
def test_a_path_that_others_can_change_is_refused(tmp_path: Path, way: str) -> None:
    machine.open_way(tmp_path)
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o755)
    directory = tmp_path / "way"
    target = directory / "tank"
    if way == "a link":
        directory.symlink_to(victim)
    else:
        directory.mkdir(mode=0o755)
    if way == "of backup":
        os.chown(directory, 34, 34)
    elif way == "a link instead of the mount point":
        target.symlink_to(victim)
    elif way == "of everybody":
        directory.chmod(0o777)
    playbook = tmp_path / "play.yml"
    playbook.write_text(PLAYBOOK)
    run = ansible_run.run_playbook(playbook, variables={"target": os.fspath(target)})
    assert stat.S_IMODE(victim.stat().st_mode) == 0o755
    if way == "root's":
        assert run.rc == 0
        assert (target.stat().st_uid, stat.S_IMODE(target.stat().st_mode)) == (0, 0)
        return
    assert run.rc != 0
    blamed = target if way == "a link instead of the mount point" else directory
    assert f"the path leads through {blamed}, which is a link, or" in json.dumps(run.plays)
    assert not list(victim.iterdir())
