# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import JobFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.shown import shown
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.drift import differences
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.configuration import observe_configuration
from ansible_collections.fleetops.pbs.plugins.module_utils._options.section import PRUNE, VERIFY
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.property_string import TUNING
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.settings import Difference, SettingError
from ansible_collections.fleetops.pbs.tests.support import facts
from ansible_collections.fleetops.pbs.tests.support.pbs.host import FakeHost
from ansible_collections.fleetops.pbs.tests.unit.plugins.module_utils.provisioning import datastore, section

TANK = "/mnt/datastore/tank"
UUID = "0a1b2c3d-0000-4000-8000-000000000001"


def diff(declared, changes=None, others=()):
    return differences(declared, facts.change(facts.configured("tank", TANK), changes or {}), others)


def properties(**texts):
    return {"properties": {name.replace("_", "-"): text for name, text in texts.items()}}


def prune_job(**texts):
    return {
        "prune_jobs": [JobFacts("tank-daily", properties={"schedule": "daily", **properties(**texts)["properties"]})]
    }


def verify_job(**texts):
    return {"verify_jobs": [JobFacts("tank-verify", **properties(**texts))]}


@pytest.mark.parametrize(
    ("declared", "changes"),
    [
        ({}, {}),  # omitted means: does not count
        ({}, properties(comment="x", verify_new="true", tuning="chunk-order=none")),
        ({"path": TANK + "/"}, {}),
        ({"path": "/mnt/../mnt/datastore/tank"}, {}),
        ({"path": TANK}, {"path": "x/y", "backing_device": UUID}),  # relative to the device
        ({"path": TANK, "backing_device": UUID}, {"path": "x", "backing_device": UUID}),
        ({"gc_schedule": "daily"}, {}),
        ({"gc_schedule": None, "comment": None, "tuning": None, "prune_jobs": None}, {}),
        ({"comment": " nightly "}, properties(comment="nightly")),
        ({"comment": "a\u00a0b"}, properties(comment="a\\xa0b")),  # facts have it as it is shown
        ({"comment": ""}, {}),
        ({"verify_new": False, "gc_on_unmount": False}, {}),
        *(({"verify_new": True}, properties(verify_new=text)) for text in ("1", "on", "YES", "true")),
        *(({"verify_new": False}, properties(verify_new=text)) for text in ("0", "off", "No", "FALSE")),
        ({"notification_mode": "notification-system"}, properties(notification_mode="notification-system")),
        ({"tuning": {"gc_atime_cutoff": 1445, "chunk_order": "inode"}}, {}),  # the defaults of PBS
        ({"tuning": {"gc_atime_cutoff": 60}}, properties(tuning="sync-level=file,gc-atime-cutoff=60")),
        ({"tuning": {"gc_atime_cutoff": None}}, properties(tuning="gc-atime-cutoff=60")),
        # PBS fails on another key (PBS-HOST-04); what is declared is as declared.
        ({"tuning": {"gc_atime_cutoff": 60}}, properties(tuning="chunk-order=foo,gc-atime-cutoff=60")),
        ({"notify": {"gc": "error", "sync": None}}, properties(notify="gc=error,verify=never")),
        (
            {"notification_thresholds": {"s3_get": 5, "s3_upload": "1KiB"}},
            properties(notification_thresholds="s3-upload=1024,s3-get=5"),
        ),
        (
            {"maintenance_mode": {"type": "offline", "text": "disks"}},
            properties(maintenance_mode='offline,message="disks"'),
        ),
        ({"backend": {"type": "filesystem"}}, {}),
        ({"prune_jobs": [{"id": "tank-daily", "schedule": "daily", "keep_daily": 14}]}, {}),
        ({"prune_jobs": [{"id": "tank-daily", "ns": "", "disable": False, "keep_last": None}]}, {}),
        ({"prune_jobs": [{"id": "tank-daily", "comment": "x"}]}, prune_job(comment="x")),
        ({"verify_jobs": [{"id": "tank-verify", "schedule": "sun 05:00"}]}, {}),
        ({"verify_jobs": [{"id": "tank-verify", "max_depth": 7, "ignore_verified": True, "read_threads": 1}]}, {}),
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
        ({"gc_schedule": "daily"}, properties(), ("gc_schedule", "daily", "unset")),
        ({"comment": ""}, properties(comment="x"), ("comment", "unset", "x")),
        ({"verify_new": True}, {}, ("verify_new", "true", "false")),
        # PBS has a default of its own for each version, and provisioning writes down what is declared.
        ({"notification_mode": "notification-system"}, {}, ("notification_mode", "notification-system", "unset")),
        ({"tuning": {"gc_atime_cutoff": 60}}, {}, ("tuning.gc_atime_cutoff", "60", "1445")),
        ({"tuning": {"gc_atime_safety_check": False}}, {}, ("tuning.gc_atime_safety_check", "false", "true")),
        (
            {"tuning": {"chunk_order": "none"}},
            properties(tuning="chunk-order=foo"),
            ("tuning.chunk_order", "none", "foo"),
        ),
        ({"notify": {"gc": "never"}}, properties(notify="gc=error"), ("notify.gc", "never", "error")),
        ({"notify": {"gc": "never"}}, {}, ("notify.gc", "never", "unset")),
        (
            {"notification_thresholds": {"s3_upload": "1KiB"}},
            properties(notification_thresholds="s3-upload=1000"),
            ("notification_thresholds.s3_upload", "1KiB", "1000"),
        ),
        ({"maintenance_mode": {"type": "offline"}}, {}, ("maintenance_mode.type", "offline", "unset")),
        (
            {"maintenance_mode": {"type": "offline", "text": "disks"}},
            properties(maintenance_mode="offline"),
            ("maintenance_mode.text", "disks", "unset"),
        ),
        # A new mode does not keep the message of the old one.
        (
            {"maintenance_mode": {"type": "offline"}},
            properties(maintenance_mode='offline,message="disks"'),
            ("maintenance_mode", "offline", 'offline,message="disks"'),
        ),
        (
            {"backend": {"type": "s3", "client": "minio", "bucket": "pbs"}},
            {},
            ("backend", "s3,bucket=pbs,client=minio", "filesystem"),
        ),
        ({"prune_jobs": [{"id": "p1"}]}, {}, ("prune_jobs.p1", "present", "absent")),
        ({"prune_jobs": [{"id": "tank-daily", "keep_daily": 7}]}, {}, ("prune_jobs.tank-daily.keep_daily", "7", "14")),
        ({"prune_jobs": [{"id": "tank-daily", "keep_last": 3}]}, {}, ("prune_jobs.tank-daily.keep_last", "3", "unset")),
        ({"prune_jobs": [{"id": "tank-daily", "ns": "site"}]}, {}, ("prune_jobs.tank-daily.ns", "site", "unset")),
        # PBS has no stored depth here, and provisioning writes down what is declared.
        ({"prune_jobs": [{"id": "tank-daily", "max_depth": 7}]}, {}, ("prune_jobs.tank-daily.max_depth", "7", "unset")),
        (
            {"prune_jobs": [{"id": "tank-daily", "disable": False}]},
            prune_job(disable="true"),
            ("prune_jobs.tank-daily.disable", "false", "true"),
        ),
        ({"prune_jobs": [{"id": "tank-daily", "comment": "x"}]}, {}, ("prune_jobs.tank-daily.comment", "x", "unset")),
        ({"verify_jobs": [{"id": "tank-verify", "max_depth": 0}]}, {}, ("verify_jobs.tank-verify.max_depth", "0", "7")),
        (
            {"verify_jobs": [{"id": "tank-verify", "schedule": "daily"}]},
            verify_job(),
            ("verify_jobs.tank-verify.schedule", "daily", "unset"),
        ),
        (
            {"verify_jobs": [{"id": "tank-verify", "comment": ""}]},
            verify_job(comment="x", schedule="daily"),
            ("verify_jobs.tank-verify.comment", "unset", "x"),
        ),
        *(
            (
                {"verify_jobs": [{"id": "tank-verify", option: value}]},
                {},
                (f"verify_jobs.tank-verify.{option}", want, have),
            )
            for option, value, want, have in (
                ("ignore_verified", False, "false", "true"),
                ("outdated_after", 30, "30", "unset"),
                ("read_threads", 2, "2", "1"),
                ("verify_threads", 8, "8", "4"),
            )
        ),
    ],
)
def test_a_difference(declared, changes, expected):
    assert diff(declared, changes) == [Difference(*expected)]


def test_every_default_of_the_tuning_options_is_no_difference():
    declared = {"tuning": {key.replace("-", "_"): known.default for key, known in TUNING.keys.items()}}
    assert diff(declared) == []
    text = ",".join(f"{key}={str(known.default).lower()}" for key, known in TUNING.keys.items())
    assert diff(declared, properties(tuning=text)) == []


def test_all_differences_at_once():
    found = diff({"gc_schedule": "weekly", "comment": "x", "tuning": {"sync_level": "file", "gc_cache_capacity": 0}})
    assert [one.option for one in found] == ["comment", "gc_schedule", "tuning.gc_cache_capacity", "tuning.sync_level"]


def test_a_job_of_another_datastore_has_the_declared_id():
    other = facts.configured("pool", "/mnt/datastore/pool")
    found = diff({"prune_jobs": [{"id": "pool-daily"}]}, others=[other])
    assert found == [Difference("prune_jobs.pool-daily", "present", "a job of datastore pool")]


def test_a_value_that_pbs_refuses():
    with pytest.raises(SettingError, match="gc_schedule"):
        diff({"gc_schedule": "every friday"})


# --- the same answer as provisioning --------------------------------------------------------------------------------

CONFIGURATION = {
    "datastore.cfg": (
        "datastore: tank\n\tcomment nightly\n\tgc-schedule daily\n\tnotify gc=error,verify=never\n\tpath /mnt/tank\n"
        "\ttuning sync-level=file,gc-atime-cutoff=60,chunk-order=foo\n\tverify-new on\n"
    ),
    "prune.cfg": "prune: tank-daily\n\tcomment keep\n\tkeep-daily 14\n\tschedule daily\n\tstore tank\n",
    "verification.cfg": "verification: tank-verify\n\tcomment weekly\n\toutdated-after 30\n\tschedule sun 05:00\n\tstore tank\n",
}


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    made = FakeHost(tmp_path_factory.mktemp("drift") / "host")
    for name, text in CONFIGURATION.items():
        (made.etc / name).write_text(text)
    return made


def drift_of(host, declared):
    _directory, [configured] = observe_configuration(str(host.etc))
    return differences(declared, shown(configured))


@pytest.mark.root
@pytest.mark.parametrize(
    "declared",
    [
        {"comment": "nightly"},
        {"comment": " nightly "},
        {"comment": ""},
        {"comment": "other"},
        {"gc_schedule": "daily"},
        {"gc_schedule": ""},
        {"verify_new": True},
        {"verify_new": False},
        {"gc_on_unmount": False},
        {"notification_mode": "notification-system"},
        {"notification_mode": ""},
        {"notify_user": "root@pam"},
        {"notify": {"gc": "error"}},
        {"notify": {"gc": "always"}},
        {"notify": {"sync": "never"}},
        {"tuning": {"gc_atime_cutoff": 60}},
        {"tuning": {"gc_atime_safety_check": True}},
        {"tuning": {"chunk_order": "inode"}},
        {"tuning": {"gc_cache_capacity": 0}},
        {"maintenance_mode": {"type": "offline"}},
        {"notification_thresholds": {"s3_get": 5}},
        {"counter_reset_schedule": "daily"},
    ],
    ids=str,
)
def test_a_property_differs_exactly_if_provisioning_changes_it(host, declared):
    assert bool(drift_of(host, declared)) == datastore(host, name="tank", **declared)(True)["changed"]


@pytest.mark.root
@pytest.mark.parametrize(
    ("kind", "declared"),
    [
        *(
            (PRUNE, declared)
            for declared in (
                {"schedule": "daily"},
                {"schedule": "weekly"},
                {"comment": "keep"},
                {"comment": ""},
                {"ns": ""},
                {"ns": "site"},
                {"max_depth": 7},
                {"disable": False},
                {"disable": True},
                {"keep_daily": 14},
                {"keep_daily": 7},
                {"keep_last": 1},
            )
        ),
        *(
            (VERIFY, declared)
            for declared in (
                {"schedule": "sun 05:00"},
                {"schedule": ""},
                {"comment": "weekly"},
                {"comment": "daily"},
                {"ignore_verified": True},
                {"ignore_verified": False},
                {"outdated_after": 30},
                {"outdated_after": 7},
                {"max_depth": 7},
                {"max_depth": 0},
                {"read_threads": 1},
                {"read_threads": 2},
                {"verify_threads": 4},
                {"verify_threads": 5},
            )
        ),
    ],
    ids=lambda value: value.settings.name if hasattr(value, "settings") else str(value),
)
def test_a_job_differs_exactly_if_provisioning_changes_it(host, kind, declared):
    option, identifier = ("prune_jobs", "tank-daily") if kind is PRUNE else ("verify_jobs", "tank-verify")
    found = drift_of(host, {option: [{"id": identifier, **declared}]})
    assert bool(found) == section(host, kind, id=identifier, **declared)(True)["changed"]
