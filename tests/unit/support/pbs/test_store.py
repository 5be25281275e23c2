# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stores that tests work on are PBS's: byte for byte, owner for owner."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.tests.support.pbs import store as stores


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def owner_and_mode(path: Path) -> tuple[int, int, int]:
    status = path.lstat()
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)


@pytest.mark.root
def test_owners_and_modes(chunk_store):
    store = chunk_store(prefixes=4, chunks=2)
    uid, gid = stores.backup_ids()
    assert sorted(os.listdir(store.path)) == [".chunks", ".lock"]
    assert sorted(os.listdir(store.chunks)) == ["0000", "4000", "8000", "bb9f", "c000"]
    assert owner_and_mode(store.path) == (uid, gid, 0o755)
    assert owner_and_mode(store.path / ".lock") == (uid, gid, 0o644)
    assert owner_and_mode(store.chunks) == (uid, gid, 0o750)
    for prefix in store.chunks.iterdir():
        assert owner_and_mode(prefix) == (uid, gid, 0o750)
        for chunk in prefix.iterdir():
            assert chunk.name.startswith(prefix.name)
            assert len(chunk.name) == 64
            assert owner_and_mode(chunk) == (uid, gid, 0o644)
    assert store.zero_chunk.read_bytes() == stores.ZERO_CHUNK
    assert len(list(store.chunks.glob("*/*"))) == 3


@pytest.mark.root
def test_modes_do_not_depend_on_the_umask(chunk_store):
    mask = os.umask(0o077)
    try:
        store = chunk_store(prefixes=1)
        snapshot = store.add_snapshot()
    finally:
        os.umask(mask)
    uid, gid = stores.backup_ids()
    assert owner_and_mode(store.path) == (uid, gid, 0o755)
    assert owner_and_mode(store.chunks / "0000") == (uid, gid, 0o750)
    assert owner_and_mode(snapshot / "index.json.blob") == (uid, gid, 0o644)


@pytest.mark.root
def test_another_owner(chunk_store):
    store = chunk_store(prefixes=1, chunks=1, uid=0, gid=0)
    assert {owner_and_mode(path)[:2] for path in store.path.rglob("*")} == {(0, 0)}


@pytest.mark.root
def test_chunks_are_spread_and_all_different(chunk_store):
    store = chunk_store(prefixes=16, zero_chunk=False)
    paths = store.add_chunks(160)
    assert len(set(paths)) == 160
    assert [len(os.listdir(prefix)) for prefix in store.chunks.iterdir()] == [10] * 16


@pytest.mark.root
def test_snapshots_and_namespaces(chunk_store):
    store = chunk_store(prefixes=1)
    snapshot = store.add_snapshot("ct/101", namespace=["prod", "web"])
    assert snapshot.relative_to(store.path) == Path("ns/prod/ns/web/ct/101/2025-01-01T00:00:00Z")
    assert (snapshot.parent / "owner").read_text() == "root@pam\n"
    assert sorted(os.listdir(snapshot)) == ["drive-scsi0.img.fidx", "index.json.blob"]
    uid, gid = stores.backup_ids()
    for directory in (snapshot, *list(snapshot.parents)[:6]):
        assert owner_and_mode(directory) == (uid, gid, 0o755)


@pytest.mark.root
def test_the_owner_reaches_a_store_in_the_test_s_own_directory(chunk_store):
    store = chunk_store(prefixes=1)
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(store.gid)
            os.setuid(store.uid)
            os._exit(0 if store.zero_chunk.read_bytes() == stores.ZERO_CHUNK else 1)
        except OSError:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.root
def test_a_whole_store_and_another_one_of_its_own(whole_store):
    first, second = whole_store("noatime"), whole_store()
    names = sorted(os.listdir(first.chunks))
    assert (len(names), names[0], names[-1]) == (65536, "0000", "ffff")
    assert owner_and_mode(first.chunks / "ffff") == (*stores.backup_ids(), 0o750)
    first.add_chunk(b"hello")
    assert not second.chunk_path(sha256(b"hello")).exists()
    assert base64.b64encode(second.zero_chunk.read_bytes()) == base64.b64encode(stores.ZERO_CHUNK)
