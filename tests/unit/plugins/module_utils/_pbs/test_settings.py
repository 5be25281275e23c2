# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import (
    property_spec,
    prune_job_spec,
    verify_job_spec,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import section_config, settings
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.section_config import Section
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.settings import (
    DATASTORE,
    PRUNE_JOB,
    VERIFY_JOB,
    SettingError,
    as_argument,
    as_arguments,
    check,
    compare,
)


def section(**properties: str) -> Section:
    return Section("datastore", "tank", 1, {name.replace("_", "-"): value for name, value in properties.items()})


@pytest.mark.parametrize(
    ("kind", "spec", "more"),
    [
        (DATASTORE, property_spec(), {"backing_device", "backend"}),
        (PRUNE_JOB, prune_job_spec(), set()),
        (VERIFY_JOB, verify_job_spec(), set()),
    ],
)
def test_every_property_of_pbs_is_an_option(kind: settings.Kind, spec: dict[str, Any], more: set[str]) -> None:
    assert set(kind.options()) | more == set(spec)
    for option, name in kind.options().items():
        schema = getattr(kind.type.properties[name].kind, "schema", None)
        if option != "maintenance_mode":
            keys = {key.replace("-", "_") for key in schema.keys} if schema else None
            assert keys == (set(spec[option]["options"]) if "options" in spec[option] else None)


words = st.text(alphabet="abc ,=%\"\\é", max_size=12).map(str.strip)  # fmt: skip
flags = st.none() | st.booleans()
tunings = st.fixed_dictionaries(
    {},
    optional={
        "chunk_order": st.sampled_from(["none", "inode"]),
        "sync_level": st.sampled_from(["none", "file", "filesystem"]),
        "gc_atime_safety_check": flags,
        "gc_atime_cutoff": st.none() | st.integers(1, 2880),
        "gc_cache_capacity": st.integers(0, 8388608),
    },
)
options = st.fixed_dictionaries(
    {},
    optional={
        "comment": words,
        "gc_schedule": st.sampled_from(["", "daily", "sat 03:00"]),
        "verify_new": flags,
        "tuning": tunings,
        "notify": st.fixed_dictionaries({}, optional={"gc": st.sampled_from(["always", "never", "error"])}),
        "maintenance_mode": st.fixed_dictionaries(
            {"type": st.sampled_from(["read-only", "offline"])}, optional={"text": words}
        ),
    },
)
stored = st.fixed_dictionaries(
    {"path": st.just("/mnt/tank")},
    optional={
        "comment": words,
        "verify_new": st.sampled_from(["true", "off", "1"]),
        "tuning": st.sampled_from(
            [
                "",
                "sync-level=file",
                "gc-atime-safety-check=No,sync-level=none",
                "future=1",
                "sync-level=sometimes",
                "=,",
            ]
        ),
        "maintenance_mode": st.sampled_from(["read-only", "offline,message=hello", "type=read-only,message=50%25"]),
        "notify": st.sampled_from(["gc=error", "verify=always,gc=never"]),
    },
)


@given(options, stored, st.sets(st.sampled_from(["tuning", "notify", "maintenance_mode"])))
def test_what_was_changed_needs_no_second_change(asked: dict[str, Any], had: dict[str, str], unset: set[str]) -> None:
    desired = check(DATASTORE, asked, sorted(unset))
    before = section(**had)
    changes = compare(DATASTORE, desired, before)
    properties = {name: value for name, value in before.properties.items() if name not in changes.delete}
    after = Section("datastore", "tank", 1, {**properties, **changes.set})
    # What PBS writes is what PBS reads.
    text = "datastore: tank\n" + "".join(f"\t{name} {value}\n" for name, value in after.properties.items())
    (again,) = section_config.parse(text.encode(), section_config.DATASTORE, strict=False)
    assert not compare(DATASTORE, desired, again)
    arguments = as_arguments(changes)
    assert [word for word in arguments if word.startswith("-") and not word.startswith("--")] == []


def test_a_message_survives_pbs() -> None:
    desired = check(DATASTORE, {"maintenance_mode": {"type": "offline", "text": 'a, "b" \\ 50% = x'}})
    changes = compare(DATASTORE, desired, None)
    assert changes.set == {"maintenance-mode": "offline,message=a%2C %22b%22 %5C 50%25 %3D x"}
    shown = section(maintenance_mode='type=offline,message="a, \\"b\\" \\\\ 50%25 = x"')
    assert not compare(DATASTORE, desired, shown)


def test_a_message_that_is_too_long_once_it_is_encoded() -> None:
    with pytest.raises(SettingError, match=r"maintenance_mode\.text: .* at most 64"):
        check(DATASTORE, {"maintenance_mode": {"type": "offline", "text": "," * 30}})


def test_a_mode_does_not_keep_the_message_of_another() -> None:
    desired = check(DATASTORE, {"maintenance_mode": {"type": "offline"}})
    changes = compare(DATASTORE, desired, section(maintenance_mode="read-only,message=old"))
    assert changes.set == {"maintenance-mode": "offline"}


def test_an_unreadable_property_string_is_replaced() -> None:
    desired = check(DATASTORE, {"tuning": {"sync_level": "file"}})
    changes = compare(DATASTORE, desired, section(tuning='sync-level="'))
    assert changes.set == {"tuning": "sync-level=file"}
    assert "tuning: PBS's configuration has a value that cannot be parsed, so it is replaced: " in changes.warnings[0]


def test_sizes_in_any_unit() -> None:
    desired = check(DATASTORE, {"notification_thresholds": {"s3_upload": "64GiB", "s3_get": 1000}})
    same = section(notification_thresholds="s3-get=1000,s3-upload=68719476736")
    assert not compare(DATASTORE, desired, same)


def test_a_verify_job_always_names_its_schedule() -> None:
    have = Section("verification", "job", 1, {"store": "tank", "schedule": "daily", "outdated-after": "30"})
    changes = compare(VERIFY_JOB, check(VERIFY_JOB, {"outdated_after": 7}), have)
    assert changes.set == {"outdated-after": "7", "schedule": "daily"}
    assert not compare(VERIFY_JOB, check(VERIFY_JOB, {"outdated_after": 30}), have)
    changes = compare(VERIFY_JOB, check(VERIFY_JOB, {"schedule": ""}), have)
    assert (changes.set, changes.delete) == ({}, ["schedule"])


def test_a_value_with_a_dash_is_no_option() -> None:
    assert as_argument("comment", "nightly") == ["--comment", "nightly"]
    assert as_argument("comment", "--delete") == ["--comment=--delete"]
