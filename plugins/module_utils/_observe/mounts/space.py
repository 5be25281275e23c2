# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Free space and free inodes of a filesystem."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import SpaceFacts


def observe_space(fd_or_path: t.Union[int, str, bytes]) -> SpaceFacts:
    """Call statvfs. It may never answer, so call this in a child. Raises `OSError`."""
    answer = os.statvfs(fd_or_path)
    return SpaceFacts(
        bytes_total=answer.f_frsize * answer.f_blocks,
        bytes_available=answer.f_frsize * answer.f_bavail,
        inodes_total=answer.f_files,
        inodes_available=answer.f_favail,
    )
