# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  waivers:
    description:
      - Failures that somebody accepted. They stay in the document as V(waived); one that has expired is a finding of
        PBS-WAIVER-01.
    type: list
    elements: dict
    default: []
    suboptions:
      control:
        description: The id of the control.
        type: str
        required: true
      host:
        description: A shell pattern for the name of the host.
        type: str
        default: '*'
      datastore:
        description: A shell pattern for the name of the datastore.
        type: str
        default: '*'
      justification:
        description: Why.
        type: str
        required: true
      until:
        description: The last day on which it counts, such as V(2026-12-31).
        type: str
        required: true
"""
