# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store whose owner is hostile, or where something never ends: an end in bounded time, and an honest word."""

from __future__ import annotations

import os
import struct

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.references import GC_SAYS, SILENT
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references import digests as digests_module
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references import index_file, observer, reader, tree
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import index
from ansible_collections.fleetops.pbs.tests.support.pbs.store import ZERO_DIGEST, fixed_index

pytestmark = pytest.mark.root

TIB = 2**40


@pytest.fixture
def store(chunk_store):
    made = chunk_store(prefixes=4)
    made.add_snapshot("vm/100")
    return made


def header(entries: int) -> bytes:
    head = index.FIXED_MAGIC + bytes(16) + struct.pack("<q", 0) + bytes(32)
    return (head + struct.pack("<QQ", entries * 4194304, 4194304)).ljust(4096, b"\0")


def test_a_sparse_index_of_many_gibibytes_takes_no_time(loopfs, look, chunk_store):
    # xfs, which has files of that size.
    store = chunk_store(loopfs("xfs", size=2**30, mkfs=["-i", "maxpct=90"]) / "store", prefixes=4)
    store.add_snapshot("vm/100")
    entries = index_file.LARGEST // 64
    path = store.path / "vm/100/2025-01-01T00:00:00Z/huge.fidx"
    store.file(path, header(entries) + bytes.fromhex(ZERO_DIGEST))
    os.truncate(path, 4096 + 32 * entries)
    facts = look(store)
    assert facts.complete, facts.stuck
    assert facts.references == entries + 1
    assert facts.problems.counts["chunk-missing"] == 1
    assert facts.problems.examples["chunk-missing"][0].path.endswith("0" * 64)


def test_an_index_of_a_tebibyte_is_not_read(loopfs, look, chunk_store):
    store = chunk_store(loopfs("xfs", size=2**30, mkfs=["-i", "maxpct=90"]) / "store", prefixes=4)
    entries = (TIB - 4096) // 32
    path = store.file(store.add_group("vm/100").parent / "huge.fidx", header(entries))
    os.truncate(path, 4096 + 32 * entries)
    facts = look(store)
    assert not facts.complete
    assert "vm/huge.fidx: an index file of 1099511627776 bytes is not read" in facts.stuck


def test_more_different_digests_than_there_is_room_for(store, look, monkeypatch):
    monkeypatch.setattr(observer, "_LEAST_ROOM", 50)
    monkeypatch.setattr(observer, "_MOST_ROOM", 50)
    monkeypatch.setattr(digests_module, "SLACK", 10)
    monkeypatch.setattr(digests_module, "RUN", 10)
    digests = [f"{number:064x}" for number in range(200)]
    store.add_snapshot("vm/101", indexes={"x.fidx": fixed_index(digests, 200 * 4194304)})
    facts = look(store)
    assert not facts.complete
    assert "more different chunks than this filesystem has files" in facts.stuck
    assert not facts.chunks_seen
    assert facts.sweep is None


def test_names_with_escapes_are_safe_to_show(store, look):
    odd = os.path.join(os.fsencode(store), b"vm/100/2025-01-01T00:00:00Z/\x1b[31m\xff\n.fidx")
    with open(odd, "wb"):
        pass
    facts = look(store)
    assert facts.complete, facts.stuck
    (problem,) = facts.problems.examples["index-too-small"]
    assert problem.path.isprintable()


def test_a_deep_tree_has_an_end(store, look):
    above = os.open(store, os.O_RDONLY)
    for _level in range(300):
        os.mkdir("d", dir_fd=above)
        below = os.open("d", os.O_RDONLY, dir_fd=above)
        os.close(above)
        above = below
    os.close(above)
    facts = look(store)
    assert not facts.complete
    assert facts.stuck.endswith("deeper than 100 directories")


@pytest.mark.parametrize(
    ("module", "limit", "word"),
    [
        (tree, "_MAX_NAMES", "more than 3 files and directories beside the chunks"),
        (tree, "_MAX_SNAPSHOTS", "more than 3 snapshots in vm/100"),
        (reader, "_MAX_FILES", "more than 3 files"),
    ],
)
def test_there_is_a_limit_to_everything(store, look, monkeypatch, module, limit, word):
    monkeypatch.setattr(module, limit, 3)
    for day in range(2, 8):
        store.add_snapshot("vm/100", f"2025-01-0{day}T00:00:00Z", blobs={"a.blob": b"", "b.blob": b""})
    facts = look(store)
    assert not facts.complete
    assert word in facts.stuck


def test_what_is_no_file_is_not_opened(store, look):
    snapshot = store.path / "vm/100/2025-01-01T00:00:00Z"
    os.mkfifo(snapshot / "fifo.fidx")
    os.mkfifo(store.path / "odd.didx")
    os.mkfifo(snapshot / "index.json.blob.fifo")
    (snapshot / "index.json.blob").unlink()
    os.mkfifo(snapshot / "index.json.blob")
    facts = look(store)
    assert facts.complete, facts.stuck
    assert facts.problems.counts["index-directory"] == 2
    assert facts.problems.counts["manifest-unreadable"] == 1


def test_a_link_is_followed_only_to_a_file_that_its_maker_may_read(store, look, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(fixed_index(["ab" * 32], 4194304))
    secret.chmod(0o600)
    (store.path / "link.fidx").symlink_to(secret)
    (store.path / "device.fidx").symlink_to("/dev/zero")
    (store.path / "gone.fidx").symlink_to("/nonexistent")
    facts = look(store)
    assert facts.complete, facts.stuck
    assert facts.problems.counts == {
        "index-link": 1,
        "index-unreadable": 1,
        "index-directory": 1,
        "index-dangling": 1,
    }
    assert GC_SAYS["index-dangling"] == SILENT
    assert facts.needed == 1  # the zero chunk: what the secret holds was not read


@pytest.mark.parametrize("target", ["x.fidx", "x.fidx/y", "owner/y", "a" * 300])
@pytest.mark.parametrize("where", ["", "vm/100/2025-01-01T00:00:00Z"])
def test_a_link_that_cannot_be_followed_stops_garbage_collection(store, look, where, target):
    (store.path / where / "owner").touch()
    (store.path / where / "x.fidx").symlink_to(target)
    facts = look(store)
    assert facts.complete, facts.stuck
    assert facts.problems.counts["index-directory"] == 1
    assert "a link that cannot be followed" in facts.problems.examples["index-directory"][0].detail


def test_what_is_mounted_below_is_not_entered_and_said(store, look, tmpfs):
    (store.path / "vm/101").mkdir()
    tmpfs(point=store.path / "vm/101")
    facts = look(store)
    assert not facts.complete
    assert facts.problems.counts["mount"] == 1
    assert "vm/101: another filesystem is mounted there" in facts.stuck


def test_a_prefix_directory_that_is_a_link_is_not_judged(store, look, tmp_path):
    prefix = store.zero_chunk.parent
    prefix.rename(tmp_path / "elsewhere")
    prefix.symlink_to(tmp_path / "elsewhere")
    facts = look(store)
    assert (facts.unseen_prefixes, facts.unseen_chunks) == (1, 1)
    assert "chunk-missing" not in facts.problems.counts


def test_no_access_time_moves(look, loopfs, chunk_store):
    store = chunk_store(loopfs("ext4", "strictatime") / "store", prefixes=4)
    store.add_snapshot("vm/100")

    paths = [store.path, *store.path.rglob("*")]

    def times():
        return {path: path.lstat().st_atime_ns for path in paths}

    before = times()
    assert look(store).complete
    assert times() == before
