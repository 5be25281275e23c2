# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs code as root of a user namespace, as an unprivileged container does. Needs root."""

from __future__ import annotations

import os
import pickle
import subprocess
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from ansible_collections.fleetops.pbs.tests.support.machine import Unsupported
from ansible_collections.fleetops.pbs.tests.support.namespaces import CLONE_NEWNS, CLONE_NEWUSER, unshare

T = TypeVar("T")

# INSIDE:OUTSIDE:COUNT[,...]: the ids COUNT from INSIDE on are those from OUTSIDE on in this namespace, and no others
# exist inside. This one is what container managers use unless told otherwise.
CONTAINER_MAP = "0:100000:65536"

# Said by the child when it is in its namespace, and by the parent when the ids are mapped; no pickle begins with it.
READY = b"R"


def call_in_user_namespace(function: Callable[[], T], id_map: str = CONTAINER_MAP) -> T:
    """Call `function` in a forked child that is root there, with mounts of its own; what it returns is pickled.

    Whatever it raises is a RuntimeError here, with its traceback. Unsupported: there are no user namespaces here, which
    a chroot is enough for.
    """
    from_child, to_parent = os.pipe()
    from_parent, to_child = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(from_child)
        os.close(to_child)
        _child(function, from_parent, to_parent)
    os.close(to_parent)
    os.close(from_parent)
    try:
        with open(from_child, "rb") as answers:
            if answers.peek(1)[:1] == READY:
                answers.read(len(READY))
                _write_maps(child, id_map)
                os.write(to_child, READY)
            answer = answers.read()
    finally:
        os.close(to_child)
        os.waitpid(child, 0)
    succeeded, result = pickle.loads(answer)
    if isinstance(result, Unsupported):
        raise result
    if not succeeded:
        raise RuntimeError(f"in the user namespace:\n{result}")
    return result


def _write_maps(child: int, id_map: str) -> None:
    lines = "".join(f"{extent.replace(':', ' ')}\n" for extent in id_map.split(","))
    for kind in ("uid_map", "gid_map"):
        Path(f"/proc/{child}/{kind}").write_text(lines)


def _enter() -> None:
    try:
        unshare(CLONE_NEWUSER | CLONE_NEWNS)
    except OSError as error:
        # Whose root is not that of its mount namespace may not have one, so that nobody gets out of a chroot by it.
        raise Unsupported(f"kernel without user namespaces for this process (in a chroot?): {error}") from error


def _child(function: Callable[[], Any], from_parent: int, to_parent: int) -> NoReturn:
    # This is a copy of the test run: nothing may leave here but the answer.
    try:
        try:
            _enter()
            os.write(to_parent, READY)
            if not os.read(from_parent, 1):
                return  # the parent gave up
            os.setgroups([])
            os.setgid(0)
            os.setuid(0)
            answer = pickle.dumps((True, function()))
        except Unsupported as reason:
            answer = pickle.dumps((False, reason))
        except BaseException:
            answer = pickle.dumps((False, traceback.format_exc()))
        with open(to_parent, "wb") as stream:
            stream.write(answer)
    finally:
        os._exit(0)


def run_in_user_namespace(
    argv: Sequence[str | os.PathLike[str]], id_map: str = CONTAINER_MAP
) -> subprocess.CompletedProcess[str]:
    """Run a program there, and return what it wrote. It has to be one that other users than root may run."""

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(argv, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)

    return call_in_user_namespace(run, id_map)
