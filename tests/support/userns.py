# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command as root of a user namespace, as an unprivileged container does. Needs root.

usage: userns.py INSIDE:OUTSIDE:COUNT[,...] COMMAND [ARGUMENT...]

The ids COUNT from INSIDE on are those from OUTSIDE on in the parent namespace; all others do not exist inside. The
command has a mount namespace of its own. The exit code is the command's.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000

# What container managers use unless told otherwise.
CONTAINER_MAP = "0:100000:65536"


def run_in_user_namespace(
    argv: Sequence[str | os.PathLike[str]], id_map: str = CONTAINER_MAP, **kwargs: Any
) -> subprocess.CompletedProcess[str]:
    """Run `argv` there, and return what it wrote; kwargs are those of subprocess.run."""
    return subprocess.run(
        [sys.executable, __file__, id_map, *argv],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        **kwargs,
    )


def _enter_and_exec(argv: list[str], unshared: int, mapped: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0:
        sys.exit(f"unshare: {os.strerror(ctypes.get_errno())}")
    os.write(unshared, b"x")
    if not os.read(mapped, 1):
        sys.exit(1)
    os.setgroups([])
    os.setgid(0)
    os.setuid(0)
    os.execvp(argv[0], argv)


def main() -> int:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    unshared, tell_unshared = os.pipe()
    mapped, tell_mapped = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(unshared)
        os.close(tell_mapped)
        _enter_and_exec(sys.argv[2:], tell_unshared, mapped)
    os.close(tell_unshared)
    os.close(mapped)
    if os.read(unshared, 1):  # else it ended, having said why
        lines = "".join(f"{extent.replace(':', ' ')}\n" for extent in sys.argv[1].split(","))
        for kind in ("uid_map", "gid_map"):
            Path(f"/proc/{child}/{kind}").write_text(lines)
        os.write(tell_mapped, b"x")
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
