# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line for monitoring and the summary for people who read Markdown."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.templates import (
    code_in_markdown,
    in_markdown,
    prose_in_markdown,
)
from ansible_collections.fleetops.pbs.tests.support import documents, reports


def told(status: str, severity: str) -> dict[str, Any]:
    return documents.whole(
        "pbs1", ["tank"], [documents.finding("PBS-ATIME-01", "tank", status, severity=severity)], documents.START
    )


@pytest.mark.parametrize(
    ("document", "options", "code", "line"),
    [
        (told("pass", "critical"), {}, 0, "0 OK - 0 of 1 host failed |"),
        (told("warn", "critical"), {}, 1, "1 WARNING - 0 of 1 host failed, 1 with warnings |"),
        (told("fail", "medium"), {}, 1, "1 WARNING - 1 of 1 host failed: pbs1 |"),
        (told("fail", "high"), {}, 2, "2 CRITICAL - 1 of 1 host failed: pbs1 |"),
        (told("fail", "high"), {"fail_on": "critical"}, 1, "1 WARNING - 1 of 1 host failed: pbs1 |"),
        (told("fail", "critical"), {"fail_on": "never"}, 1, "1 WARNING - 1 of 1 host failed: pbs1 |"),
        (told("unknown", "high"), {}, 1, "1 WARNING - 0 of 1 host failed, 1 unknown: pbs1 |"),
        (told("unknown", "critical"), {}, 3, "3 UNKNOWN - 0 of 1 host failed, 1 unknown: pbs1 |"),
        (told("waived", "critical"), {}, 0, "0 OK - 0 of 1 host failed |"),
    ],
)
def test_the_code_follows_the_thresholds(
    document: dict[str, Any], options: dict[str, str], code: int, line: str, tmp_path: Path
) -> None:
    documents.write(tmp_path / "in", [document])
    report = reports.report(tmp_path / "out", tmp_path / "in", **options)
    assert report.code == code
    assert report.status.startswith(line)
    assert Path(report.paths["status.txt"]).read_text() == report.status + "\n"


def test_nothing_to_report_is_unknown(tmp_path: Path) -> None:
    assert reports.report(tmp_path / "out").code == 3


def test_no_name_begins_the_performance_data(tmp_path: Path) -> None:
    documents.write(tmp_path, [told("fail", "high") | {"host": "a|b=1"}])
    assert reports.report(tmp_path / "out", tmp_path).status.count("|") == 1


MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


@given(
    st.text(max_size=60)
    | st.sampled_from(["*a*", "__a__", "<b>", "[x](y)", "1. a", "- a", "# a", "> a", "`a`", "~~a~~", "&lt;"])
)
def test_no_text_is_markup(given_text: str) -> None:
    shown = " ".join(display(given_text).split()) or "x"
    rendered = MARKDOWN.render(f"- before: {in_markdown(shown)}\n")
    inside = re.fullmatch(r"<ul>\n<li>(.*)</li>\n</ul>\n", rendered, re.DOTALL)
    assert inside, rendered
    assert "<" not in inside.group(1), rendered
    assert html.unescape(inside.group(1)) == f"before: {shown}"
    cells = MARKDOWN.render(f"| a | b |\n|---|---|\n| {in_markdown(shown)} | c |\n")
    assert cells.count("<td>") == 2


@given(st.text(max_size=40) | st.sampled_from(["a|b", "`", "``", "a`b", " a ", "\\|", "`a``b`"]))
def test_code_is_shown_as_it_is(given_text: str) -> None:
    shown = " ".join(display(given_text).split()) or "x"
    rendered = MARKDOWN.render(f"- x\n  - {code_in_markdown(shown)}\n")
    (inside,) = re.findall(r"<code>(.*?)</code>", rendered, re.DOTALL)
    assert html.unescape(inside) == shown
    if "\\" not in shown:
        cells = MARKDOWN.render(f"| a | b |\n|---|---|\n| {code_in_markdown(shown, in_cell=True)} | c |\n")
        assert cells.count("<td>") == 2
        assert html.unescape(re.findall(r"<code>(.*?)</code>", cells, re.DOTALL)[0]) == shown


@given(st.text(st.sampled_from("`a<*|_[]() "), max_size=30))
def test_nothing_but_backticks_is_markup_in_prose(given_text: str) -> None:
    shown = " ".join(display(given_text).split()) or "x"
    rendered = MARKDOWN.render(f"- before: {prose_in_markdown(shown)}\n")
    assert set(re.findall(r"<(/?\w+)", rendered)) <= {"ul", "/ul", "li", "/li", "code", "/code"}
    shown_text = html.unescape(re.sub("<.*?>", "", rendered)).strip()
    assert shown_text.replace("`", "").replace(" ", "") == "before:" + shown.replace("`", "").replace(" ", "")


def test_backticks_are_code_in_the_summary(tmp_path: Path) -> None:
    finding = documents.finding(
        "PBS-ATIME-01", "tank", "fail", message="`noatime` is *live*.", remedy="Run `mount -o remount`."
    )
    documents.write(tmp_path / "in", [documents.whole("pbs1", ["tank"], [finding], documents.START)])
    rendered = MARKDOWN.render(Path(reports.report(tmp_path / "out", tmp_path / "in").paths["summary.md"]).read_text())
    assert rendered.count("<code>mount -o remount</code>") == 2
    assert "<code>noatime</code> is *live*." in rendered
    assert "`" not in rendered


def test_the_summary_is_a_document_of_tables_and_lists(tmp_path: Path) -> None:
    documents.write(tmp_path / "in", [documents.document(number, badness=0.3) for number in range(1, 9)])
    path = reports.report(
        tmp_path / "out",
        tmp_path / "in",
        tmp_path / "nothing",
        waivers=[{"control": "PBS-ATIME-04", "host": "gone*", "justification": "*old*", "until": "2027-01-01"}],
    ).paths["summary.md"]
    rendered = MARKDOWN.render(Path(path).read_text())
    assert rendered.count("<table>") == 4
    assert [re.sub("<.*?>", "", item) for item in re.findall("<h2>.*?</h2>", rendered)] == [
        "Hosts",
        "The next garbage collection",
        "Findings",
        "Waivers",
        "Left out",
    ]
    assert "*old*" in rendered
