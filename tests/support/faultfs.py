# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pass-through FUSE filesystem whose faults are chosen while it runs.

usage: faultfs.py SOURCE MOUNTPOINT CONTROL [--attr-timeout SECONDS] [--no-locks] [--options FLAG,...]

CONTROL is a file, outside of the tree, that holds the faults that are in force, with commas between them:

ok                   none
ignore               utimensat() succeeds, the access time stays
forget               utimensat() answers with the new access time, and then it is the old one again
day, second          the access time is rounded down to a whole day (as vfat does), to a second
now                  utimensat() sets the access time to now, whatever was asked
delay:SECONDS        a new access time shows only later
clock:SECONDS        the server's clock is that much ahead (negative: behind) when it fills in the time
read-updates         reading a file updates its access time
chown-ignored        chown() succeeds, the owner stays
readdir-loop         listing a directory begins again at its end, for ever
errno:NAME[@OP+...[#N]]  the operations (default: utimens; `all` for each) fail with that error, from the Nth on since
                     the fault was put in force
monkey:SEED/PERCENT  so many of all operations, chosen by chance, fail with an error chosen by chance
root-squash          root is nobody here, as a file server has it: no rights but those of others, no chown
all-squash           so is every other user
refuse-root          root gets no answer but EACCES, as on a FUSE mount of another user
hang:PATH            nothing at or below PATH (`/` for everything) is answered until the fault is taken back; who
                     waits for it cannot be killed. With libfuse 3.14 the kernel looks up one unknown name at a time
                     in a directory: use the names beside PATH once before, or hang a whole filesystem

A fault takes effect with the next operation after CONTROL was written; replace that file, do not rewrite it.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import errno
import os
import random
import signal
import sys
import threading
import time

import mfusepy as fuse

# Not ENOENT: glibc takes it for the end of a listing, and a name that is gone is none of our errors.
MONKEY_ERRORS = (
    "EIO",
    "ENOSPC",
    "EDQUOT",
    "EROFS",
    "ESTALE",
    "EACCES",
    "EPERM",
    "ENOTCONN",
    "ENOMEM",
    "EBUSY",
    "EINVAL",
)

NOBODY = 65534

SECOND = 10**9
DAY = 86400 * SECOND

# What libfuse hands on in place of nanoseconds, with zero seconds.
UTIME_NOW = 0x3FFFFFFF
UTIME_OMIT = 0x3FFFFFFE

PR_SET_PDEATHSIG = 1

# A test that walks into its own trap cannot be killed, and so cannot clean up: after so many seconds the daemon ends
# itself, and everyone who waits for it gets an error. Far beyond any deadline that a test waits for.
HANG_LIMIT = 120

STATVFS = ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_favail", "f_ffree", "f_files", "f_frsize", "f_namemax")


class FaultFS(fuse.Operations):
    use_ns = True

    def __init__(self, root: str, control: str) -> None:
        self.root = os.path.realpath(root)
        self.control = control
        self.lock_state = threading.Lock()
        self.pending: dict[str, tuple[float, int]] = {}  # path: (monotonic time when it shows, access time)
        self.answer_once: dict[str, int] = {}  # path: access time that the next getattr shows
        self.counted = ("", 0)  # a fault that waits for its turn, and the operations that it has seen
        self.monkey = ("", random.Random())  # the fault that it belongs to, and its choices
        self.listings: dict[int, list[tuple[str, dict]]] = {}
        self.next_handle = 1

    # --- faults -------------------------------------------------------------------------------------------------------

    def faults(self) -> dict[str, str]:
        with open(self.control) as handle:
            return dict(fault.partition(":")[::2] for fault in handle.read().strip().split(",") if fault)

    def enter(self, operation: str, path: str) -> dict[str, str]:
        """The faults in force for one operation, after those that it ends with or waits for."""
        faults = self.faults()
        give_up = time.monotonic() + HANG_LIMIT
        while "hang" in faults and (path + "/").startswith(faults["hang"].rstrip("/") + "/"):
            if time.monotonic() > give_up:
                os._exit(1)
            time.sleep(0.02)
            faults = self.faults()
        if "errno" in faults:
            self.fail_in_turn(operation, faults["errno"])
        if "monkey" in faults:
            self.fail_by_chance(faults["monkey"])
        if {"root-squash", "all-squash", "refuse-root"} & faults.keys():
            self.check_rights(operation, path, faults)
        return faults

    def fail_in_turn(self, operation: str, fault: str) -> None:
        name, operations = fault.partition("@")[::2]
        operations, first = operations.partition("#")[::2]
        if operations != "all" and operation not in (operations or "utimens").split("+"):
            return
        with self.lock_state:
            known, seen = self.counted
            self.counted = (fault, seen + 1 if known == fault else 1)
            due = self.counted[1] >= int(first or 1)
        if due:
            raise fuse.FuseOSError(getattr(errno, name))

    def fail_by_chance(self, fault: str) -> None:
        seed, percent = fault.split("/")
        with self.lock_state:
            if self.monkey[0] != fault:
                self.monkey = (fault, random.Random(seed))
            chance = self.monkey[1]
            name = chance.choice(MONKEY_ERRORS) if chance.random() * 100 < float(percent) else ""
        if name:
            raise fuse.FuseOSError(getattr(errno, name))

    def caller(self, faults: dict[str, str]) -> tuple[int, int]:
        """Who asks, as the file server sees it."""
        uid, gid, _pid = fuse.fuse_get_context()
        squashed = "all-squash" in faults or ("root-squash" in faults and uid == 0)
        return (NOBODY, NOBODY) if squashed else (uid, gid)

    def check_rights(self, operation: str, path: str, faults: dict[str, str]) -> None:
        """What the kernel does not check, since root is root for it."""
        if "refuse-root" in faults and fuse.fuse_get_context()[0] == 0:
            raise fuse.FuseOSError(errno.EACCES)
        if self.caller(faults)[0] != NOBODY:
            return
        above = os.path.dirname(path)
        while True:
            self.check_mode(above, 1)
            if above == "/":
                break
            above = os.path.dirname(above)
        if operation in ("create", "mkdir", "mknod", "symlink", "link", "unlink", "rmdir", "rename"):
            self.check_mode(os.path.dirname(path), 3)
        elif operation in ("opendir", "readdir", "open", "read"):
            self.check_mode(path, 4)
        elif operation in ("write", "truncate"):
            self.check_mode(path, 2)
        elif operation == "chown" or (
            operation in ("chmod", "utimens") and os.lstat(self.source(path)).st_uid != NOBODY
        ):
            raise fuse.FuseOSError(errno.EPERM)

    def check_mode(self, path: str, wanted: int) -> None:
        status = os.lstat(self.source(path))
        bits = status.st_mode >> (6 if status.st_uid == NOBODY else 3 if status.st_gid == NOBODY else 0)
        if bits & wanted != wanted:
            raise fuse.FuseOSError(errno.EACCES)

    def now(self, faults: dict[str, str]) -> int:
        return time.time_ns() + int(float(faults.get("clock", "0")) * SECOND)

    def source(self, path: str) -> str:
        return self.root + path

    def belongs_to_caller(self, path: str, faults: dict[str, str]) -> None:
        uid, gid = self.caller(faults)
        target = self.source(path)
        parent = os.lstat(os.path.dirname(target))
        os.lchown(target, uid, -1 if parent.st_mode & 0o2000 else gid)
        if "clock" in faults:
            now = self.now(faults)
            os.utime(target, ns=(now, now), follow_symlinks=False)

    # --- attributes ---------------------------------------------------------------------------------------------------

    def getattr(self, path, fh=None):
        self.enter("getattr", path)
        st = os.lstat(self.source(path))
        atime = st.st_atime_ns
        with self.lock_state:
            if path in self.pending and time.monotonic() >= self.pending[path][0]:
                atime = self.pending.pop(path)[1]
                os.utime(self.source(path), ns=(atime, st.st_mtime_ns), follow_symlinks=False)
            atime = self.answer_once.pop(path, atime)
        fields = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_blocks", "st_ino", "st_rdev")
        attributes = {field: getattr(st, field) for field in fields}
        attributes.update(st_atime=atime, st_mtime=st.st_mtime_ns, st_ctime=st.st_ctime_ns)
        return attributes

    def utimens(self, path, times=None):
        faults = self.enter("utimens", path)
        st = os.lstat(self.source(path))
        now = self.now(faults)
        atime, mtime = times or (UTIME_NOW, UTIME_NOW)
        atime = {UTIME_NOW: now, UTIME_OMIT: st.st_atime_ns}.get(atime, atime)
        mtime = {UTIME_NOW: now, UTIME_OMIT: st.st_mtime_ns}.get(mtime, mtime)
        if "now" in faults:
            atime = now
        if "day" in faults:
            atime -= atime % DAY
        if "second" in faults:
            atime -= atime % SECOND
        with self.lock_state:
            if "forget" in faults:
                self.answer_once[path] = atime
            if "delay" in faults:
                self.pending[path] = (time.monotonic() + float(faults["delay"]), atime)
        if {"ignore", "forget", "delay"} & faults.keys():
            atime = st.st_atime_ns
        os.utime(self.source(path), ns=(atime, mtime), follow_symlinks=False)
        return 0

    def chmod(self, path, mode):
        self.enter("chmod", path)
        os.chmod(self.source(path), mode)
        return 0

    def chown(self, path, uid, gid):
        if "chown-ignored" not in self.enter("chown", path):
            os.lchown(self.source(path), uid, gid)
        return 0

    def statfs(self, path):
        self.enter("statfs", path)
        status = os.statvfs(self.source(path))
        return {key: getattr(status, key) for key in STATVFS}

    # --- directories --------------------------------------------------------------------------------------------------

    def opendir(self, path):
        self.enter("opendir", path)
        with self.lock_state:
            handle = self.next_handle
            self.next_handle += 1
        return handle

    def listing(self, path: str, offset: int, fh: int) -> list[tuple[str, dict]]:
        """The names as they were when the reading began: pages of one listing have to fit together."""
        if offset == 0:
            with os.scandir(self.source(path)) as entries:
                names = [(entry.name, entry.inode()) for entry in entries]
            found = []
            for name, inode in names:
                with contextlib.suppress(FileNotFoundError):
                    mode = os.lstat(os.path.join(self.source(path), name)).st_mode
                    found.append((name, {"st_mode": mode, "st_ino": inode}))
            own = {"st_mode": 0o40755, "st_ino": os.lstat(self.source(path)).st_ino}
            self.listings[fh] = [(".", own), ("..", {"st_mode": 0o40755, "st_ino": 1}), *found]
        return self.listings.get(fh, [])

    def readdir_with_offset(self, path, offset, fh):
        loop = "readdir-loop" in self.enter("readdir", path)
        entries = self.listing(path, offset, fh)
        while loop or offset < len(entries):
            name, attributes = entries[offset % len(entries)]
            offset += 1
            yield name, attributes, offset

    def releasedir(self, path, fh):
        self.listings.pop(fh, None)
        return 0

    def mkdir(self, path, mode):
        faults = self.enter("mkdir", path)
        os.mkdir(self.source(path), mode)
        self.belongs_to_caller(path, faults)
        return 0

    def rmdir(self, path):
        self.enter("rmdir", path)
        os.rmdir(self.source(path))
        return 0

    # --- files --------------------------------------------------------------------------------------------------------

    def open(self, path, flags):
        self.enter("open", path)
        return os.open(self.source(path), flags)

    def create(self, path, mode, fi=None):
        faults = self.enter("create", path)
        descriptor = os.open(self.source(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        self.belongs_to_caller(path, faults)
        return descriptor

    def mknod(self, path, mode, dev):
        faults = self.enter("mknod", path)
        os.mknod(self.source(path), mode, dev)
        self.belongs_to_caller(path, faults)
        return 0

    def read(self, path, size, offset, fh):
        faults = self.enter("read", path)
        data = os.pread(fh, size, offset)
        if "read-updates" in faults:
            os.utime(fh, ns=(self.now(faults), os.fstat(fh).st_mtime_ns))
        return data

    def write(self, path, data, offset, fh):
        self.enter("write", path)
        return os.pwrite(fh, data, offset)

    def truncate(self, path, length, fh=None):
        self.enter("truncate", path)
        os.truncate(self.source(path), length)
        return 0

    def fsync(self, path, datasync, fh):
        self.enter("fsync", path)
        os.fsync(fh)
        return 0

    def release(self, path, fh):
        os.close(fh)
        return 0

    # --- names --------------------------------------------------------------------------------------------------------

    def unlink(self, path):
        self.enter("unlink", path)
        os.unlink(self.source(path))
        with self.lock_state:
            self.pending.pop(path, None)
        return 0

    def rename(self, old, new):
        self.enter("rename", old)
        os.rename(self.source(old), self.source(new))
        with self.lock_state:
            if old in self.pending:
                self.pending[new] = self.pending.pop(old)
        return 0

    def readlink(self, path):
        self.enter("readlink", path)
        return os.readlink(self.source(path))

    def symlink(self, target, source):
        faults = self.enter("symlink", target)
        os.symlink(source, self.source(target))
        self.belongs_to_caller(target, faults)
        return 0

    def link(self, target, source):
        self.enter("link", target)
        os.link(self.source(source), self.source(target), follow_symlinks=False)
        return 0


class WithoutLocks(FaultFS):
    """Where POSIX record locks fail, as on a network filesystem without its lock service."""

    def lock(self, path, fh, cmd, lock):
        raise fuse.FuseOSError(errno.ENOLCK)


def main() -> None:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("source")
    parser.add_argument("mountpoint")
    parser.add_argument("control")
    parser.add_argument("--attr-timeout", type=float, default=0)
    parser.add_argument("--no-locks", action="store_true")
    parser.add_argument("--options", default="")
    arguments = parser.parse_args()
    if fuse.fuse_version_major < 3:
        sys.exit(
            "faultfs.py needs libfuse 3: with libfuse 2 no touch of the access time alone arrives (see FUSE_LIBRARY_PATH)"
        )
    # Who mounted it may be killed at any moment, and no other process would end this one.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.umask(0)  # modes arrive as they were asked for
    filesystem = WithoutLocks if arguments.no_locks else FaultFS
    fuse.FUSE(
        filesystem(arguments.source, arguments.control),
        arguments.mountpoint,
        foreground=True,
        nothreads=False,  # one operation that hangs must not hold the others
        allow_other=True,
        default_permissions=True,
        use_ino=True,
        fsname="faultfs",
        subtype="faultfs",
        attr_timeout=arguments.attr_timeout,
        entry_timeout=arguments.attr_timeout,
        **dict.fromkeys(filter(None, arguments.options.split(",")), True),
    )


if __name__ == "__main__":
    main()
