# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is fuzzed: each parser of foreign text with what it promises, as a function of bytes.

A target returns if the promise holds, and passes on every exception but the documented one. It needs no fuzzer: `make
test` gives the seeds, the regressions and what hypothesis makes up to the same functions that `make fuzz` drives.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import JobRunFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.load import load
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.mount import LocationFacts, SpaceFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.shown import shown
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import AtimeFacts, SkeletonFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.walk import WalkCounts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge import catalog, policy, waivers
from ansible_collections.fleetops.pbs.plugins.module_utils._manage import manager
from ansible_collections.fleetops.pbs.plugins.module_utils._observe import configuration
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.boot import pbs_units
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host import daemons, idmap, version
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.jobs import job_state as job_state_observer
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts import (
    fstab,
    mount_text,
    mountinfo,
    systemd,
    zfs,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.environment import MountEnvironment
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.mount_source import source_matches
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable
from ansible_collections.fleetops.pbs.plugins.module_utils._options.common import OptionError, check_path
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import (
    blob,
    calendar_event,
    index,
    manifest,
    owner,
    property_string,
    section_config,
    settings,
    snapshot,
    values,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.job_state import JobStateError, parse_state, parse_upid
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.version import is_newer_than_known, parse_version
from ansible_collections.fleetops.pbs.plugins.module_utils._system import child
from ansible_collections.fleetops.pbs.plugins.module_utils._system.program import Answer
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display
from ansible_collections.fleetops.pbs.plugins.plugin_utils import _long_run, _summary
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report import documents, fleet, report, table
from ansible_collections.fleetops.pbs.tests.fuzz.reader import Reader
from ansible_collections.fleetops.pbs.tests.support import documents as made
from ansible_collections.fleetops.pbs.tests.support.pbs.store import blob as made_blob

Run = Callable[[bytes], None]


@dataclasses.dataclass(frozen=True)
class Target:
    name: str
    run: Run
    words: tuple[bytes, ...]
    """What the format is made of, for the fuzzer's dictionary."""
    max_len: int


TARGETS: dict[str, Target] = {}


def target(*words: bytes, max_len: int = 2048) -> Callable[[Run], Run]:
    def register(run: Run) -> Run:
        name = run.__name__
        TARGETS[name] = Target(name, run, words, max_len)
        return run

    return register


def must(holds: bool, what: object) -> None:
    assert holds, ascii(what)


def is_safe(text: str) -> None:
    """What is shown has nothing in it that a terminal or a report could take for more than text."""
    must(text.isprintable(), text)


# --- text of the kernel and the system --------------------------------------------------------------------------------


@target()
def text(data: bytes) -> None:
    shown = display(data)
    is_safe(shown)
    assert display(shown) == shown
    is_safe(display(os.fsdecode(data)))


@target(b" - ", b"\\040", b"//deleted", b"subvol=", b"8:1", b" / /mnt rw ")
def mountinfo_file(data: bytes) -> None:
    entries, skipped = mountinfo.parse_mountinfo(data)
    assert len(entries) + skipped <= data.count(b"\n") + 1
    lines = MountTable(entries, skipped)
    for entry in entries:
        assert entry.mount_point.startswith("/")
        lines.find(entry.mount_point)
        found = shown(lines.facts(entry))
        for text_ in (found.mount_point, found.source, found.root, found.fstype, *found.options, *found.super_options):
            is_safe(text_)
        entry.inside(entry.mount_point + "/x")


TABLE = MountTable.parse(
    b"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:9 / /mnt/tank rw - nfs4 nas:/export rw\n"
    b"31 22 7:0 / /mnt/loop rw - ext4 /dev/loop0 rw\n"
)
ENVIRONMENT = MountEnvironment(
    fstab="/nonexistent", unit_directories=(), proc="/nonexistent", sys="/nonexistent", systemd=False, table=TABLE
)


@target(
    b"UUID=",
    b"\\000",
    b"\\040",
    b" swap ",
    b"bind",
    b"/dev/disk/by-uuid/",
    b"noauto",
    b"x-systemd.automount",
    b"comment=",
    b"\t",
)
def fstab_file(data: bytes) -> None:
    entries, skipped = fstab.parse_fstab(data)
    assert len(entries) + skipped <= data.count(b"\n") + 1
    for entry in entries:
        assert entry.where.startswith("/")
        assert entry.at_boot in (True, False)
        assert entry.bind in (True, False)
        mount_text.hide_secrets(entry.options)
        mount_text.hide_secret_in_source(entry.source)
        assert TABLE.resolve(entry.where).startswith("/")
        for mount in (TABLE.entries[0], TABLE.entries[-1]):
            source_matches(entry.source, entry.fstype, entry.options, TABLE.facts(mount), ENVIRONMENT)


@target(b"[Unit]\n", b"[Mount]\n", b"After=", b"\\\n", b"%%", b"RequiresMountsFor=", b'"', b"DefaultDependencies=no")
def unit_file(data: bytes) -> None:
    found = systemd.parse_unit(data)
    unit = systemd.Unit("x.mount", "/x", True, False, tuple(found))
    for section, key, _value in found:
        assert section
        unit.value(section, key)
    for key in ("After", "Before", "Requires", "Wants"):
        unit.units(key)
    unit.paths("RequiresMountsFor")
    assert unit.default_dependencies in (True, False)
    name = systemd.unit_name_for(os.fsdecode(data))
    assert name.isascii()
    assert not name.startswith(".")


@target(b"Id=proxmox-backup.service\n", b"MainPID=", b"LoadState=loaded\n", b"ControlGroup=/", b"\n\n", b"After=")
def systemctl_output(data: bytes) -> None:
    answer = Answer(0, os.fsdecode(data))
    with fixed_proc(b"") as proc:
        for found in shown(daemons.observe_daemons(True, lambda _argv, _timeout: answer, str(proc), (str(proc),))):
            is_safe(found.load_state + found.active_state + found.error)
    env = MountEnvironment(
        fstab="/nonexistent", unit_directories=(), systemd=True, run_command=lambda _argv, _timeout: answer
    )
    for dependencies in pbs_units.read_dependencies(env):
        dependencies.pulls_in("mnt-tank.mount", "/mnt/tank")


@target(b"0 0 4294967295\n", b"100000 65536\n")
def id_map(data: bytes) -> None:
    try:
        ranges = idmap._ranges(data)
    except ValueError as exc:
        is_safe(str(exc))
        return
    for inside in (0, 34, 65534):
        outside = idmap.outside_id(ranges, inside)
        assert outside is None or outside >= 0


@target(b"tank/pbs\t", b"mountpoint\t", b"legacy\t", b"canmount\ton\n")
def zfs_output(data: bytes) -> None:
    answer = Answer(0, os.fsdecode(data))
    for dataset in zfs.list_datasets(lambda _argv, _timeout: answer):
        assert "\n" not in dataset.name
    for found in zfs.observe_zfs_datasets(["tank/pbs"], lambda _argv, _timeout: answer).values():
        for key, value in shown(found).properties.items():
            is_safe(key + value)


@target(b"installed 4.2.0-1\n", b"~rc1", b"config-files ", b"proxmox-backup-server 4.2.0-1 running version: 4.2.0")
def package_version(data: bytes) -> None:
    output = os.fsdecode(data)
    _there, found = version.installed(lambda _argv, _timeout: Answer(0, output), "/nonexistent")
    for text_ in (output, found or ""):
        assert parse_version(text_) == parse_version(text_)
        is_newer_than_known(text_)
    if found:
        is_safe(*shown([found]))


@contextlib.contextmanager
def fixed_proc(stat: bytes) -> Iterator[Path]:
    """A process directory, where every process has this line."""
    root = scratch() / "proc"
    root.mkdir(exist_ok=True)
    (root / "cgroup.procs").write_bytes(stat)
    for name in ("2587", "1"):
        (root / name).mkdir(exist_ok=True)
        (root / name / "stat").write_bytes(stat)
    yield root


@functools.lru_cache(maxsize=1)
def scratch() -> Path:
    """A directory of this process, in memory where that is possible."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="fleetops-pbs-fuzz-", dir=memory if os.access(memory, os.W_OK) else None))


def clean() -> None:
    """Remove what the targets have made."""
    if scratch.cache_info().currsize:
        shutil.rmtree(scratch(), ignore_errors=True)
        scratch.cache_clear()


# --- PBS's files and words --------------------------------------------------------------------------------------------

SCHEMAS = (
    section_config.DATASTORE,
    section_config.PRUNE,
    section_config.VERIFICATION,
    section_config.SYNC,
    section_config.REMOTE,
    section_config.S3,
)


@target(
    b"datastore: tank\n\tpath /mnt/tank\n",
    b"\tgc-schedule daily\n",
    b"\ttuning gc-atime-cutoff=1445\n",
    b"\tbackend type=s3,client=x12,bucket=b-1\n",
    b"prune: p-1\n\tstore tank\n\tschedule daily\n\tkeep-last 3\n",
    b"verification: v-1\n\tstore tank\n",
    b"sync: s-1\n\tstore tank\n\tremote-store copy\n\tgroup-filter type:vm\n\tgroup-filter exclude:regex:x\n",
    b"remote: pbs2\n\thost localhost\n\tauth-id a@pbs\n\tpassword cHc=\n",
    b"s3-endpoint: aws\n\tendpoint {{bucket}}.x\n\taccess-key k\n\tsecret-key hush\n",
    b"\tmaintenance-mode ",
    b"\xc2\x85",
)
def section_file(data: bytes) -> None:
    runs = configuration._Runs("/nonexistent", "/nonexistent")
    for schema in SCHEMAS:
        tolerant = strict = None
        try:
            tolerant = section_config.parse(data, schema, strict=False)
        except section_config.SectionConfigError as exc:
            is_safe(exc.message)
            must(1 <= exc.line <= data.count(b"\n") + 1, exc.line)
        with contextlib.suppress(section_config.SectionConfigError):
            strict = section_config.parse(data, schema)
        if strict is not None:
            assert strict == tolerant
            assert not any(section.unknown for section in strict)
        for section in tolerant or ():
            for problem in section.unknown:
                is_safe(problem)
        known = [section for section in tolerant or () if section.type in schema]
        if schema is section_config.DATASTORE:
            files: dict[str, list[section_config.Section]] = {"datastore.cfg": known}
            files.update({"prune.cfg": [], "verification.cfg": []})
            for config in configuration._with_jobs(files, runs):
                shown(config)
                is_safe(config.name + config.path + config.maintenance_message + config.tuning_error)
        for other, observed in (
            (section_config.SYNC, lambda section: configuration._sync_job(section, runs)),
            (section_config.REMOTE, configuration._remote),
            (section_config.S3, configuration._s3_endpoint),
        ):
            for section in known if schema is other else ():
                facts = shown(observed(section))
                is_safe(str(facts.properties))
                must(not {"password", "access-key", "secret-key"} & set(facts.properties), "a secret")


STRINGS = (
    property_string.TUNING,
    property_string.NOTIFY,
    property_string.MAINTENANCE,
    property_string.BACKEND,
    property_string.THRESHOLDS,
)


@target(
    b"gc-atime-cutoff=1445",
    b'"',
    b'\\"',
    b",",
    b"type=",
    b"message=",
    b"%C3%A4",
    b"max-cache-size=64GiB",
    b"sync-level=",
)
def property_text(data: bytes) -> None:
    given = os.fsdecode(data)
    for default_key in (None, "type"):
        with contextlib.suppress(property_string.PropertyStringError):
            parsed = property_string.parse(given, default_key)
            with contextlib.suppress(property_string.PropertyStringError):
                written = property_string.render(parsed, default_key)
                assert property_string.parse(written, default_key) == parsed
    for schema in STRINGS:
        unknown: list[str] = []
        with contextlib.suppress(property_string.PropertyStringError):
            property_string.parse_typed(given, schema, unknown)
        for problem in unknown:
            is_safe(problem)
        with contextlib.suppress(property_string.PropertyStringError):
            property_string.check_stored(given, schema)
        assert property_string.compare_equal(given, given, schema)
    property_string.percent_decoded(given)


KINDS = (
    values.Boolean(),
    values.Integer(),
    values.Integer(1, 32),
    values.Size(),
    values.CalendarEvent(),
    values.DATASTORE_NAME,
    values.PATH,
    values.COMMENT,
    values.NAMESPACE,
    values.FILESYSTEM_UUID,
    values.USER_ID,
    values.S3_BUCKET,
)


@target(
    b"mon..fri ", b"*-1,15 02:00", b"sat 03:00", b"*/15", b"daily", b" UTC", b"2026-", b"64GiB", b"1e99", max_len=8192
)
def single_value(data: bytes) -> None:
    given = os.fsdecode(data)
    assert calendar_event.is_calendar_event(given) in (True, False)
    for kind in KINDS:
        try:
            kind.read(given)
        except ValueError as exc:  # noqa: PERF203 - each has its own
            must(str(exc) == kind.allowed, exc)
    is_safe(values.shown(given))


@target(
    b"TASK OK\n",
    b"TASK ERROR: ",
    b"TASK WARNINGS: ",
    b"Error: ",
    b"task failed (status ",
    b"Unable to acquire lock",
    b"detected modified configuration",
    b"proxmox-backup-server 4.2.0-1 running version: 4.2.0\n",
    b"no such datastore",
    max_len=8192,
)
def manager_answer(data: bytes) -> None:
    reader = Reader(data)
    code = reader.pick((0, 255, 101, 1, -9, None))
    output = os.fsdecode(reader.bytes(8192))
    answer = Answer(code, output, errors=os.fsdecode(reader.rest()))
    for ask in (
        lambda client: client.version(),
        lambda client: client.require_daemons(),
        lambda client: client.change(["datastore", "create", "tank", "/mnt"], task=True),
    ):
        client = manager.Manager(runner=lambda _argv, _timeout: answer, lock_timeout=0.0, sleep=lambda _seconds: None)
        try:
            reply = ask(client)
        except manager.ManagerError as exc:
            is_safe(str(exc))
            continue
        if isinstance(reply, manager.Reply):
            # Whoever writes a log line must not be able to make a task's end of a part of it.
            last = [line for line in output.split("\n") if line][-1:]
            must(not (code == 0 and last and last[0].startswith("TASK ERROR: ") and not answer.errors), last)
            for line in reply.log:
                is_safe(line)


UPID = "UPID:pbs1:00000A1B:0000C3D4:00000005:67748580:garbage_collection:store1:root@pam:"


@target(
    b'{"finished":{"upid":"',
    UPID.encode(),
    b'","state":{"OK":{"endtime":1}}}}',
    b'{"started":{"upid":"',
    b'{"created":{"time":1}}',
    b'"Error":{"endtime":1,"message":"',
    b'"Warning":{"endtime":1,"count":1}',
    b"\\ud800",
)
def job_state(data: bytes) -> None:
    parse_upid(os.fsdecode(data))
    try:
        state = parse_state(data)
    except JobStateError as exc:
        is_safe(str(exc))
        return
    found = JobRunFacts(**dataclasses.asdict(state))
    assert found.state in ("created", "running", "ok", "warning", "error", "unknown")
    is_safe(found.message)
    is_safe(found.upid)
    if found.state == "running":
        with fixed_proc(data) as proc:
            job_state_observer._look_after_process(found, str(proc))


@target(b") S 1 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 50132 ")
def process_stat(data: bytes) -> None:
    with fixed_proc(data) as proc:
        job_state_observer.process_start(1, str(proc))
        daemons._processes("/", (str(proc),))


# --- what lies in a datastore, which belongs to an account that may be hostile -----------------------------------------

MAGICS = (blob.PLAIN, blob.COMPRESSED, blob.ENCRYPTED, blob.COMPRESSED_ENCRYPTED)


@target(*MAGICS, b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18", max_len=8192)
def blob_file(data: bytes) -> None:
    limit = 65536
    # As it is, and with the checksum that a fuzzer never finds.
    for given in (data, *(magic + zlib.crc32(data).to_bytes(4, "little") + data for magic in MAGICS[:2])):
        try:
            content = blob.decode(given, limit)
        except blob.BlobError as exc:
            is_safe(str(exc))
            continue
        assert len(content) <= limit
        if given.startswith(blob.PLAIN):
            assert given.endswith(content)


@target(
    b'{"backup-id":"100","backup-time":1,"backup-type":"vm","files":[',
    b'{"crypt-mode":"none","csum":"',
    b'","filename":"x.fidx","size":',
    b'],"signature":null,"unprotected":{',
    b'"verify_state":{"state":"ok","upid":"',
    b'"chunk_upload_stats":{"count":',
    b'"notes":"',
    b"1e999",
    b"\\ud800",
    b"[[[[[[[[",
    max_len=8192,
)
def manifest_file(data: bytes) -> None:
    try:
        found = manifest.parse_content(data)
    except manifest.ManifestError as exc:
        is_safe(str(exc))
        return
    is_safe(found.notes)
    for entry in found.files:
        must("/" not in entry.filename and entry.filename not in ("", ".", ".."), entry.filename)
        os.fsencode(entry.filename)
        must(0 <= entry.size < 2**64, entry.size)
    if found.verify_state is not None:
        is_safe(found.verify_state.upid)
    must(manifest.parse_manifest(made_blob(data)) == found, data)


@target(index.FIXED_MAGIC, index.DYNAMIC_MAGIC, (4194304).to_bytes(8, "little"), max_len=4096 + 200)
def index_file(data: bytes) -> None:
    # As it is, and with the padding of the header that a fuzzer never makes.
    for given in (data, data[:80].ljust(index.HEADER_SIZE, b"\0") + data[80:]):
        for dynamic in (False, True):
            try:
                found = index.parse_header(dynamic, given[: index.HEADER_SIZE], len(given))
            except index.IndexFileError as exc:
                is_safe(str(exc))
                continue
            entries = given[index.HEADER_SIZE :]
            must(len(list(index.digests(dynamic, entries))) == found.entries > 0, found)
            must(len(index.checksum([entries])) == len(found.checksum), found)
            if dynamic:
                must(list(index.ends(entries))[-1] == index.last_end(entries), found)


@target(b"root@pam\n", b"backup@pbs!nightly", b"\r\n", b"\xc2\x85")
def owner_file(data: bytes) -> None:
    try:
        found = owner.parse_owner(data)
    except owner.OwnerError as exc:
        is_safe(str(exc))
        return
    must(owner.parse_owner(found.encode()) == found, found)


@target(b"ns/", b"vm/", b"host/", b"100/", b"2025-01-01T00:00:00Z", b"/", b"\xd9\xa0")
def snapshot_path(data: bytes) -> None:
    parts = os.fsdecode(data).split("/")
    try:
        found = snapshot.parse_snapshot(parts)
    except snapshot.WrongName as exc:
        is_safe(str(exc))
        return
    must(found.directory.split("/") == parts, parts)
    is_safe(found.directory)


# --- what our own processes and hosts say to each other ---------------------------------------------------------------


@target(b'{"begin":"x"}\n', b'{"part":"location","value":', b"}\n", b'{"error":', b"[[[[[[[[", b"\\ud800", max_len=8192)
def child_message(data: bytes) -> None:
    """The child may have become the daemon's user, which may be hostile; the parent is root."""
    reader, writer = os.pipe()
    try:
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        running = child._Running("", 0, reader, 0.0, 1.0)
        for start in range(0, len(data), 4096):
            os.write(writer, data[start : start + 4096])
            if not child._receive(running, None):
                assert running.outcome.error
                break
        is_safe(running.outcome.error)
        is_safe(running.outcome.doing)
        for name, value in running.outcome.parts.items():
            assert isinstance(name, str)
            for kind in (
                LocationFacts,
                SkeletonFacts,
                AtimeFacts,
                SpaceFacts,
                WalkCounts,
            ):
                with contextlib.suppress(TypeError, KeyError):
                    load(kind, value)
    finally:
        os.close(reader)
        os.close(writer)


DOCUMENT = made.whole(
    "pbs1",
    ["tank"],
    [
        made.finding("PBS-HOST-02", None, "fail", remedy="Start a time service.", evidence={"status": 64}),
        made.finding("PBS-ATIME-01", "tank", "fail", evidence={"before_ns": 1795368886061350381, "options": ["rw"]}),
        made.finding("PBS-CONF-04", "tank", "warn"),
        made.finding(
            "PBS-OWNER-07",
            "tank",
            "waived",
            waiver={"control": "PBS-OWNER-07", "host": "*", "justification": "known", "until": "2027-01-01"},
        ),
        made.finding("PBS-MOUNT-04", "tank", "pass"),
    ],
    made.START,
)
DOCUMENT["datastores"][0]["observed"] = {"name": "tank"}


@target(
    json.dumps(DOCUMENT).encode(),
    documents.REPORT_BEGIN.encode(),
    documents.REPORT_DOCUMENTS.encode(),
    documents.REPORT_END.encode(),
    b"\xef\xbb\xbf",
    b"Infinity",
    b"1e999",
    max_len=8192,
)
def document_file(data: bytes) -> None:
    directory = scratch() / "documents"
    directory.mkdir(exist_ok=True)
    path = directory / "1.json"
    path.write_bytes(data)
    usable = False
    for found in documents.scan(str(path)):
        if isinstance(found, documents.LeftOut):
            is_safe(found.path + found.reason)
        elif isinstance(found, documents.Read):
            assert documents.load(found.place) == found.document
            usable = True
    if usable:
        report_on(directory)


@target(max_len=512)
def report_of_document(data: bytes) -> None:
    """A document of a hostile host is left out with a reason, or it becomes a report whose every file can be read."""
    directory = scratch() / "documents"
    directory.mkdir(exist_ok=True)
    try:
        content = json.dumps(Reader(data).edited(DOCUMENT)).replace("Infinity", "1e999")
    except (RecursionError, ValueError):
        return
    (directory / "1.json").write_text(content, encoding="utf-8")
    report_on(directory)


def report_on(directory: Path) -> None:
    """Make every format, and read each as its readers will."""
    (directory / "2.json").write_text(json.dumps(dict(DOCUMENT, host="pbs2")), encoding="utf-8")
    inputs = fleet.Inputs(documents=[str(directory)])
    result = report.make(report.Order(inputs, str(scratch() / "report"), history=""), made.START)
    assert "pbs2" in [host.name for host in result.fleet.hosts]
    for line in table.table(result.fleet):
        is_safe(line.text)
    for name, path in result.paths.items():
        written = Path(path).read_text(encoding="utf-8")
        if name.endswith((".json", ".sarif")):
            json.loads(written, parse_constant=_refuse)
        elif name.endswith(".xml"):
            ElementTree.fromstring(written)
    assert [
        host.name for host in fleet.gather(fleet.Inputs(merge=[result.paths["report.json"]]), made.START).hosts
    ] == [host.name for host in result.fleet.hosts]


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


@target(max_len=512)
def summary_of_answer(data: bytes) -> None:
    """What a host answers is shown on the controller's terminal, or refused as no document."""
    answer = Reader(data).edited(DOCUMENT)
    try:
        documents.checked(answer)
    except documents.NotADocument:
        return
    for line in _summary.summary(answer, "looked at", 100).split("\n"):
        is_safe(line)


@target(max_len=512)
def progress_note(data: bytes) -> None:
    """How far a host says that it is, as a line on the controller's terminal."""
    note = {
        "what": "repairing /mnt/tank",
        "prefixes": 6,
        "prefixes_total": 65536,
        "files": 99,
        "wrong": 1,
        "elapsed": 2.5,
    }
    is_safe(_long_run.progress_line(Reader(data).edited(note)))


# --- what people write ------------------------------------------------------------------------------------------------


@target(*(name.encode() for name in policy.Policy.__dataclass_fields__), max_len=512)
def policy_mapping(data: bytes) -> None:
    reader = Reader(data, deepest=50)
    fields = (*policy.Policy.__dataclass_fields__, "nonsense")
    given = {reader.pick(fields): reader.value() for _each in range(reader.number(4) + 1)}
    with contextlib.suppress(policy.PolicyError, catalog.UnknownControl):
        policy.Policy.from_mapping(given)


@target(b"PBS-ATIME-01", b"2026-12-31", b"[z-a]", b"[!]", b"***a", max_len=512)
def waiver_list(data: bytes) -> None:
    reader = Reader(data, deepest=50)
    waiver: dict[str, Any] = {"control": "PBS-ATIME-01", "justification": "known", "until": "2026-12-31"}
    for key in ("host", "datastore"):
        if reader.number(2):
            waiver[key] = reader.text(100)
    given = [waiver] if reader.number(2) else reader.edited([waiver])
    if not isinstance(given, list):
        return
    try:
        parsed = waivers.parse_waivers(given)
    except (waivers.WaiverError, catalog.UnknownControl):
        return
    for each in parsed:
        each.covers("PBS-ATIME-01", "pbs1.example.org" * 10, "tank" * 8)
        each.expired(datetime.date(2026, 1, 1))
        json.dumps(each.as_dict())


@target(max_len=512)
def declarations(data: bytes) -> None:
    """Options have their types by then, from Ansible's argument spec; texts and numbers may be any."""
    reader = Reader(data)
    options: dict[str, Any] = {}
    names = settings.DATASTORE.options()
    for _each in range(reader.number(5) + 1):
        name = reader.pick(sorted(names))
        kind = settings.DATASTORE.type.properties[names[name]].kind
        if isinstance(kind, section_config.PropertyString):
            keys = sorted(kind.schema.keys)
            keyed = {reader.pick(keys).replace("-", "_"): _plain(reader, 64) for _each in range(reader.number(3) + 1)}
            # The argument spec demands it.
            options[name] = {"type": "offline", **keyed} if name == "maintenance_mode" else keyed
        else:
            options[name] = _plain(reader, 200)
    try:
        desired = settings.check(settings.DATASTORE, options)
    except (settings.SettingError, property_string.PropertyStringError):
        desired = None
    if desired is not None:
        changes = settings.compare(settings.DATASTORE, desired, None)
        arguments = settings.as_arguments(changes)
        assert all(isinstance(word, str) for word in arguments)
        # What was asked for, once it is written, asks for nothing more.
        body = "".join("\t%s %s\n" % pair for pair in changes.after.items() if pair[0] != "path")
        content = ("datastore: tank\n\tpath /mnt/tank\n" + body).encode()
        (section,) = section_config.parse(content, section_config.DATASTORE)
        assert not settings.compare(settings.DATASTORE, desired, section), content
    with contextlib.suppress(OptionError):
        assert check_path(reader.text(64), "path").startswith("/")


def _plain(reader: Reader, limit: int) -> str:
    """Text that UTF-8 can hold, as in YAML."""
    return reader.text(limit).encode("utf-8", "replace").decode("utf-8")
