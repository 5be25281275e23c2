# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks by its content that PBS made a file. A name proves nothing: the daemon's user can rename files of other users.

In a directory that the daemon's user owns, this user can move a file of root into a datastore, under the name of a chunk,
without being able to read it. If root changed its owner because of the name, the user could read its content. So the
first bytes of a file that the daemon's user cannot read are checked before its owner is changed.
"""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.chunk_walk import chunk_class
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import blob, index
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import GC_STATUS, OWNER, is_prefix
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
_STATUS_KEYS = frozenset(("upid", "index-file-count", "index-data-bytes", "disk-bytes", "disk-chunks"))
"""Some of the fields of the garbage collection status; PBS writes all of them into `.gc-status`."""

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | getattr(os, "O_NOATIME", 0)


def is_of_pbs(fd: int, name: str, size: int) -> bool:
    """Whether the content of a regular file, opened with `open_handle`, has a form that only PBS writes.

    `size` is in bytes. An empty file counts as PBS's, because it has no content to protect. The name decides only which
    of the small text files it can be. The access time does not change. Raises `OSError`.
    """
    if size == 0:
        return True
    head = _read(fd, _MAGIC_SIZE)
    if head in _MAGICS:
        return True
    if size > SIZE_LIMIT:
        return False
    if name == OWNER:
        return _is_owner(_read(fd, SIZE_LIMIT))
    return name == GC_STATUS and _is_status(_read(fd, SIZE_LIMIT))


def _read(handle: int, size: int) -> bytes:
    """The first bytes of the file that this handle refers to."""
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
    """Whether PBS makes files with such a name in this prefix directory."""
    return chunk_class(name) != "other" and name.startswith(os.fsencode(prefix))


def first_stranger(fd: int, prefix: str) -> t.Optional[str]:
    """The first entry of an open prefix directory that PBS does not make there; None if none. Raises `OSError`."""
    return _first(
        fd, lambda entry: is_chunk_of(os.fsencode(entry.name), prefix) and entry.is_file(follow_symlinks=False)
    )


def first_stranger_among_prefixes(fd: int) -> t.Optional[str]:
    """The first entry of the open directory `.chunks` that PBS does not make there. Raises `OSError`."""
    return _first(fd, lambda entry: is_prefix(entry.name) and entry.is_dir(follow_symlinks=False))


def _first(fd: int, is_right: t.Callable[[os.DirEntry[str]], bool]) -> t.Optional[str]:
    os.lseek(fd, 0, os.SEEK_SET)
    for entries in batches(fd):
        for entry in entries:
            if not is_right(entry):
                return entry.name
    return None
