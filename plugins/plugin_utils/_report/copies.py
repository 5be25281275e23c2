# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies between the hosts of a fleet: each sync job, held against the document of the host at its other end.

A server shows a sync job only where it runs. With both documents there is more to tell: which host the remote is, and
whether the copy has what its source has. With one of them, the page shows what is not known.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.catalog import BY_ID
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.model import Finding, spread
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.told import Json, inner, number_at, text_at

DAY = 86400.0
DEFAULT_LIMIT = 7.0
_LONGEST_LIMIT = 10**6
_CLOCK_TOLERANCE_DAYS = 1.0
"""How far in the future a time may be. A later one is not known: it would make a copy, or its source, the newest for ever."""
MOST_JOBS = 256
"""Sync jobs of one host; PBS's own file is read up to this many, too."""
MOST_FINDINGS = 100
"""Copies that become findings, the worst first; the page and the metrics have all."""
STATES = ("fail", "unknown", "warn", "pass")
"""From what matters most to what matters least; the words of findings."""


class Job(t.NamedTuple):
    """A sync job, as the host that runs it tells it."""

    id: str
    store: str
    push: bool
    remote: str
    remote_host: str
    remote_fingerprint: str
    remote_store: str
    schedule: str
    state: str
    message: str
    last_success: int
    """Seconds since the epoch; 0 where none is known."""
    failures: int


class Side(t.NamedTuple):
    """What one document tells of copies."""

    fingerprint: str
    """Of the host's own certificate; empty where it is not known."""
    jobs: tuple[Job, ...]
    newest: t.Mapping[str, int]
    """When the newest backup of each datastore was made; without those of which nothing is known."""
    limit_days: float


class Copy(t.NamedTuple):
    """A datastore and its copy. A host is empty where it is not in this report."""

    source_host: str
    source_store: str
    target_host: str
    target_store: str
    job: Job
    runs_on: str
    state: str
    """One of `STATES`."""
    told: tuple[str, ...]
    """What is known, a sentence each, with the document that it is from."""
    age_days: t.Optional[float]

    @property
    def source(self) -> str:
        return f"{self.source_host or self.job.remote_host or self.job.remote} / {self.source_store}"

    @property
    def target(self) -> str:
        return f"{self.target_host or self.job.remote_host or self.job.remote} / {self.target_store}"


def side_of(document: Json) -> t.Optional[Side]:
    """The sync jobs of a document with what its other host can be known by; None if it does not tell of sync jobs."""
    directory = inner(document, "observed", "config_dir") or {}
    jobs = directory.get("sync_jobs")
    if not isinstance(jobs, list):
        return None
    remotes = {text_at(one, "name"): one for one in _objects(directory.get("remotes"))}
    policy = inner(document, "asked", "policy") or {}
    newest = {}
    for store in document["datastores"]:
        references = inner(store, "observed", "references") or {}
        times = [number_at(group, "newest") for group in _objects(references.get("groups"))]
        if any(times):
            newest[display(store["name"])] = max(times)
    return Side(
        fingerprint=text_at(inner(directory, "certificate") or {}, "fingerprint"),
        # By id, so that no two copies have the same labels: no reader takes metrics with a series that is there twice.
        jobs=tuple(
            {
                one.id: one
                for one in (_job(job, remotes) for job in _objects(jobs)[:MOST_JOBS] if text_at(job, "remote"))
            }.values()
        ),
        newest=newest,
        limit_days=_limit(policy.get("sync_max_age_days")),
    )


def _limit(value: t.Any) -> float:
    """Not every whole number of JSON is a float."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < _LONGEST_LIMIT else DEFAULT_LIMIT


def _job(job: Json, remotes: t.Mapping[str, Json]) -> Job:
    remote = remotes.get(text_at(job, "remote"), {})
    run = inner(job, "last_run") or {}
    history = inner(run, "history") or {}
    ended_well = text_at(run, "state") in ("ok", "warning")
    return Job(
        id=text_at(job, "id"),
        store=text_at(job, "store"),
        push=text_at(job, "direction") == "push",
        remote=text_at(job, "remote"),
        remote_host=text_at(remote, "host"),
        remote_fingerprint=text_at(remote, "fingerprint").lower(),
        remote_store=text_at(job, "remote_store"),
        schedule=text_at(job, "schedule"),
        state=text_at(run, "state"),
        message=text_at(run, "message"),
        last_success=number_at(run, "end") if ended_well else number_at(history, "last_success"),
        failures=number_at(history, "failures"),
    )


def match(sides: t.Mapping[str, t.Optional[Side]], generated: str) -> list[Copy]:
    """All copies between hosts, the worst first. `sides`: by host, None where nothing is known of it."""
    now = datetime.datetime.strptime(generated, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
    # What stands for two hosts stands for none: a host may claim the certificate of another one.
    claims: dict[str, list[str]] = {}
    for name, side in sides.items():
        if side is not None and side.fingerprint:
            claims.setdefault(side.fingerprint, []).append(name)
    # The same of a full name and its first part.
    short: dict[str, list[str]] = {}
    for name in sides:
        for key in sorted({name.lower(), name.lower().split(".")[0]}):
            short.setdefault(key, []).append(name)
    copies = []
    for name, side in sides.items():
        for job in side.jobs if side is not None else ():
            claimed = claims.get(job.remote_fingerprint, [])
            other = claimed[0] if len(claimed) == 1 else _by_name(job.remote_host, short)
            copies.append(_copy(name, job, other, sides, now.timestamp()))
    return sorted(copies, key=lambda copy: (STATES.index(copy.state), copy.runs_on, copy.job.id))


def _by_name(host: str, short: t.Mapping[str, list[str]]) -> str:
    for key in (host.lower(), host.lower().split(".")[0]):
        found = short.get(key, [])
        if len(found) == 1 and not key.isdecimal():
            return found[0]
    return ""


def _copy(name: str, job: Job, other: str, sides: t.Mapping[str, t.Optional[Side]], now: float) -> Copy:
    source, target = ((name, job.store), (other, job.remote_store))
    if not job.push:
        source, target = target, source
    side = sides[name]
    limit = side.limit_days if side is not None else DEFAULT_LIMIT
    age = (now - job.last_success) / DAY if job.last_success else None
    state, told = _of_the_job(name, job, age, limit)
    partner = sides.get(other)
    what = "the source" if not job.push else "the copy"
    if partner is None:
        told.append(
            f"There is no document of {other or job.remote_host or 'remote ' + job.remote} that tells of it: whether {what} "
            "is there, and whether the copy has all that the source has, is not known."
        )
    else:
        late, sentence = _of_both(source, target, sides, limit, now)
        told.append(sentence)
        if late:
            state = "fail"
    return Copy(*source, *target, job, name, state, tuple(told), age)


def _of_the_job(name: str, job: Job, age: t.Optional[float], limit: float) -> tuple[str, list[str]]:
    what = f"{name}: {'push' if job.push else 'pull'} job '{job.id}'"
    if job.state == "error":
        text = f"{what} failed" + (f" {job.failures} times in a row" if job.failures > 1 else "")
        text += f" ({job.message.rstrip('.')})" if job.message else ""
        text += "; no success is known." if age is None else f"; its last success was {age:.1f} days ago."
        return "fail" if age is None or age > limit or job.failures > 1 else "warn", [text]
    if age is None:
        return "unknown", [f"{what} has no run that is known to have succeeded."]
    if age < -_CLOCK_TOLERANCE_DAYS:
        return "unknown", [f"{what} succeeded last in the future, so when it ran is not known."]
    if age > limit:
        return "fail", [f"{what} succeeded last {age:.1f} days ago; the policy allows {limit:g}."]
    return "pass", [f"{what} succeeded {max(age, 0.0):.1f} days ago."]


def _of_both(
    source: tuple[str, str], target: tuple[str, str], sides: t.Mapping[str, t.Optional[Side]], limit: float, now: float
) -> tuple[bool, str]:
    """Whether the copy is behind its source, and what the two documents say of that."""
    have = []
    for host, store in (source, target):
        side = sides.get(host)
        have.append(side.newest.get(store, 0) if side is not None else 0)
    names = [f"{host}/{store}" for host, store in (source, target)]
    if not all(have):
        missing = names[have.index(0)]
        return False, f"No backup of {missing} is in its document, so the two cannot be compared."
    for name, newest in zip(names, have):
        if (newest - now) / DAY > _CLOCK_TOLERANCE_DAYS:
            return False, f"The newest backup of {name} is of the future, so the two cannot be compared."
    days = (have[0] - have[1]) / DAY
    if days <= 0:
        return False, f"The newest backup of {names[0]} is in {names[1]}."
    return days > limit, f"The newest backup of {names[1]} is {days:.1f} days older than that of {names[0]}."


def findings_of(copies: t.Sequence[Copy]) -> list[Finding]:
    """What is wrong with copies, as findings about the fleet: none of the two hosts can know all of it."""
    bad = [copy for copy in copies if copy.state == "fail"]
    control = BY_ID["PBS-COPY-01"]
    return [
        Finding(
            "",
            "",
            control.id,
            "fail",
            control.severity,
            f"{copy.source} is not copied to {copy.target} as it should be. {' '.join(copy.told)}",
            f"Read the task log of sync job '{copy.job.id}' on {copy.runs_on}, fix the cause, and start the job by hand.",
            {
                "source": copy.source,
                "copy": copy.target,
                "job": copy.job.id,
                "runs_on": copy.runs_on,
                "last_success": copy.job.last_success or None,
                "failures": copy.job.failures,
            },
            None,
        )
        # A host chooses how many jobs it has, and must leave room for the others.
        for copy in spread(bad, MOST_FINDINGS, lambda copy: copy.runs_on)
    ]


def without_copy(
    sides: t.Mapping[str, t.Optional[Side]], stores: t.Mapping[str, t.Sequence[str]], copies: t.Sequence[Copy]
) -> list[tuple[str, str]]:
    """Datastores of the hosts with a document that no known job copies, and that hold no copies themselves."""
    involved = {(copy.source_host, copy.source_store) for copy in copies}
    involved |= {(copy.target_host, copy.target_store) for copy in copies}
    return [
        (host, store)
        for host, side in sides.items()
        if side is not None
        for store in stores.get(host, ())
        if (host, store) not in involved
    ]


def _objects(value: t.Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
