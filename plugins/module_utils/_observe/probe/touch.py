# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests PBS's touch on one file: does its access time move forward?

PBS waits one second, calls stat, touches, calls stat again, and requires a strictly later access time. It waits because
some filesystems have timestamps of one second. Here the wait adapts: touch and compare after a few milliseconds, then after
longer and longer waits of more than one second in total. The first strict advance is the proof. Source: PBS, chunk store,
`check_fs_atime_updates`.
"""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import TouchFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.file import file_facts
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import current
from ansible_collections.fleetops.pbs.plugins.module_utils._system.owner import open_handle
from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import Statx, statx, statx_fd
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error
from ansible_collections.fleetops.pbs.plugins.module_utils._system.times import (
    set_atime_fd,
    touch_atime,
    touch_atime_fd,
    touch_atime_handle,
)

SECOND = 1_000_000_000

WAITS = (0.0, 0.005, 0.02, 0.08, 0.32, 1.1)
"""Seconds before each touch: 1.5 s in total. The last wait alone is longer than one second, the coarsest granularity with
which PBS's own check passes."""

ONE_TRY = (0.0,)
"""No wait: for a filesystem that has just ignored a touch."""

_STEPS = (1, 100, 1_000, 1_000_000, 10_000_000, 100_000_000, SECOND, 2 * SECOND, 86_400 * SECOND)
"""Known granularities of timestamps in ns; vfat stores only an access date."""


class Target(t.Protocol):
    """A file to inspect and touch."""

    path: str

    def look(self, force_sync: bool = False) -> Statx:
        """Raises `OSError`."""

    def touch(self) -> None:
        """Raises `OSError`."""

    def reopened(self) -> Statx:
        """The status from a newly opened descriptor. Raises `OSError`."""


class NamedFile:
    """A name in an open directory; a link is never followed."""

    def __init__(self, path: str, dir_fd: int, name: str) -> None:
        self.path = path
        self._dir_fd = dir_fd
        self._name = name

    def look(self, force_sync: bool = False) -> Statx:
        return statx(self._name, self._dir_fd, force_sync)

    def touch(self) -> None:
        touch_atime(self._name, self._dir_fd)

    def reopened(self) -> Statx:
        fd = os.open(self._name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._dir_fd)
        try:
            return statx_fd(fd, force_sync=True)
        finally:
            os.close(fd)


class OpenFile:
    """An open file without a name."""

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self._fd = fd

    def look(self, force_sync: bool = False) -> Statx:
        return statx_fd(self._fd, force_sync)

    def touch(self) -> None:
        touch_atime_fd(self._fd)

    def reopened(self) -> Statx:
        return statx_fd(self._fd, force_sync=True)


class HeldFile:
    """A handle (O_PATH) of a file whose name another user may replace: every step uses the same file.

    For root, whose touch always succeeds: it must not touch another user's file.
    """

    def __init__(self, path: str, dir_fd: int, name: str) -> None:
        """Raises `OSError`."""
        self.path = path
        self._fd = open_handle(name, dir_fd)

    def look(self, force_sync: bool = False) -> Statx:
        return statx_fd(self._fd, force_sync)

    def touch(self) -> None:
        touch_atime_handle(self._fd)

    def reopened(self) -> Statx:
        return statx_fd(self._fd, force_sync=True)

    def close(self) -> None:
        os.close(self._fd)


def try_touch(target: Target, kind: str, waits: t.Sequence[float] = WAITS, refresh: bool = False) -> TouchFacts:
    """Touch the file as the user of this process, until its access time advances or all waits are used up.

    If the file is replaced (another inode) between the two stat calls, this repeats the test once, as PBS does; after a
    second replacement there is no result. With `refresh`, it reads the new time again without caches.
    """
    who = current()
    facts = TouchFacts(kind, target.path, who.uid, who.gid, list(who.groups), advanced=False)
    started = time.perf_counter_ns()
    try:
        _advance(target, facts, waits)
        if refresh and facts.advanced:
            _refresh(target, facts)
    finally:
        facts.elapsed_ns = time.perf_counter_ns() - started
    return facts


def _advance(target: Target, facts: TouchFacts, waits: t.Sequence[float]) -> None:
    for wait in waits:
        if wait:
            time.sleep(wait)
            facts.waits += 1
        if not touch_once(target, facts) or facts.advanced:
            return


def touch_once(target: Target, facts: TouchFacts) -> bool:
    """Call stat, touch, call stat, and record the results. False if further tests are useless."""
    while True:
        try:
            facts.step = "stat"
            before = target.look()
            facts.file = file_facts(target.path, before)
            facts.before_ns = before.st_atime_ns
            if before.kind != "file":
                facts.advanced = None
                facts.error = f"not a regular file but a {before.kind}"
                return False
            if before.st_nlink > 1 and facts.uid == 0:
                facts.advanced = None
                facts.error = (
                    "it has %d hard links and may belong to another user, so root did not touch it" % before.st_nlink
                )
                return False
            facts.step = "utimensat"
            target.touch()
            facts.step = "stat"
            after = target.look()
        except OSError as exc:
            facts.errno = exc.errno or 0
            facts.error = describe_error(exc)
            return False
        facts.after_ns = after.st_atime_ns
        if (after.st_dev, after.st_ino) == (before.st_dev, before.st_ino):
            break
        facts.inode_changes += 1
        if facts.inode_changes > 1:
            facts.advanced = None
            facts.error = "the file was replaced twice during the check"
            return False
    facts.step = ""
    facts.advanced = after.st_atime_ns > before.st_atime_ns
    return True


def _refresh(target: Target, facts: TouchFacts) -> None:
    try:
        facts.refreshed_ns = min(target.look(force_sync=True).st_atime_ns, target.reopened().st_atime_ns)
    except OSError as exc:
        facts.refresh_error = describe_error(exc)


# --- private files: a result without a wait --------------------------------------------------------------------------------


def set_back(fd: int, target: Target) -> t.Optional[int]:
    """Set the access time of our own new file back by one second; return the granularity of its timestamps in ns.

    A touch then shows immediately instead of after a wait, and proves the same as PBS's check, which also compares with a
    time of one second ago. The second is subtracted from the filesystem's clock (the file's current time), not from ours,
    so that a server with another clock is judged correctly. Each read bypasses the caches, because a time that only the
    client remembers would make all later comparisons worthless.

    None if the filesystem does not store a given time, or no known granularity explains the stored one: then only the waits
    can prove something. Never call this for a chunk.
    """
    try:
        now = target.look(force_sync=True).st_atime_ns
        # A time in which all digits differ shows where the filesystem truncates.
        given = (now // SECOND - 1) * SECOND + 123_456_789
        set_atime_fd(fd, given)
        kept = target.look(force_sync=True).st_atime_ns
        granularity = next((step for step in _STEPS if given - given % step == kept), None)
        set_atime_fd(fd, now - SECOND)
        kept = target.look(force_sync=True).st_atime_ns
    except OSError:
        return None
    if granularity is not None and (now - SECOND) - (now - SECOND) % granularity != kept:
        return None
    return granularity
