# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module datastore: compares one datastore with its declaration, decides, calls PBS, and checks the result."""

from __future__ import annotations

import dataclasses
import json
import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils import _creation
from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import OptionError, check_path, require_account
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.config import DatastoreConfig
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.host import AccountFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._facts.store import StoreFacts
from ansible_collections.fleetops.pbs.plugins.module_utils._manage import settings
from ansible_collections.fleetops.pbs.plugins.module_utils._manage.completion import (
    StoreError,
    check_reuse,
    complete_store,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._manage.manager import Manager, ManagerError, option
from ansible_collections.fleetops.pbs.plugins.module_utils._manage.outcome import Outcome
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.account import observe_account
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.config_file import (
    DATASTORES,
    Configuration,
    read_configuration,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.mounts.table import MountTable
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.store import observe_stores, plan_probe
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.section_config import Section
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.values import DATASTORE_NAME, shown
from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import open_directory
from ansible_collections.fleetops.pbs.plugins.module_utils._system.small_file import read_small
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display

ERRORS = (ValueError, ManagerError, StoreError)
"""The errors of the functions here, with messages for users."""

_ATTEMPTS = 3
"""Number of attempts of an update while others change the configuration."""
_REUSE_SINCE = "4.0.4"
_FIXED = {"path": "3.0", "backing_device": "3.2.12", "backend": "4.0.4"}
"""Properties that can be set only at creation, and the first PBS that supports them."""


@dataclasses.dataclass
class _Request:
    """The module's options, checked."""

    name: str
    path: str
    """As in PBS: relative to the device for a removable datastore; empty if it was not given."""
    fixed: dict[str, str]
    desired: settings.Desired
    options: t.Mapping[str, t.Any]
    check_mode: bool

    @property
    def backed(self) -> bool:
        """Whether the chunks are on a device or in a bucket, so that the current contents of the path say nothing."""
        return "backing_device" in self.fixed or self.fixed.get("backend", "").startswith(("s3", "type=s3"))


def new_manager(params: t.Mapping[str, t.Any], check_mode: bool) -> Manager:
    """The client that the module's options describe."""
    return Manager(params["manager"], params["timeout"], params["lock_timeout"], check_mode=check_mode)


def ensure_datastore(params: t.Mapping[str, t.Any], check_mode: bool, manager: Manager) -> Outcome:
    """Bring one datastore to `state`. Raises one of `ERRORS`, if possible before any change."""
    outcome = Outcome(commands=manager.commands)
    request = _check(params, check_mode)
    _require_root()
    configuration = read_configuration(params["config_dir"], DATASTORES)
    section = configuration.sections.get(request.name)
    if params["state"] == "absent":
        _remove(request, section, manager, outcome)
    elif section is None:
        _create(request, configuration, manager, outcome)
    else:
        _update(request, section, configuration, manager, outcome)
    return outcome


def _require_root() -> None:
    if os.geteuid() != 0:
        raise OptionError(
            "Only root may change PBS's configuration, but this task runs as uid %d: use become: true." % os.geteuid()
        )


def _check(params: t.Mapping[str, t.Any], check_mode: bool) -> _Request:
    name = params["name"]
    try:
        DATASTORE_NAME.read(name)
    except ValueError as exc:
        raise OptionError(f"name: {shown(name)} is not a valid name of a datastore; allowed: {exc}") from None
    for number in ("timeout", "lock_timeout", "deadline"):
        if not 0 < params[number] < float("inf"):
            raise OptionError(f"{number}: must be more than 0 seconds, not {params[number]:g}")
    destroy = params.get("destroy_data")
    if destroy and destroy != name:
        raise OptionError(
            "destroy_data: it is %s, but the datastore's name is %s. To destroy every backup in it, repeat its name exactly."
            % (shown(destroy), shown(name))
        )
    if destroy and params["state"] != "absent":
        raise OptionError("destroy_data: this option is valid only with state: absent")
    require_account(params["user"])
    fixed = {key: settings.check_fixed(settings.DATASTORE, key, params[key]) for key in _FIXED if params.get(key)}
    path = fixed.get("path", "")
    if path and "backing_device" in fixed:
        if path.startswith(("/", "-")):
            raise OptionError(
                f"path: with backing_device it is relative to the device, such as 'backups', not '{path}'"
            )
    elif path:
        path = check_path(path, "path")
        last = os.path.basename(path)
        if last.startswith("."):
            raise OptionError(
                f"path: garbage collection ignores directories whose name begins with a dot, such as '{last}'"
            )
    desired = settings.check(settings.DATASTORE, params, params.get("unset") or ())
    return _Request(name, path, fixed, desired, params, check_mode)


# --- update ------------------------------------------------------------------------------------------------------------


def _update(
    request: _Request, section: Section, configuration: Configuration, manager: Manager, outcome: Outcome
) -> None:
    _check_unchangeable(request, section)
    for attempt in range(_ATTEMPTS):
        changes = settings.compare(settings.DATASTORE, request.desired, section)
        if not changes and attempt:
            break  # PBS refused our update, but another change of the file meanwhile made it unnecessary
        outcome.show(changes, request.name)
        if not changes:
            outcome.message = f"Datastore '{request.name}' is as declared."
            return
        _require_version(request, manager)
        del manager.commands[:]
        try:
            manager.change(
                ["datastore", "update", request.name, *settings.as_arguments(changes), "--digest", configuration.digest]
            )
            break
        except ManagerError as exc:
            if not exc.changed_meanwhile or attempt == _ATTEMPTS - 1:
                raise
        configuration = read_configuration(request.options["config_dir"], DATASTORES)
        if request.name not in configuration.sections:
            raise OptionError(f"Datastore '{request.name}' was removed meanwhile. Run this again to create it.")
        section = configuration.sections[request.name]
    outcome.changed = True
    outcome.action = "update"
    outcome.message = f"Datastore '{request.name}' {'would be changed' if request.check_mode else 'was changed'}."
    if not request.check_mode:
        _verify(request, outcome)


def _check_unchangeable(request: _Request, section: Section) -> None:
    if section.text("maintenance-mode").split(",")[0].rpartition("=")[2] == "delete":
        raise OptionError(
            "Datastore '%s' is being deleted (maintenance mode delete), and PBS cannot undo that. Finish the removal "
            "(state: absent), then create it again." % request.name
        )
    device = section.text("backing-device")
    have_path = section.text("path")
    if request.path and os.path.normpath(request.path) != os.path.normpath(have_path):
        raise OptionError(
            "Datastore '%s' is at %s, declared is %s. PBS cannot move a datastore, and this module never removes one to "
            "create it again: correct the declaration, or remove it (state: absent keeps its data), move the data, and "
            "add it again." % (request.name, display(have_path), display(request.path))
        )
    if "backing_device" in request.fixed and request.fixed["backing_device"] != device:
        raise OptionError(
            "Datastore '%s' has the backing device %s, declared is %s. PBS cannot change it."
            % (request.name, display(device) or "none", request.fixed["backing_device"])
        )
    if "backend" in request.fixed and not settings.same_backend(request.fixed["backend"], section.text("backend")):
        raise OptionError(
            "Datastore '%s' has the backend %s, declared is %s. PBS cannot change it."
            % (request.name, display(section.text("backend")) or "filesystem", request.fixed["backend"])
        )


def _require_version(request: _Request, manager: Manager, reuse: bool = False) -> None:
    since = {**request.desired.since, **{key: _FIXED[key] for key in request.fixed}}
    if reuse:
        since["reuse (the option --reuse-datastore of the command line)"] = _REUSE_SINCE
    if not since:
        return
    problems = settings.too_new(settings.Desired(since=since), manager.version())
    if problems:
        raise OptionError(f"This PBS is too old: {'; '.join(problems)}. Upgrade PBS, or omit these options.")


# --- create ------------------------------------------------------------------------------------------------------------


def _create(request: _Request, configuration: Configuration, manager: Manager, outcome: Outcome) -> None:
    if not request.path:
        raise OptionError(f"path: datastore '{request.name}' does not exist yet; a path is required to create it")
    if "gc-on-unmount" in request.desired.values and "backing_device" not in request.fixed:
        raise OptionError("gc_on_unmount: PBS allows this only for removable datastores (backing_device)")
    reuse = request.options["reuse"]
    account = observe_account(request.options["user"], request.options["group"])
    if request.backed:
        # The module cannot look into an unmounted device or into a bucket, so the user decides.
        action = _creation.REUSE if reuse else _creation.CREATE
    else:
        _check_text(request, configuration)
        decision = _creation.decide(
            request.name,
            request.path,
            [_as_config(section) for section in configuration.sections.values()],
            account,
            request.options["probe"],
            reuse,
            request.check_mode,
            request.options["deadline"],
        )
        action = decision.action
        outcome.warnings += decision.warnings
        outcome.not_tried = decision.not_tried
    _require_version(request, manager, reuse=action != _creation.CREATE)
    changes = settings.compare(settings.DATASTORE, request.desired, None)
    fixed = {key.replace("_", "-"): value for key, value in request.fixed.items()}
    changes.after.update(fixed, path=request.path)
    outcome.show(changes, request.name)
    arguments = ["datastore", "create", request.name, request.path, *settings.as_arguments(changes)]
    for key in ("backing-device", "backend"):
        if key in fixed:
            arguments += option(key, fixed[key])
    if action != _creation.CREATE:
        arguments += ["--reuse-datastore", "true"]
    if request.options["overwrite_in_use"]:
        arguments += ["--overwrite-in-use", "true"]
    if action == _creation.REUSE and not request.backed:
        _check_reusable(request, account)
    if action == _creation.COMPLETE:
        manager.require_daemons(request.name)
        if not request.check_mode:
            _complete(request, account, outcome)
    try:
        outcome.log = manager.change(arguments, task=True).log
    except ManagerError as exc:
        # PBS may complete a request although it reported a lock timeout; the repeated request then finds the datastore.
        if _EXISTS not in exc.said or not _is_there(request):
            raise
    outcome.changed = True
    outcome.action = action
    outcome.message = _CREATED[action, request.check_mode] % (request.name, display(request.path))
    if not request.check_mode:
        _verify(request, outcome)


def _is_there(request: _Request) -> bool:
    section = read_configuration(request.options["config_dir"], DATASTORES).sections.get(request.name)
    return section is not None and os.path.normpath(section.text("path")) == os.path.normpath(request.path)


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


def _check_text(request: _Request, configuration: Configuration) -> None:
    """PBS's own rule about nesting, which compares the text of the paths."""
    mine = request.path.rstrip("/") + "/"
    for section in configuration.sections.values():
        if section.text("backing-device"):
            continue
        other = os.path.normpath(section.text("path")).rstrip("/") + "/"
        if mine.startswith(other) or other.startswith(mine):
            raise OptionError(
                "path: %s and datastore '%s' at %s are nested. Use separate directories."
                % (display(request.path), section.id, display(section.text("path")))
            )


def _as_config(section: Section) -> DatastoreConfig:
    """The part of the configuration that the comparison of locations needs."""
    return DatastoreConfig(
        name=section.id,
        path=os.path.normpath(section.text("path")),
        backing_device=section.text("backing-device"),
    )


def _check_reusable(request: _Request, account: AccountFacts) -> None:
    if account.uid is None or account.gid is None:
        raise OptionError(f"There is no '{account.user}:{account.group}' on this host. Is PBS installed?")
    wrong = check_reuse(request.path, account.uid, account.gid, request.options["deadline"])
    if wrong.count:
        raise OptionError(
            "PBS would refuse to reuse the chunk store at %s: %d of its directories have the wrong owner or mode (%s). "
            "ansible-playbook fleetops.pbs.repair fixes owners. To fix modes: chmod 0755 for the base directory, 0750 for "
            ".chunks and the directories in it, 0644 for .lock."
            % (display(request.path), wrong.count, "; ".join(wrong.examples))
        )


def _complete(request: _Request, account: AccountFacts, outcome: Outcome) -> None:
    if account.uid is None or account.gid is None:
        raise OptionError(f"There is no '{account.user}:{account.group}' on this host. Is PBS installed?")
    outcome.completed = complete_store(request.path, account.uid, account.gid, request.options["deadline"])
    outcome.changed = True


# --- absent ------------------------------------------------------------------------------------------------------------


def _remove(request: _Request, section: t.Optional[Section], manager: Manager, outcome: Outcome) -> None:
    if section is None:
        outcome.message = f"There is no datastore '{request.name}'."
        return
    if request.path and os.path.normpath(request.path) != os.path.normpath(section.text("path")):
        raise OptionError(
            "Datastore '%s' is at %s, not at %s. Nothing was removed: correct the path, or omit it."
            % (request.name, display(section.text("path")), display(request.path))
        )
    _require_idle(request)
    destroy = bool(request.options.get("destroy_data"))
    arguments = ["datastore", "remove", request.name]
    if request.options["keep_jobs"]:
        arguments += ["--keep-job-configs", "true"]
    if destroy:
        arguments += ["--destroy-data", "true"]
    before = {name: section.text(name) for name in section.properties}
    outcome.show(settings.Changes(before=before, after={}), request.name)
    outcome.log = manager.change(arguments, task=True).log
    outcome.changed = True
    outcome.action = "remove"
    path = display(section.text("path"))
    kept = "with all of its data" if destroy else f"its data at {path} stayed"
    outcome.message = "Datastore '%s' %s removed (%s)." % (
        request.name,
        "would be" if request.check_mode else "was",
        kept if not request.check_mode else kept.replace("stayed", "would stay"),
    )
    if not request.check_mode:
        _verify_gone(request, section, destroy)


def _verify_gone(request: _Request, section: Section, destroy: bool) -> None:
    left = read_configuration(request.options["config_dir"], DATASTORES).sections.get(request.name)
    if left is not None:
        raise ManagerError(
            "PBS reported that datastore '%s' was removed, but it is still configured (maintenance mode: %s). Run this "
            "again when nothing uses it any more." % (request.name, display(left.text("maintenance-mode")) or "none")
        )
    if destroy and not section.text("backing-device"):
        store = StoreFacts(name=request.name, path=os.path.normpath(section.text("path")))
        account = observe_account(request.options["user"], request.options["group"])
        observe_stores([store], plan_probe(account, "none", False, request.options["deadline"]), MountTable.read())
        if store.skeleton is not None and store.skeleton.chunks is not None:
            raise ManagerError(
                "Datastore '%s' was removed from PBS's configuration, but %s/.chunks still exists."
                % (request.name, display(store.path))
            )


def _require_idle(request: _Request) -> None:
    """PBS checks this only after it has set the maintenance mode delete, which cannot be undone."""
    directory = os.path.join(request.options["run_dir"], "active-operations")
    try:
        dir_fd = open_directory(directory)
    except OSError:
        return
    try:
        found = read_small(request.name, dir_fd, 1024 * 1024)
    finally:
        os.close(dir_fd)
    reading, writing = _operations(found.data)
    if reading or writing:
        raise OptionError(
            "Datastore '%s' is in use (%d reading, %d writing operations). Nothing was changed; wait until they end: "
            "proxmox-backup-manager task list." % (request.name, reading, writing)
        )


def _operations(data: t.Optional[bytes]) -> tuple[int, int]:
    """Numbers of reading and writing operations of processes that still run."""
    reading = writing = 0
    try:
        for entry in json.loads(data or b"[]"):
            if os.path.exists(f"/proc/{int(entry['pid'])}"):
                reading += int(entry["active_operations"]["read"])
                writing += int(entry["active_operations"]["write"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return 0, 0  # PBS reports it itself
    return reading, writing


# --- check of the result ------------------------------------------------------------------------------------------------


def _verify(request: _Request, outcome: Outcome) -> None:
    section = read_configuration(request.options["config_dir"], DATASTORES).sections.get(request.name)
    if section is None:
        raise ManagerError(f"PBS reported success, but datastore '{request.name}' is not in its configuration.")
    left = settings.compare(settings.DATASTORE, request.desired, section)
    if left:
        raise ManagerError(
            "PBS reported success, but datastore '%s' still differs in: %s."
            % (request.name, ", ".join(sorted([*left.set, *left.delete])))
        )
    outcome.after = {name: section.text(name) for name in section.properties}
