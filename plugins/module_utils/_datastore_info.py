# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module datastore_info: what is configured, mounted and last collected; without judgement or change."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import DatastoreConfig, SyncJobFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.shown import shown
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import StoreFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.configuration import (
    all_runs,
    effective_path,
    observe_configuration,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host import version
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.jobs.task_history import (
    LOG_DIR,
    observe_histories,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.store import observe_stores
from ansible_collections.fleetops.pbs.plugins.module_utils._options.common import OptionError
from ansible_collections.fleetops.pbs.plugins.module_utils._options.info import info_plan


def datastore_info(options: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """One dictionary for each configured datastore, or only for the one with the given name. Raises `CollectionError`."""
    plan = info_plan(options)
    directory, configured = observe_configuration(plan.config_dir, plan.state_dir, plan.account, version.installed()[1])
    for file in shown(directory).files:
        if file.error:
            raise OptionError(f"{file.path} cannot be read: {file.error}")
    if directory.error:
        raise OptionError(f"{directory.path} cannot be read: {directory.error}")
    observe_histories(all_runs(directory, configured), LOG_DIR, plan.probe.deadline)
    if plan.name:
        configured = [item for item in configured if item.name == plan.name]
    table = MountTable.read()
    stores = [StoreFacts(name=item.name, path=effective_path(item), configured=item) for item in configured]
    for store, item in zip(stores, configured):
        if item.backing_device:
            # From the mount table only, so that it does not wait for a device that is not plugged in.
            entry = table.find_entry(store.path)
            store.mounted = entry is not None and entry.mount_point == store.path
    for store, real_path in zip(stores, observe_stores(stores, plan.probe, table)):
        store.mount = table.find(real_path)
    sync_jobs = shown(directory).sync_jobs or []
    return [
        _describe(store, item, [job for job in sync_jobs if job.store == item.name])
        for store, item in zip(shown(stores), shown(configured))
    ]


def _describe(store: StoreFacts, item: DatastoreConfig, sync_jobs: t.Sequence[SyncJobFacts]) -> dict[str, t.Any]:
    mount = store.mount
    skeleton = store.skeleton
    return {
        "name": item.name,
        "path": item.path,
        "effective_path": store.path,
        "properties": _underscored(
            {name: value for name, value in item.properties.items() if name not in _WITH_FIELDS}
        ),
        "tuning": _underscored(item.tuning),
        "backend": item.backend,
        "backing_device": item.backing_device,
        "maintenance": item.maintenance_type,
        "maintenance_message": item.maintenance_message,
        "gc_last_run": None if item.gc_last_run is None else dataclasses.asdict(item.gc_last_run),
        "prune_jobs": [dataclasses.asdict(job) for job in item.prune_jobs],
        "verify_jobs": [dataclasses.asdict(job) for job in item.verify_jobs],
        "sync_jobs": [dataclasses.asdict(job) for job in sync_jobs],
        "mounted": store.mounted,
        "mount": None
        if mount is None
        else {
            "path": mount.mount_point,
            "source": mount.source,
            "fstype": mount.fstype,
            "options": mount.options,
            "is_root": mount.is_root,
        },
        "state": "" if skeleton is None else skeleton.state,
        "space": None if store.space is None else dataclasses.asdict(store.space),
        "error": f"no answer for {store.deadline:g} s ({store.stuck})" if store.stuck else store.error,
    }


_WITH_FIELDS = ("tuning", "backend", "backing-device", "maintenance-mode")
"""Properties whose parsed value has its own key."""


def _underscored(properties: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {name.replace("-", "_"): value for name, value in sorted(properties.items())}
