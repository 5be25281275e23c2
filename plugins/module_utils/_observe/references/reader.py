# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads snapshots: their index files, manifests and owner files."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import operator
import os
import time
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.references import GroupFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.difference import Comparison
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.digests import Digests
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.index_file import (
    AT_ONCE,
    LARGEST,
    IndexFile,
    NoFile,
    open_file,
    open_through_link,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.problems import ProblemCounter
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.tree import (
    LISTED_GROUPS,
    MORE_GROUPS,
    describe_mode,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.units import Numbers, Unit
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.visit import Visit
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.open_store import OpenStore
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.workers import Heartbeat
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import blob, index, manifest, owner, snapshot
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import is_hidden
from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import open_inside
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity
from ansible_collections.fleetops.pbs.plugins.module_utils._system.listing import batches
from ansible_collections.fleetops.pbs.plugins.module_utils._system.permission import READ, allows
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error, display

OWNER = "owner"
_MAX_FILES = 100_000
"""Names in one snapshot."""
_SETTLED = 60.0
"""Seconds without a change after which a snapshot that is not whole counts as such: until then it may be on its way in
or out, as backups, prune and forget make and remove file by file."""
_UNFINISHED = 86400.0
"""Seconds without a change after which nobody is still writing a snapshot that has no manifest."""
_KEPT = 16
"""Index files of the snapshot before that are held open."""
_REMEMBERED = 4 * 1024 * 1024
"""Bytes of entries of the last index file that are remembered if they are all: those of a disk of half a terabyte."""
_TOGETHER = 32768
"""Entries of which those that come again at another place are looked for."""
_DAY = 86400
_BREAKS = frozenset(
    (
        "index-too-small",
        "index-magic",
        "index-length",
        "index-empty",
        "index-chunk-size",
        "index-directory",
        "index-dangling",
        "index-order",
        "index-checksum",
        "manifest-size",
        "manifest-checksum",
        "manifest-file-missing",
    )
)
"""Kinds of problems by which a snapshot counts as damaged."""
_ZERO = bytes(index.DIGEST_SIZE)


@dataclasses.dataclass
class Found:
    """The facts about one index file."""

    data_bytes: int
    header_checksum: bytes
    entries_checksum: t.Optional[bytes]
    """None where the entries were not read, or not all of them."""


class Reader(Visit):
    """Collects the needed digests and the problems of snapshots."""

    def __init__(
        self,
        store: OpenStore,
        identity: Identity,
        problems: ProblemCounter,
        heartbeat: Heartbeat,
        digests: t.Optional[Digests],
        max_paths: int,
    ) -> None:
        """Without `digests` only headers are read."""
        super().__init__(store, identity, problems, heartbeat)
        self.groups: dict[tuple[str, str, str], GroupFacts] = {}
        self.verified_by_day: dict[str, int] = {}
        self.unverified_by_day: dict[str, int] = {}
        self.failed = ProblemCounter(max_paths)
        self.broken = Numbers()
        """The numbers of damaged snapshots."""
        self._digests = digests
        self._max_paths = max_paths
        self._held: t.Optional[IndexFile] = None
        """The file whose entries are remembered."""
        self._more = 0
        self._comparison = Comparison(AT_ONCE, _REMEMBERED) if digests is not None else None
        self._broken = False
        """Something of the snapshot at hand keeps GC or a restore from its index files."""
        self._now = time.time()
        self._bases: list[tuple[Unit, dict[str, tuple[int, int]]]] = []
        """Units that build on a snapshot of another one, with the inodes of its index files."""

    def visit(self, units: t.Iterable[Unit]) -> None:
        """Do all of them; see `Visit.visit`.

        What a unit shares with the snapshot before it is put in by whoever has that one. If that snapshot was removed
        meanwhile, it may not have been there any more for that process, so the unit is read once more as a whole.
        """
        super().visit(units)
        again = [dataclasses.replace(unit, before="") for unit, files in self._bases if self._is_gone(unit, files)]
        if again:
            Again(self, again)

    def _is_gone(self, unit: Unit, files: dict[str, tuple[int, int]]) -> bool:
        fd = self._open(f"{unit.directory}/{unit.before}")
        if fd is None:
            return True
        try:
            for name, identity in files.items():
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                if (status.st_dev, status.st_ino) != identity:
                    return True
        except OSError:
            return True
        finally:
            os.close(fd)
        return False

    def _problem(self, kind: str, path: str, detail: str) -> None:
        self._broken = self._broken or kind in _BREAKS
        super()._problem(kind, path, detail)

    # --- one group -----------------------------------------------------------------------------------------------------

    def _facts(self, unit: Unit) -> GroupFacts:
        key = (unit.namespace, unit.type, unit.id)
        found = self.groups.get(key)
        if found is None:
            found = GroupFacts(unit.namespace, unit.type, unit.id)
            if unit.group < LISTED_GROUPS:
                self.groups[key] = found
        return found

    def _leave_out(self, unit: Unit, group: GroupFacts) -> None:
        """Keep of a group that is not listed what matters most."""
        if not group.damaged and not group.failed:
            return
        if self._more < MORE_GROUPS:
            self._more += 1
            self.groups[unit.namespace, unit.type, unit.id] = group
        elif group.damaged:
            self.totals.damaged_snapshots += group.damaged
            self.totals.damaged_groups += 1

    def _group(self, unit: Unit, group_fd: int) -> None:
        group = self._facts(unit)
        if unit.first:
            self._owner(unit, group, group_fd)
        before: dict[str, IndexFile] = {}
        try:
            if unit.before and self._digests is not None:
                before = self._indexes_before(unit.before, group_fd)
                if before:
                    self._bases.append((unit, {name: opened.identity for name, opened in before.items()}))
            for number, name in enumerate(unit.names, unit.start):
                files = self._snapshot(unit, group, name, number, group_fd, before)
                if files is not None:
                    _close(before)
                    before = files
        finally:
            _close(before)
            if unit.group >= LISTED_GROUPS:
                self._leave_out(unit, group)

    def _indexes_before(self, name: str, group_fd: int) -> dict[str, IndexFile]:
        """The index files of a snapshot that another unit is about: whoever has that one puts their digests in."""
        files: dict[str, IndexFile] = {}
        with contextlib.suppress(OSError):
            fd = open_inside(name, group_fd)
            try:
                for batch in batches(fd):
                    for entry in batch:
                        dynamic = index.is_dynamic(entry.name)
                        if dynamic is None or len(files) >= _KEPT:
                            continue
                        with contextlib.suppress(OSError, NoFile, index.IndexFileError):
                            opened = IndexFile(*open_file(entry.name, fd), dynamic)
                            # What came just now may have come too late for the other process.
                            if opened.changed < self._now - _SETTLED:
                                files[entry.name] = opened
                            else:
                                opened.close()
            finally:
                os.close(fd)
        return files

    def _owner(self, unit: Unit, group: GroupFacts, group_fd: int) -> None:
        path = f"{unit.directory}/{OWNER}"
        link = False
        try:
            try:
                data, status = _read_small(OWNER, group_fd, owner.SIZE_LIMIT)
            except NoFile:
                link = os.path.islink(f"/proc/self/fd/{group_fd}/{OWNER}")
                if not link:
                    raise
                data, status = _read_through_link(OWNER, group_fd, owner.SIZE_LIMIT)
        except FileNotFoundError:
            # The group itself may have been made or removed just now.
            with contextlib.suppress(OSError):
                status = os.fstat(group_fd)
                if status.st_nlink and self._now - status.st_ctime > _SETTLED:
                    self._problem("owner-missing", path, "every backup to this group fails")
            return
        except (OSError, NoFile) as exc:
            detail = describe_error(exc) if isinstance(exc, OSError) else str(exc)
            self._problem("owner-unreadable", path, detail)
            return
        if not allows(self._identity, status, READ):
            self._problem("owner-unreadable", path, describe_mode(status))
            return
        try:
            found = parse_owner_text(data)
            # Whoever made a link may not be able to read what it leads to, so that is not shown.
            group.owner = "" if link else found
        except owner.OwnerError as exc:
            self._problem("owner-damaged", path, str(exc))

    # --- one snapshot --------------------------------------------------------------------------------------------------

    def _snapshot(
        self, unit: Unit, group: GroupFacts, name: str, number: int, group_fd: int, before: dict[str, IndexFile]
    ) -> t.Optional[dict[str, IndexFile]]:
        """Returns its index files, held open; None where the snapshot is gone."""
        path = f"{unit.directory}/{name}"
        if path in self._store.mounts:
            self._problem("mount", path, "another filesystem is mounted there")
            self.error(path, "another filesystem is mounted there, and was not looked into")
            return None
        try:
            fd = open_inside(name, group_fd)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            self.error(path, exc)
            return None
        self._broken = False
        kept: dict[str, IndexFile] = {}
        try:
            status = os.fstat(fd)
            if not allows(self._identity, status, READ | 1):
                self._problem("directory-unreadable", path, describe_mode(status))
            self.totals.snapshots += 1
            group.snapshots += 1
            names, found = self._files(path, fd, before, kept)
            self._compare_all(group, path, name, fd, names, found)
            self.totals.needing += any(have is not None for have in found.values())
            if self._broken:
                self.broken.add(number)
        except OSError as exc:
            self.error(path, exc)
        finally:
            os.close(fd)
        return kept

    def _files(
        self, path: str, fd: int, before: dict[str, IndexFile], kept: dict[str, IndexFile]
    ) -> tuple[dict[str, int], dict[str, t.Optional[Found]]]:
        """Read the index files; return the names of other files, and what was found in each index file."""
        others: dict[str, int] = {}
        indexes: dict[str, t.Optional[Found]] = {}
        count = 0
        for batch in batches(fd):
            for entry in batch:
                count += 1
                if count > _MAX_FILES:
                    self.error(path, f"more than {_MAX_FILES} files")
                    return others, indexes
                inner = f"{path}/{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    if index.is_dynamic(entry.name) is not None and not (self._tree.hides_all or is_hidden(entry.name)):
                        self._problem("index-directory", inner, "Is a directory (os error 21)")
                    self._tree.walk_odd(path, entry.name, fd)
                elif index.is_dynamic(entry.name) is None:
                    others[entry.name] = 0
                else:
                    opened = self._open_in_snapshot(inner, entry, fd)
                    if opened is None and is_hidden(entry.name) and not entry.is_file(follow_symlinks=False):
                        continue
                    indexes[entry.name] = None
                    if opened is None:
                        continue
                    indexes[entry.name] = self._entries(inner, opened, before.get(entry.name))
                    if self._digests is not None and len(kept) < _KEPT:
                        kept[entry.name] = opened
                    else:
                        opened.close()
        return others, indexes

    def _compare_all(
        self,
        group: GroupFacts,
        path: str,
        name: str,
        fd: int,
        others: dict[str, int],
        indexes: dict[str, t.Optional[Found]],
    ) -> None:
        """Compare the manifest with the files of the snapshot, and note the state of the snapshot."""
        moment = snapshot.snapshot_time(name) or 0
        status = os.fstat(fd)
        quiet = self._now - max(status.st_mtime, status.st_ctime)
        gone = status.st_nlink == 0
        found = self._manifest(path, fd)
        if found is None and manifest.NAME not in others:
            group.unfinished += 1
            if quiet > _UNFINISHED and not gone:
                self._problem(
                    "manifest-missing", f"{path}/{manifest.NAME}", "the snapshot cannot be restored or verified"
                )
        if found is not None:
            group.newest = max(moment, moment if group.newest is None else group.newest)
            self._verification(group, path, moment, found)
            if quiet > _SETTLED and not gone:
                self._compare(path, fd, others, indexes, found)
        self._checksums(path, indexes, found)
        if self._broken:
            group.damaged += 1
            group.newest_damaged = max(moment, moment if group.newest_damaged is None else group.newest_damaged)
            group.damaged_examples = sorted([*group.damaged_examples, name], reverse=True)[: self._max_paths]
        elif found is not None:
            group.newest_intact = max(moment, moment if group.newest_intact is None else group.newest_intact)

    def _manifest(self, path: str, fd: int) -> t.Optional[manifest.Manifest]:
        inner = f"{path}/{manifest.NAME}"
        try:
            data, status = _read_small(manifest.NAME, fd, manifest.MAX_SIZE)
        except FileNotFoundError:
            return None
        except (OSError, NoFile) as exc:
            detail = describe_error(exc) if isinstance(exc, OSError) else str(exc)
            self._problem("manifest-unreadable", inner, detail)
            return None
        if not allows(self._identity, status, READ):
            # What only root may read is not shown: its owner could have moved any file of root here.
            self._problem("manifest-unreadable", inner, describe_mode(status))
            return None
        if status.st_size > manifest.MAX_SIZE:
            self._problem("manifest-large", inner, f"{status.st_size} bytes")
            return None
        try:
            return manifest.parse_manifest(data)
        except blob.Undecompressed as exc:
            self.error(inner, str(exc))
        except (blob.TooLarge, manifest.TooManyFiles) as exc:
            self._problem("manifest-large", inner, str(exc))
        except (blob.BlobError, manifest.ManifestError) as exc:
            self._problem("manifest-damaged", inner, str(exc))
        return None

    def _verification(self, group: GroupFacts, path: str, moment: int, found: manifest.Manifest) -> None:
        state = found.verify_state
        if state is None:
            group.unverified += 1
            _count(self.unverified_by_day, moment // _DAY)
            return
        if state.started is not None:
            _count(self.verified_by_day, state.started // _DAY)
        if state.state == "ok":
            group.verified += 1
            return
        group.failed += 1
        group.newest_failed = max(moment, moment if group.newest_failed is None else group.newest_failed)
        self.failed.add("failed", path, state.upid)

    def _compare(
        self,
        path: str,
        fd: int,
        others: dict[str, int],
        indexes: dict[str, t.Optional[Found]],
        found: manifest.Manifest,
    ) -> None:
        listed = {entry.filename: entry for entry in found.files}
        for name, entry in listed.items():
            inner = f"{path}/{name}"
            if name in indexes:
                have = indexes[name]
                if have is not None and have.data_bytes != entry.size:
                    self._problem("manifest-size", inner, f"{have.data_bytes} bytes of data instead of {entry.size}")
            elif name not in others:
                self._problem("manifest-file-missing", inner, "the manifest names it")
            elif name.endswith(".blob"):
                try:
                    size = os.stat(name, dir_fd=fd, follow_symlinks=False).st_size
                except OSError:
                    continue
                if size != entry.size:
                    self._problem("manifest-size", inner, f"{size} bytes instead of {entry.size}")
        for name in sorted(set(indexes) - set(listed)):
            self._problem("manifest-file-unlisted", f"{path}/{name}", "the manifest does not name it")

    def _checksums(
        self, path: str, indexes: dict[str, t.Optional[Found]], found: t.Optional[manifest.Manifest]
    ) -> None:
        listed = {entry.filename: entry.csum for entry in found.files} if found is not None else {}
        for name, have in indexes.items():
            if have is None:
                continue
            inner, wanted = f"{path}/{name}", listed.get(name)
            header = have.header_checksum.hex()
            if have.entries_checksum is None or have.entries_checksum == have.header_checksum:
                if wanted is not None and wanted != header:
                    self._problem("manifest-checksum", inner, f"checksum {header} instead of {wanted}")
                continue
            actual = have.entries_checksum.hex()
            if wanted == actual:
                self._problem("index-header", inner, f"checksum {header} in the header, and {actual} of the entries")
            else:
                self._problem(
                    "index-checksum", inner, f"checksum {actual} of the entries instead of {wanted or header}"
                )

    # --- one index file ------------------------------------------------------------------------------------------------

    def _stray(self, path: str, opened: IndexFile) -> None:
        self._entries(path, opened, None)

    def _entries(self, path: str, opened: IndexFile, before: t.Optional[IndexFile]) -> Found:
        header = opened.header
        self.totals.indexes += 1
        self.totals.index_bytes += opened.length
        self.totals.references += header.entries
        found = Found(header.size, header.checksum, None)
        if self._digests is None or self._comparison is None:
            if header.dynamic:
                last = bytearray(header.entry_size)
                try:
                    opened.read(memoryview(last), opened.length - index.HEADER_SIZE - header.entry_size)
                    found.data_bytes = index.last_end(last)
                except OSError as exc:
                    self.error(path, exc)
        elif opened.length > LARGEST:
            self.error(path, f"an index file of {opened.length} bytes is not read")
        else:
            try:
                self._read_all(path, opened, before, self._comparison, self._digests, found)
            except OSError as exc:
                self.error(path, exc)
        self.totals.data_bytes += found.data_bytes
        return found

    def put_in(self, path: str, opened: IndexFile) -> None:
        """Only add every digest of an index file."""
        if self._digests is None or self._comparison is None or opened.length > LARGEST:
            return
        shared = self.totals.shared
        try:
            self._read_all(path, opened, None, self._comparison, self._digests, Found(0, b"", None))
        except OSError as exc:
            self.error(path, exc)
        self.totals.shared = shared

    def _read_all(
        self,
        path: str,
        opened: IndexFile,
        before: t.Optional[IndexFile],
        comparison: Comparison,
        digests: Digests,
        found: Found,
    ) -> None:
        """Read every entry, and put the digests in that the snapshot before does not have. Raises `OSError` and `Full`."""
        header = opened.header
        if before is not None and before.header.dynamic != header.dynamic:
            before = None
        remember = opened.length - index.HEADER_SIZE <= _REMEMBERED
        held = before is not None and before is self._held and remember
        self._held = None
        fresh = _Fresh(header.dynamic, digests)
        whole: t.Optional[t.Any] = hashlib.sha256()
        last = -1
        rising = True
        try:
            for place, size in opened.blocks(comparison.now):
                if not size:
                    digests.add(_ZERO)
                    whole, last = None, 0
                    rising = rising and not header.dynamic
                    continue
                now = comparison.now[:size]
                if header.dynamic:
                    ends = list(index.ends(now))
                    rising = rising and ends[0] > last and all(map(int.__lt__, ends, ends[1:]))
                    last = ends[-1]
                at = place if remember else 0
                common = self._fill(before, held, place, size, comparison.before[at:])
                unlike, known = comparison.replace(at, common, header.entry_size)
                fresh.add(unlike, known)
                if common < size:
                    fresh.add(bytes(now[common:]), b"")
                    if remember:
                        comparison.before[at + common : at + size] = now[common:]
                self.totals.shared += (common - len(unlike)) // header.entry_size
                if whole is not None:
                    whole.update(now)
                self._heartbeat.beat(self.progress)
        finally:
            fresh.put_in()
        if header.dynamic:
            found.data_bytes = max(last, 0)
            if not rising:
                self._problem("index-order", path, "the ends of the chunks do not rise")
        if whole is not None:
            found.entries_checksum = whole.digest()
            self._held = opened if remember else None

    @staticmethod
    def _fill(before: t.Optional[IndexFile], held: bool, place: int, size: int, into: memoryview) -> int:
        """See that what the file before has at that place is in memory; returns how many bytes that is."""
        if before is None:
            return 0
        common = max(0, min(size, before.length - index.HEADER_SIZE - place))
        if not held:
            try:
                before.read(into[:common], place)
            except OSError:
                return 0
        return common


class _Fresh:
    """The digests of one index file that are not known from the file before."""

    def __init__(self, dynamic: bool, digests: Digests) -> None:
        self._dynamic = dynamic
        self._digests = digests
        self._new: set[bytes] = set()
        self._old: set[bytes] = set()

    def add(self, fresh: bytes, known: bytes) -> None:
        """Entries, and those that were at their places before; none, if there were none. Raises `Full`."""
        ours = index.digests(self._dynamic, fresh)
        theirs = index.digests(self._dynamic, known)
        if not known:
            self._digests.add(b"".join(set(ours)))
        elif self._dynamic:
            # What was put in before them moves all that follow, and changes their ends.
            self._new.update(ours)
            self._old.update(theirs)
        else:
            unlike = list(ours)
            self._new.update(itertools.compress(unlike, map(operator.ne, unlike, theirs)))
        if len(self._new) >= _TOGETHER:
            self.put_in()

    def put_in(self) -> None:
        """Raises `Full`."""
        self._new -= self._old
        self._digests.add(b"".join(self._new))
        self._new.clear()
        self._old.clear()


class Again(Visit):
    """Reads units once more, for their digests only."""

    def __init__(self, reader: Reader, units: t.Iterable[Unit]) -> None:
        ignored = ProblemCounter(0)
        super().__init__(reader._store, reader._identity, ignored, reader._heartbeat)
        self._reader = reader
        self.visit(units)
        self.totals = reader.totals

    def progress(self) -> dict[str, int]:
        return self._reader.progress()

    def error(self, path: str, error: t.Union[OSError, str]) -> None:
        self._reader.error(path, error)

    def _group(self, unit: Unit, group_fd: int) -> None:
        for name in unit.names:
            with contextlib.suppress(OSError):
                fd = open_inside(name, group_fd)
                try:
                    for batch in batches(fd):
                        for entry in batch:
                            self._file(f"{unit.directory}/{name}/{entry.name}", entry, fd)
                finally:
                    os.close(fd)

    def _stray(self, path: str, opened: IndexFile) -> None:
        self._reader.put_in(path, opened)

    def _file(self, path: str, entry: os.DirEntry[str], fd: int) -> None:
        if index.is_dynamic(entry.name) is not None and not entry.is_dir(follow_symlinks=False):
            opened = self._open_in_snapshot(path, entry, fd)
            if opened is not None:
                with contextlib.closing(opened):
                    self._reader.put_in(path, opened)


def parse_owner_text(data: bytes) -> str:
    """The owner, safe to display. Raises `owner.OwnerError`."""
    return display(owner.parse_owner(data))


def _read_small(name: str, dir_fd: int, limit: int) -> tuple[bytes, os.stat_result]:
    """The first bytes of a small file. Raises `OSError` and `NoFile`."""
    return _read_open(*open_file(name, dir_fd), limit)


def _read_through_link(name: str, dir_fd: int, limit: int) -> tuple[bytes, os.stat_result]:
    """The same for a link, which is followed as PBS follows it. Raises `OSError` and `NoFile`."""
    return _read_open(*open_through_link(name, dir_fd), limit)


def _read_open(fd: int, status: os.stat_result, limit: int) -> tuple[bytes, os.stat_result]:
    try:
        # Python takes memory for as many bytes as are asked for.
        return os.read(fd, min(limit, status.st_size + 1)), status
    finally:
        os.close(fd)


def _close(files: dict[str, IndexFile]) -> None:
    for opened in files.values():
        opened.close()
    files.clear()


def _count(days: dict[str, int], day: int) -> None:
    key = str(day)
    if key in days or len(days) < 20_000:
        days[key] = days.get(key, 0) + 1
