# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in `.chunks` and its prefix directories, from the records of the kernel, whatever and wherever they are."""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk import chunk_listing
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.chunk_listing import (
    chunk_lister,
    is_digest,
    prefix_lister,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import is_prefix
from ansible_collections.fleetops.pbs.plugins.module_utils._system.listing import BATCH, LoopDetector, batches

D = b"bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8"


def digests(count):
    return [hashlib.sha256(str(number).encode()).hexdigest() for number in range(count)]


@pytest.fixture(params=["getdents64", "scandir"])
def lister(request, monkeypatch):
    """Both ways: C libraries before glibc 2.30 lack the call."""
    if request.param == "scandir":

        def missing(name):
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), name)

        monkeypatch.setattr(chunk_listing, "bind_bare", missing)
    return chunk_lister()


@pytest.fixture
def prefixes(lister):
    """The same two ways, for names of prefix directories."""
    return prefix_lister()


def listed(lister, path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return list(lister.batches(fd))
    finally:
        os.close(fd)


def compare(lister, path, expected=is_digest):
    """What was listed is what is there, in pieces, each name with the truth about it."""
    pieces = listed(lister, path)
    names = [name for piece, _all in pieces for name in piece]
    assert sorted(names) == sorted(os.fsencode(name) for name in os.listdir(path))
    assert all(0 < len(piece) <= BATCH for piece, _all in pieces)
    assert all(said == all(map(expected, piece)) for piece, said in pieces)
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for piece, _all in lister.batches(fd):
            assert list(lister.inodes()) == [os.stat(name, dir_fd=fd).st_ino for name in piece]
    finally:
        os.close(fd)
    return pieces


def is_prefix_name(name):
    return is_prefix(os.fsdecode(name))


@pytest.mark.root
@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs"])
@pytest.mark.parametrize("count", [0, 1, 2, 16, 17, 255, 256, 257, 1000])
def test_digests_on_real_filesystems(kind, count, lister, loopfs, tmpfs):
    """Each of them puts the directory itself and its parent where it likes."""
    path = (tmpfs() if kind == "tmpfs" else loopfs(kind)) / "0000"
    path.mkdir()
    for name in digests(count):
        (path / name).touch()
    pieces = compare(lister, path)
    assert all(said for _piece, said in pieces)


@pytest.mark.root
@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs"])
@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 3000])
def test_prefix_directories_on_real_filesystems(kind, count, prefixes, loopfs, tmpfs):
    path = (tmpfs() if kind == "tmpfs" else loopfs(kind)) / ".chunks"
    path.mkdir()
    for number in range(count):
        (path / f"{number * 17 % 65536:04x}").mkdir()
    pieces = compare(prefixes, path, is_prefix_name)
    assert all(said for _piece, said in pieces)


def test_other_names_among_prefix_directories(prefixes, tmp_path):
    for name in ("0000", "00a1", "00A1", "abc", "abcde", "000g", "lost+found", "....", "y" * 255):
        (tmp_path / name).mkdir()
    (tmp_path / os.fsdecode(b"\xff\xfe\xfd\xfc")).mkdir()
    compare(prefixes, tmp_path, is_prefix_name)


def test_other_names_among_them(lister, tmp_path):
    names = [*digests(20), D.decode()[:63], f"{D.decode()}.0.bad", D.decode()[:62] + "g", "x", "\u00e4", "y" * 255]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / os.fsdecode(b"\xff")).touch()
    compare(lister, tmp_path)


def test_many_short_names_come_in_pieces(lister, tmp_path):
    for number in range(3000):
        (tmp_path / f"{number}").touch()
    assert len(compare(lister, tmp_path)) >= 3000 / BATCH


def test_a_removed_directory_is_at_its_end(lister, tmp_path):
    path = tmp_path / "0000"
    path.mkdir()
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    path.rmdir()
    try:
        assert list(lister.batches(fd)) == []
    finally:
        os.close(fd)


def test_what_cannot_be_listed_says_why(lister, tmp_path):
    (tmp_path / "file").touch()
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    try:
        with pytest.raises(OSError, match=r"\[Errno 20\]"):
            list(lister.batches(fd))
    finally:
        os.close(fd)


def test_directories_in_turn_with_one_lister(tmp_path):
    lister = chunk_lister()
    for number, count in enumerate((300, 3, 0, 16, 2, 16)):
        path = tmp_path / str(number)
        path.mkdir()
        for name in digests(count):
            (path / name).touch()
        compare(lister, path)


# --- records as a kernel may write them ---------------------------------------------------------------------------------


def record(name, inode, rest):
    length = (19 + len(name) + 1 + 7) // 8 * 8
    kind = 4 if name in (b".", b"..") else 8
    head = struct.pack("=QqHB", inode, rest, length, kind) + name + b"\0"
    # What is behind the NUL is whatever was in the memory before.
    return head + (b"ab.\0" * 8)[: length - len(head)]


NAMES = st.lists(
    st.one_of(
        st.just(D),
        st.just(D.upper()),
        st.text("0123456789abcdefA", min_size=3, max_size=5).map(str.encode),
        st.text("0123456789abcdefABCDEF", min_size=61, max_size=68).map(str.encode),
        st.text("0123456789abcdef \n.g", min_size=63, max_size=65).map(str.encode),
        st.binary(min_size=1, max_size=255).filter(
            lambda name: not set(name) & set(b"\0/") and name not in (b".", b"..")
        ),
    ),
    min_size=1,
    max_size=20,
)
# The records of the directory and its parent, as numbers: an inode that looks like one of them must not be taken for it.
TRAPS = [int.from_bytes(b"\x18\0\x04.\0aaa", "little"), int.from_bytes(b"\x18\0\x04..\0aa", "little")]
NUMBERS = st.one_of(st.integers(0, 2**63 - 1), st.sampled_from(TRAPS))


class Kernel:
    """Answers the calls with prepared records, as many as fit at a time."""

    def __init__(self, records):
        self.records = list(records)

    def __call__(self, fd, buffer, size):
        data = b""
        while self.records and len(data) + len(self.records[0]) <= size:
            data += self.records.pop(0)
        buffer[: len(data)] = data
        return len(data)


EITHER = pytest.mark.parametrize(
    ("make", "expected", "one"), [(chunk_lister, is_digest, D), (prefix_lister, is_prefix_name, b"00ff")]
)


@EITHER
@given(names=NAMES, data=st.data())
@example(names=[D] * 3, data=None)
@example(names=[b"00ff"] * 3, data=None)
def test_the_fast_way_agrees_with_the_careful_one(make, expected, one, names, data):
    def number():
        return data.draw(NUMBERS) if data else TRAPS[0]

    numbers = [number() for _name in names]
    records = [record(name, inode, number()) for name, inode in zip(names, numbers)]
    for dot in (b".", b".."):
        place = data.draw(st.integers(0, len(records))) if data else 1
        records.insert(place, record(dot, number(), number()))
    lister = make()
    lister._getdents = Kernel(records)
    found = []
    for piece, said in lister.batches(-1):
        assert said == all(map(expected, piece))
        found += zip(piece, lister.inodes())
    assert found == list(zip(names, numbers))


@EITHER
@given(count=st.integers(1, 20), own=st.integers(0, 20), parent=st.integers(0, 21))
@example(count=16, own=8, parent=2)
def test_expected_names_are_never_cut_one_by_one(make, expected, one, count, own, parent):
    """Where the directory itself and its parent come is a matter of chance, and of each ext4 another one."""
    records = [record(one, number, 0) for number in range(count)]
    records.insert(min(own, count), record(b".", 1, 0))
    records.insert(min(parent, count + 1), record(b"..", 2, 0))
    lister = make()
    lister._getdents = Kernel(records)
    lister._records = None
    assert list(lister.batches(-1)) == [([one] * count, True)]


@pytest.mark.parametrize("name", ["x{:07d}", "{:064x}"])
def test_a_listing_without_an_end_is_found_out(name):
    class Circular(Kernel):
        def __call__(self, fd, buffer, size):
            if not self.records:
                self.records = whole[:]
            return super().__call__(fd, buffer, size)

    whole = [record(name.format(number).encode(), number, 0) for number in range(1000)]
    lister = chunk_lister()
    lister._getdents = Circular(whole)
    with pytest.raises(OSError, match="never ends"):
        list(itertools.islice(lister.batches(-1), 100))
    # The same names with other inodes are other files.
    replaced = [record(name.format(number % 1000).encode(), number, 0) for number in range(4000)]
    lister._getdents = Kernel(replaced)
    assert sum(len(piece) for piece, _all in lister.batches(-1)) == 4000


def test_a_loop_needs_the_name_and_the_inode():
    detector = LoopDetector()
    detector.check(["a", "b"], [1, 2])
    detector.check(["a"], [3])
    detector.check(["c"], [3])
    with pytest.raises(OSError, match="never ends"):
        detector.check(["x", "a"], [9, 3])


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
