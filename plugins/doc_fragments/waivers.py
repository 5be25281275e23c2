# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  waivers:
    description:
      - Accepted failures. They stay in the document as V(waived). An expired waiver is a finding of PBS-WAIVER-01.
    type: list
    elements: dict
    default: []
    suboptions:
      control:
        description: Id of the control.
        type: str
        required: true
      host:
        description: Shell pattern for the name of the host.
        type: str
        default: '*'
      datastore:
        description: Shell pattern for the name of the datastore.
        type: str
        default: '*'
      justification:
        description: Why the failure is accepted.
        type: str
        required: true
      until:
        description: Last day on which the waiver is valid, for example V(2026-12-31).
        type: str
        required: true
"""
