# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about the place of a datastore: its mount, its filesystem, and other datastores in the same place."""

from __future__ import annotations

import os.path
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import MountFacts, PersistentMount
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import StoreFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.filesystems import GOOD, OBJECT_STORES, UNFIT
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.rules.mount._common import (
    contract_of,
    is_below,
    mount_evidence,
    mount_of,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import (
    FAIL,
    Case,
    NotObserved,
    Remedy,
    Verdict,
    failed,
    in_shell,
    passed,
    unknown,
    warned,
)


def declared_mount(case: Case) -> Verdict:
    mount = mount_of(case)
    contract = contract_of(case)
    path = case.the_store.path
    waiting = _mounted_at_boot_only(case, mount)
    if waiting is not None:
        return failed(
            "%s mounts %s at %s at boot, but it is not mounted now: %s lies on %s (mounted at %s)."
            % (waiting.file, waiting.source, waiting.where, path, mount.source, mount.mount_point),
            Remedy(
                "Mount it, and find out why it was not mounted; do not run GC or backups before.",
                (f"mount {in_shell(waiting.where)}",),
            ),
            **mount_evidence(mount),
        )
    point, source = contract.get("path"), contract.get("source")
    matches = case.the_store.declared_source_matches
    if mount.is_root and not point and matches is not True:
        return failed(
            "%s lies on the root filesystem (%s on /)%s."
            % (path, mount.fstype, ", declared is %s" % source if source else ""),
            "Mount a filesystem of its own there. If one should be mounted, it is not: do not run GC or backups now.",
            severity="" if source else "medium",
            **mount_evidence(mount),
        )
    if not contract:
        return passed(f"{path} is on {mount.source}, mounted at {mount.mount_point}.", **mount_evidence(mount))
    wrong = []
    if point and os.path.normpath(point) != mount.mount_point:
        wrong.append(f"it is on the mount at {mount.mount_point}, declared is {point}")
    if contract.get("fstype") and not _same_fstype(contract["fstype"], mount.fstype):
        wrong.append(f"filesystem {mount.fstype}, declared is {contract['fstype']}")
    if source and matches is False:
        wrong.append(f"{mount.source} is mounted, declared is {source}")
    if wrong:
        return failed(
            f"{path} is not on the declared mount: {'; '.join(wrong)}.",
            Remedy(
                "Mount the declared filesystem, and find out why it was not mounted; do not run GC or backups before.",
                (f"findmnt --target {in_shell(path)}", *_mount_declared(contract, point or path)),
            ),
            declared=dict(contract),
            **mount_evidence(mount),
        )
    if source and matches is None and str(source).partition("=")[0] in ("UUID", "LABEL", "PARTUUID", "PARTLABEL"):
        return unknown(
            f"No filesystem with {source} is visible here, so whether {mount.source} is the declared one is not known.",
            Remedy(
                "Correct the declaration, or connect the disk.", ("lsblk --output NAME,FSTYPE,LABEL,UUID,MOUNTPOINT",)
            ),
            **mount_evidence(mount),
        )
    if source and matches is None:
        return unknown(
            f"Whether {mount.source} is the declared {source} could not be found out.",
            "Declare the source as UUID=… or as a path below /dev/disk.",
            **mount_evidence(mount),
        )
    return passed(f"{path} is on the declared mount ({mount.source} at {mount.mount_point}).", **mount_evidence(mount))


def elsewhere(case: Case) -> str:
    """Why rules about the declared mount do not apply to the present one; empty if it is the declared one."""
    if case.the_store.mount is None:
        return ""
    contract = contract_of(case)
    waiting = _mounted_at_boot_only(case, mount_of(case)) is not None
    if waiting or ((contract.get("path") or contract.get("source")) and declared_mount(case).status == FAIL):
        return "The filesystem of this datastore is not mounted (PBS-MOUNT-01)."
    return ""


def _mount_declared(contract: t.Mapping[str, t.Any], point: str) -> tuple[str, ...]:
    source = contract.get("source")
    return (f"mount {in_shell(str(source), point)}",) if source else (f"mount {in_shell(point)}",)


def _same_fstype(declared: str, live: str) -> bool:
    alike = {"nfs4": "nfs", "smb3": "cifs"}
    return alike.get(declared, declared) == alike.get(live, live) or live == "fuse." + declared


def _mounted_at_boot_only(case: Case, mount: MountFacts) -> t.Optional[PersistentMount]:
    """A filesystem that is mounted at boot between the present mount and the datastore, but not now."""
    for entry in case.the_store.persistent or ():
        automatic = entry.kind != "pbs" and entry.active_at_boot and entry.source_matches is not True
        if automatic and is_below(entry.where, mount.mount_point):
            return entry
    return None


def filesystem(case: Case) -> Verdict:
    mount = mount_of(case)
    kind = mount.fstype
    move = "Move the datastore to ext4, xfs, ZFS or btrfs."
    if kind in UNFIT:
        return failed(f"{kind} cannot carry a chunk store: {UNFIT[kind]}.", move, **mount_evidence(mount))
    if kind in OBJECT_STORES or (kind == "fuse" and "fuse." + mount.source in OBJECT_STORES):
        kind = kind if kind in OBJECT_STORES else f"{mount.source} (fuse)"
        return failed(
            f"{kind} shows an object store as a filesystem: owners, access times and locks are only pretended.",
            "Use PBS's own S3 backend (since 4.0), with a local cache.",
            severity="high",
            **mount_evidence(mount),
        )
    if kind == "autofs":
        return unknown(f"{mount.mount_point} is not mounted yet: an automount waits there.", **mount_evidence(mount))
    if kind in GOOD:
        return passed(f"{kind} can carry a chunk store.", **mount_evidence(mount))
    return warned(
        f"{kind} is not among the filesystems that are known to carry a chunk store; the probes decide (PBS-ATIME-*).",
        move,
        severity="high" if kind.startswith("fuse") else "medium",
        **mount_evidence(mount),
    )


def distinct(case: Case) -> Verdict:
    store = case.the_store
    others = [other for other in case.stores if other is not store]
    for other in others:
        how = _overlap(store, other)
        if how:
            return failed(
                f"Datastores '{store.name}' and '{other.name}' {how}.",
                "Give each a directory of its own. Do not run GC on either of them before.",
                other=other.name,
                paths=[store.path, other.path],
            )
    if store.location is None or store.location.error:
        raise NotObserved(case.why_not_observed())
    unseen = [
        other.name
        for other in others
        if other.location is None and other.mounted is not False and not _on_other_devices(store, other)
    ]
    if unseen:
        return unknown(f"{', '.join(unseen)} did not answer, so the real directories could not be compared.")
    return passed(f"No other datastore shares or nests in {_real(store)}.")


def _on_other_devices(one: StoreFacts, two: StoreFacts) -> bool:
    """Whether two datastores are on different filesystems, by the kernel's table of mounts, which never blocks."""
    return one.mount is not None and two.mount is not None and one.mount.device != two.mount.device


def _inside(store: StoreFacts) -> t.Optional[tuple[str, str]]:
    """A datastore's real place: the device, and the path inside the filesystem, so that bind mounts do not hide it."""
    if store.mount is None or store.location is None or not store.location.exists:
        return None
    relative = os.path.relpath(store.location.realpath, store.mount.mount_point)
    return store.mount.device, os.path.normpath(os.path.join(store.mount.root, relative))


def _overlap(one: StoreFacts, two: StoreFacts) -> str:
    """How two datastores share a place; empty if they do not."""
    a, b = one.location, two.location
    if a is not None and b is not None and a.exists and b.exists and (a.dev, a.ino) == (b.dev, b.ino):
        return "are one directory (device %d, inode %d)" % (a.dev, a.ino)
    for mine, other in _places(one, two):
        if mine == other:
            return "are one directory"
        if is_below(mine, other):
            return f"are nested: {one.path} lies inside {two.path}"
        if is_below(other, mine):
            return f"are nested: {two.path} lies inside {one.path}"
    return ""


def _places(one: StoreFacts, two: StoreFacts) -> list[tuple[str, str]]:
    """Pairs of paths of two datastores that can be compared with each other."""
    pairs = []
    if one.mounted is not False and two.mounted is not False:
        pairs.append((_real(one), _real(two)))
        here, there = _inside(one), _inside(two)
        if here is not None and there is not None and here[0] == there[0]:
            pairs.append((here[1], there[1]))
    first, second = one.configured, two.configured
    if first is not None and second is not None and first.backing_device == second.backing_device != "":
        # The paths of removable datastores are relative to their device, mounted or not.
        pairs.append(("/" + first.path.strip("/"), "/" + second.path.strip("/")))
    return pairs


def _real(store: StoreFacts) -> str:
    """The path without links, or the configured path if the filesystem did not answer."""
    location = store.location
    return location.realpath if location is not None and location.exists else os.path.normpath(store.path)
