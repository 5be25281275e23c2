# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  _job:
    description:
      - Given by the action plugin of this module, and by nobody else. The work then goes on beyond the connection, and tells
        how far it is.
    type: dict
    suboptions:
      id:
        description: The name of the file with the progress and the result.
        type: str
        required: true
      directory:
        description: Where that file is; the directory of Ansible's own asynchronous jobs.
        type: path
        required: true
      patience:
        description: Seconds that the module waits for its own work before it promises a result.
        type: float
        required: true
"""
