# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What mode bits permit a process, by the kernel's rules."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity

READ = 4
WRITE = 2
SEARCH = 1
"""Permission to enter a directory."""


class Status(t.Protocol):
    """The fields of `os.stat_result` for owner and mode."""

    @property
    def st_mode(self) -> int: ...
    @property
    def st_uid(self) -> int: ...
    @property
    def st_gid(self) -> int: ...
    @property
    def st_nlink(self) -> int: ...


def allows(identity: Identity, status: Status, wanted: int) -> bool:
    """Whether the mode bits permit the identity all of `wanted` (a sum of `READ`, `WRITE`, `SEARCH`).

    The first class that matches decides, even if another one permits more: the owner of a file with mode 0077 has no
    access. Ignores access control lists, capabilities and mount options.
    """
    if identity.uid == 0:
        return True
    mode = status.st_mode
    if status.st_uid == identity.uid:
        bits = mode >> 6
    elif status.st_gid == identity.gid or status.st_gid in identity.groups:
        bits = mode >> 3
    else:
        bits = mode
    return bits & wanted == wanted
