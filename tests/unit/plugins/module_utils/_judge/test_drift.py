# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import JobFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.drift import TUNING_DEFAULTS, differences
from ansible_collections.fleetops.pbs.tests.support import facts

TANK = "/mnt/datastore/tank"
UUID = "0a1b2c3d-0000-4000-8000-000000000001"


def diff(declared, changes=None, version="4.2.0-1"):
    return differences(declared, facts.change(facts.configured("tank", TANK), changes or {}), version)


@pytest.mark.parametrize(
    ("declared", "changes"),
    [
        ({}, {}),  # omitted means: does not count
        ({}, {"properties": {"comment": "x", "verify-new": "true"}, "tuning": {"chunk-order": "none"}}),
        ({"path": TANK + "/"}, {}),
        ({"path": "/mnt/../mnt/datastore/tank"}, {}),
        ({"path": TANK}, {"path": "x/y", "backing_device": UUID}),  # relative to the device
        ({"path": TANK, "backing_device": UUID}, {"path": "x", "backing_device": UUID}),
        ({"gc_schedule": "daily"}, {}),
        ({"gc_schedule": None, "comment": None, "tuning": None, "prune_jobs": None}, {}),
        ({"comment": " nightly "}, {"properties": {"comment": "nightly"}}),
        ({"comment": ""}, {}),
        ({"verify_new": False, "gc_on_unmount": False}, {}),
        *(({"verify_new": True}, {"properties": {"verify-new": text}}) for text in ("1", "on", "YES", "true")),
        *(({"verify_new": False}, {"properties": {"verify-new": text}}) for text in ("0", "off", "No", "FALSE")),
        ({"notification_mode": "notification-system"}, {}),
        ({"tuning": {"gc_atime_cutoff": 1445, "chunk_order": "inode"}}, {}),  # the defaults of PBS
        ({"tuning": {"gc_atime_cutoff": 60}}, {"tuning": {"gc-atime-cutoff": 60, "sync-level": "file"}}),
        ({"tuning": {"gc_atime_cutoff": None}}, {"tuning": {"gc-atime-cutoff": 60}}),
        ({"notify": {"gc": "error", "sync": None}}, {"properties": {"notify": "gc=error,verify=never"}}),
        (
            {"notification_thresholds": {"s3_get": 5, "s3_upload": "1KiB"}},
            {"properties": {"notification-thresholds": "s3-upload=1024,s3-get=5"}},
        ),
        (
            {"maintenance_mode": {"type": "offline", "text": "disks"}},
            {"maintenance_type": "offline", "maintenance_message": "disks"},
        ),
        ({"backend": {"type": "filesystem"}}, {}),
        ({"prune_jobs": [{"id": "tank-daily", "schedule": "daily", "keep_daily": 14}]}, {}),
        ({"prune_jobs": [{"id": "tank-daily", "max_depth": 7, "ns": "", "disable": False, "keep_last": None}]}, {}),
        ({"verify_jobs": [{"id": "tank-verify", "schedule": "sun 05:00"}]}, {}),
    ],
)
def test_no_difference(declared, changes):
    assert diff(declared, changes) == []


@pytest.mark.parametrize(
    ("declared", "changes", "expected"),
    [
        ({"path": "/mnt/x"}, {}, ("path", "/mnt/x", TANK)),
        ({"backing_device": UUID}, {}, ("backing_device", UUID, "unset")),
        ({"gc_schedule": "sat 03:00"}, {}, ("gc_schedule", "sat 03:00", "daily")),
        ({"gc_schedule": "daily"}, {"properties": {}, "gc_schedule": ""}, ("gc_schedule", "daily", "unset")),
        ({"comment": ""}, {"properties": {"comment": "x"}}, ("comment", "unset", "x")),
        ({"verify_new": True}, {}, ("verify_new", "true", "false")),
        ({"notification_mode": "legacy-sendmail"}, {}, ("notification_mode", "legacy-sendmail", "notification-system")),
        ({"tuning": {"gc_atime_cutoff": 60}}, {}, ("tuning.gc_atime_cutoff", "60", "1445")),
        ({"tuning": {"gc_atime_safety_check": False}}, {}, ("tuning.gc_atime_safety_check", "false", "true")),
        (
            {"tuning": {"chunk_order": "none"}},
            {"tuning_error": "chunk-order: 'Inode' is unknown"},
            ("tuning.chunk_order", "none", "unreadable (chunk-order: 'Inode' is unknown)"),
        ),
        ({"notify": {"gc": "never"}}, {"properties": {"notify": "gc=error"}}, ("notify.gc", "never", "error")),
        ({"notify": {"gc": "never"}}, {}, ("notify.gc", "never", "unset")),
        (
            {"notification_thresholds": {"s3_upload": "1KiB"}},
            {"properties": {"notification-thresholds": "s3-upload=1000"}},
            ("notification_thresholds.s3_upload", "1KiB", "1000"),
        ),
        ({"maintenance_mode": {"type": "offline"}}, {}, ("maintenance_mode.type", "offline", "unset")),
        ({"backend": {"type": "s3"}}, {}, ("backend.type", "s3", "filesystem")),
        ({"prune_jobs": [{"id": "p1"}]}, {}, ("prune_jobs.p1", "present", "absent")),
        (
            {"prune_jobs": [{"id": "tank-daily", "keep_daily": 7}]},
            {},
            ("prune_jobs.tank-daily.keep_daily", "7", "14"),
        ),
        (
            {"prune_jobs": [{"id": "tank-daily", "keep_last": 3}]},
            {},
            ("prune_jobs.tank-daily.keep_last", "3", "unset"),
        ),
        (
            {"prune_jobs": [{"id": "tank-daily", "ns": "site"}]},
            {},
            ("prune_jobs.tank-daily.ns", "site", "unset"),
        ),
        (
            {"prune_jobs": [{"id": "tank-daily", "disable": False}]},
            {"prune_jobs": [JobFacts("tank-daily", disabled=True)]},
            ("prune_jobs.tank-daily.disable", "false", "true"),
        ),
        (
            {"verify_jobs": [{"id": "tank-verify", "max_depth": 0}]},
            {},
            ("verify_jobs.tank-verify.max_depth", "0", "7"),
        ),
        (
            {"verify_jobs": [{"id": "tank-verify", "schedule": "daily"}]},
            {"verify_jobs": [JobFacts("tank-verify")]},
            ("verify_jobs.tank-verify.schedule", "daily", "unset"),
        ),
    ],
)
def test_a_difference(declared, changes, expected):
    assert diff(declared, changes) == [expected]


@pytest.mark.parametrize(
    ("version", "default"),
    [("3.4.8-3", "legacy-sendmail"), ("4.0.0-1", "notification-system"), ("4.2.0-1", "notification-system")],
)
def test_what_is_not_set_is_what_that_version_does(version, default):
    other = {"legacy-sendmail", "notification-system"} - {default}
    assert diff({"notification_mode": default}, version=version) == []
    assert diff({"notification_mode": other.pop()}, version=version) != []


def test_every_default_of_the_tuning_options_is_no_difference():
    declared = {"tuning": {key.replace("-", "_"): value for key, value in TUNING_DEFAULTS.items()}}
    assert diff(declared) == []
    assert diff(declared, {"tuning": dict(TUNING_DEFAULTS)}) == []


def test_all_differences_at_once():
    found = diff({"gc_schedule": "weekly", "comment": "x", "tuning": {"sync_level": "file", "gc_cache_capacity": 0}})
    assert [name for name, _want, _have in found] == [
        "comment",
        "gc_schedule",
        "tuning.sync_level",
        "tuning.gc_cache_capacity",
    ]
