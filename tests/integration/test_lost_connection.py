# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repair over real ssh connections that are lost: the work goes on, and the controller comes back for the result.

Three hosts at once: one loses the sshd of its connection, to one no packet arrives, and the controller's ssh is killed
for all. The work of a host is held until that has happened, as if the datastore were large: first by a link that is not
answered, then by SIGSTOP. Needs root.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import tempfile
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.tests.support.pbs.store import backup_ids, make_chunk_store
from ansible_collections.fleetops.pbs.tests.support.ssh_fleet import hold_work, kill, ssh_clients, ssh_fleet
from ansible_collections.fleetops.pbs.tests.support.waiting import until

pytestmark = pytest.mark.root

PLAY = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Repair
      fleetops.pbs.chunk_ownership:
        path: "{{ store }}"
        workers: 1
        # A stopped process must not count as ended.
        deadline: 240
        stall: 240
"""


@pytest.fixture
def fleet():
    with tempfile.TemporaryDirectory(prefix="fleetops-") as directory, contextlib.ExitStack() as stack:
        found = stack.enter_context(ssh_fleet(Path(directory), 3))
        Path(directory, "play.yml").write_text(PLAY)
        found.play = Path(directory, "play.yml")
        yield found


@pytest.fixture
def links(faultfs):
    """A link to the datastore of each host, on a filesystem that can be made to hang."""
    return faultfs()


@pytest.fixture
def stores(fleet, links, tmpfs):
    """One datastore a host, with chunks owned by root."""
    base = tmpfs("size=256m,mode=755")
    found = {host.name: make_chunk_store(base / host.name, prefixes=16, chunks=64) for host in fleet.hosts}
    for name, store in found.items():
        make_wrong(store)
        (links.source / name).symlink_to(store.path)
    return found


def make_wrong(store):
    for path in sorted(store.chunks.glob("*/*"))[:40]:
        os.chown(path, 0, 0)


def run_of(fleet, links):
    return fleet.playbook(fleet.play, {host.name: {"store": str(links.path / host.name)} for host in fleet.hosts})


def module_is_gone(host, pid):
    """Whether the module has ended with its promise: who minds the work has another parent then."""
    named = {process.pid: process for process in host.nursery.processes()}
    return named[named[pid].parent].parent == host.nursery.pid


def result_of(host):
    for path in host.jobs.glob("j*.pbs"):
        with contextlib.suppress(OSError, ValueError):
            content = json.loads(path.read_text())
            if "started" not in content:
                return content
    return None


def is_right(store):
    owner = backup_ids()
    return all((path.lstat().st_uid, path.lstat().st_gid) == owner for path in store.path.rglob("*"))


def nothing_is_left(fleet, jobs=0):
    """No process, and at most so many job files a host."""
    for host in fleet.hosts:
        until(lambda host=host: not host.strangers(), lambda host=host: f"on {host.name}: {host.strangers()}")
        assert len(os.listdir(host.jobs)) <= jobs, os.listdir(host.jobs)


def lose(fleet, controller):
    """Each host loses its connection: its ssh dies, its sshd session dies, no packet arrives."""
    _client, session, wire = fleet.hosts
    wire.cut_wire()
    kill(session.sessions())
    kill(ssh_clients(controller))


def test_the_work_goes_on_and_its_result_is_fetched(fleet, links, stores):
    wire = fleet.hosts[2]
    links.set("hang:/")
    with run_of(fleet, links) as controller:
        held = hold_work(fleet.hosts, links)
        for host in fleet.hosts:
            until(lambda host=host: module_is_gone(host, held[host.name]), "the module has ended")
        lose(fleet, controller)
        # A while without any connection, in which the work comes to its end.
        until(
            lambda: f"{wire.name}: the connection is lost; the work on the host continues" in fleet.said(), fleet.said
        )
        for pid in held.values():
            os.kill(pid, signal.SIGCONT)
        until(lambda: result_of(wire), "the work is done")
        wire.reconnect()
        until(fleet.recap, fleet.said)
    for name, numbers in fleet.recap().items():
        wanted = {"ok": 1, "changed": 1, "unreachable": 0, "failed": 0}
        assert {key: numbers[key] for key in wanted} == wanted, (name, fleet.said())
    assert len(fleet.recap()) == 3
    assert all(map(is_right, stores.values()))
    nothing_is_left(fleet)


def test_a_connection_lost_in_the_first_seconds_is_reported_and_another_run_does_the_rest(fleet, links, stores):
    links.set("hang:/")
    with run_of(fleet, links) as controller:
        held = hold_work(fleet.hosts, links)
        lose(fleet, controller)
        for pid in held.values():
            os.kill(pid, signal.SIGCONT)
        for host in fleet.hosts:
            until(lambda host=host: not host.strangers(), lambda host=host: f"on {host.name}: {host.strangers()}")
        fleet.hosts[2].reconnect()
        until(fleet.recap, fleet.said)
    for numbers in fleet.recap().values():
        # An ssh that was killed here is no unreachable host to Ansible, but a module that did not answer. On a machine
        # that is so busy that the first seconds are over by now, the result was fetched.
        assert numbers["unreachable"] + numbers["failed"] + numbers["ok"] == 1, fleet.said()
    # The work went on; nobody will ask for its outcome.
    nothing_is_left(fleet, jobs=1)
    assert all(map(is_right, stores.values()))
    for host in fleet.hosts:
        for path in host.jobs.iterdir():
            os.utime(path, (1, 1))
    another_run(fleet, links, stores)


def test_ansible_is_killed_while_it_waits(fleet, links, stores):
    links.set("hang:/")
    with run_of(fleet, links) as controller:
        held = hold_work(fleet.hosts, links)
        for host in fleet.hosts:
            until(lambda host=host: module_is_gone(host, held[host.name]), "the module has ended")
        kill([process for process in controller.processes() if "ansible" in process.command])
        for pid in held.values():
            os.kill(pid, signal.SIGCONT)
    nothing_is_left(fleet, jobs=1)
    assert all(map(is_right, stores.values()))
    for host in fleet.hosts:
        for path in host.jobs.iterdir():
            os.utime(path, (1, 1))
    another_run(fleet, links, stores)


def another_run(fleet, links, stores):
    with run_of(fleet, links):
        until(fleet.recap, fleet.said)
    assert [(numbers["ok"], numbers["changed"]) for numbers in fleet.recap().values()] == [(1, 0)] * 3, fleet.said()
    assert all(map(is_right, stores.values()))
    nothing_is_left(fleet)
