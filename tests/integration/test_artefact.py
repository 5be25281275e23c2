# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users install: everything that the product needs, and nothing that only its development needs."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleetops.pbs.tests.support import offline
from ansible_collections.fleetops.pbs.tests.support.ansible_run import HOST, run_playbook

ROOT = Path(__file__).resolve().parents[2]
META = yaml.safe_load((ROOT / "galaxy.yml").read_text())

# Whole, as far as git knows them.
SHIPPED = (
    "COPYING",
    "README.md",
    "CHANGELOG.md",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "MAINTAINERS.md",
    "SECURITY.md",
    "changelogs",
    "docs",
    "extensions",
    "meta",
    "playbooks",
    "plugins",
    "roles",
)
# extensions/molecule serves development, and a file that only keeps a directory is no loss.
LEFT_OUT = ("extensions/molecule/", "changelogs/.plugin-cache.yaml")
# What ansible-galaxy itself writes.
LISTS = {"FILES.json", "MANIFEST.json"}


@pytest.fixture(scope="module")
def artefact(tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("artefact")
    argv = [sys.executable, "-m", "ansible", "galaxy", "collection", "build", "--output-path", str(output), str(ROOT)]
    offline.call(argv, offline.environment(output), output)
    (path,) = output.glob("*.tar.gz")
    return path


@pytest.fixture(scope="module")
def members(artefact) -> list[tarfile.TarInfo]:
    with tarfile.open(artefact) as archive:
        return archive.getmembers()


@pytest.fixture(scope="module")
def collections(artefact, tmp_path_factory) -> list[Path]:
    """Where the artefact was installed, into nothing, and where what it depends on is."""
    home = tmp_path_factory.mktemp("home")
    paths = [home / "collections", offline.dependencies(home)]
    paths[0].mkdir()
    argv = [sys.executable, "-m", "ansible", "galaxy", "collection", "install", "--offline", str(artefact)]
    offline.call(argv, offline.environment(home, *paths), home)
    return paths


def test_its_name_is_that_of_galaxy_yml(artefact):
    assert artefact.name == f"fleetops-pbs-{META['version']}.tar.gz"


def test_all_of_the_product_is_in_it_and_nothing_of_the_workshop(members):
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *SHIPPED]
    known = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split("\0")
    expected = {name for name in known if name and not name.startswith(LEFT_OUT) and (ROOT / name).is_file()}
    assert {member.name for member in members if not member.isdir()} - LISTS == expected
    assert {name.split("/")[0] for name in expected} == set(SHIPPED)


def test_it_holds_no_links_and_nothing_that_anybody_may_write(members):
    assert [member.name for member in members if not (member.isfile() or member.isdir())] == []
    assert [member.name for member in members if member.mode & 0o022] == []


def test_every_module_and_role_is_documented_where_it_is_installed(collections, tmp_path):
    env = offline.environment(tmp_path, *collections)
    for kind, expected in (
        ("module", {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}),
        ("role", {path.name for path in (ROOT / "roles").iterdir()}),
    ):
        names = sorted(f"fleetops.pbs.{name}" for name in expected)
        argv = [sys.executable, "-m", "ansible", "doc", "--json", "--type", kind, *names]
        documentation = json.loads(offline.call(argv, env, tmp_path))
        assert sorted(documentation) == names
        for name in names:
            assert documentation[name].get("doc") or documentation[name]["entry_points"], name
            assert "error" not in documentation[name], name


@pytest.mark.root
def test_the_preflight_runs_from_where_it_is_installed(collections, chunk_store, tmp_path):
    variables = {
        "pbs_datastores": [{"name": "tank", "path": str(chunk_store(prefixes=4, chunks=8).path)}],
        "preflight_config_dir": str(tmp_path / "none"),
        "preflight_results": str(tmp_path / "results"),
        "preflight_fail_on": "never",
        "preflight_fail_on_unknown": "never",
    }
    path = ":".join(map(str, collections))
    run = run_playbook(
        "fleetops.pbs.preflight", variables=variables, env={"ANSIBLE_COLLECTIONS_PATH": path}, cwd=tmp_path
    )
    assert run.rc == 0, run.plays
    (document,) = (tmp_path / "results").glob(f"**/{HOST}.json")
    found = json.loads(document.read_text())
    assert found["collection_version"] == META["version"]
    assert {"PBS-ATIME-01": "pass", "PBS-CONF-06": "fail"}.items() <= {
        finding["control"]: finding["status"] for finding in found["findings"]
    }.items()
