# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a directory may be treated as the base of a datastore, before anything in it is given away.

PBS's configuration belongs to the daemon's user, and so the path of a datastore is that user's choice. It can name a
directory of that user's in which root keeps files: PBS's own configuration directory is one.
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
    """Raise `OSError` where the open directory must not be given to the daemon's user as the base of a datastore.

    It must be apart from the directories `guarded`. It must be open to the daemon's user already, and not closed to
    everybody else: PBS makes a base with mode 0755.
    """
    require_apart(fd, path, guarded)
    status = os.fstat(fd)
    if not allows(identity, status, SEARCH) or not status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        shown = display(path)
        raise OSError(
            f"{shown} has mode {mode_string(status.st_mode)}, uid {status.st_uid}, gid {status.st_gid}, and is locked "
            "against the daemon's user or against everybody else. A datastore's base has mode 0755. If it is a datastore: "
            f"chmod 0755 {shown}"
        )


def require_apart(fd: int, path: str, guarded: t.Iterable[str] = HOST_DIRECTORIES) -> None:
    """Raise `OSError` where the open directory is, contains or lies in one of others, by whatever path or mount."""
    shown = display(path)
    for directory in guarded:
        relation = _relation(fd, directory)
        if relation:
            raise OSError(f"{shown} {relation} {display(directory)}, a directory of PBS itself, so it is no datastore")


def _relation(fd: int, directory: str) -> str:
    """What the open directory is to a guarded one; empty where they have nothing to do with each other."""
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
    """The same within their filesystem: one of them may be reached over a bind mount."""
    inside, outside = (_place(table, fd) for fd in (inner, outer))
    if inside is None or outside is None or inside[0] != outside[0]:
        return False
    return (inside[1] + "/").startswith(outside[1].rstrip("/") + "/")


def _place(table: MountTable, fd: int) -> t.Optional[tuple[str, str]]:
    """The device of a directory, and its path from the root of the filesystem."""
    path = os.readlink("/proc/self/fd/%d" % fd)
    entry = table.find_entry(path)
    return None if entry is None else (entry.device, entry.inside(path))
