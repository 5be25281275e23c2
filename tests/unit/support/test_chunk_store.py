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

from ansible_collections.fleetops.pbs.tests.support import chunk_store as stores

A = hashlib.sha256(b"a").hexdigest()
B = hashlib.sha256(b"b").hexdigest()
ZERO = stores.ZERO_DIGEST


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_the_zero_chunk_is_pbs_s():
    assert len(stores.ZERO_CHUNK) == 159
    assert sha256(stores.ZERO_CHUNK) == "9cde395bc398bbcbe0c3d0f94fe20de86828d2e24b9c45ddc8dbe6df5e85fb46"
    assert sha256(bytes(stores.CHUNK_SIZE)) == ZERO


def test_a_blob_is_magic_checksum_and_data():
    assert stores.blob(b"hello").hex() == "42ab3807be8370a186a6103668656c6c6f"
    assert stores.blob(b"").hex() == "42ab3807be8370a100000000"


@pytest.mark.parametrize(
    ("content", "length", "digest"),
    [
        (
            stores.fixed_index([ZERO, ZERO, A], 9388608),
            4192,
            "2d35695ae1621408ba0f8980155af420a2b3bdf55c66a4b1a68ec292fa133f2c",
        ),
        (stores.fixed_index([ZERO], 1), 4128, "2b74a9ce9d415888bf74856d07bb019a140971cfca0a19bb7573b4e1892a1f28"),
        (
            stores.dynamic_index([(4194304, ZERO), (5000000, A), (6000000, B)]),
            4216,
            "cb15c411666b1fb2e6562c1cb398a6868a5c90c4149777812b5065b6512a9c5b",
        ),
    ],
    ids=["fidx-three", "fidx-one", "didx-three"],
)
def test_indexes_are_pbs_s(content, length, digest):
    assert len(content) == length
    assert sha256(content) == digest


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
