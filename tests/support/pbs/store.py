# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes chunk stores and snapshots as PBS leaves them on disk: owners, modes, and files in its formats."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .formats import (
    ZERO_CHUNK,
    ZERO_DIGEST,
    blob,
    compressed_blob,
    dynamic_index,
    fixed_index,
    manifest,
    raw_frame_blob,
)
from .rules import BASE_MODE, CHUNK_SIZE, CHUNKS_MODE, DIRECTORY_MODE, FILE_MODE, LOCK_MODE, PREFIXES, backup_ids
from .rules import snapshot_time as time_of

__all__ = [
    "CHUNK_SIZE",
    "PREFIXES",
    "ZERO_CHUNK",
    "ZERO_DIGEST",
    "ChunkStore",
    "backup_ids",
    "blob",
    "compressed_blob",
    "dynamic_index",
    "fixed_index",
    "make_chunk_store",
    "manifest",
    "raw_frame_blob",
]


class ChunkStore:
    """A chunk store under construction; every method makes what PBS would have made, with its owner and mode.

    path: the base directory. uid, gid: who owns what is made from now on.
    """

    def __init__(self, path: Path, uid: int, gid: int) -> None:
        self.path = path
        self.uid = uid
        self.gid = gid

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def chunks(self) -> Path:
        return self.path / ".chunks"

    @property
    def zero_chunk(self) -> Path:
        """Where the zero chunk is, or would be."""
        return self.chunk_path(ZERO_DIGEST)

    def chunk_path(self, digest: str) -> Path:
        return self.chunks / digest[:4] / digest

    def directory(self, path: Path, mode: int) -> Path:
        path.mkdir(exist_ok=True)
        path.chmod(mode)
        os.chown(path, self.uid, self.gid)
        return path

    def file(self, path: Path, data: bytes = b"", mode: int = FILE_MODE) -> Path:
        path.write_bytes(data)
        path.chmod(mode)
        os.chown(path, self.uid, self.gid)
        return path

    def add_prefixes(self, prefixes: Iterable[int]) -> None:
        """Make prefix directories by number, 0 to 65535."""
        top = os.open(self.chunks, os.O_RDONLY | os.O_DIRECTORY)
        mask = os.umask(0)
        try:
            for prefix in prefixes:
                name = f"{prefix:04x}"
                os.mkdir(name, CHUNKS_MODE, dir_fd=top)
                os.chown(name, self.uid, self.gid, dir_fd=top)
        finally:
            os.umask(mask)
            os.close(top)

    def add_chunk(self, data: bytes) -> Path:
        """The chunk that holds `data`; its prefix directory is made if it is missing."""
        return self._chunk(hashlib.sha256(data).hexdigest(), blob(data))

    def add_zero_chunk(self) -> Path:
        return self._chunk(ZERO_DIGEST, ZERO_CHUNK)

    def _chunk(self, digest: str, content: bytes) -> Path:
        path = self.chunk_path(digest)
        if not path.parent.is_dir():
            self.directory(path.parent, CHUNKS_MODE)
        return self.file(path, content)

    def add_chunks(self, count: int) -> list[Path]:
        """`count` different chunks, spread evenly over the prefix directories that are there."""
        prefixes = sorted(os.listdir(self.chunks))
        paths = []
        for number in range(count):
            # The name is what places a chunk; no test decodes these.
            tail = hashlib.sha256(str(number).encode()).hexdigest()[4:]
            prefix = prefixes[number * len(prefixes) // count]
            paths.append(self._chunk(prefix + tail, blob(b"%d" % number)))
        return paths

    def add_group(self, group: str, *, namespace: Sequence[str] = (), owner: str = "root@pam") -> Path:
        """A backup group as `vm/100`, with its owner file; missing namespaces are made."""
        path = self.path
        for part in [*(level for name in namespace for level in ("ns", name)), *group.split("/")]:
            path = path / part
            if not path.is_dir():
                self.directory(path, DIRECTORY_MODE)
        self.file(path / "owner", f"{owner}\n".encode())
        return path

    def add_snapshot(
        self,
        group: str = "vm/100",
        time: str = "2025-01-01T00:00:00Z",
        *,
        namespace: Sequence[str] = (),
        indexes: Mapping[str, bytes] | None = None,
        blobs: Mapping[str, bytes] | None = None,
        owner: str = "root@pam",
        unprotected: Mapping[str, Any] | None = None,
        protected: bool = False,
        finished: bool = True,
    ) -> Path:
        """A snapshot with its manifest.

        indexes: index files by name; default is one image whose chunks are the zero chunk. blobs: content of blobs by the
        name of their file. unprotected: notes, verify_state and similar. finished: without it there is no manifest.
        """
        if indexes is None:
            indexes = {"drive-scsi0.img.fidx": fixed_index([ZERO_DIGEST], CHUNK_SIZE)}
        files = {**indexes, **{name: blob(content) for name, content in (blobs or {}).items()}}
        path = self.directory(self.add_group(group, namespace=namespace, owner=owner) / time, DIRECTORY_MODE)
        for name, content in files.items():
            self.file(path / name, content)
        if finished:
            kind, _slash, identifier = group.partition("/")
            text = manifest(kind, identifier, time_of(time), files.items(), **(unprotected or {}))
            self.file(path / "index.json.blob", raw_frame_blob(text))
        if protected:
            self.file(path / ".protected")
        return path

    def add_image(self, *pieces: bytes) -> bytes:
        """The chunks of an image whose pieces are 4 MiB long but for the last one; its fixed index."""
        digests = [self.add_chunk(piece).name for piece in pieces]
        return fixed_index(digests, sum(map(len, pieces)))

    def add_archive(self, *pieces: bytes) -> bytes:
        """The chunks of an archive in these pieces; its dynamic index."""
        entries, end = [], 0
        for piece in pieces:
            end += len(piece)
            entries.append((end, self.add_chunk(piece).name))
        return dynamic_index(entries)


def make_chunk_store(
    path: Path,
    *,
    prefixes: int = PREFIXES,
    chunks: int = 0,
    zero_chunk: bool = True,
    uid: int | None = None,
    gid: int | None = None,
) -> ChunkStore:
    """A chunk store at `path`, which may be there already.

    prefixes: how many of the 65536 prefix directories, spread evenly; a test that does not count them takes few.
    chunks: how many chunks. uid, gid: the owner of everything, `backup` if not given.
    """
    if uid is None or gid is None:
        backup_uid, backup_gid = backup_ids()
        uid = backup_uid if uid is None else uid
        gid = backup_gid if gid is None else gid
    store = ChunkStore(path, uid, gid)
    store.directory(path, BASE_MODE)
    store.directory(store.chunks, CHUNKS_MODE)
    store.add_prefixes(number * PREFIXES // prefixes for number in range(prefixes))
    store.file(path / ".lock", mode=LOCK_MODE)
    if zero_chunk:
        store.add_zero_chunk()
    store.add_chunks(chunks)
    return store
