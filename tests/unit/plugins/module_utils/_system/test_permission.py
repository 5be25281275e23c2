# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Permissions by mode bits, held against the kernel's own answer."""

from __future__ import annotations

import itertools
import os

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._system import child
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity, become
from ansible_collections.fleetops.pbs.plugins.module_utils._system.permission import READ, SEARCH, WRITE, allows
from ansible_collections.fleetops.pbs.tests.support import machine

ME = Identity(4242, 4243, (4244,))


@pytest.mark.root
def test_the_kernel_decides_the_same(tmp_path):
    """Owner, group and others with every set of bits: the first class that fits decides."""
    machine.open_way(tmp_path)
    cases = {}
    for owner, group in itertools.product((4242, 1), (4243, 4244, 1)):
        for owner_bits, group_bits, other_bits in itertools.product((0, 4, 6, 7), repeat=3):
            path = tmp_path / f"{owner}-{group}-{owner_bits}{group_bits}{other_bits}"
            path.touch()
            os.chown(path, owner, group)
            path.chmod(owner_bits << 6 | group_bits << 3 | other_bits)
            cases[str(path)] = path

    def ask(channel):
        become(ME)
        wanted = (READ, WRITE, SEARCH, READ | WRITE, READ | SEARCH)
        channel.put("answers", {path: [os.access(path, bits) for bits in wanted] for path in cases})

    answers = child.run_one(ask, 60).parts["answers"]
    assert len(answers) == len(cases) == 384
    for path, kernel in answers.items():
        status = os.stat(path)
        ours = [allows(ME, status, bits) for bits in (READ, WRITE, SEARCH, READ | WRITE, READ | SEARCH)]
        assert ours == kernel, path


def test_root_may_everything(tmp_path):
    path = tmp_path / "closed"
    path.touch()
    path.chmod(0)
    assert allows(Identity(0, 0), path.stat(), READ | WRITE)
    assert not allows(Identity(4242, 4243), path.stat(), READ)
