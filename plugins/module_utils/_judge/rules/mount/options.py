# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about mount options: whether they allow writing, and whether they are as declared."""

from __future__ import annotations

import errno
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import MountFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.causes import damaged, read_only, read_only_cause
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.rules.mount._common import (
    contract_of,
    mount_evidence,
    mount_of,
    own_persistent,
    refused_by,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.rules.mount.place import elsewhere
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import (
    Case,
    Evidence,
    Remedy,
    Verdict,
    failed,
    in_shell,
    passed,
    skipped,
)

ATIME_OPTIONS = ("noatime", "strictatime", "relatime")
FLAGS = (("nosuid", "suid"), ("nodev", "dev"), ("noexec", "exec"), ("sync", "async"), ("nodiratime", "diratime"))
ATIME_OPPOSITES = (
    ("noatime", "relatime"),
    ("strictatime", "relatime"),
    ("relatime", "strictatime"),
    ("atime", "noatime"),
)
IMPLIED = {
    "user": ("noexec", "nosuid", "nodev"),
    "users": ("noexec", "nosuid", "nodev"),
    "owner": ("nosuid", "nodev"),
    "group": ("nosuid", "nodev"),
}
"""Options that mount(8) adds if users other than root may mount."""
BOOT_ONLY = ("noauto", "nofail", "user", "users", "owner", "group", "defaults", "auto", "nouser", "loop")
_NOT_WRITABLE = (errno.EROFS, errno.EIO, errno.ENXIO, errno.EUCLEAN, errno.ESHUTDOWN)


def writable(case: Case) -> Verdict:
    mount = mount_of(case)
    half = read_only(mount)
    stopped = {"emergency_ro", "shutdown"} & set(mount.super_options)
    if stopped:
        return failed(
            f"{mount.mount_point}: the filesystem has stopped after an error (superblock option {stopped.pop()}).",
            damaged(case),
            half=half,
            **mount_evidence(mount),
        )
    if half == "filesystem":
        return failed(
            f"{mount.mount_point}: the filesystem itself is read-only (superblock option ro).",
            read_only_cause(case)[1],
            half=half,
            **mount_evidence(mount),
        )
    if half == "mount":
        return failed(
            f"{mount.mount_point}: this mount is read-only (mount option ro), the filesystem below is not.",
            read_only_cause(case)[1],
            half=half,
            **mount_evidence(mount),
        )
    refused = refused_by(case, _NOT_WRITABLE)
    if refused is not None:
        what, remedy = refused
        return failed(f"{mount.mount_point} is mounted read-write, but {what}.", remedy, **mount_evidence(mount))
    return passed(f"{mount.mount_point} is mounted read-write.", **mount_evidence(mount))


def options(case: Case) -> Verdict:
    contract = contract_of(case)
    required, forbidden = contract.get("options") or [], contract.get("options_forbidden") or []
    if not required and not forbidden:
        return skipped("No options are declared.")
    mount = mount_of(case)
    away = elsewhere(case)
    if away:
        return skipped(away)
    live = _in_force(mount)
    missing = [o for o in required if o not in live and o not in BOOT_ONLY and not o.startswith(("x-", "_netdev"))]
    present = [option for option in forbidden if option in live]
    severity = contract.get("severity") or ""
    if missing or present:
        parts = [f"required and missing: {', '.join(missing)}"] if missing else []
        parts += [f"forbidden and present: {', '.join(present)}"] if present else []
        return failed(
            f"{mount.mount_point}: {'; '.join(parts)}.",
            _remount(missing, present, mount),
            severity=severity,
            missing=missing,
            present=present,
            **mount_evidence(mount),
        )
    return passed("The options satisfy the contract.", **mount_evidence(mount))


def _in_force(mount: MountFacts) -> set[str]:
    """The effective options, including defaults that the kernel does not show."""
    live = set(mount.options) | set(mount.super_options)
    if read_only(mount):
        live.discard("rw")
    if not live & {"noatime", "relatime"}:
        live.add("strictatime")
    live.update(opposite for flag, opposite in (*FLAGS, ("noatime", "atime")) if flag not in live)
    return live


def _remount(missing: t.Sequence[str], present: t.Sequence[str], mount: MountFacts) -> Remedy:
    """A remount with the missing options, and with the opposites of the forbidden ones, if they have one."""
    opposites = {**dict(FLAGS), **{opposite: flag for flag, opposite in FLAGS}, **dict(ATIME_OPPOSITES)}
    wanted = [*missing, *(opposites[option] for option in present if option in opposites)]
    rest = [option for option in present if option not in opposites]
    text = "Remount with other options, and write them where the mount is made at boot."
    if rest:
        text = f"Remove {', '.join(rest)} where the mount is made at boot, and mount it again. {text if wanted else ''}".strip()
    if not wanted:
        return Remedy(text)
    return Remedy(text, (f"mount -o {in_shell(','.join(['remount', *dict.fromkeys(wanted)]), mount.mount_point)}",))


def options_persist(case: Case) -> Verdict:
    mount = mount_of(case)
    away = elsewhere(case)
    if away:
        return skipped(away)
    entries = [
        entry
        for entry in own_persistent(case, mount)
        if entry.kind in ("fstab", "systemd") and entry.active_at_boot and entry.source_matches is not False
    ]
    if not entries:
        return skipped("No line of /etc/fstab and no unit to compare with (PBS-MOUNT-02).")
    entry = entries[0]
    differences = _option_differences(entry.options, mount)
    evidence: Evidence = {"persistent": entry.options, "file": entry.file, **mount_evidence(mount)}
    if differences:
        return failed(
            f"{mount.mount_point} is mounted otherwise than {entry.file} says: {'; '.join(differences)}.",
            Remedy(
                f"Remount with what is written in {entry.file}, or correct that file.",
                (f"mount -o remount {in_shell(mount.mount_point)}",),
            ),
            differences=differences,
            **evidence,
        )
    return passed(f"The live options are those of {entry.file}.", **evidence)


def _option_differences(written: t.Sequence[str], mount: MountFacts) -> list[str]:
    """Compare the options that the kernel shows; of contradicting options the last wins, as in mount(8)."""
    live = set(mount.options)
    if {"bind", "rbind"} & set(written):
        # A bind mount keeps the flags of its source, so only what is written asks for something.
        written = [option for option in written if option != "defaults"]
        inherited = [flag for flag, _opposite in FLAGS if flag in live or flag in mount.super_options]
        inherited.append(next((option for option in ATIME_OPTIONS if option in live), "strictatime"))
        written = ["ro" if read_only(mount) else "rw", *inherited, *written]
    if mount.fstype.startswith("fuse"):
        # fusermount adds nosuid and nodev by itself (fuse, fuse.*, fuseblk).
        written = [*(flag for flag in ("nosuid", "nodev") if flag in live), *written]
    written = [part for option in written for part in (*IMPLIED.get(option, ()), option)]
    differences = []
    wants_ro = _last(written, ("ro", "rw"), "rw") == "ro"
    if wants_ro != bool(read_only(mount)):
        differences.append("live %s, written %s" % (("rw", "ro") if wants_ro else ("ro", "rw")))
    wanted_atime = _last(written, ATIME_OPTIONS, "relatime")
    live_atime = next((option for option in ATIME_OPTIONS if option in live), "strictatime")
    if wanted_atime != live_atime:
        differences.append(f"live {live_atime}, written {wanted_atime}")
    for flag, opposite in FLAGS:
        wanted = _last(written, (flag, opposite), opposite) == flag
        present = flag in live or flag in mount.super_options
        if wanted != present:
            differences.append("live %s, written %s" % ((flag, opposite) if present else (opposite, flag)))
    return differences


def _last(written: t.Sequence[str], choices: t.Sequence[str], default: str) -> str:
    found = [option for option in written if option in choices]
    return found[-1] if found else default
