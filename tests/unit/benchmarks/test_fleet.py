# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of make bench-fleet; the command itself on a small fleet."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from ansible_collections.fleetops.pbs.benchmarks import fleet
from ansible_collections.fleetops.pbs.benchmarks.fleet import Cost, Figures, Play, Setting
from ansible_collections.fleetops.pbs.tests.support.ansible_run import ROOT

PING, LOOK = Play("ping", "x"), Play("look", "y")


def test_the_ratio_is_that_of_the_medians():
    figures = Figures(10)
    for seconds in (10.0, 50.0, 12.0):
        figures.add(Setting(5), PING, Cost(seconds, 1.0, 2.0))
        figures.add(Setting(5), LOOK, Cost(1.5 * seconds, 2.0, 4.0))
    figures.add(Setting(20), PING, Cost(8.0, 1.0, 2.0))
    figures.add(Setting(20, pipelining=True), PING, Cost(4.0, 100.0, 100.0))
    assert figures.table(["ping", "look"]).splitlines()[2:] == [
        "| 5 | 12.0 s | 18.0 s | 1.50 |",
        "| 20 | 8.0 s |  |  |",
        "| 20, pipelining | 4.0 s |  |  |",
    ]
    # With pipelining a host costs something else, so that does not count here.
    assert figures.processors(["ping", "look"]).splitlines()[2:] == [
        "| ping | 100 ms | 200 ms |",
        "| look | 200 ms | 400 ms |",
    ]


@pytest.mark.root
@pytest.mark.timeout(900)
def test_a_small_fleet_is_measured_and_gone_at_the_end(tmp_path):
    words = ["--hosts", "2", "--forks", "2", "--rounds", "1", "--walks", "1", "--slices", "2"]
    done = subprocess.run(
        [sys.executable, "-m", fleet.__name__, *words, "--scratch", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\| 2 \| [\d.]+ s \| [\d.]+ s \| [\d.]+ \| [\d.]+ s \| [\d.]+ \|$", done.stdout, re.MULTILINE)
    assert "The merged report has the same\nhosts, the same answers and the same totals" in done.stdout
    assert list(tmp_path.iterdir()) == []
