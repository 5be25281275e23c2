# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random stores, held against a slow model that knows nothing but sets.

Each chunk file has a size that is a power of two of its own: from a number of bytes follows which chunks it counts.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references import digests as digests_module
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references import tree as tree_module
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.observer import (
    ReferencePlan,
    observe_store,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk import chunk_walk, counters, work_queue
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.ownership import WalkPlan
from ansible_collections.fleetops.pbs.tests.support.pbs.store import (
    backup_ids,
    dynamic_index,
    fixed_index,
    make_chunk_store,
)

pytestmark = pytest.mark.root

START = 1_800_000_000
CUTOFF = 86_700
CHUNKS = 16
PREFIXES = ("0000", "0001", "7fff", "ffff")
DIGESTS = [PREFIXES[number % 4] + f"{number:060x}" for number in range(CHUNKS)]
NAMES = [f"2026-0{month}-01T00:00:00Z" for month in range(1, 7)]
AGES = (CUTOFF + 1, CUTOFF, CUTOFF - 1, 3600, 1, 0, -1, -3600)
"""Seconds before the start: the edges, and both sides of them."""

chunk = st.fixed_dictionaries(
    {
        "there": st.booleans(),
        "bad": st.booleans(),
        "age": st.sampled_from(AGES),
        "bad_age": st.sampled_from(AGES),
        "nanoseconds": st.sampled_from((0, 999_999_999)),
    }
)
indexes = st.lists(
    st.tuples(
        st.sampled_from(["vm/100", "vm/101", "ns/a/ct/5", "foo"]),
        st.sampled_from(NAMES),
        st.sampled_from(["disk.img.fidx", "root.pxar.didx"]),
        st.lists(st.integers(0, CHUNKS - 1), min_size=1, max_size=30),
    ),
    max_size=14,
)


def make(base: Path, chunks: list[dict[str, Any]], made: list[Any]) -> tuple[set[str], int]:
    """The store; returns what is needed, and how many index files there are."""
    store = make_chunk_store(base, prefixes=1, zero_chunk=False)
    for prefix in PREFIXES:
        store.directory(store.chunks / prefix, 0o750)
    for number, (digest, each) in enumerate(zip(DIGESTS, chunks)):
        for there, name, age, size in (
            (each["there"], digest, each["age"], 2 ** (number + 6)),
            (each["bad"], digest + ".3.bad", each["bad_age"], 2 ** (number + 6 + CHUNKS)),
        ):
            if there:
                path = store.chunks / digest[:4] / name
                store.file(path)
                os.truncate(path, size)
                os.utime(path, ns=((START - age) * 10**9 + each["nanoseconds"], 0))
    needed: dict[Path, list[str]] = {}
    for group, time, name, numbers in made:
        where = base / group / time
        where.mkdir(parents=True, exist_ok=True)
        found = [DIGESTS[number] for number in numbers]
        content = (
            fixed_index(found, len(found) * 4194304)
            if name.endswith("fidx")
            else dynamic_index([(1000 * (place + 1), digest) for place, digest in enumerate(found)])
        )
        (where / name).write_bytes(content)
        needed[where / name] = found
    for directory, names, files in os.walk(base):
        if ".chunks" not in directory:
            for name in [*names, *files]:
                os.chown(os.path.join(directory, name), store.uid, store.gid)
    return {digest for found in needed.values() for digest in found}, len(needed)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(chunk, min_size=CHUNKS, max_size=CHUNKS), indexes, st.booleans())
def test_sets_are_equal_to_those_of_the_model(chunks: list[dict[str, Any]], made: list[Any], bare: bool) -> None:
    """`bare`: the C library has no statx, so that each file is looked at by itself."""
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        os.chmod(directory, 0o755)
        base = Path(directory) / "store"
        needed, files = make(base, chunks, made)
        numbers = [int(prefix, 16) for prefix in PREFIXES]
        patch.setattr(chunk_walk, "WorkQueue", lambda _all: work_queue.WorkQueue(numbers))
        patch.setattr(work_queue, "_BLOCK", 1)
        # Merging, and several units of one group, come with few digests and snapshots, too.
        patch.setattr(digests_module, "RUN", 8)
        patch.setattr(digests_module, "SLACK", 16)
        patch.setattr(digests_module, "_SAMPLE", 1)
        patch.setattr(tree_module, "_LEAST_TOGETHER", 2)
        if bare:
            patch.setattr(counters, "Batch", no_statx)
        uid, gid = backup_ids()
        plan = ReferencePlan(now=START, cutoff=CUTOFF, safety_check=False)
        _owners, facts = observe_store(WalkPlan(os.fspath(base), uid, gid, (gid,), stall=120.0, max_paths=100), plan)
    model = Model(chunks, needed)
    assert facts.complete, facts.stuck
    assert facts.sweep is not None
    sweep = facts.sweep
    assert facts.indexes == files
    assert facts.needed == len(needed)
    kinds = ("chunk-missing", "chunk-only-bad")
    seen = {kind: {problem.path[-64:] for problem in facts.problems.examples.get(kind, ())} for kind in kinds}
    assert seen == {"chunk-missing": model.missing, "chunk-only-bad": model.only_bad}
    assert {kind: facts.problems.counts.get(kind, 0) for kind in kinds} == {kind: len(seen[kind]) for kind in kinds}
    assert members(sweep.removable.bytes) == model.removable
    assert members(sweep.pending.bytes) == model.pending
    assert members(sweep.kept.bytes) == model.kept
    assert members(sweep.future.bytes) == model.future
    assert members(sweep.needed_old.bytes) == model.needed_old
    for total, bad, wanted in (
        (sweep.removable, sweep.removable_bad, model.removable),
        (sweep.pending, sweep.pending_bad, model.pending),
        (sweep.kept, sweep.kept_bad, model.kept),
    ):
        assert (total.chunks, bad) == (
            len([name for name in wanted if len(name) == 64]),
            len([name for name in wanted if len(name) != 64]),
        )
    assert (sweep.pending_first, sweep.pending_last) == model.due


def no_statx() -> None:
    raise OSError("no statx")


def members(total: int) -> set[str]:
    """Which files make up so many bytes."""
    assert total % 64 == 0
    every = [*DIGESTS, *(digest + ".3.bad" for digest in DIGESTS)]
    assert total < 2 ** (6 + len(every))
    return {name for number, name in enumerate(every) if total >> (number + 6) & 1}


class Model:
    """What PBS does with each file, one file at a time."""

    def __init__(self, chunks: list[dict[str, Any]], needed: set[str]) -> None:
        there = {digest for digest, each in zip(DIGESTS, chunks) if each["there"]}
        bad = {digest for digest, each in zip(DIGESTS, chunks) if each["bad"]}
        self.missing = needed - there - bad
        self.only_bad = (needed & bad) - there
        self.removable: set[str] = set()
        self.pending: set[str] = set()
        self.kept: set[str] = set()
        self.future: set[str] = set()
        self.needed_old: set[str] = set()
        moments = []
        for digest, each in zip(DIGESTS, chunks):
            if digest in there:
                touched = digest in needed
                if touched and START - each["age"] < START - CUTOFF:
                    self.needed_old.add(digest)
                if not touched and each["age"] < 0:
                    self.future.add(digest)
                moments += self._put(digest, START if touched else START - each["age"])
            if digest in bad:
                touched = digest in needed - there
                moments += self._put(digest + ".3.bad", START if touched else START - each["bad_age"])
        due = [moment + CUTOFF + 1 for moment in moments]
        self.due = (min(due), max(due)) if due else (None, None)

    def _put(self, name: str, accessed: int) -> list[int]:
        if accessed < START - CUTOFF:
            self.removable.add(name)
        elif accessed < START:
            self.pending.add(name)
            return [accessed]
        else:
            self.kept.add(name)
        return []
