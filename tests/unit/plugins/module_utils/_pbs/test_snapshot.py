# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import calendar
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.snapshot import (
    Group,
    Snapshot,
    WrongName,
    directory_kind,
    format_time,
    is_time,
    parse_group,
    parse_namespace,
    parse_snapshot,
    parse_time,
)

names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,10}", fullmatch=True)
groups = st.builds(
    Group,
    namespace=st.lists(names, max_size=7).map(tuple),
    type=st.sampled_from(["ct", "host", "vm"]),
    id=names,
)
moments = st.integers(min_value=-62135596800, max_value=253402300799)  # the years 1 to 9999


@given(groups, moments)
def test_a_snapshot_is_found_by_its_directory(group, time):
    snapshot = Snapshot(group, time)
    assert parse_snapshot(snapshot.directory.split("/")) == snapshot
    assert parse_group(group.directory.split("/")) == group


def test_a_directory_as_pbs_has_it():
    found = parse_snapshot(["ns", "a", "ns", "b.c", "vm", "100", "2025-01-01T00:00:00Z"])
    assert found == Snapshot(Group(("a", "b.c"), "vm", "100"), 1735689600)
    assert found.directory == "ns/a/ns/b.c/vm/100/2025-01-01T00:00:00Z"
    assert str(found.group) == "vm/100"


def test_a_group_or_namespace_may_be_named_like_a_directory_of_pbs():
    assert parse_group(["ns", "ns", "host", "vm"]) == Group(("ns",), "host", "vm")
    assert parse_group(["ns", "vm", "ns", "ns", "vm", "ns"]) == Group(("vm", "ns"), "vm", "ns")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "vm",
        "vm/100",
        "vm/100/not-a-date",
        "vm/100/2025-01-01T00:00:00Z/x.fidx",
        "vm/100/2025-01-01T00:00:00Z.bak",
        "vm/100/2025-01-01T00:00:00",
        "vm/100/2025-01-01 00:00:00Z",
        "vm/100/2025-13-01T00:00:00Z",
        "vm/100/2025-02-30T00:00:00Z",
        "vm/100/٢٠٢٥-01-01T00:00:00Z",
        "vm/.h9/2025-01-01T00:00:00Z",
        "vm/a b/2025-01-01T00:00:00Z",
        "VM/100/2025-01-01T00:00:00Z",
        "foo/100/2025-01-01T00:00:00Z",
        "ns/bad name/vm/100/2025-01-01T00:00:00Z",
        "ns/.a/vm/100/2025-01-01T00:00:00Z",
        "ns/a/2025-01-01T00:00:00Z",
        "ns/1/ns/2/ns/3/ns/4/ns/5/ns/6/ns/7/ns/8/vm/100/2025-01-01T00:00:00Z",
        "../vm/100/2025-01-01T00:00:00Z",
        "vm//2025-01-01T00:00:00Z",
    ],
)
def test_what_is_no_snapshot(path):
    with pytest.raises(WrongName):
        parse_snapshot(path.split("/") if path else [])


@pytest.mark.parametrize("text", ["a//b", "/a", "a/", "-a", ".", "a/..", "a b", "a\n", "x" * 257, "/".join("abcdefgh")])
def test_what_is_no_namespace(text):
    with pytest.raises(WrongName):
        parse_namespace(text)


def test_namespaces():
    assert parse_namespace("") == ()
    assert parse_namespace("/".join("abcdefg")) == tuple("abcdefg")
    assert parse_namespace("x" * 256) == ("x" * 256,)


@given(st.text(max_size=30) | moments.map(format_time))
def test_any_name_is_a_time_or_an_error(name):
    try:
        seconds = parse_time(name)
    except WrongName:
        return
    assert seconds == calendar.timegm(tuple(int(part) for part in re.findall(r"[0-9]+", name)))


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("2025-02-30T00:00:00Z", 1740873600),
        ("2025-00-01T00:00:00Z", 1733011200),
        ("2025-01-00T00:00:00Z", 1735603200),
        ("2005-12-31T23:59:60Z", 1136073600),
        ("0000-01-01T00:00:00Z", -62167219200),
        ("0000-00-01T00:00:00Z", -62169897600),
        ("0099-12-31T23:59:59Z", -59011459201),
        ("9999-12-31T23:59:60Z", 253402300800),
    ],
)
def test_times_as_pbs_reads_them(name, seconds):
    assert parse_time(name) == seconds


@pytest.mark.parametrize("name", ["2025-02-30T00:00:00Z", "2005-12-31T23:59:60Z", "0000-01-01T00:00:00Z"])
def test_no_command_names_a_snapshot_that_pbs_would_look_for_elsewhere(name):
    assert directory_kind(["vm", "100", name]) == "snapshot"
    with pytest.raises(WrongName):
        parse_snapshot(["vm", "100", name])


@pytest.mark.parametrize(
    "time", ["13-01T00:00:00", "01-32T00:00:00", "01-01T24:00:00", "01-01T00:60:00", "01-01T00:00:61"]
)
def test_a_time_that_pbs_takes_for_one_and_cannot_read(time):
    name = f"2025-{time}Z"
    assert is_time(name)
    with pytest.raises(WrongName, match="value too large"):
        parse_time(name)


@given(st.lists(st.text(max_size=12) | st.sampled_from(["ns", "vm", "100", "2025-01-01T00:00:00Z"]), max_size=20))
def test_any_path_is_a_snapshot_or_an_error(parts):
    try:
        snapshot = parse_snapshot(parts)
    except WrongName:
        return
    assert snapshot.directory.split("/") == parts


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("vm", "type"),
        ("ns", "namespace"),
        ("ns/a", "namespace"),
        ("ns/a/ns", "namespace"),
        ("ns/a/host", "type"),
        ("vm/100", "group"),
        ("ns/a/ns/b/vm/100", "group"),
        ("vm/100/2025-01-01T00:00:00Z", "snapshot"),
        ("", ""),
        ("foo", ""),
        ("vm/.h", ""),
        ("vm/100/owner", ""),
        ("vm/100/2025-01-01T00:00:00Z/x.fidx", ""),
        ("ns/bad name", ""),
        (".chunks/ab12", ""),
    ],
)
def test_what_a_directory_is_to_pbs(path, kind):
    assert directory_kind(path.split("/") if path else []) == kind
