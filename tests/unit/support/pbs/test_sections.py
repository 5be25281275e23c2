# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in answers as a real PBS 4.2.3 did about remotes, sync jobs and S3 endpoints.

data/section_recordings.json holds the commands that were given to that PBS, in their order: each starts from what the one
before it left, and must give the same exit code, output and files, up to times, inodes and descriptions of options.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetops.pbs.tests.support.pbs.host import FakeHost
from ansible_collections.fleetops.pbs.tests.support.pbs.rules import backup_ids

pytestmark = pytest.mark.root

DATA = json.loads((Path(__file__).parents[2] / "data" / "section_recordings.json").read_text())
FINGERPRINT = "38:25:b0:3b:cc:53:99:60:ff:e5:18:3c:38:c9:77:18:4b:5b:26:9c:5b:65:9d:d1:f2:69:26:ee:ac:83:a0:f4"
DATASTORES = "".join(
    f"datastore: {name}\n\tpath /d/{name}\n\ttuning gc-atime-safety-check=0\n\n" for name in ("dsa", "dsb", "dsc")
)
APART = {"833-sync-run-on-mount-on-fixed-store"}
"""Much later than the others: other sync jobs were there by then."""
COMMAND_OF = {"sync.cfg": "sync-job", "remote.cfg": "remote", "s3.cfg": "s3"}
"""The command that writes a file: other files have what was not recorded here."""

SAME = (
    (r"(?m)^\d+[ _]\d{9,}$", "INODE TIME"),
    (r"tmp_\w{6}", "tmp_XXXXXX"),
    (r"(?m)^-rw-r----- 1 root backup \d+ .*(?= /etc/proxmox-backup/\w+\.cfg$)", "-rw-r----- 1 root backup SIZE TIME"),
    (r"is used by sync job '\w+' \(datastore '\w+'\)", "is used by sync job 'ANY' (datastore 'ANY')"),
    (r"after \d+s", "after SECONDS"),
    (r"regex parse error:[\s\S]*?(?=\n --|\nUsage|\Z)", "regex parse error"),
)


def alike(text: str, is_help: bool) -> str:
    """The text without what differs from run to run; of a usage text only the options count, and only if it was asked for."""
    if is_help:
        return " ".join(re.findall(r"(?m)^Usage: .*?(?= <)|^ --[a-z0-9-]+", text))
    text = re.sub(r"Usage:[\s\S]*?(?=\nError:|\nrc=|\Z)", "Usage: …", text)
    text = re.sub(r"(?m)^ --(remote-)?store +<string>\n", "", text)
    for pattern, replacement in SAME:
        text = re.sub(pattern, replacement, text)
    moments: dict[str, str] = {}
    text = re.sub(r'(?<="time":)\d+', lambda match: moments.setdefault(match.group(), f"T{len(moments)}"), text)
    return "\n".join(in_order(line) if line.startswith(("[{", '["')) else line for line in text.split("\n"))


def in_order(line: str) -> str:
    try:
        items = json.loads(line)
    except ValueError:
        return f"{len(line)} characters"  # cut off by the command
    return json.dumps(
        sorted(items, key=lambda item: item if isinstance(item, str) else item.get("name", item.get("id")))
    )


def sections(text: str) -> list[str]:
    return sorted(text.rstrip("\n").split("\n\n"))


class Machine:
    """The recorded machine, as far as the commands see it."""

    def __init__(self, scratch: Path) -> None:
        python = shutil.which("python3", path="/usr/bin:/usr/local/bin") or "python3"
        self.host = FakeHost(scratch / "host", version="4.2.3-1", python=python)
        (self.host.var / "jobstates").mkdir()
        for name in ("sync", "remote", "s3"):
            lock = self.host.etc / f".{name}.lck"
            lock.touch()
            lock.chmod(0o660)
            os.chown(lock, *backup_ids())
        self.home = scratch / "home"
        self.home.mkdir()
        (self.home / "fp").write_text(FINGERPRINT + "\n")
        path = self.host.etc / "datastore.cfg"
        path.write_text(DATASTORES)
        path.chmod(0o640)
        os.chown(path, 0, backup_ids()[1])
        self.places = (
            ("/etc/proxmox-backup", str(self.host.etc)),
            ("/var/lib/proxmox-backup", str(self.host.var)),
            ("/root/", f"{self.home}/"),
        )

    def run(self, command: str, user: str = "0:0") -> tuple[int, str, str]:
        for there, here in self.places:
            command = command.replace(there, here)
        uid, gid = user.split(":")
        done = subprocess.run(
            ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "bash", "-c", command],
            env={"PATH": f"{self.host.manager.parent}:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        return done.returncode, self._back(done.stdout), self._back(done.stderr)

    def _back(self, text: str) -> str:
        for there, here in self.places:
            text = text.replace(here, there)
        return text


def differences(machine: Machine, record: dict[str, Any]) -> Iterator[str]:
    code, stdout, stderr = machine.run(record["command"], record.get("user", "0:0"))
    is_help = " help " in record["command"]
    pairs = [("exit code", code, record["rc"])]
    pairs += [
        ("stdout", alike(stdout, is_help), alike(record["stdout"], is_help)),
        ("stderr", alike(stderr, False), alike(record["stderr"], False)),
    ]
    for name, want in zip(DATA["files"], DATA["configurations"][record["after"]]):
        if f" {COMMAND_OF[name]} " in record["command"] and record["id"] not in APART:
            pairs.append((name, sections(machine.host.config(name)), sections(want)))
    for what, have, want in pairs:
        if have != want:
            yield f"{record['id']}: {what}\n    is       {have!r}\n    recorded {want!r}"


def test_it_answers_as_recorded(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    machine = Machine(tmp_path)
    machine.host.configure(lock_wait=1)
    wrong = [line for record in DATA["commands"] for line in differences(machine, record)]
    record_property("recordings", len(DATA["commands"]))
    assert not wrong, "\n".join(wrong)
