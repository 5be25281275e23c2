# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The changelog has to cover this version, and what was changed since the last one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "check_changelog.py"
RELEASE = "releases:\n  0.9.0: {release_date: '2026-01-01'}\n  0.10.0: {release_date: '2026-02-01'}\n"


class Project:
    """A collection as far as its changelog is concerned, in a repository of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("galaxy.yml", "version: 0.10.0\n")
        self.write("CHANGELOG.md", "# Release notes\n\n## v0\\.10\\.0\n\nText\n")
        self.write("changelogs/changelog.yaml", RELEASE)
        self.write("plugins/modules/one.py", "")
        self.git("init", "--quiet")

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def git(self, *arguments: str) -> None:
        user = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.invalid"]
        subprocess.run(["git", *user, *arguments], cwd=self.root, check=True, capture_output=True)

    def release(self, tag: str) -> None:
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "Release")
        self.git("tag", tag)

    def check(self) -> tuple[int, str]:
        done = subprocess.run([sys.executable, SCRIPT, self.root], capture_output=True, text=True, check=False)
        assert not done.stderr
        return done.returncode, done.stdout


@pytest.fixture
def project(tmp_path) -> Project:
    return Project(tmp_path)


def test_all_is_well(project):
    assert project.check() == (0, "")


def test_a_version_without_a_release(project):
    project.write("galaxy.yml", "version: 0.11.0\n")
    code, said = project.check()
    assert code == 1
    assert "version 0.11.0, but the newest of changelogs/changelog.yaml is 0.10.0" in said


def test_the_next_version_may_wait_for_its_release(project):
    project.write("galaxy.yml", "version: 0.11.0\n")
    project.write("changelogs/fragments/1.yml", "bugfixes: [one]\n")
    assert project.check() == (0, "")


def test_a_version_older_than_its_changelog(project):
    project.write("galaxy.yml", "version: 0.9.0\n")
    project.write("changelogs/fragments/1.yml", "bugfixes: [one]\n")
    assert project.check()[0] == 1


def test_a_changelog_that_was_not_generated_again(project):
    project.write("CHANGELOG.md", "# Release notes\n\n## v0.9.0\n\nsee also v0.10.0\n")
    code, said = project.check()
    assert code == 1
    assert "CHANGELOG.md has no section v0.10.0" in said


@pytest.mark.parametrize("tag", ["0.10.0", "v0.10.0"])
def test_a_change_after_the_release_needs_a_fragment(project, tag):
    project.release(tag)
    assert project.check() == (0, "")
    project.write("docs/index.md", "not for the changelog\n")
    assert project.check() == (0, "")
    project.write("plugins/modules/one.py", "changed = True\n")
    code, said = project.check()
    assert code == 1
    assert f"changed since {tag}" in said
    assert "plugins/modules/one.py" in said
    project.write("changelogs/fragments/one.yml", "minor_changes: [one]\n")
    assert project.check() == (0, "")


def test_nothing_was_ever_released(project):
    project.write("changelogs/changelog.yaml", "releases: {}\n")
    code, said = project.check()
    assert code == 1
    assert "no fragment" in said
    project.write("changelogs/fragments/one.yml", "minor_changes: [one]\n")
    assert project.check() == (0, "")
