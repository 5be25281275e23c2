# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import version


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("4.2.0-1", (4, 2, 0, 1)),
        ("3.4.8-3", (3, 4, 8, 3)),
        ("4.2", (4, 2)),
        ("1:4.2.0-1", (4, 2, 0, 1)),
        ("4.3.0~rc1-1", (4, 3, 0, -1, 1, 1)),
        ("", ()),
        ("unknown", ()),
    ],
)
def test_parse_version(text: str, numbers: tuple[int, ...]) -> None:
    assert version.parse_version(text) == numbers


def test_versions_in_their_order() -> None:
    texts = ["3.3.6-1", "3.3.7-1", "3.3.10-1", "4.0.4-1", "4.2.0~1", "4.2.0-1", "4.2.0-2", "4.2.1-1", "4.10.0-1"]
    assert all(version.parse_version(a) < version.parse_version(b) for a, b in zip(texts, texts[1:]))


@pytest.mark.parametrize(
    ("text", "newer"),
    [
        *(("3.4.9-2", False), ("4.1.8-1", False), ("4.2.0-1", False), ("4.2.3-1", False), ("", False)),
        *(("4.2.4-1", True), ("4.2.6-1", True), ("4.3.0-1", True), ("5.0.0-1", True)),
    ],
)
def test_newer_than_known(text: str, newer: bool) -> None:
    assert version.is_newer_than_known(text) is newer


def test_an_unknown_version_is_not_newer() -> None:
    assert not version.is_newer_than_known(None)


@given(st.text())
def test_any_text_has_numbers_or_none(text: str) -> None:
    assert all(isinstance(number, int) for number in version.parse_version(text))
