# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controls of owners and modes say."""

from __future__ import annotations

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.file import PathProblem
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.walk import OwnerCount
from ansible_collections.fleetops.pbs.tests.support.facts import not_looked_at
from ansible_collections.fleetops.pbs.tests.support.judging import Example

TANK = "/mnt/datastore/tank"
STRAY = "What lies beside ct, host, ns and vm the repair leaves alone: let 'backup' read it, or move it away."
REPAIR = "ansible-playbook fleetops.pbs.repair --limit pbs1"
WALK_CONTROLS = ["PBS-OWNER-0%d" % number for number in range(1, 8)]
NO_STORE = {"skeleton.chunks": None, "skeleton.state": "empty", "ownership": None}
SAMPLE = {"ownership.scope": "sample", "ownership.prefixes_walked": 256, "ownership.chunks.files": 4}
STOPPED = {"ownership.complete": False, "ownership.stuck": "no answer from .chunks/0a3f for 60 s"}
S3 = {"configured.backend": "s3"}
CHUNK = TANK + f"/.chunks/ab12/ab12{'0' * 60}"


def owners(part, number, uid=0, gid=0, path=CHUNK):
    """One part of the store has this number of files owned by another user."""
    prefix = f"ownership.{part}."
    return {
        prefix + "wrong_owner": number,
        prefix + "wrong_uid": number if uid != 34 else 0,
        prefix + "wrong_gid": number if gid != 34 else 0,
        prefix + "owners": [OwnerCount(uid, gid, number)],
        prefix + "examples": {"wrong_owner": [PathProblem(path, "%d:%d 0644" % (uid, gid))]},
    }


def denied(part, path="/vm/x", **kinds):
    """The daemon's user may not use so many things of each kind."""
    problem = PathProblem(TANK + path, "mode 0700, uid 0, gid 0")
    return {f"ownership.{part}.denied": kinds, f"ownership.{part}.examples": {kind: [problem] for kind in kinds}}


def errors(part):
    return {
        f"ownership.{part}.errors": 2,
        f"ownership.{part}.examples": {"errors": [PathProblem(TANK + "/.chunks/00ff", "EIO: Input/output error")]},
    }


def strange(part, kind, path, detail=""):
    return {
        f"ownership.{part}.foreign": {kind: 1},
        f"ownership.{part}.examples": {kind: [PathProblem(path, detail)]},
    }


EXAMPLES = [
    # Where owners are made up by the mount, or cannot be changed from here, the repair is not the remedy.
    *(
        Example("PBS-OWNER-03", "fail", {**changes, "ownership.chunks.wrong_owner": 3}, "3 chunks do not", remedy)
        for changes, remedy in (
            ({"mount.fstype": "vfat"}, "vfat keeps no owners. Move the datastore"),
            (
                {"mount.fstype": "cifs", "mount.super_options": ["rw", "nounix", "uid=0"]},
                "uid=34,gid=34,forceuid,forcegid",
            ),
            ({"mount.fstype": "cifs", "mount.super_options": ["rw", "cifsacl"]}, "fleetops.pbs.repair"),
            ({"root_refused": "EACCES: Permission denied"}, "on the machine that has the files"),
            ({"host.id_map.namespaced": True, "location.uid": 65534}, "PBS-HOST-06 says what to do outside"),
        )
    ),
    *(Example(control, "pass") for control in WALK_CONTROLS),
    # --- what is the same for all of them
    *(Example(control, "skip", NO_STORE, "PBS-CONF-06") for control in WALK_CONTROLS),
    *(Example(control, "skip", {"ownership.scope": "none"}, "not walked (scope: none)") for control in WALK_CONTROLS),
    *(
        Example(
            control,
            "skip" if control in ("PBS-OWNER-03", "PBS-OWNER-04", "PBS-OWNER-05", "PBS-OWNER-07") else "pass",
            {"ownership.scope": "skeleton"},
        )
        for control in WALK_CONTROLS
    ),
    *(Example(control, "unknown", not_looked_at(), "gave no answer within 10 s") for control in WALK_CONTROLS),
    *(
        Example(control, "unknown", {"ownership.not_walked": "user or group of the daemon do not exist here"})
        for control in WALK_CONTROLS
    ),
    *(Example(control, "unknown", STOPPED, "no answer from .chunks/0a3f for 60 s") for control in WALK_CONTROLS),
    *(
        Example(
            control,
            "pass" if control == "PBS-OWNER-05" else "warn",  # namespaces and groups are walked whole
            SAMPLE,
            "" if control == "PBS-OWNER-05" else ["sample of 4 files in 256 prefix directories", "0.4 % of all"],
            "" if control == "PBS-OWNER-05" else "preflight_scope: full",
            "" if control == "PBS-OWNER-05" else "low",
        )
        for control in WALK_CONTROLS
    ),
    *(
        Example(control, "unknown", {**SAMPLE, "ownership.prefixes_total": 0}, "has no prefix directory in it")
        for control in WALK_CONTROLS
        if control != "PBS-OWNER-05"
    ),
    *(
        Example(control, "unknown", errors(part), ["2 entries could not be looked at", "00ff (EIO"], "as root")
        for control, part in (
            ("PBS-OWNER-01", "skeleton"),
            ("PBS-OWNER-02", "skeleton"),
            ("PBS-OWNER-03", "chunks"),
            ("PBS-OWNER-04", "chunks"),
            ("PBS-OWNER-05", "metadata"),
            ("PBS-OWNER-06", "skeleton"),
            ("PBS-OWNER-06", "chunks"),
            ("PBS-OWNER-06", "metadata"),
            ("PBS-OWNER-07", "chunks"),
        )
    ),
    # --- owners; a wrong group alone is milder
    *(
        Example(
            control,
            "fail",
            {**owners(part, 1200, 0, 0), **more},
            [f"1,200 {words} do not belong to backup:backup (34:34)", "1,200 of 0:0", CHUNK, consequence],
            REPAIR,
            severity,
        )
        for more in ({}, SAMPLE, STOPPED)  # however little was seen: something wrong was
        for control, part, words, consequence, severity in (
            ("PBS-OWNER-01", "skeleton", "parts of the skeleton", "PBS refuses to reuse the datastore", "medium"),
            ("PBS-OWNER-03", "chunks", "chunks", "GC stops at the first of them", "critical"),
            ("PBS-OWNER-05", "metadata", "files or directories", "PBS works all the same", "medium"),
        )
    ),
    *(
        Example(
            control,
            "fail",
            owners(part, 1, 34, 0),
            [f"1 {words} does not belong", "1 of 34:0", "Only the group is wrong: PBS works", consequence],
            REPAIR,
            "medium",
        )
        for control, part, words, consequence in (
            ("PBS-OWNER-01", "skeleton", "part of the skeleton", "refuses to reuse the datastore"),
            ("PBS-OWNER-03", "chunks", "chunk", "all the same"),
            ("PBS-OWNER-05", "metadata", "file or directory", "all the same"),
        )
    ),
    # The fixed parts are known without a walk.
    *(
        Example(
            "PBS-OWNER-01",
            "fail",
            {"skeleton.lock.uid": 0, "skeleton.lock.gid": 0, **more},
            [f"{TANK}/.lock belongs to 0:0", "required is backup:backup (34:34)"],
            f"chown -h backup:backup {TANK}/.lock",
            "critical",
        )
        for more in ({}, {"ownership": None}, {"ownership.scope": "none"}, STOPPED)
    ),
    Example("PBS-OWNER-01", "fail", {"skeleton.chunks.gid": 0}, "belongs to 34:0", severity="medium"),
    Example("PBS-OWNER-01", "skip", {**NO_STORE, "skeleton.base.uid": 0}),
    # --- modes
    Example(
        "PBS-OWNER-02",
        "fail",
        {
            "ownership.skeleton.wrong_mode": 65537,
            "ownership.skeleton.examples": {"wrong_mode": [PathProblem(TANK, "0700")]},
        },
        ["65,537 parts of the skeleton have", "base 0755, .chunks and prefixes 0750, .lock 0644", f"{TANK} (0700)"],
        REPAIR,
        "medium",
    ),
    # The repair refuses a base directory that locks users out or lets all of them write.
    *(
        Example(
            "PBS-OWNER-02",
            "fail",
            {"skeleton.base.mode": mode, "ownership.skeleton.wrong_mode": wrong},
            "not the mode that a reuse demands",
            [f"chmod 0755 {TANK}{then}"],
            "medium",
        )
        for mode, wrong, then in (("1777", 1, ""), ("0700", 1, ""), ("1777", 2, f"\n{REPAIR}"))
    ),
    Example(
        "PBS-OWNER-01",
        "fail",
        {"skeleton.base.mode": "1777", "skeleton.base.uid": 0, "skeleton.base.gid": 0},
        f"{TANK} belongs to 0:0",
        f"chmod 0755 {TANK}\nchown -h backup:backup {TANK}",
    ),
    *(
        Example(control, "fail", {**changes, "skeleton.base.mode": "1777"}, "", f"chmod 0755 {TANK}\n{REPAIR}")
        for control, changes in (
            ("PBS-OWNER-03", owners("chunks", 2)),
            ("PBS-OWNER-04", {"ownership.chunks.unreadable": 1}),
            ("PBS-OWNER-05", owners("metadata", 2)),
        )
    ),
    # PBS itself replaces an empty zero chunk, and one that is too large.
    *(
        Example(
            "PBS-OWNER-03",
            status,
            {**owners("chunks", number), "skeleton.zero_chunk.uid": 0, "skeleton.zero_chunk.size": 300},
        )
        for number, status in ((1, "skip"), (2, "fail"))
    ),
    # --- readable: else verify renames a good chunk
    Example(
        "PBS-OWNER-04",
        "fail",
        {
            "ownership.chunks.unreadable": 1,
            "ownership.chunks.examples": {"unreadable": [PathProblem(CHUNK, "0:0 0600")]},
        },
        ["1 chunk cannot be read by 'backup'", CHUNK, "The next verify would rename it as corrupt"],
        REPAIR,
        "critical",
    ),
    Example("PBS-OWNER-04", "fail", {"ownership.chunks.unreadable": 3, **STOPPED}, "would rename them as corrupt"),
    # --- each consequence of a lacking permission
    *(
        Example(
            "PBS-OWNER-05",
            "fail",
            denied("metadata", path, **{kind: 1}),
            [f"'backup' cannot {does} 1 {what}, such as {TANK}{path} (mode 0700, uid 0, gid 0): {consequence}"],
            REPAIR if path == "/vm/x" else STRAY,
            severity,
        )
        for path, kind, does, what, consequence, severity in (
            ("/vm/x", "unreadable namespace", "read", "directory of a namespace", "GC stops there.", "critical"),
            ("/vm/x", "unreadable type", "read", "directory of a backup type", "GC stops there.", "critical"),
            ("/vm/x", "unreadable group", "read", "directory of a group", "GC stops there.", "critical"),
            ("/vm/x", "unreadable snapshot", "read", "directory of a snapshot", "GC stops there.", "critical"),
            ("/vm/x", "unreadable index", "read", "index file", "GC stops there.", "critical"),
            ("/@eaDir", "unreadable directory", "read", "other directory", "GC stops there.", "critical"),
            ("/vm/x", "unreadable manifest", "read", "manifest", "verify and restore of these snapshots fail", "high"),
            ("/vm/x", "unreadable owner", "read", "owner file", "backups into these groups fail", "high"),
            (
                "/vm/x",
                "unwritable group",
                "write to",
                "directory of a group",
                "new backups of these groups fail",
                "high",
            ),
            (
                "/vm/x",
                "unwritable type",
                "write to",
                "directory of a backup type",
                "backups that need a new group",
                "high",
            ),
            (
                "/vm/x",
                "unwritable namespace",
                "write to",
                "directory of a namespace",
                "backups that need a new group",
                "high",
            ),
            (
                "/vm/x",
                "unwritable snapshot",
                "write to",
                "directory of a snapshot",
                "prune and forget cannot remove",
                "medium",
            ),
            ("/vm/x", "unreadable file", "read", "other file", "a restore of these files fails", "medium"),
            (
                "/vm/x",
                "unwritable directory",
                "write to",
                "other directory",
                "PBS cannot remove what is in there",
                "low",
            ),
        )
    ),
    Example(
        "PBS-OWNER-05",
        "fail",
        {**owners("metadata", 5), **denied("metadata", **{"unwritable snapshot": 2, "unreadable owner": 1})},
        [
            "'backup' cannot read 1 owner file",
            "cannot write to 2 directories of snapshots",
            "5 files and directories belong",
        ],
        REPAIR,
        "high",
    ),
    # Not all of them are examples, so some may be the repair's.
    Example(
        "PBS-OWNER-05",
        "fail",
        denied("metadata", "/@eaDir", **{"unreadable directory": 20}),
        "20 other directories",
        [REPAIR, STRAY],
    ),
    *(
        Example(control, "fail", {**changes, **denied("skeleton", **{kind: 1})}, consequence, REPAIR, severity)
        for control, changes in (("PBS-OWNER-01", owners("skeleton", 1)), ("PBS-OWNER-02", {}))
        for kind, consequence, severity in (
            ("unreadable base", "PBS cannot open the datastore", "critical"),
            ("unreadable chunks", "PBS cannot open the datastore", "critical"),
            ("unwritable chunks", "PBS cannot make a prefix directory there", "critical"),
            ("unreadable prefix", "GC stops there", "critical"),
            ("unwritable prefix", "GC stops at the first chunk that it removes there", "critical"),
            ("unreadable lock", "PBS cannot open the datastore", "critical"),
            ("unwritable lock", "PBS cannot open the datastore", "critical"),
            ("unreadable gc-status", "PBS cannot open the datastore", "critical"),
            ("unwritable base", "GC cannot store its result", "high"),
        )
    ),
    # PBS-OWNER-01 has the consequences of wrong owners.
    Example("PBS-OWNER-02", "pass", {**owners("skeleton", 1), **denied("skeleton", **{"unwritable prefix": 1})}),
    # --- foreign
    *(
        Example(
            "PBS-OWNER-06",
            "fail",
            {**strange(part, kind, TANK + path, detail), **SAMPLE},
            ["1 thing is in the store that PBS does not make", f"({kind}: 1)", TANK + path, detail],
            ["find out who made them", "this collection removes none of them"],
            "high",
        )
        for part, kind, path, detail in (
            ("chunks", "link", "/.chunks/ab12/x", ""),
            ("chunks", "hardlink", "/.chunks/ab12/x", "2 links"),
            ("metadata", "device", "/vm/100/x", ""),
            ("metadata", "name", "/@eaDir", "not part of a datastore"),
        )
    ),
    # A link in place of a directory of PBS leads to backups or chunks: moving it away would lose them.
    *(
        Example("PBS-OWNER-06", "fail", strange(part, "link", TANK + path), "(link: 1)", remedy)
        for part, path, remedy in (
            ("metadata", "/vm/100", "GC does not follow links, and removes the chunks behind"),
            ("metadata", "/host", "put the directory itself back in its place before the next GC (PBS-DATA-02)"),
            ("metadata", "/ns/a/vm/100/2025-01-01T00:00:00Z", "put the directory itself back in its place before"),
            ("skeleton", "/.chunks/ab12", "PBS follows a link in place of a prefix directory"),
            ("metadata", "/vm/100/x", "find out who made them, and move them away"),
        )
    ),
    Example(
        "PBS-OWNER-06",
        "fail",
        strange("chunks", "immutable", CHUNK, "flags: immutable"),
        ["(immutable: 1)", f"{CHUNK} (flags: immutable)"],
        ["chattr -i -a", "GC stops at an immutable chunk", "from an immutable directory"],
        "critical",
    ),
    Example("PBS-OWNER-06", "fail", strange("skeleton", "mount", TANK + "/.chunks/00ff"), "(mount: 1)", "Unmount"),
    Example(
        "PBS-OWNER-06",
        "fail",
        {**strange("skeleton", "mount", TANK + "/x"), **strange("metadata", "link", TANK + "/vm/100/y")},
        "2 things are in the store that PBS does not make (link: 1, mount: 1)",
        ["Unmount", "move them away"],
    ),
    # What another part of the store counts is named with its examples all the same.
    Example(
        "PBS-OWNER-06",
        "fail",
        {
            "ownership.skeleton.foreign": {"mount": 1},
            "ownership.chunks.examples": {"mount": [PathProblem(TANK + "/x", "")]},
        },
        TANK + "/x",
        "umount %s/x" % TANK,
    ),
    # --- debris
    Example(
        "PBS-OWNER-07",
        "fail",
        {"ownership.bad_chunks": 1, "ownership.empty_chunks": 2},
        "1 chunk that verify found corrupt and 2 chunks of length 0.",
        "Make new backups",
        "medium",
    ),
    # Verify renames a good chunk too, if it cannot read it.
    Example(
        "PBS-OWNER-07",
        "fail",
        {"ownership.bad_chunks": 1, "ownership.chunks.examples": {"bad": [PathProblem(CHUNK + ".0.bad", "")]}},
        "1 chunk that verify found corrupt.",
        [
            "a good chunk that 'backup' could not read",
            f"mv -n -T {CHUNK}.0.bad {CHUNK}\nproxmox-backup-manager verify tank --ignore-verified false",
        ],
    ),
    Example("PBS-OWNER-07", "pass", {**S3, "ownership.empty_chunks": 5000}),
    Example("PBS-OWNER-07", "fail", {**S3, "ownership.bad_chunks": 1, "ownership.empty_chunks": 5000}, "1 chunk that"),
    Example(
        "PBS-OWNER-07",
        "warn",
        {"ownership.temporary": 3, "ownership.temporary_bytes": 4096},
        ["3 temporary files older than a day (4,096 bytes)", "GC will never remove"],
        f"find {TANK}/.chunks -xdev -type f -name '*.tmp_*'",
        "low",
    ),
    Example("PBS-OWNER-07", "pass", {"ownership.temporary": 3}, ask={"policy": {"temporary_files_max": 3}}),
    # A mount that gives every directory one mode can never satisfy a reuse.
    Example(
        "PBS-OWNER-02",
        "warn",
        {
            "mount.fstype": "cifs",
            "mount.super_options": ["rw", "nounix", "uid=34"],
            "ownership.skeleton.wrong_mode": 1,
        },
        "cannot add this datastore again",
        "Nothing can satisfy this control on such a mount",
        "low",
    ),
]
