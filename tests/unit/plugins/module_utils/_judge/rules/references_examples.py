# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controls of references say."""

from __future__ import annotations

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.references import (
    GroupFacts,
    Problems,
    ReferenceProblem,
    Sum,
    SweepFacts,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.rules.references import NEEDED, OPENED, UNSEEN
from ansible_collections.fleetops.pbs.tests.support.facts import DAY, NOW, needs, not_looked_at
from ansible_collections.fleetops.pbs.tests.support.judging import Example

TANK = "/mnt/datastore/tank"
CONTROLS = ["PBS-DATA-0%d" % number for number in range(1, 6)]
SNAPSHOTS = ["PBS-SNAP-01", "PBS-SNAP-02"]
AGES = {"policy": {"max_backup_age_days": 2}}
NO_STORE = {"skeleton.chunks": None, "skeleton.state": "empty", "ownership": None}
INDEX = "vm/100/2025-01-01T00:00:00Z/drive-scsi0.img.fidx"
DIGEST = "ab12" + "0" * 60
CHUNK = ".chunks/ab12/" + DIGEST
S3 = {"configured.backend": "s3"}
STUCK = {"references.complete": False, "references.stuck": "vm/100: EIO: Input/output error"}
NEVER = {"references.verified_by_day": {}}
TODAY = int(NOW) // DAY
GONE = {
    "references.indexes": 0,
    "references.snapshots": 0,
    "references.needed": 0,
    "references.data_bytes": 0,
    "references.groups": [],
    "references.sweep": SweepFacts(1, 86700, 1, 1, pending=Sum(999, 999_000), kept=Sum(1, 159)),
}


def asked(control):
    return AGES if control == "PBS-SNAP-01" else {}


def group(**changes):
    return GroupFacts(
        **{"namespace": "", "type": "vm", "id": "100", "snapshots": 5, "newest": int(NOW) - DAY, **changes}
    )


EXAMPLES = [
    *(Example(control, "pass", ask=asked(control)) for control in [*CONTROLS, *SNAPSHOTS]),
    *(Example(control, "skip", NO_STORE, "PBS-CONF-06") for control in [*CONTROLS, *SNAPSHOTS]),
    *(
        Example(control, "skip", changes, "not looked at (preflight_references: none)")
        for control in [*CONTROLS, *SNAPSHOTS]
        for changes in ({"references": None}, {"references.scope": "none"})
    ),
    *(Example(control, "skip", S3, "Does not apply to an S3-backed") for control in ("PBS-DATA-03", "PBS-DATA-05")),
    *(
        Example(control, "pass", {**S3, "references.chunks_seen": False, "references.sweep": None}, ask=asked(control))
        for control in ("PBS-DATA-01", "PBS-DATA-02", "PBS-DATA-04", *SNAPSHOTS)
    ),
    *(Example(control, "skip", {"mounted": False}, "not mounted") for control in [*CONTROLS, *SNAPSHOTS]),
    *(
        Example(control, "unknown", not_looked_at(), "gave no answer within 10 s")
        for control in [*CONTROLS, *SNAPSHOTS]
    ),
    *(
        Example(
            control, "unknown", {"references.not_looked": "the prefix directories gave no answer"}, "gave no answer"
        )
        for control in [*CONTROLS, *SNAPSHOTS]
    ),
    *(
        Example(control, "unknown", STUCK, "ot everything was seen: vm/100: EIO", ask=asked(control))
        for control in [*CONTROLS, *SNAPSHOTS]
    ),
    # --- PBS-DATA-01
    *(
        Example(
            "PBS-DATA-01",
            "fail",
            {**needs(kind, 2, INDEX, "got unexpected file size (64 != 63)"), **more},
            ["2 %s, such as %s (got unexpected" % (OPENED[kind].many, INDEX), "GC stops there, every time"],
            severity="critical",
        )
        for kind in OPENED
        for more in ({}, STUCK, {"references.scope": "headers"})
    ),
    Example(
        "PBS-DATA-01",
        "fail",
        needs("index-length", 1, "ns/a/ns/b/" + INDEX),
        "1 index file has a wrong length, such as",
        [
            "another copy of the datastore, or forget the snapshot",
            (
                "\nproxmox-backup-debug api delete /admin/datastore/tank/snapshots --backup-type vm --backup-id 100 "
                "--backup-time 1735689600 --ns a/b"
            ),
        ],
    ),
    Example("PBS-DATA-01", "fail", needs("index-magic", 1, "foo/x.fidx"), remedy="\nmv %s/foo/x.fidx /root/" % TANK),
    Example("PBS-DATA-01", "fail", needs("index-directory", 1, "x y.fidx"), remedy="\nmv '%s/x y.fidx' /root/" % TANK),
    Example("PBS-DATA-01", "fail", needs("directory-unreadable", 1, "host"), remedy="fleetops.pbs.repair --limit pbs1"),
    Example(
        "PBS-DATA-01",
        "fail",
        needs("namespaces-file", 1, "ns"),
        "is in place of 'ns'",
        "\nmv %s/ns /root/" % TANK,
        "critical",
    ),
    Example("PBS-DATA-01", "fail", needs("namespace-name", 1, "ns/bad name"), remedy="\nmv '%s/ns/bad name'" % TANK),
    Example(
        "PBS-DATA-01",
        "fail",
        needs("snapshot-name", 1, "vm/100/2025-13-01T00:00:00Z"),
        "1 directory of a group is named like a snapshot of an impossible time",
        "\nmv %s/vm/100/2025-13-01T00:00:00Z /root/" % TANK,
    ),
    Example(
        "PBS-DATA-02",
        "fail",
        needs("index-dangling", 1, "vm/100/2025-01-01T00:00:00Z/x.fidx"),
        "1 link with the name of an index file leads nowhere",
        "Put the index file back in place of the link before the next GC",
    ),
    Example(
        "PBS-DATA-01",
        "fail",
        {
            "references.problems": Problems(
                {"index-magic": 1, "index-length": 2, "index-checksum": 9},
                {"index-length": [ReferenceProblem(INDEX, "one"), ReferenceProblem("x.fidx", "two")]},
            )
        },
        "1 index file has an unknown magic number and 2 index files have a wrong length, such as %s (one), x.fidx (two)."
        % INDEX,
    ),
    Example("PBS-DATA-01", "pass", {"references.scope": "headers"}, "all 4 index files; the entries were not read"),
    # --- PBS-DATA-02
    *(
        Example(
            control,
            "fail",
            {"host.pbs_version": "3.3.4-1", "path": "/mnt/.tank"},
            "GC of PBS 3.3.4-1 looks at nothing in /mnt/.tank, whose name begins with a dot: it marks nothing",
            ["3.3.5", "--maintenance-mode read-only"],
            "critical",
        )
        for control in ("PBS-DATA-02", "PBS-DATA-05")
    ),
    *(
        Example("PBS-DATA-02", "pass", {"host.pbs_version": version, "path": path})
        for version, path in (("3.3.5-1", "/mnt/.tank"), ("3.3.4-1", "/mnt/.tank/x"), (None, "/mnt/.tank/"))
    ),
    *(
        Example(
            "PBS-DATA-02",
            "fail",
            {**needs(kind, 1, "vm/100"), **more},
            ["1 " + UNSEEN[kind].one, "removes them after the cutoff"],
            severity="critical",
        )
        for kind in UNSEEN
        if not UNSEEN[kind].severity
        for more in ({}, STUCK)
    ),
    *(
        Example(
            "PBS-DATA-02",
            "fail",
            needs(kind, 3, INDEX),
            "No chunk is lost because of it; neither GC nor verify reports it",
            severity="medium",
        )
        for kind in UNSEEN
        if UNSEEN[kind].severity
    ),
    Example(
        "PBS-DATA-02",
        "fail",
        {
            "references.problems": Problems(
                {"index-header": 1, "link-group": 2},
                {
                    "index-header": [ReferenceProblem(INDEX, "")],
                    "link-group": [ReferenceProblem("vm/100", "leads to /mnt/a")],
                },
            )
        },
        [
            "2 links are in place of groups and 1 index file has a wrong checksum in its header, such as vm/100 (leads to",
            "GC says nothing",
        ],
        severity="critical",
    ),
    Example(
        "PBS-DATA-02",
        "fail",
        needs("link-group", 1, "vm/100", "leads to /mnt/other/100"),
        remedy=[
            "GC does not follow links: put the directory itself back",
            '\ntarget=$(readlink -f %s/vm/100) && rm %s/vm/100 && mv -T "$target" %s/vm/100' % (TANK, TANK, TANK),
        ],
    ),
    Example("PBS-DATA-02", "fail", needs("mount", 1, "vm"), remedy="\numount %s/vm" % TANK),
    Example(
        "PBS-DATA-02",
        "fail",
        {**GONE, "references.types": []},
        ["There are 999 chunks (975.586 KiB)", "no ct, host, vm or ns beside them: GC marks nothing"],
        ["another filesystem may be mounted", "\nfindmnt --target %s\n" % TANK, "--maintenance-mode read-only"],
        "critical",
    ),
    Example(
        "PBS-DATA-02",
        "fail",
        {**GONE, "references.types": [], "references.chunks_seen": False},
        "There are 999 chunks",
        severity="critical",
    ),
    Example("PBS-DATA-02", "warn", GONE, "no backup needs one of them", "all backups were pruned", "medium"),
    Example(
        "PBS-DATA-02",
        "pass",
        {**GONE, "references.types": [], "references.sweep": SweepFacts(1, 86700, 1, 1, kept=Sum(1, 159))},
        "all 0 index files",
    ),
    Example(
        "PBS-DATA-02",
        "warn",
        {"references.scope": "headers"},
        "whether one has lost entries was not looked at",
        "preflight_references: full",
        "low",
    ),
    # Whoever wants less than everything gets no answer, which is nothing that could not be found out.
    *(
        Example(
            control,
            "skip",
            {**changes, "references.chunks_seen": False, "references.chunks_not_seen": "a reason"},
            says,
        )
        for control, says in (
            ("PBS-DATA-03", "need: a reason."),
            ("PBS-DATA-05", "the chunks were not walked: a reason."),
        )
        for changes in ({"ownership.scope": "sample"}, {"ownership.scope": "skeleton"}, {"references.scope": "headers"})
    ),
    Example(
        "PBS-DATA-05",
        "unknown",
        {**STUCK, "ownership.scope": "sample"},
        "ot everything was seen: vm/100: EIO: Input/output error.",
    ),
    # --- PBS-DATA-03
    *(
        Example(
            "PBS-DATA-03",
            "fail",
            {**needs(kind, 1, CHUNK), "references.damaged_snapshots": 1, "references.damaged_groups": 1},
            [
                "1 chunk that backups need is damaged (1 %s), such as %s" % (NEEDED[kind].one, CHUNK),
                "1 snapshot in 1 group",
            ],
            "Verify these snapshots",
            "critical",
        )
        for kind in NEEDED
    ),
    Example(
        "PBS-DATA-03",
        "fail",
        {
            "references.problems": Problems({"chunk-missing": 2, "chunk-empty": 1}),
            "references.damaged_snapshots": 4,
            "references.damaged_groups": 3,
            "references.groups": [
                group(damaged=2, newest_intact=1735689600, damaged_examples=["2025-01-02T00:00:00Z"]),
                group(namespace="a/b", type="host", id="web", damaged=1),
                group(id="101", damaged=1),
                group(id="102"),
            ],
        },
        [
            "3 chunks that backups need are damaged (2 are missing, 1 is empty): 4 snapshots in 3 groups cannot be restored",
            "Newest intact snapshot: vm/100: 2025-01-01T00:00:00Z; ns/a/ns/b/host/web: none, and 1 other group.",
        ],
        "\nproxmox-backup-debug api create /admin/datastore/tank/verify --backup-type vm --backup-id 100 "
        "--backup-time 1735776000 --ignore-verified false",
    ),
    Example(
        "PBS-DATA-03",
        "fail",
        needs("chunk-no-file", 1, CHUNK),
        "1 chunk that backups need is damaged (1 is no regular file)",
        ["1. Move what is in place of the chunk out", "\nmv %s/%s /root/" % (TANK, CHUNK)],
    ),
    Example(
        "PBS-DATA-03",
        "fail",
        needs("chunk-only-bad", 1, CHUNK + ".0.bad"),
        remedy=[
            "1. Look at what is left as .bad, and rename it back where its CRC is right. 2. Verify these",
            "\nproxmox-backup-debug inspect chunk %s/%s.0.bad\nmv %s/%s.0.bad %s/%s"
            % (TANK, CHUNK, TANK, CHUNK, TANK, CHUNK),
        ],
    ),
    Example("PBS-DATA-03", "fail", {**needs("chunk-missing", 1, CHUNK), **STUCK}, "at least 0 snapshots"),
    Example(
        "PBS-DATA-03",
        "unknown",
        {"references.chunks_seen": False, "references.chunks_not_seen": "the walk did not end"},
        "is not known: the walk did not end",
        "preflight_scope: full",
    ),
    Example(
        "PBS-DATA-03",
        "unknown",
        {"references.unseen_chunks": 7, "references.unseen_prefixes": 1},
        "7 chunks of 990 could not be looked for, since 1 prefix directory",
    ),
    # --- PBS-DATA-04
    *(
        Example("PBS-DATA-04", "fail", needs(kind, 2, path), consequence, remedy, severity)
        for kind, path, consequence, remedy, severity in (
            ("manifest-missing", "vm/100/2025-01-01T00:00:00Z", "2 snapshots have no manifest", "forget", "high"),
            ("manifest-unreadable", INDEX, "Verify and restore of these snapshots fail", "fleetops.pbs.repair", "high"),
            ("manifest-damaged", INDEX, "2 manifests are damaged", "another copy", "high"),
            ("manifest-large", INDEX, "PBS reads these manifests", "Look at who makes such backups", "low"),
            ("manifest-file-missing", INDEX, "2 files of manifests are missing", "another copy", "high"),
            ("manifest-size", INDEX, "2 files have other sizes", "--backup-time 1735689600", "high"),
            ("manifest-checksum", INDEX, "other checksums than their manifests say", "--ignore-verified false", "high"),
            ("manifest-file-unlisted", INDEX, "are not in their manifests", "Find out who put it there", "medium"),
            ("owner-unreadable", "vm/100/owner", "Backups to these groups fail", "fleetops.pbs.repair", "high"),
            ("owner-damaged", "vm/100/owner", "2 owner files name nobody", "chown -h backup:backup", "high"),
        )
    ),
    *(
        Example(
            "PBS-DATA-04",
            "fail",
            needs("owner-missing", 1, path),
            "1 group has no owner file",
            ["every backup of the group fails", "\necho 'USER@REALM' > %s/vm/100/owner\nchown -h backup:backup" % TANK],
        )
        for path in ("vm/100", "vm/100/owner")
    ),
    Example(
        "PBS-DATA-04",
        "fail",
        needs("type-file", 1, "vm", "no directory"),
        ["1 file is in place of a directory for backups, such as vm", "Every backup of that type fails."],
        "\nmv %s/vm /root/" % TANK,
        "high",
    ),
    # --- PBS-DATA-05
    *(
        Example(
            control,
            "unknown",
            {
                "skeleton.chunks.type": "link",
                "references.chunks_seen": False,
                "references.chunks_not_seen": "ENOTDIR: Not a directory: .chunks",
                "references.sweep": None,
            },
            "is not known: '.chunks' is a link, which this collection does not follow.",
            "Follow the remedy of PBS-CONF-06",
        )
        for control in ("PBS-DATA-03", "PBS-DATA-05")
    ),
    *(
        Example(
            control, "pass", {"skeleton.chunks.type": "link", "references.chunks_seen": False, "references.sweep": None}
        )
        for control in ("PBS-DATA-01", "PBS-DATA-02", "PBS-DATA-04")
    ),
    Example(
        "PBS-DATA-05",
        "pass",
        {},
        "The next GC removes 4 chunks (39.062 KiB); 6 chunks (58.594 KiB) that nothing needs are pending until 2026-11-",
    ),
    Example("PBS-DATA-05", "pass", {"references.sweep.removable_bad": 2}, "removes 4 chunks and 2 .bad files (39"),
    Example(
        "PBS-DATA-05",
        "pass",
        needs("index-length", 1, INDEX, "got unexpected file size"),
        ["stops while it marks, so it removes nothing", INDEX + ": got unexpected file size"],
    ),
    Example(
        "PBS-DATA-05", "pass", {"configured.maintenance_type": "offline"}, "does not begin (maintenance mode offline)"
    ),
    Example(
        "PBS-DATA-05",
        "pass",
        {"references.sweep.blocked": Sum(1, 100), "references.sweep.blocked_first": ".chunks/27e8 (0:0 0755)"},
        "stops while it sweeps, and removes only what nothing needs (.chunks/27e8 (0:0 0755): 'backup' may not",
    ),
    Example(
        "PBS-DATA-05",
        "fail",
        needs("link-group", 1, "vm/100"),
        "chunks of backups that it does not see",
        "PBS-DATA-02",
        "critical",
    ),
    Example("PBS-DATA-05", "fail", {**GONE, "references.types": []}, "chunks of backups that it does not see"),
    Example(
        "PBS-DATA-05",
        "warn",
        {"references.sweep.future": Sum(2, 9), "references.sweep.future_last": int(NOW) + 3600},
        "2 chunks that nothing needs have an access time that has not come yet",
        "PBS-HOST-02",
        "low",
    ),
    # Anybody may set an access time.
    Example(
        "PBS-DATA-05",
        "warn",
        {"references.sweep.future": Sum(1, 9), "references.sweep.future_last": 2**62},
        "(until second 4611686018427387904 since 1970)",
    ),
    Example("PBS-DATA-05", "pass", {"references.sweep.pending_last": -(2**62)}, "until second -46116860184273"),
    Example(
        "PBS-DATA-05",
        "unknown",
        {"references.chunks_seen": False, "references.chunks_not_seen": "the walk did not end"},
        "the chunks were not walked: the walk did not end",
    ),
    Example(
        "PBS-DATA-05",
        "fail",
        {"atime.probe.advanced": False, "configured.tuning": {"gc-atime-safety-check": False}},
        "The next GC removes 700 chunks that backups need of 2 snapshots: touches have no effect here",
        ["Stop GC at once", "\nproxmox-backup-manager datastore update tank --maintenance-mode read-only"],
        "critical",
    ),
    Example("PBS-DATA-05", "pass", {"atime.probe.advanced": False}, "stops at PBS's own check, so it removes nothing"),
    Example("PBS-DATA-05", "skip", {"configured": None}, "only declared"),
    # --- PBS-SNAP-01
    Example("PBS-SNAP-01", "skip", {}, "No age of backups is asked for"),
    Example(
        "PBS-SNAP-01",
        "fail",
        {"references.groups": [group(newest=int(NOW) - 3 * DAY), group(id="101", newest=None), group(id="102")]},
        [
            "2 groups have no backup that is young enough",
            "vm/101 (no finished snapshot, at most 2 days), vm/100 (3.0 days old, at most 2 days).",
        ],
        "Find out why",
        "high",
        ask=AGES,
    ),
    Example(
        "PBS-SNAP-01",
        "pass",
        {"references.groups": [group(newest=int(NOW) - 2 * DAY)], "references.groups_total": 1},
        "of 1 group is",
        ask={"policy": {"max_backup_age_days": [{"days": 9, "group": "vm/9*"}, {"days": 2}]}},
    ),
    Example(
        "PBS-SNAP-01",
        "pass",
        {"references.groups": [group(newest=int(NOW) - 5 * DAY), group(namespace="a/b")]},
        "of 1 group is",
        ask={"policy": {"max_backup_age_days": [{"days": 2, "namespace": "a*"}]}},
    ),
    Example(
        "PBS-SNAP-01",
        "skip",
        {},
        "No group here is covered",
        ask={"policy": {"max_backup_age_days": [{"days": 2, "group": "ct/*"}]}},
    ),
    Example("PBS-SNAP-01", "unknown", {"references.groups_total": 5000}, "nly 2 of 5,000 groups", ask=AGES),
    # --- PBS-SNAP-02
    Example(
        "PBS-SNAP-02",
        "fail",
        {
            "references.failed_verifications": Problems({"failed": 3}),
            "references.groups": [group(failed=3, newest_failed=1735689600)],
        },
        "The last verification of 3 snapshots failed: vm/100 (3 of 5).",
        ["Back these groups up again", "--backup-type vm --backup-id 100 --backup-time 1735689600"],
        "high",
    ),
    Example(
        "PBS-SNAP-02",
        "warn",
        {
            "references.verified_by_day": {str(TODAY): 4, str(TODAY - 29): 2, str(TODAY - 32): 5},
            "references.unverified_by_day": {str(TODAY): 9, str(TODAY - 40): 1},
        },
        "No verification failed, but 1 snapshot older than 30 days was never verified and 5 snapshots were last verified more",
        ["outdated-after", "\nproxmox-backup-manager verify tank --outdated-after 30"],
        "medium",
    ),
    Example("PBS-SNAP-02", "pass", {"references.unverified_by_day": {str(TODAY): 9}}),
    Example(
        "PBS-SNAP-02",
        "pass",
        {"references.verified_by_day": {str(TODAY - 400): 5}},
        ask={"policy": {"verified_max_age_days": 0}},
    ),
]
