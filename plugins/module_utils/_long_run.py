# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Long runs: the work continues in a separate process, independent of the connection that started it.

The module waits a few seconds for its own work. This is usually enough, at the cost of one more process. If it is not
enough, the module ends with a note that the work has begun. The work then writes its progress, and finally its result, to
a file in the format of Ansible's asynchronous jobs, which `async_status` reads.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import stat
import time
import typing as t

from ansible_collections.fleetops.pbs.plugins.module_utils._system.errors import CollectionError
from ansible_collections.fleetops.pbs.plugins.module_utils._system.identity import die_with_parent
from ansible_collections.fleetops.pbs.plugins.module_utils._system.pipes import open_pipe
from ansible_collections.fleetops.pbs.plugins.module_utils._system.process_mark import PATTERN, is_gone, own_mark
from ansible_collections.fleetops.pbs.plugins.module_utils._system.text import describe_error, display

Result = dict[str, t.Any]
Report = t.Callable[[str, t.Any], None]
"""Called with the current step and a dataclass with its progress."""
Work = t.Callable[[t.Optional[Report]], Result]
"""Returns the module's result, including `failed`; raises `CollectionError`, for example for invalid options."""

_PACE = 2.0
"""Seconds between two writes of the progress."""

_UNCLAIMED = 3600.0
"""Seconds after which nobody fetches a result any more; after a lost connection the controller tries for ten minutes."""

_JOB_FILE = re.compile(r"j[0-9]{1,12}\.pbs(?:\.(?P<mark>" + PATTERN + r")\.tmp)?\Z")

_ENDED = "The process that did the work ended without a result"


def job_spec() -> dict[str, t.Any]:
    """The option with which the action plugin of a module requests a long run; for internal use only."""
    return {
        "type": "dict",
        "options": {
            "id": {"type": "str", "required": True},
            "directory": {"type": "path", "required": True},
            "patience": {"type": "float", "required": True},
        },
    }


def run_module(module: t.Any, work: Work) -> None:
    """Do the work of an `AnsibleModule`, and end the module with its result or with the note that it has begun."""
    job = module.params.get("_job")
    if job is None:
        result = _result_of(work, None)
    else:
        try:
            result = Job(job["id"], job["directory"], job["patience"]).run(work)
        except OSError as exc:
            # Do the work even if the job file cannot be written.
            result = _result_of(work, None)
            result.setdefault("warnings", []).append(
                f"The progress cannot be shown, and the run does not survive a lost connection: {describe_error(exc)}"
            )
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


def _result_of(work: Work, report: t.Optional[Report]) -> Result:
    try:
        return work(report)
    except CollectionError as exc:
        return {"failed": True, "msg": str(exc)}


class Job:
    """Work that outlives the module that started it."""

    def __init__(self, job_id: str, directory: str, patience: float) -> None:
        """`patience`: seconds that the module waits for its own work."""
        self._id = job_id
        self._directory = directory
        self._path = os.path.join(directory, job_id)
        self._patience = patience
        self._due = 0.0
        self._what = ""
        """The current step; since `self._began`."""
        self._began = 0.0

    def run(self, work: Work) -> Result:
        """Return the result, or after `patience` seconds the note that the work has begun. Raises `OSError`."""
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        _clean_up(self._directory)
        earlier = self._earlier()
        if earlier is not None:
            return earlier
        self._write({})
        reader, writer = open_pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(reader)
                self._keep(work, writer)
            finally:
                os._exit(0)
        os.close(writer)
        # The pipe is closed when the work ends, however it ends.
        done, _writable, _exceptional = select.select([reader], [], [], self._patience)
        os.close(reader)
        if not done:
            return dict(self._read(), results_file=self._path)
        with contextlib.suppress(ChildProcessError):  # if SIGCHLD is ignored, the kernel reaps children itself
            os.waitpid(pid, 0)
        result = self._read()
        os.unlink(self._path)
        if result.get("started"):
            return {"failed": True, "msg": f"{_ENDED}."}
        return result

    def _earlier(self) -> t.Optional[Result]:
        """The state of the same work if it was already started; None if it was not, or must be started again.

        If the connection is lost while the module waits, Ansible may start the module again with the same arguments
        (`ansible_ssh_retries`), and the first one continues.
        """
        try:
            content = self._read()
        except (OSError, ValueError):
            return None
        if not content.get("started"):
            os.unlink(self._path)
            return content
        return None if is_gone(str(content.get("worker", ""))) else dict(content, results_file=self._path)

    def _keep(self, work: Work, writer: int) -> None:
        """In the child: detach from the connection, run the work, and ensure that there is a result.

        The work runs in another process, so that this one can report if it is killed (for example without memory).
        """
        os.setsid()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        for name in os.listdir("/proc/self/fd"):
            if int(name) > 2 and int(name) != writer:
                with contextlib.suppress(OSError):
                    os.close(int(name))
        keeper = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(writer)
                die_with_parent(signal.SIGKILL, keeper)
                self._work(work)
            finally:
                os._exit(0)
        _pid, status = os.waitpid(pid, 0)
        if self._read().get("started"):
            how = f" ({signal.Signals(os.WTERMSIG(status)).name})" if os.WIFSIGNALED(status) else ""
            self._finish({"failed": True, "msg": f"{_ENDED}{how}."})

    def _work(self, work: Work) -> None:
        # From now on this process owns the file: the module may end before the first progress.
        with contextlib.suppress(OSError):
            self._write({})
        try:
            result = _result_of(work, self._note)
        except BaseException as exc:  # the controller must get a result in any case
            result = {"failed": True, "msg": f"{type(exc).__name__}: {display(str(exc))}"}
        self._finish(result)

    def _note(self, what: str, progress: t.Any) -> None:
        now = time.monotonic()
        if what != self._what:
            # Another step: its time starts again.
            self._what, self._began = what, now
        if now < self._due:
            return
        self._due = now + _PACE
        with contextlib.suppress(OSError):  # with a full disk, only the progress is lost
            self._write(dict(vars(progress), what=what, elapsed=round(now - self._began, 3)))

    def _write(self, progress: dict[str, t.Any]) -> None:
        self._replace(
            {
                "started": True,
                "finished": False,
                "ansible_job_id": self._id,
                "worker": own_mark(),
                "progress": progress,
            }
        )

    def _finish(self, result: Result) -> None:
        self._replace(dict(result, ansible_job_id=self._id))

    def _replace(self, content: dict[str, t.Any]) -> None:
        temporary = f"{self._path}.{own_mark()}.tmp"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="ascii") as file:
            json.dump(content, file)
        os.rename(temporary, self._path)

    def _read(self) -> Result:
        return _read_job(self._path)


def _clean_up(directory: str) -> None:
    """Remove job files of killed runs, and results that nobody fetched. Never raises."""
    with contextlib.suppress(OSError):
        names = [name for name in os.listdir(directory) if _JOB_FILE.match(name)]
        for name in names:
            path = os.path.join(directory, name)
            with contextlib.suppress(OSError, ValueError):
                if _is_leftover(path, _JOB_FILE.match(name)):
                    os.unlink(path)


def _is_leftover(path: str, name: t.Optional[t.Match[str]]) -> bool:
    """Raises `OSError`, and `ValueError` if it is not a job file."""
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        return False
    mark = name.group("mark") if name else None
    if mark is None:
        mark = str(_read_job(path).get("worker", ""))
    # A file without a mark is a result.
    gone = is_gone(mark)
    return bool(gone) or (gone is None and status.st_mtime < time.time() - _UNCLAIMED)


def _read_job(path: str) -> Result:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, encoding="ascii") as file:
        content: Result = json.load(file)
    if not isinstance(content, dict):
        raise ValueError("not a job")
    return content
