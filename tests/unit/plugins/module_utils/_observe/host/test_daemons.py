# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.shown import shown as safe
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.daemons import UNITS, observe_daemons
from ansible_collections.fleetops.pbs.plugins.module_utils._system.program import Answer, Run

API, PROXY = UNITS


def systemctl(output: str, error: str = "", code: int | None = 0) -> Run:
    calls: list[Sequence[str]] = []

    def run(argv: Sequence[str], timeout: float) -> Answer:
        assert not calls, "one question has to do"
        calls.append(argv)
        assert argv[:2] == ["systemctl", "show"]
        assert argv[-2:] == [API, PROXY]
        assert 0 < timeout <= 10
        return Answer(code, output, error)

    return run


def shown(unit: str, pid: int = 0, active: str = "active", control_group: str = "", load: str = "loaded") -> str:
    lines = [f"Id={unit}", f"LoadState={load}", f"ActiveState={active}", f"MainPID={pid}"]
    return "".join(f"{line}\n" for line in [*lines, f"ControlGroup={control_group}"])


class Programs:
    """Real processes of real program files, which can be replaced as a package manager replaces them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.running: list[subprocess.Popen[bytes]] = []

    def install(self, name: str) -> Path:
        new = self.directory / f"{name}.dpkg-new"
        shutil.copy("/bin/sleep", new)
        path = self.directory / name
        new.replace(path)
        return path

    def start(self, path: Path) -> int:
        child = subprocess.Popen([path, "600"], stdin=subprocess.DEVNULL)
        self.running.append(child)
        # Popen returns when exec has been done, so that the link to the program is the new one.
        assert Path(f"/proc/{child.pid}/exe").resolve() == path
        return child.pid


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    made = Programs(tmp_path)
    yield made
    for child in made.running:
        child.kill()
        child.wait()


def control_group(root: Path, name: str, pids: list[int]) -> str:
    directory = root / "system.slice" / name
    directory.mkdir(parents=True)
    (directory / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))
    return f"/system.slice/{name}"


def test_without_systemd_nobody_is_asked() -> None:
    def nobody(_argv: Sequence[str], _timeout: float) -> Answer:
        raise AssertionError("there is nobody to ask")

    found = observe_daemons(False, nobody)
    assert [daemon.unit for daemon in found] == [API, PROXY]
    assert {(daemon.load_state, daemon.main_pid, daemon.replaced) for daemon in found} == {("", 0, None)}
    assert all("systemd is not running" in daemon.error for daemon in found)


def test_a_running_and_a_missing_daemon(programs: Programs) -> None:
    path = programs.install("proxmox-backup-api")
    pid = programs.start(path)
    output = shown(API, pid) + "\n" + shown(PROXY, active="inactive", load="not-found")
    api, proxy = observe_daemons(True, systemctl(output))
    assert (api.load_state, api.active_state, api.main_pid, api.error) == ("loaded", "active", pid, "")
    assert (api.executable, api.replaced, api.old_workers) == (str(path), False, [])
    assert (proxy.load_state, proxy.active_state, proxy.main_pid) == ("not-found", "inactive", 0)
    assert (proxy.executable, proxy.replaced, proxy.error) == ("", None, "")


def test_the_order_of_the_answer_does_not_matter() -> None:
    api, proxy = observe_daemons(True, systemctl(shown(PROXY, active="failed") + "\n" + shown(API, active="reloading")))
    assert (api.unit, api.active_state) == (API, "reloading")
    assert (proxy.unit, proxy.active_state) == (PROXY, "failed")


def test_an_upgrade_without_a_restart(programs: Programs) -> None:
    path = programs.install("proxmox-backup-proxy")
    pid = programs.start(path)
    programs.install("proxmox-backup-proxy")
    proxy = observe_daemons(True, systemctl(shown(PROXY, pid)))[1]
    assert proxy.replaced is True
    assert proxy.executable == str(path)


@pytest.mark.parametrize("hierarchy", ["", "systemd", "unified"])
def test_an_old_worker_after_a_reload(programs: Programs, tmp_path: Path, hierarchy: str) -> None:
    path = programs.install("proxmox-backup-proxy")
    old = programs.start(path)
    programs.install("proxmox-backup-proxy")
    main, worker = programs.start(path), programs.start(path)
    gone = programs.start(path)
    programs.running[-1].kill()
    programs.running[-1].wait()
    roots = [tmp_path / "cgroup" / name for name in ("", "systemd", "unified")]
    group = control_group(tmp_path / "cgroup" / hierarchy, "proxy.service", [main, old, worker, gone])
    proxy = observe_daemons(
        True, systemctl(shown(PROXY, main, control_group=group)), cgroups=[str(root) for root in roots]
    )[1]
    assert proxy.replaced is False
    assert proxy.old_workers == [old]


def test_a_daemon_that_has_just_ended(programs: Programs) -> None:
    pid = programs.start(programs.install("proxmox-backup-api"))
    programs.running[-1].kill()
    programs.running[-1].wait()
    api = observe_daemons(True, systemctl(shown(API, pid)))[0]
    assert api.replaced is None
    assert api.error == f"process {pid}: ENOENT: No such file or directory"


def test_systemctl_does_not_answer() -> None:
    found = observe_daemons(True, systemctl("", "systemctl: no answer in 10 s", None))
    assert [(daemon.load_state, daemon.error) for daemon in found] == [("", "systemctl: no answer in 10 s")] * 2


@pytest.mark.parametrize("output", ["", "\n\n\n", "garbage", "Id=other.service\n", "=\n\n=", "Id\n"])
def test_systemctl_says_nothing_of_use(output: str) -> None:
    found = observe_daemons(True, systemctl(output))
    assert {daemon.error for daemon in found} == {"systemctl returned nothing about it"}


def test_what_is_shown_is_fit_for_people(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "exe").symlink_to("/usr/sbin/\x1b[31mx\n (deleted)")
    output = f"Id={API}\nLoadState=\x1b[31m\nActiveState=\x00\nMainPID=7\nControlGroup=../../etc\n"
    api = safe(observe_daemons(True, systemctl(output), proc=str(tmp_path)))[0]
    assert (api.load_state, api.active_state) == (r"\x1b[31m", r"\x00")
    assert (api.executable, api.replaced) == (r"/usr/sbin/\x1b[31mx\x0a", True)


@pytest.mark.parametrize("pid", ["", "-1", "x", "9" * 40, "²"])
def test_what_is_no_process_id(pid: str) -> None:
    api = observe_daemons(True, systemctl(f"Id={API}\nMainPID={pid}\n"))[0]
    assert (api.main_pid, api.replaced, api.error) == (0, None, "")
