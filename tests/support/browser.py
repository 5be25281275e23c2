# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium for tests, controlled over a pipe (the DevTools protocol); nothing but the standard library."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
TIMEOUT = 300  # seconds

# The browser reads from descriptor 3 and writes to 4.
_START = (
    "import os, sys; r, w = map(int, sys.argv[1:3]); os.dup2(r, 3); os.dup2(w, 4); os.execv(sys.argv[3], sys.argv[3:])"
)
_QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)


class BrowserError(Exception):
    """What the browser, or a script in the page, has to complain about."""


def program() -> str | None:
    return next((path for path in map(shutil.which, PROGRAMS) if path), None)


class Page:
    """A tab. `complaints` are the errors of its console, those of its policy included."""

    def __init__(self, to: int, answers: int) -> None:
        self._to, self._answers, self._buffer, self._last = to, answers, b"", 0
        self._session = ""
        self.complaints: list[str] = []
        self.requests: list[str] = []

    def open_tab(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._last:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']}")
                return dict(answer["result"])

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + TIMEOUT
        while b"\0" not in self._buffer:
            if not select.select([self._answers], [], [], max(0.0, end - time.monotonic()))[0]:
                raise BrowserError("no answer")
            block = os.read(self._answers, 1 << 20)
            if not block:
                raise BrowserError("the browser has ended")
            self._buffer += block
        line, _end, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        params = message.get("params", {})
        if message.get("method") == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])
        elif message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"]))
        elif message.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        return message

    def run(self, script: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise BrowserError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def wait_for(self, script: str) -> None:
        """Until an expression in the page is true."""
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            with contextlib.suppress(BrowserError):  # such as a page that is just being left
                if self.run(f"Boolean({script})"):
                    return
            time.sleep(0.02)
        raise BrowserError(f"never came true: {script}")

    def look_like(self, width: int, height: int, scheme: str = "light") -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, path: Path, fragment: str = "", ready: str = "document.readyState === 'complete'") -> None:
        # From another page, so that it is loaded again and not only scrolled.
        self.call("Page.navigate", url="about:blank")
        self.wait_for("location.href === 'about:blank'")
        self.call("Page.navigate", url=path.resolve().as_uri() + fragment)
        self.wait_for(f"location.href !== 'about:blank' && ({ready})")

    def key(self, name: str, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, text=text if kind == "keyDown" else "")

    def picture(self, path: Path, whole: bool = False) -> None:
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))

    def print_to(self, path: Path) -> None:
        answer = self.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
        path.write_bytes(base64.b64decode(answer["data"]))


@contextlib.contextmanager
def opened() -> Iterator[Page]:
    """A page of a browser of its own, which ends with the block."""
    found = program()
    assert found is not None, "no Chromium"
    with tempfile.TemporaryDirectory(prefix="fleetops-pbs-browser-", ignore_cleanup_errors=True) as home:
        # High numbers, so that none of them is 3 or 4.
        pipes = [
            fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20) for pair in (os.pipe(), os.pipe()) for end in _closing(pair)
        ]
        commands, to, answers, written = pipes
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                _START,
                str(commands),
                str(written),
                found,
                *_QUIET,
                f"--user-data-dir={home}/profile",
            ],
            pass_fds=(commands, written),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": home},
        )
        try:
            os.close(commands)
            os.close(written)
            page = Page(to, answers)
            page.open_tab()
            yield page
            with contextlib.suppress(BrowserError, OSError):
                page._session = ""
                page.call("Browser.close")
        finally:
            os.close(to)
            os.close(answers)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _closing(pair: tuple[int, int]) -> Iterator[int]:
    """Each end in its turn, closed when the next is asked for: what is kept is a duplicate."""
    for end in pair:
        yield end
        os.close(end)
