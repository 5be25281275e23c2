# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  manager:
    description: Path of C(proxmox-backup-manager), the PBS command line tool.
    type: path
    default: /usr/sbin/proxmox-backup-manager
  config_dir:
    description: PBS's configuration directory. The module only reads it; only PBS writes it.
    type: path
    default: /etc/proxmox-backup
  lock_timeout:
    description:
      - Seconds to wait for PBS's configuration lock. PBS holds it while it creates a datastore, which takes some seconds on
        an idle host and minutes on a busy one.
    type: float
    default: 120
"""
