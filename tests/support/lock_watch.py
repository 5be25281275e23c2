# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who opens a file, and who locks it: the kernel reports every opening, locks are polled."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

_FAN_NONBLOCK, _FAN_CLOEXEC = 0x2, 0x1
_FAN_MARK_ADD = 0x1
_FAN_ACCESS, _FAN_MODIFY, _FAN_OPEN, _FAN_OVERFLOW = 0x1, 0x2, 0x20, 0x4000
_AT_FDCWD = -100
_EVENT = struct.Struct("=IBBHQii")

_PAUSE = 0.002  # seconds between two looks at /proc/locks

_libc = ctypes.CDLL(None, use_errno=True)


class LockWatch:
    """openers: the processes that have opened, read or written it. lockers: those that held a lock, or waited for one;
    -1 is a lock of an open file description, which belongs to no process. looks: at the list of locks."""

    def __init__(self, path: Path) -> None:
        self.openers: set[int] = set()
        self.lockers: set[int] = set()
        self.looks = 0
        status = path.stat()
        self._place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
        self._queue = _libc.fanotify_init(_FAN_CLOEXEC | _FAN_NONBLOCK, os.O_RDONLY | os.O_CLOEXEC)
        if self._queue < 0:
            raise OSError(ctypes.get_errno(), "fanotify_init")
        mask = ctypes.c_uint64(_FAN_OPEN | _FAN_ACCESS | _FAN_MODIFY)
        if _libc.fanotify_mark(self._queue, _FAN_MARK_ADD, mask, _AT_FDCWD, os.fsencode(path)) != 0:
            raise OSError(ctypes.get_errno(), "fanotify_mark")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def held_by(self) -> set[int]:
        """Who holds a lock now."""
        found = set()
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()
            if self._place in words and "->" not in words:
                found.add(int(words[words.index(self._place) - 1]))
        return found

    def wait_for_waiter(self, pid: int) -> None:
        """Until that process waits for the lock."""
        for _attempt in range(5000):
            for line in Path("/proc/locks").read_text().splitlines():
                words = line.split()
                if "->" in words and self._place in words and str(pid) in words:
                    return
            self._stop.wait(0.002)
        raise AssertionError(f"process {pid} does not wait for the lock")

    def read(self) -> None:
        """Take the kernel's notes; call it before the queue of 16,384 is full."""
        with contextlib.suppress(BlockingIOError):
            while True:
                data = os.read(self._queue, 1 << 16)
                while data:
                    length, _version, _reserved, _header, mask, fd, pid = _EVENT.unpack_from(data)
                    assert not mask & _FAN_OVERFLOW, "too many notes to keep"
                    os.close(fd)
                    self.openers.add(pid)
                    data = data[length:]

    def _look(self) -> None:
        while not self._stop.wait(_PAUSE):
            for line in Path("/proc/locks").read_text().splitlines():
                words = line.split()
                if self._place in words:
                    self.lockers.add(int(words[words.index(self._place) - 1]))
            self.looks += 1

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        os.close(self._queue)


@contextlib.contextmanager
def lock_watch(path: Path) -> Iterator[LockWatch]:
    """Watch one file. Needs root."""
    watch = LockWatch(path)
    try:
        yield watch
    finally:
        watch.close()
