# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of prune_job and verify_job."""

from __future__ import annotations

import dataclasses

from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.config_file import PRUNE_JOBS, VERIFY_JOBS
from ansible_collections.fleetops.pbs.plugins.module_utils._options.common import Options, require_name, require_seconds
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import settings
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.section_config import Schema
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.values import DATASTORE_NAME, JOB_ID


@dataclasses.dataclass(frozen=True)
class JobKind:
    """One kind of job: its command, its settings, its configuration file."""

    command: str
    settings: settings.Kind
    file: tuple[str, Schema]
    required: tuple[str, ...]
    """Options that a new job needs, in addition to its datastore."""

    @property
    def words(self) -> str:
        return self.settings.name.capitalize()


PRUNE = JobKind("prune-job", settings.PRUNE_JOB, PRUNE_JOBS, ("schedule",))


VERIFY = JobKind("verify-job", settings.VERIFY_JOB, VERIFY_JOBS, ())


@dataclasses.dataclass(frozen=True)
class JobPlan:
    """The declaration of one prune or verify job."""

    kind: JobKind
    id: str
    store: str
    """The name of its datastore; empty if it was not given."""
    desired: settings.Desired
    lacking: tuple[str, ...]
    """Missing options that a new job needs."""
    present: bool
    config_dir: str
    check_mode: bool


def job_plan(kind: JobKind, options: Options, check_mode: bool) -> JobPlan:
    for option, rule, what in (("id", JOB_ID, "job"), ("store", DATASTORE_NAME, "datastore")):
        if options[option] is not None:
            require_name(option, options[option], rule, what)
    require_seconds(options, "lock_timeout")
    return JobPlan(
        kind,
        id=options["id"],
        store=options["store"] or "",
        desired=settings.check(kind.settings, options, options["unset"] or ()),
        lacking=tuple(option for option in ("store", *kind.required) if not options[option]),
        present=options["state"] == "present",
        config_dir=options["config_dir"],
        check_mode=check_mode,
    )
