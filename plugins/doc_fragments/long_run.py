# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  _job:
    description:
      - For internal use by the action plugin of this module. The work then continues without the connection, and reports its
        progress.
    type: dict
    suboptions:
      id:
        description: Name of the file with the progress and the result.
        type: str
        required: true
      directory:
        description: Directory of that file; the one that Ansible uses for asynchronous jobs.
        type: path
        required: true
      patience:
        description: Seconds that the module waits for its work before it returns and leaves the result in the file.
        type: float
        required: true
"""
