# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

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


def words(text):
    return re.findall(r"\S+", text)


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
    "name",
    words(
        """
        password pass PASSWORD password2 passwd secret aws_secret_key user username env.RCLONE_CONFIG_NAS_PASS
        extpass ssh_command passphrase passphrase_fd token access_token key cred extkey obscured sas url proxy
        fsname config client_secret account_key header cookie auth domain conf http_proxy sftp_pass webdav_pass
        unknown_option
        """
    ),
)
def test_secrets_do_not_reach_the_report(name):
    """Nobody knows all names of secrets, so only what is known to be none is shown."""
    shown = hide_secrets([f"{name}=me%geheim", "geheim2", "geheim3=x", "rw", "vers=3.1.1", "noatime"])
    assert not [option for option in shown if "geheim" in option.partition("=")[2]]
    assert shown[0] == f"{name}=(hidden)"
    assert shown[1] == "(hidden)"
    assert shown[3:] == ["rw", "vers=3.1.1", "noatime"]


def test_a_name_that_is_none_is_not_shown():
    assert hide_secrets(["Ge heim!=1"]) == ["(hidden)=(hidden)"]


@pytest.mark.parametrize(
    "option",
    words(
        """
        credentials=/etc/cred secretfile=/etc/ceph.key passwd_file=/etc/p rw uid=34 gid=34 file_mode=0640
        dir_mode=0750 subvol=/@data errors=remount-ro data=ordered commit=60 size=4G vers=4.2 rsize=1048576 sec=sys
        lookupcache=none addr=192.0.2.1 local_lock=none x-systemd.requires=nas.service x-systemd.device-timeout=30
        compress=zstd:3 some_flag
        """
    ),
)
def test_what_is_no_secret_stays(option):
    assert hide_secrets([option]) == [option]


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("//anna:geheim@nas/share", "//anna:(hidden)@nas/share"),
        ("curlftpfs#anna:geheim@host/dir", "curlftpfs#anna:(hidden)@host/dir"),
        ("//me:a/geheim@srv/share", "//me:(hidden)@srv/share"),
        ("//me%geheim@srv/share", "//me:(hidden)@srv/share"),
        ("anna:geheim@host:/srv", "anna:(hidden)@host:/srv"),
        ("https://geheim@host/dav", "https://(hidden)@host/dav"),
        ("https://anna:geheim@host/dav", "https://(hidden)@host/dav"),
        ("https://acc.blob.example/c?sv=1&sig=geheim", "https://acc.blob.example/c?(hidden)"),
        (":sftp,host=nas,pass=geheim:/srv", ":sftp,(hidden)"),
        ("remote,pass=geheim:/srv", "remote,(hidden)"),
        ("tank/data", "tank/data"),
        ("/dev/mapper/a@b", "/dev/mapper/a@b"),
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
