# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import (
    BY_ID,
    CONTROLS,
    SEVERITIES,
    UnknownControl,
    rank,
    require_known,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.rules import RULES

# Waivers, dashboards and reports refer to these: an id is never given to another control, and never removed.
IDS = {
    "PBS-HOST-01": "critical",
    "PBS-HOST-02": "high",
    "PBS-HOST-03": "medium",
    "PBS-HOST-04": "high",
    "PBS-HOST-05": "low",
    "PBS-HOST-06": "critical",
    "PBS-HOST-07": "critical / medium",
    "PBS-HOST-08": "high / low",
    "PBS-MOUNT-01": "critical / medium",
    "PBS-MOUNT-02": "high",
    "PBS-MOUNT-03": "critical / high",
    "PBS-MOUNT-04": "critical",
    "PBS-MOUNT-05": "medium",
    "PBS-MOUNT-06": "medium",
    "PBS-MOUNT-07": "critical",
    "PBS-MOUNT-08": "high",
    "PBS-MOUNT-09": "high",
    "PBS-MOUNT-10": "high",
    "PBS-MOUNT-11": "medium",
    "PBS-MOUNT-12": "critical",
    "PBS-MOUNT-13": "high",
    "PBS-ATIME-01": "critical",
    "PBS-ATIME-02": "high",
    "PBS-ATIME-03": "critical",
    "PBS-ATIME-04": "critical",
    "PBS-ATIME-05": "medium",
    "PBS-ATIME-06": "high",
    "PBS-OWNER-01": "critical / medium",
    "PBS-OWNER-02": "medium",
    "PBS-OWNER-03": "critical / medium",
    "PBS-OWNER-04": "critical",
    "PBS-OWNER-05": "critical / medium",
    "PBS-OWNER-06": "high",
    "PBS-OWNER-07": "medium",
    "PBS-DATA-01": "critical",
    "PBS-DATA-02": "critical / medium",
    "PBS-DATA-03": "critical",
    "PBS-DATA-04": "high / medium",
    "PBS-DATA-05": "critical",
    "PBS-SNAP-01": "high",
    "PBS-SNAP-02": "high / medium",
    "PBS-CONF-01": "high",
    "PBS-CONF-02": "high",
    "PBS-CONF-03": "high",
    "PBS-CONF-04": "medium",
    "PBS-CONF-05": "medium",
    "PBS-CONF-06": "high",
    "PBS-CONF-07": "high / medium",
    "PBS-CONF-08": "medium / low",
    "PBS-COPY-01": "medium / low",
    "PBS-WAIVER-01": "medium",
}


def test_ids_and_severities_are_stable():
    assert {c.id: " / ".join(filter(None, (c.severity, c.lesser_severity))) for c in CONTROLS} == IDS
    assert [control.id for control in CONTROLS] == list(IDS)
    assert len(CONTROLS) == len(BY_ID)


def test_every_control_but_that_of_waivers_has_a_rule():
    assert set(RULES) == set(IDS) - {"PBS-WAIVER-01"}


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.id)
def test_an_entry_is_complete(control):
    assert control.severity in SEVERITIES
    assert control.lesser_severity in ("", *SEVERITIES[: rank(control.severity)])
    for text in (control.why, control.remedy, control.behaviour):
        assert len(text.split()) > 2
        assert "\n" not in text
    assert control.title
    assert "|" not in control.title, "it is a cell of a table"
    assert control.standards
    assert control.scope == ("host" if control.id.startswith(("PBS-HOST", "PBS-WAIVER")) else "datastore")


def test_an_unknown_control_is_named_with_its_option():
    require_known(["PBS-HOST-01", "PBS-WAIVER-01"], "controls")
    with pytest.raises(
        UnknownControl,
        match=r"^controls: control 'PBS-ATIME-99' does not exist \(perhaps 'PBS-ATIME-\d\d'\); the ids are PBS-HOST-01",
    ):
        require_known(["PBS-HOST-01", "PBS-ATIME-99"], "controls")


def test_severities_have_an_order():
    assert [rank(severity) for severity in SEVERITIES] == [0, 1, 2, 3, 4]
    assert rank("") == rank("urgent") == -1
