# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for proxmox-backup-manager answers as a real PBS 4.2.0 did.

data/manager_recordings.json holds the commands that were given to that PBS, in their order, as far as the stand-in
covers them. Each starts from the configuration that was recorded, and must give the same exit code, output and
configuration, up to names of temporary things, times and ids.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetops.pbs.tests.support import mounts
from ansible_collections.fleetops.pbs.tests.support.faults import FaultyMount
from ansible_collections.fleetops.pbs.tests.support.pbs.host import FakeHost
from ansible_collections.fleetops.pbs.tests.support.pbs.store import backup_ids

pytestmark = pytest.mark.root

DATA = json.loads((Path(__file__).parents[2] / "data" / "manager_recordings.json").read_text())
FILES = ("datastore.cfg", "prune.cfg", "verification.cfg")

# Where a creation takes as long as it did on the recorded machine, and how long others wait for its lock; in seconds.
SLOW = {"200-parallel-create": (1.5, 30.0), "203-show-during-create": (3.0, 0.2)}

SAME = (
    (r"(Chunkstore create: \d+%\n)+", "Chunkstore create: … (1% to 99%, a line each)\n"),
    (r"(processed 73% \(0 chunks\)\n)(processed \d+% \(\d+ chunks\)\n)+", r"\1… (a line per percent)\n"),
    (r"Usage: [\s\S]*", "Usage: … (the whole usage text follows)\n"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"),
    (r"default-(\w+)-[0-9a-f-]+", r"default-\1-ID"),
    (r"thread 'main' \(\d+\)", "thread 'main' (N)"),
    (r"tv_n?sec: \d+", "tv: N"),
    (r"created (None|Some\(SystemTime \{[^}]*\}\))", "created N"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ [+]\d+", "TIME"),
    (r"\d+m\d+\.\d+s", "SECONDS"),
    (r'\.chunks/[0-9a-f]{4}"( - unable to create directory ")[^"]*(" - ENOSPC)', r'.chunks/PREFIX"\1\2'),
)


def alike(text: str) -> str:
    """The text without what differs from run to run; lists in JSON are in no order."""
    for pattern, replacement in SAME:
        text = re.sub(pattern, replacement, text)
    return "\n".join(in_order(line) if line.startswith("[{") else line for line in text.split("\n"))


def in_order(line: str) -> str:
    return json.dumps(sorted(json.loads(line), key=lambda item: item.get("name", item.get("id", ""))))


@pytest.fixture
def disks(tmpfs: Callable[..., Path], bind: Callable[..., Path], faultfs: Callable[..., FaultyMount]) -> Path:
    """/mnt as on the recorded machine, where every name was a filesystem."""
    top = tmpfs("size=256m,mode=755,nr_inodes=0", point=Path("/mnt"))
    for name in (
        "e1",
        "e2",
        "e3",
        "e4",
        "na",
        "vf",
        "big",
        "t1",
        "t2",
        "t3",
        "u1",
        "u2",
        "xf",
        "bt",
        "ro",
        "ino",
        "fuse",
    ):
        (top / name).mkdir()
    for name in ("fuse2", "e5", ".e5"):
        (top / name).mkdir()
    bind(top / ".e5", point=top / "e5")
    tmpfs("size=1m,mode=755,ro", point=top / "ro")
    tmpfs("size=1m,mode=755,nr_inodes=100", point=top / "ino")
    faultfs("ignore", point=top / "fuse")
    faultfs("errno:ENOSYS@utimens", point=top / "fuse2")
    return top


class Replay:
    def __init__(self, scratch: Path, disks: Path) -> None:
        python = shutil.which("python3", path="/usr/bin:/usr/local/bin") or "python3"
        self.scratch = scratch
        self.disks = disks
        self.host = FakeHost(scratch / "host", prefixes=512, python=python)
        (scratch / "client").mkdir()

    def _places(self, text: str) -> str:
        """The recorded machine's directories, as they are here."""
        text = re.sub(r"(?<![\w/])/tmp/", f"{self.scratch}/", text)
        return text.replace("/etc/proxmox-backup", str(self.host.etc)).replace("/srv/client", f"{self.scratch}/client")

    def prepare(self, record: dict[str, Any]) -> None:
        host = self.host
        daemons = record.get("daemons", "both")
        shutil.rmtree(host.etc, ignore_errors=True)
        if daemons != "never":
            host.make_etc()
            for name, content in zip(FILES, DATA["configurations"][record["before"]]):
                if content:
                    path = host.etc / name
                    path.write_text(content)
                    path.chmod(0o640)
                    os.chown(path, 0, backup_ids()[1])
        host.daemons(daemons)
        slow, lock_wait = SLOW.get(record["id"], (0.0, 30.0))
        host.configure(slow=slow, lock_wait=lock_wait)
        if "Pending removals" in record["stdout"]:
            # What was touched in the second in which garbage collection starts is not pending; PBS took its time.
            time.sleep(1 - time.time() % 1)
        if record["id"] == "263-unmounted-list":
            mounts.unmount(self.disks / "e5")
        if record["id"] == "269-remounted-gc":
            mounts.run("mount", "--bind", self.disks / ".e5", self.disks / "e5")

    def run(self, record: dict[str, Any]) -> tuple[int, str, str]:
        argv = ["bash", "-c", self._places(record["command"])]
        if "user" in record:
            uid, gid = record["user"].split(":")
            argv = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", *argv]
        path = f"{self.host.manager.parent}:/usr/sbin:/usr/bin:/sbin:/bin"
        done = subprocess.run(
            argv,
            env={"PATH": path, "LC_ALL": "C.UTF-8"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        return done.returncode, self._back(done.stdout), self._back(done.stderr)

    def _back(self, text: str) -> str:
        return text.replace(str(self.host.etc), "/etc/proxmox-backup").replace(f"{self.scratch}/client", "/srv/client")

    def configuration(self) -> list[str]:
        return [self.host.config(name) for name in FILES]


def differences(replay: Replay, record: dict[str, Any]) -> Iterator[str]:
    code, stdout, stderr = replay.run(record)
    pairs = [("exit code", code, record["rc"])]
    pairs += [("stdout", alike(stdout), alike(record["stdout"])), ("stderr", alike(stderr), alike(record["stderr"]))]
    for name, have, want in zip(FILES, replay.configuration(), DATA["configurations"][record["after"]]):
        pairs.append((name, alike(have), alike(want)))
    for what, have, want in pairs:
        if have != want:
            yield f"{record['id']}: {what}\n    is       {have!r}\n    recorded {want!r}"


def test_it_answers_as_recorded(
    tmp_path: Path, disks: Path, record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]
) -> None:
    replay = Replay(tmp_path, disks)
    wrong = []
    for record in DATA["commands"]:
        replay.prepare(record)
        wrong += differences(replay, record)
    covered, recorded = len(DATA["commands"]), DATA["recorded"]
    record_property("recordings", f"{covered} of {recorded}")
    with capsys.disabled():
        print(f"\n  the stand-in replays {covered} of {recorded} recorded commands of PBS {DATA['version']}", end="  ")
    assert not wrong, "\n".join(wrong)


def test_the_recordings_cover_what_modules_call() -> None:
    commands = " ".join(record["command"] for record in DATA["commands"])
    for command in (
        "datastore create",
        "datastore update",
        "datastore remove",
        "prune-job create",
        "verify-job create",
    ):
        assert f"proxmox-backup-manager {command}" in commands
