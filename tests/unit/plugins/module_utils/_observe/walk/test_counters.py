# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many files counted at once are the same as each of them counted by itself."""

from __future__ import annotations

import itertools
import os
import random

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk import counters
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.counters import CountingVisitor
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.visitor import (
    BASE,
    CHUNK,
    LOCK_FILE,
    STRAY_FILE,
    Directory,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity
from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import Batch

pytestmark = pytest.mark.root


@pytest.fixture
def where(tmp_path):
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield Directory(os.fspath(tmp_path), fd, os.fstat(fd))
    os.close(fd)


def fill(path, each):
    """So many files of every sort, good ones and bad ones in turn; their names."""
    sorts = itertools.product((34, 0, 1000), (34, 0), (0o644, 0o600, 0o040), (0, 5), (1, 2))
    sorts = list(sorts)
    names = []
    for number in range(each):
        for place, (uid, gid, mode, size, links) in enumerate(sorts):
            name = f"{number:03d}-{place:03d}"
            (path / name).write_bytes(b"x" * size)
            (path / name).chmod(mode)
            os.chown(path / name, uid, gid)
            if links == 2:
                os.link(path / name, path / f"{name}-again")
            names.append(name.encode())
    return names


def count(where, names, rule, max_paths, at_once):
    """By so many at once; 0 is for each by itself."""
    counter = CountingVisitor(Identity(34, 34, (34,)), max_paths)
    if not at_once:
        counter._batch = None
    size = at_once or len(names)
    for start in range(0, len(names), size):
        counter.files(where, names[start : start + size], rule)
    return counter.result(), counter.empty, counter.wrong()


@pytest.mark.parametrize("rule", [CHUNK, LOCK_FILE, STRAY_FILE, BASE])
@pytest.mark.parametrize("max_paths", [0, 1, 3, 1000])
def test_at_once_and_one_by_one_are_the_same(where, tmp_path, rule, max_paths):
    names = fill(tmp_path, 6)
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    names[40:40] = [b"directory", b"link", b"directory"]
    alone = count(where, names, rule, max_paths, 0)
    assert alone[0].files == len(names) - 3
    assert alone[0].unreadable or rule is STRAY_FILE
    for at_once in (1, 7, Batch.SIZE):
        assert count(where, names, rule, max_paths, at_once) == alone


def test_what_is_right_by_one_rule_is_not_by_another(where, tmp_path):
    (tmp_path / "root").write_bytes(b"x")
    (tmp_path / "root").chmod(0o644)
    counter = CountingVisitor(Identity(34, 34, (34,)), 1)
    for _time in range(3):
        counter.files(where, [b"root"] * 4, STRAY_FILE)
        assert counter.wrong() % 4 == 0
        counter.files(where, [b"root"] * 4, CHUNK)
    assert (counter.counts.files, counter.wrong()) == (24, 12)


def test_a_file_that_is_removed_while_it_is_looked_at_has_no_other_name(where, tmp_path):
    """For an instant the name is still found, and the file has no link any more."""
    with open(tmp_path / "chunk", "wb") as file:
        file.write(b"x")
        os.chown(file.fileno(), 34, 34)
        os.unlink(file.name)
        file.flush()
        status = os.fstat(file.fileno())
    assert status.st_nlink == 0
    counter = CountingVisitor(Identity(34, 34, (34,)), 3)
    counter.file(where, "chunk", status, CHUNK)
    counts = counter.result()
    assert (counts.files, counts.wrong_owner, counts.foreign, counts.examples) == (1, 0, {}, {})


def test_more_sorts_than_are_remembered(where, tmp_path, monkeypatch):
    monkeypatch.setattr(counters, "_MAX_SIGNATURES", 3)
    names = fill(tmp_path, 4)
    assert count(where, names, CHUNK, 1, 50) == count(where, names, CHUNK, 1, 0)


@pytest.mark.parametrize("max_paths", [0, 1, 7, 50])
def test_the_examples_are_the_first_by_name_whatever_comes_first(where, tmp_path, max_paths):
    names = fill(tmp_path, 2)
    in_order = count(where, sorted(names), CHUNK, 10_000, 0)[0].examples
    assert len(in_order["wrong_owner"]) > 50
    chance = random.Random(max_paths)
    for at_once in (0, 1, 20, 200):
        chance.shuffle(names)
        examples = count(where, names, CHUNK, max_paths, at_once)[0].examples
        assert examples == {kind: found[:max_paths] for kind, found in in_order.items() if max_paths}


def test_what_is_known_is_not_looked_at_again(where, tmp_path, monkeypatch):
    """A store that was copied as root is wrong from end to end."""
    for number in range(100):
        (tmp_path / f"{number}").write_bytes(b"x")
    names = sorted(b"%d" % number for number in range(100))
    counter = CountingVisitor(Identity(34, 34, (34,)), 20)
    met = []
    meet = counter._meet
    monkeypatch.setattr(counter, "_meet", lambda *args: (met.append(args), meet(*args)))
    counter.files(where, names, CHUNK)
    counter.files(where, names[20:], CHUNK)
    assert (len(met), counter.wrong(), len(counter.result().examples["wrong_owner"])) == (20, 180, 20)
