# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._observe import version
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.program import Answer


def dpkg(answer: Answer) -> version.Run:
    def run(argv: Sequence[str], timeout: float) -> Answer:
        assert argv[0] == "dpkg-query"
        assert argv[-1] == "proxmox-backup-server"
        assert 0 < timeout <= 10
        return answer

    return run


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (Answer(0, "installed 4.2.0-1\n"), (True, "4.2.0-1")),
        (Answer(0, "unpacked 4.2.0-1\n"), (True, "4.2.0-1")),
        (Answer(0, "config-files 4.2.0-1\n"), (False, None)),
        (Answer(0, "not-installed \n"), (False, None)),
        (Answer(0, "installed 4.2.0\x1b[31m\n"), (True, "4.2.0\\x1b[31m")),
        (Answer(1, "", "no packages found"), (False, None)),
        (Answer(None, "", "ENOENT"), (False, None)),
    ],
)
def test_installed(tmp_path: Path, answer: Answer, found: tuple[bool, str | None]) -> None:
    assert version.installed(dpkg(answer), str(tmp_path / "manager")) == found


def test_a_manager_without_a_package_is_pbs_too(tmp_path: Path) -> None:
    (tmp_path / "manager").touch()
    assert version.installed(dpkg(Answer(1)), str(tmp_path / "manager")) == (True, None)


def test_this_machine_answers() -> None:
    assert isinstance(version.installed()[0], bool)


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
    [("4.2.0-1", False), ("4.2.99-1", False), ("3.4.8-3", False), ("4.3.0-1", True), ("5.0.0-1", True), ("", False)],
)
def test_newer_than_known(text: str, newer: bool) -> None:
    assert version.is_newer_than_known(text) is newer


def test_an_unknown_version_is_not_newer() -> None:
    assert not version.is_newer_than_known(None)


@given(st.text())
def test_any_text_has_numbers_or_none(text: str) -> None:
    assert all(isinstance(number, int) for number in version.parse_version(text))
