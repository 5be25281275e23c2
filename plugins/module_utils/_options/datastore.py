# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of datastore."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._options.common import (
    OptionError,
    Options,
    check_path,
    require_account,
    require_name,
    require_seconds,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import settings
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.values import DATASTORE_NAME, shown

FIXED_SINCE = {"path": "3.0", "backing_device": "3.2.12", "backend": "4.0.4"}
"""Properties that can be set only at creation, and the first PBS that supports them."""


@dataclasses.dataclass(frozen=True)
class DatastorePlan:
    """The declaration of one datastore."""

    name: str
    path: str
    """As in PBS: relative to the device for a removable datastore; empty if it was not given."""
    fixed: dict[str, str]
    """Properties that PBS cannot change later, by option: `path`, `backing_device`, `backend`."""
    desired: settings.Desired
    present: bool
    reuse: t.Optional[bool]
    overwrite_in_use: bool
    mounted: t.Optional[bool]
    keep_jobs: bool
    destroy_data: bool
    user: str
    group: str
    probe: str
    config_dir: str
    run_dir: str
    deadline: float
    timeout: float
    check_mode: bool

    @property
    def s3(self) -> bool:
        return self.fixed.get("backend", "").startswith(("s3", "type=s3"))

    @property
    def backed(self) -> bool:
        """Whether the chunks are on a device or in a bucket, so that the current contents of the path say nothing."""
        return "backing_device" in self.fixed or self.s3


def datastore_plan(options: Options, check_mode: bool) -> DatastorePlan:
    name = options["name"]
    require_name("name", name, DATASTORE_NAME, "datastore")
    require_seconds(options, "timeout", "lock_timeout", "deadline")
    destroy = options.get("destroy_data")
    if destroy and destroy != name:
        raise OptionError(
            "destroy_data: it is %s, but the datastore's name is %s. To destroy every backup in it, repeat its name exactly."
            % (shown(destroy), shown(name))
        )
    if destroy and options["state"] != "absent":
        raise OptionError("destroy_data: this option is valid only with state: absent")
    if options.get("mounted") is not None and options["state"] != "present":
        raise OptionError("mounted: this option is valid only with state: present")
    require_account(options["user"])
    fixed = {
        key: settings.check_fixed(settings.DATASTORE, key, options[key]) for key in FIXED_SINCE if options.get(key)
    }
    return DatastorePlan(
        name=name,
        path=_datastore_path(fixed),
        fixed=fixed,
        desired=settings.check(settings.DATASTORE, options, options.get("unset") or ()),
        present=options["state"] == "present",
        destroy_data=bool(destroy),
        check_mode=check_mode,
        **{key: options[key] for key in _PASSED_ON},
    )


_PASSED_ON = (
    "reuse",
    "overwrite_in_use",
    "mounted",
    "keep_jobs",
    "user",
    "group",
    "probe",
    "config_dir",
    "run_dir",
    "deadline",
    "timeout",
)


def _datastore_path(fixed: t.Mapping[str, str]) -> str:
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
    return path
