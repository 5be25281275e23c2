# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of options that several modules share."""

from __future__ import annotations

import os.path
import pwd
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.values import DATASTORE_NAME, Kind, shown
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display


class OptionError(CollectionError):
    """The value of an option is invalid; the message names both."""


Options = t.Mapping[str, t.Any]
"""The options of a module from Ansible: every option of its argument spec; None if it is omitted and has no default."""


def check_path(path: str, option: str) -> str:
    """Check for an absolute path below `/`, as PBS requires for a datastore; returns it normalised. Raises `OptionError`."""
    if not path.startswith("/"):
        raise OptionError(f"{option}: '{path}' is not an absolute path")
    if "\0" in path:
        raise OptionError(f"{option}: a path must not contain a NUL character")
    if not path.isprintable():
        # The path is part of every result and report, and PBS stores it on one line.
        raise OptionError(f"{option}: '{display(path)}' contains characters that are not printable")
    normal = os.path.normpath(path)
    if normal.strip("/") == "":
        raise OptionError(f"{option}: '{path}' is the root directory, which cannot be a datastore")
    # normpath keeps two leading slashes, which POSIX leaves to the system; on Linux they mean one.
    return "/" + normal.lstrip("/")


def check_declarations(entries: t.Sequence[t.Mapping[str, t.Any]], option: str) -> list[dict[str, t.Any]]:
    """Check names and paths of `pbs_datastores`; returns the entries without omitted options. Raises `OptionError`."""
    checked = []
    seen: set[str] = set()
    for number, entry in enumerate(entries):
        where = "%s[%d]" % (option, number)
        name = str(entry["name"])
        try:
            DATASTORE_NAME.read(name)
        except ValueError as exc:
            raise OptionError(f"{where}.name: '{name}' is not a valid name of a datastore; allowed: {exc}") from None
        if name in seen:
            raise OptionError(f"{where}.name: '{name}' is declared twice")
        seen.add(name)
        given = {key: value for key, value in entry.items() if value is not None}
        if given.get("backing_device"):
            given["path"] = "/mnt/datastore/" + name
        elif "path" not in given:
            raise OptionError(f"{where}: '{name}' has no path")
        given["path"] = check_path(str(given["path"]), where + ".path")
        tuning = given.get("tuning") or {}
        minutes = tuning.get("gc_atime_cutoff")
        if minutes is not None and not 1 <= minutes <= 2880:
            raise OptionError("%s.tuning.gc_atime_cutoff: %d is not from 1 to 2880 minutes" % (where, minutes))
        checked.append(given)
    return checked


def require_account(user: str) -> None:
    """Raise `OptionError` if the option names a user that does not exist.

    PBS-HOST-01 reports if the default user `backup` is missing.
    """
    if user == "backup":
        return
    try:
        pwd.getpwnam(user)
    except (KeyError, ValueError):
        raise OptionError(f"user: there is no user '{user}' on this host") from None


def require_seconds(options: Options, *names: str) -> None:
    for name in names:
        if not 0 < options[name] < float("inf"):
            raise OptionError(f"{name}: must be more than 0 seconds, not {options[name]:g}")


def require_name(option: str, name: str, rule: Kind, what: str) -> None:
    try:
        rule.read(name)
    except ValueError as exc:
        raise OptionError(f"{option}: {shown(name)} is not a valid name of a {what}; allowed: {exc}") from None
