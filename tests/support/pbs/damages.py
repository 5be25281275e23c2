# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store as real PBS 4.2.3 was recorded on, the damages that were done to it, and what garbage collection made of each.

A group host/h1 has two snapshots of two images and an archive each; a namespace holds the first image once more. Sizes
are smaller than the recorded ones; which chunk belongs to what is the same. Whatever judges a store before a garbage
collection can be held against this table, and against the imitation's garbage collection on a copy.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from . import rules
from .formats import ZERO_DIGEST
from .store import ChunkStore, dynamic_index, fixed_index

OLDER, NEWER = "2026-05-28T20:26:40Z", "2026-05-30T00:13:20Z"
HOUR = 3600
DUE = 25 * HOUR
"""Seconds: the age of a chunk that garbage collection removes."""


class Recorded:
    """The store, and the parts of it that damages are done to.

    image, rest: chunks that all three copies of the first image need. zero: the chunk of the second one. shared: one of
    both archives. last: the last chunk of the older archive, which nothing else needs. snapshot: the older one.
    """

    def __init__(self, store: ChunkStore) -> None:
        self.store = store
        self.base = store.path
        self.image = store.add_chunk(hashlib.sha256(b"image").digest() * 2**10)
        self.rest = store.add_chunk(hashlib.sha256(b"rest").digest() * 100)
        self.zero = store.add_zero_chunk()
        self.shared = store.add_chunk(b"shared by both archives")
        self.last = store.add_chunk(b"last of the older archive")
        newer = store.add_chunk(b"last of the newer archive")
        image = fixed_index([self.image.name, self.rest.name], 2**15 + 3200, chunk_size=2**15)
        zeros = fixed_index([ZERO_DIGEST] * 2, 2 * rules.CHUNK_SIZE)
        for time_of, end in ((OLDER, self.last), (NEWER, newer)):
            indexes = {"disk.img.fidx": image, "zero.img.fidx": zeros, "data.pxar.didx": archive(self.shared, end)}
            store.add_snapshot("host/h1", time_of, indexes=indexes)
        store.add_snapshot("host/h2", OLDER, namespace=["n1"], indexes={"disk.img.fidx": image})
        self.snapshot = self.base / "host/h1" / OLDER
        self.fidx = self.snapshot / "disk.img.fidx"
        self.didx = self.snapshot / "data.pxar.didx"

    @property
    def chunks(self) -> list[Path]:
        return sorted(path for path in self.store.chunks.glob("*/*") if rules.chunk_kind(path.name))

    def age(self, *paths: Path, seconds: int = DUE) -> None:
        """Set access times back; of every chunk if none is named."""
        then = int(time.time()) - seconds
        for path in paths or self.chunks:
            os.utime(path, (then, int(path.lstat().st_mtime)), follow_symlinks=False)

    def unreferenced(self, name: str, size: int, age: int) -> Path:
        """A file that nothing needs, named as a chunk: `size` bytes, last touched `age` seconds ago."""
        path = self.store.chunk_path(name)
        if not path.parent.is_dir():
            self.store.directory(path.parent, rules.CHUNKS_MODE)
        self.store.file(path, bytes(size))
        self.age(path, seconds=age)
        return path

    def copy(self, source: Path, target: Path) -> Path:
        """Copy a file or a tree, owners and times included; missing directories above the target are PBS's."""
        for above in reversed(target.parents):
            if not above.exists():
                self.store.directory(above, rules.DIRECTORY_MODE)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy2(source, target)
        for path in [target, *target.rglob("*")]:
            os.chown(path, self.store.uid, self.store.gid)
        return target

    def take(self, path: Path, mode: int | None = None) -> None:
        """Give a file or directory to root."""
        os.chown(path, 0, 0)
        if mode is not None:
            path.chmod(mode)


def archive(*chunks: Path) -> bytes:
    """A dynamic index over these chunks, which are stored uncompressed."""
    entries, end = [], 0
    for path in chunks:
        end += path.stat().st_size - 12
        entries.append((end, path.name))
    return dynamic_index(entries)


def resize(path: Path, by: int) -> None:
    """Make a file longer or shorter at its end."""
    os.truncate(path, path.stat().st_size + by)


def write_at(path: Path, place: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(data)


def rename_bad(path: Path, seconds: int = 30 * HOUR) -> None:
    """As a verification renames a damaged chunk, so long ago."""
    bad = path.rename(f"{path}.0.bad")
    then = int(time.time()) - seconds
    os.utime(bad, (then, then))


@dataclasses.dataclass(frozen=True)
class Damage:
    """What is done to the store, and what garbage collection was recorded to do then.

    error: how the task failed; {base} and {snapshot} stand for paths, {image} for a digest. warnings: their number.
    lost: names of the attributes of Recorded whose chunks go, although a snapshot needs them, once all chunks are due.
    verified: whether the snapshots pass a verification; None where none was recorded.
    """

    name: str
    do: Callable[[Recorded], object]
    error: str = ""
    warnings: int = 0
    lost: tuple[str, ...] = ()
    verified: bool | None = None

    def __str__(self) -> str:
        return self.name


def _no_manifest(recorded: Recorded) -> None:
    (recorded.snapshot / "index.json.blob").unlink()


def _empty_snapshot(recorded: Recorded) -> None:
    for path in recorded.snapshot.iterdir():
        path.unlink()


def _hidden_index(recorded: Recorded) -> None:
    recorded.copy(recorded.fidx, recorded.base / ".hidden/disk.img.fidx")
    for name in ("host", "ns"):
        shutil.rmtree(recorded.base / name)


def _index_elsewhere(recorded: Recorded) -> None:
    recorded.copy(recorded.fidx, recorded.base / "foo/disk.img.fidx")
    recorded.copy(recorded.fidx, recorded.base / "top.fidx")
    for name in ("host", "ns"):
        shutil.rmtree(recorded.base / name)


def _group_as_link(recorded: Recorded) -> None:
    group = recorded.base / "host/h1"
    group.rename(recorded.base / ".moved")
    group.symlink_to("../.moved")


def _index_as_link(recorded: Recorded) -> None:
    kept = recorded.copy(recorded.fidx, recorded.base / ".keep/disk.img.fidx")
    recorded.fidx.unlink()
    recorded.fidx.symlink_to(kept)


def _everything_gone(recorded: Recorded) -> None:
    for name in ("host", "ns"):
        shutil.rmtree(recorded.base / name)


def _odd_snapshot_names(recorded: Recorded) -> None:
    recorded.copy(recorded.snapshot, recorded.snapshot.with_name("not-a-date"))
    recorded.copy(recorded.snapshot, recorded.snapshot.with_name(OLDER + ".bak"))
    recorded.copy(recorded.snapshot, recorded.base / "host/.h9" / OLDER)


def _temporary_files(recorded: Recorded) -> None:
    recorded.copy(recorded.fidx, recorded.snapshot / "disk.img.tmp_fidx")
    recorded.copy(recorded.didx, recorded.snapshot / "data.pxar.tmp_didx")
    recorded.copy(recorded.fidx, recorded.snapshot / ".disk.img.fidx")
    recorded.copy(recorded.fidx, recorded.snapshot / "disk.img.fidx.tmp_XXXXXX")


def _root_directory(recorded: Recorded, *names: str) -> None:
    path = recorded.base.joinpath(*names)
    path.mkdir()
    recorded.take(path, 0o700)


_FIXED = "marking used chunks failed: can't open fixed index '\"{snapshot}/disk.img.fidx\"': "
_DYNAMIC = "marking used chunks failed: can't open dynamic index '\"{snapshot}/data.pxar.didx\"': "
_DENIED = "marking used chunks failed: cannot continue garbage-collection safely, permission denied on: "
_ALL = ("image", "rest", "shared", "last")

DAMAGES = [
    Damage("nothing", lambda _it: None, verified=True),
    # index files
    Damage(
        "fidx-one-byte-short",
        lambda it: resize(it.fidx, -1),
        _FIXED + "got unexpected file size (64 != 63)",
        verified=False,
    ),
    Damage("fidx-one-byte-long", lambda it: resize(it.fidx, 1), _FIXED + "got unexpected file size (64 != 65)"),
    Damage("fidx-one-entry-long", lambda it: resize(it.fidx, 32), _FIXED + "got unexpected file size (64 != 96)"),
    Damage(
        "fidx-header-only",
        lambda it: os.truncate(it.fidx, 4096),
        _FIXED + "got unexpected file size (64 != 0)",
        verified=False,
    ),
    Damage("fidx-empty", lambda it: os.truncate(it.fidx, 0), _FIXED + "index too small (0)", verified=False),
    Damage("fidx-bad-magic", lambda it: write_at(it.fidx, 0, b"x"), _FIXED + "got unknown magic number"),
    Damage(
        "fidx-chunk-size-0", lambda it: write_at(it.fidx, 72, bytes(4)), _FIXED + "got non-power-of-two chunk size: 0"
    ),
    Damage("fidx-wrong-checksum", lambda it: write_at(it.fidx, 32, b"xxxx"), verified=True),
    Damage("fidx-reserved-byte", lambda it: write_at(it.fidx, 500, b"x"), verified=True),
    Damage("fidx-other-size", lambda it: write_at(it.fidx, 64, b"\x01"), verified=False),
    Damage("fidx-other-digest", lambda it: write_at(it.fidx, 4096, b"xxxx"), warnings=1, verified=False),
    Damage(
        "didx-one-byte-short", lambda it: resize(it.didx, -1), _DYNAMIC + "got unexpected file size", verified=False
    ),
    Damage("didx-one-entry-short", lambda it: resize(it.didx, -40), lost=("last",), verified=False),
    Damage(
        "didx-header-only",
        lambda it: os.truncate(it.didx, 4096),
        _DYNAMIC + "mapped length must not be zero",
        verified=False,
    ),
    Damage("didx-empty", lambda it: os.truncate(it.didx, 0), _DYNAMIC + "index too small (0)"),
    Damage(
        "didx-bad-magic", lambda it: write_at(it.didx, 0, b"x"), _DYNAMIC + "got unknown magic number", verified=False
    ),
    # chunks
    Damage("chunk-missing", lambda it: it.image.unlink(), warnings=1, verified=False),
    Damage("chunk-empty", lambda it: os.truncate(it.image, 0), verified=False),
    Damage("chunk-corrupt", lambda it: write_at(it.image, 100, b"zzzz"), verified=False),
    Damage("chunk-only-bad", lambda it: rename_bad(it.image), warnings=1, verified=False),
    Damage(
        "chunk-of-root",
        lambda it: it.take(it.image),
        'marking used chunks failed: update atime failed for chunk/file "{base}/.chunks/{prefix}/{image}" - '
        "EPERM: Operation not permitted",
    ),
    Damage(
        "chunk-directory-unreadable",
        lambda it: it.take(it.store.chunks / "0000", 0o700),
        "chunk iterator on chunk store 'tank' failed - unable to read subdir '0000' - EACCES: Permission denied",
    ),
    Damage("chunk-directory-missing", lambda it: (it.store.chunks / "0000").rmdir()),
    # snapshots and what is around them
    Damage(
        "index-of-root",
        lambda it: it.take(it.fidx, 0o600),
        "marking used chunks failed: can't open file '\"{snapshot}/disk.img.fidx\"': Permission denied (os error 13)",
    ),
    Damage("snapshot-of-root", lambda it: it.take(it.snapshot, 0o700), _DENIED + '"{snapshot}"'),
    Damage("group-of-root", lambda it: it.take(it.snapshot.parent, 0o700), _DENIED + '"{base}/host/h1"'),
    Damage("lost-found-at-the-top", lambda it: _root_directory(it, "lost+found")),
    Damage(
        "lost-found-deeper", lambda it: _root_directory(it, "host", "lost+found"), _DENIED + '"{base}/host/lost+found"'
    ),
    Damage("other-directory-of-root", lambda it: _root_directory(it, "otherdir"), _DENIED + '"{base}/otherdir"'),
    Damage("no-manifest", _no_manifest, verified=False),
    Damage("empty-snapshot", _empty_snapshot, lost=("last",), verified=False),
    Damage("no-owner", lambda it: (it.base / "host/h1/owner").unlink(), verified=True),
    Damage("temporary-files", _temporary_files, verified=True),
    Damage("odd-snapshot-names", _odd_snapshot_names, warnings=7),
    Damage("index-as-link", _index_as_link, warnings=2),
    Damage("group-as-link", _group_as_link, lost=("shared", "last")),
    Damage("index-elsewhere", _index_elsewhere, warnings=3, lost=("shared", "last")),
    Damage("index-hidden", _hidden_index, lost=_ALL),
    Damage("everything-gone", _everything_gone, lost=_ALL),
    Damage(
        "damaged-index-elsewhere",
        lambda it: it.store.file(it.base / "x.fidx", bytes(100)),
        "marking used chunks failed: can't open fixed index '\"{base}/x.fidx\"': index too small (100)",
    ),
    Damage(
        "directory-named-as-an-index",
        lambda it: it.store.directory(it.base / "foo.fidx", rules.DIRECTORY_MODE),
        "marking used chunks failed: can't open fixed index '\"{base}/foo.fidx\"': Is a directory (os error 21)",
    ),
    Damage(
        "odd-namespace",
        lambda it: it.copy(it.snapshot, it.base / "ns/bad name/host/h5" / OLDER),
        "marking used chunks failed: iterating namespaces failed: not a valid namespace component: bad name",
    ),
]
