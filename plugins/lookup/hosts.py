# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: hosts
short_description: Require that a pattern matches a host
version_added: 0.1.0
author:
  - fleetops.pbs contributors (!UNKNOWN)
description:
  - Returns the pattern as it is, for C(hosts) of a play. It is an error if no host of the inventory matches the pattern and
    C(--limit). Without it, C(ansible-playbook) does nothing and exits with 0.
options:
  _terms:
    description: A pattern of hosts and groups, as in C(hosts) of a play.
    type: str
    required: true
seealso:
  - plugin: ansible.builtin.inventory_hostnames
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Preflight
  hosts: "{{ lookup('fleetops.pbs.hosts', preflight_hosts | default('all')) }}"
  gather_facts: false
  roles:
    - fleetops.pbs.preflight
"""

RETURN = r"""
_raw:
  description: The pattern.
  type: str
"""

from ansible import context
from ansible.errors import AnsibleLookupError
from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **_options):
        variables = variables or {}
        pattern = ":".join(_patterns(terms))
        if any(context.CLIARGS.get(name) for name in ("syntax", "listtasks", "listtags")):
            return [pattern]  # nothing will run, and there may be no inventory
        matched = self._matching(pattern, variables)
        if not matched:
            sources = ", ".join(map(str, variables.get("ansible_inventory_sources") or ())) or "none was given"
            raise AnsibleLookupError(
                f"No host of the inventory ({sources}) matches the pattern '{pattern}', so there is nothing to check. Give "
                "the inventory with -i, and correct the pattern."
            )
        limit = str(variables.get("ansible_limit") or "")
        # Ansible reads the names of a file (@) itself.
        if limit and "@" not in limit and not set(matched) & set(self._matching(limit, variables)):
            raise AnsibleLookupError(
                f"No host that matches the pattern '{pattern}' is left by --limit '{limit}', so there is nothing to check."
            )
        return [pattern]

    def _matching(self, pattern, variables):
        if pattern in ("all", "*"):
            return variables.get("groups", {}).get("all", [])
        names = lookup_loader.get("ansible.builtin.inventory_hostnames", loader=self._loader, templar=self._templar)
        return names.run([pattern], variables=variables)


def _patterns(terms):
    for term in terms:
        yield from (_patterns(term) if isinstance(term, (list, tuple)) else [str(term)])
