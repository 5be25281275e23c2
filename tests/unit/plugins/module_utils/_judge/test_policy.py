# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import math

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import UnknownControl
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.policy import Policy, PolicyError

WHOLE = ["gc_atime_cutoff_min", "gc_atime_cutoff_max", "temporary_files_max"]
REAL = [
    "gc_max_age_days",
    "space_fail_percent",
    "space_warn_percent",
    "inodes_fail_percent",
    "inodes_warn_percent",
    "clock_offset_max",
    "verified_max_age_days",
    "sync_max_age_days",
]
GOOD = {
    "gc_atime_cutoff_min": 60,
    "gc_atime_cutoff_max": 2000,
    "gc_max_age_days": 2.5,
    "space_fail_percent": 1,
    "space_warn_percent": 99.5,
    "inodes_fail_percent": 0,
    "inodes_warn_percent": 100,
    "clock_offset_max": 0.5,
    "temporary_files_max": 7,
    "verified_max_age_days": 60.5,
    "sync_max_age_days": 1.5,
    "max_backup_age_days": [{"days": 2.5}],
    "severity": {"PBS-HOST-05": "info"},
}
AGES = "max_backup_age_days"


def test_every_key_is_tested_here():
    assert {field.name for field in dataclasses.fields(Policy)} == {*WHOLE, *REAL, AGES, "severity"} == set(GOOD)


def test_the_defaults_hold_without_a_policy():
    assert Policy.from_mapping({}) == Policy()
    assert Policy().gc_atime_cutoff_min == 1445


@pytest.mark.parametrize("key", [key for key in GOOD if key != AGES])
def test_each_key(key):
    policy = Policy.from_mapping({key: GOOD[key]})
    assert getattr(policy, key) == GOOD[key]
    assert isinstance(getattr(policy, key), type(getattr(Policy(), key)))
    others = {field.name for field in dataclasses.fields(Policy)} - {key}
    assert all(getattr(policy, other) == getattr(Policy(), other) for other in others)


@pytest.mark.parametrize("key", [*WHOLE, *REAL])
def test_a_number_may_come_as_text(key):
    """Ansible hands what -e gives over as text."""
    assert getattr(Policy.from_mapping({key: str(GOOD[key])}), key) == GOOD[key]


@pytest.mark.parametrize("key", [*WHOLE, *REAL])
@pytest.mark.parametrize("value", [True, False, None, [], {}, "", "many", "1,5", b"1"], ids=repr)
def test_a_wrong_type(key, value):
    kind = "a whole number" if key in WHOLE else "a number"
    with pytest.raises(PolicyError) as raised:
        Policy.from_mapping({key: value})
    assert str(raised.value) == f"policy.{key}: must be {kind}, not {value!r}"


@pytest.mark.parametrize("key", [*WHOLE, *REAL])
@pytest.mark.parametrize("value", [-1, -0.5, math.inf, -math.inf, math.nan], ids=repr)
def test_no_number_to_compare_with(key, value):
    with pytest.raises(PolicyError) as raised:
        Policy.from_mapping({key: value})
    assert str(raised.value) == f"policy.{key}: must not be negative or infinite, but is {value!r}"


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "-1"])
def test_no_number_to_compare_with_as_text(value):
    with pytest.raises(PolicyError, match=r"^policy\.clock_offset_max: must not be negative or infinite"):
        Policy.from_mapping({"clock_offset_max": value})


@pytest.mark.parametrize("value", [1.5, "1.5", "inf"])
def test_half_a_file_is_no_whole_number(value):
    with pytest.raises(PolicyError, match=r"^policy\.temporary_files_max: must be a whole number, not"):
        Policy.from_mapping({"temporary_files_max": value})


def test_a_whole_number_with_a_point_is_one():
    assert Policy.from_mapping({"temporary_files_max": 3.0}).temporary_files_max == 3


@pytest.mark.parametrize(
    "value", [2, 2.0, "2", [{"days": 2}], [{"days": "2", "group": "*", "namespace": "*"}]], ids=repr
)
def test_one_age_for_all_groups(value):
    (limit,) = Policy.from_mapping({AGES: value}).max_backup_age_days
    assert limit.days == 2
    assert limit.covers("", "vm/100")
    assert limit.covers("a/b", "host/web")


def test_ages_by_group_and_namespace():
    limits = Policy.from_mapping(
        {AGES: [{"days": 9, "group": "vm/1*", "namespace": "prod*"}, {"days": 1, "namespace": ""}]}
    )
    first, second = limits.max_backup_age_days
    assert [first.covers(*place) for place in (("prod/a", "vm/100"), ("prod", "vm/200"), ("", "vm/100"))] == [1, 0, 0]
    assert [second.covers(*place) for place in (("", "vm/100"), ("a", "vm/100"))] == [1, 0]


def test_no_age_is_asked_for_by_default():
    assert Policy().max_backup_age_days == Policy.from_mapping({AGES: []}).max_backup_age_days == ()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, ": must be a number, not None"),
        (True, ": must be a number, not True"),
        ({"days": 2}, ": must be a number, not {'days': 2}"),
        (-1, ": must not be negative or infinite, but is -1"),
        (["2"], "[0]: must be a dictionary with 'days', not '2'"),
        ([{"days": 1}, {"group": "*"}], "[1]: must be a dictionary with 'days', not {'group': '*'}"),
        ([{"days": 1, "ns": "*"}], "[0]: there is no 'ns'; known are days, group, namespace"),
        ([{"days": 1, 7: "*"}], "[0]: there is no '7'; known are days, group, namespace"),
        ([{"days": 1, "group": 100}], "[0].group: must be a shell pattern, not 100"),
        ([{"days": "x"}], "[0].days: must be a number, not 'x'"),
        ([{"days": "nan"}], "[0].days: must not be negative or infinite, but is 'nan'"),
    ],
    ids=repr,
)
def test_no_ages(value, says):
    with pytest.raises(PolicyError) as raised:
        Policy.from_mapping({AGES: value})
    assert str(raised.value) == f"policy.{AGES}{says}"


def test_an_unknown_key_is_answered_with_the_known_ones():
    with pytest.raises(
        PolicyError,
        match=r"^policy: there is no 'gc_max_age' \(perhaps 'gc_max_age_days'\); known are clock_offset_max, .*gc_max_age_d",
    ):
        Policy.from_mapping({"gc_max_age": 3})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"gc_atime_cutoff_min": 0},
            "gc_atime_cutoff_min (0) and gc_atime_cutoff_max (2880) must be minutes from 1 to",
        ),
        ({"gc_atime_cutoff_max": 2881}, "gc_atime_cutoff_max (2881)"),
        ({"gc_atime_cutoff_min": 2000, "gc_atime_cutoff_max": 1999}, "the first not above the second"),
        ({"space_fail_percent": 11}, "space_fail_percent (11) and space_warn_percent (10)"),
        ({"space_warn_percent": 101}, "space_warn_percent (101) must be from 0 to 100"),
        ({"inodes_fail_percent": 50, "inodes_warn_percent": 20}, "inodes_fail_percent (50)"),
    ],
)
def test_values_that_contradict_each_other(given, says):
    with pytest.raises(PolicyError) as raised:
        Policy.from_mapping(given)
    assert str(raised.value).startswith("policy: ")
    assert says in str(raised.value)


@pytest.mark.parametrize("value", ["high", ["PBS-HOST-05"], {"PBS-HOST-05": 3}, {"PBS-HOST-05": None}, True], ids=repr)
def test_severity_of_a_wrong_type(value):
    with pytest.raises(
        PolicyError, match=r"^policy\.severity: must be a dictionary of control ids and severities, not"
    ):
        Policy.from_mapping({"severity": value})


def test_severity_that_does_not_exist():
    with pytest.raises(PolicyError, match=r"^policy\.severity\.PBS-HOST-05: 'urgent' is not one of info, low, medium"):
        Policy.from_mapping({"severity": {"PBS-HOST-05": "urgent"}})


def test_severity_of_a_control_that_does_not_exist():
    with pytest.raises(UnknownControl, match=r"^policy\.severity: control 'PBS-HOST-99' does not exist"):
        Policy.from_mapping({"severity": {"PBS-HOST-99": "low"}})


LARGE = [10**10, 10**400, 1 << 40_000, 1e300]


@pytest.mark.parametrize(
    "value", LARGE, ids=["ten digits", "no float", "more digits than are written", "a large float"]
)
@pytest.mark.parametrize("key", ["clock_offset_max", "gc_atime_cutoff_max", "temporary_files_max", "gc_max_age_days"])
def test_numbers_that_make_no_sense_are_refused_in_words(key, value):
    with pytest.raises(PolicyError, match=rf"policy\.{key}: must not be above 1000000000"):
        Policy.from_mapping({key: value})
