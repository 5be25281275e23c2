# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's side of work that may take long: shows the progress, and gets the result.

The module waits a few seconds for its own work; shorter work needs no second question. After that the controller asks the
host with `async_status`, each time over a new connection, so that a lost connection does no harm.
"""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import signal
import threading
import time

from ansible import constants
from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.fleetops.pbs.plugins.module_utils._system.limits import TIMEOUT, TOGETHER
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import display
from ansible_collections.fleetops.pbs.plugins.plugin_utils._answer import complaint
from ansible_collections.fleetops.pbs.plugins.plugin_utils._console import Console

_PATIENCE = (4.0, 30.0)
"""Seconds that the module waits for its own work, at least and at most, before its first answer."""

_FIRST_PAUSES = (1.0, 2.0, 3.0)
"""Seconds before each of the first questions, so that slightly longer work does not wait for a whole `_PACE`."""

_PACE = 10.0
"""The least number of seconds between two lines about one host, and between two questions."""

_LINES = 2.0
"""The most lines per second that all hosts of a play together may write."""

_LAG = 0.25
"""How much later than its end the end of the work may be noticed, as a fraction of its duration."""

_PATIENCE_OFFLINE = 600.0
"""Seconds for which a host that cannot be reached is asked again."""

_MARGIN = 300.0
"""Seconds that a host may take in addition to the module's own limits."""

_WAVES = 8
"""The module looks at this many groups of datastores, one after the other, each within its option `deadline`."""

_PATIENCE_QUESTION = 600.0
"""Seconds within which a host must answer one question."""

_WIDTH = 1000
"""The most characters that are shown of the step that a host reports."""

_MOST = 10**15
"""Larger than any real count or time of a walk."""

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


class HostTookTooLong(AnsibleError):
    """A host gave no answer within the longest time that its work may take."""


class LongRun:
    """A base class for action plugins, in addition to `ActionBase`."""

    console: Console | None = None
    """Where to show the progress, if not where Ansible shows everything."""

    def run_short(self, module_name, module_args, task_vars):
        """Run a module that ends by its deadlines and has no progress to show; return its result.

        Raises `HostTookTooLong`.
        """
        with self._at_most(_start_limit(module_args)):
            return self._execute_module(
                module_name=module_name,
                module_args=module_args,
                task_vars=task_vars,
                wrap_async=bool(self._task.async_val),
            )

    def run_long(self, module_name, module_args, task_vars):
        """Run a module of this collection that uses `_long_run.run_module`; return its result.

        Raises `HostTookTooLong`.
        """
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
        # A host that cannot be reached now is unreachable, as for any task; one that is lost later is asked again.
        began = time.monotonic()
        total = _total_limit(module_args)
        with self._at_most(total):
            result = self._execute_module(
                module_name=module_name, module_args=dict(module_args, _job=job), task_vars=task_vars
            )
        if not result.get("started"):
            return self._clean(result)
        job["directory"] = str(result.get("results_file") or "").rpartition("/")[0] or job["directory"]
        watch = _Watch(self.console or self._display, host, _at_once(task_vars))
        return self._wait(job, task_vars, watch, _silence_limit(module_args), total, began)

    def _wait(self, job, task_vars, watch, silence, total, began):
        pauses = list(_FIRST_PAUSES)
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
                return {
                    "failed": True,
                    "msg": "The host has no record of the work that was started on it; it may have been restarted. Run this again.",
                }
            if answer.get("finished"):
                # The result is here; if its file on the host stays, a later run removes it.
                with contextlib.suppress(AnsibleError):
                    self._ask(job, "cleanup", task_vars)
                return self._clean(answer)
            progress = answer.get("progress")
            now = time.monotonic()
            if now - began > total:
                return {
                    "failed": True,
                    "msg": f"The work on the host took longer than {duration(total)}, so this task stopped waiting for it.",
                }
            # Only progress in the same datastore counts.
            now_at, done = _done(progress)
            if now_at != what or done > seen:
                what, seen, seen_at = now_at, done, now
            elif now - seen_at > silence:
                return {
                    "failed": True,
                    "msg": f"The work on the host has ended without a result, or made no progress for {duration(silence)}.",
                }
            watch.show(progress)

    def _status(self, job, task_vars):
        """The host's answer about the work. Raises `AnsibleError` if there is none.

        A connection may end at any step of a question. Ansible reports a lost connection only at some of the steps: at
        others it reports that a directory could not be made, a file could not be sent, or the module had no output.
        """
        answer = self._ask(job, "status", task_vars)
        if "ansible_job_id" not in answer:
            said = complaint(answer.get("module_stderr")) or complaint(answer.get("module_stdout"))
            raise AnsibleConnectionFailure(said or complaint(answer.get("msg")) or "no answer")
        return answer

    def _ask(self, job, mode, task_vars):
        with self._at_most(_PATIENCE_QUESTION):
            return self._execute_module(
                module_name="ansible.legacy.async_status",
                module_args={"jid": job["id"], "mode": mode, "_async_dir": job["directory"]},
                task_vars=task_vars,
            )

    @contextlib.contextmanager
    def _at_most(self, seconds):
        """Limit what Ansible does without a limit: it waits for the end of a connection that a host holds open.

        A limit that is there already, such as the task's own `timeout`, takes precedence. Raises `HostTookTooLong`.
        """
        limited = signal.getitimer(signal.ITIMER_REAL)[0] > 0
        if limited or threading.current_thread() is not threading.main_thread():
            yield
            return

        def expired(_signal, _frame):
            raise _Expired

        before = signal.signal(signal.SIGALRM, expired)
        try:
            try:
                signal.setitimer(signal.ITIMER_REAL, seconds)
                yield
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except _Expired:
            _end_connections()
            raise HostTookTooLong(
                f"The host gave no answer for {duration(seconds)}, so this task stopped waiting for it."
            ) from None
        finally:
            signal.signal(signal.SIGALRM, before)

    @staticmethod
    def _clean(result):
        """The module's own result, without the keys of `async_status`."""
        return {key: value for key, value in result.items() if key not in (*_ASYNC_KEYS, "invocation")}


class _Expired(BaseException):
    """No `Exception`, as whatever waits for the host may handle these."""


def _end_connections():
    """End the programs that this process has started, such as `ssh`: they would wait for the host for ever."""
    with contextlib.suppress(OSError, ValueError):
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            children = [int(pid) for pid in file.read().split()]
        for pid in children:
            os.kill(pid, signal.SIGTERM)


def _seconds(module_args, name, default):
    """An option of the module, in seconds. The module refuses an invalid one, so anything will do for it here."""
    try:
        value = float(module_args.get(name, default))
    except (TypeError, ValueError):
        return default
    return value if 0 < value < math.inf else default


def _start_limit(module_args):
    """The longest time in seconds until all datastores have answered, or not."""
    return _WAVES * _seconds(module_args, "deadline", 10.0) + _MARGIN


def _silence_limit(module_args):
    """The longest time in seconds without progress."""
    # Each datastore may give no answer three times: when it is probed, when it is listed, and in its walk.
    return _seconds(module_args, "deadline", 10.0) + 2 * _seconds(module_args, "stall", 60.0) + _MARGIN


def _total_limit(module_args):
    """The longest time in seconds that the module takes by its own limits, and a margin."""
    return TOGETHER * _seconds(module_args, "timeout", TIMEOUT) + _start_limit(module_args)


def _at_once(task_vars):
    """How many hosts are handled at the same time; the others wait for a fork."""
    hosts = len(task_vars.get("ansible_play_batch") or [0])
    return min(hosts, task_vars.get("ansible_forks") or hosts)


def _patience(hosts):
    """Seconds that the module waits for its own work: longer with more hosts, because each question costs the controller."""
    least, most = _PATIENCE
    return min(max(least, 1.0 * hosts), most)


class _Watch:
    """Shows the progress of one host, at a steady pace."""

    def __init__(self, console, host, hosts):
        self._pace = max(_PACE, hosts / _LINES)
        self._console = console
        self._host = host
        self._shown_at = 0.0
        self._is_offline = False

    def pause(self, elapsed):
        """Seconds until the next question: the time until the next line, but at most a fraction of the elapsed time.

        Until the controller notices that a host has finished, the next host cannot have its fork.
        """
        return min(self._pace, max(_PACE, _LAG * elapsed))

    def show(self, progress):
        if self._is_offline:
            self._is_offline = False
            self._console.display(f"{self._host}: connected again; the work continued meanwhile")
        now = time.monotonic()
        if progress and now - self._shown_at >= self._pace:
            self._shown_at = now
            self._console.display(display(f"{self._host}: {progress_line(progress)}"))

    def offline(self, error):
        if not self._is_offline:
            self._is_offline = True
            # Not a warning: those of a task are shown when it has ended.
            line = f"{self._host}: the connection is lost; the work on the host continues: {error}"
            # The host may have written the error message.
            self._console.display(display(line), color=constants.COLOR_WARN)


def progress_line(progress):
    """The progress of a walk as a line for the terminal, from the record that the module writes."""
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
    """The current step, and how much of it is done, as a number that only grows."""
    progress = progress if isinstance(progress, dict) else {}
    return str(progress.get("what"))[:_WIDTH], sum(_number(progress, key) for key in ("prefixes", "files", "indexes"))


def _number(progress, key):
    """A number from a host's record of progress; 0 if it is missing or not a sensible number: the host may be hostile."""
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
