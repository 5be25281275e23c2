# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is not known has a remedy, too: the one for the error, or for the silence, that kept it from being known."""

from __future__ import annotations

import errno
import os

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import LocationFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.causes import read_only
from ansible_collections.fleetops.pbs.tests.support import facts

PATH = "/mnt/datastore/tank"


def unreachable(number):
    error = f"{errno.errorcode[number]}: {os.strerror(number)}"
    return {
        **facts.not_looked_at(),
        "stuck": "",
        "location": LocationFacts(exists=False, error=error),
    }


@pytest.mark.parametrize("control", ["PBS-ATIME-01", "PBS-MOUNT-08", "PBS-MOUNT-12", "PBS-MOUNT-13"])
@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EIO, "dmesg --level err,warn"),
        (errno.ENXIO, "dmesg --level err,warn"),
        (errno.ESTALE, f"umount -l {PATH}"),
        (errno.ENOTCONN, "why its process ended"),
        (errno.EUCLEAN, "fsck -f /dev/sdb1"),
        (errno.EHOSTDOWN, "the server of /dev/sdb1"),
        (errno.EACCES, "no_root_squash"),
        (errno.ENFILE, "open files"),
    ],
)
def test_the_remedy_is_the_one_for_the_error(control, number, remedy):
    finding = facts.ask(control, unreachable(number))
    assert finding.status == "unknown"
    assert finding.message.startswith(f"{PATH}: {errno.errorcode[number]}: ")
    assert remedy in "\n".join([finding.remedy, *finding.commands])


def test_without_root_the_remedy_is_to_be_root():
    finding = facts.ask("PBS-MOUNT-08", {**unreachable(errno.EACCES), "host.euid": 1000})
    assert finding.remedy == "Run preflight as root (preflight_become: true)."


@pytest.mark.parametrize("control", ["PBS-ATIME-01", "PBS-CONF-06", "PBS-MOUNT-08"])
def test_who_does_not_answer_is_named(control):
    finding = facts.ask(control, facts.not_looked_at())
    assert finding.status == "unknown"
    assert "/dev/sdb1 (ext4) does not answer" in finding.remedy


def test_a_walk_that_hangs_has_the_same_remedy():
    changes = {"ownership.complete": False, "ownership.stuck": f"{PATH}/.chunks/0003: no answer"}
    finding = facts.ask("PBS-OWNER-03", changes)
    assert (finding.status, "/dev/sdb1 (ext4) does not answer" in finding.remedy) == ("unknown", True)


def test_what_nobody_tried_needs_no_storage_to_be_fixed():
    finding = facts.ask("PBS-ATIME-02", {"atime.mode": "none", "atime.not_tried": "check mode changes nothing"})
    assert (finding.status, finding.remedy) == ("unknown", "")


@pytest.mark.parametrize(
    ("options", "super_options", "half"),
    [
        (["rw"], ["rw"], ""),
        (["ro"], ["rw"], "mount"),
        (["rw"], ["ro"], "filesystem"),
        (["ro"], ["ro"], "filesystem"),
        (["rw"], ["rw", "errors=remount-ro", "emergency_ro"], "filesystem"),
        (["rw"], ["rw", "shutdown"], "filesystem"),
    ],
)
def test_which_half_of_a_mount_is_read_only(options, super_options, half):
    mount = facts.store().mount
    mount.options, mount.super_options = options, super_options
    assert read_only(mount) == half
