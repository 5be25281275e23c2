# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an errno means on the filesystem of a datastore, and what an administrator can do about it."""

from __future__ import annotations

import errno
import re
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import MountFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import StoreFacts, TouchFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.filesystems import NETWORK
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import (
    OUTSIDE,
    Case,
    in_shell,
    inexpressible,
)

NO_ANSWER = "no answer"
"""What every text about silence has in it."""

_STORAGE = (errno.EIO, errno.ENXIO, errno.ENODEV, errno.ENOMEDIUM, errno.EBADMSG, errno.ENODATA)
_NETWORK = (
    errno.ETIMEDOUT,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.ECONNABORTED,
    errno.EREMOTEIO,
)
_NAMED = re.compile(r"\b(E[A-Z0-9]{2,}): ")

EXPLAINED = {
    errno.ESTALE: "the server no longer knows the file handle",
    errno.ENOTCONN: "the process that served this mount is gone",
    errno.ESHUTDOWN: "the filesystem was shut down",
    errno.EUCLEAN: "the filesystem is damaged",
    errno.EOVERFLOW: "this mount or container cannot express the id",
    errno.ENOSYS: "the filesystem has no such call",
    errno.EOPNOTSUPP: "the filesystem has no such call",
}
"""What the text of an errno does not say."""


def read_only(mount: t.Optional[MountFacts]) -> str:
    """Which half of a mount is read-only: `mount`, `filesystem` or nothing.

    Since Linux 6.14 ext4 does not become `ro` after an error, but `emergency_ro` or `shutdown` beside its `rw`.
    """
    if mount is None:
        return ""
    if {"ro", "emergency_ro", "shutdown"} & set(mount.super_options):
        return "filesystem"
    return "mount" if "ro" in mount.options else ""


def read_only_cause(store: StoreFacts) -> tuple[str, str]:
    """Which half of the mount is read-only, and what mends that."""
    mount = store.mount
    where = mount.mount_point if mount is not None else store.path
    half = read_only(mount)
    if half == "mount":
        return f"the mount at {where} is read-only", f"mount -o remount,bind,rw {in_shell(where)}"
    if half == "filesystem" and mount is not None and "ro" not in mount.super_options:
        option = "emergency_ro" if "emergency_ro" in mount.super_options else "shutdown"
        return f"the filesystem at {where} has stopped after an error ({option})", damaged(mount)
    if half == "filesystem" and mount is not None and mount.fstype in NETWORK:
        return (
            f"the filesystem at {where} is read-only",
            f"mount -o remount,rw {in_shell(where)}, and see whether the server lets this host write.",
        )
    if half == "filesystem":
        return (
            f"the filesystem at {where} is read-only",
            "Look for the reason first (dmesg: a disk error remounts read-only), then: mount -o remount,rw %s"
            % in_shell(where),
        )
    return (
        f"neither the mount at {where} nor its superblock is marked read-only, so it is what lies behind",
        "Look where the storage comes from: a server that exports it read-only, or a disk that is write-protected.",
    )


def damaged(mount: t.Optional[MountFacts]) -> str:
    """What brings back a filesystem that has stopped by itself: it does not come back with a remount."""
    where, source, fstype = (
        (mount.mount_point, mount.source, mount.fstype) if mount is not None else ("PATH", "DEVICE", "")
    )
    check = {"xfs": "xfs_repair", "btrfs": "btrfs check", "zfs": "zpool status -v"}.get(fstype, "fsck -f")
    return "Look at dmesg and at the disks first. Then stop the PBS daemons, umount %s, %s %s, and mount it again." % (
        in_shell(where),
        check,
        in_shell(source),
    )


def explain(case: Case, number: int) -> tuple[str, str]:
    """What an errno that is not about rights says beyond its text (may be empty), and what mends it."""
    store = case.the_store
    if number == errno.EROFS:
        return read_only_cause(store)
    return EXPLAINED.get(number, ""), _remedy(case, store, number)


def _remedy(case: Case, store: StoreFacts, number: int) -> str:
    mount = store.mount
    where = mount.mount_point if mount is not None else store.path
    if number == errno.ENOSPC:
        return f"Free space or inodes on {store.path}; GC needs a few bytes to begin."
    if number == errno.EDQUOT:
        return _quota(case, store)
    if number in (errno.ESTALE, errno.ENOTCONN):
        why = "" if number == errno.ESTALE else " Find out why its process ended (journalctl, dmesg)."
        return f"Unmount and mount again (umount -l {in_shell(where)}), then restart the PBS daemons.{why}"
    if number in (errno.EUCLEAN, errno.ESHUTDOWN):
        return damaged(mount)
    if number in _NETWORK:
        source = f" of {mount.source}" if mount is not None else ""
        return f"Look at the server{source} and at the network to it; do not run GC before."
    if number in _STORAGE:
        return "The storage reports errors: look at dmesg and at the disks before anything else."
    if number in (errno.ENOSYS, errno.EOPNOTSUPP):
        return "Move the datastore to ext4, xfs, ZFS or btrfs."
    if number == errno.EOVERFLOW:
        return (
            f"Map the ids of '{case.host.account.user}' into this mount or container (PBS-HOST-06 names the numbers)."
        )
    if number in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS):
        return "This host is out of resources: look at memory and at open files (sysctl fs.file-nr) first."
    if number in (errno.EACCES, errno.EPERM) and case.host.euid != 0:
        return "Run preflight as root (become: true)."
    if number in (errno.EACCES, errno.EPERM) and inexpressible(case.host, store):
        return OUTSIDE
    if number in (errno.EACCES, errno.EPERM):
        return (
            "Even root is refused: let the server give root its rights (NFS: no_root_squash, and no all_squash; FUSE: allow_other), or run "
            "preflight where the files are."
        )
    if number == errno.ELOOP:
        return f"Look at {where}: a link that leads to itself, or a server whose listings do not end."
    return "Mend what the error names; GC would meet it too."


def _quota(case: Case, store: StoreFacts) -> str:
    mount, user = store.mount, case.host.account.user
    fstype = mount.fstype if mount is not None else ""
    if fstype == "btrfs":
        return "Look at `btrfs qgroup show -reF %s`, and raise the limit: btrfs qgroup limit SIZE %s" % (
            in_shell(store.path),
            in_shell(store.path),
        )
    if fstype == "zfs" and mount is not None:
        return "Look at `zfs get quota,refquota,userquota@%s %s`, and raise what is used up with zfs set." % (
            user,
            in_shell(mount.source),
        )
    where = f"on the file server of {store.path}" if fstype in NETWORK else f"on {store.path}"
    return f"Raise the quota of '{user}' {where} (quota -u {user} shows it; a project may have one, too)."


def said_elsewhere(probe: t.Optional[TouchFacts]) -> str:
    """The remedy where the daemon's user was refused: what follows from it needs no cause of its own. Else empty."""
    refused = probe is not None and probe.errno in (errno.EACCES, errno.EPERM)
    return "PBS-ATIME-01 says what is in the way." if refused else ""


def help_for(case: Case, text: str) -> str:
    """What helps where something could not be found out, judged by the last errno that the text names; may be empty."""
    store = case.store
    if store is None:
        return ""
    if NO_ANSWER in text:
        return _silence(store)
    if "PBS-HOST-06" in text:
        return "PBS-HOST-06 says how to extend the id map; then run preflight again."
    if case.host.account.uid is None or case.host.account.gid is None:
        return "PBS-HOST-01 says what mends the account; then run preflight again."
    found = [getattr(errno, name) for name in _NAMED.findall(text) if hasattr(errno, name)]
    return explain(case, found[-1])[1] if found else ""


def _silence(store: StoreFacts) -> str:
    mount = store.mount
    if mount is None:
        return f"Find out what {store.path} waits for (dmesg, `ps -eo pid,stat,wchan:30,cmd`); GC would wait, too."
    return (
        "Find out why %s (%s) does not answer: its server, the network, or the disk (dmesg). GC would wait there, too; do "
        "not reboot before backups have ended." % (mount.source, mount.fstype)
    )
