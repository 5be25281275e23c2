# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fixed parts of a chunk store: base directory, `.chunks`, `.lock`, `.gc-status`."""

from __future__ import annotations

import os
import stat

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.chunk_listing import prefix_lister
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.counters import foreign_kind
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.open_store import OpenStore
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.visitor import (
    BASE,
    CHUNKS_DIRECTORY,
    LOCK_FILE,
    STATUS_FILE,
    Directory,
    Visitor,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.workers import Heartbeat
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import CHUNKS, GC_STATUS, LOCK, is_prefix


def walk_skeleton(store: OpenStore, visitor: Visitor, heartbeat: Heartbeat) -> None:
    """Visit the fixed parts, and everything in `.chunks` other than prefix directories.

    Raises `OSError` if `.chunks` cannot be opened or listed.
    """
    visitor.directory(store.path, store.status, BASE, store.base)
    base = Directory(store.path, store.base, store.status)
    for name, rule in ((LOCK, LOCK_FILE), (GC_STATUS, STATUS_FILE)):
        heartbeat.at(name)
        path = base.join(name)
        try:
            status = os.stat(name, dir_fd=store.base, follow_symlinks=False)
        except FileNotFoundError:
            continue
        except OSError as exc:
            visitor.error(path, exc)
            continue
        if stat.S_ISREG(status.st_mode):
            visitor.file(base, name, status, rule)
        else:
            visitor.foreign(foreign_kind(status.st_mode), path, "instead of a file")
    heartbeat.at(CHUNKS)
    top = store.open_chunks()
    for names, all_prefixes in prefix_lister().batches(top):
        heartbeat.beat(_nothing)
        for name in () if all_prefixes else map(os.fsdecode, names):
            if not is_prefix(name):
                visitor.foreign("name", base.join(CHUNKS + "/" + name), "not a prefix directory")
    visitor.directory(base.join(CHUNKS), os.fstat(top), CHUNKS_DIRECTORY, top)


def _nothing() -> dict[str, int]:
    return {}
