# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What earlier reports said: since when something is wrong, when it was fixed, and the trend. A SQLite file.

An entry belongs to a host, datastore and control. It is opened by the first document that has a problem there, and
closed (`fixed_at`) by the first later document of that host without it. A host without a document changes nothing.
Times are those of the documents, so that the order in which reports are made does not matter, and making one twice
changes nothing.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import sqlite3
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.fleet import Fleet
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.model import PROBLEMS, Finding, Host

VERSION = 1
TREND = 120
"""Points of the trend that a report shows; older ones stay in the file until they are pruned."""

MAX_ENTRIES = 20_000
"""Entries of one host that are kept. A host chooses how many of its datastores have a problem, in each run."""

MAX_TEXT = 1000
"""Characters of a message that are kept."""

_WAIT = 10.0  # seconds for another report that is writing

_TIME = "'[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]*'"

_TABLES = """
CREATE TABLE run (
    digest TEXT PRIMARY KEY, generated TEXT NOT NULL, hosts INTEGER NOT NULL, hosts_without_document INTEGER NOT NULL,
    hosts_failed INTEGER NOT NULL, pass INTEGER NOT NULL, fail INTEGER NOT NULL, warn INTEGER NOT NULL,
    unknown INTEGER NOT NULL, skip INTEGER NOT NULL, waived INTEGER NOT NULL, fixed INTEGER NOT NULL, worst TEXT);
CREATE INDEX run_generated ON run (generated);
CREATE TABLE host (name TEXT PRIMARY KEY, finished TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE entry (
    host TEXT NOT NULL, datastore TEXT NOT NULL, control TEXT NOT NULL, status TEXT NOT NULL, severity TEXT NOT NULL,
    message TEXT NOT NULL, first_seen TEXT NOT NULL, last_seen TEXT NOT NULL, fixed_at TEXT,
    PRIMARY KEY (host, datastore, control, first_seen)) WITHOUT ROWID;
"""

_RUN_COLUMNS = (
    "generated",
    "hosts",
    "hosts_without_document",
    "hosts_failed",
    "pass",
    "fail",
    "warn",
    "unknown",
    "skip",
    "waived",
    "fixed",
    "worst",
)


def _not_a_time(column: str) -> str:
    """An SQL condition: no time, or one after the parameter `:latest`."""
    return f"(typeof({column}) != 'text' OR {column} NOT GLOB {_TIME} OR {column} > :latest)"


_IMPOSSIBLE = {
    "run": [
        _not_a_time("generated"),
        *(f"typeof({column}) != 'integer'" for column in _RUN_COLUMNS if column not in ("generated", "worst")),
        "typeof(worst) NOT IN ('text', 'null')",
    ],
    "host": ["typeof(name) != 'text'", _not_a_time("finished")],
    "entry": [
        *(
            f"typeof({column}) != 'text'"
            for column in ("host", "datastore", "control", "status", "severity", "message")
        ),
        _not_a_time("first_seen"),
        _not_a_time("last_seen"),
        f"(fixed_at IS NOT NULL AND {_not_a_time('fixed_at')})",
    ],
}
"""Conditions of rows that no report of this version writes, by table."""


class HistoryError(Exception):
    """The file cannot be used; the message says why. A report goes without its history then."""


def remedy(error: sqlite3.Error) -> str:
    """What to do about a file that is no database, or a damaged one; empty for other errors."""
    damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
    return ". Move the file away; the next report begins a new one" if damaged else ""


class History:
    """An open history. Everything of one report is one transaction: all of it is kept, or nothing."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o640))
            self._db = sqlite3.connect(path, timeout=_WAIT, isolation_level=None)
        except (sqlite3.Error, OSError) as exc:
            raise HistoryError(f"the history '{path}' cannot be used: {exc}") from exc
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._prepare()
        except sqlite3.Error as exc:
            self._db.close()
            raise HistoryError(f"the history '{path}' cannot be used: {exc}{remedy(exc)}") from exc
        except HistoryError:
            self._db.close()
            raise

    def _prepare(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise HistoryError(
                "the history '%s' was written by a newer version of this collection (%d, and this one knows %d)"
                % (self.path, version, VERSION)
            )
        if version == 0:
            if self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise HistoryError(f"'{self.path}' is a database of something else")
            for statement in _TABLES.split(";"):
                if statement.strip():
                    self._db.execute(statement)
            self._db.execute("PRAGMA user_version = %d" % VERSION)

    def heal(self, latest: str) -> str:
        """Remove the rows that cannot be true: from after `latest`, or damaged. Return what they were; empty if none.

        Earlier versions kept what a host said about the time. Such a row is the newest for ever, and hides those of all hosts.
        """
        removed = 0
        hosts: set[str] = set()
        for table, conditions in _IMPOSSIBLE.items():
            where = " OR ".join(conditions)
            column = {"host": "name", "entry": "host"}.get(table)
            if column:
                found = self._db.execute(
                    f"SELECT DISTINCT {column} FROM {table} WHERE {where} LIMIT 100", {"latest": latest}
                )
                hosts.update(str(name) for (name,) in found)
            removed += self._db.execute(f"DELETE FROM {table} WHERE {where}", {"latest": latest}).rowcount
        if not removed:
            return ""
        names = ", ".join(display(name) for name in sorted(hosts)[:3])
        return (
            "the history '%s' had %d entries that cannot be true (from the future, or damaged)%s; they were removed"
            % (
                self.path,
                removed,
                f" of {names}{' and others' if len(hosts) > 3 else ''}" if names else "",
            )
        )

    def start(self, fleet: Fleet, days: int) -> None:
        """Enter the run itself, and forget what is older than `days` before it (0: nothing)."""
        digest = hashlib.sha256()
        for host in fleet.hosts:
            digest.update(f"{host.name}\x00{host.finished}\x00{host.reason}\x00".encode())
        totals = fleet.totals()
        values = {
            "generated": fleet.generated,
            "hosts": totals["hosts"],
            "hosts_without_document": totals["hosts_without_document"],
            "hosts_failed": totals["hosts_by_state"]["fail"],
            "worst": totals["worst"],
            **totals["by_status"],
        }
        self._db.execute(
            f"INSERT OR REPLACE INTO run (digest, {', '.join(_RUN_COLUMNS)}) VALUES (?{', ?' * len(_RUN_COLUMNS)})",
            [digest.hexdigest(), *(values[name] for name in _RUN_COLUMNS)],
        )
        if days:
            made = datetime.datetime.strptime(fleet.generated[:19], "%Y-%m-%dT%H:%M:%S")
            try:
                limit = (made - datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S")
            except OverflowError:
                return
            self._db.execute("DELETE FROM run WHERE generated < ?", [limit])
            self._db.execute("DELETE FROM entry WHERE fixed_at < ? OR last_seen < ?", [limit, limit])
            self._db.execute("DELETE FROM host WHERE finished < ?", [limit])

    def note(self, host: Host, findings: t.Sequence[Finding]) -> list[Finding]:
        """Enter a host's findings; returned are the same, with the time since when each problem is known."""
        have = self._open_entries(host.name)
        if host.has_document and self._is_news(host):
            self._enter(host, findings, have)
        if not have:
            return list(findings)
        return [
            finding._replace(since=have.get((finding.datastore, finding.control), ("",))[0])
            if finding.status in PROBLEMS or finding.status == "waived"
            else finding
            for finding in findings
        ]

    def _open_entries(self, host: str) -> dict[tuple[str, str], tuple[str, ...]]:
        rows = self._db.execute(
            "SELECT datastore, control, first_seen FROM entry WHERE host = ? AND fixed_at IS NULL", [host]
        )
        return {(datastore, control): (first_seen,) for datastore, control, first_seen in rows}

    def _is_news(self, host: Host) -> bool:
        row = self._db.execute("SELECT finished FROM host WHERE name = ?", [host.name]).fetchone()
        return row is None or bool(row[0] < host.finished)

    def _enter(self, host: Host, findings: t.Sequence[Finding], have: dict[tuple[str, str], tuple[str, ...]]) -> None:
        self._db.execute("INSERT OR REPLACE INTO host VALUES (?, ?)", [host.name, host.finished])
        problems: dict[tuple[str, str], Finding] = {}
        answered: set[tuple[str, str]] = set()
        for finding in findings:
            key = (finding.datastore, finding.control)
            answered.add(key)
            if (finding.status in PROBLEMS or finding.status == "waived") and key not in problems:
                problems[key] = finding
        for key, finding in problems.items():
            fields = [finding.status, finding.severity, finding.message[:MAX_TEXT], host.finished]
            if key in have:
                self._db.execute(
                    "UPDATE entry SET status = ?, severity = ?, message = ?, last_seen = ? "
                    "WHERE host = ? AND datastore = ? AND control = ? AND fixed_at IS NULL",
                    [*fields, host.name, *key],
                )
            else:
                self._db.execute(
                    "INSERT OR REPLACE INTO entry (status, severity, message, last_seen, host, datastore, control, first_seen) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    [*fields, host.name, *key, host.finished],
                )
                have[key] = (host.finished,)
        stores = set(host.datastores)
        for key in [key for key in have if key not in problems]:
            # A control that was not asked this time says nothing, unless its datastore is gone.
            if key in answered or (key[0] and key[0] not in stores):
                self._db.execute(
                    "UPDATE entry SET fixed_at = ? WHERE host = ? AND datastore = ? AND control = ? AND fixed_at IS NULL",
                    [host.finished, host.name, *key],
                )
                del have[key]

        # What is fixed goes first, and of that the oldest.
        self._db.execute(
            "DELETE FROM entry WHERE host = ? AND (datastore, control, first_seen) IN (SELECT datastore, control, first_seen "
            "FROM entry WHERE host = ? ORDER BY fixed_at IS NOT NULL, last_seen DESC, datastore, control LIMIT -1 OFFSET ?)",
            [host.name, host.name, MAX_ENTRIES],
        )

    def trend(self) -> list[dict[str, t.Any]]:
        """The last runs, the oldest first."""
        rows = self._db.execute(
            "SELECT %s FROM run ORDER BY generated DESC, digest LIMIT %d" % (", ".join(_RUN_COLUMNS), TREND)
        ).fetchall()
        return [dict(zip(_RUN_COLUMNS, row)) for row in reversed(rows)]

    def fixed_since(self, earlier: str, limit: int = 50) -> list[dict[str, str]]:
        """What was fixed after a time: host, datastore, control, first_seen, fixed_at; the newest first."""
        names = ("host", "datastore", "control", "severity", "first_seen", "fixed_at")
        rows = self._db.execute(
            "SELECT %s FROM entry WHERE fixed_at > ? ORDER BY fixed_at DESC, host, datastore, control LIMIT %d"
            % (", ".join(names), limit),
            [earlier],
        )
        return [dict(zip(names, row)) for row in rows]

    def keep(self) -> None:
        """Make what was entered last."""
        self._db.execute("COMMIT")
        self._db.close()

    def drop(self) -> None:
        """Forget what was entered, if it is not kept yet."""
        self._db.close()
