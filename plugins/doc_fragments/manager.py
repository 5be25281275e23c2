# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  manager:
    description: The program that PBS is administrated with.
    type: path
    default: /usr/sbin/proxmox-backup-manager
  config_dir:
    description: The directory of PBS's configuration. It is read here, and written by PBS alone.
    type: path
    default: /etc/proxmox-backup
  lock_timeout:
    description:
      - Seconds for which PBS's configuration lock is asked for again and again. A datastore that is being created holds it
        for as long as that takes, which is some seconds on an idle machine and minutes on a busy one.
    type: float
    default: 120
"""
