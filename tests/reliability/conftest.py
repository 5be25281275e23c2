# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a campaign is: one attack or fault, tried many times, with its outcomes counted.

`make test` tries each a few times; `make reliability` tries each often, and writes the counts into docs/reliability.md.
"""

from __future__ import annotations

import collections
import collections.abc
import inspect
import json
import os
import typing as t
from pathlib import Path

import pytest

THOROUGH = os.environ.get("RELIABILITY") == "thorough"
"""Whether every campaign runs at its full length."""


class Campaign:
    """The tries of one test and their outcomes."""

    def __init__(self, node: pytest.Item, attack: str, promise: str) -> None:
        """`attack` is what is done to us, `promise` what holds all the same: both become cells of the table."""
        self.name = node.name
        self.node = node.nodeid
        self.section = (inspect.getdoc(node.module) or "").splitlines()[0].rstrip(".")
        self.attack, self.promise = attack, promise
        self.tried = 0
        self.outcomes: collections.Counter[str] = collections.Counter()

    def rounds(self, few: int, many: int) -> collections.abc.Iterator[int]:
        """The numbers of the tries, each counted as one: few in every test run, many in `make reliability`."""
        for number in range(many if THOROUGH else few):
            yield number
            self.tried += 1

    def saw(self, outcome: str, times: int = 1) -> None:
        """Note what came of a try, in words for the table."""
        if times:
            self.outcomes[outcome] += times

    def row(self) -> dict[str, t.Any]:
        return {
            "section": self.section,
            "test": self.name,
            "node": self.node,
            "attack": self.attack,
            "promise": self.promise,
            "tried": self.tried,
            "thorough": THOROUGH,
            "outcomes": dict(self.outcomes.most_common()),
        }


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> t.Generator[None, t.Any, t.Any]:
    report = yield
    if report.when == "call":
        item.stash[_PASSED] = report.passed
    return report


_PASSED = pytest.StashKey[bool]()


@pytest.fixture
def campaign(request: pytest.FixtureRequest) -> t.Iterator[t.Callable[[str, str], Campaign]]:
    """Begin a campaign: `campaign("what is done", "what holds all the same")`; one a test."""
    campaigns: list[Campaign] = []

    def begin(attack: str, promise: str) -> Campaign:
        assert not campaigns, "one campaign a test"
        campaigns.append(Campaign(request.node, attack, promise))
        return campaigns[0]

    yield begin
    if not request.node.stash.get(_PASSED, False):
        return
    for each in campaigns:
        assert each.tried, "a campaign that tried nothing shows nothing"
        assert each.outcomes, "a campaign has to count its outcomes"
        if os.environ.get("RELIABILITY_RESULTS"):
            with Path(os.environ["RELIABILITY_RESULTS"]).open("a", encoding="utf-8") as results:
                results.write(json.dumps(each.row()) + "\n")
