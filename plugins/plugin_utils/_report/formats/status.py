# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""status.txt: one line for monitoring, as a plugin of Nagios would print it, behind its exit code."""

from __future__ import annotations

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.controls import reaches
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.fleet import Fleet
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.base import Context, Format

OK, WARNING, CRITICAL, UNKNOWN = range(4)
_WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_NAMED = 5  # hosts that are named in the line


def code(fleet: Fleet, fail_on: str, fail_on_unknown: str) -> int:
    """2 if something failed at or above `fail_on`; 3 if something is unknown at or above `fail_on_unknown`, or a
    file was left out, or no datastore was checked at all; 1 for lesser failures, unknowns and warnings; else 0."""
    counts = fleet.counts
    if reaches(counts.worst, fail_on):
        return CRITICAL
    if reaches(counts.worst_unknown, fail_on_unknown) or fleet.left_out or not fleet.datastores:
        return UNKNOWN
    return WARNING if counts["fail"] or counts["unknown"] or counts["warn"] else OK


def line(context: Context) -> str:
    """The code, its word, what was found, and performance data; no newline."""
    fleet = context.fleet
    number = code(fleet, context.fail_on, context.fail_on_unknown)
    states = fleet.hosts_by_state()
    counts = fleet.counts
    parts = [
        "%d of %d host%s failed" % (states["fail"], len(fleet.hosts), "" if len(fleet.hosts) == 1 else "s"),
    ]
    if states["unknown"]:
        parts.append("%d unknown" % states["unknown"])
    if states["warn"]:
        parts.append("%d with warnings" % states["warn"])
    if states["none"]:
        parts.append("%d without a datastore" % states["none"])
    if states["not_asked"]:
        parts.append("%d not asked" % states["not_asked"])
    if not fleet.datastores:
        parts.append("no datastore was checked")
    if fleet.left_out:
        parts.append(f"{len(fleet.left_out)} files left out")
    names = [host.name for host in fleet.worst_first if host.counts.state in ("fail", "unknown")]
    text = ", ".join(parts)
    if names:
        text += ": " + ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
    earlier = [host.finished for host in fleet.hosts if host.earlier and host.has_document]
    if earlier:
        text += "; %d not asked in this run, last seen %s or later" % (len(earlier), min(earlier)[:10])
    figures = [f"hosts={len(fleet.hosts)}", *("%s=%d" % pair for pair in counts.by_status.items())]
    # The bar begins the performance data; no name may bring one.
    return "%d %s - %s | %s" % (number, _WORDS[number], text.replace("|", "/"), " ".join(figures))


class Status(Format):
    filename = "status.txt"
    mode = 0o644  # read by an agent of the monitoring

    def end(self) -> None:
        self.stream.write(line(self.context) + "\n")
