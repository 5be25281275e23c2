# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.document import Asked, build
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.judge import Question, judge
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.policy import Policy
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.waivers import parse_waivers
from ansible_collections.fleetops.pbs.plugins.plugin_utils._summary import summary
from ansible_collections.fleetops.pbs.tests.support import facts

PATH = "/mnt/datastore/tank"


def document(changes=None, waivers=(), others=(), host=None):
    question = Question(
        Policy(),
        facts.NOW,
        waivers=parse_waivers([{"until": "2099-01-01", "justification": "because", **item} for item in waivers]),
    )
    observed, stores = facts.change(facts.host(), host or {}), [facts.change(facts.store(), changes or {}), *others]
    return build(observed, stores, judge(observed, stores, question), facts.NOW, facts.NOW, False, Asked())


def shown(made, width=100):
    return summary(made, "The headline.", width).split("\n")


def painted(made):
    """Each line with its colour."""
    return summary(made, "The headline.", 100, lambda line, colour: f"{colour or ''}|{line}").split("\n")


FAILING = {"configured.gc_schedule": "", "configured.maintenance_type": "offline", "ownership.temporary": 2}


def quiet(made):
    """What the line of the datastore says of the findings that are only counted."""
    found = [finding["status"] for finding in made["findings"] if finding["datastore"] == "tank"]
    return "%d passed, %d did not apply" % (found.count("pass"), found.count("skip"))


def test_a_healthy_host_is_two_lines():
    lines = shown(document())
    assert lines[0] == "pbs1: The headline."
    assert lines[1] == f"  tank (/mnt/datastore/tank): {quiet(document())}"
    assert len(lines) == 2
    assert [line.partition("|")[0] for line in painted(document())] == ["green", "green"]


def test_what_is_not_right_comes_with_message_and_remedy_worst_first():
    lines = shown(document(FAILING))
    assert lines[1] == f"  tank (/mnt/datastore/tank): 2 fail, 1 warn, {quiet(document(FAILING))}"
    assert [line for line in lines if line.startswith("    ") and line[4] != " "] == [
        "    FAIL PBS-CONF-02 (high)",
        "    FAIL PBS-CONF-05 (medium)",
        "    WARN PBS-OWNER-07 (low)",
    ]
    assert "      Datastore 'tank' has no gc-schedule: nothing is ever collected." in lines
    assert "        proxmox-backup-manager datastore update tank --gc-schedule daily" in lines


def test_findings_about_the_host_come_before_the_datastores():
    lines = shown(document(host={"old_locking": True}))
    assert lines[1].startswith("  this host: 1 fail, ")
    assert "    FAIL PBS-HOST-05 (low)" in lines
    assert lines[-1].startswith("  tank ")


def test_what_is_unknown_for_one_reason_is_shown_once():
    lines = shown(document(facts.not_looked_at()))
    assert sum("gave no answer within 10 s" in line for line in lines) == 1
    (first,) = [index for index, line in enumerate(lines) if line.startswith("    UNKNOWN PBS-ATIME-01, PBS-ATIME-03,")]
    assert "PBS-OWNER-06" in " ".join(lines[first : first + 3])


def test_a_waiver_is_shown_with_its_reason_and_end():
    lines = shown(document(FAILING, [{"control": "PBS-CONF-02"}]))
    assert "    WAIVED PBS-CONF-02 until 2099-01-01: because" in lines
    assert lines[1].startswith("  tank (/mnt/datastore/tank): 1 fail, 1 warn, 1 waived, ")


def test_two_waivers_of_one_message_stay_apart():
    waivers = [{"control": "PBS-ATIME-01"}, {"control": "PBS-ATIME-03", "justification": "something else"}]
    lines = shown(document(facts.not_looked_at(), waivers))
    assert "    WAIVED PBS-ATIME-01 until 2099-01-01: because" in lines
    assert "    WAIVED PBS-ATIME-03 until 2099-01-01: something else" in lines


@pytest.mark.parametrize(
    ("changes", "colour"),
    [({}, "green"), (FAILING, "red"), ({"ownership.temporary": 2}, "yellow"), (facts.not_looked_at(), "yellow")],
)
def test_the_headline_has_the_colour_of_the_worst(changes, colour):
    assert painted(document(changes))[0] == colour + "|pbs1: The headline."


def test_every_status_has_its_colour():
    made = document(FAILING)
    made["findings"][0]["status"] = "fixed"
    lines = painted(made)
    assert "green|    FIXED PBS-HOST-01 (critical)" in lines
    assert "red|    FAIL PBS-CONF-02 (high)" in lines
    assert "yellow|    WARN PBS-OWNER-07 (low)" in lines
    assert "        proxmox-backup-manager datastore update tank --gc-schedule daily" in lines, "commands have none"


@pytest.mark.parametrize(("asked", "given"), [(20, 40), (40, 40), (80, 80), (500, 120)])
def test_lines_are_wrapped_and_words_never_broken(asked, given):
    lines = shown(document({**FAILING, "path": "/mnt/" + "x" * 200}), asked)
    assert all(len(line) <= given or "x" * 200 in line or line.startswith(" " * 8) for line in lines), "or a command"
    assert any(len(line) > given - 15 for line in lines)
    assert any("x" * 200 in line for line in lines)


def test_a_command_is_one_line_however_long():
    made = document({**FAILING, "path": "/mnt/my data/" + "x y" * 60})
    command = "chown -h backup:backup '/mnt/my data/" + "x y" * 60 + "'"
    next(f for f in made["findings"] if f["status"] == "fail")["commands"] = [command, "true"]
    lines = summary(made, "Everything.", 60).split("\n")
    assert lines[lines.index("        " + command) + 1] == "        true"


def test_nothing_in_a_document_controls_the_terminal():
    """A document comes from another machine, which may be hostile."""
    made = document(FAILING, [{"control": "PBS-CONF-02"}])
    made["host"] = "pbs1\x1b[31m"
    made["datastores"][0]["path"] = "/mnt/\n\x1b[2J"
    for finding in made["findings"]:
        finding["commands"] = ["\x1b[2J"]
        finding["message"] = finding["remedy"] = "evil\x07\u202e\x1b]0;title\x07"
        if finding["waiver"]:
            finding["waiver"]["justification"] = "\x1b[0m"
    text = summary(made, "headline\x1b[1m", 100)
    assert all(line.isprintable() for line in text.split("\n"))
    assert "pbs1\\x1b[31m" in text
    assert "/mnt/\\x0a\\x1b[2J" in text
    assert "evil\\x07\\u202e" in text


def test_a_host_without_datastores():
    assert shown(build(facts.host(), [], [], facts.NOW, facts.NOW, False, Asked())) == ["pbs1: The headline."]


def test_a_host_does_not_fill_the_terminal():
    """It chooses how many findings it has, and how long their texts are."""
    made = document()
    first = dict(made["findings"][0], status="fail", datastore="tank")
    made["findings"] = [
        dict(first, message=f"{n} " + "x" * 5000, remedy="", commands=["z" * 5000, "true"]) for n in range(700)
    ]
    lines = shown(made)
    assert len(lines) == 501
    assert max(map(len, lines)) <= 4000
    assert lines[-1].endswith(" more findings: see the report")
    made["findings"] = [dict(first, message="y " * 250_000, remedy="")]
    assert len(shown(made)) == 500
    made["findings"] = [dict(first, message="m", remedy="", commands=["z" * 5000, "true"])]
    assert shown(made)[-2:] == ["        (a command of 5,000 characters: see the report)", "        true"]
    made["datastores"][0]["path"] = "/" + "p" * 5_000_000
    assert max(map(len, shown(made))) <= 4000
