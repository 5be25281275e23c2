# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile input as large as it may be costs time and memory in proportion: no parser is stopped by what it is given.

Whoever may write a file of PBS, the daemon's user for one, may make it as large as is read at all (1 MiB). Each shape
below takes a second or less; with a parser that looks at everything again for each part it would take minutes.
"""

from __future__ import annotations

import contextlib
import time
import tracemalloc
from collections.abc import Callable

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._manage import manager
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host import idmap
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts import fstab, systemd, zfs
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import (
    calendar_event,
    certificate,
    manifest,
    property_string,
    section_config,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.job_state import JobStateError, parse_state
from ansible_collections.fleetops.pbs.plugins.module_utils._system.program import Answer
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report import documents

SIZE = 1 << 19
SECONDS = 20
"""Of processor time; generous, for slow machines."""
MEMORY = 128
"""Bytes that may be held at once for each byte of input."""


def filled(part: bytes) -> bytes:
    return (part * (SIZE // len(part) + 1))[:SIZE]


def numbered(form: str) -> bytes:
    """Lines that are all different."""
    lines, size = [], 0
    while size < SIZE:
        lines.append((form % len(lines)).encode())
        size += len(lines[-1])
    return b"".join(lines)


def sections(data: bytes) -> None:
    section_config.parse(data, section_config.DATASTORE, strict=False)


def properties(data: bytes) -> None:
    property_string.parse(data.decode(), "type")


def typed(data: bytes) -> None:
    property_string.parse_typed(data.decode(), property_string.TUNING, [])


def task(data: bytes) -> None:
    client = manager.Manager(runner=lambda _argv, _timeout: Answer(255, data.decode(), errors=data.decode()))
    client.change(["datastore", "list"])


def mounts(data: bytes) -> None:
    table = MountTable.parse(data)
    for entry in table.entries[:100]:
        table.find(entry.mount_point)


def unit(data: bytes) -> None:
    settings = systemd.parse_unit(data)
    systemd.Unit("x", "/x", True, False, tuple(settings)).units("After")


def job_state(data: bytes) -> None:
    with contextlib.suppress(JobStateError):
        parse_state(data)


def zfs_rows(data: bytes) -> None:
    zfs.observe_zfs_datasets(["a"], lambda _argv, _timeout: Answer(0, data.decode()))


def certificate_file(data: bytes) -> None:
    certificate.parse_certificate(data)


def snapshot_manifest(data: bytes) -> None:
    manifest.parse_content(data)


SHAPES: list[tuple[str, Callable[[bytes], object], bytes]] = [
    ("sections of unknown types", sections, numbered("a%d: x%d\n\n".replace("x%d", "x"))),
    ("sections without end", sections, numbered("datastore: a%d\n path /\n\n")),
    ("a property again and again", sections, b"datastore: abc\n path /\n" + filled(b" x y\n")),
    ("properties without end", sections, b"datastore: abc\n path /\n" + numbered(" x%d y\n")),
    ("one long line", sections, b"datastore: abc\n path " + filled(b"/")),
    ("a long schedule", sections, b"datastore: abc\n path /\n gc-schedule " + filled(b"1,")),
    ("a long tuning", sections, b"datastore: abc\n path /\n tuning " + filled(b"a,")),
    ("white space", sections, filled(b"\xc2\x85")),
    ("commas", properties, filled(b",")),
    ("keys without end", properties, numbered("k%d=,")),
    ("quotes", properties, b'a="' + filled(b'\\"')),
    ("an equals sign far away", properties, filled(b"a,") + b"="),
    ("keys that are unknown", typed, numbered("k%d=v,")),
    ("weekdays", lambda data: calendar_event.is_calendar_event(data.decode()), filled(b"mon..fri,")),
    ("numbers", lambda data: calendar_event.is_calendar_event(data.decode()), filled(b"1..2/3,")),
    ("digits", lambda data: calendar_event.is_calendar_event(data.decode()), filled(b"0")),
    ("ends of tasks", task, filled(b"TASK ERROR: x\n")),
    ("a long error", task, b"Error: task failed (status " + filled(b"(")),
    ("mounts upon mounts", mounts, numbered("%d 1 8:1 / / rw - ext4 /dev/sda rw\n")),
    ("a mount upon each", mounts, b"".join(b"%d %d 8:1 / / rw - x y z\n" % (n + 1, n) for n in range(30000))),
    ("options", mounts, b"1 1 8:1 / /mnt rw - ext4 /dev/sda " + filled(b'"a,')),
    ("escapes", mounts, b"1 1 8:1 / /" + filled(b"\\040") + b" rw - ext4 /dev/sda rw\n"),
    ("lines of fstab", fstab.parse_fstab, filled(b"a /b c d,e\n")),
    ("blanks in fstab", fstab.parse_fstab, filled(b" \t")),
    ("lines that go on", unit, b"[Unit]\nAfter=" + filled(b"a \\\n")),
    ("quotes in a unit", unit, b"[Unit]\nAfter=" + filled(b"\"'")),
    ("brackets of JSON", job_state, filled(b"[")),
    ("objects of JSON", job_state, filled(b'{"a":')),
    ("digits of JSON", job_state, b'{"created":{"time":' + filled(b"9") + b"}}"),
    ("blanks in a certificate", certificate_file, b"-----BEGIN CERTIFICATE-----" + filled(b"\n")),
    ("certificates that do not end", certificate_file, filled(b"-----BEGIN CERTIFICATE-----\nAAAA\n")),
    ("a manifest that ends in a text", snapshot_manifest, b"[" * 127 + b"{" + b'"' + filled(b'\\"')[:-1] + b"\\"),
    ("texts of a manifest", snapshot_manifest, b"[]" * 128 + filled(b'"\\')),
    ("a document of brackets", documents.parse, filled(b"[")),
    ("a document of digits", documents.parse, filled(b"9")),
    ("a document that is cut", documents.parse, b"[" + filled(b"1.5,")),
    ("a document of blanks", documents.parse, filled(b" ") + b"x"),
    ("ranges of ids", idmap._ranges, filled(b"1 1 1\n")),
    ("rows of zfs", zfs_rows, numbered("a\tp%d\tv\n")),
    ("escapes of a terminal", display, filled(b"\x1b\xff")),
]


@pytest.mark.parametrize(("parse", "data"), [shape[1:] for shape in SHAPES], ids=[shape[0] for shape in SHAPES])
def test_hostile_input_costs_in_proportion(parse: Callable[[bytes], object], data: bytes) -> None:
    began = time.process_time()
    read_or_refuse(parse, data)
    assert time.process_time() - began < SECONDS
    # Counting what is held makes everything several times as slow.
    part = data[: SIZE // 8]
    tracemalloc.start()
    read_or_refuse(parse, part)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MEMORY * len(part)


def read_or_refuse(parse: Callable[[bytes], object], data: bytes) -> None:
    with contextlib.suppress(ValueError, manager.ManagerError):
        parse(data)
