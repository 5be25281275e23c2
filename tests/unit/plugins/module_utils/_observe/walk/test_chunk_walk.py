# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in prefix directories as garbage collection takes them."""

from __future__ import annotations

import errno
import os
import random
import time

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.file import PathProblem
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.walk import OwnerCount, WalkCounts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk import chunk_walk as chunk_walk_module
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk import open_store as open_store_module
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.chunk_walk import chunk_class, walk_together
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.counters import OTHER_OWNERS, Owners, merge
from ansible_collections.fleetops.pbs.plugins.module_utils._system.limits import TimeLimit

D = "bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (D, "chunk"),
        (D.upper(), "chunk"),
        (f"{D}.0.bad", "bad"),
        (f"{D}.9.bad", "bad"),
        (f"{D}.using", "using"),
        (f"{D}.tmp_AbCd1f", "temporary"),
        (f"{D}.10.bad", "other"),
        (f"{D}.bad", "other"),
        (f"{D}.0.bad.gz", "other"),
        (f"{D}.tmp", "other"),
        (f"{D}.tmp_AbCdEfG", "other"),
        (f"{D}0", "other"),
        (f"{D}\n", "other"),
        (f"{D}.0.bad\n", "other"),
        (D[:63], "other"),
        (D[:63] + "g", "other"),
        (D[:63] + "\u0663", "other"),
        ("README", "other"),
        (".hidden", "other"),
        ("", "other"),
    ],
)
def test_classes(name, kind):
    assert chunk_class(os.fsencode(name)) == kind


@pytest.mark.parametrize("order", ["as made", "listing fails", "no .chunks", "not local"])
def test_prefix_directories_are_taken_in_the_order_of_their_inodes(tmp_path, monkeypatch, order):
    top = tmp_path / ".chunks"
    numbers = [7, 2, 5, 0, 6, 3]
    if order != "no .chunks":
        top.mkdir()
        for number in numbers:
            (top / f"{number:04x}").mkdir()
        (top / "lost").mkdir()
    monkeypatch.setattr(open_store_module, "_is_local", lambda _entry: order != "not local")
    if order == "listing fails":

        class Broken:
            def batches(self, fd):
                raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(chunk_walk_module, "prefix_lister", Broken)

    def take(queue, heartbeat):
        numbers = list(queue)
        heartbeat.put("numbers", numbers)
        heartbeat.put("progress", {"prefixes": len(numbers)})

    # In a child, as all walks: one that takes everything, and tells in which order.
    parts, trouble = walk_together(
        os.fspath(tmp_path), lambda queue: {"all": lambda heartbeat: take(queue, heartbeat)}, 30.0, TimeLimit()
    )
    assert trouble == ""
    (found,) = parts
    if order == "as made":
        inodes = {number: (top / f"{number:04x}").stat().st_ino for number in numbers}
        there = [number for number in found["numbers"] if number in inodes]
        assert there == sorted(numbers, key=inodes.__getitem__)
        assert sorted(found["numbers"]) == list(range(65536))
    else:
        assert found["numbers"] == list(range(65536))


def test_what_gives_no_answer_is_waited_for_once(tmp_path, monkeypatch):
    monkeypatch.setattr(
        chunk_walk_module, "_arrange", lambda _queue, _path, heartbeat: heartbeat.at(".chunks") or time.sleep(60)
    )
    begun = []
    parts, trouble = walk_together(os.fspath(tmp_path), lambda queue: begun.append(queue) or {}, 3.0, TimeLimit())
    assert (parts, trouble) == ([], f"{tmp_path}/.chunks: no answer")
    assert not begun


def test_a_walk_that_took_less_than_all_says_so(tmp_path):
    """No matter why prefix directories are missing from the queue: the walk has not seen them."""
    parts, trouble = walk_together(
        os.fspath(tmp_path),
        lambda queue: {"one": lambda heartbeat: heartbeat.put("progress", {"prefixes": 65535})},
        30.0,
        TimeLimit(),
    )
    assert parts == [{"progress": {"prefixes": 65535}}]
    assert trouble == f"{tmp_path}/.chunks: 1 of 65536 prefix directories were not checked"


def test_counts_of_workers_add_up():
    one = WalkCounts(files=3, wrong_owner=2, owners=[OwnerCount(0, 0, 2)], foreign={"link": 1})
    one.examples = {"wrong_owner": [PathProblem("/b", "x"), PathProblem("/d", "x")]}
    two = WalkCounts(files=4, wrong_owner=5, owners=[OwnerCount(1, 1, 4), OwnerCount(0, 0, 1)], foreign={"fifo": 2})
    two.examples = {"wrong_owner": [PathProblem("/a", "x"), PathProblem("/c", "x")], "fifo": [PathProblem("/f", "")]}
    total = merge(WalkCounts, [one, two], 3)
    assert (total.files, total.wrong_owner, total.foreign) == (7, 7, {"link": 1, "fifo": 2})
    assert total.owners == [OwnerCount(1, 1, 4), OwnerCount(0, 0, 3)]
    assert [problem.path for problem in total.examples["wrong_owner"]] == ["/a", "/b", "/c"]
    assert merge(WalkCounts, [], 3) == WalkCounts()


def test_owners_are_the_same_whoever_meets_them_and_when():
    """Also where there are more than are counted apart."""
    pairs = [(number % 23, number) for number in range(800)]
    seen = []
    for seed in range(5):
        order = random.Random(seed).sample(pairs * 2, 2 * len(pairs))
        workers = [Owners(), Owners(), Owners()]
        for place, pair in enumerate(order):
            workers[(place + seed) % 3 if seed else 0].add(*pair)
        seen.append(merge(WalkCounts, [WalkCounts(owners=worker.ranked()) for worker in workers], 3).owners)
    assert seen == seen[:1] * 5
    assert sum(owner.count for owner in seen[0]) == 1600
    assert len(seen[0]) == 257


def test_owners_without_end_need_memory_with_an_end():
    owners = Owners()
    for number in range(10_000):
        owners.add(number, number)
    ranked = owners.ranked()
    assert len(ranked) < 300
    assert sum(owner.count for owner in ranked) == 10_000
    assert (ranked[0].uid, ranked[0].gid) == OTHER_OWNERS
