# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups, snapshots, manifests and the sharing between consecutive snapshots, on real stores."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references import (
    confirm,
    index_file,
    join,
    reader,
    tree,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.units import Unit
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import manifest
from ansible_collections.fleetops.pbs.tests.support.pbs.store import (
    ZERO_DIGEST,
    backup_ids,
    blob,
    dynamic_index,
    fixed_index,
)

pytestmark = pytest.mark.root

DAY = 86400
UPID = "UPID:pbs1:00000A1B:00001C2D:00000001:6974F8E0:verify:tank:root@pam:"
STARTED = 0x6974F8E0


@pytest.fixture
def store(chunk_store):
    return chunk_store(prefixes=4)


@pytest.fixture
def settled(monkeypatch):
    """What was changed a moment ago counts, as what was changed long ago does in earnest."""
    monkeypatch.setattr(reader, "_SETTLED", -1.0)
    monkeypatch.setattr(reader, "_UNFINISHED", -1.0)


def name(day: int) -> str:
    return f"2025-01-{day:02d}T00:00:00Z"


def moment(day: int) -> int:
    return 1735689600 + (day - 1) * DAY


def group(facts, kind, identifier, namespace=""):
    return next(one for one in facts.groups if (one.namespace, one.type, one.id) == (namespace, kind, identifier))


def image(numbers: list[int]) -> bytes:
    return fixed_index([f"{number:064x}" for number in numbers], len(numbers) * 4194304)


def archive(numbers: list[int]) -> bytes:
    return dynamic_index([(1000 * place + 1, f"{number:064x}") for place, number in enumerate(numbers, 1)])


def needed(facts) -> set[int]:
    return {int(problem.path[-64:], 16) for problem in facts.problems.examples.get("chunk-missing", ())}


@pytest.mark.parametrize(("make", "suffix"), [(image, "fidx"), (archive, "didx")])
@pytest.mark.parametrize("at_once", [128, 1024, 16384])
@pytest.mark.parametrize("remembered", [0, 36_000, 4 * 1024 * 1024])
def test_what_consecutive_snapshots_share_is_counted_and_nothing_is_lost(
    store, look, monkeypatch, make, suffix, at_once, remembered
):
    for module in (index_file, reader):
        monkeypatch.setattr(module, "AT_ONCE", at_once)
    monkeypatch.setattr(reader, "_REMEMBERED", remembered)
    monkeypatch.setattr(reader, "_TOGETHER", 300)
    monkeypatch.setattr(tree, "_LEAST_TOGETHER", 3)
    rng = random.Random(at_once + remembered)
    numbers = list(range(1000))
    fresh = iter(range(1000, 10**6))
    everything = set(numbers)
    for day in range(1, 11):
        if day > 1:
            for _change in range(20):
                numbers[rng.randrange(len(numbers))] = next(fresh)
            # It grows, shrinks, and moves.
            numbers = [next(fresh), *numbers[: rng.randrange(900, 1100)], *(next(fresh) for _more in range(10))]
        everything |= set(numbers)
        store.add_snapshot("vm/100", name(day), indexes={f"disk.{suffix}": make(numbers)})
    facts = look(store, walk={"max_paths": 10_000})
    assert facts.complete, facts.stuck
    assert needed(facts) == everything
    assert facts.problems.counts["chunk-missing"] == len(everything)
    assert 0 <= facts.shared < facts.references
    assert facts.damaged_snapshots == 10


def test_an_unchanged_disk_is_shared_as_a_whole(store, look):
    for day in (1, 2, 3):
        store.add_snapshot("vm/100", name(day), indexes={"disk.fidx": image(list(range(500)))})
    facts = look(store)
    assert (facts.references, facts.shared, facts.needed) == (1500, 1000, 500)


def test_a_snapshot_that_another_process_builds_on_and_that_went_is_no_loss(store, look, monkeypatch):
    """The first unit finds it gone, the second one has read it before."""
    monkeypatch.setattr(tree, "_LEAST_TOGETHER", 1)
    monkeypatch.setattr(reader, "_SETTLED", -1.0)
    for day in (1, 2):
        store.add_snapshot("vm/100", name(day), indexes={"disk.fidx": image([1, 2, 3, day + 10])})
    first = store.path / "vm/100" / name(1)
    gone = store.path / ".gone"
    visit = reader.Visit.visit

    def visit_in_the_other_order(self, units):
        units = list(units)
        for unit in sorted(units, key=lambda unit: unit.before == ""):
            visit(self, [unit])
            if unit.before and first.exists():
                first.rename(gone)

    monkeypatch.setattr(reader.Visit, "visit", visit_in_the_other_order)
    facts = look(store, walk={"max_paths": 100, "workers": 1})
    assert facts.complete, facts.stuck
    assert needed(facts) == {1, 2, 3, 12}


def test_groups_by_namespace_with_their_newest_snapshot(store, look):
    for day in (1, 5, 3):
        store.add_snapshot("vm/100", name(day))
    store.add_snapshot("vm/100", name(9), finished=False)
    store.add_snapshot("ct/7", name(2), namespace=["a", "b"], owner="backup@pbs!token")
    facts = look(store)
    assert facts.complete, facts.stuck
    assert (facts.groups_total, facts.snapshots, facts.types) == (2, 5, ["ns", "vm"])
    one = group(facts, "vm", "100")
    assert (one.snapshots, one.newest, one.unfinished, one.owner) == (4, moment(5), 1, "root@pam")
    other = group(facts, "ct", "7", "a/b")
    assert (other.snapshots, other.newest, other.owner) == (1, moment(2), "backup@pbs!token")


def test_verification_states(store, look):
    states = {1: "ok", 2: "failed", 3: "ok", 4: None}
    for day, state in states.items():
        unprotected = {} if state is None else {"verify_state": {"state": state, "upid": UPID}}
        store.add_snapshot("vm/100", name(day), unprotected=unprotected)
    facts = look(store)
    one = group(facts, "vm", "100")
    assert (one.verified, one.failed, one.unverified, one.newest_failed) == (2, 1, 1, moment(2))
    assert facts.verified_by_day == {str(STARTED // DAY): 3}
    assert facts.unverified_by_day == {str(moment(4) // DAY): 1}
    assert facts.failed_verifications.counts == {"failed": 1}
    (example,) = facts.failed_verifications.examples["failed"]
    assert example.path == f"vm/100/{name(2)}"


def test_damaged_groups_name_their_newest_intact_snapshot(store, look):
    good = store.add_image(b"one")
    for day in (1, 2, 3, 4):
        store.add_snapshot("vm/100", name(day), indexes={"disk.fidx": good if day < 3 else image([day])})
    store.add_snapshot("vm/101", name(1), indexes={"disk.fidx": good})
    facts = look(store)
    assert (facts.damaged_snapshots, facts.damaged_groups, facts.damaged_complete) == (2, 1, True)
    one = group(facts, "vm", "100")
    assert (one.damaged, one.newest_damaged, one.newest_intact) == (2, moment(4), moment(2))
    assert one.damaged_examples == [name(4), name(3)]
    other = group(facts, "vm", "101")
    assert (other.damaged, other.newest_intact) == (0, moment(1))


@pytest.mark.parametrize("kind", ["broken", "missing", "both"])
def test_damage_is_counted_in_every_group_however_many_there_are(store, look, monkeypatch, kind):
    for module in (tree, reader, confirm):
        for limit, value in (("LISTED_GROUPS", 2), ("MORE_GROUPS", 1)):
            monkeypatch.setattr(module, limit, value, raising=False)
    whole = fixed_index([ZERO_DIGEST], 1)
    for number in range(7):
        damaged = {"broken": b"\0", "missing": image([number]), "both": image([number]) if number % 2 else b"\0"}[kind]
        for day in range(1, 11):
            content = damaged if number and day > 8 else whole
            store.add_snapshot(f"vm/{number}", name(day), indexes={"disk.img.fidx": content})
    facts = look(store)
    assert facts.groups_total == 7
    assert (facts.damaged_snapshots, facts.damaged_groups) == (12, 6)
    listed = {one.id: (one.snapshots, one.damaged) for one in facts.groups}
    assert len(listed) >= 2
    assert listed == {id_: (10, 2 if id_ != "0" else 0) for id_ in listed}


def test_a_broken_index_and_a_missing_chunk_are_damage_of_the_same_kind(store, look):
    good = store.add_image(b"one")
    store.add_snapshot("vm/100", name(1), indexes={"disk.fidx": good})
    store.add_snapshot("vm/100", name(2), indexes={"disk.fidx": good[:-1]})
    store.add_snapshot("vm/100", name(3), indexes={"disk.fidx": image([3])})
    one = group(look(store), "vm", "100")
    assert (one.damaged, one.newest_intact, one.damaged_examples) == (2, moment(1), [name(3), name(2)])


@pytest.mark.usefixtures("settled")
def test_a_manifest_is_held_against_the_files_beside_it(store, look):
    good, other = store.add_image(b"one"), store.add_image(b"other")
    path = store.add_snapshot("vm/100", name(1), indexes={"a.fidx": good, "b.fidx": good}, blobs={"c.blob": b"c"})
    (path / "a.fidx").unlink()
    store.file(path / "b.fidx", other)
    store.file(path / "d.fidx", good)
    with (path / "c.blob").open("ab") as file:
        file.write(b"more")
    facts = look(store)
    assert facts.problems.counts == {
        "manifest-file-missing": 1,
        "manifest-checksum": 1,
        "manifest-size": 2,
        "manifest-file-unlisted": 1,
    }


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda path: path.write_bytes(b"not a blob"), "manifest-damaged"),
        (lambda path: path.write_bytes(b""), "manifest-damaged"),
        (lambda path: path.write_bytes(blob(b" " * (manifest.MAX_SIZE + 1))), "manifest-large"),
        (lambda path: path.write_bytes(blob(b" " * (manifest.CONTENT_LIMIT + 1))), "manifest-large"),
        (lambda path: path.unlink(), "manifest-missing"),
        (lambda path: (os.chown(path, 0, 0), path.chmod(0o600)), "manifest-unreadable"),
    ],
)
def test_a_manifest_that_is_not_right(store, look, change, kind):
    change(store.add_snapshot("vm/100") / "index.json.blob")
    facts = look(store)
    assert facts.complete, facts.stuck
    assert facts.problems.counts == {kind: 1}


def test_a_backup_that_runs_is_no_problem(store, look):
    path = store.add_snapshot("vm/100", indexes={}, finished=False)
    store.file(path / "disk.tmp_fidx")
    facts = look(store)
    assert facts.problems.counts == {}
    assert group(facts, "vm", "100").unfinished == 1


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda path: path.unlink(), "owner-missing"),
        (lambda path: path.write_bytes(b""), "owner-damaged"),
        (lambda path: path.write_bytes(b"nobody\n"), "owner-damaged"),
        (lambda path: (os.chown(path, 0, 0), path.chmod(0o600)), "owner-unreadable"),
    ],
)
def test_an_owner_file_that_is_not_right(store, look, change, kind):
    store.add_snapshot("vm/100")
    change(store.path / "vm/100/owner")
    assert look(store).problems.counts == {kind: 1}


def test_an_owner_file_that_is_a_link(store, look, tmp_path):
    """PBS opens it by its name, and so follows it. What it leads to is read and not shown."""
    store.add_snapshot("vm/100")
    owner = store.path / "vm/100/owner"
    kept = tmp_path / "kept"
    owner.rename(kept)
    owner.symlink_to(kept)
    facts = look(store)
    assert (facts.problems.counts, facts.complete) == ({}, True)
    assert group(facts, "vm", "100").owner == ""
    kept.write_bytes(b"nobody\n")
    assert look(store).problems.counts == {"owner-damaged": 1}
    os.chown(kept, 0, 0)
    kept.chmod(0o600)
    assert look(store).problems.counts == {"owner-unreadable": 1}


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    ("target", "kind"), [("nowhere", "owner-missing"), ("owner", "owner-unreadable"), (".", "owner-unreadable")]
)
def test_an_owner_file_that_is_a_link_to_no_file(store, look, target, kind):
    store.add_snapshot("vm/100")
    owner = store.path / "vm/100/owner"
    owner.unlink()
    owner.symlink_to(target)
    assert look(store).problems.counts == {kind: 1}


@pytest.mark.parametrize("make", [os.mkdir, lambda path: os.symlink("/etc/hostname", path), os.mkfifo])
def test_something_else_in_place_of_a_chunk(store, look, make):
    """Its access time can be moved, so that garbage collection warns of nothing; verify and restore fail."""
    chunk = store.add_chunk(b"x")
    store.add_snapshot("vm/100", indexes={"disk.img.fidx": fixed_index([chunk.name], 1)})
    chunk.unlink()
    make(chunk)
    facts = look(store)
    assert facts.problems.counts == {"chunk-no-file": 1, "chunk-untouchable": 1}  # it belongs to root
    os.chown(chunk, *backup_ids(), follow_symlinks=False)
    store.file(chunk.with_name(chunk.name + ".0.bad"), b"bad")
    facts = look(store)
    assert facts.problems.counts == {"chunk-no-file": 1}
    assert facts.damaged_snapshots == 1
    assert (facts.sweep.kept.chunks, facts.sweep.kept_bad) == (1, 1)  # the zero chunk; .bad is young


def test_headers_scope_opens_every_index_and_reads_no_entry(store, look):
    store.add_snapshot("vm/100", name(1), indexes={"a.fidx": image([1, 2]), "b.didx": archive([3])})
    bad = store.add_snapshot("vm/100", name(2), indexes={"a.fidx": image([1, 2])[:-1]})
    facts = look(store, scope="headers")
    assert facts.complete, facts.stuck
    assert facts.problems.counts == {"index-length": 1}
    assert facts.problems.examples["index-length"][0].path == f"vm/100/{name(2)}/a.fidx"
    assert (facts.indexes, facts.references, facts.data_bytes) == (2, 3, 2 * 4194304 + 1001)
    assert not facts.chunks_seen
    assert "headers" in facts.chunks_not_seen
    assert bad.exists()


def test_none_scope_looks_at_nothing(store, look):
    facts = look(store, scope="none")
    assert (facts.not_looked, facts.complete, facts.indexes) == ("not asked for", False, 0)


def test_chunks_of_s3_are_not_compared(store, look):
    store.add_snapshot("vm/100", indexes={"a.fidx": image([1])})
    facts = look(store, no_chunks="the chunks are in S3")
    assert facts.complete, facts.stuck
    assert facts.references == 1
    assert (facts.chunks_seen, facts.chunks_not_seen, facts.sweep) == (False, "the chunks are in S3", None)


@pytest.mark.parametrize("scope", ["sample", "skeleton", "none"])
def test_without_a_full_walk_chunks_are_not_compared(store, look, scope):
    store.add_snapshot("vm/100", indexes={"a.fidx": image([1])})
    facts = look(store, walk={"scope": scope})
    assert not facts.chunks_seen
    assert scope in facts.chunks_not_seen
    assert facts.references == 1


def test_chunks_that_garbage_collection_cannot_touch_and_cannot_remove(store, look):
    now = int(time.time())
    good = store.add_image(b"one")
    store.add_snapshot("vm/100", name(1), indexes={"a.fidx": good})
    store.add_snapshot("vm/100", name(2), indexes={"a.fidx": good})
    needed_chunk = next(path for path in store.chunks.glob("*/*") if path.name in good.hex())
    os.chown(needed_chunk, 0, 0)
    waste = store.add_chunk(b"waste")
    os.utime(waste, (now - 2 * DAY, 0))
    os.chown(waste.parent, 0, 0)
    waste.parent.chmod(0o755)
    facts = look(store, now=now)
    assert facts.problems.counts == {"chunk-untouchable": 1}
    assert facts.problems.examples["chunk-untouchable"][0].detail.startswith("update atime failed (EPERM")
    assert facts.untouchable_snapshots == 2
    assert facts.damaged_snapshots == 0
    assert facts.sweep.blocked.chunks == facts.sweep.removable.chunks == 1
    assert facts.sweep.blocked_first == f".chunks/{waste.parent.name} (0:0 0755)"


def image_chunk(store, image):
    return next(path for path in store.chunks.glob("*/*") if path.name in image.hex())


@pytest.mark.parametrize("flag", ["i", "a"])
def test_nobody_touches_or_removes_what_carries_a_flag(look, loopfs, chunk_store, flag):
    now = int(time.time())
    store = chunk_store(loopfs("ext4") / "store", prefixes=4)
    image = store.add_image(b"one")
    store.add_snapshot("vm/100", name(1), indexes={"a.fidx": image})
    # The first file itself, and the directory of the second, and what a verify left in that.
    wastes = [store.add_chunk(data) for data in (b"waste", b"more")]
    bad = store.file(wastes[1].with_name(wastes[1].name + ".0.bad"), b"bad")
    for path in (*wastes, bad):
        os.utime(path, (now - 2 * DAY, 0))
    flagged = [image_chunk(store, image), wastes[0], wastes[1].parent]
    subprocess.run(["chattr", f"+{flag}", *flagged], check=True)
    try:
        facts = look(store, now=now)
    finally:
        subprocess.run(["chattr", f"-{flag}", *flagged], check=True)
    word = {"i": "immutable", "a": "append"}[flag]
    assert facts.problems.counts == {"chunk-untouchable": 1}
    assert (facts.sweep.removable.chunks, facts.sweep.removable_bad) == (2, 1)
    assert (facts.sweep.blocked.chunks, facts.sweep.blocked_bad) == (2, 1)
    assert word in facts.sweep.blocked_first
    assert look(store, now=now).sweep.blocked.chunks == 0


def test_a_bad_chunk_that_carries_a_flag(look, loopfs, chunk_store):
    now = int(time.time())
    store = chunk_store(loopfs("ext4") / "store", prefixes=4)
    waste = store.add_chunk(b"waste")
    bad = store.file(waste.with_name(waste.name + ".0.bad"), b"bad")
    os.utime(bad, (now - 2 * DAY, 0))
    subprocess.run(["chattr", "+i", bad], check=True)
    try:
        facts = look(store, now=now)
    finally:
        subprocess.run(["chattr", "-i", bad], check=True)
    assert (facts.sweep.blocked.chunks, facts.sweep.blocked_bad) == (0, 1)
    assert f"{bad.name} is immutable" in facts.sweep.blocked_first


def test_the_zero_chunk_is_kept_by_the_safety_check(store, look):
    now = int(time.time())
    os.utime(store.zero_chunk, (now - 2 * DAY, 0))
    with_check, without = look(store, now=now), look(store, now=now, safety_check=False)
    assert (with_check.sweep.removable.chunks, with_check.sweep.zero_chunk_kept) == (0, True)
    assert (without.sweep.removable.chunks, without.sweep.zero_chunk_kept) == (1, False)


def test_needed_chunks_that_were_not_accessed_for_long(store, look):
    now = int(time.time())
    store.add_snapshot("vm/100", name(1))
    store.add_snapshot("vm/100", name(2))
    os.utime(store.zero_chunk, (now - 2 * DAY, 0))
    facts = look(store, now=now)
    assert (facts.sweep.needed_old.chunks, facts.sweep.needed_old_snapshots) == (1, 2)
    assert facts.sweep.removable.chunks == 0


def old_and_new(store, now):
    """Chunks 0 to 3, of which 0 and 1 are old; returns their digests."""
    chunks = [store.add_chunk(bytes([number]) * 9) for number in range(4)]
    for number, path in enumerate(chunks):
        os.utime(path, (now - (2 * DAY if number < 2 else 0), 0))
    return [path.name for path in chunks]


@pytest.mark.parametrize(("most", "count"), [(65536, 4), (1, 4), (0, None)])
def test_snapshots_that_need_old_chunks(store, look, monkeypatch, most, count):
    """By the old chunks, or, if these are too many to be remembered, by the others."""
    monkeypatch.setattr(join, "AGED", 65536)
    now = int(time.time())
    digests = old_and_new(store, now)
    if most == 1:
        # More old ones than others: these are remembered.
        monkeypatch.setattr(join.Join, "_remember_old", only_others(join.Join._remember_old))
    elif most == 0:
        monkeypatch.setattr(join, "AGED", 0)
    for day, needs in enumerate(([0], [1, 2], [2, 3], [3], [0, 1, 2, 3], [2, 1]), 1):
        store.add_snapshot(
            "vm/100",
            name(day),
            indexes={"a.img.fidx": fixed_index([digests[one] for one in needs], len(needs) * 4194304)},
        )
    store.add_snapshot("vm/101", indexes={})
    assert look(store, now=now).sweep.needed_old_snapshots is None
    facts = look(store, now=now, count_old=True)
    assert facts.complete, facts.stuck
    assert (facts.sweep.needed_old.chunks, facts.sweep.needed_old_snapshots) == (2, count)


def only_others(remember):
    """As if there were too many old chunks to remember."""

    def patched(self):
        remember(self)
        self.found.old_left_out += len(self.found.old)
        self.found.old.clear()

    return patched


def test_all_needed_chunks_are_old(store, look):
    now = int(time.time())
    digests = old_and_new(store, now)[:2]
    store.add_snapshot("vm/100", name(1), indexes={"a.img.fidx": fixed_index(digests, 2 * 4194304)})
    (store.path / "vm/100" / name(2)).mkdir()
    for count_old in (False, True):
        assert look(store, now=now, count_old=count_old).sweep.needed_old_snapshots == 1


def test_a_closed_prefix_directory_stops_garbage_collection_where_it_marks(store, look):
    chunk = store.add_chunk(b"x")
    store.add_snapshot("vm/100", indexes={"a.img.fidx": fixed_index([chunk.name], 1)})
    os.chown(chunk.parent, 0, 0)
    chunk.parent.chmod(0o740)
    facts = look(store)
    assert facts.problems.counts == {"chunk-untouchable": 1}
    assert facts.untouchable_snapshots == 1


def test_a_store_without_any_backup(store, look):
    facts = look(store)
    assert facts.complete, facts.stuck
    assert (facts.types, facts.groups, facts.indexes, facts.needed) == ([], [], 0, 0)
    assert facts.chunks_seen


def test_what_goes_while_it_is_read_is_no_error(store, look, monkeypatch):
    for day in range(1, 6):
        store.add_snapshot("vm/100", name(day))
    snapshots = reader.Reader._snapshot

    def with_prune(self, unit: Unit, facts, snapshot, *more):
        shutil.rmtree(store.path / "vm/100" / snapshot, ignore_errors=True)
        return snapshots(self, unit, facts, snapshot, *more)

    monkeypatch.setattr(reader.Reader, "_snapshot", with_prune)
    facts = look(store)
    assert facts.complete, facts.stuck
    assert (facts.problems.counts, facts.snapshots) == ({}, 0)
