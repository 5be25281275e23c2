# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many files of one directory, reached in such a way that what is changed is what was looked at.

By descriptor: whatever their names mean by now, it is these files. By name, which takes a fifth of the time less, where
nobody but root can make a name mean something else: in a directory that belongs to root and that nobody else may write
to. It stays so until somebody with root's rights gives the directory away, and the only ones who do that while we work
are other runs of this repair. Each of them seals a directory (`flock`) before it works by name in it, and waits for
the seal of others before it gives one away.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.visitor import Directory
from ansible_collections.fleetops.pbs.plugins.module_utils._system.owner import (
    change_owners,
    change_owners_by_name,
    close_handles,
    open_handle,
    open_handles,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import Batch
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import ExplainedError

_PATIENCE = 5.0
"""Seconds; a seal is held for thousandths of a second."""


class Grip:
    """Files of one directory."""

    def look(self) -> t.Optional[tuple[bytes, ...]]:
        """The signature of each of them (see `Batch`), in order.

        None where one could not be looked at, or is on another device: the caller then takes each by itself.
        """
        raise NotImplementedError

    def change_owner(self, uid: int, gid: int) -> bool:
        """As `change_owners`."""
        raise NotImplementedError

    def part(self, places: t.Sequence[int]) -> Grip:
        """Only those at these places."""
        raise NotImplementedError

    def one(self, place: int) -> t.ContextManager[int]:
        """A descriptor of the one at that place, as of `open_handle`. Raises `OSError`."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of them."""


class Held(Grip):
    """By descriptors of `open_handle`."""

    def __init__(self, batch: Batch, fds: t.Sequence[int], st_dev: int) -> None:
        self._batch = batch
        self._fds = fds
        self._st_dev = st_dev

    @classmethod
    def open(cls, batch: Batch, where: Directory, names: t.Sequence[bytes]) -> Held:
        """Get hold of files in a directory; where that failed for one of them, `look` answers None."""
        return cls(batch, open_handles(where.fd, names), where.status.st_dev)

    def look(self) -> t.Optional[tuple[bytes, ...]]:
        return None if -1 in self._fds else self._batch.held(self._fds, self._st_dev)

    def change_owner(self, uid: int, gid: int) -> bool:
        return change_owners(self._fds, uid, gid)

    def part(self, places: t.Sequence[int]) -> Held:
        return Held(self._batch, [self._fds[place] for place in places], self._st_dev)

    def one(self, place: int) -> t.ContextManager[int]:
        return contextlib.nullcontext(self._fds[place])

    def close(self) -> None:
        close_handles(self._fds)


class Named(Grip):
    """By names in a directory that is sealed (see `seal`).

    Files there are on the device of their directory, unless they are mounted there, which their signature tells.
    """

    def __init__(self, batch: Batch, where: Directory, names: t.Sequence[bytes]) -> None:
        self._batch = batch
        self._where = where
        self._names = names

    def look(self) -> t.Optional[tuple[bytes, ...]]:
        return self._batch.named(self._where.fd, self._names)

    def change_owner(self, uid: int, gid: int) -> bool:
        return change_owners_by_name(self._where.fd, self._names, uid, gid)

    def part(self, places: t.Sequence[int]) -> Named:
        return Named(self._batch, self._where, [self._names[place] for place in places])

    @contextlib.contextmanager
    def one(self, place: int) -> t.Iterator[int]:
        fd = open_handle(os.fsdecode(self._names[place]), self._where.fd)
        try:
            yield fd
        finally:
            os.close(fd)


def seal(fd: int, status: os.stat_result) -> bool:
    """Whether names will do in an open directory of a local filesystem, until it is closed.

    `status` is from before. Whoever had the seal until now may have given the directory away; so it is looked at again.
    """
    if not _of_root_alone(status):
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _of_root_alone(os.fstat(fd)):
            return True
        fcntl.flock(fd, fcntl.LOCK_UN)
    except OSError:
        pass
    return False


def wait_for_seal(fd: int, status: os.stat_result) -> None:
    """To be called before a directory of root's is given away, or made writable. Raises `OSError`.

    Whoever may read the directory can keep its seal; so there is an end to the waiting.
    """
    end = time.monotonic() + _PATIENCE
    while _of_root_alone(status) and _is_locked(fd):
        if time.monotonic() > end:
            raise ExplainedError(
                errno.EBUSY, "another process holds a lock (flock) on this directory; lslocks shows which one"
            )
        time.sleep(0.01)


def _is_locked(fd: int) -> bool:
    """Whether somebody else holds the lock; if not, it is ours."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # there are no locks there, so nobody has sealed it
    return False


def _of_root_alone(status: os.stat_result) -> bool:
    # With an access control list the bits of the group are the most that the list gives to anybody.
    return status.st_uid == 0 and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
