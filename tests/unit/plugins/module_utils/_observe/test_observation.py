# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole host: configured and declared datastores, mounts and walks together."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._observe import observation
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.environment import MountEnvironment
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.observation import Declared, Plan, observe
from ansible_collections.fleetops.pbs.plugins.module_utils._system import limits
from ansible_collections.fleetops.pbs.tests.support.pbs.store import make_chunk_store

pytestmark = pytest.mark.root


@pytest.fixture
def host(tmp_path):
    """A plan for a host whose configuration is at hand to be written."""
    (tmp_path / "etc").mkdir(mode=0o700)
    return Plan(host="pbs1", config_dir=str(tmp_path / "etc"), state_dir=str(tmp_path), run_dir=str(tmp_path))


def configure(plan, text):
    with open(os.path.join(plan.config_dir, "datastore.cfg"), "w", encoding="utf-8") as file:
        file.write(text)


def test_the_datastores_come_from_the_hosts_own_configuration(host, chunk_store):
    store = chunk_store(prefixes=4, chunks=8)
    configure(host, f"datastore: tank\n\tpath {store.path}\n")
    facts, (tank,) = observe(host)
    assert (facts.name, facts.euid, facts.account.user) == ("pbs1", 0, "backup")
    assert (tank.name, tank.configured.name) == ("tank", "tank")
    assert tank.mount is not None
    assert tank.persistent is not None
    assert tank.atime.probe.advanced
    # The zero chunk has a prefix directory of its own.
    assert (tank.ownership.scope, tank.ownership.prefixes_walked, tank.ownership.chunks.files) == ("full", 5, 9)


def test_declared_datastores_are_looked_at_beside_the_configured_ones(host, chunk_store, tmp_path):
    store = chunk_store(prefixes=1)
    configure(host, f"datastore: tank\n\tpath {store.path}\n")
    host.declared = [Declared("tank", "/elsewhere"), Declared("vault", str(tmp_path / "vault"))]
    _facts, stores = observe(host)
    assert [(found.name, found.path, found.configured is None) for found in stores] == [
        ("tank", str(store.path), False),
        ("vault", str(tmp_path / "vault"), True),
    ]


def test_a_host_without_anything(host):
    facts, stores = observe(host)
    assert stores == []
    assert facts.config_dir.exists


@pytest.mark.parametrize(("scope", "files", "prefixes"), [("full", 33, 17), ("skeleton", 0, 0), ("none", 0, 0)])
def test_the_scope_is_the_plans(host, chunk_store, scope, files, prefixes):
    store = chunk_store(prefixes=16, chunks=32)
    configure(host, f"datastore: tank\n\tpath {store.path}\n")
    host.scope = scope
    _facts, (tank,) = observe(host)
    assert (tank.ownership.scope, tank.ownership.chunks.files) == (scope, files)
    assert tank.ownership.prefixes_walked == prefixes


def test_the_progress_of_a_walk_names_its_datastore(host, chunk_store):
    configure(host, f"datastore: tank\n\tpath {chunk_store(prefixes=64).path}\n")
    seen = []
    observe(host, lambda name, progress: seen.append(name))
    assert set(seen) <= {"tank"}


def test_the_datastores_of_a_host_have_a_limit_together(host, chunk_store, monkeypatch):
    """A hostile datastore takes the time of the others on its host, and no more."""
    store = chunk_store(prefixes=1)
    configure(host, "".join(f"datastore: store{n}\n\tpath {store.path}\n\n" for n in range(4)))
    host.timeout = 100.0
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=lambda: clock.now))
    real = observation.observe_store

    def takes_80_s(walk, *args):
        facts = real(walk, *args)
        clock.now += 80.0
        return facts

    monkeypatch.setattr(observation, "observe_store", takes_80_s)
    _facts, stores = observe(host)
    reason = "the walks over the datastores before it reached the limit for all datastores of a host together (200 s)"
    assert [store.ownership.not_walked for store in stores] == ["", "", "", reason]
    assert [store.references.not_looked for store in stores] == ["", "", "", reason]


def test_a_datastore_that_hangs_is_not_walked_and_its_mount_is_known_all_the_same(host, faultfs):
    mount = faultfs()
    store = make_chunk_store(mount.path / "store", prefixes=1)
    os.stat(store)
    configure(host, f"datastore: nas\n\tpath {store.path}\n")
    host.deadline = 1.0
    mount.set("hang:/")
    _facts, (nas,) = observe(host)
    assert nas.stuck
    assert nas.mount.mount_point == str(mount.path)
    assert "gave no answer" in nas.ownership.not_walked


def test_the_source_that_is_declared_is_held_against_the_mounted_device(host, loopfs):
    store = make_chunk_store(loopfs("ext4"), prefixes=1)
    source = next(entry.source for entry in MountEnvironment().table.entries if entry.mount_point == str(store.path))
    other = next(str(path) for path in Path("/dev").iterdir() if path.is_block_device() and str(path) != source)
    for declared, matches in ((source, True), (other, False), ("", None)):
        host.declared = [Declared("tank", str(store.path), declared, "ext4")]
        _facts, (tank,) = observe(host)
        assert tank.declared_source_matches is matches, declared


@pytest.mark.parametrize(
    ("minor", "point", "mounted"),
    [
        (77, "/mnt/datastore/usb", True),
        (78, "/mnt/datastore/usb", False),  # another disk
        (77, "/mnt/datastore", False),  # the right disk, somewhere else
    ],
)
def test_a_removable_datastore_is_mounted_only_if_its_device_is(host, tmp_path, minor, point, mounted):
    uuid = "0a1b2c3d-0000-4000-8000-000000000001"
    configure(host, f"datastore: usb\n\tbacking-device {uuid}\n\tpath backups\n")
    (tmp_path / "dev/disk/by-uuid").mkdir(parents=True)
    for number in (77, 78):
        os.mknod(tmp_path / f"dev/disk{number}", 0o60600, os.makedev(7, number))
    (tmp_path / "dev/disk/by-uuid" / uuid).symlink_to("../../disk77")
    table = f"1 0 0:1 / / rw - ext4 /dev/root rw\n2 1 7:{minor} / {point} rw - ext4 {tmp_path}/dev/disk{minor} rw\n"
    env = MountEnvironment(dev=str(tmp_path / "dev"), table=MountTable.parse(table.encode()))
    _facts, (usb,) = observe(host, env=env)
    assert (usb.path, usb.mounted) == ("/mnt/datastore/usb", mounted)
    assert (usb.location is None) == (not mounted)


def test_nobody_is_the_daemon(host, chunk_store):
    configure(host, f"datastore: tank\n\tpath {chunk_store(prefixes=1).path}\n")
    host.user = "no-such-user"
    _facts, (tank,) = observe(host)
    assert "do not exist" in tank.atime.not_tried
    assert "do not exist" in tank.ownership.not_walked
