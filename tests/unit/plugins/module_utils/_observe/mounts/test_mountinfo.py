# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.mountinfo import (
    MountEntry,
    parse_line,
    parse_mountinfo,
)

PLAIN = b"36 27 98:0 /mnt1 /mnt/2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue"


def escape(name: str) -> bytes:
    return b"".join(b"\\%03o" % byte if byte in b" \t\n\\#" else bytes((byte,)) for byte in os.fsencode(name))


def line_of(entry: MountEntry, optional: bytes = b"") -> bytes:
    """As the kernel writes it."""
    return b"%d %d %s %s %s %s %s- %s %s %s" % (
        entry.mount_id,
        entry.parent_id,
        entry.device.encode(),
        escape(entry.root),
        escape(entry.mount_point),
        ",".join(entry.options).encode(),
        optional,
        escape(entry.fstype),
        escape(entry.source),
        b",".join(map(escape, entry.super_options)),
    )


names = st.binary(min_size=1, max_size=40).map(lambda name: os.fsdecode(name.replace(b"\0", b"")))
words = st.text(alphabet="abcdefghijklmnopqrstuvwxyz=_.", min_size=1, max_size=8)
entries = st.builds(
    MountEntry,
    mount_id=st.integers(0, 2**31),
    parent_id=st.integers(0, 2**31),
    device=st.builds("{}:{}".format, st.integers(0, 4095), st.integers(0, 2**20)),
    root=names.map(lambda name: "/" + name).filter(lambda name: not name.endswith("//deleted")),
    deleted=st.just(False),
    mount_point=names.map(lambda name: "/" + name),
    options=st.lists(words, min_size=1, max_size=4).map(tuple),
    fstype=words,
    source=names | st.just(""),
    super_options=st.lists(words, min_size=1, max_size=4).map(tuple),
)


@given(entries, st.sampled_from([b"", b"shared:1 ", b"shared:3 master:2 propagate_from:7 ", b"unbindable "]))
def test_every_name_survives(entry, optional):
    assert parse_line(line_of(entry, optional)) == entry


@given(
    st.lists(entries, max_size=5), st.lists(st.binary(max_size=80).filter(lambda line: b"\n" not in line), max_size=5)
)
def test_lines_that_are_no_mounts_are_counted(good, bad):
    bad = [line for line in bad if line and parse_line(line) is None]
    assert parse_mountinfo(b"\n".join([*bad, *map(line_of, good), b""])) == (good, len(bad))


@given(st.binary(max_size=400))
def test_garbage_never_raises(text):
    found, skipped = parse_mountinfo(text)
    assert len(found) + skipped <= text.count(b"\n") + 1


fragments = st.sampled_from([*PLAIN.split(b" "), b"", b"-", b"\\040", b"\xff", b"-1", b"1:", b":1", b"/", b"\xc2\xb9"])


@given(st.lists(fragments, max_size=14).map(b" ".join))
def test_almost_right_lines_never_raise(line):
    entry = parse_line(line)
    assert entry is None or entry.mount_point.startswith("/")


def test_an_ordinary_line():
    assert parse_line(PLAIN) == MountEntry(
        36, 27, "98:0", "/mnt1", False, "/mnt/2", ("rw", "noatime"), "ext3", "/dev/root", ("rw", "errors=continue")
    )


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"36 27 98:0 / /m rw - ext4 /dev/sda", "no superblock options"),
        (b"36 27 98:0 / /m rw shared:1 ext4 /dev/sda rw", "no separator"),
        (b"x 27 98:0 / /m rw - ext4 /dev/sda rw", "no number"),
        (b"36 27 98 / /m rw - ext4 /dev/sda rw", "no device"),
        (b"36 27 98:0 / m rw - ext4 /dev/sda rw", "relative mount point"),
    ],
)
def test_what_is_no_mount(line, why):
    assert parse_line(line) is None, why


def test_an_empty_source_is_a_source():
    entry = parse_line(b"36 27 0:40 / /m rw - tmpfs  rw,size=4k")
    assert (entry.source, entry.super_options) == ("", ("rw", "size=4k"))


def test_a_comma_in_a_value_is_no_separator():
    entry = parse_line(b"36 27 0:40 / /m rw - overlay overlay rw,lowerdir=/a\\054b,upperdir=/u\\040v")
    assert entry.super_options == ("rw", "lowerdir=/a,b", "upperdir=/u v")


def test_spaces_in_superblock_options_do_no_harm():
    entry = parse_line(b"36 27 0:40 / /m rw - fuse.x x rw,name=a b,allow_other")
    assert entry.super_options == ("rw", "name=a b", "allow_other")


@pytest.mark.parametrize(
    ("root", "deleted", "left"),
    [(b"/d//deleted", True, "/d"), (b"//deleted", True, "/"), (b"/d/deleted", False, "/d/deleted")],
)
def test_the_mark_of_a_deleted_directory(root, deleted, left):
    entry = parse_line(b"36 27 8:1 %s /m rw - ext4 /dev/sda1 rw" % root)
    assert (entry.root, entry.deleted) == (left, deleted)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (b"36 27 8:1 / /m rw - ext4 /dev/sda1 rw", False),
        (b"36 27 8:1 /d /m rw - ext4 /dev/sda1 rw", True),
        (b"36 27 0:40 /@pbs /m rw - btrfs /dev/sda1 rw,subvolid=256,subvol=/@pbs", False),
        (b"36 27 0:40 /@pbs/d /m rw - btrfs /dev/sda1 rw,subvolid=256,subvol=/@pbs", True),
        (b"36 27 0:40 / /m rw - btrfs /dev/sda1 rw,subvolid=5,subvol=/", False),
        (b"36 27 0:41 / /m rw - zfs tank/pbs rw,xattr", False),
        (b"36 27 0:41 /d /m rw - zfs tank/pbs rw,xattr", True),
        (b"36 27 0:42 / /m rw - cifs //nas/share rw", False),
        (b"36 27 0:42 /d/e /m rw - cifs //nas/share/d/e rw", False),
        (b"36 27 0:42 /d/e /m rw - cifs //nas/share/d rw", True),
        (b"36 27 0:43 / /m rw - nfs4 nas:/export/d rw", False),
        (b"36 27 0:43 / /m rw - nfs nas:/ rw", False),
    ],
)
def test_what_shows_a_part_of_a_filesystem(line, part):
    assert parse_line(line).shows_part is part


@pytest.mark.parametrize(
    ("root", "mount_point", "path", "inside"),
    [
        ("/", "/m", "/m/a/b", "/a/b"),
        ("/", "/m", "/m", "/"),
        ("/d", "/m", "/m", "/d"),
        ("/d", "/m", "/m/a", "/d/a"),
        ("/", "/", "/a", "/a"),
        ("/", "/", "/", "/"),
        ("/srv", "/", "/a", "/srv/a"),
    ],
)
def test_where_a_path_lies_within_its_filesystem(root, mount_point, path, inside):
    entry = parse_line(b"36 27 8:1 %s %s rw - ext4 /dev/sda1 rw" % (root.encode(), mount_point.encode()))
    assert entry.inside(path) == inside


@pytest.mark.parametrize(
    ("source", "root"),
    [
        (b"nas:/export/d", "/export/d"),
        (b"nas:/", "/"),
        (b"[fe80::1%lan]:/export/d/", "/export/d"),
        (b"10.0.0.1:/a:/b", "/a:/b"),
        (b"nonsense", "/"),
    ],
)
@pytest.mark.parametrize("fstype", [b"nfs", b"nfs4"])
def test_what_nfs_shows_is_in_its_source(source, root, fstype):
    """Two exports of one filesystem have one device number, and `/` as the directory that is mounted."""
    entry = parse_line(b"36 27 0:43 / /mnt/nas rw - " + fstype + b" " + source + b" rw")
    assert entry.root == root
    assert not entry.shows_part
    assert entry.inside("/mnt/nas/tank") == root.rstrip("/") + "/tank"
