# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each fault of faultfs does what it says, and only where it says."""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.fleetops.pbs.tests.support import faults, machine, waiting

pytestmark = pytest.mark.root

SECOND = 10**9
OLD = 1_000_000_123 * SECOND + 456_789_012  # 2001-09-09, not on a whole second or day
GENEROUS = 150  # seconds for what takes milliseconds on an idle machine


class _TimeSpec(ctypes.Structure):
    _fields_ = [("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long)]


def touch(path: Path) -> None:
    """utimensat(path, {UTIME_NOW, UTIME_OMIT}, AT_SYMLINK_NOFOLLOW), as PBS does it."""
    libc = ctypes.CDLL(None, use_errno=True)
    times = (_TimeSpec * 2)(_TimeSpec(0, 0x3FFFFFFF), _TimeSpec(0, 0x3FFFFFFE))
    if libc.utimensat(-100, os.fsencode(path), times, 0x100) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def old_file(mount: faults.FaultyMount, name: str = "file") -> Path:
    """A file with old times, by its path on the mount."""
    source = mount.source / name
    source.write_text("content")
    os.utime(source, ns=(OLD, OLD))
    return mount.path / name


def test_without_faults_the_touch_moves_the_access_time_alone(faultfs):
    file = old_file(faultfs("ok"))
    before = time.time_ns()
    touch(file)
    assert before - SECOND < file.stat().st_atime_ns <= time.time_ns()
    assert file.stat().st_mtime_ns == OLD


def test_libfuse_3_is_chosen_where_mfusepy_would_take_libfuse_2(faultfs, monkeypatch):
    monkeypatch.delenv("FUSE_LIBRARY_PATH", raising=False)
    monkeypatch.setattr(ctypes.util, "find_library", {"fuse": "libfuse.so.2", "fuse3": "libfuse3.so.3"}.get)
    assert faults.libfuse() == "libfuse3.so.3"
    monkeypatch.setattr(ctypes.util, "find_library", {"fuse": "libfuse.so.2"}.get)
    with pytest.raises(machine.Unsupported, match="libfuse 3 is not installed"):
        faults.libfuse()


def test_the_daemon_has_loaded_libfuse_3_and_no_other(faultfs):
    loaded = set(re.findall(r"/(libfuse[0-9]?\.so)", Path(f"/proc/{faultfs('ok').pid}/maps").read_text()))
    assert loaded == {"libfuse3.so"}


def test_without_faults_owners_modes_and_names_are_the_source_s(faultfs):
    mount = faultfs("ok")
    (mount.path / "directory").mkdir(mode=0o750)
    file = mount.path / "directory" / "file"
    file.write_text("content")
    os.chown(file, 34, 34)
    file.chmod(0o600)
    os.link(file, mount.path / "hard")
    (mount.path / "soft").symlink_to("hard")
    os.mkfifo(mount.path / "fifo")
    status = (mount.source / "directory" / "file").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777, status.st_nlink) == (34, 34, 0o600, 2)
    assert (mount.path / "hard").stat().st_ino == file.stat().st_ino == status.st_ino
    assert (mount.path / "soft").read_text() == "content"
    assert sorted(os.listdir(mount.path)) == ["directory", "fifo", "hard", "soft"]
    (mount.path / "hard").rename(mount.path / "directory" / "other")
    (mount.path / "soft").unlink()
    assert sorted(os.listdir(mount.source)) == ["directory", "fifo"]


def test_what_another_user_creates_is_that_user_s(faultfs):
    mount = faultfs("ok")
    mount.source.chmod(0o777)
    create = "import os, sys; os.setgid(34); os.setuid(34); os.mkdir(sys.argv[1])"
    subprocess.run([sys.executable, "-c", create, mount.path / "theirs"], check=True)
    assert (mount.source / "theirs").stat().st_uid == 34


def test_a_foreign_file_cannot_be_touched_by_another_user(faultfs):
    mount = faultfs("ok")
    file = old_file(mount)
    attempt = (
        "import os, sys; os.setgid(34); os.setuid(34)\n"
        "try: os.utime(sys.argv[1], (0, 0))\n"
        "except OSError as error: sys.exit(error.errno)"
    )
    assert subprocess.run([sys.executable, "-c", attempt, file], check=False).returncode == errno.EPERM


def test_ignore(faultfs):
    file = old_file(faultfs("ignore"))
    touch(file)
    assert file.stat().st_atime_ns == OLD


def test_forget_shows_the_new_time_only_from_the_kernel_s_cache(faultfs):
    mount = faultfs("forget", attr_timeout=3600)
    file = old_file(mount)
    touch(file)
    assert file.stat().st_atime_ns != OLD
    assert (mount.source / "file").stat().st_atime_ns == OLD


@pytest.mark.parametrize(("fault", "unit"), [("second", SECOND), ("day", 86400 * SECOND)])
def test_rounding(faultfs, fault, unit):
    file = old_file(faultfs(fault))
    touch(file)
    atime = file.stat().st_atime_ns
    assert atime % unit == 0
    assert time.time_ns() - 2 * unit < atime <= time.time_ns()


def test_now_overrides_the_time_that_was_asked(faultfs):
    file = old_file(faultfs("now"))
    os.utime(file, ns=(OLD, OLD))
    assert file.stat().st_atime_ns > OLD


def test_delay(faultfs):
    file = old_file(faultfs("delay:1"))
    began = time.monotonic()
    touch(file)
    atime = file.stat().st_atime_ns
    assert atime == OLD or time.monotonic() - began > 1
    waiting.until(lambda: file.stat().st_atime_ns != OLD)


@pytest.mark.parametrize("hours", [-1, 1])
def test_clock(faultfs, hours):
    mount = faultfs(f"clock:{hours * 3600}")
    file = old_file(mount)
    touch(file)
    (mount.path / "new").touch()
    for changed in (file, mount.path / "new"):
        assert abs(changed.stat().st_atime_ns - time.time_ns() - hours * 3600 * SECOND) < GENEROUS * SECOND


def test_read_updates(faultfs):
    file = old_file(faultfs("read-updates"))
    assert file.read_text() == "content"
    assert file.stat().st_atime_ns > OLD
    assert file.stat().st_mtime_ns == OLD


def test_chown_ignored(faultfs):
    mount = faultfs("chown-ignored")
    file = old_file(mount)
    os.chown(file, 34, 34)
    assert (file.stat().st_uid, file.stat().st_gid) == (0, 0)


@pytest.mark.parametrize("name", ["EPERM", "EIO", "EROFS", "ESTALE"])
def test_errno_fails_the_touch_only(faultfs, name):
    mount = faultfs(f"errno:{name}")
    file = old_file(mount)
    with pytest.raises(OSError, match=os.strerror(getattr(errno, name))) as raised:
        touch(file)
    assert raised.value.errno == getattr(errno, name)
    assert file.read_text() == "content"


def test_errno_of_chosen_operations(faultfs):
    mount = faultfs("errno:ENOSPC@create+mkdir")
    file = old_file(mount)
    for attempt in ((mount.path / "new").touch, (mount.path / "new").mkdir):
        with pytest.raises(OSError, match="No space"):
            attempt()
    touch(file)


def test_errno_of_everything(faultfs):
    mount = faultfs("ok")
    file = old_file(mount)
    mount.set("errno:ESTALE@all")
    with pytest.raises(OSError, match=r"(?i)stale"):
        file.stat()
    mount.set("ok")
    assert file.read_text() == "content"


def test_several_faults_at_once(faultfs):
    mount = faultfs("ignore", "chown-ignored")
    file = old_file(mount)
    touch(file)
    os.chown(file, 34, 34)
    assert file.stat().st_atime_ns == OLD
    assert file.stat().st_uid == 0


def test_readdir_loop_does_not_end(faultfs):
    mount = faultfs("readdir-loop")
    for name in "abc":
        old_file(mount, name)
    seen = 0
    with os.scandir(mount.path) as entries:
        for _entry in entries:
            seen += 1
            if seen > 10_000:
                break
    assert seen > 10_000


def test_a_large_directory_is_listed_once(faultfs):
    mount = faultfs("ok")
    names = [f"{number:05}" for number in range(5000)]
    for name in names:
        (mount.source / name).touch()
    assert sorted(os.listdir(mount.path)) == names


def test_without_locks(faultfs):
    import fcntl

    with faults.faultfs("ok", locks=False) as mount, old_file(mount).open("r+") as handle:
        with pytest.raises(OSError, match="No locks") as raised:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert raised.value.errno == errno.ENOLCK
    with old_file(faultfs("ok")).open("r+") as handle:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_read_only(faultfs):
    with pytest.raises(OSError, match="Read-only"):
        (faultfs("ok", options="ro").path / "new").touch()


def state_of(process: subprocess.Popen) -> str:
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_who_waits_for_a_hanging_path_cannot_be_killed_until_it_answers(faultfs):
    mount = faultfs("ok")
    (mount.source / "below").mkdir()
    hung = old_file(mount, "below/file")
    beside = old_file(mount, "beside")
    assert hung.read_text() == beside.read_text() == "content"
    mount.set("hang:/below")
    stuck = subprocess.Popen(["stat", hung], stdout=subprocess.DEVNULL)
    # The request has to have reached the daemon: before that, a signal still ends the wait.
    waiting.until(lambda: state_of(stuck) in "SD")
    waiting.until(lambda: waits_in_fuse(stuck))
    time.sleep(0.2)
    stuck.kill()
    waiting.until(lambda: state_of(stuck) == "D")
    assert beside.read_text() == "content"
    mount.set("ok")
    assert stuck.wait(timeout=GENEROUS) in (0, -signal.SIGKILL)
    assert hung.read_text() == "content"


def waits_in_fuse(process: subprocess.Popen) -> bool:
    """Whether the process is in a wait for an answer of a FUSE daemon; a kernel that does not tell is believed."""
    try:
        channel = Path(f"/proc/{process.pid}/wchan").read_text()
    except OSError:
        return True
    return channel in ("", "0") or "fuse" in channel or "request" in channel


def test_the_end_frees_who_waits_for_a_hanging_filesystem():
    with faults.faultfs("hang:/") as mount:
        stuck = subprocess.Popen(["stat", mount.path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.3)
        assert stuck.poll() is None
    assert stuck.wait(timeout=GENEROUS) != 0
    assert str(mount.path) not in Path("/proc/self/mountinfo").read_text()
    assert not Path(f"/proc/{mount.pid}").exists()


def test_an_error_of_the_start_is_told(tmp_path):
    with pytest.raises(RuntimeError, match="faultfs did not start"), faults.faultfs("ok", point=tmp_path / "missing"):
        pass


def look(path: Path) -> str:
    """The name of the error that a look at the path ends with; empty for none."""
    try:
        path.stat()
    except OSError as error:
        return errno.errorcode[error.errno]
    return ""


def fails(mount: faults.FaultyMount, times: int) -> list[str]:
    """What so many looks at one file came to."""
    return [look(mount.path / "file") for _each in range(times)]


def test_an_error_from_some_operation_on(faultfs):
    mount = faultfs()
    (mount.source / "file").touch()
    mount.set("errno:EIO@getattr#5")
    found = fails(mount, 8)
    assert found[0] == ""
    assert found[-3:] == ["EIO"] * 3
    mount.set("ok")
    assert fails(mount, 2) == ["", ""]


def test_the_monkey_s_choices_follow_from_its_seed(faultfs):
    mount = faultfs()
    (mount.source / "file").touch()
    seen = []
    for seed in (1, 1, 2):
        mount.set(f"monkey:{seed}/50")
        seen.append(fails(mount, 40))
        mount.set("ok")
        assert fails(mount, 1) == [""]
    assert 2 < sum(map(bool, seen[0])) < 40
    assert len(set(seen[0])) > 3


def as_user(uid: int, code: str, *args: os.PathLike[str]) -> int:
    """The errno that the code ends with as that user; 0 for none."""
    program = f"import os, sys; os.setgid({uid}); os.setuid({uid})\ntry: {code}\nexcept OSError as e: sys.exit(e.errno)"
    return subprocess.run([sys.executable, "-c", program, *args], check=False).returncode


def test_root_squash(faultfs):
    mount = faultfs("root-squash")
    mount.source.chmod(0o777)
    closed = mount.source / "closed"
    closed.mkdir(mode=0o750)
    (closed / "file").touch()
    os.chown(closed, 34, 34)
    os.chown(closed / "file", 34, 34)
    for attempt in (
        lambda: os.listdir(mount.path / "closed"),
        lambda: os.stat(mount.path / "closed/file"),
        (mount.path / "closed/new").touch,
    ):
        with pytest.raises(PermissionError):
            attempt()
    with pytest.raises(PermissionError) as error:
        os.chown(mount.path / "closed", 0, 0)
    assert error.value.errno == errno.EPERM
    (mount.path / "new").touch()
    assert (mount.source / "new").stat().st_uid == 65534
    assert as_user(34, "os.listdir(sys.argv[1]); os.utime(sys.argv[1] + '/file')", mount.path / "closed") == 0


def test_all_squash(faultfs):
    mount = faultfs("all-squash")
    mount.source.chmod(0o777)
    mine = mount.source / "mine"
    mine.touch()
    os.chown(mine, 34, 34)
    assert as_user(34, "os.utime(sys.argv[1])", mount.path / "mine") == errno.EPERM
    assert as_user(34, "open(sys.argv[1], 'x')", mount.path / "new") == 0
    assert (mount.source / "new").stat().st_uid == 65534


def test_root_may_be_refused(faultfs):
    mount = faultfs("refuse-root")
    with pytest.raises(PermissionError):
        os.stat(mount.path)
    assert as_user(34, "os.stat(sys.argv[1])", mount.path) == 0
