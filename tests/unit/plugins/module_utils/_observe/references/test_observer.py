# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What backups need, on real filesystems, held against an imitation of PBS's garbage collection."""

from __future__ import annotations

import json
import os
import time

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.references import GC_SAYS, STOPS, WARNS
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references import reader
from ansible_collections.fleetops.pbs.tests.support.pbs.daemons import as_backup
from ansible_collections.fleetops.pbs.tests.support.pbs.damages import (
    DAMAGES,
    DUE,
    HOUR,
    Recorded,
)
from ansible_collections.fleetops.pbs.tests.support.pbs.garbage import Collection
from ansible_collections.fleetops.pbs.tests.support.pbs.tasks import TaskFailure

pytestmark = pytest.mark.root

KINDS = {
    "nothing": {},
    "fidx-one-byte-short": {"index-length": 1},
    "fidx-one-byte-long": {"index-length": 1},
    "fidx-one-entry-long": {"index-length": 1},
    "fidx-header-only": {"index-length": 1},
    "fidx-empty": {"index-too-small": 1},
    "fidx-bad-magic": {"index-magic": 1},
    "fidx-chunk-size-0": {"index-chunk-size": 1},
    "fidx-wrong-checksum": {"index-header": 1},
    "fidx-reserved-byte": {},
    "fidx-other-size": {"manifest-size": 1},
    "fidx-other-digest": {"index-checksum": 1, "chunk-missing": 1},
    "didx-one-byte-short": {"index-length": 1},
    "didx-one-entry-short": {"index-checksum": 1, "manifest-size": 1},
    "didx-header-only": {"index-empty": 1},
    "didx-empty": {"index-too-small": 1},
    "didx-bad-magic": {"index-magic": 1},
    "chunk-missing": {"chunk-missing": 1},
    "chunk-empty": {"chunk-empty": 1},
    "chunk-corrupt": {},
    "chunk-only-bad": {"chunk-only-bad": 1},
    "chunk-of-root": {"chunk-untouchable": 1},
    "chunk-directory-unreadable": {},
    "chunk-directory-missing": {},
    "index-of-root": {"index-unreadable": 1},
    "snapshot-of-root": {"directory-unreadable": 1},
    "group-of-root": {"directory-unreadable": 1},
    "lost-found-at-the-top": {},
    "lost-found-deeper": {"directory-unreadable": 1},
    "other-directory-of-root": {"directory-unreadable": 1},
    "no-manifest": {"manifest-missing": 1},
    "empty-snapshot": {"manifest-missing": 1},
    "no-owner": {"owner-missing": 1},
    "temporary-files": {"manifest-file-unlisted": 1},
    "odd-snapshot-names": {"index-place": 6, "index-hidden": 3},
    "index-as-link": {"index-link": 1},
    "group-as-link": {"link-group": 1, "index-hidden": 6},
    "index-elsewhere": {"index-place": 2},
    "index-hidden": {"index-hidden": 1},
    "everything-gone": {},
    "damaged-index-elsewhere": {"index-place": 1, "index-too-small": 1},
    "directory-named-as-an-index": {"index-directory": 1},
    "odd-namespace": {"namespace-name": 1, "index-place": 3},
}


@pytest.fixture
def recorded(chunk_store):
    return Recorded(chunk_store(prefixes=4))


@pytest.fixture(autouse=True)
def settled(monkeypatch):
    """What was changed a moment ago counts, as what was changed long ago does in earnest."""
    monkeypatch.setattr(reader, "_SETTLED", -1.0)
    monkeypatch.setattr(reader, "_UNFINISHED", -1.0)


def collect(base, **options):
    """What the imitation does: its counts, its warnings and its error."""
    reader, writer = os.pipe()

    def work():
        collection = Collection(base, **options)
        error = ""
        try:
            collection.run()
        except TaskFailure as failure:
            error = str(failure)
        answer = {"counts": vars(collection.counts), "warnings": collection.log.warnings, "error": error}
        os.write(writer, json.dumps({**answer, "removed": collection.removed}).encode())

    run_as_backup(work)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        return json.loads(answer.read())


def run_as_backup(work):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            with as_backup():
                work()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


def counts(facts):
    return dict(facts.problems.counts)


def warnings(facts):
    """How many warnings GC would count."""
    strange = sum(counts(facts).get(kind, 0) for kind in ("index-place", "index-link"))
    chunks = sum(counts(facts).get(kind, 0) for kind in ("chunk-missing", "chunk-only-bad"))
    assert all(GC_SAYS[kind] == WARNS for kind in ("index-place", "index-link", "chunk-missing", "chunk-only-bad"))
    return strange + bool(strange) + chunks


def swept(facts):
    """In the terms of `.gc-status`."""
    sweep = facts.sweep
    return {
        "removed_bytes": sweep.removable.bytes,
        "removed_chunks": sweep.removable.chunks,
        "removed_bad": sweep.removable_bad,
        "pending_bytes": sweep.pending.bytes,
        "pending_chunks": sweep.pending.chunks,
        "still_bad": sweep.pending_bad,
        "disk_bytes": sweep.kept.bytes,
        "disk_chunks": sweep.kept.chunks,
        "index_file_count": facts.indexes,
        "index_data_bytes": facts.data_bytes,
    }


@pytest.mark.parametrize("damage", DAMAGES, ids=str)
def test_each_recorded_damage_is_seen_and_what_garbage_collection_does_is_foretold(recorded, look, damage):
    recorded.unreferenced("aa01" + "0" * 60, 1000, DUE)
    recorded.unreferenced("aa02" + "0" * 60, 2000, HOUR)
    damage.do(recorded)
    recorded.age(*(path for path in recorded.chunks if not path.name.startswith("aa")))
    start = int(time.time())
    facts = look(recorded.base, now=start, safety_check=False)
    assert facts.complete, facts.stuck
    assert counts(facts) == KINDS[damage.name]
    stops = [kind for kind in counts(facts) if GC_SAYS[kind] == STOPS]
    done = collect(recorded.base, start=start)
    assert bool(stops) == done["error"].startswith("marking"), (stops, done["error"])
    for kind in stops:
        assert any(problem.detail.split(": ")[-1] in done["error"] for problem in facts.problems.examples[kind]) or (
            kind in WITHOUT_WORDS
        )
    if not done["error"]:
        assert warnings(facts) == done["warnings"] == damage.warnings
        assert swept(facts) == {name: done["counts"][name] for name in swept(facts)}


WITHOUT_WORDS = ("index-unreadable", "directory-unreadable", "chunk-untouchable")
