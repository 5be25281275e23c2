# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chunk stores as PBS leaves them on disk: owners, modes, and files in its formats.

The formats are PBS's own (little-endian integers, magics, CRC-32 behind the header); the tests of this file hold them
against published digests.
"""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import struct
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

ZERO_DIGEST = "bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8"
CHUNK_SIZE = 4 * 2**20

PREFIXES = 65536

_BLOB_MAGIC = bytes.fromhex("42ab3807be8370a1")
_FIDX_MAGIC = bytes.fromhex("2f7f41ed91fd0fcd")
_DIDX_MAGIC = bytes.fromhex("1c914ea519bab3cd")
_INDEX_UUID = bytes(range(16))
_INDEX_CTIME = 1735689600  # 2025-01-01T00:00:00Z


def _zero_chunk() -> bytes:
    """The compressed blob of 4 MiB of zeros: a zstd frame of 128 KiB blocks that repeat one byte."""
    frame = bytes.fromhex("28b52ffd804800004000")  # magic, descriptor, window, content size
    frame += bytes.fromhex("5400001000000100fbff39c002")  # the first block is compressed
    frame += bytes.fromhex("02001000") * 30 + bytes.fromhex("03001000")  # the last says that it is the last
    return bytes.fromhex("31b958426fb6a37f") + struct.pack("<I", zlib.crc32(frame)) + frame


ZERO_CHUNK = _zero_chunk()


def backup_ids() -> tuple[int, int]:
    """uid and gid of `backup`; KeyError where the system has no such user."""
    return pwd.getpwnam("backup").pw_uid, grp.getgrnam("backup").gr_gid


def blob(data: bytes) -> bytes:
    """`data` as an uncompressed blob or chunk file."""
    return _BLOB_MAGIC + struct.pack("<I", zlib.crc32(data)) + data


def fixed_index(digests: Sequence[str], size: int) -> bytes:
    """A .fidx file over an image of `size` bytes, with one digest per 4 MiB."""
    table = b"".join(bytes.fromhex(digest) for digest in digests)
    header = _FIDX_MAGIC + _INDEX_UUID + struct.pack("<q", _INDEX_CTIME) + hashlib.sha256(table).digest()
    header += struct.pack("<QQ", size, CHUNK_SIZE)
    return header.ljust(4096, b"\0") + table


def dynamic_index(entries: Sequence[tuple[int, str]]) -> bytes:
    """A .didx file of (end offset, digest)."""
    table = b"".join(struct.pack("<Q", end) + bytes.fromhex(digest) for end, digest in entries)
    header = _DIDX_MAGIC + _INDEX_UUID + struct.pack("<q", _INDEX_CTIME) + hashlib.sha256(table).digest()
    return header.ljust(4096, b"\0") + table


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

    def file(self, path: Path, data: bytes = b"", mode: int = 0o644) -> Path:
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
                os.mkdir(name, 0o750, dir_fd=top)
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
            self.directory(path.parent, 0o750)
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
                self.directory(path, 0o755)
        self.file(path / "owner", f"{owner}\n".encode())
        return path

    def add_snapshot(
        self,
        group: str = "vm/100",
        time: str = "2025-01-01T00:00:00Z",
        *,
        namespace: Sequence[str] = (),
        indexes: dict[str, bytes] | None = None,
    ) -> Path:
        """A finished snapshot. indexes: index files by name; default is one image whose chunks are the zero chunk."""
        if indexes is None:
            indexes = {"drive-scsi0.img.fidx": fixed_index([ZERO_DIGEST], CHUNK_SIZE)}
        path = self.directory(self.add_group(group, namespace=namespace) / time, 0o755)
        for name, content in indexes.items():
            self.file(path / name, content)
        self.file(path / "index.json.blob", blob(b'{"files": []}'))
        return path


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
    store.directory(path, 0o755)
    store.directory(store.chunks, 0o750)
    store.add_prefixes(number * PREFIXES // prefixes for number in range(prefixes))
    store.file(path / ".lock")
    if zero_chunk:
        store.add_zero_chunk()
    store.add_chunks(chunks)
    return store
