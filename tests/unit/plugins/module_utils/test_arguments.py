# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import account_spec, datastore_spec
from ansible_collections.fleetops.pbs.plugins.module_utils._options.common import (
    OptionError,
    check_declarations,
    check_path,
    require_account,
)


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("/mnt/datastore/tank", "/mnt/datastore/tank"),
        ("/mnt//datastore/./tank/", "/mnt/datastore/tank"),
        ("/mnt/a/../b", "/mnt/b"),
        ("//mnt/a", "/mnt/a"),
        ("///mnt/a", "/mnt/a"),
        ("/mnt/with space", "/mnt/with space"),
    ],
)
def test_a_path_below_the_root(path, normal):
    assert check_path(path, "path") == normal


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("", "path: '' is not an absolute path"),
        ("mnt", "path: 'mnt' is not an absolute path"),
        ("./mnt", "path: './mnt' is not an absolute path"),
        ("~/mnt", "path: '~/mnt' is not an absolute path"),
        ("/", "path: '/' is the root directory, which cannot be a datastore"),
        ("//", "path: '//' is the root directory, which cannot be a datastore"),
        ("/mnt/..", "path: '/mnt/..' is the root directory, which cannot be a datastore"),
        ("/../..", "path: '/../..' is the root directory, which cannot be a datastore"),
        ("/mnt\0x", "path: a path must not contain a NUL character"),
        ("/mnt/a\x1b[31m\n", r"path: '/mnt/a\x1b[31m\x0a' contains characters that are not printable"),
    ],
)
def test_a_path_that_pbs_would_refuse(path, says):
    with pytest.raises(OptionError) as raised:
        check_path(path, "path")
    assert str(raised.value) == says


def test_declarations_keep_what_was_given():
    assert check_declarations(
        [
            {"name": "tank", "path": "/mnt//tank/", "comment": None, "tuning": {"gc_atime_cutoff": 1445}},
            {"name": "usb", "path": None, "backing_device": "0a1b2c3d-0000-4000-8000-000000000001"},
        ],
        "datastores",
    ) == [
        {"name": "tank", "path": "/mnt/tank", "tuning": {"gc_atime_cutoff": 1445}},
        {"name": "usb", "path": "/mnt/datastore/usb", "backing_device": "0a1b2c3d-0000-4000-8000-000000000001"},
    ]


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"name": "ab", "path": "/x"}, "datastores[1].name: 'ab' is not a valid name of a datastore"),
        ({"name": "../x", "path": "/x"}, "datastores[1].name: '../x' is not a valid name"),
        ({"name": "x" * 33, "path": "/x"}, f"datastores[1].name: '{'x' * 33}' is not a valid name"),
        ({"name": "-tank", "path": "/x"}, "datastores[1].name: '-tank' is not a valid name"),
        ({"name": "first", "path": "/x"}, "datastores[1].name: 'first' is declared twice"),
        ({"name": "tank"}, "datastores[1]: 'tank' has no path"),
        ({"name": "tank", "path": "x"}, "datastores[1].path: 'x' is not an absolute path"),
        ({"name": "tank", "path": "/"}, "datastores[1].path: '/' is the root directory"),
        *(
            (
                {"name": "tank", "path": "/x", "tuning": {"gc_atime_cutoff": minutes}},
                "datastores[1].tuning.gc_atime_cutoff: %d is not from 1 to 2880 minutes" % minutes,
            )
            for minutes in (0, 2881, -5)
        ),
    ],
)
def test_a_declaration_that_cannot_be_used(entry, says):
    with pytest.raises(OptionError) as raised:
        check_declarations([{"name": "first", "path": "/first"}, entry], "datastores")
    assert str(raised.value).startswith(says)


@pytest.mark.parametrize("minutes", [1, 2880, None])
def test_a_cutoff_that_pbs_takes(minutes):
    check_declarations([{"name": "tank", "path": "/x", "tuning": {"gc_atime_cutoff": minutes}}], "datastores")


def test_a_user_that_was_named_must_exist():
    require_account("root")
    with pytest.raises(OptionError, match=r"^user: there is no user 'nobody-at-all' on this host$"):
        require_account("nobody-at-all")
    with pytest.raises(OptionError, match=r"^user: there is no user"):
        require_account("with\0nul")


def test_that_backup_is_missing_is_a_finding_and_no_error(monkeypatch):
    def nobody(name):
        raise KeyError(name)

    monkeypatch.setattr("pwd.getpwnam", nobody)
    require_account("backup")


def test_the_daemon_is_backup_unless_somebody_says_otherwise():
    assert {name: option["default"] for name, option in account_spec().items()} == {"user": "backup", "group": "backup"}


def test_a_declaration_needs_a_name_and_nothing_else():
    """What is omitted means: keep. So no option of a datastore may have a default of its own."""
    spec = datastore_spec()
    assert [name for name, option in spec.items() if option.get("required")] == ["name"]
    assert not [name for name, option in spec.items() if "default" in option]
