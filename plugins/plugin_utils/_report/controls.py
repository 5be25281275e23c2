# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controls that a report has: those of the catalog, and one of its own."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import BACKUP, CONTROLS, SEVERITIES, Control

NO_DOCUMENT = Control(
    "PBS-REPORT-01",
    "critical",
    "the host was reached, and made a document",
    "Nothing is known about a host that did not answer; that it was safe yesterday says little about tonight.",
    "Make the host reachable (network, ssh, become, Python 3.9 or newer), and run the preflight for it again.",
    "None; this is about the use of this collection.",
    BACKUP,
)
"""The finding of a host without a document. It is no control that a host could be asked about, so the catalog has it not."""

KNOWN: tuple[Control, ...] = (NO_DOCUMENT, *CONTROLS)
_BY_ID = {control.id: control for control in KNOWN}


def control_of(control_id: str) -> Control:
    """The control of that id. A newer collection may have controls that this one does not know: the id must do."""
    found = _BY_ID.get(control_id)
    if found is None:
        found = Control(
            control_id, "medium", "a control that this version of the collection does not know", "", "", "", ()
        )
    return found


HOME = "https://github.com/fleetops/pbs"
_DOCUMENTED = frozenset(control.id for control in CONTROLS)


def documentation_of(control: Control) -> str:
    """The page about a control; that of all controls for one that this version does not know."""
    if control is NO_DOCUMENT:
        return HOME + "/blob/main/docs/report.md#what-comes-out"
    page = HOME + "/blob/main/docs/controls.md"
    return f"{page}#{control.id.lower()}" if control.id in _DOCUMENTED else page


def told_as_problem_only(control: Control) -> bool:
    """Whether there is a finding only where something is wrong, so that a rate of what passed says nothing."""
    return control is NO_DOCUMENT or control.id == "PBS-WAIVER-01"


SEVERITY_MEANINGS: t.Mapping[str, str] = {
    "critical": "Backups can be lost, or garbage collection cannot run. Fix it before the next garbage collection.",
    "high": "A protection is missing that the next reboot, full disk or slow server needs. Fix it within days.",
    "medium": "It works today, but not as the policy wants it. Plan the fix.",
    "low": "Harmless by itself. Fix it when you work on the host.",
    "info": "Nothing to fix.",
}
"""What a severity means for the one who has to act, the worst first."""

STATUS_MEANINGS: t.Mapping[str, str] = {
    "fail": "The control is not met.",
    "unknown": "Nobody could find out. Treat it as a failure until somebody does.",
    "warn": "The control is met, or nearly; somebody should look at it.",
    "waived": "A failure that somebody accepted, with a reason and until a day.",
    "fixed": "It failed before the repair of this run, and passes now.",
    "pass": "The control is met.",
    "skip": "The control does not apply here.",
}


def scope_of(control: Control) -> str:
    """`host` or `datastore`."""
    return "host" if control is NO_DOCUMENT else control.scope


def rank(severity: str | None) -> int:
    """The place of a severity from least to worst; -1 for none."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else -1


def reaches(severity: str | None, threshold: str) -> bool:
    """Whether a severity is at or above a threshold; nothing reaches `never`."""
    return threshold in SEVERITIES and rank(severity) >= rank(threshold)
