# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of known faults: each entry has a source, and each version of PBS gets the faults that it has."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._judge import known_faults
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import SEVERITIES
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.judge import Question, judge
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.known_faults import (
    FAULTS,
    NEWEST,
    SOURCES_UNTIL,
    SUPPORT,
    support_of,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.policy import Policy
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.version import parse_version
from ansible_collections.fleetops.pbs.tests.support import facts


def verdict(version: str, day: datetime.date, changes=None):
    """What PBS-HOST-07 says about a healthy host with this version on that day."""
    now = datetime.datetime(day.year, day.month, day.day, 12, tzinfo=datetime.timezone.utc).timestamp()
    host = facts.change(facts.host(), {"pbs_version": version, **(changes or {})})
    (finding,) = judge(host, [facts.store()], Question(Policy(), now, controls=["PBS-HOST-07"]))
    return finding


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what[:40])
def test_an_entry_is_complete(fault):
    assert fault.severity in SEVERITIES
    assert fault.source
    assert fault.url.startswith("https://")
    assert fault.concerns in ("", "s3", "pull", "sync-level", "hidden")
    assert not fault.what.endswith(".")
    for span in fault.spans:
        assert parse_version(span.first) < parse_version(span.before or span.fixed)
        assert parse_version(span.fixed) not in span


def test_the_newest_releases_have_no_fault():
    """Otherwise the advice to upgrade to them would be wrong."""
    for release in NEWEST.values():
        assert not [fault.what for fault in FAULTS if fault.fixed_in(parse_version(release))]


def test_lifetimes_are_in_order_and_only_the_newest_is_open():
    assert [one.major for one in SUPPORT] == [1, 2, 3, 4]
    assert [one.major for one in SUPPORT if not one.ends] == [max(NEWEST)]
    assert support_of(parse_version("5.0.0")) is None
    assert support_of(()) is None


@pytest.mark.parametrize(
    ("version", "fixed"),
    [
        ("3.3.2", ["3.4.0", "3.4.1", "3.4.1", "3.4.9", "4.2.1", "4.0.19", "4.2.1"]),
        ("3.4.0", ["3.4.1", "3.4.1", "3.4.9", "4.2.1", "4.0.19", "4.2.1"]),
        ("3.4.9", []),
        ("4.0.11", ["4.0.20", "4.2.5", "4.2.1", "4.0.19", "4.2.1"]),
        ("4.1.8", ["4.2.5", "4.2.1", "4.2.1"]),
        ("4.2.4", ["4.2.5"]),
        ("4.2.6", []),
        ("5.0.0", []),
    ],
)
def test_faults_of_a_version(version, fixed):
    found = [fault.fixed_in(parse_version(version)) for fault in FAULTS]
    assert [one for one in found if one] == fixed


def test_support_ends_with_the_last_day_of_its_month():
    assert verdict("3.4.9-2", datetime.date(2026, 9, 1)).status == "fail"
    last = verdict("3.4.9-2", datetime.date(2026, 8, 31))
    assert (last.status, last.severity) == ("warn", "low")
    assert "ends on 2026-08-31" in last.message
    assert verdict("3.4.9-2", datetime.date(2026, 6, 2)).status == "warn"
    assert verdict("3.4.9-2", datetime.date(2026, 6, 1)).status == "pass"


def test_an_old_table_is_no_evidence():
    limit = SOURCES_UNTIL + datetime.timedelta(days=known_faults.TABLE_MAX_AGE_DAYS)
    assert verdict("4.2.5-1", limit).status == "pass"
    late = verdict("4.2.5-1", limit + datetime.timedelta(days=1))
    assert (late.status, late.severity) == ("unknown", "low")
    assert "366 days ago" in late.message
    # What is known stays known.
    assert verdict("4.2.4-1", limit + datetime.timedelta(days=1)).status == "fail"


def test_what_depends_on_an_unreadable_configuration_is_possible():
    unreadable = {"config_dir.files.0.parsed": False, "config_dir.files.0.error": "line 3: unknown property"}
    found = verdict("4.2.4-1", SOURCES_UNTIL, unreadable)
    assert found.evidence["possible_faults"] == []
    found = verdict("4.2.0-1", SOURCES_UNTIL, unreadable)
    assert [fault["fixed_in"] for fault in found.evidence["possible_faults"]] == ["4.2.1"]
    found = verdict("4.2.0-1", SOURCES_UNTIL, {"config_dir.sync_jobs": None})
    assert ["pull sync job" in fault["what"] for fault in found.evidence["possible_faults"]] == [True]


def test_a_fault_that_may_concern_the_host_is_unknown(monkeypatch):
    only = dataclasses.replace(next(fault for fault in FAULTS if fault.concerns == "sync-level"), spans=FAULTS[4].spans)
    monkeypatch.setattr(known_faults, "FAULTS", (only,))
    unreadable = {"config_dir.files.0.parsed": False, "config_dir.files.0.error": "line 3: unknown property"}
    found = verdict("4.2.0-1", SOURCES_UNTIL, unreadable)
    assert (found.status, found.severity) == ("unknown", "medium")
    assert "if this host is concerned" in found.message
    assert verdict("4.2.0-1", SOURCES_UNTIL).status == "pass"


def test_evidence_has_the_address_of_each_source():
    found = verdict("3.3.2-1", SOURCES_UNTIL)
    assert all(fault["source"].partition(": ")[2].startswith("https://") for fault in found.evidence["faults"])
    assert found.evidence["support_ends"] == "2026-08"
    assert "https://pbs.proxmox.com/docs/faq.html" in found.evidence["sources"]
