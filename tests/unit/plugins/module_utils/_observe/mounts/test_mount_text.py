# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.mount_text import (
    hide_secret_in_source,
    hide_secrets,
    option_value,
    split_options,
    unescape,
)


def escape(name: bytes) -> bytes:
    """As the kernel escapes names in mountinfo."""
    return b"".join(b"\\%03o" % byte if byte in b" \t\n\\#" else bytes((byte,)) for byte in name)


@given(st.binary())
def test_unescaping_undoes_the_escapes_of_the_kernel(name):
    assert unescape(escape(name)) == name


@pytest.mark.parametrize("text", [b"\\", b"\\04", b"\\400", b"\\x20", b"a\\", b"\\089"])
def test_a_backslash_that_escapes_nothing_stays(text):
    assert unescape(text) == text


def test_unescaping_happens_once():
    assert unescape(b"\\134040") == b"\\040"


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", []),
        ("rw,relatime", ["rw", "relatime"]),
        ("rw,,noatime,", ["rw", "noatime"]),
        ('rw,context="system_u:object_r:c1,c2",size=1k', ["rw", 'context="system_u:object_r:c1,c2"', "size=1k"]),
        ('a="b,c', ['a="b', "c"]),
    ],
)
def test_splitting_options(text, options):
    assert split_options(text) == options


@given(st.text(alphabet='ab,="\\'))
def test_splitting_loses_nothing_but_commas(text):
    assert "".join(split_options(text)).replace(",", "") == text.replace(",", "")


@pytest.mark.parametrize(
    "option",
    ["password=geheim", "pass=geheim", "PASSWORD=geheim", "password2=geheim", "secret=geheim", "aws_secret_key=geheim"],
)
def test_secrets_do_not_reach_the_report(option):
    (shown,) = hide_secrets([option])
    assert "geheim" not in shown
    assert shown.startswith(option.partition("=")[0] + "=")


@pytest.mark.parametrize(
    "option", ["credentials=/etc/cred", "secretfile=/etc/ceph.key", "passwd_file=/etc/p", "rw", "uid=34"]
)
def test_what_is_no_secret_stays(option):
    assert hide_secrets([option]) == [option]


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("//anna:geheim@nas/share", "//anna:(hidden)@nas/share"),
        ("curlftpfs#anna:geheim@host/dir", "curlftpfs#anna:(hidden)@host/dir"),
        ("//nas/share", "//nas/share"),
        ("nas:/export/a@b", "nas:/export/a@b"),
        ("[fd00::1]:/export", "[fd00::1]:/export"),
        ("anna@host:/srv", "anna@host:/srv"),
    ],
)
def test_secrets_in_sources(source, shown):
    assert hide_secret_in_source(source) == shown


def test_the_last_of_an_option_counts():
    assert option_value(["subvol=/a", "rw", "subvol=/b"], "subvol") == "/b"
    assert option_value(["rw"], "rw") == ""
    assert option_value(["rw"], "subvol") is None
