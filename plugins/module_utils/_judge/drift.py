# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Declared against configured: what differs for one datastore, by the same comparison that provisioning makes."""

from __future__ import annotations

import os.path
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import (
    DatastoreConfig,
    JobFacts,
    ServerEntryFacts,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import notification_settings, settings
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.section_config import Section
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.settings import UNSET, Difference
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

JOBS = (("prune_jobs", settings.PRUNE_JOB), ("verify_jobs", settings.VERIFY_JOB))


def differences(
    declared: t.Mapping[str, t.Any], configured: DatastoreConfig, others: t.Sequence[DatastoreConfig] = ()
) -> list[Difference]:
    """The changes that provisioning would make or refuse; what is not declared does not count.

    `others` are the other datastores of the host, whose jobs have ids that are taken. Raises `settings.SettingError` for a
    declared value that PBS would refuse.
    """
    found = _unchangeable(declared, configured)
    found += settings.differences(
        settings.DATASTORE, _desired(settings.DATASTORE, declared), _section("datastore", configured.properties)
    )
    for option, kind in JOBS:
        taken = {job.id: other.name for other in others for job in _jobs(other, option)}
        by_id = {job.id: job for job in _jobs(configured, option)}
        for job in declared.get(option) or []:
            found += _job(f"{option}.{job['id']}", kind, job, by_id.get(job["id"]), taken.get(job["id"], ""))
    return found


def _unchangeable(declared: t.Mapping[str, t.Any], configured: DatastoreConfig) -> list[Difference]:
    """Differences in what PBS cannot change."""
    found = []
    device = str(declared.get("backing_device") or "")
    if device and device != configured.backing_device:
        found.append(Difference("backing_device", device, configured.backing_device or UNSET))
    path = str(declared.get("path") or "")
    if path and not configured.backing_device and os.path.normpath(path) != os.path.normpath(configured.path):
        found.append(Difference("path", path, configured.path))
    if declared.get("backend"):
        wanted = settings.check_fixed(settings.DATASTORE, "backend", declared["backend"])
        have = str(configured.properties.get("backend", ""))
        if not settings.same_backend(wanted, have):
            found.append(Difference("backend", wanted, have or "filesystem"))
    return found


def _job(
    name: str,
    kind: settings.Kind,
    declared: t.Mapping[str, t.Any],
    job: t.Optional[JobFacts],
    taken_by: str,
) -> list[Difference]:
    if job is None:
        return [Difference(name, "present", f"a job of datastore {taken_by}" if taken_by else "absent")]
    return [
        Difference(f"{name}.{difference.option}", difference.wanted, difference.have)
        for difference in settings.differences(kind, _desired(kind, declared), _section("job", job.properties))
    ]


def _jobs(configured: DatastoreConfig, option: str) -> list[JobFacts]:
    return configured.prune_jobs if option == "prune_jobs" else configured.verify_jobs


def _desired(kind: settings.Kind, declared: t.Mapping[str, t.Any]) -> settings.Desired:
    """The declared settings, written as facts are: a comment may have characters that are shown as escapes."""
    desired = settings.check(kind, declared)
    for name, value in desired.values.items():
        if isinstance(value, str):
            desired.values[name] = display(value)
    return desired


def _section(kind: str, properties: t.Mapping[str, t.Any]) -> Section:
    return Section(kind, "", 0, dict(properties))


def section_differences(
    kind: settings.Kind,
    declared: t.Mapping[str, t.Any],
    properties: t.Mapping[str, t.Any],
    digests: t.Optional[t.Mapping[str, str]] = None,
) -> list[Difference]:
    """The changes that provisioning would make to a section that is neither a datastore nor a job of one.

    Facts have no secrets, so these do not count. What may hold a secret is compared by its digest, and never shown; without
    digests it does not count either. Raises `settings.SettingError` for a value that PBS would refuse.
    """
    private = {name for name, known in kind.type.properties.items() if known.private}
    hidden = {option for option, name in kind.options().items() if name in private or name in kind.secrets}
    shown = {option: value for option, value in declared.items() if option not in hidden}
    found = settings.differences(kind, _desired(kind, shown), _section("", properties))
    if digests is not None:
        desired = settings.check(kind, declared)
        found += [
            Difference(kind.option(name), "another value (hidden)", "hidden" if name in digests else UNSET)
            for name, wanted in desired.values.items()
            if name in private and _digest(kind, name, wanted) != digests.get(name)
        ]
        found += [Difference(kind.option(name), UNSET, "hidden") for name in desired.unset if name in digests]
    return sorted(found, key=lambda difference: difference.option)


def _digest(kind: settings.Kind, name: str, value: settings.Given) -> str:
    items = value if isinstance(value, list) else [value]
    return notification_settings.digest(kind.type.properties[name].kind, map(str, items))


def target_differences(declared: t.Mapping[str, t.Any], target: ServerEntryFacts) -> list[Difference]:
    """The same for a target of notifications, whose type decides what it can be told."""
    wanted = declared.get("type") or target.type
    if wanted != target.type:
        return [Difference("type", wanted, target.type)]
    given = notification_settings.target_options(wanted, {**declared, "secrets": None})
    return section_differences(notification_settings.TARGETS[wanted], given, target.properties, target.digests)
