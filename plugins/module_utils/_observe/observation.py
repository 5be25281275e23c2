# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Observes one host: finds its datastores and collects all facts about each."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import AccountFacts, HostFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.references import ReferenceFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.shown import shown
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import StoreFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.walk import OwnershipFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.boot.persistence import observe_persistence
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.boot.unit_order import observe_unit_order
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.configuration import (
    all_runs,
    effective_path,
    observe_configuration,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host import version
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.account import observe_account
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.host import observe_host
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.jobs.running_tasks import observe_running_tasks
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.jobs.task_history import (
    LOG_DIR,
    observe_histories,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.daemon_view import observe_daemon_views
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.environment import MountEnvironment
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.mount_source import source_matches
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.zfs import observe_zfs_datasets
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.references.observer import (
    NOT_ASKED,
    ReferencePlan,
    observe_store,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.store import observe_stores, plan_probe
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.ownership import WalkPlan
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.walk.workers import WalkProgress
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.cutoff import cutoff_seconds
from ansible_collections.fleetops.pbs.plugins.module_utils._system.limits import TIMEOUT, TOGETHER, TimeLimit
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error


@dataclasses.dataclass
class Declared:
    """The part of a declaration that the observers need."""

    name: str
    path: str
    source: str = ""
    """The device that should be mounted; empty if none is declared."""
    fstype: str = ""


@dataclasses.dataclass
class Plan:
    """What to observe on this host, and how."""

    host: str
    declared: t.Sequence[Declared] = ()
    user: str = "backup"
    group: str = "backup"
    config_dir: str = "/etc/proxmox-backup"
    state_dir: str = "/var/lib/proxmox-backup"
    run_dir: str = "/run/proxmox-backup"
    log_dir: str = LOG_DIR
    probe: str = "private"
    check_mode: bool = False
    deadline: float = 10.0
    """Seconds within which each datastore must answer."""
    scope: str = "full"
    references: str = "full"
    """How much of the index files to read: `full`, `headers` or `none`."""
    sample_prefixes: int = 256
    workers: int = 0
    max_paths: int = 20
    stall: float = 60.0
    """Seconds without progress after which a walk is abandoned."""
    timeout: float = TIMEOUT
    """Seconds that the walks over one datastore may take together."""


Progress = t.Callable[[str, t.Any], None]
"""Called with the name of a datastore and the progress of its walk."""


def observe(
    plan: Plan, on_progress: t.Optional[Progress] = None, env: t.Optional[MountEnvironment] = None
) -> tuple[HostFacts, list[StoreFacts]]:
    """Observe everything. The time is limited by the deadline of one datastore plus the walks."""
    account = observe_account(plan.user, plan.group)
    installed = version.installed()
    config_dir, configured = observe_configuration(plan.config_dir, plan.state_dir, account, installed[1])
    host = observe_host(plan.host, account, config_dir, installed, plan.run_dir)
    runs = all_runs(config_dir, configured)
    host.running_tasks = observe_running_tasks(runs, plan.log_dir, plan.deadline)
    host.task_list_error = observe_histories(runs, plan.log_dir, plan.deadline)
    stores = [StoreFacts(name=item.name, path=effective_path(item), configured=item) for item in configured]
    known = {store.name for store in stores}
    stores += [StoreFacts(name=item.name, path=item.path) for item in plan.declared if item.name not in known]
    env = env or MountEnvironment(systemd=host.systemd)
    for store in stores:
        _observe_removable(store, env)
    real_paths = observe_stores(stores, plan_probe(account, plan.probe, plan.check_mode, plan.deadline), env.table)
    sources = {item.name: item for item in plan.declared}
    for store, real_path in zip(stores, real_paths):
        _observe_mount(store, real_path, sources.get(store.name), host, env)
    _observe_zfs(stores)
    _observe_owners(stores, plan, account, on_progress)
    return shown(host), shown(stores)


def _observe_removable(store: StoreFacts, env: MountEnvironment) -> None:
    """PBS's own test: the mount at the path is from the device with the filesystem UUID; if in doubt, no."""
    if store.configured is None or not store.configured.backing_device:
        return
    mount = env.table.find(store.path)
    store.mounted = (
        mount is not None
        and mount.mount_point == store.path
        and source_matches("UUID=" + store.configured.backing_device, "", (), mount, env) is True
    )


def _observe_mount(
    store: StoreFacts, real_path: str, declared: t.Optional[Declared], host: HostFacts, env: MountEnvironment
) -> None:
    """Collect the facts about the mount without access to it; `real_path` contains no links."""
    removable = store.configured is not None and bool(store.configured.backing_device)
    store.mount = env.table.find(real_path)
    try:
        store.persistent = observe_persistence(real_path, store.mount, removable, env)
        place = store.chunks_place
        if place is not None:
            place.persistent = observe_persistence(place.path, place.mount, False, env)
        if host.pbs_installed:
            store.unit_order = observe_unit_order(real_path, env)
            if place is not None:
                place.unit_order = observe_unit_order(place.path, env)
    except OSError as exc:
        store.error = store.error or f"{exc.filename or env.fstab_path}: {describe_error(exc)}"
    pids = {daemon.unit: daemon.main_pid for daemon in host.daemons if daemon.main_pid}
    store.daemon_views = observe_daemon_views(real_path, store.mount, pids, env)
    if declared is not None and declared.source and store.mount is not None:
        store.declared_source_matches = source_matches(declared.source, declared.fstype, (), store.mount, env)


def _observe_zfs(stores: t.Sequence[StoreFacts]) -> None:
    datasets = {
        store.mount.source: store for store in stores if store.mount is not None and store.mount.fstype == "zfs"
    }
    for name, facts in observe_zfs_datasets(sorted(datasets)).items():
        for store in stores:
            if store.mount is not None and store.mount.fstype == "zfs" and store.mount.source == name:
                store.zfs = facts


def _observe_owners(
    stores: t.Sequence[StoreFacts], plan: Plan, account: AccountFacts, on_progress: t.Optional[Progress]
) -> None:
    """Walk the datastores one after the other, each with all workers; skip those that did not answer."""
    limit = TimeLimit(TOGETHER * plan.timeout, "the limit for all datastores of a host together")
    for store in stores:
        reason = _no_walk(store, plan, account)
        if reason == "" and not limit.left():
            reason = f"the walks over the datastores before it reached {limit.text}"
        if reason is None:
            store.references = ReferenceFacts(plan.references, not_looked=_nothing_there(store, plan))
            continue
        if reason or account.uid is None or account.gid is None:
            store.ownership = OwnershipFacts(scope=plan.scope, not_walked=reason)
            store.references = ReferenceFacts(plan.references, not_looked=reason)
            continue
        walk = WalkPlan(
            path=store.path,
            uid=account.uid,
            gid=account.gid,
            groups=tuple(account.groups),
            scope=plan.scope,
            sample_prefixes=plan.sample_prefixes,
            workers=plan.workers,
            max_paths=plan.max_paths,
            stall=plan.stall,
            limit=limit.part(plan.timeout),
            as_owner=bool(store.root_refused),
        )
        if on_progress is not None:
            # Datastores that do not answer take a while; this names the one that is being walked.
            on_progress(store.name, WalkProgress())
        store.ownership, store.references = observe_store(
            walk,
            _reference_plan(store, plan),
            None if on_progress is None else functools.partial(on_progress, store.name),
        )


def _nothing_there(store: StoreFacts, plan: Plan) -> str:
    """Why nothing was read if there is no chunk store."""
    if plan.references == "none":
        return NOT_ASKED
    return "its device is not mounted" if store.mounted is False else "there is no chunk store at the path"


def _reference_plan(store: StoreFacts, plan: Plan) -> ReferencePlan:
    tuning = store.configured.tuning if store.configured is not None else {}
    s3 = store.configured is not None and store.configured.backend == "s3"
    location = store.location
    refused = ""
    if location is not None and location.reachable is False:
        # `backup` may name any directory of root as a datastore; root reads no file there that `backup` cannot reach.
        refused = f"the daemon's user cannot enter {location.blocked_at}"
    return ReferencePlan(
        scope=plan.references,
        refused=refused,
        no_chunks="the chunks are in S3, and what is here is a cache of them" if s3 else "",
        cutoff=cutoff_seconds(tuning),
        count_old=store.atime is not None and store.atime.ignores_touches,
        safety_check=tuning.get("gc-atime-safety-check") is not False,
    )


def _no_walk(store: StoreFacts, plan: Plan, account: AccountFacts) -> t.Optional[str]:
    """Why there is no walk: empty if there is one, None if there is nothing to walk or to report."""
    skeleton = store.skeleton
    if store.mounted is False or (skeleton is not None and skeleton.chunks is None):
        return None
    if store.stuck or skeleton is None:
        if store.stuck:
            return f"the datastore gave no answer ({store.stuck})"
        error = store.location.error if store.location is not None else ""
        return "the datastore could not be inspected (%s)" % (
            store.error or ("%s: %s" % (store.path, error) if error else "no answer")
        )
    if account.uid is None or account.gid is None:
        return f"user or group of the daemon do not exist here ({plan.user}:{plan.group})"
    return ""
