# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of chunk_ownership."""

from __future__ import annotations

import dataclasses
import pwd
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._manage.ownership import RepairPlan
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.configuration import (
    effective_path,
    observe_configuration,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.account import observe_account
from ansible_collections.fleetops.pbs.plugins.module_utils._options.common import (
    OptionError,
    Options,
    check_path,
    require_seconds,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.layout import HOST_DIRECTORIES
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display


@dataclasses.dataclass(frozen=True)
class OwnershipPlan:
    """Repair one datastore, within limits."""

    repair: RepairPlan
    named_by: str
    """The option that names the chunk store: `path` or `name`."""
    deadline: float
    """Seconds within which the path must answer."""
    max_changes: t.Optional[int]
    """Change nothing if more would change; None for no limit."""
    check_mode: bool
    user: str
    group: str


def ownership_plan(options: Options, check_mode: bool) -> OwnershipPlan:
    """Read PBS's configuration if the option `name` is set."""
    require_seconds(options, "deadline", "stall", "timeout")
    for name in ("workers", "max_paths", "max_changes"):
        if options[name] is not None and options[name] < 0:
            raise OptionError("%s: must not be negative, but is %d" % (name, options[name]))
    account = observe_account(options["user"], options["group"])
    if account.uid is None:
        raise OptionError(f"user: there is no user '{account.user}' on this host")
    if account.gid is None:
        raise OptionError(f"group: there is no group '{account.group}' on this host")
    only_from = options["only_from"]
    repair = RepairPlan(
        path=check_path(options["path"], "path") if options["path"] else _configured_path(options),
        uid=account.uid,
        gid=account.gid,
        scope=options["scope"],
        only_from=None if only_from is None else frozenset(map(_uid, only_from)),
        modes=options["modes"],
        guarded=(options["config_dir"], *HOST_DIRECTORIES),
        workers=options["workers"],
        max_paths=options["max_paths"],
        stall=options["stall"],
        timeout=options["timeout"],
    )
    return OwnershipPlan(
        repair,
        named_by="path" if options["path"] else "name",
        deadline=options["deadline"],
        max_changes=options["max_changes"],
        check_mode=check_mode,
        user=options["user"],
        group=options["group"],
    )


def _configured_path(options: Options) -> str:
    directory, datastores = observe_configuration(options["config_dir"])
    for datastore in datastores:
        if datastore.name == options["name"]:
            return check_path(effective_path(datastore), f"name: the path of '{display(datastore.name)}'")
    raise OptionError(f"name: there is no datastore '{display(options['name'])}' in {directory.path}/datastore.cfg")


def _uid(user: str) -> int:
    """The uid of a user, by name or number, because the owner of a file may no longer have a name."""
    try:
        return pwd.getpwnam(user).pw_uid
    except (KeyError, ValueError):
        if user.isascii() and user.isdigit():
            return int(user)
        raise OptionError(f"only_from: there is no user '{display(user)}' on this host") from None
