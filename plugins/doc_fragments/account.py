# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  user:
    description:
      - The user that the PBS daemon runs as. It is looked up by name on the host, as PBS does.
      - A user other than the default that does not exist is an error.
    type: str
    default: backup
  group:
    description: The group that everything in a datastore belongs to, looked up by name.
    type: str
    default: backup
"""
