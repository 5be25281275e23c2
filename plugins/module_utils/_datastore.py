# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module datastore: compares one datastore with its declaration, decides, calls PBS, and checks the result."""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils import _creation
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import DatastoreConfig
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import AccountFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import StoreFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._manage.completion import (
    check_reuse,
    complete_store,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._manage.manager import Manager, ManagerError
from ansible_collections.fleetops.pbs.plugins.module_utils._manage.outcome import Outcome
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.configuration import REMOVABLE_ROOT
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.account import observe_account
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.config_file import (
    DATASTORES,
    S3_ENDPOINTS,
    Configuration,
    read_configuration,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.store import observe_stores, plan_probe
from ansible_collections.fleetops.pbs.plugins.module_utils._options.common import (
    OptionError,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._options.datastore import (
    FIXED_SINCE,
    DatastorePlan,
    datastore_plan,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import property_string, settings
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.section_config import Section
from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import open_directory
from ansible_collections.fleetops.pbs.plugins.module_utils._system.small_file import read_small
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error, display

_ATTEMPTS = 3
"""Number of attempts of an update while others change the configuration."""
_REUSE_SINCE = "4.0.4"


def new_manager(options: t.Mapping[str, t.Any], check_mode: bool) -> Manager:
    """The client that the module's options describe."""
    return Manager(options["manager"], options["timeout"], options["lock_timeout"], check_mode=check_mode)


def ensure_datastore(options: t.Mapping[str, t.Any], check_mode: bool, manager: Manager) -> Outcome:
    """Bring one datastore to `state`. Raises `CollectionError`, if possible before any change."""
    outcome = Outcome(commands=manager.commands)
    plan = datastore_plan(options, check_mode)
    _require_root()
    configuration = read_configuration(plan.config_dir, DATASTORES)
    section = configuration.sections.get(plan.name)
    if not plan.present:
        _remove(plan, section, manager, outcome)
    elif section is None:
        _create(plan, configuration, manager, outcome)
    else:
        _update(plan, section, configuration, manager, outcome)
    if plan.mounted is not None:
        _bring_mount(plan, section, manager, outcome)
    return outcome


def _require_root() -> None:
    if os.geteuid() != 0:
        raise OptionError(
            "Only root may change PBS's configuration, but this task runs as uid %d: use become: true." % os.geteuid()
        )


# --- update ------------------------------------------------------------------------------------------------------------


def _update(
    plan: DatastorePlan, section: Section, configuration: Configuration, manager: Manager, outcome: Outcome
) -> None:
    _check_unchangeable(plan, section)
    for attempt in range(_ATTEMPTS):
        changes = settings.compare(settings.DATASTORE, plan.desired, section)
        if not changes and attempt:
            break  # PBS refused our update, but another change of the file meanwhile made it unnecessary
        outcome.show(changes, plan.name)
        if not changes:
            outcome.message = f"Datastore '{plan.name}' is as declared."
            return
        _require_version(plan, manager)
        if plan.check_mode:
            manager.require_daemons()
        del manager.commands[:]
        try:
            manager.change(
                ["datastore", "update", plan.name, *settings.as_arguments(changes), "--digest", configuration.digest]
            )
            break
        except ManagerError as exc:
            if not exc.changed_meanwhile or attempt == _ATTEMPTS - 1:
                raise
        configuration = read_configuration(plan.config_dir, DATASTORES)
        if plan.name not in configuration.sections:
            raise OptionError(f"Datastore '{plan.name}' was removed meanwhile. Run this again to create it.")
        section = configuration.sections[plan.name]
    outcome.changed = True
    outcome.action = "update"
    outcome.message = f"Datastore '{plan.name}' {'would be changed' if plan.check_mode else 'was changed'}."
    if not plan.check_mode:
        _verify(plan, outcome)


def _check_unchangeable(plan: DatastorePlan, section: Section) -> None:
    if section.text("maintenance-mode").split(",")[0].rpartition("=")[2] == "delete":
        raise OptionError(
            "Datastore '%s' is being deleted (maintenance mode delete), and PBS cannot undo that. Finish the removal "
            "(state: absent), then create it again." % plan.name
        )
    device = section.text("backing-device")
    have_path = section.text("path")
    if plan.path and os.path.normpath(plan.path) != os.path.normpath(have_path):
        raise OptionError(
            "Datastore '%s' is at %s, declared is %s. PBS cannot move a datastore, and this module never removes one to "
            "create it again: correct the declaration, or remove it (state: absent keeps its data), move the data, and "
            "add it again." % (plan.name, display(have_path), display(plan.path))
        )
    if "backing_device" in plan.fixed and plan.fixed["backing_device"] != device:
        raise OptionError(
            "Datastore '%s' has the backing device %s, declared is %s. PBS cannot change it."
            % (plan.name, display(device) or "none", plan.fixed["backing_device"])
        )
    if "backend" in plan.fixed and not settings.same_backend(plan.fixed["backend"], section.text("backend")):
        raise OptionError(
            "Datastore '%s' has the backend %s, declared is %s. PBS cannot change it."
            % (plan.name, display(section.text("backend")) or "filesystem", plan.fixed["backend"])
        )


def _require_version(plan: DatastorePlan, manager: Manager, reuse: bool = False) -> None:
    since = {**plan.desired.since, **{key: FIXED_SINCE[key] for key in plan.fixed}}
    if reuse:
        since["reuse (the option --reuse-datastore of the command line)"] = _REUSE_SINCE
    if not since:
        return
    problems = settings.too_new(settings.Desired(since=since), manager.version())
    if problems:
        raise OptionError(f"This PBS is too old: {'; '.join(problems)}. Upgrade PBS, or omit these options.")


# --- create ------------------------------------------------------------------------------------------------------------


def _create(plan: DatastorePlan, configuration: Configuration, manager: Manager, outcome: Outcome) -> None:
    if not plan.path:
        raise OptionError(f"path: datastore '{plan.name}' does not exist yet; a path is required to create it")
    if "gc-on-unmount" in plan.desired.values and "backing_device" not in plan.fixed:
        raise OptionError("gc_on_unmount: PBS allows this only for removable datastores (backing_device)")
    if plan.mounted is not None and "backing_device" not in plan.fixed:
        raise OptionError("mounted: PBS mounts only removable datastores (backing_device)")
    reuse = plan.reuse
    account = observe_account(plan.user, plan.group)
    if "backing_device" in plan.fixed:
        # The module cannot look into an unmounted device, so the user decides.
        action = _creation.REUSE if reuse else _creation.CREATE
    else:
        _check_text(plan, configuration)
        if plan.s3:
            _require_endpoint(plan, outcome)
        decision = _creation.decide(
            plan.name,
            plan.path,
            [_as_config(section) for section in configuration.sections.values()],
            account,
            plan.probe,
            # The path of an S3 datastore is only a cache: the user decides what to do with the bucket.
            None if plan.s3 else reuse,
            plan.check_mode,
            plan.deadline,
        )
        action = _with_bucket(plan, decision.action) if plan.s3 else decision.action
        outcome.warnings += decision.warnings
        outcome.not_tried = decision.not_tried
    _require_version(plan, manager, reuse=action != _creation.CREATE)
    changes = settings.compare(settings.DATASTORE, plan.desired, None)
    fixed = {key.replace("_", "-"): value for key, value in plan.fixed.items()}
    changes.after.update(fixed, path=plan.path)
    outcome.show(changes, plan.name)
    arguments = ["datastore", "create", plan.name, plan.path, *settings.as_arguments(changes)]
    for key in ("backing-device", "backend"):
        if key in fixed:
            arguments += settings.as_argument(key, fixed[key])
    if action != _creation.CREATE:
        arguments += ["--reuse-datastore", "true"]
    if plan.overwrite_in_use:
        arguments += ["--overwrite-in-use", "true"]
    if plan.check_mode or action == _creation.COMPLETE:
        manager.require_daemons()
    if action == _creation.REUSE and not plan.backed:
        _check_reusable(plan, account)
    if action == _creation.COMPLETE:
        _complete(plan, account, outcome)
    try:
        reply = manager.change(arguments, task=True)
        outcome.log = reply.log
        if reply.warnings:
            outcome.warnings.append(f"PBS's task ended with {reply.warnings} warnings; see log")
    except ManagerError as exc:
        # PBS may complete a request although it reported a lock timeout; the repeated request then finds the datastore.
        if _EXISTS not in exc.said or not _is_there(plan):
            raise
    outcome.changed = True
    outcome.action = action
    outcome.message = _CREATED[action, plan.check_mode] % (plan.name, display(plan.path))
    if not plan.check_mode:
        _verify(plan, outcome)


def _require_endpoint(plan: DatastorePlan, outcome: Outcome) -> None:
    client = property_string.parse(plan.fixed["backend"], "type").get("client", "")
    if client in read_configuration(plan.config_dir, S3_ENDPOINTS).sections:
        return
    if not plan.check_mode:
        raise OptionError(f"backend.client: there is no S3 endpoint '{client}' on this host; create it first")
    # In check mode an earlier task may only have announced its creation.
    outcome.warnings.append(f"there is no S3 endpoint '{client}' yet")


def _with_bucket(plan: DatastorePlan, found: str) -> str:
    """Whether to create or to reuse a datastore in S3. `found` is what its cache would be without the bucket."""
    if plan.reuse:
        return _creation.REUSE
    if found != _creation.CREATE:
        raise OptionError(
            "There is a chunk store at %s. The cache of a new datastore in S3 must be empty: empty the directory, or set "
            "reuse: true, and overwrite_in_use: true if the bucket is marked as in use, to fetch the contents of the bucket."
            % display(plan.path)
        )
    return _creation.CREATE


def _is_there(plan: DatastorePlan) -> bool:
    section = read_configuration(plan.config_dir, DATASTORES).sections.get(plan.name)
    return section is not None and os.path.normpath(section.text("path")) == os.path.normpath(plan.path)


_EXISTS = "already exists"
_CREATED = {
    (_creation.CREATE, False): "Datastore '%s' was created at %s.",
    (_creation.CREATE, True): "Datastore '%s' would be created at %s.",
    (_creation.REUSE, False): "Datastore '%s' was added with the chunk store that was at %s.",
    (_creation.REUSE, True): "Datastore '%s' would be added with the chunk store that is at %s.",
    (
        _creation.COMPLETE,
        False,
    ): "The half-made chunk store of datastore '%s' at %s was completed, and the datastore added.",
    (
        _creation.COMPLETE,
        True,
    ): "The half-made chunk store of datastore '%s' at %s would be completed, and the datastore added.",
}


def _check_text(plan: DatastorePlan, configuration: Configuration) -> None:
    """PBS's own rule about nesting, which compares the text of the paths."""
    mine = plan.path.rstrip("/") + "/"
    for section in configuration.sections.values():
        if section.text("backing-device"):
            continue
        other = os.path.normpath(section.text("path")).rstrip("/") + "/"
        if mine.startswith(other) or other.startswith(mine):
            raise OptionError(
                "path: %s and datastore '%s' at %s are nested. Use separate directories."
                % (display(plan.path), section.id, display(section.text("path")))
            )


def _as_config(section: Section) -> DatastoreConfig:
    """The part of the configuration that the comparison of locations needs."""
    return DatastoreConfig(
        name=section.id,
        path=os.path.normpath(section.text("path")),
        backing_device=section.text("backing-device"),
    )


def _check_reusable(plan: DatastorePlan, account: AccountFacts) -> None:
    if account.uid is None or account.gid is None:
        raise OptionError(f"There is no '{account.user}:{account.group}' on this host. Is PBS installed?")
    wrong = check_reuse(plan.path, account.uid, account.gid, plan.deadline, plan.timeout)
    if wrong.count:
        raise OptionError(
            "PBS would refuse to reuse the chunk store at %s: %d of its directories have the wrong owner or mode (%s). "
            "ansible-playbook fleetops.pbs.repair fixes owners. To fix modes: chmod 0755 for the base directory, 0750 for "
            ".chunks and the directories in it, 0644 for .lock."
            % (display(plan.path), wrong.count, "; ".join(wrong.examples))
        )


def _complete(plan: DatastorePlan, account: AccountFacts, outcome: Outcome) -> None:
    if account.uid is None or account.gid is None:
        raise OptionError(f"There is no '{account.user}:{account.group}' on this host. Is PBS installed?")
    outcome.completed = complete_store(
        plan.path, account.uid, account.gid, plan.deadline, plan.timeout, plan.check_mode
    )
    outcome.changed = True


# --- removable datastores -----------------------------------------------------------------------------------------------


def _bring_mount(plan: DatastorePlan, section: t.Optional[Section], manager: Manager, outcome: Outcome) -> None:
    """Mount or unmount a removable datastore. PBS mounts it when it creates it."""
    if section is not None and not section.text("backing-device"):
        raise OptionError(
            f"mounted: datastore '{plan.name}' has no backing device, and PBS mounts only removable datastores"
        )
    created = outcome.action in (_creation.CREATE, _creation.REUSE)
    mounted = _is_mounted(plan) or (plan.check_mode and created)
    if mounted == plan.mounted:
        return
    verb = "mount" if plan.mounted else "unmount"
    if not plan.mounted:
        # PBS would set the maintenance mode unmount, and wait for the end of whatever uses the datastore.
        _require_idle(plan)
    reply = manager.change(["datastore", verb, plan.name], task=True)
    if not plan.check_mode and _is_mounted(plan) != plan.mounted:
        raise ManagerError(
            f"PBS reported success, but datastore '{plan.name}' is {'not ' if plan.mounted else 'still '}mounted."
        )
    outcome.log = [*outcome.log, *reply.log]
    if reply.warnings:
        outcome.warnings.append(f"PBS's task ended with {reply.warnings} warnings; see log")
    outcome.before = {**outcome.before, "mounted": "false" if plan.mounted else "true"}
    outcome.after = {**outcome.after, "mounted": "true" if plan.mounted else "false"}
    done = f"{'would be' if plan.check_mode else 'was'} {verb}ed."
    outcome.message = f"{outcome.message} It {done}" if outcome.changed else f"Datastore '{plan.name}' {done}"
    outcome.action = outcome.action if outcome.changed else verb
    outcome.changed = True


def _is_mounted(plan: DatastorePlan) -> bool:
    point = os.path.join(REMOVABLE_ROOT, plan.name)
    mount = MountTable.read().find(point)
    return mount is not None and mount.mount_point == point


# --- absent ------------------------------------------------------------------------------------------------------------


def _remove(plan: DatastorePlan, section: t.Optional[Section], manager: Manager, outcome: Outcome) -> None:
    if section is None:
        outcome.message = f"There is no datastore '{plan.name}'."
        return
    if plan.path and os.path.normpath(plan.path) != os.path.normpath(section.text("path")):
        raise OptionError(
            "Datastore '%s' is at %s, not at %s. Nothing was removed: correct the path, or omit it."
            % (plan.name, display(section.text("path")), display(plan.path))
        )
    _require_idle(plan)
    destroy = plan.destroy_data
    arguments = ["datastore", "remove", plan.name]
    if plan.keep_jobs:
        arguments += ["--keep-job-configs", "true"]
    if destroy:
        arguments += ["--destroy-data", "true"]
    before = settings.shown_properties(settings.DATASTORE, section)
    outcome.show(settings.Changes(before=before, after={}), plan.name)
    outcome.log = manager.change(arguments, task=True).log
    outcome.changed = True
    outcome.action = "remove"
    path = display(section.text("path"))
    kept = "with all of its data" if destroy else f"its data at {path} stayed"
    outcome.message = "Datastore '%s' %s removed (%s)." % (
        plan.name,
        "would be" if plan.check_mode else "was",
        kept if not plan.check_mode else kept.replace("stayed", "would stay"),
    )
    if not plan.check_mode:
        _verify_gone(plan, section, destroy)


def _verify_gone(plan: DatastorePlan, section: Section, destroy: bool) -> None:
    left = read_configuration(plan.config_dir, DATASTORES).sections.get(plan.name)
    if left is not None:
        raise ManagerError(
            "PBS reported that datastore '%s' was removed, but it is still configured (maintenance mode: %s). Run this "
            "again when nothing uses it any more." % (plan.name, display(left.text("maintenance-mode")) or "none")
        )
    if destroy and not section.text("backing-device"):
        store = StoreFacts(name=plan.name, path=os.path.normpath(section.text("path")))
        account = observe_account(plan.user, plan.group)
        observe_stores([store], plan_probe(account, "none", False, plan.deadline), MountTable.read())
        if store.skeleton is not None and store.skeleton.chunks is not None:
            raise ManagerError(
                "Datastore '%s' was removed from PBS's configuration, but %s/.chunks still exists."
                % (plan.name, display(store.path))
            )


def _require_idle(plan: DatastorePlan) -> None:
    """PBS checks this only after it has set the maintenance mode delete, which cannot be undone."""
    directory = os.path.join(plan.run_dir, "active-operations")
    shown = display(os.path.join(directory, plan.name))
    try:
        dir_fd = open_directory(directory)
    except FileNotFoundError:
        return  # no daemon has been used since the boot
    except OSError as exc:
        raise OptionError(_not_known(plan, shown, describe_error(exc))) from None
    try:
        found = read_small(plan.name, dir_fd, 1024 * 1024)
    finally:
        os.close(dir_fd)
    if not found.exists:
        return
    if found.data is None:
        raise OptionError(_not_known(plan, shown, found.error))
    try:
        reading, writing = _operations(found.data)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise OptionError(_not_known(plan, shown, "it is not what PBS writes there")) from None
    if reading or writing:
        raise OptionError(
            "Datastore '%s' is in use (%d reading, %d writing operations). Nothing was changed; wait until they end: "
            "proxmox-backup-manager task list." % (plan.name, reading, writing)
        )


def _not_known(plan: DatastorePlan, shown: str, reason: str) -> str:
    return (
        f"Whether datastore '{plan.name}' is in use is not known: {shown}: {reason}. Nothing was changed. If no task runs "
        "(proxmox-backup-manager task list), remove that file."
    )


def _operations(data: bytes) -> tuple[int, int]:
    """Numbers of reading and writing operations of processes that still run.

    Raises `ValueError`, `TypeError`, `KeyError`, `AttributeError` or `RecursionError` for what is not as PBS writes it.
    """
    reading = writing = 0
    for entry in json.loads(data) if data.strip() else ():
        numbers = [entry["pid"], entry["active_operations"]["read"], entry["active_operations"]["write"]]
        if not all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in numbers):
            raise ValueError("a number is missing or negative")
        if os.path.exists(f"/proc/{numbers[0]}"):
            reading += numbers[1]
            writing += numbers[2]
    return reading, writing


# --- check of the result ------------------------------------------------------------------------------------------------


def _verify(plan: DatastorePlan, outcome: Outcome) -> None:
    section = read_configuration(plan.config_dir, DATASTORES).sections.get(plan.name)
    if section is None:
        raise ManagerError(f"PBS reported success, but datastore '{plan.name}' is not in its configuration.")
    left = settings.compare(settings.DATASTORE, plan.desired, section)
    if left:
        raise ManagerError(
            "PBS reported success, but datastore '%s' still differs in: %s."
            % (plan.name, ", ".join(sorted([*left.set, *left.delete])))
        )
    outcome.after = settings.shown_properties(settings.DATASTORE, section)
