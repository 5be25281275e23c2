# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each benchmark writes its own section of the page."""

from __future__ import annotations

import pytest

from ansible_collections.fleetops.pbs.benchmarks.page import marks, write_section


@pytest.mark.parametrize("after", ["", "\n## Another\n\ntext\n"])
def test_the_rest_of_the_page_stays_as_it_is(tmp_path, after):
    page = tmp_path / "page.md"
    page.write_text("# Benchmarks\n\nowners\n")
    write_section(page, "fleet", "bench-fleet", "first")
    page.write_text(page.read_text() + after)
    write_section(page, "fleet", "bench-fleet", "second\n")
    begin, end = marks("fleet", "bench-fleet")
    assert page.read_text() == f"# Benchmarks\n\nowners\n\n{begin}\n\nsecond\n\n{end}\n{after}"


def test_two_benchmarks_do_not_overwrite_each_other(tmp_path):
    page = tmp_path / "page.md"
    for name, text in (("fleet", "one"), ("owners", "two"), ("fleet", "three"), ("owners", "four")):
        write_section(page, name, "bench", text)
    assert [line for line in page.read_text().splitlines() if line and "<!--" not in line] == [
        "# Benchmarks",
        "three",
        "four",
    ]
