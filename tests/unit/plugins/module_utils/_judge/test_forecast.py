# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forecast from made-up facts. What PBS did to real datastores is in the tests of references."""

from __future__ import annotations

import dataclasses
import errno
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.file import PathProblem
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.load import load
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.references import (
    GC_SAYS,
    STOPS,
    Problems,
    ReferenceProblem,
    Sum,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.forecast import (
    IGNORED,
    OUTCOMES,
    STEPS,
    UNTOUCHABLE,
    WARNINGS,
    Amount,
    Forecast,
    Risk,
    forecast,
    warnings_of,
)
from ansible_collections.fleetops.pbs.tests.support import facts

TANK = "/mnt/datastore/tank"
NOTHING = Amount(0, 0)
ALL = Amount(4, 40_000)
OFF = {"configured.tuning": {"gc-atime-safety-check": False}}
INDEX = "vm/100/2025-01-01T00:00:00Z/x.fidx"


def told(changes=None) -> Forecast:
    """The forecast for the healthy datastore after some changes; those of the host begin with `host.`."""
    changes = changes or {}
    to_host = {path[len("host.") :]: value for path, value in changes.items() if path.startswith("host.")}
    to_store = {path: value for path, value in changes.items() if not path.startswith("host.")}
    found = forecast(facts.change(facts.host(), to_host), facts.change(facts.store(), to_store))
    assert found is not None
    json.dumps(dataclasses.asdict(found), allow_nan=False)
    assert found.outcome in OUTCOMES
    assert bool(found.reason) == (found.outcome != "sweeps")
    return found


def test_before_3_3_5_nothing_is_marked_below_a_hidden_name():
    hidden = {"path": "/mnt/datastore/.tank"}
    found = told({**hidden, "host.pbs_version": "3.3.4-1"})
    assert (found.outcome, found.removes) == ("unknown", None)
    assert "looks at nothing in /mnt/datastore/.tank" in found.reason
    assert told({**hidden, "host.pbs_version": "3.3.5-1"}).outcome == "sweeps"


def test_a_healthy_datastore():
    found = told()
    sweep = facts.references().sweep
    assert sweep is not None
    assert (found.outcome, found.step, found.stops, found.risks, found.assumes) == ("sweeps", "", [], [], [])
    assert (found.removes, found.would_remove, found.exact) == (ALL, ALL, True)
    assert (found.start, found.cutoff, found.limit) == (sweep.start, 86700, sweep.start - 86700)
    assert found.pending is not None
    assert dataclasses.astuple(found.pending) == (6, 60_000, 0, sweep.start + 300, sweep.start + 80_000)
    assert found.kept == Amount(990, 10**9 - 100_000)
    assert (found.warnings, found.indexes, found.data_bytes) == (0, 4, 1500 * 4 * 2**20)
    assert found.deduplication == 6.29
    assert [text.partition(":")[0] for text in found.not_known] == ["oldest writer"]


def test_a_datastore_that_pbs_does_not_have():
    assert forecast(facts.host(), facts.change(facts.store(), {"configured": None})) is None


READ_ONLY = f"{TANK}: mounted read-only: PBS can neither lock the datastore nor touch a chunk (EROFS)"


# --- it does not begin ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "kind", "reason"),
    [
        ({"configured.maintenance_type": "read-only"}, "maintenance", "maintenance mode read-only"),
        ({"configured.maintenance_type": "offline"}, "maintenance", "maintenance mode offline"),
        ({"mounted": False}, "not-mounted", "the removable datastore is not mounted"),
        ({"mount.options": ["ro"]}, "read-only", READ_ONLY),
        ({"mount.super_options": ["ro"]}, "read-only", READ_ONLY),
        ({"configured.tuning_error": "unknown variant"}, "tuning", "the tuning options do not parse (unknown variant)"),
        ({"location.exists": False}, "absent", f"{TANK}: there is no such directory"),
        (
            {"location.reachable": False, "location.blocked_at": "/mnt/datastore"},
            "unreachable",
            "/mnt/datastore: 'backup' cannot enter it",
        ),
        ({"skeleton.chunks": None}, "no-store", f"{TANK}: there is no chunk store in it"),
        (
            {"skeleton.lock.mode": "0444"},
            "permission",
            f"{TANK}/.lock: 'backup' may not read and write it (34:34 0444)",
        ),
        ({"skeleton.lock.uid": 0}, "permission", f"{TANK}/.lock: 'backup' may not read and write it (0:34 0644)"),
        (
            {"skeleton.gc_status.mode": "0000"},
            "permission",
            f"{TANK}/.gc-status: 'backup' may not read it (34:34 0000)",
        ),
        (
            {"skeleton.chunks.uid": 0, "skeleton.chunks.gid": 0},
            "permission",
            f"{TANK}/.chunks: 'backup' may not enter it (0:0 0750)",
        ),
    ],
)
def test_gc_does_not_begin(changes, kind, reason):
    found = told(changes)
    assert (found.outcome, found.step, found.reason) == ("refused", "start", reason)
    assert [stop.kind for stop in found.stops] == [kind]
    assert found.removes == NOTHING


@pytest.mark.parametrize(
    "changes",
    [
        {"skeleton.lock.uid": 0, "skeleton.lock.mode": "0666"},
        {"skeleton.lock.uid": 0, "skeleton.lock.gid": 26, "skeleton.lock.mode": "0660"},
        {"skeleton.gc_status.uid": 0, "skeleton.gc_status.gid": 0, "skeleton.gc_status.mode": "0604"},
        {"skeleton.lock": None, "skeleton.gc_status": None},
        {"host.account.uid": None, "skeleton.lock.mode": "0000"},
        {"configured.maintenance_type": ""},
    ],
)
def test_gc_begins(changes):
    assert told(changes).outcome == "sweeps"


@pytest.mark.parametrize(
    ("path", "version", "outcome"),
    [
        (f"{TANK}/inner", "4.2.3-1", "refused"),
        ("/mnt/datastore", "4.2.3-1", "refused"),
        (TANK + "/", "4.2.3-1", "refused"),
        (f"{TANK}2", "4.2.3-1", "sweeps"),
        (f"{TANK}/inner", "3.2.9-1", "sweeps"),
    ],
)
def test_gc_does_not_begin_in_nested_datastores(path, version, outcome):
    host = facts.change(facts.host(), {"pbs_version": version})
    stores = [facts.store(), facts.change(facts.store("vault", 1), {"path": path})]
    found = forecast(host, stores[0], stores)
    assert found is not None
    assert found.outcome == outcome
    declared = [stores[0], facts.change(stores[1], {"configured": None})]
    alone = forecast(host, stores[0], declared)
    assert alone is not None
    assert alone.outcome == "sweeps"


# --- the check --------------------------------------------------------------------------------------------------------

NO_ZERO_CHUNK = {"skeleton.zero_chunk": None, "atime.zero_chunk": None, "atime.zero_chunk_as_root": None}
CHECK_MODE = {"atime.mode": "none", "atime.probe": None, "atime.zero_chunk": None, "atime.not_tried": "check mode"}


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        (facts.refused("EPERM", errno.EPERM, "Operation not permitted", which="zero_chunk"), "zero-chunk"),
        ({"atime.zero_chunk.advanced": False}, "touches-ignored"),
        ({"atime.probe.advanced": False, **NO_ZERO_CHUNK}, "touches-ignored"),
        ({**facts.refused("EROFS", errno.EROFS, "Read-only file system"), **NO_ZERO_CHUNK}, "probe"),
        ({**CHECK_MODE, "skeleton.zero_chunk.uid": 0}, "zero-chunk"),
    ],
)
def test_gc_stops_at_its_own_check(changes, kind):
    found = told(changes)
    assert (found.outcome, found.step, found.stops[0].kind) == ("stops", "check", kind)
    assert (found.removes, found.would_remove, found.exact) == (NOTHING, ALL, True)
    if not changes.get("atime.mode"):
        assert told({**changes, **OFF}).outcome == "sweeps"


@pytest.mark.parametrize("size", [0, 300])
def test_pbs_replaces_a_zero_chunk_of_another_size(size):
    refused = facts.refused("EPERM", errno.EPERM, "Operation not permitted", which="zero_chunk")
    assert told({**refused, "atime.zero_chunk.file.size": size}).outcome == "sweeps"
    assert told({**refused, "atime.zero_chunk.file.size": 100}).outcome == "stops"


def test_what_was_not_tried_is_assumed():
    found = told(CHECK_MODE)
    assert found.outcome == "sweeps"
    assert found.assumes == ["PBS's access time check passes: check mode"]


def test_prefix_directories_that_were_not_looked_into_are_taken_for_empty():
    found = told({"references.unseen_prefixes": 2})
    assert found.assumes == ["GC removes nothing from 2 prefix directories that were not looked into"]


@pytest.mark.parametrize(("capacity", "known"), [(None, True), (990, True), (989, False), (0, False)])
def test_a_cache_that_forgets_makes_the_number_of_warnings_unknown(capacity, known):
    tuning = {} if capacity is None else {"gc-cache-capacity": capacity}
    found = told({**facts.needs("chunk-missing", 3, INDEX), "references.needed": 990, "configured.tuning": tuning})
    assert found.warnings == (3 if known else None)
    assert (WARNINGS in found.not_known) is not known
    assert told({"references.needed": 990, "configured.tuning": tuning}).warnings == 0


# --- marking ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", GC_SAYS)
def test_what_each_kind_of_problem_does_to_the_mark_phase(kind):
    found = told(facts.needs(kind, 3, INDEX, "got unexpected file size (64 != 63)"))
    if GC_SAYS[kind] != STOPS:
        assert (found.outcome, found.removes) == ("sweeps", ALL)
        return
    assert (found.outcome, found.step) == ("stops", "mark")
    assert found.reason == f"{INDEX}: got unexpected file size (64 != 63)"
    assert [dataclasses.astuple(stop) for stop in found.stops] == [
        ("mark", kind, 3, INDEX, "got unexpected file size (64 != 63)")
    ]
    assert (found.removes, found.would_remove) == (NOTHING, ALL)


def test_a_stop_is_known_although_not_everything_was_seen():
    for unseen in ({"references.complete": False}, {"references.chunks_seen": False, "references.sweep": None}):
        found = told({**facts.needs("index-magic", 1, INDEX), **unseen})
        assert (found.outcome, found.removes, found.would_remove) == ("stops", NOTHING, None)


@pytest.mark.parametrize(
    ("counts", "warnings"),
    [
        ({}, 0),
        ({"chunk-missing": 1}, 1),
        ({"chunk-only-bad": 1}, 1),
        ({"chunk-no-file": 1}, 0),
        ({"chunk-missing": 2, "chunk-only-bad": 3, "chunk-empty": 9}, 5),
        ({"index-link": 1}, 2),
        ({"index-place": 2}, 3),
        ({"index-place": 24}, 25),
        ({"index-place": 2, "index-link": 1, "chunk-missing": 1}, 5),
    ],
)
def test_warnings_as_pbs_counts_them(counts, warnings):
    assert warnings_of(dataclasses.replace(facts.references(), problems=Problems(counts))) == warnings
    assert told({"references.problems": Problems(counts)}).warnings == warnings


# --- sweeping ---------------------------------------------------------------------------------------------------------


def test_gc_stops_while_it_sweeps():
    blocked = {"references.sweep.blocked": Sum(2, 100), "references.sweep.blocked_first": ".chunks/27e8 (0:0 0755)"}
    unreadable = {
        "ownership.skeleton.unreadable": 1,
        "ownership.skeleton.examples": {"unreadable": [PathProblem(f"{TANK}/.chunks/1235", "mode 0700, uid 0, gid 0")]},
    }
    for changes, reason in (
        (blocked, ".chunks/27e8 (0:0 0755): 'backup' may not remove what lies in it"),
        (unreadable, ".chunks/1235: 'backup' may not list it (mode 0700, uid 0, gid 0)"),
    ):
        found = told(changes)
        assert (found.outcome, found.step, found.reason) == ("stops", "sweep", reason)
        assert (found.removes, found.exact) == (ALL, False)


def test_stops_are_in_the_order_of_the_steps():
    found = told(
        {
            "references.problems": Problems(
                {"chunk-untouchable": 1, "index-magic": 1},
                {"chunk-untouchable": [ReferenceProblem(".chunks/ab12/x", "0:0")], "index-magic": []},
            ),
            "references.sweep.blocked": Sum(1, 1),
            "atime.zero_chunk.advanced": False,
        }
    )
    assert [stop.step for stop in found.stops] == ["check", "mark", "mark", "sweep"]
    assert [STEPS.index(stop.step) for stop in found.stops] == sorted(STEPS.index(stop.step) for stop in found.stops)
    assert found.step == "check"


# --- chunks that backups need -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes", [{"atime.probe.advanced": False}, {"atime.probe.refreshed_ns": 0}, {"atime.zero_chunk.advanced": False}]
)
def test_touches_without_effect_put_needed_chunks_at_risk(changes):
    assert told({**changes, **OFF}).risks == [Risk(IGNORED, 700, 7 * 10**8, 2)]


def test_chunks_that_cannot_be_touched():
    found = told({**facts.needs("chunk-untouchable", 5, ".chunks/ab12/x"), "references.untouchable_snapshots": 3})
    assert found.risks == [Risk(UNTOUCHABLE, 5, None, 3)]


# --- what is not known ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"references": None}, "the references of the backups were not looked at"),
        ({"references": None, "stuck": "the path /x"}, "the path /x"),
        ({"references.scope": "none"}, "the references of the backups were not looked at"),
        ({"references.not_looked": "S3"}, "S3"),
        ({"references.complete": False, "references.stuck": "EIO"}, "not everything was seen: EIO"),
        (
            {"references.chunks_seen": False, "references.chunks_not_seen": "a sample"},
            "the chunks were not walked: a sample",
        ),
    ],
)
def test_what_the_next_gc_does_is_not_known(changes, reason):
    found = told(changes)
    assert (found.outcome, found.reason, found.removes, found.deduplication) == ("unknown", reason, None, None)


def test_nothing_stays():
    """PBS shows a deduplication factor of 1.00 for an empty datastore, and 0.00 where only the zero chunk stays."""
    assert told({"references.sweep.kept": Sum(0, 0), "references.data_bytes": 0}).deduplication == 1.0
    assert told({"references.sweep.kept": Sum(1, 159), "references.data_bytes": 0}).deduplication == 0.0


def test_the_check_inserts_a_zero_chunk_that_is_missing():
    found = told(NO_ZERO_CHUNK)
    assert found.kept == Amount(991, 10**9 - 100_000 + 159)
    found = told({**NO_ZERO_CHUNK, **OFF})
    assert found.kept == Amount(990, 10**9 - 100_000)


@given(
    counts=st.dictionaries(st.sampled_from(sorted(GC_SAYS)), st.integers(0, 3)),
    complete=st.booleans(),
    seen=st.booleans(),
    tuning=st.booleans(),
    advanced=st.sampled_from([True, False, None]),
)
def test_nothing_is_removed_before_the_sweep(counts, complete, seen, tuning, advanced):
    found = told(
        {
            "references.problems": Problems(counts),
            "references.complete": complete,
            "references.chunks_seen": seen,
            "configured.tuning": {"gc-atime-safety-check": tuning},
            "atime.zero_chunk.advanced": advanced,
        }
    )
    stops = any(number and GC_SAYS[kind] == STOPS for kind, number in counts.items())
    if found.outcome == "sweeps":
        assert complete
        assert seen
        assert not stops
        assert found.removes == ALL
    elif found.outcome == "stops":
        assert found.removes == NOTHING
    else:
        assert found.removes is None
        assert not stops


# --- the page about it ------------------------------------------------------------------------------------------------

PAGE = Path(__file__).parents[5] / "docs/forecast.md"


def test_the_page_shows_a_forecast_with_all_its_members():
    text = PAGE.read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n\"forecast\": (.*?)```", text, re.DOTALL)
    assert list(json.loads(example)) == [field.name for field in dataclasses.fields(Forecast)]
    load(Forecast, json.loads(example))


def test_the_page_names_every_kind_of_stop():
    words = set(re.findall(r"`([a-z-]+)`", PAGE.read_text(encoding="utf-8")))
    assert {kind for kind, says in GC_SAYS.items() if says == STOPS} <= words
    assert {*OUTCOMES, *STEPS, IGNORED, UNTOUCHABLE} <= words
