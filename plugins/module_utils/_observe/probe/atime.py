# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The atime probe of one datastore: private file, marker, and the real zero chunk, each with the right identity.

Runs in a child with a deadline, in two steps: `begin` as root, then `finish` as the daemon's user. The child cannot and
need not become root again.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
import time
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import (
    AtimeFacts,
    LockFacts,
    StoreFacts,
    TouchFacts,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.file import file_facts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.probe.probe_file import new_name, remove_leftovers
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.probe.touch import (
    ONE_TRY,
    SECOND,
    WAITS,
    HeldFile,
    NamedFile,
    OpenFile,
    set_back,
    touch_once,
    try_touch,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import (
    CHUNKS,
    ZERO_CHUNK_DIGEST,
    ZERO_CHUNK_PREFIX,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.zero_chunk import insert_action, zero_chunk
from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import (
    open_directory,
    open_inside,
    open_to_change,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity, current
from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import statx, statx_fd
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error

_PLACEMENTS: tuple[tuple[str, tuple[str, ...]], ...] = (("prefix", (CHUNKS, ZERO_CHUNK_PREFIX)), ("base", ()))
"""Directories for the private file. Not `.chunks` itself: a search for leftovers there must list 65,536 names."""

_F_OFD_GETLK = 36
_FLOCK = struct.Struct("@hhqqi4x")


class AtimeProbe:
    """The probe on one datastore. `mode` is `private` or `marker`."""

    def __init__(self, path: str, mode: str, identity: Identity, s3: bool = False, unknown_to_pbs: bool = True) -> None:
        """`unknown_to_pbs`: the path comes from an administrator, not from PBS's configuration."""
        self.facts = AtimeFacts(mode=mode)
        self.lock = LockFacts(works=None)
        self._path = path
        self._identity = identity
        self._s3 = s3
        self._unknown_to_pbs = unknown_to_pbs
        self._unnamed = -1

    # --- step one, as root ----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """As root: touch the real zero chunk once, and prepare a file if the daemon's user cannot create one.

        PBS's check at creation runs as root, so root's result is a separate fact. The unnamed file is for a path that PBS
        does not know yet: an empty directory owned by root, in which the daemon's user has no rights until PBS changes its
        owner. The file is unlinked before its use, so that it cannot be left behind. Not for paths from PBS's
        configuration: the daemon's user can write it, and must not choose where root creates files.
        """
        if current() == self._identity:
            return
        way = self._open_below((CHUNKS, ZERO_CHUNK_PREFIX), change=True)
        with way as (prefix, path), contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            if prefix is not None:
                target = HeldFile(os.path.join(path, ZERO_CHUNK_DIGEST), prefix, ZERO_CHUNK_DIGEST)
                stack.callback(target.close)
                self.facts.zero_chunk_as_root = try_touch(target, "zero-chunk", ONE_TRY)
        if self._unknown_to_pbs:
            self._prepare_unnamed()

    def _prepare_unnamed(self) -> None:
        try:
            base = open_to_change(self._path)
        except OSError:
            return  # the step as the daemon's user reports it
        try:
            owner = statx_fd(base)
            # In a directory of another user, root creates nothing.
            if owner.st_uid != 0 or statx_or_none(CHUNKS, base) is not None:
                return
            self.facts.leftovers_removed += remove_leftovers(base)
            name = new_name()
            born = time.time_ns()
            fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=base)
            try:
                self._compare_clocks(fd, born)
                os.unlink(name, dir_fd=base)
                os.fchown(fd, self._identity.uid, self._identity.gid)
            except OSError:
                os.close(fd)
                raise
            self._unnamed = fd
        except OSError:
            pass
        finally:
            os.close(base)

    # --- step two, as the daemon's user -----------------------------------------------------------------------------------

    def finish(self) -> None:
        """As the daemon's user: probe with a private file, then touch the real zero chunk."""
        self._clean_up()
        started = time.perf_counter_ns()
        if self.facts.mode == "marker":
            self._insert_marker()
        self._probe_private()
        probe = self.facts.probe
        if probe is not None:
            probe.elapsed_ns = time.perf_counter_ns() - started
        # A touch that was refused says nothing about how the filesystem keeps times.
        ignored = probe is not None and probe.advanced is False and not probe.errno
        with self._open_prefix() as (prefix, path):
            if prefix is not None and statx_or_none(ZERO_CHUNK_DIGEST, prefix) is not None:
                target = NamedFile(os.path.join(path, ZERO_CHUNK_DIGEST), prefix, ZERO_CHUNK_DIGEST)
                kind = "marker" if self.facts.mode == "marker" else "zero-chunk"
                self.facts.zero_chunk = try_touch(target, kind, ONE_TRY if ignored else WAITS, refresh=True)

    def _probe_private(self) -> None:
        """Create, touch and remove a private file, as near to the zero chunk as permitted."""
        refused: t.Optional[TouchFacts] = None
        for placement, relative in _PLACEMENTS:
            facts = self._new_facts(placement)
            with self._open_below(relative) as (directory, path):
                if directory is None:
                    continue
                name = new_name()
                facts.path = os.path.join(path, name)
                facts.step = "create"
                born = time.time_ns()
                try:
                    fd = os.open(
                        name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=directory
                    )
                except OSError as exc:
                    facts.errno = exc.errno or 0
                    facts.error = describe_error(exc)
                    refused = refused or facts
                    if exc.errno in (errno.EACCES, errno.EPERM):
                        continue  # no permission here; the base directory is on the same filesystem
                    break
                try:
                    self._compare_clocks(fd, born)
                    full = _fill(fd)
                    if full is not None and not self._has_zero_chunk():
                        # PBS has still to insert as many bytes, and cannot.
                        facts.errno, facts.error = full.errno or 0, describe_error(full)
                        self.facts.probe = facts
                        self._try_lock(name, directory, fd)
                        return
                    self._try(NamedFile(os.path.join(path, name), directory, name), fd, facts)
                    self._try_lock(name, directory, fd)
                finally:
                    # Close before unlink: NFS and FUSE rename an open file instead of removing it (.nfs…).
                    with contextlib.suppress(OSError):  # a server may report only now that it is full
                        os.close(fd)
                    try:
                        os.unlink(name, dir_fd=directory)
                    except OSError as exc:
                        self.facts.left_behind = f"{facts.path} ({describe_error(exc)})"
                return
        if self._unnamed >= 0:
            facts = self._new_facts("base")
            facts.created_by = "root"
            facts.path = self._path
            self._try(OpenFile(self._path, self._unnamed), self._unnamed, facts)
            self._try_lock(None, -1, self._unnamed)
            return
        self.facts.probe = refused or self._no_place()
        self.lock.not_tried = f"no file could be created here: {self.facts.probe.error}"

    def _has_zero_chunk(self) -> bool:
        with self._open_prefix() as (prefix, _path):
            return prefix is not None and statx_or_none(ZERO_CHUNK_DIGEST, prefix) is not None

    def _new_facts(self, placement: str) -> TouchFacts:
        who = current()
        return TouchFacts(
            "private", "", who.uid, who.gid, list(who.groups), advanced=None, created_by="backup", placement=placement
        )

    def _no_place(self) -> TouchFacts:
        facts = self._new_facts("base")
        facts.path = self._path
        facts.step = "open"
        try:
            os.close(open_directory(self._path, follow=True))
        except OSError as exc:
            facts.errno = exc.errno or 0
            facts.error = describe_error(exc)
        return facts

    def _try(self, target: t.Union[NamedFile, OpenFile], fd: int, facts: TouchFacts) -> None:
        self.facts.granularity_ns = set_back(fd, target)
        tried = try_touch(target, "private", ONE_TRY if self._set_back_counts() else (), refresh=True)
        if not tried.advanced and not tried.errno:
            # The time that was set back does not count or did not help: start again from a touch.
            touch_once(target, tried)
            tried = try_touch(target, "private", WAITS, refresh=True)
        tried.created_by = facts.created_by
        tried.placement = facts.placement
        self.facts.probe = tried

    def _set_back_counts(self) -> bool:
        """PBS compares over one second, so a coarser granularity proves nothing about its check."""
        granularity = self.facts.granularity_ns
        return granularity is not None and granularity <= SECOND

    def _compare_clocks(self, fd: int, before: int) -> None:
        try:
            stamp = statx_fd(fd).st_mtime_ns
        except OSError:
            return
        after = time.time_ns()
        # A timestamp between our two readings of the clock is no difference; the kernel's timestamps lag by a clock tick.
        self.facts.clock_offset_ns = 0 if before <= stamp <= after else stamp - (before if stamp < before else after)
        self.facts.clock_resolution_ns = after - before

    def _try_lock(self, name: t.Optional[str], directory: int, fd: int) -> None:
        """Take a POSIX record lock as PBS does on `.lock`, and check whether another open file sees it."""
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            self.lock.works = False
            self.lock.error = describe_error(exc)
            return
        self.lock.works = True
        if name is None:
            return
        other = -1
        try:
            other = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
            question = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            answer = _FLOCK.unpack(fcntl.fcntl(other, _F_OFD_GETLK, question))
            if answer[0] == fcntl.F_UNLCK:
                self.lock.works = False
                self.lock.error = "the lock was granted, but another open file does not see it"
        except OSError:
            pass  # the lock itself was granted; a failed query does not count against it
        finally:
            if other >= 0:
                os.close(other)

    def _clean_up(self) -> None:
        """Remove what a killed run left, in every directory that a probe uses."""
        for _placement, parts in _PLACEMENTS:
            with self._open_below(parts) as (directory, _path):
                if directory is not None:
                    self.facts.leftovers_removed += remove_leftovers(directory)

    # --- the marker, as PBS inserts it ------------------------------------------------------------------------------------

    def _insert_marker(self) -> None:
        """Insert the zero chunk as PBS does: temporary file, mode before the rename; the owner is this process's user."""
        with self._open_prefix() as (prefix, path):
            facts = self._new_facts("prefix")
            facts.target = "marker"
            facts.path = os.path.join(path, ZERO_CHUNK_DIGEST)
            facts.step = "create"
            if prefix is None:
                facts.errno = errno.ENOENT
                facts.error = describe_error(errno.ENOENT)
                self.facts.zero_chunk = facts
                return
            content = zero_chunk()
            existing = statx_or_none(ZERO_CHUNK_DIGEST, prefix)
            if existing is not None and existing.kind != "file":
                return  # the touch reports what it is
            if existing is not None and insert_action(existing.st_size, len(content), self._s3) == "touch":
                return
            try:
                self._write_marker(prefix, content)
                self.facts.marker_inserted = True
            except OSError as exc:
                facts.errno = exc.errno or 0
                facts.error = describe_error(exc)
                if existing is not None:
                    facts.file = file_facts(facts.path, existing)
                self.facts.zero_chunk = facts

    def _write_marker(self, prefix: int, content: bytes) -> None:
        name = new_name()
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=prefix)
        try:
            try:
                os.fchmod(fd, 0o644)
                if os.write(fd, content) != len(content):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(fd)
            finally:
                os.close(fd)
            os.rename(name, ZERO_CHUNK_DIGEST, src_dir_fd=prefix, dst_dir_fd=prefix)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=prefix)
            raise

    # --- directories --------------------------------------------------------------------------------------------------

    def _open_prefix(self) -> t.ContextManager[tuple[t.Optional[int], str]]:
        return self._open_below((CHUNKS, ZERO_CHUNK_PREFIX))

    @contextlib.contextmanager
    def _open_below(self, parts: t.Sequence[str], change: bool = False) -> t.Iterator[tuple[t.Optional[int], str]]:
        """Open a directory below the base, one component at a time, following no link; None if one cannot be opened.

        With `change`, only where root may make changes.
        """
        path = os.path.join(self._path, *parts)
        opened: list[int] = []
        try:
            try:
                opened.append(open_to_change(self._path) if change else open_directory(self._path, follow=True))
                for part in parts:
                    opened.append(open_inside(part, opened[-1]) if change else open_directory(part, opened[-1]))
            except OSError:
                yield None, path
                return
            yield opened[-1], path
        finally:
            for fd in opened:
                os.close(fd)


def inserts_marker(store: StoreFacts) -> bool:
    """Whether the probe inserted the zero chunk, or would insert it outside check mode."""
    if store.atime is None:
        return False
    skeleton = store.skeleton
    would = store.atime.wanted == "marker" and skeleton is not None and skeleton.chunks is not None
    return store.atime.marker_inserted or (would and skeleton is not None and skeleton.zero_chunk is None)


def statx_or_none(name: str, dir_fd: int) -> t.Any:
    """statx of a name in an open directory; None if it does not exist or statx fails."""
    try:
        return statx(name, dir_fd)
    except OSError:
        return None


def _fill(fd: int) -> t.Optional[OSError]:
    """Write as many bytes as the zero chunk has: an empty file needs no block where the filesystem is full."""
    rest = zero_chunk()
    try:
        while rest:
            rest = rest[os.write(fd, rest) :]
    except OSError as exc:
        return exc
    return None
