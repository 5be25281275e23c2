# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, cutoffs and texts, held against published vectors and recorded logs."""

from __future__ import annotations

import pytest

from ansible_collections.fleetops.pbs.tests.support.pbs import rules, tasks

DIGEST = "aa01" + "0" * 59 + "1"
START = 1_800_000_000


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (DIGEST, "chunk"),
        (DIGEST.upper(), "chunk"),
        (DIGEST + ".0.bad", "bad"),
        (DIGEST + ".9.bad", "bad"),
        (DIGEST + ".using", "using"),
        (DIGEST + ".10.bad", ""),
        (DIGEST + ".bad", ""),
        (DIGEST + ".x.bad", ""),
        (DIGEST + ".0.bad.gz", ""),
        (DIGEST + ".0.badx", ""),
        (DIGEST + ".tmp_AbCdEf", ""),
        (DIGEST + ".tmp", ""),
        (DIGEST + "0", ""),
        (DIGEST[:-1], ""),
        (DIGEST + "\n", ""),
        ("README", ""),
        (".tmp_abc", ""),
    ],
)
def test_what_a_name_in_a_chunk_directory_is(name, kind):
    assert rules.chunk_kind(name) == kind


@pytest.mark.parametrize(
    ("cutoff", "writer", "limit"),
    [
        (1445, None, -86700),
        (1445, -3600, -86700),
        (1445, -86700, -86700),
        (1445, -86701, -87001),
        (1445, -200000, -200300),
        (1, None, -60),
        (1, -60, -60),
        (1, -61, -361),
        (60, -7200, -7500),
        (2880, None, -172800),
    ],
)
def test_the_oldest_access_time_that_is_kept(cutoff, writer, limit):
    oldest = None if writer is None else START + writer
    assert rules.min_atime(START, cutoff * 60, oldest) == START + limit


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (15, "15 B"),
        (1000, "1000 B"),
        (1024, "1 KiB"),
        (2000, "1.953 KiB"),
        (2100, "2.051 KiB"),
        (4400, "4.297 KiB"),
        (6000, "5.859 KiB"),
        (4194316, "4 MiB"),
        (1058746, "1.01 MiB"),
        (10757795, "10.259 MiB"),
        (41178540, "39.271 MiB"),
        (10757795 // 8, "1.282 MiB"),
    ],
)
def test_sizes_as_in_recorded_logs(size, text):
    assert rules.human_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(86700, "1d 5m"), (60, "1m"), (1795911397, "56y 10M 3w 6d 14h 40m 37s"), (0, "0s"), (172800, "2d")],
)
def test_spans_as_in_recorded_logs(seconds, text):
    assert rules.human_time(seconds) == text


def test_names_of_snapshots():
    assert rules.snapshot_time("2025-01-01T00:00:00Z") == 1735689600
    assert rules.snapshot_name(1735689600) == "2025-01-01T00:00:00Z"
    assert not rules.is_snapshot("2025-01-01T00:00:00Z.bak")
    assert rules.is_group("host", "h1")
    assert not rules.is_group("disk", "h1")
    assert not rules.is_namespace("bad name")
    assert rules.namespace_path(("a", "b")) == "ns/a/ns/b"


def test_the_id_of_a_task():
    upid = tasks.upid("verificationjob", "gc1:vj4", start=0x6B0B6EC8, node="vm")
    assert upid.startswith("UPID:vm:")
    assert upid.endswith(":6B0B6EC8:verificationjob:gc1\\x3avj4:root@pam:")


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({}, {"OK": {"endtime": 1795911384}}),
        ({"warnings": 3}, {"Warning": {"count": 3, "endtime": 1795911384}}),
        ({"error": "a - b"}, {"Error": {"message": "a - b", "endtime": 1795911384}}),
    ],
)
def test_the_state_of_a_job(more, state):
    found = tasks.finished("UPID:x:", 1795911384.7, **more)
    assert found == {"finished": {"upid": "UPID:x:", "state": state, "updated": None}}
