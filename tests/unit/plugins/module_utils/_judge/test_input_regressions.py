# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people write, as large or as odd as it may be: a word about the option, never an exception of Python's own."""

from __future__ import annotations

import re

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._judge import waivers
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.policy import Policy, PolicyError

LARGE = [10**10, 10**400, 1 << 40_000, 1e300]


@pytest.mark.parametrize(
    "value", LARGE, ids=["ten digits", "no float", "more digits than are written", "a large float"]
)
@pytest.mark.parametrize("key", ["clock_offset_max", "gc_atime_cutoff_max", "temporary_files_max", "gc_max_age_days"])
def test_numbers_that_make_no_sense_are_refused_in_words(key, value):
    with pytest.raises(PolicyError, match=rf"policy\.{key}: must not be above 1000000000"):
        Policy.from_mapping({key: value})


@pytest.mark.parametrize("key", ["host", "datastore"])
def test_a_pattern_that_this_python_cannot_read_is_named(monkeypatch, key):
    """Python 3.9 makes of [z-a] a regular expression that it then refuses; later ones know better."""
    waiver = {"control": "PBS-ATIME-01", "justification": "known", "until": "2027-01-01", key: "[z-a]"}
    monkeypatch.setattr(waivers.fnmatch, "translate", lambda pattern: pattern.replace("*", ".*"))
    with pytest.raises(waivers.WaiverError, match=re.escape(f"waivers[0].{key}: '[z-a]' is no pattern")):
        waivers.parse_waivers([waiver])
