# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about index files, chunks and manifests that backups need, and the effect of the next GC on them (PBS-DATA-*)."""

from __future__ import annotations

import dataclasses
import datetime
import os.path
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.references import (
    GroupFacts,
    ReferenceFacts,
    ReferenceProblem,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.forecast import (
    CHECK,
    IGNORED,
    REFUSED,
    STOPS_EARLY,
    SWEEPS,
    Forecast,
    forecast,
    is_blind,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import (
    Case,
    Evidence,
    NotObserved,
    Rule,
    Verdict,
    counted,
    failed,
    in_shell,
    passed,
    skipped,
    unknown,
    warned,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.snapshot import (
    Snapshot,
    WrongName,
    format_time,
    parse_group,
    parse_snapshot,
)

EXAMPLES = 5
NAMED = 2
"""Paths or groups that a message names; the evidence has more."""
SNAPSHOTS = 3
"""Snapshots that a remedy has commands for."""
UNIT = 1024

ReferenceRule = t.Callable[[Case, ReferenceFacts], Verdict]


# --- what the rules share -----------------------------------------------------------------------------------------------


def looked(rule: ReferenceRule) -> Rule:
    """Wrap a rule about the references of a datastore's backups, if they were observed."""

    def ask(case: Case) -> Verdict:
        skeleton = case.the_store.skeleton
        if skeleton is not None and skeleton.chunks is None:
            return skipped("There is no chunk store here (PBS-CONF-06).")
        facts = case.the_store.references
        if facts is None and (case.the_store.stuck or case.the_store.error):
            raise NotObserved(case.why_not_observed())
        if facts is None or facts.scope == "none":
            return skipped("What the backups need was not looked at (preflight_references: none).")
        if facts.not_looked:
            raise NotObserved(facts.not_looked)
        return rule(case, facts)

    return ask


@dataclasses.dataclass(frozen=True)
class Kind:
    """The texts for one kind of problem."""

    one: str
    many: str
    remedy: str
    severity: str = ""
    """The severity, if it differs from the control's."""


def found(facts: ReferenceFacts, kinds: t.Iterable[str]) -> dict[str, int]:
    """The kinds that were found, with their counts."""
    return {kind: facts.problems.counts[kind] for kind in kinds if facts.problems.counts.get(kind)}


def _examples(facts: ReferenceFacts, kinds: t.Iterable[str]) -> list[ReferenceProblem]:
    return [problem for kind in kinds for problem in facts.problems.examples.get(kind, [])]


def _such_as(problems: t.Sequence[ReferenceProblem]) -> str:
    if not problems:
        return ""
    named = (f"{problem.path} ({problem.detail})" if problem.detail else problem.path for problem in problems[:NAMED])
    return ", such as " + ", ".join(named)


def _evidence(facts: ReferenceFacts, kinds: t.Mapping[str, int], **more: t.Any) -> Evidence:
    return {
        "scope": facts.scope,
        "complete": facts.complete,
        "indexes": facts.indexes,
        "snapshots": facts.snapshots,
        "problems": dict(kinds),
        "paths": [
            f"{problem.path} ({problem.detail})"
            for kind in kinds
            for problem in facts.problems.examples.get(kind, [])[:EXAMPLES]
        ],
        **more,
    }


def _incomplete(facts: ReferenceFacts) -> str:
    return f"Not everything was seen: {facts.stuck or 'the look was interrupted'}"


def _parts(kinds: t.Mapping[str, int], words: t.Mapping[str, Kind]) -> str:
    """`1 index file is a link and 2 index files are hidden`."""
    parts = [counted(number, words[kind].one, words[kind].many) for kind, number in kinds.items()]
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def _problem_verdict(
    case: Case, facts: ReferenceFacts, kinds: t.Mapping[str, int], words: t.Mapping[str, Kind], consequence: str
) -> Verdict:
    """The verdict on the problems that were found, with the severity of the worst kind."""
    control_s = [kind for kind in kinds if not words[kind].severity]
    severity = "" if control_s else words[next(iter(kinds))].severity
    worst = control_s or list(kinds)
    remedy = " ".join(dict.fromkeys(words[kind].remedy for kind in kinds))
    return failed(
        f"{_parts(kinds, words)}{_such_as(_examples(facts, worst))}. {consequence}",
        remedy,
        severity=severity,
        **_evidence(facts, kinds),
    ).then(*_commands(case, facts, kinds))


def size(number: int) -> str:
    """Bytes in the form of PBS's task log: `10.259 MiB`."""
    value, unit = float(number), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if value < UNIT:
            break
        value, unit = value / UNIT, larger
    return f"{number} B" if unit == "B" else f"{value:.3f}".rstrip("0").rstrip(".") + f" {unit}"


def moment(seconds: int) -> str:
    """A second in UTC, to the minute. Any user may have set an access time, so it may be outside of the calendar."""
    try:
        when = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    except OverflowError:
        return f"second {seconds} since 1970"
    return when.strftime("%Y-%m-%d %H:%M UTC")


def snapshot_name(seconds: int) -> str:
    """The directory of the snapshot of that second; outside of the calendar there is none."""
    try:
        return format_time(seconds)
    except OverflowError:
        return f"second {seconds} since 1970"


def group_name(group: GroupFacts) -> str:
    """As PBS's verify names it: `ns/a/host/web`."""
    above = "".join(f"ns/{name}/" for name in group.namespace.split("/") if name)
    return f"{above}{group.type}/{group.id}"


# --- commands ---------------------------------------------------------------------------------------------------------


def _commands(case: Case, facts: ReferenceFacts, kinds: t.Mapping[str, int]) -> list[str]:
    """The commands for the first few problems."""
    commands: list[str] = []
    for kind in kinds:
        make = _MAKERS.get(kind)
        if make is not None:
            for problem in facts.problems.examples.get(kind, [])[:SNAPSHOTS]:
                commands += make(case, problem.path)
    return list(dict.fromkeys(commands))


def _absolute(case: Case, path: str) -> str:
    return os.path.join(case.the_store.path, path)


def _in_snapshot(path: str) -> t.Optional[Snapshot]:
    """The snapshot of a file; None if the file is not in one."""
    try:
        return parse_snapshot(path.split("/")[:-1])
    except WrongName:
        return None


def _name_snapshot(snapshot: Snapshot) -> str:
    """The options of PBS's API for one snapshot."""
    words = [
        "--backup-type",
        snapshot.group.type,
        "--backup-id",
        snapshot.group.id,
        "--backup-time",
        str(snapshot.time),
    ]
    if snapshot.group.namespace:
        words += ["--ns", "/".join(snapshot.group.namespace)]
    return in_shell(*words)


def forget(case: Case, snapshot: Snapshot) -> str:
    return (
        f"proxmox-backup-debug api delete {in_shell(f'/admin/datastore/{case.the_store.name}/snapshots')} "
        f"{_name_snapshot(snapshot)}"
    )


def verify(case: Case, snapshot: Snapshot) -> str:
    return (
        f"proxmox-backup-debug api create {in_shell(f'/admin/datastore/{case.the_store.name}/verify')} "
        f"{_name_snapshot(snapshot)} --ignore-verified false"
    )


def _remove_index(case: Case, path: str) -> list[str]:
    snapshot = _in_snapshot(path)
    if snapshot is not None:
        return [forget(case, snapshot)]
    return _move_out(case, path)


def _move_out(case: Case, path: str) -> list[str]:
    return [f"mv {in_shell(_absolute(case, path), '/root/')}"]


def _put_back(case: Case, path: str) -> list[str]:
    """The directory that a link leads to, in place of the link."""
    link = in_shell(_absolute(case, path))
    return [f'target=$(readlink -f {link}) && rm {link} && mv -T "$target" {link}']


def _unmount(case: Case, path: str) -> list[str]:
    return [f"umount {in_shell(_absolute(case, path))}"]


def _give_owner(case: Case, path: str) -> list[str]:
    """The owner file of a group; `path` is that of the file or of its group."""
    parts = path.split("/")
    if parts[-1] != "owner":
        parts.append("owner")
    try:
        parse_group(parts[:-1])
    except WrongName:
        return []
    file = in_shell(_absolute(case, "/".join(parts)))
    account = case.host.account
    return [f"echo 'USER@REALM' > {file}", f"chown -h {in_shell(f'{account.user}:{account.group}')} {file}"]


def _verify_snapshot(case: Case, path: str) -> list[str]:
    """Of the snapshot that a path lies in, or is."""
    try:
        snapshot = _in_snapshot(path) or parse_snapshot(path.split("/"))
    except WrongName:
        return []
    return [verify(case, snapshot)]


_MAKERS: dict[str, t.Callable[[Case, str], list[str]]] = {
    **dict.fromkeys(
        ("index-too-small", "index-magic", "index-length", "index-empty", "index-chunk-size"), _remove_index
    ),
    **dict.fromkeys(
        ("index-directory", "index-dangling", "namespace-name", "namespaces-file", "snapshot-name", "type-file"),
        _move_out,
    ),
    **dict.fromkeys(("link-type", "link-namespace", "link-group", "link-snapshot", "link-directory"), _put_back),
    "mount": _unmount,
    **dict.fromkeys(("index-checksum", "index-order", "manifest-size", "manifest-checksum"), _verify_snapshot),
    **dict.fromkeys(("owner-missing", "owner-damaged"), _give_owner),
}


# --- PBS-DATA-01: what GC opens -----------------------------------------------------------------------------------------

BROKEN = (
    "Put the file back from another copy of the datastore, or forget the snapshot, which cannot be restored as it is."
)
STRAY = "Move files that are not index files of a backup out of the datastore, or rename them."
OPENED: dict[str, Kind] = {
    "index-too-small": Kind(
        "index file is shorter than its header", "index files are shorter than their headers", BROKEN
    ),
    "index-magic": Kind("index file has an unknown magic number", "index files have an unknown magic number", BROKEN),
    "index-length": Kind("index file has a wrong length", "index files have a wrong length", BROKEN),
    "index-empty": Kind("index file has no entry", "index files have no entries", BROKEN),
    "index-chunk-size": Kind(
        "index file has an impossible chunk size", "index files have impossible chunk sizes", BROKEN
    ),
    "index-unreadable": Kind("index file cannot be read", "index files cannot be read", ""),
    "index-directory": Kind("thing has the name of an index file", "things have the names of index files", STRAY),
    "directory-unreadable": Kind("directory cannot be listed", "directories cannot be listed", ""),
    "namespace-name": Kind(
        "directory in 'ns' has no name of a namespace",
        "directories in 'ns' have no names of namespaces",
        "Rename the directory in 'ns', or move it out of the datastore.",
    ),
    "namespaces-file": Kind(
        "thing that is no directory is in place of 'ns'",
        "things that are no directories are in place of 'ns'",
        "Move it out of the datastore: PBS expects a directory of that name, or nothing.",
    ),
    "snapshot-name": Kind(
        "directory of a group is named like a snapshot of an impossible time",
        "directories of groups are named like snapshots of impossible times",
        "Give the directory the name that its snapshot had, or move it out of the datastore.",
    ),
}
ACCESS = ("index-unreadable", "directory-unreadable")


@looked
def opened(case: Case, facts: ReferenceFacts) -> Verdict:
    kinds = found(facts, OPENED)
    if kinds:
        words = {**OPENED, **{kind: dataclasses.replace(OPENED[kind], remedy=case.repair.text) for kind in ACCESS}}
        stop = "GC stops there, every time, and removes nothing."
        verdict = _problem_verdict(case, facts, kinds, words, stop)
        return verdict.then(*case.repair.commands) if set(kinds) & set(ACCESS) else verdict
    evidence = _evidence(facts, {})
    if not facts.complete:
        raise NotObserved(_incomplete(facts))
    if facts.scope == "headers":
        return passed(f"GC can open all {counted(facts.indexes, 'index file')}; the entries were not read.", **evidence)
    return passed(f"GC can open all {counted(facts.indexes, 'index file')}.", **evidence)


# --- PBS-DATA-02: what GC does not see ----------------------------------------------------------------------------------

LINK = "GC does not follow links: put the directory itself back in place of the link, before the next GC."
UNSEEN: dict[str, Kind] = {
    "index-checksum": Kind(
        "index file has lost or changed entries",
        "index files have lost or changed entries",
        "Put the index file back from another copy of the datastore before the next GC; where there is none, let verify mark "
        "the snapshot, and make a new backup of it.",
    ),
    "link-type": Kind("link is in place of a type directory", "links are in place of type directories", LINK),
    "link-namespace": Kind("link is in place of a namespace", "links are in place of namespaces", LINK),
    "link-group": Kind("link is in place of a group", "links are in place of groups", LINK),
    "link-snapshot": Kind("link is in place of a snapshot", "links are in place of snapshots", LINK),
    "link-directory": Kind("link leads to a directory", "links lead to directories", LINK, "medium"),
    "index-dangling": Kind(
        "link with the name of an index file leads nowhere",
        "links with the names of index files lead nowhere",
        "Put the index file back in place of the link before the next GC; where it is gone for good, remove the link.",
    ),
    "index-hidden": Kind(
        "index file lies where GC does not look",
        "index files lie where GC does not look",
        "GC leaves out hidden names, and below a base directory with a hidden name all but the files of snapshots: put backups "
        "back in their place before the next GC.",
    ),
    "mount": Kind(
        "directory has another filesystem mounted on it",
        "directories have another filesystem mounted on them",
        "Unmount it, and look at what lies below it before the next GC.",
    ),
    "index-order": Kind(
        "index file has entries out of order",
        "index files have entries out of order",
        "Verify the snapshot and make a new backup of it: it cannot be restored.",
        "medium",
    ),
    "index-header": Kind(
        "index file has a wrong checksum in its header",
        "index files have a wrong checksum in their headers",
        "Nothing is lost, since the entries are those of the manifest; copy the index file from another copy of the datastore, "
        "and look at the disk: something has written there that is not PBS.",
        "medium",
    ),
}


@looked
def seen(case: Case, facts: ReferenceFacts) -> Verdict:
    blind = is_blind(case.host, case.the_store)
    if blind:
        return _nothing_marked(case, blind)
    gone = _everything_gone(case, facts)
    if gone is not None:
        return gone
    kinds = found(facts, UNSEEN)
    if kinds:
        severe = [kind for kind in kinds if not UNSEEN[kind].severity]
        consequence = (
            "GC says nothing, does not mark the chunks that only these need, and removes them after the cutoff."
            if severe
            else "No chunk is lost because of it; neither GC nor verify reports it."
        )
        return _problem_verdict(case, facts, kinds, UNSEEN, consequence)
    if not facts.complete:
        raise NotObserved(_incomplete(facts))
    evidence = _evidence(facts, {})
    if facts.scope == "headers":
        return warned(
            f"GC sees {counted(facts.indexes, 'index file')}; whether one has lost entries was not looked at (scope: headers).",
            "Run preflight with preflight_references: full.",
            severity="low",
            **evidence,
        )
    return passed(
        f"GC sees all {counted(facts.indexes, 'index file')}, and the entries are those of their checksums.", **evidence
    )


def _nothing_marked(case: Case, why: str) -> Verdict:
    return failed(
        f"{why}: it marks nothing, says nothing, and removes all chunks after the cutoff.",
        "Stop GC at once (maintenance mode read-only), and upgrade PBS to 3.3.5 or newer, or move the backups to a datastore with "
        "another path.",
    ).then(
        f"proxmox-backup-manager datastore update {in_shell(case.the_store.name)} --maintenance-mode read-only",
    )


def _everything_gone(case: Case, facts: ReferenceFacts) -> t.Optional[Verdict]:
    """There are chunks but no index file: usually a wrong mount."""
    chunks, data = _chunks_without_zero(case, facts)
    if facts.indexes or not chunks or not facts.complete:
        return None
    evidence = _evidence(facts, {}, chunks=chunks, bytes=data, types=facts.types)
    what = f"{counted(chunks, 'chunk')} ({size(data)})"
    if not facts.types:
        return failed(
            f"There are {what} in {case.the_store.path}, and no ct, host, vm or ns beside them: GC marks nothing, says nothing, "
            "and removes all chunks after the cutoff.",
            "Find out where the backups are before the next GC: another filesystem may be mounted here, or missing.",
            **evidence,
        ).then(
            f"findmnt --target {in_shell(case.the_store.path)}",
            f"proxmox-backup-manager datastore update {in_shell(case.the_store.name)} --maintenance-mode read-only",
        )
    return warned(
        f"There are {what} in {case.the_store.path}, and no backup needs one of them: the next GC removes what is old enough.",
        "Right where all backups were pruned; if not, find out where they are before the next GC.",
        severity="medium",
        **evidence,
    )


def _chunks_without_zero(case: Case, facts: ReferenceFacts) -> tuple[int, int]:
    """Chunk files and their bytes, without the zero chunk, which PBS's own check inserts."""
    skeleton = case.the_store.skeleton
    zero = skeleton.zero_chunk if skeleton is not None else None
    if facts.chunks_seen and facts.sweep is not None:
        parts = (facts.sweep.removable, facts.sweep.pending, facts.sweep.kept)
        chunks, data = sum(part.chunks for part in parts), sum(part.bytes for part in parts)
    else:
        walk = case.the_store.ownership
        chunks, data = (walk.chunks.files, walk.chunks.bytes) if walk is not None else (0, 0)
    return (chunks - 1, data - zero.size) if zero is not None and chunks else (chunks, data)


# --- PBS-DATA-03: the chunks --------------------------------------------------------------------------------------------

NEEDED: dict[str, Kind] = {
    "chunk-missing": Kind("is missing", "are missing", ""),
    "chunk-empty": Kind("is empty", "are empty", ""),
    "chunk-unreadable": Kind("cannot be read", "cannot be read", ""),
    "chunk-only-bad": Kind("is left only as .bad", "are left only as .bad", ""),
    "chunk-no-file": Kind("is no regular file", "are no regular files", ""),
}


@looked
def needed(case: Case, facts: ReferenceFacts) -> Verdict:
    if not facts.chunks_seen and _chosen(case, facts):
        return skipped(
            f"The chunks were not compared with what backups need: {facts.chunks_not_seen or 'not asked for'}."
        )
    if not facts.chunks_seen and _chunks_are_linked(case):
        return unknown(f"Whether every chunk is there that backups need is not known: {_LINKED}.", _UNLINK)
    if not facts.chunks_seen:
        return unknown(
            f"Whether every chunk is there that backups need is not known: {facts.chunks_not_seen or 'it was not looked at'}.",
            "Run preflight with preflight_scope: full and preflight_references: full.",
        )
    kinds = found(facts, NEEDED)
    if kinds:
        return _damaged(case, facts, kinds)
    if not facts.complete:
        raise NotObserved(_incomplete(facts))
    if facts.unseen_chunks:
        return unknown(
            f"{counted(facts.unseen_chunks, 'chunk')} of {format(facts.needed, ',')} could not be looked for, since "
            f"{counted(facts.unseen_prefixes, 'prefix directory', 'prefix directories')} could not be looked into.",
            "Follow the remedy of PBS-OWNER-06, then run preflight again.",
            **_evidence(facts, {}),
        )
    return passed(
        f"All {counted(facts.needed, 'chunk')} that {counted(facts.snapshots, 'snapshot')} need are there.",
        needed=facts.needed,
        references=facts.references,
        **_evidence(facts, {}),
    )


_LINKED = "'.chunks' is a link, which this collection does not follow"
_UNLINK = "Follow the remedy of PBS-CONF-06, then run preflight again: put the directory itself in place of the link."


def _chunks_are_linked(case: Case) -> bool:
    """Whether `.chunks` is a link: PBS follows it."""
    skeleton = case.the_store.skeleton
    return skeleton is not None and skeleton.chunks is not None and skeleton.chunks.type == "link"


def _chosen(case: Case, facts: ReferenceFacts) -> bool:
    """Whether the chunks were not compared because the options limited the scope."""
    walk = case.the_store.ownership
    return facts.scope != "full" or (walk is not None and walk.scope != "full")


def _damaged(case: Case, facts: ReferenceFacts, kinds: t.Mapping[str, int]) -> Verdict:
    total = sum(kinds.values())
    damaged = [group for group in facts.groups if group.damaged]
    how = ", ".join(
        f"{format(number, ',')} {NEEDED[kind].one if number == 1 else NEEDED[kind].many}"
        for kind, number in kinds.items()
    )
    at_least = "" if facts.complete and facts.damaged_complete else "at least "
    newest = "; ".join(f"{group_name(group)}: {_newest_intact(group)}" for group in damaged[:NAMED])
    more = len(damaged) - NAMED
    message = (
        f"{counted(total, 'chunk')} that backups need {'is' if total == 1 else 'are'} damaged ({how})"
        f"{_such_as(_examples(facts, kinds))}: {at_least}{counted(facts.damaged_snapshots, 'snapshot')} in "
        f"{counted(facts.damaged_groups, 'group')} cannot be restored"
    )
    if newest:
        message += f". Newest intact snapshot: {newest}" + (f", and {counted(more, 'other group')}" if more > 0 else "")
    return failed(
        f"{message}.",
        _after_damage(kinds),
        **_evidence(
            facts,
            kinds,
            needed=facts.needed,
            damaged_snapshots=facts.damaged_snapshots,
            damaged_groups=facts.damaged_groups,
            groups=[_about_group(group) for group in damaged[:50]],
        ),
    ).then(*_repair_commands(case, facts, damaged))


def _newest_intact(group: GroupFacts) -> str:
    return snapshot_name(group.newest_intact) if group.newest_intact is not None else "none"


def _about_group(group: GroupFacts) -> Evidence:
    return {
        "group": group_name(group),
        "snapshots": group.snapshots,
        "damaged": group.damaged,
        "newest_damaged": None if group.newest_damaged is None else snapshot_name(group.newest_damaged),
        "newest_intact": None if group.newest_intact is None else snapshot_name(group.newest_intact),
        "examples": group.damaged_examples[:EXAMPLES],
    }


def _after_damage(kinds: t.Mapping[str, int]) -> str:
    """The steps that repair damage by PBS's own rules, in order."""
    steps = []
    if "chunk-only-bad" in kinds:
        steps.append("Look at what is left as .bad, and rename it back where its CRC is right")
    if "chunk-unreadable" in kinds:
        steps.append(
            "Give what cannot be read back to the daemon's user (the `repair` playbook) before any verify runs"
        )
    if "chunk-no-file" in kinds:
        steps.append("Move what is in place of the chunk out of the datastore, since PBS writes no chunk there")
    steps.append(
        "Verify these snapshots: that marks them as failed, so that the next backup of the group uploads missing chunks"
    )
    steps.append("Back these groups up again, and verify once more")
    return " ".join(f"{number}. {step}." for number, step in enumerate(steps, 1))


def _repair_commands(case: Case, facts: ReferenceFacts, damaged: t.Sequence[GroupFacts]) -> list[str]:
    commands: list[str] = []
    for problem in facts.problems.examples.get("chunk-only-bad", [])[:SNAPSHOTS]:
        bad = _absolute(case, problem.path)
        bad = bad if bad.endswith(".bad") else f"{bad}.0.bad"
        good = bad.rsplit(".", 2)[0]
        commands += [f"proxmox-backup-debug inspect chunk {in_shell(bad)}", f"mv {in_shell(bad, good)}"]
    for problem in facts.problems.examples.get("chunk-no-file", [])[:SNAPSHOTS]:
        commands += _move_out(case, problem.path)
    for group in damaged[:SNAPSHOTS]:
        for name in group.damaged_examples[:1]:
            commands += _verify_snapshot(case, f"{group_name(group)}/{name.rsplit('/', 1)[-1]}")
    return commands


# --- PBS-DATA-04: what belongs to a snapshot ----------------------------------------------------------------------------

COPY = "Put the file back from another copy of the datastore, or forget the snapshot: it cannot be restored as it is."
OWNER = "Write the user or API token that backs the group up into its owner file; until then every backup of the group fails."
BELONGS: dict[str, Kind] = {
    "manifest-missing": Kind("snapshot has no manifest", "snapshots have no manifest", COPY),
    "manifest-unreadable": Kind("manifest cannot be read", "manifests cannot be read", ""),
    "manifest-damaged": Kind("manifest is damaged", "manifests are damaged", COPY),
    "manifest-large": Kind(
        "manifest is larger than is read here",
        "manifests are larger than is read here",
        "Look at who makes such backups: PBS itself writes some hundred bytes for each file, and notes of 512 KiB at most.",
        "low",
    ),
    "manifest-file-missing": Kind("file of a manifest is missing", "files of manifests are missing", COPY),
    "manifest-size": Kind(
        "file has another size than its manifest says", "files have other sizes than their manifests say", COPY
    ),
    "manifest-checksum": Kind(
        "index file has another checksum than its manifest says",
        "index files have other checksums than their manifests say",
        COPY,
    ),
    "manifest-file-unlisted": Kind(
        "file of a snapshot is not in its manifest",
        "files of snapshots are not in their manifests",
        "Find out who put it there: PBS lists every file of a backup in the manifest.",
        "medium",
    ),
    "owner-missing": Kind("group has no owner file", "groups have no owner file", OWNER),
    "owner-unreadable": Kind("owner file cannot be read", "owner files cannot be read", ""),
    "owner-damaged": Kind("owner file names nobody", "owner files name nobody", OWNER),
    "type-file": Kind(
        "file is in place of a directory for backups",
        "files are in place of directories for backups",
        "Move it out of the datastore: PBS makes the directory with the next backup of that type.",
    ),
}


_HARMLESS = {
    "manifest-file-unlisted": "PBS neither verifies nor restores these files.",
    "manifest-large": "PBS reads these manifests; here they were not held against their files.",
}
"""Kinds of problems with which a snapshot can still be restored, and their consequence."""


@looked
def belongs(case: Case, facts: ReferenceFacts) -> Verdict:
    kinds = found(facts, BELONGS)
    if kinds:
        words = {
            **BELONGS,
            **{
                kind: dataclasses.replace(BELONGS[kind], remedy=case.repair.text)
                for kind in ("manifest-unreadable", "owner-unreadable")
            },
        }
        owner = any(kind.startswith("owner-") for kind in kinds)
        manifest = any(kind.startswith("manifest-") and kind not in _HARMLESS for kind in kinds)
        consequences = []
        if manifest:
            consequences.append("Verify and restore of these snapshots fail.")
        if owner:
            consequences.append("Backups to these groups fail, and lists leave them out.")
        if "type-file" in kinds:
            consequences.append("Every backup of that type fails.")
        consequences = consequences or [says for kind, says in _HARMLESS.items() if kind in kinds]
        verdict = _problem_verdict(case, facts, kinds, words, " ".join(consequences))
        return (
            verdict.then(*case.repair.commands) if set(kinds) & {"manifest-unreadable", "owner-unreadable"} else verdict
        )
    if not facts.complete:
        raise NotObserved(_incomplete(facts))
    return passed(
        f"Each of {counted(facts.snapshots, 'snapshot')} agrees with its manifest, and each of "
        f"{counted(facts.groups_total, 'group')} has an owner.",
        **_evidence(facts, {}),
    )


# --- PBS-DATA-05: the forecast ------------------------------------------------------------------------------------------


@looked
def next_gc(case: Case, facts: ReferenceFacts) -> Verdict:
    told = forecast(case.host, case.the_store, case.stores)
    if told is None:
        return skipped("PBS's configuration does not have this datastore, so GC does not run.")
    evidence: Evidence = {
        key: value
        for key, value in dataclasses.asdict(told).items()
        if key in ("outcome", "step", "removes", "pending", "kept", "risks")
    }
    blind = is_blind(case.host, case.the_store)
    if blind and told.outcome != REFUSED:
        return _nothing_marked(case, blind)
    deleted = [risk for risk in told.risks if risk.why == IGNORED and risk.chunks]
    unchecked = case.the_store.configured is not None and (
        case.the_store.configured.tuning.get("gc-atime-safety-check", True) is False
    )
    if deleted and unchecked and told.step != "mark":
        risk = deleted[0]
        snapshots = "" if risk.snapshots is None else f" of {counted(risk.snapshots, 'snapshot')}"
        return failed(
            f"The next GC removes {counted(risk.chunks, 'chunk')} that backups need{snapshots}: touches have no effect here, and "
            "PBS's own check is switched off.",
            "Stop GC at once (maintenance mode read-only), switch the check on, and move the datastore to a filesystem that "
            "honours access times.",
            **evidence,
        ).then(
            f"proxmox-backup-manager datastore update {in_shell(case.the_store.name)} --maintenance-mode read-only",
        )
    if told.outcome in (STOPS_EARLY, REFUSED):
        return _stopped(told, evidence)
    if told.outcome != SWEEPS and facts.complete and _chosen(case, facts):
        return skipped(f"What the next GC removes was not looked at: {told.reason}.")
    if told.outcome != SWEEPS and _chunks_are_linked(case):
        return unknown(f"What the next GC removes is not known: {_LINKED}.", _UNLINK, **evidence)
    if told.outcome != SWEEPS:
        return unknown(f"What the next GC removes is not known: {told.reason}.", **evidence)
    if (
        found(facts, (kind for kind in UNSEEN if not UNSEEN[kind].severity))
        or _everything_gone(case, facts) is not None
    ):
        return failed(
            f"{_removes(told)} Among what it removes now or later are chunks of backups that it does not see.",
            "Follow the remedy of PBS-DATA-02 before the next GC.",
            **evidence,
        )
    future = told.future
    if future is not None and future.chunks and future.until is not None:
        return warned(
            f"{_removes(told)} {counted(future.chunks, 'chunk that nothing needs has', 'chunks that nothing needs have')} an access "
            f"time that has not come yet (until {moment(future.until)}): GC keeps {'it' if future.chunks == 1 else 'them'} that long.",
            "Look at the clock: it was ahead when these were written (PBS-HOST-02, PBS-ATIME-06). GC removes them by itself, later.",
            severity="low",
            **evidence,
        )
    return passed(_removes(told), **evidence)


def _stopped(told: Forecast, evidence: Evidence) -> Verdict:
    if told.outcome == REFUSED:
        return passed(f"The next GC does not begin ({told.reason}), so it removes nothing.", **evidence)
    if told.exact:
        where = "at PBS's own check" if told.step == CHECK else "while it marks"
        return passed(
            f"The next GC stops {where}, so it removes nothing that backups need ({told.reason}).", **evidence
        )
    return passed(
        f"The next GC stops while it sweeps, and removes only what nothing needs ({told.reason}).", **evidence
    )


def _removes(told: Forecast) -> str:
    removes, pending = told.removes, told.pending
    if removes is None or pending is None:
        raise TypeError("a forecast of a sweep has numbers")
    bad = f" and {counted(removes.bad, '.bad file')}" if removes.bad else ""
    text = f"The next GC removes {counted(removes.chunks, 'chunk')}{bad} ({size(removes.bytes)})"
    if pending.chunks or pending.bad:
        until = f" until {moment(pending.until)}" if pending.until is not None else ""
        text += f"; {counted(pending.chunks, 'chunk')} ({size(pending.bytes)}) that nothing needs are pending{until}"
    return f"{text}."


RULES: dict[str, Rule] = {
    "PBS-DATA-01": opened,
    "PBS-DATA-02": seen,
    "PBS-DATA-03": needed,
    "PBS-DATA-04": belongs,
    "PBS-DATA-05": next_gc,
}

NOT_JUDGED_HERE = {
    "chunk-untouchable": "PBS-OWNER-03 counts all chunks of other users",
    "index-place": "it counts as an index; the forecast has the warnings",
    "index-link": "it counts as an index; the forecast has the warnings",
}
"""Kinds of problems that no rule of this file is about, and why."""
