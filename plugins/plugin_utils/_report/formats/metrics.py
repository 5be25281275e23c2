# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""metrics.prom: the text format of Prometheus, for node_exporter's textfile collector or a web server.

The labels `host` and `datastore` name what the inventory and PBS call them; docs/monitoring.md shows the joins with the
exporters that people use beside this. The file of a report with a name has the label `report` on every series.
"""

from __future__ import annotations

import datetime
import tempfile
import typing as t

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.controls import rank
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.formats.base import Format, HostPart, Item
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.model import STATUS_ORDER, Finding
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.outlook import Outlook
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.timeline import jobs_of
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.told import inner, number_at, text_at

STATUS_VALUES = {"pass": 0, "warn": 1, "fail": 2, "unknown": 3, "skip": 4, "waived": 5, "fixed": 6}
"""The first four are those of a monitoring plugin."""

GC_OUTCOMES = {"sweeps": 0, "stops": 1, "refused": 2, "unknown": 3}

NO_DOCUMENT = 6
"""The worst severity of a host that nothing is known about: worse than any that failed, and no number of those."""

HOST_STATE_VALUES = {"ok": 0, "warn": 1, "fail": 2, "unknown": 3, "none": 4, "not_asked": 5}
"""The first four are those of a monitoring plugin."""

HELP = (
    ("control_status", "What a control says: " + ", ".join("%d %s" % (v, k) for k, v in STATUS_VALUES.items()) + "."),
    ("findings", "Findings of a host or datastore by status; no host: about the fleet itself."),
    ("host_document_timestamp_seconds", "When the document of a host was finished; 0 where there is none."),
    (
        "host_last_seen_timestamp_seconds",
        "When the newest document of a host was finished, an earlier run's too; 0: never.",
    ),
    (
        "host_worst_severity",
        "The worst severity that failed on a host: 0 none, 1 info, 2 low, 3 medium, 4 high, 5 critical; 6 no document.",
    ),
    (
        "host_state",
        "The state of a host: 0 fine, 1 with warnings, 2 failed, 3 unknown, 4 without a datastore, 5 not asked.",
    ),
    ("host_in_this_run", "Whether a host was asked in this run: 1 yes; 0 no, what is known is from an earlier run."),
    ("host_info", "Always 1; the labels say which versions a host has."),
    ("datastore_chunks", "Chunks that the preflight saw in a datastore."),
    ("datastore_walk_complete", "Whether all chunks of a datastore were seen: 1 yes, 0 no."),
    (
        "gc_outcome",
        "How the next garbage collection of a datastore ends: 0 it runs, 1 it stops, 2 it does not start, 3 unknown.",
    ),
    ("gc_removable_bytes", "Bytes that the next garbage collection removes, at most."),
    ("gc_removable_chunks", "Chunks that the next garbage collection removes, at most."),
    ("gc_pending_bytes", "Bytes that nothing needs, and that are not old enough for the next garbage collection."),
    ("gc_kept_bytes", "Bytes that stay in use after the next garbage collection."),
    ("gc_at_risk_chunks", "Chunks that backups need, and that the next garbage collection would remove or stop at."),
    ("deduplication_factor", "Size of all backups of a datastore, divided by the bytes that stay in use."),
    ("damaged_snapshots", "Snapshots of a datastore that cannot be restored."),
    ("stale_groups", "Backup groups of a datastore without a backup that is young enough for the policy."),
    (
        "oldest_group_timestamp_seconds",
        "Of the newest backups of all groups of a datastore the oldest: when it was made.",
    ),
    (
        "job_state",
        "How the last run of a job ended: 0 ok, 1 with warnings, 2 with an error, 3 not known, 4 running, 5 never run.",
    ),
    ("job_last_end_timestamp_seconds", "When the last run of a job ended."),
    ("job_last_success_timestamp_seconds", "When the last run of a job ended that had no error, if one is known."),
    ("job_duration_seconds", "How long the last run of a job took."),
    ("copy_state", "State of a copy on another host: 0 fresh, 1 failed once, 2 old or failing, 3 not known."),
    ("copy_last_success_timestamp_seconds", "When the sync job of a copy ended last without an error."),
    ("version_faults", "Known faults of the installed version of PBS that concern a host."),
    ("certificate_end_timestamp_seconds", "When the certificate of PBS's web server ends."),
    ("report_timestamp_seconds", "When the newest document of the report was finished."),
    ("report_hosts", "Hosts by the worst status that they have."),
    ("report_left_out", "Files that could not be used for the report."),
)
"""The texts are a part of the contract: files with different ones for a name cannot be read by one exporter."""

PREFIX = "fleetops_pbs_"

JOB_STATES = {"ok": 0, "warning": 1, "error": 2, "unknown": 3, "unreadable": 3, "running": 4, "created": 5}
COPY_STATES = {"pass": 0, "warn": 1, "fail": 2, "unknown": 3}


def label(value: str) -> str:
    """The value of a label, quoted."""
    return '"{}"'.format(value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))


class Metrics(Format):
    filename = "metrics.prom"
    mode = 0o644  # read by an agent of the monitoring

    def begin(self) -> None:
        # All series of a metric stand together; they come in by host, so they wait in files.
        self._parts: dict[str, t.IO[str]] = {name: _part() for name, _help in HELP}
        self._report = f"report={label(self.context.name)}," if self.context.name else ""

    def about_fleet(self, items: t.Sequence[Item]) -> None:
        self._controls([item.finding for item in items], 'host="",datastore=""')

    def host(self, part: HostPart) -> None:
        name = label(part.host.name)
        by_store: dict[str, list[Finding]] = {store.name: [] for store in part.host.stores}
        for item in part.items:
            by_store.setdefault(item.finding.datastore, []).append(item.finding)
        for datastore, findings in by_store.items():
            self._controls(findings, f"host={name},datastore={label(datastore)}")
        host = part.host
        self._add("host_document_timestamp_seconds", f"host={name}", _seconds(host.finished))
        self._add("host_last_seen_timestamp_seconds", f"host={name}", _seconds(host.last_seen))
        if not host.not_asked:  # of such a host nothing is known, and nothing went wrong
            worst = rank(host.counts.worst) + 1 if host.has_document else NO_DOCUMENT
            self._add("host_worst_severity", f"host={name}", worst)
        self._add("host_state", f"host={name}", HOST_STATE_VALUES[host.state])
        self._add("host_in_this_run", f"host={name}", int(not host.earlier))
        if host.has_document:
            versions = f"pbs_version={label(host.pbs_version)},collection_version={label(host.collection_version)}"
            self._add("host_info", f"host={name},{versions}", 1)
        for walked in host.seen_in:
            labels = f"host={name},datastore={label(walked.datastore)}"
            self._add("datastore_chunks", labels, walked.chunks)
            self._add("datastore_walk_complete", labels, int(walked.complete))
        for outlook in host.outlooks:
            self._outlook(name, outlook)
        if part.document is not None:
            self._document(name, part.document)

    def _document(self, host: str, document: t.Mapping[str, t.Any]) -> None:
        """What only the whole document tells: jobs, faults of the version, the certificate."""
        for datastore, kind, job, run in runs_of(document):
            labels = f"host={host},datastore={label(datastore)},kind={label(kind)},job_id={label(job)}"
            self._add("job_state", labels, JOB_STATES[text_at(run, "state")])
            start, end = number_at(run, "start"), number_at(run, "end")
            history = inner(run, "history") or {}
            good = end if text_at(run, "state") in ("ok", "warning") else number_at(history, "last_success")
            for name, value in (
                ("job_last_end_timestamp_seconds", end),
                ("job_last_success_timestamp_seconds", good),
                ("job_duration_seconds", end - start if start and end >= start else 0),
            ):
                if value:
                    self._add(name, labels, value)
        for finding in document["findings"]:
            faults = finding["evidence"].get("faults") if finding["control"] == "PBS-HOST-07" else None
            if isinstance(faults, list):
                self._add("version_faults", f"host={host}", len(faults))
        certificate = inner(document, "observed", "config_dir", "certificate") or {}
        if number_at(certificate, "not_after"):
            self._add("certificate_end_timestamp_seconds", f"host={host}", number_at(certificate, "not_after"))

    def _outlook(self, host: str, outlook: Outlook) -> None:
        labels = f"host={host},datastore={label(outlook.datastore)}"
        values: dict[str, t.Optional[float]] = {
            "gc_outcome": GC_OUTCOMES[outlook.outcome],
            "gc_removable_bytes": outlook.removes_bytes,
            "gc_removable_chunks": outlook.removes_chunks,
            "gc_pending_bytes": outlook.pending_bytes,
            "gc_kept_bytes": outlook.kept_bytes,
            "gc_at_risk_chunks": outlook.at_risk_chunks,
            "deduplication_factor": outlook.deduplication,
            "damaged_snapshots": outlook.damaged_snapshots,
            "stale_groups": outlook.stale,
            "oldest_group_timestamp_seconds": outlook.oldest.newest if outlook.oldest is not None else None,
        }
        for name, value in values.items():
            if value is not None:
                self._add(name, labels, value)

    def _controls(self, findings: t.Sequence[Finding], labels: str) -> None:
        counts = dict.fromkeys(STATUS_VALUES, 0)
        worst: dict[str, Finding] = {}
        for finding in findings:
            counts[finding.status] += 1
            # A control can have several findings, such as one for each expired waiver: a series has one value.
            have = worst.get(finding.control)
            if have is None or STATUS_ORDER.index(finding.status) < STATUS_ORDER.index(have.status):
                worst[finding.control] = finding
        self._parts["control_status"].write(
            "".join(
                '%scontrol_status{%s%s,control=%s,severity="%s"} %d\n'
                % (
                    PREFIX,
                    self._report,
                    labels,
                    label(finding.control),
                    finding.severity,
                    STATUS_VALUES[finding.status],
                )
                for finding in worst.values()
            )
        )
        self._parts["findings"].write(
            "".join(
                '%sfindings{%s%s,status="%s"} %d\n' % (PREFIX, self._report, labels, *pair) for pair in counts.items()
            )
        )

    def _add(self, name: str, labels: str, value: float) -> None:
        inside = (self._report + labels).rstrip(",")
        braces = f"{{{inside}}}" if inside else ""
        self._parts[name].write(f"{PREFIX}{name}{braces} {value!r}\n")

    def end(self) -> None:
        for copy in self.fleet.copies:
            labels = (
                f"host={label(copy.runs_on)},datastore={label(copy.job.store)},job_id={label(copy.job.id)},"
                f"source={label(copy.source)},copy={label(copy.target)}"
            )
            self._add("copy_state", labels, COPY_STATES[copy.state])
            if copy.job.last_success:
                self._add("copy_last_success_timestamp_seconds", labels, copy.job.last_success)
        self._add("report_timestamp_seconds", "", _seconds(self.fleet.generated))
        self._add("report_left_out", "", len(self.fleet.left_out))
        for state, number in self.fleet.hosts_by_state().items():
            self._add("report_hosts", f'state="{state}"', number)
        for name, text in HELP:
            part = self._parts[name]
            self.stream.write(f"# HELP {PREFIX}{name} {text}\n# TYPE {PREFIX}{name} gauge\n")
            part.seek(0)
            for block in iter(lambda: part.read(1 << 16), ""):  # noqa: B023 - read before the next part
                self.stream.write(block)
            part.close()


def runs_of(document: t.Mapping[str, t.Any]) -> t.Iterator[tuple[str, str, str, t.Mapping[str, t.Any]]]:
    """Datastore, kind, id and last run of each job of a document, if its state is one that PBS has; each once."""
    seen = set()
    for datastore, kind, name, job in jobs_of(document):
        run = inner(job, "last_run")
        if run is not None and text_at(run, "state") in JOB_STATES and (datastore, kind, name) not in seen:
            seen.add((datastore, kind, name))
            yield datastore, kind, name, run


def _part() -> t.IO[str]:
    return tempfile.SpooledTemporaryFile(1 << 20, "w+", encoding="utf-8", newline="\n")


def _seconds(moment: str) -> float:
    if not moment:
        return 0
    parsed = datetime.datetime.strptime(moment, "%Y-%m-%dT%H:%M:%S.%fZ")
    return parsed.replace(tzinfo=datetime.timezone.utc).timestamp()
