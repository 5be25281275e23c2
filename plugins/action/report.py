# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import getpass
import os
import time

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader

from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import show_spec, waivers_spec
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.waivers import parse_waivers
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display
from ansible_collections.fleetops.pbs.plugins.plugin_utils._console import WIDTH, Console
from ansible_collections.fleetops.pbs.plugins.plugin_utils._play import PlaySoFar
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.absence import reason_of
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.documents import Run
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.fleet import Inputs
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.report import FORMATS, Order, ReportError, make
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.table import Line, table
from ansible_collections.fleetops.pbs.plugins.plugin_utils._verdict import HostFailed

MOST_COLUMNS = 120
"""Of the table, on a wider terminal too."""

NOTHING_CHECKED = (
    "No datastore was checked on any host, so nothing is known to be safe. Check the inventory, the pattern of hosts and "
    "preflight_config_dir; set preflight_require_datastores to false if this is right."
)

SEVERITIES = ["info", "low", "medium", "high", "critical", "never"]


class ActionModule(ActionBase):
    """Makes the report on the controller; connects to no host."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validated, args = self.validate_argument_spec(
            argument_spec=dict(
                waivers_spec(),
                documents=dict(type="list", elements="path", default=[]),
                merge=dict(type="list", elements="path", default=[]),
                hosts=dict(type="dict", default={}),
                formats=dict(type="list", elements="str", choices=list(FORMATS), default=list(FORMATS)),
                dest=dict(type="path", required=True),
                partial=dict(type="bool", default=False),
                name=dict(type="str", default=""),
                history=dict(type="path"),
                history_days=dict(type="int", default=365),
                fail_on=dict(type="str", choices=SEVERITIES, default="high"),
                fail_on_unknown=dict(type="str", choices=SEVERITIES, default="critical"),
                not_asked=dict(type="list", elements="str", default=[]),
                others=dict(type="bool", default=False),
                earlier=dict(type="path"),
                registered=dict(type="str"),
                require_datastores=dict(type="bool", default=True),
                **show_spec(),
            )
        )
        if args["history_days"] < 0:
            raise AnsibleActionFail("history_days: must be 0 (keep everything) or more, not %d" % args["history_days"])
        play = None
        if args["registered"]:
            play = PlaySoFar(self._task, task_vars or {}, args["registered"], self._fleet_of)
            if not play.is_over or not play.is_asked:
                told = "No host was asked" if play.is_over else "Other hosts of the play are still to be checked"
                result.update(skipped=True, msg=f"{told}, so no report was written.")
                return result
            args.update(hosts=play.hosts, not_asked=play.not_asked, others=True)
        try:
            report = make(self._order(args, task_vars or {}), time.time(), write=not self._task.check_mode)
        except (ReportError, ValueError) as exc:
            raise AnsibleActionFail(str(exc)) from exc
        if play is not None and play.is_free and not report.changed and not self._task.check_mode:
            result.update(skipped=True, msg="Another host has written the same report.")
            return result
        for warning in report.warnings:
            self._display.warning(warning)
        lines = table(report.fleet, width=min(WIDTH, MOST_COLUMNS))
        wanted = report.paths.get("report.html")
        where = [Line(f"The report: {wanted}")] if wanted and not self._task.check_mode else []
        console = Console(self._display, args["show"])
        for line in [*lines, *where]:
            console.display(line.text, color=getattr(constants, line.colour) if line.colour else None)
        result.update(self._result_of(report, args, lines))
        # Hosts that failed have said why.
        is_silent = play is not None and not play.is_failed and not report.fleet.datastores_of_this_run
        if is_silent and args["require_datastores"]:
            raise HostFailed({"changed": False, "msg": NOTHING_CHECKED, "status": result["status"]})
        return result

    def _fleet_of(self, patterns, task_vars):
        """The names of all hosts of a pattern, whatever --limit says."""
        lookup = lookup_loader.get("ansible.builtin.inventory_hostnames", loader=self._loader, templar=self._templar)
        return lookup.run([":".join(patterns)], variables=task_vars)

    def _order(self, args, task_vars):
        return Order(
            inputs=Inputs(
                documents=args["documents"],
                merge=args["merge"],
                hosts={str(host): reason_of(reason) for host, reason in args["hosts"].items()},
                waivers=parse_waivers(args["waivers"]),
                run=self._run_of(task_vars),
                partial=args["partial"],
                not_asked=args["not_asked"],
                others=args["others"],
                earlier=args["earlier"] or "",
            ),
            dest=args["dest"],
            formats=list(dict.fromkeys(args["formats"])),
            name=args["name"],
            history=args["history"],
            history_days=args["history_days"],
            fail_on=args["fail_on"],
            fail_on_unknown=args["fail_on_unknown"],
        )

    def _run_of(self, task_vars):
        """How Ansible was called, for readers of the report."""
        try:
            account = getpass.getuser()
        except (KeyError, OSError):
            account = "uid %d" % os.getuid()
        # A controller such as AWX runs everything as one account, and names the person who started the job.
        operator = task_vars.get("awx_user_name") or task_vars.get("tower_user_name") or os.environ.get("SUDO_USER")
        return Run(
            operator=display(str(operator or account)),
            inventory=tuple(display(str(source)) for source in task_vars.get("ansible_inventory_sources") or ()),
            limit=display(str(task_vars.get("ansible_limit") or "")),
            check_mode=bool(self._task.check_mode),
        )

    def _result_of(self, report, args, lines):
        fleet = report.fleet
        totals = fleet.totals()
        return {
            "changed": bool(report.changed) or (self._task.check_mode and bool(report.paths)),
            "paths": report.paths,
            "history": report.history,
            "generated": fleet.generated,
            "totals": totals,
            "worst": totals["worst"],
            "worst_unknown": totals["worst_unknown"],
            "unsafe": [host.name for host in fleet.unsafe(args["fail_on"], args["fail_on_unknown"])],
            "left_out": [{"path": path, "reason": reason} for path, reason in fleet.left_out],
            "status": {"code": report.code, "line": report.status},
            "table": "\n".join(line.text for line in lines),
            "msg": lines[0].text,
        }
