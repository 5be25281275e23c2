# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page: closed to scripts and markup from outside, usable by keyboard, and fast for a large fleet.

In a real browser (Chromium, headless); what it finds wrong in the page's policy fails a test.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import CONTROLS
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report import controls
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.documents import Run
from ansible_collections.fleetops.pbs.tests.support import browser, documents, reports

READY = "document.documentElement?.dataset.readyMs"
ROOT = Path(__file__).resolve().parents[5]


@pytest.fixture(scope="module")
def page() -> Iterator[browser.Page]:
    if browser.program() is None:
        pytest.skip("no Chromium (Debian package: chromium)")
    with browser.opened() as opened:
        yield opened


def show(page: browser.Page, path: Path, fragment: str = "", width: int = 1360, scheme: str = "light") -> None:
    page.complaints.clear()
    page.requests.clear()
    page.look_like(width, 900, scheme)
    page.open(path, fragment, READY)


def made(tmp_path: Path, found: list[dict[str, Any]], **options: Any) -> Path:
    for number, document in enumerate(found):
        documents.write(tmp_path / "in" / str(number), [document | {"host": f"file{number}"}])
        (path,) = (tmp_path / "in" / str(number)).iterdir()
        path.write_text(json.dumps(document))
    options = {"formats": ["report.html"], **options}
    report = reports.report(tmp_path / "out", merge=[str(tmp_path / "in" / "*")], **options)
    return Path(report.paths["report.html"])


def test_the_page_asks_for_nothing_and_allows_nothing(tmp_path: Path) -> None:
    text = made(tmp_path, [documents.document(1)]).read_text()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', text)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    for name, inner in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    addresses = re.findall(
        r"""(?:src|href)=["']?([^"'>]*)""", re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    )
    assert addresses
    # Nothing is loaded. Somebody may follow a link to the documentation; the page itself does not.
    documentation = {controls.documentation_of(control) for control in controls.KNOWN}
    assert all(address.startswith("#") or address in documentation for address in addresses)
    assert not re.findall(r"\ssrc\s*=", re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL))


HOSTILE = (
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "--><svg onload=document.title='owned'>",
    "a\u2028b\u2029</title><h1>",
    "' onmouseover='document.title=1' x='",
    "{{POLICY}}<!--DATA-->",
)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(" ".join([tag, *sorted(name for name, _value in attrs)]))


def hostile_fleet(texts: tuple[str, ...]) -> list[dict[str, Any]]:
    waiver = {"control": "PBS-ATIME-02", "host": "*", "datastore": "*", "until": "2027-01-01"}
    found = []
    for number, text in enumerate(texts):
        store = "tank" + text
        told = [
            documents.finding(
                "PBS-ATIME-01", store, "fail", message=text, remedy=text, evidence={text: [text, {text: text}]}
            ),
            documents.finding("PBS-ATIME-02", store, "waived", message=text, waiver={**waiver, "justification": text}),
            documents.finding("X-01", None, "unknown", message=text),
        ]
        found.append(documents.whole("pbs" + text, [store], told, documents.START + number) | {"pbs_version": text})
    return found


def test_hostile_texts_make_no_tags(tmp_path: Path) -> None:
    waivers = [{"control": "PBS-CONF-05", "host": "gone", "justification": "JUST", "until": "2027-01-01"}]
    tags = []
    for name, texts in (("good", ("plain",) * len(HOSTILE)), ("bad", HOSTILE)):
        given = [{**waiver, "justification": texts[0]} for waiver in waivers]
        path = made(tmp_path / name, hostile_fleet(texts), waivers=given, hosts={"new" + texts[1]: texts[2]})
        parser = Tags()
        parser.feed(path.read_text())
        tags.append(parser.tags)
    assert len(tags[0]) > 100
    good, bad = ([tag for tag in found if tag != "small"] for found in tags)
    # The hosts differ in number (the same name is one host), so only what kinds of tags there are is compared.
    assert set(bad) <= set(good) | {"code"}
    assert tags[1].count("script") == tags[0].count("script")


def test_hostile_texts_are_shown_as_text(page: browser.Page, tmp_path: Path) -> None:
    path = made(tmp_path, hostile_fleet(HOSTILE))
    show(page, path)
    shown = page.run("document.querySelector('#list').textContent")
    assert "document.title='owned'" in shown
    for number in range(len(HOSTILE)):
        page.run(f"document.querySelector('#item-{number}').click()")
        page.wait_for(f"document.querySelector('#item-{number}').getAttribute('aria-selected') === 'true'")
        page.wait_for("document.querySelector('#detail article .evidence, #detail article .message')")
    page.run("document.querySelector('#tab-matrix').click()")
    page.wait_for("document.querySelectorAll('#matrix-body tr').length > 5")
    assert page.run("document.title") == "Preflight report"
    assert page.run("document.querySelectorAll('img, svg[onload], section script').length") == 0
    assert page.complaints == []
    assert page.requests == [path.resolve().as_uri()]


def test_the_policy_stops_what_would_get_through(page: browser.Page, tmp_path: Path) -> None:
    path = made(tmp_path, [documents.document(1)])
    path.write_text(
        path.read_text().replace(
            "<main>", "<main><script>document.title='owned'</script><img src=http://127.0.0.1:9/x>"
        )
    )
    show(page, path)
    assert page.run("document.title") == "Preflight report"
    assert any("Content Security Policy" in text for text in page.complaints)


def test_cells_that_nobody_asked_about_take_no_room(tmp_path: Path) -> None:
    """The matrix has the product of datastores and controls; the page has only what was answered."""
    number = 200
    ids = [control.id for control in CONTROLS if control.scope == "datastore"]
    told = [documents.finding(ids[n % len(ids)], f"store{n}", "fail", severity="high") for n in range(number)]
    path = made(tmp_path, [documents.whole("pbs1", [f"store{n}" for n in range(number)], told, documents.START)])
    fleet, _details = reports.page_data(path)
    (host,) = fleet["hosts"]
    assert len(host["cells"]) < 6 * number
    columns = [control["id"] for control in fleet["controls"]]
    at, found = 0, {}
    for position, part in enumerate(host["cells"].split("~")):
        if position % 2:
            at += int(part)
        else:
            for char in part:
                found[divmod(at, len(columns))] = char
                at += 1
    code = fleet["alphabet"][
        fleet["statuses"].index("fail") * len(fleet["severities"]) + fleet["severities"].index("high")
    ]
    assert found == {(n + 1, columns.index(item["control"])): code for n, item in enumerate(told)}


def test_filters_by_host_status_severity_and_control(page: browser.Page, tmp_path: Path) -> None:
    found = [documents.document(number, badness=0.4) for number in range(1, 13)]
    show(page, made(tmp_path, found))
    told = [(document["host"], item) for document in found for item in document["findings"]]

    def expect(wanted: Any) -> None:
        hits = [pair for pair in told if wanted(*pair)]
        hosts = {host for host, _item in hits}
        plural = ["" if number == 1 else "s" for number in (len(hits), len(hosts))]
        assert page.run("document.querySelector('#count').textContent") == (
            f"{len(hits):,} finding{plural[0]} on {len(hosts):,} host{plural[1]}"
        )

    problems = ("fail", "unknown", "warn")
    expect(lambda _host, item: item["status"] in problems)
    page.run("document.querySelector('#statuses .s-warn').click()")
    expect(lambda _host, item: item["status"] in ("fail", "unknown"))
    page.run("document.querySelector('#statuses .s-pass').click()")
    expect(lambda _host, item: item["status"] in ("fail", "unknown", "pass"))
    page.run("document.querySelector('#reset').click()")
    page.run(
        "[...document.querySelectorAll('#severities button')].find((one) => one.textContent.startsWith('critical')).click()"
    )
    expect(lambda _host, item: item["status"] in problems and item["severity"] != "critical")
    page.run("document.querySelector('#reset').click()")

    def enter(selector: str, event: str, value: str) -> None:
        page.run(
            f"(() => {{ const e = document.querySelector('{selector}'); e.value = {value}; e.dispatchEvent(new Event('{event}')); }})()"
        )

    enter("#text", "input", "'pbs1'")
    expect(lambda host, item: item["status"] in problems and host.startswith("pbs1"))
    enter("#text", "input", "'\"pbs1\"'")
    expect(lambda host, item: item["status"] in problems and host == "pbs1")
    enter("#text", "input", "'vault'")
    expect(lambda _host, item: item["status"] in problems and item["datastore"] == "vault")
    enter("#text", "input", "''")
    enter("#control", "change", "[...e.options].find((one) => one.text.startsWith('PBS-MOUNT-02')).value")
    expect(lambda _host, item: item["status"] in problems and item["control"] == "PBS-MOUNT-02")
    assert "control=PBS-MOUNT-02" in page.run("location.hash")


def test_an_address_leads_to_a_finding(page: browser.Page, tmp_path: Path) -> None:
    evidence = {"atime_ns": 1795368886061350381, "path": "/mnt/datastore/tank"}
    told = [documents.finding("PBS-ATIME-01", "tank", "fail", message="No.", remedy="Run `x`.", evidence=evidence)]
    path = made(tmp_path, [documents.whole("pbs 1/ä", ["tank"], told, documents.START)])
    show(page, path, "#finding=pbs%25201%252F%25C3%25A4%2Ftank%2FPBS-ATIME-01")
    page.wait_for("document.querySelector('#detail article')")
    shown = page.run("document.querySelector('#detail').textContent")
    assert "No." in shown
    assert "1795368886061350381 (2026-11-22 17:34:46.061350381 UTC)" in shown
    assert page.run("document.querySelector('#detail .remedy code').textContent") == "x"


def test_everything_is_reached_by_keyboard(page: browser.Page, tmp_path: Path) -> None:
    show(page, made(tmp_path, [documents.document(number, badness=0.4) for number in range(1, 13)]), width=800)
    page.run("document.querySelector('#list').focus()")
    page.key("ArrowDown")
    page.key("ArrowDown")
    assert page.run("document.querySelector('#list').getAttribute('aria-activedescendant')") == "item-1"
    page.key("Enter", "\r")
    page.wait_for("document.activeElement.id === 'detail' && !document.querySelector('#detail').hidden")
    page.key("Escape")
    page.wait_for("document.querySelector('#detail').hidden && document.activeElement.id === 'list'")
    page.run("document.querySelector('#tab-list').focus()")
    page.key("ArrowRight")
    assert page.run("document.activeElement.id") == "tab-matrix"
    page.run("document.querySelector('#matrix td[tabindex=\"0\"]').focus()")
    page.key("ArrowDown")
    page.key("ArrowRight")
    assert page.run("[document.activeElement.dataset.line, document.activeElement.dataset.column]") == ["1", "1"]
    page.key("End")
    page.key("Home")
    page.key("Enter", "\r")
    page.wait_for("!document.querySelector('#detail').hidden")
    page.key("Escape")
    assert page.run("document.activeElement.dataset.line") == "1"
    assert page.complaints == []


def test_every_sign_has_words(page: browser.Page, tmp_path: Path) -> None:
    show(page, made(tmp_path, [documents.document(1, badness=0.4)]), "#view=matrix")
    assert page.run(
        "[...document.querySelectorAll('#matrix td[data-line]')].every((cell) => cell.getAttribute('aria-label'))"
    )
    unnamed = (
        "[...document.querySelectorAll('button, input, select')]"
        ".filter((e) => !(e.textContent.trim() || e.labels?.length || e.getAttribute('aria-label')))"
    )
    assert page.run(f"{unnamed}.length") == 0
    assert page.run("document.documentElement.lang") == "en"


@pytest.mark.parametrize("width", [360, 1360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_and_nothing_sticks_out(page: browser.Page, tmp_path: Path, width: int, scheme: str) -> None:
    show(
        page,
        made(tmp_path, [documents.document(number, badness=0.4) for number in range(1, 9)]),
        width=width,
        scheme=scheme,
    )
    assert page.run("document.documentElement.scrollWidth") <= width
    # The contrast of every pill, tile and chip with what is behind it: 4.5 is what WCAG 2 asks of text.
    worst = page.run(
        """(() => {
          const channel = (v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
          const light = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
          const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
          const behind = (e) => {
            for (; e; e = e.parentElement) {
              const colour = rgb(getComputedStyle(e).backgroundColor);
              if (colour.length < 4 || colour[3] > 0) return colour;
            }
            return [255, 255, 255];
          };
          const kinds = '.pill, .tile b, .tile span, .chips button, .sub, .text, th, td, p';
          return Math.min(...[...document.querySelectorAll(kinds)].map((e) => {
            const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
            return (a + .05) / (b + .05);
          }));
        })()"""
    )
    assert worst >= 4.5


def test_it_prints_what_is_filtered(page: browser.Page, tmp_path: Path) -> None:
    show(page, made(tmp_path, [documents.document(number, badness=0.4) for number in range(1, 9)]))
    count = int(page.run("document.querySelector('#count').textContent").split()[0])
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert page.run("document.querySelectorAll('#print-list article').length") == count
    assert page.run("document.querySelectorAll('details:not([open])').length") == 0
    page.run("dispatchEvent(new Event('afterprint'))")
    assert page.run("document.querySelectorAll('details[open]').length") == 0
    page.print_to(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


def texts(page: browser.Page, selector: str) -> list[str]:
    return list(page.run(f"[...document.querySelectorAll({selector!r})].map((e) => e.textContent)"))


def test_everything_is_printed(page: browser.Page, tmp_path: Path) -> None:
    """No "and 7 more below": who reads paper has nothing below."""
    hosts = [documents.document(number, badness=0.6) for number in range(1, 31)]
    show(page, made(tmp_path, hosts))
    rows = (
        "[...document.querySelectorAll('.worst tbody tr')].filter((e) => getComputedStyle(e).display !== 'none').length"
    )
    problems = page.run("document.querySelectorAll('.worst tbody tr').length")
    assert problems == 30
    assert page.run(rows) == 12
    page.run("document.querySelector('label[for=all-hosts]').click()")
    assert page.run(rows) == 30
    page.run("document.querySelector('label[for=all-hosts]').click()")
    page.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert page.run(rows) == 30
        assert page.run("getComputedStyle(document.querySelector('label[for=all-hosts]')).display") == "none"
        count = int(page.run("document.querySelector('#count').textContent").split()[0])
        page.run("dispatchEvent(new Event('beforeprint'))")
        assert count > 100
        assert page.run("document.querySelectorAll('#print-list article').length") == count
        page.run("dispatchEvent(new Event('afterprint'))")
        page.run("document.querySelector('#tab-matrix').click(); dispatchEvent(new Event('beforeprint'))")
        assert page.run("document.querySelectorAll('#matrix-body tr:not(.space)').length") == 30
    finally:
        page.call("Emulation.setEmulatedMedia", media="")


def test_hosts_have_one_order_everywhere(page: browser.Page, tmp_path: Path) -> None:
    told = {
        "pbs1": ("warn", "low"), "pbs2": ("fail", "high"), "pbs10": ("fail", "critical"), "pbs3": ("fail", "high"),
        "pbs4": ("unknown", "critical"), "pbs5": ("pass", "high"),
    }  # fmt: skip
    found = [
        documents.whole(
            host,
            ["tank"],
            [
                documents.finding("PBS-ATIME-01", "tank", status, severity=severity),
                documents.finding("PBS-HOST-01", None, "warn", severity="low"),
                *([documents.finding("PBS-HOST-02", None, "fail", severity="high")] if host == "pbs3" else []),
            ],
            documents.START,
        )
        for host, (status, severity) in told.items()
    ]
    order = ["pbs10", "pbs3", "pbs2", "pbs4", "pbs1", "pbs5"]
    path = made(tmp_path, found, formats=["report.html", "summary.md", "status.txt"])
    show(page, path)
    assert texts(page, ".worst tbody th") == order
    warned = "[...document.querySelectorAll('.item.s-warn.s-warn')]"
    names = page.run(
        warned
        + ".filter((e) => e.textContent.includes('PBS-HOST-01')).map((e) => e.querySelector('.where').textContent)"
    )
    assert names == order
    page.run("document.querySelector('#tab-matrix').click()")
    assert texts(page, "#matrix-body th span:not(.fold)") == order
    summary = (path.parent / "summary.md").read_text()
    assert re.findall(r"^\| (pbs\d+) ", summary, re.MULTILINE) == order
    of_one_kind = re.findall(r"\*\*(pbs\d+)\*\* PBS\\-HOST\\-01|\*\*(pbs\d+)\*\* PBS-HOST-01", summary)
    assert ["".join(pair) for pair in of_one_kind] == order


def test_the_page_gives_what_is_filtered_as_csv(page: browser.Page, tmp_path: Path) -> None:
    found = [documents.document(number, badness=0.4) for number in range(1, 6)]
    hostile = documents.finding(
        "PBS-ATIME-01",
        "=1+1",
        "fail",
        message='a "b", c',
        remedy="@x",
        commands=["one", "two 'a b'"],
        evidence={"a": "é"},
    )
    found.append(documents.whole("-pbs9", ["=1+1"], [hostile], documents.START))
    path = made(
        tmp_path,
        found,
        formats=["report.html", "report.csv"],
        hosts={"pbs77": "unreachable"} | {d["host"]: "" for d in found},
    )
    show(page, path, "#status=fail,unknown,pass")
    page.run("URL.createObjectURL = (blob) => { window.made = blob; return 'blob:nothing'; }")
    page.run("HTMLAnchorElement.prototype.click = function () { window.named = this.download; }")
    page.run("document.querySelector('#csv').click()")
    page.wait_for("window.named")
    assert page.run("window.named") == "findings.csv"
    given = list(csv.reader(io.StringIO(page.run("window.made.text()")), strict=True))
    with (path.parent / "report.csv").open(newline="") as stream:
        expected = list(csv.reader(stream, strict=True))
    assert given[0] == expected[0]
    kept = [row for row in expected[1:] if row[3] in ("fail", "unknown", "pass")]
    assert len(kept) > 100

    def comparable(rows: list[list[str]]) -> list[tuple[Any, ...]]:
        return sorted((*row[:-1], json.dumps(json.loads(row[-1] or "null"), sort_keys=True)) for row in rows)

    # Times in ns are text in the page, since a script has no numbers for them.
    assert [row[:-1] for row in comparable(given[1:])] == [row[:-1] for row in comparable(kept)]
    assert page.complaints == []


def test_a_command_stands_on_its_own_line_and_can_be_copied(page: browser.Page, tmp_path: Path) -> None:
    commands = ["mount -o remount,rw '/mnt/a b'", "chown -h backup:backup /x"]
    told = [documents.finding("PBS-ATIME-01", "tank", "fail", remedy="Do it.", commands=commands)]
    show(page, made(tmp_path, [documents.whole("pbs1", ["tank"], told, documents.START)]))
    assert texts(page, ".worst code.command") == commands
    page.run("document.querySelector('.item').click()")
    page.wait_for("document.querySelector('#detail .command')")
    assert texts(page, "#detail code.command") == commands
    assert page.run("getComputedStyle(document.querySelector('#detail .command')).fontFamily").startswith(
        "ui-monospace"
    )
    assert page.run("getComputedStyle(document.querySelector('#detail .command')).whiteSpace") == "pre"
    tops = page.run("[...document.querySelectorAll('#detail .command')].map((e) => e.getBoundingClientRect().top)")
    assert tops[0] < tops[1]
    page.run("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    page.run("document.querySelectorAll('#detail .copy')[1].click()")
    page.wait_for("window.copied")
    assert page.run("window.copied") == commands[1]
    page.wait_for("document.querySelectorAll('#detail .copy')[1].textContent === 'Copied'")


def test_waivers_can_be_read_on_a_phone(page: browser.Page, tmp_path: Path) -> None:
    waivers = [
        {
            "control": "PBS-CONF-05",
            "host": "pbs*",
            "justification": "w" * 20 + " and more words" * 9,
            "until": "2027-01-01",
        }
    ]
    path = made(tmp_path, [documents.document(1)], waivers=waivers)
    for width in (320, 390):
        show(page, path, width=width)
        boxes = page.run(
            "[...document.querySelectorAll('.scroll')].map((e) => [e.getAttribute('aria-labelledby'), e.scrollWidth - e.clientWidth])"
        )
        assert ["waivers-title", 0] in boxes
        assert all(beyond <= 0 for _name, beyond in boxes), boxes
        assert page.run("document.documentElement.scrollWidth") <= width


def test_an_auditor_finds_what_was_asked_of_whom(page: browser.Page, tmp_path: Path) -> None:
    found = [documents.document(number, badness=0) for number in range(1, 4)]
    found[2]["asked"] = {
        **found[2]["asked"],
        "scope": "sample",
        "policy": {"gc_max_age_days": 3.5, "severity": {"PBS-CONF-02": "low"}},
    }
    found[2]["check_mode"] = True
    found[1]["pbs_version"] = "4.1.0"
    path = made(
        tmp_path,
        found,
        hosts={**{document["host"]: "" for document in found}, "pbs9": "unreachable: no route"},
        run=Run("anna", ("inventory/eu.yml",), "pbs*", False),
        fail_on="medium",
        name="eu",
    )
    show(page, path)
    assert page.run("document.title") == "Preflight report: eu"

    def facts(title: str) -> list[str]:
        return texts(page, f"section[aria-labelledby={title}] .facts-list > div")

    asked = " | ".join(" ".join(text.split()) for text in facts("asked-title"))
    for text in (
        "Run by anna", "Inventory inventory/eu.yml", "Limit pbs*", "A failure makes a host unsafe from medium",
        "gc_max_age_days 14", "gc_max_age_days 3.5", "severity PBS-CONF-02: low", "Walk sample of 256 prefix directories",
        "Check mode yes",
    ):  # fmt: skip
        assert text.replace(" ", "") in asked.replace(" ", ""), text
    assert texts(page, "section[aria-labelledby=asked-title] h3") == ["2 hosts: pbs1, pbs2", "1 host: pbs3"]
    coverage = "".join("".join(facts("coverage-title")).split())
    chunks = sum(
        store["observed"]["ownership"]["chunks"]["files"] for document in found for store in document["datastores"]
    )
    for text in (
        "Hosts expected4",
        "Hosts reached3",
        "Datastores6",
        "6 of 6 walked",
        f"Chunks seen{chunks:,}",
        "4.2.0 (2 hosts), 4.1.0 (1 host)",
        "Check mode1 host",
    ):
        assert text.replace(" ", "") in coverage, text
    words = texts(page, ".meanings")
    assert all(severity in words[0] for severity in controls.SEVERITY_MEANINGS)


def test_rates_by_control_and_by_standard(page: browser.Page, tmp_path: Path) -> None:
    told = [
        documents.finding("PBS-HOST-01", None, "pass"),  # AC-6, CP-9
        documents.finding("PBS-HOST-02", None, "fail"),  # AU-8
        documents.finding("PBS-ATIME-01", "a", "warn"),
        documents.finding("PBS-ATIME-01", "b", "pass"),
        documents.finding("PBS-ATIME-01", "c", "skip"),
        *(documents.finding("PBS-ATIME-02", "abc"[n % 3], "fail" if not n else "pass") for n in range(3)),
    ]
    path = made(tmp_path, [documents.whole("pbs1", ["a", "b", "c"], told, documents.START)])
    show(page, path)
    rows = page.run(
        "Object.fromEntries([...document.querySelectorAll('.numbers tbody tr')].map((e) =>"
        " [(e.querySelector('th a') ?? e.querySelector('th')).textContent, [...e.querySelectorAll('td')].map((cell) => cell.textContent.trim())]))"
    )
    assert rows["NIST 800-53 AC-6"][1] == "100.0 %"
    assert rows["NIST 800-53 AU-8"][1] == "0.0 %"
    assert rows["PBS-ATIME-01"][1:] == ["50.0 %", "1", "0", "0", "0", "1", "0", "1"]
    assert rows["PBS-ATIME-02"][1:3] == ["66.6 %", "2"]
    links = page.run(
        "Object.fromEntries([...document.querySelectorAll('.numbers tbody th a')].map((e) => [e.textContent, e.href]))"
    )
    headings = (ROOT / "docs/controls.md").read_text()
    for name, address in links.items():
        assert address.endswith(f"/docs/controls.md#{name.lower()}")
        assert f"\n### {name}\n" in headings
    page.run("document.querySelector('.item').click()")
    page.wait_for("document.querySelector('#detail .doc a')")
    assert page.run("document.querySelector('#detail .doc a').href") in links.values()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The report of 1,000 hosts with 4 datastores each, and what it cost."""
    place = tmp_path_factory.mktemp("large")
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks/report.py"), "--keep", str(place)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / ".collections")},
    )
    return place / "report" / "report.html", done.stdout


FINDINGS = 1000 * sum(1 if control.scope == "host" else 4 for control in CONTROLS if control.id != "PBS-WAIVER-01")
"""On a thousand hosts with four datastores and without waivers."""


def test_a_thousand_hosts_cost_little(large: tuple[Path, str]) -> None:
    _path, told = large
    assert f"{FINDINGS} findings of 1000 hosts, all 9 formats" in told
    (memory,) = re.findall(r"memory +([\d.]+) MiB", told)
    assert float(memory) < 200
    (processor,) = re.findall(r"\(([\d.]+) s of processor\)", told)
    assert float(processor) < 30  # 6 s on an idle machine; the goal is 10 s


def test_a_thousand_hosts_are_filtered_at_once(page: browser.Page, large: tuple[Path, str]) -> None:
    path, _told = large
    show(page, path)
    page.run("document.querySelector('#statuses .s-pass').click()")
    page.run("document.querySelector('#statuses .s-skip').click()")
    assert page.run("document.querySelector('#count').textContent") == f"{FINDINGS:,} findings on 1,000 hosts"
    for view in ("list", "matrix"):
        page.run(f"document.querySelector('#tab-{view}').click()")
        # Measured in the page, layout included; of each the best of twelve, since others use this machine too.
        slowest = page.run(
            """(() => {
              const box = document.querySelector('#text'), best = {};
              for (let round = 0; round < 12; round++) for (const text of ['pbs77', 'pbs1', 'tank', 'p', '']) {
                const begin = performance.now();
                box.value = text;
                box.dispatchEvent(new Event('input'));
                document.body.offsetHeight;
                best[text] = Math.min(performance.now() - begin, best[text] ?? Infinity);
              }
              return Math.max(...Object.values(best));
            })()"""
        )
        assert slowest < 100, view
    # However long the list, only what is seen is in the page.
    assert page.run("document.querySelectorAll('.item').length") < 60
    assert page.run("document.querySelectorAll('#matrix-body tr').length") < 80
