# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is where: links in place of directories, odd places, hidden names."""

from __future__ import annotations

import os

import pytest

from ansible_collections.fleetops.pbs.tests.support.pbs.store import ZERO_DIGEST, fixed_index

pytestmark = pytest.mark.root

SNAPSHOT = "2025-01-01T00:00:00Z"
INDEX = fixed_index([ZERO_DIGEST], 1)


@pytest.fixture
def store(chunk_store):
    made = chunk_store(prefixes=4)
    made.add_snapshot("vm/100", SNAPSHOT, namespace=["a", "b"])
    made.add_snapshot("ct/7", SNAPSHOT)
    return made


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("ct", "link-type"),
        ("ct/7", "link-group"),
        (f"ct/7/{SNAPSHOT}", "link-snapshot"),
        ("ns", "link-namespace"),
        ("ns/a", "link-namespace"),
        ("ns/a/ns", "link-namespace"),
        ("ns/a/ns/b/vm", "link-type"),
        (f"ns/a/ns/b/vm/100/{SNAPSHOT}", "link-snapshot"),
    ],
)
def test_a_link_in_place_of_a_directory(store, look, tmp_path, path, kind):
    elsewhere = (store.path / path).rename(tmp_path / "elsewhere")
    (store.path / path).symlink_to(elsewhere)
    facts = look(store)
    assert facts.complete, facts.stuck
    assert facts.problems.counts == {kind: 1}
    (problem,) = facts.problems.examples[kind]
    assert problem.path == path
    assert str(elsewhere) in problem.detail
    assert facts.indexes == 1


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("x.fidx", {"index-place": 1}),
        ("vm/x.fidx", {"index-place": 1}),
        ("ns/x.fidx", {"index-place": 1}),
        ("ns/a/x.fidx", {"index-place": 1}),
        ("ct/7/x.fidx", {"index-place": 1}),
        (f"ct/7/{SNAPSHOT}/below/x.fidx", {"index-place": 1}),
        (f"ct/7/{SNAPSHOT}.bak/x.fidx", {"index-place": 1}),
        (f"ct/bad name/{SNAPSHOT}/x.fidx", {"index-place": 1}),
        ("lost+found/x.fidx", {"index-place": 1}),
        (".x.fidx", {"index-hidden": 1}),
        (".hidden/deep/x.fidx", {"index-hidden": 1}),
        ("ct/.hidden/x.fidx", {"index-hidden": 1}),
        ("x.tmp_fidx", {}),
        ("x.fidx.tmp_AbCdEf", {}),
        (".fidx", {}),
        (".chunks/x.fidx", {}),
    ],
)
def test_an_index_file_in_an_odd_place(store, look, path, counts):
    where = store.path / path
    for above in reversed(where.relative_to(store.path).parents):
        if not (store.path / above).exists():
            store.directory(store.path / above, 0o755)
    store.file(where, INDEX)
    facts = look(store)
    assert facts.complete, facts.stuck
    assert facts.problems.counts == counts
    assert facts.indexes == 2 + counts.get("index-place", 0)


@pytest.mark.parametrize("name", ["x.fidx", "x.didx"])
@pytest.mark.parametrize("where", ["", "vm", "ct", "ct/7", f"ct/7/{SNAPSHOT}", "ns/a"])
def test_a_directory_with_the_name_of_an_index_file(store, look, where, name):
    (store.path / where).mkdir(exist_ok=True)
    (store.path / where / name).mkdir()
    facts = look(store)
    assert facts.problems.counts == {"index-directory": 1}


@pytest.mark.parametrize(("name", "count"), [("good.name", 0), ("bad name", 1), (".hidden", 1), ("-dash", 1)])
def test_directories_of_namespaces(store, look, name, count):
    (store.path / "ns" / name).mkdir()
    (store.path / "ns/file").touch()
    assert look(store).problems.counts.get("namespace-name", 0) == count


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("2025-13-01T00:00:00Z", {"snapshot-name": 1, "index-place": 1}),
        ("2025-02-30T00:00:00Z", {}),
        ("0000-01-01T00:00:00Z", {}),
        ("2025-01-01T00:00:00Zx", {"index-place": 1}),
    ],
)
def test_times_that_are_none(store, look, name, counts):
    snapshot = store.path / "ct/7" / name
    snapshot.mkdir()
    store.file(snapshot / "x.fidx", fixed_index([ZERO_DIGEST], 4096))
    assert look(store).problems.counts == counts


def test_hidden_things_in_a_snapshot(store, look):
    snapshot = store.path / "ct/7" / SNAPSHOT
    snapshot.mkdir(exist_ok=True)
    (snapshot / ".kept").mkdir()
    store.file(snapshot / ".kept/x.fidx", fixed_index([ZERO_DIGEST], 4096))
    (snapshot / ".y.fidx").mkdir()
    os.mkfifo(snapshot / ".z.fidx")
    (snapshot / ".l.fidx").symlink_to("nowhere")
    facts = look(store)
    assert facts.problems.counts == {"index-hidden": 1}
    assert facts.problems.examples["index-hidden"][0].path.endswith("/.kept/x.fidx")


@pytest.mark.parametrize("where", [f"ct/7/{SNAPSHOT}/below", f"ct/7/{SNAPSHOT}/below/deeper", "odd", "ct/7/odd"])
def test_what_an_index_file_in_an_odd_place_needs_is_missed(store, look, where):
    (store.path / where).mkdir(parents=True)
    store.file(store.path / where / "x.fidx", fixed_index(["00" * 31 + "ff"], 4096))
    facts = look(store)
    assert facts.problems.counts == {"index-place": 1, "chunk-missing": 1}
    assert facts.problems.examples["chunk-missing"][0].detail == f"needed by {where}/x.fidx"


def test_where_root_is_refused_the_daemon_looks_and_meets_what_garbage_collection_meets(store, look):
    (store.path / "lost+found").mkdir(mode=0o700)
    store.file(store.path / f"ct/7/{SNAPSHOT}/x.fidx", INDEX, mode=0)
    (store.path / "odd").mkdir(mode=0o700)
    facts = look(store, walk={"as_owner": True})
    assert facts.problems.counts == {"directory-unreadable": 1, "index-unreadable": 1}
    assert not facts.complete
    assert "EACCES" in facts.stuck


def test_what_the_daemon_may_not_list(store, look):
    (store.path / "lost+found").mkdir(mode=0o700)
    odd = store.path / "odd"
    odd.mkdir(mode=0o700)
    (odd / "x.fidx").write_bytes(INDEX)
    facts = look(store)
    assert facts.problems.counts == {"directory-unreadable": 1, "index-place": 1}
    assert facts.problems.examples["directory-unreadable"][0].detail == "mode 0700, uid 0, gid 0"
