# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which snapshots PBS's retention keeps, and what it says of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.tests.support.pbs import listing, rules
from ansible_collections.fleetops.pbs.tests.support.pbs.daemons import as_backup
from ansible_collections.fleetops.pbs.tests.support.pbs.prune import prune, select
from ansible_collections.fleetops.pbs.tests.support.pbs.store import ChunkStore
from ansible_collections.fleetops.pbs.tests.support.pbs.tasks import Log, TaskFailure

pytestmark = pytest.mark.root

DAY = 86400
FIRST = rules.snapshot_time("2026-01-05T12:00:00Z")  # a Monday


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch):
    """Periods are those of local time."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def store(chunk_store: Callable[..., ChunkStore]) -> ChunkStore:
    return chunk_store(prefixes=1)


def add(store: ChunkStore, *moments: int, group: str = "host/h1", **options) -> list[Path]:
    return [store.add_snapshot(group, rules.snapshot_name(moment), **options) for moment in moments]


def kept(store: ChunkStore, **keep: int) -> list[int]:
    """Days after the first, of the snapshots that stay."""
    options = {"keep-" + name: count for name, count in keep.items()}
    marks = select(listing.snapshots(str(store.path), (), "host/h1"), options)
    return sorted((rules.snapshot_time(name) - FIRST) // DAY for name, mark in marks.items() if mark != "remove")


def test_the_last_ones(store):
    add(store, *(FIRST + day * DAY for day in range(5)))
    assert kept(store, last=2) == [3, 4]


def test_the_newest_of_each_period_counts(store):
    add(store, *(FIRST + day * DAY for day in range(21)))
    assert kept(store, daily=3) == [18, 19, 20]
    # Sundays end weeks.
    assert kept(store, weekly=2) == [13, 20]


def test_a_later_option_looks_at_what_those_before_it_left(store):
    add(store, *(FIRST + day * DAY for day in range(21)))
    # The last two are of the last week, so two further weeks are kept.
    assert kept(store, last=2, weekly=2) == [6, 13, 19, 20]


def test_months_and_years(store):
    add(store, *(FIRST + day * DAY for day in range(0, 800, 10)))
    months = kept(store, monthly=3)
    assert [time.gmtime(FIRST + day * DAY).tm_mon for day in months] == [1, 2, 3]
    years = [time.gmtime(FIRST + day * DAY).tm_year for day in kept(store, yearly=5)]
    assert years == [2026, 2027, 2028]


def test_protected_and_unfinished_ones(store):
    add(store, FIRST, protected=True)
    add(store, FIRST + DAY, finished=False)
    add(store, FIRST + 2 * DAY, FIRST + 3 * DAY)
    assert kept(store, last=1) == [0, 3]


def run(store: ChunkStore, **keep: int) -> tuple[list[str], int]:
    lines: list[str] = []
    log = Log(write=lines.append)
    with as_backup():
        prune(store.path, {"keep-" + name: count for name, count in keep.items()}, name="dsa", log=log)
    return lines, log.warnings


def test_the_log_is_as_recorded(store):
    names = ["2026-05-28T20:26:40Z", "2026-06-02T11:33:28Z"]
    add(store, *map(rules.snapshot_time, names), group="host/h2")
    add(store, rules.snapshot_time(names[0]), group="host/h3", namespace=["n1", "n2"])
    lines, warnings = run(store, last=1)
    path = store.path / "host/h2" / names[0]
    assert lines == [
        "Starting datastore prune on datastore 'dsa', root namespace, down to full depth",
        "retention options: --keep-last 1",
        'Pruning group :"host/h2"',
        f"remove host/h2/{names[0]}",
        f'removing backup snapshot "{path}"',
        f"keep host/h2/{names[1]}",
        'Pruning group n1/n2:"host/h3"',
        f"keep host/h3/{names[0]}",
    ]
    assert warnings == 0
    assert not path.exists()


def test_a_group_that_is_not_writable_loses_what_is_in_its_snapshots(store):
    old, new = add(store, FIRST, FIRST + DAY)
    os.chown(old.parent, 0, 0)
    lines, warnings = run(store, last=1)
    assert warnings == 1
    assert lines[-2] == (
        f'failed to remove dir "host/h1/{old.name}": removing backup snapshot "{old}" failed - '
        "Permission denied (os error 13)"
    )
    assert list(old.iterdir()) == []
    assert (new / "index.json.blob").exists()


def test_without_an_option_nothing_goes_and_the_task_warns(store):
    (path,) = add(store, FIRST)
    lines, warnings = run(store)
    assert "No prune selection - keeping all files." in lines
    assert f"remove host/h1/{path.name}" in lines
    assert warnings == 1
    assert path.exists()


def test_a_namespace_that_is_not_there(store):
    with pytest.raises(TaskFailure, match="ENOENT: No such file or directory"):
        prune(store.path, {"keep-last": 1}, namespace=("nope",), log=Log(write=lambda _line: None))
