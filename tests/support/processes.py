# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of runs that a test kills: which there are, and what they would have left."""

from __future__ import annotations

import os
from collections.abc import Callable

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.probe_file import new_name


def of_the_dead(make: Callable[[], str]) -> str:
    """What `make()` says in a process that has ended since."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, make().encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return said


def name_of_the_dead() -> str:
    """A name for a probe's file, of a process that has ended."""
    return of_the_dead(new_name)
