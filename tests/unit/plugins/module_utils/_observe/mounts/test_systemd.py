# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.systemd import (
    UNIT_DIRECTORIES,
    Link,
    UnitDirectory,
    Units,
    parse_unit,
    split_words,
    unit_name_for,
)

VECTORS = [
    ("/mnt/datastore/store1", "mnt-datastore-store1.mount"),
    ("/mnt/datastore/my-store", "mnt-datastore-my\\x2dstore.mount"),
    ("/mnt/datastore/a.b_c", "mnt-datastore-a.b_c.mount"),
    ("/mnt//datastore/./store1/", "mnt-datastore-store1.mount"),
    ("/", "-.mount"),
    ("/.hidden/.x", "\\x2ehidden-.x.mount"),
    ("/mnt/data store", "mnt-data\\x20store.mount"),
    ("/mnt/\udcff", "mnt-\\xff.mount"),
    ("/mnt/ü", "mnt-\\xc3\\xbc.mount"),
    ("/mnt/a\\b:c", "mnt-a\\x5cb:c.mount"),
]


@pytest.mark.parametrize(("path", "name"), VECTORS)
def test_unit_names(path, name):
    assert unit_name_for(path) == name


def test_names_of_other_units():
    assert unit_name_for("/mnt/tank", ".automount") == "mnt-tank.automount"


names = st.binary(min_size=1, max_size=12).filter(lambda name: not set(name) & {0, 0x2F} and name not in (b".", b".."))


@given(st.lists(names, max_size=4))
@settings(max_examples=50, deadline=None)
@example([b"a", b"b-c"])
def test_systemd_makes_the_same_names(parts):
    path = os.fsdecode(b"/" + b"/".join(parts))
    asked = subprocess.run(
        ["systemd-escape", "--path", "--suffix=mount", "--", path],
        capture_output=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    assert unit_name_for(path) == os.fsdecode(asked.stdout[:-1])


# --- unit files -------------------------------------------------------------------------------------------------------


def test_a_unit_file():
    assert parse_unit(
        b"# comment\n"
        b"Ignored=outside of any section\n"
        b"[Unit]\n"
        b"Description = Mount datatstore 'x'\n"
        b"; comment\n"
        b"After=a.service \\\n"
        b"# comment between\n"
        b"      b.service\n"
        b"\n"
        b"After=c.service\n"
        b"not a setting\n"
        b"[Mount]\r\n"
        b"What=/dev/disk/by-uuid/0a1b\r\n"
        b"Options=a=b,c\n"
    ) == [
        ("Unit", "Description", "Mount datatstore 'x'"),
        ("Unit", "After", "a.service  b.service"),
        ("Unit", "After", "c.service"),
        ("Mount", "What", "/dev/disk/by-uuid/0a1b"),
        ("Mount", "Options", "a=b,c"),
    ]


@given(st.binary(max_size=300))
@example(b"[Unit]\nAfter=a\\")
@example(b"[\n]=\n[Unit\nA=b")
def test_garbage_never_raises(text):
    for section, _key, _value in parse_unit(text):
        assert section


@pytest.mark.parametrize(
    ("value", "units", "paths"),
    [
        ("a.mount  b.mount", ["a.mount", "b.mount"], ["a.mount", "b.mount"]),
        ("mnt-my\\x2dstore.mount", ["mnt-my\\x2dstore.mount"], ["mnt-myx2dstore.mount"]),
        ('"/mnt/two words" /x', ["/mnt/two words", "/x"], ["/mnt/two words", "/x"]),
        ("/mnt/two\\ words", ["/mnt/two\\", "words"], ["/mnt/two words"]),
        ("''", [""], [""]),
        ("", [], []),
        ('"open', ["open"], ["open"]),
    ],
)
def test_words(value, units, paths):
    assert split_words(value, keep_backslashes=True) == units
    assert split_words(value, keep_backslashes=False) == paths


@given(st.text(alphabet="ab \t\"'\\"))
def test_words_never_raise(value):
    for keep in (True, False):
        assert "".join(split_words(value, keep)).count("a") == value.count("a")


# --- directories ------------------------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path):
    """`place("etc/x.mount", text)` makes a unit file; `place.units()` reads them, etc before run before lib."""

    class Place:
        directories = tuple(
            UnitDirectory(str(tmp_path / name), lasting=name != "run") for name in ("etc", "run", "lib", "missing")
        )

        def __call__(self, name: str, text: str = "[Mount]\nWhere=/x\n") -> Path:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            return path

        def units(self) -> Units:
            return Units(self.directories)

    return Place()


def test_the_first_directory_wins(place):
    place("lib/x.mount", "[Mount]\nWhat=lib\n")
    assert place.units().get("x.mount").value("Mount", "What") == "lib"
    path = place("etc/x.mount", "[Mount]\nWhat=etc\n")
    unit = place.units().get("x.mount")
    assert (unit.value("Mount", "What"), unit.file, unit.lasting, unit.masked) == ("etc", str(path), True, False)


def test_what_does_not_exist(place):
    assert place.units().get("x.mount") is None
    assert place.units().links_to("x.mount") == []


def test_what_lies_below_run_does_not_last(place):
    place("run/x.mount")
    assert not place.units().get("x.mount").lasting


def test_drop_ins_come_in_order_and_hide_their_namesakes(place):
    place("lib/mnt-tank.mount", "[Mount]\nWhat=file\nOptions=file\n")
    place("lib/mnt-tank.mount.d/20-b.conf", "[Mount]\nOptions=hidden\n")
    place("etc/mnt-tank.mount.d/20-b.conf", "[Mount]\nWhat=b\n")
    place("lib/mnt-.mount.d/10-a.conf", "[Mount]\nWhat=a\n[Unit]\nAfter=a\n")
    place("lib/mount.d/30-c.conf", "[Unit]\nAfter=c\nDefaultDependencies=no\n")
    place("lib/mount.d/notes.txt", "[Mount]\nWhat=no\n")
    unit = place.units().get("mnt-tank.mount")
    assert (unit.value("Mount", "What"), unit.value("Mount", "Options")) == ("b", "file")
    assert unit.units("After") == {"a", "c"}
    assert not unit.default_dependencies


def test_both_ways_to_mask(place, tmp_path):
    place("lib/x.mount")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "x.mount").symlink_to("/dev/null")
    assert place.units().get("x.mount").masked
    (tmp_path / "etc" / "x.mount").unlink()
    place("etc/x.mount", "")
    assert place.units().get("x.mount").masked


def test_an_empty_value_takes_the_earlier_one_back(place):
    place("lib/x.mount", "[Mount]\nOptions=noatime\nOptions=\nWhat=/100%%/x\n")
    unit = place.units().get("x.mount")
    assert unit.value("Mount", "Options") == ""
    assert unit.value("Mount", "What") == "/100%/x"
    assert unit.default_dependencies


def test_links(place, tmp_path):
    for holder in ("etc/multi-user.target.wants", "run/a.target.requires", "lib/local-fs.target.requires"):
        (tmp_path / holder).mkdir(parents=True)
        (tmp_path / holder / "x.mount").symlink_to("../x.mount")
    assert place.units().links_to("x.mount") == [
        Link("multi-user.target", "wants", True),
        Link("a.target", "requires", False),
        Link("local-fs.target", "requires", True),
    ]


def test_one_directory_under_two_names_counts_once(place, tmp_path):
    place("lib/a.target.wants/x.mount")
    (tmp_path / "usrlib").symlink_to("lib")
    units = Units((UnitDirectory(str(tmp_path / "usrlib")), UnitDirectory(str(tmp_path / "lib"))))
    assert len(units.links_to("x.mount")) == 1


def test_what_an_administrator_writes_wins_over_generators_and_packages():
    paths = [directory.path for directory in UNIT_DIRECTORIES]
    assert (
        paths.index("/etc/systemd/system")
        < paths.index("/run/systemd/generator")
        < paths.index("/usr/lib/systemd/system")
    )
    assert {directory.path for directory in UNIT_DIRECTORIES if not directory.lasting} == {
        "/run/systemd/system.control",
        "/run/systemd/transient",
        "/run/systemd/system",
        "/run/systemd/system.attached",
    }
