# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.owner import OwnerError, parse_owner


@pytest.mark.parametrize(
    ("data", "owner"),
    [
        (b"sync@pbs\n", "sync@pbs"),
        (b"sync@pbs", "sync@pbs"),  # accepted by PBS 4.2.3
        (b"alice@pbs!t1\n", "alice@pbs!t1"),
        (b"root@pam \t\r\n", "root@pam"),
        (b"root@pam\nanything\n", "root@pam"),
        (b"a@b@pbs\n", "a@b@pbs"),
        ("jürgen@ad\n".encode(), "jürgen@ad"),
        ("root@pam\xa0\u2003\u3000\x85\n".encode(), "root@pam"),  # what Unicode calls white space goes at the end
        (b"a@" + b"r" * 32 + b"\n", "a@" + "r" * 32),
    ],
)
def test_owners(data, owner):
    assert parse_owner(data) == owner


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"   \n",
        b"nobody",  # refused by PBS 4.2.3, as is the empty file
        b"\nroot@pam\n",
        b" root@pam\n",
        "\xa0root@pam\n".encode(),
        "ro\xa0ot@pam\n".encode(),
        "root@pam\u200b\n".encode(),  # no white space
        b"root@pam\x1c\n",
        b"root@p\n",
        b"a@" + b"r" * 33 + b"\n",
        b"@pam\n",
        b"root@\n",
        b"root@pam!\n",
        b"root@pam!a!b\n",
        b"ro ot@pam\n",
        b"ro:ot@pam\n",
        b"root@-pam\n",
        b"root@p/am\n",
        b"\xff@pam\n",
        b"\0root@pam\n",
        b"x" * 10_000,
    ],
)
def test_what_names_nobody(data):
    with pytest.raises(OwnerError) as caught:
        parse_owner(data)
    assert str(caught.value).isprintable()


@given(st.binary(max_size=200) | st.text(max_size=50).map(str.encode))
def test_any_bytes_are_an_owner_or_an_error(data):
    try:
        owner = parse_owner(data)
    except OwnerError:
        return
    assert data.startswith(owner.encode())
    assert parse_owner(owner.encode() + b"\n") == owner
