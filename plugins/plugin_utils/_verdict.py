# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a host fails, and how Ansible is told."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleAction

from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.controls import reaches

Result = t.Mapping[str, t.Any]


class HostFailed(AnsibleAction):
    """Ends an action with a result that failed.

    Ansible shows an excerpt of the playbook with an error. Here nothing is wrong with the playbook, so the host has one
    line like every other, and no excerpt.
    """

    def __init__(self, result: Result) -> None:
        super().__init__(message=str(result["msg"]), result=dict(result, failed=True))

    @property
    def omit_exception_key(self) -> bool:
        return True


def why_not_safe(summary: Result, fail_on: str, fail_on_unknown: str, is_check: bool) -> str:
    """The threshold that the findings of a host reach, in a sentence; empty if they reach none."""
    if reaches(summary["worst"], fail_on):
        return f"The worst failure is at or above fail_on ({fail_on})."
    # Check mode tries nothing, so what is unknown there is not the host's fault.
    if not is_check and reaches(summary["worst_unknown"], fail_on_unknown):
        return f"A control could not be judged, at or above fail_on_unknown ({fail_on_unknown})."
    return ""
