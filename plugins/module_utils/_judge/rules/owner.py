# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about owners, modes and foreign things in a chunk store (PBS-OWNER-*)."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import (
    Case,
    NotObserved,
    Rule,
    Verdict,
    counted,
    failed,
    passed,
    skipped,
    unknown,
    warned,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.facts import (
    FileFacts,
    OwnershipFacts,
    PathProblem,
    WalkCounts,
)

REPAIR = "ansible-playbook fleetops.pbs.repair --limit HOST (changes only what is wrong)"
EXAMPLES = 5


# --- what the rules share -----------------------------------------------------------------------------------------------


def _walk(case: Case) -> OwnershipFacts:
    """The walk's facts. Raises C(NotObserved) where there was none."""
    facts: t.Optional[OwnershipFacts] = case.the_store.ownership
    if facts is None:
        raise NotObserved(case.why_not_observed())
    if facts.not_walked:
        raise NotObserved(facts.not_walked)
    return facts


def _nothing_there(case: Case) -> t.Optional[Verdict]:
    """A skip for a path where no chunk store is (yet); PBS-CONF-06 judges that."""
    skeleton = case.the_store.skeleton
    if skeleton is not None and (skeleton.state in ("absent", "empty") or skeleton.chunks is None):
        return skipped("There is no chunk store here (PBS-CONF-06).")
    return None


def _examples(problems: t.Sequence[PathProblem]) -> str:
    if not problems:
        return ""
    return ", such as %s" % ", ".join(
        "%s (%s)" % (problem.path, problem.detail) if problem.detail else problem.path for problem in problems[:2]
    )


def _evidence(facts: OwnershipFacts, counts: WalkCounts, kinds: t.Sequence[str]) -> t.Dict[str, t.Any]:
    return {
        "scope": facts.scope,
        "method": facts.method,
        "coverage": coverage(facts),
        "owners": [{"uid": owner.uid, "gid": owner.gid, "count": owner.count} for owner in counts.owners],
        "paths": [problem.path for kind in kinds for problem in counts.examples.get(kind, [])[:EXAMPLES]],
    }


def coverage(facts: OwnershipFacts) -> t.Dict[str, t.Any]:
    """How much of the store the walk has seen."""
    return {
        "prefixes_walked": facts.prefixes_walked,
        "prefixes_total": facts.prefixes_total,
        "complete": facts.complete,
        "files": facts.chunks.files,
    }


def _seen(facts: OwnershipFacts) -> str:
    return "%s in %s" % (
        counted(facts.chunks.files, "file"),
        counted(facts.prefixes_walked, "prefix directory", "prefix directories"),
    )


def _all_right(case: Case, facts: OwnershipFacts, what: str, **evidence: t.Any) -> Verdict:
    """Nothing wrong was seen: a pass only if everything was seen."""
    if not facts.complete:
        raise NotObserved("the walk did not end: %s" % (facts.stuck or "it was interrupted"))
    if facts.scope == "sample":
        share = 100.0 * facts.prefixes_walked / facts.prefixes_total
        # The same words for every control, so that a summary can say them once.
        return warned(
            "Nothing wrong in a sample of %s (%.1f %% of all); the rest was not looked at." % (_seen(facts), share),
            "Run preflight with preflight_scope: full.",
            severity="low",
            **evidence,
        )
    return passed("%s (%s)." % (what, _seen(facts)), **evidence)


def _errors(counts: WalkCounts) -> str:
    """The part of a message about what could not be looked at."""
    return "%s could not be looked at%s" % (
        counted(counts.errors, "entry", "entries"),
        _examples(counts.examples.get("errors", [])),
    )


def _ownership(case: Case, facts: OwnershipFacts, counts: WalkCounts, what: str, consequence: str) -> Verdict:
    """The verdict on wrong owners in one part of the store; a wrong group alone is the milder case."""
    evidence = _evidence(facts, counts, ("wrong_owner",))
    account = case.host.account
    if counts.wrong_owner:
        owners = ", ".join(
            "%s of %d:%d" % (format(owner.count, ","), owner.uid, owner.gid) for owner in counts.owners[:3]
        )
        only_group = counts.wrong_uid == 0
        return failed(
            "%s %s to %s:%s (%d:%d): %s%s. %s"
            % (
                counted(counts.wrong_owner, what),
                "does not belong" if counts.wrong_owner == 1 else "do not belong",
                account.user,
                account.group,
                facts.uid,
                facts.gid,
                owners,
                _examples(counts.examples.get("wrong_owner", [])),
                "Only the group is wrong: PBS works, and refuses to reuse the datastore."
                if only_group
                else consequence,
            ),
            REPAIR,
            severity="medium" if only_group else "",
            wrong=counts.wrong_owner,
            **evidence,
        )
    if counts.errors:
        return unknown("%s." % _errors(counts), "Look at what is named as root.", **evidence)
    return _all_right(case, facts, "Every %s belongs to %s:%s" % (what, account.user, account.group), **evidence)


# --- the rules ----------------------------------------------------------------------------------------------------------


def skeleton_owner(case: Case) -> Verdict:
    nothing = _nothing_there(case)
    if nothing is not None:
        return nothing
    wrong = _wrong_fixed_parts(case)
    ownership = case.the_store.ownership
    if ownership is None or ownership.not_walked or ownership.scope == "none":
        if wrong:
            return _fixed_parts_verdict(case, wrong)
        if ownership is not None and ownership.scope == "none":
            return skipped("The walk was not asked for; base, .chunks, .lock and .gc-status are right.")
        raise NotObserved(ownership.not_walked if ownership is not None else case.why_not_observed())
    facts = _walk(case)
    verdict = _ownership(
        case,
        facts,
        facts.skeleton,
        "part of the skeleton",
        "Backups cannot be written there, and GC cannot delete there.",
    )
    if verdict.status == "pass":
        return passed(
            "Base, .chunks, %s, .lock and .gc-status belong to %s:%s."
            % (
                counted(facts.prefixes_walked, "prefix directory", "prefix directories"),
                case.host.account.user,
                case.host.account.group,
            ),
            **verdict.evidence,
        )
    return verdict


def _wrong_fixed_parts(case: Case) -> t.List[FileFacts]:
    skeleton, account = case.the_store.skeleton, case.host.account
    if skeleton is None or account.uid is None:
        return []
    parts = (skeleton.base, skeleton.chunks, skeleton.lock, skeleton.gc_status)
    return [part for part in parts if part is not None and (part.uid, part.gid) != (account.uid, account.gid)]


def _fixed_parts_verdict(case: Case, wrong: t.Sequence[FileFacts]) -> Verdict:
    account = case.host.account
    return failed(
        "%s; required is %s:%s (%s:%s)."
        % (
            ", ".join("%s belongs to %d:%d" % (part.path, part.uid, part.gid) for part in wrong),
            account.user,
            account.group,
            account.uid,
            account.gid,
        ),
        "chown %s:%s %s" % (account.user, account.group, " ".join(part.path for part in wrong)),
        paths=[part.path for part in wrong],
    )


def skeleton_mode(case: Case) -> Verdict:
    nothing = _nothing_there(case)
    if nothing is not None:
        return nothing
    facts = _walk(case)
    if facts.scope == "none":
        return skipped("The walk was not asked for.")
    counts = facts.skeleton
    evidence = _evidence(facts, counts, ("wrong_mode",))
    if counts.wrong_mode:
        return failed(
            "%s not the mode that a reuse demands (base 0755, .chunks and prefixes 0750, .lock 0644)%s."
            % (
                counted(counts.wrong_mode, "part of the skeleton has", "parts of the skeleton have"),
                _examples(counts.examples.get("wrong_mode", [])),
            ),
            REPAIR,
            wrong=counts.wrong_mode,
            **evidence,
        )
    return _all_right(case, facts, "Base, .chunks, prefixes and .lock have the modes that a reuse demands", **evidence)


def chunk_owner(case: Case) -> Verdict:
    nothing = _nothing_there(case)
    if nothing is not None:
        return nothing
    facts = _walk(case)
    if facts.scope in ("skeleton", "none"):
        return skipped("The chunks were not walked (scope: %s)." % facts.scope)
    return _ownership(case, facts, facts.chunks, "chunk", "GC stops at the first of them that a backup needs.")


def chunk_readable(case: Case) -> Verdict:
    nothing = _nothing_there(case)
    if nothing is not None:
        return nothing
    facts = _walk(case)
    if facts.scope in ("skeleton", "none"):
        return skipped("The chunks were not walked (scope: %s)." % facts.scope)
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
            REPAIR,
            unreadable=counts.unreadable,
            **evidence,
        )
    if counts.errors:
        return unknown("%s." % _errors(counts), "Look at what is named as root.", **evidence)
    return _all_right(case, facts, "'%s' can read every chunk" % case.host.account.user, **evidence)


def metadata(case: Case) -> Verdict:
    nothing = _nothing_there(case)
    if nothing is not None:
        return nothing
    facts = _walk(case)
    if facts.scope in ("skeleton", "none"):
        return skipped("The metadata tree was not walked (scope: %s)." % facts.scope)
    counts = facts.metadata
    evidence = _evidence(facts, counts, ("unreadable", "wrong_owner"))
    if counts.unreadable:
        return failed(
            "%s by '%s'%s: GC aborts there."
            % (
                counted(counts.unreadable, "file or directory cannot be read", "files or directories cannot be read"),
                case.host.account.user,
                _examples(counts.examples.get("unreadable", [])),
            ),
            REPAIR,
            unreadable=counts.unreadable,
            **evidence,
        )
    if counts.wrong_owner:
        return _ownership(
            case, facts, counts, "file or directory", "Backups into these groups fail, and prune cannot remove them."
        )
    if counts.errors:
        return unknown("%s." % _errors(counts), "Look at what is named as root.", **evidence)
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


def foreign(case: Case) -> Verdict:
    nothing = _nothing_there(case)
    if nothing is not None:
        return nothing
    facts = _walk(case)
    if facts.scope == "none":
        return skipped("The walk was not asked for.")
    parts = (facts.skeleton, facts.chunks, facts.metadata)
    found: t.Dict[str, int] = {}
    for counts in parts:
        for kind, number in counts.foreign.items():
            found[kind] = found.get(kind, 0) + number
    examples = [problem for kind in sorted(found) for counts in parts for problem in counts.examples.get(kind, [])]
    evidence = {
        "scope": facts.scope,
        "coverage": coverage(facts),
        "foreign": found,
        "paths": [problem.path for problem in examples[: 2 * EXAMPLES]],
    }
    total = sum(found.values())
    if total:
        kinds = ", ".join("%s: %s" % (kind, format(number, ",")) for kind, number in sorted(found.items()))
        return failed(
            "%s in the store that PBS does not make (%s)%s."
            % (counted(total, "thing is", "things are"), kinds, _examples(examples)),
            "Look at what is named, find out who made it, and move it away; nothing here is removed for you.",
            **evidence,
        )
    return _all_right(case, facts, "Nothing foreign", **evidence)


def debris(case: Case) -> Verdict:
    nothing = _nothing_there(case)
    if nothing is not None:
        return nothing
    facts = _walk(case)
    if facts.scope in ("skeleton", "none"):
        return skipped("The chunks were not walked (scope: %s)." % facts.scope)
    s3 = case.the_store.configured is not None and case.the_store.configured.backend == "s3"
    examples = {
        kind: [problem.path for problem in facts.chunks.examples.get(kind, [])[:EXAMPLES]]
        for kind in ("bad", "empty", "temporary")
        if facts.chunks.examples.get(kind)
    }
    evidence = {
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
            parts.append("%s that verify found corrupt" % counted(facts.bad_chunks, "chunk"))
        if empty:
            parts.append("%s of length 0" % counted(empty, "chunk"))
        return failed(
            "%s." % " and ".join(parts),
            "Make new backups of the snapshots that verify names: a missing chunk is uploaded again.",
            **evidence,
        )
    if facts.temporary > case.policy.temporary_files_max:
        return warned(
            "%s older than a day (%s bytes) that GC will never remove."
            % (counted(facts.temporary, "temporary file"), format(facts.temporary_bytes, ",")),
            "Remove them by hand while no backup runs: find STORE/.chunks -name '*.tmp_*' -mtime +1",
            severity="low",
            **evidence,
        )
    return _all_right(case, facts, "No corrupt, empty or left-over chunk files", **evidence)


RULES: t.Dict[str, Rule] = {
    "PBS-OWNER-01": skeleton_owner,
    "PBS-OWNER-02": skeleton_mode,
    "PBS-OWNER-03": chunk_owner,
    "PBS-OWNER-04": chunk_readable,
    "PBS-OWNER-05": metadata,
    "PBS-OWNER-06": foreign,
    "PBS-OWNER-07": debris,
}
