# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PBS 4.2.3 did to damaged datastores: the same datastores on disk, the whole preflight, and the same answer.

Each case makes one datastore, damages it as the recorded command did, and holds forecast and controls against the task log
of the garbage collection (and of the verify) that followed: counts, bytes and the words of the error.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references import reader
from ansible_collections.fleetops.pbs.plugins.module_utils._preflight import preflight
from ansible_collections.fleetops.pbs.tests.support import machine
from ansible_collections.fleetops.pbs.tests.support.findings import valid
from ansible_collections.fleetops.pbs.tests.support.options import PREFLIGHT_OPTIONS
from ansible_collections.fleetops.pbs.tests.support.pbs.store import ZERO_DIGEST
from ansible_collections.fleetops.pbs.tests.support.recorded_store import (
    DATA_BYTES,
    DISK_BYTES,
    DISK_CHUNKS,
    INDEXES,
    OWN,
    RecordedStore,
    digest,
    overwrite,
    shorten,
)

pytestmark = pytest.mark.skipif(not machine.is_capable(), reason="needs root on Linux")

HOUR = 3600
DAY = 24 * HOUR
DUE = 25 * HOUR
"""Older than the cutoff of 24 h 5 min."""
NOT_DUE = 23 * HOUR
IMAGE_CHUNK = 4 * 2**20 + 12
BROKEN, UNSEEN, CHUNKS, BELONGS, REMOVES = (f"PBS-DATA-0{number}" for number in range(1, 6))

SNAPSHOT = "host/h1/2026-05-28T20:26:40Z"
GROUPS = {"host/h1", "ns/n1/host/h2"}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordedStore:
    # Nobody can make a directory that was changed days ago, and what is young may be a backup at work.
    monkeypatch.setattr(reader, "_UNFINISHED", -1.0)
    monkeypatch.setattr(reader, "_SETTLED", -1.0)
    machine.open_way(tmp_path)
    return RecordedStore(tmp_path / "gc1")


@dataclasses.dataclass
class Answer:
    """What the preflight says of the datastore."""

    forecast: dict[str, Any]
    findings: dict[str, dict[str, Any]]

    def failed(self) -> set[str]:
        """The controls of references that failed."""
        return {name for name, finding in self.findings.items() if finding["status"] == "fail" and "-DATA-" in name}


Ask = Callable[..., Answer]


@pytest.fixture
def ask(store: RecordedStore, tmp_path: Path, walk_only: Callable[[Sequence[int]], None]) -> Ask:
    """`ask(tuning="", scope="sample")`: the whole preflight, with these tuning options and options of its own."""

    def preflight_of(tuning: str = "gc-atime-safety-check=0", maintenance: str = "", **more: Any) -> Answer:
        etc = tmp_path / "etc"
        etc.mkdir(exist_ok=True)
        lines = ["datastore: gc1", f"\tpath {store.path}"]
        lines += [f"\ttuning {tuning}"] if tuning else []
        lines += [f"\tmaintenance-mode {maintenance}"] if maintenance else []
        (etc / "datastore.cfg").write_text("\n".join(lines) + "\n", encoding="utf-8")
        walk_only(
            sorted(int(path.name, 16) for path in store.chunks.iterdir() if re.fullmatch("[0-9a-f]{4}", path.name))
        )
        # The check was off in the recordings, and a probe would touch the zero chunk.
        options = {**PREFLIGHT_OPTIONS, "config_dir": str(etc), "probe": "none", **more}
        document = valid(preflight(options, check_mode=False).document)
        (found,) = document["datastores"]
        return Answer(found["forecast"], {item["control"]: item for item in document["findings"] if item["datastore"]})

    return preflight_of


# --- what happened ----------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Swept:
    """The end of the task log of a GC that swept."""

    removed: tuple[int, int, int] = (0, 0, 0)
    """Chunks, bytes, bad chunks."""
    pending: tuple[int, int, int] = (0, 0, 0)
    on_disk: tuple[int, int] = (DISK_CHUNKS, DISK_BYTES)
    data: int = DATA_BYTES
    indexes: int = INDEXES
    warnings: int = 0
    deduplication: float | None = 3.83

    def check(self, told: dict[str, Any]) -> None:
        assert (told["outcome"], told["reason"], told["stops"]) == ("sweeps", "", [])
        assert told["exact"]
        assert (told["removes"]["chunks"], told["removes"]["bytes"], told["removes"]["bad"]) == self.removed
        assert (told["pending"]["chunks"], told["pending"]["bytes"], told["pending"]["bad"]) == self.pending
        assert (told["kept"]["chunks"], told["kept"]["bytes"]) == self.on_disk
        assert (told["indexes"], told["data_bytes"], told["warnings"]) == (self.indexes, self.data, self.warnings)
        if self.deduplication is not None:
            assert told["deduplication"] == self.deduplication


@dataclasses.dataclass
class Stopped:
    """A GC that ended with an error."""

    says: str
    """A part of the error."""
    step: str = "mark"

    def check(self, told: dict[str, Any]) -> None:
        assert (told["outcome"], told["step"]) == ("stops", self.step), told
        assert self.says in told["reason"]
        if self.step == "mark":
            assert told["removes"] == {"chunks": 0, "bytes": 0, "bad": 0}
        else:
            assert not told["exact"]


@dataclasses.dataclass
class Case:
    record: str
    damage: Callable[[RecordedStore], object]
    gc: Swept | Stopped
    fails: set[str] = dataclasses.field(default_factory=set)
    """The controls of references that fail; all others do not."""
    severity: dict[str, str] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        return self.record


def no_damage(_store: RecordedStore) -> None:
    pass


def changed_digest(store: RecordedStore) -> None:
    overwrite(store.image, 4096, b"xxxx")
    store.directory(store.chunks / b"xx".hex(), 0o750)


def unneeded(store: RecordedStore) -> None:
    for prefix, size, age in (("aa01", 1000, DUE), ("aa02", 2000, NOT_DUE), ("aa03", 4000, 10), ("aa05", 0, DUE)):
        store.chunk(prefix + prefix[2:] * 30, size, age)


def in_the_future(store: RecordedStore) -> None:
    store.chunk("aa04" + "0" * 60, 8000, -DAY)


def interrupted_backup(store: RecordedStore) -> None:
    """Its directory is gone, and what it had uploaded is there."""
    for number in range(7):
        store.chunk(f"cc{number:02d}" + "0" * 60, 1_500_000 if number < 6 else 1_757_636, 60)


def modified_otherwise(store: RecordedStore) -> None:
    for prefix, size, age, modified in (("aa01", 1000, DUE, -HOUR), ("aa02", 2000, 1, 30 * DAY)):
        path = store.chunk(prefix + "0" * 60, size, age)
        accessed = path.stat().st_atime_ns
        os.utime(path, ns=(accessed, accessed + (age - modified) * 10**9))


def odd_names(store: RecordedStore) -> None:
    name = "aa01" + "0" * 60
    odd = (".0.bad", ".1.bad", ".x.bad", ".bad", ".0.badx", ".tmp")
    for path in [name + end for end in odd] + ["tmp_abc", ".tmp_abc", "readme", name.upper(), name[:63]]:
        store.chunk(path, 500, DUE, prefix="aa01")
    for end in (".0.bad", ".1.bad"):
        store.chunk("aa02" + "0" * 60 + end, 700, HOUR)
    store.chunk("ffff" + "0" * 60, 600, DUE, prefix="aa03")
    directory = store.directory(store.chunks / "aa04", 0o750)
    store.directory(directory / ("aa04" + "0" * 60), 0o755)
    store.directory(store.chunks / "aa05", 0o750).joinpath("aa05" + "0" * 60).symlink_to("/etc/hostname")
    store.directory(store.chunks / "zzzz", 0o750)
    store.chunk(name, 10, DUE, prefix="zzzz")
    store.file(store.chunks / name, bytes(10))


def damaged_chunk_only_bad(store: RecordedStore) -> None:
    bad = store.image_chunk.rename(f"{store.image_chunk}.0.bad")
    store.age(bad, 30 * HOUR)


def chunk_and_bad(age: float) -> Callable[[RecordedStore], None]:
    def damage(store: RecordedStore) -> None:
        store.chunk(f"{store.image_chunk.name}.0.bad", IMAGE_CHUNK, age)

    return damage


def blocked(store: RecordedStore) -> None:
    chunk_and_bad(30 * HOUR)(store)
    os.chown(store.image_chunk.parent, 0, 0)
    store.image_chunk.parent.chmod(0o755)


def owned_by_root(mode: int) -> Callable[[RecordedStore], None]:
    def damage(store: RecordedStore) -> None:
        os.chown(store.image_chunk, 0, 0)
        store.image_chunk.chmod(mode)

    return damage


def locked_out(where: str, mode: int = 0o700) -> Callable[[RecordedStore], None]:
    """A directory owned by root; made if it is not there."""

    def damage(store: RecordedStore) -> None:
        path = store.path / where
        path.mkdir(exist_ok=True)
        os.chown(path, 0, 0)
        path.chmod(mode)

    return damage


def empty_snapshot(store: RecordedStore) -> None:
    for path in store.snapshot_1.iterdir():
        path.unlink()


def leftovers(store: RecordedStore) -> None:
    store.copy(store.image, store.snapshot_1 / "disk.img.tmp_fidx")
    store.copy(store.archive, store.snapshot_1 / "data.pxar.tmp_didx")
    store.copy(store.image, store.snapshot_1 / ".disk.img.fidx")
    store.copy(store.image, store.snapshot_1 / "disk.img.fidx.tmp_XXXXXX")


def odd_snapshot_names(store: RecordedStore) -> None:
    group = store.snapshot_1.parent
    store.copy(store.snapshot_1, group / "not-a-date")
    store.copy(store.snapshot_1, group / f"{store.snapshot_1.name}.bak")
    hidden = store.directory(store.path / "host/.h9", 0o755)
    store.copy(store.snapshot_1, hidden / store.snapshot_1.name)
    store.copy(group, store.path / "foo")


def stray_index(store: RecordedStore) -> None:
    store.file(store.directory(store.path / "foo", 0o755) / "x.fidx", bytes(100))


def linked_index(store: RecordedStore) -> None:
    keep = store.directory(store.path / ".keep", 0o755)
    store.image.rename(keep / "disk.img.fidx")
    store.image.symlink_to("../../../.keep/disk.img.fidx")


def odd_namespace(store: RecordedStore) -> None:
    place = store.path / "ns/bad name"
    for path in (place, place / "host", place / "host/h5"):
        store.directory(path, 0o755)
    store.copy(store.snapshot_1, place / "host/h5" / store.snapshot_1.name)


def everything_gone(age: float) -> Callable[[RecordedStore], None]:
    def damage(store: RecordedStore) -> None:
        store.remove_backups()
        store.age_all_chunks(age)

    return damage


def hidden(store: RecordedStore) -> None:
    store.copy(store.image, store.directory(store.path / ".hidden", 0o755) / "disk.img.fidx")
    everything_gone(DUE)(store)


def unexpected_places(store: RecordedStore) -> None:
    store.copy(store.image, store.directory(store.path / "foo", 0o755) / "disk.img.fidx")
    store.copy(store.image, store.path / "top.fidx")
    everything_gone(DUE)(store)


def linked_group(store: RecordedStore) -> None:
    store.snapshot_1.parent.rename(store.path / ".moved")
    (store.path / "host/h1").symlink_to("../.moved")
    store.age_all_chunks(DUE)


def two_namespaces(store: RecordedStore) -> None:
    for path in (store.path / "ns/n1/ns", store.path / "ns/n1/ns/n2"):
        store.directory(path, 0o755)
    store.copy(store.path / "ns/n1/host", store.path / "ns/n1/ns/n2/host")


def two_namespaces_alone(store: RecordedStore) -> None:
    two_namespaces(store)
    shutil.rmtree(store.path / "host")
    store.age_all_chunks(DUE)


def lost_entry(age: float) -> Callable[[RecordedStore], None]:
    def damage(store: RecordedStore) -> None:
        shorten(store.archive, 40)
        store.age_all_chunks(age)

    return damage


ONLY_IMAGES = {"on_disk": (2, 6_000_024), "removed": (6, 4_757_771, 0)}
LOST = DATA_BYTES - OWN
CASES = [
    Case("602 no damage", no_damage, Swept()),
    # --- decisions by access time
    Case(
        "604 unneeded chunks",
        lambda store: (unneeded(store), in_the_future(store)),
        Swept(removed=(2, 1000, 0), pending=(2, 6000, 0), on_disk=(9, 10_765_795), deduplication=3.82),
    ),
    Case("605 modification times", modified_otherwise, Swept(removed=(1, 1000, 0), pending=(1, 2000, 0))),
    Case("609 odd names", odd_names, Swept(removed=(2, 2100, 2), pending=(0, 1400, 2))),
    Case("766 interrupted backup", interrupted_backup, Swept(pending=(7, 10_757_636, 0))),
    # --- index files
    Case(
        "610 .fidx one byte short",
        lambda s: shorten(s.image, 1),
        Stopped("got unexpected file size (64 != 63)"),
        {BROKEN},
    ),
    Case("611 .didx one byte short", lambda s: shorten(s.archive, 1), Stopped("got unexpected file size"), {BROKEN}),
    Case(
        "612 .didx one entry short",
        lost_entry(600),
        Swept(pending=(1, OWN + 12, 0), on_disk=(7, 9_200_972), data=LOST, deduplication=4.31),
        {UNSEEN, BELONGS, REMOVES},
        {UNSEEN: "critical"},
    ),
    Case(
        "613 .fidx of a header only",
        lambda s: os.truncate(s.image, 4096),
        Stopped("got unexpected file size (64 != 0)"),
        {BROKEN},
    ),
    Case(
        "614 .didx of a header only",
        lambda s: os.truncate(s.archive, 4096),
        Stopped("mapped length must not be zero"),
        {BROKEN},
    ),
    Case("615 .fidx empty", lambda s: os.truncate(s.image, 0), Stopped("index too small (0)"), {BROKEN}),
    Case("616 .didx empty", lambda s: os.truncate(s.archive, 0), Stopped("index too small (0)"), {BROKEN}),
    Case("617 .didx magic", lambda s: overwrite(s.archive, 0, b"x"), Stopped("got unknown magic number"), {BROKEN}),
    Case("618 .fidx magic", lambda s: overwrite(s.image, 0, b"x"), Stopped("got unknown magic number"), {BROKEN}),
    Case(
        "619 .fidx checksum in the header",
        lambda s: overwrite(s.image, 32, b"xxxx"),
        Swept(),
        {UNSEEN},
        {UNSEEN: "medium"},
    ),
    Case(
        "620 .fidx digest",
        changed_digest,
        Swept(warnings=1),
        {UNSEEN, CHUNKS, REMOVES},
        {UNSEEN: "critical", CHUNKS: "critical"},
    ),
    Case(
        "621 .fidx one byte long",
        lambda s: s.image.open("ab").write(b"x"),
        Stopped("got unexpected file size (64 != 65)"),
        {BROKEN},
    ),
    Case(
        "621 .fidx one entry long",
        lambda s: s.image.open("ab").write(bytes(32)),
        Stopped("got unexpected file size (64 != 96)"),
        {BROKEN},
    ),
    Case(
        "622 .fidx size",
        lambda s: overwrite(s.image, 64, b"\x01"),
        Swept(data=41_178_413),
        {BELONGS},
        {BELONGS: "high"},
    ),
    Case(
        "759 .fidx chunk size 0",
        lambda s: overwrite(s.image, 72, bytes(4)),
        Stopped("got non-power-of-two chunk size: 0"),
        {BROKEN},
    ),
    Case("759 .fidx reserved byte", lambda s: overwrite(s.image, 500, b"x"), Swept()),
    Case(
        "757 .didx one entry short, old",
        lost_entry(DUE),
        Swept(removed=(1, OWN + 12, 0), on_disk=(7, 9_200_972), data=LOST, deduplication=4.31),
        {UNSEEN, BELONGS, REMOVES},
    ),
    # --- chunks
    Case(
        "623 chunk missing",
        lambda s: s.image_chunk.unlink(),
        Swept(on_disk=(7, DISK_BYTES - IMAGE_CHUNK), warnings=1, deduplication=6.27),
        {CHUNKS},
        {CHUNKS: "critical"},
    ),
    Case("625 chunk only as .bad", damaged_chunk_only_bad, Swept(on_disk=(7, DISK_BYTES), warnings=1), {CHUNKS}),
    Case("626 chunk and .bad, directory of root", blocked, Stopped(f".chunks/{digest('image 0')[:4]}", "sweep")),
    Case("628 chunk of root", owned_by_root(0o644), Stopped(f"{digest('image 0')[:4]}/{digest('image 0')}")),
    Case("628 chunk of root, for all to write", owned_by_root(0o666), Stopped(digest("image 0"))),
    Case(
        "750 chunk empty",
        lambda s: os.truncate(s.image_chunk, 0),
        Swept(on_disk=(8, DISK_BYTES - IMAGE_CHUNK), deduplication=6.27),
        {CHUNKS},
    ),
    Case("751 chunk and old .bad", chunk_and_bad(30 * HOUR), Swept(removed=(0, IMAGE_CHUNK, 1))),
    Case("752 chunk and young .bad", chunk_and_bad(HOUR), Swept(pending=(0, IMAGE_CHUNK, 1))),
    # --- what may not be read
    Case(
        "629 index of root",
        lambda s: (os.chown(s.image, 0, 0), s.image.chmod(0o600)),
        Stopped(f"{SNAPSHOT}/disk.img.fidx"),
        {BROKEN},
    ),
    Case("630 snapshot of root", locked_out(SNAPSHOT), Stopped(SNAPSHOT), {BROKEN}),
    Case("630 group of root", locked_out("host/h1"), Stopped("host/h1"), {BROKEN}),
    Case("641 lost+found at the root", locked_out("lost+found"), Swept()),
    Case("641 lost+found deeper", locked_out("host/lost+found"), Stopped("host/lost+found"), {BROKEN}),
    Case("641 another directory of root", locked_out("otherdir"), Stopped("otherdir"), {BROKEN}),
    # --- what belongs to snapshots and groups
    Case("631 no manifest", lambda s: (s.snapshot_1 / "index.json.blob").unlink(), Swept(), {BELONGS}),
    Case(
        "632 empty snapshot",
        empty_snapshot,
        Swept(pending=(2, 1_556_914, 0), on_disk=(6, 9_200_881), data=23_589_270, indexes=5, deduplication=2.56),
        {BELONGS},
    ),
    Case("632 no owner", lambda s: (s.path / "host/h1/owner").unlink(), Swept(), {BELONGS}),
    Case("568 empty owner", lambda s: os.truncate(s.path / "host/h1/owner", 0), Swept(), {BELONGS}),
    Case("568 malformed owner", lambda s: s.file(s.path / "host/h1/owner", b"nobody"), Swept(), {BELONGS}),
    Case("568 owner without a line feed", lambda s: s.file(s.path / "host/h1/owner", b"sync@pbs"), Swept()),
    Case(
        "633 leftovers",
        leftovers,
        Swept(data=47_178_540, indexes=10, deduplication=4.39),
        {BELONGS},  # a hidden copy of an index, which no manifest names
        {BELONGS: "medium"},
    ),
    # --- index files in other places
    Case(
        "636 odd snapshot names",
        odd_snapshot_names,
        Swept(data=146_714_160, indexes=33, warnings=25, deduplication=13.64),
        {UNSEEN, REMOVES},
    ),
    Case("637 damaged index in an odd place", stray_index, Stopped("index too small (100)"), {BROKEN}),
    Case(
        "638 directory with the name of an index",
        lambda s: s.directory(s.path / "foo.fidx", 0o755),
        Stopped("foo.fidx"),
        {BROKEN},
    ),
    Case(
        "638 the same in a snapshot",
        lambda s: s.directory(s.snapshot_1 / "dir.fidx", 0o755),
        Stopped(f"{SNAPSHOT}/dir.fidx"),
        {BROKEN},
    ),
    Case("640 index behind a link", linked_index, Swept(warnings=2)),
    Case("643 directory in ns", odd_namespace, Stopped("bad name"), {BROKEN}),
    Case(
        "644 host and ns gone",
        everything_gone(600),
        Swept(pending=(8, DISK_BYTES, 0), on_disk=(0, 0), data=0, indexes=0, deduplication=1.0),
        {UNSEEN, REMOVES},
        {UNSEEN: "critical", REMOVES: "critical"},
    ),
    Case(
        "758 host and ns gone, old",
        everything_gone(DUE),
        Swept(removed=(8, DISK_BYTES, 0), on_disk=(0, 0), data=0, indexes=0, deduplication=1.0),
        {UNSEEN, REMOVES},
    ),
    Case(
        "753 hidden directory",
        hidden,
        Swept(removed=(8, DISK_BYTES, 0), on_disk=(0, 0), data=0, indexes=0, deduplication=1.0),
        {UNSEEN, REMOVES},
    ),
    Case(
        "754 unexpected places",
        unexpected_places,
        Swept(**ONLY_IMAGES, data=12_000_000, indexes=2, warnings=3, deduplication=2.0),
    ),
    Case(
        "755 group behind a link",
        linked_group,
        Swept(**ONLY_IMAGES, data=6_000_000, indexes=1, deduplication=1.0),
        {UNSEEN, REMOVES},
        {UNSEEN: "critical"},
    ),
    Case("756 two namespaces", two_namespaces, Swept(data=47_178_540, indexes=10, deduplication=4.39)),
    Case(
        "756 only two namespaces",
        two_namespaces_alone,
        Swept(**ONLY_IMAGES, data=12_000_000, indexes=2, deduplication=2.0),
    ),
    # --- prefix directories
    Case("645 prefix directory missing", no_damage, Swept()),
    Case("645 prefix directory of root", locked_out(".chunks/1235"), Stopped(".chunks/1235", "sweep")),
    Case("646 no .lock", lambda s: (s.path / ".lock").unlink(), Swept()),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_controls_and_forecast_say_what_pbs_did(store: RecordedStore, ask: Ask, case: Case) -> None:
    case.damage(store)
    answer = ask()
    case.gc.check(answer.forecast)
    assert answer.failed() == case.fails, {
        name: finding["message"] for name, finding in answer.findings.items() if "-DATA-" in name
    }
    for control, severity in case.severity.items():
        assert answer.findings[control]["severity"] == severity
    for control in case.fails:
        assert answer.findings[control]["remedy"]


# --- what a case in the table cannot say ------------------------------------------------------------------------------


def test_606_equal_to_the_limit_is_kept(store: RecordedStore, ask: Ask, tmp_path: Path) -> None:
    """Whole seconds count: what was accessed in the very second of the limit stays, and what was just before it goes."""
    began = int(os.stat(store.file(tmp_path / "now")).st_mtime)
    ages = range(-20, 200)
    for number, age in enumerate(ages):
        for place, fraction in enumerate((0, 999_999_999)):
            path = store.chunk(f"bb{place}{number:03d}" + "0" * 58, 100)
            store.accessed(path, (began - 86700 + age) * 10**9 + fraction)
    told = ask().forecast
    limit = told["start"] - 86700
    assert (told["cutoff"], told["limit"]) == (86700, limit)
    assert began <= told["start"] < began + 150, "the machine is too slow for this test"
    gone = sum(2 for age in ages if began - 86700 + age < limit)
    assert told["removes"] == {"chunks": gone, "bytes": 100 * gone, "bad": 0}
    assert told["pending"]["chunks"] == 2 * len(ages) - gone
    # The first that is pending was accessed in the second of the limit.
    assert told["pending"]["first"] == told["start"] + 1
    assert told["pending"]["until"] == began + max(ages) + 1


def test_607_what_was_accessed_since_the_start_is_in_use(store: RecordedStore, ask: Ask, tmp_path: Path) -> None:
    began = int(os.stat(store.file(tmp_path / "now")).st_mtime)
    ages = range(-4, 200)
    for number, age in enumerate(ages):
        store.accessed(store.chunk(f"bb{number:04d}" + "0" * 58, 7), (began + age) * 10**9 + 999_000_000)
    told = ask().forecast
    assert began <= told["start"] < began + 150, "the machine is too slow for this test"
    pending = sum(began + age < told["start"] for age in ages)
    assert told["pending"]["chunks"] == pending
    assert told["kept"]["chunks"] == DISK_CHUNKS + len(ages) - pending
    future = [age for age in ages if began + age > told["start"]]
    assert (told["future"]["chunks"], told["future"]["until"]) == (len(future), began + max(ages))


def test_608_the_cutoff_is_the_configured_one(store: RecordedStore, ask: Ask) -> None:
    store.chunk("aa01" + "0" * 60, 1000, 2 * HOUR)
    store.chunk("aa02" + "0" * 60, 2000, 1800)
    told = ask("gc-atime-safety-check=0,gc-atime-cutoff=60").forecast
    assert told["cutoff"] == 3600
    assert (told["removes"]["chunks"], told["pending"]["chunks"]) == (1, 1)


def test_764_the_check_inserts_and_touches_the_zero_chunk(store: RecordedStore, ask: Ask) -> None:
    store.remove_backups()
    store.zero_chunk.unlink()
    for _missing_or_old in range(2):
        told = ask(tuning="").forecast
        assert told["outcome"] == "sweeps"
        assert told["kept"] == {"chunks": 1, "bytes": 159, "bad": 0}
        assert told["pending"]["chunks"] == 7
        assert told["pending"]["bytes"] == 10_757_636
        assert told["deduplication"] == 0.0
        store.chunk(ZERO_DIGEST, 159, DUE)


@pytest.mark.parametrize("mode", ["read-only", "offline"])
def test_762_maintenance_mode_refuses_gc(ask: Ask, mode: str) -> None:
    told = ask(maintenance=mode).forecast
    assert (told["outcome"], told["step"], told["removes"]["chunks"]) == ("refused", "start", 0)
    assert mode in told["reason"]


def test_a_damaged_chunk_is_counted_for_all_its_snapshots(store: RecordedStore, ask: Ask) -> None:
    """As the verify of the recordings had it: three snapshots in two groups failed."""
    store.image_chunk.unlink()
    finding = ask().findings[CHUNKS]
    assert "1 chunk that backups need is damaged (1 is missing)" in finding["message"]
    assert "3 snapshots in 2 groups cannot be restored" in finding["message"]
    assert {group["group"]: group["newest_intact"] for group in finding["evidence"]["groups"]} == dict.fromkeys(GROUPS)


def test_the_newest_intact_snapshot_is_named(store: RecordedStore, ask: Ask) -> None:
    store.chunk_path(digest("own 1")).unlink()
    finding = ask().findings[CHUNKS]
    assert "1 snapshot in 1 group cannot be restored" in finding["message"]
    assert "Newest intact snapshot: host/h1: 2026-05-30T00:13:20Z." in finding["message"]
    assert any("--backup-id h1 --backup-time 1780000000" in command for command in finding["commands"])


def test_a_bad_chunk_is_renamed_back_before_anything_else(store: RecordedStore, ask: Ask) -> None:
    damaged_chunk_only_bad(store)
    finding = ask().findings[CHUNKS]
    inspect, rename = finding["commands"][:2]
    assert inspect == f"proxmox-backup-debug inspect chunk {store.image_chunk}.0.bad"
    assert rename == f"mv {store.image_chunk}.0.bad {store.image_chunk}"
    store.image_chunk.with_name(f"{store.image_chunk.name}.0.bad").rename(store.image_chunk)
    assert ask().findings[CHUNKS]["status"] == "pass"


def test_a_link_in_place_of_a_group_is_never_moved_away(store: RecordedStore, ask: Ask) -> None:
    linked_group(store)
    finding = ask().findings[UNSEEN]
    assert "GC does not follow links: put the directory itself back" in finding["remedy"]
    assert "move them away" not in finding["remedy"]
    link = store.path / "host/h1"
    target = os.path.realpath(link)
    (command,) = finding["commands"]
    subprocess.run(["sh", "-c", command], check=True)
    assert link.is_dir()
    assert not link.is_symlink()
    assert not os.path.exists(target)
    assert ask().findings[UNSEEN]["status"] == "pass"


def test_chunks_behind_a_link(store: RecordedStore, ask: Ask, tmp_path: Path) -> None:
    """PBS follows it. What index files and manifests say is known all the same."""
    chunks = store.path / ".chunks"
    chunks.rename(tmp_path / "elsewhere")
    chunks.symlink_to(tmp_path / "elsewhere")
    os.chown(chunks, store.uid, store.gid, follow_symlinks=False)
    answer = ask()
    assert (answer.forecast["outcome"], answer.forecast["removes"]) == ("unknown", None)
    assert {control: answer.findings[control]["status"] for control in (BROKEN, UNSEEN, CHUNKS, BELONGS, REMOVES)} == {
        BROKEN: "pass",
        UNSEEN: "pass",
        CHUNKS: "unknown",
        BELONGS: "pass",
        REMOVES: "unknown",
    }
    assert "is a link" in answer.findings[CHUNKS]["message"]
    os.truncate(store.image, 4096)
    assert ask().forecast["step"] == "mark"


@pytest.mark.parametrize("needed", [True, False])
def test_a_file_in_place_of_a_prefix_directory(store: RecordedStore, ask: Ask, needed: bool) -> None:
    prefix = store.image_chunk.parent if needed else store.directory(store.chunks / "0000", 0o750)
    shutil.rmtree(prefix)
    store.file(prefix)
    told = ask().forecast
    assert (told["outcome"], told["step"], told["exact"]) == ("stops", "mark" if needed else "sweep", needed)
    assert told["reason"] == f".chunks/{prefix.name}: ENOTDIR: Not a directory"


@pytest.mark.parametrize("scope", ["headers", "none"])
def test_less_than_everything(store: RecordedStore, ask: Ask, scope: str) -> None:
    """Headers and lengths tell what GC stops at; what it removes takes all entries."""
    os.truncate(store.image, 4096)
    answer = ask(references=scope)
    assert answer.failed() == ({BROKEN} if scope == "headers" else set())
    assert answer.forecast["outcome"] == ("stops" if scope == "headers" else "unknown")
    assert answer.findings[CHUNKS]["status"] == "skip"


def test_a_sample_of_the_chunks_forecasts_nothing(ask: Ask) -> None:
    answer = ask(scope="sample")
    assert (answer.forecast["outcome"], answer.forecast["removes"]) == ("unknown", None)
    assert answer.findings[CHUNKS]["status"] == answer.findings[REMOVES]["status"] == "skip"
    assert answer.findings[BROKEN]["status"] == "pass"
