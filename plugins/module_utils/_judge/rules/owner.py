# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about owners, modes and foreign things in a chunk store (PBS-OWNER-*)."""

from __future__ import annotations

import os.path
import re
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.file import FileFacts, PathProblem
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.walk import OwnershipFacts, WalkCounts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.causes import replaces_zero_chunk
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import (
    Case,
    Evidence,
    NotObserved,
    Remedy,
    Rule,
    Verdict,
    counted,
    failed,
    in_shell,
    owners_by_mount,
    passed,
    skipped,
    unknown,
    warned,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import GROUPS
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.snapshot import directory_kind
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

EXAMPLES = 5
MOVE_AWAY = "Check the named paths, find out who made them, and move them away; this collection removes none of them."
LINKED_BACKUPS = (
    "GC does not follow links, and removes the chunks behind a link in place of a namespace, type, group or snapshot: put the "
    "directory itself back in its place before the next GC (PBS-DATA-02)."
)
LINKED_PREFIX = (
    "PBS follows a link in place of a prefix directory; put the directory itself back in its place while no backup and no GC "
    "runs."
)
STRAY = "What lies beside ct, host, ns and vm the repair leaves alone: let '%s' read it, or move it away."
FOREIGN_REMEDIES = {
    "immutable": "Find out who set the flags, and remove them. GC stops at an immutable chunk that it touches or removes, and "
    "at the first chunk that it removes from an immutable directory.",
    "mount": "Unmount the filesystems inside of the datastore; do not run GC before, because it would see the wrong chunks.",
}
"""The fix for a kind that cannot be fixed by moving it away."""


# --- what the rules share -----------------------------------------------------------------------------------------------


WalkRule = t.Callable[[Case, OwnershipFacts], Verdict]


def _walked(*scopes: str) -> t.Callable[[WalkRule], Rule]:
    """Wrap a rule about the walk's facts, for these scopes; PBS-CONF-06 judges a path without a store."""

    def wrap(rule: WalkRule) -> Rule:
        def ask(case: Case) -> Verdict:
            skeleton = case.the_store.skeleton
            if skeleton is not None and skeleton.chunks is None:
                return skipped("There is no chunk store here (PBS-CONF-06).")
            if skeleton is not None and skeleton.chunks is not None and skeleton.chunks.type == "link":
                raise NotObserved(
                    f"{skeleton.chunks.path} is a link, which this collection does not follow (PBS-CONF-06)"
                )
            facts = case.the_store.ownership
            if facts is None or facts.not_walked:
                raise NotObserved(case.why_not_observed() if facts is None else facts.not_walked)
            if facts.scope not in scopes:
                return skipped(f"This part of the datastore was not walked (scope: {facts.scope}).")
            return rule(case, facts)

        return ask

    return wrap


def _examples(problems: t.Sequence[PathProblem]) -> str:
    if not problems:
        return ""
    return ", such as %s" % ", ".join(
        "%s (%s)" % (problem.path, problem.detail) if problem.detail else problem.path for problem in problems[:2]
    )


def _evidence(facts: OwnershipFacts, counts: WalkCounts, kinds: t.Sequence[str]) -> Evidence:
    return {
        "scope": facts.scope,
        "method": facts.method,
        "coverage": coverage(facts),
        "owners": [{"uid": owner.uid, "gid": owner.gid, "count": owner.count} for owner in counts.owners],
        "paths": [problem.path for kind in kinds for problem in counts.examples.get(kind, [])[:EXAMPLES]],
    }


def coverage(facts: OwnershipFacts) -> Evidence:
    """Which part of the store the walk has seen."""
    return {
        "prefixes_walked": facts.prefixes_walked,
        "prefixes_total": facts.prefixes_total,
        "complete": facts.complete,
        "files": facts.chunks.files,
    }


def _seen(facts: OwnershipFacts) -> str:
    prefixes = counted(facts.prefixes_walked, "prefix directory", "prefix directories")
    if facts.scope == "skeleton":
        return prefixes
    return f"{counted(facts.chunks.files, 'file')} in {prefixes}"


def _all_right(facts: OwnershipFacts, what: str, **evidence: t.Any) -> Verdict:
    """The verdict if nothing wrong was seen: a pass only if everything was seen."""
    if not facts.complete:
        raise NotObserved("the walk did not end: %s" % (facts.stuck or "it was interrupted"))
    if facts.scope == "sample":
        if not facts.prefixes_total:
            raise NotObserved("the sample has no prefix directory in it")
        share = 100.0 * facts.prefixes_walked / facts.prefixes_total
        # The same words for every control, so that a summary can say them once.
        return warned(
            f"Nothing wrong in a sample of {_seen(facts)} ({share:.1f} % of all); the rest was not looked at.",
            "Run preflight with preflight_scope: full.",
            severity="low",
            **evidence,
        )
    return passed(f"{what} ({_seen(facts)}).", **evidence)


def _unseen(counts: WalkCounts, evidence: Evidence) -> t.Optional[Verdict]:
    """The verdict if nothing wrong was seen, but not everything could be read."""
    if not counts.errors:
        return None
    return unknown(
        "%s could not be looked at%s."
        % (counted(counts.errors, "entry", "entries"), _examples(counts.examples.get("errors", []))),
        "Look at what is named as root.",
        **evidence,
    )


class Part(t.NamedTuple):
    """The words for one part of the store."""

    everything: str
    one: str
    many: str
    owner_wrong: str
    """The consequence of a wrong owner."""
    group_wrong: str


SKELETON = Part(
    "Base, .chunks, the prefix directories, .lock and .gc-status belong",
    "part of the skeleton",
    "parts of the skeleton",
    "PBS refuses to reuse the datastore.",
    "Only the group is wrong: PBS works, and refuses to reuse the datastore.",
)
CHUNKS = Part(
    "Every chunk belongs",
    "chunk",
    "chunks",
    "GC stops at the first of them that a backup needs.",
    "Only the group is wrong: PBS works all the same.",
)
METADATA = Part(
    "All namespaces, groups and snapshots belong",
    "file or directory",
    "files or directories",
    "PBS works all the same: it reads these files, and replaces or removes them as owner of their directory.",
    "Only the group is wrong: PBS works all the same.",
)


BASE_MODE = "0755"


def _repair(case: Case) -> Remedy:
    """The repair playbook; it refuses a base directory that locks users out or lets all of them write."""
    remedy = case.repair
    opened = _open_base(case)
    if not opened or not remedy.commands:
        return remedy
    return Remedy(f"First give the base directory its mode. {remedy.text}", (*opened, *remedy.commands))


def _open_base(case: Case) -> tuple[str, ...]:
    """The command that gives the base directory its mode; none if it has it."""
    skeleton = case.the_store.skeleton
    base = skeleton.base if skeleton is not None else None
    return () if base is None or base.mode == BASE_MODE else (f"chmod {BASE_MODE} {in_shell(base.path)}",)


class Denied(t.NamedTuple):
    """What stops where the daemon's user lacks a permission."""

    severity: str
    objects: tuple[str, str]
    """One, many."""
    consequence: str


_CLOSED = "PBS cannot open the datastore: backups, GC and verify fail"
_GC_STOPS = "GC stops there"
_NEW_GROUPS = "backups that need a new group, type or namespace there fail"
DENIED = {
    "unreadable base": Denied("critical", ("base directory", "base directories"), _CLOSED),
    "unreadable chunks": Denied("critical", (".chunks", ".chunks"), _CLOSED),
    "unreadable lock": Denied("critical", (".lock", ".lock"), _CLOSED),
    "unwritable lock": Denied("critical", (".lock", ".lock"), _CLOSED),
    "unreadable gc-status": Denied("critical", (".gc-status", ".gc-status"), _CLOSED),
    "unreadable prefix": Denied(
        "critical",
        ("prefix directory", "prefix directories"),
        "GC stops there, and backups that need a chunk there fail",
    ),
    "unwritable prefix": Denied(
        "critical",
        ("prefix directory", "prefix directories"),
        "GC stops at the first chunk that it removes there, and backups cannot add chunks",
    ),
    "unwritable chunks": Denied("critical", (".chunks", ".chunks"), "PBS cannot make a prefix directory there"),
    "unreadable namespace": Denied("critical", ("directory of a namespace", "directories of namespaces"), _GC_STOPS),
    "unreadable type": Denied("critical", ("directory of a backup type", "directories of backup types"), _GC_STOPS),
    "unreadable group": Denied("critical", ("directory of a group", "directories of groups"), _GC_STOPS),
    "unreadable snapshot": Denied("critical", ("directory of a snapshot", "directories of snapshots"), _GC_STOPS),
    "unreadable directory": Denied("critical", ("other directory", "other directories"), _GC_STOPS),
    "unreadable index": Denied("critical", ("index file", "index files"), _GC_STOPS),
    "unreadable manifest": Denied(
        "high", ("manifest", "manifests"), "verify and restore of these snapshots fail, GC does not"
    ),
    "unreadable owner": Denied(
        "high",
        ("owner file", "owner files"),
        "backups into these groups fail, and lists leave them out; GC does not fail",
    ),
    "unwritable group": Denied(
        "high",
        ("directory of a group", "directories of groups"),
        "new backups of these groups fail; prune empties their snapshots and cannot remove the directories",
    ),
    "unwritable type": Denied("high", ("directory of a backup type", "directories of backup types"), _NEW_GROUPS),
    "unwritable namespace": Denied("high", ("directory of a namespace", "directories of namespaces"), _NEW_GROUPS),
    "unwritable base": Denied(
        "high", ("base directory", "base directories"), f"{_NEW_GROUPS}, and GC cannot store its result"
    ),
    "unwritable snapshot": Denied(
        "medium",
        ("directory of a snapshot", "directories of snapshots"),
        "prune and forget cannot remove these snapshots",
    ),
    "unreadable file": Denied("medium", ("other file", "other files"), "a restore of these files fails"),
    "unwritable directory": Denied(
        "low", ("other directory", "other directories"), "PBS cannot remove what is in there"
    ),
}
"""The worst first. Sources: PBS 4.2.3 on damaged datastores, and its `backup_info.rs` and `chunk_store.rs`."""


def _denied(case: Case, counts: WalkCounts) -> t.Optional[tuple[str, str]]:
    """The worst severity and a sentence for each kind of thing that the daemon's user may not use; None for none."""
    found = [(name, DENIED[name]) for name in DENIED if counts.denied.get(name)]
    if not found:
        return None
    sentences = []
    for name, denied in found:
        verb = "read" if name.startswith("unreadable") else "write to"
        sentences.append(
            "'%s' cannot %s %s%s: %s."
            % (
                case.host.account.user,
                verb,
                counted(counts.denied[name], *denied.objects),
                _examples(counts.examples.get(name, [])),
                denied.consequence,
            )
        )
    return found[0][1].severity, " ".join(sentences)


def _denied_kinds(counts: WalkCounts) -> tuple[str, ...]:
    return tuple(name for name in DENIED if counts.denied.get(name))


def _ownership(case: Case, facts: OwnershipFacts, counts: WalkCounts, part: Part) -> Verdict:
    """The verdict on wrong owners in one part of the store; it is as severe as what they stop."""
    evidence = _evidence(facts, counts, ("wrong_owner", *_denied_kinds(counts)))
    account = case.host.account
    wanted = f"{account.user}:{account.group}"
    if counts.wrong_owner:
        owners = ["%s of %d:%d" % (format(owner.count, ","), owner.uid, owner.gid) for owner in counts.owners[:3]]
        severity, consequence = _denied(case, counts) or ("medium", part.owner_wrong)
        if part is CHUNKS:
            severity, consequence = "", part.owner_wrong
        if counts.wrong_uid == 0:
            severity, consequence = "medium", part.group_wrong
        return failed(
            "%s not belong to %s (%d:%d): %s%s. %s"
            % (
                counted(counts.wrong_owner, part.one + " does", part.many + " do"),
                wanted,
                facts.uid,
                facts.gid,
                ", ".join(owners),
                _examples(counts.examples.get("wrong_owner", [])),
                consequence,
            ),
            _repair(case),
            severity=severity,
            wrong=counts.wrong_owner,
            **evidence,
        )
    return _unseen(counts, evidence) or _all_right(facts, f"{part.everything} to {wanted}", **evidence)


# --- the rules ----------------------------------------------------------------------------------------------------------


def skeleton_owner(case: Case) -> Verdict:
    wrong = _wrong_fixed_parts(case)
    walk = case.the_store.ownership
    # The fixed parts are looked at before the walk, and without one; where nothing else is wrong, they need no repair of all.
    if wrong and (walk is None or walk.skeleton.wrong_owner <= len(wrong)):
        return _fixed_parts_verdict(case, wrong)
    return _walked_skeleton_owner(case)


@_walked("full", "sample", "skeleton")
def _walked_skeleton_owner(case: Case, facts: OwnershipFacts) -> Verdict:
    return _ownership(case, facts, facts.skeleton, SKELETON)


def _wrong_fixed_parts(case: Case) -> list[FileFacts]:
    skeleton, account = case.the_store.skeleton, case.host.account
    if skeleton is None or skeleton.chunks is None or account.uid is None or account.gid is None:
        return []
    if skeleton.chunks.type == "link":
        return []  # the owner of a link counts for nothing
    parts = (skeleton.base, skeleton.chunks, skeleton.lock, skeleton.gc_status)
    return [part for part in parts if part is not None and (part.uid, part.gid) != (account.uid, account.gid)]


def _fixed_parts_verdict(case: Case, wrong: t.Sequence[FileFacts]) -> Verdict:
    account = case.host.account
    walk = case.the_store.ownership
    if all(part.uid == account.uid for part in wrong):
        severity, consequence = "medium", SKELETON.group_wrong
    elif walk is None or walk.skeleton.wrong_owner < len(wrong):  # the walk has not seen them
        severity, consequence = "", "Without the rights of the owner, PBS cannot open the datastore or write to it."
    else:
        severity, consequence = _denied(case, walk.skeleton) or ("medium", SKELETON.owner_wrong)
    return failed(
        "%s; required is %s:%s (%s:%s). %s"
        % (
            ", ".join("%s belongs to %d:%d" % (part.path, part.uid, part.gid) for part in wrong),
            account.user,
            account.group,
            account.uid,
            account.gid,
            consequence,
        ),
        _give(case, wrong),
        severity=severity,
        paths=[part.path for part in wrong],
    )


def _give(case: Case, wrong: t.Sequence[FileFacts]) -> Remedy:
    remedy = case.give(*(part.path for part in wrong))
    return Remedy(remedy.text, (*_open_base(case), *remedy.commands)) if remedy.commands else remedy


@_walked("full", "sample", "skeleton")
def skeleton_mode(case: Case, facts: OwnershipFacts) -> Verdict:
    counts = facts.skeleton
    evidence = _evidence(facts, counts, ("wrong_mode",))
    denied = _denied(case, counts)
    if denied is not None and counts.wrong_uid == 0:
        # Where owners are wrong too, PBS-OWNER-01 has the consequences.
        severity, consequences = denied
        return failed(
            consequences,
            _only_base(case, counts) or _repair(case),
            severity=severity,
            denied=dict(counts.denied),
            wrong=counts.wrong_mode,
            **_evidence(facts, counts, ("wrong_mode", *_denied_kinds(counts))),
        )
    if counts.wrong_mode and owners_by_mount(case.the_store.mount):
        return warned(
            "The mount gives every directory the same mode, and a reuse of the datastore demands different ones (base 0755, "
            ".chunks and prefixes 0750): PBS works, but cannot add this datastore again.",
            "Nothing can satisfy this control on such a mount. Move the datastore to ext4, xfs, ZFS or btrfs, or waive it.",
            severity="low",
            wrong=counts.wrong_mode,
            **evidence,
        )
    if counts.wrong_mode:
        return failed(
            "%s not the mode that a reuse demands (base 0755, .chunks and prefixes 0750, .lock 0644)%s."
            % (
                counted(counts.wrong_mode, "part of the skeleton has", "parts of the skeleton have"),
                _examples(counts.examples.get("wrong_mode", [])),
            ),
            _only_base(case, counts) or _repair(case),
            wrong=counts.wrong_mode,
            **evidence,
        )
    return _unseen(counts, evidence) or _all_right(
        facts, "Base, .chunks, prefixes and .lock have the modes that a reuse demands", **evidence
    )


def _only_base(case: Case, counts: WalkCounts) -> t.Optional[Remedy]:
    """The fix if nothing but the base directory has a wrong mode."""
    opened = _open_base(case)
    if counts.wrong_mode != 1 or not opened or not case.repair.commands:
        return None
    return Remedy("Give the base directory the mode that PBS gives it.", opened)


@_walked("full", "sample")
def chunk_owner(case: Case, facts: OwnershipFacts) -> Verdict:
    if facts.chunks.wrong_owner == 1 and replaces_zero_chunk(case):
        return skipped("The only chunk with a wrong owner is the zero chunk, and PBS replaces it (PBS-ATIME-03).")
    return _ownership(case, facts, facts.chunks, CHUNKS)


@_walked("full", "sample")
def chunk_readable(case: Case, facts: OwnershipFacts) -> Verdict:
    counts = facts.chunks
    evidence = _evidence(facts, counts, ("unreadable",))
    if counts.unreadable:
        return failed(
            "%s by '%s'%s. The next verify would rename %s as corrupt."
            % (
                counted(counts.unreadable, "chunk cannot be read", "chunks cannot be read"),
                case.host.account.user,
                _examples(counts.examples.get("unreadable", [])),
                "it" if counts.unreadable == 1 else "them",
            ),
            _repair(case),
            unreadable=counts.unreadable,
            **evidence,
        )
    return _unseen(counts, evidence) or _all_right(
        facts, f"'{case.host.account.user}' can read every chunk", **evidence
    )


@_walked("full", "sample")
def metadata(case: Case, facts: OwnershipFacts) -> Verdict:
    counts = facts.metadata
    evidence = _evidence(facts, counts, ("wrong_owner", *_denied_kinds(counts)))
    denied = _denied(case, counts)
    if denied is not None:
        severity, consequences = denied
        if counts.wrong_owner:
            number = counted(counts.wrong_owner, "file or directory belongs", "files and directories belong")
            consequences += f" In total, {number} to another user; a wrong owner alone stops nothing."
        return failed(
            consequences,
            _make_readable(case, counts),
            severity=severity,
            denied=dict(counts.denied),
            wrong=counts.wrong_owner,
            **evidence,
        )
    if counts.wrong_owner:
        return _ownership(case, facts, counts, METADATA)
    unseen = _unseen(counts, evidence)
    if unseen is not None:
        return unseen
    if not facts.complete:
        raise NotObserved("the walk did not end: %s" % (facts.stuck or "it was interrupted"))
    return passed(
        "%s and %s of namespaces, groups and snapshots belong to %s:%s."
        % (
            counted(counts.files, "file"),
            counted(counts.directories, "directory", "directories"),
            case.host.account.user,
            case.host.account.group,
        ),
        **evidence,
    )


def _make_readable(case: Case, counts: WalkCounts) -> Remedy:
    """GC walks over everything in the base directory; what is not PBS's own is not the repair's, either."""
    base = display(case.the_store.path).rstrip("/") + "/"
    below = {problem.path[len(base) :] for name in _denied_kinds(counts) for problem in counts.examples.get(name, [])}
    stray = sum(path.partition("/")[0] not in GROUPS for path in below)
    repair = _repair(case) if stray < sum(counts.denied.values()) else Remedy("")
    left_alone = STRAY % case.host.account.user if stray else ""
    return Remedy(" ".join(filter(None, (repair.text, left_alone))), repair.commands)


@_walked("full", "sample", "skeleton")
def foreign(case: Case, facts: OwnershipFacts) -> Verdict:
    parts = (facts.skeleton, facts.chunks, facts.metadata)
    found: dict[str, int] = {}
    for counts in parts:
        for kind, number in counts.foreign.items():
            found[kind] = found.get(kind, 0) + number
    examples = [problem for kind in sorted(found) for counts in parts for problem in counts.examples.get(kind, [])]
    evidence: Evidence = {
        "scope": facts.scope,
        "coverage": coverage(facts),
        "foreign": found,
        "paths": [problem.path for problem in examples[: 2 * EXAMPLES]],
    }
    total = sum(found.values())
    if total:
        kinds = ", ".join(f"{kind}: {format(number, ',')}" for kind, number in sorted(found.items()))
        return failed(
            "%s in the store that PBS does not make (%s)%s."
            % (counted(total, "thing is", "things are"), kinds, _examples(examples)),
            Remedy(
                " ".join(_foreign_remedies(case, facts, found)),
                _foreign_commands(examples, parts, found),
            ),
            severity="critical" if "immutable" in found else "",
            **evidence,
        )
    for counts in parts:
        unseen = _unseen(counts, evidence)
        if unseen is not None:
            return unseen
    return _all_right(facts, "Nothing foreign", **evidence)


def _foreign_remedies(case: Case, facts: OwnershipFacts, kinds: t.Mapping[str, int]) -> list[str]:
    remedies = {FOREIGN_REMEDIES.get(kind, MOVE_AWAY) for kind in kinds if kind != "link"}
    if "link" in kinds:
        parts = (facts.skeleton, facts.chunks, facts.metadata)
        base = display(case.the_store.path).rstrip("/") + "/"
        links = [problem.path for counts in parts for problem in counts.examples.get("link", [])]
        remedies |= {_link_remedy(path[len(base) :].split("/")) for path in links} or {MOVE_AWAY}
    return sorted(remedies)


def _link_remedy(parts: t.Sequence[str]) -> str:
    """A link in place of a directory of PBS must not be moved away: its target is a part of the datastore."""
    if directory_kind(parts):
        return LINKED_BACKUPS
    if len(parts) == 2 and parts[0] == ".chunks" and re.fullmatch("[0-9a-f]{4}", parts[1]):
        return LINKED_PREFIX
    return MOVE_AWAY


def _foreign_commands(
    examples: t.Sequence[PathProblem], parts: t.Sequence[WalkCounts], found: t.Iterable[str]
) -> tuple[str, ...]:
    """The remedy: flags are removed, mounts are unmounted; an administrator has to check everything else."""
    kinds = {problem.path: kind for counts in parts for kind in found for problem in counts.examples.get(kind, [])}
    commands = {"immutable": "chattr -i -a", "mount": "umount"}
    named = [problem.path for problem in examples[: 2 * EXAMPLES]]
    return tuple(f"{commands.get(kinds[path], 'ls -ld')} {in_shell(path)}" for path in named)


@_walked("full", "sample")
def debris(case: Case, facts: OwnershipFacts) -> Verdict:
    s3 = case.the_store.configured is not None and case.the_store.configured.backend == "s3"
    examples = {
        kind: [problem.path for problem in facts.chunks.examples.get(kind, [])[:EXAMPLES]]
        for kind in ("bad", "empty", "temporary")
        if facts.chunks.examples.get(kind)
    }
    evidence: Evidence = {
        "bad": facts.bad_chunks,
        "empty": facts.empty_chunks,
        "temporary": facts.temporary,
        "temporary_bytes": facts.temporary_bytes,
        "coverage": coverage(facts),
        "paths": examples,
    }
    empty = 0 if s3 else facts.empty_chunks
    if facts.bad_chunks or empty:
        parts = []
        if facts.bad_chunks:
            parts.append(f"{counted(facts.bad_chunks, 'chunk')} that verify found corrupt")
        if empty:
            parts.append(f"{counted(empty, 'chunk')} of length 0")
        return failed(f"{' and '.join(parts)}.", _whole_again(case, facts.chunks.examples.get("bad", [])), **evidence)
    if facts.temporary > case.policy.temporary_files_max:
        return warned(
            "%s older than a day (%s bytes) that GC will never remove."
            % (counted(facts.temporary, "temporary file"), format(facts.temporary_bytes, ",")),
            Remedy(
                "Remove them while no backup runs.",
                (
                    "find %s -xdev -type f -name '*.tmp_*' -mtime +1 -delete"
                    % in_shell(os.path.join(case.the_store.path, ".chunks")),
                ),
            ),
            severity="low",
            **evidence,
        )
    return _unseen(facts.chunks, evidence) or _all_right(
        facts, "No corrupt, empty or left-over chunk files", **evidence
    )


def _whole_again(case: Case, bad: t.Sequence[PathProblem]) -> Remedy:
    """Verify renames a chunk that it cannot read, even if the chunk is good."""
    text = "Make new backups of the snapshots that verify names: a missing chunk is uploaded again."
    names = [(problem.path, problem.path.rpartition("/")[2][:64]) for problem in bad[:EXAMPLES]]
    store = case.the_store
    if not names or store.configured is None:
        return Remedy(text)
    return Remedy(
        f"Verify also renames a good chunk that '{case.host.account.user}' could not read. When PBS-OWNER-03 and PBS-OWNER-04 "
        f"pass, give the chunks their names back and verify: only a corrupt one is renamed again. {text}",
        (
            *(f"mv -n -T {in_shell(path, os.path.join(os.path.dirname(path), digest))}" for path, digest in names),
            case.manager("verify", store.name, "--ignore-verified", "false"),
        ),
    )


RULES: dict[str, Rule] = {
    "PBS-OWNER-01": skeleton_owner,
    "PBS-OWNER-02": skeleton_mode,
    "PBS-OWNER-03": chunk_owner,
    "PBS-OWNER-04": chunk_readable,
    "PBS-OWNER-05": metadata,
    "PBS-OWNER-06": foreign,
    "PBS-OWNER-07": debris,
}
