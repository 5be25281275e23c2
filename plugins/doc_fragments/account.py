# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  user:
    description:
      - User of the PBS daemon, looked up by name on the host, as PBS does.
      - If you set another user than the default, it must exist on the host.
    type: str
    default: backup
  group:
    description: Group that must own everything in a datastore, looked up by name on the host.
    type: str
    default: backup
"""
