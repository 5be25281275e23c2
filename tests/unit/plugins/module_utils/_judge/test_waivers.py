# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import re

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._judge import waivers as waivers_module
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import UnknownControl
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.judge import Question, judge
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.policy import Policy
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.waivers import WaiverError, parse_waivers
from ansible_collections.fleetops.pbs.tests.support import facts

TODAY = datetime.datetime.fromtimestamp(facts.NOW, datetime.timezone.utc).date()
COMPLETE = {"control": "PBS-HOST-05", "justification": "reboot on Sunday", "until": "2026-12-31"}


def day(offset: int) -> str:
    return (TODAY + datetime.timedelta(days=offset)).isoformat()


def waiver(**changes):
    return {**COMPLETE, "until": day(30), **changes}


def findings(waivers, controls=(), severity=None, **changes):
    """What becomes of PBS-HOST-05 and PBS-CONF-05, which both failed, and of the waivers."""
    failing = {"configured.maintenance_type": "offline", **changes}
    question = Question(
        Policy.from_mapping({"severity": severity or {}}), facts.NOW, waivers=parse_waivers(waivers), controls=controls
    )
    host = facts.change(facts.host(), {"old_locking": True})
    found = judge(host, [facts.change(facts.store(), failing)], question)
    return {finding.control: finding for finding in found if finding.status not in ("pass", "skip")}, found


# --- what users write -------------------------------------------------------------------------------------------------


def test_a_complete_waiver():
    (parsed,) = parse_waivers([{**COMPLETE, "host": "pbs*", "datastore": "tank", "justification": " two\n lines "}])
    assert parsed.as_dict() == {**COMPLETE, "host": "pbs*", "datastore": "tank", "justification": "two lines"}


def test_host_and_datastore_may_be_left_out():
    (parsed,) = parse_waivers([{**COMPLETE, "host": None}])
    assert (parsed.host, parsed.datastore) == ("*", "*")


@pytest.mark.parametrize("key", ["control", "justification", "until"])
@pytest.mark.parametrize("value", [None, "", "  "], ids=repr)
def test_a_key_that_is_missing(key, value):
    given = {name: text for name, text in COMPLETE.items() if name != key}
    if value is not None:
        given[key] = value
    with pytest.raises(WaiverError, match=rf"^waivers\[1\]: '{key}' is missing; a waiver needs control, justif"):
        parse_waivers([COMPLETE, given])


def test_an_unknown_key():
    with pytest.raises(WaiverError, match=r"^waivers\[0\]: there is no 'reason'; known are control, host, datastore"):
        parse_waivers([{**COMPLETE, "reason": "?"}])


@pytest.mark.parametrize("item", ["PBS-HOST-05", ["PBS-HOST-05"], None], ids=repr)
def test_no_dictionary(item):
    with pytest.raises(WaiverError, match=r"^waivers\[0\]: must be a dictionary"):
        parse_waivers([item])


def test_a_control_that_does_not_exist():
    with pytest.raises(UnknownControl, match=r"^waivers\[0\]\.control: control 'PBS-HOST-50' does not exist"):
        parse_waivers([{**COMPLETE, "control": "PBS-HOST-50"}])


@pytest.mark.parametrize(
    "until",
    ["soon", "2026-13-01", "2026-02-30", "31.12.2026", "20261231", "2026-W10-1", "2026-12-31T00:00", 20261231, True],
)
def test_no_date(until):
    with pytest.raises(WaiverError) as raised:
        parse_waivers([{**COMPLETE, "until": until}])
    assert str(raised.value) == f"waivers[0].until: '{until}' is not a date such as 2026-12-31"


@pytest.mark.parametrize("until", [datetime.date(2026, 12, 31), datetime.datetime(2026, 12, 31, 23, 59), "2026-12-31"])
def test_yaml_makes_dates_by_itself(until):
    (parsed,) = parse_waivers([{**COMPLETE, "until": until}])
    assert parsed.until == datetime.date(2026, 12, 31)


@pytest.mark.parametrize("key", ["host", "datastore"])
def test_a_pattern_that_this_python_cannot_read_is_named(monkeypatch, key):
    """Python 3.9 makes of [z-a] a regular expression that it then refuses; later ones know better."""
    waiver = {"control": "PBS-ATIME-01", "justification": "known", "until": "2027-01-01", key: "[z-a]"}
    monkeypatch.setattr(waivers_module.fnmatch, "translate", lambda pattern: pattern.replace("*", ".*"))
    with pytest.raises(WaiverError, match=re.escape(f"waivers[0].{key}: '[z-a]' is no pattern")):
        parse_waivers([waiver])


# --- what they do -----------------------------------------------------------------------------------------------------


def test_a_waived_failure_stays_in_the_document():
    found, _all = findings([waiver()])
    waived = found["PBS-HOST-05"]
    assert waived.status == "waived"
    assert waived.severity == "low"
    assert "old-locking exists" in waived.message
    assert waived.waiver == {**waiver(), "host": "*", "datastore": "*"}
    assert found["PBS-CONF-05"].status == "fail"
    assert found["PBS-CONF-05"].waiver is None


@pytest.mark.parametrize(
    ("pattern", "covered"),
    [
        ({"host": "pbs1"}, True),
        ({"host": "pbs[0-9]", "datastore": "t*"}, True),
        ({"host": "PBS1"}, False),
        ({"host": "pbs"}, False),
        ({"datastore": "tank"}, True),
        ({"datastore": "vault"}, False),
        ({"datastore": "*"}, True),
    ],
)
def test_patterns(pattern, covered):
    found, _all = findings([waiver(control="PBS-CONF-05", **pattern)])
    assert (found["PBS-CONF-05"].status == "waived") == covered


def test_a_control_of_the_host_matches_any_datastore():
    found, _all = findings([waiver(datastore="vault")])
    assert found["PBS-HOST-05"].status == "waived"


@pytest.mark.parametrize("status", ["warn", "unknown"])
def test_warnings_and_open_questions_can_be_waived_too(status):
    changes = {"configured.gc_last_run.state": "warning" if status == "warn" else "unreadable"}
    found, _all = findings([])
    assert "PBS-CONF-03" not in found
    assert findings([], **changes)[0]["PBS-CONF-03"].status == status
    assert findings([waiver(control="PBS-CONF-03")], **changes)[0]["PBS-CONF-03"].status == "waived"


def test_nothing_else_is_waived():
    _found, every = findings([waiver(control="PBS-HOST-01"), waiver(control="PBS-MOUNT-05")])
    assert {f.control: f.status for f in every if f.control in ("PBS-HOST-01", "PBS-MOUNT-05")} == {
        "PBS-HOST-01": "pass",
        "PBS-MOUNT-05": "skip",
    }


# --- when they end ----------------------------------------------------------------------------------------------------


def test_the_last_day_counts():
    found, every = findings([waiver(until=day(0))])
    assert found["PBS-HOST-05"].status == "waived"
    assert every[-1].status == "pass"


def test_the_day_after_it_is_a_finding_of_its_own():
    found, every = findings([waiver(until=day(-1), host="pbs*")])
    assert found["PBS-HOST-05"].status == "fail"
    ended = found["PBS-WAIVER-01"]
    assert (ended.status, ended.severity, ended.datastore) == ("fail", "medium", None)
    assert ended.message == "The waiver of PBS-HOST-05 for pbs*/* ended on %s (reboot on Sunday); today is %s." % (
        day(-1),
        day(0),
    )
    assert "extend `until`" in ended.remedy
    assert every[-1] is ended


def test_a_valid_waiver_covers_beside_one_that_ended():
    found, _all = findings([waiver(until=day(-1)), waiver()])
    assert found["PBS-HOST-05"].status == "waived"
    assert found["PBS-WAIVER-01"].status == "fail"


def test_each_that_ended_is_a_finding():
    _found, every = findings([waiver(until=day(-1)), waiver(until=day(-9)), waiver()])
    assert [finding.evidence["until"] for finding in every if finding.control == "PBS-WAIVER-01"] == [day(-1), day(-9)]


@pytest.mark.parametrize(
    ("waivers", "status", "says"),
    [
        ([], "skip", "No waiver names this host."),
        ([{"host": "other", "until": "2020-01-01"}], "skip", "No waiver names this host."),
        ([{}], "pass", "1 waiver that names this host is in force."),
        ([{}, {"control": "PBS-CONF-05", "datastore": "vault"}], "pass", "2 waivers that name this host are in force."),
    ],
)
def test_the_control_of_waivers_always_answers(waivers, status, says):
    _found, every = findings([waiver(**changes) for changes in waivers])
    (answer,) = [finding for finding in every if finding.control == "PBS-WAIVER-01"]
    assert (answer.status, answer.message) == (status, says)


def test_it_can_be_left_out_and_weighed():
    assert "PBS-WAIVER-01" not in findings([waiver(until=day(-1))], ["PBS-HOST-05"])[0]
    found, _all = findings([waiver(until=day(-1))], ["PBS-WAIVER-01"], {"PBS-WAIVER-01": "info"})
    assert list(found) == ["PBS-WAIVER-01"]
    assert found["PBS-WAIVER-01"].severity == "info"
