# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real filesystems for tests: loop devices, tmpfs, bind and overlay mounts.

Each is a context manager that yields the mount point and takes away exactly what it made. The fixtures of the same
names (fixtures.py) do that at the end of the test.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ansible_collections.fleetops.pbs.tests.support.machine import Unsupported

MIB = 2**20

# Programs of the system live there, and not every caller's PATH says so.
SBIN = ":/usr/local/sbin:/usr/sbin:/sbin"

# Per filesystem: what makes it, and the smallest image (bytes) that does not need special care.
_MKFS = {
    "ext2": (["mkfs.ext2", "-q", "-F"], 64 * MIB),
    "ext3": (["mkfs.ext3", "-q", "-F"], 64 * MIB),
    "ext4": (["mkfs.ext4", "-q", "-F"], 64 * MIB),
    "xfs": (["mkfs.xfs", "-q", "-f"], 320 * MIB),
    "btrfs": (["mkfs.btrfs", "-q", "-f"], 128 * MIB),
}


def run(*argv: str | os.PathLike[str]) -> str:
    """Run a program of the system; its output, or RuntimeError with what it said."""
    path = os.environ.get("PATH", "/usr/bin:/bin") + SBIN
    program = shutil.which(argv[0], path=path)
    if program is None:
        raise Unsupported(f"{os.fspath(argv[0])} is not installed")
    done = subprocess.run(
        [program, *argv[1:]], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, errors="replace"
    )
    if done.returncode != 0:
        text = (done.stderr + done.stdout).strip()
        raise RuntimeError(f"{' '.join(map(os.fspath, argv))}: exit {done.returncode}: {text}")
    return done.stdout


def unmount(path: Path) -> None:
    """Unmount `path`. One that stays busy is taken out of the tree, and the test that holds it is told."""
    for attempt in range(20):
        try:
            run("umount", "--", path)
            return
        except RuntimeError as error:
            if "not mounted" in str(error):
                return
            reason = error
        time.sleep(0.01 * attempt)
    run("umount", "--lazy", "--", path)
    raise RuntimeError(f"the test still uses its filesystem at the end: {reason}")


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """A private directory that anyone may pass through: tests act as other users below it."""
    directory = Path(tempfile.mkdtemp(prefix="fleetops-pbs-"))
    directory.chmod(0o711)
    try:
        yield directory
    finally:
        # Only what is ours: a mount that could not be taken away must not be emptied.
        for name in ("image", "upper", "work"):
            entry = directory / name
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink(missing_ok=True)
        for name in ("mnt", ""):
            with contextlib.suppress(OSError):
                (directory / name).rmdir()


def _missing_type(argv: list[str]) -> str:
    """The filesystem type that `argv` of mount asks for, if this kernel lacks it."""
    known = Path("/proc/filesystems").read_text().split()
    asked = argv[argv.index("-t") + 1] if "-t" in argv else ""
    return asked if asked not in known else ""


@contextlib.contextmanager
def mounted(*argv: str | os.PathLike[str], point: Path | None = None) -> Iterator[Path]:
    """`mount ARGV... POINT`; the mount point is a new one unless given."""
    with contextlib.ExitStack() as stack:
        if point is None:
            point = stack.enter_context(_scratch()) / "mnt"
            point.mkdir()
        try:
            run("mount", *argv, point)
        except RuntimeError as error:
            missing = _missing_type([*map(os.fspath, argv)])
            if missing:
                raise Unsupported(f"kernel without {missing}: {error}") from error
            raise
        stack.callback(unmount, point)
        yield point


def remount(path: Path, options: str) -> None:
    """Change the options of the mount at `path`, as `remount(path, "ro")`."""
    run("mount", "-o", f"remount,{options}", path)


def make_image(image: Path, fstype: str, *, mkfs: Sequence[str] = (), size: int | None = None) -> None:
    """A sparse file of `size` bytes with a new filesystem."""
    argv, smallest = _MKFS[fstype]
    with image.open("wb") as handle:
        handle.truncate(size or smallest)
    run(*argv, *mkfs, image)


@contextlib.contextmanager
def loopfs(
    fstype: str,
    options: str = "",
    *,
    mkfs: Sequence[str] = (),
    size: int | None = None,
    image: Path | None = None,
    point: Path | None = None,
) -> Iterator[Path]:
    """A filesystem in a file: `loopfs("ext4", "noatime", mkfs=["-I", "128"])`.

    options: for mount -o. mkfs: more arguments for mkfs. size: bytes of the image. image: a finished image to copy
    instead of making one. The loop device is freed by the kernel with the unmount.
    """
    with _scratch() as directory:
        copy = directory / "image"
        if image is None:
            make_image(copy, fstype, mkfs=mkfs, size=size)
        else:
            run("cp", "--sparse=always", "--reflink=auto", image, copy)
        with mounted("-t", fstype, "-o", ",".join(filter(None, ["loop", options])), copy, point=point) as path:
            yield path


@contextlib.contextmanager
def tmpfs(options: str = "size=64m,mode=755", *, point: Path | None = None) -> Iterator[Path]:
    with mounted("-t", "tmpfs", "-o", options, "tmpfs", point=point) as path:
        yield path


@contextlib.contextmanager
def bind(source: Path, options: str = "", *, point: Path | None = None) -> Iterator[Path]:
    """A bind mount of `source`; options as `ro` or `noatime` hold for this mount only, not for the superblock."""
    with mounted("--bind", source, point=point) as path:
        if options:
            run("mount", "-o", f"remount,bind,{options}", path)
        yield path


@contextlib.contextmanager
def overlay(lower: Path, options: str = "", *, point: Path | None = None) -> Iterator[Path]:
    """An overlay over `lower`, with an upper directory of its own."""
    with _scratch() as directory:
        upper, work = directory / "upper", directory / "work"
        upper.mkdir()
        work.mkdir()
        layers = f"lowerdir={lower},upperdir={upper},workdir={work}"
        with mounted("-t", "overlay", "-o", ",".join(filter(None, [layers, options])), "overlay", point=point) as path:
            yield path
