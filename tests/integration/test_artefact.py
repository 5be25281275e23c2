# Copyright (c) 2026, the fleetops.pbs contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users install is the product: all of it, and nothing of its workshop."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PRODUCT = {
    "CHANGELOG.md",
    "COPYING",
    "FILES.json",
    "MANIFEST.json",
    "README.md",
    "SECURITY.md",
    "changelogs",
    "docs",
    "extensions",
    "meta",
    "playbooks",
    "plugins",
    "roles",
    "tests",
}


@pytest.fixture(scope="module")
def members(tmp_path_factory) -> list[str]:
    output = tmp_path_factory.mktemp("artefact")
    argv = [sys.executable, "-m", "ansible", "galaxy", "collection", "build", "--output-path", output, ROOT]
    subprocess.run(argv, check=True, capture_output=True, env={**os.environ, "ANSIBLE_LOCAL_TEMP": str(output / "tmp")})
    (artefact,) = output.glob("fleetops-pbs-*.tar.gz")
    with tarfile.open(artefact) as archive:
        return archive.getnames()


def test_nothing_of_the_workshop_is_in_it(members):
    assert {name.split("/")[0] for name in members} <= PRODUCT
    assert not [name for name in members if "__pycache__" in name or name.startswith("tests/output")]


def test_every_file_of_the_product_is_in_it(members):
    listing = ["git", "-C", str(ROOT), "ls-files", "plugins", "roles", "playbooks", "meta"]
    known = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split()
    missing = {name for name in known if (ROOT / name).exists()} - set(members)
    assert not missing
