# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.plugins.action import ActionBase

from ansible_collections.fleetops.pbs.plugins.plugin_utils._answer import ownership_result
from ansible_collections.fleetops.pbs.plugins.plugin_utils._console import Console
from ansible_collections.fleetops.pbs.plugins.plugin_utils._long_run import LongRun


class ActionModule(LongRun, ActionBase):
    """Runs the module, and shows the progress of long work."""

    _requires_connection = True
    _supports_async = True
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        args = dict(self._task.args)
        self.console = Console(self._display, args.get("show") or "auto")
        answer = self.run_long("fleetops.pbs.chunk_ownership", args, task_vars or {})
        result.update(ownership_result(answer))
        return result
