# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opening directories of a store that may belong to somebody hostile: by descriptor, never through a link."""

from __future__ import annotations

import os
import typing as t

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NONBLOCK
_NOATIME = getattr(os, "O_NOATIME", 0)


def open_directory(
    path: t.Union[str, bytes, os.PathLike[str]], dir_fd: t.Optional[int] = None, follow: bool = False
) -> int:
    """Open a directory for listing, without moving its atime where we may ask for that.

    C(follow) is for the base directory alone: an administrator may configure a path with links on the way, and PBS
    follows them. Everything below the base is opened with C(O_NOFOLLOW). O_NOATIME is for the owner and for
    CAP_FOWNER only; for others the directory is opened without it. Raises C(OSError).
    """
    flags = _DIRECTORY | (0 if follow else os.O_NOFOLLOW)
    try:
        return os.open(path, flags | _NOATIME, dir_fd=dir_fd)
    except PermissionError:
        return os.open(path, flags, dir_fd=dir_fd)
