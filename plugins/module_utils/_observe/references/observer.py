# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the backups of a datastore need, held against its chunks, in one walk with the look at their owners.

First one process goes over the directories and notes what there is to be read. Then two read the index files, and put
the digests into memory that all share. Then the walk over the chunks is done as without all this, and each of its workers
holds a prefix directory against the digests of that prefix. Last, what seemed damaged is looked at again.
"""

from __future__ import annotations

import dataclasses
import os
import time
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.load import load
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.references import (
    GroupFacts,
    Problems,
    ReferenceFacts,
    ReferenceProblem,
    Sum,
    SweepFacts,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.walk import OwnershipFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.confirm import (
    UNTOUCHABLE,
    Confirm,
    CountNeeding,
    Damage,
    still_so,
    still_there,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.digests import Digests, Full
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.join import Join, Joined, Times
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.problems import ProblemCounter
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.reader import Reader
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.tree import TooLarge, Tree
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.units import (
    Numbers,
    Queue,
    TooMany,
    Units,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.visit import Totals
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.counters import CountingVisitor, merge
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.open_store import OpenStore, open_together
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.ownership import (
    Companion,
    WalkPlan,
    as_owner,
    observe_ownership,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.visitor import Collector
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.workers import (
    Heartbeat,
    Job,
    OnProgress,
    run_jobs,
    worker_count,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import cutoff
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error, display

NOT_ASKED = "not asked for"
SCOPES = ("full", "headers", "none")

_READERS = 2
"""Processes that read index files. Each may come to hold every digest, so that more of them take more memory."""
_MOST_GROUPS = 2000
"""The most groups that are reported separately."""
_LEAST_ROOM = 1 << 20
_MOST_ROOM = 1 << 28
"""Digests that are held at the least and at the most."""
_ROUNDS = 5
_SAYS = {UNTOUCHABLE: "update atime failed (EPERM: Operation not permitted); "}
"""The message that PBS logs when it stops at such a chunk."""

T = t.TypeVar("T")


@dataclasses.dataclass
class ReferencePlan:
    """Which parts of the backups are read, and the assumed settings of garbage collection (GC)."""

    scope: str = "full"
    """`full`, `headers` or `none`; see `ReferenceFacts`."""
    no_chunks: str = ""
    """Why the chunks are not compared with the needed digests, if the scopes are not the reason."""
    cutoff: int = cutoff.DEFAULT_MINUTES * 60
    """Seconds."""
    count_old: bool = False
    """Touches have no effect, so that the snapshots are counted that need a chunk which GC would remove."""
    safety_check: bool = True
    """GC's own check of access times is on, which touches the zero chunk."""
    refused: str = ""
    """Why nothing is read; empty if the daemon's user can enter the base directory."""
    now: t.Optional[int] = None
    """The assumed start of GC in seconds since the epoch; None for the start of the walk."""


def observe_store(
    walk: WalkPlan, plan: ReferencePlan, on_progress: t.Optional[OnProgress] = None
) -> tuple[OwnershipFacts, ReferenceFacts]:
    """Observe owners and references of a datastore. Never raises because of it: the facts report what was not seen."""
    started = int(time.time())
    facts = ReferenceFacts(scope=plan.scope, started=started)
    if plan.scope == "none" or plan.refused:
        facts.not_looked = NOT_ASKED if plan.scope == "none" else plan.refused
        return observe_ownership(walk, on_progress), facts
    begun = time.monotonic_ns()
    run = _Run(walk, plan, facts, on_progress)
    try:
        run.read()
        facts.elapsed_ns = time.monotonic_ns() - begun
        ownership = observe_ownership(walk, on_progress, run if run.joins() else None)
        begun = time.monotonic_ns()
        run.finish()
        facts.elapsed_ns += time.monotonic_ns() - begun
    finally:
        run.close()
    return ownership, facts


@dataclasses.dataclass
class _Needs:
    """Who needs the chunks that seem damaged."""

    by: dict[str, str] = dataclasses.field(default_factory=dict)
    """Digest: the first index file that needs it."""
    damage: list[Damage] = dataclasses.field(default_factory=list)
    untouchable: int = 0
    """Snapshots that need a chunk whose access time the daemon's user may not move."""
    left_out: Totals = dataclasses.field(default_factory=Totals)
    """The damage in groups that are not remembered."""


class _Run(Companion):
    """One observation of one datastore."""

    name = "references"

    def __init__(
        self, walk: WalkPlan, plan: ReferencePlan, facts: ReferenceFacts, on_progress: t.Optional[OnProgress]
    ) -> None:
        self._walk = walk
        self._plan = plan
        self._facts = facts
        self._on_progress = on_progress
        self._units: t.Optional[Units] = None
        self._digests: list[Digests] = []
        self._bases: set[tuple[int, int]] = set()
        self._broken = Numbers()
        self._left_out = Totals()
        """The damage in groups that are not remembered."""
        self._needing = 0
        """Snapshots with an index file."""
        self._read_all = False
        """Every index file was read, and every digest is in memory."""
        self._joined: t.Optional[Joined] = None
        start = facts.started if plan.now is None else plan.now
        self._times = Times(
            start,
            plan.cutoff,
            cutoff.removal_limit(start, plan.cutoff),
            cutoff.pending_mark(start),
            plan.safety_check,
            plan.count_old,
        )

    def close(self) -> None:
        if self._units is not None:
            self._units.close()

    def _stuck(self, reason: str) -> None:
        self._facts.stuck = self._facts.stuck or reason

    def _jobs(self, jobs: dict[str, Job], keep: t.Container[int] = ()) -> list[dict[str, t.Any]]:
        if self._walk.as_owner:
            jobs = {name: as_owner(self._walk.identity, job) for name, job in jobs.items()}
        walk = self._walk
        parts, trouble = run_jobs(walk.path, jobs, walk.stall, walk.limit, self._on_progress, keep)
        if trouble:
            self._stuck(trouble)
        for part in parts:
            if "base" in part:
                self._bases.add(tuple(part["base"]))
        return parts

    def _open(self, heartbeat: Heartbeat) -> OpenStore:
        store = open_together(self._walk.path, heartbeat)
        heartbeat.put("base", [store.status.st_dev, store.status.st_ino])
        return store

    # --- index files ---------------------------------------------------------------------------------------------------

    def read(self) -> None:
        """Find the index files and read them."""
        try:
            self._units = units = Units()
        except OSError as exc:
            self._stuck(f"memory for the names of snapshots: {describe_error(exc)}")
            return
        parts = self._jobs({"tree": lambda heartbeat: self._find(units, heartbeat)})
        for part in parts:
            self._facts.types = sorted(part.get("types", []))
            self._facts.groups_total = part.get("count", 0)
            self._take_problems(part)
        if not any("types" in part for part in parts):
            # It did not come to its end, so nobody knows what there is to be read.
            self._take_hidden(parts)
            return
        readers = min(_READERS, worker_count(self._walk.workers)) if units.count > 1 else 1
        try:
            if self._plan.scope == "full":
                room = next(part["room"] for part in parts if "room" in part)
                self._digests = [Digests(room) for _number in range(readers)]
            queue = Queue(units)
        except OSError as exc:
            self._stuck(f"memory for digests: {describe_error(exc)}")
            self._take_hidden(parts)
            return
        try:
            jobs = {f"indexes {number}": self._reading(number, queue) for number in range(readers)}
            read = self._jobs(jobs, keep=(queue.fd,))
        finally:
            queue.close()
        self._take(read)
        self._take_hidden([*parts, *read])

    def _room(self) -> int:
        """The most digests to keep: a store cannot have more chunks than its filesystem has files."""
        try:
            status = os.statvfs(self._walk.path)
        except OSError:
            return _MOST_ROOM
        used = status.f_files - status.f_ffree
        return min(max(_LEAST_ROOM, 2 * used), _MOST_ROOM) if status.f_files > 0 and used > 0 else _MOST_ROOM

    def _find(self, units: Units, heartbeat: Heartbeat) -> None:
        problems = ProblemCounter(self._walk.max_paths)
        errors: list[str] = []

        def error(path: str, reason: t.Union[OSError, str]) -> None:
            text = reason if isinstance(reason, str) else describe_error(reason)
            if not errors:
                errors.append(f"{display(os.path.join(self._walk.path, path))}: {text}")

        tree = Tree(self._open(heartbeat), self._walk.identity, problems, heartbeat, units.add, error)
        try:
            tree.walk()
        except TooLarge as exc:
            errors.append(str(exc))
        except TooMany:
            errors.append("more snapshots than are looked at")
        heartbeat.put("room", self._room())
        heartbeat.put("types", tree.types)
        heartbeat.put("count", tree.groups)
        heartbeat.put("hidden", tree.hidden)
        heartbeat.put("problems", problems.result())
        heartbeat.put("error", errors[0] if errors else "")

    def _reading(self, number: int, queue: Queue) -> Job:
        def work(heartbeat: Heartbeat) -> None:
            problems = ProblemCounter(self._walk.max_paths)
            digests = self._digests[number] if self._digests else None
            reader = Reader(
                self._open(heartbeat), self._walk.identity, problems, heartbeat, digests, self._walk.max_paths
            )
            full = False
            try:
                reader.visit(queue)
                if digests is not None:
                    digests.finish()
            except Full:
                full = True
                reader.error("", "index files need more different chunks than this filesystem has files")
            except TooLarge as exc:
                reader.error("", str(exc))
            heartbeat.put("totals", reader.totals)
            heartbeat.put("groups", list(reader.groups.values()))
            heartbeat.put("days", [reader.verified_by_day, reader.unverified_by_day])
            heartbeat.put("failed", reader.failed.result())
            heartbeat.put("broken", reader.broken.pack())
            heartbeat.put("hidden", reader.hidden)
            heartbeat.put("linked", reader.linked)
            heartbeat.put("problems", problems.result())
            heartbeat.put("error", reader.first_error)
            heartbeat.put("held", digests is not None and not full)

        return work

    def _take(self, parts: t.Sequence[dict[str, t.Any]]) -> None:
        facts = self._facts
        totals = merge(Totals, [load(Totals, part["totals"]) for part in parts if "totals" in part], 0)
        for name in ("snapshots", "indexes", "index_bytes", "data_bytes", "references", "shared"):
            setattr(facts, name, getattr(totals, name))
        groups: dict[tuple[str, str, str], GroupFacts] = {}
        for part in parts:
            self._take_problems(part)
            for one in part.get("groups", ()):
                group = load(GroupFacts, one)
                key = (group.namespace, group.type, group.id)
                groups[key] = self._both(groups[key], group) if key in groups else group
            for days, found in zip((facts.verified_by_day, facts.unverified_by_day), part.get("days", ())):
                for day, count in found.items():
                    days[day] = days.get(day, 0) + count
            if "failed" in part:
                facts.failed_verifications = self._merged(facts.failed_verifications, part["failed"])
            self._broken.update(Numbers(part.get("broken", "")))
        facts.groups = [groups[key] for key in sorted(groups)]
        self._left_out = totals
        self._needing = totals.needing
        self._read_all = bool(parts) and all(part.get("held") for part in parts)
        self._count_damaged()

    def _both(self, one: GroupFacts, other: GroupFacts) -> GroupFacts:
        """Two parts of the same group."""
        for field in dataclasses.fields(GroupFacts):
            mine, theirs = getattr(one, field.name), getattr(other, field.name)
            if field.name in ("namespace", "type", "id"):
                continue
            if field.name == "owner":
                one.owner = mine or theirs
            elif field.name == "damaged_examples":
                one.damaged_examples = sorted(mine + theirs, reverse=True)[: self._walk.max_paths]
            elif field.name.startswith("newest"):
                setattr(one, field.name, max((time for time in (mine, theirs) if time is not None), default=None))
            else:
                setattr(one, field.name, mine + theirs)
        return one

    def _take_problems(self, part: dict[str, t.Any]) -> None:
        if "problems" in part:
            self._facts.problems = self._merged(self._facts.problems, part["problems"])
        if part.get("error"):
            self._stuck(part["error"])

    def _take_hidden(self, parts: t.Sequence[dict[str, t.Any]]) -> None:
        """A hidden index file is lost to GC, unless a link in its sight leads to it."""
        linked = {tuple(inode) for part in parts for inode in part.get("linked", ())}
        problems = ProblemCounter(self._walk.max_paths)
        for part in parts:
            device = part["base"][0] if "base" in part else None
            for path, detail, inode in part.get("hidden", ()):
                if (device, inode) not in linked:
                    problems.add("index-hidden", path, detail)
        self._facts.problems = self._merged(self._facts.problems, problems.result())

    def _merged(self, known: Problems, more: t.Any) -> Problems:
        return merge(Problems, [known, load(Problems, more)], self._walk.max_paths)

    # --- chunks --------------------------------------------------------------------------------------------------------

    def joins(self) -> bool:
        """Whether the walk over the chunks should compare them with the needed digests."""
        if self._plan.no_chunks:
            self._facts.chunks_not_seen = self._plan.no_chunks
        elif self._plan.scope != "full":
            self._facts.chunks_not_seen = "only the headers of index files were asked for"
        elif self._walk.scope != "full":
            self._facts.chunks_not_seen = f"the chunks are not walked in full (scope: {self._walk.scope})"
        elif not self._read_all:
            self._facts.chunks_not_seen = "the index files were not read to the end"
        return not self._facts.chunks_not_seen

    def collector(self, counter: CountingVisitor) -> Collector:
        return Join(counter, self._digests, self._walk.identity, self._times)

    def result(self, collector: Collector) -> dict[str, t.Any]:
        return t.cast(Join, collector).result()

    def take(self, parts: t.Sequence[dict[str, t.Any]], trouble: str) -> None:
        self._joined = _added([load(Joined, part) for part in parts])
        self._facts.chunks_seen = not trouble
        self._facts.chunks_not_seen = trouble

    # --- the end -------------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Check again what seemed damaged, and build the result."""
        if self._joined is not None and self._facts.chunks_seen:
            self._confirm(self._joined)
            self._sweep(self._joined)
        if len(self._bases) > 1:
            self._stuck(
                "what is at the path of the datastore has changed meanwhile (was a filesystem mounted or unmounted?)"
            )
        facts = self._facts
        # What matters most is kept where there are too many.
        facts.groups.sort(
            key=lambda group: (not group.damaged, not group.failed, group.namespace, group.type, group.id)
        )
        del facts.groups[_MOST_GROUPS:]
        facts.groups.sort(key=lambda group: (group.namespace, group.type, group.id))
        facts.complete = not facts.stuck

    def _confirm(self, joined: Joined) -> None:
        suspects: dict[str, list[str]] = {kind: found for kind, found in joined.suspects.items() if found}
        needs = _Needs()
        steady = not suspects
        stuck = self._facts.stuck
        for _round in range(_ROUNDS):
            suspects = self._look_again(suspects)
            if not suspects:
                needs, steady = _Needs(), True
                break
            needs = self._who_needs(suspects)
            wanted = _only(suspects, needs.by)
            now = self._look_again(wanted, needs.by)
            # What is gone from there, or is right now, changes which snapshots are damaged: so they are looked for again.
            steady = now == wanted
            suspects = now
            if steady or self._facts.stuck != stuck:
                break
        if not steady:
            self._stuck("chunks and index files change faster than they can be looked at")
        self._note(joined, suspects if steady else {}, needs)

    def _look_again(
        self, suspects: dict[str, list[str]], needed_by: t.Optional[dict[str, str]] = None
    ) -> dict[str, list[str]]:
        """Of which the same is true now; and the index file that needs it is still there, where that is given."""
        if not suspects:
            return {}

        def look(heartbeat: Heartbeat) -> None:
            store = self._open(heartbeat)
            now = still_so(store, self._walk.identity, suspects, heartbeat)
            if needed_by is not None:
                there = set(still_there(store, set(needed_by.values())))
                now = {kind: [one for one in found if needed_by[one] in there] for kind, found in now.items()}
            heartbeat.put("suspects", {kind: found for kind, found in now.items() if found})

        parts = self._jobs({"chunks": look})
        found: dict[str, list[str]] = parts[0].get("suspects", {})
        return found

    def _who_needs(self, suspects: dict[str, list[str]]) -> _Needs:
        wanted = frozenset(bytes.fromhex(one) for found in suspects.values() for one in found)
        damaging = frozenset(
            bytes.fromhex(one) for kind, found in suspects.items() if kind != UNTOUCHABLE for one in found
        )
        queue = Queue(t.cast(Units, self._units))

        def work(heartbeat: Heartbeat) -> None:
            confirm = Confirm(
                self._open(heartbeat),
                self._walk.identity,
                heartbeat,
                damaging,
                wanted,
                self._broken,
                self._walk.max_paths,
            )
            confirm.visit(queue)
            heartbeat.put("needed_by", confirm.needed_by)
            heartbeat.put("groups", list(confirm.groups.values()))
            heartbeat.put("totals", confirm.totals)
            heartbeat.put("untouchable", confirm.untouchable_snapshots)
            heartbeat.put("error", confirm.first_error)

        try:
            parts = self._jobs({f"indexes {number}": work for number in range(_READERS)}, keep=(queue.fd,))
        finally:
            queue.close()
        needs = _Needs()
        for part in parts:
            if part.get("error"):
                self._stuck(part["error"])
            for digest, path in part.get("needed_by", {}).items():
                needs.by[digest] = min(path, needs.by.get(digest, path))
            needs.damage += [load(Damage, one) for one in part.get("groups", ())]
            needs.untouchable += part.get("untouchable", 0)
        needs.left_out = merge(Totals, [load(Totals, part["totals"]) for part in parts if "totals" in part], 0)
        return needs

    def _note(
        self,
        joined: Joined,
        suspects: dict[str, list[str]],
        needs: _Needs,
    ) -> None:
        facts = self._facts
        for kind, found in suspects.items():
            left_out = max(0, joined.counts.get(kind, 0) - len(joined.suspects.get(kind, ())))
            facts.problems.counts[kind] = len(found) + left_out
            facts.problems.examples[kind] = [
                ReferenceProblem(f".chunks/{one[:4]}/{one}", f"{_SAYS.get(kind, '')}needed by {display(needs.by[one])}")
                for one in sorted(found)[: self._walk.max_paths]
            ]
        facts.damaged_complete = not joined.suspects_left_out
        if not joined.suspects_left_out:
            facts.untouchable_snapshots = needs.untouchable
        elif joined.counts.get(UNTOUCHABLE) == self._there(joined) == joined.needed:
            facts.untouchable_snapshots = self._needing
        if suspects:
            self._replace_damage(needs.damage)
            self._left_out = needs.left_out
        self._count_damaged()

    def _replace_damage(self, damage: list[Damage]) -> None:
        """The damage is all found again, that of broken index files too."""
        found = {(part.namespace, part.type, part.id) for part in damage}
        groups: dict[tuple[str, str, str], GroupFacts] = {}
        for group in self._facts.groups:
            key = (group.namespace, group.type, group.id)
            if key in found or not group.damaged:
                # Another process remembers other groups, so that what is not found now is counted as left out.
                groups[key] = group
                group.damaged, group.newest_damaged, group.newest_intact, group.damaged_examples = 0, None, None, []
        for part in damage:
            key = (part.namespace, part.type, part.id)
            if key in groups:
                self._both(groups[key], GroupFacts(**{**vars(part), "snapshots": 0}))
            else:
                # Nothing was wrong with it before its chunks were looked at, and so it was not remembered.
                groups[key] = GroupFacts(**vars(part))
        self._facts.groups = list(groups.values())

    def _count_damaged(self) -> None:
        facts, left_out = self._facts, self._left_out
        facts.damaged_snapshots = sum(group.damaged for group in facts.groups) + left_out.damaged_snapshots
        facts.damaged_groups = sum(1 for group in facts.groups if group.damaged) + left_out.damaged_groups

    def _sweep(self, joined: Joined) -> None:
        facts, times = self._facts, self._times
        facts.needed = joined.needed
        facts.unseen_prefixes = joined.unseen_prefixes
        facts.unseen_chunks = joined.unseen_chunks
        pending = joined.edges.get("pending")
        future = joined.edges.get("future")
        facts.sweep = SweepFacts(
            start=times.start,
            cutoff=times.cutoff,
            limit=times.limit,
            mark=times.mark,
            removable=joined.removable,
            removable_bad=joined.removable_bad,
            pending=joined.pending,
            pending_bad=joined.pending_bad,
            pending_first=cutoff.removable_from(pending[0], times.cutoff) if pending else None,
            pending_last=cutoff.removable_from(pending[1], times.cutoff) if pending else None,
            future=joined.future,
            future_last=future[1] if future else None,
            kept=joined.kept,
            kept_bad=joined.kept_bad,
            blocked=joined.blocked,
            blocked_bad=joined.blocked_bad,
            blocked_first=min(joined.blocked_examples, default=""),
            using_markers=joined.using_markers,
            needed_old=joined.needed_old,
            needed_old_snapshots=self._old_snapshots(joined),
            zero_chunk_kept=bool(joined.zero_chunk_kept),
        )

    def _there(self, joined: Joined) -> int:
        """Needed chunks that are there."""
        missing = sum(joined.counts.get(kind, 0) for kind in ("chunk-missing", "chunk-only-bad"))
        return joined.needed - missing - joined.unseen_chunks

    def _old_snapshots(self, joined: Joined) -> t.Optional[int]:
        """How many snapshots need an old chunk: none and all are known without looking for them."""
        if not joined.needed_old.chunks:
            return 0
        if joined.needed_old.chunks == self._there(joined) == joined.needed:
            return self._needing
        if not self._plan.count_old:
            return None
        if not joined.old_left_out:
            return self._count(joined.old, others=False)
        if not joined.not_old_left_out:
            return self._count(joined.not_old, others=True)
        return None

    def _count(self, digests: t.Sequence[str], others: bool) -> t.Optional[int]:
        """How many snapshots need one of these chunks, or one of the others; None where not all were looked at."""
        wanted = frozenset(map(bytes.fromhex, digests))
        queue = Queue(t.cast(Units, self._units))

        def work(heartbeat: Heartbeat) -> None:
            found = CountNeeding(self._open(heartbeat), self._walk.identity, heartbeat, wanted, others)
            found.visit(queue)
            heartbeat.put("snapshots", found.snapshots)
            heartbeat.put("error", found.first_error)

        try:
            parts = self._jobs({f"indexes {number}": work for number in range(_READERS)}, keep=(queue.fd,))
        finally:
            queue.close()
        if any(part.get("error") or "snapshots" not in part for part in parts):
            return None
        return int(sum(part["snapshots"] for part in parts))


def _only(suspects: dict[str, list[str]], needed: t.Container[str]) -> dict[str, list[str]]:
    left = {kind: [one for one in found if one in needed] for kind, found in suspects.items()}
    return {kind: found for kind, found in left.items() if found}


def _added(parts: t.Sequence[Joined]) -> Joined:
    """The numbers of several processes."""
    total = Joined()
    for part in parts:
        for field in dataclasses.fields(Joined):
            mine, theirs = getattr(total, field.name), getattr(part, field.name)
            if field.name == "edges":
                for kind, (first, last) in theirs.items():
                    known = mine.get(kind, [first, last])
                    mine[kind] = [min(known[0], first), max(known[1], last)]
            elif isinstance(mine, Sum):
                mine.chunks += theirs.chunks
                mine.bytes += theirs.bytes
            elif isinstance(mine, dict):
                for kind, found in theirs.items():
                    mine[kind] = mine[kind] + found if kind in mine else found
            else:
                setattr(total, field.name, mine + theirs)
    return total
