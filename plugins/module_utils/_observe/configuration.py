# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PBS's configuration on this host: datastores with their jobs, sync jobs, remotes, S3 endpoints, and the state of the files."""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import (
    DatastoreConfig,
    JobFacts,
    JobRunFacts,
    RemoteFacts,
    S3EndpointFacts,
    ServerEntryFacts,
    SyncJobFacts,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import (
    AccountFacts,
    CertificateFacts,
    ConfigDirFacts,
    ConfigFileFacts,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.jobs import job_state as jobstate
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import (
    notification_settings,
    notifications,
    property_string,
    section_config,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.certificate import CertificateError, parse_certificate
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.property_string import PropertyStringError
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.section_config import Section, SectionConfigError
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.traffic_control import TRAFFIC_CONTROL
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.version import is_newer_than_known
from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import open_directory
from ansible_collections.fleetops.pbs.plugins.module_utils._system.small_file import read_small
from ansible_collections.fleetops.pbs.plugins.module_utils._system.statx import mode_string
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error

REMOVABLE_ROOT = "/mnt/datastore"
"""Where PBS mounts removable datastores, each in a directory with its name."""

_SIZE_LIMIT = 1024 * 1024
_MAX_SECTIONS = 256
"""Datastores, or jobs of one kind, of a host. Each costs time, and a place in the document."""
_NOTES = 20
"""Maximum number of unknown settings to report."""
_DATASTORES, _PRUNE_JOBS, _VERIFY_JOBS = "datastore.cfg", "prune.cfg", "verification.cfg"
_SYNC_JOBS, _REMOTES, _S3_ENDPOINTS = "sync.cfg", "remote.cfg", "s3.cfg"
_CERTIFICATE = "proxy.pem"
_TRAFFIC_CONTROLS, _NOTIFICATIONS = "traffic-control.cfg", "notifications.cfg"
_FILES = {
    _DATASTORES: section_config.DATASTORE,
    _PRUNE_JOBS: section_config.PRUNE,
    _VERIFY_JOBS: section_config.VERIFICATION,
    _SYNC_JOBS: section_config.SYNC,
    _REMOTES: section_config.REMOTE,
    _S3_ENDPOINTS: section_config.S3,
    _TRAFFIC_CONTROLS: TRAFFIC_CONTROL,
    _NOTIFICATIONS: notifications.NOTIFICATIONS,
}


def effective_path(config: DatastoreConfig) -> str:
    """The absolute path of a datastore; for a removable one, where PBS mounts it, regardless of its path on the device."""
    return os.path.join(REMOVABLE_ROOT, config.name) if config.backing_device else config.path


def observe_configuration(
    config_dir: str,
    state_dir: str = "/var/lib/proxmox-backup",
    account: t.Optional[AccountFacts] = None,
    pbs_version: t.Optional[str] = None,
    proc: str = "/proc",
) -> tuple[ConfigDirFacts, list[DatastoreConfig]]:
    """Read the configuration files and the last runs of the jobs. Never raises `OSError`.

    `account` is the user that must be able to read the files. `pbs_version` is the installed version: if it is newer than
    this collection knows, unknown settings are no error. If PBS cannot parse a file, this still returns the datastores
    that can be recognised, so that they can be checked, and the file's facts record the error.
    """
    facts = ConfigDirFacts(path=config_dir, exists=False)
    sections: dict[str, t.Optional[list[Section]]] = {}
    try:
        dir_fd = open_directory(config_dir, follow=True)
    except FileNotFoundError:
        facts.files = [_missing(os.path.join(config_dir, name)) for name in _FILES]
        facts.sync_jobs, facts.remotes, facts.s3_endpoints = [], [], []
        facts.traffic_controls, facts.notification_targets, facts.notification_matchers = [], [], []
        return facts, []
    except OSError as exc:
        facts.exists = True
        facts.error = describe_error(exc)
        return facts, []
    try:
        status = os.fstat(dir_fd)
        facts.exists, facts.uid, facts.gid, facts.mode = True, status.st_uid, status.st_gid, mode_string(status.st_mode)
        for name, schema in _FILES.items():
            path = os.path.join(config_dir, name)
            file_facts, sections[name] = _read_file(dir_fd, path, schema, account, is_newer_than_known(pbs_version))
            facts.files.append(file_facts)
        facts.certificate = _certificate(dir_fd, account)
    finally:
        os.close(dir_fd)
    runs = _Runs(state_dir, proc)
    try:
        facts.sync_jobs = _each(sections[_SYNC_JOBS], lambda section: _sync_job(section, runs))
        facts.remotes = _each(sections[_REMOTES], _remote)
        facts.s3_endpoints = _each(sections[_S3_ENDPOINTS], _s3_endpoint)
        facts.traffic_controls = _each(sections[_TRAFFIC_CONTROLS], _server_entry)
        facts.notification_targets, facts.notification_matchers = _notifications(sections[_NOTIFICATIONS])
        return facts, _with_jobs({name: found or [] for name, found in sections.items()}, runs)
    finally:
        runs.close()


def all_runs(directory: ConfigDirFacts, configs: t.Sequence[DatastoreConfig]) -> list[t.Optional[JobRunFacts]]:
    """The last run of every job of the host."""
    jobs = [job for config in configs for job in (*config.prune_jobs, *config.verify_jobs)]
    return [
        *(config.gc_last_run for config in configs),
        *(job.last_run for job in jobs),
        *(job.last_run for job in directory.sync_jobs or ()),
    ]


# --- one file ---------------------------------------------------------------------------------------------------------


def _missing(path: str) -> ConfigFileFacts:
    return ConfigFileFacts(path=path, exists=False, digest=section_config.digest(b""), parsed=True)


def _read_file(
    dir_fd: int, path: str, schema: section_config.Schema, account: t.Optional[AccountFacts], newer: bool
) -> tuple[ConfigFileFacts, t.Optional[list[Section]]]:
    """The state of a file, and its sections; None if it could not be read, or its syntax is wrong."""

    found = read_small(os.path.basename(path), dir_fd, _SIZE_LIMIT, _refuse(account))
    if not found.exists:
        return _missing(path), []
    facts = ConfigFileFacts(path=path, exists=True, error=found.error)
    if found.status is not None:
        facts.uid, facts.gid, facts.mode = found.status.st_uid, found.status.st_gid, mode_string(found.status.st_mode)
        facts.readable = _may_read(found.status, account)
    if found.data is None:
        return facts, None
    facts.digest = section_config.digest(found.data)
    sections: t.Optional[list[Section]] = None
    try:
        # Tolerant first: this returns sections even if the strict parser below fails.
        sections = section_config.parse(found.data, schema, strict=False)
        if newer:
            facts.unknown = [note for section in sections for note in section.unknown][:_NOTES]
        else:
            section_config.parse(found.data, schema)
        facts.parsed = True
    except SectionConfigError as exc:
        facts.parsed, facts.error, facts.line = False, exc.message, exc.line
    if sections is None:
        return facts, None
    if len(sections) > _MAX_SECTIONS:
        facts.parsed = False
        facts.error = "it has %d sections; those after the first %d are not checked" % (len(sections), _MAX_SECTIONS)
        del sections[_MAX_SECTIONS:]
    return facts, [section for section in sections if section.type in schema]


def _refuse(account: t.Optional[AccountFacts]) -> t.Callable[[os.stat_result], str]:
    """Why a file must not be read: its owner can put any file of root here, and root must not read it into a report."""
    return lambda status: (
        "the daemon's user may not read it; it was not read" if _may_read(status, account) is False else ""
    )


def _certificate(dir_fd: int, account: t.Optional[AccountFacts]) -> t.Optional[CertificateFacts]:
    found = read_small(_CERTIFICATE, dir_fd, _SIZE_LIMIT, _refuse(account))
    if not found.exists:
        return None
    if found.data is None:
        return CertificateFacts(error=found.error)
    try:
        certificate = parse_certificate(found.data)
    except CertificateError as exc:
        return CertificateFacts(error=str(exc))
    return CertificateFacts(certificate.fingerprint, certificate.not_after)


def _may_read(status: os.stat_result, account: t.Optional[AccountFacts]) -> t.Optional[bool]:
    """Only by owner, group and mode; the first class that matches the account decides, as in the kernel."""
    if account is None or account.uid is None:
        return None
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IRUSR)
    if status.st_gid in {account.primary_gid, *account.groups}:
        return bool(status.st_mode & stat.S_IRGRP)
    return bool(status.st_mode & stat.S_IROTH)


# --- datastores and their jobs ----------------------------------------------------------------------------------------


class _Runs:
    """The last runs of jobs, from the directory of state files."""

    def __init__(self, state_dir: str, proc: str) -> None:
        self._proc = proc
        self._fd: t.Optional[int] = None
        self._error = ""
        try:
            base = open_directory(state_dir, follow=True)
            try:
                self._fd = open_directory("jobstates", dir_fd=base)
            finally:
                os.close(base)
        except FileNotFoundError:
            pass  # no job has ever run here
        except OSError as exc:
            self._error = describe_error(exc)

    def last(self, job_type: str, name: str) -> JobRunFacts:
        if self._fd is not None:
            return jobstate.observe_run(self._fd, job_type, name, self._proc)
        return jobstate.unreadable(self._error) if self._error else JobRunFacts(state="created")

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)


def _with_jobs(sections: t.Mapping[str, list[Section]], runs: _Runs) -> list[DatastoreConfig]:
    configs = [_datastore(section, runs) for section in sections[_DATASTORES]]
    by_name = {config.name: config for config in configs}
    for section in sections[_PRUNE_JOBS]:
        config = by_name.get(section.text("store"))
        if config is not None:
            config.prune_jobs.append(_job(section, section_config.PRUNE, runs.last("prunejob", section.id)))
    for section in sections[_VERIFY_JOBS]:
        config = by_name.get(section.text("store"))
        if config is not None:
            config.verify_jobs.append(
                _job(section, section_config.VERIFICATION, runs.last("verificationjob", section.id))
            )
    return configs


def _datastore(section: Section, runs: _Runs) -> DatastoreConfig:
    config = DatastoreConfig(
        name=section.id,
        path=section.text("path"),
        backing_device=section.text("backing-device"),
        gc_schedule=section.text("gc-schedule"),
        gc_last_run=runs.last("garbage_collection", section.id),
    )
    config.properties = _known(section, section_config.DATASTORE)
    config.properties.pop("path", None)
    try:
        config.tuning = dict(property_string.parse_typed(section.text("tuning"), property_string.TUNING))
    except PropertyStringError as exc:
        config.tuning_error = str(exc)
    backend = _raw(section, "backend", "type")
    config.backend = backend.get("type", "filesystem")
    maintenance = _raw(section, "maintenance-mode", "type")
    config.maintenance_type = maintenance.get("type", "")
    config.maintenance_message = property_string.percent_decoded(maintenance.get("message", ""))
    return config


def _known(section: Section, schema: section_config.Schema) -> dict[str, t.Any]:
    """Only what this collection knows: a newer PBS, or another file in this place, may have secrets in its properties."""
    known = schema[section.type].properties
    return {
        name: value if isinstance(value, str) else list(value)
        for name, value in section.properties.items()
        if name in known
    }


def _raw(section: Section, name: str, default_key: str) -> dict[str, str]:
    """Parse a property string without a check of its values, so that also values that PBS does not know are shown."""
    try:
        return property_string.parse(section.text(name), default_key)
    except PropertyStringError:
        return {}


def _job(section: Section, schema: section_config.Schema, last_run: JobRunFacts) -> JobFacts:
    numbers = {name: _number(section.text(name)) for name in section.properties}
    return JobFacts(
        id=section.id,
        schedule=section.text("schedule"),
        namespace=section.text("ns"),
        max_depth=numbers.get("max-depth"),
        disabled=_flag(section.text("disable")),
        keeps={name: number for name, number in numbers.items() if name.startswith("keep-") and number is not None},
        last_run=last_run,
        properties=_known(section, schema),
    )


# --- sync jobs, remotes, S3 endpoints ---------------------------------------------------------------------------------


T = t.TypeVar("T")


def _each(sections: t.Optional[list[Section]], make: t.Callable[[Section], T]) -> t.Optional[list[T]]:
    return None if sections is None else [make(section) for section in sections]


def _properties(section: Section, schema: section_config.Schema) -> dict[str, t.Any]:
    """The properties that this collection knows and that may be in a report.

    Others are left out, because a newer PBS, or another file in this place, may have secrets there.
    """
    known = schema[section.type].properties
    return {
        name: value if isinstance(value, str) else list(value)
        for name, value in section.properties.items()
        if name in known and not known[name].secret and not known[name].private
    }


def _sync_job(section: Section, runs: _Runs) -> SyncJobFacts:
    return SyncJobFacts(
        id=section.id,
        store=section.text("store"),
        remote=section.text("remote"),
        remote_store=section.text("remote-store"),
        direction=section.text("sync-direction") or "pull",
        namespace=section.text("ns"),
        remote_namespace=section.text("remote-ns"),
        max_depth=_number(section.text("max-depth")),
        schedule=section.text("schedule"),
        owner=section.text("owner"),
        group_filters=section.texts("group-filter"),
        run_on_mount=_flag(section.text("run-on-mount")),
        properties=_properties(section, section_config.SYNC),
        last_run=runs.last("syncjob", section.id),
    )


def _remote(section: Section) -> RemoteFacts:
    return RemoteFacts(
        name=section.id,
        host=section.text("host"),
        port=_number(section.text("port")),
        auth_id=section.text("auth-id"),
        fingerprint=section.text("fingerprint"),
        properties=_properties(section, section_config.REMOTE),
    )


def _s3_endpoint(section: Section) -> S3EndpointFacts:
    return S3EndpointFacts(
        id=section.id,
        endpoint=section.text("endpoint"),
        port=_number(section.text("port")),
        region=section.text("region"),
        properties=_properties(section, section_config.S3),
    )


def _number(text: str) -> t.Optional[int]:
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 16 else None


def _flag(text: str) -> bool:
    try:
        return property_string.parse_bool(text) if text else False
    except PropertyStringError:
        return False


# --- traffic control and notifications --------------------------------------------------------------------------------


def _notifications(
    sections: t.Optional[list[Section]],
) -> tuple[t.Optional[list[ServerEntryFacts]], t.Optional[list[ServerEntryFacts]]]:
    """Targets and matchers, with those that PBS brings."""
    if sections is None:
        return None, None
    used = notifications.with_builtin({section.id: section for section in sections})
    entries = [_server_entry(section) for section in used.values()]
    return (
        [entry for entry in entries if entry.type != notifications.MATCHER],
        [entry for entry in entries if entry.type == notifications.MATCHER],
    )


def _server_entry(section: Section) -> ServerEntryFacts:
    kinds = {**TRAFFIC_CONTROL, **notification_settings.SCHEMA}
    return ServerEntryFacts(
        name=section.id,
        type=section.type,
        properties=_properties(section, kinds),
        digests={
            name: notification_settings.digest(known.kind, section.texts(name))
            for name, known in kinds[section.type].properties.items()
            if known.private and name in section.properties
        },
    )
