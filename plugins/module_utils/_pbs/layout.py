# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names that PBS uses on disk."""

from __future__ import annotations

import re

CHUNKS = ".chunks"
LOCK = ".lock"
GC_STATUS = ".gc-status"
OWNER = "owner"
"""The file in the directory of a backup group."""

GROUPS = ("ct", "host", "ns", "vm")
"""The directories that PBS creates in the base directory of a datastore, for namespaces and backup groups."""

HOST_DIRECTORIES = (
    "/etc/proxmox-backup",
    "/run/proxmox-backup",
    "/var/lib/proxmox-backup",
    "/var/log/proxmox-backup",
)
"""Where PBS keeps configuration, run-time files, state and logs. Most of it belongs to the daemon's user, and some files in
it are root's."""

PREFIX_COUNT = 65536
"""Number of prefix directories `0000` to `ffff`, one for each value of the first two bytes of a digest."""

ZERO_CHUNK_DIGEST = "bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8"
"""SHA-256 of 4 MiB of zeros: the chunk that PBS's own check inserts and touches."""

ZERO_CHUNK_PREFIX = ZERO_CHUNK_DIGEST[:4]

_PREFIX = re.compile(r"[0-9a-f]{4}\Z")


def is_prefix(name: str) -> bool:
    """Whether it is the name of a prefix directory."""
    return _PREFIX.match(name) is not None


def is_text(name: str) -> bool:
    """Whether a name is UTF-8. PBS passes over most other names."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def is_hidden(name: str) -> bool:
    """Whether GC leaves it out for its name; one that is not UTF-8 is never hidden to it."""
    return name.startswith(".") and is_text(name)


def base_name(path: str) -> str:
    """The last name in the path of a datastore, by which GC judges whether the base directory is hidden."""
    names = [name for name in path.split("/") if name not in ("", ".")]
    return names[-1] if names and names[-1] != ".." else ""
