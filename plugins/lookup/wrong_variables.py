# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: wrong_variables
short_description: Find wrong values in the variables of a role of this collection
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - Checks the variables of a role for all hosts of the play, before any host is asked. The roles use it in their first task.
  - Types and choices are those of the role's argument specification. For the role P(fleetops.pbs.preflight#role), the ids of
    controls, the policy, the waivers and the declared datastores are checked too.
  - If O(_terms) has several roles, the variables of all of them are checked.
options:
  _terms:
    description: Names of roles of this collection, such as V(preflight).
    type: list
    elements: str
    required: true
notes:
  - A wrong entry of C(pbs_datastores) counts only if no host of the play has a right one. Otherwise only the hosts that it
    belongs to fail, when it is their turn.
"""

EXAMPLES = r"""
- name: Check the variables
  ansible.builtin.fail:
    msg: "{{ query('fleetops.pbs.wrong_variables', 'preflight') | join(' ') }}"
  when: query('fleetops.pbs.wrong_variables', 'preflight') | length > 0
  run_once: true
"""

RETURN = r"""
_raw:
  description: A sentence for each wrong value, with the variable, the value, and what it may be. Empty if all are right.
  type: list
  elements: str
"""

from ansible.plugins.lookup import LookupBase

from ansible_collections.fleetops.pbs.plugins.plugin_utils._role_options import wrong_variables


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **_options):
        return wrong_variables(terms, variables or {}, self._templar.template)
