# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""report.html: one file that needs nothing but a browser.

What can be said without a script (the numbers, the hosts, worst first) is plain HTML. For the rest the page carries the
fleet in a compact form: a character for each cell of the matrix, every problem with its message, and for each host one
line of compressed JSON with all that its findings say, which is unpacked when somebody looks at it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import typing as t
import zlib
from html import escape
from urllib.parse import quote

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import SEVERITIES
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.controls import scope_of
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats import status
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.base import (
    FLEET,
    Context,
    Format,
    HostPart,
    Item,
    quoted,
    to_json,
)
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.trend import chart
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.model import STATUS_ORDER, Finding

ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
NOT_ASKED = "."
_STATUS_INDEX = {name: number for number, name in enumerate(STATUS_ORDER)}
_SEVERITY_INDEX = {name: number for number, name in enumerate(SEVERITIES)}
_QUIET = ("pass", "skip")
_PAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "page")
_WORST_HOSTS = 12
_WORDS = {
    "fail": "failed",
    "unknown": "unknown",
    "warn": "warnings",
    "waived": "waived",
    "fixed": "fixed",
    "pass": "passed",
    "skip": "skipped",
}
_STATE_WORDS = {"fail": "failed", "unknown": "unknown", "warn": "with warnings", "ok": "fine"}
_VERDICTS = {
    status.OK: "No host has a problem.",
    status.WARNING: "Nothing urgent, but something to look at.",
    status.CRITICAL: "The next garbage collection is not safe everywhere.",
    status.UNKNOWN: "Not everything could be judged.",
}


def for_script(value: t.Any) -> str:
    """JSON that may stand in a script element: ASCII, and nothing in it ends the element or begins a comment."""
    return to_json(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


_LARGE = re.compile(r"(?<![.\d])\d{16}")
_LARGEST = 2**53


def _exact(item: Item) -> str:
    """The evidence for a script, whose numbers are exact up to 2^53 only: larger ones (times in ns) become text."""
    text = item.evidence or "null"
    return to_json(_as_text(item.finding.evidence)) if _LARGE.search(text) else text


def _as_text(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: _as_text(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_text(inner) for inner in value]
    return str(value) if isinstance(value, int) and abs(value) > _LARGEST else value


def _asset(name: str) -> str:
    with open(os.path.join(_PAGE, name), encoding="utf-8") as stream:
        return stream.read().strip() + "\n"


def _hash(text: str) -> str:
    """For the policy of the page: only this very text may run."""
    return "'sha256-%s'" % base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


class Html(Format):
    filename = "report.html"

    def begin(self) -> None:
        controls = self.fleet.controls
        self._control_index = {control.id: number for number, control in enumerate(controls)}
        self._hosts: t.List[t.Any] = []
        self._problems: t.List[int] = []
        self._strings: t.Dict[str, int] = {"": 0}
        style, script, page = _asset("page.css"), _asset("page.js"), _asset("page.html")
        self._script = script
        parts = {
            "STYLE": style,
            "POLICY": "default-src 'none'; style-src %s; script-src %s; base-uri 'none'; form-action 'none'; "
            "require-trusted-types-for 'script'" % (_hash(style), _hash(script)),
            "GENERATED": escape(self.fleet.generated),
            "GENERATED_WORDS": escape(self.fleet.generated[:19].replace("T", " ") + " UTC"),
            "VERSION": escape(self.context.version),
            **_glance(self.context),
            "WORST": _worst(self.context),
            "TREND": chart(self.context.trend),
            "WAIVERS": _waivers(self.context),
            "LEFT_OUT": _left_out(self.context),
        }
        before, after = page.split("<!--DATA-->")
        self._after, self._parts = after, parts
        self.stream.write(_fill(before, parts))
        self.stream.write('<script type="text/plain" id="details">\n')

    def about_fleet(self, items: t.Sequence[Item]) -> None:
        self._add(FLEET, "", "", "", [], items, True)

    def host(self, part: HostPart) -> None:
        stores = part.host.datastores
        self._add(
            part.host.name, part.host.finished, part.host.pbs_version, part.host.reason, stores, part.items, False
        )

    def _add(
        self,
        name: str,
        finished: str,
        pbs_version: str,
        reason: str,
        stores: t.List[str],
        items: t.Sequence[Item],
        is_fleet: bool,
    ) -> None:
        number = len(self._hosts)
        places = {"": 0, **{store: place for place, store in enumerate(stores, 1)}}
        columns = len(self._control_index)
        cells = [NOT_ASKED] * (columns * len(places))
        ranks = [len(STATUS_ORDER)] * len(cells)
        details = []
        for item in items:
            finding = item.finding
            place = places[finding.datastore]
            control = self._control_index[finding.control]
            state = _STATUS_INDEX[finding.status]
            severity = _SEVERITY_INDEX[finding.severity]
            cell = place * columns + control
            if state < ranks[cell]:
                ranks[cell] = state
                cells[cell] = ALPHABET[state * len(SEVERITIES) + severity]
            details.append(
                "[%d,%d,%d,%d,%s,%s,%s,%s,%s]"
                % (
                    place,
                    control,
                    state,
                    severity,
                    quoted(finding.message),
                    quoted(finding.remedy),
                    _exact(item),
                    to_json(finding.waiver) if finding.waiver else "null",
                    quoted(finding.since),
                )
            )
            if finding.status not in _QUIET:
                self._problem(number, place, control, state, severity, finding)
        self._hosts.append([name, finished, pbs_version, reason, stores, "".join(cells), int(is_fleet)])
        packed = zlib.compressobj(6, zlib.DEFLATED, -15)
        data = packed.compress(("[%s]" % ",".join(details)).encode()) + packed.flush()
        self.stream.write(base64.b64encode(data).decode() + "\n")

    def _problem(self, number: int, place: int, control: int, state: int, severity: int, finding: Finding) -> None:
        self._problems += (
            number,
            place,
            control,
            state,
            severity,
            self._string(finding.message),
            self._string(finding.remedy),
        )

    def _string(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))

    def end(self) -> None:
        data = {
            "generated": self.fleet.generated,
            "statuses": STATUS_ORDER,
            "words": _WORDS,
            "severities": SEVERITIES,
            "alphabet": ALPHABET,
            "controls": [
                [
                    control.id,
                    control.title,
                    control.severity,
                    scope_of(control),
                    control.why,
                    control.behaviour,
                    control.standards,
                ]
                for control in self.fleet.controls
            ],
            "hosts": self._hosts,
            "strings": list(self._strings),
            "problems": self._problems,
        }
        self.stream.write('</script>\n<script type="application/json" id="fleet">')
        self.stream.write(for_script(data))
        self.stream.write("</script>\n<script>%s</script>\n" % self._script)
        # What was mended in this very run is known only now.
        self.stream.write(_fill(self._after.lstrip("\n"), dict(self._parts, FIXED=_fixed(self.context))))


def _prose(text: str) -> str:
    """Text as HTML; `words in backticks` are code."""
    parts = text.split("`")
    marked = [
        "<code>%s</code>" % escape(part)
        if number % 2 and number < len(parts) - 1
        else "`" * (number % 2) + escape(part)
        for number, part in enumerate(parts)
    ]
    return "".join(marked)


def _fill(page: str, parts: t.Mapping[str, str]) -> str:
    """Put the parts into the page; what is in a part is not looked at again."""
    pieces = page.split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:
        name, _end, rest = piece.partition("}}")
        filled.append(parts[name] + rest)
    return "".join(filled)


# --- what needs no script ---------------------------------------------------------------------------------------------


def _glance(context: Context) -> t.Dict[str, str]:
    fleet = context.fleet
    counts = fleet.counts
    code = status.code(fleet, context.fail_on, context.fail_on_unknown)
    states = fleet.hosts_by_state()
    tiles = "".join(
        '<li class="tile s-%s"><b>%s</b> <span>%s</span></li>' % (name, format(counts[name], ","), _WORDS[name])
        for name in STATUS_ORDER
    )
    total = len(fleet.hosts) or 1
    states_bar = "".join(
        '<rect class="s-%s" x="%.3f" width="%.3f" height="10"/>' % (state, 100 * before / total, 100 * number / total)
        for state, before, number in _running(states)
        if number
    )
    legend = "".join(
        '<li class="s-%s"><i aria-hidden="true"></i>%s %s</li>' % (state, format(number, ","), _STATE_WORDS[state])
        for state, number in states.items()
        if number
    )
    return {
        "STATE": ("ok", "warn", "fail", "unknown")[code],
        "VERDICT": escape(_VERDICTS[code]),
        "HOSTS": _many(len(fleet.hosts), "host"),
        "DATASTORES": _many(fleet.totals()["datastores"], "datastore"),
        "FINDINGS": _many(counts.total, "finding"),
        "TILES": tiles,
        "BAR": states_bar,
        "LEGEND": legend or "<li>There is no host in this report.</li>",
    }


def _running(states: t.Mapping[str, int]) -> t.Iterator[t.Tuple[str, int, int]]:
    before = 0
    for state, number in states.items():
        yield state, before, number
        before += number


def _many(number: int, word: str) -> str:
    return "%s %s" % (format(number, ","), word if number == 1 else word + "s")


def _worst(context: Context) -> str:
    problems = [host for host in context.fleet.worst_first if host.counts.state != "ok"]
    if not problems:
        return '<p class="none">No host has anything to mend.</p>'
    rows = []
    for host in problems[:_WORST_HOSTS]:
        counts = host.counts
        first = min(host.stores, key=lambda store: store.first_rank)
        where = " <small>(%s)</small>" % escape(first.name) if first.name else ""
        rows.append(
            '<tr><th scope="row"><a href="#host=%s">%s</a></th><td><span class="pill s-%s">%s</span></td>'
            "<td>%d</td><td>%d</td><td>%d</td><td>%s%s</td></tr>"
            % (
                quote(host.name, safe=""),
                escape(host.name),
                counts.state,
                escape(counts.worst or _STATE_WORDS[counts.state]),
                counts["fail"],
                counts["unknown"],
                counts["warn"],
                _prose(first.first),
                where,
            )
        )
    more = ""
    if len(problems) > _WORST_HOSTS:
        more = '<p class="more">and %s more below.</p>' % _many(len(problems) - _WORST_HOSTS, "host")
    return (
        '<div class="scroll" tabindex="0" role="region" aria-labelledby="worst-title"><table class="plain worst"><thead><tr>'
        '<th scope="col">Host</th><th scope="col">Worst</th><th scope="col">Failed</th>'
        '<th scope="col">Unknown</th><th scope="col">Warnings</th><th scope="col">First remedy</th></tr></thead>'
        "<tbody>%s</tbody></table></div>%s" % ("".join(rows), more)
    )


def _fixed(context: Context) -> str:
    fixed = context.fixed()
    if not fixed:
        return ""
    rows = "".join(
        "<li><b>%s</b> on %s%s, seen first on %s</li>"
        % (
            escape(item["control"]),
            escape(item["host"]),
            "/" + escape(item["datastore"]) if item["datastore"] else "",
            escape(item["first_seen"][:10]),
        )
        for item in fixed
    )
    return (
        '<section aria-labelledby="fixed-title" class="card"><h2 id="fixed-title">Mended since the run before</h2>'
        "<ul>%s</ul></section>" % rows
    )


def _waivers(context: Context) -> str:
    if not context.fleet.waivers:
        return ""
    rows = []
    for use in context.fleet.waivers:
        fields = {key: escape(str(value)) for key, value in use.as_dict().items()}
        kind = {"expired": "fail", "unused": "warn"}.get(use.state, "waived")
        rows.append(
            '<tr><th scope="row">%s</th><td>%s / %s</td><td><time datetime="%s">%s</time></td>'
            '<td><span class="pill s-%s">%s</span></td><td>%s</td><td>%s</td></tr>'
            % (
                fields["control"],
                fields["host"],
                fields["datastore"],
                fields["until"],
                fields["until"],
                kind,
                fields["state"],
                fields["hosts"],
                fields["justification"],
            )
        )
    return (
        '<section aria-labelledby="waivers-title" class="card"><h2 id="waivers-title">Waivers</h2>'
        '<div class="scroll" tabindex="0" role="region" aria-labelledby="waivers-title">'
        '<table class="plain"><thead><tr><th scope="col">Control</th><th scope="col">Host / datastore</th>'
        '<th scope="col">Until</th><th scope="col">State</th><th scope="col">Hosts</th><th scope="col">Because</th>'
        "</tr></thead><tbody>%s</tbody></table></div></section>" % "".join(rows)
    )


def _left_out(context: Context) -> str:
    if not context.fleet.left_out:
        return ""
    rows = "".join("<li><b>%s</b>: %s</li>" % (escape(path), escape(why)) for path, why in context.fleet.left_out)
    return (
        '<section aria-labelledby="left-title" class="card alert"><h2 id="left-title">Left out</h2>'
        "<p>These could not be used, so what they say is not in this report:</p><ul>%s</ul></section>" % rows
    )
