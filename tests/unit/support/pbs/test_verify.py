# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verification finds and renames what PBS 4.2.3 was recorded to find and rename."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.tests.support.pbs import formats
from ansible_collections.fleetops.pbs.tests.support.pbs.daemons import as_backup
from ansible_collections.fleetops.pbs.tests.support.pbs.damages import DAMAGES, NEWER, OLDER, Recorded, write_at
from ansible_collections.fleetops.pbs.tests.support.pbs.store import ChunkStore
from ansible_collections.fleetops.pbs.tests.support.pbs.tasks import Log, TaskFailure
from ansible_collections.fleetops.pbs.tests.support.pbs.verify import Verification

pytestmark = pytest.mark.root

ALL = [f"host/h1/{NEWER}", f"host/h1/{OLDER}", f"ns/n1/host/h2/{OLDER}"]


@pytest.fixture
def recorded(chunk_store: Callable[..., ChunkStore]) -> Recorded:
    return Recorded(chunk_store(prefixes=4))


def verify(recorded: Recorded) -> tuple[list[str], list[str]]:
    """The log, and the snapshots that failed."""
    lines: list[str] = []
    run = Verification(recorded.base, name="gc1", upid="UPID:x:", log=Log(write=lines.append))
    problem = ""
    with as_backup():
        try:
            run.run()
        except TaskFailure as failure:
            problem = str(failure)
    assert problem == ("verification failed - please check the log for details" if run.failed else "")
    return lines, run.failed


def verify_state(snapshot: Path) -> str:
    manifest = json.loads(formats.read_blob((snapshot / "index.json.blob").read_bytes()).data or b"")
    return manifest["unprotected"]["verify_state"]["state"]


@pytest.mark.parametrize("damage", [each for each in DAMAGES if each.verified is not None], ids=str)
def test_each_recorded_damage(recorded, damage):
    damage.do(recorded)
    failed = verify(recorded)[1]
    assert (failed == []) == damage.verified
    # Three snapshots need the image; the other damages are to files of one of them.
    assert failed in ([], ALL if damage.name.startswith("chunk-") else [f"host/h1/{OLDER}"])


def test_a_damaged_chunk_is_renamed_and_named_once(recorded):
    write_at(recorded.image, 100, b"zzzz")
    content = recorded.image.read_bytes()
    lines = verify(recorded)[0]
    bad = recorded.image.with_name(recorded.image.name + ".0.bad")
    assert not recorded.image.exists()
    assert bad.read_bytes() == content
    assert lines.count("can't verify chunk, load failed - Data blob has wrong CRC checksum.") == 1
    assert lines.count(f"chunk {recorded.image.name} was marked as corrupt") == 2
    assert lines[-4:] == ["Failed to verify the following snapshots/groups:", *(f"\t{name}" for name in ALL)]


def test_a_second_damaged_chunk_gets_the_next_name(recorded):
    recorded.store.file(recorded.image.with_name(recorded.image.name + ".0.bad"), b"the first")
    recorded.image.write_bytes(b"short")
    verify(recorded)
    assert recorded.image.with_name(recorded.image.name + ".1.bad").read_bytes() == b"short"


def test_a_good_chunk_that_backup_cannot_read_is_renamed_too(recorded):
    """What makes PBS-OWNER-04 critical: the error of reading it counts as damage."""
    recorded.take(recorded.image, 0o600)
    lines, failed = verify(recorded)
    assert failed == ALL
    assert recorded.image.with_name(recorded.image.name + ".0.bad").exists()
    assert "can't verify chunk, load failed - Permission denied (os error 13)" in lines


def test_a_chunk_under_another_name_has_the_wrong_digest(recorded):
    recorded.store.file(recorded.last, formats.blob(b"Last of the older archive"))
    lines, failed = verify(recorded)
    assert failed == [f"host/h1/{OLDER}"]
    assert "can't verify chunk, load failed - wrong digest" in lines


def test_without_a_manifest(recorded):
    (recorded.snapshot / "index.json.blob").unlink()
    path = recorded.snapshot / "index.json.blob"
    lines = verify(recorded)[0]
    assert (
        f"verify gc1:host/h1/{OLDER} - manifest load error: unable to load blob '\"{path}\"' - "
        "No such file or directory (os error 2)"
    ) in lines


def test_the_outcome_is_noted_in_the_manifest(recorded):
    recorded.last.unlink()
    verify(recorded)
    assert verify_state(recorded.snapshot) == "failed"
    assert verify_state(recorded.base / "host/h1" / NEWER) == "ok"
    assert verify(recorded)[1] == [f"host/h1/{OLDER}"]
