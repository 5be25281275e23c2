# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make preflight` without an inventory: the demonstration fleet, as root and as an ordinary user."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def loop_devices(directory):
    """Those with a file below this directory behind them; other tests have theirs at the same time."""
    found = []
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):  # it is given back this moment
            found += [path.parts[3]] if path.read_text().startswith(f"{directory}/") else []
    return found


@pytest.fixture
def checkout(tmp_path):
    """What a clone has, with this environment: the results of the demonstration are written there."""
    copy = tmp_path / "checkout"
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.split(b"\0")
    for name in filter(None, names):
        source = ROOT / os.fsdecode(name)
        if source.is_file():
            target = copy / os.fsdecode(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    (copy / ".collections/ansible_collections/fleetops").mkdir(parents=True)
    (copy / ".collections/ansible_collections/fleetops/pbs").symlink_to("../../..")
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(0o755)
    return copy


# An ordinary user. That it may pass through every directory is for this machine's sake, whose Python may lie below a
# home directory that is closed; it may change nothing that is not its own.
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
NOBODY += [
    "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=+dac_read_search",
    "--bounding-set=-all,+dac_read_search",
]


@pytest.fixture
def scratch():
    """A directory for temporary files with a short name: newer versions of Ansible have a socket below it."""
    with tempfile.TemporaryDirectory(prefix="demo-") as directory:
        Path(directory).chmod(0o1777)
        yield Path(directory)


def run(checkout, scratch, prefix=()):
    environment = {
        "TMPDIR": str(scratch),
        "PATH": os.pathsep.join([str(checkout / ".venv/bin"), "/usr/sbin", "/usr/bin", "/sbin", "/bin"]),
        "PYTHONPATH": str(checkout / ".collections"),
        "ANSIBLE_COLLECTIONS_PATH": str(checkout / ".collections"),
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
        "HOME": str(checkout),
    }
    return subprocess.run(
        [*prefix, "python", str(checkout / "demo/run.py")],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=280,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.root
def test_a_loop_device_that_is_left_would_be_seen(tmp_path):
    image = tmp_path / "image"
    image.touch()
    os.truncate(image, 1 << 20)
    device = subprocess.run(["losetup", "--find", "--show", image], check=True, capture_output=True, text=True).stdout
    try:
        assert loop_devices(tmp_path) == [os.path.basename(device.strip())]
    finally:
        subprocess.run(["losetup", "--detach", device.strip()], check=True)


@pytest.mark.root
def test_as_root_it_shows_real_filesystems_and_removes_them(checkout, scratch):
    mounts = Path("/proc/self/mountinfo").read_text()
    done = run(checkout, scratch)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "expected something else" not in done.stderr
    for line in (
        "pbs1: healthy: ext4 with relatime, xfs with noatime -> nothing wrong",
        "pbs2: a zero chunk that belongs to root -> PBS-ATIME-03, PBS-OWNER-03",
        "pbs3: a filesystem that ignores access times -> PBS-ATIME-01, PBS-ATIME-03",
        "pbs4: a filesystem that is mounted read-only -> PBS-ATIME-01, PBS-ATIME-03, PBS-MOUNT-04",
        "pbs9: unreachable -> unreachable",
    ):
        assert line in done.stderr
    documents = sorted(path.name for path in (checkout / "results/demo").glob("*.json"))
    assert documents[:5] == ["pbs1.json", "pbs2.json", "pbs3.json", "pbs4.json", "web1.json"]
    assert loop_devices(scratch) == []
    assert list(scratch.iterdir()) == []
    assert Path("/proc/self/mountinfo").read_text() == mounts


@pytest.mark.root
def test_as_an_ordinary_user_it_shows_what_it_can_and_says_what_it_cannot(checkout, scratch):
    for path in [checkout, *checkout.rglob("*")]:
        if not path.is_symlink():
            os.chown(path, 65534, 65534)
    done = run(checkout, scratch, NOBODY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "you are not root" in done.stderr
    assert "left out" in done.stderr
    assert "pbs2: a datastore whose creation stopped half way -> PBS-CONF-06" in done.stderr
    assert "pbs3: a chunk that the daemon may not read -> PBS-OWNER-04" in done.stderr
