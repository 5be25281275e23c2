# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of findings, run literally: on a full chunk store, below a path with spaces and quotes, and then all is well."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._preflight import preflight
from ansible_collections.fleetops.pbs.tests.support import mounts
from ansible_collections.fleetops.pbs.tests.support.findings import finding, valid
from ansible_collections.fleetops.pbs.tests.support.options import PREFLIGHT_OPTIONS

pytestmark = pytest.mark.root

NAME = """it's "my" $(true) store"""
DIGEST = "bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8"


@pytest.fixture
def store(whole_store) -> Iterator[Path]:
    """A store with its 65,536 prefix directories, below a name that a shell would take apart."""
    parent = Path(tempfile.mkdtemp(prefix="fleetops-pbs-remedies-"))
    parent.chmod(0o755)
    path = parent / NAME
    path.mkdir()
    mounts.run("mount", "--bind", whole_store().path, path)
    try:
        yield path
    finally:
        mounts.run("umount", path)
        shutil.rmtree(parent)


def look(path: Path, control: str, **declared: object) -> dict[str, object]:
    entry = {"name": "tank", "path": str(path), **declared}
    options = {**PREFLIGHT_OPTIONS, "datastores": [entry], "controls": [control]}
    return finding(valid(preflight(options, check_mode=False).document), control, "tank")


def root_owns(relative: str) -> Callable[[Path], None]:
    return lambda path: os.chown(path / relative, 0, 0)


def zero_chunk_is_a_directory(path: Path) -> None:
    chunk = path / ".chunks/bb9f" / DIGEST
    chunk.unlink()
    chunk.mkdir()


def prefixes_are_missing(path: Path) -> None:
    for number in range(40000, 65536):
        with contextlib.suppress(OSError):  # those with chunks stay
            (path / ".chunks" / f"{number:04x}").rmdir()


def temporary_files(path: Path) -> None:
    old = time.time() - 3 * 86400
    for number in range(3):
        file = path / ".chunks/0000" / f"{'0' * 64}.tmp_aaaaa{number}"
        file.write_bytes(b"x")
        os.chown(file, 34, 34)
        os.utime(file, (old, old))


def immutable(path: Path) -> None:
    subprocess.run(["chattr", "+i", path / ".chunks/bb9f" / DIGEST], check=True)


@pytest.mark.parametrize(
    ("control", "damage", "after"),
    [
        ("PBS-OWNER-01", root_owns(".lock"), "pass"),
        ("PBS-OWNER-01", root_owns(".chunks"), "pass"),
        ("PBS-OWNER-07", temporary_files, "pass"),
        ("PBS-ATIME-01", lambda path: path.chmod(0o600), "pass"),
        ("PBS-ATIME-03", root_owns(f".chunks/bb9f/{DIGEST}"), "pass"),
        ("PBS-ATIME-03", zero_chunk_is_a_directory, "skip"),
        ("PBS-ATIME-03", immutable, "pass"),
        ("PBS-OWNER-06", immutable, "pass"),
        ("PBS-CONF-06", lambda path: (path / ".lock").unlink(), "pass"),
        ("PBS-CONF-06", prefixes_are_missing, "pass"),
    ],
)
def test_the_commands_of_a_finding_fix_it(store, control, damage, after):
    damage(store)
    before = look(store, control)
    assert before["status"] in ("fail", "warn")
    assert before["commands"]
    try:
        for command in before["commands"]:
            subprocess.run(["bash", "-c", command], check=True, cwd="/", timeout=120)
        found = look(store, control)
        assert found["status"] == after, found["message"]
    finally:
        subprocess.run(["chattr", "-i", store / ".chunks/bb9f" / DIGEST], check=False, capture_output=True)
        if damage is zero_chunk_is_a_directory:
            os.rmdir(f"/var/tmp/tank-{DIGEST[:16]}")


def test_a_command_follows_no_link(store):
    """The owner of a datastore can put a link in place of what is named, before somebody pastes the command."""
    root_owns(".lock")(store)
    commands = look(store, "PBS-OWNER-01")["commands"]
    victim = store / "victim"
    victim.write_text("of root")
    (store / ".lock").unlink()
    (store / ".lock").symlink_to(victim)
    for command in commands:
        subprocess.run(["bash", "-c", command], check=True)
    assert victim.stat().st_uid == 0
    assert (store / ".lock").lstat().st_uid == 34


def test_a_remount_satisfies_the_contract(whole_store):
    path = whole_store().path
    declared = {"mount": {"options": ["noatime"], "options_forbidden": ["exec"]}}
    before = look(path, "PBS-MOUNT-05", **declared)
    assert before["status"] == "fail"
    for command in before["commands"]:
        subprocess.run(["bash", "-c", command], check=True)
    assert look(path, "PBS-MOUNT-05", **declared)["status"] == "pass"


def test_a_mount_that_is_read_only(whole_store):
    path = whole_store().path
    mounts.run("mount", "-o", "remount,bind,ro", path)
    for command in look(path, "PBS-MOUNT-04")["commands"]:
        subprocess.run(["bash", "-c", command], check=True)
    assert look(path, "PBS-MOUNT-04")["status"] == "pass"
