# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule, by example: pass, fail, warn, unknown and not applicable, with the words that people read."""

from __future__ import annotations

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import CONTROLS
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display
from ansible_collections.fleetops.pbs.tests.support import facts
from ansible_collections.fleetops.pbs.tests.unit.plugins.module_utils._judge.rules import (
    atime_examples,
    conf_examples,
    host_examples,
    mount_examples,
    owner_examples,
    references_examples,
)

EXAMPLES = [
    example
    for family in (host_examples, mount_examples, atime_examples, owner_examples, references_examples, conf_examples)
    for example in family.EXAMPLES
]
REQUIRED = ("pass", "fail", "unknown", "skip")

IMPOSSIBLE = {
    ("PBS-HOST-01", "unknown"): "a look-up by name answers yes or no",
    ("PBS-WAIVER-01", "unknown"): "waivers are not observed but given",
}
"""What a control can never answer, and why; PBS-WAIVER-01 has its examples among the tests of waivers."""


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_example(example):
    example.check()


@pytest.mark.parametrize("control", [c.id for c in CONTROLS if c.id != "PBS-WAIVER-01"])
def test_every_status_of_a_control_has_an_example(control):
    shown = {example.status for example in EXAMPLES if example.control == control}
    possible = {status for status in REQUIRED if (control, status) not in IMPOSSIBLE}
    assert possible <= shown
    assert not {status for status in shown if (control, status) in IMPOSSIBLE}, "the table of the impossible is wrong"


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.status in ("fail", "warn")], ids=str)
def test_what_is_not_right_has_a_remedy(example):
    finding = facts.ask(example.control, example.changes, **example.ask)
    assert finding.remedy.strip()
    assert "%s" not in finding.message + finding.remedy


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_a_message_is_one_sentence_for_people(example):
    """Never empty, never more than a line, and it ends like a sentence."""
    message = facts.ask(example.control, example.changes, **example.ask).message
    assert message == display(message)
    assert message.endswith((".", ")"))
    assert "None" not in message
    assert ".." not in message
    assert "  " not in message


def test_everything_healthy_passes():
    asked = {control.id: facts.ask(control.id).status for control in CONTROLS}
    assert {control: status for control, status in asked.items() if status != "pass"} == {
        "PBS-MOUNT-05": "skip",  # no options are declared
        "PBS-MOUNT-09": "skip",  # no network filesystem
        "PBS-SNAP-01": "skip",  # no age is asked for
        "PBS-CONF-01": "skip",  # nothing is declared
        "PBS-WAIVER-01": "skip",  # no waivers
    }
