# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Garbage collection: phase 1 marks what indexes need, phase 2 removes what looks old.

It decides and reports as PBS 4.2.3 was seen to do on damaged stores. It really removes: let it have a copy.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import stat
import time
from collections.abc import Iterator
from typing import Any

from . import formats, listing, rules
from .tasks import Log, TaskFailure


@dataclasses.dataclass
class Counts:
    """What `.gc-status` holds; sizes in bytes. hits, misses: of the cache of digests that were touched."""

    index_file_count: int = 0
    index_data_bytes: int = 0
    disk_bytes: int = 0
    disk_chunks: int = 0
    removed_bytes: int = 0
    removed_chunks: int = 0
    pending_bytes: int = 0
    pending_chunks: int = 0
    removed_bad: int = 0
    still_bad: int = 0
    hits: int = 0
    misses: int = 0

    def status(self, upid: str | None) -> dict[str, Any]:
        """As it is written to `.gc-status`, in that order."""
        values = {name.replace("_", "-"): value for name, value in dataclasses.asdict(self).items()}
        cache = {"hits": values.pop("hits"), "misses": values.pop("misses")}
        return {"upid": upid, **values, "cache-stats": cache}


class Collection:
    """One run on the store at `base`. Use `run`; or `mark` and `sweep`, which pause after each chunk and directory.

    start: second in which phase 1 began. cutoff: seconds. oldest_writer: when the oldest running backup began, if there
    is one. slack: seconds that are left to it. version: of PBS, where the log differs. removed: the names that went.
    """

    def __init__(
        self,
        base: str | os.PathLike[str],
        *,
        name: str = "tank",
        start: int | None = None,
        cutoff: int = rules.CUTOFF_MINUTES * 60,
        oldest_writer: int | None = None,
        slack: int = rules.WRITER_SLACK,
        log: Log | None = None,
        version: tuple[int, ...] = (4, 2, 3),
    ) -> None:
        self.base = os.fspath(base)
        self.name = name
        self.start = int(time.time()) if start is None else start
        self.cutoff = cutoff
        self.oldest_writer = oldest_writer
        self.limit = rules.min_atime(self.start, cutoff, oldest_writer, slack)
        self.log = log or Log()
        self.version = version
        self.counts = Counts()
        self.removed: list[str] = []
        self._seen: set[str] = set()

    def run(self) -> Counts:
        """Both phases. TaskFailure: as PBS's task would end; phase 2 is not reached if phase 1 fails."""
        self.log.info(
            f"Using access time cutoff {rules.human_time(self.cutoff)}, minimum access time is "
            f"{rules.utc(self.start - self.cutoff)}"
        )
        if self.oldest_writer is not None and self.oldest_writer < self.start - self.cutoff:
            self.log.info(
                f"Oldest backup writer started at {rules.human_time(self.oldest_writer)}, extending minimum access time "
                f"to {rules.utc(self.limit)}"
            )
        for _step in self.mark():
            pass
        for _step in self.sweep():
            pass
        self.summarize()
        return self.counts

    # --- phase 1 ------------------------------------------------------------------------------------------------------

    def mark(self) -> Iterator[None]:
        self.log.info("Start GC phase1 (mark used chunks)")
        try:
            yield from self._mark()
        except TaskFailure as failure:
            raise TaskFailure(f"marking used chunks failed: {failure}") from None

    def _mark(self) -> Iterator[None]:
        left = dict.fromkeys(listing.index_files(self.base))
        total, done, percent = len(left), 0, 0
        for namespace in listing.namespaces(self.base):
            for group in listing.groups(self.base, namespace):
                for snapshot in listing.snapshots(self.base, namespace, group):
                    for path in self._indexes_of(snapshot):
                        yield from self._mark_index(path)
                        if path not in left:
                            total += 1
                            self.log.info(f"Encountered new index file '\"{path}\"', increment total index file count")
                        left.pop(path, None)
                        done += 1
                        if done * 100 // total > percent:
                            percent = done * 100 // total
                            self.log.info(f"marked {percent}% ({done} of {total} index files)")
        unexpected = 0
        for path in left:
            if not os.path.lexists(path):
                continue  # pruned meanwhile
            yield from self._mark_index(path)
            self.log.warn(f"Marked chunks for unexpected index file at '\"{path}\"'")
            unexpected += 1
        if unexpected:
            self.log.warn(f"Found {unexpected} index files outside of expected directory scheme")

    def _indexes_of(self, snapshot: listing.Snapshot) -> list[str]:
        try:
            return [f"{snapshot.path}/{name}" for name in snapshot.files() if rules.is_index(name)]
        except FileNotFoundError:
            return []  # pruned meanwhile

    def _mark_index(self, path: str) -> Iterator[None]:
        try:
            with open(path, "rb") as file:
                content = file.read()
        except FileNotFoundError:
            return
        except IsADirectoryError as error:
            kind = "fixed" if path.endswith(".fidx") else "dynamic"
            raise TaskFailure(f"can't open {kind} index '\"{path}\"': {rules.library_error(error)}") from None
        except OSError as error:
            raise TaskFailure(f"can't open file '\"{path}\"': {rules.library_error(error)}") from None
        try:
            index = formats.read_index(os.path.basename(path), content)
        except formats.Damaged as damage:
            kind = "fixed" if path.endswith(".fidx") else "dynamic"
            raise TaskFailure(f"can't open {kind} index '\"{path}\"': {damage}") from None
        self.counts.index_file_count += 1
        self.counts.index_data_bytes += index.size
        for digest in index.digests:
            if digest in self._seen:
                self.counts.hits += 1
                continue
            self._seen.add(digest)
            self.counts.misses += 1
            self.mark_chunk(digest, path)
            yield

    def mark_chunk(self, digest: str, index: str) -> None:
        """Touch a chunk that an index needs; one that is missing is a warning, and its renamed files are kept."""
        path = rules.chunk_path(self.base, digest)
        try:
            self.touch(path)
        except FileNotFoundError:
            self.log.warn(f'warning: unable to access non-existent chunk {digest}, required by "{index}"')
            for number in range(10):
                self._touch_bad(f"{path}.{number}.bad")

    def _touch_bad(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.touch(path)

    def touch(self, path: str) -> None:
        """FileNotFoundError: no such chunk. Any other error ends the run."""
        try:
            rules.touch_atime(path)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise TaskFailure(f'update atime failed for chunk/file "{path}" - {rules.system_error(error)}') from None

    # --- phase 2 ------------------------------------------------------------------------------------------------------

    def sweep(self) -> Iterator[None]:
        self.log.info("Start GC phase2 (sweep unused chunks)")
        percent, chunks = 0, 0
        for prefix in self._prefixes():
            for name in self._names(prefix):
                if int(prefix, 16) * 100 // rules.PREFIXES != percent:
                    percent = int(prefix, 16) * 100 // rules.PREFIXES
                    self.log.info(f"processed {percent}% ({chunks} chunks)")
                chunks += self._judge(prefix, name)
            yield
        if chunks and self.version < (4, 2, 3):
            # Before, each further percent was a line, whether a chunk was found or not.
            for further in range(percent + 1, 100):
                self.log.info(f"processed {further}% ({chunks} chunks)")

    def _prefixes(self) -> list[str]:
        """The directories of chunks; PBS asks for each of the 65,536, and passes over those that are not there."""
        try:
            return sorted(filter(rules.is_prefix, os.listdir(f"{self.base}/.chunks")))
        except OSError:
            return [f"{number:04x}" for number in range(rules.PREFIXES)]

    def _names(self, prefix: str) -> list[str]:
        try:
            return [name for name in os.listdir(f"{self.base}/.chunks/{prefix}") if rules.chunk_kind(name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise TaskFailure(
                f"chunk iterator on chunk store '{self.name}' failed - unable to read subdir '{prefix}' - "
                f"{rules.system_error(error)}"
            ) from None

    def _judge(self, prefix: str, name: str) -> bool:
        """What becomes of one file; whether it was a chunk. Looked at and removed in one go, as under PBS's mutex."""
        path = f"{self.base}/.chunks/{prefix}/{name}"
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return False
        kind = rules.chunk_kind(name)
        if not stat.S_ISREG(status.st_mode):
            return False
        if kind == "using":
            self._unlink(path, name)
            return False
        atime = int(status.st_atime_ns // 10**9)
        counts = self.counts
        if atime < self.limit:
            self._unlink(path, name)
            counts.removed_bytes += status.st_size
            counts.removed_bad += kind == "bad"
            counts.removed_chunks += kind == "chunk"
        elif atime < (self.start if self.oldest_writer is None else min(self.oldest_writer, self.start)):
            counts.pending_bytes += status.st_size
            counts.still_bad += kind == "bad"
            counts.pending_chunks += kind == "chunk"
        else:
            counts.disk_bytes += status.st_size
            counts.disk_chunks += kind == "chunk"
        return True

    def _unlink(self, path: str, name: str) -> None:
        try:
            os.unlink(path)
        except OSError as error:
            raise TaskFailure(
                f"unlinking chunk \"{name}\" failed on store '{self.name}' - {rules.system_error(error)}"
            ) from None
        self.removed.append(name)

    # --- the end ------------------------------------------------------------------------------------------------------

    def summarize(self) -> None:
        counts, log = self.counts, self.log
        looked_up = counts.hits + counts.misses
        if looked_up:
            ratio = 100 * counts.hits / looked_up
            log.info(f"Chunk cache: hits {counts.hits}, misses {counts.misses} (hit ratio {ratio:.2f}%)")
        log.info(f"Removed garbage: {rules.human_size(counts.removed_bytes)}")
        log.info(f"Removed chunks: {counts.removed_chunks}")
        if counts.pending_bytes:
            log.info(f"Pending removals: {rules.human_size(counts.pending_bytes)} (in {counts.pending_chunks} chunks)")
        if counts.removed_bad:
            log.info(f"Removed bad chunks: {counts.removed_bad}")
        if counts.still_bad:
            log.info(f"Leftover bad chunks: {counts.still_bad}")
        log.info(f"Original data usage: {rules.human_size(counts.index_data_bytes)}")
        if counts.index_data_bytes:
            share = 100 * counts.disk_bytes / counts.index_data_bytes
            log.info(f"On-Disk usage: {rules.human_size(counts.disk_bytes)} ({share:.2f}%)")
        log.info(f"On-Disk chunks: {counts.disk_chunks}")
        factor = counts.index_data_bytes / counts.disk_bytes if counts.disk_bytes else 1.0
        log.info(f"Deduplication factor: {factor:.2f}")
        if counts.disk_chunks:
            log.info(f"Average chunk size: {rules.human_size(counts.disk_bytes // counts.disk_chunks)}")


def check_atime(base: str | os.PathLike[str], log: Log, wait: float = 0.05) -> None:
    """PBS's own check, as whoever calls: insert the zero chunk, wait, touch it, compare. TaskFailure: it does not pass.

    wait: seconds; PBS waits one, which only a filesystem with whole seconds needs. FileNotFoundError: no prefix directory.
    """
    path = rules.chunk_path(base, formats.ZERO_DIGEST)
    existing = os.path.exists(path)
    if not existing:
        temporary = path + ".tmp_AbCdEf"
        with open(temporary, "wb") as file:
            file.write(formats.ZERO_CHUNK)
        os.chmod(temporary, rules.FILE_MODE)
        if os.geteuid() == 0:
            os.chown(temporary, *rules.backup_ids())
        os.replace(temporary, path)
    time.sleep(wait)
    before = os.stat(path)
    try:
        rules.touch_atime(path)
    except OSError as error:
        raise TaskFailure(f'update atime failed for chunk/file "{path}" - {rules.system_error(error)}') from None
    after = os.stat(path)
    if after.st_atime_ns > before.st_atime_ns:
        return

    def moment(number: int) -> str:
        return f"Some(SystemTime {{ tv_sec: {number // 10**9}, tv_nsec: {number % 10**9} }})"

    log.info("Chunk metadata was not correctly updated during access time safety check:")
    for word, found in (("before", before), ("after", after)):
        log.info(
            f"Timestamps {word} update: accessed {moment(found.st_atime_ns)}, "
            f"modified {moment(found.st_mtime_ns)}, created None"
        )
    kind = "pre-existing" if existing else "newly inserted"
    raise TaskFailure(f"access time safety check using {kind} chunk failed, aborting GC!")
