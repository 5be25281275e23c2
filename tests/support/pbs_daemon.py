# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What proxmox-backup-proxy does to a datastore, done by a process of the user `backup` while a test looks on.

Backups insert and touch chunks, snapshots are made and pruned, chunks are verified, and garbage collection marks and
sweeps, all of it side by side in one process and with the system calls, names, modes and locks of PBS 4.2. Whatever it
meets that PBS would not have met without us is an error, and the test gets to see it.

Two things differ. The clock: what takes PBS days takes seconds here, so the cutoff is in seconds, and chunks of
backups that came to nothing are made old with utime. And nobody's data: a chunk's content follows from its name, so
that any change of it shows.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import fcntl
import json
import os
import random
import re
import select
import signal
import stat
import string
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity, become, die_with_parent
from ansible_collections.fleetops.pbs.plugins.module_utils._system.times import touch_atime
from ansible_collections.fleetops.pbs.tests.support import chunk_store as stores

DAY = 86400
CUTOFF = 2  # seconds; PBS: 1445 minutes
CUTOFF_SLACK = 1  # seconds before the oldest writer; PBS: five minutes
SESSIONS = 3  # backups that run at once
SNAPSHOTS_KEPT = 12

_CHUNK = re.compile(r"[0-9a-f]{64}(\.[0-9]\.bad)?\Z")
_RANDOM_NAME = string.ascii_letters + string.digits

DIED = "the daemon has died; what it said is in the captured output"

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
    """A task of PBS that ended for a reason that was there before us: a chunk of somebody else's."""


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
        self.foreign = foreign  # chunks that were somebody else's before the test began
        self.lock = ProcessLock(os.path.join(base, ".lock"))
        self.done: collections.Counter[str] = collections.Counter()
        self.errors: list[str] = []
        self.prefixes = sorted(name for name in os.listdir(base + "/.chunks") if len(name) == 4)
        self.present: set[str] = set()
        self.order: list[str] = []  # what is or was present, to choose from
        for prefix in self.prefixes:
            for name in os.listdir(f"{base}/.chunks/{prefix}"):
                if _CHUNK.match(name):
                    self.arrived(name)
        self.snapshots: dict[str, list[str]] = {}  # directory: the digests of its index
        for index, digests in self.indexes():
            self.snapshots[os.path.dirname(index)] = digests
        self.count = seed * 10**6
        self.backups: list[Step] = []
        self.collection: Step | None = None

    # --- chunks -------------------------------------------------------------------------------------------------------

    def chunk_path(self, digest: str) -> str:
        return f"{self.base}/.chunks/{digest[:4]}/{digest}"

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
            touch_atime(self.chunk_path(digest), None)
        except OSError as error:
            if error.errno == errno.EPERM and digest in self.foreign:
                self.done["touches refused, the chunk being somebody else's before the repair"] += 1
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
                file.write(stores.fixed_index(digests, len(digests) * stores.CHUNK_SIZE))
            os.rename(temporary, index)
            yield
            self.replace(snapshot + "/index.json.blob", stores.blob(b'{"files": []}'))
            self.snapshots[snapshot] = digests
            self.done["snapshots made"] += 1
        except Aborted:
            self.remove_snapshot(snapshot)
        finally:
            self.lock.end_writing(began)

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
            started = time.time()
            # As PBS has it: what was in use when the oldest backup began is in use still.
            oldest_writer = min(self.lock.writers, default=started)
            cutoff = started - CUTOFF
            if oldest_writer < cutoff:
                cutoff = oldest_writer - CUTOFF_SLACK
            yield from self.mark()
            yield from self.sweep(int(cutoff))
            self.replace(
                self.base + "/.gc-status", json.dumps({"upid": None, "disk-chunks": len(self.present)}).encode()
            )
            self.done["garbage collections"] += 1
        except Aborted:
            self.done["garbage collections stopped by what was wrong before"] += 1
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

    def mark(self) -> Step:
        touched: set[str] = set()
        for _index, digests in self.indexes():
            for digest in digests:
                if digest not in touched:
                    touched.add(digest)
                    self.touch_needed(digest)
                    yield

    def indexes(self) -> Iterator[tuple[str, list[str]]]:
        """Every index file with its digests, found by a walk that leaves out hidden names."""
        for directory, directories, files in os.walk(self.base, onerror=self.unreadable):
            directories[:] = [name for name in directories if not name.startswith(".")]
            for name in files:
                if name.startswith(".") or not name.endswith(".fidx"):
                    continue
                try:
                    with open(f"{directory}/{name}", "rb") as file:
                        content = file.read()
                except FileNotFoundError:
                    continue  # pruned meanwhile
                fail_if((len(content) - 4096) % 32 != 0 or len(content) <= 4096, f"unexpected file size: {name}")
                yield (
                    f"{directory}/{name}",
                    [content[place : place + 32].hex() for place in range(4096, len(content), 32)],
                )

    def unreadable(self, error: OSError) -> None:
        forgiven = error.filename == self.base + "/lost+found"
        if not (isinstance(error, FileNotFoundError) or forgiven):
            raise error

    def touch_needed(self, digest: str) -> None:
        try:
            self.touch(digest)
        except FileNotFoundError:
            raise Surprise(f"unable to access non-existent chunk {digest}") from None

    def sweep(self, cutoff: int) -> Step:
        for prefix in self.prefixes:
            with os.scandir(f"{self.base}/.chunks/{prefix}") as entries:
                found = [entry.name for entry in entries if _CHUNK.match(entry.name)]
            for name in found:
                path = f"{self.base}/.chunks/{prefix}/{name}"
                # Looked at and unlinked in one go, as PBS does it under its mutex.
                status = os.lstat(path)
                if stat.S_ISREG(status.st_mode) and int(status.st_atime) < cutoff:
                    os.unlink(path)
                    self.present.discard(name)
                    self.done["chunks swept"] += 1
            yield

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
                if not _CHUNK.match(name):
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
                touch_atime(f"{directory}/{name}", None)
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
        if what == "mended":
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


class PbsDaemon:
    """The test's end of it. `begin()`, look at the store, `end(operations)`; `errors` shall stay empty.

    pid: of the daemon. done: what it has done, by kind. operations: how many steps in all.
    """

    def __init__(self, pid: int, commands: int, answers: int) -> None:
        self.pid = pid
        self.done: dict[str, int] = {}
        self.errors: list[str] = []
        self.operations = 0
        self._commands = commands
        self._answers = os.fdopen(answers, "rb")

    def _tell(self, **command: Any) -> None:
        try:
            os.write(self._commands, json.dumps(command).encode() + b"\n")
        except BrokenPipeError:
            raise AssertionError(DIED) from None

    def _hear(self) -> dict[str, Any]:
        line = self._answers.readline()
        assert line, DIED
        answer = json.loads(line)
        self.done, self.errors = answer["done"], answer["errors"]
        self.operations += answer.get("operations", 0)
        return answer

    def _ask(self, **command: Any) -> dict[str, Any]:
        self._tell(**command)
        return self._hear()

    def begin(self, operations: int) -> None:
        """Let it work, for so many operations at least, and until `end`."""
        self._tell(do="work", operations=operations)

    def end(self) -> None:
        self._tell(do="nothing")
        self._hear()
        self._hear()

    def mended(self) -> None:
        """From now on no chunk is somebody else's."""
        self._ask(do="mended")

    def hold(self, *, exclusive: bool) -> None:
        """Hold the lock on `.lock` as garbage collection does, or as a backup does."""
        self._ask(do="hold", exclusive=exclusive)

    def release(self) -> None:
        self._ask(do="release")

    def inspect(self) -> dict[str, Any]:
        """End what is under way, then look whether everything is as it should be; what is not is in `errors`."""
        self._ask(do="finish")
        return self._ask(do="inspect")


def _serve(base: str, seed: int, foreign: set[str], commands: int, answers: int) -> None:
    proxy = Proxy(base, seed, foreign)
    with os.fdopen(commands, "rb", buffering=0) as lines:
        for line in lines:
            command = json.loads(line)
            answer = {} if command["do"] == "nothing" else proxy.answer(command, commands)
            answer.update(done=dict(proxy.done), errors=proxy.errors[:20])
            os.write(answers, json.dumps(answer).encode() + b"\n")


@contextlib.contextmanager
def as_backup(task: Any) -> Iterator[int]:
    """Run `task()` in a child that is `backup`, and that dies with us; its process id. Killed at the end, unless the
    test has waited for its end itself."""
    uid, gid = stores.backup_ids()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            die_with_parent(signal.SIGKILL)
            os.umask(0o022)
            become(Identity(uid, gid, (gid,)))
            task()
            status = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@contextlib.contextmanager
def pbs_daemon(store: stores.ChunkStore | Path, seed: int = 0, foreign: set[str] | None = None) -> Iterator[PbsDaemon]:
    """A daemon that serves `store`. foreign: chunks that are somebody else's when it starts, so that it is refused."""
    command_reader, command_writer = os.pipe()
    answer_reader, answer_writer = os.pipe()

    def serve() -> None:
        os.close(command_writer)
        os.close(answer_reader)
        _serve(os.fspath(store), seed, set(foreign or ()), command_reader, answer_writer)

    with as_backup(serve) as pid:
        os.close(command_reader)
        os.close(answer_writer)
        daemon = PbsDaemon(pid, command_writer, answer_reader)
        try:
            yield daemon
        finally:
            os.close(command_writer)
            daemon._answers.close()
