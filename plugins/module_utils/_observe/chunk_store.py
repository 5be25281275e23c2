# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is at a datastore's path: whether it can be reached, and the skeleton of the chunk store.

Everything here may hang with the filesystem, so it runs in a child with a deadline.
"""

from __future__ import annotations

import errno
import json
import os

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import LocationFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import SkeletonFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.file import file_facts, observe_file
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.job_state import parse_upid
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import (
    CHUNKS,
    GC_STATUS,
    GROUPS,
    LOCK,
    PREFIX_COUNT,
    ZERO_CHUNK_DIGEST,
    ZERO_CHUNK_PREFIX,
    is_prefix,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import open_directory
from ansible_collections.fleetops.pbs.plugins.module_utils._system.listing import batches
from ansible_collections.fleetops.pbs.plugins.module_utils._system.small_file import read_small
from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import kind_of, mode_string, statx_fd
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error

_EXAMPLES = 10
_STATUS_LIMIT = 64 * 1024


def observe_location(path: str) -> LocationFacts:
    """What the path leads to, following links as PBS does; a path that does not exist is a fact, not an error."""
    try:
        found = os.stat(path)
        real = os.path.realpath(path)
    except OSError as exc:
        gone = exc.errno in (errno.ENOENT, errno.ENOTDIR)
        return LocationFacts(exists=False, error="" if gone else describe_error(exc))
    return LocationFacts(
        exists=True,
        type=kind_of(found.st_mode),
        realpath=real,
        dev=found.st_dev,
        ino=found.st_ino,
        uid=found.st_uid,
        gid=found.st_gid,
        mode=mode_string(found.st_mode),
    )


def observe_reach(realpath: str) -> tuple[bool, str]:
    """Whether this process can enter every directory of the path, and the first one that it cannot enter.

    Raises `OSError` if a directory fails for another reason.
    """
    way = ""
    for part in realpath.split("/")[1:]:
        try:
            os.stat(way + "/.")
        except PermissionError:
            return False, way or "/"
        way += "/" + part
    try:
        os.stat(way + "/.")
    except PermissionError:
        return False, way
    return True, ""


def observe_skeleton(path: str) -> SkeletonFacts:
    """Inspect the base directory and the fixed parts of the chunk store, without the chunks.

    For PBS, a directory is empty if all names in it begin with a dot or are `lost+found`. Source: PBS, datastore creation.
    Raises `OSError` if the base directory cannot be listed.
    """
    try:
        base = open_directory(path, follow=True)
    except FileNotFoundError:
        return SkeletonFacts(state="absent")
    try:
        return _observe_base(path, base)
    finally:
        os.close(base)


def _observe_base(path: str, base: int) -> SkeletonFacts:
    facts = SkeletonFacts(state="empty", base=file_facts(path, statx_fd(base)))
    for batch in batches(base):
        for entry in batch:
            if entry.name in GROUPS:
                facts.groups.append(entry.name)
            elif not entry.name.startswith(".") and entry.name != "lost+found":
                facts.foreign_count += 1
                if len(facts.foreign) < _EXAMPLES:
                    facts.foreign.append(entry.name)
    facts.groups.sort()
    facts.foreign.sort()
    facts.lock = observe_file(path, LOCK, base)
    facts.gc_status = observe_file(path, GC_STATUS, base)
    facts.chunks = observe_file(path, CHUNKS, base)
    if facts.chunks is None or facts.chunks.type != "directory":
        if facts.chunks is not None or facts.groups or facts.foreign_count:
            facts.state = "foreign"
        return facts
    facts.state = "half-made"
    chunks_path = os.path.join(path, CHUNKS)
    chunks = open_directory(CHUNKS, base)
    try:
        present: set[str] = set()
        for batch in batches(chunks):
            present.update(entry.name for entry in batch if is_prefix(entry.name))
        facts.prefixes = len(present)
        if facts.prefixes < PREFIX_COUNT:
            absent = (name for name in map("%04x".__mod__, range(PREFIX_COUNT)) if name not in present)
            facts.missing = [name for name, _number in zip(absent, range(_EXAMPLES))]
        elif facts.lock is not None:
            facts.state = "whole"
        if ZERO_CHUNK_PREFIX in present:
            _observe_zero_chunk(facts, chunks_path, chunks)
    finally:
        os.close(chunks)
    return facts


def observe_gc_task(path: str, uid: int) -> str:
    """The task that `.gc-status` names; empty if it names none or cannot be read. PBS writes the file only when GC has succeeded.

    It is read only where it belongs to `uid`, has no other name, and can be read without moving its access time.
    """

    def refuse(status: os.stat_result) -> str:
        return "" if (status.st_uid, status.st_nlink) == (uid, 1) else "it belongs to another user, or has another name"

    try:
        base = open_directory(path, follow=True)
    except OSError:
        return ""
    try:
        data = read_small(GC_STATUS, base, _STATUS_LIMIT, refuse, os.O_NOATIME).data
    finally:
        os.close(base)
    try:
        upid = json.loads(data.decode("utf-8"))["upid"] if data is not None else ""
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return upid if isinstance(upid, str) and parse_upid(upid) is not None else ""


def _observe_zero_chunk(facts: SkeletonFacts, chunks_path: str, chunks: int) -> None:
    try:
        prefix = open_directory(ZERO_CHUNK_PREFIX, chunks)
    except OSError as exc:
        facts.error = f"{os.path.join(chunks_path, ZERO_CHUNK_PREFIX)}: {describe_error(exc)}"
        return
    try:
        facts.zero_chunk = observe_file(os.path.join(chunks_path, ZERO_CHUNK_PREFIX), ZERO_CHUNK_DIGEST, prefix)
    finally:
        os.close(prefix)
