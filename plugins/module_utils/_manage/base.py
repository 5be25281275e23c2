# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks that a directory may be the base of a datastore, before the daemon's user gets anything in it.

The daemon's user owns PBS's configuration, so this user chooses the path of a datastore. The path can name a directory
of this user in which root keeps files, such as PBS's own configuration directory.
"""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import HOST_DIRECTORIES
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity
from ansible_collections.fleetops.pbs.plugins.module_utils._system.permission import SEARCH, allows
from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import mode_string
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

_HANDLE = getattr(os, "O_PATH", 0) | os.O_DIRECTORY | os.O_CLOEXEC

_Key = tuple[int, int]
"""Device and inode."""


def require_base(fd: int, path: str, identity: Identity, guarded: t.Iterable[str] = HOST_DIRECTORIES) -> None:
    """Raise `OSError` if the open directory must not be given to the daemon's user as the base of a datastore.

    It must neither be, contain, nor lie in a directory of `guarded`. The daemon's user must be able to enter it already,
    and its group or others must have some access, because PBS makes a base with mode 0755.
    """
    require_apart(fd, path, guarded)
    status = os.fstat(fd)
    if not allows(identity, status, SEARCH) or not status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        shown = display(path)
        raise OSError(
            f"{shown} has mode {mode_string(status.st_mode)}, uid {status.st_uid}, gid {status.st_gid}, which locks out "
            "the daemon's user or all users except the owner. The base of a datastore has mode 0755. If this is a datastore: "
            f"chmod 0755 {shown}"
        )


def require_apart(fd: int, path: str, guarded: t.Iterable[str] = HOST_DIRECTORIES) -> None:
    """Raise `OSError` if the open directory is, contains or lies in one of `guarded`, over any path or mount."""
    shown = display(path)
    for directory in guarded:
        relation = _relation(fd, directory)
        if relation:
            raise OSError(
                f"{shown} {relation} {display(directory)}, a directory of PBS itself, so it cannot be a datastore"
            )


def _relation(fd: int, directory: str) -> str:
    """The relation of the open directory to a guarded one (`is`, `lies in`, `contains`); empty if there is none."""
    try:
        other = os.open(directory, _HANDLE)
    except OSError:
        return ""  # it does not exist
    try:
        mine, others = _ancestors(fd), _ancestors(other)
        if mine[0] == others[0]:
            return "is"
        table = MountTable.read()
        if others[0] in mine or _lies_in(table, fd, other):
            return "lies in"
        if mine[0] in others or _lies_in(table, other, fd):
            return "contains"
        return ""
    finally:
        os.close(other)


def _ancestors(fd: int) -> list[_Key]:
    """The directory, its parent, and so on up to the root directory."""
    found = [_key(fd)]
    at = os.dup(fd)
    try:
        while True:
            above = os.open("..", _HANDLE, dir_fd=at)
            os.close(at)
            at = above
            key = _key(at)
            if key == found[-1]:
                return found
            found.append(key)
    finally:
        os.close(at)


def _key(fd: int) -> _Key:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def _lies_in(table: MountTable, inner: int, outer: int) -> bool:
    """Whether `inner` lies in `outer` within their filesystem: one of the paths may lead over a bind mount."""
    inside, outside = (_place(table, fd) for fd in (inner, outer))
    if inside is None or outside is None or inside[0] != outside[0]:
        return False
    return (inside[1] + "/").startswith(outside[1].rstrip("/") + "/")


def _place(table: MountTable, fd: int) -> t.Optional[tuple[str, str]]:
    """The device of a directory, and its path from the root of the filesystem."""
    path = os.readlink("/proc/self/fd/%d" % fd)
    entry = table.find_entry(path)
    return None if entry is None else (entry.device, entry.inside(path))
