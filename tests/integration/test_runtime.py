# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-compat, which other tools use too, gets along with this checkout: alone, and without a network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleetops.pbs.tests.support import offline, runtime

ROOT = offline.ROOT
META = yaml.safe_load((ROOT / "galaxy.yml").read_text())
# The checkout as others have it: without what tools made in it, and here without its tests, which are not shipped.
LISTING = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("checkout") / "pbs"
    for name in subprocess.run(LISTING, check=True, capture_output=True, text=True).stdout.split("\0"):
        if name and not name.startswith("tests/") and (ROOT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, directory / name)
    return directory


def ask(checkout: Path, home: Path, minimum: str, *playbooks: str, more: list[Path]) -> str:
    env = offline.environment(home, *more)
    return offline.call([sys.executable, runtime.__file__, str(checkout), minimum, *playbooks], env, checkout)


def requires() -> str:
    return yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["requires_ansible"].removeprefix(">=")


@pytest.fixture(scope="module")
def found(checkout, tmp_path_factory) -> dict:
    home = tmp_path_factory.mktemp("home")
    playbooks = [f"fleetops.pbs.{path.stem}" for path in sorted((ROOT / "playbooks").glob("*.yml"))]
    said = ask(checkout, home, requires(), *playbooks, more=[offline.dependencies(home)])
    return json.loads(said.splitlines()[-1])


def test_this_ansible_is_new_enough(found):
    assert found["ansible"] == version("ansible-core")


def test_the_checkout_is_installed_as_a_collection_beside_what_it_depends_on(found, checkout):
    ours = found["collections"]["fleetops.pbs"]
    assert ours["version"] == found["required"] == META["version"]
    assert Path(ours["path"]).is_relative_to(checkout / ".ansible")
    assert set(META["dependencies"]) <= set(found["collections"])


def test_everything_is_listed(found):
    assert found["modules"] == sorted(f"fleetops.pbs.{path.stem}" for path in (ROOT / "plugins/modules").glob("*.py"))
    assert found["roles"] == sorted(f"fleetops.pbs.{path.name}" for path in (ROOT / "roles").iterdir())


def test_every_playbook_is_there_and_loads(found):
    assert found["playbooks"]
    assert all(found["playbooks"].values()), found["playbooks"]
    assert not found["unknown"]


def test_an_older_ansible_is_refused(checkout, tmp_path):
    with pytest.raises(AssertionError, match=r"incompatible version of ansible runtime .*, instead of 99\.0 or newer"):
        ask(checkout, tmp_path, "99.0", more=[offline.dependencies(tmp_path)])


def test_without_what_it_depends_on_it_is_not_installed(checkout, tmp_path):
    with pytest.raises(AssertionError, match=r"ansible\.posix"):
        ask(checkout, tmp_path, requires(), more=[tmp_path])
