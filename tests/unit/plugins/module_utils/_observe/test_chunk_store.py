# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies at a datastore's path, looked at on real directories."""

from __future__ import annotations

import os

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.shown import shown
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.chunk_store import (
    observe_location,
    observe_reach,
    observe_skeleton,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._system import child
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity, become
from ansible_collections.fleetops.pbs.tests.support.pbs.store import backup_ids


def test_a_path_that_leads_nowhere_is_a_fact(tmp_path):
    facts = observe_location(str(tmp_path / "nothing"))
    assert (facts.exists, facts.error) == (False, "")
    (tmp_path / "file").touch()
    assert not observe_location(str(tmp_path / "file" / "below")).exists


def test_links_on_the_way_are_followed_as_pbs_does(tmp_path):
    (tmp_path / "real").mkdir(mode=0o750)
    (tmp_path / "link").symlink_to("real")
    facts = observe_location(str(tmp_path / "link"))
    assert (facts.exists, facts.type, facts.realpath) == (True, "directory", str(tmp_path / "real"))
    assert (facts.ino, facts.mode) == ((tmp_path / "real").stat().st_ino, "0750")


def test_a_loop_of_links_is_reported_with_its_errno(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    facts = observe_location(str(tmp_path / "loop"))
    assert not facts.exists
    assert facts.error.startswith("ELOOP")


@pytest.mark.root
def test_the_first_directory_that_the_daemon_cannot_enter_is_named(chunk_store):
    store = chunk_store(prefixes=1)
    uid, gid = backup_ids()

    def reach(channel):
        become(Identity(uid, gid))
        channel.put("reach", observe_reach(str(store.path)))

    assert child.run_one(reach, 10).parts["reach"] == [True, ""]
    store.path.chmod(0o700)
    assert child.run_one(reach, 10).parts["reach"] == [True, ""]
    os.chown(store.path, 0, 0)
    assert child.run_one(reach, 10).parts["reach"] == [False, str(store.path)]
    store.path.parent.chmod(0o700)
    assert child.run_one(reach, 10).parts["reach"] == [False, str(store.path.parent)]


def test_nothing_there(tmp_path):
    assert observe_skeleton(str(tmp_path / "nothing")).state == "absent"


@pytest.mark.parametrize("names", [[], ["lost+found"], [".snapshot", ".zfs"], [".lock"]])
def test_what_pbs_takes_for_empty(tmp_path, names):
    for name in names:
        (tmp_path / name).mkdir()
    assert observe_skeleton(str(tmp_path)).state == "empty"


@pytest.mark.parametrize("name", ["@eaDir", "aquota.user", "vm", "backup.tar"])
def test_anything_else_is_foreign_and_named(tmp_path, name):
    (tmp_path / name).mkdir()
    facts = observe_skeleton(str(tmp_path))
    assert facts.state == "foreign"
    assert facts.groups + facts.foreign == [name]


def test_chunks_that_are_no_directory_are_no_store(tmp_path):
    (tmp_path / ".chunks").symlink_to("/etc")
    facts = observe_skeleton(str(tmp_path))
    assert (facts.state, facts.chunks.type) == ("foreign", "link")


@pytest.mark.root
def test_of_a_half_made_store_the_missing_parts_are_named(chunk_store):
    facts = observe_skeleton(os.fspath(chunk_store(prefixes=32768, zero_chunk=False)))
    assert (facts.state, facts.prefixes) == ("half-made", 32768)
    # Every second one is there, beginning with 0000.
    assert facts.missing[:3] == ["0001", "0003", "0005"]
    assert len(facts.missing) == 10


@pytest.mark.root
def test_a_whole_store(whole_store):
    store = whole_store()
    store.add_group("vm/100")
    (store.path / "#recycle").mkdir()
    facts = observe_skeleton(os.fspath(store))
    assert (facts.state, facts.prefixes, facts.missing) == ("whole", 65536, [])
    assert (facts.groups, facts.foreign, facts.foreign_count) == (["vm"], ["#recycle"], 1)
    uid, gid = backup_ids()
    modes = {"base": "0755", "chunks": "0750", "lock": "0644", "zero_chunk": "0644"}
    for name, mode in modes.items():
        part = getattr(facts, name)
        assert (part.uid, part.gid, part.mode) == (uid, gid, mode), name
    assert facts.zero_chunk.size == 159
    assert facts.gc_status is None


@pytest.mark.root
def test_without_its_lock_a_store_is_not_whole(whole_store):
    store = whole_store()
    (store.path / ".lock").unlink()
    facts = observe_skeleton(os.fspath(store))
    assert (facts.state, facts.prefixes, facts.lock) == ("half-made", 65536, None)


@pytest.mark.root
def test_a_prefix_directory_that_is_a_link_is_not_entered(chunk_store, tmp_path):
    store = chunk_store(prefixes=1, zero_chunk=False)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / store.zero_chunk.name).touch()
    store.zero_chunk.parent.symlink_to(tmp_path / "elsewhere")
    facts = observe_skeleton(os.fspath(store))
    assert facts.zero_chunk is None
    assert "bb9f" in facts.error


@pytest.mark.root
def test_looking_moves_no_access_time(whole_store):
    store = whole_store("strictatime")
    parts = [store.path, store.chunks, store.zero_chunk.parent, store.zero_chunk, store.path / ".lock"]
    before = [part.stat().st_atime_ns for part in parts]
    observe_location(os.fspath(store))
    observe_skeleton(os.fspath(store))
    assert [part.stat().st_atime_ns for part in parts] == before


def test_hostile_names_are_fit_to_be_shown(tmp_path):
    os.mkdir(os.fsencode(tmp_path) + b"/\xff\n\x1b[31m")
    assert shown(observe_skeleton(str(tmp_path))).foreign == [r"\xff\x0a\x1b[31m"]
