# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import os

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.color import stringc

from ansible_collections.fleetops.pbs.plugins.module_utils._judge.headline import counted, in_one_line
from ansible_collections.fleetops.pbs.plugins.plugin_utils._answer import (
    WrongAnswer,
    failure,
    one_line,
    started,
    warnings_of,
)
from ansible_collections.fleetops.pbs.plugins.plugin_utils._files import document_path, write_document
from ansible_collections.fleetops.pbs.plugins.plugin_utils._long_run import LongRun
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.documents import NotADocument, checked
from ansible_collections.fleetops.pbs.plugins.plugin_utils._summary import summary
from ansible_collections.fleetops.pbs.plugins.plugin_utils._variables import misspelt


class ActionModule(LongRun, ActionBase):
    """Runs the module, shows the progress of long work, writes the document on the controller, and shows the summary."""

    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        args = dict(self._task.args)
        dest = args.pop("dest", None)
        if not args.get("host"):
            args["host"] = task_vars["inventory_hostname"]
        if not args.get("inventory"):
            args["inventory"] = [str(source) for source in task_vars.get("ansible_inventory_sources") or ()]
        self._remove_earlier(dest, args["host"])
        answer = self._look(args, task_vars)
        if answer.get("started") and answer.get("ansible_job_id"):
            result.update(started(answer))
            return result
        document = answer.get("document")
        if not document:
            result.update(failure(answer))
            return result
        try:
            # The controller knows the host's name; a host that gives another name must not replace another host's
            # document. All counts are made again from the findings: a host's own summary is not trusted.
            document = checked(dict(document, host=args["host"]))
            document["summary"] = counted(document)
            headline = one_line(in_one_line(document))
        except (NotADocument, WrongAnswer, TypeError, ValueError) as exc:
            result.update(failed=True, msg=one_line(f"The host's answer is not a document of this collection: {exc}."))
            return result
        result.update(
            changed=answer.get("changed") is True, document=document, summary=document["summary"], msg=headline
        )
        warnings = [*misspelt(name for name in task_vars if isinstance(name, str)), *warnings_of(answer)]
        if warnings:
            result["warnings"] = warnings
        self._display.display(summary(document, headline, self._display.columns, self._paint))
        if dest:
            try:
                result["dest"] = write_document(os.path.abspath(dest), result.pop("document"))
            except OSError as exc:
                raise AnsibleActionFail(f"dest: '{dest}' cannot be written on the controller: {exc}") from exc
        return result

    def _look(self, args, task_vars):
        """Run the module. Every error becomes an answer with its reason, so that the play continues with other hosts."""
        try:
            return self._run(args, task_vars)
        except AnsibleConnectionFailure:
            raise
        except AnsibleError as exc:
            return {"failed": True, "msg": str(exc)}

    def _run(self, args, task_vars):
        module = "fleetops.pbs.preflight"
        if args.get("scope") == "none":
            return self.run_short(module, args, task_vars)
        return self.run_long(module, args, task_vars)

    @staticmethod
    def _remove_earlier(dest, host):
        """Remove the document of an earlier run, so that it cannot count as the result of a run that failed."""
        if not dest:
            return
        with contextlib.suppress(OSError):
            os.unlink(document_path(os.path.abspath(dest), host))

    @staticmethod
    def _paint(text, colour):
        return stringc(text, colour) if colour else text
