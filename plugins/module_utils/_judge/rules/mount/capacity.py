# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about the capacity of the filesystem."""

from __future__ import annotations

import errno

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import SpaceFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.filesystems import (
    ANY_SIZE,
    INODES_MADE_UP,
    MOOSEFS_SOURCE,
    NEW_STORE_BYTES,
    NEW_STORE_INODES,
    UNFIT,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.rules.mount._common import mount_of, refused_by
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.rules.mount.place import elsewhere
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import (
    Case,
    Evidence,
    Remedy,
    Verdict,
    counted,
    failed,
    in_shell,
    passed,
    skipped,
    unknown,
    warned,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import PREFIX_COUNT

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
MIB = 1024 * 1024


def directory_limit(case: Case) -> Verdict:
    skeleton = case.the_store.skeleton
    if skeleton is not None and skeleton.prefixes >= PREFIX_COUNT:
        return passed("All 65,536 prefix directories are there.")
    mount = mount_of(case)
    dir_nlink = case.the_store.dir_nlink
    evidence: Evidence = {"fstype": mount.fstype, "dir_nlink": dir_nlink}
    if mount.fstype in ("ext2", "ext3"):
        return failed(f"{mount.fstype} ends at about 32,000 directories in one.", "Move to ext4.", **evidence)
    if mount.fstype == "ext4":
        if dir_nlink is None:
            return unknown(f"Whether ext4 has dir_nlink could not be read from {mount.source}.", **evidence)
        if not dir_nlink:
            return failed(
                "ext4 without dir_nlink ends at 64,998 directories in one; a chunk store has 65,536.",
                Remedy(
                    "Switch the feature on while the filesystem is not mounted.",
                    case.unmounted(
                        mount, f"tune2fs -O dir_nlink {in_shell(mount.source)}", f"e2fsck -fy {in_shell(mount.source)}"
                    ),
                ),
                **evidence,
            )
        return passed("ext4 with dir_nlink.", **evidence)
    if mount.fstype in ANY_SIZE:
        return passed(f"{mount.fstype} has no such limit.", **evidence)
    if mount.fstype in UNFIT:
        return failed(
            f"{mount.fstype} cannot hold 65,538 entries in one directory.", "Move to ext4, xfs or ZFS.", **evidence
        )
    return unknown(
        f"The number of entries that a directory of {mount.fstype} can have is unknown; only a creation would show it.",
        **evidence,
    )


def space(case: Case) -> Verdict:
    away = elsewhere(case)
    if away:
        return skipped(away)
    refused = refused_by(case, _NO_ROOM)
    if refused is not None and case.the_store.space is None:
        return failed(f"{refused[0][0].upper() + refused[0][1:]}.", refused[1])
    found: SpaceFacts = case.need("space")
    policy = case.policy
    evidence: Evidence = {
        "bytes_total": found.bytes_total,
        "bytes_available": found.bytes_available,
        "inodes_total": found.inodes_total,
        "inodes_available": found.inodes_available,
    }
    skeleton = case.the_store.skeleton
    if skeleton is not None and skeleton.state in ("absent", "empty"):
        short = _too_small_for_creation(case, found)
        if short:
            return failed(
                f"{short}.", "Use a larger filesystem, or make it with more inodes (mkfs.ext4 -N).", **evidence
            )
    if not found.bytes_total:
        return unknown("The filesystem does not report its size.", **evidence)
    bytes_free = _percent(found.bytes_available, found.bytes_total)
    inodes_free = _percent(found.inodes_available, found.inodes_total) if _counts_inodes(case, found) else 100.0
    evidence.update(bytes_free_percent=bytes_free, inodes_free_percent=inodes_free)
    remedy = "Prune and collect garbage, or grow the filesystem."
    for what, free, fail in (
        ("bytes", bytes_free, policy.space_fail_percent),
        ("inodes", inodes_free, policy.inodes_fail_percent),
    ):
        if free < fail:
            return failed(f"{free:.1f} % of the {what} are free; required are {fail:g} %.", remedy, **evidence)
    if refused is not None:
        return failed(
            f"{bytes_free:.0f} % of the bytes and {inodes_free:.0f} % of the inodes are free, but {refused[0]}.",
            refused[1],
            **evidence,
        )
    for what, free, warn in (
        ("bytes", bytes_free, policy.space_warn_percent),
        ("inodes", inodes_free, policy.inodes_warn_percent),
    ):
        if free < warn:
            return warned(
                f"{free:.1f} % of the {what} are free; below {warn:g} % it is time to act.", remedy, **evidence
            )
    inodes_text = f"{inodes_free:.0f} % of the inodes" if _counts_inodes(case, found) else "inodes without limit"
    return passed(f"{bytes_free:.0f} % of the bytes and {inodes_text} are free.", **evidence)


def _counts_inodes(case: Case, found: SpaceFacts) -> bool:
    """Whether the numbers of inodes are a limit.

    CephFS reports 2^64 - 1 available ones, which is -1 here, and others report more available ones than there are. Some
    filesystems in user space report a number that they made up.
    """
    mount = case.the_store.mount
    made_up = mount is not None and (mount.fstype in INODES_MADE_UP or mount.source.startswith(MOOSEFS_SOURCE))
    return 0 <= found.inodes_available <= found.inodes_total != 0 and not made_up


def _percent(part: int, whole: int) -> float:
    """Truncate to the shown digits instead of rounding: 4.96 must not be shown as 5.0 if 5 is required."""
    return part * 1000 // whole / 10


def _too_small_for_creation(case: Case, found: SpaceFacts) -> str:
    mount = case.the_store.mount
    needed = NEW_STORE_BYTES.get(mount.fstype, 0) if mount is not None else 0
    if _counts_inodes(case, found) and found.inodes_available < NEW_STORE_INODES:
        return f"{counted(found.inodes_available, 'inode')} free; a new datastore needs 65,537"
    if found.bytes_available < needed:
        return "%d MiB free; a new datastore needs %d MiB on %s" % (
            found.bytes_available // MIB,
            needed // MIB,
            mount.fstype if mount is not None else "",
        )
    return ""
