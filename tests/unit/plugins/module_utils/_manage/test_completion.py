# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._manage import completion
from ansible_collections.fleetops.pbs.plugins.module_utils._manage.completion import (
    StoreError,
    check_reuse,
    complete_store,
)
from ansible_collections.fleetops.pbs.tests.support.faults import FaultyMount
from ansible_collections.fleetops.pbs.tests.support.pbs.store import ChunkStore, backup_ids

pytestmark = pytest.mark.root


def complete(store: ChunkStore | Path) -> int:
    return complete_store(os.fspath(store), *backup_ids(), 30, 600.0)


def test_what_is_missing_is_made_and_nothing_else(whole_store: Callable[..., ChunkStore]) -> None:
    store = whole_store()
    chunk = store.add_chunk(b"data")
    os.chown(chunk, 0, 0)
    os.chmod(chunk, 0o600)
    (store.chunks / "0000").rmdir()
    (store.chunks / "fffe").rmdir()
    (store.path / ".lock").unlink()
    os.chown(store.chunks / "1111", 0, 0)
    (store.chunks / "2222").chmod(0o2700)
    store.path.chmod(0o700)
    assert complete(store) == 6
    assert check_reuse(os.fspath(store), *backup_ids(), 30, 600.0).count == 0
    assert (store.chunks / "2222").stat().st_mode & 0o7777 == 0o2750
    # Chunks are not what completing is about.
    assert (chunk.stat().st_uid, chunk.stat().st_mode & 0o777) == (0, 0o600)
    assert complete(store) == 0


def test_a_link_is_not_followed(whole_store: Callable[..., ChunkStore], tmp_path: Path) -> None:
    store = whole_store()
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o700)
    (store.chunks / "00aa").rmdir()
    (store.chunks / "00aa").symlink_to(victim)
    with pytest.raises(StoreError, match="00aa"):
        complete(store)
    assert (victim.stat().st_uid, victim.stat().st_mode & 0o777) == (0, 0o700)
    assert (
        "00aa: it is a link, PBS requires a directory"
        in check_reuse(os.fspath(store), *backup_ids(), 30, 600.0).examples[0]
    )


def test_another_filesystem_in_the_store_is_left_alone(
    whole_store: Callable[..., ChunkStore], tmpfs: Callable[..., Path]
) -> None:
    store = whole_store()
    mounted = tmpfs("mode=700", point=store.chunks / "00bb")
    with pytest.raises(StoreError, match="EXDEV"):
        complete(store)
    assert mounted.stat().st_uid == 0


def test_a_part_of_the_same_filesystem_that_is_mounted_in_the_store_is_left_alone(
    whole_store: Callable[..., ChunkStore], bind: Callable[..., Path]
) -> None:
    """It has the device number of the store."""
    store = whole_store()
    elsewhere = store.path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    bind(elsewhere, point=store.chunks / "00bb")
    with pytest.raises(StoreError, match=r"EXDEV.*00bb"):
        complete(store)
    assert elsewhere.stat().st_uid == 0


def test_a_link_that_others_can_have_put_on_the_way_is_not_followed(
    chunk_store: Callable[..., ChunkStore], tmp_path: Path
) -> None:
    store = chunk_store(prefixes=16)
    os.chown(store.path, 0, 0)
    yard = tmp_path / "yard"
    yard.mkdir()
    (yard / "way").symlink_to(store.path)
    complete(yard / "way")
    os.chown(store.path, 0, 0)
    os.chown(yard, *backup_ids())
    with pytest.raises(StoreError, match="the link way is in a directory that other users than root may write to"):
        complete(yard / "way")
    assert store.path.stat().st_uid == 0


def test_a_lock_that_is_held_stays_held(chunk_store: Callable[..., ChunkStore]) -> None:
    """A POSIX lock ends when its process closes any descriptor of the file: so `.lock` is never opened."""
    store = chunk_store(prefixes=16)
    with (store.path / ".lock").open("r+") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        before = (store.path / ".lock").stat()
        assert check_reuse(os.fspath(store), *backup_ids(), 30, 600.0).count == 65536 - 17
        after = (store.path / ".lock").stat()
    assert (before.st_atime_ns, before.st_ctime_ns) == (after.st_atime_ns, after.st_ctime_ns)


def test_a_store_that_does_not_answer(
    chunk_store: Callable[..., ChunkStore], faultfs: Callable[..., FaultyMount]
) -> None:
    mount = faultfs("delay:30@mkdir", source=chunk_store(prefixes=16).path)
    with pytest.raises(StoreError, match=r"gave no answer within 0\.3 s"):
        complete_store(os.fspath(mount), *backup_ids(), 0.3, 600.0)


def test_a_store_that_always_answers_and_never_ends(
    chunk_store: Callable[..., ChunkStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(*args: object) -> int:
        channel = next(arg for arg in args if isinstance(arg, completion.Channel))
        while True:
            time.sleep(0.02)
            channel.begin("the prefix directory 0000")

    monkeypatch.setattr(completion, "_complete", answer)
    with pytest.raises(StoreError, match=r"not done within 0\.5 s \(option timeout; the prefix directory 0000\)"):
        complete_store(os.fspath(chunk_store(prefixes=1)), *backup_ids(), 30, 0.5)


def test_no_chunk_store_is_none(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"ENOENT: No such file or directory: \.chunks"):
        complete(tmp_path)
    assert os.listdir(tmp_path) == []


def test_the_first_wrong_ones_are_named(whole_store: Callable[..., ChunkStore]) -> None:
    store = whole_store()
    for number in range(10):
        (store.chunks / f"000{number}").chmod(0o755)
    wrong = check_reuse(os.fspath(store), *backup_ids(), 30, 600.0)
    uid, gid = backup_ids()
    assert (wrong.count, len(wrong.examples)) == (10, 5)
    assert wrong.examples[0].endswith(
        f".chunks/0000: it has uid {uid}, gid {gid}, mode 0755; PBS requires uid {uid}, gid {gid}, mode 0750"
    )


def test_a_part_of_another_kind_is_named_with_both_kinds(whole_store: Callable[..., ChunkStore]) -> None:
    store = whole_store()
    (store.chunks / "0000").rmdir()
    (store.chunks / "0000").touch()
    wrong = check_reuse(os.fspath(store), *backup_ids(), 30, 600.0)
    assert wrong.count == 1
    assert wrong.examples[0].endswith(".chunks/0000: it is a file, PBS requires a directory")
