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
def store(chunk_store, walk_only):
    walk_only([*range(16), int(ZERO_DIGEST[:4], 16)])
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
        ("ns/a", "link-namespace"),
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


@pytest.mark.parametrize("where", ["ns", "ns/a/ns"])
def test_a_link_in_place_of_ns_is_followed_by_garbage_collection(store, look, tmp_path, where):
    """PBS opens `ns` by its name. Whoever owns a datastore decides where a link leads, so that it is not followed here."""
    elsewhere = (store.path / where).rename(tmp_path / "elsewhere")
    (store.path / where).symlink_to(elsewhere)
    facts = look(store)
    assert not facts.complete
    assert where in facts.stuck
    assert "GC follows" in facts.stuck
    assert facts.problems.counts == {}


def test_a_link_in_place_of_ns_that_leads_nowhere(store, look):
    (store.path / "ns/a/ns").rename(store.path / "moved")
    (store.path / "ns/a/ns").symlink_to("nowhere")
    facts = look(store)
    assert facts.complete
    assert facts.problems.counts == {"index-place": 1}


@pytest.mark.parametrize("where", ["ns", "ns/a/ns"])
@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: open(path, "w").close(), lambda path: os.symlink("/etc/hostname", path)]
)
def test_ns_that_is_no_directory_stops_garbage_collection(store, look, where, make):
    (store.path / where).rename(store.path / "moved")
    make(store.path / where)
    facts = look(store)
    assert facts.problems.counts["namespaces-file"] == 1
    assert facts.problems.examples["namespaces-file"][0].path == where


@pytest.mark.parametrize("where", ["vm", "ns/a/host"])
def test_a_file_in_place_of_a_type(store, look, where):
    (store.path / where).write_text("")
    facts = look(store)
    assert facts.complete
    assert facts.problems.counts == {"type-file": 1}


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


def test_directories_below_the_deepest_namespaces(store, look):
    """Garbage collection lists no namespaces there, so that no name stops it. What it walks over counts."""
    path = store.path
    for number in range(7):
        path = (
            store.directory(store.directory(path / "ns", 0o755) if not (path / "ns").is_dir() else path / "ns", 0o755)
            / f"n{number}"
        )
        store.directory(path, 0o755)
    for name in ("bad name", "deeper/vm/100/" + SNAPSHOT):
        (path / "ns" / name).mkdir(parents=True)
    store.file(path / "ns/deeper/vm/100" / SNAPSHOT / "x.fidx", INDEX)
    facts = look(store)
    assert facts.complete
    assert facts.problems.counts == {"index-place": 1}


def test_a_namespace_that_is_too_long_stops_garbage_collection(store, look):
    (store.path / "ns" / ("a" * 200) / "ns" / ("b" * 55)).mkdir(parents=True)
    assert look(store).problems.counts == {}
    (store.path / "ns" / ("a" * 200) / "ns" / ("b" * 56)).mkdir()
    facts = look(store)
    assert facts.problems.counts == {"namespace-name": 1}
    assert "namespace length exceeded" in facts.problems.examples["namespace-name"][0].detail


def test_names_that_are_no_text(store, look):
    """PBS passes over a namespace whose name is not UTF-8, and takes no name that is not UTF-8 for a hidden one."""
    base = os.fsencode(store.path)
    os.mkdir(base + b"/ns/\xff")
    os.mkdir(base + b"/.\xff")
    for name in (
        b"/.\xff/x.fidx",
        b"/.\xfe.fidx",
        b"/ct/7/" + SNAPSHOT.encode() + b"/\xff.fidx",
        b"/ct/7/" + SNAPSHOT.encode() + b"/a\nb.fidx",
    ):
        with open(base + name, "wb") as file:
            file.write(INDEX)
        os.chmod(base + name, 0o644)
    facts = look(store)
    assert facts.complete, facts.stuck
    assert facts.problems.counts == {"index-place": 4}
    assert facts.indexes == 6


@pytest.fixture
def hidden(store, look):
    """The same store below a base directory with a hidden name."""
    path = store.path.rename(store.path.with_name(".tank"))
    return type(store)(path, store.uid, store.gid)


def test_a_hidden_base_directory(hidden, look):
    """The walk of garbage collection ends there at once; it finds what lies in snapshots, and reports nothing strange."""
    facts = look(hidden)
    assert (facts.complete, facts.problems.counts, facts.indexes) == (True, {}, 2)


@pytest.mark.parametrize(
    "path",
    [
        "x.fidx",
        "ct/x.fidx",
        "ct/7/x.fidx",
        f"ct/7/{SNAPSHOT}.bak/x.fidx",
        f"ct/7/{SNAPSHOT}/below/x.fidx",
        f"foo/ct/7/{SNAPSHOT}/x.fidx",
        "ns/a/x.fidx",
    ],
)
def test_what_lies_elsewhere_in_a_hidden_base_directory_is_lost(hidden, look, path):
    where = hidden.path / path
    where.parent.mkdir(parents=True, exist_ok=True)
    hidden.file(where, INDEX)
    facts = look(hidden)
    assert (facts.complete, facts.problems.counts, facts.indexes) == (True, {"index-hidden": 1}, 2)
    assert facts.problems.examples["index-hidden"][0].path == path


def test_links_and_directories_with_names_of_index_files_in_a_hidden_base_directory(hidden, look):
    snapshot = hidden.path / "ct/7" / SNAPSHOT
    (snapshot / "dir.fidx").mkdir()
    (hidden.path / "dir.fidx").mkdir(mode=0o700)
    hidden.file(snapshot / "kept.img.fidx", INDEX)
    (snapshot / "link.fidx").symlink_to("kept.img.fidx")
    facts = look(hidden)
    assert (facts.complete, facts.indexes) == (True, 3)
    assert facts.problems.counts == {"index-hidden": 1}


def test_what_stops_garbage_collection_stops_it_in_a_hidden_base_directory(hidden, look):
    (hidden.path / "ns/bad name").mkdir()
    hidden.file(hidden.path / "ct/7" / SNAPSHOT / "x.fidx")
    assert look(hidden).problems.counts == {"namespace-name": 1, "index-too-small": 1}


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
