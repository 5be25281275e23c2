# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From observations to findings: which control is asked about what, and what becomes of the answer."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import HostFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import ChunksPlace, StoreFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import BY_ID, CONTROLS, Control, rank
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.causes import help_for
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.policy import Policy
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.rules import RULES
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.verdict import (
    FAIL,
    FIXED,
    PASS,
    SKIP,
    STATUSES,
    UNKNOWN,
    WAIVED,
    WARN,
    Case,
    NotObserved,
    Verdict,
    counted,
    failed,
    passed,
    skipped,
    unknown,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.waivers import Waiver
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display


@dataclasses.dataclass
class Finding:
    """A control's answer about one host or one of its datastores, as the document contains it."""

    control: str
    datastore: t.Optional[str]
    """None for a control of the host itself."""
    status: str
    severity: str
    message: str
    remedy: str
    evidence: dict[str, t.Any]
    waiver: t.Optional[dict[str, str]] = None
    commands: list[str] = dataclasses.field(default_factory=list)
    """The shell commands of the remedy, complete and in this order."""


@dataclasses.dataclass(frozen=True)
class Question:
    """Everything that judging needs in addition to the observations."""

    policy: Policy
    now: float
    """Seconds since the epoch, by the observed host's clock."""
    declarations: t.Optional[t.Mapping[str, t.Mapping[str, t.Any]]] = None
    """The entries of `pbs_datastores` by name; None where nothing is declared."""
    waivers: t.Sequence[Waiver] = ()
    controls: t.Sequence[str] = ()
    """Only these; all where empty."""
    check_mode: bool = False
    inventory: t.Sequence[str] = ()
    """The inventory sources of the run, for commands that run on the controller."""
    sections: t.Mapping[str, t.Sequence[t.Mapping[str, t.Any]]] = dataclasses.field(default_factory=dict)
    """The declared `remotes`, `s3_endpoints` and `sync_jobs`, as far as they are declared."""


def judge(host: HostFacts, stores: t.Sequence[StoreFacts], question: Question) -> list[Finding]:
    """Ask every control about the host and each datastore. The order is that of the catalog, the host first."""
    case = Case(
        host=host,
        stores=stores,
        policy=question.policy,
        now=question.now,
        declares=question.declarations is not None,
        check_mode=question.check_mode,
        inventory=question.inventory,
        sections=question.sections,
    )
    asked = [control for control in CONTROLS if control.id in RULES]
    if question.controls:
        asked = [control for control in asked if control.id in question.controls]
    findings = [
        _finding(control, None, _ask(control, case), question.policy) for control in asked if control.scope == "host"
    ]
    for store in stores:
        about_store = dataclasses.replace(case, store=store, declared=(question.declarations or {}).get(store.name))
        findings += [
            _finding(control, store.name, _ask(control, about_store), question.policy)
            for control in asked
            if control.scope == "datastore"
        ]
    _waive(findings, host.name, question)
    return findings


def _ask(control: Control, case: Case) -> Verdict:
    excuse = _not_applicable(control, case)
    if excuse:
        return skipped(excuse)
    verdict = _answer(control, case)
    if verdict.status == UNKNOWN and not verdict.remedy:
        advice = help_for(case, verdict.message)
        return dataclasses.replace(verdict, remedy=advice.text, commands=advice.commands)
    return verdict


def _answer(control: Control, case: Case) -> Verdict:
    try:
        if control.needs_config and case.store is not None and case.store.configured is None:
            # Without the configuration it is only known that the datastore is declared.
            raise NotObserved(case.configuration_unreadable())
        return _where_it_counts(control, case)
    except NotObserved as exc:
        reason = str(exc).rstrip(".")
        return unknown(f"{reason if reason.startswith('/') else reason[:1].upper() + reason[1:]}.")


_OF_BOTH_PLACES = frozenset("PBS-MOUNT-%02d" % number for number in (2, 3, 4, 6, 8, 9, 11))
"""Controls of the filesystem of the base directory and, if that is another one, of the filesystem of `.chunks`."""
_OF_THE_CHUNKS = frozenset(("PBS-MOUNT-07", "PBS-ATIME-01", "PBS-ATIME-02", "PBS-ATIME-03", "PBS-ATIME-06"))
"""Controls of the filesystem of `.chunks` alone."""


def _where_it_counts(control: Control, case: Case) -> Verdict:
    """The verdict of a rule; of two places, that on the worse one."""
    rule = RULES[control.id]
    store = case.store
    place = store.chunks_place if store is not None else None
    if store is None or place is None or place.mount is None:
        return rule(case)
    if control.id in _OF_THE_CHUNKS:
        return rule(_at_chunks(case, place))
    if control.id not in _OF_BOTH_PLACES:
        return rule(case)
    there = rule(_at_chunks(case, place))
    # The probe was made where the chunks are.
    base = rule(dataclasses.replace(case, store=dataclasses.replace(store, atime=None)))
    worse = max((base, there), key=lambda verdict: _BADNESS.index(verdict.status))
    if worse is base:
        return base
    return dataclasses.replace(worse, message=f"The filesystem of .chunks ({place.path}): {worse.message}")


_BADNESS = (SKIP, PASS, WARN, UNKNOWN, FAIL)


def _at_chunks(case: Case, place: ChunksPlace) -> Case:
    """The case with the filesystem of `.chunks` in place of that of the base directory."""
    store = dataclasses.replace(
        case.the_store,
        path=place.path,
        mount=place.mount,
        persistent=place.persistent,
        space=place.space,
        dir_nlink=place.dir_nlink,
        unit_order=place.unit_order,
    )
    # A declared mount is that of the base directory.
    return dataclasses.replace(case, store=store, declared=None)


def _not_applicable(control: Control, case: Case) -> str:
    if control.needs_pbs and not case.host.pbs_installed:
        return "Proxmox Backup Server is not installed on this host."
    if control.id == "PBS-HOST-04" and not case.configuration_expected:
        return "Proxmox Backup Server is not installed on this host, and no other configuration directory was named."
    if case.store is None:
        if not case.configuration_expected and not case.stores:
            return "Neither Proxmox Backup Server nor a declared datastore is on this host."
        return ""
    if control.id in _NOT_WHILE_UNDER_WAY:
        for kind, doing in (("create-datastore", "creating"), ("delete-datastore", "removing")):
            task = case.running(kind)
            if task is not None:
                return f"PBS is {doing} this datastore now (task {task.upid})."
    if case.store.mounted is False and not control.unmounted:
        return "The removable datastore is not mounted; PBS skips it, too."
    if control.needs_config and case.store.configured is None and not case.configuration_unreadable():
        return "PBS does not know this datastore; it is only declared."
    if not control.on_s3 and case.store.configured is not None and case.store.configured.backend == "s3":
        return "Does not apply to an S3-backed datastore."
    if control.id in _NEEDS_A_PLACE and _not_made_yet(case.store):
        return f"There is nothing at {case.store.path} yet."
    return ""


_NEEDS_A_PLACE = frozenset(
    control.id
    for control in CONTROLS
    if control.id.startswith(("PBS-ATIME-", "PBS-OWNER-", "PBS-DATA-", "PBS-SNAP-"))
    or control.id in ("PBS-MOUNT-07", "PBS-MOUNT-08", "PBS-MOUNT-13")
)


_NOT_WHILE_UNDER_WAY = _NEEDS_A_PLACE | {"PBS-CONF-01", "PBS-CONF-06"}
"""What changes while PBS creates or removes a datastore, and says nothing until it has ended."""


def _not_made_yet(store: StoreFacts) -> bool:
    """Declared, not known to PBS, and no directory there: there is nothing to look at, and nothing wrong with that."""
    return (
        store.configured is None
        and store.location is not None
        and not store.location.exists
        and not store.location.error
    )


def _finding(control: Control, datastore: t.Optional[str], verdict: Verdict, policy: Policy) -> Finding:
    severity = policy.severity.get(control.id) or verdict.severity or control.severity
    return Finding(
        control=control.id,
        datastore=datastore,
        status=verdict.status,
        severity=severity,
        # What was declared comes from people and may hold anything; what was observed is fit to be shown already.
        message=display(verdict.message),
        remedy=display(verdict.remedy or (control.remedy if verdict.status in (FAIL, WARN) else "")),
        evidence=verdict.evidence,
        commands=[display(command) for command in verdict.commands],
    )


# --- waivers ------------------------------------------------------------------------------------------------------------


def _waive(findings: list[Finding], host: str, question: Question) -> None:
    today = datetime.datetime.fromtimestamp(question.now, datetime.timezone.utc).date()
    for finding in findings:
        if finding.status not in (FAIL, WARN, UNKNOWN):
            continue
        for waiver in question.waivers:
            if waiver.covers(finding.control, host, finding.datastore) and not waiver.expired(today):
                finding.status = WAIVED
                finding.waiver = waiver.as_dict()
                break
    control = BY_ID["PBS-WAIVER-01"]
    if not question.controls or control.id in question.controls:
        answers = _waivers_in_force(question.waivers, host, today)
        findings.extend(_finding(control, None, answer, question.policy) for answer in answers)


def _waivers_in_force(waivers: t.Sequence[Waiver], host: str, today: datetime.date) -> list[Verdict]:
    """The answers to PBS-WAIVER-01: one for each waiver that has ended, else one for all."""
    mine = [waiver for waiver in waivers if waiver.names(host)]
    if not mine:
        return [skipped("No waiver names this host.")]
    ended = [waiver for waiver in mine if waiver.expired(today)]
    if ended:
        return [_ended(waiver, today) for waiver in ended]
    number = counted(len(mine), "waiver that names this host is", "waivers that name this host are")
    return [passed(f"{number} in force.")]


def _ended(waiver: Waiver, today: datetime.date) -> Verdict:
    return failed(
        "The waiver of %s for %s/%s ended on %s (%s); today is %s."
        % (waiver.control, waiver.host, waiver.datastore, waiver.until, waiver.justification, today),
        "",
        **waiver.as_dict(),
    )


# --- totals -------------------------------------------------------------------------------------------------------------


def summarise(findings: t.Sequence[Finding]) -> dict[str, t.Any]:
    """Counts by status, the worst severity that failed, and the worst one that nobody could judge (None for none)."""
    counts: dict[str, t.Any] = dict.fromkeys(STATUSES, 0)
    for finding in findings:
        counts[finding.status] += 1
    counts["worst"] = worst(findings, FAIL)
    counts["worst_unknown"] = worst(findings, UNKNOWN)
    return counts


def worst(findings: t.Sequence[Finding], status: str) -> t.Optional[str]:
    """The worst severity among the findings of one status; None where there are none."""
    severities = [finding.severity for finding in findings if finding.status == status]
    return max(severities, key=rank) if severities else None


def mark_fixed(before: t.Sequence[t.Mapping[str, t.Any]], after: t.Sequence[Finding]) -> None:
    """Turn what failed before and passes now into `fixed`, after a repair."""
    failed_before = {(item["control"], item["datastore"]) for item in before if item["status"] == FAIL}
    for finding in after:
        if finding.status == "pass" and (finding.control, finding.datastore) in failed_before:
            finding.status = FIXED
