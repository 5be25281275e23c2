# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Beside a working PBS.

A process of the user backup does to the datastore what PBS does (tests/support/pbs/proxy.py): it inserts, touches and
deletes chunks, makes and prunes snapshots, collects garbage. It checks every chunk's content against its name, and
reports whatever it meets that it would not have met without us. Needs root.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import stat
import subprocess
import sys

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._manage.ownership import RepairPlan, repair
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.ownership import WalkPlan, observe_ownership
from ansible_collections.fleetops.pbs.plugins.module_utils._preflight import preflight
from ansible_collections.fleetops.pbs.tests.support.findings import finding, valid
from ansible_collections.fleetops.pbs.tests.support.lock_watch import lock_watch
from ansible_collections.fleetops.pbs.tests.support.options import PREFLIGHT_OPTIONS
from ansible_collections.fleetops.pbs.tests.support.pbs.client import as_backup, pbs_daemon
from ansible_collections.fleetops.pbs.tests.support.pbs.proxy import fill
from ansible_collections.fleetops.pbs.tests.support.pbs.store import ZERO_DIGEST, backup_ids, make_chunk_store

pytestmark = pytest.mark.root

WEEK = 7 * 86400  # seconds

TREES = ("skeleton", "chunks", "metadata")

# What is wrong about chunks after somebody has restored or copied them as root.
WRONGS = (
    {"uid": 0, "gid": 0},
    {"uid": 0, "gid": 0, "mode": 0o600},
    {"uid": 1000, "gid": 1000, "mode": 0o640},
    {"gid": 0},
    {"mode": 0o400},
    {"mode": 0o000},
)


def make_wrong(path, wrong):
    os.chown(path, wrong.get("uid", -1), wrong.get("gid", -1))
    if "mode" in wrong:
        path.chmod(wrong["mode"])


def audit(store, **more):
    uid, gid = backup_ids()
    return observe_ownership(WalkPlan(os.fspath(store), uid, gid, (gid,), **more))


def repair_store(store, **more):
    uid, gid = backup_ids()
    return repair(RepairPlan(os.fspath(store), uid, gid, **more))


def document(store, tmp_path, check_mode=False, **more):
    (tmp_path / "etc").mkdir(mode=0o700, exist_ok=True)
    (tmp_path / "etc/datastore.cfg").write_text(f"datastore: tank\n\tpath {store.path}\n")
    params = {
        **PREFLIGHT_OPTIONS,
        "deadline": 60.0,
        "config_dir": str(tmp_path / "etc"),
        "state_dir": str(tmp_path / "state"),
        "run_dir": str(tmp_path / "run"),
    }
    return valid(preflight({**params, **more}, check_mode).document)


@pytest.fixture
def store(loopfs):
    """A datastore on ext4 that moves every access time it can, with chunks in use, and some that nothing needs."""
    store = make_chunk_store(loopfs("ext4", "strictatime", mkfs=["-N", "60000"]), prefixes=64)
    fill(store, 400, seed=1)
    fill(store, 100, seed=2, age=WEEK)
    return store


# --- a walk and a preflight beside it ---------------------------------------------------------------------------------


def test_audit_and_preflight_beside_a_working_pbs(campaign, store, tmp_path):
    trial = campaign(
        "backups, verification, pruning and garbage collection go on during walks and preflights",
        "PBS meets no error, no chunk is lost or changed, `.lock` is neither opened nor locked, and what is right is "
        "not called wrong",
    )
    with pbs_daemon(store, seed=3) as daemon, lock_watch(store.path / ".lock") as watch:
        vanished = 0
        for _number in trial.rounds(2, 60):
            daemon.begin(operations=1000)
            facts = audit(store)
            found = document(store, tmp_path)
            daemon.end()
            watch.read()
            assert daemon.errors == []
            assert facts.complete, facts.stuck
            trees = [getattr(facts, tree) for tree in TREES]
            assert [tree.examples for tree in trees] == [{}, {}, {}]
            vanished += sum(tree.vanished for tree in trees)
            for control in ("ATIME-01", "ATIME-02", "ATIME-03", "OWNER-01", "OWNER-03", "OWNER-04", "OWNER-05"):
                judged = finding(found, f"PBS-{control}", "tank")
                assert judged["status"] == "pass", judged
            assert finding(found, "PBS-MOUNT-13", "tank")["status"] == "pass"
        # How far garbage collection has come by now is a matter of processors; it is to have had its turn.
        for _more in range(20):
            if daemon.done.get("garbage collections", 0) >= 1 and daemon.done.get("chunks swept", 0) >= 100:
                break
            daemon.begin(operations=1000)
            audit(store)
            daemon.end()
        left = daemon.inspect()
        assert daemon.errors == []
        assert daemon.done["garbage collections"] >= 1
        assert daemon.done["chunks swept"] >= 100
        watch.read()
        assert watch.openers <= {daemon.pid}
        assert watch.lockers == {daemon.pid}
    trial.saw("operations of PBS, without one error", daemon.operations)
    for what, times in daemon.done.items():
        trial.saw(what, times)
    trial.saw("chunks there at the end, each with its content", left["chunks"])
    trial.saw("names that were gone when a walk came to them", vanished)
    trial.saw("looks at the kernel's list of locks", watch.looks)


# --- what backups need, beside it --------------------------------------------------------------------------------------


def test_no_chunk_is_called_missing_beside_a_working_pbs(campaign, store):
    trial = campaign(
        "backups, pruning and garbage collection go on while index files are read and compared with the chunks",
        "no chunk is called missing or damaged, no index file or manifest broken, and every look comes to its end",
    )
    program = [sys.executable, "-m", "ansible_collections.fleetops.pbs.tests.support.look_again", os.fspath(store)]
    with pbs_daemon(store, seed=7) as daemon:
        daemon.begin(operations=3000)
        daemon.end()
        for _number in trial.rounds(4, 200):
            daemon.begin(operations=1000)
            looks = subprocess.run([*program, "50"], check=False, capture_output=True, text=True)
            daemon.end()
            assert daemon.errors == []
            assert looks.returncode == 0, looks.stderr[-3000:]
            for what, times in json.loads(looks.stdout).items():
                trial.saw(what, times)
        left = daemon.inspect()
        assert daemon.errors == []
        assert daemon.done["garbage collections"] >= 1
        assert daemon.done["snapshots pruned"] >= 1
    trial.saw("operations of PBS, without one error", daemon.operations)
    for what, times in daemon.done.items():
        trial.saw(what, times)
    trial.saw("chunks there at the end, each with its content", left["chunks"])


# --- a repair beside it -----------------------------------------------------------------------------------------------


def test_repair_beside_a_working_pbs(campaign, store):
    trial = campaign(
        "chunks get wrong owners and modes, and are repaired while PBS works on them",
        "PBS is refused nothing after the repair, before it only what was wrong; no chunk is lost or changed; `.lock` "
        "is neither opened nor locked",
    )
    rng = random.Random(4)
    changed = 0
    with lock_watch(store.path / ".lock") as watch:
        for number in trial.rounds(2, 60):
            chunks = sorted(path for path in store.chunks.glob("*/*") if len(path.name) == 64)
            chosen = rng.sample(chunks, len(chunks) // 3)
            for path in chosen:
                make_wrong(path, rng.choice(WRONGS))
            # These hinder nobody yet: in a directory of its own, and with rights for everybody.
            for path in sorted(store.path.glob("*/**/*.fidx"))[:3]:
                os.chown(path, 0, 0)
            for path in rng.sample(sorted(store.chunks.iterdir()), 3):
                os.chown(path, -1, 0)
            if number % 2:
                os.chown(store.path / ".lock", 0, 0)
                os.chmod(store.path / ".lock", 0o600)
                assert repair_store(store, scope="skeleton").complete
            with pbs_daemon(store, seed=number, foreign={path.name for path in chosen}) as daemon:
                daemon.begin(operations=500)
                for _attempt in range(2):
                    facts = repair_store(store)
                    assert facts.complete, facts.stopped
                    assert facts.counts.refused == {}
                    changed += facts.counts.changed
                daemon.end()
                assert daemon.errors == []
                assert facts.counts.changed == 0
                daemon.repaired()
                daemon.begin(operations=500)
                assert repair_store(store).counts.changed == 0
                daemon.end()
                daemon.inspect()
                assert daemon.errors == []
                trial.saw("operations of PBS, without an unexpected error", daemon.operations)
                for what, times in daemon.done.items():
                    trial.saw(what, times)
                watch.read()
                assert watch.openers <= {daemon.pid}
                assert watch.lockers <= {daemon.pid}
            watch.openers.clear()
            watch.lockers.clear()
    assert changed > 100
    trial.saw("owners and modes repaired", changed)
    trial.saw("looks at the kernel's list of locks", watch.looks)


# --- the lock itself --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["garbage collection", "backup"])
def test_the_lock_stays_with_who_has_it(campaign, store, tmp_path, kind):
    trial = campaign(
        f"a {kind} holds `.lock` and another process waits for it, during walk, preflight and repair",
        "who holds it keeps it, who waits is served next, and no other process opens `.lock` or locks it",
    )
    lock = store.path / ".lock"

    def wait_for_it():
        fd = os.open(lock, os.O_RDWR)
        fcntl.lockf(fd, fcntl.LOCK_EX)
        os._exit(7)

    with pbs_daemon(store) as daemon:
        for number in trial.rounds(1, 30):
            daemon.hold(exclusive=kind == "garbage collection")
            with lock_watch(lock) as watch, as_backup(wait_for_it) as waiter:
                watch.wait_for_waiter(waiter)
                watch.read()
                assert watch.openers <= {waiter}
                assert audit(store).complete
                document(store, tmp_path)
                # The repair changes its owner and its mode, and that, too, without opening it.
                wrong = WRONGS[number % len(WRONGS)]
                make_wrong(lock, wrong)
                facts = repair_store(store)
                assert (facts.complete, facts.counts.changed) == (True, 1)
                status = lock.stat()
                assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (*backup_ids(), 0o644)
                assert watch.held_by() == {daemon.pid}
                assert os.waitpid(waiter, os.WNOHANG) == (0, 0)
                watch.read()
                assert watch.openers <= {waiter}
                assert watch.lockers == {daemon.pid, waiter}
                daemon.release()
                assert daemon.errors == []
                assert os.waitstatus_to_exitcode(os.waitpid(waiter, 0)[1]) == 7
                trial.saw("looks at the kernel's list of locks, none with another process", watch.looks)
            trial.saw("kept, then passed on to who waited")


# --- times ------------------------------------------------------------------------------------------------------------


def everything(store):
    """All that a look can change, by path: times, owner, mode, size, inode. Looking at it changes nothing itself."""
    found = {}

    def look(path, parent, name):
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        found[path] = {key: getattr(status, key) for key in dir(status) if key.startswith("st_")}
        if not stat.S_ISDIR(status.st_mode):
            return
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NOATIME, dir_fd=parent)
        try:
            for below in os.listdir(fd):
                look(f"{path}/{below}", fd, below)
        finally:
            os.close(fd)

    look("", None, os.fspath(store.path))
    return found


def changes(before, after):
    """The paths that are not as they were, with what differs."""
    return {
        path: sorted(key for key in before[path] if before[path][key] != after[path][key])
        for path in before
        if before[path] != after.get(path)
    } | {path: ["new"] for path in after.keys() - before.keys()}


def strange_things(store, rng):
    """What a walk may find: of other owners, unreadable, of other kinds, half-made, broken."""
    chunks = sorted(path for path in store.chunks.glob("*/*") if path.is_file() and len(path.name) == 64)
    for path in rng.sample(chunks, 40):
        make_wrong(path, rng.choice(WRONGS))
    prefix = rng.choice(chunks).parent
    prefix.joinpath("stray").symlink_to(rng.choice(chunks))
    os.mkfifo(prefix / "pipe")
    os.link(rng.choice(chunks), prefix / ("c" * 64 + ".0.bad"))
    store.file(prefix / ("d" * 64 + ".tmp_AbCdEf"), b"half")
    store.file(prefix / ("e" * 64), b"")
    store.file(prefix / "\x1b[31m\n", b"")
    snapshot = store.add_snapshot("vm/%d" % rng.randrange(10**6))
    make_wrong(snapshot / "index.json.blob", rng.choice(WRONGS))
    snapshot.joinpath("link.fidx").symlink_to("/etc/passwd")
    store.directory(store.path / ("stray%d" % rng.randrange(10**6)), 0o700)
    store.file(store.path / ".gc-status", b'{"upid":null,"index-file-count":2}')
    then = 10**9 * rng.randrange(10**9, 17 * 10**8)
    for path in store.path.rglob("*"):
        os.utime(path, ns=(then, then + 10**9), follow_symlinks=False)
    return [prefix / "stray", prefix / "pipe", prefix / ("c" * 64 + ".0.bad"), prefix / "\x1b[31m\n"]


def unexpected(moved):
    """Without the access time of a link in place of an index file: following it moves it, and GC follows it, too."""
    return {path: what for path, what in moved.items() if not (path.endswith("/link.fidx") and what == _ATIME)}


_ATIME = ["st_atime", "st_atime_ns"]


def test_no_time_of_anything_moves(campaign, store, tmp_path):
    trial = campaign(
        "walks of every scope, preflights in check mode and in earnest, and repairs, on a mount with strictatime",
        "an audit moves no time of anything but the access time of a link in place of an index; "
        "a preflight those of the zero chunk and of the directory that its probe "
        "was in; a repair no atime and no mtime",
    )
    rng = random.Random(5)
    probed = f"/.chunks/{ZERO_DIGEST[:4]}"
    for number in trial.rounds(1, 12):
        for path in strange_things(store, rng):
            if number % 2:
                path.unlink()
        before = everything(store)
        audit(store, scope=("full", "sample", "skeleton")[number % 3], workers=1 + number % 4)
        document(store, tmp_path, check_mode=True)
        assert repair_store(store, dry=True).complete
        assert unexpected(changes(before, everything(store))) == {}
        trial.saw("objects whose times, owner, mode and inode stayed through audits", len(before))

        document(store, tmp_path, scope="full" if number % 2 else "sample")
        after = everything(store)
        moved = unexpected(changes(before, after))
        assert set(moved) == {probed, f"{probed}/{ZERO_DIGEST}"}
        assert moved[f"{probed}/{ZERO_DIGEST}"] == ["st_atime", "st_atime_ns", "st_ctime", "st_ctime_ns"]
        # Making and removing a file moves these two of its directory.
        assert moved[probed] == ["st_ctime", "st_ctime_ns", "st_mtime", "st_mtime_ns"]
        trial.saw("objects whose times stayed through a preflight", len(before) - 2)

        facts = repair_store(store)
        repaired = changes(after, everything(store))
        assert len(repaired) == facts.counts.changed > 0
        for path, what in repaired.items():
            assert not {key for key in what if key.startswith(("st_atime", "st_mtime"))}, path
        trial.saw("objects that a repair changed, atime and mtime as before", len(repaired))
