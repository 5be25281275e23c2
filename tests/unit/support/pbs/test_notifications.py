# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in answers as a real PBS 4.2.3 did about traffic control and notifications.

data/notification_recordings.json holds the commands that were given to that PBS, in their order: each starts from what the
one before it left, and must give the same exit code, output and files, up to times and inodes. PBS writes new sections of
a file in no order of its own.
"""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetops.pbs.tests.support.pbs.host import FakeHost

pytestmark = pytest.mark.root

DATA = json.loads((Path(__file__).parents[2] / "data" / "notification_recordings.json").read_text())
SAME = (
    (r"Usage:\s+(proxmox-backup-manager|…)[\s\S]*?(?=Error:|\Z)", "Usage: …\n"),
    (r"(?m)^((\S+\.cfg )?)\d+ \d+$", r"\1INODE TIME"),
)


def alike(text: str) -> str:
    for pattern, replacement in SAME:
        text = re.sub(pattern, replacement, text)
    return "\n".join(in_order(line) if line.startswith("[{") else line for line in text.split("\n"))


def in_order(line: str) -> str:
    return json.dumps(sorted(json.loads(line), key=lambda item: item["name"]))


def sections(text: str) -> list[str]:
    return sorted(text.rstrip("\n").split("\n\n"))


class Machine:
    """The recorded machine's commands, on a host of this test."""

    def __init__(self, scratch: Path, **settings: Any) -> None:
        python = shutil.which("python3", path="/usr/bin:/usr/local/bin") or "python3"
        self.host = FakeHost(scratch / "host", python=python, **settings)

    def run(self, command: str, user: str = "0:0") -> tuple[int, str, str]:
        uid, gid = user.split(":")
        argv = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "bash", "-c"]
        done = subprocess.run(
            [*argv, command.replace("/etc/proxmox-backup", str(self.host.etc))],
            env={"PATH": f"{self.host.manager.parent}:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        out, err = (text.replace(str(self.host.etc), "/etc/proxmox-backup") for text in (done.stdout, done.stderr))
        return done.returncode, out, err


def differences(machine: Machine, record: dict[str, Any]) -> Iterator[str]:
    code, stdout, stderr = machine.run(record["command"], record.get("user", "0:0"))
    pairs = [("exit code", code, record["rc"])]
    pairs += [("stdout", alike(stdout), alike(record["stdout"])), ("stderr", alike(stderr), alike(record["stderr"]))]
    for name, want in zip(DATA["files"], DATA["configurations"][record["after"]]):
        pairs.append((name, sections(machine.host.config(name)), sections(want)))
    for what, have, want in pairs:
        if have != want:
            yield f"{record['id']}: {what}\n    is       {have!r}\n    recorded {want!r}"


def test_it_answers_as_recorded(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    machine = Machine(tmp_path)
    wrong = [line for record in DATA["commands"] for line in differences(machine, record)]
    record_property("recordings", len(DATA["commands"]))
    assert not wrong, "\n".join(wrong)


def test_only_root_may_read_the_secrets(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.run("proxmox-backup-manager notification endpoint gotify create got1 --server http://192.0.2.9 --token x")
    modes = [stat.S_IMODE((machine.host.etc / name).stat().st_mode) for name in DATA["files"][1:]]
    assert modes == [0o640, 0o600]


@pytest.mark.parametrize(
    ("version", "command", "error"),
    [
        ("3.1.5-1", "notification target list", "no such command 'notification'"),
        ("3.2.4-1", "notification endpoint webhook list", "no such command 'webhook'"),
        (
            "4.0.4-1",
            "traffic-control create rx1 --network 192.0.2.0/24 --users a@pbs",
            "parameter verification failed - 'users': schema does not allow additional properties.",
        ),
    ],
)
def test_what_older_versions_do_not_have(tmp_path: Path, version: str, command: str, error: str) -> None:
    code, _out, err = Machine(tmp_path, version=version).run(f"proxmox-backup-manager {command}")
    assert (code, err.splitlines()[0]) == (255, f"Error: {error}")
