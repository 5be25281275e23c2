# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.tests.support import mounts
from ansible_collections.fleetops.pbs.tests.support.faults import FaultyMount
from ansible_collections.fleetops.pbs.tests.support.pbs.host import FakeHost
from ansible_collections.fleetops.pbs.tests.support.pbs.store import ChunkStore, backup_ids
from ansible_collections.fleetops.pbs.tests.unit.plugins.module_utils.provisioning import datastore, four_times

pytestmark = pytest.mark.root

Disk = Callable[..., Path]


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path / "host")


@pytest.fixture
def disk(loopfs: Callable[..., Path]) -> Disk:
    """`path = disk()`: an empty filesystem that has room for a datastore; `inodes` for one that has none."""

    def make(inodes: int = 80000) -> Path:
        # Small blocks: a directory takes one.
        mkfs = ["-b", "1024", "-N", str(inodes), "-m", "0", "-O", "^has_journal"]
        return loopfs("ext4", mkfs=mkfs, size=480 * mounts.MIB)

    return make


@pytest.fixture
def tank(host: FakeHost) -> FakeHost:
    """A host with a datastore `tank` in its configuration, and nothing behind it."""
    configure(host, "datastore: tank\n\tcomment hello world\n\tpath /mnt/tank\n")
    return host


def configure(host: FakeHost, text: str, name: str = "datastore.cfg") -> None:
    (host.etc / name).write_text(text)


def refusal(action: Callable[[bool], Any], check: bool = False) -> str:
    with pytest.raises(CollectionError) as caught:
        action(check)
    return str(caught.value)


def tree(path: Path) -> dict[str, tuple[Any, ...]]:
    """Everything below a directory, with owners, modes, times and contents."""
    found = {}
    for top, directories, files in os.walk(path):
        for name in [*directories, *files]:
            entry = Path(top, name)
            status = entry.lstat()
            content = entry.read_bytes() if entry.is_file() else None
            times = (status.st_mtime_ns, status.st_ctime_ns)
            found[str(entry.relative_to(path))] = (status.st_uid, status.st_gid, status.st_mode, times, content)
    return found


# --- adding -----------------------------------------------------------------------------------------------------------


def test_an_empty_directory_becomes_a_datastore(host: FakeHost, disk: Disk) -> None:
    path = disk()
    done = four_times(
        host,
        datastore(
            host,
            name="tank",
            path=f"{path}/",
            comment="Main store, second",
            gc_schedule="sat 03:00",
            verify_new=True,
            tuning={"gc_atime_cutoff": 2880, "chunk_order": "none", "gc_atime_safety_check": True},
            notify={"gc": "error", "verify": "always"},
            maintenance_mode={"type": "read-only", "text": 'a, "b" = 50%'},
        ),
    )
    assert done["decision"] == "create"
    assert done["commands"] == [
        [
            *(str(host.manager), "datastore", "create", "tank", str(path)),
            *("--comment", "Main store, second", "--gc-schedule", "sat 03:00"),
            *("--maintenance-mode", "read-only,message=a%2C %22b%22 %3D 50%25"),
            *("--notify", "gc=error,verify=always", "--tuning", "chunk-order=none,gc-atime-cutoff=2880"),
            *("--verify-new", "true"),
        ]
    ]
    assert done["log"] == ["Access time update check successful.", "TASK OK"]
    assert (path / ".chunks" / "ffff").is_dir()


def test_a_path_below_what_exists(host: FakeHost, disk: Disk) -> None:
    top = disk()
    host.configure(prefixes=16)
    done = datastore(host, name="tank", path=str(top / "a" / "b"))(False)
    assert done["decision"] == "create"
    assert (top / "a" / "b").stat().st_uid == backup_ids()[0]


def test_a_store_that_pbs_does_not_know_is_adopted_as_it_is(
    host: FakeHost, whole_store: Callable[..., ChunkStore]
) -> None:
    store = whole_store()
    chunks = store.add_chunks(50)
    store.add_snapshot()
    before = tree(store.path)
    atimes = [chunk.stat().st_atime_ns for chunk in chunks]
    done = four_times(host, datastore(host, name="tank", path=str(store.path)))
    assert done["decision"] == "reuse"
    assert done["commands"][0][-2:] == ["--reuse-datastore", "true"]
    assert [chunk.stat().st_atime_ns for chunk in chunks] == atimes
    after = tree(store.path)
    # The directory of the zero chunk had our private file in it for a moment, and the zero chunk was touched, by PBS too.
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {".chunks/bb9f", str(store.zero_chunk.relative_to(store.path))}
    assert set(after) == set(before)


def test_what_a_failed_creation_left_is_completed_and_adopted(host: FakeHost, disk: Disk) -> None:
    top = disk()
    path = top / "tank"
    free = os.statvfs(top).f_bavail
    with (top / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, (free - 4000) * 1024)
    failed = subprocess.run(
        [host.manager, "datastore", "create", "tank", path], capture_output=True, text=True, check=False
    )
    assert failed.returncode == 255
    assert "ENOSPC" in failed.stdout
    (top / "filler").unlink()
    # Where PBS was interrupted, a directory may not be handed over yet.
    os.chown(path / ".chunks" / "0010", 0, 0)
    done = four_times(host, datastore(host, name="tank", path=str(path)))
    assert done["decision"] == "complete"
    assert done["completed"] > 60000
    uid, gid = backup_ids()
    for prefix in (path / ".chunks").iterdir():
        status = prefix.stat()
        assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (uid, gid, 0o750)


@pytest.mark.parametrize(
    "damage",
    [
        lambda chunks: None,
        lambda chunks: os.chown(chunks, 0, 0),
        lambda chunks: (os.chown(chunks, 0, 0), chunks.chmod(0o700)),
        lambda chunks: (os.chown(chunks, 0, 0), chunks.chmod(0o700), (chunks / "secret").touch()),
        lambda chunks: (chunks / "0010").touch(),
        lambda chunks: (chunks / "0010").symlink_to("/etc"),
        lambda chunks: ((chunks / "0010").mkdir(mode=0o700), (chunks / "0010" / "secret").touch()),
        lambda chunks: (chunks.parent / ".lock").mkdir(),
        lambda chunks: chunks.parent.chmod(0o1777),
    ],
    ids=[
        *("nothing but .chunks", "of root", "closed", "closed, with a file of somebody", "a file for a directory"),
        *("a link", "a closed directory with a file", ".lock is a directory", "everybody may write"),
    ],
)
def test_check_mode_decides_as_a_run_does(host: FakeHost, disk: Disk, damage: Callable[[Path], Any]) -> None:
    path = disk() / "tank"
    chunks = path / ".chunks"
    chunks.mkdir(parents=True, mode=0o750)
    for directory in (path, chunks):
        os.chown(directory, *backup_ids())
    damage(chunks)
    action = datastore(host, name="tank", path=str(path))

    def outcome(check: bool) -> tuple[str, Any]:
        try:
            result = action(check)
        except CollectionError as exc:
            return "refused", str(exc)
        return result["decision"], result["completed"]

    before = tree(path)
    predicted = outcome(check=True)
    assert tree(path) == before
    assert outcome(check=False) == predicted


@pytest.mark.parametrize("path", ["", "/.chunks"])
def test_check_mode_needs_the_daemons_as_a_run_does(host: FakeHost, disk: Disk, path: str) -> None:
    top = disk() / "tank"
    (top / path.strip("/")).mkdir(parents=True)
    for directory in sorted({top, top / path.strip("/")}):
        os.chown(directory, *backup_ids())
    host.daemons("none")
    action = datastore(host, name="tank", path=str(top))
    for check in (True, False):
        assert "client error (Connect)" in refusal(action, check)


def test_check_mode_of_an_update_needs_the_daemons_too(tank: FakeHost) -> None:
    tank.daemons("none")
    action = datastore(tank, name="tank", comment="other")
    for check in (True, False):
        assert "client error (Connect)" in refusal(action, check)


def test_backups_in_a_half_made_store_are_a_warning(host: FakeHost, whole_store: Callable[..., ChunkStore]) -> None:
    store = whole_store()
    store.add_snapshot()
    (store.chunks / "1234").rmdir()
    done = datastore(host, name="tank", path=str(store.path))(False)
    assert (done["decision"], done["completed"]) == ("complete", 1)
    assert any("verify the datastore" in warning for warning in done["warnings"])


def test_backups_in_a_store_that_lacks_only_its_lock_are_not_said_to_be_lost(
    host: FakeHost, whole_store: Callable[..., ChunkStore]
) -> None:
    store = whole_store()
    store.add_snapshot()
    (store.path / ".lock").unlink()
    done = datastore(host, name="tank", path=str(store.path))(False)
    assert done["decision"] == "complete"
    assert not any("lost" in warning for warning in done["warnings"])


def test_where_atime_is_not_honoured_nothing_is_left_behind(
    host: FakeHost, faultfs: Callable[..., FaultyMount]
) -> None:
    mount = faultfs("ignore")
    action = datastore(host, name="tank", path=str(mount.path))
    message = refusal(action)
    assert "PBS-ATIME-01" in message
    assert "PBS was not called" in message
    assert os.listdir(mount.path) == []
    assert host.config() == ""


def test_a_store_that_root_has_spoilt_is_not_adopted(host: FakeHost, whole_store: Callable[..., ChunkStore]) -> None:
    store = whole_store()
    os.chown(store.zero_chunk, 0, 0)
    assert "PBS-ATIME-03" in refusal(datastore(host, name="tank", path=str(store.path)))
    os.chown(store.zero_chunk, *backup_ids())
    os.chmod(store.path, 0o700)
    (store.chunks / "0abc").chmod(0o755)
    message = refusal(datastore(host, name="tank", path=str(store.path)))
    assert "2 of its directories" in message
    assert "0abc" in message
    assert "chmod 0755" in message
    assert host.config() == ""


def test_two_on_one_host_one_after_the_other(host: FakeHost, disk: Disk) -> None:
    """The second asks while the first is still being created, and waits for its lock."""
    host.configure(prefixes=64, slow=1.5, lock_wait=0.1)
    top = disk()
    results: dict[str, Any] = {}

    def create(name: str) -> None:
        results[name] = datastore(host, name=name, path=str(top / name))(False)

    threads = [threading.Thread(target=create, args=(name,)) for name in ("first", "second")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["first", "second"]
    assert "datastore: first" in host.config()
    assert "datastore: second" in host.config()


def test_reuse_can_be_forbidden_and_demanded(host: FakeHost, whole_store: Callable[..., ChunkStore]) -> None:
    store = whole_store()
    assert "reuse: false" in refusal(datastore(host, name="tank", path=str(store.path), reuse=False))
    empty = store.path / "empty"
    empty.mkdir()
    assert "reuse: true" in refusal(datastore(host, name="tank", path=str(empty), reuse=True))


def test_pbs_checks_by_itself_where_it_is_told_to(host: FakeHost, faultfs: Callable[..., FaultyMount]) -> None:
    host.configure(prefixes=16)
    mount = faultfs("ignore")
    message = refusal(datastore(host, name="tank", path=str(mount.path), probe="none"))
    assert "access time safety check failed" in message
    assert "Usage" not in message
    # What PBS has left behind is not taken away.
    assert (mount.path / ".chunks").is_dir()


def test_a_removable_datastore(host: FakeHost) -> None:
    """What is on a device that is not mounted, only the user knows."""
    uuid = "0a1b2c3d-0000-4000-8000-000000000001"
    action = datastore(host, name="usb1", path="backups/usb1", backing_device=uuid, gc_on_unmount=True)
    assert action(True)["commands"] == [
        [
            *(str(host.manager), "datastore", "create", "usb1", "backups/usb1"),
            *("--gc-on-unmount", "true", "--backing-device", uuid),
        ]
    ]
    action = datastore(host, name="usb1", path="backups/usb1", backing_device=uuid, reuse=True)
    assert action(True)["commands"][0][-2:] == ["--reuse-datastore", "true"]
    action = datastore(host, name="usb1", path="/backups", backing_device=uuid)
    assert "relative to the device" in refusal(action)
    configure(host, f"datastore: usb1\n\tbacking-device {uuid}\n\tpath backups/usb1\n")
    assert datastore(host, name="usb1", path="backups/usb1/", backing_device=uuid)(True)["changed"] is False
    assert datastore(host, name="usb1", gc_on_unmount=True)(True)["changed"] is True


def test_a_bucket(host: FakeHost) -> None:
    backend = {"type": "s3", "client": "ep1", "bucket": "bkt", "max_cache_size": "64GiB"}
    action = datastore(host, name="cold", path="/var/cache/cold", backend=backend, overwrite_in_use=True)
    assert action(True)["commands"][0][5:] == [
        *("--backend", "s3,bucket=bkt,client=ep1,max-cache-size=64GiB"),
        *("--overwrite-in-use", "true"),
    ]
    configure(
        host,
        "datastore: cold\n\tbackend type=s3,client=ep1,bucket=bkt,max-cache-size=64GiB\n\tpath /var/cache/cold\n",
    )
    assert action(True)["changed"] is False


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "ab"}, "name: 'ab'"),
        ({"name": "-x;reboot"}, "name: '-x;reboot'"),
        ({"path": "relative"}, "not an absolute path"),
        ({"path": "/"}, "root directory"),
        ({"path": "/mnt/.hidden"}, "begins with a dot"),
        ({"gc_schedule": "nonsense"}, "gc_schedule: 'nonsense'"),
        (
            {"tuning": {"gc_atime_cutoff": 2881}},
            "tuning.gc_atime_cutoff: '2881' is not allowed; allowed: a whole number",
        ),
        ({"tuning": {"sync_level": "sometimes"}}, "tuning.sync_level: 'sometimes' is not allowed; allowed: none, file"),
        ({"tuning": {"bogus": 1}}, "tuning.bogus: this key does not exist; allowed: chunk_order"),
        ({"comment": "a\nb"}, r"comment: 'a\x0ab' is not allowed; allowed: one line"),
        ({"comment": "x" * 129}, "at most 128"),
        ({"notify_user": "nobody"}, "a user such as admin@pbs"),
        ({"maintenance_mode": {"type": "read-only", "text": "x" * 65}}, "at most 64"),
        ({"unset": ["path"]}, "unset: 'path'"),
        (
            {"comment": "x", "unset": ["comment"]},
            "comment: has a value and is also listed in unset; remove one of the two",
        ),
        ({"destroy_data": "tank"}, "only with state: absent"),
        ({"destroy_data": "tanks", "state": "absent"}, "repeat its name exactly"),
        ({"backing_device": "0A1B"}, "backing_device: '0A1B'"),
        ({"backend": {"type": "s3"}}, "missing option client, bucket"),
        ({"gc_on_unmount": True}, "removable"),
        ({"lock_timeout": 0}, "lock_timeout: must be more than 0"),
        ({"user": "nosuchuser"}, "no user 'nosuchuser'"),
    ],
)
def test_bad_options_are_named_before_anything_is_done(host: FakeHost, options: dict[str, Any], words: str) -> None:
    message = refusal(datastore(host, **{"name": "tank", "path": "/mnt/nowhere", **options}), check=True)
    assert words in message
    assert host.config() == ""


def test_foreign_content_is_named(host: FakeHost, tmp_path: Path) -> None:
    path = tmp_path / "tank"
    path.mkdir()
    (path / "photos").mkdir()
    (path / "evil\x1b[31m").touch()
    message = refusal(datastore(host, name="tank", path=str(path)))
    assert "neither empty nor a chunk store" in message
    assert r"evil\x1b[31m, photos" in message


def test_a_file_is_no_directory(host: FakeHost, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        assert "not a directory" in refusal(datastore(host, name="tank", path=str(path)))


@pytest.mark.parametrize("below", ["", "sub", ".."])
def test_nested_by_the_text(tank: FakeHost, below: str) -> None:
    path = os.path.normpath(f"/mnt/tank/{below}")
    assert "are nested" in refusal(datastore(tank, name="second", path=path))


def test_the_same_directory_by_another_name(
    host: FakeHost, tmp_path: Path, bind: Callable[..., Path], chunk_store: Callable[..., ChunkStore]
) -> None:
    store = chunk_store(prefixes=16)
    configure(host, f"datastore: first\n\tpath {store.path}\n")
    link = tmp_path / "link"
    link.symlink_to(store.path)
    other = bind(store.path)
    inside = store.path / "inside"
    inside.mkdir()
    part = bind(inside)
    for path in (link, other, part):
        assert "PBS-MOUNT-12" in refusal(datastore(host, name="second", path=str(path)), check=True)


def test_a_parent_that_the_daemon_cannot_enter(host: FakeHost, disk: Disk) -> None:
    top = disk()
    (top / "private").mkdir(mode=0o700)
    message = refusal(datastore(host, name="tank", path=str(top / "private" / "tank")))
    assert str(top / "private") in message


def test_too_few_inodes(host: FakeHost, disk: Disk) -> None:
    path = disk(inodes=1000)
    assert "65,537" in refusal(datastore(host, name="tank", path=str(path)))
    assert os.listdir(path) == ["lost+found"]


def test_a_path_that_does_not_answer(host: FakeHost, faultfs: Callable[..., FaultyMount]) -> None:
    mount = faultfs("delay:30")
    assert "did not answer within 0.5 s" in refusal(datastore(host, name="tank", path=str(mount.path), deadline=0.5))


# --- changing ---------------------------------------------------------------------------------------------------------


def test_a_change_is_what_differs(tank: FakeHost) -> None:
    done = four_times(tank, datastore(tank, name="tank", comment="another one", gc_schedule="daily"))
    assert done["commands"][0][1:-2] == [
        *("datastore", "update", "tank", "--comment", "another one", "--gc-schedule", "daily")
    ]
    assert done["commands"][0][-2] == "--digest"
    assert done["diff"]["before"] == "comment hello world\npath /mnt/tank\n"
    assert done["diff"]["after"] == "comment another one\ngc-schedule daily\npath /mnt/tank\n"


def test_unsetting(tank: FakeHost) -> None:
    configure(tank, "datastore: tank\n\tcomment x\n\tgc-schedule daily\n\tpath /mnt/tank\n\ttuning sync-level=file\n")
    done = four_times(tank, datastore(tank, name="tank", comment="", unset=["gc_schedule", "tuning"]))
    words = done["commands"][0]
    assert words[4:10] == ["--delete", "comment", "--delete", "gc-schedule", "--delete", "tuning"]


def test_keys_that_are_not_named_survive(tank: FakeHost) -> None:
    configure(
        tank, "datastore: tank\n\tpath /mnt/tank\n\ttuning sync-level=file,future-key=7,gc-atime-safety-check=0\n"
    )
    done = datastore(tank, name="tank", tuning={"gc_atime_safety_check": True})(True)
    assert done["datastore"]["tuning"] == "sync-level=file,future-key=7,gc-atime-safety-check=true"
    done = datastore(tank, name="tank", tuning={"sync_level": "none"}, unset=["tuning"])(True)
    assert done["datastore"]["tuning"] == "sync-level=none"


@pytest.mark.parametrize(
    ("stored", "declared"),
    [
        ("comment   padded  ", {"comment": "padded"}),
        ("comment two words", {"comment": " two words "}),
        ("tuning sync-level=file,chunk-order=none", {"tuning": {"chunk_order": "none", "sync_level": "file"}}),
        ("tuning gc-atime-safety-check=No", {"tuning": {"gc_atime_safety_check": False}}),
        ("tuning gc-atime-safety-check=1", {"tuning": {"gc_atime_safety_check": True}}),
        ("tuning gc-atime-cutoff=1445", {"tuning": {}}),
        ("comment x", {"comment": "x", "tuning": {"gc_atime_cutoff": 1445}, "verify_new": False}),
        ("verify-new on", {"verify_new": True}),
        ("notify verify=always,gc=error", {"notify": {"gc": "error", "verify": "always"}}),
        ("maintenance-mode type=read-only,message=hello world", {"maintenance_mode": {"type": "read-only", "text": "hello world"}}),
        ("maintenance-mode message=x,type=offline", {"maintenance_mode": {"type": "offline", "text": "x"}}),
    ],
)  # fmt: skip
def test_another_spelling_is_no_change(tank: FakeHost, stored: str, declared: dict[str, Any]) -> None:
    configure(tank, f"datastore: tank\n\tpath /mnt/tank/\n\t{stored}\n")
    action = datastore(tank, name="tank", path="/mnt/tank", **declared)
    assert [(result["changed"], result["commands"]) for result in (action(True), action(False))] == [(False, [])] * 2


def test_a_word_that_breaks_gc_is_pointed_at(tank: FakeHost) -> None:
    configure(tank, "datastore: tank\n\tpath /mnt/tank\n\ttuning sync-level=sometimes\n")
    done = datastore(tank, name="tank", tuning={"gc_atime_cutoff": 60})(True)
    assert "sync-level=sometimes" in done["warnings"][0]
    assert datastore(tank, name="tank", tuning={"sync_level": "file"})(True)["datastore"]["tuning"] == "sync-level=file"


def test_what_cannot_be_changed(tank: FakeHost) -> None:
    assert "PBS cannot move a datastore" in refusal(datastore(tank, name="tank", path="/mnt/other"), check=True)
    uuid = "0a1b2c3d-0000-4000-8000-000000000001"
    action = datastore(tank, name="tank", backing_device=uuid)
    assert "backing device none" in refusal(action, check=True)
    action = datastore(tank, name="tank", backend={"type": "s3", "client": "ep1", "bucket": "bkt"})
    assert "backend filesystem" in refusal(action, check=True)
    assert datastore(tank, name="tank", backend={"type": "filesystem"})(True)["changed"] is False


def test_a_datastore_that_is_being_deleted(tank: FakeHost) -> None:
    configure(tank, "datastore: tank\n\tmaintenance-mode delete\n\tpath /mnt/tank\n")
    assert "is being deleted" in refusal(datastore(tank, name="tank", comment="x"))


def test_another_process_changes_it_meanwhile(tank: FakeHost) -> None:
    """Between our look and our command; PBS refuses by the digest, and we look again."""
    script = tank.manager.read_text()
    tank.manager.write_text(
        script.replace(
            "exec env",
            f"if ! [ -e {tank.root}/once ]; then touch {tank.root}/once; "
            f"printf 'datastore: tank\\n\\tpath /mnt/tank\\n\\tverify-new true\\n' > {tank.etc}/datastore.cfg; fi\nexec env",
        )
    )
    done = datastore(tank, name="tank", comment="ours")(False)
    assert done["changed"]
    assert len(done["commands"]) == 1
    assert tank.config() == "datastore: tank\n\tcomment ours\n\tpath /mnt/tank\n\tverify-new true\n"


def test_pbs_does_what_it_has_refused(host: FakeHost, disk: Disk) -> None:
    """It says that it did not get its lock, and does it all the same; as was seen of an update."""
    host.configure(prefixes=16)
    once, lock = f"{host.root}/once", "Error: Unable to acquire lock"
    command = host.manager.read_text().splitlines()[1].removeprefix("exec ")
    host.manager.write_text(
        f'#!/bin/sh\nif [ "$2" = create ] && ! [ -e {once} ]; then touch {once}; {command} > /dev/null; '
        f"echo '{lock}' >&2; exit 255; fi\nexec {command}\n"
    )
    done = datastore(host, name="tank", path=str(disk()), comment="x")(False)
    assert (done["changed"], done["datastore"]["comment"]) == (True, "x")
    assert len(done["commands"]) == 1


# --- removing ---------------------------------------------------------------------------------------------------------


def test_absent_keeps_data_and_jobs(host: FakeHost, disk: Disk) -> None:
    path = disk()
    host.configure(prefixes=64)
    datastore(host, name="tank", path=str(path))(False)
    configure(host, "prune: daily-job\n\tkeep-last 2\n\tschedule daily\n\tstore tank\n", "prune.cfg")
    before = tree(path)
    done = four_times(host, datastore(host, name="tank", state="absent"))
    assert done["commands"] == [[str(host.manager), "datastore", "remove", "tank", "--keep-job-configs", "true"]]
    assert tree(path) == before
    assert "daily-job" in host.config("prune.cfg")


def test_destroying_takes_the_name_once_more(host: FakeHost, disk: Disk) -> None:
    path = disk()
    host.configure(prefixes=64)
    datastore(host, name="tank", path=str(path))(False)
    configure(host, "prune: daily-job\n\tkeep-last 2\n\tschedule daily\n\tstore tank\n", "prune.cfg")
    done = four_times(host, datastore(host, name="tank", state="absent", destroy_data="tank", keep_jobs=False))
    assert done["commands"] == [[str(host.manager), "datastore", "remove", "tank", "--destroy-data", "true"]]
    assert os.listdir(path) == ["lost+found"]
    assert host.config("prune.cfg") == ""


def test_absent_at_another_path_removes_nothing(tank: FakeHost) -> None:
    assert "Nothing was removed" in refusal(datastore(tank, name="tank", path="/mnt/other", state="absent"))
    assert "datastore: tank" in tank.config()


def test_a_store_in_use_is_not_removed(tank: FakeHost) -> None:
    operations = [{"pid": os.getpid(), "starttime": 1, "active_operations": {"read": 0, "write": 1}}]
    (tank.run / "active-operations" / "tank").write_text(json.dumps(operations))
    assert "is in use (0 reading, 1 writing" in refusal(datastore(tank, name="tank", state="absent"))
    assert "maintenance" not in tank.config()


@pytest.mark.parametrize(
    "content",
    [
        "[",
        "{}{}",
        '[{"pid": 1, "active_operations": {"read": -1, "write": 0}}]',
        '[{"pid": 1, "active_operations": {"read": 1, "write": -1}}]',
        '[{"pid": 1}]',
        '[{"pid": "1", "active_operations": {"read": 0, "write": 0}}]',
        "[1]",
        "7",
    ],
)
def test_a_store_of_which_nobody_knows_whether_it_is_in_use_is_not_removed(tank: FakeHost, content: str) -> None:
    (tank.run / "active-operations" / "tank").write_text(content)
    assert "is in use is not known" in refusal(datastore(tank, name="tank", state="absent"))
    assert "maintenance" not in tank.config()


def test_operations_that_cannot_be_read_keep_the_store(tank: FakeHost) -> None:
    (tank.run / "active-operations" / "tank").mkdir()
    assert "is in use is not known" in refusal(datastore(tank, name="tank", state="absent"))
    assert "maintenance" not in tank.config()


def test_a_removal_that_pbs_calls_a_success(tank: FakeHost) -> None:
    """It exits with 0 and leaves the datastore closed; a second removal, when it is not in use any more, ends it."""
    (tank.run / "busy-tank").touch()
    message = refusal(datastore(tank, name="tank", state="absent"))
    assert "datastore is currently in use" in message
    assert "maintenance-mode delete" in tank.config()
    (tank.run / "busy-tank").unlink()
    assert datastore(tank, name="tank", state="absent")(False)["changed"]
    assert tank.config() == ""


# --- what PBS may answer ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("running", ["api", "proxy", "none"])
def test_daemons_that_are_down(tank: FakeHost, running: str) -> None:
    tank.daemons(running)
    message = refusal(datastore(tank, name="tank", comment="x"))
    assert "client error (Connect)" in message
    assert "systemctl start" in message


def test_no_completion_without_daemons(host: FakeHost, chunk_store: Callable[..., ChunkStore]) -> None:
    store = chunk_store(prefixes=16)
    host.daemons("none")
    assert "systemctl start" in refusal(datastore(host, name="tank", path=str(store.path)))
    assert len(os.listdir(store.chunks)) == 17  # with that of the zero chunk


def test_pbs_was_never_started(host: FakeHost) -> None:
    host.etc.rmdir()
    assert "ever started" in refusal(datastore(host, name="tank", comment="x"))


def test_no_pbs_at_all(tank: FakeHost) -> None:
    assert "install proxmox-backup-server" in refusal(
        datastore(tank, name="tank", comment="x", manager="/nonexistent/manager")
    )


@pytest.fixture
def held_lock(tank: FakeHost) -> Iterator[int]:
    fd = os.open(tank.etc / ".datastore.lck", os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    yield fd
    os.close(fd)


@pytest.mark.usefixtures("held_lock")
def test_a_lock_that_is_held_too_long(tank: FakeHost) -> None:
    message = refusal(datastore(tank, name="tank", comment="x", lock_timeout=1.5))
    assert "another process has locked PBS's configuration" in message
    assert "lock_timeout (1.5 s)" in message
    assert "hello world" in tank.config()


def test_a_lock_that_is_held_for_a_moment(tank: FakeHost, held_lock: int) -> None:
    release = threading.Timer(1.0, fcntl.flock, (held_lock, fcntl.LOCK_UN))
    release.start()
    done = datastore(tank, name="tank", comment="x")(False)
    release.join()
    assert (done["changed"], len(done["commands"])) == (True, 1)


def test_a_configuration_that_pbs_cannot_read(tank: FakeHost) -> None:
    configure(tank, "datastore: tank\n\tpath /mnt/tank\nnonsense\n")
    message = refusal(datastore(tank, name="tank", comment="x"))
    assert "PBS cannot read" in message
    assert "line 3" in message


def test_options_that_this_version_lacks(tank: FakeHost, whole_store: Callable[..., ChunkStore]) -> None:
    tank.configure(version="3.4.2-1")
    action = datastore(tank, name="tank", tuning={"default_verification_workers": 8}, counter_reset_schedule="daily")
    message = refusal(action, check=True)
    assert "counter_reset_schedule requires PBS 4.1.7 or later, this host has 3.4.2-1" in message
    assert "tuning.default_verification_workers requires PBS 4.0.22 or later" in message
    assert "--reuse-datastore" in refusal(datastore(tank, name="other", path=str(whole_store().path)), check=True)


def test_a_user_without_rights(tank: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "become: true" in refusal(datastore(tank, name="tank", comment="x"))


def test_a_task_that_takes_too_long(host: FakeHost, disk: Disk) -> None:
    host.configure(prefixes=16, slow=20)
    began = time.monotonic()
    message = refusal(datastore(host, name="tank", path=str(disk()), timeout=1.0))
    assert "continues in PBS" in message
    assert time.monotonic() - began < 19
