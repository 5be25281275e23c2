# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repair of a datastore, on real filesystems, beside accounts that are hostile."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.walk import OwnerCount
from ansible_collections.fleetops.pbs.plugins.module_utils._manage import handles as handles_module
from ansible_collections.fleetops.pbs.plugins.module_utils._manage import repairer as repairer_module
from ansible_collections.fleetops.pbs.plugins.module_utils._manage.ownership import RepairPlan, repair
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk import chunk_walk as chunk_walk_module
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk import open_store as open_store_module
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk import workers
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.ownership import WalkPlan, observe_ownership
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity, become
from ansible_collections.fleetops.pbs.plugins.module_utils._system.owner import change_owners
from ansible_collections.fleetops.pbs.tests.support import machine, mounts
from ansible_collections.fleetops.pbs.tests.support.pbs.store import backup_ids, make_chunk_store

pytestmark = pytest.mark.root


@pytest.fixture(autouse=True)
def few_prefixes(walk_only):
    """The stores here have a handful of prefix directories; looking for all others is what other tests do."""
    walk_only(range(64))


def small_store(path, chunks=40, prefixes=8):
    store = make_chunk_store(path, prefixes=1, zero_chunk=False)
    store.add_prefixes(range(1, prefixes))
    store.add_chunks(chunks)
    return store


@pytest.fixture
def store(tmp_path):
    machine.open_way(tmp_path)
    return small_store(tmp_path / "store")


def fix(store, **more):
    uid, gid = backup_ids()
    return repair(RepairPlan(os.fspath(store), uid, gid, **{"stall": 30.0, **more}))


def audit(store):
    uid, gid = backup_ids()
    facts = observe_ownership(WalkPlan(os.fspath(store), uid, gid, (gid,), stall=30.0))
    assert facts.complete, facts.stuck
    return facts


def faults(store):
    facts = audit(store)
    return sum(
        tree.wrong_owner + tree.wrong_mode + tree.unreadable for tree in (facts.skeleton, facts.chunks, facts.metadata)
    )


def chunks_of(store):
    return sorted(store.chunks.glob("*/*"))


def everything(root):
    yield root
    for directory, names, files in os.walk(root):
        for name in names + files:
            yield type(root)(directory, name)


def state(root):
    looks = ((path, path.lstat()) for path in everything(root))
    return {path: (status.st_uid, status.st_gid, status.st_mode) for path, status in looks}


def times(root):
    return {path: (path.lstat().st_atime_ns, path.lstat().st_mtime_ns) for path in everything(root)}


def paths(facts, kind):
    return [problem.path for problem in facts.counts.examples.get(kind, [])]


def own(path, uid, gid):
    os.chown(path, uid, gid, follow_symlinks=False)


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("dry", [True, False])
def test_the_examples_are_the_first_by_name_whoever_meets_them(loopfs, workers, dry):
    """The directories are taken in the order of their inodes, here from the last to the first."""
    path = loopfs("ext4") / "store"
    store = make_chunk_store(path, prefixes=1, zero_chunk=False)
    store.add_prefixes(range(63, 0, -1))
    chunks = sorted(store.add_chunks(640))
    for chunk in chunks[100:]:
        own(chunk, 0, 0)
    uid, gid = backup_ids()
    audit = observe_ownership(WalkPlan(os.fspath(path), uid, gid, (gid,), workers=workers, max_paths=15))
    repair = fix(store, workers=workers, dry=dry, max_paths=15)
    first = [os.fspath(chunk) for chunk in chunks[100:115]]
    assert [problem.path for problem in audit.chunks.examples["wrong_owner"]] == first
    assert paths(repair, "changed") == first
    assert (audit.chunks.wrong_owner, repair.counts.changed) == (540, 540)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs"])
def test_check_repair_repeat_repeat_in_check_mode(kind, loopfs, tmpfs):
    store = small_store((tmpfs() if kind == "tmpfs" else loopfs(kind)) / "store", chunks=400)
    store.add_snapshot("vm/100", namespace=("prod",))
    uid, gid = backup_ids()
    chunks = chunks_of(store)
    for path in chunks[:300]:
        own(path, 0, 0)
    own(chunks[300], uid, 0)
    own(chunks[301], 4242, gid)
    chunks[302].chmod(0o200)
    for path in (store.path, store.chunks, store.chunks / "0000", store.path / ".lock", store.path / "ns/prod/vm"):
        own(path, 0, 0)
    (store.chunks / "0001").chmod(0o700)
    before, before_times = state(store.path), times(store.path)

    predicted = fix(store, dry=True)
    assert state(store.path) == before
    done = fix(store)
    assert predicted.complete
    assert done.complete
    assert done.counts == predicted.counts
    assert (done.counts.changed, done.counts.owner_changed, done.counts.mode_changed) == (309, 307, 2)
    assert done.counts.owners == [OwnerCount(0, 0, 305), OwnerCount(uid, 0, 1), OwnerCount(4242, gid, 1)]
    assert done.counts.modes == {"0200 to 0644": 1, "0700 to 0750": 1}
    assert faults(store) == 0
    after = state(store.path)
    assert {path for path in after if after[path] != before[path]} <= {*chunks[:303], *before}
    assert all((owner, group) == (uid, gid) for owner, group, _mode in after.values())
    assert {path: value for path, value in times(store.path).items() if path.is_file()} == {
        path: value for path, value in before_times.items() if path.is_file()
    }

    assert fix(store).counts.changed == 0
    assert fix(store, dry=True).counts.changed == 0
    assert state(store.path) == after


def test_modification_times_of_directories_stay(store):
    for path in everything(store.path):
        own(path, 0, 0)
    before = {path: os.stat(path).st_mtime_ns for path in everything(store.path)}
    assert fix(store).complete
    assert {path: os.stat(path).st_mtime_ns for path in before} == before


def test_only_the_id_that_is_wrong_is_changed(store, monkeypatch):
    """The kernel is asked to keep the other one: whoever changes it meanwhile is not overruled."""
    uid, gid = backup_ids()
    one, two, three = chunks_of(store)[:3]
    own(one, 0, gid)
    own(two, uid, 0)
    own(three, 0, 0)
    calls = []

    def change(fds, new_uid, new_gid):
        calls.append((new_uid, new_gid))
        return change_owners(fds, new_uid, new_gid)

    monkeypatch.setattr(handles_module, "change_owners", change)
    (work,) = _in_this_process(store)
    assert sorted(calls) == sorted([(uid, -1), (-1, gid), (uid, gid)])
    assert work.changed == 3


def _in_this_process(store):
    """The walk over the chunks without a child, so that a test can watch it."""
    from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.chunk_walk import ChunkWalk
    from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.open_store import OpenStore

    class Heartbeat:
        def at(self, path):
            pass

        def beat(self, progress):
            pass

        def put(self, name, value):
            pass

    uid, gid = backup_ids()
    opened = OpenStore(os.fspath(store))
    repairer = repairer_module.Repairer(Identity(uid, gid), opened, False, True, None, 20)
    walk = ChunkWalk(opened, repairer, repairer, Heartbeat())
    try:
        walk.walk(range(64), range(64))
    finally:
        walk.close()
        os.close(opened.base)
    return [repairer.result()]


@contextlib.contextmanager
def _before_opening(path, action):
    """Do something once, right before the repair gets hold of a file."""
    real = handles_module.open_handles
    todo = [action]

    def open_handles(dir_fd, names):
        if todo and os.fsencode(path.name) in names:
            todo.pop()()
        return real(dir_fd, names)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handles_module, "open_handles", open_handles)
        yield
    assert not todo, "the file was never opened"


def _watch_changes(patch, action):
    """Have something done right before files of a directory are changed."""
    real = handles_module.change_owners

    def change(fds, uid, gid):
        action(Path(os.readlink(f"/proc/self/fd/{fds[0]}")).parent)
        return real(fds, uid, gid)

    patch.setattr(handles_module, "change_owners", change)


def test_a_chunk_that_is_exchanged_while_it_is_held_is_not_looked_up_again(store, tmp_path, monkeypatch):
    """Exactly the file that was checked is changed: its name may refer to a file of another user by then."""
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    for path in chunks_of(store):
        own(path, 0, 0)
    victim, aside = chunks_of(store)[5], tmp_path / "aside"
    todo = [victim]

    def exchange(directory):
        if todo and directory == victim.parent:
            os.rename(todo.pop(), aside)
            os.link(secret, victim)

    _watch_changes(monkeypatch, exchange)
    (counts,) = _in_this_process(store)
    assert not todo
    assert (secret.stat().st_uid, stat.S_IMODE(secret.stat().st_mode)) == (0, 0o600)
    assert (counts.changed, counts.failed) == (40, 0)
    assert aside.stat().st_uid == backup_ids()[0]


def test_modes_are_only_repaired_where_the_daemon_would_fail(store):
    chunks = chunks_of(store)
    for path, mode in zip(chunks, (0o444, 0o400, 0o640, 0o777, 0o000, 0o044, 0o200)):
        path.chmod(mode)
    facts = fix(store)
    assert [stat.S_IMODE(path.stat().st_mode) for path in chunks[:7]] == [
        0o444,
        0o400,
        0o640,
        0o777,
        0o644,
        0o644,
        0o644,
    ]
    assert facts.counts.modes == {"0000 to 0644": 1, "0044 to 0644": 1, "0200 to 0644": 1}


def test_modes_are_left_alone_if_so_wished(store):
    chunk = chunks_of(store)[0]
    own(chunk, 0, 0)
    chunk.chmod(0o600)
    (store.chunks / "0000").chmod(0o700)
    facts = fix(store, modes=False)
    assert facts.counts.changed == 1
    assert stat.S_IMODE(chunk.stat().st_mode) == 0o600
    assert stat.S_IMODE((store.chunks / "0000").stat().st_mode) == 0o700
    assert chunk.stat().st_uid == backup_ids()[0]


@pytest.mark.parametrize("modes", [True, False])
def test_a_file_loses_set_user_id_and_a_directory_keeps_set_group_id(store, modes):
    """A program of root with that bit would become one of the daemon's user."""
    chunk = chunks_of(store)[0]
    own(chunk, 0, 0)
    chunk.chmod(0o6755)
    prefix = store.chunks / "0001"
    own(prefix, 0, 0)
    prefix.chmod(0o2700)
    predicted = fix(store, modes=modes, dry=True)
    facts = fix(store, modes=modes)
    assert facts.complete
    assert predicted.counts == facts.counts
    assert stat.S_IMODE(chunk.stat().st_mode) == 0o755
    assert stat.S_IMODE(prefix.stat().st_mode) == (0o2750 if modes else 0o2700)


def test_only_from_some_users(store):
    chunks = chunks_of(store)
    own(chunks[0], 0, 0)
    own(chunks[1], 4242, 0)
    own(chunks[2], 4243, 0)
    facts = fix(store, only_from=frozenset([0, 4242]))
    assert (facts.counts.changed, facts.counts.left) == (2, 1)
    assert paths(facts, "left") == [str(chunks[2])]
    assert chunks[2].stat().st_uid == 4243
    assert facts.complete


@pytest.mark.parametrize(
    ("scope", "repaired"),
    [
        ("full", {"base", "prefix", "chunk", "snapshot"}),
        ("skeleton", {"base", "prefix"}),
        ("chunks", {"base", "prefix", "chunk"}),
        ("metadata", {"snapshot"}),
    ],
)
def test_scopes(store, scope, repaired):
    parts = {
        "base": store.path,
        "prefix": store.chunks / "0003",
        "chunk": chunks_of(store)[5],
        "snapshot": store.add_snapshot("host/a"),
    }
    for path in parts.values():
        own(path, 0, 0)
    facts = fix(store, scope=scope)
    assert {name for name, path in parts.items() if path.stat().st_uid != 0} == repaired
    assert facts.counts.changed == len(repaired)


def test_what_is_no_part_of_the_datastore_is_left_alone(store):
    strays = [store.path / name for name in ("iso", "lost+found", ".snapshot")]
    for path in strays:
        path.mkdir(mode=0o700)
        (path / "file").touch(mode=0o600)
        (path / "index.fidx").touch(mode=0o600)
    before = state(store.path)
    facts = fix(store)
    assert (facts.complete, facts.counts.changed) == (True, 0)
    assert state(store.path) == before


def test_links_and_other_kinds_are_never_touched(store, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / ("f" * 64)).touch()
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    prefix = store.chunks / "0000"
    (prefix / ("a" * 64)).symlink_to(secret)
    os.mkfifo(prefix / ("b" * 64))
    os.mknod(prefix / ("c" * 64), stat.S_IFBLK | 0o600, os.makedev(7, 200))
    (prefix / ("d" * 64)).mkdir()
    os.link(secret, prefix / ("e" * 64))
    (store.chunks / "0020").symlink_to(outside)
    vm = store.path / "vm"
    vm.symlink_to(outside)
    before = state(outside), state(prefix)
    predicted = fix(store, dry=True)
    facts = fix(store)
    assert predicted.counts == facts.counts
    assert facts.complete
    assert facts.counts.refused == {"link": 3, "fifo": 1, "device": 1, "directory": 1, "hardlink": 1}
    assert paths(facts, "hardlink") == [str(prefix / ("e" * 64))]
    assert facts.counts.changed == 0
    assert (state(outside), state(prefix)) == before
    assert (secret.stat().st_uid, stat.S_IMODE(secret.stat().st_mode)) == (0, 0o600)


def test_an_immutable_chunk_fails_with_the_flag_and_all_others_are_repaired(loopfs):
    store = small_store(loopfs("ext4") / "store")
    chunks = chunks_of(store)
    for path in chunks:
        own(path, 0, 0)
    subprocess.run(["chattr", "+i", chunks[3]], check=True)
    try:
        predicted = fix(store, dry=True)
        done = fix(store)
    finally:
        subprocess.run(["chattr", "-i", chunks[3]], check=True)
    for facts in (predicted, done):
        assert not facts.complete
        assert (facts.counts.changed, facts.counts.failed) == (len(chunks) - 1, 1)
        (problem,) = facts.counts.examples["failed"]
        assert (problem.path, problem.detail) == (
            str(chunks[3]),
            "EPERM: Operation not permitted, it has the flag immutable: chattr -i",
        )
    assert fix(store).complete


def test_a_read_only_filesystem_is_given_up_at_once(loopfs):
    mount = loopfs("ext4")
    store = small_store(mount / "store")
    for path in chunks_of(store):
        own(path, 0, 0)
    mounts.remount(mount, "ro")
    for facts in (fix(store, dry=True), fix(store)):
        assert (facts.complete, facts.counts.changed) == (False, 0)
        assert facts.stopped == "the filesystem is mounted read-only"


def test_check_mode_finds_nothing_wrong_on_a_read_only_filesystem_that_is_right(loopfs):
    mount = loopfs("ext4")
    store = small_store(mount / "store")
    mounts.remount(mount, "ro")
    facts = fix(store, dry=True)
    assert (facts.complete, facts.counts.changed) == (True, 0)


def test_a_filesystem_that_only_says_yes(faultfs):
    mount = faultfs()
    store = small_store(mount.path / "store", chunks=4, prefixes=2)
    for path in chunks_of(store):
        own(path, 0, 0)
    mount.set("chown-ignored")
    facts = fix(store)
    assert (facts.complete, facts.counts.changed) == (False, 0)
    assert "but it is still uid 0, gid 0" in facts.stopped
    assert "ignores or maps owners" in facts.stopped


def test_failures_without_a_success_end_it(faultfs, monkeypatch):
    monkeypatch.setattr(repairer_module, "_HOPELESS", 5)
    mount = faultfs()
    store = small_store(mount.path / "store", chunks=20, prefixes=1)
    for path in chunks_of(store):
        own(path, 0, 0)
    mount.set("errno:EIO@chown")
    facts = fix(store, workers=1)
    assert not facts.complete
    assert facts.stopped == "none of the first 5 changes succeeded; the last error: EIO: Input/output error"


def _of_root(store, mode=0o750, group=0):
    """Everything belongs to root, the prefix directories with this mode and group."""
    for path in [*store.chunks.iterdir(), *chunks_of(store)]:
        own(path, 0, group if path.is_dir() else 0)
    for path in store.chunks.iterdir():
        path.chmod(mode)


@pytest.mark.parametrize(("mode", "owner"), [(0o770, 0), (0o757, 0), (0o750, 0), (0o750, 34)])
def test_names_are_never_used_twice_whoever_may_write_to_the_directory(store, mode, owner, monkeypatch):
    """The moment that an attacker waits for, in a directory in which the attacker may exchange names."""
    uid, gid = backup_ids()
    secret = store.path.parent / "secret"
    secret.touch(mode=0o600)
    _of_root(store, mode, gid)
    for path in store.chunks.iterdir():
        own(path, owner and uid, gid)
    victim = chunks_of(store)[5]
    todo = [victim]

    def exchange(directory):
        if todo and directory == victim.parent:
            os.rename(todo.pop(), store.path / "aside")
            os.link(secret, victim)

    _watch_changes(monkeypatch, exchange)
    _in_this_process(store)
    assert not todo
    assert secret.stat().st_uid == 0


def test_what_cannot_be_changed_with_others_is_tried_by_itself(loopfs):
    """One immutable chunk among others owned by root: its failure names the flag, the others are repaired."""
    store = small_store(loopfs("ext4") / "store")
    _of_root(store)
    stuck = chunks_of(store)[5]
    subprocess.run(["chattr", "+i", stuck], check=True)
    try:
        facts = fix(store)
    finally:
        subprocess.run(["chattr", "-i", stuck], check=True)
    assert (facts.counts.changed, facts.counts.failed, paths(facts, "failed")) == (47, 1, [os.fspath(stuck)])
    assert {path.stat().st_uid for path in chunks_of(store)} == {0, backup_ids()[0]}


def test_what_vanishes_meanwhile_is_no_failure(store):
    for path in chunks_of(store):
        own(path, 0, 0)
    gone = chunks_of(store)[7]
    with _before_opening(gone, gone.unlink):
        (counts,) = _in_this_process(store)
    assert (counts.vanished, counts.failed, counts.changed) == (1, 0, 39)


@pytest.mark.parametrize("trap", ["hardlink", "link", "fifo", "directory"])
def test_a_chunk_that_is_exchanged_between_look_and_change(store, tmp_path, trap):
    """The moment that an attacker waits for: it was a chunk when it was looked at."""
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    for path in chunks_of(store):
        own(path, 0, 0)
    victim = chunks_of(store)[5]

    def exchange():
        victim.unlink()
        if trap == "hardlink":
            os.link(secret, victim)
        elif trap == "link":
            victim.symlink_to(secret)
        elif trap == "fifo":
            os.mkfifo(victim)
        else:
            victim.mkdir()

    with _before_opening(victim, exchange):
        (counts,) = _in_this_process(store)
    assert counts.refused == {trap: 1}
    assert (counts.changed, counts.failed) == (39, 0)
    assert (secret.stat().st_uid, stat.S_IMODE(secret.stat().st_mode)) == (0, 0o600)
    assert victim.lstat().st_uid == 0


def test_a_hostile_owner_gets_nothing_from_outside(store, tmp_path):
    """The account that owns the store exchanges chunks and directories as fast as it can while root repairs."""
    uid, gid = backup_ids()
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "0005").mkdir()
    for number in range(4):
        (secrets / "0005" / (f"{number:064x}")).touch(mode=0o600)
    before = state(secrets)
    prefix = store.chunks / "0005"
    chunks = chunks_of(store)
    attacker = os.fork()
    if attacker == 0:
        _attack(store.chunks, prefix, secrets, Identity(uid, gid))
    try:
        for _round in range(15):
            for path in chunks:
                with contextlib.suppress(OSError):
                    own(path, 0, 0)
            fix(store)
            assert state(secrets) == before
    finally:
        os.kill(attacker, signal.SIGKILL)
        os.waitpid(attacker, 0)


def _attack(chunks, prefix, secrets, identity):
    become(identity)
    number = 0
    while True:
        number += 1
        with contextlib.suppress(OSError):
            if number % 2:
                os.rename(prefix, chunks / "aside")
                os.symlink(secrets / "0005", prefix)
                os.unlink(prefix)
                os.rename(chunks / "aside", prefix)
            else:
                name = prefix / f"{number % 4:064x}"
                os.symlink(secrets / "0005" / name.name, name)
                os.unlink(name)
                with open(name, "w"):
                    pass
                os.unlink(name)


def test_killed_at_any_moment_another_run_does_the_rest(store):
    store.add_chunks(400)
    generator = random.Random(20260101)
    uid, gid = backup_ids()
    for path in everything(store.path):
        own(path, 0, 0)
    whole = state(store.path)
    half_way = attempts = 0
    wait = 0.05
    while half_way < 10:
        attempts += 1
        assert attempts < 500, "no repair was ever caught at work"
        for path in everything(store.path):
            own(path, 0, 0)
        worker = os.fork()
        if worker == 0:
            os.setsid()
            fix(store)
            os._exit(0)
        time.sleep(wait * generator.uniform(0.5, 1.5))
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
        now = state(store.path)
        assert set(now) == set(whole)
        for path, (owner, group, mode) in now.items():
            assert (owner, group) in ((0, 0), (uid, gid))
            assert mode == whole[path][2]
        done = sum(owner == uid for owner, _group, _mode in now.values())
        half_way += 0 < done < len(now)
        # How long a repair takes is a matter of what else this machine does just now.
        wait *= 1.25 if done == 0 else 0.8 if done == len(now) else 1.0
        assert fix(store).complete
        assert set(state(store.path).values()) == {(uid, gid, mode) for _owner, _group, mode in whole.values()}
    assert faults(store) == 0


def test_a_worker_that_hangs_is_given_up_and_says_where(faultfs):
    mount = faultfs()
    store = small_store(mount.path / "store", chunks=4, prefixes=2)
    for path in chunks_of(store):
        own(path, 0, 0)
    mount.set(f"hang:/{(store.chunks / '0001').relative_to(mount.path)}")
    facts = fix(store, stall=4.0)
    mount.set("ok")
    assert (facts.complete, facts.exact) == (False, False)
    assert facts.stopped == f"{store.chunks / '0001'}: no answer"
    assert fix(store).complete
    assert faults(store) == 0


def test_a_repair_has_a_limit_in_all(store):
    for path in chunks_of(store):
        own(path, 0, 0)
    facts = fix(store, timeout=0.001)
    assert not facts.complete
    assert "not done within the limit for one datastore (0.001 s)" in facts.stopped
    assert fix(store).complete
    assert faults(store) == 0


def test_what_was_not_begun_is_known_exactly(store, monkeypatch):
    monkeypatch.setattr(
        chunk_walk_module, "_arrange", lambda _queue, _path, _heartbeat: os.kill(os.getpid(), signal.SIGKILL)
    )
    facts = fix(store)
    assert (facts.complete, facts.exact, facts.counts.changed) == (False, True, 0)
    assert "ended by SIGKILL" in facts.stopped


def test_what_a_killed_worker_has_done_is_told(store, monkeypatch):
    """It sends its counts while it works; those of the last half second are lost, and the result says so."""
    store.add_chunks(400)
    for path in chunks_of(store):
        own(path, 0, 0)
    monkeypatch.setattr(workers.Heartbeat, "INTERVAL", 0.0)
    files = repairer_module.Repairer.files

    def until_the_sixth(self, where, names, rule):
        if int(where.path[-4:], 16) == 6:
            os.kill(os.getpid(), signal.SIGKILL)
        files(self, where, names, rule)

    monkeypatch.setattr(repairer_module.Repairer, "files", until_the_sixth)
    facts = fix(store, workers=1, scope="chunks")
    done = sum(path.stat().st_uid != 0 for path in chunks_of(store))
    assert (facts.complete, facts.exact) == (False, False)
    assert "ended by SIGKILL" in facts.stopped
    assert 0 < facts.counts.changed <= done < 400
    assert facts.counts.owners == [OwnerCount(0, 0, facts.counts.changed)]


def test_what_comes_to_the_path_while_it_is_worked_on_is_not_touched(store, tmp_path, monkeypatch):
    """One child has opened the store; then another one is at its path, which the other children would open."""
    other = small_store(tmp_path / "other")
    for path in [*everything(store.path), *everything(other.path)]:
        own(path, 0, 0)
    before = {str(path).replace("/other", "/store"): told for path, told in state(other.path).items()}
    first, exchanged = tmp_path / "first", tmp_path / "exchanged"

    class Waiting(open_store_module.OpenStore):
        def __init__(self, path, change=False):
            try:
                first.touch(exist_ok=False)
            except FileExistsError:
                while not exchanged.exists():
                    time.sleep(0.01)
            super().__init__(path, change)

    real = workers.SharedBase.check

    def check(self, status):
        real(self, status)
        if not exchanged.exists():
            os.rename(store.path, tmp_path / "aside")
            os.rename(other.path, store.path)
            exchanged.touch()

    monkeypatch.setattr(open_store_module, "OpenStore", Waiting)
    monkeypatch.setattr(workers.SharedBase, "check", check)
    facts = fix(store)
    assert {str(path): told for path, told in state(store.path).items()} == before
    assert not facts.complete
    assert "now leads to another directory than at the start" in facts.stopped


def test_a_base_directory_is_looked_at_again_before_it_is_given_away(tmp_path):
    """What is at the path now need not be what was there when the module looked."""
    machine.open_way(tmp_path)
    plain = tmp_path / "plain"
    (plain / "vm").mkdir(parents=True)
    facts = fix(plain)
    assert not facts.complete
    assert ".chunks" in facts.stopped
    assert facts.counts.changed == 0
    assert {path.stat().st_uid for path in (plain, plain / "vm")} == {0}


def test_a_directory_in_which_everybody_makes_files_is_not_given_away(tmp_path):
    store = small_store(tmp_path / "store")
    os.chown(store.path, 0, 0)
    store.path.chmod(0o1777)
    facts = fix(store)
    assert "every user may create files" in facts.stopped
    assert store.path.stat().st_uid == 0
    predicted = fix(store, dry=True)
    assert (predicted.stopped, predicted.counts.changed) == (facts.stopped, facts.counts.changed)


def test_files_and_directories_that_are_mounted_in_the_store_are_refused(store, bind):
    """Also those that are mounted after the mount table was read, and have the device number of the store."""
    elsewhere = store.path / ".elsewhere"
    (elsewhere / "directory").mkdir(parents=True)
    (elsewhere / "file").write_bytes(b"root's own")
    chunk = chunks_of(store)[0]
    points = (chunk, store.path / ".lock")
    for point in points:
        bind(elsewhere / "file", point=point)
    bind(elsewhere / "directory", point=store.chunks / "0003")
    predicted = fix(store, dry=True)
    facts = fix(store)
    assert facts.complete
    assert facts.counts.refused == {"mount": 3}
    assert predicted.counts == facts.counts
    assert {path.stat().st_uid for path in (elsewhere / "file", elsewhere / "directory")} == {0}


# --- what may be given away: the daemon's user can rename files of root, but cannot read them -----------------------------

BLOB = bytes.fromhex("42ab3807be8370a1") + bytes(4) + b"data"
INDEX = bytes.fromhex("2f7f41ed91fd0fcd") + bytes(4088)
SECRET = b'{"user": "root@pam", "secret": "1234"}\n'


def secret_at(path, content=SECRET, mode=0o600):
    """A file of root that the daemon's user cannot read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    own(path, 0, 0)
    return path


def is_still_roots(path):
    status = path.lstat()
    return status.st_uid == 0 and not status.st_mode & 0o044


SECRET_PLACES = [
    ".chunks/0000/" + "0000" + "a" * 60,
    ".chunks/0000/" + "0000" + "a" * 60 + ".0.bad",
    ".chunks/0000/" + "0000" + "a" * 60 + ".using",
    "vm/100/owner",
    "vm/100/2026-01-01T00:00:00Z/index.json.blob",
    "vm/100/2026-01-01T00:00:00Z/drive.img.fidx",
    "vm/authkey.key",
    ".gc-status",
    ".lock",
]


@pytest.mark.parametrize("place", SECRET_PLACES)
def test_a_file_that_only_root_can_read_proves_that_it_is_of_pbs(store, place):
    uid, gid = backup_ids()
    path = store.path / place
    path.unlink(missing_ok=True)
    secret_at(path)
    for directory in path.parents:
        if directory == store.path:
            break
        own(directory, uid, gid)
    predicted = fix(store, dry=True)
    facts = fix(store)
    assert is_still_roots(path)
    assert (facts.counts.refused, paths(facts, "unproven")) == ({"unproven": 1}, [os.fspath(path)])
    assert predicted.counts == facts.counts


@pytest.mark.parametrize(
    ("place", "content"),
    [
        (".chunks/0000/" + "0000" + "a" * 60, BLOB),
        ("vm/100/owner", b"root@pam\n"),
        ("vm/100/2026-01-01T00:00:00Z/index.json.blob", BLOB),
        ("vm/100/2026-01-01T00:00:00Z/drive.img.fidx", INDEX),
        ("vm/100/2026-01-01T00:00:00Z/drive.img.tmp_fidx", b""),
        (".gc-status", b'{"upid":null,"index-file-count":1,"disk-bytes":4}'),
        (".lock", b""),
    ],
)
@pytest.mark.parametrize("directory_mode", [0o755, 0o700])
def test_what_is_of_pbs_is_given_back_whoever_could_read_it(store, place, content, directory_mode):
    path = store.path / place
    path.unlink(missing_ok=True)
    secret_at(path, content)
    for directory in path.parents:
        if directory == store.path:
            break
        directory.chmod(directory_mode)
        own(directory, 0, 0)
    before = path.stat().st_atime_ns
    predicted = fix(store, dry=True)
    facts = fix(store)
    assert facts.counts.refused == {}
    assert path.stat().st_uid == backup_ids()[0]
    assert path.stat().st_mode & 0o400
    assert path.stat().st_atime_ns == before
    assert predicted.counts == facts.counts
    assert faults(store) == 0


def test_a_stray_name_in_a_prefix_directory_is_no_chunk(store):
    strays = [store.chunks / "0000" / name for name in ("authkey.key", "0000" + "a" * 59, "0000" + "a" * 60 + ".x")]
    for number, path in enumerate(strays):
        secret_at(path, BLOB, 0o600 if number else 0o644)
    facts = fix(store)
    assert {path.stat().st_uid for path in strays} == {0}
    assert facts.counts.changed == 0


@pytest.mark.parametrize("scope", ["full", "skeleton"])
@pytest.mark.parametrize("kind", ["vm", "prefix", "prefix of another", "nested", "hidden", "chunks"])
def test_a_directory_that_only_root_can_enter_is_given_away_only_with_content_of_pbs(store, kind, scope):
    """A directory owned by root that was renamed within a directory of the daemon's user; all can read the files in it."""
    locked = store.path / "vm" if kind in ("vm", "nested", "hidden") else store.chunks / "0003"
    inside = {
        "vm": locked / "notes.txt",
        "nested": locked / "100" / "2026-01-01T00:00:00Z" / "drive.img.fidx",
        "hidden": locked / ".profile",
        "prefix": locked / "notes.txt",
        "prefix of another": locked / ("1111" + "a" * 60),
        "chunks": store.chunks / "notes.txt",
    }[kind]
    if kind == "chunks":
        locked = store.chunks
    secret_at(inside, mode=0o644)
    for path in (locked, *(path for path in everything(locked) if path.is_dir() and kind != "chunks")):
        path.chmod(0o700 if path == locked else 0o755)
        own(path, 0, 0)
    predicted = fix(store, dry=True, scope=scope)
    facts = fix(store, scope=scope)
    assert (locked.stat().st_uid, stat.S_IMODE(locked.stat().st_mode)) == (0, 0o700)
    assert inside.stat().st_uid == 0
    if scope == "full" or locked.parent == store.chunks or kind == "chunks":
        assert facts.counts.refused.pop("locked") == 1
    assert predicted.counts.changed == facts.counts.changed
    assert facts.counts.failed == 0


def test_a_locked_store_of_root_is_given_back_whole(store):
    """As a copy made by root with a strict umask leaves it."""
    store.add_snapshot("vm/100", namespace=("prod",))
    for path in everything(store.path):
        own(path, 0, 0)
        if path != store.path:
            path.chmod(0o700 if path.is_dir() else 0o644)
    facts = fix(store)
    assert (facts.complete, facts.counts.refused) == (True, {})
    assert faults(store) == 0


@pytest.mark.parametrize(
    "relation", ["is", "lies in", "contains", "is, over a bind mount", "lies in, over a bind mount"]
)
def test_a_directory_of_pbs_itself_is_no_datastore(tmp_path, relation, bind):
    """The path of a datastore is what the daemon's user has written into the configuration."""
    machine.open_way(tmp_path)
    uid, gid = backup_ids()
    config = tmp_path / "outer" / "etc"
    place = {"lies in": config / "sub", "contains": tmp_path / "outer"}.get(relation.split(",")[0], config)
    config.mkdir(parents=True)
    evil = small_store(place, chunks=1, prefixes=1)
    secret = secret_at(evil.chunks / "0000" / ("0000" + "a" * 60), BLOB)
    path = bind(place) if "bind" in relation else place
    facts = repair(RepairPlan(os.fspath(path), uid, gid, stall=30.0, guarded=(os.fspath(config),)))
    assert relation.split(",")[0] + " " + os.fspath(config) in facts.stopped
    assert facts.counts.changed == 0
    assert is_still_roots(secret)


@pytest.mark.parametrize(("owner", "mode"), [(0, 0o700), (0, 0o750), (34, 0o700), (4242, 0o711 & 0o770)])
def test_a_locked_base_is_no_datastore(store, owner, mode):
    own(store.path, backup_ids()[0] if owner == 34 else owner, 0)
    store.path.chmod(mode)
    facts = fix(store)
    assert "locks out the daemon's user or all users except the owner" in facts.stopped
    assert f"chmod 0755 {store.path}" in facts.stopped
    assert facts.counts.changed == 0
    assert not store.path.stat().st_mode & 0o005


def test_a_file_whose_first_name_is_gone_is_a_file_of_root_still(store):
    """Linked into the store while it had two names, and then replaced under the first of them."""
    path = store.chunks / "0000" / ("0000" + "a" * 60)
    first = secret_at(store.path.parent / "first")
    os.link(first, path)
    first.unlink()
    assert fix(store).counts.refused == {"unproven": 1}
    assert is_still_roots(path)


def test_locks_of_others_cost_no_time(store):
    """The daemon's user may hold locks on directories of root for ever."""
    import fcntl

    _of_root(store, 0o755)
    held = [os.open(path, os.O_RDONLY) for path in store.chunks.iterdir()]
    for fd in held:
        fcntl.flock(fd, fcntl.LOCK_SH)
    started = time.monotonic()
    facts = fix(store)
    assert time.monotonic() - started < 5.0 * len(held)
    for fd in held:
        os.close(fd)
    assert (facts.complete, faults(store)) == (True, 0)


@pytest.mark.parametrize(
    ("place", "content", "owner", "group", "mode"),
    [
        (".chunks/0000/0000" + "b" * 60, SECRET, 4242, 4242, 0o600),  # of neither root nor the daemon's user
        (".chunks/0000/0000" + "b" * 60, SECRET, 0, 34, 0o604),  # the group may not what all others may
        (".chunks/0000/0000" + "b" * 60 + ".tmp_AAAAAA", SECRET, 0, 0, 0o600),
        ("vm/100/owner", b"root@pam\nsecret=1\n", 0, 0, 0o600),
        (".gc-status", b'{"upid":"x","secret":"y"}', 0, 0, 0o600),
    ],
)
def test_what_only_looks_like_a_file_of_pbs_is_not_given_away(store, place, content, owner, group, mode):
    uid, gid = backup_ids()
    path = secret_at(store.path / place, content, mode)
    own(path, owner, gid if group == 34 else group)
    os.utime(path, (1, 1))
    for directory in path.parents:
        if directory == store.path:
            break
        own(directory, uid, gid)
    assert fix(store).counts.refused == {"unproven": 1}
    assert path.stat().st_uid == owner


@pytest.mark.parametrize("kind", ["searchable", "link", "unreadable chunk", "key in a namespace"])
def test_a_locked_directory_with_one_thing_that_is_not_of_pbs_stays(store, kind):
    if kind == "searchable":
        locked = secret_at(store.path / "vm/token", mode=0o644).parent
    elif kind == "link":
        locked = store.path / "vm"
        locked.mkdir()
        (locked / "100").symlink_to("/etc/shadow")
    elif kind == "unreadable chunk":
        locked = secret_at(store.chunks / "0003" / ("0003" + "c" * 60)).parent
    else:
        locked = secret_at(store.path / "ns/prod/key", mode=0o644).parents[1]
        secret_at(store.path / "ns/prod/vm/100/2026-01-01T00:00:00Z/drive.img.fidx", INDEX, 0o644)
    own(locked, 0, 0)
    locked.chmod(0o711 if kind == "searchable" else 0o700)
    facts = fix(store)
    assert facts.counts.refused["locked"] == 1
    assert locked.stat().st_uid == 0
