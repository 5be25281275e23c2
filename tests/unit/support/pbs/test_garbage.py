# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Garbage collection decides, removes and reports on damaged stores as PBS 4.2.3 was recorded to do."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable

import pytest

from ansible_collections.fleetops.pbs.tests.support.pbs import rules
from ansible_collections.fleetops.pbs.tests.support.pbs.daemons import as_backup
from ansible_collections.fleetops.pbs.tests.support.pbs.damages import DAMAGES, DUE, HOUR, Damage, Recorded
from ansible_collections.fleetops.pbs.tests.support.pbs.garbage import Collection, Counts, check_atime
from ansible_collections.fleetops.pbs.tests.support.pbs.store import ChunkStore
from ansible_collections.fleetops.pbs.tests.support.pbs.tasks import Log, TaskFailure

pytestmark = pytest.mark.root


@pytest.fixture
def recorded(chunk_store: Callable[..., ChunkStore]) -> Recorded:
    return Recorded(chunk_store(prefixes=4))


class Run:
    """One garbage collection as `backup`: its log, its counts, how it ended."""

    def __init__(self, recorded: Recorded, **options: int) -> None:
        self.lines: list[str] = []
        log = Log(write=self.lines.append)
        collection = Collection(recorded.base, log=log, **options)
        self.error = ""
        with as_backup():
            try:
                collection.run()
            except TaskFailure as failure:
                self.error = str(failure)
        self.warnings = log.warnings
        self.counts: Counts = collection.counts
        self.removed = collection.removed

    def tail(self, first: str) -> list[str]:
        return self.lines[next(place for place, line in enumerate(self.lines) if line.startswith(first)) :]


def expected(damage: Damage, recorded: Recorded) -> str:
    image = recorded.image.name
    return damage.error.format(base=recorded.base, snapshot=recorded.snapshot, image=image, prefix=image[:4])


@pytest.mark.parametrize("damage", DAMAGES, ids=str)
def test_each_recorded_damage(recorded, damage):
    lost = {getattr(recorded, name).name for name in damage.lost}
    bystander = recorded.unreferenced("aa01" + "0" * 60, 1000, DUE)
    damage.do(recorded)
    recorded.age()
    run = Run(recorded)
    assert run.error == expected(damage, recorded)
    assert run.warnings == damage.warnings
    if damage.error.startswith("marking"):
        assert run.removed == []
        assert bystander.exists()
    elif not damage.error:
        assert bystander.name in run.removed
        assert lost <= set(run.removed)
        kept = {recorded.image.name, recorded.rest.name, recorded.shared.name, recorded.last.name} - lost
        assert not kept & set(run.removed)


def test_a_healthy_store(recorded):
    run = Run(recorded)
    assert run.error == ""
    size = sum(path.stat().st_size for path in recorded.chunks)
    images, zeros = 3 * (2**15 + 3200), 2 * 2 * rules.CHUNK_SIZE
    archives = (
        2 * len(b"shared by both archives") + len(b"last of the older archive") + len(b"last of the newer archive")
    )
    total = images + zeros + archives
    assert run.counts == Counts(7, total, size, 6, hits=8, misses=6)
    assert run.lines[1:3] == ["Start GC phase1 (mark used chunks)", "marked 14% (1 of 7 index files)"]
    assert run.tail("Chunk cache") == [
        "Chunk cache: hits 8, misses 6 (hit ratio 57.14%)",
        "Removed garbage: 0 B",
        "Removed chunks: 0",
        f"Original data usage: {rules.human_size(total)}",
        f"On-Disk usage: {rules.human_size(size)} ({100 * size / total:.2f}%)",
        "On-Disk chunks: 6",
        f"Deduplication factor: {total / size:.2f}",
        f"Average chunk size: {rules.human_size(size // 6)}",
    ]


def test_what_is_missing_is_named_once_with_the_index_that_was_met_first(recorded):
    recorded.image.unlink()
    run = Run(recorded)
    warnings = [line for line in run.lines if line.startswith("warning")]
    newer = recorded.base / "host/h1/2026-05-30T00:13:20Z/disk.img.fidx"
    assert warnings == [f'warning: unable to access non-existent chunk {recorded.image.name}, required by "{newer}"']


def test_old_young_and_future_chunks(recorded):
    """As recorded: 1000 bytes and an empty one gone, 2000 and 4000 pending, a future access time counts as in use."""
    for number, (size, age) in enumerate(
        [(1000, 25 * HOUR), (2000, 23 * HOUR), (4000, 10), (8000, -24 * HOUR), (0, 25 * HOUR)]
    ):
        recorded.unreferenced(f"aa0{number}" + "0" * 60, size, age)
    in_use = sum(path.stat().st_size for path in recorded.chunks if not path.name.startswith("aa0"))
    run = Run(recorded)
    assert (run.counts.removed_bytes, run.counts.removed_chunks) == (1000, 2)
    assert "Pending removals: 5.859 KiB (in 2 chunks)" in run.lines
    assert (run.counts.disk_bytes, run.counts.disk_chunks) == (in_use + 8000, 7)


@pytest.mark.parametrize(
    ("place", "outcome"), [(-86701, "removed"), (-86700, "pending"), (-1, "pending"), (0, "disk"), (5, "disk")]
)
def test_the_boundaries_are_whole_seconds(recorded, place, outcome):
    now = int(time.time())
    path = recorded.unreferenced("bb01" + "0" * 60, 77, 0)
    os.utime(path, ns=((now + place) * 10**9 + 999_999_999,) * 2)
    run = Run(recorded, start=now)
    found = {name: getattr(run.counts, f"{name}_chunks") for name in ("removed", "pending")}
    assert found == {"removed": int(outcome == "removed"), "pending": int(outcome == "pending")}
    assert path.exists() == (outcome != "removed")


def test_the_modification_time_does_not_count(recorded):
    old = recorded.unreferenced("aa01" + "0" * 60, 1000, DUE)
    young = recorded.unreferenced("aa02" + "0" * 60, 1000, 60)
    os.utime(old, (old.stat().st_atime, time.time() + HOUR))
    os.utime(young, (young.stat().st_atime, 0))
    assert Run(recorded).removed == [old.name]


def test_an_older_writer_keeps_what_it_may_need(recorded):
    """As recorded with a cutoff of a minute, 60 and more seconds after a backup began."""
    now = int(time.time())
    writer = now - 72
    for age in (400, 320, 295, 200, 90):
        recorded.unreferenced(f"cc{age:062}", age, now - writer + age)
    recorded.unreferenced(f"cc01{1:060}", 7777, now - writer - 30)
    run = Run(recorded, start=now, cutoff=60, oldest_writer=writer)
    assert run.lines[0] == f"Using access time cutoff 1m, minimum access time is {rules.utc(now - 60)}"
    span, limit = rules.human_time(writer), rules.utc(writer - 300)
    assert run.lines[1] == f"Oldest backup writer started at {span}, extending minimum access time to {limit}"
    assert "Removed garbage: 720 B" in run.lines
    assert "Removed chunks: 2" in run.lines
    assert "Pending removals: 585 B (in 3 chunks)" in run.lines
    assert run.counts.disk_chunks == 7


def test_names_in_chunk_directories(recorded):
    """As recorded: what is swept is 2100 bytes, of two chunks and two renamed ones; all other names stay."""
    store = recorded.store
    name = "aa01" + "0" * 59 + "1"
    odd = [".x.bad", ".bad", ".0.badx", ".tmp"]
    directory = recorded.unreferenced(name, 0, DUE).parent
    (directory / name).unlink()
    for other in [
        *(name + ending for ending in [".0.bad", ".1.bad", ".using", *odd]),
        "tmp_abc",
        ".tmp_abc",
        "readme",
        name[:63],
        name.upper(),
    ]:
        store.file(directory / other, bytes(500))
        recorded.age(directory / other)
    for ending in (".0.bad", ".1.bad"):
        recorded.unreferenced("aa02" + "0" * 60 + ending, 700, HOUR)
    wrong_place = recorded.unreferenced("aa03" + "0" * 60, 0, 0).parent / ("ffff" + "0" * 59 + "9")
    store.file(wrong_place, bytes(600))
    recorded.age(wrong_place)
    (store.chunks / "aa03" / ("aa03" + "0" * 60)).unlink()
    store.directory(directory / ("aa04" + "0" * 60), 0o755)
    (directory / ("aa05" + "0" * 60)).symlink_to("/etc/hostname")
    store.file(store.directory(store.chunks / "zzzz", 0o755) / name, bytes(10))
    store.file(store.chunks / name, bytes(10))
    run = Run(recorded)
    assert run.tail("Removed garbage")[:5] == [
        "Removed garbage: 2.051 KiB",
        "Removed chunks: 2",
        "Pending removals: 1.367 KiB (in 0 chunks)",
        "Removed bad chunks: 2",
        "Leftover bad chunks: 2",
    ]
    left = sorted(path.name for path in directory.iterdir())
    assert left == sorted(
        [
            *(name + ending for ending in odd),
            "tmp_abc",
            ".tmp_abc",
            "readme",
            name[:63],
            "aa04" + "0" * 60,
            "aa05" + "0" * 60,
        ]
    )
    assert (store.chunks / "zzzz" / name).exists()
    assert (store.chunks / name).exists()


def test_a_renamed_chunk_goes_when_the_chunk_is_there_again(recorded):
    bad = recorded.image.with_name(recorded.image.name + ".0.bad")
    recorded.store.file(bad, bytes(4096))
    recorded.age(bad, seconds=HOUR)
    assert "Leftover bad chunks: 1" in Run(recorded).lines
    recorded.age(bad, seconds=DUE)
    run = Run(recorded)
    assert run.tail("Removed garbage")[:3] == ["Removed garbage: 4 KiB", "Removed chunks: 0", "Removed bad chunks: 1"]


def test_a_directory_that_is_not_writable_ends_the_sweep(recorded):
    path = recorded.unreferenced("aa01" + "0" * 60, 10, DUE)
    recorded.take(path.parent, 0o755)
    run = Run(recorded)
    assert run.error == f"unlinking chunk \"{path.name}\" failed on store 'tank' - EACCES: Permission denied"


def test_namespaces_at_every_depth_count(recorded):
    recorded.copy(recorded.base / "ns/n1/host", recorded.base / "ns/n1/ns/n2/host")
    for name in ("host",):
        recorded.copy(recorded.base / "ns/n1/host/h2", recorded.base / name / "h3")
    recorded.age()
    assert Run(recorded).counts.index_file_count == 9


def test_a_snapshot_that_is_pruned_meanwhile_is_no_error(recorded):
    lines: list[str] = []
    collection = Collection(recorded.base, log=Log(write=lines.append))
    with as_backup():
        steps = collection.mark()
        next(steps)
        for path in recorded.snapshot.iterdir():
            path.unlink()
        recorded.snapshot.rmdir()
        for _step in steps:
            pass
    assert collection.counts.index_file_count == 4
    assert not [line for line in lines if "warning" in line or "unexpected" in line]


def test_the_check_makes_a_missing_zero_chunk(recorded):
    recorded.zero.unlink()
    with as_backup():
        check_atime(recorded.base, Log(write=lambda _line: None))
    status = recorded.zero.stat()
    assert (status.st_size, status.st_uid, status.st_mode & 0o7777) == (159, rules.backup_ids()[0], 0o644)


def test_the_check_fails_where_the_touch_is_refused(recorded):
    recorded.take(recorded.zero)
    with (
        as_backup(),
        pytest.raises(TaskFailure, match=r"update atime failed for chunk/file .* - EPERM: Operation not perm"),
    ):
        check_atime(recorded.base, Log(write=lambda _line: None))


def test_the_status_file_has_pbs_s_form():
    text = json.dumps(Counts(9, 41178540, 10757795, 8, hits=8, misses=8).status("UPID:x:"), separators=(",", ":"))
    assert text == (
        '{"upid":"UPID:x:","index-file-count":9,"index-data-bytes":41178540,"disk-bytes":10757795,"disk-chunks":8,'
        '"removed-bytes":0,"removed-chunks":0,"pending-bytes":0,"pending-chunks":0,"removed-bad":0,"still-bad":0,'
        '"cache-stats":{"hits":8,"misses":8}}'
    )
