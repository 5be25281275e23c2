# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import os
import signal
import time

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._system import child, identity
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import (
    Identity,
    become,
    current,
    die_with_parent,
)
from ansible_collections.fleetops.pbs.tests.support.pbs.store import backup_ids


def test_the_present_identity_is_what_the_kernel_says():
    assert current() == Identity(os.geteuid(), os.getegid(), tuple(sorted(os.getgroups())))


def test_becoming_who_one_is_needs_no_rights():
    outcome = child.run_one(lambda channel: become(current()), 10)
    assert outcome.finished


@pytest.mark.root
def test_all_ids_change_for_good():
    uid, gid = backup_ids()

    def task(channel):
        become(Identity(uid, gid, (gid, 6)))
        channel.put("ids", [os.getresuid(), os.getresgid(), sorted(os.getgroups())])
        os.setuid(0)

    outcome = child.run_one(task, 10)
    assert outcome.parts["ids"] == [[uid] * 3, [gid] * 3, sorted([6, gid])]
    assert outcome.error.startswith("EPERM")


@pytest.mark.root
def test_one_without_rights_cannot_become_another():
    uid, gid = backup_ids()

    def task(channel):
        become(Identity(uid, gid))
        become(Identity(uid + 1, gid))

    assert child.run_one(task, 10).error == "EPERM: " + os.strerror(errno.EPERM)


@pytest.mark.root
def test_a_parent_that_ends_in_between_is_noticed(monkeypatch):
    """The kernel has forgotten the wish to die with it, and is told again only when it is too late."""
    reader, writer = os.pipe()
    parent = os.fork()
    if parent == 0:
        middle = os.getpid()
        try:
            if os.fork() == 0:
                die_with_parent(signal.SIGKILL)
                renew = identity.die_with_parent

                def late(*asked):
                    os.write(writer, b"forgotten")
                    while os.getppid() == middle:
                        time.sleep(0.001)
                    renew(*asked)

                monkeypatch.setattr(identity, "die_with_parent", late)
                become(Identity(*backup_ids()))
                os.write(writer, b", and alive")
            else:
                time.sleep(600)
        finally:
            os._exit(1)
    os.close(writer)
    try:
        with os.fdopen(reader, "rb") as pipe:
            said = pipe.read(9)
            os.kill(parent, signal.SIGKILL)
            said += pipe.read()
    finally:
        os.waitpid(parent, 0)
    assert said == b"forgotten"
