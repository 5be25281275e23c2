# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks by the owner of a datastore.

The attacker is a process with the uid of `backup` that exchanges names in the store in a tight loop while the engine is
at work there as root. Whatever it puts there leads to victims: files owned by root beside the store and on another
filesystem. They must be as before to the last timestamp, and the kernel must not have seen anybody open them.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils import _creation
from ansible_collections.fleetops.pbs.plugins.module_utils._atime_check import check_atime
from ansible_collections.fleetops.pbs.plugins.module_utils._chunk_ownership import chunk_ownership
from ansible_collections.fleetops.pbs.plugins.module_utils._datastore_info import datastore_info
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import StoreFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.walk import OwnershipFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.headline import in_one_line
from ansible_collections.fleetops.pbs.plugins.module_utils._manage import completion
from ansible_collections.fleetops.pbs.plugins.module_utils._manage.ownership import RepairFacts, RepairPlan, repair
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.configuration import observe_configuration
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.account import observe_account
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.config_file import (
    DATASTORES,
    ConfigurationError,
    read_configuration,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.store import ProbePlan, observe_stores
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk import workers
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.ownership import WalkPlan, observe_ownership
from ansible_collections.fleetops.pbs.plugins.module_utils._preflight import preflight
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import Identity
from ansible_collections.fleetops.pbs.plugins.plugin_utils._long_run import progress_line
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report import report
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.fleet import Inputs
from ansible_collections.fleetops.pbs.plugins.plugin_utils._summary import summary
from ansible_collections.fleetops.pbs.tests.support import attackers, faults, mounts, reports
from ansible_collections.fleetops.pbs.tests.support.attackers import (
    BAITS,
    Attacker,
    Bait,
    Victims,
    put,
    small_store,
    swap,
)
from ansible_collections.fleetops.pbs.tests.support.findings import valid
from ansible_collections.fleetops.pbs.tests.support.options import PREFLIGHT_OPTIONS, REPAIR_OPTIONS
from ansible_collections.fleetops.pbs.tests.support.pbs.store import ZERO_DIGEST, ChunkStore, backup_ids

pytestmark = pytest.mark.root

Campaigns = Callable[[str, str], Any]

DEADLINE = 60.0
"""Seconds after which something that was asked to end within less counts as hanging."""

OPTIONS = {**PREFLIGHT_OPTIONS, "max_paths": 100, "deadline": 30.0, "stall": 30.0}
"""Of preflight; each test names the directory of the configuration."""

PREFIXES = (*range(16), int(ZERO_DIGEST[:4], 16))


@pytest.fixture(autouse=True)
def few_prefixes(monkeypatch: pytest.MonkeyPatch, walk_only: Callable[[Sequence[int]], None]) -> None:
    """The stores here have a handful of prefix directories; looking for all others is what other tests do."""
    walk_only(PREFIXES)
    monkeypatch.setattr(completion, "PREFIX_COUNT", 16)


@pytest.fixture
def disk(loopfs: Callable[..., Path]) -> Path:
    """A filesystem for store and victims alike; strictatime, so that no read goes without a trace."""
    return loopfs("ext4", "strictatime", mkfs=["-N", "20000", "-O", "^has_journal"])


@pytest.fixture
def store(disk: Path) -> ChunkStore:
    return small_store(disk / "store")


@pytest.fixture
def victims(disk: Path) -> Victims:
    return Victims(disk / "victim")


@pytest.fixture
def elsewhere(tmpfs: Callable[..., Path]) -> Victims:
    """Victims on another filesystem than the store's."""
    return Victims(tmpfs("size=8m,mode=755,strictatime") / "victim")


def audit(store: ChunkStore | Path) -> OwnershipFacts:
    uid, gid = backup_ids()
    return observe_ownership(WalkPlan(os.fspath(store), uid, gid, (gid,), stall=30.0, max_paths=1000))


def repair_store(store: ChunkStore | Path, gid: int | None = None, **more: Any) -> RepairFacts:
    uid, own = backup_ids()
    return repair(
        RepairPlan(os.fspath(store), uid, own if gid is None else gid, **{"stall": 30.0, "max_paths": 1000, **more})
    )


def groups() -> Iterator[int]:
    """Two groups in turn: with each repair everything is wrong again, and remains the attacker's."""
    return itertools.cycle((backup_ids()[1], 0))


def found(facts: OwnershipFacts | RepairFacts) -> str:
    """Everything that the result says about what does not belong there, as text."""
    if isinstance(facts, RepairFacts):
        return f"{facts.stopped} {facts.counts.refused} {facts.counts.examples}"
    trees = (facts.skeleton, facts.chunks, facts.metadata)
    return f"{facts.stuck} " + " ".join(f"{tree.foreign} {tree.examples}" for tree in trees)


def probe(path: Path | ChunkStore, mode: str = "private", deadline: float = 30.0) -> StoreFacts:
    uid, gid = backup_ids()
    store = StoreFacts(name="tank", path=os.fspath(path))
    plan = ProbePlan(Identity(uid, gid, (gid,)), mode, wanted=mode, deadline=deadline)
    observe_stores([store], plan, MountTable.read())
    return store


def completed(store: ChunkStore) -> str:
    """Complete the store as root; why that was not possible, without the path."""
    try:
        completion.complete_store(os.fspath(store), *backup_ids(), 30.0, 600.0)
    except completion.StoreError as exc:
        return str(exc).removeprefix(f"{store.path}: ")
    return ""


# --- what is in a store --------------------------------------------------------------------------------------------------

PLACES = (
    ".chunks/0001/CHUNK",
    ".chunks/0002",
    f".chunks/bb9f/{ZERO_DIGEST}",
    ".chunks/bb9f",
    ".chunks",
    ".lock",
    ".gc-status",
    "vm",
    "vm/100",
    "vm/100/owner",
    "vm/100/2025-01-01T00:00:00Z",
    "vm/100/2025-01-01T00:00:00Z/drive-scsi0.img.fidx",
    "vm/100/2025-01-01T00:00:00Z/index.json.blob",
    "ns/tenant",
    "ns/tenant/ct/101",
)


def place(store: ChunkStore, name: str) -> Path:
    if name.endswith("CHUNK"):
        name = name.replace("CHUNK", sorted(os.listdir(store.chunks / "0001"))[0])
    return store.path / name


def test_whatever_is_in_a_store(campaign: Campaigns, store: ChunkStore, victims: Victims) -> None:
    """Every part of a store as everything that it should not be; audit, repair, probes and completion one by one."""
    trial = campaign(
        "a part of the store (chunk, zero chunk, prefix directory, `.chunks`, `.lock`, `.gc-status`, `owner`, index, "
        "snapshot, group, namespace) is a link to a file, a directory or nothing, owned by root, a hard link, FIFO, socket or "
        "device; then audit, repair, both atime probes and completion",
        "the victim is never opened, touched or changed; what is there is named",
    )
    gid = groups()
    cases = [(name, bait) for name in PLACES for bait in BAITS]
    away = attackers.attic(store) / "away"
    for turn in trial.rounds(len(cases) // 3, 4 * len(cases)):
        name, bait = cases[32 * turn % len(cases)]  # a third of them has some of every part and kind
        where = place(store, name)
        was_directory = where.is_dir()
        if bait.make is attackers.directory and was_directory:
            trial.saw("nothing amiss: it may be a directory")
            continue
        where.rename(away)
        put(bait, where, victims)
        more = [] if bait.kind in ("link", "directory") else [where]
        with victims.unharmed(*more, linked=bait.kind == "hardlink"):
            seen = audit(store)
            done = repair_store(store, next(gid))
            stopped = ""
            if not name.startswith("vm"):
                for mode in ("private", "marker"):
                    facts = probe(store, mode)
                    assert not facts.stuck, facts.stuck
                if name != ".lock":  # with the repair's other group, it would be the reason
                    os.chown(store.path / ".lock", *backup_ids())
                stopped = completed(store)
        if not (bait.make is attackers.directory and name.startswith("vm")):
            for facts in (seen, done):
                # A second name of a regular file in place of a directory is just something that is no directory.
                expected = "name" if bait.kind == "hardlink" and name in (".chunks/0002", ".chunks/bb9f") else bait.kind
                if expected == "name" and facts is done:
                    continue  # which is nothing that a repair says
                assert where.name in found(facts), (name, bait, found(facts))
                assert expected in found(facts) or name == ".chunks", (name, bait, found(facts))
            trial.saw(f"named: {bait.kind}")
        if name in (".chunks", ".chunks/0002"):
            assert where.name in stopped
        remove(where)
        away.rename(where)
    assert repair_store(store).complete
    assert not audit(store).stuck


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink()


# --- names that change while they are walked over -----------------------------------------------------------------------


def waiting(store: ChunkStore, victims: Victims, names: list[Path], baits: tuple[Bait, ...]) -> list[tuple[Path, Path]]:
    """For every name a bait in the attic, to change places with it."""
    attic = attackers.attic(store)
    return [
        (name, put(bait, attic / f"{number:04d}", victims, place=name))
        for number, (name, bait) in enumerate(zip(names, itertools.cycle(baits)))
    ]


def settle(pairs: list[tuple[Path, Path]], originals: dict[Path, int]) -> None:
    """Everything back in its place, wherever the attacker has left it."""
    for name, bait in pairs:
        if name.lstat().st_ino != originals[name]:
            attackers.exchange(name, bait)
        remove(bait)


def leading_to(elsewhere: Victims) -> tuple[Bait, ...]:
    """Links to another filesystem."""

    def make(path: Path, target: Path) -> None:
        path.symlink_to(elsewhere.path / os.path.basename(target))

    return Bait("link", make, "single"), Bait("link", make, "chunks")


def under_attack(
    trial: Any,
    rounds: tuple[int, int],
    store: ChunkStore,
    victims: Victims,
    pairs: list[tuple[Path, Path]],
    elsewhere: Victims,
) -> None:
    """Audit and repair, again and again, while the pairs change places."""
    originals = {name: name.lstat().st_ino for name, _bait in pairs}
    linked = any(bait.lstat().st_nlink > 1 and bait.is_file() for _name, bait in pairs)
    watched = [bait for _name, bait in pairs if not bait.is_dir() and not bait.is_symlink()]
    gid = groups()
    with victims.unharmed(*watched, linked=linked), elsewhere.unharmed(), Attacker(swap(pairs)) as attacker:
        for _turn in trial.rounds(*rounds):
            began = time.monotonic()
            seen = audit(store)
            done = repair_store(store, next(gid))
            assert time.monotonic() - began < DEADLINE
            assert "no answer" not in seen.stuck + done.stopped
            for facts in (seen, done):
                trial.saw("went round what was put there", int(any(kind in found(facts) for kind in KINDS)))
            trial.saw("files and directories given back meanwhile", done.counts.changed)
        trial.saw("names exchanged meanwhile", attacker.turns)
    settle(pairs, originals)
    last = repair_store(store)
    assert last.complete, last.stopped
    assert not audit(store).stuck


KINDS = ("link", "hardlink", "fifo", "socket", "device", "directory", "mount")


def test_chunks_change_places_with_traps(
    campaign: Campaigns, store: ChunkStore, victims: Victims, elsewhere: Victims
) -> None:
    trial = campaign(
        "chunks change places with links, hard links to root's files, FIFOs, sockets, devices and directories, in a "
        "tight loop, while audit and repair walk over them",
        "only chunks are given back; no trap is opened, no victim touched; both come to their end",
    )
    names = sorted(path for path in store.chunks.glob("*/*"))
    baits = (*leading_to(elsewhere), *BAITS)
    under_attack(trial, (12, 300), store, victims, waiting(store, victims, names, baits), elsewhere)


def test_two_repairs_of_what_belongs_to_root(
    campaign: Campaigns, store: ChunkStore, victims: Victims, elsewhere: Victims
) -> None:
    trial = campaign(
        "two repairs at once of prefix directories that belong to root, whose names they may rely on until they are "
        "given away; chunks change places with the same traps as soon as the first of the two has done that",
        "no trap is opened, no victim touched, whichever of the two comes later",
    )
    names = sorted(path for path in store.chunks.glob("*/*"))
    pairs = waiting(store, victims, names, (*leading_to(elsewhere), *BAITS))
    originals = {name: name.lstat().st_ino for name, _bait in pairs}
    watched = [bait for _name, bait in pairs if not bait.is_dir() and not bait.is_symlink()]
    turn = itertools.cycle(pairs)

    def exchange_if_it_can() -> None:
        with contextlib.suppress(OSError):
            attackers.exchange(*next(turn))

    with victims.unharmed(*watched, linked=True), elsewhere.unharmed():
        for _turn in trial.rounds(12, 300):
            for name, bait in pairs:
                if name.lstat().st_ino != originals[name]:
                    attackers.exchange(name, bait)
                os.chown(name, 0, 0, follow_symlinks=False)
                os.chown(name.parent, 0, 0)
            with Attacker(exchange_if_it_can):
                for status in at_once(lambda: repair_store(store), lambda: repair_store(store)):
                    assert status == 0
            exchanged = sum(name.lstat().st_ino != originals[name] for name in names)
            trial.saw("names that were traps in the end", exchanged)
    settle(pairs, originals)
    last = repair_store(store)
    assert last.complete, last.stopped


def at_once(*actions: Callable[[], object]) -> list[int]:
    """Each in a process of its own; how they ended."""
    children = []
    for action in actions:
        child = os.fork()
        if child == 0:
            try:
                action()
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def test_prefix_directories_change_places_with_traps(
    campaign: Campaigns, store: ChunkStore, victims: Victims, elsewhere: Victims
) -> None:
    trial = campaign(
        "prefix directories change places with links to directories owned by root that are full of digests, and with FIFOs, "
        "devices, files and empty directories",
        "no directory owned by root is even listed; what does not lead out is given back",
    )
    baits = (
        Bait("link", attackers.link, "chunks"),
        Bait("link", attackers.link, "base/.chunks/0001"),
        *leading_to(elsewhere),
        *BAITS,
    )
    store.add_prefixes(range(8, 8 + len(baits) - 9))  # one for each
    names = sorted(store.chunks.iterdir())
    assert len(names) == len(baits)
    under_attack(trial, (12, 300), store, victims, waiting(store, victims, names, baits), elsewhere)


def test_groups_and_snapshots_change_places_with_traps(
    campaign: Campaigns, store: ChunkStore, victims: Victims, elsewhere: Victims
) -> None:
    trial = campaign(
        "namespaces, groups, snapshots, index files and `owner` change places with links and the other traps",
        "the walk over them leaves the store nowhere",
    )
    for number in range(200, 210):
        store.add_snapshot(f"vm/{number}")
    baits = (Bait("link", attackers.link, "base/vm/100"), Bait("link", attackers.link, "base"), *BAITS)
    names = [path for path in sorted(store.path.glob("vm/2*")) if path.name != "200"]
    names += [store.path / "vm/200/owner", store.path / "ns/tenant", store.path / "vm/100"]
    names += sorted((store.path / "vm/200/2025-01-01T00:00:00Z").iterdir())
    under_attack(trial, (12, 300), store, victims, waiting(store, victims, names, baits), elsewhere)


def test_fixed_parts_change_places_with_traps(
    campaign: Campaigns, store: ChunkStore, victims: Victims, elsewhere: Victims
) -> None:
    trial = campaign(
        "`.lock`, `.gc-status` and `.chunks` itself change places with links and the other traps",
        "the walk does without what is not there, says so, and changes nothing outside",
    )
    baits = (Bait("link", attackers.link, "base/.chunks"), *BAITS)
    names = [store.path / ".lock", store.path / ".gc-status", store.chunks]
    for bait in (*baits, *leading_to(elsewhere)):
        pairs = waiting(store, victims, names, (bait,))
        under_attack(trial, (2, 30), store, victims, pairs, elsewhere)


def test_bind_mounts_come_and_go(campaign: Campaigns, store: ChunkStore, victims: Victims) -> None:
    trial = campaign(
        "directories owned by root on the same filesystem are mounted over prefix directories, groups and `.chunks`, files "
        "owned by root over chunks and `.lock`, and unmounted again, while audit, repair and completion are at work",
        "what is mounted there is neither listed nor given away; the same device number deceives nobody",
    )
    chunk = place(store, ".chunks/0001/CHUNK")
    points = [
        (store.chunks / "0002", victims / "chunks"),
        (chunk, victims.shadow),
        (store.path / "vm/100", victims / "base/vm/100"),
        (store.path / ".lock", victims.shadow),
        (store.chunks / "0003", victims / "chunks"),
        (store.chunks, victims / "base/.chunks"),
        (store.path / ".gc-status", victims.shadow),
        (store.path / "vm", victims / "base/vm"),
    ]
    gid = groups()
    root = Identity(0, 0)
    try:
        with victims.unharmed(), Attacker(attackers.bind_and_unbind(points), identity=root) as accident:
            for _turn in trial.rounds(20, 300):
                seen = audit(store)
                done = repair_store(store, next(gid))
                trial.saw("completion refused a mount", int("EXDEV" in completed(store)))
                trial.saw("audit named a mount", int("mount" in found(seen) or "EXDEV" in found(seen)))
                trial.saw("repair refused a mount", int("mount" in found(done) or "EXDEV" in found(done)))
            trial.saw("mounts made meanwhile", accident.turns)
    finally:
        attackers.unbind(point for point, _source in reversed(points))
    assert repair_store(store).complete


def test_a_filesystem_that_never_answers_in_the_store(campaign: Campaigns, store: ChunkStore) -> None:
    trial = campaign(
        "`backup` mounts a FUSE filesystem of its own, which never answers, over a prefix directory, that of the zero "
        "chunk, a group or `.chunks`; audit, repair, probes and completion",
        "audit and repair go round it without waiting and name it; the others give up at their deadline and say where",
    )
    places = (".chunks/0002", "vm/100", ".chunks/bb9f", ".chunks")
    for turn in trial.rounds(len(places), 6 * len(places)):
        name = places[turn % len(places)]
        with faults.faultfs(point=store.path / name) as mount:
            mount.set("hang:/")
            began = time.monotonic()
            for facts in (audit(store), repair_store(store)):
                assert "no answer" not in found(facts)
                assert "mount" in found(facts)
            assert not completed(store) or name.startswith(".chunks")
            is_asked = name in (".chunks", ".chunks/bb9f")
            facts = probe(store, deadline=3.0 if is_asked else 30.0)
            if is_asked:
                assert "the chunk store in" in facts.stuck
            else:
                assert not facts.stuck
            assert time.monotonic() - began < DEADLINE
            trial.saw("given up at the deadline" if facts.stuck else "not even touched")


# --- the way to the store ------------------------------------------------------------------------------------------------


def test_the_way_to_the_store_is_exchanged(campaign: Campaigns, disk: Path, victims: Victims) -> None:
    trial = campaign(
        "the base directory, or a directory above it that belongs to `backup`, changes places with a link to a directory "
        "owned by root (one that looks like a datastore, one that does not) while audit, repair, probes, completion and the "
        "look before a creation are at work",
        "root changes nothing where a link leads that others than root can have put there",
    )
    uid, gid = backup_ids()
    yard = disk / "yard"
    (yard / "way").mkdir(parents=True)
    for directory in (yard, yard / "way"):
        os.chown(directory, uid, gid)
    store = small_store(yard / "way/base")
    pairs = []
    for number, (name, target) in enumerate(
        ((yard / "way/base", "base"), (yard / "way", ""), (yard / "way/base", "plain"), (yard / "way/base", "chunks"))
    ):
        bait = yard / f"bait{number}"
        bait.symlink_to(victims.path / target)
        os.chown(bait, uid, gid, follow_symlinks=False)
        pairs.append((name, bait))
    account = observe_account("backup", "backup")
    turns = groups()
    for pair in pairs:
        there_and_back = [pair, pair]
        with victims.unharmed(listed=True), Attacker(swap(there_and_back)) as attacker:
            for _turn in trial.rounds(5, 60):
                audit(store)
                done = repair_store(store, next(turns))
                trial.saw("repair refused the link", int("others than root" in done.stopped))
                trial.saw("files and directories given back meanwhile", done.counts.changed)
                probe(store)
                trial.saw("completion refused the link", int("others than root" in completed(store)))
                try:
                    _creation.decide("tank", os.fspath(store), [], account, "private", None, False, 30.0)
                except _creation.RefusedError:
                    trial.saw("creation refused")
            trial.saw("ways exchanged meanwhile", attacker.turns)
        name, bait = pair
        if name.is_symlink():
            attackers.exchange(name, bait)
    assert repair_store(store).complete


def test_the_configuration_names_directories_of_the_system(
    campaign: Campaigns, disk: Path, victims: Victims, tmp_path: Path
) -> None:
    trial = campaign(
        "`datastore.cfg` belongs to `backup`, and names as datastores: directories owned by root, one with the sticky bit in "
        "which `backup` has made a `.chunks`, links, devices, the way through /proc/PID/cwd; preflight and repair by name",
        "root makes, changes and gives away nothing there; each is reported or refused with a reason",
    )
    uid, gid = backup_ids()
    public = disk / "public"
    public.mkdir()
    public.chmod(0o1777)
    small = small_store(disk / "public/inner")
    os.rename(small.chunks, public / ".chunks")
    (public / "vm").mkdir()
    (public / "vm/private").write_bytes(b"of another user")
    yard = disk / "yard"
    yard.mkdir()
    os.chown(yard, uid, gid)
    (yard / "link").symlink_to(victims / "base")
    os.chown(yard / "link", uid, gid, follow_symlinks=False)
    paths = [
        os.fspath(victims / "plain"),
        os.fspath(victims.path),
        os.fspath(public),
        os.fspath(yard / "link"),
        os.fspath(victims.shadow),
        "/dev/zero",
        "/proc/self/fd",
        f"/proc/{os.getpid()}/cwd",
    ]
    etc = tmp_path / "etc"
    etc.mkdir(mode=0o700)
    os.chown(etc, uid, gid)
    (etc / "datastore.cfg").write_text("\n".join(f"datastore: evil{n}\n\tpath {p}\n" for n, p in enumerate(paths)))
    before = public_state(public)
    for turn in trial.rounds(len(paths), 10 * len(paths)):
        number = turn % len(paths)
        with victims.unharmed(listed=True):
            if number == 0:
                document = preflight({**OPTIONS, "config_dir": os.fspath(etc)}, check_mode=False).document
                assert len(document["datastores"]) == len(paths)
            repaired = repair_by_name(f"evil{number}", etc)
        assert repaired.startswith("refused"), repaired
        trial.saw("refused, with the reason")
    assert public_state(public) == before


def public_state(public: Path) -> dict[str, tuple[int, ...]]:
    paths = [public, *sorted(public.rglob("*"))]
    return {
        os.fspath(path): (status.st_mode, status.st_uid, status.st_gid, status.st_ctime_ns)
        for path, status in ((path, path.lstat()) for path in paths)
        if path.name != ZERO_DIGEST and "bb9f" not in path.name and path != public / ".chunks"
    }


def repair_options(**more: Any) -> dict[str, Any]:
    return {**REPAIR_OPTIONS, "deadline": 30.0, "stall": 30.0, **more}


def repair_by_name(name: str, etc: Path) -> str:
    options = repair_options(name=name, config_dir=os.fspath(etc))
    try:
        result = chunk_ownership(options, check_mode=False)
    except CollectionError as exc:
        return f"refused: {exc}"
    if result["failed"] and not result["changed"]:
        return f"refused: {result['msg']}"
    return str(result)


# --- the probes ----------------------------------------------------------------------------------------------------------


def test_the_zero_chunk_changes_places_with_traps(campaign: Campaigns, store: ChunkStore, victims: Victims) -> None:
    trial = campaign(
        "the zero chunk, its prefix directory and `.chunks` change places with the traps while both atime probes (and the "
        "insertion of the zero chunk) are at work, as root and as `backup`",
        "no time of files owned by root is moved, no trap is opened, no file of the probe is left",
    )
    names = [store.zero_chunk, store.zero_chunk.parent, store.chunks]
    for name in names:
        for kind in ("link", "hardlink", "fifo", "device"):
            pairs = waiting(store, victims, [name], tuple(bait for bait in BAITS if bait.kind == kind)[:1])
            if kind == "link" and name != names[0]:
                remove(pairs[0][1])
                target = Bait("link", attackers.link, "base/.chunks/bb9f" if name == names[1] else "base/.chunks")
                put(target, pairs[0][1], victims, place=name)
            originals = {name: name.lstat().st_ino}
            watched = [bait for _name, bait in pairs if kind in ("fifo", "device")]
            for trap in watched:
                # What `backup` does to its own is its own affair: of these it is root's hands that would be seen.
                os.chown(trap, 0, 0)
                trap.chmod(0o600)
            with victims.unharmed(*watched, linked=kind == "hardlink"), Attacker(swap(pairs)) as attacker:
                for turn in trial.rounds(2, 40):
                    facts = probe(store, ("private", "marker")[turn % 2])
                    assert not facts.stuck, facts.stuck
                    touch = facts.atime.zero_chunk if facts.atime is not None else None
                    trial.saw("met the zero chunk" if touch is not None and touch.advanced else "met no zero chunk")
                trial.saw("names exchanged meanwhile", attacker.turns)
            if name == names[0]:
                # The insertion replaces it, as PBS does.
                for path in (name, pairs[0][1]):
                    remove(path)
                store.add_zero_chunk()
            else:
                settle(pairs, originals)
    assert not list(store.path.rglob(".fleetops-pbs-probe-*"))
    facts = probe(store)
    assert facts.atime is not None, facts.error
    assert facts.atime.zero_chunk is not None
    assert facts.atime.zero_chunk.advanced


# --- completion ----------------------------------------------------------------------------------------------------------


def clear(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        try:
            os.unlink(path)
        except IsADirectoryError:
            os.rmdir(path)


def test_a_store_is_completed_among_traps(campaign: Campaigns, store: ChunkStore, victims: Victims) -> None:
    trial = campaign(
        "half of the prefix directories and `.lock` are missing, their places are taken by links (also to names owned by root "
        "that do not exist), FIFOs and other directories as soon as they are made, while root completes the store",
        "root makes and gives away directories of the store only, and no file but `.lock`",
    )
    uid, gid = backup_ids()
    attic = attackers.attic(store)
    names = [store.chunks / f"{number:04x}" for number in range(8, 16)]
    targets = ("chunks", "base/.chunks/0001", "nothing", "chunks/new")
    for number, target in enumerate(targets):
        put(Bait("link", attackers.link, target), attic / f"link{number}", victims, place=names[0])
    put(Bait("link", attackers.link, "new-lock"), attic / "lock", victims, place=store.path / ".lock")
    os.mkfifo(attic / "fifo")
    for path in attic.iterdir():
        os.chown(path, uid, gid, follow_symlinks=False)
    turn = itertools.cycle(names)
    traps = itertools.cycle([attic / f"link{number}" for number in range(len(targets))] + [attic / "fifo"])

    def act() -> None:
        # Out of the way with what root has made, a trap into its place, and away with that, too.
        for path, trap in ((next(turn), next(traps)), (store.path / ".lock", attic / "lock")):
            clear(path)
            with contextlib.suppress(FileExistsError):
                if trap.name == "fifo":
                    os.mkfifo(path)
                else:
                    os.symlink(os.readlink(trap), path)
            time.sleep(0.0005)
            clear(path)

    with victims.unharmed(), Attacker(act) as attacker:
        for _round in trial.rounds(25, 1500):
            trial.saw(completed(store).split(": ")[0] or "completed meanwhile")
        trial.saw("traps set meanwhile", attacker.turns)
    for name in names:
        if name.is_symlink() or name.exists():
            remove(name)
    (store.path / ".lock").unlink(missing_ok=True)
    completion.complete_store(os.fspath(store), uid, gid, 30.0, 600.0)
    assert {path.lstat().st_uid for path in (*names, store.path / ".lock")} == {uid}


# --- what is read beside the store ---------------------------------------------------------------------------------------


def test_configuration_and_job_states_change_places_with_traps(
    campaign: Campaigns, disk: Path, store: ChunkStore, victims: Victims
) -> None:
    trial = campaign(
        "`datastore.cfg`, `prune.cfg`, job states and their directory, which belong to `backup`, change places with links "
        "to files that only root may read, FIFOs, sockets, devices, endless and deeply nested files while they are read",
        "none of these is opened; no line of the file owned by root is in the result; nothing waits",
    )
    uid, gid = backup_ids()
    etc, state = disk / "etc", disk / "state"
    (state / "jobstates").mkdir(parents=True)
    etc.mkdir(mode=0o700)
    (etc / "datastore.cfg").write_text(f"datastore: tank\n\tgc-schedule daily\n\tpath {store.path}\n")
    (etc / "prune.cfg").write_text("prune: tank-job\n\tkeep-daily 7\n\tschedule daily\n\tstore tank\n")
    job = state / "jobstates/garbage_collection-tank.json"
    job.write_text('{"created": {"time": 1735689600}}')
    waiting_room = disk / "room"
    waiting_room.mkdir()
    for directory in (etc, state, state / "jobstates", waiting_room):
        os.chown(directory, uid, gid)
    baits = [bait for bait in BAITS if bait.kind != "hardlink"]
    pairs = [
        (name, put(bait, waiting_room / f"{number}-{index}", victims, place=name))
        for number, bait in enumerate(baits)
        for index, name in enumerate((etc / "datastore.cfg", etc / "prune.cfg", job))
    ]
    endless, nested = waiting_room / "endless", waiting_room / "nested"
    with endless.open("wb") as file:
        file.truncate(1 << 40)
    nested.write_text("[" * 200_000)
    pairs += [(job, nested), (etc / "datastore.cfg", endless), (state / "jobstates", waiting_room / "elsewhere")]
    (waiting_room / "elsewhere").symlink_to(victims.path)
    traps = [
        path for _name, path in pairs if not path.is_dir() and not path.is_symlink() and path not in (endless, nested)
    ]
    account = observe_account("backup", "backup")
    options = {"name": None, "config_dir": os.fspath(etc), "state_dir": os.fspath(state), "deadline": 30.0}
    options.update(user="backup", group="backup")
    with victims.unharmed(*traps), Attacker(swap([pair for pair in pairs for _twice in "12"])) as attacker:
        for _turn in trial.rounds(400, 10_000):
            began = time.monotonic()
            told = str(observe_configuration(os.fspath(etc), os.fspath(state), account, "4.2.0"))
            try:
                told += str(read_configuration(os.fspath(etc), DATASTORES))
            except ConfigurationError as exc:
                told += str(exc)
                trial.saw("not read, with the reason")
            else:
                trial.saw("read as it was")
            if not _turn % 20:
                try:
                    told += str(datastore_info(options))
                except CollectionError as exc:
                    told += str(exc)
            assert time.monotonic() - began < DEADLINE
            assert "secret" not in told
        trial.saw("names exchanged meanwhile", attacker.turns)


# --- names -----------------------------------------------------------------------------------------------------------------

NAMES = (
    b"\x1b[31mred\x1b]0;title\x07",
    b"two\nlines\r\n",
    b"not \xff\xfe UTF-8",
    "\u202etxt.exe\u2066".encode(),
    b"\xc2\x9b31m C1 \x9b31m",
    "\u2028\u2029\u0085\ufeff".encode(),
    b"<script>alert(1)<b>&'\"",
    b"=cmd|' -C calc'!A0",
    b"{{ lookup('pipe', 'id') }}",
    b"tab\tand\x7f",
    b"-rf",
    b"x" * 255,
)


def unshowable(value: Any, where: str = "") -> Iterator[str]:
    """Every text in a result that a terminal would take for more than text."""
    if isinstance(value, str):
        # A diff is the one text of many lines.
        for line in value.split("\n") if ".diff." in where else [value]:
            if not line.isprintable():
                yield f"{where}: {line!r}"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from unshowable(key, where)
            yield from unshowable(item, f"{where}.{key}")
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from unshowable(item, where)


def name_everything(store: ChunkStore, name: bytes) -> None:
    """Every place in a store where another user chooses the names; all of it is owned by root, so that it is reported."""
    base = os.fsencode(store.path)
    for path in (b".chunks/" + name, b".chunks/0001/" + name, b"vm/" + name, name):
        with contextlib.suppress(FileExistsError):
            os.mkdir(os.path.join(base, path))
    for path in (b".chunks/0002/" + name, b"vm/100/" + name, b"vm/100/2025-01-01T00:00:00Z/" + name, b"ns/" + name):
        with open(os.path.join(base, path), "wb"):
            pass
    for path in (b".chunks/0003/" + name, b"vm/" + name + b"/" + name):
        os.symlink(name, os.path.join(base, path))
    os.mkfifo(os.path.join(base, b"ns/tenant/" + name))


def test_names_that_are_more_than_text(
    campaign: Campaigns, disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = campaign(
        "files, directories, groups, mount points, mount sources, job states and the path of the datastore itself have "
        "names with terminal escapes, newlines, bytes that are not UTF-8, bidirectional overrides, markup and templates",
        "results, document, summary, progress and all reports hold them escaped, and stay valid",
    )
    etc, state = tmp_path / "etc", tmp_path / "state"
    (state / "jobstates").mkdir(parents=True)
    etc.mkdir(mode=0o700)
    uid, gid = backup_ids()
    os.chown(etc, uid, gid)
    for turn in trial.rounds(len(NAMES) // 2, len(NAMES) * 2):
        name = NAMES[turn % len(NAMES)]
        showable = os.fsdecode(name).isprintable()
        base = os.path.join(os.fsencode(disk), b"%d" % turn, name[:100] if showable else b"tank")
        os.makedirs(base)
        if not showable:
            with pytest.raises(CollectionError, match="are not printable") as refusal:
                chunk_ownership(repair_options(path=f"/mnt/{os.fsdecode(name)}"), check_mode=True)
            assert str(refusal.value).isprintable()
        with mounted_as(name, base):
            store = small_store(Path(os.fsdecode(base)), chunks=8)
            name_everything(store, name)
            (etc / "datastore.cfg").write_bytes(
                b"datastore: tank\n\tcomment "
                + name.replace(b"\n", b" ")
                + b"\n\tpath "
                + base.replace(b"\n", b"?")
                + b"\n"
            )
            message = json.dumps({"Error": {"message": os.fsdecode(name), "endtime": 1735689700}})
            (state / "jobstates/garbage_collection-tank.json").write_text(
                '{"finished": {"upid": "UPID:pbs1:00000A1B:0000C3D4:00000005:67748580:garbage_collection:tank:root@pam:",'
                f' "state": {message}, "updated": null}}}}',
                errors="surrogateescape",
            )
            monkeypatch.setattr(workers.Heartbeat, "INTERVAL", 0.0)
            said: list[str] = []
            results = [*everything_said(os.fsdecode(base), etc, state, said), said]
            document = results[0]
            found = list(unshowable(results))
            assert not found, "\n".join(found[:10])
            assert said
            text = summary(document, in_one_line(document), 100)
            assert all(line.isprintable() for line in text.split("\n")), text
            trial.saw("escaped in every result")
            json.dumps(results).encode("utf-8")
            check_reports(document, tmp_path / f"reports{turn}")
            trial.saw("escaped in every report")


@contextlib.contextmanager
def mounted_as(source: bytes, point: bytes) -> Iterator[None]:
    """A filesystem whose source is called so, as FUSE lets anyone choose."""
    mounts.run("mount", "-t", "tmpfs", "-o", "size=16m,mode=755", "--", os.fsdecode(source), os.fsdecode(point))
    try:
        yield
    finally:
        mounts.unmount(Path(os.fsdecode(point)))


def everything_said(path: str, etc: Path, state: Path, said: list[str]) -> Iterator[Any]:
    """The results of everything that looks at a datastore, the document first; progress goes to `said`."""

    def progress(what: str, how: Any) -> None:
        said.append(progress_line({**vars(how), "what": what}))

    options = {**OPTIONS, "config_dir": os.fspath(etc), "state_dir": os.fspath(state)}
    declared = [{"name": "declared", "path": path}]
    document = valid(preflight({**options, "datastores": declared}, check_mode=False, on_progress=progress).document)
    yield document
    yield in_one_line(document)
    for check_mode in (True, False):
        yield chunk_ownership(repair_options(path=path, max_paths=1000), check_mode, progress)
    yield check_atime(
        {"path": path, "probe": "private", "deadline": 30.0, "user": "backup", "group": "backup"}, check_mode=False
    )
    try:
        yield datastore_info({**options, "name": None})
    except CollectionError as exc:
        yield str(exc)


def check_reports(document: Any, dest: Path) -> None:
    dest.mkdir()
    (dest / "in").mkdir()
    (dest / "in/pbs1.json").write_text(json.dumps(document))
    made = report.make(
        report.Order(Inputs(documents=[os.fspath(dest / "in")]), dest=os.fspath(dest / "out")), time.time()
    )
    assert made.status.isprintable()
    for path in made.paths.values():
        text = Path(path).read_text(encoding="utf-8")
        odd = {char for char in text if not char.isprintable()} - {"\n", "\t", "\r"}
        assert not odd, (path, odd)
        reports.check(Path(path))


# --- too much of it ----------------------------------------------------------------------------------------------------------


def test_huge_and_deep_directories(campaign: Campaigns, tmpfs: Callable[..., Path]) -> None:
    trial = campaign(
        "100,000 names in one prefix directory (half of them chunks, half not), as many in `.chunks` and the base, and "
        "groups nested 300 directories deep with names of 200 bytes",
        "counts stay exact, examples and result bounded, and both walks come to their end",
    )
    store = small_store(tmpfs("size=400m,mode=755,nr_inodes=0") / "store", chunks=0)
    uid, gid = backup_ids()
    many = 25_000
    for directory, pattern in (
        (".chunks/0001", "%064x"),
        (".chunks/0001", "odd \x1b %d"),
        (".chunks", "odd \n %d"),
        ("", "odd \xff %d"),
    ):
        fd = os.open(store.path / directory, os.O_RDONLY)
        for number in range(many):
            os.mknod(pattern % number, 0o600 | stat.S_IFREG, dir_fd=fd)
        os.close(fd)
    here = os.open(store.path / "vm/100", os.O_RDONLY)
    for _level in range(300):
        os.mkdir("d" * 200, dir_fd=here)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    for _turn in trial.rounds(1, 5):
        seen = observe_ownership(WalkPlan(os.fspath(store), uid, gid, (gid,), stall=30.0, max_paths=20))
        assert seen.chunks.foreign["name"] == many
        assert seen.chunks.files == 2 * many + 1
        assert seen.skeleton.foreign["name"] == many
        assert seen.metadata.foreign["name"] == many
        assert (
            max(len(paths) for tree in (seen.chunks, seen.skeleton, seen.metadata) for paths in tree.examples.values())
            <= 20
        )
        assert "deeper than 100 directories" in seen.stuck
        done = repair_store(store, max_paths=20, dry=_turn > 0)
        assert done.counts.failed == 1
        assert "deeper than 100 directories" in found(done)
        trial.saw("counted exactly, and bounded")
    facts = probe(store)
    assert not facts.stuck
    assert facts.atime is not None
    assert facts.skeleton is not None
    assert facts.skeleton.foreign_count == many
