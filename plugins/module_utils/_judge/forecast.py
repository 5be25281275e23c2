# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Forecast of the next garbage collection (GC) of a datastore: where it stops, what it removes, and what it keeps.

It is computed from facts only, as PBS decides and counts. `docs/forecast.md` describes its part of the document.
Source: PBS, `DataStore::garbage_collection_impl` and `ChunkStore::sweep_unused_chunks`; what a PBS 4.2.3 did to damaged
datastores.
"""

from __future__ import annotations

import dataclasses
import errno
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import DatastoreConfig
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.file import FileFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import HostFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.references import (
    GC_SAYS,
    STOPS,
    ReferenceFacts,
    SweepFacts,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import StoreFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.walk import NO_DIRECTORY
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.causes import read_only
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import base_name, is_hidden
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.version import parse_version

# How it ends.
SWEEPS = "sweeps"
"""It completes mark and sweep."""
STOPS_EARLY = "stops"
"""It ends with an error; `stops` says where and why."""
REFUSED = "refused"
"""PBS refuses to start it."""
UNKNOWN = "unknown"
"""Facts are missing; `reason` says which."""
OUTCOMES = (SWEEPS, STOPS_EARLY, REFUSED, UNKNOWN)

# Its steps, in their order.
START = "start"
CHECK = "check"
MARK = "mark"
SWEEP = "sweep"
STEPS = (START, CHECK, MARK, SWEEP)

IGNORED = "touches-ignored"
UNTOUCHABLE = "chunks-untouchable"

OLDEST_WRITER = (
    "oldest writer: a backup or sync that runs when GC begins, known to the proxy alone. If it began before the limit, GC "
    "removes less: nothing that was accessed later than five minutes before it began."
)

WARNINGS = (
    "warnings: GC remembers fewer chunks than are needed (tuning gc-cache-capacity), and may warn of the same missing chunk "
    "more than once."
)

_FOLLOWED = ("link", "mount")
"""What GC enters in place of a prefix directory."""
_ZERO_CHUNK_SIZE = 159
_CACHE_CAPACITY = 1048576
"""Chunks that GC remembers to have touched, if the tuning options do not say otherwise."""
_NESTED_CHECK_SINCE = (3, 3)
_SECOND_WAY_SINCE = (3, 3, 5)
"""Since then GC goes through namespaces, groups and snapshots, besides walking over the whole tree."""
_READ, _WRITE, _ENTER = 4, 2, 1
_MAINTENANCE = ("read-only", "offline", "delete", "unmount", "s3-refresh")


@dataclasses.dataclass
class Stop:
    """One cause that ends GC."""

    step: str
    """`start`, `check`, `mark` or `sweep`."""
    kind: str
    """A kind of problem of references (such as `index-length`), or a word for another cause."""
    count: int
    path: str
    """The first path, relative to the base directory; empty if no path is involved."""
    detail: str


@dataclasses.dataclass
class Amount:
    """Chunk files and bytes of these files, as PBS counts them: `.N.bad` files are in the bytes, not in the chunks."""

    chunks: int
    bytes: int
    bad: int = 0


@dataclasses.dataclass
class Pending:
    """Chunks that no backup needs, and that are not old enough."""

    chunks: int
    bytes: int
    bad: int
    first: t.Optional[int]
    """A GC that begins in that second or later removes the first of them."""
    until: t.Optional[int]
    """A GC that begins in that second or later removes all of them."""


@dataclasses.dataclass
class Future:
    """Chunks that no backup needs, with an access time in the future: GC treats them as in use."""

    chunks: int
    bytes: int
    until: t.Optional[int]
    """The latest of these times; a chunk with it can be removed one cutoff later."""


@dataclasses.dataclass
class Risk:
    """Chunks that backups need, and that GC would remove or stop at."""

    why: str
    """`touches-ignored`: GC would remove them, unless PBS's own check stops it; `chunks-untouchable`: GC stops there."""
    chunks: int
    bytes: t.Optional[int]
    snapshots: t.Optional[int]
    """Snapshots that need one of them; None if they were not counted."""


@dataclasses.dataclass
class Forecast:
    """The next GC of one datastore; times in seconds since the epoch, sizes in bytes."""

    outcome: str
    reason: str
    """Why it stops, is refused or is unknown; empty if it sweeps."""
    step: str = ""
    """The step at which it ends; empty if it sweeps or is unknown."""
    stops: list[Stop] = dataclasses.field(default_factory=list)
    """All causes that would stop it, in the order of its steps; PBS reports only the first one."""
    start: t.Optional[int] = None
    """The forecast is for a GC that begins in this second."""
    cutoff: t.Optional[int] = None
    """Seconds."""
    limit: t.Optional[int] = None
    """It removes chunks that no backup needs and that were accessed before this second; equal is kept."""
    removes: t.Optional[Amount] = None
    """None if unknown; zero if it does not reach the sweep."""
    exact: bool = True
    """False if it stops during the sweep: `removes` is then the maximum."""
    would_remove: t.Optional[Amount] = None
    """What it would remove if no cause stopped it."""
    pending: t.Optional[Pending] = None
    future: t.Optional[Future] = None
    kept: t.Optional[Amount] = None
    """What stays in use, as the task log has it under `On-Disk`."""
    warnings: t.Optional[int] = None
    """As the task counts them."""
    indexes: t.Optional[int] = None
    data_bytes: t.Optional[int] = None
    """Backup data that the indexes describe (`Original data usage`)."""
    deduplication: t.Optional[float] = None
    """That, divided by the bytes that stay in use; 1 where none do."""
    risks: list[Risk] = dataclasses.field(default_factory=list)
    assumes: list[str] = dataclasses.field(default_factory=list)
    """Assumptions in place of facts that could not be observed."""
    not_known: list[str] = dataclasses.field(default_factory=list)
    """What cannot be known from outside."""


def forecast(host: HostFacts, store: StoreFacts, stores: t.Sequence[StoreFacts] = ()) -> t.Optional[Forecast]:
    """The next GC of a datastore; None where PBS does not have the datastore. `stores` are all of the host."""
    configured = store.configured
    if configured is None:
        return None
    stops = _at_start(host, store, configured) or _nested(host, store, stores)
    if stops:
        return _refused(stops)
    references = store.references
    if references is None or references.not_looked or references.scope == "none":
        reason = references.not_looked if references is not None else ""
        return Forecast(
            UNKNOWN, reason or store.stuck or store.error or "the references of the backups were not looked at"
        )
    blind = is_blind(host, store)
    if blind:
        return Forecast(UNKNOWN, blind)
    assumes: list[str] = []
    stops += _at_check(host, store, configured, assumes)
    stops += _at_mark(references)
    stops += _at_sweep(host, store, references)
    stops.sort(key=lambda stop: STEPS.index(stop.step))
    found = _numbers(references, stops, _inserts_zero_chunk(store, configured))
    if found.removes is not None and references.unseen_prefixes:
        assumes.append(
            f"GC removes nothing from {references.unseen_prefixes} prefix directories that were not looked into"
        )
    found.stops = stops
    found.assumes = assumes
    found.not_known = [OLDEST_WRITER]
    if found.warnings and _may_warn_again(references, configured):
        found.warnings = None
        found.not_known.append(WARNINGS)
    found.risks = _risks(store, references)
    return found


def is_blind(host: HostFacts, store: StoreFacts) -> str:
    """Why GC of this version sees no index file at all; empty if it sees them."""
    version = parse_version(host.pbs_version or "")
    if not version or version >= _SECOND_WAY_SINCE or not is_hidden(base_name(store.path)):
        return ""
    return f"GC of PBS {host.pbs_version} looks at nothing in {store.path}, whose name begins with a dot"


# --- the numbers ------------------------------------------------------------------------------------------------------


def _inserts_zero_chunk(store: StoreFacts, configured: DatastoreConfig) -> bool:
    """Whether PBS's own check inserts the chunk that it touches, which stays then."""
    checks = configured.tuning.get("gc-atime-safety-check", True) is not False
    return checks and store.skeleton is not None and store.skeleton.zero_chunk is None


def _numbers(references: ReferenceFacts, stops: t.Sequence[Stop], inserts: bool) -> Forecast:
    first = stops[0] if stops else None
    if first is not None:
        found = Forecast(STOPS_EARLY, _sentence(first), first.step)
        if first.step != SWEEP:
            found.removes = Amount(0, 0)
    elif not references.complete:
        return Forecast(UNKNOWN, f"not everything was seen: {references.stuck or 'the look was interrupted'}")
    elif not references.chunks_seen or references.sweep is None:
        found = Forecast(UNKNOWN, f"the chunks were not walked: {references.chunks_not_seen or 'not asked for'}")
    else:
        found = Forecast(SWEEPS, "")
    if not references.complete:
        return found
    found.indexes = references.indexes
    found.data_bytes = references.data_bytes
    if references.sweep is not None and references.chunks_seen:
        _sweep(found, references, references.sweep, inserts)
    return found


def _sweep(found: Forecast, references: ReferenceFacts, sweep: SweepFacts, inserts: bool) -> None:
    found.start, found.cutoff, found.limit = sweep.start, sweep.cutoff, sweep.limit
    found.would_remove = Amount(sweep.removable.chunks, sweep.removable.bytes, sweep.removable_bad)
    if found.removes is None:
        found.removes = dataclasses.replace(found.would_remove)
        found.exact = found.step != SWEEP
    found.pending = Pending(
        sweep.pending.chunks, sweep.pending.bytes, sweep.pending_bad, sweep.pending_first, sweep.pending_last
    )
    found.future = Future(sweep.future.chunks, sweep.future.bytes, sweep.future_last)
    found.kept = Amount(sweep.kept.chunks, sweep.kept.bytes, sweep.kept_bad)
    if inserts:
        found.kept.chunks += 1
        found.kept.bytes += _ZERO_CHUNK_SIZE
    found.deduplication = round(references.data_bytes / found.kept.bytes, 2) if found.kept.bytes else 1.0
    found.warnings = warnings_of(references)


def warnings_of(references: ReferenceFacts) -> int:
    """As PBS counts them: one for each missing chunk, one for each index in an unexpected place and one for all these."""
    counts = references.problems.counts
    unexpected = counts.get("index-place", 0) + counts.get("index-link", 0)
    return counts.get("chunk-missing", 0) + counts.get("chunk-only-bad", 0) + (unexpected + 1 if unexpected else 0)


def _may_warn_again(references: ReferenceFacts, configured: DatastoreConfig) -> bool:
    """Whether GC may come to a missing chunk again when it no longer remembers that it has looked for it."""
    missing = sum(references.problems.counts.get(kind, 0) for kind in ("chunk-missing", "chunk-only-bad"))
    capacity = configured.tuning.get("gc-cache-capacity", _CACHE_CAPACITY)
    return bool(missing) and isinstance(capacity, int) and capacity < references.needed


def _risks(store: StoreFacts, references: ReferenceFacts) -> list[Risk]:
    risks = []
    sweep = references.sweep
    if sweep is not None and store.atime is not None and store.atime.ignores_touches:
        old = sweep.needed_old
        risks.append(Risk(IGNORED, old.chunks, old.bytes, sweep.needed_old_snapshots))
    untouchable = references.problems.counts.get("chunk-untouchable", 0)
    if untouchable:
        risks.append(Risk(UNTOUCHABLE, untouchable, None, references.untouchable_snapshots))
    return risks


# --- what stops it ----------------------------------------------------------------------------------------------------


def _refused(stops: list[Stop]) -> Forecast:
    return Forecast(REFUSED, _sentence(stops[0]), START, stops, removes=Amount(0, 0))


def _sentence(stop: Stop) -> str:
    return f"{stop.path}: {stop.detail}" if stop.path else stop.detail


def _at_start(host: HostFacts, store: StoreFacts, configured: DatastoreConfig) -> list[Stop]:
    """The reason why PBS does not open the datastore for GC."""
    if configured.maintenance_type in _MAINTENANCE:
        return [Stop(START, "maintenance", 1, "", f"maintenance mode {configured.maintenance_type}")]
    if store.mounted is False:
        return [Stop(START, "not-mounted", 1, "", "the removable datastore is not mounted")]
    if configured.tuning_error:
        return [Stop(START, "tuning", 1, "", f"the tuning options do not parse ({configured.tuning_error})")]
    location = store.location
    if location is not None and not location.exists and not location.error:
        return [Stop(START, "absent", 1, store.path, "there is no such directory")]
    if location is not None and location.reachable is False:
        return [Stop(START, "unreachable", 1, location.blocked_at, f"'{host.account.user}' cannot enter it")]
    if store.mount is not None and read_only(store.mount):
        detail = "mounted read-only: PBS can neither lock the datastore nor touch a chunk (EROFS)"
        return [Stop(START, "read-only", 1, store.mount.mount_point, detail)]
    skeleton = store.skeleton
    if skeleton is None:
        return []
    if skeleton.chunks is None and not skeleton.error:
        return [Stop(START, "no-store", 1, store.path, "there is no chunk store in it")]
    stops = []
    for file, needs in ((skeleton.chunks, _ENTER), (skeleton.lock, _READ | _WRITE), (skeleton.gc_status, _READ)):
        if file is not None and not _may(host, file, needs):
            detail = f"'{host.account.user}' may not {_VERBS[needs]} it ({file.uid}:{file.gid} {file.mode})"
            stops.append(Stop(START, "permission", 1, file.path, detail))
    return stops


def _nested(host: HostFacts, store: StoreFacts, stores: t.Sequence[StoreFacts]) -> list[Stop]:
    """PBS compares the paths of all datastores as text, and refuses GC if one contains another."""
    if host.pbs_version and parse_version(host.pbs_version) < _NESTED_CHECK_SINCE:
        return []
    own = store.path.rstrip("/") + "/"
    for other in stores:
        path = other.path.rstrip("/") + "/"
        if other.configured is not None and other.name != store.name and (own.startswith(path) or path.startswith(own)):
            return [Stop(START, "nested", 1, other.path, f"datastore '{other.name}' and this one are nested")]
    return []


_VERBS = {_ENTER: "enter", _READ | _WRITE: "read and write", _READ: "read"}


def _may(host: HostFacts, file: FileFacts, needs: int) -> bool:
    """Whether owner, group and mode give the daemon's user this access; True if its ids are unknown."""
    account = host.account
    if account.uid is None or account.gid is None:
        return True
    mode = int(file.mode, 8)
    if file.uid == account.uid:
        given = mode >> 6
    elif file.gid in {account.gid, *account.groups}:
        given = mode >> 3
    else:
        given = mode
    return given & needs == needs


def _at_check(host: HostFacts, store: StoreFacts, configured: DatastoreConfig, assumes: list[str]) -> list[Stop]:
    """PBS's own access time check, which is made with the zero chunk unless it is switched off."""
    if configured.tuning.get("gc-atime-safety-check", True) is False:
        return []
    atime = store.atime
    if atime is None or atime.mode == "none":
        why = atime.not_tried if atime is not None else "it was not looked at"
        assumes.append(f"PBS's access time check passes: {why or 'no touch was tried'}")
        chunk = store.skeleton.zero_chunk if store.skeleton is not None else None
        if chunk is not None and _stays(chunk.size) and not _owns(host, chunk):
            return [Stop(CHECK, "zero-chunk", 1, chunk.path, f"EPERM: it belongs to uid {chunk.uid}")]
        return []
    touch = atime.zero_chunk
    if touch is not None and (touch.file is None or _stays(touch.file.size)):
        # With another size PBS replaces it, and the owner is right from then on.
        if touch.errno:
            return [Stop(CHECK, "zero-chunk", 1, touch.path, touch.error or errno.errorcode.get(touch.errno, "error"))]
        if touch.advanced is False:
            return [Stop(CHECK, "touches-ignored", 1, touch.path, "a touch has no effect on its access time")]
    if atime.probe is not None and atime.probe.advanced is False and not atime.probe.errno:
        return [Stop(CHECK, "touches-ignored", 1, "", "a touch has no effect on access times")]
    if atime.probe is not None and atime.probe.errno and (touch is None or not touch.advanced):
        return [Stop(CHECK, "probe", 1, atime.probe.path, atime.probe.error)]
    return []


def _stays(size: int) -> bool:
    """Whether PBS keeps a zero chunk of that size: an empty one is overwritten, and a larger one replaced."""
    return 0 < size <= _ZERO_CHUNK_SIZE


def _owns(host: HostFacts, file: FileFacts) -> bool:
    return host.account.uid is None or file.uid == host.account.uid


def _at_mark(references: ReferenceFacts) -> list[Stop]:
    stops = []
    problems = references.problems
    for kind, count in problems.counts.items():
        if count and GC_SAYS.get(kind) == STOPS:
            example = problems.examples[kind][0] if problems.examples.get(kind) else None
            stops.append(Stop(MARK, kind, count, example.path if example else "", example.detail if example else kind))
    return sorted(stops, key=lambda stop: (stop.path, stop.kind))


def _at_sweep(host: HostFacts, store: StoreFacts, references: ReferenceFacts) -> list[Stop]:
    """Prefix directories that GC may not list or not remove from; it has already swept those before them."""
    sweep = references.sweep
    user = host.account.user
    stops = []
    walk = store.ownership
    chunks = store.path.rstrip("/") + "/.chunks/"
    if walk is not None and not walk.not_walked:
        unreadable = [item for item in walk.skeleton.examples.get("unreadable", []) if item.path.startswith(chunks)]
        if unreadable:
            path = unreadable[0].path[len(chunks) - len(".chunks/") :]
            detail = f"'{user}' may not list it ({unreadable[0].detail})"
            stops.append(Stop(SWEEP, "prefix-unreadable", walk.skeleton.unreadable, path, detail))
        files = [
            item
            for kind, items in walk.skeleton.examples.items()
            for item in items
            if kind not in _FOLLOWED and item.path.startswith(chunks) and item.detail == NO_DIRECTORY
        ]
        if files:
            # GC stops at the first needed chunk that it looks for there, or else when it comes to list it.
            step = MARK if references.unseen_chunks and references.unseen_prefixes == len(files) else SWEEP
            path = files[0].path[len(chunks) - len(".chunks/") :]
            stops.append(Stop(step, "prefix-file", len(files), path, "ENOTDIR: Not a directory"))
    if sweep is not None and sweep.blocked.chunks + sweep.blocked_bad:
        blocked = sweep.blocked.chunks + sweep.blocked_bad
        detail = f"'{user}' may not remove what lies in it"
        stops.append(Stop(SWEEP, "prefix-not-writable", blocked, sweep.blocked_first, detail))
    return stops
