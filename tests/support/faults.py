# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts faultfs.py, and switches its faults while it runs."""

from __future__ import annotations

import contextlib
import ctypes.util
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.fleetops.pbs.tests.support.machine import Unsupported
from ansible_collections.fleetops.pbs.tests.support.mounts import run

PROGRAM = Path(__file__).with_name("faultfs.py")
START_TIMEOUT = 150  # seconds; on an idle machine it needs a tenth of one


def libfuse() -> str:
    """The library that faultfs has to load: libfuse 3, or what FUSE_LIBRARY_PATH names.

    Left to itself, mfusepy prefers libfuse 2 where both are installed, and libfuse 2 does not pass on a touch that sets
    the access time alone, which is the one that PBS makes. Unsupported: libfuse 3 is not installed.
    """
    path = os.environ.get("FUSE_LIBRARY_PATH") or ctypes.util.find_library("fuse3")
    if path is None:
        raise Unsupported("libfuse 3 is not installed (Debian: apt-get install fuse3)")
    return path


class FaultyMount:
    """One mounted faultfs.

    path: the mount point. source: the directory behind it, without faults. pid: of the daemon.
    """

    def __init__(self, path: Path, source: Path, control: Path, pid: int) -> None:
        self.path = path
        self.source = source
        self.pid = pid
        self._control = control

    def __fspath__(self) -> str:
        return str(self.path)

    def set(self, *faults: str) -> None:
        """Put `faults` (see faultfs.py) in force, and no others; `set("ok")` for none."""
        new = self._control.with_suffix(".new")
        new.write_text(",".join(faults))
        new.replace(self._control)


def _is_mounted(path: Path) -> bool:
    # mountinfo instead of a stat, which a filesystem that hangs from its start would not answer
    point = os.fsencode(path)
    return any(line.split()[4] == point for line in Path("/proc/self/mountinfo").read_bytes().splitlines())


def _wait_until_mounted(point: Path, daemon: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not _is_mounted(point):
        if daemon.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"faultfs did not start: {log.read_text(errors='replace')}")
        time.sleep(0.01)


@contextlib.contextmanager
def faultfs(
    *faults: str,
    source: Path | None = None,
    point: Path | None = None,
    attr_timeout: float = 0,
    locks: bool = True,
    options: str = "",
) -> Iterator[FaultyMount]:
    """A filesystem with faults: `faultfs("ignore")`, `faultfs("errno:EIO@getattr+open", source=store)`.

    source: the directory to show (default: a new one). attr_timeout: seconds for which the kernel may answer from its
    cache. locks: whether POSIX record locks work. options: flags for mount -o, as `ro`.

    The end kills the daemon, which frees everyone who waits for an answer, and only then takes the mount away.
    """
    if importlib.util.find_spec("mfusepy") is None:
        raise Unsupported("mfusepy is not installed")
    if not os.path.exists("/dev/fuse"):
        raise Unsupported("kernel without FUSE")
    environment = {**os.environ, "FUSE_LIBRARY_PATH": libfuse()}
    with contextlib.ExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="fleetops-pbs-", ignore_cleanup_errors=True)
        scratch = Path(stack.enter_context(temporary))
        scratch.chmod(0o711)
        if source is None:
            source = scratch / "source"
            source.mkdir()
        if point is None:
            point = scratch / "mnt"
            point.mkdir()
        mount = FaultyMount(point, source, scratch / "control", 0)
        mount.set(*faults)
        log = scratch / "log"
        argv = [sys.executable, str(PROGRAM), str(source), str(point), str(scratch / "control")]
        argv += ["--attr-timeout", str(attr_timeout), "--options", options]
        argv += [] if locks else ["--no-locks"]
        with log.open("wb") as output:
            daemon = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )
        mount.pid = daemon.pid
        stack.callback(_end, daemon, point)
        _wait_until_mounted(point, daemon, log)
        yield mount


def _end(daemon: subprocess.Popen[bytes], point: Path) -> None:
    daemon.kill()
    daemon.wait()
    if _is_mounted(point):
        run("umount", "--lazy", "--", point)
