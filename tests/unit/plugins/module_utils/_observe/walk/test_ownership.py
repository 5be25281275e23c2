# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The walk over a datastore, on real filesystems."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import threading
import time

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.walk import OwnerCount
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk import chunk_walk as chunk_walk_module
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk import counters
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.ownership import WalkPlan, observe_ownership
from ansible_collections.fleetops.pbs.plugins.module_utils._system.limits import TimeLimit
from ansible_collections.fleetops.pbs.tests.support.pbs.store import backup_ids, make_chunk_store

pytestmark = pytest.mark.root

DAY = 86400


def walk(store, **more):
    uid, gid = backup_ids()
    return observe_ownership(WalkPlan(os.fspath(store), uid, gid, (gid,), **{"stall": 30.0, **more}))


def paths(counts, kind):
    return [problem.path for problem in counts.examples.get(kind, [])]


def snapshot(root):
    """Everything about every file below, access times included."""
    found = {}
    for directory, names, files in os.walk(root, topdown=False):
        for name in [*names, *files, "."]:
            found[os.path.join(directory, name)] = look(os.path.join(directory, name))
    return found


def look(path):
    status = os.lstat(path)
    return (*status, status.st_atime_ns, status.st_ctime_ns)


@pytest.fixture(params=["ext4", "xfs", "btrfs", "tmpfs"])
def filesystem(request, loopfs, tmpfs):
    return tmpfs() if request.param == "tmpfs" else loopfs(request.param, "strictatime")


def test_a_good_datastore_has_no_fault(filesystem):
    store = make_chunk_store(filesystem / "store", prefixes=64, chunks=500)
    store.add_snapshot("vm/100", namespace=("prod", "web"))
    store.add_snapshot("ct/101")
    facts = walk(store)
    assert (facts.complete, facts.stuck) == (True, "")
    assert facts.prefixes_walked == len(os.listdir(store.chunks))
    assert facts.prefixes_missing == 65536 - facts.prefixes_walked
    assert facts.chunks.files == 501
    assert facts.chunks.bytes == sum(path.stat().st_size for path in store.chunks.glob("*/*"))
    assert facts.skeleton.directories == 2 + facts.prefixes_walked
    assert facts.skeleton.files == 1
    assert facts.metadata.files == 6
    for counts in (facts.skeleton, facts.chunks, facts.metadata):
        assert (counts.wrong_owner, counts.wrong_mode, counts.unreadable, counts.errors) == (0, 0, 0, 0)
        assert (counts.owners, counts.foreign, counts.examples) == ([], {}, {})


def test_nothing_is_changed_and_no_access_time_moved(filesystem):
    store = make_chunk_store(filesystem / "store", prefixes=32, chunks=100)
    store.add_snapshot()
    before = snapshot(store.path)
    time.sleep(0.02)
    before = {path: values for path, values in before.items() if not stat.S_ISDIR(values[0])}
    directories = {path: os.lstat(path).st_atime_ns for path in [str(store.path), str(store.chunks)]}
    directories.update((str(path), path.stat().st_atime_ns) for path in store.chunks.iterdir())
    # The listings of this test have moved them; from here on nothing may.
    directories = {path: os.lstat(path).st_atime_ns for path in directories}
    assert walk(store).complete
    assert {path: os.lstat(path).st_atime_ns for path in directories} == directories
    assert {path: look(path) for path in before} == before


def test_every_wrong_owner_is_counted_by_owner(chunk_store):
    store = chunk_store(prefixes=8, chunks=200)
    uid, gid = backup_ids()
    chunks = store.add_chunks(200)
    for path in chunks[:70]:
        os.chown(path, 0, 0)
    for path in chunks[70:100]:
        os.chown(path, uid, 0)
    os.chown(chunks[100], 4242, gid)
    facts = walk(store, max_paths=5)
    counts = facts.chunks
    assert (counts.wrong_owner, counts.wrong_uid, counts.wrong_gid) == (101, 71, 100)
    assert counts.owners == [OwnerCount(0, 0, 70), OwnerCount(uid, 0, 30), OwnerCount(4242, gid, 1)]
    assert len(paths(counts, "wrong_owner")) == 5
    assert set(paths(counts, "wrong_owner")) <= set(map(str, chunks[:101]))


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_number_of_workers_makes_no_difference(chunk_store, workers):
    store = chunk_store(prefixes=300, chunks=400)
    for number, path in enumerate(sorted(store.chunks.glob("*/*"))):
        if number % 7 == 0:
            os.chown(path, 0, number % 2)
    facts = walk(store, workers=workers)
    assert facts.chunks.files == 401
    assert facts.chunks.wrong_owner == 58
    assert sorted(owner.count for owner in facts.chunks.owners) == [29, 29]
    assert paths(facts.chunks, "wrong_owner") == sorted(paths(facts.chunks, "wrong_owner"))


@pytest.mark.parametrize("batched", [True, False])
def test_what_lies_in_a_prefix_directory(chunk_store, monkeypatch, batched):
    """Every class of name, and everything that is no regular file; with statx in batches and without."""
    if not batched:
        monkeypatch.setattr(counters, "Batch", _without_statx)
    store = chunk_store(prefixes=4)
    chunk = store.add_chunk(b"one")
    prefix = chunk.parent
    for suffix in (".0.bad", ".9.bad", ".using", ".tmp_AbCdEf", ".tmp_FeDcBa", ".10.bad", ".gz"):
        store.file(prefix / (chunk.name + suffix), b"12345")
    os.utime(prefix / (chunk.name + ".tmp_AbCdEf"), (0, time.time() - 2 * DAY))
    store.file(prefix / ("0" * 64), b"")
    (prefix / ("1" * 64)).symlink_to("/etc/passwd")
    os.mkfifo(prefix / ("2" * 64))
    (prefix / ("3" * 64)).mkdir()
    os.mknod(prefix / ("4" * 64), stat.S_IFCHR | 0o600, os.makedev(1, 3))
    with socket.socket(socket.AF_UNIX) as sock:
        directory = os.open(prefix, os.O_RDONLY)
        sock.bind(f"/proc/self/fd/{directory}/" + "5" * 64)
        os.close(directory)
    os.link(chunk, prefix / ("6" * 64))
    (prefix / "link").symlink_to("/")
    store.file(prefix / "strange\nname\x1b[31m\udcff", b"x")
    facts = walk(store)
    assert facts.complete
    assert facts.chunks.foreign == {
        "link": 2,
        "fifo": 1,
        "directory": 1,
        "device": 1,
        "socket": 1,
        "hardlink": 2,
        "name": 3,
    }
    assert (facts.bad_chunks, facts.using_markers, facts.empty_chunks) == (2, 1, 1)
    assert (facts.temporary, facts.temporary_bytes) == (1, 5)
    assert facts.chunks.wrong_owner == 0
    assert any(path.endswith("strange\\x0aname\\x1b[31m\\xff") for path in paths(facts.chunks, "name"))


def _without_statx():
    raise OSError("this C library has no statx")


def test_immutable_files_and_directories_are_named(loopfs):
    store = make_chunk_store(loopfs("ext4") / "store", prefixes=4)
    chunk = store.add_chunk(b"one")
    for path, letter in ((chunk, "+i"), (store.zero_chunk, "+a"), (store.chunks / "0000", "+i")):
        subprocess.run(["chattr", letter, path], check=True)
    facts = walk(store)
    assert facts.chunks.foreign == {"immutable": 2}
    assert facts.skeleton.foreign == {"immutable": 1}
    assert {problem.detail for problem in facts.chunks.examples["immutable"]} == {"flags: immutable", "flags: append"}
    for path in (chunk, store.zero_chunk, store.chunks / "0000"):
        subprocess.run(["chattr", "-i", "-a", path], check=True)


def test_chunks_that_the_daemon_cannot_read(chunk_store):
    uid, gid = backup_ids()
    store = chunk_store(prefixes=4, chunks=20)
    cases = {
        "root's, readable": (0, 0, 0o644, True),
        "root's, closed": (0, 0, 0o600, False),
        "the group's": (0, gid, 0o640, True),
        "closed to the group only": (0, gid, 0o604, False),
        "its own, closed to the owner": (uid, gid, 0o044, False),
        "its own": (uid, gid, 0o400, True),
    }
    chunks = store.add_chunks(len(cases))
    for path, (owner, group, mode, _readable) in zip(chunks, cases.values()):
        os.chown(path, owner, group)
        path.chmod(mode)
    facts = walk(store)
    closed = [str(path) for path, case in zip(chunks, cases.values()) if not case[3]]
    assert paths(facts.chunks, "unreadable") == sorted(closed)
    assert facts.chunks.unreadable == 3
    assert facts.chunks.wrong_mode == 0


def test_the_skeleton_has_exact_modes(chunk_store):
    """The vectors of a reuse: low nine bits only."""
    store = chunk_store(prefixes=8)
    store.path.chmod(0o2755)
    store.chunks.chmod(0o755)
    prefixes = sorted(store.chunks.iterdir())
    prefixes[0].chmod(0o700)
    prefixes[1].chmod(0o2750)
    prefixes[2].chmod(0o000)
    (store.path / ".lock").chmod(0o600)
    store.file(store.path / ".gc-status", b"{}", 0o600)
    os.chown(store.path / ".gc-status", 0, 0)
    facts = walk(store, scope="skeleton")
    wrong = {problem.path: problem.detail for problem in facts.skeleton.examples["wrong_mode"]}
    assert wrong == {
        str(store.chunks): "mode 0755 instead of 0750",
        str(prefixes[0]): "mode 0700 instead of 0750",
        str(prefixes[2]): "mode 0000 instead of 0750",
        str(store.path / ".lock"): "mode 0600 instead of 0644",
    }
    assert paths(facts.skeleton, "unreadable") == sorted([str(prefixes[2]), str(store.path / ".gc-status")])
    assert paths(facts.skeleton, "wrong_owner") == [str(store.path / ".gc-status")]
    assert (facts.complete, facts.prefixes_walked, facts.chunks.files) == (True, 0, 0)


def test_a_lock_that_the_daemon_cannot_write(chunk_store):
    store = chunk_store(prefixes=1)
    os.chown(store.path / ".lock", 0, 0)
    assert paths(walk(store).skeleton, "unwritable lock") == [str(store.path / ".lock")]


def test_other_things_in_place_of_the_parts(chunk_store):
    store = chunk_store(prefixes=4)
    (store.path / ".lock").unlink()
    (store.path / ".lock").symlink_to("/etc/shadow")
    (store.chunks / "1234").symlink_to("/etc")
    store.file(store.chunks / "2345")
    (store.chunks / "ABCD").mkdir()
    facts = walk(store)
    assert facts.skeleton.foreign == {"link": 2, "name": 2}
    assert paths(facts.skeleton, "link") == [str(store.chunks / "1234"), str(store.path / ".lock")]
    assert paths(facts.skeleton, "name") == [str(store.chunks / "2345"), str(store.chunks / "ABCD")]
    assert facts.complete


def test_other_filesystems_are_not_entered(chunk_store, tmpfs, bind):
    """A mount below is foreign, even if it shows the same filesystem."""
    store = chunk_store(prefixes=4, chunks=8)
    store.add_snapshot("vm/100")
    one, two = sorted(store.chunks.iterdir())[:2]
    tmpfs(point=one)
    elsewhere = store.path.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ("f" * 64)).touch()
    bind(elsewhere, point=two)
    tmpfs(point=store.path / "vm/100")
    facts = walk(store)
    assert paths(facts.skeleton, "mount") == [str(one), str(two)]
    assert paths(facts.metadata, "mount") == [str(store.path / "vm/100")]
    assert facts.chunks.wrong_owner == 0
    assert facts.complete


def test_the_metadata_tree(chunk_store):
    store = chunk_store(prefixes=1)
    snapshot_path = store.add_snapshot("vm/100", namespace=("prod",))
    os.chown(snapshot_path / "drive-scsi0.img.fidx", 0, 0)
    (snapshot_path / "drive-scsi0.img.fidx").chmod(0o600)
    os.chown(store.file(snapshot_path / ".protected"), 0, 0)
    os.chown(store.file(snapshot_path / ".other"), 0, 0)
    (snapshot_path / "link").symlink_to("/etc/shadow")
    other = store.add_snapshot("vm/101")
    os.chown(other, 0, 0)
    other.chmod(0o700)
    stray = store.path / "@eaDir"
    stray.mkdir(mode=0o700)
    (stray / "x.didx").touch(mode=0o600)
    (stray / "notes.txt").touch(mode=0o600)
    (store.path / "readable").mkdir(mode=0o755)
    (store.path / "lost+found").mkdir(mode=0o700)
    (store.path / "readable" / "lost+found").mkdir(mode=0o700)
    (store.path / ".snapshot").mkdir(mode=0o700)
    facts = walk(store)
    assert facts.complete
    counts = facts.metadata
    assert paths(counts, "wrong_owner") == sorted(
        map(str, (snapshot_path / "drive-scsi0.img.fidx", snapshot_path / ".protected", other))
    )
    assert paths(counts, "unreadable") == sorted(
        map(
            str,
            (
                snapshot_path / "drive-scsi0.img.fidx",
                other,
                stray,
                stray / "x.didx",
                store.path / "readable" / "lost+found",
            ),
        )
    )
    assert paths(counts, "link") == [str(snapshot_path / "link")]
    assert paths(counts, "name") == [str(stray), str(store.path / "readable")]


@pytest.mark.parametrize(
    ("relative", "mode", "kind"),
    [
        (".", 0o555, "unwritable base"),
        (".", 0o600, "unreadable base"),
        (".chunks", 0o550, "unwritable chunks"),
        (".chunks/0000", 0o000, "unreadable prefix"),
        (".chunks/0000", 0o550, "unwritable prefix"),
        (".lock", 0o444, "unwritable lock"),
        (".gc-status", 0o000, "unreadable gc-status"),
        ("ns", 0o555, "unwritable namespace"),
        ("ns/prod", 0o600, "unreadable namespace"),
        ("ns/prod/vm", 0o555, "unwritable type"),
        ("ns/prod/vm/100", 0o550, "unwritable group"),
        ("ns/prod/vm/100/owner", 0o000, "unreadable owner"),
        ("ns/prod/vm/100/notes", 0o000, "unreadable file"),
        ("ns/prod/vm/100/2025-01-01T00:00:00Z", 0o550, "unwritable snapshot"),
        ("ns/prod/vm/100/2025-01-01T00:00:00Z/index.json.blob", 0o200, "unreadable manifest"),
        ("ns/prod/vm/100/2025-01-01T00:00:00Z/drive-scsi0.img.fidx", 0o200, "unreadable index"),
        ("ns/prod/vm/100/2025-01-01T00:00:00Z/inner", 0o555, "unwritable directory"),
    ],
)
def test_what_the_daemon_may_not_use_is_counted_by_what_it_is(chunk_store, relative, mode, kind):
    store = chunk_store(prefixes=1)
    snapshot_path = store.add_snapshot("vm/100", namespace=("prod",))
    store.file(store.path / ".gc-status")
    store.file(snapshot_path.parent / "notes")
    store.directory(snapshot_path / "inner", 0o755)
    healthy = walk(store)
    assert (healthy.skeleton.denied, healthy.metadata.denied) == ({}, {})
    (store.path / relative).chmod(mode)
    facts = walk(store)
    part = facts.skeleton if kind.split()[1] in ("base", "chunks", "prefix", "lock", "gc-status") else facts.metadata
    assert part.denied == {kind: 1}
    assert paths(part, kind) == [str(store.path / relative)]
    assert part.unreadable + part.unwritable == 1


def test_a_tree_without_end_is_left(chunk_store):
    store = chunk_store(prefixes=1)
    path = store.path / "vm"
    path.mkdir()
    directory = os.open(path, os.O_RDONLY)
    for _level in range(150):
        os.mkdir("d", dir_fd=directory)
        below = os.open("d", os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = below
    os.close(directory)
    facts = walk(store)
    assert not facts.complete
    assert "deeper than 100 directories" in facts.stuck


@pytest.mark.parametrize(("sample", "walked"), [(1, 1), (16, 16), (65536, 32), (10**6, 32)])
def test_a_sample_looks_into_some_prefix_directories(chunk_store, sample, walked):
    store = chunk_store(prefixes=32, chunks=64, zero_chunk=False)
    facts = walk(store, scope="sample", sample_prefixes=sample)
    assert facts.prefixes_walked == walked
    assert facts.chunks.files == 2 * walked
    assert facts.skeleton.directories == 34
    assert facts.complete


def test_no_walk_is_no_answer(chunk_store):
    facts = walk(chunk_store(prefixes=1), scope="none")
    assert (facts.complete, facts.not_walked) == (False, "the walk is switched off (scope: none)")


def test_a_directory_that_is_not_a_datastore_is_reported(tmp_path):
    facts = walk(tmp_path)
    assert not facts.complete
    assert "ENOENT" in facts.stuck
    assert ".chunks" in facts.stuck
    assert "ENOENT" in walk(tmp_path / "missing").stuck


def test_a_chunk_store_behind_a_link_is_not_followed(chunk_store, tmp_path):
    store = chunk_store(prefixes=1)
    fake = tmp_path / "fake"
    fake.mkdir()
    (fake / ".chunks").symlink_to(store.chunks)
    facts = walk(fake)
    assert not facts.complete
    assert facts.prefixes_walked == 0


def test_chunks_that_come_and_go_are_no_error(chunk_store):
    """Garbage collection and backups go on while the walk does."""
    store = chunk_store(prefixes=16, chunks=300)
    stop = threading.Event()
    chunks = sorted(store.chunks.glob("*/*"))

    def churn():
        while not stop.is_set():
            for path in chunks[::2]:
                data = path.read_bytes()
                path.unlink()
                temporary = path.with_name(path.name + ".tmp_AbCdEf")
                store.file(temporary, data)
                temporary.rename(path)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _round in range(5):
            facts = walk(store)
            counts = facts.chunks
            assert (facts.complete, counts.errors, counts.wrong_owner, counts.foreign) == (True, 0, 0, {})
            assert counts.files + counts.vanished >= 150
    finally:
        stop.set()
        thread.join()


def test_a_prefix_directory_that_vanishes_is_counted(chunk_store, monkeypatch):
    store = chunk_store(prefixes=4, chunks=4, zero_chunk=False)
    real = chunk_walk_module.open_inside
    gone = sorted(store.chunks.iterdir())[1]

    def open_inside(name, dir_fd):
        fd = real(name, dir_fd)
        if name == gone.name:
            for path in gone.iterdir():
                path.unlink()
            gone.rmdir()
        return fd

    monkeypatch.setattr(chunk_walk_module, "open_inside", open_inside)
    facts = walk(store, workers=1)
    assert facts.complete
    assert facts.chunks.files == 3


@pytest.fixture
def small_fault_store(faultfs, walk_only):
    """A datastore with two prefix directories on a filesystem with faults."""
    walk_only(range(16))
    mount = faultfs()
    store = make_chunk_store(mount.path / "store", prefixes=1, zero_chunk=False)
    store.add_prefixes([1])
    store.add_chunks(2)
    return mount, store


def test_a_walk_that_gets_no_answer_is_given_up_and_says_where(small_fault_store):
    mount, store = small_fault_store
    victim = (store.chunks / "0001").relative_to(mount.path)
    os.listdir(store.chunks)
    mount.set(f"hang:/{victim}")
    facts = walk(store, stall=4.0)
    mount.set("ok")
    assert not facts.complete
    assert facts.stuck == f"{mount.path / victim}: no answer"


def test_all_walks_over_a_datastore_have_one_limit(chunk_store):
    store = chunk_store(prefixes=1)
    limit = TimeLimit(0.001)
    time.sleep(0.01)
    facts = walk(store, limit=limit)
    assert not facts.complete
    assert "not done within the limit for one datastore (0.001 s)" in facts.stuck


@pytest.mark.parametrize("max_paths", [0, 1])
def test_what_cannot_be_opened_makes_the_answer_incomplete_however_many_examples(chunk_store, max_paths):
    store = chunk_store(prefixes=8, chunks=20)
    closed = min(store.chunks.iterdir())
    os.chown(closed, 0, 0)
    closed.chmod(0o700)
    facts = walk(store, max_paths=max_paths, as_owner=True)
    assert facts.skeleton.errors + facts.chunks.errors == 1
    assert not facts.complete
    assert (f"{closed}: EACCES" if max_paths else "files or directories that could not be checked: 1") in facts.stuck


@pytest.mark.parametrize("fault", ["errno:EIO@readdir", "errno:ESTALE@readdir", "readdir-loop"])
def test_what_cannot_be_listed_makes_the_answer_incomplete(small_fault_store, fault):
    mount, store = small_fault_store
    mount.set(fault)
    facts = walk(store)
    assert not facts.complete
    assert ("ELOOP" if fault == "readdir-loop" else fault[6:].partition("@")[0]) in facts.stuck


def test_progress_arrives_and_ends_at_the_whole(chunk_store):
    store = chunk_store(prefixes=64, chunks=100)
    seen = []
    uid, gid = backup_ids()
    os.chown(store.zero_chunk, 0, 0)
    facts = observe_ownership(WalkPlan(str(store.path), uid, gid), seen.append)
    assert facts.complete
    assert (seen[-1].prefixes, seen[-1].prefixes_total) == (65536, 65536)
    assert (seen[-1].files, seen[-1].wrong) == (101, 1)
    assert [progress.prefixes for progress in seen] == sorted(progress.prefixes for progress in seen)
