# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.shown import shown
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host import version
from ansible_collections.fleetops.pbs.plugins.module_utils._system.program import Answer


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
    there, text = version.installed(dpkg(answer), str(tmp_path / "manager"))
    assert (there, *shown([text])) == found


def test_a_manager_without_a_package_is_pbs_too(tmp_path: Path) -> None:
    (tmp_path / "manager").touch()
    assert version.installed(dpkg(Answer(1)), str(tmp_path / "manager")) == (True, None)


def test_this_machine_answers() -> None:
    assert isinstance(version.installed()[0], bool)
