# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The meaning of errnos on the filesystem of a datastore, and their fixes."""

from __future__ import annotations

import errno
import re
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import MountFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import StoreFacts, TouchFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.filesystems import NETWORK
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import (
    AS_ROOT,
    OUTSIDE,
    RESTART,
    Advice,
    Case,
    Remedy,
    in_shell,
    inexpressible,
    remedy_of,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.zero_chunk import insert_action, zero_chunk

OTHERWISE = "Fix what the error names; GC would meet it too."

NO_ANSWER = "no answer"
_SILENT_PROGRAM = re.compile(r"\S: no answer in [0-9.]+ s")
"""A part of every message about a filesystem that does not answer."""

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
"""Explanations in addition to the text of an errno."""


def read_only(mount: t.Optional[MountFacts]) -> str:
    """Which half of a mount is read-only: `mount`, `filesystem` or nothing.

    Since Linux 6.14 ext4 does not become `ro` after an error, but `emergency_ro` or `shutdown` beside its `rw`.
    """
    if mount is None:
        return ""
    if {"ro", "emergency_ro", "shutdown"} & set(mount.super_options):
        return "filesystem"
    return "mount" if "ro" in mount.options else ""


def read_only_cause(case: Case) -> tuple[str, Remedy]:
    """Which half of the mount is read-only, and the fix."""
    store = case.the_store
    mount = store.mount
    where = mount.mount_point if mount is not None else store.path
    half = read_only(mount)
    if half == "mount":
        return (
            f"the mount at {where} is read-only",
            Remedy("Mount it read-write.", (f"mount -o remount,bind,rw {in_shell(where)}",)),
        )
    if half == "filesystem" and mount is not None and "ro" not in mount.super_options:
        option = "emergency_ro" if "emergency_ro" in mount.super_options else "shutdown"
        return f"the filesystem at {where} has stopped after an error ({option})", damaged(case)
    remount = f"mount -o remount,rw {in_shell(where)}"
    if half == "filesystem" and mount is not None and mount.fstype in NETWORK:
        return (
            f"the filesystem at {where} is read-only",
            Remedy("Let the server give this host the right to write, then remount.", (remount,)),
        )
    if half == "filesystem":
        return (
            f"the filesystem at {where} is read-only",
            Remedy(
                "Find the reason first: after a disk error the kernel makes a filesystem read-only. Then remount.",
                ("dmesg --level err,warn | tail -n 50", remount),
            ),
        )
    return (
        f"the mount at {where} and its superblock are read-write, so the storage below refuses to write",
        Remedy(
            "Look where the storage comes from: a server that exports it read-only, or a disk that is write-protected."
        ),
    )


def damaged(case: Case) -> Remedy:
    """The fix for a filesystem that shut itself down: a remount is not enough."""
    mount = case.the_store.mount
    text = "Look at the kernel's messages and at the disks first. Then check the filesystem while it is not mounted."
    if mount is None:
        return Remedy(text, ("dmesg --level err,warn | tail -n 50",))
    program = {"xfs": "xfs_repair", "btrfs": "btrfs check", "zfs": "zpool status -v"}.get(mount.fstype, "fsck -f")
    pool = mount.source.partition("/")[0] if mount.fstype == "zfs" else mount.source
    return Remedy(
        text,
        ("dmesg --level err,warn | tail -n 50", *case.unmounted(mount, f"{program} {in_shell(pool)}")),
    )


def explain(case: Case, number: int) -> tuple[str, Remedy]:
    """An explanation of an errno that is not about permissions (may be empty), and the fix."""
    if number == errno.EROFS:
        return read_only_cause(case)
    return EXPLAINED.get(number, ""), remedy_of(_remedy(case, case.the_store, number))


def _remedy(case: Case, store: StoreFacts, number: int) -> Advice:
    mount = store.mount
    where = mount.mount_point if mount is not None else store.path
    if number == errno.ENOSPC:
        return Remedy(
            f"Free space or inodes on {store.path} first, then run GC: GC itself needs a few bytes to begin.",
            (f"df -h {in_shell(store.path)}", f"df -i {in_shell(store.path)}"),
        )
    if number == errno.EDQUOT:
        return _quota(case, store)
    if number in (errno.ESTALE, errno.ENOTCONN):
        why = "" if number == errno.ESTALE else " Find out why its process ended (journalctl, dmesg)."
        return Remedy(
            f"Unmount and mount again, then restart the PBS daemons.{why}",
            (f"umount -l {in_shell(where)}", f"mount {in_shell(where)}", RESTART),
        )
    if number in (errno.EUCLEAN, errno.ESHUTDOWN):
        return damaged(case)
    if number in _NETWORK:
        source = f" of {mount.source}" if mount is not None else ""
        return f"Look at the server{source} and at the network to it; do not run GC before."
    if number in _STORAGE:
        return Remedy(
            "The storage reports errors: look at the kernel's messages and at the disks before anything else.",
            ("dmesg --level err,warn | tail -n 50",),
        )
    if number in (errno.ENOSYS, errno.EOPNOTSUPP):
        return "Move the datastore to ext4, xfs, ZFS or btrfs."
    if number == errno.EOVERFLOW:
        return (
            f"Map the ids of '{case.host.account.user}' into this mount or container (PBS-HOST-06 names the numbers)."
        )
    if number in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS):
        return Remedy(
            "This host is out of resources: look at memory and at open files first.", ("sysctl fs.file-nr", "free -m")
        )
    if number in (errno.EACCES, errno.EPERM) and case.host.euid != 0:
        return AS_ROOT
    if number in (errno.EACCES, errno.EPERM) and inexpressible(case.host, store):
        return OUTSIDE
    if number in (errno.EACCES, errno.EPERM):
        return (
            "Even root is refused: let the server give root its rights (NFS: no_root_squash, and no all_squash; FUSE: "
            "allow_other), or run preflight where the files are."
        )
    if number == errno.ELOOP:
        return f"Look at {where}: a link that leads to itself, or a server whose listings do not end."
    return OTHERWISE


def _quota(case: Case, store: StoreFacts) -> Remedy:
    mount, user = store.mount, case.host.account.user
    fstype = mount.fstype if mount is not None else ""
    text = f"Raise the quota of '{user}'"
    if fstype == "btrfs":
        return Remedy(
            f"Raise the limit of the qgroup of {store.path} (btrfs qgroup limit).",
            (f"btrfs qgroup show -reF {in_shell(store.path)}",),
        )
    if fstype == "zfs" and mount is not None:
        properties = f"quota,refquota,userquota@{user}"
        return Remedy("Raise the quota that is used up (zfs set).", (f"zfs get {in_shell(properties, mount.source)}",))
    if fstype in NETWORK:
        return Remedy(f"{text} on the file server of {store.path}.")
    return Remedy(
        f"{text} on {store.path} (setquota, edquota); a project may have a quota, too.", (f"quota -u {in_shell(user)}",)
    )


def replaces_zero_chunk(case: Case) -> bool:
    """Whether PBS's check replaces the zero chunk that is there, whoever owns it.

    PBS keeps an existing chunk of at most the size of the new one, and replaces an empty or a larger one by a new file.
    Source: PBS, `chunk_store.rs`, insertion of a chunk.
    """
    store = case.the_store
    chunk = store.skeleton.zero_chunk if store.skeleton is not None else None
    if chunk is None or chunk.type != "file" or chunk.flags or chunk.uid == case.host.account.uid:
        return False
    s3 = store.configured is not None and store.configured.backend == "s3"
    if insert_action(chunk.size, len(zero_chunk()), s3) == "touch":
        return False
    return store.configured is None or store.configured.tuning.get("gc-atime-safety-check", True) is not False


def said_elsewhere(probe: t.Optional[TouchFacts]) -> str:
    """The remedy if the daemon's user was refused, so that consequences need no remedy of their own; otherwise empty."""
    refused = probe is not None and probe.errno in (errno.EACCES, errno.EPERM)
    return "PBS-ATIME-01 names what is in the way." if refused else ""


def help_for(case: Case, text: str) -> Remedy:
    """The fix for a fact that could not be observed, from the last errno in the text; may be empty."""
    store = case.store
    if store is None:
        return Remedy("")
    if _SILENT_PROGRAM.search(text):
        return Remedy(
            "Find out why this program does not answer, then run preflight again. The datastore is not the cause.",
            ("systemctl is-system-running", "journalctl --boot --priority err | tail -n 50"),
        )
    if NO_ANSWER in text:
        return _silence(store)
    if "PBS-HOST-06" in text:
        return Remedy("Extend the id map as PBS-HOST-06 describes; then run preflight again.")
    if case.host.account.uid is None or case.host.account.gid is None:
        return Remedy("Fix the account as PBS-HOST-01 describes; then run preflight again.")
    found = [getattr(errno, name) for name in _NAMED.findall(text) if hasattr(errno, name)]
    return explain(case, found[-1])[1] if found else Remedy("")


def _silence(store: StoreFacts) -> Remedy:
    mount = store.mount
    waiting = ("dmesg --level err,warn | tail -n 50", "ps -eo pid,stat,wchan:30,cmd | grep ' D'")
    if mount is None:
        return Remedy(f"Find out what {store.path} waits for; GC would wait, too.", waiting)
    return Remedy(
        f"Find out why {mount.source} ({mount.fstype}) does not answer: its server, the network, or the disk. GC would wait "
        "there, too; do not reboot before backups have ended.",
        waiting,
    )
