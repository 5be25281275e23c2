# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the source of an entry that mounts something at boot is mounted now."""

from __future__ import annotations

import os
import stat
import string
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import MountFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.environment import MountEnvironment
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.mount_text import hide_secret_in_source

_TAGS = {
    "UUID": "by-uuid",
    "LABEL": "by-label",
    "PARTUUID": "by-partuuid",
    "PARTLABEL": "by-partlabel",
    "ID": "by-id",
}

# The characters that udev does not escape in the names of its links.
_PLAIN = frozenset((string.ascii_letters + string.digits + "#+-.:=@_").encode("ascii"))


def source_matches(
    source: str, fstype: str, options: t.Iterable[str], mount: MountFacts, env: MountEnvironment
) -> t.Optional[bool]:
    """Whether the source of an entry is what `mount` shows; None if only a server could tell.

    Compares devices by their numbers. Reads only `/dev` and `/sys`.
    """
    if not {"bind", "rbind"}.isdisjoint(options):
        return _is_bound(source, mount, env)
    tag, equals, value = source.partition("=")
    if equals and tag in _TAGS:
        return _is_link(_TAGS[tag], _udev_name(value), mount, env)
    if source.startswith(env.dev + "/"):
        by, _slash, name = source[len(env.dev + "/disk/") :].partition("/")
        if source.startswith(env.dev + "/disk/") and name and by in _TAGS.values():
            return _is_link(by, name, mount, env)
        number = _device_number(source)
        return None if number is None else number in _numbers(mount, env)
    if source.startswith("/") and not source.startswith("//") and mount.source.startswith(env.dev + "/loop"):
        return _backing_file(mount, env) == env.table.resolve(source)
    return _is_same_text(source, fstype, mount, env)


def _is_bound(source: str, mount: MountFacts, env: MountEnvironment) -> t.Optional[bool]:
    if not source.startswith("/"):
        return None
    path = env.table.resolve(source)
    entry = env.table.find_entry(path)
    if entry is None:
        return None
    return entry.device == mount.device and entry.inside(path) == mount.root


def _udev_name(value: str) -> str:
    """The name of udev's link for a label or an id: special characters become `\\xNN`, UTF-8 stays."""
    pieces = (bytes((byte,)) if byte in _PLAIN or byte >= 0x80 else b"\\x%02x" % byte for byte in os.fsencode(value))
    return os.fsdecode(b"".join(pieces))


def _is_link(by: str, name: str, mount: MountFacts, env: MountEnvironment) -> t.Optional[bool]:
    """Whether a link of udev leads to the device.

    A missing link belongs to another device if the mounted device has a link in the same directory.
    """
    directory = os.path.join(env.dev, "disk", by)
    number = _device_number(os.path.join(directory, name))
    numbers = _numbers(mount, env)
    if number is not None:
        return number in numbers
    try:
        others = os.listdir(directory)
    except OSError:
        return None
    if any(_device_number(os.path.join(directory, other)) in numbers for other in others):
        return False
    return None


def _numbers(mount: MountFacts, env: MountEnvironment) -> set[str]:
    """The numbers of all block devices of the mounted filesystem."""
    numbers = {mount.device}
    if not mount.source.startswith(env.dev + "/"):
        return numbers
    number = _device_number(mount.source)
    if number is None:
        return numbers
    numbers.add(number)
    if mount.fstype == "btrfs":
        numbers |= _btrfs_numbers(number, env)
    return numbers


def _btrfs_numbers(number: str, env: MountEnvironment) -> set[str]:
    """The devices of the btrfs filesystem that a device belongs to: each of them identifies the filesystem."""
    top = os.path.join(env.sys, "fs", "btrfs")
    for filesystem in _listing(top):
        devices = os.path.join(top, filesystem, "devices")
        numbers = {_first_line(os.path.join(devices, name, "dev")) for name in _listing(devices)}
        if number in numbers:
            return numbers
    return set()


def _device_number(path: str) -> t.Optional[str]:
    """`major:minor` of a block device in `/dev`; None if it is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISBLK(status.st_mode):
        return None
    return "%d:%d" % (os.major(status.st_rdev), os.minor(status.st_rdev))


def _backing_file(mount: MountFacts, env: MountEnvironment) -> str:
    number = _device_number(mount.source) or mount.device
    return _first_line(os.path.join(env.sys, "dev", "block", number, "loop", "backing_file"))


def _is_same_text(source: str, fstype: str, mount: MountFacts, env: MountEnvironment) -> t.Optional[bool]:
    wanted = hide_secret_in_source(source)
    if _plain(wanted) == _plain(mount.source):
        return True
    if fstype == "zfs" and mount.fstype == "zfs":
        return False
    if mount.source.startswith(env.dev + "/"):
        return False
    if fstype == mount.fstype == "tmpfs":
        return True  # the source of a tmpfs has no meaning
    # server:/export: a server may have several names, but an export has one path.
    here, there = wanted.partition(":/")[2], mount.source.partition(":/")[2]
    if here and there and _plain(here) != _plain(there):
        return False
    return None


def _plain(source: str) -> str:
    return source.replace("\\", "/").rstrip("/") if source.startswith(("//", "\\\\")) else source.rstrip("/")


def _listing(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def _first_line(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return os.fsdecode(file.readline().rstrip(b"\n"))
    except OSError:
        return ""
