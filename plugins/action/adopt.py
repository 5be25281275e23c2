# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import account_spec
from ansible_collections.fleetops.pbs.plugins.plugin_utils._adoption import NotADeclaration, keep, render
from ansible_collections.fleetops.pbs.plugins.plugin_utils._answer import failure
from ansible_collections.fleetops.pbs.plugins.plugin_utils._long_run import LongRun


class ActionModule(LongRun, ActionBase):
    """Runs the module on the host, and writes what it found to a file on the controller."""

    _requires_connection = True
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        args = dict(self._task.args)
        _validated, mine = self.validate_argument_spec(
            argument_spec=dict(
                account_spec(),
                dest=dict(type="path", required=True),
                overwrite=dict(type="bool", default=False),
                mode=dict(type="str", choices=["0600", "0640", "0644"], default="0640"),
                config_dir=dict(type="path"),
                state_dir=dict(type="path"),
                deadline=dict(type="float"),
            )
        )
        answer = self.run_short("fleetops.pbs.adopt", args, task_vars)
        if answer.get("failed") is not True and answer.get("skipped") is True:
            result.update(skipped=True)
            return result
        if answer.get("failed") or not isinstance(answer.get("declaration"), dict):
            # Only the reason: a host must not set variables of the play.
            result.update(failure(answer))
            return result
        try:
            text = render(
                task_vars["inventory_hostname"], answer["declaration"], answer.get("secrets"), answer.get("notes")
            )
            kept = keep(
                mine["dest"], text, int(mine["mode"], 8), overwrite=mine["overwrite"], write=not self._task.check_mode
            )
        except NotADeclaration as exc:
            raise AnsibleActionFail(f"The host's answer is not a declaration of this collection: {exc}.") from exc
        except OSError as exc:
            raise AnsibleActionFail(
                f"dest: '{mine['dest']}' cannot be written on the controller: {exc.strerror or exc}"
            ) from exc
        result.update(
            changed=kept.changed,
            dest=mine["dest"],
            written=kept.written,
            declaration=answer["declaration"],
            secrets=answer.get("secrets") or [],
            notes=answer.get("notes") or [],
            msg=kept.message,
            diff=kept.diff,
        )
        return result
