# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small datastore of which it is known what a PBS 4.2.3 did to it, undamaged and with many kinds of damage.

Three snapshots of two groups, nine index files, eight chunks. Every count and size is as in the recordings, so that what a
forecast says can be held against the task logs to the byte. The contents are not: no test reads the data of a chunk, so
chunk files are holes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from pathlib import Path

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.snapshot import format_time
from ansible_collections.fleetops.pbs.tests.support.pbs.store import (
    ZERO_DIGEST,
    ChunkStore,
    backup_ids,
    blob,
    dynamic_index,
    fixed_index,
)

MIB = 2**20
HEADER = 12
"""Bytes of the header of a chunk that is neither compressed nor encrypted."""

IMAGE = 6_000_000
ZEROS = 8 * MIB
SHARED = 1_643_772
OWN = 1_556_811
CATALOG = 79

FIRST = 1_780_000_000
SECOND = 1_780_100_000

DATA_BYTES = 41_178_540
DISK_BYTES = 10_757_795
DISK_CHUNKS = 8
INDEXES = 9


def digest(label: str) -> str:
    """The digest of a made-up chunk."""
    return hashlib.sha256(label.encode()).hexdigest()


class RecordedStore(ChunkStore):
    """The datastore, with the helpers that the recordings used to damage it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, *backup_ids())
        self.directory(path, 0o755)
        self.directory(self.chunks, 0o750)
        self.file(path / ".lock")
        self.sizes = {
            ZERO_DIGEST: 159,
            digest("image 0"): 4 * MIB + HEADER,
            digest("image 1"): IMAGE - 4 * MIB + HEADER,
            digest("shared"): SHARED + HEADER,
            digest("own 1"): OWN + HEADER,
            digest("own 2"): OWN + HEADER,
            digest("catalog 1"): CATALOG + HEADER,
            digest("catalog 2"): CATALOG + HEADER,
        }
        for name, size in self.sizes.items():
            self.chunk(name, size, age=600)
        self.snapshot_1 = self._snapshot("host/h1", FIRST, 1)
        self.snapshot_2 = self._snapshot("host/h1", SECOND, 2)
        self.snapshot_3 = self._snapshot("host/h2", FIRST, 0, namespace=("n1",))
        self.image_chunk = self.chunk_path(digest("image 0"))
        """The first chunk of the image, which three indexes need."""
        self.image = self.snapshot_1 / "disk.img.fidx"
        self.archive = self.snapshot_1 / "data.pxar.didx"

    def _snapshot(self, group: str, when: int, number: int, namespace: tuple[str, ...] = ()) -> Path:
        indexes = {"disk.img.fidx": (fixed_index([digest("image 0"), digest("image 1")], IMAGE), IMAGE)}
        if number:
            end = SHARED + OWN
            indexes["data.pxar.didx"] = (
                dynamic_index([(SHARED, digest("shared")), (end, digest(f"own {number}"))]),
                end,
            )
            indexes["catalog.pcat1.didx"] = (dynamic_index([(CATALOG, digest(f"catalog {number}"))]), CATALOG)
            indexes["zero.img.fidx"] = (fixed_index([ZERO_DIGEST, ZERO_DIGEST], ZEROS), ZEROS)
        path = self.directory(self.add_group(group, namespace=namespace) / format_time(when), 0o755)
        kind, _slash, name = group.partition("/")
        manifest = {
            "backup-id": name,
            "backup-time": when,
            "backup-type": kind,
            "files": [
                # The checksum of an index is in its header.
                {"crypt-mode": "none", "csum": content[32:64].hex(), "filename": file, "size": size}
                for file, (content, size) in indexes.items()
            ],
            "signature": None,
            "unprotected": {},
        }
        for file, (content, _size) in indexes.items():
            self.file(path / file, content)
        self.file(path / "index.json.blob", blob(json.dumps(manifest).encode()))
        return path

    # --- what the recorded commands did -------------------------------------------------------------------------------

    def chunk(self, name: str, size: int, age: float = 0.0, prefix: str = "") -> Path:
        """A chunk file of that name and size, accessed so many seconds ago (a negative age lies in the future)."""
        path = self.chunks / (prefix or name[:4]) / name
        if not path.parent.is_dir():
            self.directory(path.parent, 0o750)
        self.file(path)
        os.truncate(path, size)
        self.age(path, age)
        return path

    def age(self, path: Path, seconds: float) -> None:
        """`touch -a`; the modification time stays."""
        self.accessed(path, time.time_ns() - int(seconds * 10**9))

    def accessed(self, path: Path, when_ns: int) -> None:
        os.utime(path, ns=(when_ns, os.lstat(path).st_mtime_ns))

    def age_all_chunks(self, seconds: float) -> None:
        for path in self.chunks.glob("*/*"):
            self.age(path, seconds)

    def copy(self, source: Path, target: Path) -> Path:
        """`cp -a`."""
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True)
        else:
            shutil.copy2(source, target)
        for path in [target, *target.rglob("*")]:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)
        return target

    def remove_backups(self) -> None:
        for name in ("host", "ns"):
            shutil.rmtree(self.path / name)


def overwrite(path: Path, at: int, data: bytes) -> None:
    """`dd conv=notrunc`."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def shorten(path: Path, by: int) -> None:
    os.truncate(path, path.stat().st_size - by)
