# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of filesystems under a chunk store; the rules quote it.

`GOOD` is what PBS's documentation names or what its users run, tried here with the touch of atime alone where this
machine could mount it (docs/reliability.md). Limits are those of the kernel's own documentation: a directory of ext2
and ext3 holds about 32,000 others (`EXT2_LINK_MAX`), one of ext4 without `dir_nlink` 64,998.
"""

from __future__ import annotations

MIB = 1024 * 1024

NETWORK = ("nfs", "nfs4", "cifs", "smb3")

NEW_STORE_INODES = 65537
NEW_STORE_BYTES = {"ext2": 257 * MIB, "ext3": 257 * MIB, "ext4": 257 * MIB, "xfs": 34 * MIB}
"""What an empty datastore was measured to take, before the first backup."""
GOOD = frozenset(
    (
        *("ext4", "xfs", "btrfs", "zfs", "nfs", "nfs4", "cifs", "smb3", "ceph", "f2fs", "bcachefs", "jfs"),
        # In user space, tried with the touch of atime alone: ceph-fuse 18.2, GlusterFS 11.1, JuiceFS 1.4.
        *("fuse.ceph-fuse", "fuse.glusterfs", "fuse.juicefs"),
    )
)
UNFIT = {
    "vfat": "it has no owners, and keeps a date instead of an access time",
    "msdos": "it has no owners, and keeps a date instead of an access time",
    "exfat": "it has no owners and coarse access times",
    "ext2": "a directory holds at most about 32,000 others",
    "ext3": "a directory holds at most about 32,000 others",
    "minix": "a directory holds too few others",
    "tmpfs": "its content is gone after a reboot",
    "ramfs": "its content is gone after a reboot",
    "squashfs": "it can never be written to",
    "erofs": "it can never be written to",
    "iso9660": "it can never be written to",
    "udf": "it is made for discs that are written once",
}
OBJECT_STORES = frozenset(
    "fuse." + name
    for name in (
        "s3fs",
        "goofys",
        "rclone",
        "s3ql",
        "gcsfuse",
        "blobfuse",
        "blobfuse2",
        "geesefs",
        "mountpoint-s3",
    )
)
INODES_MADE_UP = frozenset(("fuse.rclone", "fuse.mfs"))
"""Filesystems that report a billion inodes, all or none of them available, whatever they hold (rclone 1.60, MooseFS 4.57)."""

MOOSEFS_SOURCE = "mfs#"
"""How the source of a MooseFS begins; its type in the table of mounts is `fuse` alone."""

ANY_SIZE = frozenset(("xfs", "btrfs", "zfs", "f2fs", "bcachefs", "tmpfs", "ceph"))
"""Filesystems whose directories have no limit that a chunk store would meet."""
