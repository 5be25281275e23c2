# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of what was tried: rows come from campaigns, and stay until theirs ran again."""

from __future__ import annotations

from ansible_collections.fleetops.pbs.scripts import reliability

EMPTY = f"before\n{reliability.BEGIN}\n{reliability.END}\nafter\n"


def row(test, tried=1, thorough=True, section="Attacks"):
    return {
        "section": section,
        "test": test,
        "attack": "a | b",
        "promise": "nothing",
        "tried": tried,
        "thorough": thorough,
        "outcomes": {"refused": tried},
    }


def lines(text):
    return [line for line in text.splitlines() if line.startswith(("### ", "| a"))]


def test_a_row_says_what_how_often_and_how_to_repeat_it():
    text = reliability.page(EMPTY, [row("test_one", 1500)], whole=True)
    again = '`make reliability ARGS="-k test_one"`'
    assert lines(text) == ["### Attacks", f"| a \\| b | nothing | 1,500 | refused: 1,500 | {again} |"]
    assert (text.startswith("before\n"), text.endswith("\nafter\n")) == (True, True)


def test_a_choice_renews_its_rows_and_leaves_the_others():
    text = reliability.page(EMPTY, [row("test_one"), row("test_two"), row("test_one", section="Faults")], whole=True)
    text = reliability.page(text, [row("test_one", 7, thorough=False)], whole=False)
    assert [line.split(" | ")[2] for line in lines(text) if line.startswith("| a")] == ["1", "7 (short)", "1"]
    assert lines(reliability.page(text, [row("test_two")], whole=True))[1:] == [reliability.new_row(row("test_two"))]


def test_a_parameter_with_a_blank_is_no_word_for_pytest():
    assert reliability.command("test_one[big-store]").endswith('-k test_one[big-store]"`')
    assert reliability.command("test_one[a b]").endswith('-k test_one"`')
