# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook provision, and each module of it, as users run them: from nothing to what is declared, and no further."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetops.pbs.tests.support import machine, mounts
from ansible_collections.fleetops.pbs.tests.support.ansible_run import HOST, Run, run_module, run_playbook
from ansible_collections.fleetops.pbs.tests.support.pbs.host import FakeHost

pytestmark = pytest.mark.root

# The machine that runs the tests is no well-kept server.
WAIVERS = [
    {"control": control, "justification": "the machine of the tests", "until": "2999-12-31"}
    for control in ("PBS-HOST-02", "PBS-MOUNT-08")
]
UNITS = ("proxmox-backup", "proxmox-backup-proxy")


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path / "host")


@pytest.fixture
def etc(overlay: Callable[..., Path]) -> Path:
    """/etc that may be written to: what is written is gone after the test."""
    return overlay(Path("/etc"), point=Path("/etc"))


@pytest.fixture
def top(loopfs: Callable[..., Path]) -> Iterator[Path]:
    """Where mount points may be made: what is mounted below is unmounted in the end."""
    path = loopfs("ext4")
    yield path
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = Path(line.split()[4])
        if path in point.parents:
            mounts.unmount(point)


@pytest.fixture
def devices(tmp_path: Path) -> Iterator[list[str]]:
    """Two disks, each with room for two datastores."""
    found = []
    for name in ("one", "two"):
        image = tmp_path / f"{name}.ext4"
        mkfs = ["-b", "1024", "-N", "160000", "-m", "0", "-O", "^has_journal"]
        mounts.make_image(image, "ext4", mkfs=mkfs, size=480 * mounts.MIB)
        found.append(mounts.run("losetup", "--find", "--show", image).strip())
    yield found
    for device in found:
        mounts.run("losetup", "--detach", device)


def provision(host: FakeHost, datastores: list[dict[str, Any]], check: bool = False, **more: Any) -> Run:
    directories = {"config_dir": str(host.etc), "run_dir": str(host.run)}
    variables = {
        "pbs_datastores": datastores,
        "mounts_config_dir": str(host.etc),
        "datastore_manager": str(host.manager),
        **{f"datastore_{name}": value for name, value in directories.items()},
        **{f"preflight_{name}": value for name, value in directories.items()},
        "preflight_state_dir": str(host.var),
        "preflight_results": str(host.root / "results"),
        "preflight_scope": "skeleton",
        "preflight_fail_on": "critical",
        # The machine may be busy; what has no answer in time is unknown, and no success.
        "preflight_deadline": 120,
        "preflight_waivers": WAIVERS,
        **more,
    }
    # Without a file for each call of each module: it takes two thirds of the time.
    env = {"ANSIBLE_PIPELINING": "1"}
    return run_playbook("fleetops.pbs.provision", variables=variables, check=check, env=env)


def failures(run: Run) -> list[str]:
    found = []
    for name, result in run.results():
        items = result.get("results", [result])
        found += [f"{name}: {item.get('msg')}" for item in items if item.get("failed")]
    return found


def changes(run: Run) -> list[str]:
    return [name.rpartition(" : ")[2] for name, result in run.results() if result.get("changed")]


def protected(point: Path) -> bool:
    try:
        (point / "file").touch()
    except PermissionError:
        return point.stat().st_mode & 0o777 == 0
    return False


def test_from_nothing_to_what_is_declared(host: FakeHost, etc: Path, top: Path, devices: list[str]) -> None:
    disk = top / "deep" / "disk"
    first, second = disk / "first", disk / "second"
    mount = {
        "path": str(disk),
        "source": devices[0],
        "fstype": "ext4",
        "options": ["rw", "noatime"],
        "persistent": True,
    }
    datastores = [
        {
            "name": "first",
            "path": str(first),
            "comment": "two words",
            "gc_schedule": "sat 03:00",
            "tuning": {"gc_atime_cutoff": 1445, "chunk_order": "none"},
            "mount": mount,
            "prune_jobs": [{"id": "first-prune", "schedule": "daily", "keep_daily": 14, "keep_last": 3}],
            "verify_jobs": [{"id": "first-verify", "schedule": "sun 05:00", "outdated_after": 30}],
        },
        {"name": "second", "path": str(second)},
    ]
    before = (etc / "fstab").read_text() if (etc / "fstab").exists() else ""
    check = provision(host, datastores, check=True)
    untouched = os.listdir(top) == ["lost+found"] and host.config() == ""
    do = provision(host, datastores)
    state = [host.config(name) for name in ("datastore.cfg", "prune.cfg", "verification.cfg")]
    again = provision(host, datastores)
    again_check = provision(host, datastores, check=True)
    runs = (check, do, again, again_check)
    assert (
        untouched,
        [failures(run) for run in runs],
        [run.rc for run in runs],
        [bool(changes(run)) for run in runs],
        [host.config(name) for name in ("datastore.cfg", "prune.cfg", "verification.cfg")],
    ) == (True, [[], [], [], []], [0, 0, 0, 0], [True, True, False, False], state), [
        (changes(run), run.stderr[-500:]) for run in runs
    ]
    assert "datastore: first" in state[0]
    assert f"path {second}" in state[0]
    assert "keep-daily 14" in state[1]
    assert "outdated-after 30" in state[2]
    fstab = (etc / "fstab").read_text()
    assert fstab.startswith(before)
    assert f"{devices[0]} {disk} ext4 rw,noatime" in fstab
    for unit in UNITS:
        drop_in = etc / "systemd" / "system" / f"{unit}.service.d" / "fleetops-pbs-mounts.conf"
        assert f'[Unit]\nRequiresMountsFor="{first}"\n' in drop_in.read_text()
    document = json.loads((host.root / "results" / f"{HOST}.json").read_text())
    assert {item["datastore"] for item in document["findings"]} >= {"first", "second"}

    # Without the disk there is an error, and not another datastore below.
    mounts.unmount(disk)
    assert protected(disk)
    assert not disk.parent.stat().st_mode & 0o022


def test_a_mount_hides_nothing(host: FakeHost, etc: Path, top: Path, devices: list[str]) -> None:
    path = top / "first"
    path.mkdir()
    (path / ".chunks").mkdir()
    before = (etc / "fstab").read_text() if (etc / "fstab").exists() else ""
    run = provision(host, [{"name": "first", "path": str(path), "mount": {"source": devices[0], "fstype": "ext4"}}])
    assert run.rc == 2
    assert "but it holds .chunks. A mount would hide these files. Move them away" in failures(run)[0]
    assert before == ((etc / "fstab").read_text() if (etc / "fstab").exists() else "")


def test_what_is_mounted_has_to_be_what_is_declared(host: FakeHost, etc: Path, top: Path, devices: list[str]) -> None:
    """The wrong disk is mounted already. It is not unmounted, nothing is created on it, and the host fails."""
    path = top / "first"
    path.mkdir()
    mounts.run("mount", devices[1], path)
    before = (etc / "fstab").read_text() if (etc / "fstab").exists() else ""
    for check in (True, False):
        declared = {"name": "first", "path": str(path), "mount": {"source": devices[0], "fstype": "ext4"}}
        run = provision(host, [declared], check=check)
        assert run.rc == 2
        assert "PBS-MOUNT-01" in failures(run)[0]
        assert devices[0] in failures(run)[0]
    assert os.listdir(path) == ["lost+found"]
    assert before == ((etc / "fstab").read_text() if (etc / "fstab").exists() else "")


def test_no_datastore_where_it_would_not_be_safe(host: FakeHost, etc: Path, faultfs: Callable[..., Any]) -> None:
    del etc
    mount = faultfs("ignore")
    run = provision(host, [{"name": "tank", "path": str(mount.path)}])
    assert run.rc == 2
    assert "PBS-ATIME-01" in failures(run)[0]
    assert os.listdir(mount.path) == []
    assert host.config() == ""


def test_nothing_declared_is_nothing_done(host: FakeHost, etc: Path) -> None:
    before = sorted(etc.rglob("*fleetops*"))
    run = provision(host, [])
    assert (run.rc, changes(run), failures(run)) == (0, [], [])
    assert host.config() == ""
    assert sorted(etc.rglob("*fleetops*")) == before


def four_times(module: str, options: dict[str, Any]) -> None:
    """Check, do, again, again in check mode, through Ansible and with the oldest Python that there is."""
    python = machine.python(*machine.MANAGED_VERSIONS)
    results = [
        run_module(module, options, check=check, diff=True, python=python) for check in (True, False, False, True)
    ]
    assert (
        [result.get("failed", False) for result in results],
        [result["changed"] for result in results],
        results[0]["commands"] == results[1]["commands"] != [],
        [result["commands"] for result in results[2:]],
        [result["diff"]["before"] == result["diff"]["after"] for result in results],
    ) == ([False] * 4, [True, True, False, False], True, [[], []], [False, False, True, True]), results


def test_the_modules(host: FakeHost, top: Path, devices: list[str]) -> None:
    mount = top / "disk"
    mount.mkdir()
    mounts.run("mount", devices[0], mount)
    host.configure(prefixes=16)
    options = host.options(run_dir=str(host.run))
    four_times("datastore", {**options, "name": "tank", "path": str(mount), "notify": {"gc": "error"}})
    job = host.options(store="tank", schedule="daily")
    assert run_module("prune_job", {**job, "id": "tank-prune", "keep_last": 2})["decision"] == "create"
    assert run_module("verify_job", {**job, "id": "tank-verify", "comment": "a b"})["decision"] == "create"
    info = run_module("datastore_info", {"config_dir": str(host.etc), "state_dir": str(host.var)})
    assert len(info["datastores"]) == 1
    store = info["datastores"][0]
    assert (info["changed"], store["name"], store["mount"]["fstype"]) == (False, "tank", "ext4")
    assert [entry["id"] for entry in store["prune_jobs"] + store["verify_jobs"]] == ["tank-prune", "tank-verify"]
    assert store["gc_last_run"]["state"] == "created"
    assert run_module("datastore", {**options, "name": "tank", "state": "absent"})["changed"]
    assert host.config() == ""


def test_a_failure_is_one_message(host: FakeHost) -> None:
    options = host.options(name="tank", path="/mnt/x", tuning={"gc_atime_cutoff": 0})
    result = run_module("datastore", options)
    assert (result["failed"], result["msg"]) == (
        True,
        "tuning.gc_atime_cutoff: '0' is not allowed; allowed: a whole number from 1 to 2880",
    )
    host.etc.rmdir()
    result = run_module("datastore_info", {"config_dir": str(host.etc)})
    assert result["datastores"] == []
