# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in prefix directories as garbage collection takes them."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.chunk_walk import _all_digests, chunk_class
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.crew import share
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.facts import OwnerCount, PathProblem, WalkCounts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.listing import batches
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.tally import OTHER_OWNERS, Owners, merge

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
    assert chunk_class(name) == kind


class Entry:
    def __init__(self, name):
        self.name = name


@given(
    st.lists(
        st.one_of(
            st.just(D), st.just(D.upper()), st.text(min_size=1), st.text(" 0123456789abcdef", min_size=64, max_size=66)
        ),
        min_size=1,
    )
)
def test_the_fast_way_to_see_digests_agrees_with_the_careful_one(names):
    assert _all_digests([Entry(name) for name in names]) == all(chunk_class(name) == "chunk" for name in names)


@pytest.mark.parametrize("workers", [1, 2, 3, 7, 64, 2000])
def test_each_prefix_directory_is_the_share_of_exactly_one_worker(workers):
    shares = [number for worker in range(workers) for number in share(worker, workers)]
    assert sorted(shares) == list(range(65536))


def test_a_large_directory_is_listed_whole_and_in_pieces(tmp_path):
    names = {f"{number:04d}" for number in range(1000)}
    for name in names:
        (tmp_path / name).touch()
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        pieces = [[entry.name for entry in batch] for batch in batches(fd)]
    finally:
        os.close(fd)
    assert {name for piece in pieces for name in piece} == names
    assert sum(map(len, pieces)) == len(names)
    assert max(map(len, pieces)) <= 256


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


def test_owners_without_end_need_memory_with_an_end():
    owners = Owners()
    for number in range(10_000):
        owners.add(number, number)
    ranked = owners.ranked()
    assert len(ranked) < 300
    assert sum(owner.count for owner in ranked) == 10_000
    assert (ranked[0].uid, ranked[0].gid) == OTHER_OWNERS
