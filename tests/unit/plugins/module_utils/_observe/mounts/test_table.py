# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which mount a path is on: from made-up tables, and against what the kernel itself says about real mounts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.shown import shown
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts import table as observed_mounts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable
from ansible_collections.fleetops.pbs.tests.support import mounts


def kernel_says(path: Path) -> int:
    """The id of the mount that the kernel arrives at."""
    fd = os.open(path, os.O_PATH)
    try:
        for line in Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines():
            if line.startswith("mnt_id:"):
                return int(line.split()[1])
    finally:
        os.close(fd)
    raise AssertionError("the kernel does not tell")


def found(path: Path):
    """What we find, after a look whether the kernel agrees."""
    mount = MountTable.read().find(str(path))
    assert mount.mount_id == kernel_says(path)
    return mount


# --- tables -----------------------------------------------------------------------------------------------------------


def table(*lines: str) -> MountTable:
    """Each line: id, parent, device, root, mount point."""
    text = ""
    for line in lines:
        mount_id, parent_id, device, root, point = line.split(" ")
        text += f"{mount_id} {parent_id} {device} {root} {point} rw,relatime - ext4 /dev/x rw\n"
    return MountTable.parse(text.encode())


def test_the_mount_with_the_longest_name_above():
    mounted = table("1 0 8:1 / /", "2 1 8:2 / /mnt", "3 2 8:3 / /mnt/tank", "4 1 8:4 / /mnt-other")
    for path, expected in [
        ("/", 1),
        ("/etc", 1),
        ("/mnt", 2),
        ("/mnt/", 2),
        ("/mnt/tan", 2),
        ("/mnt/tank", 3),
        ("/mnt/tank/.chunks", 3),
        ("/mnt/tankard", 2),
        ("/mnt-other/x", 4),
        ("/mnt-othe", 1),
    ]:
        assert mounted.find(path).mount_id == expected, path
    assert mounted.find("/").is_root
    assert not mounted.find("/mnt").is_root


def test_no_answer_for_a_relative_path():
    assert table("1 0 8:1 / /").find("mnt") is None
    assert table("1 0 8:1 / /").find("") is None


def test_a_process_whose_root_is_no_mount_point_sees_the_rest():
    mounted = table("7 3 8:2 / /mnt")
    assert mounted.find("/mnt/x").mount_id == 7
    assert mounted.find("/etc") is None


def test_mounts_below_one_that_was_mounted_over_are_hidden():
    mounted = table("1 0 8:1 / /", "2 1 8:2 / /a", "3 2 8:3 / /a/b", "4 2 8:4 / /a")
    assert mounted.find("/a/b/c").mount_id == 4
    assert mounted.find("/a").stacked == 1


def test_stacks_are_counted():
    mounted = table("1 0 8:1 / /", "2 1 8:2 / /a", "3 2 8:3 / /a", "4 3 8:4 / /a", "5 4 8:5 / /a/b")
    assert mounted.find("/a").mount_id == 4
    assert mounted.find("/a").stacked == 2
    assert mounted.find("/a/b").stacked == 0


def test_one_filesystem_in_two_places():
    mounted = table("1 0 8:1 / /", "2 1 8:2 / /a", "3 1 8:2 / /b", "4 1 8:2 /d /c")
    assert mounted.find("/a").bind
    assert mounted.find("/a").also_at == ["/b"]
    assert mounted.find("/c").bind
    assert mounted.find("/c").also_at == []
    assert not mounted.find("/").bind


@pytest.mark.parametrize(
    "lines",
    [
        ["1 1 8:1 / /"],
        ["1 2 8:1 / /", "2 1 8:2 / /"],
        ["5 9 8:1 / /", "9 77 8:2 / /", "9 5 8:3 / /"],
        ["5 9 8:1 / /", "9 5 8:3 / /", "5 77 8:3 / /"],
    ],
)
def test_mounts_that_are_their_own_ancestors_end(lines):
    mounted = table(*lines)
    mount = mounted.find("/x")
    assert mount is None or mount.is_root


@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.integers(0, 6), st.sampled_from(["/", "/a", "/a/b", "/a/b/c"])), max_size=10
    ),
    st.sampled_from(["/", "/a", "/a/b/c/d", "", "x", "//a//b"]),
)
def test_no_table_is_too_wild(rows, path):
    mounted = table(*(f"{mount_id} {parent} 8:{mount_id} / {point}" for mount_id, parent, point in rows))
    mount = mounted.find(path)
    if mount is not None:
        assert ("/" + path.strip("/").replace("//", "/") + "/").startswith(mount.mount_point.rstrip("/") + "/")


def test_names_are_fit_for_showing():
    mount = MountTable.parse(
        b"1 0 8:1 / / rw - ext4 /dev/x rw\n2 1 8:2 / /a\\012\xff\x1b[1m rw - ext4 /dev/y rw\n"
    ).find("/a\n\udcff\x1b[1m")
    assert shown(mount).mount_point == "/a\\x0a\\xff\\x1b[1m"


def test_passwords_are_not_shown():
    mount = MountTable.parse(b"1 0 0:9 / / rw - fuse.x //anna:geheim@nas/x rw,password=geheim\n").find("/")
    assert "geheim" not in repr(mount)


# --- real mounts ------------------------------------------------------------------------------------------------------


@pytest.mark.root
@pytest.mark.parametrize("fstype", ["ext2", "ext3", "ext4", "xfs", "btrfs"])
@pytest.mark.parametrize("option", ["relatime", "noatime"])
def test_loop_filesystems(loopfs, fstype, option):
    path = loopfs(fstype, option)
    (path / "store").mkdir()
    mount = found(path / "store")
    assert (mount.fstype, mount.mount_point, mount.root) == (fstype, str(path), "/")
    assert mount.source.startswith("/dev/loop")
    assert option in mount.options
    assert "rw" in mount.options
    assert "rw" in mount.super_options
    assert (mount.bind, mount.stacked, mount.is_root, mount.deleted) == (False, 0, False, False)
    if fstype != "btrfs":
        status = path.stat()
        assert mount.device == f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"


@pytest.mark.root
def test_tmpfs_and_overlay(tmpfs, overlay):
    lower = tmpfs()
    assert found(lower).fstype == "tmpfs"
    upper = overlay(lower)
    mount = found(upper)
    assert mount.fstype == "overlay"
    assert f"lowerdir={lower}" in mount.super_options
    assert not mount.bind


@pytest.mark.root
def test_a_directory_bound_elsewhere(loopfs, bind):
    path = loopfs("ext4")
    (path / "store").mkdir()
    other = bind(path / "store")
    mount = found(other)
    assert (mount.root, mount.bind, mount.also_at) == ("/store", True, [])
    assert mount.device == found(path).device
    assert not found(path).bind


@pytest.mark.root
def test_a_whole_filesystem_bound_elsewhere(loopfs, bind):
    path = loopfs("ext4")
    other = bind(path)
    assert found(other).also_at == [str(path)]
    assert found(path).also_at == [str(other)]
    assert found(other).bind
    assert found(other).root == "/"


@pytest.mark.root
def test_a_bind_of_a_bind(loopfs, bind):
    path = loopfs("ext4")
    (path / "a" / "b").mkdir(parents=True)
    outer = bind(path / "a")
    inner = bind(outer / "b")
    assert found(inner).root == "/a/b"
    assert found(inner).bind


@pytest.mark.root
def test_read_only_mount_of_a_writable_filesystem(loopfs, bind):
    path = loopfs("ext4")
    mount = found(bind(path, "ro"))
    assert "ro" in mount.options
    assert "rw" in mount.super_options
    assert "rw" in found(path).options


@pytest.mark.root
def test_read_only_filesystem(loopfs):
    path = loopfs("ext4")
    mounts.remount(path, "ro")
    mount = found(path)
    assert "ro" in mount.options
    assert "ro" in mount.super_options


@pytest.mark.root
def test_mounts_on_one_mount_point(tmpfs):
    path = tmpfs("size=1m")
    first = found(path)
    assert first.stacked == 0
    tmpfs("size=2m", point=path)
    tmpfs("size=3m", point=path)
    mount = found(path)
    assert mount.stacked == 2
    assert mount.device != first.device
    assert "size=3072k" in mount.super_options


@pytest.mark.root
def test_a_parent_that_is_mounted_over(tmpfs):
    parent = tmpfs()
    child = parent / "child"
    child.mkdir()
    tmpfs("size=1m", point=child)
    hidden = found(child)
    tmpfs(point=parent)
    child.mkdir()
    covering = found(child)
    assert covering.mount_point == str(parent)
    assert covering.stacked == 1
    tmpfs("size=2m", point=child)
    mount = found(child)
    assert mount.mount_point == str(child)
    assert mount.mount_id != hidden.mount_id
    assert mount.stacked == 0


@pytest.mark.root
@pytest.mark.parametrize(
    "name",
    [
        b"two words",
        b"line\nbreak",
        b"tab\t",
        b"back\\slash",
        b"\\040",
        b"#hash",
        b"\xff\xfe",
        b"\x1b[2J",
        b'"quoted"',
        b"a,b",
    ],
)
def test_names_of_every_kind(tmpfs, tmp_path, name):
    point = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    point.mkdir()
    tmpfs("size=1m", point=point)
    table = MountTable.read()
    assert table.find_entry(str(point / "x")).mount_point == str(point)
    assert shown(found(point)).mount_point.isprintable()
    assert table.skipped == 0


@pytest.mark.root
def test_btrfs_subvolumes(loopfs, bind, tmp_path):
    path = loopfs("btrfs")
    mounts.run("btrfs", "subvolume", "create", path / "@pbs")
    (path / "@pbs" / "store").mkdir()
    top = found(path)
    assert (top.root, top.bind) == ("/", False)
    point = tmp_path / "sub"
    point.mkdir()
    with mounts.mounted("-o", "subvol=@pbs", top.source, point=point):
        mount = found(point)
        assert (mount.root, mount.bind, mount.fstype) == ("/@pbs", False, "btrfs")
        assert "subvol=/@pbs" in mount.super_options
        part = found(bind(point / "store"))
        assert (part.root, part.bind) == ("/@pbs/store", True)


@pytest.mark.root
def test_a_bound_directory_that_was_removed(tmpfs, bind):
    path = tmpfs()
    (path / "store").mkdir()
    other = bind(path / "store")
    assert not found(other).deleted
    (path / "store").rmdir()
    mount = found(other)
    assert mount.deleted
    assert mount.root == "/store"


@pytest.mark.root
def test_everything_that_the_kernel_shows_is_understood():
    table = MountTable.read()
    assert table.skipped == 0
    assert len(table.entries) == len(Path("/proc/self/mountinfo").read_bytes().splitlines())


@pytest.mark.root
def test_a_table_that_changes_while_it_is_read_is_read_again(tmpfs, tmp_path, monkeypatch):
    point = tmp_path / "point"
    point.mkdir()
    reads = []
    read_all = observed_mounts._read_all

    def slow(fd):
        text = read_all(fd)
        reads.append(text)
        if len(reads) == 1:
            tmpfs("size=1m", point=point)
        return text

    monkeypatch.setattr(observed_mounts, "_read_all", slow)
    assert MountTable.read().find(str(point)).mount_point == str(point)
    assert len(reads) == 2


# --- links ------------------------------------------------------------------------------------------------------------


def test_links_are_followed_on_the_root_filesystem_only(tmp_path):
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    (tmp_path / "absolute").symlink_to(mounted)
    (tmp_path / "relative").symlink_to("../" + tmp_path.name + "/absolute")
    (tmp_path / "loop").symlink_to("loop")
    (mounted / "link").symlink_to("/etc")
    made_up = table("1 0 8:1 / /", f"2 1 8:2 / {mounted}")
    assert made_up.resolve(str(tmp_path / "absolute" / "store")) == str(mounted / "store")
    assert made_up.resolve(str(tmp_path / "relative")) == str(mounted)
    assert made_up.resolve(str(mounted / "link")) == str(mounted / "link")
    assert made_up.resolve(str(tmp_path / "absolute" / "link" / ".." / "x")) == str(mounted / "x")
    assert made_up.resolve(str(tmp_path / "loop" / "x")) == str(tmp_path / "loop" / "x")
    assert made_up.resolve("/nowhere//./a/") == "/nowhere/a"


# --- paths of two thousand parts, as a configuration may have them for each of many datastores ------------------------

# Counted instead of timed: once, each part cost a walk over all parts before it, and a host was busy for hours.
PARTS = 2000
DEEP = "/b" * PARTS
MOUNTS = b"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:9 / /b rw - tmpfs x rw\n31 30 0:10 / /b/b rw - tmpfs y rw\n"


class Counted(dict):
    asked = 0

    def get(self, key, default=None):
        self.asked += 1
        return super().get(key, default)


@pytest.mark.parametrize("mounts", [MOUNTS, MOUNTS[: MOUNTS.index(b"\n") + 1]], ids=["mounts on the way", "one mount"])
def test_links_of_a_long_path_are_looked_for_once_a_part(mounts):
    table = MountTable.parse(mounts)
    table._on = Counted(table._on)
    assert table.resolve(DEEP + "/x/..") == DEEP
    assert table._on.asked <= 2 * PARTS + 20


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/b/../b/x", "/b/x"),
        ("/../../b", "/b"),
        ("/b/b/../../etc", "/etc"),
        ("//b//./b/", "/b/b"),
    ],
)
def test_the_way_back_is_on_the_mount_it_was_on(path, leads_to):
    assert MountTable.parse(MOUNTS).resolve(path) == leads_to


def test_other_places_of_the_same_directory_are_bounded():
    from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MAX_ALSO_AT, MountTable

    lines = ["1 0 8:1 / / rw - ext4 /dev/sda1 rw", "2 1 8:2 / /mnt/tank rw - ext4 /dev/sdb1 rw"]
    lines += ["%d 1 8:2 / /bind/%05d rw - ext4 /dev/sdb1 rw" % (number + 3, number) for number in range(2000)]
    facts = MountTable.parse("\n".join(lines).encode()).find("/mnt/tank")
    assert facts.also_at == ["/bind/%05d" % number for number in range(MAX_ALSO_AT)]
    assert facts.bind
