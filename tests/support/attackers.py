# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The owner of a datastore as a hostile process that changes the datastore at will, and the victims that it attacks.

Victims belong to root and lie outside of the store. Nothing may happen to them: they are compared before and after,
timestamps included, and the kernel reports every open, change and new name meanwhile.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import hashlib
import itertools
import mmap
import os
import signal
import socket
import stat
import struct
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity, become, die_with_parent
from ansible_collections.fleetops.pbs.tests.support.pbs.store import ChunkStore, backup_ids, make_chunk_store

_libc = ctypes.CDLL(None, use_errno=True)
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def exchange(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> None:
    """Let two names change places, in one step: renameat2(2) with RENAME_EXCHANGE."""
    names = os.fsencode(one), os.fsencode(other)
    if _libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fspath(one))


# --- the attacker ------------------------------------------------------------------------------------------------------


class Attacker:
    """A process that does one thing over and over, as the owner of the store unless told otherwise.

    `turns` is how often it was done. Leaving the context ends the process; one that ended by itself fails the test.
    """

    def __init__(self, act: Callable[[], None], *, identity: Identity | None = None, pause: float = 0.0) -> None:
        self._act = act
        self._pause = pause
        uid, gid = backup_ids()
        self._identity = identity or Identity(uid, gid)
        self._memory = mmap.mmap(-1, 8)
        self._pid = 0

    @property
    def turns(self) -> int:
        return int(struct.unpack("Q", self._memory[:8])[0])

    def __enter__(self) -> Attacker:
        parent = os.getpid()
        self._errors, writer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            self._live(parent, writer)
        os.close(writer)
        # Nothing is tried before it is at work.
        while self.turns < 2:
            self._require_life()
            time.sleep(0.0005)
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            if exception[0] is None:
                self._require_life()
        finally:
            os.kill(self._pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._pid, 0)
            os.close(self._errors)

    def _require_life(self) -> None:
        if os.waitpid(self._pid, os.WNOHANG)[0]:
            raise AssertionError("the attacker has given up: " + os.read(self._errors, 65536).decode())

    def _live(self, parent: int, errors: int) -> NoReturn:
        # This is a copy of the test run: nothing may leave here.
        try:
            os.setsid()
            become(self._identity)
            die_with_parent(signal.SIGKILL, parent)
            for turn in itertools.count(1):
                self._act()
                self._memory[:8] = struct.pack("Q", turn)
                if self._pause:
                    time.sleep(self._pause)
        except BaseException:
            os.write(errors, traceback.format_exc().encode())
        finally:
            os._exit(1)


def swap(pairs: Sequence[tuple[Path, Path]]) -> Callable[[], None]:
    """Let one pair of names after the other change places."""
    turn = itertools.cycle(pairs)

    def act() -> None:
        exchange(*next(turn))

    return act


_MS_BIND = 0x1000
_MNT_DETACH = 2


def unbind(points: Iterable[Path]) -> None:
    """Take away what is mounted there."""
    for point in points:
        while _libc.umount2(os.fsencode(point), _MNT_DETACH) == 0:
            pass


def bind_and_unbind(pairs: Sequence[tuple[Path, Path]]) -> Callable[[], None]:
    """Mount something of the same filesystem over one name after the other, and take it away: root's own mistake."""
    turn = itertools.cycle(pairs)

    def act() -> None:
        point, source = next(turn)
        if _libc.mount(os.fsencode(source), os.fsencode(point), b"none", _MS_BIND, None) != 0:
            raise OSError(ctypes.get_errno(), "mount", os.fspath(point))
        time.sleep(0.003)
        if _libc.umount2(os.fsencode(point), _MNT_DETACH) != 0:
            raise OSError(ctypes.get_errno(), "umount2", os.fspath(point))

    return act


# --- what it puts there ------------------------------------------------------------------------------------------------


def link(path: Path, target: Path) -> None:
    path.symlink_to(target)


def hard_link(path: Path, target: Path) -> None:
    """Made by root: where fs.protected_hardlinks is off, anyone may."""
    os.link(target, path)


def fifo(path: Path, _target: Path) -> None:
    os.mkfifo(path, 0o666)


def unix_socket(path: Path, _target: Path) -> None:
    # A socket's address is short, a path is not.
    fd = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(f"/proc/self/fd/{fd}/{path.name}")
    finally:
        os.close(fd)


def device(path: Path, _target: Path) -> None:
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero: endless if it is read


def block_device(path: Path, _target: Path) -> None:
    os.mknod(path, stat.S_IFBLK | 0o666, os.makedev(7, 250))  # a loop device that nobody has


def directory(path: Path, _target: Path) -> None:
    path.mkdir()


@dataclasses.dataclass(frozen=True)
class Bait:
    """Something that does not belong into a store, and how results call it."""

    kind: str
    make: Callable[[Path, Path], None]
    to: str = ""
    """The part of the victim that it leads to."""


BAITS = (
    Bait("link", link, "single"),
    Bait("link", link, "chunks"),
    Bait("link", link, "nothing"),
    Bait("hardlink", hard_link, "shadow"),
    Bait("fifo", fifo),
    Bait("socket", unix_socket),
    Bait("device", device),
    Bait("device", block_device),
    Bait("directory", directory),
)


def put(bait: Bait, path: Path, victims: Victims, place: Path | None = None) -> Path:
    """Make the bait at a name, as root; what is not a hard link is given to the attacker.

    place: where it will be moved to. Links are relative to it: they lead to the victim without leaving the filesystem.
    """
    target = victims.path / bait.to
    if bait.make is link:
        target = Path(os.path.relpath(target, (place or path).parent))
    bait.make(path, target)
    if bait.make is not hard_link:
        os.chown(path, *backup_ids(), follow_symlinks=False)
    return path


# --- the victims -------------------------------------------------------------------------------------------------------

_EVENTS = {
    0x001: "read",
    0x002: "written",
    0x004: "attributes changed",
    0x020: "opened",
    0x040: "moved away",
    0x080: "moved in",
    0x100: "created",
    0x200: "removed",
}
_IN_DONT_FOLLOW = 0x02000000
_IN_NONBLOCK = 0o4000
_IN_CLOEXEC = 0o2000000
_Q_OVERFLOW = 0x4000
_IN_ISDIR = 0x40000000
_READING = 0x21


class Watch:
    """Has the kernel tell of everything that happens to files and directories: inotify(7)."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._fd = _libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._paths: dict[int, Path] = {}
        for path in paths:
            number = _libc.inotify_add_watch(self._fd, os.fsencode(path), sum(_EVENTS) | _IN_DONT_FOLLOW)
            if number < 0:
                raise OSError(ctypes.get_errno(), "inotify_add_watch", os.fspath(path))
            self._paths[number] = path

    def events(self, listed: bool = False) -> list[str]:
        """What happened since the last call, as "what: where"; with `listed` it is all right to list directories."""
        found = []
        while True:
            try:
                data = os.read(self._fd, 1 << 16)
            except BlockingIOError:
                return found
            while data:
                number, mask, _cookie, length = struct.unpack_from("iIII", data)
                name = data[16 : 16 + length].rstrip(b"\0")
                data = data[16 + length :]
                assert not mask & _Q_OVERFLOW, "more happened than the kernel could tell"
                if listed and mask & _IN_ISDIR:
                    mask &= ~_READING
                where = f"{self._paths[number]} {os.fsdecode(name)}".rstrip()
                found += [f"{what}: {where}" for bit, what in _EVENTS.items() if mask & bit]

    def close(self) -> None:
        os.close(self._fd)


class Victims:
    """A tree owned by root that looks like parts of a datastore, so that whoever gets there finds something to repair.

    `shadow` is a file that only root may read, and hard links lead to it; `single` is one without. `chunks` and `base` look like prefix directories and groups.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.mkdir(mode=0o755)
        self.shadow = path / "shadow"
        self.shadow.write_bytes(b"root:secret of the victim\n")
        self.shadow.chmod(0o600)
        (path / "single").write_bytes(b"another secret\n")
        (path / "single").chmod(0o600)
        base = make_chunk_store(path / "base", prefixes=1, zero_chunk=True, uid=0, gid=0)
        base.add_prefixes(range(1, 4))
        base.add_chunks(12)
        base.add_snapshot()
        base.path.chmod(0o700)
        (path / "chunks").mkdir(mode=0o700)
        for number in range(4):
            digest = hashlib.sha256(b"victim %d" % number).hexdigest()
            (path / "chunks" / digest).write_bytes(b"root's own")
            (path / "chunks" / digest).chmod(0o600)
        # Without a chunk store, as a directory of the system is; with names that groups have.
        (path / "plain/vm/100").mkdir(parents=True)
        (path / "plain/vm/100/owner").write_bytes(b"root@pam\n")
        (path / "plain").chmod(0o700)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def all(self) -> Iterator[Path]:
        yield self.path
        for where, names, files in os.walk(self.path):
            yield from (Path(where, name) for name in names + files)

    def state(self, linked: bool) -> dict[str, tuple[object, ...]]:
        """Everything about every file. With `linked`, no ctime: renaming a hard link changes it, which anyone may."""
        found: dict[str, tuple[object, ...]] = {}
        for path in self.all():
            status = path.lstat()
            content = b""
            if stat.S_ISREG(status.st_mode):
                fd = os.open(path, os.O_RDONLY | os.O_NOATIME)
                with open(fd, "rb") as file:
                    content = file.read()
            times = (status.st_atime_ns, status.st_mtime_ns, 0 if linked else status.st_ctime_ns)
            found[os.fspath(path)] = (status.st_mode, status.st_uid, status.st_gid, status.st_ino, content, *times)
        return found

    @contextlib.contextmanager
    def unharmed(self, *more: Path, linked: bool = False, listed: bool = False) -> Iterator[None]:
        """Nothing happens to the victims meanwhile, nor is a file of `more` opened or changed.

        linked: the attacker has hard links to victims, which it may rename. listed: their directories may be listed,
        because the path of the datastore itself leads there.
        """
        # Listing moves the access time of a directory once; then it is the same before and after.
        self.state(linked)
        before = self.state(linked)
        watch = Watch([*self.all(), *more])
        try:
            yield
            events = watch.events(listed)
        finally:
            watch.close()
        # Listing them for the comparison is the only thing that may have happened since.
        after = self.state(linked)
        assert not events, "\n".join(events[:10])
        changed = {path for path in {*before, *after} if _without_atime(before, path) != _without_atime(after, path)}
        assert not changed, "\n".join(f"{path}: {before.get(path)}\n -> {after.get(path)}" for path in sorted(changed))
        files = {path for path in before if stat.S_ISREG(before[path][0])}  # type: ignore[arg-type]
        assert {path: before[path][5] for path in files} == {path: after[path][5] for path in files}


def _without_atime(state: dict[str, tuple[object, ...]], path: str) -> tuple[object, ...] | None:
    """Our own listing moves a directory's access time; the events show that no other process lists it."""
    entry = state.get(path)
    return None if entry is None else (*entry[:5], *entry[6:])


# --- stores ------------------------------------------------------------------------------------------------------------


def small_store(path: Path, prefixes: int = 8, chunks: int = 64) -> ChunkStore:
    """A store with prefix directories 0000 and following, and everything else that PBS makes."""
    store = make_chunk_store(path, prefixes=1, zero_chunk=False)
    store.add_prefixes(range(1, prefixes))
    store.add_chunks(chunks)
    store.add_zero_chunk()
    store.file(path / ".gc-status", b"{}")
    store.add_snapshot("vm/100")
    store.add_snapshot("ct/101", namespace=["tenant"])
    return store


def attic(store: ChunkStore) -> Path:
    """A hidden directory of the attacker's in the store, where names wait to be exchanged."""
    return store.directory(store.path / ".attic", 0o755)
