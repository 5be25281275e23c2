# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converts the result of statx to facts."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.file import FileFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import Statx, mode_string, statx


def file_facts(path: str, found: Statx) -> FileFacts:
    """The result of statx as facts; `path` is the path to show."""
    return FileFacts(
        path=path,
        type=found.kind,
        uid=found.st_uid,
        gid=found.st_gid,
        mode=mode_string(found.st_mode),
        size=found.st_size,
        nlink=found.st_nlink,
        dev=found.st_dev,
        ino=found.st_ino,
        atime_ns=found.st_atime_ns,
        mtime_ns=found.st_mtime_ns,
        ctime_ns=found.st_ctime_ns,
        btime_ns=found.st_btime_ns,
        flags=found.flags,
    )


def observe_file(base: str, name: str, dir_fd: int) -> t.Optional[FileFacts]:
    """The facts of `name` in an open directory; None if it does not exist. Raises `OSError` for other errors."""
    try:
        found = statx(name, dir_fd)
    except FileNotFoundError:
        return None
    return file_facts(os.path.join(base, name), found)
