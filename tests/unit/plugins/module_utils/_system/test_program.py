# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sys
import time

from ansible_collections.fleetops.pbs.plugins.module_utils._system.program import run


def test_what_it_says() -> None:
    answer = run([sys.executable, "-c", "import os; print(os.environ['LC_ALL'], os.getcwd())"], 30)
    assert (answer.code, answer.output, answer.error) == (0, "C /\n", "")


def test_what_it_complains() -> None:
    script = "import sys; sys.stderr.write('no \\x1b[31mway\\nsecond line\\n'); sys.exit(3)"
    answer = run([sys.executable, "-c", script], 30)
    assert answer.code == 3
    assert answer.error == sys.executable + r": no \x1b[31mway"


def test_a_silent_failure() -> None:
    assert run([sys.executable, "-c", "import sys; sys.exit(1)"], 30).error.endswith(": it failed without a message")


def test_a_program_that_is_not_there() -> None:
    answer = run(["/nonexistent/program"], 30)
    assert (answer.code, answer.output, answer.missing) == (None, "", True)
    assert answer.error == "/nonexistent/program: ENOENT: No such file or directory"


def test_a_program_that_does_not_answer() -> None:
    began = time.monotonic()
    answer = run([sys.executable, "-c", "import time; time.sleep(600)"], 0.3)
    assert (answer.code, answer.output) == (None, "")
    assert answer.error == f"{sys.executable}: no answer in 0.3 s"
    assert time.monotonic() - began < 60


def test_it_cannot_read_what_we_are_told() -> None:
    assert run([sys.executable, "-c", "import sys; print(repr(sys.stdin.read()))"], 30).output == "''\n"
