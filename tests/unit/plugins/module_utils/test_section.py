# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._options.section import PRUNE, VERIFY, Resource
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.tests.support.pbs.host import FakeHost
from ansible_collections.fleetops.pbs.tests.unit.plugins.module_utils.provisioning import Action, four_times, section

pytestmark = pytest.mark.root

PRUNE_FILE = "prune: tank-prune\n\tcomment  old one \n\tkeep-daily 7\n\tschedule daily\n\tstore tank\n"
VERIFY_FILE = "verification: tank-verify\n\toutdated-after 30\n\tschedule sun 05:00\n\tstore tank\n"


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    host = FakeHost(tmp_path / "host")
    host.daemons("none")  # jobs do not need them
    (host.etc / "datastore.cfg").write_text("datastore: tank\n\tpath /mnt/tank\n")
    return host


@pytest.fixture
def jobs(host: FakeHost) -> FakeHost:
    (host.etc / "prune.cfg").write_text(PRUNE_FILE)
    (host.etc / "verification.cfg").write_text(VERIFY_FILE)
    return host


def refusal(action: Action, check: bool = False) -> str:
    with pytest.raises(CollectionError) as caught:
        action(check)
    return str(caught.value)


def test_a_prune_job(host: FakeHost) -> None:
    done = four_times(
        host,
        section(
            host,
            PRUNE,
            id="tank-prune",
            store="tank",
            schedule="mon..fri 21:30",
            keep_last=3,
            keep_daily=14,
            disable=True,
            ns="a/b",
            max_depth=2,
            comment="two words",
        ),
    )
    assert done["commands"] == [
        [
            *(str(host.manager), "prune-job", "create", "tank-prune", "--store", "tank", "--comment", "two words"),
            *("--disable", "true", "--keep-daily", "14", "--keep-last", "3", "--max-depth", "2", "--ns", "a/b"),
            *("--schedule", "mon..fri 21:30"),
        ]
    ]
    four_times(host, section(host, PRUNE, id="tank-prune", disable=False, ns="", unset=["keep_last"]))
    assert host.config("prune.cfg") == (
        "prune: tank-prune\n\tcomment two words\n\tkeep-daily 14\n\tmax-depth 2\n\tschedule mon..fri 21:30\n\tstore tank\n"
    )
    four_times(host, section(host, PRUNE, id="tank-prune", state="absent"))
    assert host.config("prune.cfg") == ""


def test_a_verify_job(host: FakeHost) -> None:
    options: dict[str, Any] = {"id": "tank-verify", "store": "tank"}
    four_times(host, section(host, VERIFY, **options, schedule="sun 05:00", outdated_after=30, ignore_verified=False))
    four_times(host, section(host, VERIFY, **options, ignore_verified=True, schedule=""))
    four_times(host, section(host, VERIFY, **options, read_threads=4, ns="x", max_depth=0))
    four_times(host, section(host, VERIFY, **options, state="absent"))
    assert host.config("verification.cfg") == ""


def test_a_verify_job_is_not_put_off(jobs: FakeHost) -> None:
    """PBS treats an update without a schedule as a new schedule, and resets the time of the next run."""
    state = jobs.var / "jobstates" / "verificationjob-tank-verify.json"
    done = section(jobs, VERIFY, id="tank-verify", store="tank", outdated_after=10)(False)
    assert done["commands"][0][4:8] == ["--outdated-after", "10", "--schedule", "sun 05:00"]
    assert not state.exists()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (PRUNE, {"keep_daily": 7, "schedule": "daily", "comment": "old one"}),
        (PRUNE, {"disable": False, "ns": ""}),
        (VERIFY, {"ignore_verified": True, "outdated_after": 30, "schedule": " sun 05:00 "}),
        (VERIFY, {"read_threads": 1, "verify_threads": 4, "max_depth": 7, "ns": ""}),
    ],
)
def test_what_says_the_same_is_no_change(jobs: FakeHost, kind: Resource, options: dict[str, Any]) -> None:
    identifier = "tank-prune" if kind is PRUNE else "tank-verify"
    action = section(jobs, kind, id=identifier, store="tank", **options)
    assert [(result["changed"], result["commands"]) for result in (action(True), action(False))] == [(False, [])] * 2


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (PRUNE, {"id": "a b"}, "id: 'a b'"),
        (PRUNE, {"store": "-x"}, "store: '-x'"),
        (PRUNE, {"keep_last": 0}, "keep_last: '0' is not allowed; allowed: a whole number from 1"),
        (PRUNE, {"schedule": "never ever"}, "schedule: 'never ever'"),
        (PRUNE, {"schedule": ""}, "schedule: must not be empty, because a prune job requires it"),
        (PRUNE, {"unset": ["schedule"]}, "unset: schedule is required for a prune job and cannot be unset"),
        (PRUNE, {"unset": ["bogus"]}, "unset: 'bogus' is not a property of a prune job"),
        (PRUNE, {"ns": "../etc"}, "ns: '../etc'"),
        (VERIFY, {"max_depth": 8}, "max_depth: '8'"),
        (VERIFY, {"outdated_after": -1}, "outdated_after: '-1'"),
        (VERIFY, {"lock_timeout": 0}, "lock_timeout"),
        (VERIFY, {"store": "other"}, "belongs to datastore 'tank', not to 'other'"),
        (PRUNE, {"id": "new-job"}, "a new one needs: schedule"),
        (PRUNE, {"id": "new-job", "store": "nope", "schedule": "daily"}, "no datastore 'nope'"),
    ],
)
def test_bad_options(jobs: FakeHost, kind: Resource, options: dict[str, Any], words: str) -> None:
    identifier = "tank-prune" if kind is PRUNE else "tank-verify"
    assert words in refusal(section(jobs, kind, **{"id": identifier, "store": "tank", **options}))
    assert (jobs.config("prune.cfg"), jobs.config("verification.cfg")) == (PRUNE_FILE, VERIFY_FILE)


def test_a_check_run_before_there_is_a_datastore(host: FakeHost) -> None:
    done = section(host, PRUNE, id="new-job", store="later", schedule="daily")(True)
    assert done["changed"]
    assert "there is no datastore 'later' yet" in done["warnings"]


def test_threads_need_a_new_pbs(host: FakeHost) -> None:
    host.configure(version="4.0.11-1")
    action = section(host, VERIFY, id="new-job", store="tank", read_threads=2)
    assert "read_threads requires PBS 4.0.20 or later, this host has 4.0.11-1" in refusal(action)
