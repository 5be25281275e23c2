# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Protections taken out.

A test that cannot fail protects nothing. So each protection of protections/table.py is taken out of a copy of the
collection, and the tests that hold it have to fail there, in an assertion; in the untouched copy they pass.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from ansible_collections.fleetops.pbs.tests.reliability.protections.table import PROTECTIONS, Protection

pytestmark = [pytest.mark.root, pytest.mark.timeout(2000)]

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("plugins", "tests", "docs", "pyproject.toml")
PATIENCE = 900
"""Seconds for one run of the tests in the copy; each of them has 200."""

THOROUGH = os.environ.get("RELIABILITY") == "thorough"
TAKEN_OUT = [protection for protection in PROTECTIONS if protection.always or THOROUGH]


class Seen(NamedTuple):
    """What one run of pytest said."""

    passed: int
    failed: set[str]
    """The names of tests that failed in an assertion, with and without their parameters."""
    broken: list[str]
    """Messages of everything else that went wrong: errors of collection and of fixtures, other exceptions."""
    output: str


class Copy:
    """The collection once more, where things may be taken out."""

    def __init__(self, collections: Path) -> None:
        self._collections = collections
        self.path = collections / "ansible_collections/fleetops/pbs"
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, self.path / part, ignore=shutil.ignore_patterns("__pycache__", "output"))
            else:
                shutil.copy2(ROOT / part, self.path / part)

    def run(self, tests: Sequence[str]) -> Seen:
        """Run these tests of the copy on the code of the copy."""
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("RELIABILITY", "PYTEST_"))
        }
        # Ansible's loader goes before Python's path, and finds the collection by its own variable.
        collections = os.fspath(self._collections)
        environment.update(PYTHONPATH=collections, ANSIBLE_COLLECTIONS_PATH=collections, PYTHONDONTWRITEBYTECODE="1")
        told = self.path / "told.xml"
        told.unlink(missing_ok=True)
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--timeout=200",
            f"--junitxml={told}",
            *tests,
        ]
        process = subprocess.Popen(
            command,
            cwd=self.path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _none = process.communicate(timeout=PATIENCE)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        assert told.exists(), output
        return _read(told, output)


def _read(told: Path, output: str) -> Seen:
    passed, broken = 0, []
    failed: set[str] = set()
    for case in ElementTree.parse(told).iter("testcase"):
        messages = [(part.tag, part.get("message", "")) for part in case if part.tag in ("failure", "error", "skipped")]
        # Whoever fails in the middle may leave a descriptor open, and its fixture says so.
        messages = [message for message in messages if not message[1].startswith("failed on teardown")]
        passed += not messages
        for tag, message in messages:
            is_assertion = tag == "failure" and message.startswith(
                ("AssertionError", "assert ", "Failed: DID NOT RAISE")
            )
            if message.startswith("Failed: Timeout"):
                continue  # says nothing: the code without its protection may wait for what it should not have opened
            if is_assertion:
                name = case.get("name", "")
                failed |= {name, name.partition("[")[0]}
            else:
                broken.append(f"{case.get('name')}: {tag}: {message}")
    return Seen(passed, failed, broken, output)


@pytest.fixture(scope="module")
def untouched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy in which every test that holds one of the chosen protections passes."""
    copy = Copy(tmp_path_factory.mktemp("untouched"))
    chosen = [
        item.callspec.params["protection"]
        for item in request.session.items
        if hasattr(item, "callspec") and "protection" in item.callspec.params
    ]
    tests = sorted({test for protection in chosen for test in nodes_of(protection)})
    seen = copy.run(tests)
    assert not seen.failed, seen.output
    assert not seen.broken, seen.output
    assert seen.passed >= len(tests), seen.output
    return copy


@pytest.mark.parametrize("protection", TAKEN_OUT, ids=lambda protection: protection.name)
def test_without(campaign, untouched: Copy, protection: Protection) -> None:
    tests = nodes_of(protection)
    trial = campaign(f"taken out: {protection.what}", "the tests that hold it fail: " + ", ".join(map(_name, tests)))
    originals = {change.file: (untouched.path / "plugins" / change.file).read_text() for change in protection.changes}
    try:
        for change in protection.changes:
            file = untouched.path / "plugins" / change.file
            text = file.read_text()
            assert text.count(change.old) == 1, f"{change.file} has changed: what is taken out is not there once"
            file.write_text(text.replace(change.old, change.new))
        waiting = list(tests)
        for _round in trial.rounds(2, 5):
            if not waiting:
                break
            seen = untouched.run(waiting)
            assert not seen.broken, "\n".join([*seen.broken, seen.output])
            noticed = [test for test in waiting if _name(test) in seen.failed]
            waiting = [test for test in waiting if test not in noticed]
            trial.saw("a test failed in an assertion", len(noticed))
            # Where the attack is a race, the attacker may lose it.
            trial.saw("a test passed, and was run again", len(waiting))
        assert not waiting, f"{waiting} pass without it"
    finally:
        for name, text in originals.items():
            (untouched.path / "plugins" / name).write_text(text)


def nodes_of(protection: Protection) -> tuple[str, ...]:
    """The quick ones, and at full length the campaigns too."""
    return protection.tests + (protection.campaigns if THOROUGH else ())


def _name(test: str) -> str:
    return test.rpartition("::")[2]
