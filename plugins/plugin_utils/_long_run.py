# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's side of a run that may take long: shows how far it is, and gets the result.

The module is told to wait a few seconds for its own work; a run that is shorter costs nothing more. After that the
host is asked with `async_status`, each time over a connection of its own, so that losing one does no harm.
"""

from __future__ import annotations

import contextlib
import secrets
import time

from ansible import constants
from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display
from ansible_collections.fleetops.pbs.plugins.plugin_utils._answer import complaint

_PATIENCE = (4.0, 30.0)
"""Seconds that the module waits for its own work, at least and at most: the first answer, mostly the only one."""

_FIRST_PAUSES = (1.0, 2.0, 3.0)
"""Seconds before the first questions; a run that is just a little longer shall not wait for the pace."""

_PACE = 10.0
"""Seconds between two lines about one host, and between two questions, at least."""

_LINES = 2.0
"""Lines a second that all hosts of a play together may write."""

_LAG = 0.25
"""How much longer than the work itself it may take to learn of its end."""

_PATIENCE_OFFLINE = 600.0
"""Seconds for which a host that cannot be reached any more is asked again."""

_SILENCE = 300.0
"""Seconds without any progress, in addition to what the module allows, after which the work is taken for dead."""

_TOTAL = 86400.0
"""Seconds after which the work of one host is not waited for any more, whatever the host reports; the report of the other
hosts is made."""

_STORES = 6
"""Datastores whose whole limit (the module's option `limit`) is waited for, where that is longer."""

_WIDTH = 1000
"""Characters of what a host says that it is doing."""

_MOST = 10**15
"""No count and no time of a walk comes near it."""

_ASYNC_KEYS = (
    "ansible_job_id",
    "worker",
    "started",
    "finished",
    "results_file",
    "stdout",
    "stderr",
    "stdout_lines",
    "stderr_lines",
)


class LongRun:
    """For action plugins, beside `ActionBase`."""

    def run_long(self, module_name, module_args, task_vars):
        """Run a module of this collection that uses `_long_run.run_module`; return its result."""
        if self._task.async_val:
            return self._execute_module(
                module_name=module_name, module_args=module_args, task_vars=task_vars, wrap_async=True
            )
        host = task_vars.get("inventory_hostname", "")
        job = {
            "id": "j%d.pbs" % secrets.randbelow(10**12),
            "directory": self.get_shell_option("async_dir", default="~/.ansible_async"),
            "patience": _patience(_at_once(task_vars)),
        }
        # A host that cannot be reached now is unreachable, as for any task; losing it later is another matter.
        result = self._execute_module(
            module_name=module_name, module_args=dict(module_args, _job=job), task_vars=task_vars
        )
        if not result.get("started"):
            return self._clean(result)
        job["directory"] = str(result.get("results_file") or "").rpartition("/")[0] or job["directory"]
        watch = _Watch(self._display, host, _at_once(task_vars))
        # Each datastore may be silent three times: when it is looked at, when it is listed, and in its walk.
        silence = float(module_args.get("deadline") or 10.0) + 2 * float(module_args.get("stall") or 60.0) + _SILENCE
        total = max(_TOTAL, _STORES * float(module_args.get("limit") or 0.0))
        return self._wait(job, task_vars, watch, silence, total)

    def _wait(self, job, task_vars, watch, silence, total):
        pauses = list(_FIRST_PAUSES)
        began = time.monotonic()
        offline_since = None
        what, seen, seen_at = None, -1, time.monotonic()
        while True:
            time.sleep(pauses.pop(0) if pauses else watch.pause(time.monotonic() - began))
            try:
                answer = self._status(job, task_vars)
            except AnsibleError as exc:
                offline_since = offline_since or time.monotonic()
                watch.offline(exc)
                if time.monotonic() - offline_since > _PATIENCE_OFFLINE:
                    raise AnsibleConnectionFailure(str(exc)) from exc
                continue
            offline_since = None
            if answer.get("msg") == "could not find job":
                return {"failed": True, "msg": "The host has forgotten the work that was begun on it (a restart?)."}
            if answer.get("finished"):
                # The result is here; a file that stays there is removed by a later run.
                with contextlib.suppress(AnsibleError):
                    self._ask(job, "cleanup", task_vars)
                return self._clean(answer)
            progress = answer.get("progress")
            now = time.monotonic()
            if now - began > total:
                return {
                    "failed": True,
                    "msg": f"The work on the host took longer than {duration(total)}; it is not waited for.",
                }
            # Only going forward counts, in the same datastore.
            now_at, done = _done(progress)
            if now_at != what or done > seen:
                what, seen, seen_at = now_at, done, now
            elif now - seen_at > silence:
                return {"failed": True, "msg": "The work on the host was ended, or does not move any more."}
            watch.show(progress)

    def _status(self, job, task_vars):
        """What the host says about the work. Raises `AnsibleError` where it says nothing.

        A connection may end at any step of a question, and only at some of them Ansible says that it was that: at
        others a directory could not be made, a file could not be sent, or the module ended without a word.
        """
        answer = self._ask(job, "status", task_vars)
        if "ansible_job_id" not in answer:
            said = complaint(answer.get("module_stderr")) or complaint(answer.get("module_stdout"))
            raise AnsibleConnectionFailure(said or complaint(answer.get("msg")) or "no answer")
        return answer

    def _ask(self, job, mode, task_vars):
        return self._execute_module(
            module_name="ansible.legacy.async_status",
            module_args={"jid": job["id"], "mode": mode, "_async_dir": job["directory"]},
            task_vars=task_vars,
        )

    @staticmethod
    def _clean(result):
        """What the module has answered, without what was added to ask for it."""
        return {key: value for key, value in result.items() if key not in (*_ASYNC_KEYS, "invocation")}


def _at_once(task_vars):
    """How many hosts work at the same time; the others wait for a fork."""
    hosts = len(task_vars.get("ansible_play_batch") or [0])
    return min(hosts, task_vars.get("ansible_forks") or hosts)


def _patience(hosts):
    """Each question is work for the controller, the more so the more hosts there are to ask."""
    least, most = _PATIENCE
    return min(max(least, 1.0 * hosts), most)


class _Watch:
    """Shows the progress of one host, at a steady pace."""

    def __init__(self, display, host, hosts):
        self._pace = max(_PACE, hosts / _LINES)
        self._display = display
        self._host = host
        self._shown_at = 0.0
        self._is_offline = False

    def pause(self, elapsed):
        """Seconds until the next question: not oftener than there is a line to be shown, unless that were a long wait.

        A host that is done and not asked keeps its fork from the next one.
        """
        return min(self._pace, max(_PACE, _LAG * elapsed))

    def show(self, progress):
        if self._is_offline:
            self._is_offline = False
            self._display.display(f"{self._host}: connected again; the work went on")
        now = time.monotonic()
        if progress and now - self._shown_at >= self._pace:
            self._shown_at = now
            self._display.display(display(f"{self._host}: {progress_line(progress)}"))

    def offline(self, error):
        if not self._is_offline:
            self._is_offline = True
            # Not a warning: those of a task are shown when it has ended.
            line = f"{self._host}: the connection is lost, the work there goes on: {error}"
            # It may be in the host's words.
            self._display.display(display(line), color=constants.COLOR_WARN)


def progress_line(progress):
    """How far a walk is, for people, from what the module has noted."""
    progress = progress if isinstance(progress, dict) else {}
    total = int(_number(progress, "prefixes_total")) or 1
    done = int(_number(progress, "prefixes"))
    files = int(_number(progress, "files"))
    elapsed = _number(progress, "elapsed")
    what = progress.get("what")
    indexes = int(_number(progress, "indexes"))
    parts = [
        "%s: %d %%" % (display(what)[:_WIDTH] if isinstance(what, str) else "working", 100 * done // total),
        *([f"{indexes:,} index files"] if indexes else []),
        f"{files:,} chunks",
        f"{int(_number(progress, 'wrong')):,} wrong",
    ]
    if elapsed > 0:
        parts.append(f"{files / elapsed:,.0f}/s")
    if done and elapsed > 0:
        parts.append(f"about {duration(elapsed * (total - done) / done)} left")
    return ", ".join(parts)


def _done(progress):
    """What the work is at, and how much of that has been done, as one number that grows."""
    progress = progress if isinstance(progress, dict) else {}
    return str(progress.get("what"))[:_WIDTH], sum(_number(progress, key) for key in ("prefixes", "files", "indexes"))


def _number(progress, key):
    """It comes from a host, and is a number unless somebody makes fun of us."""
    value = progress.get(key)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number and 0 <= value < _MOST else 0


def duration(seconds):
    """`40 s`, `12 min`, `3 h 20 min`."""
    if seconds < 100:
        return "%d s" % round(seconds)
    minutes = round(seconds / 60)
    if minutes < 100:
        return "%d min" % minutes
    return "%d h %02d min" % divmod(minutes, 60)
