# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The atime probe of a datastore, by the right identity, on real filesystems with real defects."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.load import load
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import AtimeFacts, LockFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.probe.atime import AtimeProbe
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.probe.probe_file import PRIVATE_PREFIX
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.probe.touch import WAITS
from ansible_collections.fleetops.pbs.plugins.module_utils._system import child
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity, become
from ansible_collections.fleetops.pbs.tests.support.machine import open_way
from ansible_collections.fleetops.pbs.tests.support.mounts import remount, run
from ansible_collections.fleetops.pbs.tests.support.pbs.store import (
    ZERO_CHUNK,
    backup_ids,
    make_chunk_store,
)
from ansible_collections.fleetops.pbs.tests.support.processes import ended, name_of_the_dead

pytestmark = pytest.mark.root

DAY = 86400 * 10**9


def probe(store, mode="private", s3=False):
    """Both acts of the probe, as a datastore's child does them."""
    uid, gid = backup_ids()
    identity = Identity(uid, gid, (gid,))

    def task(channel):
        acts = AtimeProbe(os.fspath(store), mode, identity, s3)
        acts.begin()
        become(identity)
        acts.finish()
        channel.put("atime", acts.facts)
        channel.put("lock", acts.lock)

    outcome = child.run_one(task, 30)
    assert outcome.finished, outcome.error
    return load(AtimeFacts, outcome.parts["atime"]), load(LockFacts, outcome.parts["lock"])


def tree(path):
    """Every name with everything that a look at it must not change."""
    found = {}
    for directory, directories, files in os.walk(path):
        for name in [*directories, *files]:
            status = os.lstat(os.path.join(directory, name))
            found[os.path.join(directory, name)] = (
                status.st_ino,
                status.st_uid,
                status.st_gid,
                status.st_mode,
                status.st_size,
            )
    return found


@pytest.mark.parametrize(
    ("fstype", "options", "mkfs"),
    [
        ("ext4", "relatime", []),
        ("ext4", "noatime", []),
        ("ext4", "strictatime", []),
        ("ext4", "relatime", ["-I", "128"]),
        ("xfs", "relatime", []),
        ("xfs", "noatime", []),
        ("xfs", "strictatime", []),
        ("btrfs", "relatime", []),
        ("btrfs", "noatime", []),
        ("btrfs", "strictatime", []),
    ],
)
def test_filesystems_that_honour_the_touch(loopfs, fstype, options, mkfs):
    store = make_chunk_store(loopfs(fstype, options, mkfs=mkfs), prefixes=4)
    os.utime(store.zero_chunk, ns=(time.time_ns() - DAY, 0))
    before = tree(store)
    atime, lock = probe(store)
    uid, gid = backup_ids()
    assert (atime.probe.advanced, atime.probe.uid, atime.probe.gid) == (True, uid, gid)
    assert (atime.probe.placement, atime.probe.created_by, atime.probe.waits) == ("prefix", "backup", 0)
    assert atime.probe.refreshed_ns > atime.probe.before_ns
    assert (atime.zero_chunk.advanced, atime.zero_chunk_as_root.advanced) == (True, True)
    assert lock.works
    assert abs(atime.clock_offset_ns) <= atime.granularity_ns + 10**8
    assert tree(store) == before


def test_a_filesystem_that_ignores_the_touch(faultfs):
    mount = faultfs()
    store = make_chunk_store(mount.path, prefixes=4)
    mount.set("ignore")
    atime, _lock = probe(store)
    assert (atime.probe.advanced, atime.probe.errno) == (False, 0)
    assert atime.probe.after_ns == atime.probe.before_ns
    assert atime.zero_chunk.advanced is False
    # It got its full time, a second and a half.
    assert atime.probe.waits == len(WAITS) - 1
    assert sum(WAITS) >= 1.5
    assert not list(store.zero_chunk.parent.glob(PRIVATE_PREFIX + "*"))


@pytest.mark.parametrize("fault", ["day", "delay:60"])
def test_other_ways_of_not_moving(faultfs, fault):
    mount = faultfs()
    store = make_chunk_store(mount.path, prefixes=1)
    mount.set(fault)
    atime, _lock = probe(store)
    assert (atime.probe.advanced, atime.probe.errno) == (False, 0)


def test_timestamps_of_a_second_are_good_enough(faultfs):
    mount = faultfs()
    store = make_chunk_store(mount.path, prefixes=1)
    mount.set("second")
    atime, _lock = probe(store)
    assert (atime.probe.advanced, atime.granularity_ns) == (True, 10**9)


def test_a_move_that_a_refresh_takes_back(faultfs):
    mount = faultfs(attr_timeout=60)
    store = make_chunk_store(mount.path, prefixes=1)
    mount.set("forget")
    atime, _lock = probe(store)
    assert atime.probe.advanced
    assert atime.probe.refreshed_ns <= atime.probe.before_ns


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_a_server_whose_clock_is_wrong(faultfs, seconds):
    mount = faultfs()
    store = make_chunk_store(mount.path, prefixes=1)
    mount.set("clock:%d" % seconds)
    atime, _lock = probe(store)
    assert atime.probe.advanced
    assert abs(atime.clock_offset_ns - seconds * 10**9) < 60 * 10**9


def test_read_only(whole_store):
    store = whole_store()
    remount(store.path, "ro")
    atime, lock = probe(store)
    assert (atime.probe.advanced, atime.probe.step, atime.probe.error.split(":")[0]) == (None, "create", "EROFS")
    assert (atime.zero_chunk.advanced, atime.zero_chunk.step) == (False, "utimensat")
    assert atime.zero_chunk.error.startswith("EROFS")
    assert atime.zero_chunk_as_root.error.startswith("EROFS")
    assert lock.works is None
    assert "EROFS" in lock.not_tried


@pytest.mark.parametrize(("letter", "flag"), [("i", "immutable"), ("a", "append")])
def test_a_flag_on_the_zero_chunk_stops_root_too(loopfs, letter, flag):
    store = make_chunk_store(loopfs("ext4"), prefixes=1)
    run("chattr", "+" + letter, store.zero_chunk)
    try:
        atime, _lock = probe(store)
    finally:
        run("chattr", "-" + letter, store.zero_chunk)
    assert atime.probe.advanced
    for touch in (atime.zero_chunk, atime.zero_chunk_as_root):
        assert touch.error.startswith("EPERM")
        assert touch.file.flags == [flag]


@pytest.mark.parametrize(("owner", "mode"), [("root", 0o644), ("root", 0o666), ("group", 0o664)])
def test_a_zero_chunk_of_another_user(chunk_store, owner, mode):
    store = chunk_store(prefixes=1)
    os.chown(store.zero_chunk, 0, store.gid if owner == "group" else 0)
    store.zero_chunk.chmod(mode)
    os.utime(store.zero_chunk, ns=(7, 7))
    atime, _lock = probe(store)
    assert atime.probe.advanced, "the filesystem itself is fine"
    assert atime.zero_chunk_as_root.advanced, "root's own touch passes"
    assert (atime.zero_chunk.advanced, atime.zero_chunk.step) == (False, "utimensat")
    assert atime.zero_chunk.error.startswith("EPERM")
    assert atime.zero_chunk.file.uid == 0


def test_root_does_not_touch_a_zero_chunk_that_has_a_second_name(chunk_store):
    """It may be a file of root that only root may change: its atime and mtime stay unchanged."""
    store = chunk_store(prefixes=16)
    secret = store.path.parent / "secret"
    secret.write_bytes(b"root's own")
    os.utime(secret, ns=(DAY, DAY))
    store.zero_chunk.unlink()
    os.link(secret, store.zero_chunk)
    before = secret.stat()
    atime, _lock = probe(store)
    after = secret.stat()
    assert (before.st_atime_ns, before.st_ctime_ns) == (after.st_atime_ns, after.st_ctime_ns)
    assert atime.zero_chunk_as_root.advanced is None
    assert "2 hard links" in atime.zero_chunk_as_root.error
    assert atime.zero_chunk.error.startswith("EPERM")


def test_root_touches_nothing_behind_a_link_of_another_user(chunk_store, tmp_path):
    store = chunk_store(prefixes=16)
    yard = tmp_path / "yard"
    yard.mkdir()
    (yard / "way").symlink_to(store.path)
    os.chown(yard, *backup_ids())
    assert probe(store)[0].zero_chunk_as_root.advanced
    atime, _lock = probe(yard / "way")
    assert atime.zero_chunk_as_root is None
    assert atime.zero_chunk.advanced


@pytest.mark.parametrize("unknown_to_pbs", [True, False])
def test_root_makes_a_file_only_where_an_administrator_says_so(tmpfs, unknown_to_pbs):
    directory = tmpfs("size=1m,mode=755")
    os.utime(directory, ns=(DAY, DAY))
    uid, gid = backup_ids()
    acts = AtimeProbe(os.fspath(directory), "private", Identity(uid, gid), unknown_to_pbs=unknown_to_pbs)
    assert child.run_one(lambda channel: acts.begin(), 30).finished
    assert os.listdir(directory) == []
    assert (directory.stat().st_mtime_ns != DAY) == unknown_to_pbs


def test_a_zero_chunk_that_is_a_link_is_never_followed(chunk_store, tmp_path):
    store = chunk_store(prefixes=1, zero_chunk=False)
    victim = tmp_path / "victim"
    victim.touch()
    os.utime(victim, ns=(7, 7))
    store.zero_chunk.parent.mkdir(exist_ok=True)
    os.chown(store.zero_chunk.parent, store.uid, store.gid)
    store.zero_chunk.symlink_to(victim)
    atime, _lock = probe(store, "marker")
    assert atime.zero_chunk.advanced is None
    assert "link" in atime.zero_chunk.error
    assert victim.stat().st_atime_ns == 7
    assert victim.read_bytes() == b""


def test_without_a_prefix_directory_the_next_place_upwards_will_do(chunk_store):
    store = chunk_store(prefixes=1, zero_chunk=False)
    atime, _lock = probe(store)
    assert (atime.probe.advanced, atime.probe.placement, atime.zero_chunk) == (True, "base", None)


def test_a_prefix_directory_of_roots_does_not_hide_that_the_filesystem_is_fine(chunk_store):
    store = chunk_store(prefixes=1)
    os.chown(store.zero_chunk.parent, 0, 0)
    store.zero_chunk.parent.chmod(0o755)
    atime, _lock = probe(store)
    assert (atime.probe.advanced, atime.probe.placement) == (True, "base")
    assert atime.zero_chunk.advanced


def test_a_directory_that_is_not_a_datastore_yet(tmp_path):
    path = tmp_path / "new"
    path.mkdir(mode=0o700)
    atime, lock = probe(path)
    assert (atime.probe.advanced, atime.probe.created_by) == (True, "root")
    assert abs(atime.clock_offset_ns) < 60 * 10**9
    assert lock.works
    assert not list(path.iterdir())


def test_somebody_elses_directory_gets_no_file_of_roots(tmp_path):
    path = tmp_path / "theirs"
    path.mkdir(mode=0o700)
    os.chown(path, 65534, 65534)
    atime, _lock = probe(path)
    assert atime.probe.advanced is None
    assert atime.probe.error.startswith("EACCES")


@pytest.mark.parametrize(("fault", "error"), [("errno:ENOSPC@create", "ENOSPC"), ("errno:EDQUOT@create", "EDQUOT")])
def test_no_room_for_a_file_of_our_own(faultfs, fault, error):
    mount = faultfs()
    store = make_chunk_store(mount.path, prefixes=1)
    mount.set(fault)
    atime, _lock = probe(store)
    assert (atime.probe.advanced, atime.probe.step, atime.probe.error.split(":")[0]) == (None, "create", error)
    assert atime.zero_chunk.advanced, "the chunk that is there can be touched all the same"


@pytest.mark.parametrize("inserted", [False, True])
def test_a_full_filesystem_has_no_room_for_the_zero_chunk(loopfs, inserted):
    """An empty file needs no block there, and PBS inserts 159 bytes; a zero chunk that is there needs no room."""
    path = loopfs("ext4")
    store = make_chunk_store(path, prefixes=1)
    if not inserted:
        store.zero_chunk.unlink()
    with (path / "full").open("wb", buffering=0) as stream:
        for block in (65536, 4096, 512):
            with contextlib.suppress(OSError):
                while stream.write(bytes(block)):
                    pass
    assert os.statvfs(path).f_bavail == 0
    atime, _lock = probe(store)
    if inserted:
        assert atime.probe.advanced
        assert atime.zero_chunk.advanced
    else:
        assert (atime.probe.advanced, atime.probe.step, atime.probe.error[:7]) == (None, "create", "ENOSPC:")
    assert not [name for name in tree(path) if ".fleetops-pbs-probe" in name]


def test_no_inodes_left(loopfs):
    path = loopfs("ext4", mkfs=["-N", "16"])
    store = make_chunk_store(path, prefixes=1)
    with contextlib.suppress(OSError):
        for number in range(100):
            (path / str(number)).touch()
    assert os.statvfs(path).f_ffree == 0
    atime, _lock = probe(store)
    assert atime.probe.error.startswith("ENOSPC")
    assert atime.zero_chunk.advanced


def test_locks_that_are_refused(faultfs):
    mount = faultfs(locks=False)
    store = make_chunk_store(mount.path, prefixes=1)
    atime, lock = probe(store)
    assert atime.probe.advanced
    assert lock.works is False
    assert lock.error


def test_the_lock_of_the_datastore_is_never_opened(chunk_store):
    """Opening and closing it in a process that holds it drops the lock of a running backup: so nobody opens it."""
    store = chunk_store(prefixes=1)
    os.utime(store.path / ".lock", ns=(7, 7))
    (store.path / ".lock").chmod(0)
    probe(store)
    probe(store, "marker")
    status = (store.path / ".lock").stat()
    assert (status.st_atime_ns, status.st_mtime_ns) == (7, 7)


# --- the marker -------------------------------------------------------------------------------------------------------


def test_the_marker_is_inserted_as_pbs_does_it(chunk_store):
    store = chunk_store(prefixes=1)
    store.zero_chunk.unlink()
    atime, _lock = probe(store, "marker")
    status = store.zero_chunk.stat()
    assert atime.marker_inserted
    assert atime.zero_chunk.advanced
    assert store.zero_chunk.read_bytes() == ZERO_CHUNK
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (store.uid, store.gid, 0o644)
    assert [path.name for path in store.zero_chunk.parent.iterdir()] == [store.zero_chunk.name]
    again, _lock = probe(store, "marker")
    assert not again.marker_inserted
    assert store.zero_chunk.stat().st_ino == status.st_ino


@pytest.mark.parametrize(
    ("content", "s3", "replaced"),
    [
        (b"", False, True),
        (b"", True, False),
        (b"x" * 100, False, False),
        (b"x" * 159, False, False),
        (b"x" * 166, False, True),
    ],
)
def test_the_rules_of_inserting_hold_for_the_marker(chunk_store, content, s3, replaced):
    store = chunk_store(prefixes=1)
    store.file(store.zero_chunk, content)
    atime, _lock = probe(store, "marker", s3)
    assert atime.marker_inserted is replaced
    assert store.zero_chunk.read_bytes() == (ZERO_CHUNK if replaced else content)


def test_a_marker_without_its_prefix_directory_cannot_be_inserted(chunk_store):
    store = chunk_store(prefixes=1, zero_chunk=False)
    atime, _lock = probe(store, "marker")
    assert (atime.zero_chunk.advanced, atime.zero_chunk.step) == (None, "create")
    assert atime.zero_chunk.error.startswith("ENOENT")


# --- what a killed run leaves -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["private", "marker"])
def test_files_of_a_killed_run_are_removed_by_the_next(chunk_store, mode):
    store = chunk_store(prefixes=1)
    left = [store.file(store.zero_chunk.parent / name_of_the_dead()), store.file(store.path / name_of_the_dead())]
    left.append(store.file(store.path / name_of_the_dead()))
    os.chown(left[2], 0, 0)
    atime, _lock = probe(store, mode)
    assert (atime.leftovers_removed, [path for path in left if path.exists()]) == (3, [])


def test_in_an_empty_directory_of_roots_root_cleans_up(tmp_path):
    open_way(tmp_path)
    left = tmp_path / name_of_the_dead()
    left.touch()
    atime, _lock = probe(tmp_path)
    assert (atime.leftovers_removed, os.listdir(tmp_path)) == (1, [])
    assert atime.probe.advanced


def test_a_probe_that_is_killed_leaves_at_most_its_own_file(chunk_store):
    """Killed at any moment, the next run finds the store as it was, and cleans up."""
    store = chunk_store(prefixes=1)
    os.utime(store.zero_chunk, ns=(7, 7))
    before = tree(store)
    digest = hashlib.sha256(store.zero_chunk.read_bytes()).hexdigest()
    uid, gid = backup_ids()
    identity = Identity(uid, gid, (gid,))

    def forever(channel):
        become(identity)
        while True:
            acts = AtimeProbe(os.fspath(store), "private", identity)
            acts.finish()
            channel.put("round", 1)

    for attempt in range(20):
        ended(child.run_one(forever, 0.05 + 0.002 * attempt))
    left = {path: status for path, status in tree(store).items() if PRIVATE_PREFIX not in path}
    assert left == before
    assert hashlib.sha256(store.zero_chunk.read_bytes()).hexdigest() == digest
    probe(store)
    assert tree(store) == before


def test_a_hostile_owner_cannot_lead_root_elsewhere(chunk_store, tmp_path):
    """The prefix directory becomes a link while root looks: root must not follow it."""
    store = chunk_store(prefixes=1)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    victim = elsewhere / store.zero_chunk.name
    victim.touch()
    os.utime(victim, ns=(7, 7))
    prefix = store.zero_chunk.parent
    aside = prefix.with_name("aside")
    enough = tmp_path / "enough"

    def swap(channel):
        become(Identity(store.uid, store.gid))
        while not enough.exists():
            prefix.rename(aside)
            os.symlink(elsewhere, prefix)
            os.unlink(prefix)
            aside.rename(prefix)

    def look(channel):
        identity = Identity(store.uid, store.gid)
        until = time.monotonic() + 1
        rounds = 0
        while time.monotonic() < until or rounds < 100:
            AtimeProbe(os.fspath(store), "private", identity).begin()
            rounds += 1
        enough.touch()

    outcomes = child.run({"swap": swap, "look": look}, 60)
    assert all(outcome.finished for outcome in outcomes.values()), outcomes
    assert victim.stat().st_atime_ns == 7
    assert list(elsewhere.iterdir()) == [victim]
