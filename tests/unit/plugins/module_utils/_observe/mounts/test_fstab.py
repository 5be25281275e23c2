# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.fstab import FstabEntry, parse_fstab


def one(line: bytes) -> FstabEntry:
    entries, skipped = parse_fstab(line)
    assert skipped == 0
    (entry,) = entries
    return entry


def test_an_ordinary_file():
    entries, skipped = parse_fstab(
        b"# <file system> <mount point> <type> <options> <dump> <pass>\n"
        b"\n"
        b"UUID=0a1b  /mnt/tank  ext4  rw,noatime,nofail  0 2\n"
        b"  \t# indented comment\n"
        b"/dev/sdb1 none swap sw 0 0\n"
        b"/swapfile swap swap defaults 0 0\n"
        b"\tnas:/export/pbs\t/mnt/nas\tnfs4\thard,_netdev\n"
        b"LABEL=x /mnt/x xfs\n"
    )
    assert skipped == 0
    assert entries == [
        FstabEntry(3, "UUID=0a1b", "/mnt/tank", "ext4", ("rw", "noatime", "nofail")),
        FstabEntry(7, "nas:/export/pbs", "/mnt/nas", "nfs4", ("hard", "_netdev")),
        FstabEntry(8, "LABEL=x", "/mnt/x", "xfs", ()),
    ]


@pytest.mark.parametrize("line", [b"/dev/sda1", b"/dev/sda1 mnt ext4 defaults", b"garbage"])
def test_lines_that_are_no_entries_are_counted(line):
    assert parse_fstab(line + b"\n") == ([], 1)


@given(st.binary(max_size=300))
def test_garbage_never_raises(text):
    entries, skipped = parse_fstab(text)
    assert len(entries) + skipped <= text.count(b"\n") + 1
    assert all(entry.where.startswith("/") for entry in entries)


@given(st.binary(min_size=1, max_size=30).filter(lambda name: not set(name) & {0, 0x2F}))
def test_every_name_survives(name):
    escaped = b"".join(b"\\%03o" % byte if byte in b" \t\n\r\\#" else bytes((byte,)) for byte in name)
    entry = one(b"/dev/sda1 /mnt/%s ext4 defaults" % escaped)
    assert os.fsencode(entry.where) == b"/mnt/" + name


@pytest.mark.parametrize(
    ("written", "where"),
    [(b"/mnt/tank/", "/mnt/tank"), (b"//mnt//tank", "/mnt/tank"), (b"/", "/"), (b"/a\\040b", "/a b")],
)
def test_mount_points_have_one_form(written, where):
    assert one(b"/dev/sda1 %s ext4 defaults 0 0" % written).where == where


@pytest.mark.parametrize(
    ("written", "source"),
    [
        (b'UUID="0a1b"', "UUID=0a1b"),
        (b"LABEL='a'", "LABEL=a"),
        (b'LABEL="a', 'LABEL="a'),
        (b"LABEL=a\\040b", "LABEL=a b"),
        (b"/dev/mapper/pbs-tank", "/dev/mapper/pbs-tank"),
    ],
)
def test_sources(written, source):
    assert one(b"%s /mnt ext4 defaults 0 0" % written).source == source


@pytest.mark.parametrize(
    ("options", "at_boot", "automount"),
    [
        (b"defaults", True, False),
        (b"noauto", False, False),
        (b"noauto,auto", True, False),
        (b"auto,noauto", False, False),
        (b"nofail", True, False),
        (b"x-systemd.automount", True, True),
        (b"noauto,x-systemd.automount", True, True),
        (b"noauto,comment=systemd.automount", True, True),
    ],
)
def test_what_is_mounted_at_boot(options, at_boot, automount):
    entry = one(b"/dev/sda1 /mnt ext4 %s 0 0" % options)
    assert (entry.at_boot, entry.automount) == (at_boot, automount)


def test_bind_entries():
    assert one(b"/srv/a /mnt none bind 0 0").bind
    assert one(b"/srv/a /mnt none defaults,rbind 0 0").bind
    assert not one(b"/dev/sda1 /mnt ext4 defaults 0 0").bind


def test_several_entries_for_one_mount_point_are_all_there():
    entries, _skipped = parse_fstab(b"/dev/sda1 /mnt ext4 defaults\n/dev/sdb1 /mnt/ xfs noauto\n")
    assert [(entry.line, entry.where) for entry in entries] == [(1, "/mnt"), (2, "/mnt")]


def test_a_line_of_two_fields_is_mounted():
    entries, skipped = parse_fstab(b"UUID=1 /mnt/tank\n/dev/sdb\n")
    assert [(entry.source, entry.where, entry.fstype, entry.options) for entry in entries] == [
        ("UUID=1", "/mnt/tank", "auto", ())
    ]
    assert skipped == 1
