# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table on the terminal: it fits, and names what matters first."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.table import columns, fit, table, wrap
from ansible_collections.fleetops.pbs.tests.support import documents, reports

texts = st.text(st.characters(exclude_categories=("C", "Z")) | st.just(" "), max_size=120)


def lines(tmp_path: Path, *found: dict, **options: object) -> list[str]:
    documents.write(tmp_path / "in", found)
    report = reports.report(tmp_path / "out", merge=[str(tmp_path / "in")], formats=["status.txt"], **options)
    return [line.text for line in table(report.fleet)]


def test_what_is_worst_stands_first_with_its_remedy(tmp_path: Path) -> None:
    told = [
        documents.finding("PBS-MOUNT-02", "vault", "fail", severity="high", remedy="Add a line to /etc/fstab."),
        documents.finding("PBS-ATIME-01", "tank", "warn", message="Slow."),
        documents.finding("PBS-ATIME-02", "tank", "fail", severity="critical", remedy="Move the datastore."),
        documents.finding("PBS-HOST-02", None, "unknown", severity="high", message="No answer."),
    ]
    assert lines(tmp_path, documents.whole("pbs1", ["tank", "vault", "cold"], told, documents.START)) == [
        "1 host: 1 failed",
        "HOST  DATASTORE  WORST     FAIL     ?  WARN",
        "pbs1  tank       critical     1     .     1",
        "    Move the datastore.",
        "pbs1  vault      high         1     .     .",
        "    Add a line to /etc/fstab.",
        "pbs1  (host)     unknown      .     1     .",
        "    No answer.",
    ]


def test_a_command_is_neither_wrapped_nor_cut(tmp_path: Path) -> None:
    commands = ["ansible-playbook fleetops.pbs.repair --limit pbs1 " + "-e x=y " * 30 + "# end", "true"]
    told = [documents.finding("PBS-ATIME-02", "tank", "fail", remedy="Repair it. " * 50, commands=commands)]
    found = lines(tmp_path, documents.whole("pbs1", ["tank"], told, documents.START))
    assert found[-2:] == [f"    {command}" for command in commands]


def test_one_host_leaves_room_for_the_others(tmp_path: Path) -> None:
    """It chooses how many datastores it has, and that they are the worst of all."""
    stores = [f"d{n}" for n in range(100)]
    worst = [documents.finding("PBS-ATIME-02", store, "fail", severity="critical", remedy="R") for store in stores]
    slight = [documents.finding("PBS-MOUNT-02", "tank", "fail", severity="low", remedy="R")]
    found = lines(
        tmp_path,
        documents.whole("evil", stores, worst, documents.START),
        *(documents.whole(f"pbs{n}", ["tank"], slight, documents.START) for n in range(1, 6)),
    )
    rows = [line.split()[0] for line in found if "critical" in line or "low" in line]
    assert rows == ["evil"] * 15 + [f"pbs{n}" for n in range(1, 6)]
    assert "… and 85 more with problems" in found


def test_files_that_are_left_out_do_not_fill_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(50):
        (tmp_path / f"in/{number}.json").write_text("no document")
    found = lines(tmp_path, documents.whole("pbs1", ["tank"], [], documents.START))
    assert len([line for line in found if line.startswith("Left out:")]) == 20
    assert found[-1] == "… and 30 more that were left out"


def test_hosts_of_the_same_kind_have_the_order_of_the_page(tmp_path: Path) -> None:
    worse = [documents.finding("PBS-HOST-02", None, "fail", severity="critical")]
    same = documents.finding("PBS-ATIME-02", "tank", "warn", severity="low")
    found = [documents.whole(f"pbs{n}", ["tank"], [same, *(worse if n == 2 else [])], documents.START) for n in (1, 2)]
    told = [line.split()[:2] for line in lines(tmp_path, *found) if line.startswith("pbs")]
    assert told == [["pbs2", "(host)"], ["pbs2", "tank"], ["pbs1", "tank"]]


def test_a_host_without_a_datastore_is_not_fine(tmp_path: Path) -> None:
    nothing = documents.whole("pbs1", [], [documents.finding("PBS-HOST-01", None, "skip")], documents.START)
    assert lines(tmp_path, nothing) == ["1 host: 1 without a datastore"]
    report = reports.report(tmp_path / "out", merge=[str(tmp_path / "in")], formats=["status.txt"])
    assert (report.code, "no datastore was checked" in report.status) == (3, True)


def test_a_good_fleet_takes_one_line(tmp_path: Path) -> None:
    good = (documents.document(number, badness=0) for number in range(1, 4))
    assert lines(tmp_path, *good) == ["3 hosts: 3 fine"]


def test_a_bad_fleet_takes_one_screen_or_two(tmp_path: Path) -> None:
    told = lines(tmp_path, *(documents.document(number, badness=0.9) for number in range(1, 60)))
    assert len(told) < 70
    assert told[-1].startswith("… and ")
    assert all(columns(line) <= 80 for line in told)


def test_whatever_the_names_are_it_fits(tmp_path: Path) -> None:
    name = "東京" * 40 + "\x1b[31m"
    told = [documents.finding("PBS-ATIME-01", name, "fail", message="x" * 500, remedy="長" * 300)]
    left = tmp_path / ("n" * 150 + ".json")
    left.write_text("{")
    told_lines = lines(tmp_path, documents.whole(name, [name], told, documents.START) | {"host": "h" * 200})
    assert all(columns(line) <= 80 for line in told_lines)
    assert "\x1b" not in "".join(told_lines)


@pytest.mark.parametrize("width", [40, 59, 60, 100])
def test_a_narrow_terminal_gets_narrow_lines(tmp_path: Path, width: int) -> None:
    documents.write(tmp_path / "in", [documents.document(number, badness=0.9) for number in range(1, 9)])
    report = reports.report(tmp_path / "out", merge=[str(tmp_path / "in")], formats=["status.txt"])
    told = [line.text for line in table(report.fleet, width=width)]
    commands = {command for host in report.fleet.hosts for store in host.stores for command in store.first_commands}
    assert all(columns(line) <= width or line.strip() in commands for line in told)
    assert any(columns(line) > width - 12 for line in told)


@given(texts, st.integers(2, 40))
def test_fit_is_exact(text: str, width: int) -> None:
    assert columns(fit(text, width)) == width


@given(texts, st.integers(20, 80))
def test_wrapped_text_fits_and_loses_nothing(text: str, width: int) -> None:
    told = wrap(text, width, "    ", most=1000)
    assert all(columns(line) <= width for line in told)
    assert "".join("".join(told).split()) == "".join(text.split())
    assert len(wrap(text, width, "    ", most=2)) <= 2
