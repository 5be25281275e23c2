# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule, by example: pass, fail, warn, unknown and not applicable, with the words that people read."""

from __future__ import annotations

import re
import subprocess

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import CONTROLS
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display
from ansible_collections.fleetops.pbs.tests.support import facts
from ansible_collections.fleetops.pbs.tests.unit.plugins.module_utils._judge.rules import (
    atime_examples,
    conf_examples,
    host_examples,
    mount_examples,
    owner_examples,
    references_examples,
)

EXAMPLES = [
    example
    for family in (host_examples, mount_examples, atime_examples, owner_examples, references_examples, conf_examples)
    for example in family.EXAMPLES
]
REQUIRED = ("pass", "fail", "unknown", "skip")

IMPOSSIBLE = {
    ("PBS-HOST-01", "unknown"): "a look-up by name answers yes or no",
    ("PBS-WAIVER-01", "unknown"): "waivers are not observed but given",
}
"""What a control can never answer, and why; PBS-WAIVER-01 has its examples among the tests of waivers."""


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_example(example):
    example.check()


@pytest.mark.parametrize("control", [c.id for c in CONTROLS if c.id != "PBS-WAIVER-01"])
def test_every_status_of_a_control_has_an_example(control):
    shown = {example.status for example in EXAMPLES if example.control == control}
    possible = {status for status in REQUIRED if (control, status) not in IMPOSSIBLE}
    assert possible <= shown
    assert not {status for status in shown if (control, status) in IMPOSSIBLE}, "the table of the impossible is wrong"


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.status in ("fail", "warn")], ids=str)
def test_what_is_not_right_has_a_remedy(example):
    finding = facts.ask(example.control, example.changes, **example.ask)
    assert finding.remedy.strip()
    assert "%s" not in finding.message + finding.remedy


PROGRAMS = frozenset(
    (
        *(
            "adduser",
            "ansible-playbook",
            "apt-get",
            "chattr",
            "chmod",
            "chown",
            "df",
            "dmesg",
            "find",
            "findmnt",
            "free",
        ),
        *("groupadd", "install", "journalctl", "ls", "mkdir", "mount", "mv", "namei", "printf", "proxmox-backup-debug"),
        *("proxmox-backup-manager", "ps", "quota", "btrfs", "sysctl", "systemctl", "timedatectl", "tune2fs", "e2fsck"),
        *("umount", "update-passwd", "usermod", "xfs_repair", "zfs", "zpool", "fsck", "echo", "proxmox-backup-client"),
        *("getfattr", "cp", "rm", "rmdir", "setfattr", "stat", "lsblk", "setquota"),
    )
)


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_commands_can_be_pasted(example):
    """Each is one line that a shell reads, begins with a program, and has nothing in it that is meant for people."""
    for command in facts.ask(example.control, example.changes, **example.ask).commands:
        assert command == command.strip()
        assert "\n" not in command
        assert command.partition(" ")[0].replace("target=$(readlink", "mv") in PROGRAMS, command
        assert "…" not in command
        assert " && " not in command or command.startswith("target="), "two commands are two entries"
        assert not re.search(r"\bchown (?!-h )", command), "it would change what a link leads to"
        assert not re.search(r"(?<![\w,])(NAME|PATH|DEVICE|DIRECTORY|ID)(?![\w,])", command), "a placeholder"
        subprocess.run(["bash", "-n", "-c", command], check=True)


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.status in ("fail", "warn", "unknown")], ids=str)
def test_words_of_a_remedy_hold_no_command(example):
    """Commands are in `commands`, or are meant for another machine, which the text then names."""
    remedy = facts.ask(example.control, example.changes, **example.ask).remedy
    for word in ("proxmox-backup-manager ", "systemctl ", "mount -o", "ansible-playbook ", "chmod ", "tune2fs "):
        assert word not in remedy
    if "chown -h" in remedy:
        assert re.search("on the machine that has|on the outer host", remedy)


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_a_message_is_one_sentence_for_people(example):
    """Never empty, never more than a line, and it ends like a sentence."""
    message = facts.ask(example.control, example.changes, **example.ask).message
    assert message == display(message)
    assert message.endswith((".", ")"))
    assert "None" not in message
    assert ".." not in message
    assert "  " not in message


def test_everything_healthy_passes():
    asked = {control.id: facts.ask(control.id).status for control in CONTROLS}
    assert {control: status for control, status in asked.items() if status != "pass"} == {
        "PBS-HOST-08": "skip",  # no remotes, S3 endpoints or sync jobs are declared
        "PBS-MOUNT-05": "skip",  # no options are declared
        "PBS-MOUNT-09": "skip",  # no network filesystem
        "PBS-SNAP-01": "skip",  # no age is asked for
        "PBS-CONF-01": "skip",  # nothing is declared
        "PBS-COPY-01": "skip",  # no job pushes it, and who pulls it only the other host knows
        "PBS-WAIVER-01": "skip",  # no waivers
    }
