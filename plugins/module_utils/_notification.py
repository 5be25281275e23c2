# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module notification_target: the type of the target decides what it is and which command manages it."""

from __future__ import annotations

from ansible_collections.fleetops.pbs.plugins.module_utils._manage.manager import Manager
from ansible_collections.fleetops.pbs.plugins.module_utils._manage.outcome import Outcome
from ansible_collections.fleetops.pbs.plugins.module_utils._observe.host.config_file import (
    NOTIFICATIONS,
    read_configuration,
)
from ansible_collections.fleetops.pbs.plugins.module_utils._options.common import OptionError, Options, require_name
from ansible_collections.fleetops.pbs.plugins.module_utils._options.section import TARGETS
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.notification_settings import target_options
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.values import ENTITY_NAME
from ansible_collections.fleetops.pbs.plugins.module_utils._section import ensure_section


def ensure_target(options: Options, check_mode: bool, manager: Manager) -> Outcome:
    """Bring one target to `state`. Raises `CollectionError`, if possible before any change."""
    require_name("name", options["name"], ENTITY_NAME, "target of notifications")
    kind = options["type"] or _present_type(options)
    return ensure_section(TARGETS[kind], target_options(kind, options), check_mode, manager)


def _present_type(options: Options) -> str:
    """The type of the target that PBS has."""
    section = read_configuration(options["config_dir"], NOTIFICATIONS).sections.get(options["name"])
    if section is not None and section.type in TARGETS:
        return section.type
    if options["state"] == "present":
        raise OptionError(
            "type: PBS has no target '%s' yet, and a new one needs a type: %s" % (options["name"], ", ".join(TARGETS))
        )
    return next(iter(TARGETS))
