# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import os
import time

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.color import stringc

from ansible_collections.fleetops.pbs.plugins.module_utils._arguments import CONTROLLER_ONLY, preflight_spec
from ansible_collections.fleetops.pbs.plugins.module_utils._judge.headline import counted, in_one_line
from ansible_collections.fleetops.pbs.plugins.module_utils._options.preflight import preflight_plan
from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.plugins.plugin_utils._answer import (
    WrongAnswer,
    failure,
    one_line,
    started,
    warnings_of,
)
from ansible_collections.fleetops.pbs.plugins.plugin_utils._console import WIDTH, Console
from ansible_collections.fleetops.pbs.plugins.plugin_utils._files import document_path, write_document
from ansible_collections.fleetops.pbs.plugins.plugin_utils._long_run import LongRun
from ansible_collections.fleetops.pbs.plugins.plugin_utils._report.documents import NotADocument, checked
from ansible_collections.fleetops.pbs.plugins.plugin_utils._summary import summary
from ansible_collections.fleetops.pbs.plugins.plugin_utils._variables import misspelt
from ansible_collections.fleetops.pbs.plugins.plugin_utils._verdict import HostFailed, why_not_safe


class ActionModule(LongRun, ActionBase):
    """Runs the module, shows the progress of long work, writes the document on the controller, and shows the summary.

    Fails a host that is not safe, where `fail_on` or `fail_on_unknown` say so.
    """

    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        task_vars = task_vars or {}
        result = super().run(tmp, task_vars)
        args = dict(self._task.args)
        options, message = self._checked(args)
        if message:
            return self._fail(result, {"failed": True, "wrong_options": True, "msg": one_line(message)})
        for name in CONTROLLER_ONLY:
            args.pop(name, None)
        self.console = Console(self._display, options["show"])
        if not args.get("host"):
            args["host"] = task_vars["inventory_hostname"]
        if not args.get("inventory"):
            args["inventory"] = [str(source) for source in task_vars.get("ansible_inventory_sources") or ()]
        dest = options["dest"]
        with _removing_earlier(dest, args["host"]) as keep:
            try:
                answer = self._look(args, task_vars)
            except AnsibleConnectionFailure as exc:
                if not options["fail_unreachable"]:
                    raise
                return self._fail(result, {"failed": True, "msg": one_line(f"Unreachable: {exc}")})
            if answer.get("started") and answer.get("ansible_job_id"):
                result.update(started(answer))
                return result
            if not answer.get("document"):
                return self._fail(result, failure(answer))
            try:
                document, headline = self._document_of(answer, args["host"])
            except (NotADocument, WrongAnswer, TypeError, ValueError) as exc:
                msg = one_line(f"The host's answer is not a document of this collection: {exc}.")
                return self._fail(result, {"failed": True, "msg": msg})
            keep()
        warnings = [*misspelt(name for name in task_vars if isinstance(name, str)), *warnings_of(answer)]
        if warnings:
            result["warnings"] = warnings
        result.update(
            changed=answer.get("changed") is True, document=document, summary=document["summary"], msg=headline
        )
        if not self.console.is_silent:
            self.console.display(summary(document, headline, WIDTH, self._paint))
        if dest:
            try:
                result["dest"] = write_document(os.path.abspath(dest), result.pop("document"))
            except OSError as exc:
                raise AnsibleActionFail(f"dest: '{dest}' cannot be written on the controller: {exc}") from exc
        reason = why_not_safe(result["summary"], options["fail_on"], options["fail_on_unknown"], self._task.check_mode)
        return self._fail(result, {"failed": True, "msg": f"{headline} {reason}"}) if reason else result

    def _fail(self, result, failed):
        result = {**result, "changed": False, **failed}
        if "fail_on" not in self._task.args:
            return result
        # Warnings in the result of an exception are lost.
        for text in result.pop("warnings", []):
            self._display.warning(text)
        raise HostFailed(result)

    def _checked(self, args):
        """The options, and what is wrong with them, before the host is asked and before anything that is known about it is
        removed."""
        checked = ArgumentSpecValidator(preflight_spec()).validate(args)
        message = " ".join(checked.error_messages)
        if not message:
            # Only the host knows whether the user exists.
            options = dict(checked.validated_parameters, user="backup")
            try:
                preflight_plan(options, self._task.check_mode, time.time())
            except CollectionError as exc:
                message = str(exc)
        return checked.validated_parameters, message

    @staticmethod
    def _document_of(answer, host):
        """The document and the headline out of the answer of a host."""
        # The controller knows the host's name; a host that gives another name must not replace another host's document. All
        # counts are made again from the findings: a host's own summary is not trusted.
        document = checked(dict(answer["document"], host=host))
        document["summary"] = counted(document)
        return document, one_line(in_one_line(document))

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
    def _paint(text, colour):
        return stringc(text, colour) if colour else text


@contextlib.contextmanager
def _removing_earlier(dest, host):
    """Remove the document of an earlier run unless `keep` is called, so that it cannot count as the result of a run that
    failed."""
    kept = []
    try:
        yield lambda: kept.append(True)
    finally:
        if dest and not kept:
            with contextlib.suppress(OSError):
                os.unlink(document_path(os.path.abspath(dest), host))
