# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes all formats of a report in one pass over the documents, and puts them in place when all are whole."""

from __future__ import annotations

import contextlib
import dataclasses
import filecmp
import functools
import os
import sqlite3
import tempfile
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.document import timestamp
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display
from ansible_collections.fleetops.pbs.plugins.module_utils._version import VERSION
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report import documents
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report import fleet as fleet_module
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.fleet import CLOCK_TOLERANCE, Fleet, Inputs
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats import status
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.base import Context, Format, HostPart, Item
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.html import Html
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.junit import JUnit
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.metrics import Metrics
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.oscal import Oscal
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.report_csv import ReportCsv
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.report_json import ReportJson
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.sarif import Sarif
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.summary import Summary
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.history import History, HistoryError, remedy
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.model import Host, findings_of

FORMATS: dict[str, type[Format]] = {
    format_.filename: format_
    for format_ in (ReportJson, Html, ReportCsv, JUnit, Sarif, Metrics, Summary, status.Status, Oscal)
}
"""By the names of the files that they write."""

HISTORY = "history.sqlite"


class ReportError(Exception):
    """The report cannot be made; the message names the file and the reason."""


@dataclasses.dataclass(frozen=True)
class Order:
    """What is wanted."""

    inputs: Inputs
    dest: str
    formats: t.Sequence[str] = tuple(FORMATS)
    history: str | None = None
    """The path of the history; None: beside the report; empty: none."""
    history_days: int = 365
    name: str = ""
    """Tells this report apart from others; empty where it is the only one."""
    fail_on: str = "high"
    fail_on_unknown: str = "critical"


@dataclasses.dataclass
class Report:
    fleet: Fleet
    paths: dict[str, str]
    """Where each format is."""
    changed: list[str]
    """The formats whose file has changed."""
    code: int
    status: str
    history: str = ""
    warnings: list[str] = dataclasses.field(default_factory=list)


def own_outputs(dest: str) -> frozenset[str]:
    """The real paths of what a report writes to `dest`, so that it is not read as a document."""
    return frozenset(os.path.realpath(os.path.join(dest, name)) for name in FORMATS)


def make(order: Order, now: float, write: bool = True) -> Report:
    """Gather, and write every format. Without `write` nothing is written, and the paths are those that would be.

    Raises `ReportError`. A history that cannot be used is a warning.
    """
    inputs = dataclasses.replace(order.inputs, own_outputs=own_outputs(order.dest))
    fleet = fleet_module.gather(inputs, now)
    report = Report(
        fleet=fleet,
        paths={name: os.path.join(order.dest, name) for name in order.formats},
        changed=[],
        code=status.code(fleet, order.fail_on, order.fail_on_unknown),
        status="",
    )
    context = Context(fleet, VERSION, order.fail_on, order.fail_on_unknown, display(order.name))
    report.status = status.line(context)
    if not write:
        return report
    try:
        os.makedirs(order.dest, exist_ok=True)
    except OSError as exc:
        raise ReportError(f"the directory '{order.dest}' cannot be made: {exc.strerror}") from exc
    try:
        report.changed = _write_remembering(context, order, report, timestamp(now + CLOCK_TOLERANCE))
    except HistoryError as exc:
        report.history = ""
        report.warnings.append(f"{exc}. The report has neither trend nor times of first sight.")
        report.changed = _write(context, order, None)
    return report


def _write_remembering(context: Context, order: Order, report: Report, latest: str) -> list[str]:
    """Write with the history, if one is wanted. Raises `HistoryError`; the entries of this run are then dropped.

    Nothing in it can be from after `latest`.
    """
    path = os.path.join(order.dest, HISTORY) if order.history is None else order.history
    if not path:
        return _write(context, order, None)
    history = History(path)
    try:
        healed = history.heal(latest)
        history.start(context.fleet, order.history_days)
        trend = history.trend()
        fixed = functools.partial(_recently_fixed, history, trend)
        changed = _write(dataclasses.replace(context, trend=trend, fixed=fixed), order, history)
        history.keep()
    except sqlite3.Error as exc:
        raise HistoryError(f"the history '{path}' cannot be written: {exc}{remedy(exc)}") from exc
    finally:
        history.drop()
    report.history = path
    if healed:
        report.warnings.append(f"{healed}.")
    return changed


def _recently_fixed(history: History, trend: t.Sequence[t.Mapping[str, t.Any]]) -> list[dict[str, str]]:
    """What was fixed since the run before this one."""
    return history.fixed_since(trend[-2]["generated"]) if len(trend) > 1 else []


# --- the pass ---------------------------------------------------------------------------------------------------------


def _write(context: Context, order: Order, history: History | None) -> list[str]:
    """All formats or none of them; the names of those that changed."""
    try:
        with contextlib.ExitStack() as stack:
            files = [
                stack.enter_context(_NewFile(os.path.join(order.dest, name), FORMATS[name].mode))
                for name in order.formats
            ]
            formats = [FORMATS[file.name](file.stream, context) for file in files]
            _pass(context.fleet, formats, history)
            return [file.name for file in files if file.finish()]
    except OSError as exc:
        raise ReportError(f"the report cannot be written to '{order.dest}': {exc.strerror or exc}") from exc


def _pass(fleet: Fleet, formats: t.Sequence[Format], history: History | None) -> None:
    for format_ in formats:
        format_.begin()
    if fleet.findings:
        items = [Item(finding) for finding in fleet.findings]
        for format_ in formats:
            format_.about_fleet(items)
    for host in fleet.hosts:
        document = _again(host)
        findings = list(findings_of(host.name, document)) if document is not None else [host.missing()]
        if history is not None:
            findings = history.note(host, findings)
        part = HostPart(host, [Item(finding) for finding in findings], document)
        for format_ in formats:
            format_.host(part)
    for format_ in formats:
        format_.end()


def _again(host: Host) -> documents.Json | None:
    """The document of a host, read for the second time."""
    if host.place is None:
        return None
    try:
        document = documents.load(host.place)
    except (documents.NotADocument, OSError) as exc:
        raise ReportError(f"'{host.place.path}' changed while the report was made: {exc}") from exc
    if document["finished"] != host.finished:
        raise ReportError(f"'{host.place.path}' changed while the report was made; make it again")
    return document


class _NewFile:
    """A file beside the old one, which takes its place when it is whole."""

    def __init__(self, path: str, mode: int) -> None:
        self.path = path
        self.mode = mode
        self.name = os.path.basename(path)

    def __enter__(self) -> _NewFile:
        # Created under a new, unpredictable name: other users may be able to write to the directory.
        descriptor, self._temporary = tempfile.mkstemp(
            dir=os.path.dirname(self.path) or ".", prefix=f".{self.name}.", suffix=".tmp"
        )
        mask = os.umask(0)
        os.umask(mask)
        os.fchmod(descriptor, self.mode & ~mask)
        self.stream: t.TextIO = os.fdopen(descriptor, "w", encoding="utf-8", newline="", buffering=1 << 18)
        return self

    def finish(self) -> bool:
        """Whether there is something new."""
        self.stream.close()
        try:
            same = filecmp.cmp(self._temporary, self.path, shallow=False)
        except OSError:
            same = False
        if not same:
            os.replace(self._temporary, self.path)
        return not same

    def __exit__(self, *exc_info: object) -> None:
        self.stream.close()
        with contextlib.suppress(OSError):
            os.unlink(self._temporary)
