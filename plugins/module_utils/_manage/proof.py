# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a file is PBS's own, by its content. A name proves nothing: the daemon's user can rename other people's files.

Where a directory belongs to the daemon's user, that user can move a file of root from there into a datastore, under the
name of a chunk, without being able to read it. Giving it away by its name would give away its content. So a file that
the daemon's user cannot read shows by its first bytes what it is, before it is given away.
"""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.chunk_walk import chunk_class
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import blob, index
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import GC_STATUS, is_prefix
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.owner import SIZE_LIMIT, OwnerError, parse_owner
from ansible_collections.fleetops.pbs.plugins.module_utils._system.listing import batches

_MAGICS = frozenset(
    (
        blob.PLAIN,
        blob.COMPRESSED,
        blob.ENCRYPTED,
        blob.COMPRESSED_ENCRYPTED,
        index.FIXED_MAGIC,
        index.DYNAMIC_MAGIC,
    )
)
_MAGIC_SIZE = 8
_OWNER = "owner"
_STATUS_KEYS = frozenset(("upid", "index-file-count", "index-data-bytes", "disk-bytes", "disk-chunks"))
"""Some of the fields of PBS's status of garbage collection, all of which it writes into `.gc-status`."""

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | getattr(os, "O_NOATIME", 0)


def is_of_pbs(fd: int, name: str, size: int) -> bool:
    """Whether the regular file that a descriptor of `open_handle` holds has a content that only PBS gives to a file.

    `size` is in bytes. An empty file is taken for one of PBS's: there is nothing in it to be given away. The name
    decides only which of the small text files it can be. No access time moves. Raises `OSError`.
    """
    if size == 0:
        return True
    head = _read(fd, _MAGIC_SIZE)
    if head in _MAGICS:
        return True
    if size > SIZE_LIMIT:
        return False
    if name == _OWNER:
        return _is_owner(_read(fd, SIZE_LIMIT))
    return name == GC_STATUS and _is_status(_read(fd, SIZE_LIMIT))


def _read(handle: int, size: int) -> bytes:
    """The first bytes of exactly the file of this handle."""
    fd = os.open("/proc/self/fd/%d" % handle, _FLAGS)
    try:
        return os.pread(fd, size, 0)
    finally:
        os.close(fd)


def _is_owner(data: bytes) -> bool:
    """One line with a user or an API token, and nothing after it."""
    try:
        parse_owner(data)
    except OwnerError:
        return False
    return not data.partition(b"\n")[2].strip()


def _is_status(data: bytes) -> bool:
    try:
        found: t.Any = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and len(_STATUS_KEYS.intersection(found)) >= 2


# --- directories -------------------------------------------------------------------------------------------------------


def is_chunk_of(name: bytes, prefix: str) -> bool:
    """Whether PBS makes a file of this name in this prefix directory."""
    return chunk_class(name) != "other" and name.startswith(os.fsencode(prefix))


def first_stranger(fd: int, prefix: str) -> t.Optional[str]:
    """The first thing in an open prefix directory that PBS does not make there; None if there is none. Raises `OSError`."""
    return _first(
        fd, lambda entry: is_chunk_of(os.fsencode(entry.name), prefix) and entry.is_file(follow_symlinks=False)
    )


def first_stranger_among_prefixes(fd: int) -> t.Optional[str]:
    """The same in `.chunks`."""
    return _first(fd, lambda entry: is_prefix(entry.name) and entry.is_dir(follow_symlinks=False))


def _first(fd: int, is_right: t.Callable[[os.DirEntry[str]], bool]) -> t.Optional[str]:
    os.lseek(fd, 0, os.SEEK_SET)
    for entries in batches(fd):
        for entry in entries:
            if not is_right(entry):
                return entry.name
    return None
