# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Features from the superblock of an ext2, ext3 or ext4 filesystem, which the kernel does not report elsewhere."""

from __future__ import annotations

import os
import stat
import struct
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import MountFacts

_OFFSET = 1024
_SIZE = 1024
_MAGIC = 0xEF53
_MAGIC_AT = 0x38
_FEATURES_AT = 0x5C
_COMPAT_DIR_INDEX = 0x20
_RO_COMPAT_DIR_NLINK = 0x20


def observe_dir_nlink(mount: MountFacts, dev: str = "/dev", sys: str = "/sys") -> t.Optional[bool]:
    """Whether a directory may have more than 64,998 subdirectories; None for other filesystems, or if it cannot be read.

    The kernel lets the link count of a directory overflow only if the filesystem has `dir_nlink` and the directory has an
    index, which needs `dir_index`. ext2 and ext3 do not support `dir_nlink` and have even lower limits.

    Reads 1 KiB of the block device, which may never answer: call it in a child. Never raises `OSError`.
    """
    if mount.fstype in ("ext2", "ext3"):
        return False
    if mount.fstype != "ext4":
        return None
    for path in _device_paths(mount, dev, sys):
        superblock = _read_superblock(path, mount.device)
        if superblock is not None:
            return _has_dir_nlink(superblock)
    return None


def _has_dir_nlink(superblock: bytes) -> t.Optional[bool]:
    (magic,) = struct.unpack_from("<H", superblock, _MAGIC_AT)
    if magic != _MAGIC:
        return None
    compat, _incompat, ro_compat = struct.unpack_from("<III", superblock, _FEATURES_AT)
    return bool(compat & _COMPAT_DIR_INDEX and ro_compat & _RO_COMPAT_DIR_NLINK)


def _device_paths(mount: MountFacts, dev: str, sys: str) -> t.Iterator[str]:
    yield os.path.join(dev, "block", mount.device)
    if mount.source.startswith("/"):
        yield mount.source
    # The source of the root filesystem may be /dev/root, which does not exist.
    try:
        # Read as bytes: for a text file Python loads a codec module, which root of a container may not be able to read.
        with open(os.path.join(sys, "dev", "block", mount.device, "uevent"), "rb") as uevent:
            names = [line[len(b"DEVNAME=") :].strip() for line in uevent if line.startswith(b"DEVNAME=")]
    except OSError:
        return
    for name in names:
        yield os.path.join(dev, os.fsdecode(name))


def _read_superblock(path: str, device: str) -> t.Optional[bytes]:
    """The superblock, if the path is the block device with this number."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        status = os.fstat(fd)
        number = "%d:%d" % (os.major(status.st_rdev), os.minor(status.st_rdev))
        if not stat.S_ISBLK(status.st_mode) or number != device:
            return None
        data = os.pread(fd, _SIZE, _OFFSET)
        return data if len(data) == _SIZE else None
    except OSError:
        return None
    finally:
        os.close(fd)
