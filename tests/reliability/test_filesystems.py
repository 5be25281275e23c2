# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filesystems that fail.

Each fault has to come out as the right status of the right control, with the error and the place by name and with the
remedy for this cause; and whatever fails, and whenever: the run ends in time, its document is valid, nothing passes
that nobody has seen, and the next run finds nothing of this one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import struct
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._atime_check import check_atime
from ansible_collections.fleetops.pbs.plugins.module_utils._chunk_ownership import chunk_ownership
from ansible_collections.fleetops.pbs.plugins.module_utils._creation import RefusedError, decide
from ansible_collections.fleetops.pbs.plugins.module_utils._manage import completion as completion_module
from ansible_collections.fleetops.pbs.plugins.module_utils._observe import chunk_store as chunk_store_module
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.account import observe_account
from ansible_collections.fleetops.pbs.plugins.module_utils._options.common import OptionError
from ansible_collections.fleetops.pbs.plugins.module_utils._preflight import preflight
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.tests.support import faults, mounts
from ansible_collections.fleetops.pbs.tests.support.findings import finding, valid
from ansible_collections.fleetops.pbs.tests.support.options import PREFLIGHT_OPTIONS, REPAIR_OPTIONS
from ansible_collections.fleetops.pbs.tests.support.pbs.store import ChunkStore, backup_ids, make_chunk_store
from ansible_collections.fleetops.pbs.tests.support.waiting import until

pytestmark = pytest.mark.root

FEW_PREFIXES = 16
DEADLINE = 30.0  # seconds that a datastore has to answer which does answer
IMPATIENT = 3.0  # the same where it is known that no answer will come
GENEROUS = 200.0  # seconds in which a run has to end that waits for nothing longer than its deadlines


@pytest.fixture
def few_prefixes(monkeypatch, walk_only):
    """A whole store has 16 prefix directories: each name costs a message to the daemon of a FUSE filesystem."""
    walk_only(range(FEW_PREFIXES))
    for module in (chunk_store_module, completion_module):
        monkeypatch.setattr(module, "PREFIX_COUNT", FEW_PREFIXES)


def small_store(path: Path, **more: Any) -> ChunkStore:
    """A whole store of that kind: 0000 to 000f with chunks, the zero chunk in its own, and a snapshot."""
    store = make_chunk_store(path, prefixes=1, **more)
    store.add_prefixes(range(1, FEW_PREFIXES))
    store.add_chunks(2 * FEW_PREFIXES)
    store.add_snapshot()
    return store


def look(
    stores: Mapping[str, Path], on_progress: Any = None, deadline: float = DEADLINE, **more: Any
) -> Mapping[str, Any]:
    """A preflight over these datastores, as the module does it; the document is valid, and there in time."""
    options = {
        **PREFLIGHT_OPTIONS,
        "datastores": [{"name": name, "path": os.fspath(path)} for name, path in stores.items()],
        "deadline": deadline,
        "stall": deadline,
    }
    began = time.monotonic()
    document = preflight({**options, **more}, check_mode=False, on_progress=on_progress).document
    assert time.monotonic() - began < GENEROUS
    return valid(document)


def leftovers(base: Path) -> list[Path]:
    return [path for path in base.rglob(".*") if path.name.startswith(".fleetops")]


# --- one fault, all the time -------------------------------------------------------------------------------------------


class Says(NamedTuple):
    """What a control has to say: parts of its message and of its remedy. PATH and POINT stand for the places."""

    control: str
    status: str
    message: tuple[str, ...] = ()
    remedy: tuple[str, ...] = ()

    def check(self, title: str, document: Mapping[str, Any], name: str, places: Mapping[str, str]) -> None:
        found = finding(document, self.control, name)
        typed = "\n".join([found["remedy"], *found["commands"]])
        told = f"{title}: {self.control} {found['status']}: {found['message']} -> {typed}"
        assert found["status"] == self.status, told
        for text, parts in ((found["message"], self.message), (typed, self.remedy)):
            for part in parts:
                wanted = part.replace("PATH", places["PATH"]).replace("POINT", places["POINT"])
                assert wanted in text, f"{wanted!r} is not in: {told}"


class Case(NamedTuple):
    fault: str
    says: tuple[Says, ...]
    mount: Mapping[str, Any] = {}

    def __str__(self) -> str:
        return " ".join([self.fault, *(f"{key}={value}" for key, value in self.mount.items())])


ATIME, REFRESH, ZERO, STAMPS = "PBS-ATIME-01", "PBS-ATIME-02", "PBS-ATIME-03", "PBS-ATIME-06"
WRITABLE, SPACE, NETWORK, DISTINCT, LOCKS = (f"PBS-MOUNT-{number}" for number in ("04", "08", "09", "12", "13"))
OWNERS = tuple(f"PBS-OWNER-0{number}" for number in range(1, 8))
WHOLE = "PBS-CONF-06"

DISKS = ("the kernel's messages and at the disks", "dmesg --level err,warn")
ROOM = ("Free space or inodes on PATH",)
QUOTA = ("Raise the quota of 'backup' on PATH",)
AGAIN = ("umount -l POINT", "restart the PBS daemons")
BEHIND = ("exports it read-only",)
SERVER = ("the server of faultfs",)
MOVE = ("honour", "access times")
SILENT = ("faultfs (fuse.faultfs) does not answer",)
REPAIR = ("fsck", "umount POINT")


def everything(status: str, message: tuple[str, ...], remedy: tuple[str, ...], *controls: str) -> tuple[Says, ...]:
    return tuple(Says(control, status, message, remedy) for control in controls)


def refused(name: str, remedy: tuple[str, ...], control: str) -> Case:
    """The touch ends with an error: as the daemon's would, on every chunk."""
    return Case(
        f"errno:{name}@utimens",
        (
            Says(ATIME, "fail", ("A touch in PATH as uid 34 was refused", name), remedy),
            Says(REFRESH, "skip"),
            Says(ZERO, "fail", ("cannot touch the zero chunk", "PATH/.chunks/bb9f/bb9f8d", name), remedy),
            Says(control, "fail" if control != STAMPS else "unknown", ("PATH", name), remedy),
            Says("PBS-OWNER-03", "pass"),
        ),
    )


def not_made(name: str, remedy: tuple[str, ...], control: str) -> Case:
    """No file can be made: what is there can still be touched, so it is not atime that fails."""
    return Case(
        f"errno:{name}@create",
        (
            Says(control, "fail", ("no file could be made as uid 34 in PATH", name), remedy),
            Says(ATIME, "pass", ("The zero chunk's atime moved", name)),
            Says(ZERO, "pass"),
            Says(STAMPS, "unknown", ("PATH", name), remedy),
            Says(LOCKS, "unknown", ("PATH", name), remedy),
        ),
    )


def unreachable(name: str, remedy: tuple[str, ...]) -> Case:
    """Not even the path can be looked at: nothing is known, nothing is skipped, and nothing passes."""
    return Case(
        f"errno:{name}@all",
        (
            Says(WHOLE, "fail", ("PATH", name), remedy),
            *everything("unknown", ("PATH", name), remedy, ATIME, REFRESH, ZERO, STAMPS, SPACE, DISTINCT, LOCKS),
            *everything("unknown", ("PATH", name), remedy, *OWNERS),
        ),
    )


def not_listed(name: str, remedy: tuple[str, ...], operation: str = "readdir") -> Case:
    return Case(
        f"errno:{name}@{operation}",
        (
            *everything("unknown", ("PATH", name), remedy, WHOLE, *OWNERS),
            *((Says(ATIME, "pass"),) if operation == "readdir" else (Says(ATIME, "fail", ("PATH", name), remedy),)),
        ),
    )


CASES = (
    # utimensat reports success, and the time has not changed
    Case("ok", (Says(ATIME, "pass"), Says(STAMPS, "pass"), Says(WHOLE, "pass"), Says("PBS-OWNER-03", "pass"))),
    Case(
        "ignore",
        (
            Says(
                ATIME,
                "fail",
                ("in PATH answered success as uid 34", "required is a later one"),
                (*MOVE, "do not run GC"),
            ),
            Says(REFRESH, "skip"),
            Says(ZERO, "fail", ("answered success",), MOVE),
            Says(STAMPS, "unknown", ("PATH", "did not keep")),
        ),
    ),
    Case("delay:30", (Says(ATIME, "fail", ("did not move forward",), MOVE), Says(ZERO, "fail", (), MOVE))),
    Case(
        "day",
        (
            Says(ATIME, "fail", ("did not move forward",), MOVE),
            Says(STAMPS, "fail", ("cut to 86400 s",), ("timestamps of a second or finer",)),
        ),
    ),
    Case("second", (Says(ATIME, "pass"), Says(REFRESH, "pass"), Says(STAMPS, "pass", ("1 s",)))),
    Case(
        "forget",
        (
            Says(ATIME, "pass"),
            Says(REFRESH, "fail", ("after a forced refresh", "came from a cache"), ("a dropped SETATTR does",)),
        ),
        {"attr_timeout": 3600},
    ),
    Case(
        "clock:3600", (Says(STAMPS, "fail", ("ahead of", "3600 s"), ("clock of the file server",)), Says(ATIME, "pass"))
    ),
    Case(
        "clock:-3600", (Says(STAMPS, "fail", ("behind", "3600 s"), ("clock of the file server",)), Says(ATIME, "pass"))
    ),
    # it says no
    refused("EIO", DISKS, WRITABLE),
    refused("ENOSPC", ROOM, SPACE),
    refused("EDQUOT", QUOTA, SPACE),
    refused("EROFS", BEHIND, WRITABLE),
    refused("ESTALE", AGAIN, STAMPS),
    refused("EHOSTDOWN", SERVER, STAMPS),
    Case(
        "errno:EPERM@utimens", (Says(ATIME, "fail", ("EPERM", "PATH/.chunks/bb9f"), ("a security module or an ACL",)),)
    ),
    not_made("EIO", DISKS, WRITABLE),
    not_made("EROFS", BEHIND, WRITABLE),
    not_made("ENOSPC", ROOM, SPACE),
    not_made("EDQUOT", QUOTA, SPACE),
    # one kind of question is not answered, or none is
    unreachable("EIO", DISKS),
    unreachable("ESTALE", AGAIN),
    unreachable("ENOTCONN", (*AGAIN, "why its process ended")),
    unreachable("EHOSTDOWN", SERVER),
    unreachable("EUCLEAN", REPAIR),
    unreachable("EACCES", ("Even root is refused", "no_root_squash")),
    not_listed("EIO", DISKS),
    not_listed("ESTALE", AGAIN),
    not_listed("EIO", DISKS, "opendir"),
    Case(
        "readdir-loop",
        (
            *everything("unknown", ("PATH", "ELOOP", "never ends"), ("listings do not end",), WHOLE, *OWNERS),
            Says(ATIME, "pass"),
        ),
    ),
    Case(
        "errno:EIO@statfs", (Says(SPACE, "unknown", ("PATH", "EIO"), DISKS), Says(ATIME, "pass"), Says(WHOLE, "pass"))
    ),
    Case("errno:EIO@open", (Says(REFRESH, "unknown", ("PATH", "EIO"), DISKS), Says(ATIME, "pass"))),
    Case("errno:EIO@unlink", (Says(ATIME, "pass", ("The next run removes", "EIO", "PATH/.chunks/bb9f")),)),
    Case("no locks", (Says(LOCKS, "fail", ("PATH", "ENOLCK"), ("nolock", "nobrl")),), {"locks": False}),
    # who asks makes the difference
    Case(
        "ok",
        (
            Says(
                WRITABLE,
                "fail",
                ("POINT", "the filesystem itself is read-only"),
                ("dmesg", "mount -o remount,rw POINT"),
            ),
            Says(ATIME, "fail", ("PATH", "EROFS", "filesystem at POINT is read-only"), ("remount,rw POINT",)),
        ),
        {"options": "ro"},
    ),
    *(
        Case(
            fault,
            (
                Says(NETWORK, "warn", ("Root has no access to PATH", "EACCES"), ("no_root_squash", "allow_other")),
                *everything("pass", (), (), ATIME, REFRESH, ZERO, STAMPS, LOCKS, WHOLE, *OWNERS),
            ),
        )
        for fault in ("root-squash", "refuse-root")
    ),
    Case(
        "all-squash",
        (
            Says(
                ATIME,
                "fail",
                ("uid 34 cannot make a file in PATH", "EACCES"),
                ("owners and modes from PATH downwards",),
            ),
            *everything("unknown", ("PATH", "EACCES"), ("Even root is refused", "no_root_squash"), WHOLE, *OWNERS),
        ),
    ),
)
SILENCE = Case(
    "hang:/",
    everything("unknown", ("PATH", "no answer"), SILENT, ATIME, ZERO, STAMPS, SPACE, DISTINCT, LOCKS, WHOLE, *OWNERS),
)
BATCH = 10


@pytest.fixture
def faulty_stores(few_prefixes):
    """`with faulty_stores(cases) as found`: a store behind each fault, by the name of its datastore."""

    @contextlib.contextmanager
    def make(cases: list[Case]) -> Iterator[dict[str, faults.FaultyMount]]:
        with contextlib.ExitStack() as stack:
            found = {}
            for number, case in enumerate(cases):
                mount = stack.enter_context(faults.faultfs(**case.mount))
                small_store(mount.source / "store")
                if case.fault != "no locks":
                    mount.set(case.fault)
                found[f"store{number}"] = mount
            yield found

    return make


def test_every_fault_has_its_control_and_its_remedy(campaign, faulty_stores):
    trial = campaign(
        f"{len(CASES) + 1} faults of a FUSE filesystem, ten datastores at a time: utimens ignored, late, rounded, undone or "
        "refused; errors of each kind of operation; silence; endless listings; clocks; locks; root without rights",
        "the right status of the right control, with errno, path and the remedy for this cause; valid documents",
    )
    batches = [*(CASES[start : start + BATCH] for start in range(0, len(CASES), BATCH)), [SILENCE]]
    for number in trial.rounds(len(batches), 5 * len(batches)):
        cases = list(batches[number % len(batches)])
        with faulty_stores(cases) as found:
            paths = {name: mount.path / "store" for name, mount in found.items()}
            document = look(paths, deadline=IMPATIENT if cases == [SILENCE] else DEADLINE)
            for (name, mount), case in zip(found.items(), cases):
                for says in case.says:
                    places = {"PATH": str(mount.path / "store"), "POINT": str(mount.path)}
                    says.check(str(case), document, name, places)
                trial.saw("told as it is")
                if case.fault.endswith("@unlink"):
                    mount.set("ok")
            look({name: mount.path / "store" for name, mount in found.items() if leftovers(mount.source)})
            assert not any(leftovers(mount.source) for mount in found.values())


# --- real filesystems --------------------------------------------------------------------------------------------------


def fill(path: Path) -> None:
    """Leave no byte."""
    with path.open("wb", buffering=0) as ballast:
        size = 1 << 20
        while size:
            with contextlib.suppress(OSError):
                while ballast.write(bytes(size)) == size:
                    pass
            size //= 2


def use_up_inodes(directory: Path) -> None:
    directory.mkdir()
    with contextlib.suppress(OSError):
        for number in range(10_000):
            (directory / str(number)).touch()


def use_up_quota(subvolume: Path) -> None:
    """Write until the limit of a btrfs subvolume is met, and then empty files, which need room for their names."""
    mounts.run("btrfs", "qgroup", "limit", "1M", subvolume)
    with contextlib.suppress(OSError), (subvolume / "ballast").open("wb", buffering=0) as ballast:
        for _each in range(200):
            ballast.write(os.urandom(1 << 16))
            os.fsync(ballast)
    with contextlib.suppress(OSError):
        for number in range(10_000):
            (subvolume / f"file{number}").touch()


def break_down(path: Path) -> None:
    """The filesystem stops, as after an error of its disk (FS_IOC_SHUTDOWN, without a last write)."""
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, 0x8004587D, struct.pack("I", 2))
    finally:
        os.close(fd)


def meet_an_error(path: Path) -> None:
    """ext4 finds its own structures damaged."""
    Path(f"/sys/fs/ext4/{os.path.basename(device(path))}/trigger_fs_error").write_text("a test")


def device(path: Path) -> str:
    return mounts.run("findmnt", "--noheadings", "--output", "SOURCE", "--target", path).strip()


class Ground(NamedTuple):
    """A filesystem, what is done to it, and what has to be reported of the store on it."""

    title: str
    fstype: str
    says: tuple[Says, ...]
    options: str = ""
    mkfs: tuple[str, ...] = ()
    zero_chunk: bool = True


NOWHERE = ("PATH", "EIO")
GROUNDS = (
    Ground(
        "full",
        "ext4",
        (
            Says(SPACE, "fail", ("0.0 % of the bytes",), ("grow the filesystem",)),
            Says(ATIME, "pass"),
            Says(WHOLE, "pass"),
        ),
    ),
    Ground(
        "no inodes",
        "ext4",
        (
            Says(SPACE, "fail", ("0.0 % of the inodes",), ("grow the filesystem",)),
            Says(ATIME, "fail", ("uid 34 cannot make a file in PATH", "ENOSPC"), ROOM),
            Says(ZERO, "skip"),
        ),
        mkfs=("-N", "128"),
        zero_chunk=False,
    ),
    Ground(
        "quota",
        "btrfs",
        (
            Says(
                SPACE,
                "fail",
                ("of the bytes", "no file could be made as uid 34 in PATH", "EDQUOT"),
                ("btrfs qgroup show -reF PATH", "Raise the limit of the qgroup of PATH"),
            ),
            Says(ATIME, "pass", ("The zero chunk's atime moved", "EDQUOT")),
        ),
    ),
    Ground(
        "read-only",
        "ext4",
        (
            Says(WRITABLE, "fail", ("POINT: the filesystem itself is read-only",), ("dmesg", "remount,rw POINT")),
            Says(ATIME, "fail", ("PATH", "EROFS", "the filesystem at POINT is read-only"), ("remount,rw POINT",)),
            Says(ZERO, "fail", ("EROFS",), ("remount,rw POINT",)),
            Says("PBS-OWNER-03", "pass"),
        ),
    ),
    Ground(
        "read-only bind",
        "ext4",
        (
            Says(WRITABLE, "fail", ("this mount is read-only",), ("mount -o remount,bind,rw ",)),
            Says(ATIME, "fail", ("EROFS",), ("remount,bind,rw",)),
        ),
    ),
    Ground(
        "error",
        "ext4",
        (
            Says(WRITABLE, "fail", ("POINT: the filesystem",), ("dmesg",)),
            Says(ATIME, "fail", ("PATH", "EROFS"), ("dmesg",)),
            Says(ZERO, "fail", ("PATH", "EROFS"), ("dmesg",)),
        ),
        "errors=remount-ro",
    ),
    Ground(
        "shutdown",
        "ext4",
        (Says(WRITABLE, "fail"), Says(ATIME, "fail", NOWHERE, DISKS), Says(ZERO, "fail", NOWHERE, DISKS)),
    ),
    Ground(
        "shutdown",
        "xfs",
        (
            Says(WHOLE, "fail", NOWHERE, DISKS),
            *everything("unknown", NOWHERE, DISKS, ATIME, ZERO, STAMPS, SPACE, DISTINCT, LOCKS, *OWNERS),
        ),
    ),
    Ground(
        "unmounted",
        "ext4",
        (
            # "on the root filesystem", or what the system would mount there: Debian 13 has a unit for /tmp.
            Says("PBS-MOUNT-01", "fail", ("PATH", "lies on "), ("do not run GC or backups ",)),
            *everything("skip", (), (), ATIME, WHOLE, *OWNERS),
        ),
    ),
)


@contextlib.contextmanager
def broken(ground: Ground) -> Iterator[tuple[Path, Path]]:
    """The path of the store and its mount point, when it has happened."""
    with contextlib.ExitStack() as stack:
        point = stack.enter_context(mounts.loopfs(ground.fstype, ground.options, mkfs=ground.mkfs))
        above = point
        if ground.title == "quota":
            mounts.run("btrfs", "quota", "enable", point)
            above = point / "volume"
            mounts.run("btrfs", "subvolume", "create", above)
        path = small_store(above / "store", zero_chunk=ground.zero_chunk).path
        if ground.title == "read-only bind":
            point = stack.enter_context(mounts.bind(above, "ro"))
            path = point / "store"
        act = {
            "full": lambda: fill(point / "ballast"),
            "no inodes": lambda: use_up_inodes(point / "files"),
            "quota": lambda: use_up_quota(above),
            "read-only": lambda: mounts.remount(point, "ro"),
            "read-only bind": lambda: None,
            "error": lambda: meet_an_error(point),
            "shutdown": lambda: break_down(point),
            "unmounted": lambda: mounts.run("umount", "--lazy", point),
        }
        act[ground.title]()
        yield path, point


def test_real_filesystems_that_fail(campaign, few_prefixes):
    trial = campaign(
        "a full disk, no inodes left, a quota used up, read-only by mount, by superblock and after an error, filesystems "
        "that have shut down, one that is unmounted: ext4, xfs and btrfs",
        "the right status of the right control, with errno, path and the remedy for this cause",
    )
    for number in trial.rounds(len(GROUNDS), 10 * len(GROUNDS)):
        ground = GROUNDS[number % len(GROUNDS)]
        with broken(ground) as (path, point):
            document = look({"tank": path})
            for says in ground.says:
                title = f"{ground.title} ({ground.fstype})"
                says.check(title, document, "tank", {"PATH": str(path), "POINT": str(point)})
        trial.saw("told as it is")


# --- faults in the middle ----------------------------------------------------------------------------------------------


REPAIR_IN_TIME = {**REPAIR_OPTIONS, "deadline": DEADLINE, "stall": DEADLINE}


def repair(path: Path, on_progress: Any = None) -> Mapping[str, Any]:
    began = time.monotonic()
    result = chunk_ownership({**REPAIR_IN_TIME, "path": str(path)}, check_mode=False, on_progress=on_progress)
    assert time.monotonic() - began < GENEROUS
    return result


def give_away(top: Path, uid: int = 0) -> int:
    """Give everything in a chunk store to somebody; how many files and directories that were."""
    count = 0
    for directory, _names, files in os.walk(top, topdown=False):
        for name in [*files, ""]:
            os.chown(os.path.join(directory, name), uid, uid)
            count += 1
    return count


def strangers(top: Path) -> int:
    """How much of it is not `backup`'s."""
    uid, gid = backup_ids()
    wrong = 0
    for directory, _names, files in os.walk(top):
        for name in [*files, ""]:
            status = os.lstat(os.path.join(directory, name))
            wrong += (status.st_uid, status.st_gid) != (uid, gid)
    return wrong


class Once:
    """A callback of progress that does something the first time that it is called."""

    def __init__(self, act: Any) -> None:
        self.act = act
        self.done = False

    def __call__(self, *_progress: Any) -> None:
        if not self.done:
            self.done = True
            self.act()


def remount_read_only(path: Path) -> None:
    """It is refused while a write is under way."""
    for _attempt in range(200):
        with contextlib.suppress(RuntimeError):
            mounts.remount(path, "ro")
            return
        time.sleep(0.005)
    raise AssertionError(f"{path} was never without a write")


@pytest.fixture(scope="module")
def long_image(tmp_path_factory):
    """An ext4 image of a store whose walk takes long enough for something to happen meanwhile."""
    image = tmp_path_factory.mktemp("image") / "store.ext4"
    mkfs = ["-b", "1024", "-N", str(LONG + 4000), "-m", "0", "-O", "^has_journal"]
    mounts.make_image(image, "ext4", mkfs=mkfs, size=64 * mounts.MIB)
    with mounts.mounted("-o", "loop", image) as path:
        store = make_chunk_store(path, prefixes=1, zero_chunk=False)
        store.add_prefixes(range(1, LONG))
    return image


@pytest.fixture
def long_store(long_image, loopfs, monkeypatch, walk_only):
    """`store = long_store()`: that store, mounted on its own."""
    walk_only(range(LONG))
    monkeypatch.setattr(chunk_store_module, "PREFIX_COUNT", LONG)

    def make() -> ChunkStore:
        return ChunkStore(loopfs("ext4", "errors=remount-ro", image=long_image), *backup_ids())

    return make


LONG = 12_000  # prefix directories
IN_THE_MIDDLE = {
    "remounted read-only": remount_read_only,
    "an error, so read-only": meet_an_error,
    "shut down": break_down,
    "unmounted": lambda path: mounts.run("umount", "--lazy", path),
}


def test_it_breaks_while_the_audit_looks(campaign, long_store):
    trial = campaign(
        "ext4 with 12,000 prefix directories is remounted read-only, meets an error, shuts down or is unmounted "
        "(umount --lazy) while the preflight walks over it; one chunk in it is wrong",
        "the run ends, the document is valid, and owners pass only if nothing was left out: here, never",
    )
    acts = list(IN_THE_MIDDLE.items())
    for number in trial.rounds(len(acts), 10 * len(acts)):
        what, act = acts[number % len(acts)]
        store = long_store()
        last = f"{LONG - 1:04x}"
        os.chown(store.file(store.chunks / last / (last + 60 * "5")), 0, 0)
        breaking = Once(lambda act=act, path=store.path: act(path))
        document = look({"tank": store.path}, breaking, workers=1)
        assert breaking.done
        found = finding(document, "PBS-OWNER-03", "tank")
        assert found["status"] in ("fail", "unknown"), found
        if found["status"] == "fail":
            assert "1 chunk does not belong to backup:backup" in found["message"]
        else:
            assert found["remedy"], found
        trial.saw(f"{what}: {'all of it was seen' if found['status'] == 'fail' else 'not known, and said so'}")


def test_it_breaks_while_the_repair_works(campaign, long_store):
    trial = campaign(
        "the same to a repair of 12,000 directories that all belong to another user",
        "it ends, it fails with the error by name, what it says it changed is changed, and the next run does the rest",
    )
    acts = [item for item in IN_THE_MIDDLE.items() if item[0] != "unmounted"]
    for number in trial.rounds(len(acts), 5 * len(acts)):
        what, act = acts[number % len(acts)]
        store = long_store()
        total = give_away(store.chunks)
        breaking = Once(lambda act=act, path=store.path: act(path))
        result = repair(store.path, breaking)
        assert breaking.done
        assert result["failed"]
        assert not result["complete"]
        assert any(word in result["msg"] for word in ("read-only", "EROFS", "EIO", "ESHUTDOWN")), result["msg"]
        if what == "remounted read-only":
            assert total - strangers(store.chunks) == result["changes"]["total"]
            mounts.remount(store.path, "rw")
            again = repair(store.path)
            assert (again["complete"], strangers(store.chunks)) == (True, 0)
            assert again["changes"]["total"] + result["changes"]["total"] == total
        trial.saw(f"{what}: failed, and said so")


def test_the_mount_goes_away_under_the_repair(campaign, long_store):
    trial = campaign(
        "umount --lazy under a running repair",
        "only the filesystem that was meant is changed: nothing at the path when it is another one",
    )
    for _number in trial.rounds(1, 10):
        store = long_store()
        give_away(store.chunks)
        held = os.open(store.path, os.O_RDONLY | os.O_DIRECTORY)

        def act(path=store.path):
            mounts.run("umount", "--lazy", path)
            (path / ".chunks" / "0000").mkdir(parents=True)

        try:
            result = repair(store.path, Once(act))
            below = store.path / ".chunks"
            assert {os.lstat(place).st_uid for place in (store.path, below, below / "0000")} == {0}
            left = strangers(Path(f"/proc/self/fd/{held}/.chunks"))
            # A part of the repair that had not begun finds another filesystem at the path, and says so.
            assert left == 0 or not result["complete"], result["msg"]
            trial.saw("done through the directories that were held" if result["complete"] else "failed, and said so")
        finally:
            os.close(held)
            (store.path / ".chunks" / "0000").rmdir()
            (store.path / ".chunks").rmdir()


def test_the_process_behind_a_mount_dies(campaign, few_prefixes):
    trial = campaign(
        "the process of a FUSE filesystem is killed while the preflight walks, and is dead at the next one",
        "it ends; then every control says ENOTCONN, with the path and what brings the mount back",
    )
    for _number in trial.rounds(2, 30):
        with faults.faultfs() as mount:
            store = small_store(mount.path / "store")
            dying = Once(lambda pid=mount.pid: os.kill(pid, 9))
            document = look({"tank": store.path}, dying)
            assert dying.done
            assert finding(document, ATIME, "tank")["status"] == "pass"
            while os.path.exists(f"/proc/{mount.pid}/fd/0"):
                time.sleep(0.01)
            places = {"PATH": str(store.path), "POINT": str(mount.path)}
            document = look({"tank": store.path})
            for says in unreachable("ENOTCONN", (*AGAIN, "why its process ended")).says:
                says.check("dead", document, "tank", places)
        trial.saw("told as it is")


# --- any fault at any time ---------------------------------------------------------------------------------------------


def clean_run(mount: faults.FaultyMount, path: Path, planted: bool) -> None:
    """After the fault is gone, the next run sees all as it is, and leaves nothing behind."""
    mount.set("ok")
    document = look({"tank": path})
    assert finding(document, ATIME, "tank")["status"] == "pass"
    assert finding(document, WHOLE, "tank")["status"] == "pass"
    assert finding(document, "PBS-OWNER-03", "tank")["status"] == ("fail" if planted else "pass")
    assert not leftovers(mount.source)


OPERATIONS = ("getattr", "opendir", "readdir", "open", "create", "utimens", "unlink+rename", "statfs", "all")
ERRORS = ("EIO", "ENOSPC", "EDQUOT", "EROFS", "ESTALE", "EACCES", "EPERM", "ENOTCONN", "ENOMEM")


@pytest.mark.parametrize("kind", ["from some operation on", "by chance"])
def test_any_error_at_any_operation(campaign, few_prefixes, kind):
    trial = campaign(
        "any of nine errors at any of nine kinds of operation from the Nth on, all chosen by chance"
        if kind != "by chance"
        else "1 to 50 percent of all operations, chosen by chance, fail with an error chosen by chance",
        "ends in time with a valid document; atime never passes where utimens has no effect, owners never pass where "
        "one is wrong; the next run sees all as it is and leaves no file behind",
    )
    chance = random.Random(20261122 + (kind == "by chance"))
    with faults.faultfs() as mount:
        store = small_store(mount.path / "store")
        stranger = mount.source / "store/.chunks/000b/stranger".replace("stranger", "000b" + "5" * 60)
        for _number in trial.rounds(8, 1500):
            ignored, planted = chance.random() < 0.5, chance.random() < 0.5
            if planted:
                stranger.write_bytes(b"x")
            if kind == "by chance":
                fault = f"monkey:{chance.random()}/{chance.choice([1, 5, 20, 50])}"
            else:
                fault = (
                    f"errno:{chance.choice(ERRORS)}@{chance.choice(OPERATIONS)}#{chance.choice([1, 3, 10, 40, 100])}"
                )
            mount.set(fault, *["ignore"] * ignored)
            document = look({"tank": store.path})
            what = f"{fault} ignored={ignored} planted={planted}"
            atime, owners = (finding(document, control, "tank")["status"] for control in (ATIME, "PBS-OWNER-03"))
            assert not (ignored and atime == "pass"), what
            assert not (planted and owners == "pass"), what
            for item in document["findings"]:
                assert item["remedy"] or item["status"] not in ("fail", "warn"), (what, item)
                assert "Errno" not in item["message"], (what, item)
                assert "Traceback" not in item["message"], (what, item)
            trial.saw(f"atime {atime}, owners {owners}")
            clean_run(mount, store.path, planted)
            stranger.unlink(missing_ok=True)


def repair_if_it_can_be_seen(path: Path) -> Mapping[str, Any]:
    """The result; of one that has not even begun, with the path in its message."""
    try:
        return repair(path)
    except OptionError as error:
        told = str(error)
    assert str(path) in told
    return {"failed": True, "complete": False, "changes": {"total": 0}, "msg": told}


def test_any_error_in_the_middle_of_a_repair(campaign, few_prefixes):
    trial = campaign(
        "the same to a repair of a store that belongs to another user, and chown answers 0 and does nothing",
        "it says complete only if all is right, counts what it changed, and another run does the rest",
    )
    chance = random.Random(20261123)
    with faults.faultfs() as mount:
        store = small_store(mount.path / "store", zero_chunk=False)
        behind = mount.source / "store/.chunks"
        operations = ("getattr", "opendir", "readdir", "open", "chown", "all")
        for number in trial.rounds(15, 1000):
            total = give_away(behind)
            fault = (
                "chown-ignored",
                f"monkey:{chance.random()}/{chance.choice([1, 5, 20])}",
                f"errno:{chance.choice(ERRORS)}@{chance.choice(operations)}#{chance.choice([10, 40, 100])}",
            )[number % 3]
            mount.set(fault)
            result = repair_if_it_can_be_seen(store.path)
            trial.saw("done" if result["complete"] else "failed, and said so")
            assert result["failed"] != result["complete"]
            mount.set("ok")
            left = strangers(behind)
            assert not (result["complete"] and left), fault
            # What a change came to is only known by the look after it, and that may fail.
            assert result["changes"]["total"] <= total - left, fault
            again = repair(store.path)
            assert (again["complete"], strangers(behind), again["changes"]["total"]) == (True, 0, left), fault


# --- before PBS is asked -----------------------------------------------------------------------------------------------


class Place(NamedTuple):
    """An empty directory for a new datastore on a filesystem with a fault, and what is reported of it."""

    fault: str
    owner: int
    says: tuple[str, ...]


PLACES = (
    Place("root-squash", 34, ("Root cannot change the owner of files to 'backup' in PATH", "no_root_squash")),
    Place(
        "chown-ignored",
        34,
        ("Root cannot change the owner of files to 'backup' in PATH", "the owner is still 0:0", "stores owners"),
    ),
    Place("chown-ignored", 0, ("PATH", "would not be safe")),
    Place("errno:EPERM@chown", 34, ("Root cannot change the owner of files to 'backup' in PATH", "EPERM")),
    Place("ignore", 34, ("PBS-ATIME-01", "did not move forward", "honours access times")),
    Place("day", 34, ("PBS-ATIME-06", "86400 s")),
    Place("clock:-3600", 34, ("PBS-ATIME-06", "behind", "clock of the file server")),
    Place("errno:ENOSPC@create", 34, ("PBS-ATIME-01", "ENOSPC", "Free space or inodes on PATH")),
    Place("errno:EDQUOT@create", 34, ("PBS-ATIME-01", "EDQUOT", "Raise the quota")),
    Place("errno:EROFS@create", 34, ("PBS-MOUNT-04", "EROFS", "exports it read-only")),
    Place("errno:EIO@all", 34, ("PATH", "could not be read", "EIO")),
    Place("errno:EIO@readdir", 34, ("PATH", "could not be read", "EIO")),
    # There are only `.` and `..` in it, which the C library's loop passes over for ever.
    Place("readdir-loop", 34, ("PATH", "did not answer within 3 s")),
    Place("hang:/", 34, ("PATH", "did not answer within 3 s")),
)


def decision(path: Path, deadline: float = DEADLINE) -> str:
    return decide("tank", str(path), [], observe_account(), "private", None, check_mode=False, deadline=deadline).action


def names_behind(directory):
    """What lies behind a FUSE mount.

    Its daemon hides a file that is removed while it is open, and learns of the end of that a little later.
    """
    until(lambda: not list(directory.glob(".fuse_hidden*")), f"{directory} without a hidden file", 30.0)
    return sorted(os.listdir(directory))


def test_no_datastore_is_created_on_a_filesystem_that_fails(campaign):
    trial = campaign(
        f"{len(PLACES)} faults where a datastore is to be created: owners that cannot be given or do not stay, atime, "
        "space, quota, errors, silence",
        "refused before PBS is asked, with the error, the path and the remedy; nothing is left in the directory",
    )
    for number in trial.rounds(len(PLACES), 10 * len(PLACES)):
        place = PLACES[number % len(PLACES)]
        with faults.faultfs() as mount:
            behind = mount.source / "new"
            behind.mkdir()
            os.chown(behind, place.owner, place.owner)
            path = mount.path / "new"
            assert decision(path) == "create"
            mount.set(place.fault)
            with pytest.raises(RefusedError) as error:
                decision(path, IMPATIENT if place.fault in ("hang:/", "readdir-loop") else DEADLINE)
            mount.set("ok")
            for part in place.says:
                assert part.replace("PATH", str(path)) in str(error.value), (place, str(error.value))
            assert names_behind(behind) == []
        trial.saw("refused, with the fix")


def test_a_completion_that_is_interrupted_by_an_error_goes_on_with_the_next(campaign, few_prefixes):
    trial = campaign(
        "an error at the Nth directory, at an owner or at the end, while a half-made store is completed",
        "the error and the path by name, nothing removed, and the next run makes it whole",
    )
    uid, gid = backup_ids()
    chance = random.Random(20261124)
    for _number in trial.rounds(6, 100):
        name, operation = chance.choice(ERRORS), chance.choice(["mkdir", "chown", "create"])
        first = 1 if operation == "create" else chance.randrange(1, 10)
        with faults.faultfs() as mount:
            (mount.source / "store/.chunks").mkdir(parents=True)
            mount.set(f"errno:{name}@{operation}#{first}")
            with pytest.raises(completion_module.StoreError) as error:
                completion_module.complete_store(str(mount.path / "store"), uid, gid, DEADLINE, 600.0)
            assert str(mount.path / "store") in str(error.value)
            assert name in str(error.value)
            mount.set("ok")
            completion_module.complete_store(str(mount.path / "store"), uid, gid, DEADLINE, 600.0)
            assert completion_module.check_reuse(str(mount.path / "store"), uid, gid, DEADLINE, 600.0).count == 0
            assert names_behind(mount.source / "store") == [".chunks", ".lock"]
        trial.saw("failed with the error, then completed")


def test_the_gate_opens_for_no_fault(campaign, few_prefixes):
    trial = campaign(
        "atime_check alone on every fault that concerns access times",
        "it fails where the touch has no effect or gives no answer, with the words of the preflight",
    )
    cases = [case for case in (*CASES, SILENCE) if any(says.control == ATIME for says in case.says)]
    for number in trial.rounds(len(cases) // 3, 5 * len(cases)):
        case = cases[7 * number % len(cases)]
        with faults.faultfs(**case.mount) as mount:
            small_store(mount.source / "store")
            if case.fault != "no locks":
                mount.set(case.fault)
            params = {"path": str(mount.path / "store"), "user": "backup", "group": "backup"}
            try:
                result = check_atime(
                    {**params, "probe": "private", "deadline": IMPATIENT if case == SILENCE else DEADLINE},
                    check_mode=False,
                )
            except CollectionError as error:
                result = {"failed": True, "msg": str(error), "honoured": None}
            expected = next(says for says in case.says if says.control == ATIME)
            others = [says for says in case.says if says.control in (REFRESH, ZERO, STAMPS) and says.status == "fail"]
            unseen = any(says.control in (REFRESH, WHOLE) and says.status == "unknown" for says in case.says)
            opens = expected.status == "pass" and not others and not unseen
            assert result["failed"] != opens, (str(case), result["msg"])
            assert (result["honoured"] is True) == opens, (str(case), result["msg"])
        trial.saw("opens" if opens else "stays closed")
