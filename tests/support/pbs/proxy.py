# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What proxmox-backup-proxy does to a datastore, done by a process of the user `backup` while a test looks on.

Backups insert and touch chunks, snapshots are made and pruned, chunks are verified, and garbage collection marks and
sweeps, all of it side by side in one process and with the system calls, names, modes and locks of PBS 4.2. Whatever it
meets that PBS would not have met without us is an error, and the test gets to see it.

Two things differ. The clock: what takes PBS days takes seconds here, so the cutoff is in seconds, and chunks of
backups that came to nothing are made old with utime. And the data: a chunk's content follows from its name, so that
any change of it shows.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import fcntl
import json
import os
import random
import select
import stat
import string
import time
from collections.abc import Generator
from typing import Any

from . import formats, garbage, listing, rules
from . import store as stores
from .tasks import Log, TaskFailure

DAY = 86400
CUTOFF = 2  # seconds; PBS: 1445 minutes
CUTOFF_SLACK = 1  # seconds before the oldest writer; PBS: five minutes
SESSIONS = 3  # backups that run at once
SNAPSHOTS_KEPT = 12

_RANDOM_NAME = string.ascii_letters + string.digits

Step = Generator[None, None, None]


def content_of(digest: str) -> bytes:
    """What the chunk of that name holds: a blob, between 50 and 300 bytes long."""
    if digest == stores.ZERO_DIGEST:
        return stores.ZERO_CHUNK
    return stores.blob(digest.encode() * (1 + int(digest[-1], 16) % 4))


def fill(store: stores.ChunkStore, count: int, seed: int, age: int = 0) -> list[str]:
    """Add chunks whose content the daemon can check, spread over the prefix directories; their names."""
    prefixes = [name for name in os.listdir(store.chunks) if len(name) == 4]
    rng = random.Random(seed)
    digests = [rng.choice(prefixes) + rng.randbytes(30).hex() for _each in range(count)]
    then = time.time_ns() - age * 10**9
    for digest in digests:
        path = store.file(store.chunk_path(digest), content_of(digest))
        os.utime(path, ns=(then, then))
    return digests


def fail_if(problem: bool, text: str) -> None:
    if problem:
        raise Surprise(text)


class Surprise(Exception):
    """Something that PBS would not have met without us."""


class Aborted(Exception):
    """A task of PBS that ended for a reason that was there before us: a chunk of another user."""


class ProcessLock:
    """The record lock on `.lock`, as PBS shares it among the tasks of one process. Never waits."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self.writers: list[float] = []  # when each began, oldest first
        self.exclusive = False

    def _set(self, kind: int) -> None:
        try:
            fcntl.lockf(self._fd, kind | (0 if kind == fcntl.LOCK_UN else fcntl.LOCK_NB))
        except OSError as error:
            raise Surprise(f"unable to get a lock - {errno.errorcode[error.errno or 0]}") from error

    def begin_writing(self) -> float:
        if not self.writers and not self.exclusive:
            self._set(fcntl.LOCK_SH)
        self.writers.append(time.time())
        return self.writers[-1]

    def end_writing(self, began: float) -> None:
        self.writers.remove(began)
        if not self.writers and not self.exclusive:
            self._set(fcntl.LOCK_UN)

    def begin_collecting(self) -> None:
        self._set(fcntl.LOCK_EX)
        self.exclusive = True

    def end_collecting(self) -> None:
        self.exclusive = False
        self._set(fcntl.LOCK_SH if self.writers else fcntl.LOCK_UN)


class Proxy:
    """The daemon itself; runs as `backup`. Every step of a task counts as one operation."""

    def __init__(self, base: str, seed: int, foreign: set[str]) -> None:
        self.base = base
        # Never in step with whoever filled the store from the same number: its new chunks would not be new.
        self.rng = random.Random(f"PBS {seed}")
        self.foreign = foreign  # chunks of another user from before the test began
        self.lock = ProcessLock(os.path.join(base, ".lock"))
        self.done: collections.Counter[str] = collections.Counter()
        self.errors: list[str] = []
        self.prefixes = sorted(name for name in os.listdir(base + "/.chunks") if len(name) == 4)
        self.present: set[str] = set()
        self.order: list[str] = []  # what is or was present, to choose from
        for prefix in self.prefixes:
            for name in os.listdir(f"{base}/.chunks/{prefix}"):
                if rules.chunk_kind(name):
                    self.arrived(name)
        self.snapshots = self.needed()  # directory: the digests of its index
        self.count = seed * 10**6
        self.backups: list[Step] = []
        self.collection: Step | None = None

    # --- chunks -------------------------------------------------------------------------------------------------------

    def chunk_path(self, digest: str) -> str:
        return rules.chunk_path(self.base, digest)

    def arrived(self, digest: str) -> None:
        self.present.add(digest)
        self.order.append(digest)

    def some_chunk(self) -> str:
        """One that is present."""
        while True:
            place = self.rng.randrange(len(self.order))
            if self.order[place] in self.present:
                return self.order[place]
            self.order[place] = self.order[-1]
            self.order.pop()

    def touch(self, digest: str) -> None:
        """`utimensat({NOW, OMIT})` on the path, never through a link. A chunk that is needed is there."""
        try:
            rules.touch_atime(self.chunk_path(digest))
        except OSError as error:
            if error.errno == errno.EPERM and digest in self.foreign:
                self.done["touches refused, as the chunk belonged to another user before the repair"] += 1
                raise Aborted from error
            raise
        self.done["chunks touched"] += 1

    def insert(self, digest: str) -> None:
        """An upload: a chunk of the same length is touched, a missing one comes by temporary file and rename."""
        path = self.chunk_path(digest)
        content = content_of(digest)
        try:
            found = os.stat(path)
        except FileNotFoundError:
            fail_if(digest in self.present, f"a chunk is gone: {digest}")
        else:
            fail_if(not stat.S_ISREG(found.st_mode), f"got unexpected file type: {digest}")
            fail_if(found.st_size != len(content), f"a chunk has another length: {digest}")
            self.touch(digest)
            return
        temporary = f"{path}.tmp_" + "".join(self.rng.choices(_RANDOM_NAME, k=6))
        fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(fd, 0o644)
            os.write(fd, content)
        finally:
            os.close(fd)
        os.rename(temporary, path)
        self.arrived(digest)
        self.done["chunks inserted"] += 1

    # --- tasks --------------------------------------------------------------------------------------------------------

    def replace(self, path: str, content: bytes) -> None:
        """A small file as PBS writes it: private, then its mode, then its name."""
        temporary = f"{path}.tmp_" + "".join(self.rng.choices(_RANDOM_NAME, k=6))
        fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(fd, 0o644)
            os.write(fd, content)
        finally:
            os.close(fd)
        os.rename(temporary, path)

    def backup(self) -> Step:
        """One backup session: group, snapshot, chunks, index, manifest."""
        began = self.lock.begin_writing()
        self.count += 1
        namespace = self.rng.choice(["", "/ns/a", "/ns/a/ns/b"])
        group = f"{self.base}{namespace}/vm/{100 + self.rng.randrange(4)}"
        snapshot = group + time.strftime("/%Y-%m-%dT%H:%M:%SZ", time.gmtime(1767225600 + self.count))
        try:
            os.makedirs(group, mode=0o755, exist_ok=True)
            if not os.path.exists(group + "/owner"):
                self.replace(group + "/owner", b"root@pam\n")
            os.mkdir(snapshot, 0o755)
            yield
            temporary, index = (snapshot + "/drive-scsi0.img" + suffix for suffix in (".tmp_fidx", ".fidx"))
            fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            digests = []
            with contextlib.closing(os.fdopen(fd, "wb")) as file:
                for _chunk in range(self.rng.randrange(5, 60)):
                    # Some were there before, some are the same as in another machine's backup, some are new.
                    digest = self.some_chunk() if self.rng.random() < 0.5 else self.new_digest()
                    if not digest.endswith(".bad"):
                        self.insert(digest)
                        digests.append(digest)
                    yield
                content = stores.fixed_index(digests, len(digests) * stores.CHUNK_SIZE)
                file.write(content)
            os.rename(temporary, index)
            yield
            self.replace(snapshot + "/index.json.blob", self.manifest(snapshot, content))
            self.snapshots[snapshot] = digests
            self.done["snapshots made"] += 1
        except Aborted:
            self.remove_snapshot(snapshot)
        finally:
            self.lock.end_writing(began)

    def manifest(self, snapshot: str, index: bytes) -> bytes:
        *_above, kind, identifier, name = snapshot.split("/")
        files = [("drive-scsi0.img.fidx", index)]
        return stores.raw_frame_blob(stores.manifest(kind, identifier, rules.snapshot_time(name), files))

    def new_digest(self) -> str:
        return self.rng.choice(self.prefixes) + self.rng.randbytes(30).hex()

    def remove_snapshot(self, snapshot: str) -> None:
        for name in os.listdir(snapshot):
            os.unlink(f"{snapshot}/{name}")
        os.rmdir(snapshot)
        self.snapshots.pop(snapshot, None)

    def prune(self) -> None:
        while len(self.snapshots) > SNAPSHOTS_KEPT:
            self.remove_snapshot(self.rng.choice(list(self.snapshots)))
            self.done["snapshots pruned"] += 1

    def waste(self) -> None:
        """Chunks of a backup that came to nothing a week ago."""
        then = time.time() - 7 * DAY
        for _each in range(10):
            digest = self.new_digest()
            self.insert(digest)
            os.utime(self.chunk_path(digest), (then, then))

    def verify(self) -> None:
        digest = self.some_chunk()
        if digest in self.foreign or digest.endswith(".bad"):
            return
        with open(self.chunk_path(digest), "rb") as file:
            fail_if(file.read() != content_of(digest), f"a chunk has another content: {digest}")
        self.done["chunks verified"] += 1

    # --- garbage collection -------------------------------------------------------------------------------------------

    def collect(self) -> Step:
        self.lock.begin_collecting()
        try:
            yield from self.check_atime()
            run = Sweeper(self)
            yield from run.mark()
            yield from run.sweep()
            self.replace(self.base + "/.gc-status", json.dumps(run.counts.status(None)).encode())
            self.done["garbage collections"] += 1
        except Aborted:
            self.done["garbage collections stopped by what was wrong before"] += 1
        except TaskFailure as failure:
            raise Surprise(str(failure)) from failure
        finally:
            self.lock.end_collecting()

    def check_atime(self) -> Step:
        self.insert(stores.ZERO_DIGEST)
        path = self.chunk_path(stores.ZERO_DIGEST)
        before = os.stat(path)
        until = time.monotonic() + 0.02  # PBS: a second; longer than the granularity either way
        while time.monotonic() < until:
            yield
        self.touch(stores.ZERO_DIGEST)
        after = os.stat(path)
        fail_if(before.st_ino != after.st_ino, "the zero chunk was replaced during the access time safety check")
        fail_if(after.st_atime_ns <= before.st_atime_ns, "access time safety check failed")

    def needed(self) -> dict[str, list[str]]:
        """Every snapshot that has an index, with the digests that it needs."""
        found: dict[str, list[str]] = {}
        for path in listing.index_files(self.base):
            with open(path, "rb") as file:
                index = formats.read_index(os.path.basename(path), file.read())
            found.setdefault(os.path.dirname(path), []).extend(index.digests)
        return found

    # --- what the test asks for ---------------------------------------------------------------------------------------

    def step(self) -> None:
        """One operation of one of the tasks that are under way."""
        if len(self.backups) < SESSIONS and self.rng.random() < 0.1:
            self.backups.append(self.backup())
        if self.collection is None and self.rng.random() < 0.005:
            self.waste()
            self.collection = self.collect()
        if self.rng.random() < 0.1:
            self.verify()
            return
        tasks = [*self.backups, *([self.collection] if self.collection else [])]
        if not tasks:
            return
        self.advance(self.rng.choice(tasks))
        self.prune()

    def advance(self, task: Step) -> None:
        try:
            next(task)
        except (StopIteration, Surprise, OSError) as end:
            if self.collection is task:
                self.collection = None
            else:
                self.backups.remove(task)
            if not isinstance(end, StopIteration):
                raise

    def work(self, operations: int, commands: int) -> dict[str, Any]:
        """Go on until the test says otherwise, for so many operations at least."""
        told = False
        number = 0
        while number < operations or not told:
            number += 1
            try:
                self.step()
            except (Surprise, OSError) as problem:
                self.errors.append(f"{type(problem).__name__}: {problem}")
                if len(self.errors) > 20:
                    break
            if number % 50 == 0 and not told:
                told = bool(select.select([commands], [], [], 0)[0])
        return {"operations": number}

    def finish(self) -> dict[str, Any]:
        """End the tasks that are under way."""
        while self.collection or self.backups:
            self.advance(self.collection or self.backups[0])
        return {}

    def inspect(self) -> dict[str, Any]:
        """Whether everything is there that should be, and nothing else, and usable to this user."""
        found = set()
        for directory, directories, files in os.walk(self.base + "/.chunks"):
            for name in files:
                if not rules.chunk_kind(name):
                    self.errors.append(f"left behind: {directory}/{name}")
                    continue
                found.add(name)
                status = os.lstat(f"{directory}/{name}")
                if name.endswith(".bad"):
                    continue
                with open(f"{directory}/{name}", "rb") as file:
                    if file.read() != content_of(name):
                        self.errors.append(f"a chunk has another content: {name}")
                if status.st_nlink != 1:
                    self.errors.append(f"{name} has {status.st_nlink} links")
                rules.touch_atime(f"{directory}/{name}")
            if not directories:
                continue
            if sorted(directories) != self.prefixes:
                self.errors.append("the prefix directories are others than before")
        self.errors += [f"a chunk is gone: {name}" for name in sorted(self.present - found)]
        self.errors += [f"nobody has made this chunk: {name}" for name in sorted(found - self.present)]
        for snapshot, digests in self.snapshots.items():
            if sorted(os.listdir(snapshot)) != ["drive-scsi0.img.fidx", "index.json.blob"]:
                self.errors.append(f"{snapshot} holds {os.listdir(snapshot)}")
            self.errors += [f"{snapshot} misses {digest}" for digest in digests if digest not in found]
        return {"chunks": len(found), "snapshots": len(self.snapshots)}

    def answer(self, command: dict[str, Any], commands: int) -> dict[str, Any]:
        what = command["do"]
        if what == "work":
            return self.work(command["operations"], commands)
        if what == "repaired":
            self.foreign.clear()
            return {}
        if what == "hold":
            if command["exclusive"]:
                self.lock.begin_collecting()
                return {}
            return {"began": self.lock.begin_writing()}
        if what == "release":
            if self.lock.exclusive:
                self.lock.end_collecting()
            while self.lock.writers:
                self.lock.end_writing(self.lock.writers[0])
            return {}
        return {"finish": self.finish, "inspect": self.inspect}[what]()


class Sweeper(garbage.Collection):
    """Garbage collection in steps, beside the daemon's backups; what PBS only warns of is an error here."""

    def __init__(self, proxy: Proxy) -> None:
        now = time.time()
        # As PBS has it: what was in use when the oldest backup began is in use still.
        oldest = min(proxy.lock.writers, default=None)
        super().__init__(
            proxy.base,
            start=int(now),
            cutoff=CUTOFF,
            oldest_writer=None if oldest is None else int(oldest),
            slack=CUTOFF_SLACK,
            log=Log(write=lambda _line: None),
        )
        self.proxy = proxy

    def mark_chunk(self, digest: str, index: str) -> None:
        try:
            self.proxy.touch(digest)
        except FileNotFoundError:
            raise Surprise(f"unable to access non-existent chunk {digest}, required by {index}") from None

    def _unlink(self, path: str, name: str) -> None:
        os.unlink(path)
        self.proxy.present.discard(name)
        self.proxy.done["chunks swept"] += 1
