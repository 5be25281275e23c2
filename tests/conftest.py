# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every test run has: Ansible's own loader, a private mount namespace, and no test that is skipped without need."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

try:
    from pytest_ansible.units import inject_only
except ImportError:
    pass  # `ansible-test units` has a way of its own
else:
    # pytest-ansible does it too, but only after every conftest.py has imported what it wants of the collection.
    inject_only()

from ansible_collections.fleetops.pbs.tests.support import ansible_run, fixtures, machine, namespaces

# Where root on Linux may still skip: what the kernel has to bring, and other Pythons. Nothing else that a test can want
# is missing on a machine that `make venv` has set up. One entry: the beginning of the skip's reason, and why it is allowed.
ALLOWED_SKIPS = {
    "Python 3.": "Pythons of managed hosts that are not on this machine",
    "kernel without ": "filesystems and features that are compiled in or not, as vfat, NFS and idmapped mounts",
}


# How long a busy machine takes is no property of what is tested.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-skips",
        action="store_true",
        default=os.environ.get("CI", "").lower() in ("1", "true", "yes"),
        help="fail if a test is skipped that this machine can run (the default where CI=true)",
    )
    parser.addoption(
        "--managed-python",
        type=Path,
        help="the interpreter of the managed side, and no tests but those that run a module or a playbook",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "root: needs root on Linux (mounts, owners, namespaces)")
    _own_temporary_directory(config)
    # Whatever a test mounts, and fails to unmount, ends with this process and is seen by no other.
    if machine.is_capable():
        namespaces.private_mounts()
    if config.getoption("--managed-python"):
        ansible_run.managed_python = config.getoption("--managed-python")
    config.pluginmanager.register(fixtures, "support-fixtures")
    config.pluginmanager.register(SkipGuard(config.getoption("--no-skips") and machine.is_capable()), "skip-guard")


def _own_temporary_directory(config: pytest.Config) -> None:
    """Give this run a directory for its temporary ones that no other run of pytest closes.

    The one that pytest has by default is shared, and each start makes it 0700 again: then `backup` cannot reach what the
    tests of another run have made for it there.
    """
    if "PYTEST_DEBUG_TEMPROOT" in os.environ or config.option.basetemp:
        return
    root = tempfile.mkdtemp(prefix="fleetops-pbs-tests-")
    os.environ["PYTEST_DEBUG_TEMPROOT"] = root

    def leave() -> None:
        del os.environ["PYTEST_DEBUG_TEMPROOT"]
        # What is still mounted there is not ours to empty.
        mounted = Path("/proc/self/mountinfo").read_text() if machine.is_capable() else ""
        if f" {root}/" not in mounted:
            shutil.rmtree(root, ignore_errors=True)

    config.add_cleanup(leave)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --managed-python only those that have a managed side: their files import what runs it by its name."""
    if not config.getoption("--managed-python"):
        return
    left_out = [item for item in items if not {"run_module", "run_playbook"} & set(dir(item.module))]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    """What cannot be made here is a reason to skip, wherever a test has asked for it."""
    with _skip_the_unsupported():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    with _skip_the_unsupported():
        return (yield)


@contextlib.contextmanager
def _skip_the_unsupported() -> Iterator[None]:
    try:
        yield
    except machine.Unsupported as reason:
        pytest.skip(str(reason))


class SkipGuard:
    """Collects the skips, and fails the session for those that need not have been."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self.needless: list[tuple[str, str]] = []

    def _note(self, nodeid: str, longrepr: object) -> None:
        reason = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
        reason = reason.removeprefix("Skipped: ")
        if not reason.startswith(tuple(ALLOWED_SKIPS)):
            self.needless.append((nodeid, reason))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self._note(report.nodeid, report.longrepr)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._note(report.nodeid, report.longrepr)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.strict and self.needless and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.strict and self.needless:
            terminalreporter.section("skipped, though this machine can run it: the session fails")
            for nodeid, reason in self.needless:
                terminalreporter.line(f"{nodeid}: {reason}")


@pytest.fixture(autouse=True)
def _needs_root(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("root") and not machine.is_capable():
        pytest.skip("needs root on Linux")
