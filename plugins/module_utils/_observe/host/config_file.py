# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the current content of one of PBS's configuration files, for comparison with the declaration. Never writes."""

from __future__ import annotations

import dataclasses
import os

from ansible_collections.fleetops.pbs.plugins.module_utils._pbs import notification_settings, section_config
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.notifications import NOTIFICATION_SECRETS
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.section_config import Section, SectionConfigError
from ansible_collections.fleetops.pbs.plugins.module_utils._pbs.traffic_control import TRAFFIC_CONTROL
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.plugins.module_utils._system.files import open_directory
from ansible_collections.fleetops.pbs.plugins.module_utils._system.small_file import read_small
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error, display

CONFIG_DIR = "/etc/proxmox-backup"

DATASTORES = ("datastore.cfg", section_config.DATASTORE)
PRUNE_JOBS = ("prune.cfg", section_config.PRUNE)
VERIFY_JOBS = ("verification.cfg", section_config.VERIFICATION)
SYNC_JOBS = ("sync.cfg", section_config.SYNC)
REMOTES = ("remote.cfg", section_config.REMOTE)
S3_ENDPOINTS = ("s3.cfg", section_config.S3)
USERS = ("user.cfg", section_config.USER)
TRAFFIC_CONTROLS = ("traffic-control.cfg", TRAFFIC_CONTROL)
NOTIFICATIONS = ("notifications.cfg", notification_settings.SCHEMA)
"""With what PBS brings, and with the names of secrets, which are in another file."""
_SECRETS = ("notifications-priv.cfg", NOTIFICATION_SECRETS)

_SIZE_LIMIT = 1024 * 1024


class ConfigurationError(CollectionError):
    """This process or PBS cannot read the file; nothing can be changed before that is fixed."""


@dataclasses.dataclass
class Configuration:
    sections: dict[str, Section]
    """By id, in the order of the file."""
    digest: str
    """PBS needs this digest with a change, so that it can refuse a change that is based on an older file."""


def read_configuration(config_dir: str, file: tuple[str, section_config.Schema]) -> Configuration:
    """Read one file. A missing file counts as empty, as for PBS. Raises `ConfigurationError`.

    Settings of a newer PBS are no error: PBS itself refuses invalid changes.
    """
    configuration = _read(config_dir, *file)
    if file is NOTIFICATIONS:
        secrets = _read(config_dir, *_SECRETS)
        configuration.sections = notification_settings.joined(configuration.sections, secrets.sections)
    return configuration


def _read(config_dir: str, name: str, schema: section_config.Schema) -> Configuration:
    path = os.path.join(config_dir, name)
    try:
        dir_fd = open_directory(config_dir, follow=True)
    except OSError as exc:
        raise ConfigurationError(
            "%s cannot be opened: %s. Is Proxmox Backup Server installed here, and was it ever started?"
            % (display(config_dir), describe_error(exc))
        ) from None
    try:
        found = read_small(name, dir_fd, _SIZE_LIMIT)
    finally:
        os.close(dir_fd)
    if not found.exists:
        return Configuration({}, section_config.digest(b""))
    if found.data is None:
        raise ConfigurationError(f"{display(path)} cannot be read: {found.error}.")
    try:
        sections = section_config.parse(found.data, schema, strict=False)
    except SectionConfigError as exc:
        raise ConfigurationError(
            f"PBS cannot read {display(path)}: {exc}. Fix that line first; nothing can be changed before."
        ) from None
    return Configuration({section.id: section for section in sections}, section_config.digest(found.data))
