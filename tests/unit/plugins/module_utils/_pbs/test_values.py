# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import values


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1024", 1024),
        ("1024B", 1024),
        ("64GB", 64_000_000_000),
        ("64g", 64_000_000_000),
        ("64GiB", 64 << 30),
        ("1.5 MiB", 1_572_864),
        ("2Pib", 2 << 50),
        ("1e3k", 1_000_000),
    ],
)
def test_a_size_is_read_as_bytes(text: str, size: int) -> None:
    assert values.Size().read(text) == size


@pytest.mark.parametrize("text", ["", "-1", "B", "GiB", "64 GB extra", "64iB", "1e400", "nan", "inf", "1" * 65, "1\n"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="a size such as"):
        values.Size().read(text)


@pytest.mark.parametrize("text", ["", " 5", "5 ", "5_0", "\u0665", "0x5", "5.0", "1" * 30, "9223372036854775808"])
def test_what_is_no_integer(text: str) -> None:
    with pytest.raises(ValueError, match="a whole number"):
        values.Integer().read(text)


@pytest.mark.parametrize("name", ["ab", "a" * 33, ".abc", "-abc", "a/b", "../etc", "a b", "abc\n", "äbc", ""])
def test_what_cannot_be_a_datastore(name: str) -> None:
    with pytest.raises(ValueError, match="3 to 32 letters"):
        values.DATASTORE_NAME.read(name)


@pytest.mark.parametrize("namespace", ["", "a", "a/b/c/d/e/f/g/h"])
def test_namespaces(namespace: str) -> None:
    assert values.NAMESPACE.read(namespace) == namespace


@pytest.mark.parametrize("namespace", ["/", "a/", "a//b", "a/b/c/d/e/f/g/h/i", "a/" + "b" * 256])
def test_what_is_no_namespace(namespace: str) -> None:
    with pytest.raises(ValueError, match="up to 8 names"):
        values.NAMESPACE.read(namespace)


@given(st.text(max_size=200))
def test_what_is_shown_fits_into_a_line(text: str) -> None:
    shown = values.shown(text)
    assert shown.isprintable()
    assert len(shown) <= 66
