# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of findings, run literally, and then the control passes.

On a full chunk store below a path with spaces and quotes; on configurations of the imitation of PBS; and in a mount namespace
with an /etc of its own, where a test may write `/etc/fstab` and the accounts.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host import version
from ansible_collections.fleetops.pbs.plugins.module_utils._preflight import preflight
from ansible_collections.fleetops.pbs.tests.support import mounts, namespaces
from ansible_collections.fleetops.pbs.tests.support.findings import finding, valid
from ansible_collections.fleetops.pbs.tests.support.options import PREFLIGHT_OPTIONS
from ansible_collections.fleetops.pbs.tests.support.pbs.host import FakeHost
from ansible_collections.fleetops.pbs.tests.support.pbs.store import backup_ids

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
    walked = control.startswith("PBS-OWNER")
    options = {
        **PREFLIGHT_OPTIONS,
        "datastores": [entry],
        "controls": [control],
        "scope": "full" if walked else "none",
        "references": "none",
    }
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


def run_all(commands: list[str], path: str = "") -> None:
    """Type the commands; `path` is searched for programs first."""
    assert commands
    environment = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"]}
    for command in commands:
        done = subprocess.run(
            ["bash", "-c", command], check=False, cwd="/", timeout=120, env=environment, capture_output=True, text=True
        )
        # e2fsck exits with 1 where it corrected something.
        assert done.returncode == 0 or (command.startswith("e2fsck") and done.returncode == 1), (command, done.stderr)


# --- PBS's own administration, on its imitation -----------------------------------------------------------------------

BASE = "datastore: tank\n\tpath {path}\n"
DAILY = BASE + "\tgc-schedule daily\n"


@pytest.fixture
def pbs(tmp_path: Path, chunk_store, monkeypatch) -> Callable[..., Callable[[str], dict[str, object]]]:
    """`look = pbs(configuration)`: a host with this datastore.cfg; `look(control)` is the finding about its datastore."""
    host = FakeHost(tmp_path / "host")
    os.chown(host.etc, *backup_ids())
    host.etc.chmod(0o700)
    store = chunk_store(prefixes=4)
    monkeypatch.setattr(version, "installed", lambda: (True, "4.2.0-1"))

    def make(text: str) -> Callable[[str], dict[str, object]]:
        (host.etc / "datastore.cfg").write_text(text.format(path=store.path))

        def finding_of(control: str) -> dict[str, object]:
            options = {
                **PREFLIGHT_OPTIONS,
                "config_dir": str(host.etc),
                "state_dir": str(host.var),
                "controls": [control],
                "scope": "full" if control == "PBS-OWNER-07" else "none",
                "references": "none",
            }
            document = valid(preflight(options, check_mode=False).document)
            return finding(document, control, None if control.startswith("PBS-HOST") else "tank")

        return finding_of

    make.programs = str(host.manager.parent)
    make.host = host
    make.store = store
    return make


@pytest.mark.parametrize(
    ("control", "text", "before"),
    [
        ("PBS-CONF-02", BASE, "fail"),
        ("PBS-CONF-02", BASE + "\tgc-schedule 2020-01-01 00:00\n", "fail"),
        ("PBS-CONF-03", DAILY, "warn"),
        ("PBS-CONF-04", DAILY, "fail"),
        ("PBS-CONF-05", DAILY + "\tmaintenance-mode type=offline,message=disks\n", "fail"),
        ("PBS-CONF-05", DAILY + "\tmaintenance-mode read-only\n", "fail"),
        ("PBS-ATIME-04", DAILY + "\ttuning gc-atime-safety-check=0\n", "fail"),
        ("PBS-ATIME-04", DAILY + "\ttuning sync-level=file,gc-atime-safety-check=off\n", "fail"),
        ("PBS-ATIME-05", DAILY + "\ttuning gc-atime-cutoff=2\n", "fail"),
        ("PBS-ATIME-05", DAILY + "\ttuning chunk-order=none,gc-atime-cutoff=2\n", "fail"),
    ],
)
def test_commands_of_pbs_fix_the_configuration(pbs, control, text, before):
    look_at = pbs(text)
    found = look_at(control)
    assert found["status"] == before, found["message"]
    run_all(found["commands"], pbs.programs)
    found = look_at(control)
    assert found["status"] == "pass", found["message"]


def test_a_good_chunk_that_verify_renamed_gets_its_name_back(pbs):
    look_at = pbs(DAILY)
    pbs.store.add_snapshot()
    chunk = pbs.store.zero_chunk
    chunk.rename(f"{chunk}.0.bad")
    found = look_at("PBS-OWNER-07")
    assert found["status"] == "fail"
    run_all(found["commands"], pbs.programs)
    assert look_at("PBS-OWNER-07")["status"] == "pass"


@pytest.mark.parametrize(
    "damage",
    [
        lambda etc: etc.chmod(0o755),
        lambda etc: os.chown(etc, 0, 0),
        lambda etc: (os.chown(etc / "datastore.cfg", 0, 0), (etc / "datastore.cfg").chmod(0o600)),
    ],
    ids=["mode", "owner", "a file that backup cannot read"],
)
def test_owner_and_mode_of_the_configuration(pbs, damage):
    look_at = pbs(DAILY)
    etc = pbs.host.etc
    os.chown(etc / "datastore.cfg", 0, backup_ids()[1])
    (etc / "datastore.cfg").chmod(0o640)
    damage(etc)
    found = look_at("PBS-HOST-04")
    assert found["status"] == "fail", found["message"]
    run_all(found["commands"])
    assert look_at("PBS-HOST-04")["status"] == "pass"


# --- in a mount namespace of its own ------------------------------------------------------------------------------------


def with_own_etc(scratch: Path, work: Callable[[], object]) -> object:
    """What `work` returns, called in a process with private mounts and an /etc that no other process sees."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            namespaces.private_mounts()
            mounts.run("mount", "-t", "tmpfs", "tmpfs", scratch)
            for name in ("upper", "work"):
                (scratch / name).mkdir()
            places = f"lowerdir=/etc,upperdir={scratch}/upper,workdir={scratch}/work"
            mounts.run("mount", "-t", "overlay", "overlay", "-o", places, "/etc")
            os.write(writing, json.dumps(work()).encode())
            status = 0
        except BaseException as exc:  # pytest must not go on in the child
            os.write(writing, json.dumps({"failed": repr(exc)}).encode())
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = json.loads(pipe.read())
    os.waitpid(child, 0)
    assert not (isinstance(answer, dict) and "failed" in answer), answer
    return answer


def before_and_after(control: str, path: Path | None) -> list[str]:
    """The status of a control before and after its commands."""

    def ask() -> dict[str, object]:
        options = {**PREFLIGHT_OPTIONS, "controls": [control], "scope": "none", "references": "none"}
        if path is not None:
            options["datastores"] = [{"name": "tank", "path": str(path)}]
        return finding(preflight(options, check_mode=False).document, control, None if path is None else "tank")

    before = ask()
    run_all(before["commands"])
    return [str(before["status"]), str(ask()["status"])]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image with ext4 that has no dir_nlink."""
    file = tmp_path / "it's an image.ext4"
    mounts.make_image(file, "ext4", mkfs=["-O", "^dir_nlink"], size=64 * mounts.MIB)
    return file


@pytest.fixture
def point(tmp_path: Path) -> Path:
    path = tmp_path / "tank"
    path.mkdir()
    return path


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    path = tmp_path / "scratch"
    path.mkdir()
    return path


def write_fstab(image: Path, point: Path, options: str) -> None:
    source = str(image).replace(" ", "\\040")
    Path("/etc/fstab").write_text(f"{source} {point} ext4 {options} 0 0\n")


def test_a_filesystem_of_fstab_that_is_not_mounted(image, point, scratch):
    def work() -> list[str]:
        write_fstab(image, point, "loop")
        try:
            return before_and_after("PBS-MOUNT-01", point)
        finally:
            mounts.run("umount", point)

    assert with_own_etc(scratch, work) == ["fail", "pass"]


def test_live_options_that_are_not_those_of_fstab(image, point, scratch):
    def work() -> list[str]:
        write_fstab(image, point, "loop,noatime")
        mounts.run("mount", "-o", "loop,relatime", image, point)
        try:
            return before_and_after("PBS-MOUNT-06", point)
        finally:
            mounts.run("umount", point)

    assert with_own_etc(scratch, work) == ["fail", "pass"]


def test_ext4_without_dir_nlink(image, point, scratch):
    def work() -> list[str]:
        device = mounts.run("losetup", "--find", "--show", image).strip()
        try:
            write_fstab(Path(device), point, "defaults")
            mounts.run("mount", device, point)
            try:
                return before_and_after("PBS-MOUNT-07", point)
            finally:
                mounts.run("umount", point)
        finally:
            mounts.run("losetup", "--detach", device)

    assert with_own_etc(scratch, work) == ["fail", "pass"]


@pytest.mark.parametrize(
    ("files", "own"),
    [
        (("passwd", "shadow", "group", "gshadow"), ("backup",)),
        (("passwd", "shadow"), ("backup",)),
    ],
    ids=["neither user nor group", "no user"],
)
def test_the_account_of_the_daemon(scratch, files, own):
    if shutil.which("update-passwd") is None:
        pytest.skip("update-passwd is not installed; it is part of every Debian")

    def work() -> list[str]:
        for name in files:
            file = Path("/etc", name)
            lines = file.read_text().splitlines(keepends=True)
            file.write_text("".join(line for line in lines if line.split(":")[0] not in own))
        return before_and_after("PBS-HOST-01", None)

    assert with_own_etc(scratch, work) == ["fail", "pass"]


# --- other filesystems --------------------------------------------------------------------------------------------------


def on(kind: str, loopfs, tmpfs, overlay) -> Path:
    if kind == "overlay":
        return overlay(tmpfs())
    return tmpfs() if kind == "tmpfs" else loopfs(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay"])
@pytest.mark.parametrize(
    ("control", "damage", "declared"),
    [
        ("PBS-ATIME-01", lambda store: store.path.chmod(0o600), {}),
        ("PBS-ATIME-01", lambda store: store.path.parent.chmod(0o700), {}),
        ("PBS-ATIME-03", lambda store: os.chown(store.zero_chunk, 0, 0), {}),
        ("PBS-OWNER-01", lambda store: os.chown(store.path / ".lock", 0, 0), {}),
        ("PBS-OWNER-01", lambda store: (store.path.chmod(0o1777), os.chown(store.path, 0, 0)), {}),
        ("PBS-OWNER-02", lambda store: store.path.chmod(0o1777), {}),
        ("PBS-OWNER-06", lambda store: mounts.run("mount", "-t", "tmpfs", "tmpfs", store.chunks / "0000"), {}),
        ("PBS-MOUNT-04", lambda store: mounts.run("mount", "-o", "remount,bind,ro", store.path.parent), {}),
        ("PBS-MOUNT-05", lambda store: None, {"mount": {"options": ["noatime"], "options_forbidden": ["dev"]}}),
    ],
    ids=[
        *("a closed base", "a closed parent", "root's zero chunk", "root's lock", "root's base, open to all"),
        *("a base open to all", "a mount inside", "a read-only mount", "declared options"),
    ],
)
def test_on_every_filesystem(kind, control, damage, declared, chunk_store, loopfs, tmpfs, overlay):
    top = on(kind, loopfs, tmpfs, overlay)
    top.chmod(0o755)
    store = chunk_store(top / NAME, prefixes=1)
    damage(store)
    found = look(store.path, control, **declared)
    assert found["status"] == "fail", found["message"]
    run_all(found["commands"])
    found = look(store.path, control, **declared)
    assert found["status"] == "pass", found["message"]
