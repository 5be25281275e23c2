# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options in, document out; and no look at anything before all options make sense."""

from __future__ import annotations

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils import _preflight
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.headline import in_one_line
from ansible_collections.fleetops.pbs.plugins.module_utils._preflight import preflight
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.tests.support.findings import valid
from ansible_collections.fleetops.pbs.tests.support.options import PREFLIGHT_OPTIONS


def waiver(**more):
    return {"control": "PBS-ATIME-01", "justification": "a reason", "until": "2027-01-01", **more}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"datastores": [{"name": "tank", "path": "mnt/tank"}]}, ["datastores[0].path", "'mnt/tank'", "absolute"]),
        ({"datastores": [{"name": "tank", "path": "/"}]}, ["datastores[0].path", "'/'", "root directory"]),
        ({"datastores": [{"name": "tank", "path": "//"}]}, ["datastores[0].path", "'//'", "root directory"]),
        ({"datastores": [{"name": "tank", "path": "/mnt/.."}]}, ["datastores[0].path", "'/mnt/..'", "root directory"]),
        ({"datastores": [{"name": "tank"}]}, ["datastores[0]", "'tank'", "path"]),
        ({"datastores": [{"name": "-x", "path": "/mnt/x"}]}, ["datastores[0].name", "'-x'"]),
        ({"datastores": [{"name": "abc", "path": "/a"}] * 2}, ["datastores[1].name", "'abc'", "twice"]),
        (
            {"datastores": [{"name": "tank", "path": "/a", "tuning": {"gc_atime_cutoff": 2881}}]},
            ["datastores[0].tuning.gc_atime_cutoff", "2881"],
        ),
        ({"controls": ["PBS-ATIME-99"]}, ["controls", "'PBS-ATIME-99'"]),
        ({"policy": {"gc_max_age_days": "soon"}}, ["policy.gc_max_age_days", "'soon'"]),
        ({"policy": {"gc_max_age_days": True}}, ["policy.gc_max_age_days", "True"]),
        ({"policy": {"gc_max_age": 3}}, ["policy", "'gc_max_age'"]),
        ({"policy": {"severity": {"PBS-X": "low"}}}, ["policy.severity", "'PBS-X'"]),
        ({"waivers": [waiver(control="PBS-X")]}, ["waivers[0].control", "'PBS-X'"]),
        ({"waivers": [waiver(), waiver(until="soon")]}, ["waivers[1].until", "'soon'"]),
        ({"waivers": [waiver(justification=" ")]}, ["waivers[0]", "'justification'"]),
        ({"user": "no-such-user"}, ["user", "'no-such-user'"]),
        ({"deadline": 0.0}, ["deadline", "0"]),
        ({"deadline": -1.0}, ["deadline", "-1"]),
        ({"stall": float("nan")}, ["stall", "nan"]),
        ({"stall": float("inf")}, ["stall", "inf"]),
        ({"timeout": 0.0}, ["timeout", "0"]),
        ({"timeout": float("inf")}, ["timeout", "inf"]),
        ({"workers": -1}, ["workers", "-1"]),
        ({"max_paths": -1}, ["max_paths", "-1"]),
        ({"sample_prefixes": 0}, ["sample_prefixes", "0"]),
    ],
)
def test_an_option_without_sense_is_named_with_its_value_before_anything_is_looked_at(monkeypatch, options, words):
    monkeypatch.setattr(_preflight, "observe", lambda *_args: pytest.fail("it looked"))
    with pytest.raises(CollectionError, match=r"\S") as error:
        preflight({**PREFLIGHT_OPTIONS, **options}, check_mode=False)
    message = str(error.value)
    assert all(word in message for word in words), message
    assert message.isprintable()


def test_without_anything_there_is_a_document_all_the_same():
    outcome = preflight(PREFLIGHT_OPTIONS, check_mode=False)
    document = valid(outcome.document)
    assert (document["host"], document["datastores"], outcome.changed) == ("pbs1", [], False)
    assert in_one_line(document).startswith("No datastore was checked. ")
    assert "was named as the configuration directory" in in_one_line(document)
    assert document["summary"]["worst_unknown"] == "critical"


def test_a_host_without_pbs_is_no_failure():
    document = preflight({**PREFLIGHT_OPTIONS, "config_dir": "/etc/proxmox-backup"}, check_mode=False).document
    if document["observed"]["config_dir"]["exists"]:
        pytest.skip("PBS is installed here")
    assert in_one_line(document).startswith("No Proxmox Backup Server was found")
    assert (document["summary"]["worst"], document["summary"]["worst_unknown"]) == (None, None)


def test_the_line_for_people_counts():
    document = {
        "datastores": [{"name": "tank"}, {"name": "vault"}],
        "observed": {"pbs_installed": True},
        "findings": [
            {"status": "fail", "datastore": "tank", "severity": "high"},
            *[{"status": "warn", "datastore": "tank", "severity": "critical"}] * 2,
            *[{"status": "pass", "datastore": "vault", "severity": "critical"}] * 7,
            *[{"status": "skip", "datastore": None, "severity": "low"}] * 3,
        ],
        # What a document says of itself does not count.
        "summary": {"fail": 9, "worst": "bogus"},
    }
    assert in_one_line(document) == (
        "1 of 2 datastores failed a control (worst: high): 1 failed, 2 warnings, 7 passed, 3 skipped."
    )
    document["datastores"] = []
    assert in_one_line(document) == "Proxmox Backup Server has no datastore on this host."
